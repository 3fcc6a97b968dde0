//! The messages of package `google.rpc` that statuses carry: `Status` itself and the
//! standard details. Names and field numbers are part of the protocol. Messages may get more
//! fields, so each has a `new` for the usual ones, and public fields for the rest.

use std::collections::HashMap;
use std::time::Duration;

use prost_types::Any;

/// Declares a message's full name, which an `Any` contains.
macro_rules! named {
    ($($message:ident),+ $(,)?) => {$(
        impl prost::Name for $message {
            const NAME: &'static str = stringify!($message);
            const PACKAGE: &'static str = "google.rpc";
        }
    )+};
}

named!(
    Status,
    ErrorInfo,
    RetryInfo,
    DebugInfo,
    QuotaFailure,
    PreconditionFailure,
    BadRequest,
    RequestInfo,
    ResourceInfo,
    Help,
    LocalizedMessage,
);

/// The content of `grpc-status-details-bin`: a status with its details.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct Status {
    /// The code's number; `grpc-status` is the one that counts.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The message; `grpc-message` is the one that counts.
    #[prost(string, tag = "2")]
    pub message: String,
    /// The details, each a message under its type's URL.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// The cause of an error, for programs.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct ErrorInfo {
    /// The cause, constant and unique within its domain: `STOCKOUT`.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// The domain that defines the reasons: `spanner.example.com`.
    #[prost(string, tag = "2")]
    pub domain: String,
    /// More about this error, by keys in lowerCamelCase.
    #[prost(map = "string, string", tag = "3")]
    pub metadata: HashMap<String, String>,
}

impl ErrorInfo {
    /// A cause within its domain, without metadata.
    pub fn new(reason: impl Into<String>, domain: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            domain: domain.into(),
            metadata: HashMap::new(),
        }
    }
}

/// When to try again.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct RetryInfo {
    /// The least time to wait.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<prost_types::Duration>,
}

impl RetryInfo {
    /// Wait at least `delay`, at most 10,000 years, which is the longest that the message
    /// can hold.
    pub fn new(delay: Duration) -> Self {
        const MOST: Duration = Duration::from_secs(315_576_000_000);
        Self {
            retry_delay: prost_types::Duration::try_from(delay.min(MOST)).ok(),
        }
    }
}

/// Information for the developers of the server; not for callers of a public server.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct DebugInfo {
    /// The stack trace, one entry a call.
    #[prost(string, repeated, tag = "1")]
    pub stack_entries: Vec<String>,
    /// Anything else.
    #[prost(string, tag = "2")]
    pub detail: String,
}

impl DebugInfo {
    /// A text, without a stack.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            stack_entries: Vec::new(),
            detail: detail.into(),
        }
    }
}

/// Which quotas a request would exceed.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct QuotaFailure {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<quota_failure::Violation>,
}

impl QuotaFailure {
    /// These quotas.
    pub fn new(violations: impl IntoIterator<Item = quota_failure::Violation>) -> Self {
        Self {
            violations: violations.into_iter().collect(),
        }
    }
}

/// Parts of [`QuotaFailure`].
pub mod quota_failure {
    use std::collections::HashMap;

    /// One quota that a request would exceed.
    #[derive(Clone, PartialEq, prost::Message)]
    #[non_exhaustive]
    pub struct Violation {
        /// The owner of the quota: `project:1234`.
        #[prost(string, tag = "1")]
        pub subject: String,
        /// Which quota, and how to get more.
        #[prost(string, tag = "2")]
        pub description: String,
        /// The API the quota belongs to.
        #[prost(string, tag = "3")]
        pub api_service: String,
        /// What is counted.
        #[prost(string, tag = "4")]
        pub quota_metric: String,
        /// The quota's name within its API.
        #[prost(string, tag = "5")]
        pub quota_id: String,
        /// The dimensions it is counted by: region, zone and the like.
        #[prost(map = "string, string", tag = "6")]
        pub quota_dimensions: HashMap<String, String>,
        /// The quota at the time of the request.
        #[prost(int64, tag = "7")]
        pub quota_value: i64,
        /// The future quota, while a change is being rolled out.
        #[prost(int64, optional, tag = "8")]
        pub future_quota_value: Option<i64>,
    }

    impl Violation {
        /// A quota of `subject`, and what is wrong with it.
        pub fn new(subject: impl Into<String>, description: impl Into<String>) -> Self {
            Self {
                subject: subject.into(),
                description: description.into(),
                ..Self::default()
            }
        }
    }
}

/// The conditions that must be met before the request can succeed.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct PreconditionFailure {
    /// Each condition that is not met.
    #[prost(message, repeated, tag = "1")]
    pub violations: Vec<precondition_failure::Violation>,
}

impl PreconditionFailure {
    /// These conditions.
    pub fn new(violations: impl IntoIterator<Item = precondition_failure::Violation>) -> Self {
        Self {
            violations: violations.into_iter().collect(),
        }
    }
}

/// Parts of [`PreconditionFailure`].
pub mod precondition_failure {
    /// One condition that is not met.
    #[derive(Clone, PartialEq, prost::Message)]
    #[non_exhaustive]
    pub struct Violation {
        /// The kind of condition: `TOS`.
        #[prost(string, tag = "1")]
        pub r#type: String,
        /// The subject of the condition.
        #[prost(string, tag = "2")]
        pub subject: String,
        /// How to meet it.
        #[prost(string, tag = "3")]
        pub description: String,
    }

    impl Violation {
        /// A condition of this kind on `subject`, and how to meet it.
        pub fn new(
            r#type: impl Into<String>,
            subject: impl Into<String>,
            description: impl Into<String>,
        ) -> Self {
            Self {
                r#type: r#type.into(),
                subject: subject.into(),
                description: description.into(),
            }
        }
    }
}

/// Which fields of a request are wrong.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct BadRequest {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub field_violations: Vec<bad_request::FieldViolation>,
}

impl BadRequest {
    /// These fields.
    pub fn new(field_violations: impl IntoIterator<Item = bad_request::FieldViolation>) -> Self {
        Self {
            field_violations: field_violations.into_iter().collect(),
        }
    }
}

/// Parts of [`BadRequest`].
pub mod bad_request {
    /// One field that is wrong.
    #[derive(Clone, PartialEq, prost::Message)]
    #[non_exhaustive]
    pub struct FieldViolation {
        /// The path to the field: `full_name.first`, `emails[1].address`.
        #[prost(string, tag = "1")]
        pub field: String,
        /// What is wrong with it.
        #[prost(string, tag = "2")]
        pub description: String,
        /// The cause, constant and unique within its domain.
        #[prost(string, tag = "3")]
        pub reason: String,
        /// The description for people, in their language.
        #[prost(message, optional, tag = "4")]
        pub localized_message: Option<super::LocalizedMessage>,
    }

    impl FieldViolation {
        /// What is wrong with the field of this path.
        pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
            Self {
                field: field.into(),
                description: description.into(),
                ..Self::default()
            }
        }
    }
}

/// Identifies the request, so that operators of the server can find it.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct RequestInfo {
    /// An opaque value that only the server understands.
    #[prost(string, tag = "1")]
    pub request_id: String,
    /// Opaque data about how the request was served.
    #[prost(string, tag = "2")]
    pub serving_data: String,
}

impl RequestInfo {
    /// A request's name.
    pub fn new(request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            serving_data: String::new(),
        }
    }
}

/// Names the resource that was accessed.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct ResourceInfo {
    /// Its type: `sql table`, or a type's URL.
    #[prost(string, tag = "1")]
    pub resource_type: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub resource_name: String,
    /// The owner of the resource: `user:me@example.com`.
    #[prost(string, tag = "3")]
    pub owner: String,
    /// What went wrong with it.
    #[prost(string, tag = "4")]
    pub description: String,
}

impl ResourceInfo {
    /// A resource by its type and name.
    pub fn new(resource_type: impl Into<String>, resource_name: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            resource_name: resource_name.into(),
            ..Self::default()
        }
    }
}

/// Where to read more.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct Help {
    /// Each place.
    #[prost(message, repeated, tag = "1")]
    pub links: Vec<help::Link>,
}

impl Help {
    /// These places.
    pub fn new(links: impl IntoIterator<Item = help::Link>) -> Self {
        Self {
            links: links.into_iter().collect(),
        }
    }
}

/// Parts of [`Help`].
pub mod help {
    /// One place to read more.
    #[derive(Clone, PartialEq, prost::Message)]
    #[non_exhaustive]
    pub struct Link {
        /// The description of the page.
        #[prost(string, tag = "1")]
        pub description: String,
        /// The URL of the page.
        #[prost(string, tag = "2")]
        pub url: String,
    }

    impl Link {
        /// What is at a URL.
        pub fn new(description: impl Into<String>, url: impl Into<String>) -> Self {
            Self {
                description: description.into(),
                url: url.into(),
            }
        }
    }
}

/// The error's message in a human language.
#[derive(Clone, PartialEq, prost::Message)]
#[non_exhaustive]
pub struct LocalizedMessage {
    /// The language, as a BCP 47 tag: `de-CH`.
    #[prost(string, tag = "1")]
    pub locale: String,
    /// The message.
    #[prost(string, tag = "2")]
    pub message: String,
}

impl LocalizedMessage {
    /// A message in the language `locale`.
    pub fn new(locale: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            locale: locale.into(),
            message: message.into(),
        }
    }
}
