//! A network between peers of one process: servers by their names, and the links to them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grpc_runtime::{
    Address, ByteStream, Connector, Server, ServerBuilder, ServerCredentials, ServerError,
    ShutdownReport,
};

use crate::leftovers::Leftovers;
use crate::link::Link;
use crate::watch::CallWatch;

/// A network in memory. Servers are bound to names, and channels reach them by a
/// [connector](Self::connector): the target `passthrough:///orders` leads to the server
/// called `orders`, and an address from your own resolver to the server whose name is the
/// address's text. Both sides use real gRPC connections; the [`Link`] between them controls
/// delays and faults. Clones share the network.
///
/// The network uses tokio's clock only. With tokio's time paused a test of hours takes
/// milliseconds, and each run has the same delays: see [`Link::set_jitter`] for the use of
/// the seed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use grpc_runtime::{Channel, ChannelCredentials, Method, UnaryCall};
/// use grpc_testing::{Network, Reply, Script};
/// use tokio::time::Instant;
///
/// const GET: Method = Method::unary("/shop.Orders/Get");
///
/// let network = Network::new(7);
/// let script = Script::new().on(GET.path(), Reply::message(&"a book".to_owned()));
/// let orders = network.bind("orders", script.server()).await?;
/// network.link("client", "orders").set_latency(Duration::from_millis(50));
///
/// let channel = Channel::builder("passthrough:///orders")?
///     .connector(network.connector("client"))
///     .build(ChannelCredentials::insecure())?;
/// let get = || UnaryCall::<String>::new(&channel, GET, &());
/// get().await?;
/// let began = Instant::now();
/// assert_eq!(get().await?, "a book");
/// assert!(began.elapsed() >= Duration::from_millis(100));
/// # drop(orders);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Network(Arc<SharedNetwork>);

#[derive(Debug)]
struct SharedNetwork {
    seed: u64,
    seats: Mutex<BTreeMap<String, Arc<Seat>>>,
    /// By the client's name and the server's.
    links: Mutex<BTreeMap<(String, String), Link>>,
    /// The calls at each name, also of servers that are gone.
    watches: Mutex<BTreeMap<String, CallWatch>>,
}

/// Where a server of a network is, while it is.
#[derive(Debug)]
struct Seat {
    server: Mutex<Option<Server>>,
    credentials: ServerCredentials,
}

impl Seat {
    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        lock(&self.server)
    }
}

impl Network {
    /// A network without servers. The same `seed` gives the same jitter.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(SharedNetwork {
            seed,
            seats: Mutex::default(),
            links: Mutex::default(),
            watches: Mutex::default(),
        }))
    }

    /// Starts a server and binds it to `name`. A server that was bound to the name before
    /// gets no new connections; its open ones go on. The server also listens on the
    /// builder's addresses.
    ///
    /// A [`CallWatch`] is added to it, inside of the interceptors that it has.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`].
    pub async fn bind(&self, name: &str, server: ServerBuilder) -> Result<Host, ServerError> {
        let credentials = ServerCredentials::insecure();
        self.bind_with(name, server, credentials).await
    }

    /// As [`bind`](Self::bind), secured as `credentials` say: with those of TLS (the
    /// feature `tls` of grpc-runtime), channels need them too, and certificates are
    /// checked against the server's name on the network unless the channel names another.
    ///
    /// # Errors
    /// As [`ServerBuilder::start`].
    pub async fn bind_with(
        &self,
        name: &str,
        server: ServerBuilder,
        credentials: ServerCredentials,
    ) -> Result<Host, ServerError> {
        let server = server.listen_nowhere().interceptor(self.calls(name));
        let server = server.start().await?;
        let seat = Arc::new(Seat {
            server: Mutex::new(Some(server)),
            credentials,
        });
        lock(&self.0.seats).insert(name.to_owned(), Arc::clone(&seat));
        Ok(Host {
            network: self.clone(),
            name: name.to_owned(),
            seat,
        })
    }

    /// Returns the connector for a channel of the client named `from`. Handlers see that
    /// name as [`Context::peer`](grpc_runtime::Context::peer).
    ///
    /// A connection to a name that no server has is refused, as by
    /// [`Link::refuse`].
    pub fn connector(&self, from: &str) -> NetworkConnector {
        NetworkConnector {
            network: self.clone(),
            from: from.to_owned(),
        }
    }

    /// The link from a client to a server. It may be obtained before either exists.
    pub fn link(&self, from: &str, to: &str) -> Link {
        let key = (from.to_owned(), to.to_owned());
        let mut links = lock(&self.0.links);
        let link = links.entry(key);
        link.or_insert_with(|| Link::new(from, to, self.0.seed))
            .clone()
    }

    /// The calls at the server of that name, which may have been bound several times or
    /// not yet.
    pub fn calls(&self, name: &str) -> CallWatch {
        let mut watches = lock(&self.0.watches);
        watches.entry(name.to_owned()).or_default().clone()
    }

    fn seat(&self, name: &str) -> Option<Arc<Seat>> {
        lock(&self.0.seats).get(name).cloned()
    }

    /// Gives the name free, if it is still that seat's.
    fn unbind(&self, name: &str, seat: &Arc<Seat>) {
        let mut seats = lock(&self.0.seats);
        if seats
            .get(name)
            .is_some_and(|bound| Arc::ptr_eq(bound, seat))
        {
            seats.remove(name);
        }
    }
}

/// The calls that run at its servers, and the connections of which an end is open.
impl Leftovers for Network {
    fn leftovers(&self) -> Vec<String> {
        let links: Vec<Link> = lock(&self.0.links).values().cloned().collect();
        let watches = lock(&self.0.watches);
        let calls = watches.iter().flat_map(|(name, watch)| {
            let calls = watch.leftovers().into_iter();
            calls.map(move |call| format!("at {name}: {call}"))
        });
        let connections = links.iter().flat_map(Link::leftovers);
        calls.chain(connections).collect()
    }
}

/// A server of a [`Network`]. Dropped, it is gone at once, as a process that is killed:
/// its connections end, and its name refuses new ones until it is bound again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, ChannelCredentials, Code, Method, UnaryCall};
/// use grpc_testing::{Network, Reply, Script};
///
/// const GET: Method = Method::unary("/shop.Orders/Get");
///
/// let network = Network::new(7);
/// let script = Script::new().on(GET.path(), Reply::message(&"a book".to_owned()));
/// let orders = network.bind("orders", script.server()).await?;
/// let channel = Channel::builder("passthrough:///orders")?
///     .connector(network.connector("client"))
///     .build(ChannelCredentials::insecure())?;
/// let get = || UnaryCall::<String>::new(&channel, GET, &());
/// get().await?;
///
/// drop(orders);
/// assert_eq!(get().await.unwrap_err().code(), Code::Unavailable);
///
/// let orders = network.bind("orders", script.server()).await?;
/// assert_eq!(get().wait_for_ready().await?, "a book");
/// # drop(orders);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped, the server is gone"]
pub struct Host {
    network: Network,
    name: String,
    seat: Arc<Seat>,
}

impl Host {
    /// The name that the server is bound to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives its name free, so that new connections are refused, and
    /// [shuts the server down](Server::shutdown).
    pub async fn shutdown(self, grace: Duration) -> ShutdownReport {
        self.network.unbind(&self.name, &self.seat);
        let server = self.seat.server().take();
        match server {
            Some(server) => server.shutdown(grace).await,
            // No other code takes it.
            None => unreachable!("a host has its server"),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.network.unbind(&self.name, &self.seat);
    }
}

/// Makes the connections of a channel over a [`Network`], which
/// [gives it](Network::connector).
#[derive(Clone, Debug)]
pub struct NetworkConnector {
    network: Network,
    from: String,
}

impl Connector for NetworkConnector {
    async fn connect(&self, address: &Address) -> io::Result<ByteStream> {
        let to = address.to_string();
        let link = self.network.link(&self.from, &to);
        link.admit().await?;
        let nobody = || {
            let text = format!("nobody on the network is called '{to}'");
            io::Error::new(io::ErrorKind::ConnectionRefused, text)
        };
        let seat = self.network.seat(&to).ok_or_else(nobody)?;
        let server = seat.server();
        let server = server.as_ref().ok_or_else(nobody)?;
        let (near, far) = link.connect();
        let far = ByteStream::new(far, self.from.as_str());
        server.serve_stream_with(far, seat.credentials.clone());
        Ok(ByteStream::new(near, to.as_str()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
