//! A subchannel, as policies and callers hold it: a handle to its queue that is cheap to
//! clone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::queue::QueueSender;
use crate::channel::address::{Destination, Endpoint};
use crate::channel::call::open_call::OpenCall;
use crate::channel::inbox::Ask;

/// One endpoint of a channel, and the connection to it while there is one.
///
/// A policy creates one for each endpoint that it wants to use, with
/// [`Control::subchannel`](crate::Control::subchannel), and returns it in its picks. Clones
/// are the same subchannel.
#[derive(Clone)]
pub struct Subchannel(Arc<SharedSubchannel>);

struct SharedSubchannel {
    number: u64,
    asks: QueueSender<Ask>,
    endpoint: Endpoint,
    /// The addresses of the next attempt to connect.
    destinations: Arc<Mutex<Arc<[Destination]>>>,
    /// Calls may wait here for a connection.
    is_sole: bool,
}

impl Subchannel {
    pub(crate) fn new(
        number: u64,
        asks: QueueSender<Ask>,
        endpoint: Endpoint,
        is_sole: bool,
    ) -> Self {
        let destinations: Arc<[Destination]> = endpoint.destinations().collect();
        Self(Arc::new(SharedSubchannel {
            number,
            asks,
            endpoint,
            destinations: Arc::new(Mutex::new(destinations)),
            is_sole,
        }))
    }

    /// The endpoint that it was created for.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Establishes a connection although no call needs one yet. If one exists or is being
    /// established, nothing more happens. After a failure it tries at once, without waiting
    /// for the rest of the backoff.
    pub fn connect(&self) {
        self.ask(Ask::Connect);
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    pub(crate) fn is_sole(&self) -> bool {
        self.0.is_sole
    }

    /// Sets the addresses of the next attempt to connect; the present connection stays.
    pub(crate) fn set_destinations(&self, list: Vec<Destination>) {
        let mut current = self
            .0
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = list.into();
    }

    pub(crate) fn destinations(&self) -> Arc<Mutex<Arc<[Destination]>>> {
        Arc::clone(&self.0.destinations)
    }

    /// Queues a call; `Err` returns it if the subchannel has ended.
    #[inline]
    pub(crate) fn open(&self, open: Box<OpenCall>) -> Result<(), Box<OpenCall>> {
        match self.0.asks.send(Ask::Open(open)) {
            Err(Ask::Open(open)) => Err(open),
            _ => Ok(()),
        }
    }

    /// Sends a request; a subchannel that has ended ignores it.
    pub(crate) fn ask(&self, ask: Ask) {
        let _ = self.0.asks.send(ask);
    }
}

impl PartialEq for Subchannel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Subchannel {}

impl fmt::Debug for Subchannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subchannel({}", self.0.number)?;
        for address in &self.0.endpoint.addresses {
            write!(f, " {address}")?;
        }
        f.write_str(")")
    }
}
