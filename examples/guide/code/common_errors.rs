//! What `common-errors.md` shows: each error is provoked, and its text held to the page.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process};

use grpc_runtime::{
    CallCredentials, CallLimit, Channel, ChannelCredentials, Code, Context, DeadlinePolicy,
    Http2Options, Method, MethodLimits, Receiver, Sender, Server, ServerBuilder, ServerCredentials,
    ServerLimits, Status, UnaryCall,
};
use grpc_testing::{Network, Reply, Script};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
    hello_service,
};
use crate::harness::output;

/// What the page calls the server.
const SERVER: &str = "10.0.0.7:50051";
const SECOND: Duration = Duration::from_secs(1);

/// Greets at once, waits for ever at the word "wait", and panics at the word "panic".
struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        match request.greeting.as_str() {
            "wait" => std::future::pending().await,
            "panic" => panic!("a fault of this handler"),
            _ => Ok(HelloResponse {
                reply: request.greeting,
            }),
        }
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let reply = request.greeting;
        replies.send(HelloResponse { reply }).await?;
        std::future::pending().await
    }

    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        while requests.next().await?.is_some() {}
        Ok(HelloResponse::default())
    }
}

fn greeting(text: &str) -> HelloRequest {
    HelloRequest {
        greeting: text.to_owned(),
    }
}

fn greeter() -> ServerBuilder {
    Server::builder().add_service(HelloServiceServer::new(Greeter))
}

fn in_process(server: ServerBuilder) -> HelloServiceStub {
    HelloServiceStub::new(Channel::in_process(server).unwrap())
}

fn scripted(reply: Reply) -> HelloServiceStub {
    let script = Script::new().on(hello_service::SAY_HELLO.path(), reply);
    in_process(script.server())
}

fn stub_of(address: &str) -> HelloServiceStub {
    HelloServiceStub::new(Channel::insecure(address).unwrap())
}

/// The error of a call, held to the page's block of this name.
async fn fails(name: &str, stub: &HelloServiceStub, text: &str, address: &str) -> Status {
    let status = stub.say_hello(greeting(text)).await.unwrap_err();
    output(name, &status.to_string().replace(address, SERVER));
    status
}

/// A server on a port, and its address.
async fn listening(credentials: ServerCredentials) -> (Server, String) {
    let server = greeter().listen_with("127.0.0.1:0", credentials);
    let server = server.start().await.unwrap();
    let address = server.addresses()[0].clone();
    (server, address)
}

#[tokio::test]
async fn a_status_says_where_it_arose() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    drop(listener);
    let stub = stub_of(&address);
    let request = greeting("you");

    // snippet: read-a-status
    let Err(status) = stub.say_hello(request).await else {
        return Ok(());
    };
    println!("{status}"); // All of it in one line.
    status.code(); // What a program decides by.
    status.message(); // For people.
    status.phase(); // Some(Phase::Connect): it arose here, while connecting.
    status.attempts(); // What each attempt of a retried call met.
    std::error::Error::source(&status); // The system's error, or that of TLS.
    // end

    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.phase(), Some(grpc_runtime::Phase::Connect));
    assert!(std::error::Error::source(&status).is_some());
    output("refused", &status.to_string().replace(&address, SERVER));

    let call = stub.say_hello(greeting("you")).wait_for_ready();
    let status = call.timeout(SECOND / 20).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let text = status.to_string().replace(&address, SERVER);
    output("deadline-connecting", &text);
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_none_is_not_resolved() {
    let stub = stub_of("no-such-host.invalid:50051");
    let status = stub.say_hello(greeting("you")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    // The rest is the system's.
    let text = status.to_string();
    let (said, _) = text.split_once(" information").unwrap();
    output("resolve", &format!("{said} information: …"));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_given_up() {
    let network = Network::new(7);
    let script = Script::new().on(hello_service::SAY_HELLO.path(), Reply::hang());
    let _shop = network.bind("shop", script.server()).await.unwrap();
    let link = network.link("client", "shop");
    let channel = Channel::builder("passthrough:///shop").unwrap();
    let channel = channel.connector(network.connector("client"));
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    let stub = HelloServiceStub::new(channel);

    link.down();
    fails("no-answer", &stub, "you", "shop").await;
    link.restore();
    let call = stub.say_hello(greeting("you")).wait_for_ready();
    let status = call.timeout(SECOND * 600).await.unwrap_err();
    output(
        "deadline-server",
        &status.to_string().replace("shop", SERVER),
    );
    let call = tokio::spawn(stub.say_hello(greeting("you")).response());
    while script.calls().len() < 2 {
        tokio::time::sleep(SECOND / 1000).await;
    }
    link.cut();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    output("lost", &status.to_string().replace("shop", SERVER));
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for this name, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self, name: &str) -> ServerCredentials {
        let (chain, key) = self.issue(name);
        ServerCredentials::tls(chain, key).build().unwrap()
    }

    fn stub(&self, address: &str) -> HelloServiceStub {
        let credentials = ChannelCredentials::tls().roots(self.0.pem());
        let channel = Channel::new(address, credentials.build().unwrap());
        HelloServiceStub::new(channel.unwrap())
    }
}

#[tokio::test]
async fn tls_that_does_not_come_about_says_why() {
    let ours = Authority::new("ours");
    let (_server, address) = listening(ours.server("127.0.0.1")).await;
    fails("plain-to-tls", &stub_of(&address), "you", &address).await;
    let theirs = Authority::new("theirs").stub(&address);
    fails("unknown-issuer", &theirs, "you", &address).await;

    let (_server, address) = listening(ServerCredentials::insecure()).await;
    fails("tls-to-plain", &ours.stub(&address), "you", &address).await;

    let (_server, address) = listening(ours.server("shop.example")).await;
    let status = ours.stub(&address).say_hello(greeting("you"));
    let text = status.await.unwrap_err().to_string();
    let text = text
        .replace(&address, SERVER)
        .replace("127.0.0.1", "10.0.0.7");
    output("wrong-name", &text);

    let (chain, key) = ours.issue("127.0.0.1");
    let mutual = ServerCredentials::tls(chain, key);
    let mutual = mutual.require_client_certificate(ours.0.pem());
    let (_server, address) = listening(mutual.build().unwrap()).await;
    let stub = ours.stub(&address);
    fails("no-client-certificate", &stub, "you", &address).await;
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_told_by_what_it_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let said = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(said).await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    fails("http-1", &stub_of(&address), "you", &address).await;
}

/// A proxy of bare frames, which answers a call with an error page's head.
async fn proxy() -> String {
    const HEADERS: u8 = 1;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // SETTINGS without any.
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        socket.write_all(&settings).await.unwrap();
        socket.read_exact(&mut [0; 24]).await.unwrap();
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            socket.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                break;
            }
        }
        // HEADERS that end the stream 1: the fields 8 and 31 of HPACK's static table.
        let fields = b"\x08\x03502\x0f\x10\x09text/html";
        let head = [0, 0, fields.len() as u8, HEADERS, 5, 0, 0, 0, 1];
        socket.write_all(&head).await.unwrap();
        socket.write_all(fields).await.unwrap();
        let _ = socket.read_to_end(&mut Vec::new()).await;
    });
    address
}

#[tokio::test]
async fn an_error_page_is_told_as_one() {
    let address = proxy().await;
    let status = fails("proxy", &stub_of(&address), "you", &address).await;
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_client_of_http_1_is_told_that_it_is_one() {
    let (_server, address) = listening(ServerCredentials::insecure()).await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("not HTTP/2: the preface does not match"));
}

#[tokio::test(start_paused = true)]
async fn deadlines_say_what_they_met() {
    let stub = in_process(greeter());
    let call = stub.say_hello(greeting("you")).timeout(Duration::ZERO);
    output("deadline-zero", &call.await.unwrap_err().to_string());

    let call = stub.lots_of_replies(greeting("wait")).timeout(SECOND);
    let mut replies = call.start();
    replies.next().await.unwrap();
    let status = replies.next().await.unwrap_err().to_string();
    output("deadline-stream", &status.replace("in-process", SERVER));

    let mut options = Http2Options::default();
    options.max_concurrent_streams = 1;
    let stub = in_process(greeter().http2(options));
    let mut held = stub.lots_of_replies(greeting("wait")).start();
    held.next().await.unwrap();
    let status = stub.say_hello(greeting("you")).timeout(SECOND).await;
    let status = status.unwrap_err().to_string();
    output("deadline-room", &status.replace("in-process", SERVER));

    let policy = DeadlinePolicy::new().at_most(SECOND);
    let limits = ServerLimits::new().deadlines(policy);
    let stub = in_process(greeter().limits(limits));
    fails("deadline-of-the-server", &stub, "wait", "in-process").await;

    let policy = DeadlinePolicy::new().at_least(SECOND);
    let limits = ServerLimits::new().deadlines(policy);
    let stub = in_process(greeter().limits(limits));
    let call = stub.say_hello(greeting("you")).timeout(SECOND / 2);
    output("deadline-least", &call.await.unwrap_err().to_string());
}

#[tokio::test]
async fn messages_that_are_too_large_say_whose_limit_it_is() {
    let large = "x".repeat(5 << 20);
    let stub = in_process(greeter());
    let status = fails("server-receives", &stub, &large, "in-process").await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    let call = stub.say_hello(greeting(&large));
    let call = call.max_send_message_size(1 << 20);
    output("client-sends", &call.await.unwrap_err().to_string());

    let wide = || greeter().max_receive_message_size(8 << 20);
    let stub = in_process(wide());
    fails("client-receives", &stub, &large, "in-process").await;
    let stub = in_process(wide().max_send_message_size(1 << 20));
    fails("server-sends", &stub, &large, "in-process").await;

    let call = in_process(greeter()).say_hello(greeting("you"));
    let call = call.metadata("x-large", &"x".repeat(20_000));
    output("metadata-large", &call.await.unwrap_err().to_string());
    let call = in_process(greeter()).say_hello(greeting("you"));
    let call = call.metadata("x-name", "André");
    output("metadata-ascii", &call.await.unwrap_err().to_string());
}

#[tokio::test]
async fn what_is_not_there_is_unimplemented() {
    let channel = Channel::in_process(greeter()).unwrap();
    for (name, path) in [
        ("no-service", "/shop.Orders/Get"),
        ("no-method", "/example.HelloService/SayGoodbye"),
    ] {
        let method = Method::unary(path);
        let call = UnaryCall::<HelloResponse>::new(&channel, method, &greeting("you"));
        output(name, &call.await.unwrap_err().to_string());
    }
    let (_requests, mut replies) = HelloServiceStub::new(channel).bidi_hello().start();
    let status = replies.next().await.unwrap_err();
    output("left-out", &status.to_string());
}

#[tokio::test]
async fn limits_say_that_they_are_limits() {
    let limits = ServerLimits::new().calls(CallLimit::new(1));
    let stub = in_process(greeter().limits(limits));
    let mut held = stub.lots_of_replies(greeting("you")).start();
    held.next().await.unwrap();
    fails("too-many-calls", &stub, "you", "in-process").await;

    let options = MethodLimits::new();
    let limits = ServerLimits::new().service("shop.Orders", options);
    let server = greeter().limits(limits).listen("127.0.0.1:0");
    let error = server.start().await.unwrap_err();
    output("nothing-to-limit", &error.to_string());
}

#[tokio::test(start_paused = true)]
async fn pings_that_are_too_many_end_a_connection() {
    let network = Network::new(7);
    let script = Script::new().on(hello_service::SAY_HELLO.path(), Reply::hang());
    let _shop = network.bind("shop", script.server()).await.unwrap();
    let channel = Channel::builder("passthrough:///shop").unwrap();
    let channel = channel
        .connector(network.connector("client"))
        .keepalive_time(Duration::from_secs(10));
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    let stub = HelloServiceStub::new(channel);
    fails("too-many-pings", &stub, "you", "shop").await;
}

#[tokio::test]
async fn ends_say_who_ended_it() {
    let (server, address) = listening(ServerCredentials::insecure()).await;
    let mut held = stub_of(&address).lots_of_replies(greeting("you")).start();
    held.next().await.unwrap();
    server.shutdown(Duration::ZERO).await;
    let status = held.next().await.unwrap_err();
    output("shutting-down", &status.to_string());

    let stub = in_process(greeter());
    let (_requests, mut replies) = stub.bidi_hello().start();
    replies.cancel();
    let status = replies.next().await.unwrap_err();
    output("cancelled", &status.to_string());

    let channel = Channel::in_process(greeter()).unwrap();
    channel.close();
    let stub = HelloServiceStub::new(channel);
    fails("channel-closed", &stub, "you", "in-process").await;

    let stub = in_process(greeter());
    fails("panicked", &stub, "panic", "in-process").await;
    let stub = scripted(Reply::reset(8));
    fails("reset", &stub, "you", "in-process").await;
    let stub = scripted(Reply::bytes(vec![0xff; 4]));
    fails("decode", &stub, "you", "in-process").await;
    let stub = scripted(Reply::empty());
    fails("no-message", &stub, "you", "in-process").await;
}

#[tokio::test]
async fn mistakes_of_a_program_say_what_to_do() {
    let stub = in_process(greeter());
    let token = CallCredentials::bearer("t").unwrap();
    let call = stub.say_hello(greeting("you")).credentials(token);
    output("token-in-the-clear", &call.await.unwrap_err().to_string());
    let status = stub.say_hello(greeting("you")).wait().unwrap_err();
    output("wait", &status.to_string());

    let url = Channel::insecure("http://10.0.0.7:50051").unwrap_err();
    output("target-url", &url.to_string());
    let scheme = Channel::insecure("etcd://10.0.0.7/shop").unwrap_err();
    output("target-scheme", &scheme.to_string());

    let (_server, address) = listening(ServerCredentials::insecure()).await;
    let error = greeter().listen(&address).start().await.unwrap_err();
    let text = error.to_string().replace(&address, "[::]:50051");
    output("in-use", &text);
    let error = greeter().start().await.unwrap_err();
    output("no-address", &error.to_string());
    let twice = greeter().add_service(HelloServiceServer::new(Greeter));
    let error = twice.listen("127.0.0.1:0").start().await.unwrap_err();
    output("twice", &error.to_string());
}

#[test]
fn a_call_whose_runtime_has_gone_says_so() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let (_server, address) = second.block_on(listening(ServerCredentials::insecure()));
    let stub = stub_of(&address);
    // Its connection is made by the first runtime, which is not there when the server answers.
    let call = first.block_on(async {
        let mut call = stub.lots_of_replies(greeting("you")).start();
        tokio::select! {
            biased;
            _ = call.next() => {}
            () = tokio::task::yield_now() => {}
        }
        call
    });
    drop(first);
    let mut call = call;
    let status = second.block_on(call.next()).unwrap_err();
    output("runtime-gone", &status.to_string());
}

/// What rustc says of a crate of this text, with these names of a build script.
fn compiled(text: &str, names: Option<&str>) -> String {
    let name = format!("guide-{}-{}", process::id(), text.len());
    let source = env::temp_dir().join(name).with_extension("rs");
    fs::write(&source, text).unwrap();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=metadata",
        "-o",
    ]);
    rustc.arg(source.with_extension("rmeta")).arg(&source);
    rustc.env_remove("GRPC_BUILD_NAMES");
    if let Some(names) = names {
        rustc.env("GRPC_BUILD_NAMES", names);
    }
    let said = rustc.output().unwrap();
    fs::remove_file(source).unwrap();
    assert!(!said.status.success());
    let text = String::from_utf8(said.stderr).unwrap();
    let error = text.lines().find(|line| line.starts_with("error"));
    error.unwrap().to_owned()
}

/// A part of the runtime's source, from one text to before another.
fn part(file: &str, from: &str, to: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../runtime/src")
        .join(file);
    let text = fs::read_to_string(path).unwrap();
    let (_, part) = text.split_once(from).unwrap();
    let (part, _) = part.split_once(to).unwrap();
    format!("{from}{part}")
}

#[test]
fn a_package_that_was_not_generated_is_an_error_of_the_compiler() {
    let include = part("lib.rs", "macro_rules! include_proto", "\n}\n");
    let include = format!("{include}\n}}\n\ninclude_proto!(\"hello\");\n");
    output("no-build-script", &compiled(&include, None));
    output("no-package", &compiled(&include, Some("example")));
    let check = part("codegen.rs", "pub const CONTRACT", "/// The answer of");
    for (name, contract) in [
        ("contract-newer", "CONTRACT + 1"),
        ("contract-older", "OLDEST_CONTRACT - 1"),
    ] {
        let code = format!("{check}\nconst _: () = check_contract({contract}, \"\");\n");
        let said = compiled(&code, None);
        let (_, text) = said.split_once("this code").unwrap();
        output(name, &format!("this code{text}"));
    }
}
