//! A servicer that does what metadata asks for. `x-do` names it:
//!
//! - `wait`: never answers; how call `x-id` ended is kept;
//! - `started`, `ended`: answers once call `x-id` has come that far;
//! - `fail`: fails with code `x-code`, the greeting as message, `x-details-bin`;
//! - `details`: fails with `INVALID_ARGUMENT`, an `ErrorInfo` and a `BadRequest`;
//! - `authorization`: answers with the metadata of that name;
//! - `cancel`: cancels the call;
//! - `size`: answers with as many bytes as the greeting says;
//! - `remaining`: answers with the milliseconds to the deadline;
//! - `enough`: ends a bidirectional call after one reply.
//!
//! Every call echoes `x-echo` and `x-echo-bin` into initial and trailing
//! metadata. A call that was broken off does not count as complete.

use std::collections::HashMap;
use std::future::pending;

use grpc_runtime::rpc::{BadRequest, ErrorInfo, bad_request::FieldViolation};
use grpc_runtime::{Code, Context, Metadata, Receiver, Sender, Status};
use tokio::sync::watch;

use crate::{HelloRequest, HelloResponse, HelloServiceServicer};

const RUNNING: &str = "running";
const COMPLETE: &str = "complete";
const CANCELLED: &str = "cancelled";

/// How far the calls with an `x-id` have come.
type Calls = watch::Sender<HashMap<String, &'static str>>;

#[derive(Default)]
pub(crate) struct Peer {
    calls: Calls,
}

/// A call that is kept account of. Dropped early, it was cancelled.
struct Call<'a> {
    calls: &'a Calls,
    id: String,
    outcome: &'static str,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.calls.send_modify(|calls| {
            calls.insert(self.id.clone(), self.outcome);
        });
    }
}

impl Peer {
    fn enter(&self, context: &Context) -> Call<'_> {
        let id = text(context, "x-id").to_owned();
        self.calls.send_modify(|calls| {
            calls.insert(id.clone(), RUNNING);
        });
        Call {
            calls: &self.calls,
            id,
            outcome: CANCELLED,
        }
    }

    /// Waits until a call has come so far, and says how far that is.
    async fn came(&self, context: &Context, far: fn(&str) -> bool) -> &'static str {
        let id = text(context, "x-id");
        let mut calls = self.calls.subscribe();
        let reached = calls.wait_for(|calls| calls.get(id).copied().is_some_and(far));
        match reached.await {
            Ok(calls) => calls.get(id).copied().unwrap_or(RUNNING),
            Err(_) => RUNNING,
        }
    }
}

fn hello(name: &str) -> HelloResponse {
    reply(format!("Hello, {name}!"))
}

fn reply(reply: String) -> HelloResponse {
    HelloResponse { reply }
}

fn text<'a>(context: &'a Context, key: &str) -> &'a str {
    context.metadata().get(key).unwrap_or_default()
}

fn task(context: &Context) -> String {
    text(context, "x-do").to_owned()
}

fn echo(context: &mut Context) -> Result<(), Status> {
    let echoed = |kind: &str| -> Result<Metadata, Status> {
        let mut metadata = Metadata::new();
        for value in context.metadata().get_all("x-echo") {
            metadata.append(&format!("x-echo-{kind}"), value.as_str().unwrap_or("?"))?;
        }
        for value in context.metadata().get_all("x-echo-bin") {
            metadata.append_bin(&format!("x-echo-{kind}-bin"), value.as_bytes())?;
        }
        Ok(metadata)
    };
    let (initial, trailing) = (echoed("initial")?, echoed("trailing")?);
    context.set_initial_metadata(initial)?;
    context.trailing_metadata_mut().extend(&trailing);
    Ok(())
}

fn failure(context: &Context, message: String) -> Status {
    let number = text(context, "x-code").parse().unwrap_or_default();
    let details = context.metadata().get_bin("x-details-bin");
    Status::new(Code::from_i32(number), message).with_details(details.unwrap_or_default().to_vec())
}

/// The details that every peer's `details` fails with.
pub(crate) fn details() -> (ErrorInfo, BadRequest) {
    let mut info = ErrorInfo::new("TOO_TERSE", "hello.example");
    info.metadata.insert("least".to_owned(), "1".to_owned());
    let violation = FieldViolation::new("greeting", "whom shall I greet? ☺");
    (info, BadRequest::new([violation]))
}

fn refusal(message: String) -> Status {
    let (info, request) = details();
    Status::invalid_argument(message)
        .with_detail(&info)
        .with_detail(&request)
}

fn cancelled() -> Status {
    Status::cancelled("the server cancelled the call")
}

fn sized(request: &HelloRequest) -> HelloResponse {
    let size = request.greeting.parse().unwrap_or_default();
    reply("x".repeat(size))
}

impl HelloServiceServicer for Peer {
    async fn say_hello(
        &self,
        request: HelloRequest,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        echo(context)?;
        match task(context).as_str() {
            "wait" => {
                let _call = self.enter(context);
                pending().await
            }
            "started" => Ok(reply(self.came(context, |_| true).await.to_owned())),
            "ended" => {
                let outcome = self.came(context, |state| state != RUNNING).await;
                Ok(reply(outcome.to_owned()))
            }
            "fail" => Err(failure(context, request.greeting)),
            "details" => Err(refusal(request.greeting)),
            "authorization" => Ok(reply(text(context, "authorization").to_owned())),
            "cancel" => Err(cancelled()),
            "size" => Ok(sized(&request)),
            "remaining" => {
                let remaining = context.time_remaining().map(|left| left.as_millis());
                Ok(reply(
                    remaining.map_or("none".to_owned(), |left| left.to_string()),
                ))
            }
            _ => Ok(hello(&request.greeting)),
        }
    }

    async fn lots_of_replies(
        &self,
        request: HelloRequest,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        echo(context)?;
        match task(context).as_str() {
            "wait" => {
                let _call = self.enter(context);
                replies.send(hello(&request.greeting)).await?;
                pending().await
            }
            "fail" => {
                replies.send(hello(&request.greeting)).await?;
                Err(failure(context, request.greeting))
            }
            "cancel" => {
                replies.send(hello(&request.greeting)).await?;
                Err(cancelled())
            }
            "size" => {
                for _ in 0..4 {
                    replies.send(sized(&request)).await?;
                }
                Ok(())
            }
            _ => {
                for salute in ["Hello", "Bonjour", "Hallo", "Hola", "Ciao"] {
                    let text = format!("{salute}, {}!", request.greeting);
                    replies.send(reply(text)).await?;
                }
                Ok(())
            }
        }
    }

    async fn lots_of_greetings(
        &self,
        requests: &mut Receiver<HelloRequest>,
        context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        echo(context)?;
        let mut call = self.enter(context);
        let mut names = Vec::new();
        while let Some(request) = requests.next().await? {
            names.push(request.greeting);
        }
        call.outcome = COMPLETE;
        Ok(hello(&names.join(", ")))
    }

    async fn bidi_hello(
        &self,
        requests: &mut Receiver<HelloRequest>,
        replies: &mut Sender<HelloResponse>,
        context: &mut Context,
    ) -> Result<(), Status> {
        echo(context)?;
        let mut call = self.enter(context);
        while let Some(request) = requests.next().await? {
            replies.send(hello(&request.greeting)).await?;
            if task(context) == "enough" {
                break;
            }
        }
        call.outcome = COMPLETE;
        Ok(())
    }
}
