//! Snapshots as channelz's messages.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use bytes::Bytes;
use grpc_runtime::prost_types::Timestamp;
use grpc_runtime::{
    CallCounts, ChannelSnapshot, ConnectivityState, ListenerSnapshot, PeerAddress, ServerSnapshot,
    Side, SocketSnapshot, StateSnapshot, SubchannelSnapshot,
};

use crate::proto::grpc::channelz::v1 as wire;
use wire::address::{Address as Place, OtherAddress, TcpIpAddress, UdsAddress};
use wire::channel_connectivity_state::State;
use wire::channel_trace_event::Severity;
use wire::security::{Model, Tls};

/// Counts on the wire are signed.
fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn time(at: Option<SystemTime>) -> Option<Timestamp> {
    at.map(Timestamp::from)
}

fn state(state: ConnectivityState) -> wire::ChannelConnectivityState {
    let state = match state {
        ConnectivityState::Idle => State::Idle,
        ConnectivityState::Connecting => State::Connecting,
        ConnectivityState::Ready => State::Ready,
        ConnectivityState::TransientFailure => State::TransientFailure,
        ConnectivityState::Shutdown => State::Shutdown,
    };
    wire::ChannelConnectivityState {
        state: state.into(),
    }
}

fn data(
    state: wire::ChannelConnectivityState,
    target: String,
    calls: CallCounts,
    trace: wire::ChannelTrace,
) -> wire::ChannelData {
    wire::ChannelData {
        state: Some(state),
        target,
        trace: Some(trace),
        calls_started: count(calls.started()),
        calls_succeeded: count(calls.succeeded()),
        calls_failed: count(calls.failed()),
        last_call_started_timestamp: time(calls.last_started()),
        max_connections_per_subchannel: 0,
    }
}

pub(super) fn channel(channel: &ChannelSnapshot) -> wire::Channel {
    let trace = wire::ChannelTrace {
        creation_timestamp: time(Some(channel.created())),
        ..wire::ChannelTrace::default()
    };
    let (target, calls) = (channel.target().to_owned(), channel.calls());
    wire::Channel {
        r#ref: Some(wire::ChannelRef {
            channel_id: count(channel.id()),
            name: channel.target().to_owned(),
        }),
        data: Some(data(state(channel.state()), target, calls, trace)),
        subchannel_ref: channel.subchannels().iter().map(subchannel_ref).collect(),
        ..wire::Channel::default()
    }
}

/// Its addresses.
fn name(subchannel: &SubchannelSnapshot) -> String {
    let addresses = subchannel.addresses().iter().map(ToString::to_string);
    addresses.collect::<Vec<_>>().join(", ")
}

fn subchannel_ref(subchannel: &SubchannelSnapshot) -> wire::SubchannelRef {
    wire::SubchannelRef {
        subchannel_id: count(subchannel.id()),
        name: name(subchannel),
    }
}

pub(super) fn subchannel(subchannel: &SubchannelSnapshot) -> wire::Subchannel {
    let trace = wire::ChannelTrace {
        num_events_logged: count(subchannel.state_changes()),
        creation_timestamp: time(Some(subchannel.created())),
        events: subchannel.states().iter().map(event).collect(),
    };
    let (target, calls) = (name(subchannel), subchannel.calls());
    wire::Subchannel {
        r#ref: Some(subchannel_ref(subchannel)),
        data: Some(data(state(subchannel.state()), target, calls, trace)),
        socket_ref: subchannel.sockets().iter().map(socket_ref).collect(),
        ..wire::Subchannel::default()
    }
}

fn event(change: &StateSnapshot) -> wire::ChannelTraceEvent {
    let (description, severity) = match change.failure() {
        Some(why) => (format!("{}: {why}", change.state()), Severity::CtWarning),
        None => (change.state().to_string(), Severity::CtInfo),
    };
    wire::ChannelTraceEvent {
        description,
        severity: severity.into(),
        timestamp: time(Some(change.since())),
        child_ref: None,
    }
}

pub(super) fn server(server: &ServerSnapshot) -> wire::Server {
    let calls = server.calls();
    let listeners = server.listeners();
    let name: Vec<_> = listeners.iter().map(ListenerSnapshot::address).collect();
    wire::Server {
        r#ref: Some(wire::ServerRef {
            server_id: count(server.id()),
            name: name.join(", "),
        }),
        data: Some(wire::ServerData {
            trace: Some(wire::ChannelTrace {
                creation_timestamp: time(Some(server.began())),
                ..wire::ChannelTrace::default()
            }),
            calls_started: count(calls.started()),
            calls_succeeded: count(calls.succeeded()),
            calls_failed: count(calls.failed()),
            last_call_started_timestamp: time(calls.last_started()),
        }),
        listen_socket: listeners.iter().map(listener_ref).collect(),
    }
}

fn listener_ref(listener: &ListenerSnapshot) -> wire::SocketRef {
    wire::SocketRef {
        socket_id: count(listener.id()),
        name: listener.address().to_owned(),
    }
}

/// A socket that listens has an address and no connection.
pub(super) fn listener(listener: &ListenerSnapshot) -> wire::Socket {
    wire::Socket {
        r#ref: Some(listener_ref(listener)),
        data: Some(wire::SocketData::default()),
        local: Some(listens_at(listener.address())),
        ..wire::Socket::default()
    }
}

fn listens_at(address: &str) -> wire::Address {
    let path = address.strip_prefix("unix:");
    let place = match (path, address.parse::<SocketAddr>()) {
        (Some(path), _) => Place::UdsAddress(UdsAddress {
            filename: path.to_owned(),
        }),
        (None, Ok(address)) => tcp(address),
        (None, Err(_)) => other(address),
    };
    wire::Address {
        address: Some(place),
    }
}

fn tcp(address: SocketAddr) -> Place {
    let bytes = match address.ip() {
        IpAddr::V4(ip) => Bytes::copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => Bytes::copy_from_slice(&ip.octets()),
    };
    Place::TcpipAddress(TcpIpAddress {
        ip_address: bytes,
        port: address.port().into(),
    })
}

fn other(name: &str) -> Place {
    Place::OtherAddress(OtherAddress {
        name: name.to_owned(),
        value: None,
    })
}

fn peer(address: &PeerAddress) -> wire::Address {
    let place = match address {
        PeerAddress::Tcp(address) => tcp(*address),
        PeerAddress::Unix => Place::UdsAddress(UdsAddress::default()),
        address => other(&address.to_string()),
    };
    wire::Address {
        address: Some(place),
    }
}

pub(super) fn socket_ref(socket: &SocketSnapshot) -> wire::SocketRef {
    wire::SocketRef {
        socket_id: count(socket.id()),
        name: socket.peer().map(ToString::to_string).unwrap_or_default(),
    }
}

pub(super) fn socket(socket: &SocketSnapshot) -> wire::Socket {
    let calls = socket.calls();
    let began = time(calls.last_started());
    let (local, remote) = match socket.side() {
        Side::Client => (began, None),
        Side::Server => (None, began),
    };
    let data = wire::SocketData {
        streams_started: count(calls.started()),
        streams_succeeded: count(calls.succeeded()),
        streams_failed: count(calls.failed()),
        messages_sent: count(socket.messages_sent()),
        messages_received: count(socket.messages_received()),
        keep_alives_sent: count(socket.keepalives_sent()),
        last_local_stream_created_timestamp: local,
        last_remote_stream_created_timestamp: remote,
        last_message_sent_timestamp: time(socket.last_message_sent()),
        last_message_received_timestamp: time(socket.last_message_received()),
        // The windows change with every frame; they are not recorded for channelz.
        local_flow_control_window: None,
        remote_flow_control_window: None,
        option: Vec::new(),
        received_goaway_error: socket.received_go_away(),
        peer_max_concurrent_streams: socket.peer_max_concurrent_streams().unwrap_or(u32::MAX),
    };
    wire::Socket {
        r#ref: Some(socket_ref(socket)),
        data: Some(data),
        local: socket.local_address().map(|address| wire::Address {
            address: Some(tcp(address)),
        }),
        remote: socket.peer().map(peer),
        security: socket.is_encrypted().then(|| wire::Security {
            model: Some(Model::Tls(Tls::default())),
        }),
        ..wire::Socket::default()
    }
}
