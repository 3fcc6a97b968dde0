//! Looks up a name's service configs in TXT records (gRFC A2), with the name servers of the
//! system. A thin shell: the library does the lookup, and `choices` reads the result.
//!
//! The system's own resolver cannot look up such records. The system's settings are read
//! for each lookup, as the system does: name servers change when a laptop or container
//! moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::read_system_conf;
use tokio::task::{JoinSet, spawn_blocking};

use super::resolution::Resolution;
use crate::chance::Chance;
use crate::channel::service_config::choices::Choices;
use crate::channel::service_config::content::ServiceConfig;
use crate::status::{Code, Phase, Status};

/// The system's settings, or why they are unknown.
type System = Result<(ResolverConfig, ResolverOpts), String>;

/// Reads the settings; blocks.
type ReadSystem = Arc<dyn Fn() -> System + Send + Sync>;

/// The service configs of one name.
pub(super) struct TxtConfigs {
    /// The name of the records.
    name: String,
    /// The limit for one lookup.
    timeout: Duration,
    choices: Mutex<Choices>,
    read_system: ReadSystem,
}

impl TxtConfigs {
    pub(super) fn new(host: &str, timeout: Duration, chance: &Arc<Chance>) -> Self {
        let host_name = hostname::get().ok().and_then(|it| it.into_string().ok());
        Self {
            name: format!("_grpc_config.{host}"),
            timeout,
            choices: Mutex::new(Choices::new(host_name, Arc::clone(chance))),
            read_system: Arc::new(|| read_system_conf().map_err(|error| error.to_string())),
        }
    }

    /// The current config, or none, as a resolution without servers.
    pub(super) async fn find(&self) -> Resolution {
        match self.config().await {
            Ok(config) => {
                let found = Resolution::new([]);
                match config {
                    Some(config) => found.service_config(Ok(config)),
                    None => found,
                }
            }
            Err(status) => Resolution::failed(status),
        }
    }

    async fn config(&self) -> Result<Option<ServiceConfig>, Status> {
        let failed = |reason: String| {
            let text = format!("resolve '{}': {reason}", self.name);
            Status::new(Code::Unavailable, text).with_phase(Phase::Resolve)
        };
        // In its own task, so that a panic in the library does not spread.
        let mut task = JoinSet::new();
        task.spawn(records(self.name.clone(), Arc::clone(&self.read_system)));
        let timeout = self.timeout;
        let found = tokio::time::timeout(timeout, task.join_next())
            .await
            .map_err(|_| failed(format!("no answer within {timeout:?}")))?;
        let records = match found {
            Some(Ok(records)) => records.map_err(failed)?,
            _ => return Err(failed("the lookup panicked".to_owned())),
        };
        let mut choices = self.choices.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = choices.choose(&records);
        chosen.map_err(|error| failed(error.to_string()).with_source(error))
    }
}

/// The records of a name, each with its strings joined (RFC 7208 section 3.3); empty if the
/// name servers report that there are none.
async fn records(name: String, read_system: ReadSystem) -> Result<Vec<Vec<u8>>, String> {
    let read = spawn_blocking(move || read_system()).await;
    let (config, mut options) = read
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|reason| format!("the system's name servers are not known: {reason}"))?;
    // Each lookup asks the name servers; such records are not in `/etc/hosts`.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    let name = Name::from_utf8(name).map_err(|error| error.to_string())?;
    let names = absolute(&name, &config, options.ndots);
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let resolver = resolver.with_options(options).build();
    let resolver = resolver.map_err(|error| error.to_string())?;
    for name in names {
        let answers = match resolver.txt_lookup(name).await {
            Ok(lookup) => lookup,
            Err(error) if error.is_no_records_found() => continue,
            // After a failure the next name is not tried: its records would be another
            // name's.
            Err(error) => return Err(error.to_string()),
        };
        let texts = answers.answers().iter().filter_map(|it| match &it.data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        });
        return Ok(texts.collect());
    }
    Ok(Vec::new())
}

/// The names that a name may stand for, in the order of the system's own resolver
/// (resolv.conf: `search`, `ndots`). The library could try them itself, but it goes on to
/// the next one if a name is not answered, so a failure would look like a name without
/// records.
fn absolute(name: &Name, config: &ResolverConfig, ndots: usize) -> Vec<Name> {
    let mut whole = name.clone();
    whole.set_fqdn(true);
    if name.is_fqdn() {
        return vec![whole];
    }
    let mut search = config.search();
    if search.is_empty() {
        search = config
            .domain()
            .map(std::slice::from_ref)
            .unwrap_or_default();
    }
    let search = search.iter();
    // A name that would be too long is left out.
    let mut names: Vec<Name> = search
        .filter_map(|it| name.clone().append_domain(it).ok())
        .collect();
    let dots = usize::from(name.num_labels()).saturating_sub(1);
    let place = if dots >= ndots { 0 } else { names.len() };
    names.insert(place, whole);
    names
}

#[cfg(test)]
mod tests;
