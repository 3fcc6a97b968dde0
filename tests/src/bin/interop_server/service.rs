//! What the interop contract asks of a server. What the contract calls an error is one.

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{Code, Compression, Context, Metadata, PeerAddress, Receiver, Sender, Status};

use crate::fleet::Member;
use crate::orca::{OutOfBand, fill_in};
use crate::{
    BoolValue, EchoStatus, Empty, Payload, PayloadType, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestServiceServicer,
};

const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

pub(crate) struct Interop {
    member: Arc<Member>,
    out_of_band: Arc<OutOfBand>,
}

impl Interop {
    pub(crate) fn new(member: Arc<Member>, out_of_band: Arc<OutOfBand>) -> Self {
        Self {
            member,
            out_of_band,
        }
    }

    async fn unary(
        &self,
        request: &SimpleRequest,
        context: &mut Context,
    ) -> Result<SimpleResponse, Status> {
        self.member.begin(context).await?;
        if let Some(report) = &request.orca_per_query_report {
            fill_in(report, context.load());
        }
        echo_metadata(context)?;
        let compressed = context.request_was_compressed();
        expect_compressed(request.expect_compressed.as_ref(), compressed)?;
        if wanted(request.response_compressed.as_ref()) {
            context.set_compression(Compression::Gzip)?;
        }
        echo_status(request.response_status.as_ref())?;
        let mut response = SimpleResponse {
            payload: Some(payload(request.response_type, request.response_size)?),
            ..SimpleResponse::default()
        };
        if request.fill_server_id {
            response.server_id.clone_from(&self.member.id);
        }
        Ok(response)
    }
}

/// What is to be echoed goes back also when the call fails.
fn echo_metadata(context: &mut Context) -> Result<(), Status> {
    let (mut initial, mut trailing) = (Metadata::new(), Metadata::new());
    for value in context.metadata().get_all(ECHO_INITIAL) {
        initial.append(ECHO_INITIAL, value.as_str().unwrap_or_default())?;
    }
    for value in context.metadata().get_all(ECHO_TRAILING) {
        trailing.append_bin(ECHO_TRAILING, value.as_bytes())?;
    }
    context.trailing_metadata_mut().extend(&trailing);
    context.set_initial_metadata(initial)
}

fn echo_status(status: Option<&EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(
            Code::from_i32(status.code),
            status.message.clone(),
        )),
        _ => Ok(()),
    }
}

fn expect_compressed(expected: Option<&BoolValue>, found: bool) -> Result<(), Status> {
    match expected {
        Some(BoolValue { value }) if *value != found => Err(Status::invalid_argument(format!(
            "expect_compressed is {value}, and whether the request was: {found}"
        ))),
        _ => Ok(()),
    }
}

fn wanted(flag: Option<&BoolValue>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

/// Zeros, as many as asked for.
fn payload(kind: i32, size: i32) -> Result<Payload, Status> {
    if PayloadType::try_from(kind).is_err() {
        return Err(Status::invalid_argument(format!(
            "there is no payload type {kind}"
        )));
    }
    let size = usize::try_from(size)
        .map_err(|_| Status::invalid_argument(format!("no response has {size} bytes")))?;
    Ok(Payload {
        r#type: kind,
        body: vec![0; size],
    })
}

/// The call's compression is on: each response goes with it or without.
async fn answer(
    request: &StreamingOutputCallRequest,
    responses: &mut Sender<StreamingOutputCallResponse>,
    peer: &PeerAddress,
) -> Result<(), Status> {
    echo_status(request.response_status.as_ref())?;
    for parameters in &request.response_parameters {
        if let Ok(interval @ 1..) = u64::try_from(parameters.interval_us) {
            tokio::time::sleep(Duration::from_micros(interval)).await;
        }
        let mut response = StreamingOutputCallResponse {
            payload: Some(payload(request.response_type, parameters.size)?),
            ..StreamingOutputCallResponse::default()
        };
        if wanted(parameters.fill_peer_socket_address.as_ref()) {
            response.peer_socket_address = peer.to_string();
        }
        if wanted(parameters.compressed.as_ref()) {
            responses.send(response).await?;
        } else {
            responses.send_uncompressed(response).await?;
        }
    }
    Ok(())
}

impl TestServiceServicer for Interop {
    async fn empty_call(&self, _: Empty, context: &mut Context) -> Result<Empty, Status> {
        echo_metadata(context)?;
        Ok(Empty {})
    }

    async fn unary_call(
        &self,
        request: SimpleRequest,
        context: &mut Context,
    ) -> Result<SimpleResponse, Status> {
        self.unary(&request, context).await
    }

    async fn cacheable_unary_call(
        &self,
        request: SimpleRequest,
        context: &mut Context,
    ) -> Result<SimpleResponse, Status> {
        self.unary(&request, context).await
    }

    async fn streaming_output_call(
        &self,
        request: StreamingOutputCallRequest,
        responses: &mut Sender<StreamingOutputCallResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        echo_metadata(context)?;
        context.set_compression(Compression::Gzip)?;
        answer(&request, responses, context.peer()).await
    }

    async fn streaming_input_call(
        &self,
        requests: &mut Receiver<StreamingInputCallRequest>,
        context: &mut Context,
    ) -> Result<StreamingInputCallResponse, Status> {
        echo_metadata(context)?;
        let mut total = 0;
        while let Some(request) = requests.next().await? {
            let compressed = requests.was_compressed();
            expect_compressed(request.expect_compressed.as_ref(), compressed)?;
            total += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(total).map_err(|_| {
            Status::out_of_range(format!("{total} bytes are beyond the answer's field"))
        })?;
        Ok(StreamingInputCallResponse {
            aggregated_payload_size,
        })
    }

    async fn full_duplex_call(
        &self,
        requests: &mut Receiver<StreamingOutputCallRequest>,
        responses: &mut Sender<StreamingOutputCallResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        echo_metadata(context)?;
        context.set_compression(Compression::Gzip)?;
        let mut turn = None;
        while let Some(mut request) = requests.next().await? {
            if let Some(report) = request.orca_oob_report.take() {
                let held = match turn.take() {
                    Some(held) => held,
                    None => self.out_of_band.turn().await,
                };
                turn.insert(held).report(&report);
            }
            answer(&request, responses, context.peer()).await?;
        }
        Ok(())
    }

    async fn half_duplex_call(
        &self,
        requests: &mut Receiver<StreamingOutputCallRequest>,
        responses: &mut Sender<StreamingOutputCallResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        echo_metadata(context)?;
        context.set_compression(Compression::Gzip)?;
        let mut all = Vec::new();
        while let Some(request) = requests.next().await? {
            all.push(request);
        }
        for request in &all {
            answer(request, responses, context.peer()).await?;
        }
        Ok(())
    }
}
