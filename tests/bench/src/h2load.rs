//! The client that belongs to none of the implementations, where it is
//! installed: h2load, of nghttp2. It makes unary calls only.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use prost::Message;

use crate::Error;
use crate::handler::NAME;
use crate::load::{Load, Task};
use crate::process;
use crate::security::Security;
use crate::setup::{Role, Setup};

/// h2load, with a folder for requests' bodies.
#[derive(Debug)]
pub struct H2load {
    bodies: tempfile::TempDir,
}

/// A request with one field of bytes or text, whichever of ours it stands for.
#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(bytes = "vec", tag = "1")]
    field: Vec<u8>,
}

impl H2load {
    /// Nothing where the machine does not have it.
    pub fn find() -> Result<Option<Self>, Error> {
        let probe = Command::new("h2load")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
        let bodies = tempfile::tempdir()?;
        Ok(Some(Self { bodies }))
    }

    /// Makes the load's calls, and checks that all were answered.
    pub fn drive(&self, setup: Setup, load: Load, address: &str) -> Result<(), Error> {
        let (method, field) = match load.task {
            Task::Hello => ("Hello", NAME.as_bytes().to_vec()),
            Task::Yield => ("Yield", NAME.as_bytes().to_vec()),
            Task::Sleep => ("Sleep", NAME.as_bytes().to_vec()),
            Task::Spin => ("Spin", NAME.as_bytes().to_vec()),
            Task::Echo(size) => ("Echo", vec![b'b'; size]),
            task => return Err(format!("h2load does not know '{task}'").into()),
        };
        let scheme = match load.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        let body = self.write(load.task, &Body { field })?;
        let mut command = Command::new("h2load");
        command
            .args(["-t", "1", "-n", &load.total().to_string()])
            .args(["-c", &load.connections.to_string()])
            .args(["-m", &load.in_flight.to_string()])
            .args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
            .arg("-d")
            .arg(body)
            .arg(format!("{scheme}://{address}/bench.Bench/{method}"));
        let output = process::run(setup, Role::Client, || command.output())?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains(&format!("status codes: {} 2xx", load.total())) {
            Ok(())
        } else {
            Err(format!("h2load did not get {} answers:\n{text}", load.total()).into())
        }
    }

    fn write(&self, task: Task, message: &Body) -> Result<PathBuf, Error> {
        let path = self.bodies.path().join(task.to_string());
        if !path.exists() {
            let mut body = vec![0];
            body.extend_from_slice(&(message.encoded_len() as u32).to_be_bytes());
            message.encode(&mut body)?;
            std::fs::write(&path, body)?;
        }
        Ok(path)
    }
}
