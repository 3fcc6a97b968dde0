//! The measured processes' own side: this program with the subcommand `serve` or `drive`. It ends
//! with the process that started it, after the load under way.

use std::io::{Read, Write};

use crate::Error;
use crate::driver::{Driver, Outcome};
use crate::load::Load;
use crate::peer::floor::{self, Floor};
use crate::peer::{Implementation, Peer, h2::H2, ours::Ours, tonic::Tonic};
use crate::security::Security;
use crate::setup::Setup;

/// `serve IMPLEMENTATION SETUP SECURITY`: prints the address, serves until the standard
/// input ends.
pub fn serve(words: &[String]) -> Result<(), Error> {
    let serving = Serving::from_words(words)?;
    match serving.implementation {
        Implementation::Ours => serving.serve::<Ours>(),
        Implementation::Tonic => serving.serve::<Tonic>(),
        Implementation::H2 => serving.serve::<H2>(),
        Implementation::Floor => {
            end_with_the_input();
            serving.setup.runtime()?.block_on(floor::serve(say))
        }
        other => Err(another_program(other)),
    }
}

/// `drive IMPLEMENTATION SETUP ADDRESS LOAD…`: connects, warms up and prints
/// `ready`; does the load when a line comes and prints what it saw as JSON; keeps
/// what it opened until the standard input ends.
pub fn drive(words: &[String]) -> Result<(), Error> {
    let driving = Driving::from_words(words)?;
    match driving.implementation {
        Implementation::Ours => driving.drive::<Ours>(),
        Implementation::Tonic => driving.drive::<Tonic>(),
        Implementation::H2 => driving.drive::<H2>(),
        Implementation::Floor => driving.drive_floor(),
        other => Err(another_program(other)),
    }
}

pub fn another_program(implementation: Implementation) -> Error {
    format!("{implementation} is another program").into()
}

/// Ends this process when its standard input ends.
fn end_with_the_input() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// What a server was told.
#[derive(Debug)]
pub struct Serving {
    pub implementation: Implementation,
    setup: Setup,
    security: Security,
}

impl Serving {
    pub fn from_words(words: &[String]) -> Result<Self, Error> {
        let [implementation, setup, security] = words else {
            return Err("serve IMPLEMENTATION SETUP SECURITY".into());
        };
        Ok(Self {
            implementation: implementation.parse()?,
            setup: setup.parse()?,
            security: security.parse()?,
        })
    }

    pub fn serve<P: Peer>(&self) -> Result<(), Error> {
        end_with_the_input();
        let runtime = self.setup.runtime()?;
        runtime.block_on(P::serve(self.security, say))
    }
}

/// What a client was told.
#[derive(Debug)]
pub struct Driving {
    pub implementation: Implementation,
    setup: Setup,
    address: String,
    load: Load,
}

impl Driving {
    pub fn from_words(words: &[String]) -> Result<Self, Error> {
        let [implementation, setup, address, load @ ..] = words else {
            return Err("drive IMPLEMENTATION SETUP ADDRESS LOAD".into());
        };
        Ok(Self {
            implementation: implementation.parse()?,
            setup: setup.parse()?,
            address: address.clone(),
            load: Load::from_words(load)?,
        })
    }

    pub fn drive<P: Peer>(&self) -> Result<(), Error> {
        let runtime = self.setup.runtime()?;
        let ready = Driver::<P::Client>::ready(self.load, &self.address);
        let mut driver = runtime.block_on(ready)?;
        report(|| runtime.block_on(driver.run()))
    }

    fn drive_floor(&self) -> Result<(), Error> {
        let runtime = self.setup.runtime()?;
        let mut floor = runtime.block_on(Floor::ready(self.load, &self.address))?;
        report(|| runtime.block_on(floor.run()))
    }
}

/// Does a load when told to, and says what came of it.
fn report(run: impl FnOnce() -> Result<Outcome, Error>) -> Result<(), Error> {
    say("ready");
    std::io::stdin().read_line(&mut String::new())?;
    say(&serde_json::to_string(&run()?)?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A line for the process that started this one.
fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}
