//! Resolvers, policies and connectors that do little, too much or the wrong thing, and
//! what a channel makes of it.

use std::future::{IntoFuture, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use grpc_runtime::{
    Address, Balance, ByteStream, Channel, ChannelCredentials, ConnectivityState, Connector,
    Endpoint, PickFirst, Policy, Resolution, Resolver, RoundRobin, Target, Updates,
};
use tokio::time::timeout;

use crate::support::{Echo, EchoStub};

struct Silent;

impl Resolver for Silent {
    fn scheme(&self) -> &'static str {
        "silent"
    }
    async fn resolve(&self, _target: &Target, _updates: Updates) {}
}

fn single_threaded() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn off_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = tx.send(f());
    });
    rx.recv_timeout(Duration::from_secs(8)).ok()
}

/// A resolver that ends (or panics) before its first word.
#[tokio::test]
async fn a_resolver_that_ends_without_a_word_fails_calls() {
    let channel = Channel::builder("silent:///x").unwrap().resolver(Silent);
    let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());
    let call = stub.unary(Echo::default()).into_future();
    let ended = timeout(Duration::from_secs(3), call).await;
    assert!(ended.is_ok(), "the call hangs");
}

/// Abstract sockets connect by a call that blocks.
#[cfg(target_os = "linux")]
#[test]
fn an_abstract_socket_with_a_full_backlog_blocks_nobody() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    let name = format!("grpc-backlog-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let filler = std::thread::spawn(move || {
        let mut all = Vec::new();
        loop {
            match UnixStream::connect_addr(&address) {
                Ok(stream) => all.push(stream),
                Err(_) => return all,
            }
        }
    });
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!filler.is_finished(), "the backlog is full and it blocks");
    let ended = off_thread(move || {
        single_threaded().block_on(async {
            let channel = Channel::insecure(format!("unix-abstract:{name}")).unwrap();
            let stub = EchoStub(channel);
            let call = stub.unary(Echo::default()).timeout(Duration::from_secs(1));
            call.await.unwrap_err()
        })
    });
    drop(listener);
    assert!(ended.is_some(), "the runtime's thread is blocked");
}

struct Never;

impl Connector for Never {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        std::future::pending().await
    }
}

/// CONNECTING on a runtime that nobody drives.
#[test]
fn connect_moves_off_a_runtime_that_rests() {
    struct SecondTime(AtomicUsize);
    impl Connector for SecondTime {
        async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
            if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Err(io::Error::other("second"))
        }
    }
    let builder = Channel::builder("passthrough:///x").unwrap();
    let channel = builder
        .connector(SecondTime(AtomicUsize::new(0)))
        .build(ChannelCredentials::insecure())
        .unwrap();
    let first = single_threaded();
    first.block_on(async {
        channel.connect().unwrap();
        channel
            .watch_state()
            .wait_for(ConnectivityState::Connecting)
            .await;
    });
    let other = single_threaded();
    let moved = other.block_on(async {
        channel.connect().unwrap();
        let mut states = channel.watch_state();
        let failed = states.wait_for(ConnectivityState::TransientFailure);
        timeout(Duration::from_secs(3), failed).await
    });
    assert!(moved.is_ok(), "state stays {}", channel.state());
}

/// The deadline of a call whose runtime rests.
#[test]
fn a_deadline_is_kept_where_the_first_runtime_rests() {
    let builder = Channel::builder("passthrough:///x").unwrap();
    let channel = builder
        .connector(Never)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = EchoStub(channel);
    let first = single_threaded();
    let call = stub
        .unary(Echo::default())
        .timeout(Duration::from_millis(300));
    let mut call = Box::pin(call.into_future());
    first.block_on(async {
        poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    });
    let other = single_threaded();
    let ended = other.block_on(async { timeout(Duration::from_secs(3), call).await });
    assert!(ended.is_ok(), "the deadline is not kept");
}

struct Faulty;

impl Balance for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn policy(&self) -> Box<dyn Policy> {
        panic!("this panic is part of a test");
    }
}

/// A factory of policies that panics.
#[tokio::test]
async fn a_balance_that_panics_fails_the_call_alone() {
    let builder = Channel::builder("127.0.0.1:1").unwrap().balance(Faulty);
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    let call = tokio::spawn(stub.unary(Echo::default()).into_future());
    let ended = timeout(Duration::from_secs(3), call).await.unwrap();
    assert!(ended.is_ok(), "the panic comes out of the caller's task");
}

struct Eager;

impl Resolver for Eager {
    fn scheme(&self) -> &'static str {
        "eager"
    }
    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        loop {
            // "It was not accepted: try again."
            let _ = updates.send(Resolution::new([])).await;
        }
    }
}

/// A resolver that never pauses.
#[test]
fn a_resolver_without_a_pause_does_not_take_the_thread() {
    let ended = off_thread(|| {
        single_threaded().block_on(async {
            let channel = Channel::builder("eager:///x").unwrap().resolver(Eager);
            let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());
            // One waits for readiness, and for its deadline.
            let second = Duration::from_secs(1);
            let patient = stub.unary(Echo::default()).wait_for_ready();
            let patient = tokio::spawn(patient.timeout(second).into_future());
            stub.unary(Echo::default())
                .timeout(second)
                .await
                .unwrap_err();
            patient.await.unwrap().unwrap_err()
        })
    });
    assert!(ended.is_some(), "nothing else runs on this thread any more");
}

fn many(n: u32) -> Vec<Endpoint> {
    let ip = |i: u32| std::net::Ipv4Addr::from_bits(0x7f01_0000 + i);
    (0..n)
        .map(|i| Endpoint::new(std::net::SocketAddr::from((ip(i), 1))))
        .collect()
}

struct Many(u32);

impl Resolver for Many {
    fn scheme(&self) -> &'static str {
        "many"
    }
    async fn resolve(&self, _target: &Target, mut updates: Updates) {
        for _ in 0..3 {
            let _ = updates.send(Resolution::new(many(self.0))).await;
        }
        std::future::pending::<()>().await;
    }
}

struct Refuses;

impl Connector for Refuses {
    async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
        Err(io::Error::other("refused"))
    }
}

/// The text of a failure of very many addresses.
#[tokio::test]
async fn a_failure_of_many_addresses_has_a_text_of_bounded_length() {
    let builder = Channel::builder("many:///x").unwrap();
    let builder = builder
        .resolver(Many(2_000))
        .balance(PickFirst::new())
        .connector(Refuses);
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    let status = stub.unary(Echo::default()).await.unwrap_err();
    let length = status.message().len();
    assert!(length < 4_096, "{length} bytes");
}

struct CountingSockets(Arc<AtomicUsize>);

impl Connector for CountingSockets {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let Address::Tcp(address) = address else {
            return Err(io::Error::other("TCP alone"));
        };
        Ok(tokio::net::TcpStream::connect(address).await?.into())
    }
}

async fn servers(n: usize) -> (Vec<grpc_runtime::Server>, String) {
    let mut all = Vec::new();
    for _ in 0..n {
        let server = grpc_runtime::Server::builder();
        let server = server.add_service(crate::support::service(crate::calls::Echoes));
        all.push(server.listen("127.0.0.1:0").start().await.unwrap());
    }
    let list: Vec<_> = all.iter().map(|it| it.addresses()[0].clone()).collect();
    let target = format!("ipv4:{}", list.join(","));
    (all, target)
}

/// A channel that nobody holds dials nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_channel_that_is_dropped_dials_no_more() {
    let (_servers, target) = servers(16).await;
    for _ in 0..20 {
        let dials = Arc::<AtomicUsize>::default();
        let builder = Channel::builder(&target).unwrap();
        let builder = builder
            .balance(RoundRobin::new())
            .connector(CountingSockets(Arc::clone(&dials)));
        let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
        for _ in 0..200 {
            stub.unary(Echo::default()).wait_for_ready().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = dials.load(Ordering::SeqCst);
        drop(stub);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(dials.load(Ordering::SeqCst), before);
    }
}

/// An idle timeout is no reason to connect: a policy with several keeps each.
#[tokio::test]
async fn an_idle_timeout_reconnects_no_connection_of_several() {
    let (_servers, target) = servers(2).await;
    let dials = Arc::<AtomicUsize>::default();
    let builder = Channel::builder(&target).unwrap();
    let builder = builder
        .balance(RoundRobin::new())
        .idle_timeout(Duration::from_secs(1))
        .connector(CountingSockets(Arc::clone(&dials)));
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let stub = EchoStub(channel.clone());
    stub.unary(Echo::default()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let dials = dials.load(Ordering::SeqCst);
    assert_eq!((dials, channel.state()), (2, ConnectivityState::Ready));
}

/// What the policy hears of an attempt that the server refused.
#[tokio::test]
async fn a_refused_attempt_is_told_as_unavailable() {
    use grpc_runtime::{
        AttemptEnd, AttemptEnds, Code, Control, Pick, PickArgs, Picker, Picks, Resolved, Status,
        Subchannel, SubchannelState, Ticket,
    };
    use std::sync::Mutex;

    #[derive(Default)]
    struct Ends(Mutex<Vec<Code>>);
    impl AttemptEnds for Ends {
        fn ended(&self, _token: u64, end: &AttemptEnd<'_>) {
            self.0.lock().unwrap().push(end.code);
        }
    }
    struct Counts(Arc<Ends>);
    impl Balance for Counts {
        fn name(&self) -> &'static str {
            "counts"
        }
        fn policy(&self) -> Box<dyn Policy> {
            Box::new(Counting(Arc::clone(&self.0)))
        }
    }
    struct Counting(Arc<Ends>);
    impl Policy for Counting {
        fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
            for endpoint in resolved.endpoints {
                control.subchannel(endpoint).connect();
            }
            Ok(())
        }
        fn resolution_failed(&mut self, _: Status, _: &mut Control<'_>) {}
        fn changed(&mut self, of: &Subchannel, state: SubchannelState, control: &mut Control<'_>) {
            if state.is_ready() {
                let picks = Picks::by(Tickets(of.clone(), Arc::clone(&self.0)));
                control.publish(ConnectivityState::Ready, picks);
            }
        }
        fn connect(&mut self, _: &mut Control<'_>) {}
    }
    struct Tickets(Subchannel, Arc<Ends>);
    impl Picker for Tickets {
        fn pick(&self, _: &PickArgs<'_>) -> Pick<'_> {
            let ends = Arc::clone(&self.1) as Arc<dyn AttemptEnds>;
            Pick::Use(&self.0, Some(Ticket::new(ends, 1)))
        }
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
    });
    let ends = Arc::<Ends>::default();
    let builder = Channel::builder(address.to_string()).unwrap();
    let builder = builder.balance(Counts(Arc::clone(&ends)));
    let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
    let call = stub.unary(Echo::default()).timeout(Duration::from_secs(3));
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    // One that no policy asks for, beside the first (gRFC A6, "Transparent Retries").
    assert_eq!(*ends.0.lock().unwrap(), [Code::Unavailable; 2]);
}

/// A registry that names another server each time it is asked.
#[tokio::test]
async fn new_addresses_do_not_pass_the_backoff_by() {
    struct Rotates;
    impl Resolver for Rotates {
        fn scheme(&self) -> &'static str {
            "rotates"
        }
        async fn resolve(&self, _target: &Target, mut updates: Updates) {
            for port in 1..u16::MAX {
                let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
                let _ = updates
                    .send(Resolution::new([Endpoint::new(address)]))
                    .await;
                updates.requested().await;
            }
        }
    }
    struct Counts(Arc<AtomicUsize>);
    impl Connector for Counts {
        async fn connect(&self, _address: &Address) -> io::Result<ByteStream> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Err(io::Error::other("refused"))
        }
    }
    for round_robin in [false, true] {
        let dials = Arc::<AtomicUsize>::default();
        let builder = Channel::builder("rotates:///x").unwrap();
        let builder = builder
            .resolver(Rotates)
            .connector(Counts(Arc::clone(&dials)));
        let builder = if round_robin {
            builder.balance(RoundRobin::new())
        } else {
            builder
        };
        let stub = EchoStub(builder.build(ChannelCredentials::insecure()).unwrap());
        let _ = stub.unary(Echo::default()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let dials = dials.load(Ordering::SeqCst);
        assert!(dials < 10, "{dials} dials in a second");
    }
}
