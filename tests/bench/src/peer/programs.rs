//! The programs that stand for each implementation, and the words they take. It
//! must never fail for want of one that is optional.

use std::process::Command;

use super::Implementation;
use crate::Error;
use crate::load::Load;
use crate::setup::Setup;

/// The implementations of a run, each with its program.
#[derive(Debug)]
pub struct Peers {
    pub present: Vec<Implementation>,
}

impl Peers {
    pub fn find(wanted: &[Implementation]) -> Self {
        Self {
            present: wanted.to_vec(),
        }
    }

    /// A server: it prints its address, and serves until its standard input ends.
    pub fn serve(&self, implementation: Implementation, setup: Setup) -> Result<Command, Error> {
        let mut command = self.program(implementation)?;
        command.args(["serve", &implementation.to_string(), &setup.to_string()]);
        Ok(command)
    }

    /// A client: `ready` when it has warmed up, the outcome when it was let go.
    pub fn drive(
        &self,
        implementation: Implementation,
        setup: Setup,
        load: Load,
        address: &str,
    ) -> Result<Command, Error> {
        let mut command = self.program(implementation)?;
        command
            .args(["drive", &implementation.to_string(), &setup.to_string()])
            .arg(address)
            .args(load.words());
        Ok(command)
    }

    fn program(&self, _implementation: Implementation) -> Result<Command, Error> {
        Ok(Command::new(std::env::current_exe()?))
    }
}
