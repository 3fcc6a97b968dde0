//! What is left when a server or a connection ends: what callers are told, what the
//! peer still hears, and that nothing stays.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Sender, Server, ServerBuilder, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Echo, EchoServicer, EchoStub, service};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

/// Sends for ever, and blocks its thread until it may go on.
struct Endless {
    entered: tokio::sync::mpsc::UnboundedSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl EchoServicer for Endless {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        self.entered.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
        Ok(request)
    }

    async fn expand(
        &self,
        _request: Echo,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        self.entered.send(()).unwrap();
        let _left = Left(self.entered.clone());
        loop {
            replies.send(Echo::data(64 << 10)).await?;
        }
    }
}

/// Tells when its handler is dropped.
struct Left(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Left {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send(());
    }
}

struct Served {
    server: Server,
    entered: tokio::sync::mpsc::UnboundedReceiver<()>,
    go_on: mpsc::Sender<()>,
}

async fn serve(builder: ServerBuilder) -> Served {
    let (entered, entries) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, may_go_on) = mpsc::channel();
    let go_on_later = Mutex::new(may_go_on);
    let endless = Endless {
        entered,
        go_on: go_on_later,
    };
    let builder = builder.add_service(service(endless)).listen("127.0.0.1:0");
    Served {
        server: builder.start().await.unwrap(),
        entered: entries,
        go_on,
    }
}

/// What a stream ends with once its messages are read.
async fn end_of(mut replies: grpc_runtime::Receiver<Echo>) -> Status {
    let read = async {
        loop {
            match replies.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended in order"),
                Err(status) => return status,
            }
        }
    };
    timeout(BOUND, read).await.unwrap()
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_by_shutdown_as_unavailable() {
    let mut served = serve(Server::builder()).await;
    let stub = EchoStub(Channel::insecure(&served.server.addresses()[0]).unwrap());
    let mut replies = stub.expand(Echo::default()).start();
    replies.next().await.unwrap();
    served.entered.recv().await.unwrap();
    let report = timeout(BOUND, served.server.shutdown(Duration::from_millis(50)));
    assert_eq!(report.await.unwrap().calls_cut, 1);
    let status = end_of(replies).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cut_by_its_connections_age_as_unavailable() {
    let builder = Server::builder()
        .max_connection_age(Duration::from_secs(1))
        .max_connection_age_grace(Duration::from_millis(100));
    let mut served = serve(builder).await;
    let stub = EchoStub(Channel::insecure(&served.server.addresses()[0]).unwrap());
    let mut replies = stub.expand(Echo::default()).start();
    replies.next().await.unwrap();
    // Until the handler is entered, and cut.
    for _ in 0..2 {
        timeout(BOUND, served.entered.recv()).await.unwrap();
    }
    let status = end_of(replies).await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shutdown_tells_of_a_call_whose_handler_blocks_its_thread() {
    let mut served = serve(Server::builder()).await;
    let stub = EchoStub(Channel::insecure(&served.server.addresses()[0]).unwrap());
    let call = tokio::spawn(std::future::IntoFuture::into_future(
        stub.unary(Echo::default()),
    ));
    served.entered.recv().await.unwrap();
    let report = timeout(BOUND, served.server.shutdown(Duration::from_millis(50)));
    let report = report.await.unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (1, 1));
    served.go_on.send(()).unwrap();
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

/// Reads to the end, and gives the types of the frames that came.
async fn frames(mut socket: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(BOUND, socket.read_to_end(&mut bytes)).await;
    read.unwrap().expect("the end is no reset");
    let mut types = Vec::new();
    let mut rest = &bytes[..];
    while let [a, b, c, kind, ..] = *rest {
        types.push(kind);
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        rest = &rest[9 + length..];
    }
    types
}

#[tokio::test]
async fn a_peer_that_broke_http2_and_goes_on_sending_hears_why() {
    const GOAWAY: u8 = 7;
    let served = serve(Server::builder()).await;
    for _ in 0..20 {
        let socket = TcpStream::connect(&served.server.addresses()[0]).await;
        let (reading, mut writing) = socket.unwrap().into_split();
        let sending = tokio::spawn(async move {
            let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
            // DATA on a stream that nobody opened, and much after it.
            hello.extend_from_slice(b"\0\0\x01\0\0\0\0\0\x01x");
            hello.resize(64 << 10, 0);
            // The server may close before all of it is written.
            let _ = writing.write_all(&hello).await;
            writing
        });
        let came = frames(reading).await;
        assert_eq!(came.last(), Some(&GOAWAY), "{came:?}");
        sending.await.unwrap();
    }
}

/// Over a socket whose name nobody else has: the port of a server that is gone may be
/// another's at once.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_dropped_while_it_accepts_leaves_no_connection() {
    for turn in 0..50 {
        let name = format!("grpc-endings-{}-{turn}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let builder = Server::builder().listen(format!("unix:{}", path.display()));
        let served = serve(builder).await;
        let connecting = tokio::spawn(tokio::net::UnixStream::connect(path));
        tokio::task::yield_now().await;
        drop(served.server);
        // Refused, or closed: either way it is over.
        if let Ok(mut socket) = connecting.await.unwrap() {
            let mut bytes = Vec::new();
            let _reset_or_end = timeout(BOUND, socket.read_to_end(&mut bytes))
                .await
                .expect("the connection is closed");
        }
    }
}

#[tokio::test]
async fn calls_that_a_closed_channel_ends_end_at_the_server_too() {
    struct Told(Arc<tokio::sync::Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    struct Waits(Arc<tokio::sync::Notify>, Arc<tokio::sync::Notify>);
    impl EchoServicer for Waits {
        async fn unary(&self, _request: Echo, _context: &mut Context) -> Result<Echo, Status> {
            let _told = Told(Arc::clone(&self.1));
            self.0.notify_one();
            std::future::pending().await
        }
    }
    let (entered, dropped) = (Arc::default(), Arc::default());
    let waits = Waits(Arc::clone(&entered), Arc::clone(&dropped));
    let builder = Server::builder().add_service(service(waits));
    let server = builder.listen("127.0.0.1:0").start().await.unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let call = EchoStub(channel.clone()).unary(Echo::default());
    let call = tokio::spawn(std::future::IntoFuture::into_future(call));
    timeout(BOUND, entered.notified()).await.unwrap();
    channel.close();
    let status = timeout(BOUND, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status}");
    timeout(BOUND, dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn new_connections_are_served_while_a_server_gives_notice() {
    let builder = Server::builder().shutdown_notice(Duration::from_secs(4));
    let builder = builder.add_service(service(crate::calls::Echoes));
    let server = builder.listen("127.0.0.1:0").start().await.unwrap();
    let address = server.addresses()[0].clone();
    let leaving = server.leaving();
    let old = EchoStub(Channel::insecure(&address).unwrap());
    old.unary(Echo::default()).await.unwrap();
    let mut states = old.0.watch_state();
    let stopping = tokio::spawn(server.shutdown(BOUND));
    timeout(BOUND, leaving).await.unwrap();
    // Who comes now is served, and who is there is told to connect anew.
    let new = EchoStub(Channel::insecure(&address).unwrap());
    new.unary(Echo::default()).await.unwrap();
    let idle = states.wait_for(grpc_runtime::ConnectivityState::Idle);
    assert!(timeout(BOUND, idle).await.unwrap());
    old.unary(Echo::default()).await.unwrap();
    let report = timeout(BOUND, stopping).await.unwrap().unwrap();
    assert_eq!((report.calls_cut, report.connections_cut), (0, 0));
    let status = new.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}
