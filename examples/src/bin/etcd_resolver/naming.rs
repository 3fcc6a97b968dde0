//! A resolver for `etcd:///SERVICE`: follows the keys that etcd's own naming package
//! (clientv3/naming) writes.
//!
//! Each server of SERVICE has a key `SERVICE/ANYTHING`, and its value is JSON:
//! `{"Op":0,"Addr":"1.2.3.4:80","Metadata":null}`. Only `Addr` is read, and it has to be an
//! IP address with a port. A key with any other value is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use grpc_runtime::{
    Channel, Endpoint, Receiver, Resolution, Resolver, Sender, Status, Target, Updates,
};
use tokio::time::timeout;

use crate::proto::etcdserverpb::watch_request::RequestUnion;
use crate::proto::etcdserverpb::{
    KvStub, RangeRequest, WatchCreateRequest, WatchRequest, WatchResponse, WatchStub,
};
use crate::proto::mvccpb::{Event, event::EventType};

/// The first wait before etcd is asked anew; each wait is longer than the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const GROWTH: f64 = 1.6;
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long etcd may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Resolves by the etcd at the other end of this channel.
pub(crate) struct Naming(pub(crate) Channel);

impl Resolver for Naming {
    fn scheme(&self) -> &'static str {
        "etcd"
    }

    async fn resolve(&self, target: &Target, updates: Updates) {
        let mut following = Following {
            etcd: self.0.clone(),
            prefix: format!("{}/", target.path()),
            updates,
            told: None,
            wait: FIRST_WAIT,
        };
        loop {
            let Err(status) = following.follow().await;
            // Whatever etcd says: it is no answer of the service that is called.
            let text = format!("resolve '{target}' by etcd: {status}");
            let status = Status::unavailable(text).with_source(status);
            // A channel that knows servers goes on with them.
            following.told = None;
            let _ = following.updates.send(Resolution::failed(status)).await;
            let wait = following.wait;
            following.wait = wait.mul_f64(GROWTH).min(LONGEST_WAIT);
            let _ = timeout(wait, following.updates.urged()).await;
        }
    }
}

/// The servers by their keys, as etcd has them.
type Servers = BTreeMap<Vec<u8>, SocketAddr>;

struct Following {
    etcd: Channel,
    prefix: String,
    updates: Updates,
    /// The last list that was sent to the channel; `None` after a failure.
    told: Option<Vec<SocketAddr>>,
    wait: Duration,
}

impl Following {
    /// Lists the servers and follows the changes. It ends when it cannot go on.
    async fn follow(&mut self) -> Result<Infallible, Status> {
        let (mut servers, revision) = self.list().await?;
        self.tell(&servers).await;
        // The requests' end would end the watch.
        let (_requests, mut changes) = self.watch(revision + 1).await?;
        self.wait = FIRST_WAIT;
        loop {
            let change = next(&mut changes).await?;
            for event in change.events {
                apply(&mut servers, event);
            }
            self.tell(&servers).await;
        }
    }

    /// The servers, and the revision of etcd's store that has them.
    async fn list(&self) -> Result<(Servers, i64), Status> {
        // It is not `serializable`: a member of etcd that lags behind the others, or has
        // just started, would answer with servers of the past.
        let request = RangeRequest {
            key: self.prefix.clone().into(),
            range_end: end_of(&self.prefix),
            ..RangeRequest::default()
        };
        let kv = KvStub::new(self.etcd.clone());
        let found = kv.range(request).timeout(ANSWER).await?;
        let revision = found.header.unwrap_or_default().revision;
        let servers = found.kvs.into_iter();
        let servers = servers.filter_map(|kv| Some((kv.key, address(&kv.value)?)));
        Ok((servers.collect(), revision))
    }

    /// A watch of all changes from this revision on.
    async fn watch(
        &self,
        start_revision: i64,
    ) -> Result<(Sender<WatchRequest>, Receiver<WatchResponse>), Status> {
        let watches = WatchStub::new(self.etcd.clone());
        // A member of etcd that has lost the others ends the watch.
        let (mut requests, mut changes) = watches.watch().metadata("hasleader", "true").start();
        let create = WatchCreateRequest {
            key: self.prefix.clone().into(),
            range_end: end_of(&self.prefix),
            start_revision,
            ..WatchCreateRequest::default()
        };
        let begin = async {
            let request_union = Some(RequestUnion::CreateRequest(create));
            let sent = requests.send(WatchRequest { request_union }).await;
            // The status of the call says more than that nothing could be sent.
            let created = next(&mut changes).await?;
            sent.map(|()| created)
        };
        let created = timeout(ANSWER, begin).await;
        match created.unwrap_or_else(|_| Err(Status::unavailable("etcd begins no watch")))? {
            WatchResponse { created: true, .. } => Ok((requests, changes)),
            _ => Err(Status::unavailable("etcd's watch begins in its midst")),
        }
    }

    /// Tells the channel which servers there are, if it does not know yet.
    async fn tell(&mut self, servers: &Servers) {
        let addresses = addresses(servers);
        if self.told.as_ref() != Some(&addresses) {
            let endpoints = addresses.iter().copied().map(Endpoint::new);
            // The next change comes by itself, whatever the policy says of this one.
            let _ = self.updates.send(Resolution::new(endpoints)).await;
            self.told = Some(addresses);
        }
    }
}

/// Each server once, in the order of the keys.
fn addresses(servers: &Servers) -> Vec<SocketAddr> {
    let mut known = BTreeSet::new();
    let addresses = servers.values().copied();
    addresses.filter(|it| known.insert(*it)).collect()
}

/// The next message of a watch, or why there is none.
async fn next(changes: &mut Receiver<WatchResponse>) -> Result<WatchResponse, Status> {
    let Some(change) = changes.next().await? else {
        return Err(Status::unavailable("etcd ended the watch"));
    };
    // etcd has dropped the events before `compact_revision`: there is a gap.
    if change.canceled || change.compact_revision != 0 {
        let reason = format!("etcd cancelled the watch: {}", change.cancel_reason);
        return Err(Status::unavailable(reason));
    }
    Ok(change)
}

fn apply(servers: &mut Servers, event: Event) {
    let kind = event.r#type();
    let Some(kv) = event.kv else { return };
    match address(&kv.value).filter(|_| kind == EventType::Put) {
        Some(address) => servers.insert(kv.key, address),
        None => servers.remove(&kv.key),
    };
}

/// Where the server of a key's value is.
fn address(value: &[u8]) -> Option<SocketAddr> {
    let value: serde_json::Value = serde_json::from_slice(value).ok()?;
    value.get("Addr")?.as_str()?.parse().ok()
}

/// The first key after all keys with this prefix, which ends with `/`.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_told_once_and_what_is_no_server_is_not() {
        let values = [
            r#"{"Op":0,"Addr":"1.2.3.4:80","Metadata":null}"#,
            r#"{"Addr":"[::1]:80"}"#,
            r#"{"Op":0,"Addr":"1.2.3.4:80","Metadata":{"zone":"north"}}"#,
            r#"{"Op":0,"Addr":"","Metadata":null}"#,
            r#"{"Op":0,"Addr":"host:80","Metadata":null}"#,
            r#"{"Op":0,"Addr":7}"#,
            r#"["Addr"]"#,
            "1.2.3.4:81",
            "",
        ];
        let mut servers = Servers::new();
        for (number, value) in (0..).zip(values) {
            if let Some(address) = address(value.as_bytes()) {
                servers.insert(vec![number], address);
            }
        }
        let expected = ["1.2.3.4:80", "[::1]:80"].map(|it| it.parse().unwrap());
        assert_eq!(addresses(&servers), expected);
    }
}
