//! A server of all four kinds of call: `hello_server [ADDR]`. Default address: `[::]:50051`.
//! Ctrl-C or SIGTERM ends it once its calls are done.

use std::future::Future;
use std::io;
use std::time::Duration;

use grpc_runtime::{Context, Receiver, Sender, Server, Status};

grpc_runtime::include_proto!("example");

/// How long calls that still run at shutdown may take to finish.
const GRACE: Duration = Duration::from_secs(10);

struct Greeter;

fn hello(name: &str) -> HelloResponse {
    HelloResponse {
        reply: format!("Hello, {name}!"),
    }
}

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(hello(&request.greeting))
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for salute in ["Hello", "Bonjour", "Hallo", "Hola", "Ciao"] {
            let reply = format!("{salute}, {}!", request.greeting);
            replies.send(HelloResponse { reply }).await?;
        }
        Ok(())
    }

    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let mut names = Vec::new();
        while let Some(request) = requests.next().await? {
            names.push(request.greeting);
        }
        Ok(hello(&names.join(", ")))
    }

    async fn bidi_hello(
        &self,
        requests: &mut Receiver<HelloRequest>,
        replies: &mut Sender<HelloResponse>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(hello(&request.greeting)).await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let stop = stop_signal()?;
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .listen(address.as_deref().unwrap_or("[::]:50051"))
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);

    stop.await;
    let report = server.shutdown(GRACE).await;
    println!("stopped; {} calls were cut", report.calls_cut);
    Ok(())
}

/// Ready on Ctrl-C or SIGTERM. Signals are caught from the moment this returns.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready on Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
