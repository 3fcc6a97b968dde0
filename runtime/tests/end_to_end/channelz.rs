//! What a server and a channel show of themselves: every call and every message, on the
//! connection that it had, and what is left of those that are gone.

use std::time::{Duration, SystemTime};

use grpc_runtime::{
    Channel, ChannelCredentials, ChannelSnapshot, ChannelzRegistry, Code, ConnectivityState,
    Http2Options, PeerAddress, Server, Side, StateSnapshot, SubchannelSnapshot,
};
use tokio::time::{sleep, timeout};

use crate::addresses::nobody;
use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

async fn pair() -> (Server, Channel) {
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    (server, channel)
}

/// Polls until it is so.
async fn becomes(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(timeout(BOUND, wait).await.is_ok(), "never: {what}");
}

#[tokio::test]
async fn calls_and_messages_of_every_shape_are_counted_at_both_ends() {
    let before = SystemTime::now();
    let (server, channel) = pair().await;
    let stub = EchoStub(channel.clone());
    stub.unary(Echo::text("a")).await.unwrap();
    // A message that comes in many pieces is one message.
    stub.unary(Echo::data(300_000)).await.unwrap();
    let mut replies = stub.expand(Echo::number(7)).start();
    while replies.next().await.unwrap().is_some() {}
    let mut sends = stub.collect().start();
    for number in 0..5 {
        sends.send(Echo::number(number)).await.unwrap();
    }
    sends.finish().await.unwrap();
    let (mut sends, mut replies) = stub.chat().start();
    for _ in 0..3 {
        sends.send(Echo::data(100_000)).await.unwrap();
        replies.next().await.unwrap().unwrap();
    }
    sends.finish();
    assert!(replies.next().await.unwrap().is_none());

    becomes("all that was sent is told", || {
        let client = channel.snapshot();
        let server = server.snapshot();
        client.calls().in_flight() == 0 && server.calls().in_flight() == 0
    })
    .await;
    let (shown, server) = (channel.snapshot(), server.snapshot());
    let client = &shown.subchannels()[0].sockets()[0];
    let far = &server.sockets()[0];
    for socket in [client, far] {
        let calls = socket.calls();
        assert_eq!(
            (calls.started(), calls.succeeded(), calls.failed()),
            (5, 5, 0)
        );
        let times = [
            calls.last_started(),
            socket.last_message_sent(),
            socket.last_message_received(),
            Some(socket.opened()),
        ];
        for time in times {
            let time = time.unwrap();
            assert!(time + Duration::from_secs(1) > before && time <= SystemTime::now());
        }
        assert!(!socket.is_encrypted());
        assert_eq!(socket.keepalives_sent(), 0);
    }
    // 1 + 1 + 1 + 5 + 3 one way, 1 + 1 + 7 + 1 + 3 the other.
    assert_eq!(
        (client.messages_sent(), client.messages_received()),
        (11, 13)
    );
    assert_eq!((far.messages_sent(), far.messages_received()), (13, 11));
    assert_eq!(client.side(), Side::Client);
    assert_eq!(far.side(), Side::Server);
    let most = Http2Options::default().max_concurrent_streams;
    assert_eq!(client.peer_max_concurrent_streams(), Some(most));
    assert_eq!(far.peer_max_concurrent_streams(), None);
    let address = |socket: Option<&PeerAddress>| match socket {
        Some(PeerAddress::Tcp(address)) => Some(*address),
        _ => None,
    };
    assert_eq!(address(client.peer()), far.local_address());
    assert_eq!(address(far.peer()), client.local_address());
    assert_eq!(server.calls(), far.calls());
    assert_eq!(shown.calls(), client.calls());
    let mut ids = vec![shown.id(), server.id(), client.id(), far.id()];
    ids.extend(shown.subchannels().iter().map(SubchannelSnapshot::id));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5, "no two have one number");
    assert_eq!(shown.state(), ConnectivityState::Ready);
    assert_eq!(shown.subchannels()[0].state(), ConnectivityState::Ready);
}

#[tokio::test]
async fn a_call_is_in_flight_until_it_ends_in_whatever_way() {
    let (server, channel) = pair().await;
    let stub = EchoStub(channel.clone());
    // It waits for messages that do not come.
    let (sends, replies) = stub.chat().start();
    becomes("the call is at the server", || {
        server.snapshot().calls().in_flight() == 1
    })
    .await;
    assert_eq!(channel.snapshot().calls().in_flight(), 1);
    drop((sends, replies));
    let is_over = |snapshot: &ChannelSnapshot| snapshot.calls().failed() == 1;
    becomes("it was cancelled", || {
        server.snapshot().calls().failed() == 1 && is_over(&channel.snapshot())
    })
    .await;
    let missing = stub.call(crate::support::MISSING, Echo::text("a")).await;
    assert_eq!(missing.unwrap_err().code(), Code::Unimplemented);
    becomes("a refused call has failed", || {
        server.snapshot().calls().failed() == 2 && channel.snapshot().calls().failed() == 2
    })
    .await;
    assert_eq!(server.snapshot().calls().succeeded(), 0);
}

#[tokio::test]
async fn what_a_lost_connection_had_stays_in_the_sums() {
    let (server, channel) = pair().await;
    let stub = EchoStub(channel.clone());
    stub.unary(Echo::text("a")).await.unwrap();
    let (_sends, mut replies) = stub.chat().start();
    becomes("both calls are there", || {
        server.snapshot().calls().started() == 2
    })
    .await;
    let first = channel.snapshot().subchannels()[0].sockets()[0].id();
    let address = server.addresses()[0].clone();
    drop(server);
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Unavailable);
    becomes("the connection is gone", || {
        channel.snapshot().subchannels()[0].sockets().is_empty()
    })
    .await;
    let calls = channel.snapshot().calls();
    assert_eq!(
        (calls.started(), calls.succeeded(), calls.failed()),
        (2, 1, 1)
    );
    assert_eq!(calls.in_flight(), 0);

    let server = Server::builder().add_service(service(Echoes));
    let server = server.listen(&address).start().await.unwrap();
    stub.unary(Echo::text("b")).wait_for_ready().await.unwrap();
    let shown = channel.snapshot();
    assert_eq!(shown.calls().started(), 3);
    let second = &shown.subchannels()[0].sockets()[0];
    assert_ne!(second.id(), first);
    assert_eq!(second.calls().started(), 1);
    drop(server);
}

#[tokio::test]
async fn a_subchannel_says_why_it_has_no_connection() {
    let address = nobody();
    let channel = Channel::insecure(address).unwrap();
    assert!(
        channel.snapshot().subchannels().is_empty(),
        "nobody has asked yet"
    );
    let stub = EchoStub(channel.clone());
    stub.unary(Echo::text("a")).await.unwrap_err();
    let shown = channel.snapshot();
    assert_eq!(shown.state(), ConnectivityState::TransientFailure);
    let subchannel = &shown.subchannels()[0];
    assert_eq!(subchannel.state(), ConnectivityState::TransientFailure);
    assert_eq!(subchannel.addresses()[0].to_string(), address);
    assert!(
        subchannel.failure().unwrap().contains("refused"),
        "{subchannel:?}"
    );
    let states: Vec<_> = subchannel
        .states()
        .iter()
        .map(StateSnapshot::state)
        .collect();
    let begins = [
        ConnectivityState::Idle,
        ConnectivityState::Connecting,
        ConnectivityState::TransientFailure,
    ];
    assert_eq!(states, begins);
    assert_eq!(subchannel.state_changes(), 3);
    assert!(subchannel.states()[2].since() <= SystemTime::now());
    assert!(subchannel.created() <= subchannel.states()[2].since());
    assert!(subchannel.sockets().is_empty());
    assert_eq!(shown.calls().started(), 0, "it had no stream");
    channel.close();
    assert_eq!(channel.snapshot().state(), ConnectivityState::Shutdown);
}

#[tokio::test]
async fn a_registry_has_what_was_given_to_it_for_as_long_as_it_is_there() {
    let registry = ChannelzRegistry::new();
    let server = Server::builder()
        .add_service(service(Echoes))
        .channelz(&registry);
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .channelz(&registry)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let inside = Server::builder()
        .add_service(service(Echoes))
        .channelz(&registry);
    let inside = Channel::in_process(inside).unwrap();
    EchoStub(channel.clone())
        .unary(Echo::text("a"))
        .await
        .unwrap();
    EchoStub(inside.clone())
        .unary(Echo::text("a"))
        .await
        .unwrap();
    let servers = registry.servers();
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0].id(), server.snapshot().id());
    assert_eq!(servers[0].listeners()[0].address(), server.addresses()[0]);
    assert!(servers[1].listeners().is_empty());
    assert_eq!(
        servers[1].sockets()[0].peer(),
        Some(&PeerAddress::InProcess)
    );
    assert!(servers.iter().all(|it| it.calls().started() == 1));
    assert_eq!(registry.channels().len(), 1, "the other one was not given");
    assert_eq!(registry.channels()[0].id(), channel.snapshot().id());
    drop((channel, inside));
    becomes("the channel is gone", || registry.channels().is_empty()).await;
    drop(server);
    becomes("the servers are gone", || registry.servers().is_empty()).await;
}
