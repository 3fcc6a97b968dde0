//! Tokens that are renewed under load, and those of a service account.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::BOUND;
use super::certificates::Authority;
use super::{serve, stub};
use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{AuthRequest, CallCredentials, Context, Status, Token};

const LIFE: Duration = Duration::from_secs(1);
/// What the machine may take from a token in hand to a token read.
const ROAD: Duration = Duration::from_secs(1);

/// Tokens that were made out, each the number of its place, and those that were used.
#[derive(Default)]
struct Book {
    issued: Mutex<Vec<Instant>>,
    used: Mutex<BTreeSet<usize>>,
}

struct Door(Arc<Book>);

impl EchoServicer for Door {
    async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
        let value = context.metadata().get("authorization").unwrap_or_default();
        let number = value
            .strip_prefix("Bearer ")
            .and_then(|text| text.parse().ok());
        let number: usize = number.ok_or_else(|| Status::unauthenticated("no token"))?;
        let issued = self.0.issued.lock().unwrap()[number];
        if issued.elapsed() > LIFE + ROAD {
            return Err(Status::unauthenticated(format!("{number} has expired")));
        }
        self.0.used.lock().unwrap().insert(number);
        Ok(Echo::text(value))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_change_under_load_and_no_call_fails() {
    const ROTATIONS: usize = 4;
    let book = Arc::new(Book::default());
    let authority = Authority::new();
    let server = serve(
        service(Door(Arc::clone(&book))),
        authority.server().build().unwrap(),
    )
    .await;
    let source = {
        let book = Arc::clone(&book);
        let under_way = Arc::new(AtomicUsize::new(0));
        CallCredentials::from_tokens(move |_: AuthRequest| {
            let (book, under_way) = (Arc::clone(&book), Arc::clone(&under_way));
            async move {
                assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0);
                tokio::time::sleep(Duration::from_millis(20)).await;
                under_way.fetch_sub(1, Ordering::SeqCst);
                let mut issued = book.issued.lock().unwrap();
                issued.push(Instant::now());
                let token = Token::bearer(&(issued.len() - 1).to_string())?;
                Ok(token.expires_in(LIFE))
            }
        })
    };
    let client = authority.client().build().unwrap();
    let stub = stub(&server, client.with_call_credentials(source));
    let begun = Instant::now();
    let goes_on = {
        let book = Arc::clone(&book);
        move || book.used.lock().unwrap().len() <= ROTATIONS && begun.elapsed() < BOUND
    };
    let blocking = {
        let (stub, goes_on) = (stub.clone(), goes_on.clone());
        std::thread::spawn(move || {
            while goes_on() {
                stub.unary(Echo::default()).wait().unwrap();
            }
        })
    };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (stub, goes_on): (EchoStub, _) = (stub.clone(), goes_on.clone());
            tokio::spawn(async move {
                while goes_on() {
                    stub.unary(Echo::default()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    tokio::task::spawn_blocking(move || blocking.join())
        .await
        .unwrap()
        .unwrap();
    assert!(book.used.lock().unwrap().len() > ROTATIONS);
}

#[cfg(feature = "jwt")]
#[tokio::test]
async fn a_service_accounts_tokens_are_made_out_to_the_service() {
    struct Mirror;

    impl EchoServicer for Mirror {
        async fn unary(&self, _request: Echo, context: &mut Context) -> Result<Echo, Status> {
            let value = context.metadata().get("authorization");
            Ok(Echo::text(value.unwrap_or_default()))
        }
    }

    let authority = Authority::new();
    let server = serve(service(Mirror), authority.server().build().unwrap()).await;
    let key = include_str!("rsa.key").replace('\n', "\\n");
    let file = format!(
        r#"{{"type": "service_account", "private_key_id": "7", "private_key": "{key}",
            "client_email": "robot@a.test"}}"#
    );
    let account = CallCredentials::service_account(&file).unwrap();
    let client = authority.client().build().unwrap();
    let stub = stub(&server, client.with_call_credentials(account));
    let first = stub.unary(Echo::default()).await.unwrap().text;
    let second = stub.unary(Echo::default()).await.unwrap().text;
    assert_eq!(first, second);
    let parts: Vec<_> = first.strip_prefix("Bearer ").unwrap().split('.').collect();
    assert_eq!(parts.len(), 3, "{first}");
    assert!(parts[1].len() > 100 && parts[2].len() == 342, "{first}");
}
