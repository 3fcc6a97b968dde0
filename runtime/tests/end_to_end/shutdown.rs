//! A server that is told to stop: by what, and what its report says of handlers that do
//! not let go. What needs no real time is tested in paused time by grpc-testing.

use std::future::IntoFuture;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Server, Status};
use tokio::sync::{mpsc as async_mpsc, oneshot};
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, UNARY, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Blocks its thread from its first turn on, or from its second.
struct Blocks {
    entered: async_mpsc::UnboundedSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl EchoServicer for Blocks {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        if request.text == "later" {
            tokio::task::yield_now().await;
        }
        self.entered.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        Ok(request)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_its_thread_is_left() {
    // In the connection's task nobody can ask which method it is.
    for (when, methods) in [("at once", 0), ("later", 1)] {
        let (entered, mut entries) = async_mpsc::unbounded_channel();
        let (go_on, may_go_on) = mpsc::channel();
        let blocks = Blocks {
            entered,
            go_on: Mutex::new(may_go_on),
        };
        let builder = Server::builder().add_service(service(blocks));
        let server = builder.listen("127.0.0.1:0").start().await.unwrap();
        let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
        let call = tokio::spawn(stub.unary(Echo::text(when)).into_future());
        timeout(BOUND, entries.recv()).await.unwrap();
        let report = timeout(BOUND, server.shutdown(Duration::from_millis(50)));
        let report = report.await.unwrap();
        assert_eq!((report.calls_cut, report.handlers_left), (1, 1), "{when}");
        assert_eq!(report.methods.len(), methods, "{when}");
        for found in &report.methods {
            assert_eq!((found.method, found.calls_cut), (UNARY, 1));
        }
        go_on.send(()).unwrap();
        let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_waits_for_a_handler_that_lets_go_of_its_thread_later() {
    struct Slow(async_mpsc::UnboundedSender<&'static str>);
    struct Told(async_mpsc::UnboundedSender<&'static str>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }
    impl EchoServicer for Slow {
        async fn unary(&self, _request: Echo, _context: &mut Context) -> Result<Echo, Status> {
            let _told = Told(self.0.clone());
            tokio::task::yield_now().await;
            self.0.send("entered").unwrap();
            std::thread::sleep(Duration::from_millis(300));
            std::future::pending().await
        }
    }
    let (events, mut told) = async_mpsc::unbounded_channel();
    let builder = Server::builder().add_service(service(Slow(events)));
    let server = builder.listen("127.0.0.1:0").start().await.unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    let call = tokio::spawn(stub.unary(Echo::default()).into_future());
    assert_eq!(timeout(BOUND, told.recv()).await.unwrap(), Some("entered"));
    let report = timeout(BOUND, server.shutdown(Duration::from_millis(1)));
    let report = report.await.unwrap();
    assert_eq!(told.try_recv(), Ok("dropped"));
    assert_eq!((report.calls_cut, report.handlers_left), (1, 0));
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

/// Serves until it is told not to, and gives where.
fn until(
    signal: impl Future<Output = ()> + Send + 'static,
) -> (
    String,
    tokio::task::JoinHandle<grpc_runtime::ShutdownReport>,
) {
    // Bound here, so that the address is known.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let builder = Server::builder()
        .add_service(service(crate::calls::Echoes))
        .listen_on(socket, grpc_runtime::ServerCredentials::insecure());
    let serving = tokio::spawn(async move {
        let serving = builder.serve_until("127.0.0.1:0", signal, BOUND);
        serving.await.unwrap()
    });
    (address, serving)
}

#[tokio::test]
async fn a_server_serves_until_its_signal_comes() {
    let (tell, told) = oneshot::channel::<()>();
    let (address, serving) = until(async move { drop(told.await) });
    let stub = EchoStub(Channel::insecure(&address).unwrap());
    let call = stub.unary(Echo::number(7)).wait_for_ready();
    assert_eq!(
        timeout(BOUND, call.into_future())
            .await
            .unwrap()
            .unwrap()
            .number,
        7
    );
    tell.send(()).unwrap();
    let report = timeout(BOUND, serving).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[cfg(all(feature = "signal", unix))]
#[tokio::test]
async fn a_server_stops_when_the_process_is_told_to() {
    for signal in ["TERM", "INT"] {
        let told = grpc_runtime::shutdown_signal();
        let (heard, is_heard) = oneshot::channel();
        let (address, serving) = until(async move {
            // The signal comes before anybody waits for it.
            is_heard.await.unwrap();
            told.await;
        });
        let stub = EchoStub(Channel::insecure(&address).unwrap());
        let call = stub.unary(Echo::number(7)).wait_for_ready();
        timeout(BOUND, call.into_future()).await.unwrap().unwrap();
        let own = std::process::id().to_string();
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-s", signal, &own]).status().unwrap().success());
        heard.send(()).unwrap();
        let report = timeout(BOUND, serving).await.unwrap().unwrap();
        assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    }
}
