//! The JSON of proto3, by the recipes of the options' page: `build.rs` has run
//! pbjson-build on the descriptors that grpc-build wrote, and prost-reflect reads
//! the same file.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use grpc_runtime::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

use event::Event;

mod event {
    #![allow(clippy::pedantic, reason = "pbjson-build's code")]
    grpc_runtime::include_proto!("event");
    include!(concat!(env!("OUT_DIR"), "/event.serde.rs"));
}

const JSON: &str =
    r#"{"id":"7","raw":"AQI=","happenedAt":"1970-01-01T00:00:01+00:00","kind":"KIND_SALE"}"#;

fn sample() -> Event {
    Event {
        id: 7,
        raw: vec![1, 2],
        happened_at: Some(pbjson_types::Timestamp {
            seconds: 1,
            nanos: 0,
        }),
        kind: event::event::Kind::Sale.into(),
    }
}

#[test]
fn pbjson_writes_and_reads_generated_messages() {
    assert_eq!(serde_json::to_string(&sample()).unwrap(), JSON);
    assert_eq!(serde_json::from_str::<Event>(JSON).unwrap(), sample());
}

#[test]
fn prost_reflect_reads_the_descriptors() {
    const SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    let pool = DescriptorPool::decode(SET).unwrap();
    let descriptor = pool.get_message_by_name("event.Event").unwrap();
    let bytes = sample().encode_to_vec();
    let message = DynamicMessage::decode(descriptor.clone(), &bytes[..]).unwrap();
    let json = serde_json::to_value(&message).unwrap();
    assert_eq!(json["happenedAt"], "1970-01-01T00:00:01Z");
    assert_eq!(json["kind"], "KIND_SALE");
    let again = DynamicMessage::deserialize(descriptor, json).unwrap();
    assert_eq!(again.encode_to_vec(), bytes);
}
