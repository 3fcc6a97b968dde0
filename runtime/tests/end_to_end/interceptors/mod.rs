//! Interceptors on both sides: what they see, change and refuse, for every kind of
//! call, and what becomes of them when calls break off.

mod client;
mod ends;
mod limits;
mod rates;
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::calls::Echoes;
use crate::support::{Echo, EchoStub, service};
use grpc_runtime::{Channel, Code, Server, Service, Status, Traffic};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until there are so many lines.
    async fn wait_for(&self, count: usize) -> Vec<String> {
        let enough = async {
            while self.lines().len() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(BOUND, enough).await;
        assert!(waited.is_ok(), "{:?}", self.lines());
        self.lines()
    }
}

/// Tells of its end, however it comes.
struct OnDrop(Log, &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}

fn echoes() -> Service {
    service(Echoes)
}

fn stub_of(server: grpc_runtime::ServerBuilder) -> EchoStub {
    EchoStub(Channel::in_process(server).unwrap())
}

fn stub() -> EchoStub {
    stub_of(Server::builder().add_service(echoes()))
}

/// A call of each kind: two messages go wherever a half streams. Gives the codes.
async fn call_all(stub: &EchoStub) -> [Code; 4] {
    fn code<T>(result: Result<T, Status>) -> Code {
        result.map_or_else(|status| status.code(), |_| Code::Ok)
    }
    let unary = stub.unary(Echo::text("hi")).await;

    let mut replies = stub.expand(Echo::number(2)).start();
    let expand = loop {
        match replies.next().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };

    let mut requests = stub.collect().start();
    for _ in 0..2 {
        let _ = requests.send(Echo::text("hi")).await;
    }
    let collect = requests.finish().await;

    let (mut requests, mut replies) = stub.chat().start();
    for _ in 0..2 {
        let _ = requests.send(Echo::text("hi")).await;
    }
    requests.finish();
    let chat = loop {
        match replies.next().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    [code(unary), code(expand), code(collect), code(chat)]
}

fn told(traffic: Traffic) -> String {
    format!("{} of {}", traffic.messages, traffic.bytes)
}
