//! What `tls-and-tokens.md` shows.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grpc_runtime::{
    AuthRequest, CallCredentials, CertificateFiles, Certificates, Channel, ChannelCredentials,
    Code, Context, CredentialsError, MetadataError, Server, ServerCredentials, Status, Token,
    TokenSource,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde::{Deserialize, Serialize};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

// snippet: tls
async fn serve(address: &str, folder: &Path) -> Result<Server, Box<dyn Error>> {
    let chain = fs::read(folder.join("server.pem"))?;
    let key = fs::read(folder.join("server.key"))?;
    let credentials = ServerCredentials::tls(chain, key).build()?;
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with(address, credentials)
        .start()
        .await?;
    Ok(server)
}

fn connect(target: &str, folder: &Path) -> Result<HelloServiceStub, Box<dyn Error>> {
    // Without `roots` the channel trusts the roots of the system.
    let credentials = ChannelCredentials::tls()
        .roots(fs::read(folder.join("ca.pem"))?)
        .build()?;
    Ok(HelloServiceStub::new(Channel::new(target, credentials)?))
}
// end

// snippet: mutual
fn server_side(folder: &Path) -> Result<ServerCredentials, Box<dyn Error>> {
    let chain = fs::read(folder.join("server.pem"))?;
    let key = fs::read(folder.join("server.key"))?;
    let credentials = ServerCredentials::tls(chain, key)
        .require_client_certificate(fs::read(folder.join("ca.pem"))?)
        .build()?;
    Ok(credentials)
}

fn client_side(folder: &Path) -> Result<ChannelCredentials, Box<dyn Error>> {
    let chain = fs::read(folder.join("client.pem"))?;
    let key = fs::read(folder.join("client.key"))?;
    let credentials = ChannelCredentials::tls()
        .roots(fs::read(folder.join("ca.pem"))?)
        .identity(chain, key)
        .build()?;
    Ok(credentials)
}
// end

struct Greeter;

impl HelloServiceServicer for Greeter {
    // snippet: who-calls
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let caller = match context.peer_dns_names() {
            [name, ..] => name.as_str(),
            [] => "a stranger",
        };
        let reply = format!("{}, {caller}!", request.greeting);
        Ok(HelloResponse { reply })
    }
    // end
}

// snippet: reload
/// `files` is `CertificateFiles::new("/tls/tls.crt", "/tls/tls.key").roots("/tls/ca.crt")`.
fn reloaded(
    files: CertificateFiles,
) -> Result<(ServerCredentials, ChannelCredentials), CredentialsError> {
    let certificates = files.watch(|reload| eprintln!("{reload}"))?;
    let server = ServerCredentials::from_source(certificates.clone())
        .require_client_certificate()
        .build()?;
    let channel = ChannelCredentials::from_source(certificates).build()?;
    Ok((server, channel))
}
// end

// snippet: by-name
fn by_name(shop: &Pem, bank: &Pem) -> Result<ServerCredentials, CredentialsError> {
    let certificates = Certificates::builder()
        .identity(&shop.chain, &shop.key)
        .identity(&bank.chain, &bank.key)
        .build()?;
    ServerCredentials::from_source(certificates).build()
}
// end

// snippet: bearer
fn with_token(
    credentials: ChannelCredentials,
    token: &str,
) -> Result<ChannelCredentials, MetadataError> {
    Ok(credentials.with_call_credentials(CallCredentials::bearer(token)?))
}
// end

// snippet: token-source
struct Login;

impl TokenSource for Login {
    async fn token(&self, request: &AuthRequest) -> Result<Token, Status> {
        let (text, seconds) = log_in(&request.service_url).await?;
        Ok(Token::bearer(&text)?.expires_in(Duration::from_secs(seconds)))
    }
}

fn with_login(credentials: ChannelCredentials) -> ChannelCredentials {
    credentials.with_call_credentials(CallCredentials::from_tokens(Login))
}
// end

async fn log_in(audience: &str) -> Result<(String, u64), Status> {
    tokio::task::yield_now().await;
    assert_eq!(audience, "https://localhost/example.HelloService");
    Ok(("open-sesame".to_owned(), 3_600))
}

fn judge(context: &mut Context) -> Result<(), Status> {
    match context.metadata().get("authorization") {
        Some("Bearer open-sesame") => Ok(()),
        _ => Err(Status::unauthenticated("a bearer token, please")),
    }
}

// snippet: jwt
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    scope: String,
    exp: u64,
}

struct Caller(String);

/// An interceptor: the token is the issuer's, for this server, not expired, and has `scope`.
fn judge_jwt(
    key: DecodingKey,
    scope: &'static str,
) -> impl Fn(&mut Context) -> Result<(), Status> + Send + Sync {
    // One algorithm, or a token would choose how it is verified. A claim that is not
    // required may be missing.
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["https://issuer.example"]);
    validation.set_audience(&["https://hello.example"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    move |context| {
        let value = context.metadata().get("authorization");
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Status::unauthenticated("a bearer token, please"))?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|_| Status::unauthenticated("the token is not valid here"))?
            .claims;
        if !claims.scope.split(' ').any(|it| it == scope) {
            return Err(Status::permission_denied("the token lacks the scope"));
        }
        context.extensions_mut().insert(Caller(claims.sub));
        Ok(())
    }
}
// end

// snippet: spiffe
/// An interceptor: the caller is a workload of the shop's jobs.
fn judge_workload(context: &mut Context) -> Result<(), Status> {
    // A SPIFFE certificate has exactly one URI.
    let [id] = context.peer_uri_names() else {
        return Err(Status::unauthenticated(
            "a certificate with one SPIFFE ID, please",
        ));
    };
    if !id.starts_with("spiffe://shop.example/ns/jobs/") {
        return Err(Status::permission_denied(format!("{id} may not call this")));
    }
    Ok(())
}
// end

/// A certificate chain and its key.
struct Pem {
    chain: String,
    key: String,
}

/// Of authorities, whose names differ.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

/// Who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("authority {number} of the guide");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn issue(&self, name: &str) -> Pem {
        let mut params = CertificateParams::default();
        let name = Ia5String::try_from(name).unwrap();
        params
            .subject_alt_names
            .push(if name.as_str().contains("://") {
                SanType::URI(name)
            } else {
                SanType::DnsName(name)
            });
        let key = KeyPair::generate().unwrap();
        let chain = params.signed_by(&key, &self.0).unwrap().pem();
        let key = key.serialize_pem();
        Pem { chain, key }
    }
}

/// A folder with what the page's programs read.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, authority: &Authority) -> Self {
        let name = format!("grpc-guide-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder.write("ca.pem", &authority.0.pem());
        folder.write_identity("server", &authority.issue("localhost"));
        folder.write_identity("client", &authority.issue("till.example"));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let new = self.0.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.0.join(name)).unwrap();
    }

    fn write_identity(&self, name: &str, pem: &Pem) {
        self.write(&format!("{name}.pem"), &pem.chain);
        self.write(&format!("{name}.key"), &pem.key);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn greeter(credentials: ServerCredentials) -> Server {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with("127.0.0.1:0", credentials)
        .start();
    server.await.unwrap()
}

fn named(server: &Server) -> String {
    server.addresses()[0].replace("127.0.0.1", "localhost")
}

fn stub(server: &Server, credentials: ChannelCredentials) -> HelloServiceStub {
    HelloServiceStub::new(Channel::new(named(server), credentials).unwrap())
}

async fn greet(stub: &HelloServiceStub) -> Result<String, Status> {
    let request = HelloRequest {
        greeting: "Hello".to_owned(),
    };
    let call = stub.say_hello(request).timeout(Duration::from_secs(30));
    Ok(call.await?.reply)
}

#[tokio::test]
async fn a_channel_trusts_the_roots_it_is_given() {
    let authority = Authority::new();
    let folder = Folder::new("tls", &authority);
    let server = serve("127.0.0.1:0", &folder.0).await.unwrap();
    let friend = connect(&named(&server), &folder.0).unwrap();
    assert_eq!(greet(&friend).await.unwrap(), "Hello, a stranger!");

    let by_address = connect(&server.addresses()[0], &folder.0).unwrap();
    let text = greet(&by_address).await.unwrap_err().to_string();
    assert!(
        text.contains("certificate not valid for name \"127.0.0.1\""),
        "{text}"
    );
    folder.write("ca.pem", &Authority::new().0.pem());
    let distrusts = connect(&named(&server), &folder.0).unwrap();
    let text = greet(&distrusts).await.unwrap_err().to_string();
    let hint = "(none of the trusted roots has signed it)";
    assert!(text.contains(hint), "{text}");
    let plain = stub(&server, ChannelCredentials::insecure());
    let text = greet(&plain).await.unwrap_err().to_string();
    let hint = "it speaks TLS on this port, where this side does not";
    assert!(text.contains(hint), "{text}");
    let unencrypted = greeter(ServerCredentials::insecure()).await;
    let tls = connect(&named(&unencrypted), &folder.0).unwrap();
    let text = greet(&tls).await.unwrap_err().to_string();
    let hint = "(the peer does not speak TLS on this port)";
    assert!(text.contains(hint), "{text}");
    let own = fs::read(folder.0.join("server.pem")).unwrap();
    let other = fs::read(folder.0.join("client.key")).unwrap();
    let error = ServerCredentials::tls(own, other).build().unwrap_err();
    output("other-key", &error.to_string());
    let error = ServerCredentials::tls("server.pem", "server.key").build();
    output("file-names", &error.unwrap_err().to_string());
}

#[tokio::test]
async fn both_sides_show_certificates() {
    let authority = Authority::new();
    let folder = Folder::new("mutual", &authority);
    let server = greeter(server_side(&folder.0).unwrap()).await;
    let known = stub(&server, client_side(&folder.0).unwrap());
    assert_eq!(greet(&known).await.unwrap(), "Hello, till.example!");
    let without = connect(&named(&server), &folder.0).unwrap();
    let text = greet(&without).await.unwrap_err().to_string();
    let hint = "(the peer wants a certificate of this side)";
    assert!(text.contains(hint), "{text}");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let authority = Authority::new();
    let folder = Folder::new("reload", &authority);
    let path = |name: &str| folder.0.join(name);
    let files = CertificateFiles::new(path("server.pem"), path("server.key"))
        .roots(path("ca.pem"))
        .reload_every(Duration::from_millis(20));
    let (server, channel) = reloaded(files).unwrap();
    let server = greeter(server).await;
    let call = || greet_as(&server, channel.clone());
    assert_eq!(call().await.unwrap(), "Hello, localhost!");
    // The new one has another name beside: the handler is told of the client's.
    let mut both = CertificateParams::new(["renewed.example".to_owned(), "localhost".to_owned()]);
    let key = KeyPair::generate().unwrap();
    let chain = both
        .as_mut()
        .unwrap()
        .signed_by(&key, &authority.0)
        .unwrap();
    let renewed = Pem {
        chain: chain.pem(),
        key: key.serialize_pem(),
    };
    folder.write_identity("server", &renewed);
    let renewed = async {
        while call().await.unwrap() != "Hello, renewed.example!" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), renewed)
        .await
        .unwrap();
}

/// On a connection of its own.
async fn greet_as(server: &Server, credentials: ChannelCredentials) -> Result<String, Status> {
    greet(&stub(server, credentials)).await
}

#[tokio::test]
async fn a_server_shows_the_certificate_of_the_name_it_is_asked_for() {
    let authority = Authority::new();
    let [shop, bank] = ["shop.example", "bank.example"].map(|name| authority.issue(name));
    let server = greeter(by_name(&shop, &bank).unwrap()).await;
    for name in ["shop.example", "bank.example"] {
        let credentials = ChannelCredentials::tls().roots(authority.0.pem());
        let credentials = credentials.server_name(name).build().unwrap();
        greet_as(&server, credentials).await.unwrap();
    }
}

#[tokio::test]
async fn tokens_go_out_over_tls_alone() {
    let authority = Authority::new();
    let pem = authority.issue("localhost");
    let credentials = ServerCredentials::tls(pem.chain, pem.key).build().unwrap();
    let server = Server::builder()
        .interceptor(judge)
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with("127.0.0.1:0", credentials)
        .listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let tls = ChannelCredentials::tls().roots(authority.0.pem());
    let tls = tls.build().unwrap();
    greet_as(&server, with_token(tls.clone(), "open-sesame").unwrap())
        .await
        .unwrap();
    // Its service's URL is that of the port 443.
    let target = named(&server);
    let channel = Channel::builder(&target).unwrap().authority("localhost");
    let channel = channel.build(with_login(tls.clone())).unwrap();
    greet(&HelloServiceStub::new(channel)).await.unwrap();

    let refused = greet_as(&server, with_token(tls, "sesame").unwrap()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.message(), "a bearer token, please");

    let plain = with_token(ChannelCredentials::insecure(), "open-sesame").unwrap();
    let channel = Channel::new(&server.addresses()[1], plain).unwrap();
    let status = greet(&HelloServiceStub::new(channel)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    output("unencrypted", &status.to_string());

    // snippet: allow-unencrypted
    let token = CallCredentials::bearer("open-sesame").unwrap();
    let credentials =
        ChannelCredentials::insecure().with_call_credentials(token.allow_unencrypted());
    // end
    let channel = Channel::new(&server.addresses()[1], credentials).unwrap();
    greet(&HelloServiceStub::new(channel)).await.unwrap();
}

#[tokio::test]
async fn a_jwt_is_good_for_its_scope() {
    let issuer = KeyPair::generate().unwrap();
    let judge = judge_jwt(DecodingKey::from_ec_der(issuer.public_key_raw()), "hello");
    let call = |scope: &str| {
        let claims = Claims {
            iss: "https://issuer.example".to_owned(),
            aud: "https://hello.example".to_owned(),
            sub: "Ada".to_owned(),
            scope: scope.to_owned(),
            exp: jsonwebtoken::get_current_timestamp() + 60,
        };
        let key = EncodingKey::from_ec_der(&issuer.serialize_der());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key);
        let value = format!("Bearer {}", token.unwrap());
        let metadata = grpc_runtime::Metadata::from_pairs([("authorization", value)]);
        let mut context = Context::for_test().metadata(metadata.unwrap()).build();
        let judged = judge(&mut context).map_err(|status| status.code());
        judged.map(|()| context.extensions().get::<Caller>().unwrap().0.clone())
    };
    assert_eq!(call("other hello"), Ok("Ada".to_owned()));
    assert_eq!(call("other"), Err(Code::PermissionDenied));
    let mut stranger = Context::for_test().build();
    assert_eq!(
        judge(&mut stranger).unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_workload_is_known_by_its_certificate() {
    let authority = Authority::new();
    let folder = Folder::new("spiffe", &authority);
    let server = Server::builder()
        .interceptor(judge_workload)
        .add_service(HelloServiceServer::new(Greeter))
        .listen_with("127.0.0.1:0", server_side(&folder.0).unwrap());
    let server = server.start().await.unwrap();
    for (id, expected) in [
        ("spiffe://shop.example/ns/jobs/sa/nightly", None),
        (
            "spiffe://shop.example/ns/web/sa/front",
            Some(Code::PermissionDenied),
        ),
        ("till.example", Some(Code::Unauthenticated)),
    ] {
        folder.write_identity("client", &authority.issue(id));
        let told = greet_as(&server, client_side(&folder.0).unwrap()).await;
        assert_eq!(told.err().map(|status| status.code()), expected, "{id}");
    }
}
