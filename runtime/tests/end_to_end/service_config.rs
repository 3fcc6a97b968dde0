//! Service configs, given by builders and by resolvers: what calls are held to, and
//! policies that change at run time.

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use grpc_runtime::{
    Channel, ChannelBuilder, Code, ConnectivityState, Context, Endpoint, MethodConfig,
    OutgoingCall, PickFirst, Receiver, Resolution, RoundRobin, Sender, Server, ServiceConfig,
    ServiceConfigBuilder, Status,
};
use tokio::time::{sleep, timeout};

use crate::balancing::{BOUND, address, build, is_shared, list, load, serve, shares, told};
use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Says what it is told: after so many milliseconds, or as so many bytes.
struct Parrot;

impl EchoServicer for Parrot {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        sleep(Duration::from_millis(request.number.unsigned_abs())).await;
        Ok(request)
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(request).await
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        _context: &mut Context,
    ) -> Result<Echo, Status> {
        while requests.next().await?.is_some() {}
        Ok(Echo::default())
    }
}

pub(crate) async fn parrot() -> Server {
    let server = Server::builder().add_service(service(Parrot));
    server.listen("127.0.0.1:0").start().await.unwrap()
}

fn to(server: &Server) -> ChannelBuilder {
    Channel::builder(address(server).to_string()).unwrap()
}

fn all(config: MethodConfig) -> ServiceConfig {
    ServiceConfig::builder().all(config).build().unwrap()
}

fn held_to(server: &Server, config: MethodConfig) -> EchoStub {
    build(to(server).service_config(all(config))).1
}

fn built(builder: ServiceConfigBuilder) -> Result<ServiceConfig, Status> {
    Ok(builder.build()?)
}

pub(crate) const LONG: i64 = 60_000;
pub(crate) const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn the_shorter_time_counts() {
    let server = parrot().await;
    let stub = held_to(&server, MethodConfig::new().timeout(SHORT));
    let own = stub.unary(Echo::number(LONG)).timeout(BOUND);
    for call in [own, stub.unary(Echo::number(LONG))] {
        let begun = Instant::now();
        let status = timeout(BOUND, call.into_future()).await.unwrap();
        assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
        assert!(begun.elapsed() >= SHORT);
    }
    stub.unary(Echo::number(0)).timeout(BOUND).await.unwrap();

    let stub = held_to(&server, MethodConfig::new().timeout(BOUND * 9));
    let call = stub.unary(Echo::number(LONG)).timeout(SHORT);
    let ended = timeout(BOUND, call.into_future()).await.unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);

    let stub = held_to(&server, MethodConfig::new().timeout(Duration::ZERO));
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert!(status.message().contains("not begun"), "{status}");
}

#[tokio::test]
async fn the_lower_limit_counts() {
    let server = parrot().await;
    let small = MethodConfig::new().max_request_message_size(100);
    let stub = held_to(&server, small);
    let is_too_large = |status: Status| assert_eq!(status.code(), Code::ResourceExhausted);
    stub.unary(Echo::data(50)).await.unwrap();
    is_too_large(stub.unary(Echo::data(200)).await.unwrap_err());
    let higher = stub.unary(Echo::data(200)).max_send_message_size(1_000);
    is_too_large(higher.await.unwrap_err());
    let lower = stub.unary(Echo::data(50)).max_send_message_size(10);
    is_too_large(lower.await.unwrap_err());
    let mut stream = stub.collect().start();
    is_too_large(stream.send(Echo::data(200)).await.unwrap_err());

    let small = MethodConfig::new().max_response_message_size(100);
    let stub = held_to(&server, small);
    stub.unary(Echo::data(50)).await.unwrap();
    let higher = stub.unary(Echo::data(200)).max_receive_message_size(1_000);
    is_too_large(higher.await.unwrap_err());
    let mut stream = stub.expand(Echo::data(200)).start();
    is_too_large(stream.next().await.unwrap_err());
}

#[tokio::test]
async fn what_the_program_says_of_readiness_counts() {
    let gone = parrot().await;
    let target = address(&gone).to_string();
    gone.shutdown(Duration::ZERO).await;
    let channel = |config, says: Option<bool>| {
        let builder = Channel::builder(&target).unwrap();
        let builder = builder.service_config(all(MethodConfig::new().wait_for_ready(config)));
        let builder = builder.interceptor(move |call: &mut OutgoingCall| {
            if let Some(says) = says {
                call.set_wait_for_ready(says);
            }
            Ok(())
        });
        build(builder).1
    };
    for (config, says, waits) in [
        (true, None, true),
        (false, None, false),
        (true, Some(false), false),
        (false, Some(true), true),
    ] {
        let call = channel(config, says).unary(Echo::default());
        let status = call.timeout(SHORT * 4).await.unwrap_err();
        let expected = if waits {
            Code::DeadlineExceeded
        } else {
            Code::Unavailable
        };
        assert_eq!(status.code(), expected, "{config} {says:?}: {status}");
    }
    let call = channel(false, None).unary(Echo::default()).wait_for_ready();
    let status = call.timeout(SHORT).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

/// Where a resolver has yet to say what holds, its first word holds for those who wait.
#[tokio::test]
async fn calls_that_wait_for_the_resolver_are_held_to_its_config() {
    let server = parrot().await;
    let (teller, builder) = told();
    let (_channel, stub) = build(builder);
    let call = tokio::spawn(stub.unary(Echo::number(LONG)).into_future());
    let large = tokio::spawn(stub.unary(Echo::data(200)).into_future());
    sleep(SHORT).await;
    let config = MethodConfig::new()
        .timeout(SHORT * 4)
        .max_response_message_size(100);
    teller
        .send(list([&server]).service_config(Ok(all(config))))
        .unwrap();
    let ended = timeout(BOUND, call).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
    let ended = timeout(BOUND, large).await.unwrap().unwrap();
    assert_eq!(ended.unwrap_err().code(), Code::ResourceExhausted);
    // A config that is gone holds nobody.
    teller.send(list([&server])).unwrap();
    let free = async {
        while stub.unary(Echo::data(200)).await.is_err() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(BOUND, free).await.unwrap();
}

#[tokio::test]
async fn a_bad_config_fails_calls_until_a_good_one_comes_and_never_after() {
    let [a, b] = [serve("a").await, serve("b").await];
    let (teller, builder) = told();
    let default = all(MethodConfig::new().wait_for_ready(true));
    let (channel, stub) = build(builder.default_service_config(default));
    let bad = || {
        let config = ServiceConfig::builder().method("", "Get", MethodConfig::new());
        built(config)
    };
    let patient = stub.unary(Echo::default()).wait_for_ready().timeout(BOUND);
    let patient = tokio::spawn(patient.into_future());
    teller.send(list([&a]).service_config(bad())).unwrap();
    let status = timeout(BOUND, stub.unary(Echo::default()).into_future());
    let status = status.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text = "methodConfig[0].name[0]: the method 'Get' has no service";
    assert!(status.message().contains(text), "{status}");
    assert_eq!(channel.state(), ConnectivityState::TransientFailure);
    teller
        .send(list([&a]).service_config(built(ServiceConfig::builder())))
        .unwrap();
    assert_eq!(patient.await.unwrap().unwrap().text, "a");
    // The new servers are used all the same.
    teller.send(list([&b]).service_config(bad())).unwrap();
    let moved = async { while stub.unary(Echo::default()).await.unwrap().text != "b" {} };
    timeout(BOUND, moved).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_changes_under_load_fails_no_call() {
    let servers = [serve("a").await, serve("b").await, serve("c").await];
    let (teller, builder) = told();
    let (_channel, stub) = build(builder);
    let tell = |config: ServiceConfigBuilder| {
        let found = list(&servers).service_config(built(config));
        teller.send(found).unwrap();
    };
    tell(ServiceConfig::builder().balance(PickFirst::new()));
    assert_eq!(shares(&stub, 10).await.len(), 1);
    let load = load(&stub, 300);
    for _ in 0..15 {
        tell(ServiceConfig::builder().balance(RoundRobin::new()));
        sleep(Duration::from_millis(15)).await;
        tell(ServiceConfig::builder().balance(PickFirst::new().shuffled()));
        sleep(Duration::from_millis(15)).await;
    }
    for task in load {
        task.await.unwrap();
    }
    tell(ServiceConfig::builder().balance(RoundRobin::new()));
    is_shared(&stub, 3).await;
    // Servers that cannot be reached have the old policy go on until that is known.
    let dead = parrot().await;
    let nowhere = address(&dead);
    dead.shutdown(Duration::ZERO).await;
    let found = Resolution::new([Endpoint::new(nowhere)]);
    let config = ServiceConfig::builder().balance(PickFirst::new());
    teller.send(found.service_config(built(config))).unwrap();
    let failed = async { while stub.unary(Echo::default()).await.is_ok() {} };
    timeout(BOUND, failed).await.unwrap();
    tell(ServiceConfig::builder().balance(RoundRobin::new()));
    is_shared(&stub, 3).await;
}

#[cfg(feature = "service-config")]
#[tokio::test]
async fn a_config_in_json_spreads_calls() {
    let servers = [serve("a").await, serve("b").await];
    let addresses: Vec<_> = servers.iter().map(|it| address(it).to_string()).collect();
    let config = ServiceConfig::from_json(
        r#"{
            "loadBalancingConfig": [{"fastest": {}}, {"round_robin": {}}],
            "methodConfig": [{"name": [{"service": "test.Echo"}], "timeout": "0.05s"}]
        }"#,
    );
    let channel = Channel::builder(format!("ipv4:{}", addresses.join(","))).unwrap();
    let channel = channel.default_service_config(config.unwrap());
    let (_channel, stub) = build(channel);
    let call = stub.unary(Echo::number(LONG)).wait_for_ready();
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
    is_shared(&stub, 2).await;
}
