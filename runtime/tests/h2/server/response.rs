//! Which responses are answers, and what becomes of the others.

use bytes::Bytes;
use grpc_runtime::{Code, Response, Status};
use h2::Reason;

use super::{Call, Peer, ok, reset_of};
use crate::peer::{fields, framed, prefixed, within};
use crate::support::{ELSEWHERE, Echo, MISSING};

const GRPC: [(&str, &str); 1] = [("content-type", "application/grpc")];

/// What a unary call makes of the response that `script` gives.
async fn unary(script: impl FnOnce(&mut Call)) -> Result<Response<Echo>, Status> {
    let peer = Peer::start().await;
    let call = peer.stub.unary(Echo::text("hi")).response();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    arrived.request().await;
    script(&mut arrived);
    within(call).await
}

/// What a stream of responses makes of it: how many messages, and its end.
async fn expand(script: impl FnOnce(&mut Call)) -> (usize, Result<(), Status>) {
    let peer = Peer::start().await;
    let mut replies = peer.stub.expand(Echo::text("hi")).start();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    arrived.request().await;
    script(&mut arrived);
    let mut count = 0;
    loop {
        match within(replies.next()).await {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Ok(())),
            Err(status) => return (count, Err(status)),
        }
    }
}

/// Both kinds of call end with `code`.
async fn assert_code(code: Code, what: &str, script: impl Fn(&mut Call)) -> Status {
    let (_, ended) = expand(&script).await;
    let streamed = ended.expect_err(what);
    assert_eq!(streamed.code(), code, "{what}: {streamed}");
    let status = unary(&script).await.expect_err(what);
    assert_eq!(status.code(), code, "{what}: {status}");
    assert_eq!(status.message(), streamed.message(), "{what}");
    status
}

#[tokio::test]
async fn a_proper_response_is_an_answer() {
    let reply = unary(|call| call.answer(&Echo::text("there")))
        .await
        .unwrap();
    assert_eq!(reply.message, Echo::text("there"));
    let (count, ended) = expand(|call| call.answer(&Echo::text("there"))).await;
    assert_eq!(count, 1);
    ended.unwrap();
}

#[tokio::test]
async fn a_trailers_only_failure_is_a_status() {
    let status = assert_code(Code::NotFound, "trailers-only", |call| {
        let status = [
            GRPC[0],
            ("grpc-status", "5"),
            ("grpc-message", "no %E2%98%BA"),
        ];
        call.refuse(200, &status);
    })
    .await;
    assert_eq!(status.message(), "no ☺");
    assert_eq!(status.phase(), None);
}

#[tokio::test]
async fn a_trailers_only_success_is_an_empty_stream_and_no_unary_answer() {
    let only = |call: &mut Call| call.refuse(200, &[GRPC[0], ("grpc-status", "0")]);
    let (count, ended) = expand(only).await;
    ended.unwrap();
    assert_eq!(count, 0);
    assert_eq!(unary(only).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn every_code_crosses() {
    for number in 1..=16_i32 {
        let text = number.to_string();
        let status = unary(|call| call.refuse(200, &[GRPC[0], ("grpc-status", &text)])).await;
        assert_eq!(status.unwrap_err().code() as i32, number);
    }
}

#[tokio::test]
async fn a_grpc_status_that_is_none_is_unknown() {
    for value in ["17", "99", "-1", "abc", "", "1x", "4294967296"] {
        let status = assert_code(Code::Unknown, value, |call| {
            let fields = [GRPC[0], ("grpc-status", value), ("grpc-message", "kept")];
            call.refuse(200, &fields);
        })
        .await;
        assert_eq!(status.message(), "kept", "{value}");
    }
}

#[tokio::test]
async fn a_missing_grpc_status_is_unknown() {
    assert_code(Code::Unknown, "trailers-only", |call| {
        call.refuse(200, &GRPC);
    })
    .await;
    assert_code(Code::Unknown, "trailers", |call| {
        let mut body = call.respond();
        body.send_data(framed(&Echo::default()), false).unwrap();
        body.send_trailers(fields(&[("x-other", "1")])).unwrap();
    })
    .await;
}

#[tokio::test]
async fn http_errors_of_proxies_are_told_by_their_status() {
    for (http, code) in [
        (400, Code::Internal),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::Unimplemented),
        (408, Code::Unknown),
        (429, Code::Unavailable),
        (500, Code::Unknown),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
    ] {
        let status = assert_code(code, "an HTML page", |call| {
            let mut body = call.respond_with(http, &[("content-type", "text/html")]);
            body.send_data(Bytes::from_static(b"<html>sorry</html>"), true)
                .unwrap();
        })
        .await;
        assert!(status.message().contains(&http.to_string()), "{status}");
        assert!(status.message().contains("text/html"), "{status}");
        assert_code(code, "no body", |call| call.refuse(http, &[])).await;
    }
}

#[tokio::test]
async fn a_page_with_http_200_is_no_answer() {
    assert_code(Code::Unknown, "HTML", |call| {
        let mut body = call.respond_with(200, &[("content-type", "text/html")]);
        body.send_data(Bytes::from_static(b"<html>log in</html>"), true)
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_grpc_status_beats_the_http_status() {
    assert_code(Code::NotFound, "503 and 5", |call| {
        call.refuse(503, &[GRPC[0], ("grpc-status", "5")]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_badly_encoded_keeps_the_code() {
    for (sent, read) in [
        ("%", "%"),
        ("100% sure", "100% sure"),
        ("a%zzb", "a%zzb"),
        ("%4", "%4"),
        ("%E4%BD", "\u{fffd}"),
        ("%41%", "A%"),
    ] {
        let status = assert_code(Code::DataLoss, sent, |call| {
            call.refuse(
                200,
                &[GRPC[0], ("grpc-status", "15"), ("grpc-message", sent)],
            );
        })
        .await;
        assert_eq!(status.message(), read, "{sent}");
    }
}

#[tokio::test]
async fn details_that_cannot_be_read_keep_the_code() {
    let status = unary(|call| {
        let fields = [
            GRPC[0],
            ("grpc-status", "9"),
            ("grpc-status-details-bin", "!!"),
        ];
        call.refuse(200, &fields);
    })
    .await
    .unwrap_err();
    assert_eq!(
        (status.code(), status.details().len()),
        (Code::FailedPrecondition, 0)
    );
}

#[tokio::test]
async fn interim_responses_are_skipped() {
    for numbers in [&[100][..], &[103], &[100, 102, 103, 103]] {
        let script = |call: &mut Call| {
            for number in numbers {
                let interim = super::head(*number, &[("link", "</style.css>")]);
                call.response.send_informational(interim).unwrap();
            }
            call.answer(&Echo::text("there"));
        };
        let reply = unary(script).await.unwrap();
        assert_eq!(reply.message, Echo::text("there"));
        assert!(reply.initial_metadata.is_empty());
        assert_eq!(expand(script).await.0, 1);
    }
}

#[tokio::test]
async fn a_body_without_trailers_is_never_ok() {
    assert_code(Code::Internal, "END_STREAM on DATA", |call| {
        let mut body = call.respond();
        body.send_data(framed(&Echo::text("there")), true).unwrap();
    })
    .await;
    assert_code(Code::Internal, "END_STREAM on empty DATA", |call| {
        let mut body = call.respond();
        body.send_data(framed(&Echo::text("there")), false).unwrap();
        body.send_data(Bytes::new(), true).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_unary_response_is_exactly_one_message() {
    for count in [0, 2, 3] {
        let status = unary(|call| {
            let mut body = call.respond();
            for _ in 0..count {
                body.send_data(framed(&Echo::text("there")), false).unwrap();
            }
            body.send_trailers(ok()).unwrap();
        })
        .await
        .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{count}: {status}");
    }
}

#[tokio::test]
async fn a_failure_after_a_message_is_a_failure() {
    let script = |call: &mut Call| {
        let mut body = call.respond();
        body.send_data(framed(&Echo::text("there")), false).unwrap();
        body.send_trailers(fields(&[("grpc-status", "10"), ("grpc-message", "late")]))
            .unwrap();
    };
    assert_eq!(unary(script).await.unwrap_err().code(), Code::Aborted);
    let (count, ended) = expand(script).await;
    assert_eq!((count, ended.unwrap_err().code()), (1, Code::Aborted));
}

#[tokio::test]
async fn broken_messages_are_internal_whatever_the_trailers_say() {
    let whole = framed(&Echo::text("cut off"));
    let bodies = [
        ("a flag of 1", prefixed(1, &whole[5..])),
        ("a flag of 2", prefixed(2, &whole[5..])),
        ("a page", Bytes::from_static(b"<html>sorry</html>")),
        ("part of a prefix", whole.slice(..3)),
        ("a prefix", whole.slice(..5)),
        ("part of a message", whole.slice(..8)),
        ("no protobuf", prefixed(0, b"\xff\xff")),
    ];
    for (what, bytes) in bodies {
        assert_code(Code::Internal, what, |call| {
            let mut body = call.respond();
            body.send_data(bytes.clone(), false).unwrap();
            body.send_trailers(ok()).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_may_be_cut_at_any_byte() {
    let bytes = framed(&Echo::text("cut me"));
    for at in 1..bytes.len() {
        let script = |call: &mut Call| {
            let mut body = call.respond();
            body.send_data(bytes.slice(..at), false).unwrap();
            body.send_data(bytes.slice(at..), false).unwrap();
            body.send_trailers(ok()).unwrap();
        };
        assert_eq!(
            unary(script).await.unwrap().message,
            Echo::text("cut me"),
            "{at}"
        );
    }
    let (count, ended) = expand(|call| {
        let mut body = call.respond();
        let many = [&bytes[..], &bytes, &bytes].concat();
        for byte in many {
            body.send_data(Bytes::from(vec![byte]), false).unwrap();
        }
        body.send_trailers(ok()).unwrap();
    })
    .await;
    ended.unwrap();
    assert_eq!(count, 3);
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_by_its_prefix() {
    let peer = Peer::start().await;
    let call = peer
        .stub
        .unary(Echo::text("hi"))
        .max_receive_message_size(1_000)
        .response();
    let mut connection = peer.accept().await;
    let mut arrived = connection.call().await;
    let mut body = arrived.respond();
    body.send_data(Bytes::from_static(&[0, 0, 0, 4, 0]), false)
        .unwrap();
    let status = within(call).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status.message().contains("1024") && status.message().contains("1000"),
        "{status}"
    );
    assert_eq!(reset_of(&mut body).await, Reason::CANCEL);

    let mut replies = peer
        .stub
        .expand(Echo::default())
        .max_receive_message_size(1_000)
        .start();
    let mut arrived = connection.call().await;
    let mut body = arrived.respond();
    body.send_data(Bytes::from_static(&[0, 0, 0, 4, 0]), false)
        .unwrap();
    assert_eq!(
        within(replies.next()).await.unwrap_err().code(),
        Code::ResourceExhausted
    );
    assert_eq!(reset_of(&mut body).await, Reason::CANCEL);
}

#[tokio::test]
async fn an_encoding_that_nobody_speaks_is_internal() {
    assert_code(Code::Internal, "br", |call| {
        let mut body = call.respond_with(200, &[GRPC[0], ("grpc-encoding", "br")]);
        body.send_data(prefixed(1, b"?"), false).unwrap();
        body.send_trailers(ok()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_a_server_does_not_implement_is_told_by_it() {
    let peer = Peer::start().await;
    let missing = peer.stub.call(MISSING, Echo::default()).response();
    let elsewhere = peer.stub.call(ELSEWHERE, Echo::default()).response();
    let mut connection = peer.accept().await;
    for (method, call) in [(MISSING, missing), (ELSEWHERE, elsewhere)] {
        let mut arrived = connection.call().await;
        assert_eq!(arrived.head.uri.path(), method.path());
        arrived.refuse(200, &[GRPC[0], ("grpc-status", "12")]);
        assert_eq!(within(call).await.unwrap_err().code(), Code::Unimplemented);
    }
}
