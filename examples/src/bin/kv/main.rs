//! A key-value service: status codes for errors, a stream that lasts until the caller drops
//! it, and a call that is cancelled by dropping it. Server and client in one process.

mod store;

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{Channel, Code, Server, Status};

grpc_runtime::include_proto!("kv");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(store::Store::default());
    let server = Server::builder()
        .add_service(KeyValueServer::from_arc(Arc::clone(&store)))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    let stub = KeyValueStub::new(Channel::insecure(&server.addresses()[0])?);

    let prefix = "fruit/".to_owned();
    let mut changes = stub.watch(WatchRequest { prefix }).start();
    // Once it is here, the watch is on.
    changes.initial_metadata().await?;

    put(&stub, "fruit/apple", "red").await?;
    put(&stub, "fruit/plum", "blue").await?;
    put(&stub, "tree/oak", "tall").await?;
    get(&stub, "fruit/apple").await?;
    get(&stub, "fruit/pear").await?;
    get(&stub, "").await?;
    let prefix = "fruit/".to_owned();
    let keys = stub.list(ListRequest { prefix }).await?.keys;
    println!("list: {}", keys.join(" "));
    let key = "fruit/plum".to_owned();
    stub.delete(DeleteRequest { key }).await?;

    for _ in 0..3 {
        if let Some(change) = changes.next().await? {
            match change.value {
                Some(value) => println!("watch: {} = {}", change.key, text(&value)),
                None => println!("watch: {} is gone", change.key),
            }
        }
    }

    // Dropping the receiver cancels the call, and the server drops its handler.
    drop(changes);
    store.unwatched().await;
    println!("nobody watches any more");

    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn put(stub: &KeyValueStub, key: &str, value: &str) -> Result<(), Status> {
    let request = PutRequest {
        key: key.to_owned(),
        value: value.into(),
    };
    stub.put(request).await?;
    Ok(())
}

/// The code is for programs: it says which failures are answers.
async fn get(stub: &KeyValueStub, key: &str) -> Result<(), Status> {
    let request = GetRequest {
        key: key.to_owned(),
    };
    match stub.get(request).await {
        Ok(response) => println!("get: {key} = {}", text(&response.value)),
        Err(status) if status.code() == Code::NotFound => println!("get: {}", status.message()),
        Err(status) if status.code() == Code::InvalidArgument => println!("get: {status}"),
        Err(status) => return Err(status),
    }
    Ok(())
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
