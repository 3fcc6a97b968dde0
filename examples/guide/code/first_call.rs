//! A service called without a network, and without an async runtime.

use std::thread;

use grpc_runtime::{Channel, Code, Context, Server, Status};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
#[cfg(target_os = "linux")]
use crate::harness::output;

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = format!("Hello, {}!", request.greeting);
        Ok(HelloResponse { reply })
    }
}

// snippet: in-process
#[tokio::test]
async fn the_greeter_greets() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server)?);

    let greeting = "Ada".to_owned();
    let response = stub.say_hello(HelloRequest { greeting }).await?;
    assert_eq!(response.reply, "Hello, Ada!");
    Ok(())
}
// end

#[test]
fn a_thread_waits_for_the_reply() {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let stub = HelloServiceStub::new(Channel::in_process(server).unwrap());
    let greets = move |stub: HelloServiceStub| -> Result<String, Status> {
        // snippet: blocking
        let greeting = "Ada".to_owned();
        let response = stub.say_hello(HelloRequest { greeting }).wait()?;
        println!("{}", response.reply);
        // end
        Ok(response.reply)
    };
    let reply = thread::spawn(move || greets(stub)).join().unwrap();
    assert_eq!(reply.unwrap(), "Hello, Ada!");
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_what_was_tried() {
    let stub = HelloServiceStub::new(Channel::insecure("127.0.0.1:1").unwrap());
    let status = stub.say_hello(HelloRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    #[cfg(target_os = "linux")]
    output("nobody-listens", &status.to_string());
}
