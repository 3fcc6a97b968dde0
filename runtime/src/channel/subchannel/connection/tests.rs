//! A connection and its calls, without a server.

use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::call::queue::queue;
use crate::call::request_head::RequestTemplate;
use crate::channel::backoff::Waits;
use crate::channel::call::open_call::Due;
use crate::channel::call::trial::Trial;
use crate::channel::inbox::{Ask, Inbox};
use crate::channel::record::ChannelRecord;
use crate::framing::Encodings;
use crate::snapshot::socket::SocketRecord;
use crate::transport::http2::connection::Role;
use crate::transport::http2::options::Http2Options;
use crate::transport::io::Io;

/// A connection that has this call.
fn with(open: Box<OpenCall>) -> (Connection, ClientConnection) {
    let now = Instant::now();
    let mut connection = Connection::new(Role::Client, Http2Options::default(), now);
    let identity = Identity {
        authority: "shop".into(),
        template: RequestTemplate::new("http", "shop", "", "test"),
        encodings: Encodings::default(),
    };
    let (asks, inbox) = queue();
    let (hub, _) = queue();
    let record = Arc::new(ChannelRecord::new("shop".to_owned())).enter(Arc::default());
    let (near, _) = tokio::io::duplex(1);
    let socket = SocketRecord::new(Side::Client, None, &Io::Memory(near), connection.counts());
    let socket = Socket::enter(Arc::clone(&record) as _, socket);
    let unopened = Unopened::new(Inbox::new(inbox), 1, hub, true, "shop".into(), record);
    let mut application = ClientConnection::new(
        Arc::new(identity),
        None,
        unopened,
        Waits::default(),
        None,
        socket,
    );
    assert!(asks.send(Ask::Open(open)).is_ok());
    let mut cx = Context::from_waker(Waker::noop());
    application.poll_commands(&mut connection, now, &mut cx);
    assert_eq!(application.calls.len(), 1);
    (connection, application)
}

/// Its stream is not the one that the reader reads.
#[test]
fn an_attempt_that_lost_takes_nothing_of_what_the_winners_reader_has_to_tell() {
    let (_caller, mut first, hedge) = Trial::hedged(Duration::ZERO, None);
    let Due::Begins(second, None) = hedge.on_due(Instant::now()) else {
        panic!("it begins at once, and is the last");
    };
    let state = Arc::clone(&second.state);
    let (mut connection, mut application) = with(second);
    assert!(first.commit());
    state.consume(100);
    application.on_event(&mut connection, Event::Report, Instant::now());
    let progress = state.set_reports(connection.reports());
    assert_eq!(progress.consumed, 100);
}
