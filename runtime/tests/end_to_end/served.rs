//! What handlers learn of the services beside their own.

use std::sync::Arc;

use crate::calls::Echoes;
use crate::support::{Echo, NAME, service};
use grpc_runtime::{
    Channel, Code, Context, Method, ServedServices, Server, ServerBuilder, Service, Status,
    UnaryCall,
};

const LIST: Method = Method::unary("/test.Directory/List");
const FORGET: Method = Method::unary("/test.Forgetful/List");

async fn list((): &(), _: Echo, context: &mut Context) -> Result<Echo, Status> {
    let served = context.extensions().get::<ServedServices>();
    let served = served.ok_or_else(|| Status::not_found("nobody told"))?;
    Ok(Echo::text(&served.names().join(" ")))
}

fn directory() -> Service {
    Service::builder("test.Directory", Arc::new(()))
        .unary(LIST, list)
        .build()
}

fn forgetful() -> Service {
    Service::builder("test.Forgetful", Arc::new(()))
        .unary(FORGET, list)
        .build()
}

async fn call(server: ServerBuilder, method: Method) -> Result<String, Status> {
    let channel = Channel::in_process(server).unwrap();
    let call = UnaryCall::<Echo>::new(&channel, method, &Echo::default());
    Ok(call.await?.text)
}

#[tokio::test]
async fn a_service_that_asked_is_told_of_all_services_of_its_server_wherever_it_stands() {
    let told = directory().told_of_services();
    let server = Server::builder().add_services([told.clone(), service(Echoes), forgetful()]);
    let listed = call(server, LIST).await.unwrap();
    assert_eq!(listed, format!("test.Directory {NAME} test.Forgetful"));
    // The same service in another server, and within interceptors.
    let pass = |_: &mut Context| Ok(());
    let server = Server::builder().interceptor(pass);
    let server = server
        .add_service(service(Echoes))
        .add_service(told.interceptor(pass));
    let listed = call(server, LIST).await.unwrap();
    assert_eq!(listed, format!("{NAME} test.Directory"));
}

#[tokio::test]
async fn a_service_that_did_not_ask_is_not_told() {
    let both = || [directory().told_of_services(), forgetful()];
    let status = call(Server::builder().add_services(both()), FORGET).await;
    assert_eq!(status.unwrap_err().code(), Code::NotFound);
}
