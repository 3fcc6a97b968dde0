//! What the cases share: a stub of the peer, and what they ask of it about
//! calls that are over.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grpc_runtime::{CallCredentials, Channel, Code, Metadata, Status};
use grpc_tests::security::ClientSecurity;

use crate::{HelloRequest, HelloServiceStub};

/// Why a case failed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What every call may take: long enough for anything that is not stuck.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    pub(crate) channel: Channel,
    pub(crate) stub: HelloServiceStub,
    /// Whether its connections are encrypted.
    pub(crate) encrypted: bool,
    address: String,
    security: ClientSecurity,
    ids: AtomicU32,
}

impl Client {
    /// # Errors
    /// The address is none, or the flags cannot be followed.
    pub(crate) fn new(address: String, security: ClientSecurity) -> Result<Self, Failure> {
        let channel = security.channel(&address, security.credentials()?)?;
        Ok(Self {
            stub: HelloServiceStub::new(channel.clone()),
            channel,
            encrypted: security.use_tls,
            address,
            security,
            ids: AtomicU32::new(0),
        })
    }

    /// A stub whose channel has credentials of calls.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn stub_with(&self, calls: CallCredentials) -> Result<HelloServiceStub, Failure> {
        let credentials = self.security.credentials()?;
        let credentials = credentials.with_call_credentials(calls);
        let channel = self.security.channel(&self.address, credentials)?;
        Ok(HelloServiceStub::new(channel))
    }

    /// A name for a call that the peer keeps account of.
    pub(crate) fn id(&self) -> String {
        format!("call-{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until the peer's handler has the call.
    pub(crate) async fn started(&self, id: &str) -> Result<(), Failure> {
        self.ask("started", id).await?;
        Ok(())
    }

    /// Waits until the peer's handler saw the call as cancelled.
    pub(crate) async fn saw_cancelled(&self, id: &str) -> Result<(), Failure> {
        equal(
            "how the call ended for the peer",
            &self.ask("ended", id).await?,
            "cancelled",
        )
    }

    async fn ask(&self, what: &str, id: &str) -> Result<String, Status> {
        let call = self.stub.say_hello(greeting(""));
        let call = call.metadata("x-do", what).metadata("x-id", id);
        Ok(call.timeout(BOUND).await?.reply)
    }
}

pub(crate) fn greeting(name: &str) -> HelloRequest {
    HelloRequest {
        greeting: name.to_owned(),
    }
}

/// All values of `key` as bytes.
pub(crate) fn values(metadata: &Metadata, key: &str) -> Vec<Vec<u8>> {
    let values = metadata.get_all(key);
    values.map(|value| value.as_bytes().to_vec()).collect()
}

/// Fails unless the two are equal.
pub(crate) fn equal<T, U>(what: &str, found: &T, expected: &U) -> Result<(), Failure>
where
    T: PartialEq<U> + std::fmt::Debug + ?Sized,
    U: std::fmt::Debug + ?Sized,
{
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, not {expected:?}").into())
}

/// The status of a call that has to fail with this code.
pub(crate) fn failed<T>(result: Result<T, Status>, code: Code) -> Result<Status, Failure> {
    match result {
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(format!("the call failed with {status}, not {code}").into()),
        Ok(_) => Err(format!("the call succeeded, instead of failing with {code}").into()),
    }
}
