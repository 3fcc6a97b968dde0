//! Config selectors: calls that a resolver routes one by one, and what holds for them.

use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use grpc_runtime::{
    Address, AuthRequest, Balance, CallConfig, CallCredentials, Code, ConfigSelector,
    ConnectivityState, Control, Endpoint, Metadata, MethodConfig, OutgoingCall, Phase, Pick,
    PickArgs, Picker, Picks, Policy, Resolution, Resolved, RetryPolicy, Server, ServiceConfig,
    Status, Subchannel, SubchannelState,
};
use tokio::time::{sleep, timeout};

use crate::balancing::{BOUND, address, build, list, serve, told};
use crate::service_config::{LONG, SHORT, parrot};
use crate::support::{Echo, EchoStub};

/// Which servers a call is for, and which a server belongs to.
#[derive(Clone, Debug, PartialEq)]
struct Cluster(&'static str);

/// Sends each call to a server of its cluster.
struct ByCluster;

#[derive(Default)]
struct Clusters(Vec<(Subchannel, bool)>);

struct OfClusters(Vec<Subchannel>);

impl Balance for ByCluster {
    fn name(&self) -> &'static str {
        "by_cluster"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Clusters::default())
    }
}

impl Policy for Clusters {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        for (old, _) in self.0.drain(..) {
            control.remove(old);
        }
        for endpoint in resolved.endpoints {
            let subchannel = control.subchannel(endpoint);
            subchannel.connect();
            self.0.push((subchannel, false));
        }
        control.publish(ConnectivityState::Connecting, Picks::wait());
        Ok(())
    }

    fn resolution_failed(&mut self, _status: Status, _control: &mut Control<'_>) {}

    fn connect(&mut self, _control: &mut Control<'_>) {}

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let mut all = self.0.iter_mut();
        if let Some(member) = all.find(|(it, _)| it == subchannel) {
            member.1 = state.is_ready();
        }
        let ready = self.0.iter().filter(|it| it.1).map(|it| it.0.clone());
        let picks = Picks::by(OfClusters(ready.collect()));
        control.publish(ConnectivityState::Ready, picks);
    }
}

impl Picker for OfClusters {
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_> {
        let wanted = args.attributes().get::<Cluster>();
        let is_its = |it: &&Subchannel| it.endpoint().attributes().get::<Cluster>() == wanted;
        let found = self.0.iter().find(is_its);
        found.map_or(Pick::Wait, |it| Pick::Use(it, None))
    }
}

/// A selector that is a function.
struct By<F>(F);

impl<F> ConfigSelector for By<F>
where
    F: Fn(&PickArgs<'_>) -> Result<CallConfig, Status> + Send + Sync + 'static,
{
    fn select(&self, call: &PickArgs<'_>) -> Result<CallConfig, Status> {
        (self.0)(call)
    }
}

/// The same for every call.
fn always(config: MethodConfig) -> impl ConfigSelector {
    let config = Arc::new(config);
    By(move |_: &PickArgs<'_>| Ok(CallConfig::new().method_config(Arc::clone(&config))))
}

/// A channel to one server with this selector.
fn selected(server: &Server, selector: impl ConfigSelector) -> EchoStub {
    let (teller, builder) = told();
    teller
        .send(list([server]).config_selector(selector))
        .unwrap();
    build(builder).1
}

#[tokio::test]
async fn a_call_is_routed_by_what_interceptors_and_credentials_add() {
    let (large, small) = (serve("large").await, serve("small").await);
    let in_cluster = |server: &Server, name| Endpoint::new(address(server)).with(Cluster(name));
    let both = [in_cluster(&large, "large"), in_cluster(&small, "small")];
    let by_tenant = By(|call: &PickArgs<'_>| {
        assert_eq!(call.method().path(), "/test.Echo/Unary");
        assert!(call.attributes().get::<Cluster>().is_none());
        match (
            call.metadata().get("x-tenant"),
            call.metadata().get("authorization"),
        ) {
            (Some("trial"), _) | (None, Some("Bearer small")) => {
                Ok(CallConfig::new().with(Cluster("small")))
            }
            (Some(_), _) => Ok(CallConfig::new().with(Cluster("large"))),
            (None, _) => Err(Status::unavailable("no route")),
        }
    });
    let (teller, builder) = told();
    teller
        .send(Resolution::new(both).config_selector(by_tenant))
        .unwrap();
    let (channel, _) = build(builder.balance(ByCluster));
    let of = |tenant: &'static str| {
        EchoStub(channel.with_interceptor(move |call: &mut OutgoingCall| {
            call.metadata_mut().append("x-tenant", tenant)?;
            Ok(())
        }))
    };
    for _ in 0..3 {
        for (tenant, server) in [("trial", "small"), ("acme", "large")] {
            let reply = of(tenant).unary(Echo::default()).timeout(BOUND).await;
            assert_eq!(reply.unwrap().text, server);
        }
        // A token that waits, so that the call is complete on another task.
        let token = CallCredentials::from_source(|_: AuthRequest| async {
            sleep(Duration::from_millis(1)).await;
            let mut metadata = Metadata::new();
            metadata.append("authorization", "Bearer small")?;
            Ok(metadata)
        });
        let call = EchoStub(channel.clone())
            .unary(Echo::default())
            .timeout(BOUND);
        let reply = call.credentials(token.allow_unencrypted()).await;
        assert_eq!(reply.unwrap().text, "small");
    }
    let plain = EchoStub(channel).unary(Echo::default()).timeout(BOUND);
    let status = plain.wait_for_ready().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "no route")
    );
}

#[tokio::test]
async fn what_is_selected_holds_in_place_of_the_service_config() {
    let server = parrot().await;
    let stub = selected(&server, always(MethodConfig::new().timeout(SHORT)));
    // The first call begins before the resolver has spoken.
    for _ in 0..2 {
        let begun = Instant::now();
        let call = timeout(BOUND, stub.unary(Echo::number(LONG)).into_future());
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(begun.elapsed() >= SHORT);
    }
    stub.unary(Echo::default()).timeout(BOUND).await.unwrap();

    // Of one that says nothing, the service config's holds; of one that does, its own.
    let small = MethodConfig::new().max_response_message_size(100);
    let config = ServiceConfig::builder().all(small).build().unwrap();
    let by_size = By(|call: &PickArgs<'_>| {
        let of_its_own = call.metadata().get("x-own").is_some();
        let config = CallConfig::new();
        Ok(if of_its_own {
            config.method_config(MethodConfig::new())
        } else {
            config
        })
    });
    let (teller, builder) = told();
    let found = list([&server]).service_config(Ok(config));
    teller.send(found.config_selector(by_size)).unwrap();
    let stub = build(builder).1;
    let call = || stub.unary(Echo::data(200)).timeout(BOUND);
    let status = call().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    call().metadata("x-own", "1").await.unwrap();
}

#[tokio::test]
async fn limits_that_are_selected_hold_for_streams() {
    let server = parrot().await;
    let small = MethodConfig::new()
        .max_request_message_size(100)
        .max_response_message_size(150);
    let stub = selected(&server, always(small));
    stub.unary(Echo::data(50)).timeout(BOUND).await.unwrap();
    let mut requests = stub.collect().timeout(BOUND).start();
    requests.send(Echo::data(50)).await.unwrap();
    let status = requests.send(Echo::data(200)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);

    let large = MethodConfig::new().max_response_message_size(20);
    let stub = selected(&server, always(large));
    for _ in 0..2 {
        let mut replies = stub.expand(Echo::data(50)).timeout(BOUND).start();
        let status = replies.next().await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
    }
}

#[tokio::test]
async fn a_retry_policy_may_be_selected() {
    let server = parrot().await;
    let (teller, builder) = told();
    let policy = RetryPolicy::new([Code::Unavailable])
        .max_attempts(3)
        .backoff(Duration::from_millis(1), 1.0, Duration::from_millis(1));
    let selector = always(MethodConfig::new().retry(policy));
    let nobody = Endpoint::new(Address::Other("nobody".into()));
    teller
        .send(Resolution::new([nobody]).config_selector(selector))
        .unwrap();
    let (channel, stub) = build(builder);
    let status = stub
        .unary(Echo::default())
        .timeout(BOUND)
        .await
        .unwrap_err();
    assert_eq!(status.attempts().len(), 3, "{status}");
    drop((channel, server));

    let server = parrot().await;
    let bad = MethodConfig::new().retry(RetryPolicy::new([Code::Unavailable]).max_attempts(1));
    let stub = selected(&server, always(bad));
    let status = stub
        .unary(Echo::default())
        .timeout(BOUND)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text =
        "the service config is invalid: retryPolicy.maxAttempts: it is 1; expected 2 or more";
    assert_eq!(status.message(), text);
}

#[tokio::test]
async fn a_selector_that_errs_or_panics_ends_the_call_alone() {
    let server = parrot().await;
    let stub = selected(
        &server,
        By(|call: &PickArgs<'_>| match call.metadata().get("x-do") {
            Some("refuse") => Err(Status::not_found("no such tenant")),
            Some("distrust") => Err(Status::unauthenticated("no such token")),
            Some("panic") => panic!("a selector's own"),
            _ => Ok(CallConfig::new()),
        }),
    );
    // Whether the channel knows its selector when the call begins, or not.
    for _ in 0..2 {
        let call = |what| {
            stub.unary(Echo::default())
                .metadata("x-do", what)
                .timeout(BOUND)
        };
        let refused = call("refuse").await.unwrap_err();
        assert_eq!(refused.code(), Code::Internal);
        let text = "the channel: illegal status NOT_FOUND: no such tenant";
        assert_eq!(refused.message(), text);
        // No server has said it, and no token is thrown away for it.
        let distrusted = call("distrust").await.unwrap_err();
        assert_eq!(distrusted.code(), Code::Unauthenticated);
        assert_eq!(distrusted.phase(), Some(Phase::Call));
        let panicked = call("panic").wait_for_ready().await.unwrap_err();
        assert_eq!(panicked.code(), Code::Internal);
        let text = "the config selector of the channel's resolver panicked";
        assert_eq!(panicked.message(), text);
        call("go").await.unwrap();
    }
}

#[tokio::test]
async fn the_next_resolution_has_the_next_selector_or_none() {
    let server = parrot().await;
    let (teller, builder) = told();
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let selector = By(move |_: &PickArgs<'_>| {
        counts.fetch_add(1, Ordering::Relaxed);
        Ok(CallConfig::new())
    });
    teller
        .send(list([&server]).config_selector(selector))
        .unwrap();
    let stub = build(builder).1;
    let call = || stub.unary(Echo::default()).timeout(BOUND);
    for number in 1..4 {
        call().await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), number);
    }
    let refuses = By(|_: &PickArgs<'_>| Err(Status::unavailable("the second")));
    teller
        .send(list([&server]).config_selector(refuses))
        .unwrap();
    let second = async { while call().await.is_ok() {} };
    timeout(BOUND, second).await.unwrap();
    teller.send(list([&server])).unwrap();
    let none = async {
        while call().await.is_err() {
            // A call that is refused waits for nothing, and the hub needs its turn.
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, none).await.unwrap();
}

#[tokio::test]
async fn a_builder_with_a_config_of_its_own_asks_no_selector() {
    let server = parrot().await;
    let (teller, builder) = told();
    let refuses = By(|_: &PickArgs<'_>| Err(Status::unavailable("it was asked")));
    teller
        .send(list([&server]).config_selector(refuses))
        .unwrap();
    let own = ServiceConfig::builder().build().unwrap();
    let stub = build(builder.service_config(own)).1;
    stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
}

/// A control plane counts by it who still uses a cluster.
#[tokio::test]
async fn a_calls_attributes_live_until_it_is_over() {
    struct Held(#[expect(dead_code, reason = "it is dropped")] Arc<()>);
    impl PartialEq for Held {
        fn eq(&self, _: &Self) -> bool {
            false
        }
    }
    let server = parrot().await;
    let (sender, mut given) = tokio::sync::mpsc::unbounded_channel::<Weak<()>>();
    let stub = selected(
        &server,
        By(move |_: &PickArgs<'_>| {
            let held = Arc::new(());
            sender.send(Arc::downgrade(&held)).unwrap();
            Ok(CallConfig::new().with(Held(held)))
        }),
    );
    let call = tokio::spawn(stub.unary(Echo::number(LONG)).into_future());
    let held = timeout(BOUND, given.recv()).await.unwrap().unwrap();
    stub.unary(Echo::default()).timeout(BOUND).await.unwrap();
    let ended = given.recv().await.unwrap();
    let gone = async {
        while ended.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, gone).await.unwrap();
    assert!(held.upgrade().is_some());
    call.abort();
    let gone = async {
        while held.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, gone).await.unwrap();
}
