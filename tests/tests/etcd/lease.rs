//! A lease: kept alive by one stream while another watches what it holds.

use std::time::{Duration, Instant};

use grpc_runtime::Code;
use tokio::time::timeout;

use crate::proto::etcdserverpb::{
    KvStub, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, LeaseStub,
    LeaseTimeToLiveRequest, PutRequest, WatchStub,
};
use crate::proto::mvccpb::event::EventType;
use crate::server::{BOUND, Etcd};
use crate::store::{get, put};
use crate::watch::{next, prefix, watch};

#[tokio::test]
#[ignore = "needs etcd"]
async fn a_lease_lives_while_it_is_kept_and_takes_its_keys_along() {
    let etcd = Etcd::start("lease");
    let channel = etcd.channel();
    let (kv, leases) = (
        KvStub::new(channel.clone()),
        LeaseStub::new(channel.clone()),
    );
    let asked = LeaseGrantRequest { ttl: 2, id: 0 };
    let lease = leases.lease_grant(asked).timeout(BOUND).await.unwrap();
    let held = PutRequest {
        lease: lease.id,
        ..put("held", "for a while")
    };
    kv.put(held).timeout(BOUND).await.unwrap();
    let stub = WatchStub::new(channel);
    let (_requests, mut events) = watch(&stub, prefix("held", "")).await;

    // Kept alive for longer than it would live by itself.
    let (mut keep, mut kept) = leases.lease_keep_alive().start();
    let life = Duration::from_secs(lease.ttl.unsigned_abs());
    let end = Instant::now() + life + Duration::from_millis(500);
    while Instant::now() < end {
        keep.send(LeaseKeepAliveRequest { id: lease.id })
            .await
            .unwrap();
        let alive = timeout(BOUND, kept.next()).await.unwrap().unwrap().unwrap();
        assert_eq!((alive.id, alive.ttl), (lease.id, lease.ttl));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let question = LeaseTimeToLiveRequest {
        id: lease.id,
        keys: true,
    };
    let left = leases
        .lease_time_to_live(question)
        .timeout(BOUND)
        .await
        .unwrap();
    assert_eq!(
        (left.granted_ttl, left.keys),
        (lease.ttl, vec![b"held".to_vec()])
    );
    assert_eq!(kv.range(get("held")).timeout(BOUND).await.unwrap().count, 1);

    // And then no more: the stream ends in order, and so does the key.
    keep.finish();
    assert_eq!(timeout(BOUND, kept.next()).await.unwrap().unwrap(), None);
    let gone = next(&mut events).await.events;
    assert_eq!(gone[0].r#type(), EventType::Delete);
    assert_eq!(gone[0].prev_kv.as_ref().unwrap().value, b"for a while");
    let left = leases
        .lease_time_to_live(question)
        .timeout(BOUND)
        .await
        .unwrap();
    assert_eq!(left.ttl, -1);

    let revoke = LeaseRevokeRequest { id: lease.id };
    let status = leases
        .lease_revoke(revoke)
        .timeout(BOUND)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
    assert_eq!(status.message(), "etcdserver: requested lease not found");
}
