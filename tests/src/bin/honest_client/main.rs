//! Our client under load: repeats one kind of call of an interop server at
//! `--server_port` until `--seconds` are over, on one channel, and reads responses as
//! `--reader` says. What else it is asked for and what it prints is
//! `grpc_tests::load`'s. Ends with 1 if a call did not end as
//! it should.

mod calls;

use std::process::ExitCode;

use grpc_runtime::Channel;
use grpc_tests::flags::Flags;
use grpc_tests::load::{Failure, Load};
use grpc_tests::readers::{Reader, Readers};

use crate::calls::Calls;

grpc_runtime::include_proto!("grpc.testing");

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let port: u16 = flags.take("server_port", 8080)?;
    let load = Load::take(&mut flags)?;
    let reader = flags.take("reader", Reader::Prompt)?;
    flags.finish()?;
    let readers = Readers::new(reader, load.calls);
    let channel = Channel::insecure(format!("127.0.0.1:{port}"))?;
    let calls = Calls::new(load, readers, &TestServiceStub::new(channel));
    Ok(load.run(move |cancel| calls.clone().make(cancel)).await)
}
