//! Many large calls, one after the other, with a budget of time and of failures.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::SimpleRequest;
use crate::client::{Client, length, payload};
use crate::failure::{Failure, equal};

/// The least time between two calls of a channel that is to live long.
const LONG: Duration = Duration::from_millis(200);

/// Where the calls of a soak go.
#[derive(Clone, Copy)]
enum Over {
    OneChannel,
    ChannelEach,
}

/// How some calls of a soak went.
#[derive(Default)]
struct Report {
    calls: usize,
    slowest: Duration,
    failures: Vec<String>,
}

pub(super) async fn rpc(client: &Client) -> Result<(), Failure> {
    let pause = client.options.soak.min_time_between_rpcs;
    soak(client, Over::OneChannel, pause).await
}

pub(super) async fn channel(client: &Client) -> Result<(), Failure> {
    let pause = client.options.soak.min_time_between_rpcs;
    soak(client, Over::ChannelEach, pause).await
}

pub(super) async fn long_lived_channel(client: &Client) -> Result<(), Failure> {
    let pause = client.options.soak.min_time_between_rpcs.max(LONG);
    soak(client, Over::OneChannel, pause).await
}

/// Shares the iterations between as many callers as there are threads.
async fn soak(client: &Client, over: Over, pause: Duration) -> Result<(), Failure> {
    let options = &client.options.soak;
    let end = Instant::now() + options.overall_timeout;
    let threads = options.threads.clamp(1, options.iterations.max(1));
    let mut callers = JoinSet::new();
    for n in 0..threads {
        let share = options.iterations / threads + usize::from(n < options.iterations % threads);
        callers.spawn(calls(client.clone(), over, share, pause, end));
    }
    let mut all = Report::default();
    while let Some(report) = callers.join_next().await {
        let report = report?;
        all.calls += report.calls;
        all.slowest = all.slowest.max(report.slowest);
        all.failures.extend(report.failures);
    }
    println!(
        "{} of {} calls, {} failed, the slowest took {:?}",
        all.calls,
        options.iterations,
        all.failures.len(),
        all.slowest
    );
    if all.calls < options.iterations {
        let text = "the time was up after so many calls";
        return equal(text, &all.calls, &options.iterations);
    }
    match all.failures.first() {
        Some(first) if all.failures.len() > options.max_failures => {
            Err(format!("{} calls failed; the first: {first}", all.failures.len()).into())
        }
        _ => Ok(()),
    }
}

async fn calls(client: Client, over: Over, share: usize, pause: Duration, end: Instant) -> Report {
    let mut report = Report::default();
    while report.calls < share && Instant::now() < end {
        let began = Instant::now();
        let outcome = match over {
            Over::OneChannel => one(&client).await,
            Over::ChannelEach => match client.on_another_channel() {
                Ok(client) => one(&client).await,
                Err(failure) => Err(failure),
            },
        };
        let latency = began.elapsed();
        report.calls += 1;
        report.slowest = report.slowest.max(latency);
        match outcome {
            Err(failure) => report.failures.push(failure.to_string()),
            Ok(()) if latency > client.options.soak.max_latency => {
                report.failures.push(format!("a call took {latency:?}"));
            }
            Ok(()) => {}
        }
        if report.calls < share {
            tokio::time::sleep(pause.saturating_sub(latency)).await;
        }
    }
    report
}

async fn one(client: &Client) -> Result<(), Failure> {
    let options = &client.options.soak;
    let response = client
        .unary(SimpleRequest {
            response_size: options.response_size,
            payload: Some(payload(options.request_size)),
            ..SimpleRequest::default()
        })
        .await?;
    let found = i32::try_from(length(response.payload.as_ref()))?;
    equal("the body", &found, &options.response_size)
}
