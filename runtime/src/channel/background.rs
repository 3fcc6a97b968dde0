//! The runtime of channels that were first used on a thread without one, as in blocking
//! programs. Of a user's futures it runs interceptors and credentials only.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::status::{Code, Phase, Status};

/// The runtime that connections of this thread run on: the current one unless it is
/// `always` the other, or one thread in the background that all such channels of the
/// process share.
pub(crate) fn handle(always: bool) -> Result<Handle, Status> {
    static BACKGROUND: OnceLock<Result<Runtime, String>> = OnceLock::new();
    if !always && let Ok(current) = Handle::try_current() {
        return Ok(current);
    }
    let runtime = BACKGROUND.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("grpc-connections")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle().clone()),
        Err(error) => {
            let text = format!("cannot start a thread for the channel's connections: {error}");
            Err(Status::new(Code::Unavailable, text).with_phase(Phase::Connect))
        }
    }
}
