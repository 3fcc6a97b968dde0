//! A channel's source of servers, which starts with the channel's first call. A resolver
//! that panics or returns does not end the channel.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::dns::{self, Lookup};
use super::fixed;
use super::resolution::Resolution;
use super::resolver::Resolves;
use super::updates::{Requests, updates};
use crate::channel::address::Address;
use crate::channel::target::{self, Target};
use crate::status::Status;

/// How a channel finds its servers.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The target contains their addresses.
    Fixed(Resolution),
    /// By name, with the system's resolver.
    Dns(Lookup),
    /// With the program's own resolver.
    Own(Arc<dyn Resolves>, Target),
}

impl Source {
    /// The source for the target's scheme; `None` if it is not one of the runtime's.
    pub(crate) fn of(target: &Target, lookup: impl FnOnce(&str, u16) -> Lookup) -> Option<Self> {
        match target.place() {
            target::Place::Dns { host, port } => Some(match host.parse::<IpAddr>() {
                Ok(ip) => Self::one(SocketAddr::new(ip, *port).into()),
                Err(_) => Self::Dns(lookup(host, *port)),
            }),
            target::Place::Addresses(list) => Some(Self::Fixed(fixed::addresses(list))),
            target::Place::One(address) => Some(Self::Fixed(fixed::one(address.clone()))),
            target::Place::Other => None,
        }
    }

    /// Whether it may provide a service config.
    pub(crate) fn may_know_config(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Dns(lookup) => lookup.wants_config,
            Self::Own(..) => true,
        }
    }

    pub(crate) fn one(address: Address) -> Self {
        Self::Fixed(fixed::one(address))
    }
}

/// A running resolver.
pub(crate) enum Resolving {
    Fixed(Option<Resolution>),
    Running {
        /// `None` once it has ended.
        future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
        requests: Requests,
    },
}

impl Resolving {
    pub(crate) fn begin(source: Source) -> Self {
        let (sender, requests) = updates();
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = match source {
            Source::Fixed(resolution) => return Self::Fixed(Some(resolution)),
            Source::Dns(lookup) => Box::pin(dns::resolve(lookup, sender)),
            Source::Own(resolver, target) => Box::pin(async move {
                resolver.resolve_boxed(&target, sender).await;
            }),
        };
        Self::Running {
            future: Some(future),
            requests,
        }
    }

    /// The latest result, if there is a new one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Resolution> {
        match self {
            Self::Fixed(resolution) => resolution.take(),
            Self::Running { future, requests } => {
                if let Some(running) = future {
                    let poll = || running.as_mut().poll(cx);
                    let polled = catch_unwind(AssertUnwindSafe(poll));
                    if !matches!(polled, Ok(Poll::Pending)) {
                        *future = None;
                    }
                }
                requests.take(cx.waker())
            }
        }
    }

    pub(crate) fn answer(&mut self, verdict: Result<(), Status>) {
        if let Self::Running { requests, .. } = self {
            requests.answer(verdict);
        }
    }

    /// Asks for a new result: the known servers are not enough.
    pub(crate) fn request(&mut self) {
        if let Self::Running { requests, .. } = self {
            requests.request();
        }
    }

    /// The program asks for a connection now.
    pub(crate) fn urge(&mut self) {
        if let Self::Running { requests, .. } = self {
            requests.urge();
        }
    }
}

impl fmt::Debug for Resolving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolving")
    }
}
