//! Tests of addresses and service configs together, in paused time, with scripted lookups.

use std::sync::Mutex;

use super::*;
use crate::channel::service_config::choices::Choices;
use crate::channel::service_config::content::ServiceConfig;
use crate::method::Method;

const AT_ONCE: Duration = Duration::from_millis(1);

/// The results of lookups in turn, each after so many seconds; the last one repeats.
type Script = &'static [(u64, &'static str)];

/// When each lookup began, in seconds.
type Begun = Rc<RefCell<Vec<f64>>>;

/// The next answer of a script, after its time.
fn answer(script: Script, begun: &Begun, start: Instant) -> impl Future<Output = &'static str> {
    let number = begun.borrow().len();
    begun.borrow_mut().push(start.elapsed().as_secs_f64());
    let (delay, answer) = script[number.min(script.len() - 1)];
    async move {
        tokio::time::sleep(Duration::from_secs(delay)).await;
        answer
    }
}

fn failed(text: &str) -> Resolution {
    Resolution::failed(Status::new(Code::Unavailable, text.to_owned()))
}

/// Addresses, or an error.
fn servers(answer: &str) -> Resolution {
    let addresses: Result<Vec<SocketAddr>, _> = answer.split(' ').map(str::parse).collect();
    match addresses {
        Ok(addresses) => Resolution::new(addresses.into_iter().map(Endpoint::new)),
        Err(_) => failed(answer),
    }
}

/// The text of a record after `grpc_config=`, no record, a failure or a panic.
fn config(choices: &Mutex<Choices>, answer: &str) -> Resolution {
    let records = match answer {
        "no record" => Vec::new(),
        "SERVFAIL" | "no answer" => return failed(answer),
        "panic" => panic!("as it was told to"),
        seconds if seconds.parse::<u64>().is_ok() => {
            let config = format!(r#""methodConfig":[{{"name":[{{}}],"timeout":"{seconds}s"}}]"#);
            vec![format!(r#"grpc_config=[{{"serviceConfig":{{{config}}}}}]"#).into_bytes()]
        }
        other => vec![format!("grpc_config={other}").into_bytes()],
    };
    match choices.lock().unwrap().choose(&records) {
        Ok(Some(config)) => Resolution::new([]).service_config(Ok(config)),
        Ok(None) => Resolution::new([]),
        Err(error) => failed(&error.to_string()),
    }
}

/// Both resolvers, running, and the channel's end of them.
struct Bench {
    resolver: Pin<Box<dyn Future<Output = ()>>>,
    requests: Requests,
    asked_servers: Begun,
    asked_configs: Begun,
    start: Instant,
}

/// What the channel gets: servers or their error, and the config's timeout.
type Told = (String, Option<u64>);

fn told(servers: &str, config: Option<u64>) -> Told {
    (servers.to_owned(), config)
}

impl Bench {
    fn new(server_script: Script, config_script: Script) -> Self {
        Self::with_age(None, server_script, config_script)
    }

    fn with_age(max_age: Option<Duration>, server_script: Script, config_script: Script) -> Self {
        let (sender, requests) = updates();
        let pace = LookupPace {
            waits: Waits::default(),
            max_age,
        };
        let start = Instant::now();
        let (asked_servers, asked_configs) = (Begun::default(), Begun::default());
        let (server_log, config_log) = (Rc::clone(&asked_servers), Rc::clone(&asked_configs));
        let resolver = Box::pin(async move {
            let chance = Arc::new(Chance::default());
            let choices = Mutex::new(Choices::new(None, Arc::clone(&chance)));
            let find = || async { servers(answer(server_script, &server_log, start).await) };
            let find_config = || {
                let answer = answer(config_script, &config_log, start);
                async { config(&choices, answer.await) }
            };
            joined(
                |updates| repeat(pace, &chance, updates, find),
                |updates| repeat(pace, &chance, updates, find_config),
                sender,
            )
            .await;
        });
        Self {
            resolver,
            requests,
            asked_servers,
            asked_configs,
            start,
        }
    }

    /// Runs until the channel gets something, and takes it; `None` after `limit`.
    async fn next(&mut self, limit: Duration) -> Option<Told> {
        self.next_with(limit, Ok(())).await
    }

    async fn next_with(&mut self, limit: Duration, verdict: Result<(), Status>) -> Option<Told> {
        let (resolver, requests) = (&mut self.resolver, &mut self.requests);
        let found = poll_fn(|cx| {
            assert!(resolver.as_mut().poll(cx).is_pending());
            match requests.take(cx.waker()) {
                Some(found) => Poll::Ready(found),
                None => Poll::Pending,
            }
        });
        let found = tokio::time::timeout(limit, found).await.ok()?;
        let (servers, verdict) = match found.endpoints {
            Ok(list) => {
                let texts = list.iter().map(|it| it.addresses()[0].to_string());
                (texts.collect::<Vec<_>>().join(" "), verdict)
            }
            Err(status) => (status.message().to_owned(), Err(status)),
        };
        self.requests.answer(verdict);
        let config = found.service_config.map(Result::unwrap);
        Some((servers, config.map(|config| timeout_of(&config))))
    }

    /// Like [`next`](Self::next), after the channel has asked to resolve again.
    async fn next_request(&mut self) -> Option<Told> {
        self.requests.request();
        self.next(LONG).await
    }

    fn elapsed(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

fn timeout_of(config: &ServiceConfig) -> u64 {
    let method = config.of(&Method::unary("/shop.Orders/Get")).unwrap();
    method.timeout.unwrap().as_secs()
}

#[tokio::test(start_paused = true)]
async fn addresses_are_used_at_once_and_a_slow_config_follows() {
    let mut bench = Bench::new(&[(0, "1.0.0.1:1")], &[(5, "7")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", None)));
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(7))));
    let elapsed = bench.elapsed();
    assert!((5.0..5.01).contains(&elapsed), "{elapsed}");
    assert_eq!(bench.next(LONG).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_config_that_is_faster_comes_with_the_addresses() {
    let mut bench = Bench::new(&[(5, "1.0.0.1:1")], &[(1, "7")]);
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(7))));
    assert_eq!(bench.next(LONG).await, None);
}

#[tokio::test(start_paused = true)]
async fn name_servers_that_are_silent_on_configs_hold_up_no_address() {
    let script: Script = &[(0, "1.0.0.1:1"), (0, "1.0.0.2:1"), (0, "1.0.0.3:1")];
    let mut bench = Bench::new(script, &[(20, "no answer")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", None)));
    assert_eq!(bench.next_request().await, Some(told("1.0.0.2:1", None)));
    assert_eq!(bench.next_request().await, Some(told("1.0.0.3:1", None)));
    let (servers, configs) = (bench.asked_servers.borrow(), bench.asked_configs.borrow());
    assert!((60.0..66.1).contains(&servers[2]), "{servers:?}");
    // One after the other, after 20 s and the backoff.
    assert!((20.8..21.3).contains(&configs[1]), "{configs:?}");
    assert!((20.0 + 1.28..20.0 + 1.93).contains(&(configs[2] - configs[1])));
}

#[tokio::test(start_paused = true)]
async fn addresses_that_fail_hold_up_no_config() {
    let mut bench = Bench::new(&[(0, "no such host"), (3, "1.0.0.1:1")], &[(1, "7")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("no such host", None)));
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(7))));
    assert_eq!(bench.asked_configs.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_config_is_none_until_there_is_a_good_one() {
    for invalid in [
        "[{",
        r#"[{"serviceConfig":{},"clientLang":["go"]}]"#,
        "SERVFAIL",
    ] {
        let script = [(0, invalid), (0, "7")].to_vec().leak();
        let mut bench = Bench::new(&[(1, "1.0.0.1:1")], script);
        // Whichever of the two is first.
        let first = bench.next(LONG).await;
        let second = match first {
            Some((_, None)) => bench.next(LONG).await,
            first => first,
        };
        assert_eq!(second, Some(told("1.0.0.1:1", Some(7))), "{invalid}");
        let configs = bench.asked_configs.borrow();
        assert!((0.8..1.3).contains(&configs[1]), "{configs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_config_leaves_the_last_good_one() {
    for invalid in [
        "[{",
        r#"[{"serviceConfig":{"methodConfig":1}}]"#,
        "SERVFAIL",
    ] {
        let script = [(0, "7"), (0, invalid)].to_vec().leak();
        let mut bench = Bench::new(&[(0, "1.0.0.1:1"), (5, "1.0.0.2:1")], script);
        assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", Some(7))));
        assert_eq!(
            bench.next_request().await,
            Some(told("1.0.0.2:1", Some(7))),
            "{invalid}"
        );
        assert!(bench.asked_configs.borrow().len() >= 2);
        assert_eq!(bench.next(LONG).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_gone_is_no_config_any_more() {
    for gone in [
        "no record",
        "[]",
        r#"[{"clientLanguage":["go"],"serviceConfig":{}}]"#,
    ] {
        let script = [(0, "7"), (0, gone)].to_vec().leak();
        let mut bench = Bench::new(&[(0, "1.0.0.1:1"), (5, "1.0.0.2:1")], script);
        assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", Some(7))));
        assert_eq!(
            bench.next_request().await,
            Some(told("1.0.0.1:1", None)),
            "{gone}"
        );
        assert_eq!(bench.next(LONG).await, Some(told("1.0.0.2:1", None)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_that_changes_is_told_and_one_that_does_not_is_not() {
    let script: Script = &[(0, "7"), (1, "7"), (1, "8")];
    let mut bench = Bench::new(&[(0, "1.0.0.1:1")], script);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", Some(7))));
    // Of the addresses, which were looked up too.
    assert_eq!(bench.next_request().await, Some(told("1.0.0.1:1", Some(7))));
    assert_eq!(bench.next(LONG).await, None);
    assert_eq!(bench.asked_configs.borrow().len(), 2);
    assert_eq!(bench.next_request().await, Some(told("1.0.0.1:1", Some(7))));
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(8))));
    assert_eq!(bench.next(LONG).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_requests_is_one_lookup_of_each_after_the_interval() {
    let mut bench = Bench::new(&[(0, "1.0.0.1:1")], &[(1, "7")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", None)));
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(7))));
    for _ in 0..100 {
        bench.requests.request();
    }
    assert_eq!(bench.next(LONG).await, Some(told("1.0.0.1:1", Some(7))));
    assert_eq!(bench.next(LONG).await, None);
    for asked in [&bench.asked_servers, &bench.asked_configs] {
        let asked = asked.borrow();
        assert_eq!(asked.len(), 2);
        assert!((30.0..33.1).contains(&asked[1]), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_is_looked_up_again_when_it_has_come_to_the_age() {
    let age = Some(Duration::from_secs(1));
    let script: Script = &[(0, "1"), (0, "2"), (0, "3")];
    let mut bench = Bench::with_age(age, &[(0, "1.0.0.1:1")], script);
    while bench.next(LONG).await != Some(told("1.0.0.1:1", Some(3))) {}
    let elapsed = bench.elapsed();
    assert!((2.0..2.1).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_connection_now_has_both_looked_up_now() {
    let servers: Script = &[(0, "no such host"), (0, "1.0.0.1:1")];
    let mut bench = Bench::new(servers, &[(0, "SERVFAIL"), (0, "7")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("no such host", None)));
    // Both wait by now.
    assert_eq!(bench.next(AT_ONCE).await, None);
    bench.requests.urge();
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", Some(7))));
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_says_is_said_of_the_addresses() {
    let mut bench = Bench::new(&[(0, "1.0.0.1:1")], &[(0, "7")]);
    let refused = || Err(Status::new(Code::Unavailable, "empty"));
    for _ in 0..2 {
        let word = bench.next_with(LONG, refused()).await;
        assert_eq!(word, Some(told("1.0.0.1:1", Some(7))));
    }
    let servers = bench.asked_servers.borrow().clone();
    assert!((0.8..1.3).contains(&servers[1]), "{servers:?}");
    assert_eq!(bench.asked_configs.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_config_leaves_the_addresses() {
    let mut bench = Bench::new(&[(0, "1.0.0.1:1"), (0, "1.0.0.2:1")], &[(1, "panic")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", None)));
    assert_eq!(bench.next_request().await, Some(told("1.0.0.2:1", None)));
    assert_eq!(bench.asked_configs.borrow().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_are_lost_leave_the_list_to_a_config_that_comes() {
    let servers: Script = &[(0, "1.0.0.1:1"), (0, "no such host")];
    let mut bench = Bench::new(servers, &[(0, "7"), (0, "8")]);
    assert_eq!(bench.next(AT_ONCE).await, Some(told("1.0.0.1:1", Some(7))));
    bench.requests.request();
    // The next lookups of both come by chance one before the other.
    let mut words = Vec::new();
    while words.last() != Some(&Some(told("1.0.0.1:1", Some(8)))) {
        words.push(bench.next(LONG).await);
        assert!(words.len() < 30, "{words:?}");
    }
    words.pop();
    let lost = Some(told("no such host", None));
    assert!(words.iter().all(|word| *word == lost), "{words:?}");
}
