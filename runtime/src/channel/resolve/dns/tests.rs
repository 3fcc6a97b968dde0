//! Tests of `dns.rs` in paused time, with scripted lookups.

#[cfg(feature = "dns-txt")]
mod txt;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use super::*;
use crate::channel::resolve::updates::{Requests, updates};

const LONG: Duration = Duration::from_secs(3_600);

/// A running resolver, and the channel's end of it.
struct Bench {
    resolver: Pin<Box<dyn Future<Output = ()>>>,
    requests: Requests,
    /// When each lookup began, in seconds.
    began: Rc<RefCell<Vec<f64>>>,
    start: Instant,
}

impl Bench {
    /// Lookups return `answers` in turn; the last one repeats.
    fn new(max_age: Option<Duration>, answers: &[&str]) -> Self {
        let (sender, requests) = updates();
        let began = Rc::new(RefCell::new(Vec::new()));
        let (start, log) = (Instant::now(), Rc::clone(&began));
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let find = move || {
            let number = log.borrow().len();
            log.borrow_mut().push(start.elapsed().as_secs_f64());
            let answer = answers[number.min(answers.len() - 1)].clone();
            async move {
                let addresses: Result<Vec<SocketAddr>, _> =
                    answer.split(' ').map(str::parse).collect();
                match addresses {
                    Ok(found) => Resolution::new(found.into_iter().map(Endpoint::new)),
                    Err(_) => Resolution::failed(Status::new(Code::Unavailable, answer)),
                }
            }
        };
        let pace = LookupPace {
            waits: Waits::default(),
            max_age,
        };
        let chance = Chance::default();
        let resolver = Box::pin(async move { repeat(pace, &chance, sender, find).await });
        Self {
            resolver,
            requests,
            began,
            start,
        }
    }

    /// Runs until there is a result, and answers it; `None` after `limit`.
    async fn found(&mut self, limit: Duration) -> Option<String> {
        let (resolver, requests) = (&mut self.resolver, &mut self.requests);
        let found = poll_fn(|cx| {
            assert!(resolver.as_mut().poll(cx).is_pending());
            match requests.take(cx.waker()) {
                Some(found) => Poll::Ready(found),
                None => Poll::Pending,
            }
        });
        let found = tokio::time::timeout(limit, found).await.ok()?;
        let (text, verdict) = match found.endpoints {
            Ok(list) => {
                let texts = list.iter().map(|it| it.addresses()[0].to_string());
                (texts.collect::<Vec<_>>().join(" "), Ok(()))
            }
            Err(status) => (status.message().to_owned(), Err(status)),
        };
        self.requests.answer(verdict);
        Some(text)
    }

    fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn lookups(&self) -> usize {
        self.began.borrow().len()
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_requests_is_one_lookup_after_the_interval() {
    let mut bench = Bench::new(None, &["1.0.0.1:1", "1.0.0.2:1"]);
    assert_eq!(bench.found(LONG).await.unwrap(), "1.0.0.1:1");
    for _ in 0..100 {
        bench.requests.request();
    }
    assert_eq!(bench.found(LONG).await.unwrap(), "1.0.0.2:1");
    let elapsed = bench.elapsed();
    assert!((30.0..33.1).contains(&elapsed), "{elapsed}");
    assert_eq!(bench.found(LONG).await, None);
    assert_eq!(bench.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_long_time_a_request_is_answered_at_once() {
    let mut bench = Bench::new(None, &["1.0.0.1:1"]);
    bench.found(LONG).await.unwrap();
    assert_eq!(bench.found(LONG).await, None);
    bench.requests.request();
    let before = bench.elapsed();
    bench.found(LONG).await.unwrap();
    assert!(bench.elapsed() - before < 0.01);
}

#[tokio::test(start_paused = true)]
async fn lookups_that_fail_are_repeated_after_the_backoff_not_the_interval() {
    let answers = ["no such host", "no such host", "1.0.0.1:1"];
    let mut bench = Bench::new(None, &answers);
    assert_eq!(bench.found(LONG).await.unwrap(), "no such host");
    assert_eq!(bench.found(LONG).await.unwrap(), "no such host");
    assert_eq!(bench.found(LONG).await.unwrap(), "1.0.0.1:1");
    let began = bench.began.borrow().clone();
    assert!((0.8..1.3).contains(&(began[1] - began[0])), "{began:?}");
    assert!((1.2..2.0).contains(&(began[2] - began[1])), "{began:?}");
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_connection_now_need_not_wait_for_the_backoff() {
    let mut bench = Bench::new(None, &["no such host", "1.0.0.1:1"]);
    bench.found(LONG).await.unwrap();
    {
        // It waits by now.
        let resolver = &mut bench.resolver;
        let mut once = pin!(poll_fn(|cx| {
            assert!(resolver.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        once.as_mut().await;
    }
    bench.requests.urge();
    assert_eq!(bench.found(LONG).await.unwrap(), "1.0.0.1:1");
    assert!(bench.elapsed() < 0.01);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_to_its_age_is_looked_up_again() {
    let second = Duration::from_secs(1);
    let mut bench = Bench::new(Some(second), &["1.0.0.1:1"]);
    for _ in 0..10 {
        bench.found(LONG).await.unwrap();
    }
    let elapsed = bench.elapsed();
    assert!((9.0..9.2).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_the_policy_refuses_is_looked_up_again_after_the_backoff() {
    let mut bench = Bench::new(None, &["1.0.0.1:1"]);
    let refused = || Err(Status::new(Code::Unavailable, "empty"));
    for _ in 0..2 {
        bench.found(LONG).await.unwrap();
        bench.requests.answer(refused());
    }
    let elapsed = bench.elapsed();
    assert!((0.8..1.3).contains(&elapsed), "{elapsed}");
}

fn lookup(host: &str) -> Lookup {
    Lookup {
        host: host.to_owned(),
        port: 5,
        timeout: Duration::from_secs(20),
        pace: LookupPace {
            waits: Waits::default(),
            max_age: None,
        },
        wants_config: false,
        chance: Arc::default(),
    }
}

#[test]
fn this_machines_own_names_are_local() {
    for host in ["localhost", "LOCALHOST", "localhost.", "app.localhost"] {
        assert!(is_local(host), "{host}");
    }
    for host in ["localhost.test", "mylocalhost", "local", "", "."] {
        assert!(!is_local(host), "{host}");
    }
}

#[test]
fn a_lookup_without_an_answer_ends_when_its_time_is_over() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    let runtime = runtime.unwrap();
    // The only thread for lookups is busy.
    let (over, waits) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || waits.recv());
    let mut slow = lookup("localhost");
    slow.timeout = Duration::from_millis(50);
    let status = runtime.block_on(slow.addresses()).unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let text = "resolve 'localhost': no answer within 50ms";
    assert_eq!(status.message(), text);
    drop(over);
}

#[tokio::test]
async fn the_system_knows_localhost_and_not_what_cannot_be() {
    let found = lookup("localhost").addresses().await.unwrap();
    assert!(
        found
            .iter()
            .all(|it| it.ip().is_loopback() && it.port() == 5)
    );
    let status = lookup("no-such-host.invalid")
        .addresses()
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("resolve 'no-such-host.invalid'"),
        "{status}"
    );
}
