//! Recording a call does not allocate, after the first call of its kind.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use grpc_opentelemetry::{Instrument, Metrics};
use grpc_runtime::{
    BegunAttempt, BegunCall, CallObserver, Channel, ChannelCredentials, EndedAttempt, EndedCall,
    Observer, RefusedCall, Server, UnaryCall,
};

use support::{Collected, MISSING, service, unary};

/// Counts what another observer allocates.
#[derive(Clone)]
struct Counts {
    inner: Metrics,
    allocations: Arc<AtomicU64>,
    events: Arc<AtomicU64>,
}

impl Counts {
    fn count<T>(&self, tell: impl FnOnce(&Metrics) -> T) {
        let counted = allocation_counter::measure(|| {
            tell(&self.inner);
        });
        self.allocations
            .fetch_add(counted.count_total, Ordering::Relaxed);
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Allocations and events since the last time.
    fn take(&self) -> (u64, u64) {
        let allocations = self.allocations.swap(0, Ordering::Relaxed);
        (allocations, self.events.swap(0, Ordering::Relaxed))
    }
}

impl Observer for Counts {
    fn call_begun(&self, call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        self.count(|it| it.call_begun(call));
        None
    }

    fn attempt_begun(&self, attempt: &BegunAttempt<'_>) {
        self.count(|it| it.attempt_begun(attempt));
    }

    fn attempt_ended(&self, attempt: &EndedAttempt<'_>) {
        self.count(|it| it.attempt_ended(attempt));
    }

    fn call_ended(&self, call: &EndedCall<'_>) {
        self.count(|it| it.call_ended(call));
    }

    fn call_refused(&self, call: &RefusedCall<'_>) {
        self.count(|it| it.call_refused(call));
    }
}

async fn calls(channel: &Channel, number: u32) {
    for _ in 0..number {
        unary(channel, "go").await.unwrap();
        unary(channel, "fail").await.unwrap_err();
        let missing = UnaryCall::<String>::new(channel, MISSING, &());
        missing.await.unwrap_err();
    }
}

#[tokio::test]
async fn what_is_told_of_a_call_allocates_nothing() {
    let collected = Collected::new(Metrics::builder().enable(Instrument::all()));
    let counts = Counts {
        inner: collected.metrics.clone(),
        allocations: Arc::default(),
        events: Arc::default(),
    };
    let server = Server::builder()
        .add_service(service())
        .observe(counts.clone())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .observe(counts.clone())
        .build(ChannelCredentials::insecure())
        .unwrap();
    calls(&channel, 1).await;
    assert!(
        counts.take().0 > 0,
        "the first of each kind makes its labels"
    );
    calls(&channel, 100).await;
    // Of three calls four events on the channel, two on the server, and one of a call that
    // is refused.
    assert_eq!(counts.take(), (0, 100 * (3 * 4 + 2 * 2 + 1)));
}
