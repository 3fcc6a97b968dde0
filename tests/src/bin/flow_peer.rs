//! One side of a stream that nobody reads, as a process whose memory the
//! back-pressure test watches. `serve` prints its address; `push ADDR` sends
//! 1 GiB; `pull ADDR` asks for 1 GiB and reads one message of it. Whoever sends
//! prints how many bytes it has sent.

use std::future::pending;

use grpc_runtime::{Channel, Context, Receiver, Sender, Server, Status};

grpc_runtime::include_proto!("flow");

const TOTAL: usize = 1 << 30;
const CHUNK: usize = 64 << 10;

struct Unread;

impl FlowServicer for Unread {
    async fn push(
        &self,
        _requests: &mut Receiver<Chunk>,
        _context: &mut Context,
    ) -> Result<Chunk, Status> {
        pending().await
    }

    async fn pull(
        &self,
        request: Chunk,
        replies: &mut Sender<Chunk>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        let size = usize::try_from(request.size).unwrap_or_default();
        let mut sent = 0;
        while sent < size {
            replies.send(chunk()).await?;
            sent += CHUNK;
            println!("{sent}");
        }
        Ok(())
    }
}

fn chunk() -> Chunk {
    Chunk {
        size: 0,
        data: vec![0x5a; CHUNK],
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => {
            let server = Server::builder()
                .add_service(FlowServer::new(Unread))
                .listen("127.0.0.1:0")
                .start()
                .await?;
            println!("listening on {}", server.addresses()[0]);
            server.wait().await;
        }
        ["push", address] => {
            let mut call = FlowStub::new(Channel::insecure(address)?).push().start();
            let mut sent = 0;
            while sent < TOTAL {
                call.send(chunk()).await?;
                sent += CHUNK;
                println!("{sent}");
            }
            call.finish().await?;
        }
        ["pull", address] => {
            let request = Chunk {
                size: 1 << 30,
                data: Vec::new(),
            };
            let mut replies = FlowStub::new(Channel::insecure(address)?)
                .pull(request)
                .start();
            let first = replies.next().await?;
            println!("{}", first.map_or(0, |chunk| chunk.data.len()));
            pending::<()>().await;
        }
        _ => return Err("usage: flow_peer serve | push ADDR | pull ADDR".into()),
    }
    Ok(())
}
