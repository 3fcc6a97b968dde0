//! The calls of the contract's services, each with what the command line adds to every call.

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{
    BidiStreamingCall, Channel, ClientStreamingCall, MetadataValue, ServerStreamingCall,
    ServiceConfig, UnaryCall,
};

use crate::backend_metrics::{BackendMetrics, Reports};
use crate::failure::Failure;
use crate::options::Options;
use crate::{
    Empty, Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    TestServiceStub, UnimplementedServiceStub,
};

/// What every call may take: long enough for anything that is not stuck.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) options: Arc<Options>,
    channel: Channel,
    /// What the channel's policy hears, if it is `BackendMetrics`.
    pub(crate) reports: Arc<Reports>,
}

/// A call with the command line's metadata, and a bound.
macro_rules! prepared {
    ($client:expr, $call:expr) => {{
        let mut call = $call.timeout(BOUND);
        for (key, value) in $client.options.additional_metadata.iter() {
            call = match value {
                MetadataValue::Text(value) => call.metadata(key, value),
                MetadataValue::Binary(value) => call.metadata_bin(key, value),
            };
        }
        call
    }};
}

impl Client {
    /// # Errors
    /// The host is not one, or the service config.
    pub(crate) fn new(options: Options) -> Result<Self, Failure> {
        Self::over_a_channel(Arc::new(options))
    }

    /// The same over a channel of its own, which shares no connection.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn on_another_channel(&self) -> Result<Self, Failure> {
        Self::over_a_channel(Arc::clone(&self.options))
    }

    fn over_a_channel(options: Arc<Options>) -> Result<Self, Failure> {
        let (policy, reports) = BackendMetrics::new();
        Ok(Self {
            channel: channel(&options, policy)?,
            options,
            reports: Arc::new(reports),
        })
    }

    fn stub(&self) -> TestServiceStub {
        TestServiceStub::new(self.channel.clone())
    }

    pub(crate) fn empty(&self) -> UnaryCall<Empty> {
        prepared!(self, self.stub().empty_call(Empty {}))
    }

    pub(crate) fn unary(&self, request: SimpleRequest) -> UnaryCall<SimpleResponse> {
        prepared!(self, self.stub().unary_call(request))
    }

    pub(crate) fn unimplemented_method(&self) -> UnaryCall<Empty> {
        prepared!(self, self.stub().unimplemented_call(Empty {}))
    }

    pub(crate) fn unimplemented_service(&self) -> UnaryCall<Empty> {
        let stub = UnimplementedServiceStub::new(self.channel.clone());
        prepared!(self, stub.unimplemented_call(Empty {}))
    }

    pub(crate) fn streaming_input(
        &self,
    ) -> ClientStreamingCall<StreamingInputCallRequest, StreamingInputCallResponse> {
        prepared!(self, self.stub().streaming_input_call())
    }

    pub(crate) fn streaming_output(
        &self,
        request: StreamingOutputCallRequest,
    ) -> ServerStreamingCall<StreamingOutputCallResponse> {
        prepared!(self, self.stub().streaming_output_call(request))
    }

    pub(crate) fn full_duplex(
        &self,
    ) -> BidiStreamingCall<StreamingOutputCallRequest, StreamingOutputCallResponse> {
        prepared!(self, self.stub().full_duplex_call())
    }

    pub(crate) fn half_duplex(
        &self,
    ) -> BidiStreamingCall<StreamingOutputCallRequest, StreamingOutputCallResponse> {
        prepared!(self, self.stub().half_duplex_call())
    }
}

/// A channel whose service config may name the policy.
fn channel(options: &Options, policy: BackendMetrics) -> Result<Channel, Failure> {
    let host = &options.server_host;
    let port = options.server_port;
    let target = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let config = ServiceConfig::from_json_with(&options.service_config, &[Arc::new(policy)])
        .map_err(|error| format!("--service_config_json: {error}"))?;
    let security = &options.security;
    let builder = security.builder(&target)?.service_config(config);
    Ok(builder.build(security.credentials()?)?)
}

/// As many zeros as that.
pub(crate) fn payload(size: usize) -> Payload {
    Payload {
        body: vec![0; size],
        ..Payload::default()
    }
}

pub(crate) fn length(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}
