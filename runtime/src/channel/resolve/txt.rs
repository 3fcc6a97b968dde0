//! The TXT records of a name's service configs (gRFC A2), by the name servers that the
//! system is set to. A thin shell: the library asks, and `choices` reads the answer.
//!
//! The system's own resolver has no way to ask for such records. What it is set to is read
//! for each lookup, as it does: a laptop or a container has other name servers tomorrow.

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

/// What the system is set to, or why nobody knows.
type System = Result<(ResolverConfig, ResolverOpts), String>;

/// Blocks while it reads it.
type ReadSystem = Arc<dyn Fn() -> System + Send + Sync>;

/// The service configs of one name.
pub(super) struct TxtConfigs {
    /// Which has the records.
    name: String,
    /// For one lookup.
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

    /// The config now, or that there is none, in a resolution that has nothing else.
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
        // What the library does in there, be it a panic, is nobody else's.
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

/// The records of a name, each with its strings joined (RFC 7208 section 3.3); none where
/// the name servers say that there are none.
async fn records(name: String, read_system: ReadSystem) -> Result<Vec<Vec<u8>>, String> {
    let read = spawn_blocking(move || read_system()).await;
    let (config, mut options) = read
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|reason| format!("the system's name servers are not known: {reason}"))?;
    // Each lookup is asked anew, and these have no place in `/etc/hosts`.
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
            // The next name's records would be those of another.
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

/// The names that a name may stand for, as the system's own resolver tries them
/// (resolv.conf: `search`, `ndots`). The library would try them itself, but goes on to the
/// next where one is not answered, and a failure would come to be a name without records.
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
    // One that would be too long is none.
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
