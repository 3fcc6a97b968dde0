//! A server as one runs it on the open internet: TLS whose certificate is renewed while it
//! runs, limits, health, reflection, metrics, an access log, and an end that loses no call.
//!
//! `production_server --listen ADDRESS (--plaintext | --certificate FILE --key FILE) [--probe ADDRESS] [--otlp ADDRESS]`.
//! The probe's address has health and channelz alone,
//! without encryption: for Kubernetes, whose gRPC probes do not use TLS, and for operators.
//! Beside this file are a unit for systemd and a manifest for Kubernetes.

mod options;
#[path = "../observed/otlp.rs"]
mod otlp;

grpc_runtime::include_proto!("example");

use std::error::Error;
use std::time::Duration;

use grpc_opentelemetry::Metrics;
use grpc_runtime::{
    AccessLog, CallLimit, CertificateFiles, ChannelzRegistry, Context, DeadlinePolicy,
    MethodLimits, Server, ServerCredentials, ServerLimits, Status, shutdown_signal, tracing,
};
use grpc_services::{Channelz, Health, Reflection};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use options::{Options, Security};

/// Balancers see within this time that the server leaves; then its calls have GRACE.
const NOTICE: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(20);

struct Greeter;

impl HelloServiceServicer for Greeter {
    async fn say_hello(
        &self,
        request: HelloRequest,
        _context: &mut Context,
    ) -> Result<HelloResponse, Status> {
        let reply = format!("Hello, {}!", request.greeting);
        Ok(HelloResponse { reply })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    // RUST_LOG sets the level; errors are logged by default.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();

    let mut provider = SdkMeterProvider::builder();
    if let Some(collector) = &options.otlp {
        provider = provider.with_periodic_exporter(otlp::Exporter::new(collector)?);
    }
    let provider = provider.build();

    let told_to_end = shutdown_signal(); // Before it serves: none is missed.
    let (health, registry) = (Health::new(), ChannelzRegistry::new());
    let server = Server::builder()
        .add_service(HelloServiceServer::new(Greeter))
        .add_service(health.service())
        .add_services(Reflection::new([FILE_DESCRIPTOR_SET])?.services())
        .limits(limits())
        // Bytes that all connections together may hold.
        .memory_limit(256 << 20)
        // Clients come back to another server, so that a new one has its share.
        .max_connection_age(Duration::from_secs(600))
        .max_connection_age_grace(GRACE)
        // A client whose machine is gone takes no place for hours.
        .keepalive_time(Duration::from_secs(60))
        .shutdown_notice(NOTICE)
        .observe(AccessLog::new())
        .observe(Metrics::new(&provider))
        .channelz(&registry)
        .listen_with(&options.listen, credentials(&options.security)?)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);

    let mut probe = Server::builder().add_service(health.service());
    probe = probe.add_service(Channelz::new(&registry)).listen_nowhere();
    if let Some(address) = &options.probe {
        probe = probe.listen(address);
    }
    let probe = probe.start().await?;
    println!("probes on {:?}", probe.addresses());
    // The probe's server outlives the other, and says meanwhile that it leaves.
    tokio::spawn(health.leave_with(server.leaving()));

    let report = server.shutdown_when(told_to_end, GRACE).await;
    println!("{} calls cut", report.calls_cut);
    probe.shutdown(Duration::ZERO).await;
    // It waits for its exporter, so it is not for a thread that tasks run on.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

/// Of the service alone: health has to answer when the server is busy.
fn limits() -> ServerLimits {
    let calls = CallLimit::new(1_000).queue(1_000);
    let deadlines = DeadlinePolicy::new().at_most(Duration::from_secs(60));
    let hello = MethodLimits::new().calls(calls).deadlines(deadlines);
    ServerLimits::new()
        .connections(10_000)
        .connections_per_peer(1_000)
        .service(hello_service::NAME, hello)
}

fn credentials(security: &Security) -> Result<ServerCredentials, Box<dyn Error>> {
    let Security::Tls { certificate, key } = security else {
        return Ok(ServerCredentials::insecure());
    };
    let files = CertificateFiles::new(certificate, key);
    let watched = files.watch(|reload| tracing::warn!("{reload}"))?;
    Ok(ServerCredentials::from_source(watched).build()?)
}
