//! Mutual TLS and a token: server and client know each other by certificates,
//! and each call says on whose behalf it is made. The certificates are made
//! here; a real program reads them from files, `std::fs::read("server.pem")?`.

grpc_runtime::include_proto!("example");

use std::error::Error;

use grpc_runtime::{
    CallCredentials, Channel, ChannelCredentials, Context, Server, ServerCredentials, Status,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        // The transport has verified the certificate; the token is ours to judge.
        if context.metadata().get("authorization") != Some("Bearer open-sesame") {
            return Err(Status::unauthenticated("no token, or another one"));
        }
        let caller = context.peer_dns_names().join(", ");
        Ok(HelloResponse {
            reply: format!(
                "Hello, {}! You are {caller} and have the token.",
                request.greeting
            ),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Received: {}", run().await?);
    Ok(())
}

async fn run() -> Result<String, Box<dyn Error>> {
    let authority = Authority::new()?;
    let roots = authority.0.pem();

    let (chain, key) = authority.issue("localhost")?;
    let credentials = ServerCredentials::tls(chain, key).require_client_certificate(&roots);
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with("127.0.0.1:0", credentials.build()?)
        .start()
        .await?;

    let (chain, key) = authority.issue("a-client")?;
    let credentials = ChannelCredentials::tls()
        .roots(&roots)
        .identity(chain, key)
        // The target below is an address; the certificate has a name.
        .server_name("localhost")
        .build()?
        .with_call_credentials(CallCredentials::bearer("open-sesame")?);
    let stub = HelloServiceStub::new(Channel::new(&server.addresses()[0], credentials)?);
    let response = stub
        .say_hello(HelloRequest {
            greeting: "World".to_owned(),
        })
        .await?;
    Ok(response.reply)
}

/// A certificate authority that exists as long as this program runs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        // Some TLS libraries take a certificate of the authority's own name for the
        // authority's.
        params
            .distinguished_name
            .push(DnType::CommonName, "the example's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// A certificate for `name` and its key, in PEM.
    fn issue(&self, name: &str) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &self.0)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_sides_know_each_other() {
        let reply = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(super::run());
        let expected = "Hello, World! You are a-client and have the token.";
        assert_eq!(reply.unwrap(), expected);
    }
}
