//! A program's own store of rates, which another door asks too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{echoes, stub_of};
use crate::support::{Echo, EchoStub};
use grpc_runtime::rpc::RetryInfo;
use grpc_runtime::{Code, Context, Next, Outcome, Server, ServerInterceptor, Status, UnaryCall};

/// How often each key may come yet: of whoever comes first three times.
#[derive(Clone, Default)]
struct Rates(Arc<Mutex<HashMap<String, u32>>>);

impl Rates {
    /// What a door asks of whoever comes, be it by HTTP or by gRPC.
    fn admits(&self, key: &str) -> bool {
        let mut left = self.0.lock().unwrap();
        let left = left.entry(key.to_owned()).or_insert(3);
        let admits = *left > 0;
        *left = left.saturating_sub(1);
        admits
    }
}

impl ServerInterceptor for Rates {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        if self.admits(context.metadata().get("x-key").unwrap_or_default()) {
            return next.run(context).await;
        }
        let later = RetryInfo::new(Duration::from_secs(1));
        let status = Status::resource_exhausted("too many calls of this key");
        status.with_detail(&later).into()
    }
}

fn call(stub: &EchoStub, key: &str) -> UnaryCall<Echo> {
    stub.unary(Echo::default()).metadata("x-key", key)
}

#[tokio::test]
async fn a_store_of_rates_is_shared_with_another_door() {
    let rates = Rates::default();
    let server = Server::builder().interceptor(rates.clone());
    let stub = stub_of(server.add_service(echoes()));
    assert!(call(&stub, "ada").await.is_ok());
    // By the other door.
    assert!(rates.admits("ada"));
    assert!(call(&stub, "ada").await.is_ok());

    let status = call(&stub, "ada").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.detail::<RetryInfo>().is_some());
    assert!(!rates.admits("ada"));
    assert!(call(&stub, "bob").await.is_ok());
}
