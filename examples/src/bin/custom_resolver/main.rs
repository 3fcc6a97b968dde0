//! A custom resolver and a custom policy: servers are listed in a file that changes while
//! the program runs, and servers in the program's zone are preferred.

mod file;
mod nearby;

use std::path::Path;
use std::time::Duration;

use grpc_runtime::{Channel, ChannelCredentials, Context, Server, Status};

use file::File;
use nearby::Nearby;

grpc_runtime::include_proto!("example");

/// Answers with the server's zone.
struct Greeter(&'static str);

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Ok(HelloResponse {
            reply: self.0.to_owned(),
        })
    }
}

async fn start(zone: &'static str) -> Result<Server, Box<dyn std::error::Error>> {
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter(zone)))
        .listen("127.0.0.1:0")
        .start();
    Ok(server.await?)
}

/// Puts a list in the place of the one before, never half of it.
fn write(list: &Path, text: &str) -> std::io::Result<()> {
    let new = list.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, list)
}

/// Calls until the answer comes from this zone.
async fn until(stub: &HelloServiceStub, zone: &str) -> Result<(), Status> {
    while stub.say_hello(HelloRequest::default()).await?.reply != zone {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (oslo, rome) = (start("oslo").await?, start("rome").await?);
    let list = std::env::temp_dir().join(format!("servers-{}", std::process::id()));
    let rome_line = format!("{} rome\n", rome.addresses()[0]);
    write(&list, &rome_line)?;

    let path = list.display().to_string();
    let target = format!("file:///{}", path.trim_start_matches('/'));
    let channel = Channel::builder(target)?
        .resolver(File)
        .balance(Nearby::to("oslo"))
        .build(ChannelCredentials::insecure())?;
    let stub = HelloServiceStub::new(channel);
    until(&stub, "rome").await?;
    println!("the list has rome alone: rome answers");

    write(&list, &format!("{rome_line}{} oslo\n", oslo.addresses()[0]))?;
    until(&stub, "oslo").await?;
    println!("oslo is on the list: oslo answers");

    oslo.shutdown(Duration::from_secs(5)).await;
    until(&stub, "rome").await?;
    println!("oslo is down: rome answers");
    std::fs::remove_file(list)?;
    Ok(())
}
