//! gRPC's interop server, under its official flags: `--port` (0 for any, which is
//! then printed as `listening on ADDRESS`) and `--use_tls`, with the PEM files
//! `--tls_cert_file` and `--tls_key_file`. For the tests of fleets it also takes
//!
//! - `--host=HOST`: where it listens; `[::]` unless set.
//! - `--tell_connections`: a line is printed for each connection that it accepts, and for
//!   each error of its listener.
//! - `--server_id=NAME`: who answers, where a request asks for it; `rust-PID` unless set.
//! - `--fail_percent=N`: that share of the unary calls fails with `UNAVAILABLE`; 0
//!   unless set.
//! - `--delay_ms=N`: how long each unary call takes, in milliseconds; 0 unless set.
//! - `--slow_percent=N` and `--slow_ms=N`: that share of them takes so long instead, in
//!   milliseconds; none unless set.
//! - `--tell_calls`: once standard input has ended, it prints how many unary calls there
//!   were, as `calls N`, and ends.
//! - `--max_concurrent_streams=N`: the calls that a connection may have at once; 256
//!   unless set.
//! - `--orca_qps=N` and `--orca_cpu_utilization=X`: the load that it reports with the end
//!   of each unary call, and out of band until a client has it report something else;
//!   none unless set.
//! - `--max_connection_age_ms=N`: connections are drained at this age, in milliseconds,
//!   and 1000 at the least; never with 0, or unless set.
//! - `--notice_ms=N` and `--grace_ms=N`: how long it still serves, and then how long its
//!   calls may take to finish, once it is told to end (SIGTERM, Ctrl-C), in milliseconds; 0
//!   unless set. It then prints how many were cut, as `cut N`.
//! - `--memory_limit=N`: the bytes that all connections may hold; as the runtime has it unless set. With it `--connections=N`: how many there may be.
//! - `--queued_calls=N`: one `UnaryCall` runs at a time, and so many wait.
//! - `--proxy_protocol`: connections from this machine may begin with a PROXY header.
//! - `--connection_window=N` and `--send_buffer=N`: bytes, as the runtime has them unless set.

mod fleet;
mod orca;
mod service;

use std::sync::Arc;
use std::time::Duration;

use grpc_runtime::{
    CallLimit, Http2Options, ListenOptions, MethodLimits, Observer, ProxyProtocol, Server,
    ServerLimits, shutdown_signal,
};
use grpc_tests::flags::Flags;
use grpc_tests::security::server_credentials;

grpc_runtime::include_proto!("grpc.testing");

/// Tells what is wrong with the listener.
struct Listening;

impl Observer for Listening {
    fn accept_failed(&self, error: &std::io::Error) {
        println!("cannot accept: {error}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("port", 8080)?;
    let host = flags.take("host", "[::]".to_owned())?;
    let tells_connections = flags.take("tell_connections", false)?;
    let tells_calls = flags.take("tell_calls", false)?;
    let credentials = server_credentials(&mut flags)?;
    let member = fleet::Member::take(&mut flags)?;
    let mut http2 = Http2Options::default();
    http2.max_concurrent_streams =
        flags.take("max_concurrent_streams", http2.max_concurrent_streams)?;
    http2.connection_window = flags.take("connection_window", http2.connection_window)?;
    http2.send_buffer = flags.take("send_buffer", http2.send_buffer)?;
    let memory_limit = flags.take("memory_limit", 2 << 30)?;
    let connections = flags.take("connections", usize::MAX)?;
    let mut limits = ServerLimits::new().connections(connections);
    if let queued @ 1.. = flags.take("queued_calls", 0)? {
        let one = MethodLimits::new().calls(CallLimit::new(1).queue(queued));
        limits = limits.method("grpc.testing.TestService/UnaryCall", one);
    }
    let mut listen = ListenOptions::new().credentials(credentials);
    if flags.take("proxy_protocol", false)? {
        let here = ProxyProtocol::trusting(["127.0.0.1", "::1"]);
        listen = listen.proxy_protocol(here.or_absent());
    }
    let age = match flags.take("max_connection_age_ms", 0)? {
        0 => Duration::MAX,
        age => Duration::from_millis(age),
    };
    let notice = Duration::from_millis(flags.take("notice_ms", 0)?);
    let grace = Duration::from_millis(flags.take("grace_ms", 0)?);
    flags.finish()?;
    let told_to_end = shutdown_signal();
    let mut builder = Server::builder();
    if tells_connections {
        builder = builder.on_accept(|incoming| {
            println!("accepted {}", incoming.peer());
            true
        });
        builder = builder.observe(Listening);
    }
    let out_of_band = Arc::new(member.out_of_band());
    let member = Arc::new(member);
    let interop = service::Interop::new(Arc::clone(&member), Arc::clone(&out_of_band));
    let server = builder
        .http2(http2)
        .memory_limit(memory_limit)
        .limits(limits)
        .max_connection_age(age)
        .shutdown_notice(notice)
        .add_service(TestServiceServer::new(interop))
        .add_service(out_of_band.service())
        .listen_with_options(format!("{host}:{port}"), listen)
        .start()
        .await?;
    println!("listening on {}", server.addresses()[0]);
    if tells_calls {
        std::thread::spawn(move || {
            // What cannot be read has ended too.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            println!("calls {}", member.calls());
            std::process::exit(0);
        });
    }
    let report = server.shutdown_when(told_to_end, grace).await;
    println!("cut {}", report.calls_cut);
    Ok(())
}
