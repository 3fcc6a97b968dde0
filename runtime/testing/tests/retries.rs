//! Calls that are attempted again, as gRFC A6 has it, against scripted servers.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use grpc_runtime::{
    Channel, ChannelBuilder, ChannelCredentials, ClientStream, ClientStreamingCall, Code, Metadata,
    Method, MethodConfig, RetryPolicy, RetryThrottling, ServerStreamingCall, ServiceConfig, Status,
    UnaryCall,
};
use grpc_testing::{Host, Link, Network, Reply, Script};
use tokio::time::Instant;

const GET: Method = Method::unary("/shop.Orders/Get");
const READ: Method = Method::unary("/shop.Orders/Read");
const LIST: Method = Method::server_streaming("/shop.Orders/List");
const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn text(text: &str) -> String {
    text.to_owned()
}

fn busy() -> Reply {
    Reply::status(Status::unavailable("busy"))
}

fn pushback(milliseconds: &str) -> Reply {
    let trailing = Metadata::from_pairs([("grpc-retry-pushback-ms", milliseconds)]).unwrap();
    Reply::status(Status::unavailable("busy").with_metadata(trailing))
}

fn policy() -> RetryPolicy {
    RetryPolicy::new([Code::Unavailable]).backoff(100 * MS, 2.0, SECOND)
}

fn config(policy: RetryPolicy) -> ServiceConfig {
    let all = MethodConfig::new().retry(policy);
    ServiceConfig::builder().all(all).build().unwrap()
}

/// One server behind the name `shop`, and the builder of a channel to it.
async fn shop(script: &Script) -> (Host, ChannelBuilder, Link) {
    let network = Network::new(7);
    let host = network.bind("shop", script.server()).await.unwrap();
    let builder = Channel::builder("passthrough:///shop").unwrap();
    let builder = builder.connector(network.connector("client"));
    (host, builder, network.link("client", "shop"))
}

async fn connect(script: &Script, policy: RetryPolicy) -> (Host, Channel, Link) {
    let (host, builder, link) = shop(script).await;
    let builder = builder.service_config(config(policy));
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    (host, channel, link)
}

fn get(channel: &Channel) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &text("1")).timeout(60 * SECOND)
}

fn import(channel: &Channel) -> ClientStream<String, String> {
    let import = ClientStreamingCall::<String, String>::new(channel, IMPORT);
    import.timeout(60 * SECOND).start()
}

/// What each call said of the attempts before it.
fn previous(script: &Script) -> Vec<Option<String>> {
    let calls = script.calls();
    let said = calls.iter().map(|call| {
        let said = call.metadata().get("grpc-previous-rpc-attempts");
        said.map(str::to_owned)
    });
    said.collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_succeeds_at_its_third_attempt_and_says_which_it_is() {
    let script = Script::new()
        .on(GET.path(), busy())
        .on(GET.path(), busy())
        .on(GET.path(), Reply::message(&text("a book")));
    let (_host, channel, _) = connect(&script, policy()).await;
    let began = Instant::now();
    assert_eq!(get(&channel).await.unwrap(), "a book");
    let took = began.elapsed();
    assert!((240 * MS..=370 * MS).contains(&took), "{took:?}");
    let said = [None, Some(text("1")), Some(text("2"))];
    assert_eq!(previous(&script), said);
}

#[tokio::test(start_paused = true)]
async fn a_failure_tells_each_attempt_its_server_and_its_time() {
    let script = Script::new().on(GET.path(), busy().delay(20 * MS));
    let (_host, channel, _) = connect(&script, policy().max_attempts(3)).await;
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.message()),
        (Code::Unavailable, "busy")
    );
    assert_eq!(script.calls().len(), 3);
    let attempts = failure.attempts();
    assert_eq!(attempts.len(), 3);
    for attempt in attempts {
        assert_eq!(attempt.code(), Code::Unavailable);
        assert_eq!(attempt.peer(), Some("shop"));
        assert!(attempt.took().unwrap() >= 20 * MS);
    }
    let said = failure.to_string();
    let expected = "UNAVAILABLE: busy [attempt 1, shop after 20ms: UNAVAILABLE: busy; attempt 2,";
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test(start_paused = true)]
async fn other_codes_and_other_methods_have_one_attempt() {
    let missing = Reply::status(Status::not_found("no such order"));
    let script = Script::new()
        .on(GET.path(), missing)
        .on(LIST.path(), busy());
    let (_host, builder, _) = shop(&script).await;
    let only_get = ServiceConfig::builder()
        .method("shop.Orders", "Get", MethodConfig::new().retry(policy()))
        .build()
        .unwrap();
    let builder = builder.service_config(only_get);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::NotFound);
    assert!(failure.attempts().is_empty());
    let list = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"));
    let failure = list.start().next().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn retry_pushback_names_the_time_or_ends_it() {
    let script = Script::new()
        .on(GET.path(), pushback("3000"))
        .on(GET.path(), pushback("-1"));
    let (_host, channel, _) = connect(&script, policy()).await;
    let began = Instant::now();
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert_eq!(script.calls().len(), 2);
    let took = began.elapsed();
    assert!(
        (3 * SECOND..3 * SECOND + 50 * MS).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_call_in_backoff() {
    let script = Script::new().on(GET.path(), pushback("600000"));
    let (_host, channel, _) = connect(&script, policy()).await;
    let began = Instant::now();
    let failure = get(&channel).timeout(2 * SECOND).await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    assert_eq!(failure.attempts().len(), 1, "{failure}");
    let took = began.elapsed();
    assert!(
        (2 * SECOND..2 * SECOND + 50 * MS).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_deadline_holds_for_all_attempts() {
    let script = Script::new()
        .on(GET.path(), busy().delay(SECOND))
        .on(GET.path(), Reply::hang());
    let (_host, channel, _) = connect(&script, policy()).await;
    let began = Instant::now();
    let failure = get(&channel).timeout(3 * SECOND).await.unwrap_err();
    assert_eq!(failure.code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < 3 * SECOND + 50 * MS);
    let calls = script.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].time_remaining().unwrap() < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn cancel_and_close_in_backoff() {
    let script = Script::new().on(GET.path(), pushback("600000"));
    let (_host, channel, _) = connect(&script, policy()).await;
    let call = tokio::spawn(get(&channel).response());
    script.received(1).await;
    tokio::time::sleep(SECOND).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let call = tokio::spawn(get(&channel).response());
    script.received(2).await;
    tokio::time::sleep(SECOND).await;
    channel.close();
    let failure = call.await.unwrap().unwrap_err();
    assert_eq!(failure.code(), Code::Cancelled);
    assert_eq!(failure.attempts().len(), 1);
    tokio::time::sleep(700 * SECOND).await;
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_backoff_keeps_a_channel_that_nobody_holds() {
    let script = Script::new()
        .on(GET.path(), pushback("5000"))
        .on(GET.path(), Reply::message(&text("a book")));
    let (_host, channel, _) = connect(&script, policy()).await;
    let call = tokio::spawn(get(&channel).response());
    script.received(1).await;
    drop(channel);
    assert_eq!(call.await.unwrap().unwrap().message, "a book");
}

#[tokio::test(start_paused = true)]
async fn retry_before_and_after_the_commit() {
    let late = Reply::message(&text("one")).then_status(Status::unavailable("torn"));
    let script = Script::new().on(LIST.path(), busy()).on(LIST.path(), late);
    let (_host, channel, _) = connect(&script, policy()).await;
    let list = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"));
    let mut stream = list.start();
    assert_eq!(stream.next().await.unwrap().unwrap(), "one");
    let failure = stream.next().await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.message()),
        (Code::Unavailable, "torn")
    );
    assert_eq!(failure.attempts().len(), 2);
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_streams_is_sent_again_in_order_with_its_end() {
    let script = Script::new()
        .on(IMPORT.path(), busy().after_requests(3))
        .on(
            IMPORT.path(),
            Reply::message(&text("done")).after_requests(5),
        );
    let (_host, channel, _) = connect(&script, policy()).await;
    let mut upload = import(&channel);
    for number in 0..3 {
        upload.send(number.to_string()).await.unwrap();
    }
    script.received(1).await;
    // These come while it is in backoff, or right after it.
    tokio::time::sleep(10 * MS).await;
    upload.send(text("3")).await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    upload.send(text("4")).await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), "done");
    let calls = script.calls();
    assert_eq!(calls.len(), 2);
    let sent: Vec<String> = calls[1].requests().unwrap();
    assert_eq!(sent, ["0", "1", "2", "3", "4"]);
    assert!(calls[1].has_all_requests());
}

#[tokio::test(start_paused = true)]
async fn overflow_by_call_commits() {
    let script = Script::new()
        .on(IMPORT.path(), busy().after_requests(4))
        .on(IMPORT.path(), Reply::message(&text("done")));
    let (_host, channel, _) = connect(&script, policy()).await;
    let mut upload = import(&channel);
    for _ in 0..4 {
        upload.send("x".repeat(100 << 10)).await.unwrap();
    }
    let failure = upload.finish().await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert_eq!(
        script.calls().len(),
        1,
        "400 KB are above the call's 256 KiB"
    );
}

#[tokio::test(start_paused = true)]
async fn overflow_by_channel_commits_and_is_free_again() {
    let script = Script::new()
        .on(IMPORT.path(), Reply::hang())
        .on(IMPORT.path(), busy().after_requests(1))
        .on(IMPORT.path(), busy().after_requests(1))
        .on(IMPORT.path(), Reply::message(&text("done")));
    let (_host, builder, _) = shop(&script).await;
    let builder = builder
        .service_config(config(policy()))
        .attempt_buffer(1 << 20, 150 << 10);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let large = || "x".repeat(100 << 10);
    // The first keeps 100 KiB, so that there is no room for the second's.
    let mut first = import(&channel);
    first.send(large()).await.unwrap();
    script.received(1).await;
    tokio::time::sleep(SECOND).await;
    let mut second = import(&channel);
    second.send(large()).await.unwrap();
    assert!(second.finish().await.is_err());
    assert_eq!(script.calls().len(), 2);
    drop(first);
    let mut third = import(&channel);
    third.send(large()).await.unwrap();
    assert_eq!(third.finish().await.unwrap(), "done");
    assert_eq!(script.calls().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_unary_request_above_the_buffer_has_one_attempt() {
    let script = Script::new().on(GET.path(), busy());
    let (_host, channel, _) = connect(&script, policy()).await;
    let large = UnaryCall::<String>::new(&channel, GET, &"x".repeat(300 << 10));
    assert_eq!(large.await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(script.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn throttling_blocks_and_recovers() {
    let ok = || Reply::message(&text("a book"));
    let mut script = Script::new();
    for reply in [busy(), busy(), busy(), ok(), ok(), ok(), busy(), ok()] {
        script = script.on(GET.path(), reply);
    }
    let (_host, builder, _) = shop(&script).await;
    let config = ServiceConfig::builder()
        .all(MethodConfig::new().retry(policy()))
        .retry_throttling(RetryThrottling::new(4.0, 0.5))
        .build()
        .unwrap();
    let builder = builder.service_config(config);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    // Two failures leave 2 of 4 tokens: the second attempt is the last.
    assert!(get(&channel).await.is_err());
    assert_eq!(script.calls().len(), 2);
    // A first attempt always goes.
    assert!(get(&channel).await.is_err());
    assert_eq!(script.calls().len(), 3);
    for _ in 0..3 {
        get(&channel).await.unwrap();
    }
    // 2.5 tokens, and one less leaves too few: none for the next, though.
    assert!(get(&channel).await.is_err());
    assert_eq!(script.calls().len(), 7);
}

/// Calls of methods without a policy give tokens back, and take one where they are told
/// not to come again.
#[tokio::test(start_paused = true)]
async fn throttling_counts_calls_of_any_method() {
    let mut script = Script::new().on(GET.path(), busy());
    let ok = || Reply::message(&text("a book"));
    for reply in [ok(), ok(), ok(), ok(), pushback("-1")] {
        script = script.on(READ.path(), reply);
    }
    let (_host, builder, _) = shop(&script).await;
    let config = ServiceConfig::builder()
        .method("shop.Orders", "Get", MethodConfig::new().retry(policy()))
        .retry_throttling(RetryThrottling::new(4.0, 1.0))
        .build()
        .unwrap();
    let builder = builder.service_config(config);
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let read = || UnaryCall::<String>::new(&channel, READ, &text("1"));
    let attempts = || script.calls_to(GET.path()).len();
    for attempted in [2, 4] {
        // From 4 tokens to 2, and back.
        assert!(get(&channel).await.is_err());
        assert_eq!(attempts(), attempted);
        for _ in 0..2 {
            read().await.unwrap();
        }
    }
    assert!(read().await.is_err());
    // From 3 to 2, which are too few.
    assert!(get(&channel).await.is_err());
    assert_eq!(attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_before_the_answer_is_tried_again() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), Reply::message(&text("a book")));
    let (_host, channel, link) = connect(&script, policy()).await;
    let call = tokio::spawn(get(&channel).response());
    script.received(1).await;
    link.cut();
    assert_eq!(call.await.unwrap().unwrap().message, "a book");
    assert_eq!(link.connections_made(), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_connections_burn_attempts_unless_the_call_waits() {
    let script = Script::new().on(GET.path(), Reply::message(&text("a book")));
    let (_host, channel, link) = connect(&script, policy().max_attempts(3)).await;
    link.refuse();
    let failure = get(&channel).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable);
    assert_eq!(failure.attempts().len(), 3, "{failure}");
    assert_eq!(failure.attempts()[0].peer(), None);
    let call = tokio::spawn(get(&channel).wait_for_ready().response());
    tokio::time::sleep(SECOND).await;
    link.restore();
    assert_eq!(call.await.unwrap().unwrap().message, "a book");
    assert_eq!(previous(&script), [None]);
}

#[tokio::test(start_paused = true)]
async fn one_line_retries_methods_that_are_idempotent() {
    let script = Script::new()
        .on(GET.path(), busy())
        .on(GET.path(), Reply::message(&text("a book")))
        .on(GET.path(), busy())
        .on(GET.path(), Reply::message(&text("a book")));
    let (_host, builder, _) = shop(&script).await;
    let builder = builder.retry_idempotent();
    let channel = builder.build(ChannelCredentials::insecure()).unwrap();
    let read = UnaryCall::<String>::new(&channel, GET.idempotent(), &text("1"));
    assert_eq!(read.await.unwrap(), "a book");
    assert_eq!(get(&channel).await.unwrap_err().code(), Code::Unavailable);
}
