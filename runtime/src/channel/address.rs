//! Where a channel's connections can lead: addresses, and the endpoints that have
//! them. Values.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Where one byte stream leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// The name of a Unix socket that is no file, without its NUL; on Linux alone.
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

/// One server, with the addresses that lead to it: a connection to any of them will
/// do.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub(crate) addresses: Vec<Address>,
    authority: Option<Arc<str>>,
    pub(crate) attributes: Attributes,
}

/// Where an attempt to connect leads, and by which authority, if not by the channel's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) address: Address,
    pub(crate) authority: Option<Arc<str>>,
}

/// What tells an endpoint from others: its addresses, in whatever order they are, and its
/// authority.
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

    /// Another address of the same server, to be tried after those that there are.
    #[must_use]
    pub fn and(mut self, address: impl Into<Address>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// What requests to this endpoint name as `:authority`, in place of the channel's
    /// target: a host name or an IP address, with a port or without. Over TLS its
    /// certificate has to name this host. What the program says of its own goes first:
    /// [`ChannelBuilder::authority`](crate::ChannelBuilder::authority), and a server name
    /// in its credentials.
    ///
    /// Call credentials are made out to the channel's authority all the same, as in all
    /// of gRPC: they are asked for before the call has an endpoint. Whoever says this
    /// chooses which certificates are good, so a resolver has to be as sure of it as of
    /// the target. One that cannot be an authority has attempts to connect fail.
    ///
    /// Endpoints that differ in it alone are two, but for
    /// [`PickFirst`](crate::PickFirst): it tries each address once, with the authority that
    /// comes first.
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

    /// Gives the endpoint an attribute: what a resolver knows and a policy wants to
    /// know, as a zone or a weight.
    #[must_use]
    pub fn with<T: Any + PartialEq + Send + Sync>(mut self, attribute: T) -> Self {
        self.attributes.insert(attribute);
        self
    }

    /// Its addresses, in the order in which to try them.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What tells it from others in a hash: its first address, and its authority, if it has
    /// one of its own.
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

    /// Its attributes.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// What a resolver says of an endpoint, or of all: at most one value of each type.
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

    /// Puts a value in, in place of one of its type.
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
