//! Which requests get a handler, and what the others are told.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{Peer, answer, request, with};
use crate::peer::{fields, framed, text, within};
use crate::support::{CHAT, COLLECT, ELSEWHERE, EXPAND, Echo, MISSING, NAME, UNARY};

#[tokio::test]
async fn a_proper_call_gets_head_message_and_trailers() {
    let mut peer = Peer::start().await;
    let answer = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(answer.http, StatusCode::OK);
    assert!(!answer.trailers_only);
    assert_eq!((answer.code(), answer.message()), ("0", ""));
    assert!(!answer.head.contains_key("grpc-status"));
    assert_eq!(answer.messages, [Echo::text("hi")]);
}

#[tokio::test]
async fn a_failure_is_one_block_of_trailers() {
    let mut peer = Peer::start().await;
    let answer = peer
        .call(request(UNARY), [framed(&Echo::text("fail"))])
        .await;
    answer.assert_refused("5", "a failure");
    assert_eq!(answer.message(), "no %E2%98%BA%0A100%25");
}

#[tokio::test]
async fn a_failure_after_messages_stands_in_the_trailers() {
    let mut peer = Peer::start().await;
    let message = Echo {
        number: 2,
        ..Echo::text("fail")
    };
    let answer = peer.call(request(EXPAND), [framed(&message)]).await;
    assert_eq!(answer.messages.len(), 2);
    assert_eq!((answer.code(), answer.message()), ("10", "half way"));
    assert!(!answer.trailers_only);
}

#[tokio::test]
async fn every_content_type_of_grpc_is_accepted() {
    let mut peer = Peer::start().await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc;charset=utf-8",
        "application/grpc+proto;x=y",
        "Application/gRPC",
    ] {
        let mut request = request(UNARY);
        request
            .headers_mut()
            .extend(fields(&[("content-type", content_type)]));
        let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
        assert_eq!(answer.code(), "0", "{content_type}");
    }
}

#[tokio::test]
async fn any_other_content_type_is_http_415_without_a_handler() {
    let mut peer = Peer::start().await;
    for content_type in [
        "application/json",
        "text/html",
        "application/grpcx",
        "application/grpc-web",
        "application/grpc+json",
        "application/gRP",
        "",
    ] {
        let mut request = request(UNARY);
        request
            .headers_mut()
            .extend(fields(&[("content-type", content_type)]));
        let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
        assert_eq!(
            answer.http,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{content_type}"
        );
        assert!(answer.trailers_only, "{content_type}");
    }
    let mut request = request(UNARY);
    request.headers_mut().remove("content-type");
    let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
    assert_eq!(answer.http, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn any_other_http_method_is_405_without_a_handler() {
    let mut peer = Peer::start().await;
    for method in [
        Method::GET,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
    ] {
        let mut request = request(UNARY);
        *request.method_mut() = method.clone();
        let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
        assert_eq!(answer.http, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn a_path_that_nobody_serves_is_unimplemented() {
    let mut peer = Peer::start().await;
    for method in [MISSING, ELSEWHERE] {
        let answer = peer
            .call(request(method), [framed(&Echo::text("hi"))])
            .await;
        answer.assert_refused("12", method.path());
        assert_ne!(answer.message(), "");
    }
    for path in [
        "/",
        "//",
        "/test.Echo",
        "/test.Echo/",
        "/test.echo/Unary",
        "/test.Echo/Unary/",
    ] {
        let mut request = request(UNARY);
        *request.uri_mut() = format!("http://localhost{path}").parse().unwrap();
        let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
        answer.assert_refused("12", path);
    }
    assert!(UNARY.path().starts_with(&format!("/{NAME}/")));
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn a_request_without_te_is_served() {
    let mut peer = Peer::start().await;
    let mut request = request(UNARY);
    request.headers_mut().remove("te");
    assert_eq!(
        peer.call(request, [framed(&Echo::text("hi"))]).await.code(),
        "0"
    );
}

#[tokio::test]
async fn a_request_that_ends_with_its_head_is_answered() {
    let peer = Peer::start().await;
    for (method, code, messages) in [
        (UNARY, "12", 0),
        (EXPAND, "12", 0),
        (COLLECT, "0", 1),
        (CHAT, "0", 0),
    ] {
        let mut requests = within(peer.requests.clone().ready()).await.unwrap();
        let (response, _) = requests.send_request(request(method), true).unwrap();
        let answer = answer(response).await.unwrap();
        assert_eq!(
            (answer.code(), answer.messages.len()),
            (code, messages),
            "{}",
            method.path()
        );
    }
}

#[tokio::test]
async fn trailers_of_a_client_end_its_request_in_order() {
    let mut peer = Peer::start().await;
    for method in [UNARY, COLLECT] {
        let (response, mut body) = peer.open(request(method)).await;
        body.send_data(framed(&Echo::number(7)), false).unwrap();
        body.send_trailers(fields(&[("x-odd", "1")])).unwrap();
        let answer = answer(response).await.unwrap();
        assert_eq!((answer.code(), answer.messages[0].number), ("0", 7));
    }
}

#[tokio::test]
async fn two_hosts_are_http_400() {
    let mut peer = Peer::start().await;
    let request = with(UNARY, &[("host", "a"), ("host", "b")]);
    let answer = peer.call(request, [framed(&Echo::text("hi"))]).await;
    assert_eq!((answer.http, peer.runs()), (StatusCode::BAD_REQUEST, 0));
}

#[tokio::test]
async fn an_encoding_that_nobody_speaks_is_unimplemented() {
    let mut peer = Peer::start().await;
    let head = with(UNARY, &[("grpc-encoding", "br")]);
    let answer = peer.call(head, [framed(&Echo::text("hi"))]).await;
    answer.assert_refused("12", "br");
    let accepted = text(&answer.head, "grpc-accept-encoding");
    assert!(
        accepted.split(',').any(|name| name.trim() == "identity"),
        "{answer:?}"
    );
    let head = with(UNARY, &[("grpc-encoding", "identity")]);
    assert_eq!(
        peer.call(head, [framed(&Echo::text("hi"))]).await.code(),
        "0"
    );
    assert_eq!(peer.runs(), 1);
}

#[tokio::test]
async fn a_malformed_timeout_gets_no_handler() {
    let mut peer = Peer::start().await;
    for value in [
        "",
        "1",
        "S",
        "1s",
        "-1S",
        "+1S",
        "1.5S",
        " 1S",
        "1 S",
        "123456789n",
        "1x",
        "٣S",
    ] {
        let mut head = request(UNARY);
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        head.headers_mut().insert("grpc-timeout", value.clone());
        let answer = peer.call(head, [framed(&Echo::text("hi"))]).await;
        answer.assert_refused("13", &format!("{value:?}"));
    }
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn an_expired_timeout_is_answered_without_a_handler() {
    let mut peer = Peer::start().await;
    for method in [UNARY, EXPAND, COLLECT, CHAT] {
        for value in ["0n", "0S", "00000000H"] {
            let head = with(method, &[("grpc-timeout", value)]);
            let answer = peer.call(head, [framed(&Echo::text("hi"))]).await;
            answer.assert_refused("4", value);
        }
    }
    assert_eq!(peer.runs(), 0);
}

#[tokio::test]
async fn the_longest_timeout_overflows_nothing() {
    let mut peer = Peer::start().await;
    for value in ["99999999H", "99999999M", "99999999S", "20000000u"] {
        let head = with(UNARY, &[("grpc-timeout", value)]);
        let answer = peer.call(head, [framed(&Echo::text("hi"))]).await;
        assert_eq!(answer.code(), "0", "{value}");
    }
}

#[tokio::test]
async fn a_timeout_ends_a_unary_handler() {
    let mut peer = Peer::start().await;
    let head = with(UNARY, &[("grpc-timeout", "30m")]);
    let answer = peer.call(head, [framed(&Echo::text("wait"))]).await;
    answer.assert_refused("4", "30m");
    peer.expect("entered").await;
    peer.expect("dropped").await;
}

#[tokio::test]
async fn a_timeout_ends_a_stream_whose_head_has_gone() {
    let mut peer = Peer::start().await;
    let head = with(EXPAND, &[("grpc-timeout", "100m")]);
    let answer = peer
        .call(
            head,
            [framed(&Echo {
                number: 3,
                ..Echo::text("wait")
            })],
        )
        .await;
    assert_eq!((answer.code(), answer.messages.len()), ("4", 3));
    peer.expect("entered").await;
    peer.expect("dropped").await;
}

#[tokio::test]
async fn a_timeout_ends_a_request_that_never_does() {
    let mut peer = Peer::start().await;
    for (method, handlers) in [(UNARY, 0), (COLLECT, 1)] {
        let (response, mut body) = peer.open(with(method, &[("grpc-timeout", "30m")])).await;
        body.send_data(framed(&Echo::number(1)), false).unwrap();
        let answer = answer(response).await.unwrap();
        answer.assert_refused("4", method.path());
        assert_eq!(peer.runs(), handlers);
    }
}

#[tokio::test]
async fn the_connection_serves_on_after_every_refusal() {
    let mut peer = Peer::start().await;
    for _ in 0..200 {
        let answer = peer
            .call(request(MISSING), [Bytes::from(vec![0; 2_000])])
            .await;
        answer.assert_refused("12", "a refusal");
    }
    let answer = peer.call(request(UNARY), [framed(&Echo::text("hi"))]).await;
    assert_eq!(answer.code(), "0");
    let report = within(peer.server.shutdown(Duration::from_secs(5))).await;
    assert_eq!(report.calls_cut, 0);
}
