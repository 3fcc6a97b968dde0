//! The server itself: what it says of itself, and all it holds as one stream.

use grpc_runtime::Code;
use tokio::time::timeout;

use crate::proto::etcdserverpb::{
    HashKvRequest, KvStub, MaintenanceStub, SnapshotRequest, StatusRequest,
};
use crate::server::{BOUND, Etcd};
use crate::store::put;

#[tokio::test]
#[ignore = "needs etcd"]
async fn the_server_tells_its_state_and_all_it_holds() {
    let etcd = Etcd::start("maintenance");
    let channel = etcd.channel();
    let kv = KvStub::new(channel.clone());
    // More than a window and more than a message of a snapshot.
    for n in 0..8 {
        let value = "x".repeat(1 << 20);
        kv.put(put(&n.to_string(), &value))
            .timeout(BOUND)
            .await
            .unwrap();
    }
    let stub = MaintenanceStub::new(channel);
    let status = stub.status(StatusRequest {}).timeout(BOUND).await.unwrap();
    assert!(status.version.starts_with("3."), "{}", status.version);
    assert_eq!(status.leader, status.header.unwrap().member_id);
    // What was put last may not have reached the file.
    assert!(status.db_size > 0, "{}", status.db_size);

    let hash = HashKvRequest::default();
    let one = stub.hash_kv(hash).timeout(BOUND).await.unwrap();
    let two = stub.hash_kv(hash).timeout(BOUND).await.unwrap();
    assert_eq!(one.hash, two.hash);

    let mut snapshot = stub.snapshot(SnapshotRequest {}).start();
    let (mut total, mut announced) = (0, None);
    while let Some(piece) = timeout(BOUND, snapshot.next()).await.unwrap().unwrap() {
        total += piece.blob.len() as u64;
        let whole = total + piece.remaining_bytes;
        // Behind the last piece of the store comes a checksum.
        assert!(whole <= *announced.get_or_insert(whole) + 32, "{whole}");
    }
    assert!(total >= 8 << 20, "{total}");

    let snapshot = stub
        .snapshot(SnapshotRequest {})
        .max_receive_message_size(100);
    let status = timeout(BOUND, snapshot.start().next())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
}
