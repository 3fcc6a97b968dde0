//! Resolves host names, with the system's resolver on a blocking thread.
//!
//! With `txt` a name is also looked up for a service config. That lookup runs beside the
//! one for addresses (`joined`), with the same timing.
//!
//! A name is resolved when the channel starts, and again when connections are lost or
//! cannot be established: at most once in each interval after the last result, whatever the
//! number of requests. A failed lookup is repeated after gRPC's backoff. With `max_age` a
//! result is also looked up again when it is that old.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "dns-txt")]
use super::joined::joined;
use super::resolution::Resolution;
#[cfg(feature = "dns-txt")]
use super::txt;
use super::updates::Updates;
use crate::chance::Chance;
use crate::channel::address::Endpoint;
use crate::channel::backoff::{Backoff, Waits};
use crate::status::{Code, Phase, Status};

/// The least time between two successful lookups; up to a tenth is added. It is the value
/// of grpc-go and the C core.
const INTERVAL: Duration = Duration::from_secs(30);

/// How one name is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The limit for one lookup.
    pub(crate) timeout: Duration,
    pub(crate) pace: LookupPace,
    /// Whether a service config is looked up too.
    pub(crate) wants_config: bool,
    /// The channel's source of random numbers.
    pub(crate) chance: Arc<Chance>,
}

/// How often a name is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupPace {
    /// The waits after lookups that fail.
    pub(crate) waits: Waits,
    /// How long a result is used; `None` for no limit.
    pub(crate) max_age: Option<Duration>,
}

pub(super) async fn resolve(lookup: Lookup, updates: Updates) {
    let lookup = Arc::new(lookup);
    let chance = Arc::clone(&lookup.chance);
    let find = || {
        let lookup = Arc::clone(&lookup);
        async move {
            match lookup.addresses().await {
                Ok(addresses) => Resolution::new(addresses.into_iter().map(Endpoint::new)),
                Err(status) => Resolution::failed(status),
            }
        }
    };
    let addresses = |updates| repeat(lookup.pace, &chance, updates, find);
    #[cfg(feature = "dns-txt")]
    if lookup.wants_config {
        let configs = txt::TxtConfigs::new(&lookup.host, lookup.timeout, &chance);
        let configs = |updates| repeat(lookup.pace, &chance, updates, || configs.find());
        return joined(addresses, configs, updates).await;
    }
    addresses(updates).await;
}

/// Looks up repeatedly with `find`.
async fn repeat<F>(pace: LookupPace, chance: &Chance, mut updates: Updates, find: impl Fn() -> F)
where
    F: Future<Output = Resolution>,
{
    let mut backoff = Backoff::new(pace.waits);
    loop {
        let began = Instant::now();
        let resolution = find().await;
        let is_found = resolution.endpoints.is_ok();
        let is_accepted = updates.send(resolution).await.is_ok();
        if is_found && is_accepted {
            backoff.reset();
            let interval = INTERVAL.mul_f64(1.0 + 0.1 * chance.next());
            let again = async {
                updates.requested().await;
                tokio::time::sleep_until(began + interval).await;
            };
            match pace.max_age {
                None => again.await,
                Some(age) => {
                    let _ = tokio::time::timeout_at(began + age, again).await;
                }
            }
        } else if tokio::time::timeout(backoff.next(), updates.urged())
            .await
            .is_ok()
        {
            backoff.reset();
        }
    }
}

/// Whether the name is this machine's, for which no name server is asked (RFC 6761 section
/// 6.3, gRFC A10).
pub(crate) fn is_local(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    last.eq_ignore_ascii_case("localhost")
}

impl Lookup {
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Status> {
        let (host, timeout) = (self.host.as_str(), self.timeout);
        let failed = |reason: String| {
            let text = format!("resolve '{host}': {reason}");
            Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
        };
        let lookup = tokio::net::lookup_host((host, self.port));
        let found = tokio::time::timeout(timeout, lookup)
            .await
            .map_err(|_| failed(format!("no answer within {timeout:?}")))?
            .map_err(|error| failed(error.to_string()).with_source(error))?;
        let addresses: Vec<_> = found.collect();
        if addresses.is_empty() {
            return Err(failed("the name has no address".to_owned()));
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests;
