//! Unit tests of `trace_bin`.

use std::collections::HashMap;

use super::*;

#[test]
fn the_bytes_are_those_of_the_document() {
    let trace = TraceId::from_bytes(*b"0123456789abcdef");
    let span = SpanId::from_bytes(*b"ABCDEFGH");
    let sampled = TraceFlags::SAMPLED;
    let context = SpanContext::new(trace, span, sampled, true, TraceState::default());
    let bytes = encode(&context);
    assert_eq!(&bytes, b"\0\x000123456789abcdef\x01ABCDEFGH\x02\x01");
    assert_eq!(decode(&bytes), Some(context.clone()));

    let mut carrier = HashMap::new();
    let parent = Context::new().with_remote_span_context(context.clone());
    let propagator = GrpcTraceBin::new();
    propagator.inject_context(&parent, &mut carrier);
    let padding = carrier[KEY].trim_end_matches('=').len();
    carrier.get_mut(KEY).unwrap().truncate(padding);
    let read = propagator.extract_with_context(&Context::new(), &carrier);
    assert_eq!(read.span().span_context(), &context);
    assert_eq!(propagator.fields().collect::<Vec<_>>(), [KEY]);
}

#[test]
fn other_bytes_say_nothing() {
    let trace = TraceId::from_bytes([7; 16]);
    let span = SpanId::from_bytes([9; 8]);
    let flags = TraceFlags::default();
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    let good = encode(&context);
    assert_eq!(decode(&good[..28]), None);
    assert_eq!(decode(&[&good[..], &[0]].concat()), None);
    for at in [0, 1, 18, 27] {
        let mut bad = good;
        bad[at] ^= 4;
        assert_eq!(decode(&bad), None);
    }
    let mut no_trace = good;
    no_trace[2..18].fill(0);
    assert_eq!(decode(&no_trace), None);
    let none = GrpcTraceBin::new().extract_with_context(&Context::new(), &HashMap::new());
    assert!(!none.has_active_span());
    let mut carrier = HashMap::new();
    GrpcTraceBin::new().inject_context(&Context::new(), &mut carrier);
    assert!(carrier.is_empty());
}
