//! Tokens that expire: who waits for them, who fails with their source, and when the
//! next one is fetched.

use std::error::Error;
use std::future::{IntoFuture, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::support::{ELSEWHERE, Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    AuthRequest, CallCredentials, Channel, ChannelCredentials, Code, Context, Metadata, Server,
    Status, Token, TokenSource, UnaryCall,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);

/// Tells callers which token came, and refuses those that begin with `bad`.
struct Door;

impl EchoServicer for Door {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let value = context.metadata().get("authorization").unwrap_or_default();
        let token = value.strip_prefix("Bearer ").unwrap_or_default();
        if token.starts_with("bad") {
            return Err(Status::unauthenticated("not you again"));
        }
        Ok(Echo::text(token))
    }
}

/// Calls in process, whose tokens `source` gives. It is told how often it was asked.
struct Caller {
    stub: EchoStub,
    credentials: CallCredentials,
    fetches: Arc<AtomicUsize>,
}

fn caller<F>(source: impl Fn(usize) -> F + Send + Sync + 'static) -> Caller
where
    F: Future<Output = Result<Token, Status>> + Send + 'static,
{
    let server = Server::builder().add_service(service(Door));
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let credentials = CallCredentials::from_tokens(move |_: AuthRequest| {
        source(counted.fetch_add(1, Ordering::SeqCst) + 1)
    });
    Caller {
        stub: EchoStub(Channel::in_process(server).unwrap()),
        credentials: credentials.allow_unencrypted(),
        fetches,
    }
}

impl Caller {
    fn call(&self) -> UnaryCall<Echo> {
        let call = self.stub.unary(Echo::default());
        call.credentials(self.credentials.clone())
    }

    /// Which token a call carries.
    async fn token(&self) -> String {
        self.call().await.unwrap().text
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn bearer(text: &str) -> Token {
    Token::bearer(text).unwrap()
}

#[tokio::test]
async fn a_thousand_calls_wait_for_one_fetch() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let caller = caller(move |number| {
        let gate = Arc::clone(&gate);
        async move {
            let _open = gate.acquire().await.unwrap();
            Ok(bearer(&number.to_string()).expires_in(HOUR))
        }
    });
    let calls: Vec<_> = (0..1_000)
        .map(|_| tokio::spawn(caller.call().into_future()))
        .collect();
    while caller.fetches() == 0 {
        tokio::task::yield_now().await;
    }
    opened.add_permits(1);
    for call in calls {
        let reply = timeout(BOUND, call).await.unwrap().unwrap().unwrap();
        assert_eq!(reply.text, "1");
    }
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("1", 1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_outlives_the_call_that_began_it() {
    let caller = caller(|number| async move {
        sleep(Duration::from_secs(5)).await;
        Ok(bearer(&number.to_string()))
    });
    let first = tokio::spawn(caller.call().into_future());
    sleep(Duration::from_secs(1)).await;
    let second = tokio::spawn(caller.call().into_future());
    sleep(Duration::from_secs(1)).await;
    first.abort();
    let late = caller.call().timeout(Duration::from_secs(1));
    assert_eq!(late.await.unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(second.await.unwrap().unwrap().text, "1");
    // Nobody is left who waits, and it comes to its end nevertheless.
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("1", 1));
}

#[tokio::test(start_paused = true)]
async fn the_next_token_is_fetched_in_the_background() {
    let caller = caller(|number| async move {
        sleep(Duration::from_secs(5)).await;
        let token = bearer(&number.to_string());
        Ok(if number == 1 {
            token.expires_in(Duration::from_secs(105))
        } else {
            token.expires_at(SystemTime::now() + HOUR)
        })
    });
    assert_eq!(caller.token().await, "1");
    sleep(Duration::from_secs(75)).await;
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("1", 1));
    sleep(Duration::from_secs(18)).await;
    let now = Instant::now();
    for _ in 0..10 {
        assert_eq!(caller.token().await, "1");
    }
    assert_eq!((now.elapsed(), caller.fetches()), (Duration::ZERO, 2));
    sleep(Duration::from_secs(6)).await;
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_at_once_until_the_source_may_be_asked_again() {
    let caller = caller(|number| async move {
        tokio::task::yield_now().await;
        if number == 1 {
            let cause = std::io::Error::other("no route");
            return Err(Status::unavailable("the token server is down").with_source(cause));
        }
        Ok(bearer(&number.to_string()))
    });
    let now = Instant::now();
    for call in [caller.call(), caller.call().wait_for_ready(), caller.call()] {
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let text = "call credentials: the token server is down";
        assert_eq!(status.message(), text);
        let said = status.source().unwrap();
        assert!(said.is::<Status>());
        assert_eq!(said.source().unwrap().to_string(), "no route");
    }
    assert_eq!((now.elapsed(), caller.fetches()), (Duration::ZERO, 1));
    sleep(Duration::from_millis(1_201)).await;
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("2", 2));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_or_hangs_fails_those_who_wait_and_nobody_else() {
    let caller = caller(|number| async move {
        match number {
            1 => panic!("this panic is part of a test"),
            2 => pending().await,
            _ => Ok(bearer(&number.to_string())),
        }
    });
    let status = caller.call().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "call credentials: their source panicked");
    sleep(Duration::from_secs(2)).await;
    let (now, hasty) = (Instant::now(), Duration::from_millis(50));
    let status = caller.call().timeout(hasty).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let status = caller.call().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("within 30s"), "{status}");
    assert_eq!(now.elapsed().as_secs(), 30);
    sleep(Duration::from_secs(2)).await;
    assert_eq!((caller.token().await.as_str(), caller.fetches()), ("3", 3));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_a_server_refuses_is_dropped_once_in_a_while() {
    let caller = caller(|number| async move {
        let name = if number == 3 { "good" } else { "bad" };
        Ok(bearer(name).expires_in(HOUR))
    });
    for (waits, fetches) in [(0, 1), (0, 2), (30, 2), (31, 2)] {
        sleep(Duration::from_secs(waits)).await;
        let status = caller.call().await.unwrap_err();
        assert_eq!(status.message(), "not you again");
        assert_eq!(caller.fetches(), fetches);
    }
    assert_eq!(
        (caller.token().await.as_str(), caller.fetches()),
        ("good", 3)
    );
}

#[tokio::test]
async fn extremes_of_a_tokens_life_are_none_and_for_ever() {
    for (life, code) in [
        (Duration::ZERO, Some(Code::Unavailable)),
        (Duration::from_nanos(1), Some(Code::Unavailable)),
        (Duration::from_secs(1 << 62), None),
        (Duration::MAX, None),
    ] {
        let caller = caller(move |_| async move {
            tokio::task::yield_now().await;
            Ok(bearer("t").expires_in(life))
        });
        for _ in 0..3 {
            let ended = caller.call().await;
            assert_eq!(ended.err().map(|status| status.code()), code, "{life:?}");
        }
        assert_eq!(caller.fetches(), 1);
    }
    let ages = [SystemTime::UNIX_EPOCH, SystemTime::now()];
    for at in ages {
        let caller = caller(move |_| async move { Ok(bearer("t").expires_at(at)) });
        let status = caller.call().await.unwrap_err();
        assert!(status.message().contains("expired already"), "{status}");
    }
}

struct Recorded {
    urls: Arc<Mutex<Vec<String>>>,
    is_for_all: bool,
}

impl TokenSource for Recorded {
    async fn token(&self, request: &AuthRequest) -> Result<Token, Status> {
        self.urls.lock().unwrap().push(request.service_url.clone());
        Ok(bearer("t"))
    }

    fn is_for_all(&self) -> bool {
        self.is_for_all
    }
}

#[tokio::test]
async fn each_service_has_its_token_unless_one_is_for_all() {
    let server = Server::builder().add_service(service(Door));
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    for is_for_all in [false, true] {
        let urls = Arc::default();
        let source = Recorded {
            urls: Arc::clone(&urls),
            is_for_all,
        };
        let credentials = CallCredentials::from_tokens(source).allow_unencrypted();
        for authority in ["a.test:443", "b.test:8080"] {
            let builder = Channel::builder(&server.addresses()[0]).unwrap();
            let credentials =
                ChannelCredentials::insecure().with_call_credentials(credentials.clone());
            let stub = EchoStub(builder.authority(authority).build(credentials).unwrap());
            for _ in 0..3 {
                stub.unary(Echo::default()).await.unwrap();
                stub.call(ELSEWHERE, Echo::default()).await.unwrap_err();
            }
        }
        let urls = urls.lock().unwrap().clone();
        let expected = [
            "https://a.test/test.Echo",
            "https://a.test/test.Elsewhere",
            "https://b.test:8080/test.Echo",
            "https://b.test:8080/test.Elsewhere",
        ];
        assert_eq!(urls, expected[..if is_for_all { 1 } else { 4 }]);
    }
}

#[tokio::test]
async fn no_token_is_fetched_for_a_connection_without_encryption() {
    let mut caller = caller(|_| async { Ok(bearer("t")) });
    caller.credentials = CallCredentials::from_tokens(|_: AuthRequest| async {
        panic!("nobody may ask");
    });
    let status = caller.call().await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("without encryption"), "{status}");
}

#[tokio::test]
async fn a_token_of_ones_own_keys_stands_among_other_credentials() {
    let metadata = Metadata::from_pairs([("x-key", "k")]).unwrap();
    let token = Token::from_metadata(metadata);
    let mut caller = caller(|number| async move { Ok(bearer(&number.to_string())) });
    let keys = CallCredentials::from_tokens(move |_: AuthRequest| {
        let token = token.clone();
        async move { Ok(token) }
    });
    caller.credentials = keys.allow_unencrypted().and(caller.credentials);
    for _ in 0..2 {
        assert_eq!(caller.token().await, "1");
    }
    assert!(!format!("{:?}", bearer("secret")).contains("secret"));
}

#[test]
fn blocking_calls_share_the_tokens() {
    let caller = caller(|number| async move {
        sleep(Duration::from_millis(5)).await;
        Ok(bearer(&number.to_string()))
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(caller.call().wait().unwrap().text, "1");
                }
            });
        }
    });
    assert_eq!(caller.fetches(), 1);
}

#[test]
fn a_fetch_whose_runtime_ends_is_begun_anew() {
    let caller = Arc::new(caller(|number| async move {
        if number == 1 {
            pending::<()>().await;
        }
        Ok(bearer(&number.to_string()))
    }));
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let call = Arc::clone(&caller);
    first.spawn(async move { call.call().await });
    while caller.fetches() == 0 {
        std::thread::yield_now();
    }
    let waits = {
        let caller = Arc::clone(&caller);
        std::thread::spawn(move || caller.call().wait())
    };
    drop(first);
    assert_eq!(waits.join().unwrap().unwrap().text, "2");
    assert_eq!(runtime().block_on(caller.token()), "2");
}
