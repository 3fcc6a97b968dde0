//! Metadata as a server reads and writes it.

use grpc_runtime::{Http2Options, Server};
use h2::client::Builder;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Peer, request, with};
use crate::peer::{fields, framed};
use crate::support::{EXPAND, Echo, UNARY};

fn all(fields: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    fields
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect()
}

#[tokio::test]
async fn text_goes_in_and_comes_back_in_order() {
    let mut peer = Peer::start().await;
    for method in [UNARY, EXPAND] {
        let head = with(
            method,
            &[("x-text", "b"), ("x-other", "~ !"), ("x-text", "a, c")],
        );
        let answer = peer.call(head, [framed(&Echo::number(1))]).await;
        assert_eq!(answer.code(), "0");
        for fields in [&answer.head, &answer.trailers] {
            assert_eq!(all(fields, "x-text"), [b"b".to_vec(), b"a, c".to_vec()]);
            assert_eq!(all(fields, "x-other"), [b"~ !".to_vec()]);
        }
    }
}

#[tokio::test]
async fn binary_is_read_padded_and_unpadded_and_written_unpadded() {
    let mut peer = Peer::start().await;
    for (sent, values) in [
        ("AAECAw==", vec!["AAECAw"]),
        ("AAECAw", vec!["AAECAw"]),
        ("", vec![""]),
        ("/+8=,aGk", vec!["/+8", "aGk"]),
    ] {
        let head = with(UNARY, &[("x-data-bin", sent)]);
        let answer = peer.call(head, [framed(&Echo::default())]).await;
        assert_eq!(answer.code(), "0", "{sent}");
        let values: Vec<Vec<u8>> = values
            .into_iter()
            .map(|value| value.as_bytes().to_vec())
            .collect();
        assert_eq!(all(&answer.head, "x-data-bin"), values, "{sent}");
        assert_eq!(all(&answer.trailers, "x-data-bin"), values, "{sent}");
    }
}

#[tokio::test]
async fn binary_that_is_not_base64_fails_its_call_alone() {
    let mut peer = Peer::start().await;
    for sent in ["*", "A", "AA=A", "a b"] {
        let head = with(UNARY, &[("x-data-bin", sent)]);
        let answer = peer.call(head, [framed(&Echo::default())]).await;
        answer.assert_refused("13", sent);
    }
    assert_eq!(peer.runs(), 0);
    assert_eq!(
        peer.call(request(UNARY), [framed(&Echo::default())])
            .await
            .code(),
        "0"
    );
}

#[tokio::test]
async fn bytes_that_grpc_does_not_allow_in_text_fail_no_call() {
    let mut peer = Peer::start().await;
    for bytes in [&b"caf\xc3\xa9"[..], b"\xff\x80", b"tab\there"] {
        let mut head = request(UNARY);
        head.headers_mut()
            .insert("x-text", HeaderValue::from_bytes(bytes).unwrap());
        let answer = peer.call(head, [framed(&Echo::default())]).await;
        assert_eq!(answer.code(), "0", "{bytes:?}");
    }
}

#[tokio::test]
async fn metadata_above_the_limit_fails_its_call_alone() {
    let mut peer = Peer::start().await;
    for (name, length, code) in [
        ("x-text", 5_000, "0"),
        ("x-text", 17_000, "8"),
        ("x-text", 25_000, "8"),
    ] {
        let head = with(UNARY, &[(name, &"v".repeat(length))]);
        let answer = peer.call(head, [framed(&Echo::default())]).await;
        assert_eq!(answer.code(), code, "{length}");
    }
    let mut head = request(UNARY);
    for index in 0..600 {
        let name = HeaderName::try_from(format!("x-{index}")).unwrap();
        head.headers_mut()
            .insert(name, HeaderValue::from_static("v"));
    }
    peer.call(head, [framed(&Echo::default())])
        .await
        .assert_refused("8", "many fields");
    assert_eq!(peer.runs(), 1);
    // The shared table of the connection is intact.
    let answer = peer
        .call(
            with(UNARY, &[("x-text", "kept")]),
            [framed(&Echo::default())],
        )
        .await;
    assert_eq!(all(&answer.head, "x-text"), [b"kept".to_vec()]);
}

#[tokio::test]
async fn metadata_far_above_the_limit_closes_the_connection() {
    let mut options = Http2Options::default();
    options.max_header_list_size = 4_000;
    let mut peer = Peer::start_with(Server::builder().http2(options), &Builder::new()).await;
    let head = with(UNARY, &[("x-text", &"v".repeat(1 << 20))]);
    let (response, _body) = peer.open(head).await;
    let error = super::answer(response).await.unwrap_err();
    assert_eq!(
        error.reason(),
        Some(h2::Reason::ENHANCE_YOUR_CALM),
        "{error:?}"
    );
}

#[tokio::test]
async fn metadata_above_the_callers_limit_is_resource_exhausted() {
    let mut client = Builder::new();
    client.max_header_list_size(2_000);
    let mut peer = Peer::start_with(Server::builder(), &client).await;
    for text in ["large trailers", "large head"] {
        let message = Echo {
            number: 3_000,
            ..Echo::text(text)
        };
        let answer = peer.call(request(UNARY), [framed(&message)]).await;
        assert_eq!(answer.code(), "8", "{text}: {answer:?}");
        assert!(answer.message().contains("limit"), "{answer:?}");
        let message = Echo {
            number: 1_000,
            ..Echo::text(text)
        };
        let answer = peer.call(request(UNARY), [framed(&message)]).await;
        assert_eq!(answer.code(), "0", "{text}: {answer:?}");
    }
}

/// What gives way to the caller's limit, of a failure that is above it.
#[tokio::test]
async fn a_failure_above_the_callers_limit_keeps_its_code() {
    let mut client = Builder::new();
    client.max_header_list_size(2_000);
    let mut peer = Peer::start_with(Server::builder(), &client).await;
    for (text, details, metadata) in [
        (9_000, 30, 30),
        (9_000, 9_000, 30),
        (30, 9_000, 0),
        (30, 30, 9_000),
        (9_000, 9_000, 9_000),
    ] {
        let sizes = format!("fail {text} {details} {metadata}");
        let answer = peer
            .call(request(UNARY), [framed(&Echo::text(&sizes))])
            .await;
        assert_eq!(answer.code(), "5", "{sizes}: {answer:?}");
        let said = answer.message();
        assert!(
            !said.is_empty() && said.bytes().all(|byte| byte == b'm'),
            "{sizes}: {said}"
        );
        assert_eq!(said.len() == text, text < 2_000, "{sizes}: {said}");
        let kept = |name: &str| answer.trailers.contains_key(name);
        assert_eq!(
            kept("grpc-status-details-bin"),
            details < 2_000 && metadata < 2_000,
            "{sizes}"
        );
        assert_eq!(kept("x-much"), (1..2_000).contains(&metadata), "{sizes}");
    }
}

#[tokio::test]
async fn fields_of_the_protocol_are_no_metadata() {
    let mut peer = Peer::start().await;
    let mut head = with(UNARY, &[("x-text", "1"), ("grpc-accept-encoding", "gzip")]);
    head.headers_mut()
        .extend(fields(&[("content-length", "5"), ("user-agent", "them")]));
    let answer = peer.call(head, [framed(&Echo::default())]).await;
    assert_eq!(answer.code(), "0");
    for name in ["grpc-accept-encoding", "content-length", "user-agent", "te"] {
        assert!(!answer.trailers.contains_key(name), "{name}");
    }
}
