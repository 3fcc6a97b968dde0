//! Interceptors: authentication, logging and timing in one place for all methods.

grpc_runtime::include_proto!("example");

use grpc_runtime::{
    Channel, ClientInterceptor, Context, EndedCall, Next, Outcome, OutgoingCall, Server,
    ServerInterceptor, Status,
};

/// The authenticated caller, for handlers.
struct User(String);

/// Admits callers with a valid token, and passes the caller's name to the handler.
struct Authenticate;

impl ServerInterceptor for Authenticate {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let user = match context.metadata().get("x-token") {
            Some("ada's token") => User("Ada".to_owned()),
            _ => return Status::unauthenticated("I do not know you").into(),
        };
        context.extensions_mut().insert(user);
        next.run(context).await
    }
}

/// Logs every call, including those that are refused, cancelled or past their deadline.
struct Log;

impl ServerInterceptor for Log {
    async fn intercept(&self, context: &mut Context, mut next: Next<'_>) -> Outcome {
        next.on_end(|call| {
            let (path, code) = (call.method().path(), call.code());
            println!(
                "server: {path} {code:?}, {} messages out",
                call.sent().messages
            );
        });
        next.run(context).await
    }
}

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let user = context.extensions().get::<User>();
        let name = user.map_or("nobody", |user| &user.0);
        Ok(HelloResponse {
            reply: format!("{}, {name}!", request.greeting),
        })
    }
}

/// Gets a token for each call; a real one would keep it while it lives.
struct Token;

impl ClientInterceptor for Token {
    async fn start(&self, call: &mut OutgoingCall) -> Result<(), Status> {
        tokio::task::yield_now().await;
        call.metadata_mut().append("x-token", "ada's token")?;
        Ok(())
    }
}

/// Names the program and times its calls. An interceptor that does not wait can be a
/// function.
fn time(call: &mut OutgoingCall) -> Result<(), Status> {
    call.metadata_mut().append("x-program", "interceptors")?;
    call.on_end(|ended: &EndedCall<'_>| {
        let in_time = ended.elapsed().as_secs() < 60;
        println!("client: {:?}, within a minute: {in_time}", ended.code());
    });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .interceptor(Log)
        .interceptor(Authenticate)
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;

    let stranger = Channel::insecure(&server.addresses()[0])?.with_interceptor(time);
    let ada = stranger.with_interceptor(Token);
    for channel in [stranger, ada] {
        let greeting = "Good morning".to_owned();
        let request = HelloRequest { greeting };
        match HelloServiceStub::new(channel).say_hello(request).await {
            Ok(response) => println!("Received: {}", response.reply),
            Err(status) => println!("Refused: {status}"),
        }
    }
    Ok(())
}
