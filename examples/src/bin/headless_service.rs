//! A headless service of Kubernetes: its name has the address of each pod that is ready,
//! and a client spreads its calls over them while pods come and go.
//!
//! In the pods, `headless_service --serve=0.0.0.0:50051` answers with `HOSTNAME`, which is
//! the pod's name there. In a client,
//! `headless_service --target=dns:///greeter.default.svc.cluster.local:50051`
//! calls without an end, and prints
//! each second how often each pod answered; with `--seconds=N` it ends after N seconds.
//! `clusterIP: None` makes the service headless: any other service has one address, and a
//! connection to it stays with one pod as long as it lasts.

use std::collections::BTreeMap;
use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Context, RoundRobin, Server, Status};
use tokio::time::{Instant, sleep};

grpc_runtime::include_proto!("example");

/// How old an answer of the name server may become. A pod that is new gets its first
/// call after so long, and as long as the cluster's name server keeps an answer itself.
const AGE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
/// The timeout of a call, including the wait for a first pod.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Answers with the pod's name.
struct Greeter(String);

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = self.0.clone();
        Ok(HelloResponse { reply })
    }
}

async fn serve(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let pod = std::env::var("HOSTNAME").unwrap_or_else(|_| address.to_owned());
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter(pod)))
        .listen(address)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}

async fn call(target: &str, seconds: u64) -> Result<(), Box<dyn std::error::Error>> {
    let channel = Channel::builder(target)?
        .balance(RoundRobin::new())
        .max_resolution_age(AGE)
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);
    for _ in 0..seconds {
        let end = Instant::now() + Duration::from_secs(1);
        let mut shares = BTreeMap::<_, usize>::new();
        while Instant::now() < end {
            let call = stub.say_hello(HelloRequest::default());
            let answer = call.wait_for_ready().timeout(TIMEOUT).await?;
            *shares.entry(answer.reply).or_default() += 1;
            sleep(PAUSE).await;
        }
        let shares = shares.iter().map(|(pod, share)| format!("{pod}: {share}"));
        println!("{}", shares.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut address, mut target, mut seconds) = (None, None, u64::MAX);
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("--serve", value)) => address = Some(value.to_owned()),
            Some(("--target", value)) => target = Some(value.to_owned()),
            Some(("--seconds", value)) => seconds = value.parse()?,
            _ => return Err(format!("'{argument}' is not known here").into()),
        }
    }
    match (address, target) {
        (Some(address), None) => serve(&address).await,
        (None, Some(target)) => call(&target, seconds).await,
        _ => Err("one of --serve=ADDRESS and --target=TARGET is needed".into()),
    }
}
