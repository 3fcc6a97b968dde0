//! Policies that look at how busy servers are, and at whose calls these are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use grpc_runtime::{
    Balance, Channel, ChannelCredentials, Context, LeastRequest, LoadReport, Server,
    ServerInterceptor, Status, WeightedRoundRobin,
};
use tokio::time::{sleep, timeout};

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Says who it is, after a while, and reports that it could do so many calls a second.
struct Busy {
    name: &'static str,
    takes: Duration,
    could_do: Option<f64>,
}

impl EchoServicer for Busy {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        if let Some(calls) = self.could_do {
            context.load().set_qps(calls / 2.0).set_cpu_utilization(0.5);
        }
        if request.number < 0 {
            return Err(Status::aborted("as it was asked"));
        }
        sleep(self.takes).await;
        Ok(Echo::text(self.name))
    }

    async fn expand(
        &self,
        _request: Echo,
        replies: &mut grpc_runtime::Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        replies.send(Echo::text(self.name)).await?;
        context.load().set_request_cost("rows", 13.0);
        Ok(())
    }
}

async fn serve(busy: Busy) -> Server {
    let server = Server::builder().add_service(service(busy));
    server.listen("127.0.0.1:0").start().await.unwrap()
}

fn address(server: &Server) -> SocketAddr {
    server.addresses()[0].parse().unwrap()
}

fn stub(servers: &[Server], balance: impl Balance) -> EchoStub {
    let addresses: Vec<_> = servers.iter().map(|it| address(it).to_string()).collect();
    let target = format!("ipv4:{}", addresses.join(","));
    let builder = Channel::builder(target).unwrap().balance(balance);
    EchoStub(builder.build(ChannelCredentials::insecure()).unwrap())
}

/// How often each server answered one of so many calls.
async fn shares(stub: &EchoStub, calls: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..calls {
        let call = stub.unary(Echo::default()).wait_for_ready().timeout(BOUND);
        *shares.entry(call.await.unwrap().text).or_default() += 1;
    }
    shares
}

#[tokio::test]
async fn a_server_that_can_do_a_third_has_a_third_of_the_calls_of_the_other() {
    let busy = |name, could_do| Busy {
        name,
        takes: Duration::ZERO,
        could_do: Some(could_do),
    };
    let servers = [
        serve(busy("fast", 300.0)).await,
        serve(busy("slow", 100.0)).await,
    ];
    let policy = WeightedRoundRobin::new()
        .blackout_period(Duration::ZERO)
        .weight_update_period(Duration::from_millis(100));
    let stub = stub(&servers, policy);
    // By turns at first, until both have reported.
    let weighted = async {
        while shares(&stub, 40).await.get("slow") != Some(&10) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(BOUND, weighted).await.unwrap();
    let expected = [("fast", 300), ("slow", 100)].map(|(name, calls)| (name.to_owned(), calls));
    assert_eq!(shares(&stub, 400).await, BTreeMap::from(expected));
}

#[tokio::test]
async fn servers_that_report_nothing_have_calls_by_turns() {
    let busy = |name| Busy {
        name,
        takes: Duration::ZERO,
        could_do: None,
    };
    let servers = [serve(busy("a")).await, serve(busy("b")).await];
    let stub = stub(&servers, WeightedRoundRobin::new());
    let both = async { while shares(&stub, 2).await.len() < 2 {} };
    timeout(BOUND, both).await.unwrap();
    let expected = [("a", 50), ("b", 50)].map(|(name, calls)| (name.to_owned(), calls));
    assert_eq!(shares(&stub, 100).await, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_has_fewer_calls_by_least_request() {
    let busy = |name, takes| Busy {
        name,
        takes: Duration::from_millis(takes),
        could_do: None,
    };
    let servers = [serve(busy("fast", 1)).await, serve(busy("slow", 40)).await];
    let stub = stub(&servers, LeastRequest::new().choice_count(4));
    let both = async { while shares(&stub, 4).await.len() < 2 {} };
    timeout(BOUND, both).await.unwrap();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let stub = stub.clone();
            tokio::spawn(async move { shares(&stub, 50).await })
        })
        .collect();
    let mut all = BTreeMap::<String, usize>::new();
    for caller in callers {
        for (name, calls) in caller.await.unwrap() {
            *all.entry(name).or_default() += calls;
        }
    }
    let slow = all.get("slow").copied().unwrap_or_default();
    assert!(slow * 2 < all["fast"], "{all:?}");
}

/// Adds to what the handler reports.
struct Adds;

impl ServerInterceptor for Adds {
    async fn intercept(
        &self,
        context: &mut Context,
        next: grpc_runtime::Next<'_>,
    ) -> grpc_runtime::Outcome {
        context.load().set_named_metric("before", 1.0);
        let outcome = next.run(context).await;
        context.load().set_named_metric("after", 2.0);
        outcome
    }
}

#[tokio::test]
async fn a_report_goes_with_the_end_of_a_call_however_that_is() {
    let busy = |could_do| Busy {
        name: "a",
        takes: Duration::ZERO,
        could_do,
    };
    let servers = [serve(busy(Some(300.0))).await];
    let to = stub(&servers, grpc_runtime::PickFirst::new());
    let response = to.unary(Echo::default()).response().await.unwrap();
    let report = LoadReport::from_metadata(&response.trailing_metadata).unwrap();
    assert_eq!((report.qps(), report.cpu_utilization()), (150.0, 0.5));
    // Of a call that fails too, and of one that streams.
    let status = to.unary(Echo::number(-1)).await.unwrap_err();
    assert_eq!(LoadReport::from_metadata(status.metadata()), Some(report));
    let mut replies = to.expand(Echo::default()).start();
    while replies.next().await.unwrap().is_some() {}
    let report = LoadReport::from_metadata(replies.trailing_metadata().unwrap()).unwrap();
    assert_eq!(report.request_costs().get("rows"), Some(&13.0));

    // A call that reports nothing carries nothing, whatever the one before it did.
    let quiet = [serve(busy(None)).await];
    let to = stub(&quiet, grpc_runtime::PickFirst::new());
    to.expand(Echo::default()).start().next().await.unwrap();
    for _ in 0..3 {
        let response = to.unary(Echo::default()).response().await.unwrap();
        assert!(response.trailing_metadata.is_empty());
    }

    let server = Server::builder().interceptor(Adds);
    let server = server.add_service(service(busy(Some(300.0))));
    let servers = [server.listen("127.0.0.1:0").start().await.unwrap()];
    let to = stub(&servers, grpc_runtime::PickFirst::new());
    let response = to.unary(Echo::default()).response().await.unwrap();
    let report = LoadReport::from_metadata(&response.trailing_metadata).unwrap();
    assert_eq!((report.qps(), report.named_metrics().len()), (150.0, 2));
}

#[cfg(feature = "ring-hash")]
#[tokio::test]
async fn a_key_keeps_its_server_until_that_leaves() {
    use grpc_runtime::RingHash;

    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        let takes = Duration::ZERO;
        servers.push(
            serve(Busy {
                name,
                takes,
                could_do: None,
            })
            .await,
        );
    }
    let stub = stub(
        &servers,
        RingHash::new().request_hash_header("x-user").unwrap(),
    );
    let of = async |user: usize| {
        let call = stub
            .unary(Echo::default())
            .metadata("x-user", &format!("user-{user}"));
        call.wait_for_ready().timeout(BOUND).await.unwrap().text
    };
    let mut homes = Vec::new();
    for user in 0..60 {
        homes.push(of(user).await);
    }
    for name in ["a", "b", "c"] {
        assert!(homes.iter().any(|home| home == name), "{homes:?}");
    }
    for (user, home) in homes.iter().enumerate() {
        assert_eq!(of(user).await, *home);
    }
    let gone = servers.remove(1);
    gone.shutdown(BOUND).await;
    for (user, home) in homes.iter().enumerate() {
        let now = of(user).await;
        assert!(now == *home || home == "b", "{user}: {home} and {now}");
        assert_ne!(now, "b");
    }
}
