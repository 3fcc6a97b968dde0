//! gRPC for Rust: the runtime of the code that `protoc-gen-rust-grpc` or `grpc-build`
//! generates. It has the transport, channels, stubs and servers, over its own
//! implementation of HTTP/2.
//!
//! A server and its client, with the code that `grpc_build` generates from this service:
//!
//! ```proto
//! syntax = "proto3";
//! package example;
//!
//! service HelloService {
//!   rpc SayHello (HelloRequest) returns (HelloResponse);
//! }
//! message HelloRequest { string greeting = 1; }
//! message HelloResponse { string reply = 1; }
//! ```
//!
//! ```
//! use grpc_runtime::{Channel, Context, Server, Status};
//!
//! # /*
//! grpc_runtime::include_proto!("example");
//! # */
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contracts/contract_3.rs"));
//!
//! struct Greeter;
//!
//! impl HelloServiceServicer for Greeter {
//!     async fn say_hello(
//!         &self,
//!         request: HelloRequest,
//!         _context: &mut Context,
//!     ) -> Result<HelloResponse, Status> {
//!         Ok(HelloResponse { reply: format!("Hello, {}!", request.greeting) })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder()
//!         .add_service(HelloServiceServer::new(Greeter))
//!         .listen("127.0.0.1:0")
//!         .start()
//!         .await?;
//!
//!     let stub = HelloServiceStub::new(Channel::insecure(&server.addresses()[0])?);
//!     let response = stub.say_hello(HelloRequest { greeting: "World".to_owned() }).await?;
//!     assert_eq!(response.reply, "Hello, World!");
//!     Ok(())
//! }
//! ```
//!
//! [`include_proto!`] says what the build script has to do. [`Channel`] is where a client
//! begins and [`Server`] where a server does. The types between them are [`Status`],
//! [`Metadata`], [`Context`], and the two halves of a stream, [`Sender`] and [`Receiver`].
//!
//! # What it needs
//!
//! - A tokio runtime with its I/O and its time enabled (`enable_all`), of either kind. A
//!   server, its handlers and the connections of a channel are tasks of the runtime in which
//!   [`ServerBuilder::start`] and the channel's first call ran.
//! - Nothing for blocking calls (`.wait()`), which are made on threads without a runtime. A
//!   channel that is first used there has its connections on one thread in the background,
//!   which all such channels of the process share.
//! - Rust 1.88 or later.
//!
//! # The guide
//!
//! The guide, in `examples/guide/` of the repository, has a page for a topic, with code that
//! is compiled and run: `first-call`, `four-kinds`, `messages-and-options`,
//! `packages-and-crates`, `errors-and-details`, `metadata`, `deadlines-and-cancellation`,
//! `channels-balancing-retries`, `tls-and-tokens`, `interceptors-and-observers`, `services`,
//! `metrics-traces-logs`, `testing`, `deployment`, `tuning`, `hardening`, `common-errors`,
//! `options`, `compatibility`, `coming-from-tonic`, `coming-from-grpcio`,
//! `coming-from-grpc-go`, `questions`.
//!
//! # Clients
//!
//! A [`ServiceConfig`] tells clients how to call a service: timeouts, retries
//! ([`RetryPolicy`]), hedging ([`HedgingPolicy`]), how calls are spread over servers
//! ([`RoundRobin`], [`WeightedRoundRobin`], [`LeastRequest`]), which servers get no calls
//! ([`OutlierDetection`], [`ServiceConfigBuilder::health_check_service`]). A program's own
//! balancing policy implements [`Policy`]; a [`Ticket`] reports how a call ended, and
//! [`LoadReport::from_metadata`] or [`Policy::load_reported`] what the server reported of
//! its load.
//!
//! # Features
//!
//! | feature | what it brings | default |
//! |---|---|---|
//! | `compression` | gzip and deflate | on |
//! | `dns-txt` | `ChannelBuilder::service_config_from_dns`: service configs from TXT records | off |
//! | `jwt` | `CallCredentials::service_account`: tokens of Google's service accounts | off |
//! | `ring-hash` | the policies `RingHash` and `RandomSubsetting` | off |
//! | `service-config` | `ServiceConfig::from_json` | off |
//! | `signal` | `shutdown_signal`: SIGTERM and Ctrl-C for `ServerBuilder::serve_until` | off |
//! | `tls` | TLS for channels and servers, by rustls | off |
//! | `tracing` | `Spans` and `AccessLog::traced`: calls and connections for the crate tracing | off |
//! | `zstd` | the encoding zstd | off |
//!
//! # Handlers that do several things at once
//!
//! A handler borrows its two halves until it returns, so the code that uses them runs
//! inside the handler's future. Dropping the future of [`Receiver::next`] loses no message,
//! so it can be a branch of `select!`; functions take a half by `&mut`:
//!
//! ```
//! use grpc_runtime::{Receiver, Sender, Status};
//! use tokio::sync::broadcast;
//!
//! async fn chat(
//!     requests: &mut Receiver<String>,
//!     replies: &mut Sender<String>,
//!     news: &mut broadcast::Receiver<String>,
//! ) -> Result<(), Status> {
//!     loop {
//!         tokio::select! {
//!             request = requests.next() => match request? {
//!                 Some(text) => answer(text, replies).await?,
//!                 None => return Ok(()),
//!             },
//!             Ok(text) = news.recv() => replies.send(text).await?,
//!         }
//!     }
//! }
//!
//! async fn answer(text: String, replies: &mut Sender<String>) -> Result<(), Status> {
//!     replies.send(format!("you said {text}")).await
//! }
//! ```
//!
//! When each half has its own future, the first error ends both:
//!
//! ```
//! # use grpc_runtime::{Receiver, Sender, Status};
//! async fn talk(
//!     requests: &mut Receiver<String>,
//!     replies: &mut Sender<String>,
//! ) -> Result<(), Status> {
//!     let listen = async {
//!         while let Some(text) = requests.next().await? {
//!             println!("{text}");
//!         }
//!         Ok::<_, Status>(())
//!     };
//!     let speak = async {
//!         for count in 0..3 {
//!             replies.send(count.to_string()).await?;
//!         }
//!         Ok(())
//!     };
//!     tokio::try_join!(listen, speak)?;
//!     Ok(())
//! }
//! ```
//!
//! Work that outlives the call runs in a spawned task, which owns what it needs of the
//! servicer in an `Arc`. [`Context::cancelled`] tells the task whether the call was
//! cancelled:
//!
//! ```
//! use std::sync::Arc;
//!
//! use grpc_runtime::{Context, Status};
//!
//! struct Store {/* … */}
//!
//! impl Store {
//!     async fn index(&self, _document: String) {}
//! }
//!
//! struct Documents {
//!     store: Arc<Store>,
//! }
//!
//! // impl DocumentsServicer for Documents {
//! impl Documents {
//!     async fn put(&self, document: String, context: &mut Context) -> Result<(), Status> {
//!         let (store, cancelled) = (Arc::clone(&self.store), context.cancelled());
//!         tokio::spawn(async move {
//!             tokio::select! {
//!                 () = store.index(document) => {}
//!                 // `true`: the call was cancelled, so nobody waits for the result.
//!                 true = cancelled => {}
//!             }
//!         });
//!         Ok(())
//!     }
//! }
//! ```

// docs.rs documents what a feature brings as such.
#![cfg_attr(docsrs, feature(doc_cfg))]

// Generated code names this crate `grpc_runtime`, also inside the crate itself.
extern crate self as grpc_runtime;

mod call;
mod chance;
mod channel;
mod channelz;
mod clock;
mod code;
pub mod codegen;
mod credentials;
#[cfg(test)]
mod credit_tests;
mod deadline;
#[cfg(test)]
mod extremes_tests;
mod framing;
mod in_process;
#[cfg(test)]
mod instructions_tests;
#[cfg(test)]
mod layers_tests;
mod limits;
mod locks;
#[cfg(test)]
mod memory_tests;
mod metadata;
mod method;
mod observe;
mod server;
mod snapshot;
mod spare;
mod status;
mod stub;
mod transport;
#[cfg(test)]
mod upkeep_tests;

pub use call::extensions::Extensions;
pub use call::load_report::LoadReport;
pub use call::receiver::Receiver;
pub use call::sender::Sender;
pub use channel::{
    Address, AttemptEnd, AttemptEnds, Attributes, BackendService, Balance, CallConfig, Channel,
    ChannelBuilder, ChannelError, ChannelSnapshot, ClientInterceptor, ConfigSelector,
    ConnectivityState, Connector, Control, Endpoint, FailurePercentageEjection, HedgingPolicy,
    LeastRequest, Locality, MethodConfig, OutgoingCall, OutlierDetection, Pick, PickArgs,
    PickFirst, Picker, Picks, Policy, Resolution, Resolved, Resolver, RetryPolicy, RetryThrottling,
    RoundRobin, ServiceConfig, ServiceConfigBuilder, ServiceConfigError, StateSnapshot, StateWatch,
    Subchannel, SubchannelSnapshot, SubchannelState, SuccessRateEjection, Target, TargetError,
    Ticket, Updates, WeightedRoundRobin,
};
#[cfg(feature = "ring-hash")]
pub use channel::{EndpointWeight, HashKey, RandomSubsetting, RingHash};
pub use channelz::ChannelzRegistry;
pub use code::Code;
pub use credentials::{
    AuthRequest, CallCredentials, ChannelCredentials, ServerCredentials, Token, TokenSource,
};
#[cfg(feature = "tls")]
pub use credentials::{
    CertificateFiles, CertificateReload, CertificateSource, Certificates, CertificatesBuilder,
    ClientTls, CredentialsError, ServerTls, SourcedClientTls, SourcedServerTls,
    WatchedCertificates,
};
pub use deadline::Deadline;
pub use framing::Side;
pub use framing::encoding::Compression;
pub use metadata::{Metadata, MetadataError, MetadataIter, MetadataValue};
pub use method::{Method, Shape};
pub use observe::access_log::AccessLog;
pub use observe::attempt::{BegunAttempt, EndedAttempt};
pub use observe::begun_call::BegunCall;
pub use observe::call_observer::{CallObserver, ObservedMessage};
pub use observe::close_reason::CloseReason;
pub use observe::connection::{
    ClosedConnection, ConnectionStep, FailedConnection, LeavingConnection, ObservedConnection,
};
pub use observe::ended_call::{EndedCall, FurtherAttempts, PanickedHandler, RefusedCall, Traffic};
pub use observe::observer::Observer;
#[cfg(feature = "tracing")]
pub use observe::spans::{Propagator, Spans};
pub use observe::weights::{UpdatedWeights, WeightState};
#[cfg(feature = "signal")]
pub use server::shutdown_signal;
pub use server::{
    BoundSocket, CallLimit, Context, DeadlinePolicy, Incoming, ListenOptions, ListenerSnapshot,
    MethodLimits, MethodReport, Next, Outcome, ProxyProtocol, ServedServices, Server,
    ServerBuilder, ServerError, ServerInterceptor, ServerLimits, ServerSnapshot, Service,
    ServiceBuilder, ShutdownReport, TestContext, TestShutdown,
};
pub use snapshot::call_counts::CallCounts;
pub use snapshot::socket::SocketSnapshot;
pub use status::{FailedAttempt, Phase, Status, rpc};
pub use stub::{
    BidiStreamingCall, BlockingClientStream, BlockingReceiver, BlockingSender, ClientStream,
    ClientStreamingCall, Response, ResponseFuture, ServerStreamingCall, UnaryCall, UnaryFuture,
};
pub use transport::{ByteStream, Http2Options, PeerAddress};

/// The protobuf messages that generated code uses.
pub use prost;
/// The well-known types.
pub use prost_types;
/// The TLS library, for custom TLS configurations.
#[cfg(feature = "tls")]
pub use rustls;
/// The library of spans and events, for custom levels and spans.
#[cfg(feature = "tracing")]
pub use tracing;

/// Includes the code that `grpc_build` generated for a package, in a build script
/// that writes into `OUT_DIR`.
///
/// ```ignore
/// grpc_runtime::include_proto!("example");   // the package, not the file
/// grpc_runtime::include_proto!("_");         // what has no package
/// ```
///
/// Packages that use each other's types need modules nested as the packages are.
/// `grpc_build` writes them, for any number of packages, into the file that `include_file`
/// names. This macro includes that file by its name without `.rs`:
///
/// ```ignore
/// // build.rs: two packages, of which one uses the other
/// grpc_build::Config::new()
///     .include_file("all.rs")
///     .compile(&["proto/acme/money.proto", "proto/acme/shop.proto"], &["proto"])
///
/// // src/main.rs
/// grpc_runtime::include_proto!("all");
/// use acme::shop::ShopStub;
/// ```
///
/// If the build script generated nothing for the name, compilation fails with a list of the
/// names that exist.
#[macro_export]
macro_rules! include_proto {
    ($package:literal) => {
        include!(env!(
            concat!("GRPC_BUILD_FILE_", $package),
            concat!(
                "the build script generated nothing called `",
                $package,
                "`. Name a package, not its file; generated are: ",
                env!(
                    "GRPC_BUILD_NAMES",
                    "include_proto! needs a build script that calls grpc_build to write into \
                     OUT_DIR"
                )
            )
        ));
    };
}
