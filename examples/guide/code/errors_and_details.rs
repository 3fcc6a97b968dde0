//! What a handler answers when it cannot, and what its caller makes of it.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use grpc_runtime::{Channel, Code, Context, Server, Status};

use crate::example::{
    HelloRequest, HelloResponse, HelloServiceServer, HelloServiceServicer, HelloServiceStub,
};
use crate::harness::output;

// snippet: own-error
#[derive(Debug)]
enum StoreError {
    NoSuchGuest(String),
    Database(std::io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchGuest(name) => write!(f, "no guest is called {name}"),
            Self::Database(_) => f.write_str("the database failed"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoSuchGuest(_) => None,
            Self::Database(error) => Some(error),
        }
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NoSuchGuest(_) => Code::NotFound,
            StoreError::Database(_) => Code::Internal,
        };
        // The text goes to the caller, the error stays here as the source.
        Self::from_error(code, error)
    }
}
// end

fn look_up(name: &str) -> Result<String, StoreError> {
    match name {
        "Ada" => Ok("Ada Lovelace".to_owned()),
        "Oops" => Err(StoreError::Database(std::io::Error::other("disk 7"))),
        name => Err(StoreError::NoSuchGuest(name.to_owned())),
    }
}

struct Greeter;

impl HelloServiceServicer for Greeter {
    // snippet: serve
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        if request.greeting.is_empty() {
            return Err(Status::invalid_argument("whom shall I greet?"));
        }
        // end
        assert_ne!(request.greeting, "Mallory");
        // snippet: serve
        let guest = look_up(&request.greeting)?; // by `From<StoreError> for Status`
        Ok(HelloResponse {
            reply: format!("Hello, {guest}!"),
        })
    }
    // end
}

fn stub() -> HelloServiceStub {
    let server = Server::builder().add_service(HelloServiceServer::new(Greeter));
    HelloServiceStub::new(Channel::in_process(server).unwrap())
}

async fn greet(name: &str) -> Result<HelloResponse, Status> {
    stub()
        .say_hello(HelloRequest {
            greeting: name.to_owned(),
        })
        .await
}

// snippet: match
/// The guest's greeting; `None` if nobody knows the guest.
async fn greeting(stub: &HelloServiceStub, name: &str) -> Result<Option<String>, Status> {
    let request = HelloRequest {
        greeting: name.to_owned(),
    };
    match stub.say_hello(request).await {
        Ok(response) => Ok(Some(response.reply)),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}
// end

#[tokio::test]
async fn a_caller_decides_by_the_code() {
    let stub = stub();
    assert_eq!(
        greeting(&stub, "Ada").await.unwrap().unwrap(),
        "Hello, Ada Lovelace!"
    );
    assert_eq!(greeting(&stub, "Bob").await.unwrap(), None);
    assert_eq!(
        greeting(&stub, "").await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn what_a_status_prints() {
    let status = greet("").await.unwrap_err();
    output("status", &status.to_string());
    let status = greet("Oops").await.unwrap_err();
    assert_eq!(status.to_string(), "INTERNAL: the database failed");
    assert!(status.source().is_none(), "it stays on the server");
    let status = greet("Mallory").await.unwrap_err();
    output("panic", &status.to_string());
}

#[test]
fn details_are_typed() {
    // snippet: with-detail
    use grpc_runtime::rpc::bad_request::FieldViolation;
    use grpc_runtime::rpc::{BadRequest, RetryInfo};

    let violation = FieldViolation::new("greeting", "at most 100 letters");
    let status =
        Status::invalid_argument("the name is too long").with_detail(&BadRequest::new([violation]));
    // end
    // snippet: detail
    if let Some(wrong) = status.detail::<BadRequest>() {
        for violation in wrong.field_violations {
            println!("{}: {}", violation.field, violation.description);
        }
    }
    assert_eq!(status.detail::<RetryInfo>(), None);
    // end
    assert!(status.detail::<BadRequest>().is_some());
}

#[test]
fn other_errors_become_a_status() {
    // snippet: from-error
    fn count(text: &str) -> Result<u32, Status> {
        text.parse()
            .map_err(|error| Status::from_error(Code::InvalidArgument, error))
    }

    fn load(path: &str) -> Result<Vec<u8>, Status> {
        Ok(std::fs::read(path)?) // by the error's kind: NOT_FOUND, PERMISSION_DENIED, …
    }
    // end
    assert_eq!(count("x").unwrap_err().code(), Code::InvalidArgument);
    let status = load("/no/such/file").unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "entity not found")
    );
}

#[tokio::test]
async fn errors_of_this_side_say_where_they_arose() {
    let stub = HelloServiceStub::new(Channel::insecure("127.0.0.1:1").unwrap());
    let call = stub
        .say_hello(HelloRequest::default())
        .timeout(Duration::from_secs(5));
    let status = call.await.unwrap_err();
    // snippet: where
    use std::error::Error as _;

    println!("{status}"); // code, message, phase, and each attempt of a retried call
    if let Some(phase) = status.phase() {
        println!("it arose on this side, {phase}"); // None: the server sent it
    }
    let mut cause = status.source();
    while let Some(error) = cause {
        println!("because: {error}");
        cause = error.source();
    }
    // end
    assert_eq!(status.phase().unwrap().to_string(), "while connecting");
    assert!(status.source().is_some());
}
