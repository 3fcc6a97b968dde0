//! Joins two resolvers: the first provides a target's servers, the second its service
//! config. Neither waits for the other, and errors of the second do not affect the first.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::resolution::Resolution;
use super::updates::{Updates, updates};
use crate::channel::service_config::content::ServiceConfig;

/// Runs both. A result of `configs` is a resolution without servers.
///
/// Until `configs` has a result, the target has no config. If it fails later, the target
/// keeps its last valid config, or none. So calls do not fail because of name servers or an
/// invalid record, and the config in force does not depend on which of the two answered
/// first.
pub(super) async fn joined<S, C>(
    servers: impl FnOnce(Updates) -> S,
    configs: impl FnOnce(Updates) -> C,
    mut channel: Updates,
) where
    S: Future<Output = ()>,
    C: Future<Output = ()>,
{
    let (sender, mut server_requests) = updates();
    let mut servers = pin!(servers(sender));
    let (sender, mut config_requests) = updates();
    let mut configs = pin!(configs(sender));
    let mut has_configs = true;
    let mut known = Known::default();
    poll_fn(|cx| {
        let said = channel.take(cx.waker());
        if let Some(verdict) = said.verdict {
            server_requests.answer(verdict);
        }
        if said.is_requested {
            server_requests.request();
            config_requests.request();
        }
        if said.is_urgent {
            server_requests.urge();
            config_requests.urge();
        }
        if has_configs {
            let polled = catch_unwind(AssertUnwindSafe(|| configs.as_mut().poll(cx)));
            has_configs = matches!(polled, Ok(Poll::Pending));
        }
        let has_news = match config_requests.take(cx.waker()) {
            Some(found) => {
                let verdict = found.endpoints.map(drop);
                let is_found = verdict.is_ok();
                config_requests.answer(verdict);
                is_found && known.hear_config(found.service_config.and_then(Result::ok))
            }
            None => false,
        };
        if servers.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let found = server_requests.take(cx.waker());
        if let Some(resolution) = known.merge(found, has_news) {
            channel.put(resolution);
        }
        Poll::Pending
    })
    .await;
}

/// The latest results.
#[derive(Debug, Default)]
struct Known {
    servers: Option<Resolution>,
    config: Option<ServiceConfig>,
}

impl Known {
    /// Whether the config differs from the last one.
    fn hear_config(&mut self, config: Option<ServiceConfig>) -> bool {
        let is_same = match (&self.config, &config) {
            (None, None) => true,
            (Some(last), Some(config)) => last.is_clone_of(config),
            _ => false,
        };
        self.config = config;
        !is_same
    }

    /// What to tell the channel, if anything.
    fn merge(&mut self, found: Option<Resolution>, has_news: bool) -> Option<Resolution> {
        match found {
            Some(found) if found.endpoints.is_ok() => self.servers = Some(found),
            // If a list of servers is known, a new config counts for more than a failure.
            found if self.servers.is_none() || !has_news => return found,
            _ => {}
        }
        let mut resolution = self.servers.clone()?;
        resolution.service_config = self.config.clone().map(Ok);
        Some(resolution)
    }
}
