//! Limits of calls as a client of HTTP/2 sees them: when it is refused, and what it holds
//! meanwhile.

use bytes::Bytes;
use grpc_runtime::{CallLimit, MethodLimits, Server, ServerLimits};
use h2::Reason;
use h2::client::Builder;
use std::time::Duration;

use super::{Peer, answer, request};
use crate::peer::{framed, text, within};
use crate::support::{Echo, UNARY};

async fn peer(limit: CallLimit) -> Peer {
    let limits = ServerLimits::new().method(UNARY.path(), MethodLimits::new().calls(limit));
    Peer::start_with(Server::builder().limits(limits), &Builder::new()).await
}

#[tokio::test]
async fn who_would_find_no_place_is_refused_before_it_has_sent_its_message() {
    let limit = CallLimit::new(1).retry_after(Duration::from_millis(250));
    let mut peer = peer(limit).await;
    let (_response, mut waits) = peer.open(request(UNARY)).await;
    waits.send_data(framed(&Echo::text("wait")), true).unwrap();
    peer.expect("entered").await;
    // Fewer than a connection may have reset in a burst.
    for _ in 0..300 {
        let (response, mut body) = peer.open(request(UNARY)).await;
        let refused = answer(response).await.unwrap();
        refused.assert_refused("8", "there is no place");
        assert_eq!(text(&refused.trailers, "grpc-retry-pushback-ms"), "250");
        // Nobody waits for this; a server may have reset the stream by now.
        let _ = body.send_data(framed(&Echo::text("hi")), true);
    }
    assert_eq!(peer.runs(), 1);
    // The place is free when the handler is gone.
    waits.send_reset(Reason::CANCEL);
    peer.expect("dropped").await;
    let served = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(served.code(), "0");
}

#[tokio::test]
async fn who_sends_its_message_slowly_takes_no_place_from_others() {
    let mut peer = peer(CallLimit::new(1)).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let (response, mut body) = peer.open(request(UNARY)).await;
        body.send_data(framed(&Echo::text("hi")).slice(..3), false)
            .unwrap();
        slow.push((response, body));
    }
    let served = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(served.code(), "0");
    for (response, mut body) in slow {
        body.send_data(framed(&Echo::text("hi")).slice(3..), true)
            .unwrap();
        assert_eq!(answer(response).await.unwrap().code(), "0");
    }
}

#[tokio::test]
async fn what_is_refused_whole_or_waits_leaves_nothing_behind() {
    /// All that a connection may have in flight, four times.
    const ROUNDS: usize = 160;
    for queue in [0, 1] {
        let mut peer = peer(CallLimit::new(1).queue(queue)).await;
        let large = framed(&Echo::data(100 << 10));
        let send = async |mut body: h2::SendStream<Bytes>| {
            let mut rest = large.clone();
            while !rest.is_empty() {
                body.reserve_capacity(rest.len());
                let room = within(std::future::poll_fn(|cx| body.poll_capacity(cx))).await;
                let Some(Ok(room)) = room else {
                    return;
                };
                let piece = rest.split_to(room.min(rest.len()));
                body.send_data(piece, rest.is_empty()).unwrap();
            }
        };
        for round in 0..ROUNDS {
            // Both heads come while there is room.
            let (busy, mut waits) = peer.open(request(UNARY)).await;
            let (response, body) = peer.open(request(UNARY)).await;
            waits.send_data(framed(&Echo::text("wait")), true).unwrap();
            peer.expect("entered").await;
            send(body).await;
            if queue == 0 {
                let refused = answer(response).await.unwrap();
                refused.assert_refused("8", "there is no place");
                waits.send_reset(Reason::CANCEL);
                peer.expect("dropped").await;
            } else if round % 2 == 0 {
                waits.send_reset(Reason::CANCEL);
                peer.expect("dropped").await;
                peer.expect("entered").await;
                assert_eq!(answer(response).await.unwrap().code(), "0");
                peer.expect("dropped").await;
            } else {
                // It leaves the line.
                drop(response);
                waits.send_reset(Reason::CANCEL);
                peer.expect("dropped").await;
            }
            drop(busy);
        }
    }
}
