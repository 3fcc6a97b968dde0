//! Calls over TLS, and whom either side lets in.

mod addresses;
mod byte_streams;
mod calls;
mod certificate_sources;
pub(crate) mod certificates;
mod handshakes;
mod identities;
mod inputs;
mod limits;
mod observed;
mod rotation;

use std::time::Duration;

use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    Channel, ChannelCredentials, Context, Server, ServerCredentials, Service, Status,
};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Tells callers who they are.
struct Who;

impl EchoServicer for Who {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let certificates = context.peer_certificates();
        Ok(Echo {
            text: context.peer().to_string(),
            data: certificates.first().map_or(Vec::new(), |der| der.to_vec()),
            number: i64::try_from(certificates.len()).unwrap(),
        })
    }
}

async fn serve(service: Service, credentials: ServerCredentials) -> Server {
    Server::builder()
        .add_service(service)
        .listen_with("127.0.0.1:0", credentials)
        .start()
        .await
        .unwrap()
}

async fn who(credentials: ServerCredentials) -> Server {
    serve(service(Who), credentials).await
}

fn stub(server: &Server, credentials: ChannelCredentials) -> EchoStub {
    EchoStub(Channel::new(&server.addresses()[0], credentials).unwrap())
}

/// The failure of a call, which must come quickly: it is no time-out.
async fn failure(stub: &EchoStub) -> Status {
    let call = stub.unary(Echo::text("hi")).timeout(2 * BOUND);
    tokio::time::timeout(BOUND, std::future::IntoFuture::into_future(call))
        .await
        .unwrap()
        .unwrap_err()
}
