//! Metadata as a propagator writes and reads it: texts. What a `-bin` key holds is in
//! base64 there (gRFC A72).

use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grpc_runtime::Metadata;
use opentelemetry::propagation::{Extractor, Injector};

/// Writes.
pub(super) struct Writer<'a>(pub(super) &'a mut Metadata);

impl Injector for Writer<'_> {
    /// What metadata cannot hold is left out: a trace is no reason for a call to fail.
    fn set(&mut self, key: &str, value: String) {
        let _ = if is_binary(key) {
            let bytes = STANDARD.decode(value);
            bytes.map(|bytes| self.0.insert_bin(key, bytes)).is_ok()
        } else {
            self.0.insert(key, &value).is_ok()
        };
    }
}

/// Reads.
pub(super) struct Reader<'a> {
    metadata: &'a Metadata,
    /// The `-bin` keys, in base64, once one was asked for.
    binary: OnceCell<Vec<(&'a str, String)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(metadata: &'a Metadata) -> Self {
        Self {
            metadata,
            binary: OnceCell::new(),
        }
    }

    /// The values of a `-bin` key.
    fn binary(&self, key: &str) -> impl Iterator<Item = &str> {
        let encode = || {
            let all = self.metadata.iter().filter(|(key, _)| is_binary(key));
            all.map(|(key, value)| (key, STANDARD.encode(value.as_bytes())))
                .collect()
        };
        let all = self.binary.get_or_init(encode).iter();
        all.filter(move |(other, _)| other.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }
}

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if is_binary(key) {
            return self.binary(key).next();
        }
        self.metadata.get(key)
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let values: Vec<_> = if is_binary(key) {
            self.binary(key).collect()
        } else {
            let all = self.metadata.get_all(key);
            all.filter_map(grpc_runtime::MetadataValue::as_str)
                .collect()
        };
        (!values.is_empty()).then_some(values)
    }

    fn keys(&self) -> Vec<&str> {
        self.metadata.iter().map(|(key, _)| key).collect()
    }
}

fn is_binary(key: &str) -> bool {
    let end = key.len().checked_sub(4).and_then(|at| key.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case("-bin"))
}

#[cfg(test)]
mod tests {
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
}
