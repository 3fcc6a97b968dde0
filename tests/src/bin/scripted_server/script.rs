//! What an attempt is to be answered with, as the call's metadata say it.

use grpc_runtime::{Code, Context, Metadata, Status};
use serde::Deserialize;

/// How one attempt is answered: in this order, as far as it is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Step {
    /// The whole request is read first.
    pub(crate) reads: bool,
    /// The response's head goes ahead, alone.
    pub(crate) headers: bool,
    /// It waits so long, in milliseconds.
    pub(crate) delay_ms: u64,
    /// It never ends, unless it is cancelled.
    pub(crate) hangs: bool,
    /// So many responses are sent, where they stream.
    pub(crate) messages: usize,
    /// What the trailing metadata `grpc-retry-pushback-ms` say, each time that it is
    /// there.
    pub(crate) pushback: Vec<String>,
    /// What each of the servers reports of its use, between 0 and 1.
    pub(crate) application_use: Vec<f64>,
    pub(crate) cpu_use: Vec<f64>,
    /// The call's code; 0 is OK.
    pub(crate) code: i32,
}

impl Step {
    /// Those of a call, in the order of its attempts.
    ///
    /// # Errors
    /// The call carries no script.
    pub(crate) fn all(context: &Context) -> Result<Vec<Self>, Status> {
        let script = context.metadata().get("x-script").unwrap_or_default();
        serde_json::from_str(script)
            .map_err(|error| Status::invalid_argument(format!("x-script: {error}")))
    }

    /// # Errors
    /// The step asks for one.
    pub(crate) fn status(&self) -> Result<(), Status> {
        match Code::from_i32(self.code) {
            Code::Ok => Ok(()),
            code => Err(Status::new(code, "as the script says")),
        }
    }

    /// # Errors
    /// A value is none that metadata may have.
    pub(crate) fn trailing(&self) -> Result<Metadata, Status> {
        let mut metadata = Metadata::new();
        for value in &self.pushback {
            metadata.append("grpc-retry-pushback-ms", value)?;
        }
        Ok(metadata)
    }
}
