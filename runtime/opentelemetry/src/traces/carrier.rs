//! Adapts metadata to a propagator's text maps. The value of a `-bin` key is base64 in the
//! map (gRFC A72).

use std::cell::OnceCell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grpc_runtime::Metadata;
use opentelemetry::propagation::{Extractor, Injector};

/// Writes.
pub(super) struct Writer<'a>(pub(super) &'a mut Metadata);

impl Injector for Writer<'_> {
    /// Values that metadata cannot hold are left out: tracing does not fail a call.
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
mod tests;
