//! Tokens that expire: a client whose source gets new ones ahead of time, and a server
//! that checks them with an interceptor. Here the connection is within one machine;
//! over a network tokens need TLS, as in the example `tls`.

grpc_runtime::include_proto!("example");

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use grpc_runtime::{
    AuthRequest, CallCredentials, Channel, ChannelCredentials, Context, Next, Outcome, Server,
    ServerInterceptor, Status, Token, TokenSource,
};

const LIFE: Duration = Duration::from_secs(1);
/// How long after its expiry a token is still accepted: calls take time on the way, and
/// clocks differ.
const LEEWAY: Duration = Duration::from_secs(2);

/// Issues tokens and recognizes them. A real issuer signs them, and is another program that
/// both sides ask or trust.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<Vec<Instant>>>);

impl Issuer {
    async fn issue(&self) -> String {
        // The way there and back.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        issued.push(Instant::now());
        format!("token-{}", issued.len())
    }

    /// Whether it made out `token`, and not too long ago.
    fn knows(&self, token: &str) -> bool {
        let issued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = token.strip_prefix("token-").and_then(|n| n.parse().ok());
        let place = number.and_then(|number: usize| number.checked_sub(1));
        let at = place.and_then(|place| issued.get(place));
        at.is_some_and(|at| at.elapsed() < LIFE + LEEWAY)
    }
}

/// The client's way to its tokens. How many it needs, and when, is not its business.
struct Login(Issuer);

impl TokenSource for Login {
    async fn token(&self, _request: &AuthRequest) -> Result<Token, Status> {
        let text = self.0.issue().await;
        Ok(Token::bearer(&text)?.expires_in(LIFE))
    }
}

/// The token that a call came with, as handlers get to know it.
struct Shown(String);

/// Admits callers with a token that has not expired.
struct Authenticate(Issuer);

impl ServerInterceptor for Authenticate {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let value = context.metadata().get("authorization").unwrap_or_default();
        let token = value.strip_prefix("Bearer ").unwrap_or_default().to_owned();
        if !self.0.knows(&token) {
            return Status::unauthenticated("no token, or one that has expired").into();
        }
        context.extensions_mut().insert(Shown(token));
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
        let token = context.extensions().get::<Shown>();
        let token = token.map_or("nothing", |shown| &shown.0);
        Ok(HelloResponse {
            reply: format!("{} with {token}", request.greeting),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::default();
    let server = Server::builder()
        .interceptor(Authenticate(issuer.clone()))
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;

    let tokens = CallCredentials::from_tokens(Login(issuer)).allow_unencrypted();
    let credentials = ChannelCredentials::insecure().with_call_credentials(tokens);
    let stub = HelloServiceStub::new(Channel::new(&server.addresses()[0], credentials)?);
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let greeting = "Hello".to_owned();
        let response = stub.say_hello(HelloRequest { greeting }).await?;
        if seen.insert(response.reply.clone()) {
            println!("Received: {}", response.reply);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let stranger = HelloServiceStub::new(Channel::insecure(&server.addresses()[0])?);
    if let Err(status) = stranger.say_hello(HelloRequest::default()).await {
        println!("Refused: {status}");
    }
    Ok(())
}
