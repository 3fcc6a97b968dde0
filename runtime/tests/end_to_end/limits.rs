//! Limits over TCP: of connections, who is let in, who is not, and who hears of it; and of
//! calls whose handlers do not let go.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use grpc_runtime::{
    CallLimit, Channel, Code, ConnectionStep, Context, FailedConnection, Observer, Server,
    ServerLimits, Status,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::calls::Echoes;
use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Why connections were refused at the door.
#[derive(Clone, Default)]
pub(crate) struct Refused(Arc<Mutex<Vec<String>>>);

impl Observer for Refused {
    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        if failed.step() == ConnectionStep::Admission {
            self.0.lock().unwrap().push(failed.reason().to_owned());
        }
    }
}

impl Refused {
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Whether the server closes the connection before it says anything.
pub(crate) async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match timeout(BOUND, stream.read(&mut byte)).await.unwrap() {
        Ok(bytes) => bytes == 0,
        Err(_reset) => true,
    }
}

#[tokio::test]
async fn a_flood_of_connections_is_closed_at_the_door_while_calls_go_on() {
    for (limits, reason) in [
        (
            ServerLimits::new().connections(4),
            "ServerLimits::connections)",
        ),
        (
            ServerLimits::new().connections_per_peer(4),
            "ServerLimits::connections_per_peer)",
        ),
    ] {
        let refused = Refused::default();
        let server = Server::builder()
            .add_service(service(Echoes))
            .observe(refused.clone())
            .limits(limits)
            .listen("127.0.0.1:0");
        let server = server.start().await.unwrap();
        let address = server.addresses()[0].clone();
        let victim = EchoStub(Channel::insecure(&address).unwrap());
        victim.unary(Echo::default()).await.unwrap();
        let mut open = Vec::new();
        for count in 0..50 {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            // Of those let in the first byte is that of SETTINGS.
            assert_eq!(is_closed(&mut stream).await, count >= 3, "{count}");
            open.push(stream);
            let call = timeout(BOUND, victim.unary(Echo::number(7)).into_future());
            assert_eq!(call.await.unwrap().unwrap().number, 7);
        }
        let reasons = refused.reasons();
        assert_eq!(reasons.len(), 47);
        assert!(
            reasons.iter().all(|told| told.ends_with(reason)),
            "{reasons:?}"
        );
        // Places that were left are others'.
        drop(open);
        let others: Vec<_> = (0..3)
            .map(|_| EchoStub(Channel::insecure(&address).unwrap()))
            .collect();
        for other in &others {
            let call = other.unary(Echo::default()).wait_for_ready().timeout(BOUND);
            call.await.unwrap();
        }
    }
}

/// Blocks its thread, not in its first turn, until it may go on.
struct Blocks {
    entered: UnboundedSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl EchoServicer for Blocks {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        if request.text == "block" {
            tokio::task::yield_now().await;
            self.entered.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        Ok(request)
    }
}

/// What bounds work counts work: a client that resets its calls gets no more of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_counts_until_it_is_gone_whatever_became_of_its_call() {
    let (entered, mut entries) = unbounded_channel();
    let (go_on, may_go_on) = mpsc::channel();
    let blocks = Blocks {
        entered,
        go_on: Mutex::new(may_go_on),
    };
    let server = Server::builder()
        .add_service(service(blocks))
        .limits(ServerLimits::new().calls(CallLimit::new(1)))
        .listen("127.0.0.1:0");
    let server = server.start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    let call = tokio::spawn(stub.unary(Echo::text("block")).into_future());
    timeout(BOUND, entries.recv()).await.unwrap();
    call.abort();
    for _ in 0..20 {
        let status = stub.unary(Echo::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    go_on.send(()).unwrap();
    let served = async {
        while stub.unary(Echo::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(BOUND, served).await.unwrap();
}
