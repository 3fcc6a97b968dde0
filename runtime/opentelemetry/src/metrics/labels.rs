//! The labels of a value: method, target, status. Each set of labels is built once, not for
//! each call.

use std::sync::Arc;

use grpc_runtime::Code;
use opentelemetry::KeyValue;

/// The label of a method or target whose name is filtered out.
pub(crate) const OTHER: &str = "other";

/// A method, and on a channel its target.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    /// `package.Service/Method`; `None` for a method whose label is `other`.
    pub(crate) method: Option<Box<str>>,
    pub(crate) target: Option<Arc<TargetLabels>>,
}

/// A channel's target.
#[derive(Debug)]
pub(crate) struct TargetLabels {
    /// With its scheme, or `other`.
    pub(crate) name: Arc<str>,
    /// The host in it, and the port.
    pub(crate) address: Option<(Arc<str>, Option<i64>)>,
}

impl TargetLabels {
    pub(crate) fn of(target: &str) -> Self {
        Self {
            name: target.into(),
            address: Some(address(target)),
        }
    }

    pub(crate) fn other() -> Self {
        Self {
            name: OTHER.into(),
            address: None,
        }
    }
}

/// In whose names a set of labels is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// gRPC's: A66.
    Grpc,
    /// OpenTelemetry's semantic conventions.
    Conventions(grpc_runtime::Side),
}

impl Labels {
    /// The text that stands for the method.
    pub(crate) fn method(&self, names: Names) -> Arc<str> {
        match (&self.method, names) {
            (Some(method), _) => (&**method).into(),
            (None, Names::Grpc) => OTHER.into(),
            (None, Names::Conventions(_)) => "_OTHER".into(),
        }
    }

    /// The labels, with [`method`](Self::method) in this very text.
    pub(crate) fn set(&self, names: Names, method: Arc<str>, code: Option<Code>) -> Vec<KeyValue> {
        match names {
            Names::Grpc => {
                let mut labels = vec![KeyValue::new("grpc.method", method)];
                if let Some(target) = &self.target {
                    labels.push(KeyValue::new("grpc.target", Arc::clone(&target.name)));
                }
                if let Some(code) = code {
                    labels.push(KeyValue::new("grpc.status", code.to_string()));
                }
                labels
            }
            Names::Conventions(side) => {
                let mut labels = vec![
                    KeyValue::new("rpc.system.name", "grpc"),
                    KeyValue::new("rpc.method", method),
                ];
                if let Some(code) = code {
                    labels.push(KeyValue::new("rpc.response.status_code", code.to_string()));
                    if is_error(side, code) {
                        labels.push(KeyValue::new("error.type", code.to_string()));
                    }
                }
                let target = self.target.as_ref();
                if let Some((host, port)) = target.and_then(|target| target.address.as_ref()) {
                    labels.push(KeyValue::new("server.address", Arc::clone(host)));
                    labels.extend(port.map(|port| KeyValue::new("server.port", port)));
                }
                labels
            }
        }
    }
}

/// Whether the semantic conventions see an error in it: on a channel in all but OK, on a
/// server in what is the server's own failure.
fn is_error(side: grpc_runtime::Side, code: Code) -> bool {
    match side {
        grpc_runtime::Side::Client => code != Code::Ok,
        grpc_runtime::Side::Server => matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        ),
    }
}

/// The host and the port in a target: what its scheme is followed by, without an authority
/// (`dns://8.8.8.8/host:443`). A socket's path has no port.
fn address(target: &str) -> (Arc<str>, Option<i64>) {
    let (scheme, rest) = target.split_once(':').unwrap_or(("", target));
    let rest = match rest.strip_prefix("//") {
        Some(rest) if scheme.starts_with("unix") => rest,
        Some(rest) => rest.split_once('/').map_or(rest, |(_, endpoint)| endpoint),
        None => rest,
    };
    let port = |port: &str| port.parse::<u16>().ok().map(i64::from);
    match rest.rsplit_once(':') {
        Some((host, digits)) if !host.contains(':') || host.ends_with(']') => match port(digits) {
            Some(port) => (
                host.trim_start_matches('[').trim_end_matches(']').into(),
                Some(port),
            ),
            None => (rest.into(), None),
        },
        _ => (
            rest.trim_start_matches('[').trim_end_matches(']').into(),
            None,
        ),
    }
}

#[cfg(test)]
mod tests;
