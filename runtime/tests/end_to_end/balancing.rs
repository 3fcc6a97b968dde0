//! Channels over several servers: resolvers and policies that change what they say
//! under load, and what is left of them when nobody needs them any more.

use std::collections::BTreeMap;
use std::future::{IntoFuture, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Address, Balance, ByteStream, Channel, ChannelBuilder, ChannelCredentials, Code,
    ConnectivityState, Connector, Context, Control, Endpoint, Pick, PickArgs, Picker, Picks,
    Policy, Resolution, Resolved, Resolver, RoundRobin, Server, Status, Subchannel,
    SubchannelState, Target, Updates,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Says who it is.
pub(crate) struct Named(String);

impl EchoServicer for Named {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        sleep(Duration::from_millis(request.number.unsigned_abs())).await;
        Ok(Echo::text(&self.0))
    }
}

pub(crate) async fn serve(name: &str) -> Server {
    let server = Server::builder().add_service(service(Named(name.to_owned())));
    server.listen("127.0.0.1:0").start().await.unwrap()
}

pub(crate) fn address(server: &Server) -> SocketAddr {
    server.addresses()[0].parse().unwrap()
}

/// Gives what a test says: lists of addresses, or failures.
struct Told(Mutex<Option<UnboundedReceiver<Resolution>>>);

impl Resolver for Told {
    fn scheme(&self) -> &'static str {
        "told"
    }

    async fn resolve(&self, target: &Target, mut updates: Updates) {
        assert_eq!(target.path(), "fleet");
        let Some(mut told) = self.0.lock().unwrap().take() else {
            return pending().await;
        };
        while let Some(resolution) = told.recv().await {
            // Tests see in calls what the policy says of it.
            let _ = updates.send(resolution).await;
        }
        pending::<()>().await;
    }
}

pub(crate) type Teller = UnboundedSender<Resolution>;

pub(crate) fn told() -> (Teller, ChannelBuilder) {
    let (teller, told) = unbounded_channel();
    let builder = Channel::builder("told:///fleet").unwrap();
    (teller, builder.resolver(Told(Mutex::new(Some(told)))))
}

pub(crate) fn list<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Resolution {
    let servers = servers.into_iter();
    Resolution::new(servers.map(|server| Endpoint::new(address(server))))
}

pub(crate) fn build(builder: ChannelBuilder) -> (Channel, EchoStub) {
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (channel.clone(), EchoStub(channel))
}

/// How often each server answered one of so many calls.
pub(crate) async fn shares(stub: &EchoStub, calls: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..calls {
        let call = stub.unary(Echo::default()).wait_for_ready().timeout(BOUND);
        *shares.entry(call.await.unwrap().text).or_default() += 1;
    }
    shares
}

pub(crate) async fn is_shared(stub: &EchoStub, among: usize) {
    let shared = async { while shares(stub, among).await.len() < among {} };
    timeout(BOUND, shared).await.unwrap();
}

/// Eight callers of so many calls each, of which none may fail.
pub(crate) fn load(stub: &EchoStub, calls: i64) -> Vec<tokio::task::JoinHandle<()>> {
    let caller = |_| {
        let stub = stub.clone();
        tokio::spawn(async move {
            for number in 0..calls {
                let call = stub.unary(Echo::number(number % 5)).timeout(BOUND);
                call.await.unwrap();
            }
        })
    };
    (0..8).map(caller).collect()
}

#[tokio::test]
async fn calls_go_round_all_servers_evenly() {
    let servers = [serve("a").await, serve("b").await, serve("c").await];
    let addresses: Vec<_> = servers.iter().map(|it| address(it).to_string()).collect();
    let target = format!("ipv4:{}", addresses.join(","));
    let builder = Channel::builder(target).unwrap();
    let (channel, stub) = build(builder.balance(RoundRobin::new()));
    is_shared(&stub, 3).await;
    let expected = ["a", "b", "c"].map(|name| (name.to_owned(), 100));
    assert_eq!(shares(&stub, 300).await, BTreeMap::from(expected));
    assert_eq!(channel.state(), ConnectivityState::Ready);
}

/// Counts the connections that are made to each address.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<BTreeMap<String, usize>>>);

impl Connector for Counting {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        *self
            .0
            .lock()
            .unwrap()
            .entry(address.to_string())
            .or_default() += 1;
        Ok(TcpStream::connect(address.to_string()).await?.into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_come_and_go_fail_no_call_and_touch_no_other_connection() {
    let servers = [serve("a").await, serve("b").await, serve("c").await];
    let (teller, builder) = told();
    let counting = Counting::default();
    let builder = builder.balance(RoundRobin::new());
    let (_channel, stub) = build(builder.connector(counting.clone()));
    teller.send(list(&servers)).unwrap();
    let load = load(&stub, 200);
    for turn in 0..20 {
        // The first stays; of the others one leaves, or comes back.
        let [a, b, c] = &servers;
        let now = [vec![a, b], vec![c, a], vec![a], vec![a, c, b]];
        teller
            .send(list(now[turn % now.len()].iter().copied()))
            .unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    for task in load {
        task.await.unwrap();
    }
    let made = counting.0.lock().unwrap().clone();
    assert_eq!(made[&address(&servers[0]).to_string()], 1, "{made:?}");
    assert!(made[&address(&servers[1]).to_string()] > 1, "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn servers_that_shut_down_in_order_fail_no_call() {
    for is_told_of_leaving in [true, false] {
        let mut servers = vec![serve("a").await, serve("b").await];
        let mut known: Vec<_> = servers.iter().map(address).collect();
        let (teller, builder) = told();
        let (_channel, stub) = build(builder.balance(RoundRobin::new()));
        let tell = |known: &[SocketAddr]| {
            let known = known.iter().copied().map(Endpoint::new);
            teller.send(Resolution::new(known)).unwrap();
        };
        tell(&known);
        is_shared(&stub, 2).await;
        let load = load(&stub, 100);
        for name in ["c", "d", "e"] {
            let joins = serve(name).await;
            known.push(address(&joins));
            servers.push(joins);
            let leaving = servers.remove(0);
            if is_told_of_leaving {
                known.retain(|it| *it != address(&leaving));
            }
            tell(&known);
            let report = leaving.shutdown(BOUND).await;
            assert_eq!(report.calls_cut, 0);
        }
        for task in load {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_failed_resolution_fails_calls_until_there_is_a_list_and_changes_nothing_after() {
    for balances in [false, true] {
        let server = serve("a").await;
        let (teller, builder) = told();
        let (channel, stub) = build(if balances {
            builder.balance(RoundRobin::new())
        } else {
            builder
        });
        let patient = stub.unary(Echo::default()).wait_for_ready().timeout(BOUND);
        let patient = tokio::spawn(patient.into_future());
        let impatient = tokio::spawn(stub.unary(Echo::default()).into_future());
        let failed = || Resolution::failed(Status::unavailable("no keeper at home"));
        teller.send(failed()).unwrap();
        let status = timeout(BOUND, impatient)
            .await
            .unwrap()
            .unwrap()
            .unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("no keeper at home"), "{status}");
        assert_eq!(channel.state(), ConnectivityState::TransientFailure);
        // A keeper's own verdict must not look like the server's.
        teller
            .send(Resolution::failed(Status::not_found("who?")))
            .unwrap();
        let illegal = async {
            loop {
                let status = stub.unary(Echo::default()).await.unwrap_err();
                if status.code() == Code::Internal {
                    return status;
                }
            }
        };
        let status = timeout(BOUND, illegal).await.unwrap();
        assert!(status.message().contains("NOT_FOUND"), "{status}");

        teller.send(list([&server])).unwrap();
        assert_eq!(patient.await.unwrap().unwrap().text, "a");
        teller.send(failed()).unwrap();
        teller.send(list([])).unwrap();
        teller.send(list([&server])).unwrap();
        assert_eq!(shares(&stub, 10).await.len(), 1);
    }
}

#[tokio::test]
async fn a_target_without_a_resolver_is_refused_where_the_channel_is_built() {
    let builder = Channel::builder("zoo:///cats").unwrap();
    let error = builder.build(ChannelCredentials::insecure()).unwrap_err();
    assert!(
        error.to_string().contains("ChannelBuilder::resolver"),
        "{error}"
    );
}

/// The tasks of a runtime end once nobody holds the channel and its calls are over.
async fn ends(begin: impl Fn(ChannelBuilder) -> ChannelBuilder, tell: Option<Resolution>) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    for waits in [false, true] {
        let (teller, builder) = told();
        let (channel, stub) = build(begin(builder));
        teller
            .send(tell.clone().unwrap_or_else(|| list([])))
            .unwrap();
        if tell.is_none() {
            drop(teller);
        }
        channel.connect().unwrap();
        let call = stub
            .unary(Echo::number(5))
            .timeout(Duration::from_millis(50));
        let call = if waits { call.wait_for_ready() } else { call };
        let call = tokio::spawn(call.into_future());
        let mut states = channel.watch_state();
        drop((channel, stub));
        let _ = timeout(BOUND, call).await.unwrap();
        let gone = async {
            while metrics.num_alive_tasks() > before {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(BOUND, gone).await.unwrap();
        assert!(states.wait_for(ConnectivityState::Shutdown).await);
    }
}

#[tokio::test]
async fn a_channel_that_nobody_needs_leaves_no_task_whatever_its_policy() {
    let nobody: SocketAddr = crate::addresses::nobody().parse().unwrap();
    let dead = Resolution::new([Endpoint::new(nobody)]);
    let round_robin = |builder: ChannelBuilder| builder.balance(RoundRobin::new());
    for tell in [None, Some(dead)] {
        ends(|builder| builder, tell.clone()).await;
        ends(round_robin, tell).await;
    }
    let server = serve("a").await;
    let alive = || Some(list([&server]));
    ends(|builder| builder, alive()).await;
    ends(round_robin, alive()).await;
}

/// A policy whose picker panics where a call has this in its metadata: `x-panic`.
struct Nervous;

impl Balance for Nervous {
    fn name(&self) -> &'static str {
        "nervous"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Self)
    }
}

impl Policy for Nervous {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        for endpoint in resolved.endpoints {
            control.subchannel(endpoint).connect();
        }
        Ok(())
    }

    fn resolution_failed(&mut self, _status: Status, _control: &mut Control<'_>) {}

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        if state.is_ready() {
            let picks = Picks::by(Panics(subchannel.clone()));
            control.publish(ConnectivityState::Ready, picks);
        }
    }

    fn connect(&mut self, _control: &mut Control<'_>) {}
}

struct Panics(Subchannel);

impl Picker for Panics {
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_> {
        let panics = args.metadata().get("x-panic").is_some();
        assert!(!panics, "this panic is part of a test");
        Pick::Use(&self.0, None)
    }
}

#[tokio::test]
async fn a_picker_that_panics_fails_the_call_that_it_was_asked_about() {
    let server = serve("a").await;
    let (teller, builder) = told();
    let (_channel, stub) = build(builder.balance(Nervous));
    let panics = || {
        stub.unary(Echo::default())
            .metadata("x-panic", "1")
            .timeout(BOUND)
    };
    let waiting = tokio::spawn(panics().into_future());
    teller.send(list([&server])).unwrap();
    // The first waited for the picker, the second finds it there.
    for call in [waiting, tokio::spawn(panics().into_future())] {
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("picker panicked"), "{status}");
        assert_eq!(shares(&stub, 3).await.len(), 1);
    }
}
