//! The measured processes' own side: this program with the subcommand `serve` or `drive`. It ends
//! with the process that started it, after the load under way.

use std::io::{Read, Write};

use crate::Error;
use crate::driver::Driver;
use crate::load::Load;
use crate::peer::{Implementation, Peer, h2::H2, ours::Ours, tonic::Tonic};
use crate::setup::Setup;

/// `serve IMPLEMENTATION SETUP SECURITY`: prints the address, serves until the standard
/// input ends.
pub fn serve(words: &[String]) -> Result<(), Error> {
    let [implementation, setup, security] = words else {
        return Err("serve IMPLEMENTATION SETUP SECURITY".into());
    };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = setup.parse::<Setup>()?.runtime()?;
    let security = security.parse()?;
    match implementation.parse()? {
        Implementation::Ours => runtime.block_on(Ours::serve(security, say)),
        Implementation::Tonic => runtime.block_on(Tonic::serve(security, say)),
        Implementation::H2 => runtime.block_on(H2::serve(security, say)),
        other => Err(format!("{other} is another program").into()),
    }
}

/// `drive IMPLEMENTATION SETUP ADDRESS LOAD…`: connects, warms up and prints
/// `ready`; does the load when a line comes and prints what it saw as JSON; keeps
/// what it opened until the standard input ends.
pub fn drive(words: &[String]) -> Result<(), Error> {
    let [implementation, setup, address, load @ ..] = words else {
        return Err("drive IMPLEMENTATION SETUP ADDRESS LOAD".into());
    };
    let (setup, load) = (setup.parse()?, Load::from_words(load)?);
    match implementation.parse()? {
        Implementation::Ours => drive_peer::<Ours>(setup, address, load),
        Implementation::Tonic => drive_peer::<Tonic>(setup, address, load),
        Implementation::H2 => drive_peer::<H2>(setup, address, load),
        other => Err(format!("{other} is another program").into()),
    }
}

fn drive_peer<P: Peer>(setup: Setup, address: &str, load: Load) -> Result<(), Error> {
    let runtime = setup.runtime()?;
    let mut driver = runtime.block_on(Driver::<P::Client>::ready(load, address))?;
    say("ready");
    std::io::stdin().read_line(&mut String::new())?;
    let outcome = runtime.block_on(driver.run())?;
    say(&serde_json::to_string(&outcome)?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A line for the process that started this one.
fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}
