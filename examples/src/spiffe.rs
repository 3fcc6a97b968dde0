//! Workloads that know each other by SPIFFE IDs: the one name in a client's certificate
//! identifies the workload, and a table has the methods that it may call. All others are
//! refused. The certificates are made here; a real program gets them from its agent, through
//! a `CertificateSource` or files that the agent writes.

grpc_runtime::include_proto!("example");

use std::error::Error;

use grpc_runtime::{
    Channel, ChannelCredentials, Context, Next, Outcome, Sender, Server, ServerCredentials,
    ServerInterceptor, Status,
};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

const TRUST_DOMAIN: &str = "shop.example";

/// The workloads of this trust domain that may call each method, by their paths; an ID that
/// ends with `/*` stands for all below it. Other methods are refused.
const CALLERS: &[(&str, &[&str])] = &[
    (
        "/example.HelloService/SayHello",
        &["/ns/web/sa/front", "/ns/jobs/*"],
    ),
    ("/example.HelloService/LotsOfReplies", &["/ns/jobs/*"]),
];

/// Which workload makes a call, as handlers get to know it.
struct Workload(String);

/// The path of the one SPIFFE ID that a certificate must have
/// (X509-SVID section 2: exactly one URI).
fn workload(context: &Context) -> Result<&str, Status> {
    let [id] = context.peer_uri_names() else {
        return Err(Status::unauthenticated(
            "a certificate with one SPIFFE ID, please",
        ));
    };
    let path = id
        .strip_prefix("spiffe://")
        .and_then(|id| id.strip_prefix(TRUST_DOMAIN))
        .filter(|path| is_path(path));
    path.ok_or_else(|| Status::unauthenticated("the ID is none of this trust domain"))
}

/// SPIFFE-ID section 2.2: no dots, no empty parts, nothing encoded.
fn is_path(path: &str) -> bool {
    let is_part = |part: &str| {
        let in_parts = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(in_parts)
    };
    let parts = path.strip_prefix('/');
    parts.is_some_and(|parts| parts.split('/').all(is_part))
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(above) => path.starts_with(above),
        None => pattern == path,
    }
}

fn authorize(context: &Context) -> Result<Workload, Status> {
    let workload = workload(context)?;
    let path = context.method().path();
    let callers = CALLERS.iter().find(|(method, _)| *method == path);
    let mut callers = callers.iter().flat_map(|(_, callers)| *callers);
    if !callers.any(|caller| matches(caller, workload)) {
        let text = format!("{workload} may not call this");
        return Err(Status::permission_denied(text));
    }
    Ok(Workload(workload.to_owned()))
}

struct Authorize;

impl ServerInterceptor for Authorize {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        match authorize(context) {
            Ok(workload) => context.extensions_mut().insert(workload),
            Err(status) => return status.into(),
        };
        next.run(context).await
    }
}

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let workload = context.extensions().get::<Workload>();
        let workload = workload.map_or("nobody", |workload| &workload.0);
        Ok(HelloResponse {
            reply: format!("{}, {workload}!", request.greeting),
        })
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let reply = self.say_hello(request, context).await?;
        replies.send(reply).await
    }
}

/// The trust domain's authority.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        let name = "the example's authority";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// A certificate with these names and its key, in PEM.
    fn issue(&self, dns: &[&str], ids: &[&str]) -> Result<(String, String), rcgen::Error> {
        let dns: Vec<String> = dns.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(dns)?;
        for id in ids {
            let id = SanType::URI(Ia5String::try_from(*id)?);
            params.subject_alt_names.push(id);
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

async fn serve(authority: &Authority) -> Result<Server, Box<dyn Error>> {
    let (chain, key) =
        authority.issue(&["localhost"], &["spiffe://shop.example/ns/web/sa/hello"])?;
    let credentials = ServerCredentials::tls(chain, key);
    let credentials = credentials.require_client_certificate(authority.0.pem());
    let server = Server::builder()
        .interceptor(Authorize)
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with("127.0.0.1:0", credentials.build()?)
        .start()
        .await?;
    Ok(server)
}

fn stub(
    server: &Server,
    authority: &Authority,
    ids: &[&str],
) -> Result<HelloServiceStub, Box<dyn Error>> {
    let (chain, key) = authority.issue(&[], ids)?;
    let credentials = ChannelCredentials::tls()
        .roots(authority.0.pem())
        .identity(chain, key)
        .server_name("localhost")
        .build()?;
    let channel = Channel::new(&server.addresses()[0], credentials)?;
    Ok(HelloServiceStub::new(channel))
}

fn request() -> HelloRequest {
    HelloRequest {
        greeting: "Hello".to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let authority = Authority::new()?;
    let server = serve(&authority).await?;
    for id in [
        "spiffe://shop.example/ns/web/sa/front",
        "spiffe://shop.example/ns/web/sa/back",
    ] {
        match stub(&server, &authority, &[id])?.say_hello(request()).await {
            Ok(response) => println!("Received: {}", response.reply),
            Err(status) => println!("Refused: {status}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use grpc_runtime::Code;

    use super::*;

    async fn call(stub: &HelloServiceStub) -> Result<String, Code> {
        let called = stub.say_hello(request()).await;
        called.map(|it| it.reply).map_err(|status| status.code())
    }

    #[tokio::test]
    async fn a_workload_calls_the_methods_that_are_its_own() {
        let authority = Authority::new().unwrap();
        let server = serve(&authority).await.unwrap();
        for (path, one, many) in [
            ("/ns/web/sa/front", true, false),
            ("/ns/web/sa/front2", false, false),
            ("/ns/web/sa/front/more", false, false),
            ("/ns/jobs/sa/nightly", true, true),
            ("/ns/jobsters/sa/x", false, false),
        ] {
            let id = format!("spiffe://{TRUST_DOMAIN}{path}");
            let stub = stub(&server, &authority, &[&id]).unwrap();
            let denied = Err(Code::PermissionDenied);
            let expected = if one {
                Ok(format!("Hello, {path}!"))
            } else {
                denied
            };
            assert_eq!(call(&stub).await, expected, "{path}");
            let mut replies = stub.lots_of_replies(request()).start();
            let first = replies.next().await.map_err(|status| status.code());
            assert_eq!(first.is_ok(), many, "{path}");
            assert!(many || first.unwrap_err() == Code::PermissionDenied);
            // It is in no line of the table.
            let (_requests, mut replies) = stub.bidi_hello().start();
            let status = replies.next().await.unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied, "{path}");
        }
    }

    #[tokio::test]
    async fn who_has_not_one_id_of_the_trust_domain_is_nobody() {
        let authority = Authority::new().unwrap();
        let server = serve(&authority).await.unwrap();
        let good = "spiffe://shop.example/ns/web/sa/front";
        for ids in [
            &[][..],
            &[good, "spiffe://shop.example/ns/jobs/sa/nightly"],
            &["spiffe://elsewhere.example/ns/web/sa/front"],
            &["spiffe://shop.example.org/ns/web/sa/front"],
            &["spiffe://shop.example"],
            &["spiffe://shop.example/"],
            &["spiffe://shop.example/ns/jobs/../web/sa/front"],
            &["spiffe://shop.example/ns/jobs//x"],
            &["spiffe://shop.example/ns/jobs/%2e%2e"],
            &["https://shop.example/ns/web/sa/front"],
        ] {
            let stub = stub(&server, &authority, ids).unwrap();
            assert_eq!(call(&stub).await, Err(Code::Unauthenticated), "{ids:?}");
        }
        // A certificate of another authority fails the handshake.
        let stranger = Authority::new().unwrap();
        let (chain, key) = stranger.issue(&[], &[good]).unwrap();
        let credentials = ChannelCredentials::tls().roots(authority.0.pem());
        let credentials = credentials.identity(chain, key).server_name("localhost");
        let channel = Channel::new(&server.addresses()[0], credentials.build().unwrap());
        let stub = HelloServiceStub::new(channel.unwrap());
        assert_eq!(call(&stub).await, Err(Code::Unavailable));
    }
}
