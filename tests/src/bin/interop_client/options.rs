//! The interop client's official flags. Values only.

use std::time::Duration;

use grpc_runtime::Metadata;
use grpc_tests::flags::Flags;
use grpc_tests::security::ClientSecurity;

use crate::backend_metrics;
use crate::cases::scaling;
use crate::failure::Failure;

/// Where to call, and what.
pub(crate) struct Options {
    pub(crate) server_host: String,
    pub(crate) server_port: u16,
    pub(crate) security: ClientSecurity,
    pub(crate) test_case: String,
    /// In its JSON form.
    pub(crate) service_config: String,
    /// Goes with every call.
    pub(crate) additional_metadata: Metadata,
    pub(crate) soak: Soak,
}

/// How long a soak is, and what it forgives.
pub(crate) struct Soak {
    pub(crate) iterations: usize,
    pub(crate) max_failures: usize,
    pub(crate) max_latency: Duration,
    pub(crate) overall_timeout: Duration,
    pub(crate) min_time_between_rpcs: Duration,
    pub(crate) request_size: usize,
    pub(crate) response_size: i32,
    pub(crate) threads: usize,
}

impl Options {
    /// # Errors
    /// A value is not one of its kind.
    pub(crate) fn take(flags: &mut Flags) -> Result<Self, Failure> {
        let metadata: String = flags.take("additional_metadata", String::new())?;
        let test_case = flags.take("test_case", String::new())?;
        let config = match test_case.as_str() {
            // Those of ORCA are about what a policy hears.
            "orca_per_rpc" | "orca_oob" => backend_metrics::SERVICE_CONFIG,
            "max_concurrent_streams_connection_scaling" => scaling::SERVICE_CONFIG,
            _ => "{}",
        };
        Ok(Self {
            server_host: flags.take("server_host", "localhost".to_owned())?,
            server_port: flags.take("server_port", 8080)?,
            security: ClientSecurity::take(flags)?,
            test_case,
            service_config: flags.take("service_config_json", config.to_owned())?,
            additional_metadata: pairs(&metadata)?,
            soak: Soak::take(flags)?,
        })
    }
}

impl Soak {
    fn take(flags: &mut Flags) -> Result<Self, Failure> {
        let max_latency = flags.take("soak_per_iteration_max_acceptable_latency_ms", 1000_u64)?;
        Ok(Self {
            iterations: flags.take("soak_iterations", 10)?,
            max_failures: flags.take("soak_max_failures", 0)?,
            max_latency: Duration::from_millis(max_latency),
            overall_timeout: Duration::from_secs(flags.take("soak_overall_timeout_seconds", 10)?),
            min_time_between_rpcs: Duration::from_millis(
                flags.take("soak_min_time_ms_between_rpcs", 0)?,
            ),
            request_size: flags.take("soak_request_size", 271_828)?,
            response_size: flags.take("soak_response_size", 314_159)?,
            threads: flags.take("soak_num_threads", 1)?,
        })
    }
}

/// `key:value` pairs with semicolons between them.
fn pairs(text: &str) -> Result<Metadata, Failure> {
    let mut metadata = Metadata::new();
    for pair in text.split(';').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once(':')
            .ok_or_else(|| format!("--additional_metadata: '{pair}' has no colon"))?;
        metadata.append(key, value)?;
    }
    Ok(metadata)
}
