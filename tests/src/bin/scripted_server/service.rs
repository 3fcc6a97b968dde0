//! Methods of each kind, which do as the script says.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{Context, Metadata, Receiver, Sender, Status};

use crate::log::{Attempt, Log};
use crate::{
    Empty, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceServicer,
    UnimplementedServiceServicer,
};

pub(crate) struct Scripted {
    log: Arc<Log>,
    server: usize,
}

impl Scripted {
    pub(crate) fn new(log: Arc<Log>, server: usize) -> Self {
        Self { log, server }
    }

    fn begin(&self, context: &Context) -> Result<Attempt, Status> {
        self.log.begin(context, self.server)
    }

    /// An attempt whose request is one message.
    async fn single(&self, context: &mut Context) -> Result<(), Status> {
        let attempt = self.begin(context)?;
        attempt.has_read();
        answer(&attempt, context).await?;
        attempt.end()
    }
}

/// All of an answer that is no message, but for its end.
async fn answer(attempt: &Attempt, context: &mut Context) -> Result<(), Status> {
    let step = &attempt.step;
    if step.headers {
        context.send_initial_metadata(Metadata::new())?;
    }
    if step.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(step.delay_ms)).await;
    }
    if step.hangs {
        pending::<()>().await;
    }
    context.trailing_metadata_mut().extend(&step.trailing()?);
    // All are asked as much: their use alone makes the difference.
    if let Some(share) = step.application_use.get(attempt.server) {
        let load = context.load().set_qps(100.0);
        load.set_application_utilization(*share);
    }
    if let Some(share) = step.cpu_use.get(attempt.server) {
        context.load().set_qps(100.0).set_cpu_utilization(*share);
    }
    Ok(())
}

async fn send(
    attempt: &Attempt,
    responses: &mut Sender<StreamingOutputCallResponse>,
) -> Result<(), Status> {
    for _ in 0..attempt.step.messages {
        responses
            .send(StreamingOutputCallResponse::default())
            .await?;
    }
    Ok(())
}

async fn read<T>(attempt: &Attempt, requests: &mut Receiver<T>) -> Result<(), Status>
where
    T: prost::Message + Default,
{
    while attempt.step.reads && requests.next().await?.is_some() {
        attempt.has_read();
    }
    Ok(())
}

impl TestServiceServicer for Scripted {
    async fn empty_call(&self, _: Empty, context: &mut Context) -> Result<Empty, Status> {
        self.single(context).await.map(|()| Empty {})
    }

    async fn unary_call(
        &self,
        _: SimpleRequest,
        context: &mut Context,
    ) -> Result<SimpleResponse, Status> {
        self.single(context)
            .await
            .map(|()| SimpleResponse::default())
    }

    async fn streaming_output_call(
        &self,
        _: StreamingOutputCallRequest,
        responses: &mut Sender<StreamingOutputCallResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let attempt = self.begin(context)?;
        attempt.has_read();
        answer(&attempt, context).await?;
        send(&attempt, responses).await?;
        attempt.end()
    }

    async fn streaming_input_call(
        &self,
        requests: &mut Receiver<StreamingInputCallRequest>,
        context: &mut Context,
    ) -> Result<StreamingInputCallResponse, Status> {
        let attempt = self.begin(context)?;
        read(&attempt, requests).await?;
        answer(&attempt, context).await?;
        attempt.end()?;
        Ok(StreamingInputCallResponse::default())
    }

    async fn full_duplex_call(
        &self,
        requests: &mut Receiver<StreamingOutputCallRequest>,
        responses: &mut Sender<StreamingOutputCallResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        // Else it would go by itself while a request is waited for.
        context.hold_initial_metadata()?;
        let attempt = self.begin(context)?;
        read(&attempt, requests).await?;
        answer(&attempt, context).await?;
        send(&attempt, responses).await?;
        attempt.end()
    }
}

impl UnimplementedServiceServicer for Scripted {
    async fn unimplemented_call(&self, _: Empty, context: &mut Context) -> Result<Empty, Status> {
        self.single(context).await.map(|()| Empty {})
    }
}
