//! What is read, and in which order.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::Inbound;
use crate::metadata::Metadata;
use crate::status::{Code, Status};

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

#[test]
fn a_head_is_waited_for_until_the_end() {
    let mut inbound = Inbound::default();
    assert!(inbound.poll_head(&mut context()).is_pending());
    assert!(inbound.reader.take().is_some());
    inbound.end(Err(Status::new(Code::Unavailable, "gone")));
    let Poll::Ready(Err(status)) = inbound.poll_head(&mut context()) else {
        panic!("no error");
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(inbound.failure().is_some());
}

#[test]
fn a_clean_end_without_a_head_gives_an_empty_one() {
    let mut inbound = Inbound::default();
    inbound.end(Ok(Metadata::default()));
    assert!(matches!(
        inbound.poll_head(&mut context()),
        Poll::Ready(Ok(head)) if head == Metadata::default()
    ));
    assert!(inbound.failure().is_none());
}

#[test]
fn nothing_is_delivered_after_the_end() {
    let mut inbound = Inbound::default();
    assert_eq!(inbound.deliver_data(Bytes::from_static(b"a")), Some(0));
    inbound.deliver_half_close();
    assert_eq!(inbound.deliver_data(Bytes::from_static(b"b")), None);
}

/// A stream that has ended in order can still fail: a request was complete, and then its
/// call was cancelled.
#[test]
fn the_calls_end_goes_before_that_of_the_half() {
    let mut inbound = Inbound::default();
    inbound.deliver_half_close();
    inbound.end(Err(Status::new(Code::Cancelled, "given up")));
    inbound.deliver_half_close();
    assert_eq!(inbound.failure().map(Status::code), Some(Code::Cancelled));
}
