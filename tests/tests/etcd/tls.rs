//! Mutual TLS: a client with a certificate is served, and one without is not.

use grpc_runtime::{ChannelCredentials, Code};
use grpc_tests::certificates::Authority;

use crate::proto::etcdserverpb::KvStub;
use crate::server::{BOUND, Etcd};
use crate::store::{get, put};

#[tokio::test]
#[ignore = "needs etcd"]
async fn only_those_with_a_certificate_are_served() {
    let authority = Authority::new().unwrap();
    let etcd = Etcd::start_with_tls("tls", &authority);
    let kv = KvStub::new(etcd.channel());
    kv.put(put("key", "value")).timeout(BOUND).await.unwrap();
    let range = kv.range(get("key")).timeout(BOUND).await.unwrap();
    assert_eq!(range.kvs[0].value, b"value");

    let nobody = ChannelCredentials::tls().roots(authority.roots());
    let kv = KvStub::new(etcd.channel_with(nobody.build().unwrap()));
    // The reason may be lost where the connection is reset on its heels.
    let status = kv.range(get("key")).timeout(BOUND).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}
