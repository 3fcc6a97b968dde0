//! Unit tests of `carrier`.

use super::*;

#[test]
fn texts_and_bytes_go_through() {
    let mut metadata = Metadata::new();
    metadata.append("tracestate", "a=1").unwrap();
    metadata.append("tracestate", "b=2").unwrap();
    let mut writer = Writer(&mut metadata);
    writer.set("traceparent", "00-1".to_owned());
    writer.set("traceparent", "00-2".to_owned());
    writer.set("x-trace-bin", STANDARD.encode([1, 2, 255]));
    writer.set("y-trace-bin", "no base64!".to_owned());
    writer.set("grpc-status", "0".to_owned());
    assert_eq!(metadata.get_bin("x-trace-bin"), Some(&[1, 2, 255][..]));
    assert_eq!(metadata.len(), 4);
    let reader = Reader::of(&metadata);
    assert_eq!(reader.get("TraceParent"), Some("00-2"));
    assert_eq!(reader.get_all("tracestate"), Some(vec!["a=1", "b=2"]));
    assert_eq!(reader.get_all("nothing"), None);
    assert_eq!(reader.get("X-Trace-Bin"), Some("AQL/"));
    assert_eq!(reader.get_all("x-trace-bin"), Some(vec!["AQL/"]));
    assert_eq!(reader.get("y-trace-bin"), None);
    assert_eq!(reader.keys().len(), 4);
}
