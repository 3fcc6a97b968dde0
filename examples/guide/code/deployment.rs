//! What `deployment.md` shows.

use std::future::Future;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, ChannelError, Context, ListenOptions, ProxyProtocol, RoundRobin,
    Sender, Server, ServerBuilder, ServerError, Status,
};
use grpc_services::Health;
use tokio::net::TcpSocket;

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

// snippet: leave-in-order
/// `stop` is `grpc_runtime::shutdown_signal()`: it completes at SIGTERM or Ctrl-C.
async fn serve(address: &str, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
    let report = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .add_service(Health::new().service())
        .shutdown_notice(Duration::from_secs(5))
        .serve_until(address, stop, Duration::from_secs(20))
        .await?;
    for method in &report.methods {
        println!("{}: {} calls cut", method.method.path(), method.calls_cut);
    }
    Ok(())
}
// end

// snippet: connections-of-a-server
fn server() -> ServerBuilder {
    Server::builder()
        // Clients come back, and to other servers where there are some.
        .max_connection_age(Duration::from_secs(600))
        .max_connection_age_grace(Duration::from_secs(20))
        // Finds clients that vanished without a word.
        .keepalive_time(Duration::from_secs(60))
        // The least time between two PINGs of a client.
        .permit_keepalive_time(Duration::from_secs(30))
}
// end

// snippet: connections-of-a-channel
fn channel(target: &str) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .balance(RoundRobin::new())
        .max_resolution_age(Duration::from_secs(30))
        .keepalive_time(Duration::from_secs(60))
        .keepalive_timeout(Duration::from_secs(10))
        .build(ChannelCredentials::insecure())
}
// end

// snippet: proxy-protocol
fn behind_a_balancer(address: &str) -> ServerBuilder {
    let options = ListenOptions::new()
        .proxy_protocol(ProxyProtocol::trusting(["10.0.0.0/8"]))
        .tcp_keepalive(Duration::from_secs(60));
    Server::builder().listen_with_options(address, options)
}
// end

// snippet: http-proxy
fn through_a_proxy(target: &str) -> Result<Channel, ChannelError> {
    Channel::builder(target)?
        .proxy("http://proxy.internal:3128")?
        .build(ChannelCredentials::insecure())
}
// end

// snippet: one-port-more
/// For Kubernetes' probes, which speak no TLS: health alone, in plain text.
async fn serve_probes(
    address: &str,
    health: &Health,
    server: &Server,
) -> Result<Server, ServerError> {
    let probes = Server::builder()
        .add_service(health.service())
        .listen(address)
        .start()
        .await?;
    // Probes hear that the server leaves; this one is shut down after it.
    tokio::spawn(health.leave_with(server.leaving()));
    Ok(probes)
}
// end

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = format!("{} from {}", request.greeting, context.peer());
        Ok(HelloResponse { reply })
    }

    // snippet: say-goodbye
    async fn lots_of_replies(
        &self,
        _request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let leaving = context.leaving();
        tokio::pin!(leaving);
        loop {
            tokio::select! {
                // The caller calls again, and gets another server.
                () = &mut leaving => return Err(Status::unavailable("the server leaves")),
                reply = next_news() => replies.send(reply).await?,
            }
        }
    }
    // end
}

async fn next_news() -> HelloResponse {
    tokio::time::sleep(Duration::from_millis(1)).await;
    HelloResponse::default()
}

#[tokio::test]
async fn a_server_leaves_in_order() {
    use grpc_services::ServingStatus;
    use grpc_services::proto::grpc::health::v1::{HealthCheckRequest, HealthStub};

    // The socket keeps the port for the server, and listens to nobody.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let serving = {
        let address = address.clone();
        async move { serve(&address, async { drop(told.await) }).await }
    };
    let serving = tokio::spawn(serving);
    let channel = channel(&address).unwrap();
    let stub = HelloServiceStub::new(channel.clone());
    let mut replies = stub.lots_of_replies(HelloRequest::default());
    replies = replies.wait_for_ready();
    let mut replies = replies.start();
    replies.next().await.unwrap();
    let watch = HealthStub::new(channel).watch(HealthCheckRequest::default());
    let mut watch = watch.start();
    let told = watch.next().await.unwrap().unwrap().status();
    assert_eq!(told, ServingStatus::Serving);

    tell.send(()).unwrap();
    let told = watch.next().await.unwrap().unwrap().status();
    assert_eq!(told, ServingStatus::NotServing);
    let status = loop {
        if let Err(status) = replies.next().await {
            break status;
        }
    };
    assert_eq!(status.message(), "the server leaves");
    // Within the notice calls are served as before.
    stub.say_hello(HelloRequest::default()).await.unwrap();
    serving.abort();
}

#[tokio::test]
async fn the_options_of_both_sides_agree() {
    let server = server().add_service(HelloServiceServer::new(Greeter));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let stub = HelloServiceStub::new(channel(&server.addresses()[0]).unwrap());
    stub.say_hello(HelloRequest::default()).await.unwrap();
    assert!(through_a_proxy("shop.internal:50051").is_ok());
}

#[tokio::test]
async fn who_is_not_trusted_is_refused() {
    let server = behind_a_balancer("127.0.0.1:0").add_service(HelloServiceServer::new(Greeter));
    let server = server.start().await.unwrap();
    let stub = HelloServiceStub::new(Channel::insecure(&server.addresses()[0]).unwrap());
    let call = stub.say_hello(HelloRequest::default());
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), grpc_runtime::Code::Unavailable);
}

#[tokio::test]
async fn probes_hear_that_the_other_server_leaves() {
    use grpc_services::ServingStatus;
    use grpc_services::proto::grpc::health::v1::{HealthCheckRequest, HealthStub};

    let health = Health::new();
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let probes = serve_probes("127.0.0.1:0", &health, &server).await.unwrap();
    let stub = HealthStub::new(Channel::insecure(&probes.addresses()[0]).unwrap());
    let mut watch = stub.watch(HealthCheckRequest::default()).start();
    let mut told = async || watch.next().await.unwrap().unwrap().status();
    assert_eq!(told().await, ServingStatus::Serving);
    server.shutdown(Duration::ZERO).await;
    assert_eq!(told().await, ServingStatus::NotServing);
}
