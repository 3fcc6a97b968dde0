//! The example's resolver over etcd: servers that come and go, and an etcd that does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use grpc_runtime::{
    Address, ByteStream, Channel, ChannelCredentials, ClientInterceptor, Code, Connector, Context,
    OutgoingCall, RoundRobin, Server, Status,
};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::entry::Entry;
use crate::naming::Naming;
use crate::proto::etcdserverpb::{CompactionRequest, DeleteRangeRequest, KvStub};
use crate::server::{BOUND, Etcd};
use crate::store::put;

mod hello {
    grpc_runtime::include_proto!("example");
}
use hello::{HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer};

/// A pause between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// Answers with its name.
struct Named(&'static str);

impl HelloServiceServicer for Named {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = self.0.to_owned();
        Ok(HelloResponse { reply })
    }
}

async fn serve(name: &'static str) -> (Server, SocketAddr) {
    let server = Server::builder().add_service(HelloServiceServer::new(Named(name)));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let address = server.addresses()[0].parse().unwrap();
    (server, address)
}

/// Counts the connections that are made to each address.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<BTreeMap<String, usize>>>);

impl Counting {
    fn of(&self, address: SocketAddr) -> usize {
        let made = self.0.lock().unwrap();
        made.get(&address.to_string()).copied().unwrap_or_default()
    }
}

impl Connector for Counting {
    async fn connect(&self, address: &Address) -> std::io::Result<ByteStream> {
        let address = address.to_string();
        *self.0.lock().unwrap().entry(address.clone()).or_default() += 1;
        Ok(TcpStream::connect(address).await?.into())
    }
}

#[derive(Clone)]
struct Client {
    stub: hello::HelloServiceStub,
    connections: Counting,
}

impl Client {
    fn new(etcd: Channel) -> Self {
        let connections = Counting::default();
        let channel = Channel::builder("etcd:///shop")
            .unwrap()
            .resolver(Naming(etcd))
            .balance(RoundRobin::new())
            .connector(connections.clone())
            .build(ChannelCredentials::insecure())
            .unwrap();
        let stub = hello::HelloServiceStub::new(channel);
        Self { stub, connections }
    }

    async fn call(&self) -> Result<String, Status> {
        let call = self.stub.say_hello(HelloRequest::default()).timeout(BOUND);
        Ok(call.await?.reply)
    }

    /// Calls until those and no others answer, each of them. No call may fail.
    async fn until(&self, names: &[&str]) {
        let expected: BTreeSet<_> = names.iter().map(|&name| name.to_owned()).collect();
        let answered = async {
            loop {
                let mut seen = BTreeSet::new();
                for _ in 0..2 * names.len() {
                    let call = self.stub.say_hello(HelloRequest::default());
                    let call = call.wait_for_ready().timeout(BOUND);
                    seen.insert(call.await.unwrap().reply);
                }
                if seen == expected {
                    break;
                }
                sleep(PAUSE).await;
            }
        };
        let answered = timeout(BOUND, answered).await;
        answered.unwrap_or_else(|_| panic!("others than {names:?} answer"));
    }

    /// Calls until a call fails.
    async fn until_failed(&self) -> Status {
        let failed = async {
            loop {
                match self.call().await {
                    Ok(_) => sleep(PAUSE).await,
                    Err(status) => return status,
                }
            }
        };
        timeout(BOUND, failed).await.expect("calls go on")
    }
}

/// Calls, four at a time, until it is stopped. A call that fails is a failed test.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start(client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..4).map(|_| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(Ordering::Relaxed) {
                    client.call().await.unwrap();
                    calls += 1;
                    sleep(Duration::from_millis(1)).await;
                }
                calls
            })
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            assert!(task.await.unwrap() > 0);
        }
    }
}

/// The keys of the service, by name.
struct Keys(KvStub);

impl Keys {
    fn of(etcd: &Etcd) -> Self {
        Self(KvStub::new(etcd.channel()))
    }

    async fn value(&self, name: &str, value: &str) -> i64 {
        let put = put(&format!("shop/{name}"), value);
        let done = self.0.put(put).wait_for_ready().timeout(BOUND);
        done.await.unwrap().header.unwrap().revision
    }

    /// As etcd's own package writes it.
    async fn put(&self, name: &str, address: SocketAddr) -> i64 {
        let value = format!(r#"{{"Op":0,"Addr":"{address}","Metadata":null}}"#);
        self.value(name, &value).await
    }

    async fn delete(&self, name: &str) {
        let delete = DeleteRangeRequest {
            key: format!("shop/{name}").into(),
            ..DeleteRangeRequest::default()
        };
        let deleted = self.0.delete_range(delete).wait_for_ready().timeout(BOUND);
        assert_eq!(deleted.await.unwrap().deleted, 1);
    }

    /// Makes etcd forget all that was before this revision.
    async fn compact(&self, revision: i64) {
        let compaction = CompactionRequest {
            revision,
            physical: true,
        };
        let compacted = self.0.compact(compaction).timeout(BOUND);
        compacted.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn servers_come_and_go_with_their_keys_and_no_call_fails() {
    let etcd = Etcd::start("resolver-keys");
    let keys = Keys::of(&etcd);
    let [(_a, a), (_b, b), (_c, c)] = [serve("a").await, serve("b").await, serve("c").await];
    keys.put("a", a).await;
    // Another service's keys, with the same beginning, are no servers of this one.
    let other = put("shopping/b", &format!(r#"{{"Addr":"{b}"}}"#));
    keys.0.put(other).timeout(BOUND).await.unwrap();
    let client = Client::new(etcd.channel());
    client.until(&["a"]).await;
    let load = Load::start(&client);
    for _ in 0..5 {
        keys.put("b", b).await;
        client.until(&["a", "b"]).await;
        keys.put("c", c).await;
        keys.delete("b").await;
        client.until(&["a", "c"]).await;
        // The same server under two keys is one server, until both are gone.
        keys.put("c2", c).await;
        keys.delete("c").await;
        keys.put("b", b).await;
        client.until(&["a", "b", "c"]).await;
        keys.delete("c2").await;
        client.until(&["a", "b"]).await;
        // A value that is none takes the server away, as if the key were gone.
        keys.value("b", "no JSON").await;
        keys.value("d", r#"{"Op":0,"Addr":"","Metadata":null}"#)
            .await;
        client.until(&["a"]).await;
    }
    load.stop().await;
    assert_eq!(client.connections.of(a), 1);
    assert!(client.connections.of(b) > 1, "b has left and come back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn what_changed_while_etcd_was_away_is_followed_and_no_call_fails() {
    let mut etcd = Etcd::start("resolver-restart");
    let keys = Keys::of(&etcd);
    let [(_a, a), (_b, b), (_c, c)] = [serve("a").await, serve("b").await, serve("c").await];
    keys.put("a", a).await;
    keys.put("b", b).await;
    let client = Client::new(etcd.channel());
    client.until(&["a", "b"]).await;
    let load = Load::start(&client);
    etcd.stop();
    // What is known goes on without etcd.
    client.until(&["a", "b"]).await;
    etcd.resume();
    keys.delete("b").await;
    let revision = keys.put("c", c).await;
    keys.compact(revision).await;
    client.until(&["a", "c"]).await;
    // And it is followed on.
    keys.put("b", b).await;
    client.until(&["a", "b", "c"]).await;
    load.stop().await;
    assert_eq!(client.connections.of(a), 1);
}

/// Holds the first watch back, until it is let go.
struct Gate {
    watches: Arc<AtomicUsize>,
    go: Arc<Semaphore>,
}

impl ClientInterceptor for Gate {
    async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
        let is_watch = call.method().path() == "/etcdserverpb.Watch/Watch";
        if is_watch && self.watches.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = self.go.acquire().await;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_watch_of_a_compacted_revision_is_made_anew_from_a_new_list() {
    let etcd = Etcd::start("resolver-compaction");
    let keys = Keys::of(&etcd);
    let [(_a, a), (_b, b)] = [serve("a").await, serve("b").await];
    keys.put("a", a).await;
    let (watches, go) = (Arc::default(), Arc::new(Semaphore::new(0)));
    let gate = Gate {
        watches: Arc::clone(&watches),
        go: Arc::clone(&go),
    };
    let client = Client::new(etcd.channel().with_interceptor(gate));
    // It has listed, and what its watch would tell of is gone when it begins.
    client.until(&["a"]).await;
    let load = Load::start(&client);
    keys.put("b", b).await;
    let revision = keys.value("noise", "").await;
    keys.compact(revision).await;
    go.add_permits(1);
    client.until(&["a", "b"]).await;
    assert_eq!(watches.load(Ordering::SeqCst), 2);
    keys.delete("b").await;
    client.until(&["a"]).await;
    load.stop().await;
    assert_eq!(client.connections.of(a), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn without_a_key_calls_fail_or_wait_until_there_is_one() {
    let etcd = Etcd::start("resolver-empty");
    let keys = Keys::of(&etcd);
    let (_a, a) = serve("a").await;
    let client = Client::new(etcd.channel());
    for _ in 0..2 {
        let status = client.until_failed().await;
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let waits = client.stub.say_hello(HelloRequest::default());
        let waits = waits.wait_for_ready().timeout(BOUND);
        let waits = tokio::spawn(waits.into_future());
        keys.put("a", a).await;
        assert_eq!(waits.await.unwrap().unwrap().reply, "a");
        client.until(&["a"]).await;
        keys.delete("a").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn an_etcd_that_is_away_fails_calls_until_it_is_there() {
    let mut etcd = Etcd::start("resolver-away");
    let keys = Keys::of(&etcd);
    let (_a, a) = serve("a").await;
    keys.put("a", a).await;
    etcd.stop();
    let client = Client::new(etcd.channel());
    let status = client.until_failed().await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let address = etcd.address().to_string();
    assert!(status.message().contains(&address), "{status}");
    etcd.resume();
    client.until(&["a"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd"]
async fn a_lease_that_ends_takes_its_server_along() {
    const SECONDS: i64 = 2;
    let etcd = Etcd::start("resolver-lease");
    let [(_a, a), (_b, b)] = [serve("a").await, serve("b").await];
    let channel = etcd.channel();
    let entry = |address| Entry::put(&channel, "shop", address, SECONDS);
    let stays = entry(a).await.unwrap();
    let goes = entry(b).await.unwrap();
    let client = Client::new(channel.clone());
    client.until(&["a", "b"]).await;
    // Both live for longer than their leases would by themselves.
    sleep(2 * Duration::from_secs(SECONDS.unsigned_abs())).await;
    client.until(&["a", "b"]).await;
    assert_eq!((client.connections.of(a), client.connections.of(b)), (1, 1));
    // Nobody keeps this lease any more, as if its server had died.
    drop(goes);
    client.until(&["a"]).await;
    assert_eq!(client.connections.of(a), 1);
    stays.remove().await.unwrap();
    let status = client.until_failed().await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

/// The example's own program, which ends with its value.
struct Program(Child);

impl Program {
    fn start(etcd: &Etcd, more: &[&str]) -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "-p", "examples"]);
        cargo.args(["--bin", "etcd_resolver", "--message-format=json"]);
        let built = cargo.stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success());
        let built = String::from_utf8(built.stdout).unwrap();
        let mut programs = built.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["executable"].as_str().map(str::to_owned)
        });
        let mut program = Command::new(programs.next_back().unwrap());
        let etcd = format!("--etcd={}", etcd.address());
        let program = program.args([&etcd, "--service=shop"]).args(more);
        Self(program.stdout(Stdio::piped()).spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.0.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs etcd"]
fn the_program_registers_and_shares_its_calls() {
    let etcd = Etcd::start("resolver-program");
    let mut servers = [0; 2].map(|_| Program::start(&etcd, &["--register=127.0.0.1:0"]));
    let addresses = servers.each_mut().map(|server| {
        let line = server.line();
        line.strip_prefix("registered ").unwrap().to_owned()
    });
    let expected: BTreeSet<_> = addresses.iter().cloned().collect();
    let end = Instant::now() + BOUND;
    loop {
        let shares = shares(&etcd);
        assert_eq!(shares.values().sum::<usize>(), 50);
        // A connection that is slow to be made has no share.
        if shares.keys().cloned().collect::<BTreeSet<_>>() == expected {
            break;
        }
        assert!(Instant::now() < end, "{shares:?}, not {expected:?}");
    }

    if cfg!(unix) {
        let [stops, _] = &mut servers;
        let id = stops.0.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(kill.success());
        assert!(stops.0.wait().unwrap().success());
        let expected = BTreeMap::from([(addresses[1].clone(), 50)]);
        assert_eq!(shares(&etcd), expected);
    }
}

/// What the program prints that calls: how many calls each server answered.
fn shares(etcd: &Etcd) -> BTreeMap<String, usize> {
    let mut client = Program::start(etcd, &[]);
    let line = client.line();
    assert!(client.0.wait().unwrap().success());
    let shares = line.split(", ").map(|share| {
        let (address, share) = share.rsplit_once(": ").unwrap();
        (address.to_owned(), share.parse().unwrap())
    });
    shares.collect()
}
