//! What is heard of the attempts of a call.

use grpc_runtime::{
    Channel, Code, HedgingPolicy, Metadata, MethodConfig, RetryPolicy, ServiceConfig, Status,
};
use grpc_testing::{Reply, Script};

use crate::world::{GET, MS, World, book, followed, get, open};

fn busy() -> Reply {
    Reply::status(Status::unavailable("busy"))
}

async fn under(config: MethodConfig, script: &Script) -> (World, Channel) {
    let world = World::new(script.server()).await;
    let config = ServiceConfig::builder().all(config).build().unwrap();
    let channel = open(world.builder().service_config(config));
    channel.connect().unwrap();
    tokio::time::sleep(MS).await;
    (world, channel)
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_retried_call_is_told_and_has_a_context_of_its_own() {
    let script = Script::new()
        .on(GET.path(), busy().delay(3 * MS))
        .on(GET.path(), book());
    let policy = RetryPolicy::new([Code::Unavailable]).backoff(100 * MS, 1.0, 100 * MS);
    let (world, channel) = under(MethodConfig::new().retry(policy), &script).await;
    get(&channel, "go").await.unwrap();
    let lines = followed(&world.client);
    let delay = lines.last().unwrap().rsplit(' ').next().unwrap().to_owned();
    let expected = [
        "begun /shop.Orders/Get passthrough:///shop ann - false",
        "attempt 0 after 0",
        "sent 0: 4 as 4",
        "attempt 0 ended Unavailable true 1/0 3ms",
        "attempt 1 after 1",
        "sent 0: 4 as 4",
        "head None",
        "received 0: 8 as 8",
        "attempt 1 ended Ok true 1/1 0ns",
        &format!("ended Ok (1, 0, 0) {delay}"),
    ];
    assert_eq!(lines, expected);
    // gRFC A6's jitter is a fifth.
    let delay: f64 = delay.strip_suffix("ms").unwrap().parse().unwrap();
    assert!((80.0..=121.0).contains(&delay), "{delay}");
    let traces: Vec<_> = script
        .calls()
        .iter()
        .map(|call| call.metadata().get("x-trace").map(str::to_owned))
        .collect();
    assert_eq!(traces, [Some("0".to_owned()), Some("1".to_owned())]);
    let heard = world.client.starting("observer: ");
    let expected = [
        "attempt 0 begun",
        "attempt 0 Unavailable",
        "attempt 1 begun",
        "attempt 1 Ok",
        "ended Ok",
    ];
    assert_eq!(heard, expected.map(|line| format!("observer: {line}")));
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_a_server_wants_at_once_is_told_too() {
    let now = Metadata::from_pairs([("grpc-retry-pushback-ms", "0")]).unwrap();
    let busy = Reply::status(Status::unavailable("busy").with_metadata(now));
    let script = Script::new().on(GET.path(), busy).on(GET.path(), book());
    let policy = RetryPolicy::new([Code::Unavailable]).backoff(100 * MS, 1.0, 100 * MS);
    let (world, channel) = under(MethodConfig::new().retry(policy), &script).await;
    get(&channel, "go").await.unwrap();
    let lines = followed(&world.client);
    assert_eq!(lines.last().unwrap(), "ended Ok (1, 0, 0) 0ns", "{lines:?}");
    assert!(lines.contains(&"attempt 1 after 1".to_owned()), "{lines:?}");
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn hedges_are_told_and_the_one_that_loses_is_cancelled() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), book().delay(5 * MS));
    let policy = HedgingPolicy::new(100 * MS).max_attempts(2);
    let (world, channel) = under(MethodConfig::new().hedging(policy), &script).await;
    get(&channel, "go").await.unwrap();
    let lines = followed(&world.client);
    let attempts: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("attempt") || line.starts_with("ended"))
        .collect();
    let expected = [
        "attempt 0 after 0",
        "attempt 1 after 1 hedge",
        "attempt 0 ended Cancelled true 1/0 105ms",
        "attempt 1 ended Ok true 1/1 5ms",
        "ended Ok (0, 0, 1) 0ns",
    ];
    assert_eq!(attempts, expected.iter().collect::<Vec<_>>(), "{lines:?}");
    drop(channel);
    world.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_hedge_that_follows_on_a_failure_is_a_hedge() {
    let script = Script::new()
        .on(GET.path(), Reply::hang())
        .on(GET.path(), busy().delay(5 * MS))
        .on(GET.path(), book());
    let policy = HedgingPolicy::new(100 * MS).max_attempts(3);
    let policy = policy.non_fatal_codes([Code::Unavailable]);
    let (world, channel) = under(MethodConfig::new().hedging(policy), &script).await;
    get(&channel, "go").await.unwrap();
    let lines = followed(&world.client);
    assert!(
        lines.contains(&"attempt 2 after 2 hedge".to_owned()),
        "{lines:?}"
    );
    assert_eq!(lines.last().unwrap(), "ended Ok (0, 0, 2) 0ns");
    drop(channel);
    world.ends().await;
}
