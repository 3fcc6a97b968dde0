//! Tests of `response_head.rs`.

use super::*;

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

#[test]
fn a_status_survives_the_wire() {
    let mut trailing = Metadata::default();
    trailing.append("x-id", "7").unwrap();
    let sent = Status::new(Code::DataLoss, "tab\t ☺ 100%").with_details(vec![1, 2, 0xff]);
    let mut list = Fields::default();
    write_trailers(&mut list, &Err(sent), &trailing);
    let got = read_trailers(&list).unwrap_err();
    assert_eq!(
        (got.code(), got.message()),
        (Code::DataLoss, "tab\t ☺ 100%")
    );
    assert_eq!(got.details()[..], [1, 2, 0xff]);
    assert_eq!(got.metadata().get("x-id"), Some("7"));
}

#[test]
fn codes_that_nobody_knows_are_unknown() {
    for value in ["17", "99", "-1", "abc", "", "99999999999"] {
        let got = read_trailers(&fields(&[("grpc-status", value)])).unwrap_err();
        assert_eq!(got.code(), Code::Unknown, "{value}");
    }
}

#[test]
fn without_a_grpc_status_http_decides() {
    for (http, code) in [
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("429", Code::Unavailable),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
        ("500", Code::Unknown),
        ("200", Code::Unknown),
    ] {
        let got = read_trailers(&fields(&[(":status", http)])).unwrap_err();
        assert_eq!(got.code(), code, "{http}");
        let html = [(":status", http), ("content-type", "text/html")];
        assert_eq!(
            read_head(&fields(&html), Encodings::default())
                .unwrap_err()
                .code(),
            code,
            "{http}"
        );
    }
}

#[test]
fn a_grpc_status_beats_the_http_status() {
    let got = read_trailers(&fields(&[(":status", "503"), ("grpc-status", "5")])).unwrap_err();
    assert_eq!(got.code(), Code::NotFound);
}
