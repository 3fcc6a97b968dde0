//! Two resolvers as one: of the first come a target's servers, of the second its service
//! config. Neither waits for the other, and nothing that is wrong with the second reaches
//! the first.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::resolution::Resolution;
use super::updates::{Updates, updates};
use crate::channel::service_config::content::ServiceConfig;

/// Runs both. What `configs` finds is a resolution without servers.
///
/// Until it has found something, the target has no config. Where it fails then, the target
/// has the one that it had: the last that was good, or none. So calls fail neither with
/// name servers nor with a record that is wrong, and whether they find the config in force
/// does not depend on which of the two answers came first.
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

/// What was found last.
#[derive(Debug, Default)]
struct Known {
    servers: Option<Resolution>,
    config: Option<ServiceConfig>,
}

impl Known {
    /// Whether it is another config than the last one.
    fn hear_config(&mut self, config: Option<ServiceConfig>) -> bool {
        let is_same = match (&self.config, &config) {
            (None, None) => true,
            (Some(last), Some(config)) => last.is_clone_of(config),
            _ => false,
        };
        self.config = config;
        !is_same
    }

    /// What the channel is told, if it is anything.
    fn merge(&mut self, found: Option<Resolution>, has_news: bool) -> Option<Resolution> {
        match found {
            Some(found) if found.endpoints.is_ok() => self.servers = Some(found),
            // With a list that is known, the config counts for more than a failure.
            found if self.servers.is_none() || !has_news => return found,
            _ => {}
        }
        let mut resolution = self.servers.clone()?;
        resolution.service_config = self.config.clone().map(Ok);
        Some(resolution)
    }
}
