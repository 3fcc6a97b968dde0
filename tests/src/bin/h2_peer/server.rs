//! The interop server over `h2`, as much of it as load clients call. It resets no stream by
//! itself.

use std::process::ExitCode;

use bytes::Bytes;
use grpc_tests::load::Failure;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

use crate::messages::{Messages, framed, send};
use crate::{
    Payload, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse,
};

/// # Errors
/// The port cannot be had.
pub(crate) async fn serve(port: u16, window: u32) -> Result<ExitCode, Failure> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = connection(socket, window).await {
                eprintln!("a connection ended: {error}");
            }
        });
    }
}

async fn connection(socket: TcpStream, window: u32) -> Result<(), Failure> {
    socket.set_nodelay(true)?;
    let mut connection = Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(window)
        .handshake(socket)
        .await?;
    while let Some(call) = connection.accept().await {
        let (request, response) = call?;
        // A call that its client cancelled ends with an error, and nobody asks for it.
        tokio::spawn(answer(request, response));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut response: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let (head, body) = request.into_parts();
    let mut requests = Messages::new(body);
    let begin = Response::builder().header("content-type", "application/grpc");
    let mut responses = response.send_response(begin.body(())?, false)?;
    let status = match head.uri.path() {
        "/grpc.testing.TestService/UnaryCall" => {
            if let Some(request) = requests.next::<SimpleRequest>().await? {
                let response = SimpleResponse {
                    payload: Some(payload(request.response_size)),
                    ..SimpleResponse::default()
                };
                send(&mut responses, framed(&response)).await?;
            }
            "0"
        }
        "/grpc.testing.TestService/StreamingInputCall" => {
            let mut total = 0;
            while let Some(request) = requests.next::<StreamingInputCallRequest>().await? {
                total += request.payload.map_or(0, |payload| payload.body.len());
            }
            let response = StreamingInputCallResponse {
                aggregated_payload_size: i32::try_from(total)?,
            };
            send(&mut responses, framed(&response)).await?;
            "0"
        }
        "/grpc.testing.TestService/StreamingOutputCall"
        | "/grpc.testing.TestService/FullDuplexCall" => {
            stream(&mut requests, &mut responses).await?;
            "0"
        }
        // UNIMPLEMENTED.
        _ => "12",
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    responses.send_trailers(trailers)?;
    Ok(())
}

async fn stream(requests: &mut Messages, responses: &mut SendStream<Bytes>) -> Result<(), Failure> {
    while let Some(request) = requests.next::<StreamingOutputCallRequest>().await? {
        for parameters in &request.response_parameters {
            let response = StreamingOutputCallResponse {
                payload: Some(payload(parameters.size)),
                ..StreamingOutputCallResponse::default()
            };
            send(responses, framed(&response)).await?;
        }
    }
    Ok(())
}

fn payload(size: i32) -> Payload {
    Payload {
        body: vec![0; usize::try_from(size).unwrap_or_default()],
        ..Payload::default()
    }
}
