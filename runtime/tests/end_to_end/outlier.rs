//! A server that fails its calls is left out, and comes back once it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Context, FailurePercentageEjection, OutlierDetection, RoundRobin,
    Server, Status, SuccessRateEjection,
};
use tokio::time::{sleep, timeout};

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(30);

/// Says who it is, but for each second call while it is ill.
struct Ill {
    name: &'static str,
    fails: Arc<AtomicBool>,
    calls: AtomicUsize,
}

impl EchoServicer for Ill {
    async fn unary(&self, _request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.fails.load(Ordering::Relaxed) && calls.is_multiple_of(2) {
            return Err(Status::unavailable(self.name));
        }
        Ok(Echo::text(self.name))
    }
}

/// How often each server had one of so many calls.
async fn shares(stub: &EchoStub, calls: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..calls {
        let call = stub.unary(Echo::default()).wait_for_ready().timeout(BOUND);
        let name = match call.await {
            Ok(reply) => reply.text,
            Err(status) => status.message().to_owned(),
        };
        *shares.entry(name).or_default() += 1;
    }
    shares
}

async fn leaves_and_comes_back(by: impl Fn(OutlierDetection) -> OutlierDetection) {
    let is_ill = Arc::new(AtomicBool::new(true));
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        let fails = if name == "b" {
            Arc::clone(&is_ill)
        } else {
            Arc::default()
        };
        let calls = AtomicUsize::new(0);
        let server = Server::builder().add_service(service(Ill { name, fails, calls }));
        servers.push(server.listen("127.0.0.1:0").start().await.unwrap());
    }
    let addresses = servers.iter().map(|server| server.addresses()[0].as_str());
    let target = format!("ipv4:{}", addresses.collect::<Vec<_>>().join(","));
    let detection = OutlierDetection::new(RoundRobin::new())
        .interval(Duration::from_millis(100))
        .base_ejection_time(Duration::from_millis(200))
        .max_ejection_time(Duration::from_millis(400));
    let channel = Channel::builder(target).unwrap().balance(by(detection));
    let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());

    let is_known = async { while shares(&stub, 6).await.len() < 3 {} };
    timeout(BOUND, is_known).await.unwrap();
    let is_left_out = async { while shares(&stub, 30).await.contains_key("b") {} };
    timeout(BOUND, is_left_out).await.unwrap();
    is_ill.store(false, Ordering::Relaxed);
    // It is back, and stays.
    let is_back = async {
        let mut rounds = 0;
        while rounds < 10 {
            let all = shares(&stub, 30).await;
            rounds = if all.len() == 3 { rounds + 1 } else { 0 };
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(BOUND, is_back).await.unwrap();
}

#[tokio::test]
async fn by_its_failures() {
    let by = FailurePercentageEjection::new()
        .threshold(30)
        .minimum_hosts(3)
        .request_volume(5);
    leaves_and_comes_back(|detection| detection.failure_percentage(by)).await;
}

#[tokio::test]
async fn by_its_success_beside_that_of_others() {
    let by = SuccessRateEjection::new()
        .stdev_factor(1_000)
        .minimum_hosts(3)
        .request_volume(5);
    leaves_and_comes_back(|detection| detection.success_rate(by)).await;
}
