//! gRPC's interop client, under its official flags: makes one case's calls of an
//! interop server and ends with 0 if all went as the contract says. Without
//! `--test_case`, or with one that is not known, it names the cases.
//! `--service_config_json` may name the policies that the runtime has, and
//! `test_backend_metrics_load_balancer`, which is that of the cases of ORCA unless set.

mod backend_metrics;
mod cases;
mod client;
mod failure;
mod options;

use std::process::ExitCode;

use grpc_tests::flags::Flags;

use crate::client::Client;
use crate::failure::Failure;
use crate::options::Options;

grpc_runtime::include_proto!("grpc.testing");

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(case) => {
            println!("pass {case}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("FAIL {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<String, Failure> {
    let mut flags = Flags::parse(std::env::args().skip(1))?;
    let options = Options::take(&mut flags)?;
    flags.finish()?;
    let name = options.test_case.clone();
    let case = cases::find(&name)?;
    case(&Client::new(options)?)
        .await
        .map_err(|failure| format!("{name}: {failure}"))?;
    Ok(name)
}
