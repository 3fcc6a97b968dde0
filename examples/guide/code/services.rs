//! What `services.md` shows.

use std::error::Error;
use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelCredentials, ChannelzRegistry, Code, Context, LoadReport, Server, Service,
    Status,
};
use grpc_services::proto::grpc::health::v1::{HealthCheckRequest, HealthStub};
use grpc_services::{
    Channelz, Health, OutOfBandLoad, Reflection, ReflectionError, ServingStatus, admin_services,
};

use crate::example::{
    FILE_DESCRIPTOR_SET, HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer,
    HelloServiceStub, hello_service,
};

// snippet: health-and-reflection
async fn serve(address: &str) -> Result<(Server, Health), Box<dyn Error>> {
    let health = Health::new();
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .add_service(health.service())
        .add_services(Reflection::new([FILE_DESCRIPTOR_SET])?.services())
        .listen(address)
        .start()
        .await?;
    Ok((server, health))
}
// end

// snippet: database
/// Runs for as long as the server does.
async fn follow_the_database(health: Health) {
    loop {
        let status = match ask_the_database().await {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        health.set(hello_service::NAME, status);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
// end

async fn ask_the_database() -> Result<(), std::io::Error> {
    tokio::task::yield_now().await;
    Err(std::io::ErrorKind::ConnectionRefused.into())
}

// snippet: check
async fn is_serving(channel: &Channel, service: &str) -> Result<bool, Status> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let stub = HealthStub::new(channel.clone());
    let answer = stub.check(request).timeout(Duration::from_secs(1)).await?;
    Ok(answer.status() == ServingStatus::Serving)
}
// end

// snippet: guarded-reflection
fn guarded(descriptors: &'static [u8]) -> Result<Vec<Service>, ReflectionError> {
    let services = Reflection::new([descriptors])?.services();
    let guarded = services.map(|service| {
        service.interceptor(
            |context: &mut Context| match context.metadata().get("x-role") {
                Some("developer") => Ok(()),
                _ => Err(Status::permission_denied("for developers alone")),
            },
        )
    });
    Ok(guarded.into())
}
// end

// snippet: channelz
/// A server for the world, and one for those who look after the machine.
async fn with_channelz(address: &str, inside: &str) -> Result<(Server, Server), Box<dyn Error>> {
    let registry = ChannelzRegistry::new();
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .channelz(&registry)
        .listen(address)
        .start()
        .await?;
    let inside = Server::builder()
        .add_service(Channelz::new(&registry))
        .listen(inside)
        .start()
        .await?;
    Ok((server, inside))
}
// end

// snippet: load
fn with_load(load: &OutOfBandLoad) -> grpc_runtime::ServerBuilder {
    Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .add_service(load.service())
}

/// Every few seconds, with what the program measures.
fn report(load: &OutOfBandLoad, busy: f64, calls_a_second: f64) {
    let mut report = LoadReport::new();
    report
        .set_application_utilization(busy)
        .set_qps(calls_a_second);
    load.set(report);
}
// end

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

#[tokio::test]
async fn health_is_what_the_program_says() {
    let (server, health) = serve("127.0.0.1:0").await.unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    assert!(is_serving(&channel, "").await.unwrap());
    let unknown = is_serving(&channel, hello_service::NAME).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let following = tokio::spawn(follow_the_database(health));
    let told = async {
        loop {
            match is_serving(&channel, hello_service::NAME).await {
                Err(status) if status.code() == Code::NotFound => {}
                told => break told,
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), told).await;
    assert!(!told.unwrap().unwrap());
    following.abort();
}

#[tokio::test]
async fn reflection_is_for_those_whom_its_interceptor_lets_in() {
    use grpc_services::proto::grpc::reflection::v1::server_reflection_request::MessageRequest;
    use grpc_services::proto::grpc::reflection::v1::{
        ServerReflectionRequest, ServerReflectionStub,
    };

    let server = Server::builder().add_services(guarded(FILE_DESCRIPTOR_SET).unwrap());
    let stub = ServerReflectionStub::new(Channel::in_process(server).unwrap());
    for (role, expected) in [("developer", None), ("guest", Some(Code::PermissionDenied))] {
        let call = stub.server_reflection_info().metadata("x-role", role);
        let (mut questions, mut answers) = call.start();
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let _ = questions.send(list).await;
        let told = answers.next().await;
        assert_eq!(told.err().map(|status| status.code()), expected);
    }
}

#[tokio::test]
async fn channelz_shows_the_other_server() {
    use grpc_services::proto::grpc::channelz::v1::{ChannelzStub, GetServersRequest};

    let (server, inside) = with_channelz("127.0.0.1:0", "127.0.0.1:0").await.unwrap();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let stub = HelloServiceStub::new(channel);
    stub.say_hello(HelloRequest::default()).await.unwrap();
    // snippet: snapshot
    let snapshot = server.snapshot();
    println!(
        "{} connections, {} calls, {} failed",
        snapshot.sockets().len(),
        snapshot.calls().started(),
        snapshot.calls().failed(),
    );
    // end
    let channel = Channel::insecure(&inside.addresses()[0]).unwrap();
    let stub = ChannelzStub::new(channel);
    let shown = stub
        .get_servers(GetServersRequest::default())
        .await
        .unwrap();
    assert_eq!(shown.server.len(), 1);
}

#[tokio::test]
async fn a_load_is_told_at_once() {
    use grpc_runtime::WeightedRoundRobin;

    let load = OutOfBandLoad::new();
    report(&load, 0.5, 100.0);
    let server = with_load(&load).listen("127.0.0.1:0").start();
    let server = server.await.unwrap();
    // snippet: load-client
    let policy = WeightedRoundRobin::new().oob_reporting_period(Duration::from_secs(30));
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .balance(policy)
        .build(ChannelCredentials::insecure())
        .unwrap();
    // end
    let stub = HelloServiceStub::new(channel);
    stub.say_hello(HelloRequest::default()).await.unwrap();
}

#[tokio::test]
async fn all_services_are_there_at_once() {
    let (health, load) = (Health::new(), OutOfBandLoad::new());
    let registry = ChannelzRegistry::new();
    // snippet: all
    let services = admin_services(&health, &load, &registry, [FILE_DESCRIPTOR_SET]).unwrap();
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .add_services(services)
        .channelz(&registry);
    // end
    let channel = Channel::in_process(server).unwrap();
    assert!(is_serving(&channel, "").await.unwrap());
}
