//! Metadata as a channel writes and reads it.

use grpc_runtime::Code;
use h2::server::Builder;

use super::{Call, Peer};
use crate::peer::{fields, framed, within};
use crate::support::Echo;

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// A response with these fields in its head and in its trailers.
fn respond(call: &mut Call, more: &[(&'static str, &str)]) {
    let mut body = call.respond_with(200, &[&[GRPC], more].concat());
    body.send_data(framed(&Echo::default()), false).unwrap();
    body.send_trailers(fields(&[&[("grpc-status", "0")], more].concat()))
        .unwrap();
}

#[tokio::test]
async fn a_calls_metadata_is_sent_in_order_and_binary_unpadded() {
    let peer = Peer::start().await;
    let _call = peer
        .stub
        .unary(Echo::default())
        .metadata("x-text", "b")
        .metadata_bin("x-data-bin", &[0, 1, 2, 3])
        .metadata("x-text", "a, c")
        .metadata_bin("x-empty-bin", &[])
        .metadata("X-Upper", "Kept")
        .response();
    let head = peer.accept().await.call().await.head;
    let all = |name: &str| -> Vec<String> {
        let values = head.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(all("x-text"), ["b", "a, c"]);
    assert_eq!(all("x-data-bin"), ["AAECAw"]);
    assert_eq!(all("x-empty-bin"), [""]);
    assert_eq!(all("x-upper"), ["Kept"]);
}

#[tokio::test]
async fn metadata_that_cannot_be_sent_fails_the_call_before_it_is() {
    let peer = Peer::start().await;
    for (key, value) in [
        ("grpc-timeout", "1S"),
        ("te", "gzip"),
        ("content-type", "text/html"),
        (":path", "/x"),
        ("with space", "x"),
        ("x-text", "line\nbreak"),
        ("x-data-bin", "text"),
        ("", "x"),
    ] {
        let call = peer
            .stub
            .unary(Echo::default())
            .metadata(key, value)
            .response();
        let status = within(call).await;
        assert_eq!(status.unwrap_err().code(), Code::Internal, "{key}");
    }
}

#[tokio::test]
async fn a_responses_metadata_is_read_padded_or_not() {
    let peer = Peer::start().await;
    let mut call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    for (sent, values) in [
        ("AAECAw==", vec![vec![0, 1, 2, 3]]),
        ("AAECAw", vec![vec![0, 1, 2, 3]]),
        ("", vec![vec![]]),
        ("aGk=, /+8", vec![b"hi".to_vec(), vec![0xff, 0xef]]),
    ] {
        let mut arrived = connection.call().await;
        respond(
            &mut arrived,
            &[("x-data-bin", sent), ("x-text", "1"), ("x-text", "2")],
        );
        let response = within(call).await.unwrap();
        for metadata in [&response.initial_metadata, &response.trailing_metadata] {
            let got: Vec<Vec<u8>> = metadata
                .get_all("x-data-bin")
                .map(|value| value.as_bytes().to_vec())
                .collect();
            assert_eq!(got, values, "{sent}");
            let texts: Vec<&str> = metadata
                .get_all("x-text")
                .filter_map(grpc_runtime::MetadataValue::as_str)
                .collect();
            assert_eq!(texts, ["1", "2"]);
            assert_eq!(
                metadata.len(),
                values.len() + 2,
                "nothing of the protocol's own"
            );
        }
        call = peer.stub.unary(Echo::default()).response();
    }
}

#[tokio::test]
async fn binary_that_is_not_base64_is_internal_for_its_call_alone() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    respond(&mut connection.call().await, &[("x-data-bin", "*")]);
    assert_eq!(within(call).await.unwrap_err().code(), Code::Internal);
    let call = peer.stub.unary(Echo::default()).response();
    respond(&mut connection.call().await, &[]);
    within(call).await.unwrap();
}

#[tokio::test]
async fn a_failures_metadata_comes_with_it() {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::default()).response();
    let mut arrived = peer.accept().await.call().await;
    let status = [GRPC, ("grpc-status", "3"), ("x-why", "because")];
    arrived.refuse(
        200,
        &[&status[..], &[("grpc-status-details-bin", "CAM")]].concat(),
    );
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.metadata().get("x-why"), Some("because"));
    assert_eq!(status.details()[..], [8, 3]);
}

#[tokio::test]
async fn the_head_of_a_stream_comes_before_its_first_message() {
    let peer = Peer::start().await;
    let mut replies = peer.stub.expand(Echo::default()).start();
    let mut arrived = peer.accept().await.call().await;
    let mut body = arrived.respond_with(200, &[GRPC, ("x-early", "1")]);
    let metadata = within(replies.initial_metadata()).await.unwrap();
    assert_eq!(metadata.get("x-early"), Some("1"));
    body.send_trailers(fields(&[("grpc-status", "0"), ("x-late", "2")]))
        .unwrap();
    assert_eq!(within(replies.next()).await.unwrap(), None);
    assert_eq!(
        replies.trailing_metadata().unwrap().get("x-late"),
        Some("2")
    );
}

#[tokio::test]
async fn metadata_above_the_servers_limit_is_refused_here() {
    let mut builder = Builder::new();
    builder.max_header_list_size(1_000);
    let peer = Peer::start().await;
    let first = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept_with(&builder).await;
    connection.call().await.answer(&Echo::default());
    within(first).await.unwrap();
    let value = "v".repeat(1_000);
    let call = peer
        .stub
        .unary(Echo::default())
        .metadata("x-large", &value)
        .response();
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let call = peer
        .stub
        .unary(Echo::default())
        .metadata("x-small", "v")
        .response();
    connection.call().await.answer(&Echo::text("there"));
    assert_eq!(within(call).await.unwrap().message.text, "there");
}

#[tokio::test]
async fn metadata_above_the_channels_limit_fails_its_call_alone() {
    let peer = Peer::start().await;
    let value = "v".repeat(17_000);
    let large = [("x-large", value.as_str())];
    let mut call = peer.stub.unary(Echo::default()).response();
    let mut connection = peer.accept().await;
    for part in ["head", "trailers", "trailers-only"] {
        let mut arrived = connection.call().await;
        match part {
            "head" => {
                let mut body = arrived.respond_with(200, &[&[GRPC], &large[..]].concat());
                // The client may have reset the call by now.
                let _ = body.send_data(framed(&Echo::default()), false);
                let _ = body.send_trailers(super::ok());
            }
            "trailers" => {
                let mut body = arrived.respond();
                body.send_data(framed(&Echo::default()), false).unwrap();
                body.send_trailers(fields(&large)).unwrap();
            }
            _ => arrived.refuse(200, &[&[GRPC], &large[..]].concat()),
        }
        let status = within(call).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{part}: {status}");
        call = peer.stub.unary(Echo::default()).response();
    }
    connection.call().await.answer(&Echo::text("there"));
    assert_eq!(within(call).await.unwrap().message.text, "there");
}
