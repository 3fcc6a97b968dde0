//! One call of each kind, with all its messages or dropped after the first. Any other end is a
//! failure.

use std::sync::Arc;

use grpc_tests::load::{Carried, Failure, Load, Work};
use grpc_tests::readers::Readers;

use crate::{
    Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceStub,
};

#[derive(Clone)]
pub(crate) struct Calls {
    load: Load,
    readers: Arc<Readers>,
    stub: TestServiceStub,
}

impl Calls {
    pub(crate) fn new(load: Load, readers: Readers, stub: &TestServiceStub) -> Self {
        Self {
            load,
            readers: Arc::new(readers),
            stub: stub.clone(),
        }
    }

    /// # Errors
    /// The call did not end as it should, or brought something else.
    pub(crate) async fn make(self, cancel: bool) -> Result<Carried, Failure> {
        match self.load.work {
            Work::Download => self.download(cancel).await,
            Work::Upload => self.upload(cancel).await,
            Work::Bidi => self.bidi(cancel).await,
            Work::Unary => self.unary().await,
        }
    }

    async fn download(self, cancel: bool) -> Result<Carried, Failure> {
        let request = StreamingOutputCallRequest {
            response_parameters: vec![self.parameters(); self.load.messages],
            ..StreamingOutputCallRequest::default()
        };
        let call = self.stub.streaming_output_call(request);
        let mut responses = call.timeout(self.load.bound()).start();
        let mut carried = Carried::default();
        let place = self.readers.begin();
        let reader = place.ready().await;
        while let Some(response) = reader
            .read(responses.next())
            .await
            .map_err(|status| carried.failure(status))?
        {
            carried.count(length(&response), self.load.size)?;
            if cancel {
                return Ok(carried);
            }
        }
        carried.whole(&self.load)
    }

    async fn upload(self, cancel: bool) -> Result<Carried, Failure> {
        let call = self.stub.streaming_input_call();
        let mut call = call.timeout(self.load.bound()).start();
        let mut carried = Carried::default();
        for _ in 0..self.load.messages {
            let request = StreamingInputCallRequest {
                payload: Some(self.payload()),
                ..StreamingInputCallRequest::default()
            };
            call.send(request)
                .await
                .map_err(|status| carried.failure(status))?;
            carried.count(self.load.size, self.load.size)?;
            if cancel {
                return Ok(carried);
            }
        }
        let response = call
            .finish()
            .await
            .map_err(|status| carried.failure(status))?;
        Carried::uploaded(&self.load, response.aggregated_payload_size)
    }

    /// Requests go on a task of their own, so that none waits for a response.
    async fn bidi(self, cancel: bool) -> Result<Carried, Failure> {
        let call = self.stub.full_duplex_call();
        let (mut requests, mut responses) = call.timeout(self.load.bound()).start();
        let sender = self.clone();
        let sending = tokio::spawn(async move {
            for _ in 0..sender.load.messages {
                // The responses' end tells why.
                if requests.send(sender.request()).await.is_err() {
                    return;
                }
            }
            requests.finish();
        });
        let mut carried = Carried::default();
        let place = self.readers.begin();
        let reader = place.ready().await;
        while let Some(response) = reader
            .read(responses.next())
            .await
            .map_err(|status| carried.failure(status))?
        {
            carried.count(length(&response), self.load.size)?;
            if cancel {
                sending.abort();
                return Ok(carried);
            }
        }
        carried.whole(&self.load)
    }

    async fn unary(self) -> Result<Carried, Failure> {
        let request = SimpleRequest {
            response_size: self.load.response_size(),
            payload: Some(self.payload()),
            ..SimpleRequest::default()
        };
        let call = self.stub.unary_call(request);
        let response = call.timeout(self.load.bound()).await?;
        let mut carried = Carried::default();
        let size = response.payload.map_or(0, |payload| payload.body.len());
        carried.count(size, self.load.size)?;
        Ok(carried)
    }

    /// A message of the conversation.
    fn request(&self) -> StreamingOutputCallRequest {
        StreamingOutputCallRequest {
            response_parameters: vec![self.parameters()],
            payload: Some(self.payload()),
            ..StreamingOutputCallRequest::default()
        }
    }

    fn parameters(&self) -> ResponseParameters {
        ResponseParameters {
            size: self.load.response_size(),
            ..ResponseParameters::default()
        }
    }

    fn payload(&self) -> Payload {
        Payload {
            body: vec![0; self.load.size],
            ..Payload::default()
        }
    }
}

fn length(response: &StreamingOutputCallResponse) -> usize {
    response
        .payload
        .as_ref()
        .map_or(0, |payload| payload.body.len())
}
