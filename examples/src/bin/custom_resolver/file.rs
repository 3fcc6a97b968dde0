//! A resolver for `file:///path`: one `ip:port zone` in each line of a file.

use std::net::SocketAddr;
use std::time::Duration;

use grpc_runtime::{Endpoint, Resolution, Resolver, Status, Target, Updates};

/// How often the file is read.
const PERIOD: Duration = Duration::from_millis(50);

/// The zone of a server: an attribute that the resolver sets on an endpoint for the policy.
#[derive(Debug, PartialEq)]
pub(crate) struct Zone(pub(crate) String);

pub(crate) struct File;

impl Resolver for File {
    fn scheme(&self) -> &'static str {
        "file"
    }

    async fn resolve(&self, target: &Target, mut updates: Updates) {
        let path = format!("/{}", target.path());
        let mut last = None;
        loop {
            let path = path.clone();
            // It runs on the channel's task, which must not wait for a disk.
            let read = tokio::task::spawn_blocking(|| std::fs::read_to_string(path)).await;
            match read {
                Ok(Ok(text)) if last.as_ref() != Some(&text) => {
                    // A list that the policy rejects needs no handling here: the file is
                    // polled in any case.
                    let _ = updates.send(parse(&text)).await;
                    last = Some(text);
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    let _ = updates.send(Resolution::failed(error.into())).await;
                }
                Err(error) => {
                    let status = Status::unavailable(error.to_string());
                    let _ = updates.send(Resolution::failed(status)).await;
                }
            }
            // A lost connection is a reason to look sooner.
            let _ = tokio::time::timeout(PERIOD, updates.requested()).await;
        }
    }
}

fn parse(text: &str) -> Resolution {
    Resolution::new(text.lines().filter_map(|line| {
        let (address, zone) = line.split_once(' ')?;
        let address: SocketAddr = address.parse().ok()?;
        Some(Endpoint::new(address).with(Zone(zone.to_owned())))
    }))
}
