//! Every call can be seen: a server and a client with an access log, spans and metrics.
//!
//! `observed [--calls N] [--otlp ADDRESS]` makes N calls (default: 20). Some succeed, others
//! fail, are cancelled, exceed their deadline, or name an unknown method. At the end it
//! prints a line of JSON for each instrument and set of labels. With `--otlp` it also sends
//! the metrics to an OpenTelemetry collector at that address.
//!
//! Standard error has the access log, and what `tracing` tells. `RUST_LOG` says how much that
//! is; everything of the runtime is below `grpc_runtime`:
//!
//! ```sh
//! observed                                                # each call's span as it ends
//! RUST_LOG=warn observed                                  # only what somebody has to look after
//! RUST_LOG=warn,grpc_runtime::server=info observed        # the spans of the server alone
//! RUST_LOG=info,grpc_runtime::connection=debug observed   # and when connections open and close
//! ```

mod lines;
mod otlp;
mod traffic;

use std::error::Error;
use std::io;
use std::time::Duration;

use grpc_opentelemetry::Metrics;
use grpc_runtime::{AccessLog, Channel, ChannelCredentials, Server, Spans};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use otlp::Exporter;
use traffic::{Greeter, HelloServiceServer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    write_spans();

    // The provider adds up measurements. Each exporter gets the sums once a minute, and at
    // the end of the program.
    let kept = InMemoryMetricExporter::default();
    let mut provider = SdkMeterProvider::builder().with_periodic_exporter(kept.clone());
    if let Some(address) = &options.otlp {
        provider = provider.with_periodic_exporter(Exporter::new(address)?);
    }
    let provider = provider.build();
    let metrics = Metrics::new(&provider);

    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        // One line for each call with its caller, method and status, also for calls that had
        // no handler.
        .observe(AccessLog::new())
        // Events during a call, and log lines of its handler, belong to its span.
        .observe(Spans::new())
        // How many calls there are, how they end and how long they take: for graphs and
        // alarms, which need not look at each call.
        .observe(metrics.clone())
        .listen("127.0.0.1:0")
        .start()
        .await?;
    // A client sees what its server cannot: waits for a connection, retries, the way there
    // and back, and calls that never arrived.
    let channel = Channel::builder(&server.addresses()[0])?
        .observe(Spans::new())
        .observe(metrics)
        .build(ChannelCredentials::insecure())?;

    traffic::make_calls(&channel, options.calls).await;
    // The last calls are over for their caller, and maybe not yet for the server.
    server.shutdown(Duration::from_secs(5)).await;

    // It waits for the exporters, so it is not for a thread that tasks run on.
    let exported = tokio::task::spawn_blocking(move || provider.shutdown()).await?;
    if let Some(sums) = kept.get_finished_metrics()?.last() {
        for line in lines::lines(sums) {
            println!("{line}");
        }
    }
    Ok(exported?)
}

/// Writes spans to standard error when they end, and events when they happen. To collect
/// traces, use the layer of `tracing-opentelemetry`, which takes the same spans.
fn write_spans() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(io::stderr)
        .init();
}

/// The command line's options.
struct Options {
    calls: usize,
    /// Where the collector is.
    otlp: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            calls: 20,
            otlp: None,
        };
        while let Some(argument) = arguments.next() {
            match (argument.as_str(), arguments.next()) {
                ("--calls", Some(number)) => options.calls = number.parse()?,
                ("--otlp", Some(address)) => options.otlp = Some(address),
                _ => return Err(format!("'{argument}' is not known here, or lacks a value").into()),
            }
        }
        Ok(options)
    }
}
