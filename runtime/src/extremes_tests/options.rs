//! Every public option and its extremes.

use std::time::{Duration, Instant};

use super::SERVICE;
use crate::clock;
use crate::{
    CallLimit, ChannelBuilder, Code, Compression, Context, DeadlinePolicy,
    FailurePercentageEjection, HedgingPolicy, Http2Options, LeastRequest, MethodConfig,
    MethodLimits, OutgoingCall, OutlierDetection, RetryPolicy, RetryThrottling, RoundRobin,
    ServerBuilder, ServerLimits, Service, ServiceConfig, ServiceConfigBuilder, Status,
    SuccessRateEjection, WeightedRoundRobin,
};

/// What an option is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Zero,
    One,
    Usual,
    Most,
    /// Of times: the longest that can be added to this moment.
    Last,
}

impl Value {
    pub(super) const ALL: [Self; 5] = [Self::Zero, Self::One, Self::Usual, Self::Most, Self::Last];
}

/// A type that options have.
pub(super) trait Extreme: Sized {
    /// `None` where the type has no such value.
    fn at(value: Value, usual: Self) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Extreme for $number {
            fn at(value: Value, usual: Self) -> Option<Self> {
                match value {
                    Value::Zero => Some(0),
                    Value::One => Some(1),
                    Value::Usual => Some(usual),
                    Value::Most => Some(Self::MAX),
                    Value::Last => None,
                }
            }
        }
    )*};
}
numbers!(u32, usize);

impl Extreme for bool {
    fn at(value: Value, _usual: Self) -> Option<Self> {
        match value {
            Value::Zero => Some(false),
            Value::One => Some(true),
            _ => None,
        }
    }
}

impl Extreme for Duration {
    fn at(value: Value, usual: Self) -> Option<Self> {
        Some(match value {
            Value::Zero => Self::ZERO,
            Value::One => Self::from_nanos(1),
            Value::Usual => usual,
            Value::Most => Self::MAX,
            Value::Last => furthest(clock::now()),
        })
    }
}

impl Extreme for Instant {
    fn at(value: Value, usual: Self) -> Option<Self> {
        let now = clock::now();
        match value {
            Value::Zero => Some(now),
            Value::One => Some(now + Duration::from_nanos(1)),
            Value::Usual => Some(usual),
            Value::Most => now.checked_add(furthest(now)),
            Value::Last => None,
        }
    }
}

impl Extreme for f64 {
    fn at(value: Value, usual: Self) -> Option<Self> {
        match value {
            Value::Zero => Some(0.0),
            Value::One => Some(1.0),
            Value::Usual => Some(usual),
            Value::Most => Some(Self::MAX),
            Value::Last => Some(Self::INFINITY),
        }
    }
}

/// One encoding after the other.
impl Extreme for Compression {
    fn at(value: Value, _usual: Self) -> Option<Self> {
        match value {
            Value::Zero => Some(Self::Identity),
            #[cfg(feature = "compression")]
            Value::One => Some(Self::Gzip),
            #[cfg(feature = "compression")]
            Value::Usual => Some(Self::Deflate),
            #[cfg(feature = "zstd")]
            Value::Most => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Lists of one encoding or none.
impl Extreme for Option<Compression> {
    fn at(value: Value, _usual: Self) -> Option<Self> {
        match value {
            Value::Last => Some(None),
            value => Compression::at(value, Compression::Identity).map(Some),
        }
    }
}

/// The longest that can be added to `now`.
pub(super) fn furthest(now: Instant) -> Duration {
    let seconds = (0..64).rev().map(|bit| Duration::from_secs(1 << bit));
    let nanos = (0..30).rev().map(|bit| Duration::from_nanos(1 << bit));
    seconds.chain(nanos).fold(Duration::ZERO, |far, step| {
        let further = far.saturating_add(step);
        now.checked_add(further).map_or(far, |_| further)
    })
}

/// What a call is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallOptions {
    pub(super) timeout: Option<Duration>,
    /// From the call on, so that it suits every call of a trial.
    pub(super) deadline: Option<Value>,
    pub(super) max_receive_message_size: Option<usize>,
    pub(super) max_send_message_size: Option<usize>,
    pub(super) compression: Option<Compression>,
}

/// Tells it to a call of any shape, with metadata that do not fit a pipe.
macro_rules! with_options {
    ($call:expr, $options:expr) => {{
        let mut call = $call.metadata("x-filler", &crate::extremes_tests::filler());
        if let Some(timeout) = $options.timeout {
            call = call.timeout(timeout);
        }
        if let Some(value) = $options.deadline {
            call = call.deadline(crate::extremes_tests::options::deadline(value));
        }
        if let Some(bytes) = $options.max_receive_message_size {
            call = call.max_receive_message_size(bytes);
        }
        if let Some(bytes) = $options.max_send_message_size {
            call = call.max_send_message_size(bytes);
        }
        if let Some(compression) = $options.compression {
            call = call.compression(compression);
        }
        call
    }};
}
pub(super) use with_options;

pub(super) fn deadline(value: Value) -> Instant {
    let now = clock::now();
    Extreme::at(value, now + HOUR).unwrap_or(now + HOUR)
}

/// What sets an option; `None` where it has no such value.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Server(fn(ServerBuilder, Value) -> Option<ServerBuilder>),
    Service(fn(Service, Value) -> Option<Service>),
    Channel(fn(ChannelBuilder, Value) -> Option<ChannelBuilder>),
    ServerHttp2(fn(&mut Http2Options, Value) -> Option<()>),
    ChannelHttp2(fn(&mut Http2Options, Value) -> Option<()>),
    Call(fn(&mut CallOptions, Value) -> Option<()>),
    /// By an interceptor of the channel.
    Outgoing(fn(Value) -> Option<()>, fn(&mut OutgoingCall, Value)),
    /// By an interceptor of the service.
    Context(
        fn(Value) -> Option<()>,
        fn(&mut Context, Value) -> Result<(), Status>,
    ),
}

const HOUR: Duration = Duration::from_secs(3_600);
const SIZE: usize = 4 << 20;
const PLAIN: Compression = Compression::Identity;

macro_rules! setter {
    ($kind:ident, $owner:literal, $method:ident, $usual:expr) => {
        (
            concat!($owner, "::", stringify!($method)),
            Change::$kind(|it, value| Some(it.$method(Extreme::at(value, $usual)?))),
        )
    };
}

/// What a service config says of all methods.
macro_rules! config {
    ($owner:literal, $method:ident, |$value:ident| $config:expr) => {
        (
            concat!($owner, "::", stringify!($method)),
            Change::Channel(|it, $value| held_to(it, ServiceConfig::builder().all($config))),
        )
    };
}

/// `None` where the config is invalid.
fn held_to(channel: ChannelBuilder, config: ServiceConfigBuilder) -> Option<ChannelBuilder> {
    Some(channel.service_config(config.build().ok()?))
}

fn retry() -> RetryPolicy {
    RetryPolicy::new([Code::Unavailable])
}

/// A field of `Http2Options`, of servers and of channels.
macro_rules! http2 {
    ($kind:ident, $field:ident) => {
        (
            concat!("Http2Options::", stringify!($field)),
            Change::$kind(|options, value| {
                options.$field = Extreme::at(value, options.$field)?;
                Some(())
            }),
        )
    };
}

/// Of a policy.
macro_rules! balance {
    ($policy:ident, $method:ident, $usual:expr) => {
        (
            concat!(stringify!($policy), "::", stringify!($method)),
            Change::Channel(|it, value| {
                let value = Extreme::at(value, $usual)?;
                Some(it.balance($policy::new().$method(value)))
            }),
        )
    };
}

/// Of outlier_detection, all of whose endpoints are found.
macro_rules! outliers {
    ($method:ident, $usual:expr) => {
        (
            concat!("OutlierDetection::", stringify!($method)),
            Change::Channel(|it, value| {
                let by = FailurePercentageEjection::new()
                    .minimum_hosts(1)
                    .request_volume(1);
                let detection = OutlierDetection::new(RoundRobin::new());
                let detection = detection.failure_percentage(by.threshold(0));
                Some(it.balance(detection.$method(Extreme::at(value, $usual)?)))
            }),
        )
    };
}

macro_rules! found_by {
    ($way:ident, $by:ident, $method:ident, $usual:expr) => {
        (
            concat!(stringify!($by), "::", stringify!($method)),
            Change::Channel(|it, value| {
                let by = $by::new().$method(Extreme::at(value, $usual)?);
                let detection = OutlierDetection::new(RoundRobin::new()).$way(by);
                Some(it.balance(detection.interval(Duration::from_secs(1))))
            }),
        )
    };
}

/// Of one that is there with the feature alone.
macro_rules! hashed {
    ($policy:ident, $method:ident, $usual:expr) => {
        (
            concat!(stringify!($policy), "::", stringify!($method)),
            Change::Channel(|it, value| {
                let value = Extreme::at(value, $usual)?;
                #[cfg(feature = "ring-hash")]
                {
                    Some(it.balance(crate::$policy::new().$method(value)))
                }
                #[cfg(not(feature = "ring-hash"))]
                {
                    let _: (_, usize) = (it, value);
                    None
                }
            }),
        )
    };
}

macro_rules! call {
    ($method:ident, $usual:expr) => {
        (
            concat!("call_options::", stringify!($method)),
            Change::Call(|options, value| {
                options.$method = Some(Extreme::at(value, $usual)?);
                Some(())
            }),
        )
    };
}

macro_rules! limits {
    ($name:literal, $usual:expr, |$limits:ident, $value:ident| $set:expr) => {
        (
            $name,
            Change::Server(|it, value| {
                let ($limits, $value) = (ServerLimits::new(), Extreme::at(value, $usual)?);
                Some(it.limits($set))
            }),
        )
    };
}

/// The fields of `Http2Options` on both sides, and then all else.
macro_rules! table {
    ($($field:ident),*; $($option:expr),* $(,)?) => {
        /// Does not compile once there is another field: it belongs into the table.
        const _: fn(Http2Options) = |options| {
            let Http2Options { $($field: _),* } = options;
        };

        pub(super) const OPTIONS: &[(&str, Change)] = &[
            $(http2!(ServerHttp2, $field), http2!(ChannelHttp2, $field),)*
            $($option,)*
        ];
    };
}

table! {
    stream_window,
    connection_window,
    connection_buffer,
    message_buffer,
    max_frame_size,
    max_concurrent_streams,
    max_header_list_size,
    send_buffer,
    handshake_timeout,
    header_timeout,
    reset_burst,
    control_burst;

    setter!(Server, "ServerBuilder", max_receive_message_size, SIZE),
    setter!(Server, "ServerBuilder", max_send_message_size, SIZE),
    setter!(Server, "ServerBuilder", compression, PLAIN),
    setter!(Server, "ServerBuilder", accept_compression, None),
    setter!(Server, "ServerBuilder", memory_limit, 1 << 30),
    setter!(Server, "ServerBuilder", keepalive_time, HOUR),
    (
        // A time after which to be asked at all.
        "ServerBuilder::keepalive_timeout",
        Change::Server(|it, value| {
            let timeout = Extreme::at(value, HOUR)?;
            Some(it.keepalive_time(Duration::ZERO).keepalive_timeout(timeout))
        }),
    ),
    setter!(Server, "ServerBuilder", permit_keepalive_time, HOUR),
    setter!(Server, "ServerBuilder", permit_keepalive_without_calls, false),
    setter!(Server, "ServerBuilder", shutdown_notice, HOUR),
    setter!(Server, "ServerBuilder", max_connection_idle, HOUR),
    setter!(Server, "ServerBuilder", max_connection_age, HOUR),
    (
        // An age for the grace to follow.
        "ServerBuilder::max_connection_age_grace",
        Change::Server(|it, value| {
            let grace = Extreme::at(value, HOUR)?;
            let it = it.max_connection_age(Duration::ZERO);
            Some(it.max_connection_age_grace(grace))
        }),
    ),

    limits!("ServerLimits::connections", 1_000, |it, most| it.connections(most)),
    limits!("ServerLimits::connections_per_peer", 1_000, |it, most| {
        it.connections_per_peer(most)
    }),
    limits!("ServerLimits::calls_per_connection", 1_000, |it, most| {
        it.calls_per_connection(most)
    }),
    limits!("CallLimit::new", 1_000, |it, most| it.calls(CallLimit::new(most))),
    limits!("CallLimit::queue", 1_000, |it, most| {
        it.calls(CallLimit::new(1).queue(most))
    }),
    // What is refused carries it; the tests of call_gate.rs look there.
    limits!("CallLimit::retry_after", HOUR, |it, pause| {
        it.calls(CallLimit::new(1_000).retry_after(pause))
    }),
    limits!("DeadlinePolicy::assumed", HOUR, |it, time| {
        it.deadlines(DeadlinePolicy::new().assumed(time))
    }),
    limits!("DeadlinePolicy::at_least", Duration::ZERO, |it, time| {
        it.deadlines(DeadlinePolicy::new().assumed(HOUR).at_least(time))
    }),
    limits!("DeadlinePolicy::at_most", HOUR, |it, time| {
        it.deadlines(DeadlinePolicy::new().at_most(time))
    }),
    limits!("MethodLimits::max_receive_message_size", SIZE, |it, bytes| {
        it.service(SERVICE, MethodLimits::new().max_receive_message_size(bytes))
    }),
    limits!("MethodLimits::max_send_message_size", SIZE, |it, bytes| {
        it.service(SERVICE, MethodLimits::new().max_send_message_size(bytes))
    }),

    setter!(Service, "Service", max_receive_message_size, SIZE),
    setter!(Service, "Service", max_send_message_size, SIZE),
    setter!(Service, "Service", compression, PLAIN),
    (
        "Context::set_compression",
        Change::Context(
            |value| Compression::at(value, PLAIN).map(drop),
            |context, value| {
                let compression = Extreme::at(value, PLAIN).unwrap_or(PLAIN);
                context.set_compression(compression)
            },
        ),
    ),

    setter!(Channel, "ChannelBuilder", max_receive_message_size, SIZE),
    setter!(Channel, "ChannelBuilder", max_send_message_size, SIZE),
    setter!(Channel, "ChannelBuilder", compression, PLAIN),
    setter!(Channel, "ChannelBuilder", accept_compression, None),
    setter!(Channel, "ChannelBuilder", keepalive_time, HOUR),
    (
        "ChannelBuilder::keepalive_timeout",
        Change::Channel(|it, value| {
            let timeout = Extreme::at(value, HOUR)?;
            Some(it.keepalive_time(Duration::ZERO).keepalive_timeout(timeout))
        }),
    ),
    setter!(Channel, "ChannelBuilder", keepalive_without_calls, false),
    setter!(Channel, "ChannelBuilder", idle_timeout, HOUR),
    setter!(Channel, "ChannelBuilder", connect_timeout, HOUR),
    setter!(Channel, "ChannelBuilder", default_timeout, HOUR),
    setter!(Channel, "ChannelBuilder", max_resolution_age, HOUR),
    setter!(Channel, "ChannelBuilder", max_attempts, 3),
    (
        "ChannelBuilder::attempt_buffer",
        Change::Channel(|it, value| {
            let (call, channel) = (Extreme::at(value, SIZE)?, Extreme::at(value, SIZE)?);
            Some(it.attempt_buffer(call, channel))
        }),
    ),
    (
        "ChannelBuilder::reconnect_backoff",
        Change::Channel(|it, value| {
            let (first, longest) = (Extreme::at(value, HOUR)?, Extreme::at(value, HOUR)?);
            Some(it.reconnect_backoff(first, longest))
        }),
    ),

    balance!(LeastRequest, choice_count, 3),
    outliers!(interval, HOUR),
    outliers!(base_ejection_time, HOUR),
    outliers!(max_ejection_time, HOUR),
    outliers!(max_ejection_percent, 50),
    found_by!(success_rate, SuccessRateEjection, stdev_factor, 1_900),
    found_by!(success_rate, SuccessRateEjection, enforcement_percentage, 50),
    found_by!(success_rate, SuccessRateEjection, minimum_hosts, 1),
    found_by!(success_rate, SuccessRateEjection, request_volume, 1),
    found_by!(failure_percentage, FailurePercentageEjection, threshold, 50),
    found_by!(failure_percentage, FailurePercentageEjection, enforcement_percentage, 50),
    found_by!(failure_percentage, FailurePercentageEjection, minimum_hosts, 1),
    found_by!(failure_percentage, FailurePercentageEjection, request_volume, 1),
    (
        "RandomSubsetting::new",
        Change::Channel(|it, value| {
            let size = Extreme::at(value, 2)?;
            #[cfg(feature = "ring-hash")]
            {
                Some(it.balance(crate::RandomSubsetting::new(size, RoundRobin::new())))
            }
            #[cfg(not(feature = "ring-hash"))]
            {
                let _: (_, usize) = (it, size);
                None
            }
        }),
    ),
    hashed!(RingHash, min_ring_size, 100),
    hashed!(RingHash, max_ring_size, 100),
    balance!(WeightedRoundRobin, blackout_period, HOUR),
    balance!(WeightedRoundRobin, weight_expiration_period, HOUR),
    balance!(WeightedRoundRobin, weight_update_period, HOUR),
    balance!(WeightedRoundRobin, error_utilization_penalty, 1.0),
    balance!(WeightedRoundRobin, oob_reporting_period, HOUR),
    config!("MethodConfig", timeout, |value| {
        MethodConfig::new().timeout(Extreme::at(value, HOUR)?)
    }),
    config!("MethodConfig", wait_for_ready, |value| {
        MethodConfig::new().wait_for_ready(Extreme::at(value, false)?)
    }),
    config!("MethodConfig", max_request_message_size, |value| {
        MethodConfig::new().max_request_message_size(Extreme::at(value, SIZE)?)
    }),
    config!("MethodConfig", max_response_message_size, |value| {
        MethodConfig::new().max_response_message_size(Extreme::at(value, SIZE)?)
    }),
    config!("RetryPolicy", max_attempts, |value| {
        MethodConfig::new().retry(retry().max_attempts(Extreme::at(value, 3)?))
    }),
    config!("RetryPolicy", backoff, |value| {
        let (first, longest) = (Extreme::at(value, HOUR)?, Extreme::at(value, HOUR)?);
        MethodConfig::new().retry(retry().backoff(first, Extreme::at(value, 2.0)?, longest))
    }),
    config!("HedgingPolicy", new, |value| {
        MethodConfig::new().hedging(HedgingPolicy::new(Extreme::at(value, HOUR)?))
    }),
    config!("HedgingPolicy", max_attempts, |value| {
        let policy = HedgingPolicy::new(HOUR).max_attempts(Extreme::at(value, 3)?);
        MethodConfig::new().hedging(policy)
    }),
    (
        "RetryThrottling::new",
        Change::Channel(|it, value| {
            let (tokens, ratio) = (Extreme::at(value, 10.0)?, Extreme::at(value, 0.1)?);
            let throttling = RetryThrottling::new(tokens, ratio);
            held_to(it, ServiceConfig::builder().retry_throttling(throttling))
        }),
    ),
    (
        "ServiceConfigBuilder::max_connections_per_subchannel",
        Change::Channel(|it, value| {
            let most = Extreme::at(value, 2)?;
            held_to(it, ServiceConfig::builder().max_connections_per_subchannel(most))
        }),
    ),

    call!(timeout, HOUR),
    (
        "call_options::deadline",
        Change::Call(|options, value| {
            Instant::at(value, clock::now())?;
            options.deadline = Some(value);
            Some(())
        }),
    ),
    call!(max_receive_message_size, SIZE),
    call!(max_send_message_size, SIZE),
    call!(compression, PLAIN),
    (
        "OutgoingCall::set_timeout",
        Change::Outgoing(
            |value| Duration::at(value, HOUR).map(drop),
            |call, value| call.set_timeout(Extreme::at(value, HOUR).unwrap_or(HOUR)),
        ),
    ),
    (
        "OutgoingCall::set_deadline",
        Change::Outgoing(
            |value| Instant::at(value, clock::now()).map(drop),
            |call, value| call.set_deadline(deadline(value)),
        ),
    ),
    (
        "OutgoingCall::set_wait_for_ready",
        Change::Outgoing(
            |value| bool::at(value, false).map(drop),
            |call, value| call.set_wait_for_ready(bool::at(value, false) == Some(true)),
        ),
    ),
}
