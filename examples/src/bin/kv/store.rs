//! The service. A watcher that is too slow gets an error and is dropped, so that it does not
//! delay writers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use grpc_runtime::{Context, Metadata, Sender, Status};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    Change, DeleteRequest, DeleteResponse, GetRequest, GetResponse, KeyValueServicer, ListRequest,
    ListResponse, PutRequest, PutResponse, WatchRequest,
};

/// Changes that a watcher may be behind.
const BACKLOG: usize = 1024;

pub(crate) struct Store {
    values: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Sent to under the lock, so that changes come in the order they were made.
    changes: broadcast::Sender<Change>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            values: Mutex::default(),
            changes: broadcast::Sender::new(BACKLOG),
        }
    }
}

impl Store {
    /// Waits until there is no watcher.
    pub(crate) async fn unwatched(&self) {
        self.changes.closed().await;
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, key: String, value: Option<Vec<u8>>) {
        // It fails if there is no watcher.
        let _ = self.changes.send(Change { key, value });
    }
}

fn named(key: &str) -> Result<(), Status> {
    if key.is_empty() {
        return Err(Status::invalid_argument("the key is empty"));
    }
    Ok(())
}

fn missing(key: &str) -> Status {
    Status::not_found(format!("{key} has no value"))
}

impl KeyValueServicer for Store {
    async fn put(
        &self,
        request: PutRequest,
        _context: &mut Context,
    ) -> Result<PutResponse, Status> {
        let PutRequest { key, value } = request;
        named(&key)?;
        let mut values = self.values();
        values.insert(key.clone(), value.clone());
        self.announce(key, Some(value));
        Ok(PutResponse {})
    }

    async fn get(
        &self,
        request: GetRequest,
        _context: &mut Context,
    ) -> Result<GetResponse, Status> {
        named(&request.key)?;
        let value = self.values().get(&request.key).cloned();
        let value = value.ok_or_else(|| missing(&request.key))?;
        Ok(GetResponse { value })
    }

    async fn delete(
        &self,
        request: DeleteRequest,
        _context: &mut Context,
    ) -> Result<DeleteResponse, Status> {
        named(&request.key)?;
        let mut values = self.values();
        if values.remove(&request.key).is_none() {
            return Err(missing(&request.key));
        }
        self.announce(request.key, None);
        Ok(DeleteResponse {})
    }

    async fn list(
        &self,
        request: ListRequest,
        _context: &mut Context,
    ) -> Result<ListResponse, Status> {
        let values = self.values();
        let from = values.range(request.prefix.clone()..);
        let keys = from
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(&request.prefix))
            .cloned()
            .collect();
        Ok(ListResponse { keys })
    }

    /// Never returns by itself: it is dropped when the caller has enough.
    async fn watch(
        &self,
        request: WatchRequest,
        changes: &mut Sender<Change>,
        context: &mut Context,
    ) -> Result<(), Status> {
        let mut made = self.changes.subscribe();
        context.send_initial_metadata(Metadata::new())?;
        loop {
            match made.recv().await {
                Ok(change) if change.key.starts_with(&request.prefix) => {
                    changes.send(change).await?;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    let text = format!("the watcher fell behind and missed {missed} changes");
                    return Err(Status::resource_exhausted(text));
                }
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}
