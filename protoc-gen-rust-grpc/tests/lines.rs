//! How many lines are generated for a method. The table in `tests/weight` says
//! the same of a large crate; here the count is held for each shape.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fmt::Write as _;
use std::fs;

use grpc_build::Config;

/// Lines of code, without comments and blank ones, of a service with that many
/// methods.
fn lines(methods: usize, takes: &str, returns: &str) -> usize {
    let mut proto = String::from("syntax = \"proto3\";\npackage acme.shop.v1;\nservice Orders {\n");
    for number in 0..methods {
        let name = char::from(b'A' + u8::try_from(number).unwrap());
        let _ = writeln!(
            proto,
            "  rpc ListItems{name}({takes}ListItemsRequest) returns ({returns}ListItemsResponse);"
        );
    }
    proto.push_str("}\nmessage ListItemsRequest {}\nmessage ListItemsResponse {}\n");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.proto");
    fs::write(&path, proto).unwrap();
    Config::new()
        .out_dir(directory.path())
        .compile(&[&path], &[directory.path()])
        .unwrap();
    let text = fs::read_to_string(directory.path().join("acme.shop.v1.rs")).unwrap();
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    text.lines().map(str::trim).filter(is_code).count()
}

#[test]
fn a_method_takes_a_few_lines() {
    // For all: the constant, the stub's method, the servicer's method with its
    // default, and the line that joins them.
    let shapes = [
        ("", ""),
        ("", "stream "),
        ("stream ", ""),
        ("stream ", "stream "),
    ];
    let found = shapes.map(|(takes, returns)| {
        let more = lines(11, takes, returns) - lines(1, takes, returns);
        assert_eq!(more % 10, 0, "each takes as many");
        more / 10
    });
    assert_eq!(
        found,
        [15, 22, 16, 17],
        "unary, server, client, bidi streaming"
    );
}
