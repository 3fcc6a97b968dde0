//! Servers that register in etcd, and a client that finds them there.
//!
//! `etcd_resolver --etcd=127.0.0.1:2379 --service=SERVICE --register=ADDRESS` serves at
//! ADDRESS and has an entry in etcd until Ctrl-C or SIGTERM. Without `--register`, it makes
//! 50 calls by turns to the servers that etcd knows, and prints each server's share.

mod entry;
mod naming;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Context, RoundRobin, Server, ServerCredentials, Status,
};

use entry::Entry;
use naming::Naming;

grpc_runtime::include_proto!("example");

/// etcd's interface: `etcdserverpb` and `mvccpb`.
mod proto {
    include!(concat!(env!("OUT_DIR"), "/etcd.rs"));
}

/// How long etcd keeps the entry of a server that has stopped renewing it, in seconds.
const LEASE: i64 = 5;
const CALLS: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);
/// The timeout of a call, including the wait for a first server.
const TIMEOUT: Duration = Duration::from_secs(10);

type Anything = Result<(), Box<dyn std::error::Error>>;

/// Answers with its address.
struct Greeter(SocketAddr);

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = self.0.to_string();
        Ok(HelloResponse { reply })
    }
}

#[tokio::main]
async fn main() -> Anything {
    let (mut etcd, mut service, mut register) = (None, None, None);
    for argument in std::env::args().skip(1) {
        match argument.split_once('=') {
            Some(("--etcd", value)) => etcd = Some(value.to_owned()),
            Some(("--service", value)) => service = Some(value.to_owned()),
            Some(("--register", value)) => register = Some(value.to_owned()),
            _ => return Err(format!("'{argument}' is not known here").into()),
        }
    }
    let service = service.ok_or("--service=SERVICE is missing")?;
    let etcd = etcd.as_deref().unwrap_or("127.0.0.1:2379");
    // A watch is silent for as long as nothing changes: keepalive tells whether etcd is
    // there.
    let etcd = Channel::builder(etcd)?
        .keepalive_time(Duration::from_secs(30))
        .build(ChannelCredentials::insecure())?;
    match register {
        Some(address) => serve(&etcd, &service, &address).await,
        None => call(etcd, &service).await,
    }
}

async fn serve(etcd: &Channel, service: &str, address: &str) -> Anything {
    let stop = stop_signal()?;
    // It is bound first, since with port 0 the system chooses the port.
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter(address)))
        .listen_on(listener, ServerCredentials::insecure())
        .start()
        .await?;
    let entry = Entry::put(etcd, service, address, LEASE).await?;
    println!("registered {address}");

    stop.await;
    // Clients look elsewhere, and then the server ends.
    entry.remove().await?;
    server.shutdown(TIMEOUT).await;
    Ok(())
}

async fn call(etcd: Channel, service: &str) -> Anything {
    let channel = Channel::builder(format!("etcd:///{service}"))?
        .resolver(Naming(etcd))
        .balance(RoundRobin::new())
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);
    let mut shares = BTreeMap::<_, usize>::new();
    for _ in 0..CALLS {
        let call = stub.say_hello(HelloRequest::default());
        let answer = call.wait_for_ready().timeout(TIMEOUT).await?;
        *shares.entry(answer.reply).or_default() += 1;
        tokio::time::sleep(PAUSE).await;
    }
    let shares = shares
        .iter()
        .map(|(name, share)| format!("{name}: {share}"));
    println!("{}", shares.collect::<Vec<_>>().join(", "));
    Ok(())
}

/// Ready on Ctrl-C or SIGTERM. Signals are caught from the moment this returns.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready on Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
