//! The responses of the channelz service about a server, its channels and their connections,
//! read by the generated client.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, SystemTime};

use grpc_runtime::{Channel, ChannelCredentials, ChannelzRegistry, Code, Server, Service, Status};
use grpc_services::proto::grpc::channelz::v1::{
    Address, ChannelzStub, GetChannelRequest, GetServerRequest, GetServerSocketsRequest,
    GetServersRequest, GetSocketRequest, GetSubchannelRequest, GetTopChannelsRequest, Socket,
    address, channel_connectivity_state::State, channel_trace_event::Severity,
};
use grpc_services::proto::grpc::health::v1::{HealthCheckRequest, HealthStub};
use grpc_services::{Channelz, Health};

/// A server that shows itself, and a channel to it that is shown too.
struct Shown {
    server: Server,
    channel: Channel,
    stub: ChannelzStub,
}

async fn shown() -> Shown {
    let registry = ChannelzRegistry::new();
    let server = Server::builder()
        .channelz(&registry)
        .add_service(Channelz::new(&registry))
        .add_service(Health::new())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .channelz(&registry)
        .build(ChannelCredentials::insecure())
        .unwrap();
    // It is asked by a channel that nobody shows.
    let stub = ChannelzStub::new(Channel::insecure(&server.addresses()[0]).unwrap());
    Shown {
        server,
        channel,
        stub,
    }
}

async fn check(channel: &Channel, service: &str) -> Result<(), Status> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let health = HealthStub::new(channel.clone());
    health.check(request).await.map(drop)
}

async fn socket(stub: &ChannelzStub, id: i64) -> Socket {
    let request = GetSocketRequest {
        socket_id: id,
        summary: false,
    };
    let answer = stub.get_socket(request).await.unwrap();
    answer.socket.unwrap()
}

fn tcp(address: Option<Address>) -> (Vec<u8>, i32) {
    match address.unwrap().address.unwrap() {
        address::Address::TcpipAddress(tcp) => (tcp.ip_address.to_vec(), tcp.port),
        other => panic!("{other:?} is no TCP address"),
    }
}

/// Polls until the numbers of a socket are those, which are told when it rests.
async fn settles(stub: &ChannelzStub, id: i64, is_so: impl Fn(&Socket) -> bool) -> Socket {
    let poll = async {
        loop {
            let socket = socket(stub, id).await;
            if is_so(&socket) {
                return socket;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(20), poll).await;
    settled.unwrap()
}

#[tokio::test]
async fn a_channel_leads_to_its_subchannel_and_that_to_its_socket() {
    let shown = shown().await;
    check(&shown.channel, "").await.unwrap();
    let missing = check(&shown.channel, "nobody").await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);

    let top = shown
        .stub
        .get_top_channels(GetTopChannelsRequest::default());
    let top = top.await.unwrap();
    assert!(top.end);
    let [channel] = &top.channel[..] else {
        panic!("one channel is shown, not {top:?}");
    };
    let id = channel.r#ref.as_ref().unwrap().channel_id;
    let data = channel.data.as_ref().unwrap();
    assert_eq!(data.target, shown.server.addresses()[0]);
    assert_eq!(data.state.as_ref().unwrap().state(), State::Ready);
    assert!(channel.socket_ref.is_empty(), "it has subchannels instead");
    let request = GetChannelRequest { channel_id: id };
    let alone = shown.stub.get_channel(request).await.unwrap().channel;
    assert_eq!(alone.unwrap().r#ref, channel.r#ref);

    let request = GetSubchannelRequest {
        subchannel_id: channel.subchannel_ref[0].subchannel_id,
    };
    let answer = shown.stub.get_subchannel(request).await.unwrap();
    let subchannel = answer.subchannel.unwrap();
    assert_eq!(subchannel.r#ref.as_ref(), Some(&channel.subchannel_ref[0]));
    let trace = subchannel.data.unwrap().trace.unwrap();
    let told: Vec<_> = trace.events.iter().map(|it| &it.description[..]).collect();
    assert_eq!(told, ["IDLE", "CONNECTING", "READY"]);
    assert!(
        trace
            .events
            .iter()
            .all(|it| it.severity() == Severity::CtInfo)
    );
    assert_eq!(trace.num_events_logged, 3);

    let id = subchannel.socket_ref[0].socket_id;
    let near = settles(&shown.stub, id, |it| {
        it.data.as_ref().unwrap().messages_received == 1
    });
    let near = near.await;
    let data = near.data.unwrap();
    let streams = (
        data.streams_started,
        data.streams_succeeded,
        data.streams_failed,
    );
    assert_eq!(streams, (2, 1, 1));
    assert_eq!(data.messages_sent, 2);
    assert!(data.last_local_stream_created_timestamp.is_some());
    assert!(data.last_remote_stream_created_timestamp.is_none());
    let sent = SystemTime::try_from(data.last_message_sent_timestamp.unwrap()).unwrap();
    assert!(sent.elapsed().unwrap() < Duration::from_secs(60));
    assert_eq!(near.security, None);
    assert_eq!(data.received_goaway_error, None);

    // The same connection, from its other end.
    let servers = shown.stub.get_servers(GetServersRequest::default());
    let server = servers.await.unwrap().server.remove(0);
    let request = GetServerSocketsRequest {
        server_id: server.r#ref.unwrap().server_id,
        ..GetServerSocketsRequest::default()
    };
    let sockets = shown.stub.get_server_sockets(request).await.unwrap();
    assert_eq!((sockets.socket_ref.len(), sockets.end), (2, true));
    let mut ends = Vec::new();
    for socket_ref in sockets.socket_ref {
        ends.push(socket(&shown.stub, socket_ref.socket_id).await);
    }
    let (local, remote) = (tcp(near.local), tcp(near.remote));
    let far = ends.into_iter().find(|it| tcp(it.remote.clone()) == local);
    let far = far.unwrap();
    assert_eq!(tcp(far.local), remote);
    let data = far.data.unwrap();
    assert_eq!((data.messages_sent, data.messages_received), (1, 2));
    assert!(data.last_local_stream_created_timestamp.is_none());
    assert!(data.last_remote_stream_created_timestamp.is_some());
}

#[tokio::test]
async fn a_server_has_its_listeners_and_its_calls() {
    let shown = shown().await;
    check(&shown.channel, "").await.unwrap();
    let servers = shown.stub.get_servers(GetServersRequest::default());
    let server = servers.await.unwrap().server.remove(0);
    let request = GetServerRequest {
        server_id: server.r#ref.as_ref().unwrap().server_id,
    };
    let alone = shown
        .stub
        .get_server(request)
        .await
        .unwrap()
        .server
        .unwrap();
    assert_eq!(alone.r#ref, server.r#ref);
    let data = alone.data.unwrap();
    // Those that ask are told once they have their answers.
    assert!(data.calls_started >= 1 && data.calls_succeeded >= 1);
    assert_eq!(data.calls_failed, 0);
    assert!(data.last_call_started_timestamp.is_some());
    let listener = socket(&shown.stub, server.listen_socket[0].socket_id).await;
    let address: std::net::SocketAddr = shown.server.addresses()[0].parse().unwrap();
    assert_eq!(
        tcp(listener.local),
        (vec![127, 0, 0, 1], address.port().into())
    );
    assert_eq!(listener.remote, None);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let shown = shown().await;
    check(&shown.channel, "").await.unwrap();
    let server = shown.server.snapshot().id();
    // The last is the server's own, which is nothing else.
    for id in [0, -1, i64::MIN, i64::MAX, i64::try_from(server).unwrap()] {
        let channel = shown.stub.get_channel(GetChannelRequest { channel_id: id });
        assert_eq!(channel.await.unwrap_err().code(), Code::NotFound);
        let request = GetSubchannelRequest { subchannel_id: id };
        let subchannel = shown.stub.get_subchannel(request);
        assert_eq!(subchannel.await.unwrap_err().code(), Code::NotFound);
        let request = GetSocketRequest {
            socket_id: id,
            summary: true,
        };
        let socket = shown.stub.get_socket(request).await.unwrap_err();
        assert_eq!(socket.code(), Code::NotFound);
        assert!(socket.message().contains(&id.to_string()), "{socket}");
    }
    let request = GetServerRequest { server_id: 0 };
    let missing = shown.stub.get_server(request).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let request = GetServerSocketsRequest::default();
    let missing = shown.stub.get_server_sockets(request).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn a_channel_that_cannot_connect_says_why() {
    let registry = ChannelzRegistry::new();
    let inside = Server::builder().add_service(Service::from(Channelz::new(&registry)));
    let stub = ChannelzStub::new(Channel::in_process(inside).unwrap());
    let channel = Channel::builder("unix:/there/is/nobody")
        .unwrap()
        .channelz(&registry)
        .build(ChannelCredentials::insecure())
        .unwrap();
    check(&channel, "").await.unwrap_err();
    let top = stub.get_top_channels(GetTopChannelsRequest::default());
    let channel = top.await.unwrap().channel.remove(0);
    let state = channel.data.unwrap().state.unwrap();
    assert_eq!(state.state(), State::TransientFailure);
    let request = GetSubchannelRequest {
        subchannel_id: channel.subchannel_ref[0].subchannel_id,
    };
    let subchannel = stub.get_subchannel(request).await.unwrap().subchannel;
    let trace = subchannel.unwrap().data.unwrap().trace.unwrap();
    let last = trace.events.last().unwrap();
    assert_eq!(last.severity(), Severity::CtWarning);
    assert!(
        last.description.starts_with("TRANSIENT_FAILURE: ")
            && last.description.contains("/there/is/nobody"),
        "{}",
        last.description
    );
}
