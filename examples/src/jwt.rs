//! Bearer tokens that are JWTs (RFC 7519), checked per method: a token lists the scopes of
//! its bearer, and a table has the scope that each method needs. A method that is not in the
//! table is refused, so a method that is added to the service is closed until it has a
//! scope. The keys are made here; a real program reads its issuer's from a JWKS document.

grpc_runtime::include_proto!("example");

use std::error::Error;
use std::time::{Duration, SystemTime};

use grpc_runtime::{
    CallCredentials, Channel, Context, Next, Outcome, Sender, Server, ServerInterceptor, Status,
};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://hello.example";

/// The scope that each method takes. No other method is served.
const SCOPES: &[(&str, &str)] = &[
    ("/example.HelloService/SayHello", "hello"),
    ("/example.HelloService/LotsOfReplies", "hello.many"),
];

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// With spaces between them (RFC 8693 section 4.2).
    scope: String,
    exp: u64,
}

/// The authenticated caller, for handlers.
struct Caller(String);

/// Lets in whose token is good for the method that is called.
struct Authorize {
    key: DecodingKey,
    validation: Validation,
}

impl Authorize {
    fn new(key: DecodingKey) -> Self {
        // One fixed algorithm: a token must not choose how it is verified. Required claims
        // must be named, or a token without them passes.
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self { key, validation }
    }

    fn judge(&self, context: &Context) -> Result<Caller, Status> {
        let value = context.metadata().get("authorization");
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Status::unauthenticated("a bearer token, please"))?;
        let judged = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        let claims = judged.map_err(|error| match error.kind() {
            // A client can do something about that.
            ErrorKind::ExpiredSignature => Status::unauthenticated("the token has expired"),
            _ => Status::unauthenticated("the token is not valid here"),
        })?;
        let claims = claims.claims;
        let path = context.method().path();
        let taken = SCOPES.iter().find(|(method, _)| *method == path);
        let may = taken.is_some_and(|(_, scope)| claims.scope.split(' ').any(|it| it == *scope));
        if !may {
            return Err(Status::permission_denied(
                "the token does not have the scope",
            ));
        }
        Ok(Caller(claims.sub))
    }
}

impl ServerInterceptor for Authorize {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        match self.judge(context) {
            Ok(caller) => context.extensions_mut().insert(caller),
            Err(status) => return status.into(),
        };
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
        let caller = context.extensions().get::<Caller>();
        let caller = caller.map_or("nobody", |caller| &caller.0);
        Ok(HelloResponse {
            reply: format!("{}, {caller}!", request.greeting),
        })
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let reply = self.say_hello(request, context).await?;
        replies.send(reply).await
    }
}

/// Whoever makes out tokens.
struct Issuer(KeyPair);

impl Issuer {
    fn new() -> Result<Self, rcgen::Error> {
        Ok(Self(KeyPair::generate()?))
    }

    fn key(&self) -> DecodingKey {
        DecodingKey::from_ec_der(self.0.public_key_raw())
    }

    fn token(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_ec_der(&self.0.serialize_der());
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), claims, &key)
    }
}

fn claims(scope: &str, life: Duration) -> Result<Claims, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: "Ada".to_owned(),
        scope: scope.to_owned(),
        exp: (now + life).as_secs(),
    })
}

async fn serve(issuer: &Issuer) -> Result<Server, Box<dyn Error>> {
    let server = Server::builder()
        .interceptor(Authorize::new(issuer.key()))
        .add_service(HelloServiceServer::new(Greeter))
        .listen("127.0.0.1:0")
        .start()
        .await?;
    Ok(server)
}

fn stub(server: &Server, token: Option<&str>) -> Result<HelloServiceStub, Box<dyn Error>> {
    let mut credentials = grpc_runtime::ChannelCredentials::insecure();
    if let Some(token) = token {
        // A token goes out over TLS alone, unless it stays on the machine as here.
        let bearer = CallCredentials::bearer(token)?.allow_unencrypted();
        credentials = credentials.with_call_credentials(bearer);
    }
    let channel = Channel::new(&server.addresses()[0], credentials)?;
    Ok(HelloServiceStub::new(channel))
}

fn request() -> HelloRequest {
    HelloRequest {
        greeting: "Hello".to_owned(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::new()?;
    let server = serve(&issuer).await?;
    let token = issuer.token(&claims("hello", Duration::from_secs(60))?)?;
    for token in [None, Some(token.as_str())] {
        match stub(&server, token)?.say_hello(request()).await {
            Ok(response) => println!("Received: {}", response.reply),
            Err(status) => println!("Refused: {status}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use grpc_runtime::{BidiStreamingCall, Code, Method, Shape, UnaryCall};

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    async fn call(stub: &HelloServiceStub) -> Result<String, Status> {
        let response = stub.say_hello(request()).await?;
        Ok(response.reply)
    }

    #[tokio::test]
    async fn a_token_is_good_for_the_methods_of_its_scopes_and_no_other() {
        let issuer = Issuer::new().unwrap();
        let server = serve(&issuer).await.unwrap();
        for (scope, one, many) in [
            ("hello", true, false),
            ("hello.many", false, true),
            ("other hello hello.many", true, true),
            ("hell hello.manymore", false, false),
            ("", false, false),
        ] {
            let token = issuer.token(&claims(scope, LIFE).unwrap()).unwrap();
            let stub = stub(&server, Some(&token)).unwrap();
            let told = call(&stub).await.map_err(|status| status.code());
            let denied = Err(Code::PermissionDenied);
            let expected = if one {
                Ok("Hello, Ada!".to_owned())
            } else {
                denied
            };
            assert_eq!(told, expected, "{scope}");
            let mut replies = stub.lots_of_replies(request()).start();
            let first = replies.next().await.map_err(|status| status.code());
            assert_eq!(first.is_ok(), many, "{scope}");
            assert!(many || first.unwrap_err() == Code::PermissionDenied);
        }
    }

    /// The service has the first method and no service has the second: a caller cannot
    /// distinguish them.
    #[tokio::test]
    async fn what_is_not_in_the_table_is_refused_whatever_the_token_says() {
        let issuer = Issuer::new().unwrap();
        let server = serve(&issuer).await.unwrap();
        let scopes = "hello hello.many hello.chat";
        let token = issuer.token(&claims(scopes, LIFE).unwrap()).unwrap();
        let bearer = CallCredentials::bearer(&token).unwrap().allow_unencrypted();
        let credentials = grpc_runtime::ChannelCredentials::insecure();
        let credentials = credentials.with_call_credentials(bearer);
        let channel = Channel::new(&server.addresses()[0], credentials).unwrap();
        let chat = Method::new("/example.HelloService/BidiHello", Shape::BIDI_STREAMING);
        let mut call: BidiStreamingCall<HelloRequest, HelloResponse> =
            BidiStreamingCall::new(&channel, chat);
        call = call.timeout(LIFE);
        let (_requests, mut replies) = call.start();
        let chat = replies.next().await.unwrap_err();
        let none = Method::new("/example.HelloService/Nothing", Shape::UNARY);
        let call: UnaryCall<HelloResponse> = UnaryCall::new(&channel, none, &request());
        let none = call.await.unwrap_err();
        for status in [&chat, &none] {
            assert_eq!(status.code(), Code::PermissionDenied);
        }
        assert_eq!(chat.message(), none.message());
    }

    #[tokio::test]
    async fn tokens_that_are_not_good_here_are_refused() {
        let issuer = Issuer::new().unwrap();
        let server = serve(&issuer).await.unwrap();
        let good = || claims("hello", LIFE).unwrap();
        let other_audience = Claims {
            aud: "https://elsewhere.example".to_owned(),
            ..good()
        };
        let other_issuer = Claims {
            iss: "https://elsewhere.example".to_owned(),
            ..good()
        };
        // Beyond the leeway for clocks that differ.
        let expired = Claims {
            exp: good().exp - 600,
            ..good()
        };
        let secret = EncodingKey::from_secret(issuer.0.public_key_raw()).unwrap();
        let confused = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good(), &secret);
        let valid = issuer.token(&good()).unwrap();
        let unsigned = valid.rsplit_once('.').unwrap().0.to_owned() + ".";
        for (token, text) in [
            (issuer.token(&other_audience).unwrap(), "not valid here"),
            (issuer.token(&other_issuer).unwrap(), "not valid here"),
            (issuer.token(&expired).unwrap(), "has expired"),
            (
                Issuer::new().unwrap().token(&good()).unwrap(),
                "not valid here",
            ),
            (confused.unwrap(), "not valid here"),
            (unsigned, "not valid here"),
            ("no token".to_owned(), "not valid here"),
        ] {
            let stub = stub(&server, Some(&token)).unwrap();
            let status = call(&stub).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{token}");
            assert!(status.message().contains(text), "{status}");
        }
        let stranger = stub(&server, None).unwrap();
        let status = call(&stranger).await.unwrap_err();
        assert_eq!(status.message(), "a bearer token, please");
        let friend = stub(&server, Some(&valid)).unwrap();
        assert_eq!(call(&friend).await.unwrap(), "Hello, Ada!");
    }
}
