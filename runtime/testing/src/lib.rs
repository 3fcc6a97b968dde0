//! What tests of programs over grpc-runtime need: servers that answer by a script, a
//! network in memory that fails when it is told to, and the assertion that nothing is
//! left. It reaches the runtime through its public API alone.
//!
//! | the test is of | it takes |
//! |---|---|
//! | a client | a [`Script`] as its server, [`Channel::in_process`] |
//! | a server's handlers | a [`Network`], or [`Channel::in_process`] |
//! | both, when connections break | a [`Network`] and its [`Link`]s |
//! | what is cancelled and given back | [`no_leftovers`] |
//!
//! Nothing here reads the wall clock. In a test with `start_paused` (tokio's `test-util`),
//! time passes only while all tasks wait, at once and to the next timer.
//!
//! [`Channel::in_process`]: grpc_runtime::Channel::in_process
//!
//! # A client, against a failure and then a success
//!
//! ```
//! use std::time::Duration;
//!
//! use grpc_runtime::{Channel, Code, Method, Status, UnaryCall};
//! use grpc_testing::{Reply, Script, no_leftovers};
//!
//! const GET: Method = Method::unary("/shop.Orders/Get");
//!
//! /// What is tested: it asks once more where the server was not there.
//! async fn order(channel: &Channel, id: &str) -> Result<String, Status> {
//!     let get = || UnaryCall::<String>::new(channel, GET, &id.to_owned());
//!     match get().await {
//!         Err(status) if status.code() == Code::Unavailable => {
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!             get().await
//!         }
//!         result => result,
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let script = Script::new()
//!         .on(GET.path(), Reply::status(Status::unavailable("restarting")))
//!         .on(GET.path(), Reply::message(&"a book".to_owned()));
//!     let channel = Channel::in_process(script.server())?;
//!
//!     assert_eq!(order(&channel, "7").await?, "a book");
//!
//!     let calls = script.calls_to(GET.path());
//!     assert_eq!(calls.len(), 2);
//!     assert_eq!(calls[1].requests::<String>()?, ["7"]);
//!     assert!(calls[1].began() - calls[0].began() >= Duration::from_secs(1));
//!     no_leftovers(&script, Duration::from_secs(1)).await;
//!     Ok(())
//! }
//! ```
//!
//! # A handler, until its caller's deadline
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use grpc_runtime::{
//!     Channel, ChannelCredentials, Code, Context, Method, Server, Service, Status, UnaryCall,
//! };
//! use grpc_testing::{Network, no_leftovers};
//! use tokio::time::{Instant, sleep};
//!
//! const REPORT: Method = Method::unary("/shop.Orders/Report");
//!
//! /// What is tested: a report takes an hour.
//! struct Orders;
//!
//! impl Orders {
//!     async fn report(&self, _year: String, _context: &mut Context) -> Result<String, Status> {
//!         sleep(Duration::from_secs(3600)).await;
//!         Ok("all sold".to_owned())
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread", start_paused = true)]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let network = Network::new(7);
//!     // As generated code does it.
//!     let service = Service::builder("shop.Orders", Arc::new(Orders));
//!     let service = service.unary(REPORT, Orders::report).build();
//!     let orders = network.bind("orders", Server::builder().add_service(service)).await?;
//!     network.link("client", "orders").set_latency(Duration::from_millis(20));
//!     let channel = Channel::builder("passthrough:///orders")?
//!         .connector(network.connector("client"))
//!         .build(ChannelCredentials::insecure())?;
//!
//!     let report = || UnaryCall::<String>::new(&channel, REPORT, &"2025".to_owned());
//!     assert_eq!(report().await?, "all sold");
//!     let began = Instant::now();
//!     let status = report().timeout(Duration::from_secs(5)).await.unwrap_err();
//!     assert_eq!(status.code(), Code::DeadlineExceeded);
//!     assert_eq!(began.elapsed().as_secs(), 5);
//!
//!     // The handler was dropped, and with the channel its connection goes.
//!     drop(channel);
//!     no_leftovers(&network, Duration::from_secs(1)).await;
//!     drop(orders);
//!     Ok(())
//! }
//! ```

mod chance;
mod leftovers;
mod link;
mod network;
mod pipe;
mod raw;
mod record;
mod reply;
mod script;
mod watch;
mod wire;

pub use leftovers::{Leftovers, no_leftovers};
pub use link::Link;
pub use network::{Host, Network, NetworkConnector};
pub use record::RecordedCall;
pub use reply::Reply;
pub use script::Script;
pub use watch::CallWatch;
