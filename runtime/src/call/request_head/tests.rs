//! Tests of `request_head.rs`.

use super::*;

fn request(more: &[(&str, &str)]) -> Result<(Option<Duration>, Metadata), Refusal> {
    let mut fields = Fields::default();
    let (template, timeout) = (
        RequestTemplate::new("http", "localhost", "identity,gzip", USER_AGENT),
        Some(Duration::from_millis(1_500)),
    );
    let (plain, metadata) = (Compression::Identity, Metadata::default());
    template.write("/a.B/C", timeout, plain, &metadata, &mut fields);
    for (name, value) in more {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    let mut metadata = Metadata::default();
    let request = ReceivedRequest::read(&fields, Encodings::default(), &mut metadata)?;
    Ok((request.timeout, metadata))
}

#[test]
fn a_written_head_reads_back() {
    let (timeout, metadata) = request(&[("x-id", "7"), ("data-bin", "AAE")]).unwrap();
    assert_eq!(timeout, Some(Duration::from_millis(1_500)));
    assert_eq!(metadata.get("x-id"), Some("7"));
    assert_eq!(metadata.get_bin("data-bin"), Some(&[0, 1][..]));
    assert_eq!(metadata.get("user-agent"), Some(USER_AGENT));
}

#[test]
fn what_is_not_grpc_is_refused() {
    assert!(matches!(
        request(&[("content-type", "text/html")]),
        Err(Refusal::Http(415, _))
    ));
    assert!(matches!(
        request(&[("grpc-timeout", "1")]),
        Err(Refusal::Grpc(_))
    ));
    assert!(matches!(
        request(&[("grpc-encoding", "gzip")]),
        Err(Refusal::Encoding(_))
    ));
    assert!(matches!(request(&[("x-bin", "!")]), Err(Refusal::Grpc(_))));
}

/// gRFC A41.
#[test]
fn a_host_stands_in_for_the_authority() {
    let mut fields = Fields::default();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        ("host", "localhost"),
        ("content-type", "application/grpc"),
    ] {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    let mut metadata = Metadata::default();
    let encodings = Encodings::default();
    assert!(ReceivedRequest::read(&fields, encodings, &mut metadata).is_ok());
    fields.push(b"host", b"elsewhere");
    let twice = ReceivedRequest::read(&fields, encodings, &mut metadata);
    assert!(matches!(twice, Err(Refusal::Http(400, _))));
}

#[test]
fn content_types() {
    for good in [
        "application/grpc",
        "application/grpc+proto",
        "Application/gRPC",
        "application/grpc;charset=utf-8",
        "application/grpc+proto; x=y",
    ] {
        assert!(is_grpc(good.as_bytes()), "{good}");
    }
    for bad in [
        "",
        "application/json",
        "application/grpc-web",
        "application/grpc+json",
        "application/grp",
    ] {
        assert!(!is_grpc(bad.as_bytes()), "{bad}");
    }
}
