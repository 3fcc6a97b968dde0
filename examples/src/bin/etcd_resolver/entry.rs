//! A server's entry in etcd, for as long as the server lives: it hangs on a lease that
//! has to be kept alive.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use grpc_runtime::{Channel, Status};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::proto::etcdserverpb::{
    KvStub, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseStub, PutRequest,
};

/// How long etcd may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The wait before a lost lease is asked for anew.
const AGAIN: Duration = Duration::from_secs(1);

/// An entry that is kept alive. Once it is dropped, etcd drops the entry too, when the
/// lease is over.
pub(crate) struct Entry {
    etcd: Channel,
    lease: tokio::sync::watch::Receiver<i64>,
    keeper: JoinHandle<()>,
}

impl Entry {
    /// Puts `SERVICE/ADDRESS` into etcd, on a lease of so many seconds.
    pub(crate) async fn put(
        etcd: &Channel,
        service: &str,
        address: SocketAddr,
        seconds: i64,
    ) -> Result<Self, Status> {
        let entry = Draft {
            etcd: etcd.clone(),
            key: format!("{service}/{address}"),
            value: format!(r#"{{"Op":0,"Addr":"{address}","Metadata":null}}"#),
            seconds,
        };
        let (sender, lease) = tokio::sync::watch::channel(entry.put().await?);
        let keeper = tokio::spawn(async move {
            loop {
                let lease = *sender.borrow();
                // The server goes on without its lease: the entry is put anew.
                let Err(_) = entry.keep(lease).await;
                let lease = loop {
                    sleep(AGAIN).await;
                    if let Ok(lease) = entry.put().await {
                        break lease;
                    }
                };
                sender.send_replace(lease);
            }
        });
        Ok(Self {
            etcd: etcd.clone(),
            lease,
            keeper,
        })
    }

    /// Takes the entry out of etcd at once.
    pub(crate) async fn remove(self) -> Result<(), Status> {
        self.keeper.abort();
        let id = *self.lease.borrow();
        let leases = LeaseStub::new(self.etcd.clone());
        let revoke = leases.lease_revoke(LeaseRevokeRequest { id });
        revoke.timeout(ANSWER).await?;
        Ok(())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// The entry to put, again after each failure.
struct Draft {
    etcd: Channel,
    key: String,
    value: String,
    seconds: i64,
}

impl Draft {
    /// Puts the entry on a new lease, and returns the lease.
    async fn put(&self) -> Result<i64, Status> {
        let leases = LeaseStub::new(self.etcd.clone());
        let asked = LeaseGrantRequest {
            ttl: self.seconds,
            id: 0,
        };
        let lease = leases.lease_grant(asked).timeout(ANSWER).await?.id;
        let put = PutRequest {
            key: self.key.clone().into(),
            value: self.value.clone().into(),
            lease,
            ..PutRequest::default()
        };
        let kv = KvStub::new(self.etcd.clone());
        kv.put(put).timeout(ANSWER).await?;
        Ok(lease)
    }

    /// Keeps a lease alive, and returns why it no longer can.
    async fn keep(&self, id: i64) -> Result<Infallible, Status> {
        let leases = LeaseStub::new(self.etcd.clone());
        let (mut requests, mut answers) = leases.lease_keep_alive().start();
        loop {
            requests.send(LeaseKeepAliveRequest { id }).await?;
            let answer = timeout(ANSWER, answers.next()).await;
            let answer = answer.map_err(|_| Status::unavailable("etcd does not answer"))??;
            let left = answer.map_or(0, |answer| answer.ttl).unsigned_abs();
            if left == 0 {
                return Err(Status::unavailable("the lease is over"));
            }
            sleep(Duration::from_secs(left) / 3).await;
        }
    }
}
