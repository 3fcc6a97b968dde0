//! Unit tests of `test_context`.

use super::*;
use crate::status::Status;

const SELL: Method = Method::unary("/shop.Orders/Sell");

#[test]
fn a_handler_sees_what_the_test_says() -> Result<(), Status> {
    let mut context = Context::for_test()
        .method(SELL)
        .metadata(Metadata::from_pairs([("x-user", "ann")])?)
        .extension(7_u32)
        .deadline(Deadline::at(clock::now()))
        .peer(PeerAddress::Unix)
        .peer_certificates([Bytes::from_static(b"der")])
        .peer_dns_names(["till.shop.example"])
        .peer_uri_names(["spiffe://shop.example/till"])
        .build();
    assert_eq!(context.method(), SELL);
    assert_eq!(context.path(), SELL.path());
    assert_eq!(context.metadata().get("x-user"), Some("ann"));
    assert_eq!(context.extensions().get(), Some(&7_u32));
    assert_eq!(context.time_remaining(), Some(Duration::ZERO));
    assert!(matches!(context.peer(), PeerAddress::Unix));
    assert_eq!(context.peer_certificates(), [Bytes::from_static(b"der")]);
    assert_eq!(context.peer_dns_names(), ["till.shop.example"]);
    assert_eq!(context.peer_uri_names(), ["spiffe://shop.example/till"]);
    // Those that tell a running call what to do have nobody to tell.
    context.set_initial_metadata(Metadata::new())?;
    context.hold_initial_metadata()?;
    context.load().set_cpu_utilization(0.5);
    Ok(())
}

#[test]
fn a_time_beyond_the_clock_is_none_and_calls_leave_nothing_to_the_next() {
    let context = Context::for_test().timeout(Duration::MAX).extension(1_u8);
    let context = context.build();
    assert!(context.deadline().is_none());
    let envelope = context.into_envelope();
    envelope.keep();
    let next = Context::for_test().build();
    assert!(next.extensions().get::<u8>().is_none());
    assert!(next.peer_certificates().is_empty());
}
