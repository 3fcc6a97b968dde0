//! What `interceptors-and-observers.md` shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpc_runtime::{
    BegunCall, CallObserver, Channel, ChannelCredentials, ClientInterceptor, Code, Context,
    EndedCall, FailedConnection, Next, ObservedMessage, Observer, Outcome, OutgoingCall,
    RefusedCall, Server, ServerInterceptor, Service, Status,
};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};

// snippet: gate
/// Lets in who has the token, and tells the handler who that is.
fn authenticate(context: &mut Context) -> Result<(), Status> {
    let user = match context.metadata().get("x-token") {
        Some("ada's token") => User("Ada".to_owned()),
        _ => return Err(Status::unauthenticated("a token, please")),
    };
    context.extensions_mut().insert(user);
    Ok(())
}

struct User(String);

fn server() -> grpc_runtime::ServerBuilder {
    Server::builder()
        .interceptor(authenticate)
        .add_service(HelloServiceServer::new(Greeter))
}
// end

struct Greeter;

impl HelloServiceServicer for Greeter {
    // snippet: extension
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let user = context.extensions().get::<User>();
        let name = user.map_or("nobody", |user| &user.0);
        let reply = format!("{}, {name}!", request.greeting);
        Ok(HelloResponse { reply })
    }
    // end
}

// snippet: around
/// Adds `x-served-by` to the trailing metadata, replaces the text of INTERNAL errors, and counts
/// the calls that failed, in whatever way.
struct Outside(Arc<AtomicU64>);

impl ServerInterceptor for Outside {
    async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
        let failures = Arc::clone(&self.0);
        next.on_end(move |call| {
            if call.code() != Code::Ok {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        });
        let outcome = next.run(context).await;
        // `append` fails only for a key or a value that cannot be sent; these can.
        let _ = context
            .trailing_metadata_mut()
            .append("x-served-by", "ada-1");
        outcome.map_err(|status| match status.code() {
            Code::Internal => Status::internal("something went wrong"),
            _ => status,
        })
    }
}
// end

// snippet: one-service
fn for_admins(service: impl Into<Service>) -> Service {
    let service: Service = service.into();
    service.interceptor(
        |context: &mut Context| match context.metadata().get("x-role") {
            Some("admin") => Ok(()),
            _ => Err(Status::permission_denied("for admins alone")),
        },
    )
}
// end

// snippet: client
fn of_tenant(channel: &Channel, tenant: &'static str) -> Channel {
    channel.with_interceptor(move |call: &mut OutgoingCall| {
        call.metadata_mut().append("x-tenant", tenant)?;
        if call.deadline().is_none() {
            call.set_timeout(Duration::from_secs(10));
        }
        call.on_end(|ended: &EndedCall<'_>| {
            let (path, took) = (ended.method().path(), ended.elapsed());
            println!("{path} {} after {took:?}", ended.code());
        });
        Ok(())
    })
}
// end

// snippet: client-waits
struct Token;

impl ClientInterceptor for Token {
    async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
        let token = fetch_token().await?;
        call.metadata_mut().append("x-token", &token)?;
        Ok(())
    }
}
// end

async fn fetch_token() -> Result<String, Status> {
    tokio::task::yield_now().await;
    Ok("ada's token".to_owned())
}

// snippet: observer
/// Counts calls, and says who could not connect.
#[derive(Clone, Default)]
struct Counts(Arc<Numbers>);

#[derive(Default)]
struct Numbers {
    calls: AtomicU64,
    refused: AtomicU64,
}

impl Observer for Counts {
    fn call_ended(&self, _call: &EndedCall<'_>) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn call_refused(&self, _call: &RefusedCall<'_>) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn connection_failed(&self, failed: &FailedConnection<'_>) {
        eprintln!("{failed}");
    }
}
// end

// snippet: call-observer
/// Adds up the bytes of the messages of streams as they pass.
struct Bytes(Arc<AtomicU64>);

impl Observer for Bytes {
    fn call_begun(&self, _call: &BegunCall<'_>) -> Option<Box<dyn CallObserver>> {
        Some(Box::new(BytesOfCall(Arc::clone(&self.0))))
    }
}

struct BytesOfCall(Arc<AtomicU64>);

impl CallObserver for BytesOfCall {
    fn message_sent(&mut self, message: &ObservedMessage) {
        self.0
            .fetch_add(message.wire_size() as u64, Ordering::Relaxed);
    }
}
// end

async fn greet(channel: &Channel) -> Result<String, Status> {
    let request = HelloRequest {
        greeting: "Hello".to_owned(),
    };
    let call = HelloServiceStub::new(channel.clone()).say_hello(request);
    let response = call.timeout(Duration::from_secs(30)).await?;
    Ok(response.reply)
}

#[tokio::test]
async fn a_stranger_is_refused_and_ada_is_greeted_by_her_name() {
    let channel = Channel::in_process(server()).unwrap();
    let refused = greet(&channel).await.unwrap_err();
    assert_eq!(refused.to_string(), "UNAUTHENTICATED: a token, please");
    let ada = channel.with_interceptor(Token);
    assert_eq!(greet(&ada).await.unwrap(), "Hello, Ada!");
}

/// Fails as a handler that cannot reach its database.
struct Broken;

impl HelloServiceServicer for Broken {
    async fn say_hello(
        &self,
        _request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        Err(Status::internal("no connection to 10.0.0.7"))
    }
}

#[tokio::test]
async fn an_interceptor_around_a_handler_changes_what_the_caller_sees() {
    let failures = Arc::new(AtomicU64::new(0));
    let server = Server::builder()
        .interceptor(Outside(Arc::clone(&failures)))
        .add_service(HelloServiceServer::new(Broken));
    let channel = Channel::in_process(server).unwrap();
    let status = greet(&channel).await.unwrap_err();
    assert_eq!(status.to_string(), "INTERNAL: something went wrong");
    assert_eq!(status.metadata().get("x-served-by"), Some("ada-1"));
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_interceptor_may_stand_around_one_service_alone() {
    let service = for_admins(HelloServiceServer::new(Greeter));
    let server = Server::builder().add_service(service);
    let channel = Channel::in_process(server).unwrap();
    let status = greet(&channel).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_channels_clone_has_an_interceptor_of_its_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let server = Server::builder()
        .interceptor(move |context: &mut Context| {
            let tenant = context.metadata().get("x-tenant").map(str::to_owned);
            sees.lock()
                .unwrap()
                .push((tenant, context.deadline().is_some()));
            Ok(())
        })
        .add_service(HelloServiceServer::new(Greeter));
    let channel = Channel::in_process(server).unwrap();
    let of_ada = HelloServiceStub::new(of_tenant(&channel, "ada"));
    of_ada.say_hello(HelloRequest::default()).await.unwrap();
    let plain = HelloServiceStub::new(channel);
    plain.say_hello(HelloRequest::default()).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, [(Some("ada".to_owned()), true), (None, false)]);
}

#[tokio::test]
async fn observers_count_what_they_hear_of() {
    let (counts, bytes) = (Counts::default(), Arc::new(AtomicU64::new(0)));
    // snippet: observe
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .observe(counts.clone())
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .observe(Bytes(Arc::clone(&bytes)))
        .build(ChannelCredentials::insecure())
        .unwrap();
    // end
    assert_eq!(greet(&channel).await.unwrap(), "Hello, nobody!");
    let unknown = grpc_runtime::Method::unary("/example.HelloService/SayGoodbye");
    let call = grpc_runtime::UnaryCall::<HelloResponse>::new(&channel, unknown, &());
    assert_eq!(call.await.unwrap_err().code(), Code::Unimplemented);
    server.shutdown(Duration::from_secs(5)).await;
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert_eq!((count(&counts.0.calls), count(&counts.0.refused)), (1, 1));
    // The field's tag, its length, and "Hello".
    assert_eq!(count(&bytes), 7);
}
