//! Where a channel's connections can lead: addresses, and the endpoints that have
//! them. Values.

use std::any::{Any, TypeId};
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
    pub(crate) attributes: Attributes,
}

impl Endpoint {
    /// A server at one address.
    pub fn new(address: impl Into<Address>) -> Self {
        Self {
            addresses: vec![address.into()],
            attributes: Attributes::default(),
        }
    }

    /// Another address of the same server, to be tried after those that there are.
    #[must_use]
    pub fn and(mut self, address: impl Into<Address>) -> Self {
        self.addresses.push(address.into());
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
