//! A server's end as its handlers, its callers and its report see it, in paused time.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::future::{Future, IntoFuture, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Context, Method, Sender, Server, ServerStreamingCall,
    Service, Status, TestShutdown, UnaryCall,
};
use grpc_testing::{Host, Leftovers, Network, no_leftovers};
use tokio::time::{Instant, sleep, timeout};

const GET: Method = Method::unary("/shop.Orders/Get");
const LIST: Method = Method::server_streaming("/shop.Orders/List");
const WATCH: Method = Method::server_streaming("/shop.Orders/Watch");

const SECOND: Duration = Duration::from_secs(1);

/// Counts itself.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Orders {
    /// Handlers whose futures are there.
    handlers: Arc<AtomicUsize>,
    /// When what was heard.
    heard: Arc<Mutex<Vec<(&'static str, Instant)>>>,
}

impl Orders {
    fn hear(&self, what: &'static str, when: impl Future<Output = ()> + Send + 'static) {
        let heard = Arc::clone(&self.heard);
        tokio::spawn(async move {
            when.await;
            heard.lock().unwrap().push((what, Instant::now()));
        });
    }

    /// Takes as many seconds as it is told; without a number, all there are.
    async fn get(&self, request: String, context: &mut Context) -> Result<String, Status> {
        let _counted = Counted::new(&self.handlers);
        self.hear("leaving", context.leaving());
        self.hear("draining", context.draining());
        match request.parse() {
            Ok(seconds) => sleep(Duration::from_secs(seconds)).await,
            Err(_) => pending().await,
        }
        Ok(request)
    }

    /// Says goodbye when the server leaves.
    async fn watch(
        &self,
        _request: String,
        replies: &mut Sender<String>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let _counted = Counted::new(&self.handlers);
        replies.send("hello".to_owned()).await?;
        context.leaving().await;
        replies.send("goodbye".to_owned()).await?;
        Err(Status::unavailable("the shop closes"))
    }

    /// Hears nothing.
    async fn list(
        &self,
        _request: String,
        replies: &mut Sender<String>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let _counted = Counted::new(&self.handlers);
        loop {
            replies.send("one more".to_owned()).await?;
            sleep(SECOND).await;
        }
    }
}

fn service(orders: &Arc<Orders>) -> Service {
    Service::builder("shop.Orders", Arc::clone(orders))
        .unary(GET, Orders::get)
        .server_streaming(LIST, Orders::list)
        .server_streaming(WATCH, Orders::watch)
        .build()
}

struct World {
    network: Network,
    orders: Arc<Orders>,
    host: Host,
    channel: Channel,
}

async fn world(notice: Duration) -> World {
    let (network, orders) = (Network::new(7), Arc::<Orders>::default());
    let server = Server::builder().add_service(service(&orders));
    let server = server.shutdown_notice(notice);
    let host = network.bind("orders", server).await.unwrap();
    let builder = Channel::builder("passthrough:///orders").unwrap();
    let builder = builder.connector(network.connector("client"));
    World {
        channel: builder.build(ChannelCredentials::insecure()).unwrap(),
        network,
        orders,
        host,
    }
}

fn get(channel: &Channel, request: &str) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &request.to_owned()).timeout(SECOND * 600)
}

fn stream(channel: &Channel, method: Method) -> ServerStreamingCall<String> {
    ServerStreamingCall::new(channel, method, &String::new()).timeout(SECOND * 600)
}

#[tokio::test(start_paused = true)]
async fn handlers_hear_when_the_notice_begins_and_when_the_grace_does() {
    let world = world(5 * SECOND).await;
    let call = tokio::spawn(get(&world.channel, "3600").into_future());
    sleep(SECOND).await;
    assert!(world.orders.heard.lock().unwrap().is_empty());
    let began = Instant::now();
    world.host.shutdown(10 * SECOND).await;
    assert_eq!(began.elapsed().as_secs(), 15);
    let heard = std::mem::take(&mut *world.orders.heard.lock().unwrap());
    let since = |when: Instant| (when - began).as_secs();
    let heard: Vec<_> = heard
        .iter()
        .map(|(what, when)| (*what, since(*when)))
        .collect();
    assert_eq!(heard, [("leaving", 0), ("draining", 5)]);
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_goodbye_and_the_server_goes_before_its_grace_is_over() {
    let world = world(Duration::ZERO).await;
    let mut replies = stream(&world.channel, WATCH).start();
    assert_eq!(replies.next().await.unwrap().unwrap(), "hello");
    let began = Instant::now();
    let stopping = tokio::spawn(world.host.shutdown(600 * SECOND));
    assert_eq!(replies.next().await.unwrap().unwrap(), "goodbye");
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.message(), "the shop closes");
    let report = stopping.await.unwrap();
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    let [watch] = &report.methods[..] else {
        panic!("{report:?}");
    };
    assert_eq!((watch.method, watch.calls_finished), (WATCH, 1));
}

#[tokio::test(start_paused = true)]
async fn the_report_says_of_each_method_what_finished_and_what_was_cut() {
    let world = world(2 * SECOND).await;
    let spawn = |request| tokio::spawn(get(&world.channel, request).into_future());
    // Over before the grace, in it, and not; and one whose caller gives up.
    let before = spawn("2");
    let within = [spawn("6"), spawn("7")];
    let (cut, given_up) = (spawn("for ever"), spawn("for ever"));
    let mut lists: Vec<_> = (0..3)
        .map(|_| stream(&world.channel, LIST).start())
        .collect();
    for list in &mut lists {
        list.next().await.unwrap();
    }
    sleep(SECOND).await;
    tokio::spawn(async move {
        sleep(4 * SECOND).await;
        given_up.abort();
    });
    let report = world.host.shutdown(10 * SECOND).await;
    before.await.unwrap().unwrap();
    for call in within {
        call.await.unwrap().unwrap();
    }
    assert_eq!(cut.await.unwrap().unwrap_err().code(), Code::Unavailable);
    let methods: Vec<_> = report
        .methods
        .iter()
        .map(|found| (found.method, found.calls_finished, found.calls_cut))
        .collect();
    assert_eq!(methods, [(GET, 3, 1), (LIST, 0, 3)], "{report:?}");
    assert_eq!((report.calls_cut, report.handlers_left), (4, 0));
    no_leftovers(&world.network, SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn handlers_that_were_cut_are_gone_when_the_shutdown_is() {
    for turn in 0..20 {
        let world = world(Duration::ZERO).await;
        let calls: Vec<_> = (0..50)
            .map(|_| tokio::spawn(get(&world.channel, "for ever").into_future()))
            .collect();
        sleep(SECOND).await;
        assert_eq!(world.orders.handlers.load(Ordering::Relaxed), 50);
        let report = world.host.shutdown(turn * SECOND / 10).await;
        let left = world.orders.handlers.load(Ordering::Relaxed);
        assert_eq!((left, report.handlers_left, report.calls_cut), (0, 0, 50));
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_dropped_has_left() {
    let world = world(Duration::ZERO).await;
    let call = tokio::spawn(get(&world.channel, "for ever").into_future());
    sleep(SECOND).await;
    drop(world.host);
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
    sleep(SECOND).await;
    assert_eq!(world.orders.heard.lock().unwrap().len(), 2);
    assert!(world.network.leftovers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_in_process_leaves_with_its_channel() {
    let orders = Arc::<Orders>::default();
    let server = Server::builder().add_service(service(&orders));
    let channel = Channel::in_process(server).unwrap();
    get(&channel, "1").await.unwrap();
    sleep(SECOND).await;
    assert!(orders.heard.lock().unwrap().is_empty());
    drop(channel);
    sleep(SECOND).await;
    assert_eq!(orders.heard.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn calls_of_two_servers_on_one_thread_hear_of_their_own() {
    let (stays, leaves) = (world(Duration::ZERO).await, world(Duration::ZERO).await);
    for _ in 0..3 {
        get(&stays.channel, "0").await.unwrap();
        get(&leaves.channel, "0").await.unwrap();
    }
    leaves.host.shutdown(SECOND).await;
    sleep(SECOND).await;
    assert!(stays.orders.heard.lock().unwrap().is_empty());
    assert_eq!(leaves.orders.heard.lock().unwrap().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_context_for_a_test_hears_what_the_test_says() {
    // Its thread's contexts were of calls to a server before.
    let world = world(Duration::ZERO).await;
    get(&world.channel, "0").await.unwrap();
    world.host.shutdown(SECOND).await;
    let alone = Context::for_test().build();
    let never = timeout(3_600 * SECOND, alone.leaving()).await;
    assert!(never.is_err(), "it is of no server");

    let server = TestShutdown::new();
    let context = Context::for_test().shutdown(&server).build();
    let (leaving, draining) = (context.leaving(), context.draining());
    server.leave();
    leaving.await;
    assert!(timeout(3_600 * SECOND, context.draining()).await.is_err());
    server.drain();
    draining.await;
    // Stages do not go back.
    server.leave();
    context.draining().await;

    let server = TestShutdown::new();
    let context = Context::for_test().shutdown(&server).build();
    drop(server);
    context.draining().await;
}
