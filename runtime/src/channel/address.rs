//! Addresses that a channel's connections lead to, and endpoints, each with one or more
//! addresses. Values only.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// An address to which a byte stream can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// The name of a Unix socket in Linux's abstract namespace, without its leading NUL.
    /// Linux only.
    UnixAbstract(Vec<u8>),
    /// A text that a [`Connector`](crate::Connector) understands.
    Other(Arc<str>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixAbstract(name) => {
                write!(f, "unix-abstract:{}", name.escape_ascii())
            }
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// One server with its addresses. A connection to any of them reaches the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub(crate) addresses: Vec<Address>,
    authority: Option<Arc<str>>,
    pub(crate) attributes: Attributes,
}

/// The address of an attempt to connect, and the authority if it is not the channel's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) address: Address,
    pub(crate) authority: Option<Arc<str>>,
}

/// The identity of an endpoint: the set of its addresses and its authority.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EndpointKey {
    addresses: BTreeSet<Address>,
    authority: Option<Arc<str>>,
}

impl EndpointKey {
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

impl Endpoint {
    /// A server at one address.
    pub fn new(address: impl Into<Address>) -> Self {
        Self::of(vec![address.into()])
    }

    pub(crate) fn of(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            authority: None,
            attributes: Attributes::default(),
        }
    }

    /// Adds another address of the same server, tried after those before it.
    #[must_use]
    pub fn and(mut self, address: impl Into<Address>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// The `:authority` of requests to this endpoint, instead of the channel's target: a
    /// host name or an IP address, with or without a port. Over TLS the server's
    /// certificate must name this host. The program's own settings have precedence:
    /// [`ChannelBuilder::authority`](crate::ChannelBuilder::authority), and a server name
    /// in its credentials.
    ///
    /// Call credentials are created for the channel's authority, as in other gRPC
    /// implementations: a call gets them before it has an endpoint. This value decides
    /// which certificates are accepted, so a resolver must trust its source as much as the
    /// target itself. With a text that is not a valid authority, attempts to connect fail.
    ///
    /// Endpoints that differ only in the authority are two endpoints.
    /// [`PickFirst`](crate::PickFirst) is the exception: it tries each address once, with
    /// the first authority given for it.
    ///
    /// ```
    /// use grpc_runtime::{Address, Endpoint};
    ///
    /// let address = Address::Tcp(([10, 0, 0, 1], 443).into());
    /// let endpoint = Endpoint::new(address).authority("a.shop.internal");
    /// # drop(endpoint);
    /// ```
    #[must_use]
    pub fn authority(mut self, authority: impl Into<Arc<str>>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Adds an attribute: a value that a resolver passes to a policy, such as a zone or a
    /// weight. It replaces an attribute of the same type.
    #[must_use]
    pub fn with<T: Any + PartialEq + Send + Sync>(mut self, attribute: T) -> Self {
        self.attributes.insert(attribute);
        self
    }

    /// The endpoint's addresses, in the order in which they are tried.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The endpoint's name in a hash: its first address, and its own authority if it has
    /// one.
    #[cfg(feature = "ring-hash")]
    pub(crate) fn hash_name(&self) -> String {
        let address = self.addresses.first().map(ToString::to_string);
        match (address, &self.authority) {
            (Some(address), Some(authority)) => format!("{address}@{authority}"),
            (address, _) => address.unwrap_or_default(),
        }
    }

    pub(crate) fn key(&self) -> EndpointKey {
        EndpointKey {
            addresses: self.addresses.iter().cloned().collect(),
            authority: self.authority.clone(),
        }
    }

    pub(crate) fn destinations(&self) -> impl Iterator<Item = Destination> {
        self.addresses.iter().map(|address| Destination {
            address: address.clone(),
            authority: self.authority.clone(),
        })
    }

    /// The endpoint's attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// A resolver's attributes of one endpoint, or of all of a target's: at most one value of
/// each type.
#[derive(Clone, Default)]
pub struct Attributes(Option<Arc<Vec<Attribute>>>);

#[derive(Clone)]
struct Attribute {
    id: TypeId,
    value: Arc<dyn Any + Send + Sync>,
    equals: fn(&(dyn Any + Send + Sync), &(dyn Any + Send + Sync)) -> bool,
}

fn equals<T: Any + PartialEq>(a: &(dyn Any + Send + Sync), b: &(dyn Any + Send + Sync)) -> bool {
    matches!((a.downcast_ref::<T>(), b.downcast_ref::<T>()), (Some(a), Some(b)) if a == b)
}

impl Attributes {
    /// The value of this type, if there is one.
    pub fn get<T: Any>(&self) -> Option<&T> {
        let mut all = self.0.iter().flat_map(|all| all.iter());
        all.find(|it| it.id == TypeId::of::<T>())?
            .value
            .downcast_ref()
    }

    /// Inserts a value, replacing one of its type.
    pub fn insert<T: Any + PartialEq + Send + Sync>(&mut self, value: T) {
        let all = Arc::make_mut(self.0.get_or_insert_default());
        let id = TypeId::of::<T>();
        all.retain(|it| it.id != id);
        all.push(Attribute {
            id,
            value: Arc::new(value),
            equals: equals::<T>,
        });
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_deref(), other.0.as_deref());
        let (a, b) = (a.map_or(&[][..], |a| a), b.map_or(&[][..], |b| b));
        let has = |it: &Attribute| {
            let mut same = b.iter().filter(|other| other.id == it.id);
            same.any(|other| (it.equals)(&*it.value, &*other.value))
        };
        a.len() == b.len() && a.iter().all(has)
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.as_ref().map_or(0, |all| all.len());
        write!(f, "Attributes({number})")
    }
}
