//! The load client over `h2`: all calls on one connection, which fail when it is lost.

use std::process::ExitCode;

use bytes::Bytes;
use grpc_tests::load::{Carried, Failure, Load, Work};
use h2::client::{Builder, SendRequest};
use http::Request;
use prost::Message;
use tokio::net::TcpStream;

use crate::messages::{Messages, framed, send};
use crate::{
    Payload, ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
};

/// # Errors
/// There is no connection to be had.
pub(crate) async fn run(port: u16, window: u32, load: Load) -> Result<ExitCode, Failure> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.set_nodelay(true)?;
    let (requests, connection) = Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(window)
        // It resets a cancelled stream again for each late frame, and would count these
        // resets of its own until it closes the connection.
        .max_local_error_reset_streams(None)
        .handshake(socket)
        .await?;
    // Its error is that of every call.
    tokio::spawn(connection);
    let calls = Calls { load, requests };
    Ok(load.run(move |cancel| calls.clone().make(cancel)).await)
}

#[derive(Clone)]
struct Calls {
    load: Load,
    requests: SendRequest<Bytes>,
}

impl Calls {
    async fn make(self, cancel: bool) -> Result<Carried, Failure> {
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
        self.responses("StreamingOutputCall", &request, 1, cancel)
            .await
    }

    async fn bidi(self, cancel: bool) -> Result<Carried, Failure> {
        let request = StreamingOutputCallRequest {
            response_parameters: vec![self.parameters()],
            payload: Some(self.payload()),
            ..StreamingOutputCallRequest::default()
        };
        let count = self.load.messages;
        self.responses("FullDuplexCall", &request, count, cancel)
            .await
    }

    async fn upload(self, cancel: bool) -> Result<Carried, Failure> {
        let request = StreamingInputCallRequest {
            payload: Some(self.payload()),
            ..StreamingInputCallRequest::default()
        };
        let mut carried = Carried::default();
        if cancel {
            let (_response, mut stream) = self.begin("StreamingInputCall").await?;
            send(&mut stream, framed(&request)).await?;
            carried.count(self.load.size, self.load.size)?;
            return Ok(carried);
        }
        let response: StreamingInputCallResponse = self
            .single("StreamingInputCall", &request, self.load.messages)
            .await?;
        Carried::uploaded(&self.load, response.aggregated_payload_size)
    }

    async fn unary(self) -> Result<Carried, Failure> {
        let request = SimpleRequest {
            response_size: self.load.response_size(),
            payload: Some(self.payload()),
            ..SimpleRequest::default()
        };
        let size = self.load.size;
        let response: SimpleResponse = self.single("UnaryCall", &request, 1).await?;
        let mut carried = Carried::default();
        carried.count(length(response.payload.as_ref()), size)?;
        Ok(carried)
    }

    /// A call with many responses, which sends `count` times the same. Dropping all
    /// that there is of a call is how `h2` cancels.
    async fn responses(
        &self,
        method: &str,
        request: &impl Message,
        count: usize,
        cancel: bool,
    ) -> Result<Carried, Failure> {
        let (response, mut stream) = self.begin(method).await?;
        let frame = framed(request);
        let sending = tokio::spawn(async move {
            for _ in 0..count {
                send(&mut stream, frame.clone()).await?;
            }
            stream.send_data(Bytes::new(), true)?;
            Ok::<(), Failure>(())
        });
        let mut carried = Carried::default();
        let mut messages = Messages::new(response.await?.into_body());
        loop {
            let response: Result<Option<StreamingOutputCallResponse>, _> = messages.next().await;
            let Some(response) = response.map_err(|error| carried.failure(error))? else {
                break;
            };
            carried.count(length(response.payload.as_ref()), self.load.size)?;
            if cancel {
                sending.abort();
                return Ok(carried);
            }
        }
        messages.ok().await?;
        sending.await??;
        carried.whole(&self.load)
    }

    /// A call with one response, which sends `count` times the same.
    async fn single<R: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
        count: usize,
    ) -> Result<R, Failure> {
        let (response, mut stream) = self.begin(method).await?;
        let frame = framed(request);
        for sent in 0..count {
            if let Err(error) = send(&mut stream, frame.clone()).await {
                return Err(format!("{error}, after {sent} messages").into());
            }
        }
        stream.send_data(Bytes::new(), true)?;
        let mut messages = Messages::new(response.await?.into_body());
        let response = messages.next().await?.ok_or("no message came")?;
        if messages.next::<R>().await?.is_some() {
            return Err("a second message came".into());
        }
        messages.ok().await?;
        Ok(response)
    }

    async fn begin(
        &self,
        method: &str,
    ) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), Failure> {
        let request = Request::post(format!(
            "http://localhost/grpc.testing.TestService/{method}"
        ))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(())?;
        let mut requests = self.requests.clone().ready().await?;
        Ok(requests.send_request(request, false)?)
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

fn length(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}
