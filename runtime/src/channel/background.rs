//! The runtime for channels that are first used on a thread without a runtime, as in
//! blocking programs. Of the user's futures it runs only interceptors and credentials.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::status::{Code, Phase, Status};

/// The runtime for connections that start on this thread: the current runtime. If there is
/// none, or with `always`, it is the process's background runtime, which has one thread and
/// is shared by all such channels.
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
