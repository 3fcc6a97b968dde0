//! A oneof that steps aside for a field of its name is on the wire what it was.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use grpc_runtime::prost::Message;
use grpc_tests::generated::taken::Choices;
use grpc_tests::generated::taken::choices::{FooBar, FooBarOneof, FooBarOneofOneOf, OoOneof};

#[test]
fn a_oneof_that_steps_aside_keeps_its_numbers() {
    let choices = Choices {
        oo: Some("a".to_owned()),
        oo_oneof: Some(OoOneof::XOo("b".to_owned())),
        foo_bar: Some(FooBar::A(3)),
        foo_bar_oneof: Some(FooBarOneofOneOf::B(FooBarOneof {})),
    };
    let encoded = choices.encode_to_vec();
    assert_eq!(encoded, b"\x0a\x01a\x12\x01b\x28\x03\x32\x00");
    assert_eq!(Choices::decode(&encoded[..]).unwrap(), choices);
}
