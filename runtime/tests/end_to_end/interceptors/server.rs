//! Around a server's handlers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Log, OnDrop, call_all, echoes, stub_of, told};
use crate::support::{Echo, EchoServicer, UNARY, service};
use grpc_runtime::{
    BidiStreamingCall, Code, Context, Metadata, Method, Next, Outcome, Receiver, Sender, Server,
    ServerInterceptor, Shape, Status, UnaryCall,
};

/// Writes down the call before and after.
struct Around(Log, &'static str);

impl ServerInterceptor for Around {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let Self(log, name) = self;
        log.add(format!("{name} before"));
        let outcome = next.run(context).await;
        log.add(format!("{name} after"));
        outcome
    }
}

#[tokio::test]
async fn a_servers_stand_outside_of_a_services_and_earlier_ones_outside_of_later_ones() {
    let log = Log::default();
    let around = |name| Around(log.clone(), name);
    let service = echoes().interceptor(around("c")).interceptor(around("d"));
    let stub = stub_of(
        Server::builder()
            .interceptor(around("a"))
            .add_service(service)
            .interceptor(around("b")),
    );
    assert_eq!(call_all(&stub).await, [Code::Ok; 4]);
    let once = [
        "a before", "b before", "c before", "d before", "d after", "c after", "b after", "a after",
    ];
    assert_eq!(log.lines(), once.repeat(4));
}

#[tokio::test]
async fn services_without_an_interceptor_have_none_of_their_neighbours() {
    let log = Log::default();
    let elsewhere = grpc_runtime::Service::builder("test.Elsewhere", std::sync::Arc::new(()))
        .build()
        .interceptor(Around(log.clone(), "elsewhere"));
    let stub = stub_of(
        Server::builder()
            .add_service(elsewhere)
            .add_service(echoes()),
    );
    assert_eq!(call_all(&stub).await, [Code::Ok; 4]);
    assert_eq!(log.lines(), [""; 0]);
}

/// Writes down all that is to be known of a call.
struct Witness(Log);

impl ServerInterceptor for Witness {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let has_deadline = context.deadline().is_some();
        // As one that asks a database first.
        tokio::task::yield_now().await;
        let outcome = next.run(context).await;
        let (sent, received) = (told(outcome.sent()), told(outcome.received()));
        let (method, code, peer) = (context.method().name(), outcome.code(), context.peer());
        self.0.add(format!(
            "{method} {code:?} from {peer} {has_deadline}, got {received}, gave {sent}"
        ));
        outcome
    }
}

#[tokio::test]
async fn an_interceptor_sees_the_method_the_peer_the_status_and_what_passed() {
    let log = Log::default();
    let server = Server::builder().interceptor(Witness(log.clone()));
    let stub = stub_of(server.add_service(echoes()));
    assert_eq!(call_all(&stub).await, [Code::Ok; 4]);
    let failing = stub.unary(Echo::text("fail"));
    let status = failing.timeout(super::BOUND).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    // "hi" takes four bytes; a number takes none if it is 0, else two.
    assert_eq!(
        log.lines(),
        [
            "Unary Ok from in-process false, got 1 of 4, gave 1 of 4",
            "Expand Ok from in-process false, got 1 of 2, gave 2 of 2",
            "Collect Ok from in-process false, got 2 of 8, gave 1 of 0",
            "Chat Ok from in-process false, got 2 of 8, gave 2 of 8",
            "Unary NotFound from in-process true, got 1 of 6, gave 0 of 0",
        ]
    );
}

#[tokio::test]
async fn a_refused_call_reaches_no_handler_and_keeps_what_was_set() {
    struct Refuse;
    impl ServerInterceptor for Refuse {
        async fn intercept(&self, _context: &mut Context, _next: Next<'_>) -> Outcome {
            Status::unauthenticated("who are you?").into()
        }
    }
    struct Mark;
    impl ServerInterceptor for Mark {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            let trailing = context.trailing_metadata_mut();
            trailing.append("x-seen", "outside").unwrap();
            next.run(context).await
        }
    }
    let log = Log::default();
    let service = echoes().interceptor(Around(log.clone(), "inside"));
    let server = Server::builder().interceptor(Mark).interceptor(Refuse);
    let stub = stub_of(server.add_service(service));
    assert_eq!(call_all(&stub).await, [Code::Unauthenticated; 4]);
    assert_eq!(log.lines(), [""; 0]);
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.message(), "who are you?");
    assert_eq!(status.metadata().get("x-seen"), Some("outside"));
}

#[derive(Debug, PartialEq)]
struct User(String);
struct Rows(usize);

struct Reader;

impl EchoServicer for Reader {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        context.extensions_mut().insert(Rows(3));
        let user = context.extensions().get::<User>();
        let user = user.map_or("nobody", |user| &user.0);
        let note = context.metadata().get("x-note").unwrap_or("nothing");
        Ok(Echo::text(&format!("{user}, {note}")))
    }
}

#[tokio::test]
async fn interceptors_and_handlers_tell_each_other_what_they_know() {
    struct Authenticate;
    impl ServerInterceptor for Authenticate {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            if let Some(user) = context.metadata().get("x-user").map(str::to_owned) {
                context.extensions_mut().insert(User(user));
            }
            let metadata = context.metadata_mut();
            metadata.append("x-note", "from inside").unwrap();
            let outcome = next.run(context).await;
            let rows = context.extensions().get::<Rows>().unwrap().0.to_string();
            let trailing = context.trailing_metadata_mut();
            trailing.append("x-rows", &rows).unwrap();
            outcome
        }
    }
    let server = Server::builder().interceptor(Authenticate);
    let stub = stub_of(server.add_service(service(Reader)));
    let call = stub.unary(Echo::default()).metadata("x-user", "ada");
    let response = call.response().await.unwrap();
    assert_eq!(response.message.text, "ada, from inside");
    assert_eq!(response.trailing_metadata.get("x-rows"), Some("3"));
    // Nothing is left for the next call.
    let reply = stub.unary(Echo::default()).await.unwrap();
    assert_eq!(reply.text, "nobody, from inside");
}

#[tokio::test]
async fn an_outcome_can_be_changed_on_its_way_out() {
    struct Soften;
    impl ServerInterceptor for Soften {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            let outcome = next.run(context).await;
            let metadata = Metadata::from_pairs([("x-late", "yes")]).unwrap();
            assert!(context.set_initial_metadata(metadata).is_ok());
            match context.metadata().get("x-refuse") {
                Some(_) => Status::aborted("after all").into(),
                None => outcome.map_err(|status| {
                    Status::new(Code::Unavailable, "try again").with_source(status)
                }),
            }
        }
    }
    let server = Server::builder().interceptor(Soften);
    let stub = stub_of(server.add_service(echoes()));
    let status = stub.unary(Echo::text("fail")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "try again")
    );
    let response = stub.unary(Echo::text("hi")).response().await.unwrap();
    assert_eq!(response.initial_metadata.get("x-late"), Some("yes"));
    let refused = stub.unary(Echo::text("hi")).metadata("x-refuse", "1");
    assert_eq!(refused.await.unwrap_err().code(), Code::Aborted);
}

#[tokio::test]
async fn a_handlers_panic_is_an_outcome_and_an_interceptors_ends_its_call_alone() {
    struct Fragile;
    impl ServerInterceptor for Fragile {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            assert!(
                context.metadata().get("x-break").is_none(),
                "part of a test"
            );
            next.run(context).await
        }
    }
    let log = Log::default();
    let server = Server::builder()
        .interceptor(Fragile)
        .interceptor(Witness(log.clone()));
    let stub = stub_of(server.add_service(echoes()));
    let status = stub.unary(Echo::text("panic")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let seen = "Unary Internal from in-process false, got 1 of 7, gave 0 of 0";
    assert_eq!(log.lines(), [seen]);
    let broken = stub.unary(Echo::text("hi")).metadata("x-break", "1");
    assert_eq!(broken.await.unwrap_err().code(), Code::Internal);
    assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
}

/// What an interceptor and the handler had set comes back from a panic, and what
/// the caller sent, in the first turn and in a later one, streaming or not.
#[tokio::test]
async fn a_panic_takes_nothing_out_of_the_context() {
    struct Panics;
    impl EchoServicer for Panics {
        async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
            if request.text == "late" {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let trailing = context.trailing_metadata_mut();
            trailing.append("x-handler", "was here").unwrap();
            context.extensions_mut().insert(Rows(7));
            panic!("this panic is part of a test")
        }

        async fn chat(
            &self,
            requests: &mut Receiver<Echo>,
            _replies: &mut Sender<Echo>,
            context: &mut Context,
        ) -> Result<(), Status> {
            let request = requests.next().await?;
            self.unary(request.unwrap(), context).await.map(|_| ())
        }
    }
    struct Audit(Log);
    impl ServerInterceptor for Audit {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            let trailing = context.trailing_metadata_mut();
            trailing.append("x-audit", "on").unwrap();
            let outcome = next.run(context).await;
            let rows = context.extensions().get::<Rows>().map(|rows| rows.0);
            let id = context.metadata().get("x-id");
            self.0.add(format!("{:?} {id:?} {rows:?}", outcome.code()));
            outcome
        }
    }
    let log = Log::default();
    let server = Server::builder().interceptor(Audit(log.clone()));
    let stub = stub_of(server.add_service(service(Panics)));
    let mut failures = Vec::new();
    for text in ["at once", "late"] {
        let unary = stub.unary(Echo::text(text)).metadata("x-id", text);
        failures.push(unary.await.unwrap_err());
        let (mut requests, mut replies) = stub.chat().metadata("x-id", text).start();
        requests.send(Echo::text(text)).await.unwrap();
        failures.push(replies.next().await.unwrap_err());
    }
    for status in failures {
        assert_eq!(status.code(), Code::Internal);
        let trailing = |name| status.metadata().get(name);
        assert_eq!(trailing("x-audit"), Some("on"));
        assert_eq!(trailing("x-handler"), Some("was here"));
    }
    let seen = |id: &str| vec![format!("Internal Some(\"{id}\") Some(7)"); 2];
    assert_eq!(log.lines(), [seen("at once"), seen("late")].concat());
}

const ELSEWHERE: Method = Method::new("/test.Elsewhere/Unary", Shape::UNARY);
const NEW: Method = Method::new("/test.Echo/New", Shape::BIDI_STREAMING);

#[tokio::test]
async fn a_servers_interceptors_see_calls_to_methods_that_it_does_not_have() {
    struct Doors(Log);
    impl ServerInterceptor for Doors {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            assert_eq!(context.method(), Method::UNKNOWN);
            context.extensions_mut().insert(Rows(1));
            let trailing = context.trailing_metadata_mut();
            trailing.append("x-seen", "yes").unwrap();
            if context.metadata().get("x-wait").is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if context.metadata().get("x-refuse").is_some() {
                return Status::unauthenticated("who are you?").into();
            }
            let outcome = next.run(context).await;
            let (path, failure) = (context.path(), outcome.result().unwrap_err());
            self.0.add(format!("{path}: {failure:?}"));
            outcome
        }
    }
    let log = Log::default();
    let around = Around(log.clone(), "the service's");
    let server = Server::builder().interceptor(Doors(log.clone()));
    let stub = stub_of(server.add_service(echoes().interceptor(around)));
    let elsewhere = || UnaryCall::<Echo>::new(&stub.0, ELSEWHERE, &Echo::text("hi"));
    for wait in [false, true] {
        let mut call = elsewhere();
        if wait {
            call = call.metadata("x-wait", "1");
        }
        let status = call.timeout(super::BOUND).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("no service 'test.Elsewhere'"));
        assert_eq!(status.metadata().get("x-seen"), Some("yes"));
    }
    let new = BidiStreamingCall::<Echo, Echo>::new(&stub.0, NEW).metadata("x-wait", "1");
    let (mut requests, mut replies) = new.start();
    for number in 0..100 {
        // Until the answer is there.
        if let Err(status) = requests.send(Echo::number(number)).await {
            assert_eq!(status.code(), Code::Unimplemented);
            break;
        }
    }
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("no method '/test.Echo/New'"));

    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let paths = [ELSEWHERE, ELSEWHERE, NEW].map(|method| format!("{}: ", method.path()));
    for (line, path) in lines.iter().zip(&paths) {
        assert!(line.starts_with(path), "{line}");
    }
    let refused = elsewhere().metadata("x-refuse", "1");
    assert_eq!(refused.await.unwrap_err().code(), Code::Unauthenticated);
}

/// Its only field is not what an `Echo` has there.
#[derive(Clone, PartialEq, prost::Message)]
struct NoEcho {
    #[prost(int64, tag = "1")]
    text: i64,
}

#[tokio::test]
async fn a_request_that_cannot_be_decoded_is_an_outcome() {
    let log = Log::default();
    let server = Server::builder().interceptor(Witness(log.clone()));
    let stub = stub_of(server.add_service(echoes()));
    let call = UnaryCall::<Echo>::new(&stub.0, UNARY, &NoEcho { text: 7 });
    assert_eq!(call.await.unwrap_err().code(), Code::Internal);
    let seen = "Unary Internal from in-process false, got 1 of 2, gave 0 of 0";
    assert_eq!(log.lines(), [seen]);
}

/// Leaves a trace of whatever end it has.
struct Guarded(Log);

impl ServerInterceptor for Guarded {
    async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
        let _guard = OnDrop(self.0.clone(), "dropped");
        self.0.add("began");
        let outcome = next.run(context).await;
        self.0.add("ended");
        outcome
    }
}

/// Never answers.
struct Stuck;

impl EchoServicer for Stuck {
    async fn unary(&self, _request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_cancel_and_a_deadline_drop_the_interceptor_with_its_handler() {
    for deadline in [false, true] {
        let log = Log::default();
        let server = Server::builder().interceptor(Guarded(log.clone()));
        let stub = stub_of(server.add_service(service(Stuck)));
        let call = stub.unary(Echo::default());
        if deadline {
            let status = call.timeout(Duration::from_millis(50)).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded);
        } else {
            let call = call.response();
            log.wait_for(1).await;
            drop(call);
        }
        assert_eq!(log.wait_for(2).await, ["began", "dropped"]);
    }
}

/// Burns CPU time, so that its calls begin on tasks of their own.
struct Burns;

impl EchoServicer for Burns {
    async fn unary(&self, request: Echo, _context: &mut Context) -> Result<Echo, Status> {
        let until = std::time::Instant::now() + Duration::from_millis(2);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        Ok(request)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_methods_have_interceptors_too() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let server = Server::builder().interceptor(|context: &mut Context| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        match context.metadata().get("x-refuse") {
            Some(_) => Err(Status::permission_denied("not you")),
            None => Ok(()),
        }
    });
    let stub = stub_of(server.add_service(service(Burns)));
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let call = stub.unary(Echo::number(n));
            let call = match n % 4 {
                0 => call.metadata("x-refuse", "1"),
                _ => call,
            };
            call.response()
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        match (call.await, n % 4) {
            (Err(status), 0) => assert_eq!(status.code(), Code::PermissionDenied),
            (Ok(response), 1..) => assert_eq!(response.message.number, i64::try_from(n).unwrap()),
            (other, _) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 40);
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn compression_is_settled_once_the_handler_has_ended() {
    struct Late;
    impl ServerInterceptor for Late {
        async fn intercept(&self, context: &mut Context, next: Next<'_>) -> Outcome {
            let outcome = next.run(context).await;
            match context.set_compression(grpc_runtime::Compression::Gzip) {
                Ok(()) => outcome,
                Err(status) => status.into(),
            }
        }
    }
    let server = Server::builder().interceptor(Late);
    let stub = stub_of(server.add_service(echoes()));
    let status = stub.unary(Echo::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}
