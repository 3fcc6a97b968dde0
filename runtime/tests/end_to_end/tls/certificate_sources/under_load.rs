//! Mutual TLS whose certificates and whose authorities change, while connections are made
//! all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::certificates::Authority;
use super::super::{BOUND, Who, stub};
use super::files::{Folder, Told};
use crate::observers::Hears;
use crate::support::{Echo, service};
use grpc_runtime::{ChannelCredentials, Server, ServerCredentials};

const ROTATIONS: usize = 50;
const CLIENTS: usize = 4;

/// Waits until every client has made connections since: those under way were begun with
/// what was current before.
async fn settle(made: &[AtomicUsize; CLIENTS]) {
    let count = |made: &AtomicUsize| made.load(Ordering::SeqCst);
    let before: Vec<usize> = made.iter().map(count).collect();
    let settled = async {
        while made
            .iter()
            .zip(&before)
            .any(|(made, before)| count(made) < before + 2)
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(BOUND, settled).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_rotations_under_load_fail_no_handshake() {
    let hears = Hears::default();
    let mut authority = Authority::new();
    let ends = [Folder::new(), Folder::new()];
    let names = [&["localhost", "127.0.0.1"][..], &["client.test"]];
    for (folder, names) in ends.iter().zip(names) {
        folder.write_identity(&authority.issue(names));
        folder.write("ca.crt", authority.roots());
    }
    let watch = |folder: &Folder| Told::watch(folder.files().roots(folder.path("ca.crt")));
    let (at_server, server_told) = watch(&ends[0]);
    let (at_client, client_told) = watch(&ends[1]);
    let mut told = [server_told, client_told];
    let credentials = ServerCredentials::from_source(at_server);
    let server = Server::builder()
        .add_service(service(Who))
        .observe(hears.clone())
        .listen_with(
            "127.0.0.1:0",
            credentials.require_client_certificate().build().unwrap(),
        )
        .start()
        .await
        .unwrap();
    let server = Arc::new(server);
    let credentials = ChannelCredentials::from_source(at_client).build().unwrap();
    let (made, is_over) = (
        Arc::new(std::array::from_fn(|_| AtomicUsize::new(0))),
        Arc::new(AtomicBool::new(false)),
    );
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (server, credentials) = (Arc::clone(&server), credentials.clone());
            let (made, is_over) = (Arc::clone(&made), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    let call = stub(&server, credentials.clone()).unary(Echo::default());
                    match call.timeout(BOUND).await {
                        Ok(reply) => assert_eq!(reply.number, 1),
                        Err(status) => failures.push(status.to_string()),
                    }
                    made[client].fetch_add(1, Ordering::SeqCst);
                }
                failures
            })
        })
        .collect();

    for _ in 0..ROTATIONS {
        let next = Authority::new();
        for folder in &ends {
            folder.write("ca.crt", authority.roots() + &next.roots());
        }
        for told in &mut told {
            told.taken().await;
        }
        settle(&made).await;
        for (folder, names) in ends.iter().zip(names) {
            folder.write_identity(&next.issue(names));
        }
        for told in &mut told {
            told.taken().await;
        }
        settle(&made).await;
        for folder in &ends {
            folder.write("ca.crt", next.roots());
        }
        for told in &mut told {
            told.taken().await;
        }
        authority = next;
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        assert_eq!(client.await.unwrap(), Vec::<String>::new());
    }
    let failed = hears.so_far();
    let failed: Vec<_> = failed
        .iter()
        .filter(|line| line.contains("failed"))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let made: usize = made.iter().map(|made| made.load(Ordering::SeqCst)).sum();
    assert!(made > 2 * ROTATIONS * CLIENTS, "{made}");
}
