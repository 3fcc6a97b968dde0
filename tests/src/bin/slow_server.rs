//! An interop server of ours whose handlers read as `--reader` says, of `--calls`
//! that come in all, which may all be open at once: as much of it as load clients
//! call.

use grpc_runtime::{Context, Http2Options, Receiver, Sender, Server, Status};
use grpc_tests::flags::Flags;
use grpc_tests::readers::{Reader, Readers};

grpc_runtime::include_proto!("grpc.testing");

struct Slow(Readers);

fn payload(size: i32) -> Payload {
    Payload {
        body: vec![0; usize::try_from(size).unwrap_or_default()],
        ..Payload::default()
    }
}

async fn answer(
    request: StreamingOutputCallRequest,
    responses: &mut Sender<StreamingOutputCallResponse>,
) -> Result<(), Status> {
    for parameters in request.response_parameters {
        let payload = Some(payload(parameters.size));
        let response = StreamingOutputCallResponse {
            payload,
            ..StreamingOutputCallResponse::default()
        };
        responses.send(response).await?;
    }
    Ok(())
}

impl TestServiceServicer for Slow {
    async fn unary_call(
        &self,
        request: SimpleRequest,
        _context: &mut Context,
    ) -> Result<SimpleResponse, Status> {
        Ok(SimpleResponse {
            payload: Some(payload(request.response_size)),
            ..SimpleResponse::default()
        })
    }

    async fn streaming_output_call(
        &self,
        request: StreamingOutputCallRequest,
        responses: &mut Sender<StreamingOutputCallResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        answer(request, responses).await
    }

    async fn streaming_input_call(
        &self,
        requests: &mut Receiver<StreamingInputCallRequest>,
        _context: &mut Context,
    ) -> Result<StreamingInputCallResponse, Status> {
        let place = self.0.begin();
        let reader = place.ready().await;
        let mut total = 0;
        while let Some(request) = reader.read(requests.next()).await? {
            total += request.payload.map_or(0, |payload| payload.body.len());
        }
        Ok(StreamingInputCallResponse {
            aggregated_payload_size: i32::try_from(total).unwrap_or(i32::MAX),
        })
    }

    async fn full_duplex_call(
        &self,
        requests: &mut Receiver<StreamingOutputCallRequest>,
        responses: &mut Sender<StreamingOutputCallResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let place = self.0.begin();
        let reader = place.ready().await;
        while let Some(mut request) = reader.read(requests.next()).await? {
            request.payload = None;
            answer(request, responses).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let reader = flags.take("reader", Reader::Prompt)?;
    let calls = flags.take("calls", 1_u32)?;
    flags.finish()?;
    let mut options = Http2Options::default();
    options.max_concurrent_streams = options.max_concurrent_streams.max(calls);
    let readers = Readers::new(reader, usize::try_from(calls)?);
    let server = Server::builder()
        .add_service(TestServiceServer::new(Slow(readers)))
        .http2(options)
        .listen("127.0.0.1:0")
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}
