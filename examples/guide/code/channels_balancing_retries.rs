//! What `channels-balancing-retries.md` shows.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, ChannelError, Code, ConnectivityState, Context,
    FailurePercentageEjection, HedgingPolicy, MethodConfig, OutlierDetection, RetryPolicy,
    RetryThrottling, RoundRobin, Server, ServerBuilder, ServiceConfig, ServiceConfigError, Status,
    WeightedRoundRobin,
};
use grpc_services::{Health, ServingStatus};
use grpc_testing::{Reply, Script};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
    hello_service,
};
use crate::harness::output;

// snippet: spread-and-retry
/// `target` is a name with several addresses, as `dns:///shop.internal:50051`.
fn connect(target: &str) -> Result<HelloServiceStub, Box<dyn Error>> {
    let retry = RetryPolicy::new([Code::Unavailable]);
    let config = ServiceConfig::builder()
        .balance(RoundRobin::new())
        .all(MethodConfig::new().retry(retry))
        .build()?;
    let channel = Channel::builder(target)?
        .service_config(config)
        .build(ChannelCredentials::insecure())?;
    Ok(HelloServiceStub::new(channel))
}
// end

// snippet: until-ready
/// Connects now, and waits for 5 seconds at most.
async fn until_ready(channel: &Channel) -> bool {
    let mut states = channel.watch_state();
    if channel.connect().is_err() {
        return false; // It was closed.
    }
    let ready = states.wait_for(ConnectivityState::Ready);
    let in_time = timeout(Duration::from_secs(5), ready).await;
    in_time.unwrap_or(false)
}
// end

// snippet: reconnect
fn patient(target: &str) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .connect_timeout(Duration::from_secs(3))
        .reconnect_backoff(Duration::from_millis(100), Duration::from_secs(5))
        .build(ChannelCredentials::insecure())
}
// end

// snippet: report-load
/// In a handler. The program measures both over some seconds; the runtime measures nothing.
fn report_load(context: &mut Context, busy: f64, calls_a_second: f64) {
    let load = context.load();
    load.set_application_utilization(busy)
        .set_qps(calls_a_second);
}
// end

// snippet: leave-out
/// Servers that say NOT_SERVING have no calls, and neither do those that fail more than half
/// of theirs.
fn leave_out() -> Result<ServiceConfig, ServiceConfigError> {
    let failing = FailurePercentageEjection::new()
        .threshold(50)
        .minimum_hosts(3);
    ServiceConfig::builder()
        .balance(OutlierDetection::new(RoundRobin::new()).failure_percentage(failing))
        .health_check_service("example.HelloService")
        .build()
}
// end

// snippet: look-up-again
fn follow(target: &str) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .balance(RoundRobin::new())
        .max_resolution_age(Duration::from_secs(30))
        .build(ChannelCredentials::insecure())
}
// end

// snippet: by-method
fn by_method() -> Result<ServiceConfig, ServiceConfigError> {
    let retry = RetryPolicy::new([Code::Unavailable])
        .max_attempts(3)
        .backoff(Duration::from_millis(50), 2.0, Duration::from_secs(1));
    let reads = MethodConfig::new()
        .timeout(Duration::from_secs(5))
        .retry(retry);
    ServiceConfig::builder()
        .method("example.HelloService", "SayHello", reads)
        .retry_throttling(RetryThrottling::new(10.0, 0.1))
        .build()
}
// end

// snippet: hedging
fn hedged() -> Result<ServiceConfig, ServiceConfigError> {
    let hedge = HedgingPolicy::new(Duration::from_millis(50));
    ServiceConfig::builder()
        .balance(RoundRobin::new())
        .method(
            "example.HelloService",
            "SayHello",
            MethodConfig::new().hedging(hedge),
        )
        .build()
}
// end

// snippet: json
const CONFIG: &str = r#"{
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [{
        "name": [{"service": "example.HelloService"}],
        "timeout": "5s",
        "retryPolicy": {
            "maxAttempts": 3,
            "initialBackoff": "0.05s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"]
        }
    }]
}"#;

fn from_text(text: &str) -> Result<ServiceConfig, ServiceConfigError> {
    ServiceConfig::from_json(text)
}
// end

// snippet: wait-for-ready
async fn first_call(stub: &HelloServiceStub) -> Result<HelloResponse, Status> {
    stub.say_hello(HelloRequest::default())
        .wait_for_ready()
        .timeout(Duration::from_secs(30))
        .await
}
// end

/// Answers with the server's name, and says how busy it is.
struct Greeter(&'static str, f64);

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        report_load(context, self.1, 100.0);
        let reply = self.0.to_owned();
        Ok(HelloResponse { reply })
    }
}

fn greeter(name: &'static str) -> ServerBuilder {
    Server::builder().add_service(HelloServiceServer::new(Greeter(name, 0.5)))
}

async fn start(server: ServerBuilder) -> Server {
    server.listen("127.0.0.1:0").start().await.unwrap()
}

fn target(servers: &[&Server]) -> String {
    let addresses = servers.iter().map(|server| server.addresses()[0].as_str());
    format!("ipv4:{}", addresses.collect::<Vec<_>>().join(","))
}

async fn greet(stub: &HelloServiceStub) -> Result<String, Status> {
    let response = stub
        .say_hello(HelloRequest::default())
        .timeout(BOUND)
        .await?;
    Ok(response.reply)
}

/// What a test waits for, at the most.
const BOUND: Duration = Duration::from_secs(30);

/// Calls until so many servers have answered.
async fn answered(stub: &HelloServiceStub, servers: usize) {
    let mut names = BTreeSet::new();
    let all = async {
        while names.len() < servers {
            names.insert(greet(stub).await.unwrap());
        }
    };
    timeout(BOUND, all).await.unwrap();
}

fn configured(server: &Server, config: ServiceConfig) -> HelloServiceStub {
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .service_config(config)
        .build(ChannelCredentials::insecure());
    HelloServiceStub::new(channel.unwrap())
}

#[tokio::test]
async fn calls_go_to_all_servers_and_no_call_fails_when_one_leaves() {
    let (ada, grace) = (start(greeter("Ada")).await, start(greeter("Grace")).await);
    let stub = connect(&target(&[&ada, &grace])).unwrap();
    answered(&stub, 2).await;
    ada.shutdown(Duration::from_secs(5)).await;
    for _ in 0..10 {
        assert_eq!(greet(&stub).await.unwrap(), "Grace");
    }
}

#[tokio::test]
async fn a_channel_connects_when_it_is_asked_to() {
    let server = start(greeter("Ada")).await;
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    assert_eq!(channel.state(), ConnectivityState::Idle);
    assert!(until_ready(&channel).await);
    channel.close();
    assert_eq!(channel.state(), ConnectivityState::Shutdown);
    assert!(!until_ready(&channel).await);
    let status = greet(&HelloServiceStub::new(channel)).await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_call_fails_at_once_or_waits_for_a_server() {
    // The socket keeps the port, and listens to nobody.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let stub = HelloServiceStub::new(patient(&address).unwrap());
    let status = greet(&stub).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    #[cfg(target_os = "linux")]
    output(
        "unreachable",
        &status.to_string().replace(&address, "10.0.0.7:50051"),
    );

    let serve = async { greeter("Ada").listen(&address).start().await.unwrap() };
    let (answer, _server) = tokio::join!(first_call(&stub), serve);
    assert_eq!(answer.unwrap().reply, "Ada");
}

#[tokio::test]
async fn a_server_that_is_half_as_busy_has_twice_the_calls() {
    let serve = |name, busy| {
        start(Server::builder().add_service(HelloServiceServer::new(Greeter(name, busy))))
    };
    let (ada, grace) = (serve("Ada", 0.2).await, serve("Grace", 0.4).await);
    let servers = target(&[&ada, &grace]);
    let at_once = WeightedRoundRobin::new()
        .blackout_period(Duration::ZERO)
        .weight_update_period(Duration::from_millis(100));
    let channel = Channel::builder(&servers).unwrap().balance(at_once);
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    let stub = HelloServiceStub::new(channel);
    let shares = async {
        loop {
            let mut of_ada = 0;
            for _ in 0..300 {
                of_ada += usize::from(greet(&stub).await.unwrap() == "Ada");
            }
            if of_ada == 200 {
                break;
            }
        }
    };
    timeout(BOUND, shares).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_serve_has_no_calls() {
    let health = Health::new();
    health.set(hello_service::NAME, ServingStatus::NotServing);
    let ada = start(greeter("Ada").add_service(health.service())).await;
    let grace = start(greeter("Grace")).await;
    let channel = Channel::builder(target(&[&ada, &grace]))
        .unwrap()
        .service_config(leave_out().unwrap())
        .build(ChannelCredentials::insecure());
    let stub = HelloServiceStub::new(channel.unwrap());
    for _ in 0..10 {
        assert_eq!(greet(&stub).await.unwrap(), "Grace");
    }
    health.set(hello_service::NAME, ServingStatus::Serving);
    answered(&stub, 2).await;
}

#[tokio::test]
async fn a_name_is_resolved() {
    let server = start(greeter("Ada")).await;
    let port = server.addresses()[0].rsplit_once(':').unwrap().1.to_owned();
    let name = format!("dns:///localhost:{port}");
    let stub = HelloServiceStub::new(follow(&name).unwrap());
    assert_eq!(greet(&stub).await.unwrap(), "Ada");
}

#[tokio::test]
async fn a_call_is_attempted_again_and_its_error_tells_of_each_attempt() {
    let path = hello_service::SAY_HELLO.path();
    let answer = HelloResponse {
        reply: "Ada".to_owned(),
    };
    let busy = || Reply::status(Status::unavailable("busy"));
    let script = Script::new()
        .on(path, busy())
        .on(path, Reply::message(&answer))
        .on(path, busy());
    let server = start(script.server()).await;
    let stub = configured(&server, by_method().unwrap());
    assert_eq!(greet(&stub).await.unwrap(), "Ada");
    assert_eq!(script.calls().len(), 2);

    let status = greet(&stub).await.unwrap_err();
    // snippet: attempts
    for attempt in status.attempts() {
        let server = attempt.peer().unwrap_or("no server");
        println!("{server}: {}: {}", attempt.code(), attempt.message());
    }
    // end
    assert_eq!(status.attempts().len(), 3);
    let text = status.to_string();
    let began = "UNAVAILABLE: busy [attempt 1, 127.0.0.1:";
    assert!(text.starts_with(began), "{text}");
    assert!(text.contains("UNAVAILABLE: busy; attempt 3, "), "{text}");
}

#[tokio::test]
async fn a_config_may_be_a_text() {
    let server = start(greeter("Ada")).await;
    let stub = configured(&server, from_text(CONFIG).unwrap());
    assert_eq!(greet(&stub).await.unwrap(), "Ada");
    let wrong = CONFIG.replace("\"maxAttempts\": 3", "\"maxAttempts\": 1");
    output("wrong-config", &from_text(&wrong).unwrap_err().to_string());
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_no_hedged_call() {
    let path = hello_service::SAY_HELLO.path();
    let slow = Script::new().on(path, Reply::hang());
    let hanging = start(slow.server()).await;
    let ada = start(greeter("Ada")).await;
    let channel = Channel::builder(target(&[&hanging, &ada]))
        .unwrap()
        .service_config(hedged().unwrap())
        .build(ChannelCredentials::insecure());
    let stub = HelloServiceStub::new(channel.unwrap());
    let calls = async {
        while slow.calls().is_empty() {
            assert_eq!(greet(&stub).await.unwrap(), "Ada");
        }
    };
    timeout(BOUND, calls).await.unwrap();
}
