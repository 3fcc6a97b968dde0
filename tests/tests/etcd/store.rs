//! Keys: put, read, changed under a condition, deleted; and what etcd refuses.

use grpc_runtime::Code;

use crate::proto::etcdserverpb::{
    CompactionRequest, Compare, DeleteRangeRequest, KvStub, PutRequest, RangeRequest, RequestOp,
    TxnRequest, compare, range_request, request_op, response_op,
};
use crate::server::{BOUND, Etcd};

pub(crate) fn put(key: &str, value: &str) -> PutRequest {
    PutRequest {
        key: key.into(),
        value: value.into(),
        ..PutRequest::default()
    }
}

pub(crate) fn get(key: &str) -> RangeRequest {
    RangeRequest {
        key: key.into(),
        ..RangeRequest::default()
    }
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn what_is_put_is_there_until_it_is_deleted() {
    let etcd = Etcd::start("store");
    let kv = KvStub::new(etcd.channel());
    // The first call waits for the election of a leader of one.
    let first = kv
        .put(put("fruit/apple", "red"))
        .timeout(BOUND)
        .await
        .unwrap();
    let revision = first.header.unwrap().revision;
    for (key, value) in [
        ("fruit/banana", "yellow"),
        ("fruit/cherry", "red"),
        ("other", ""),
    ] {
        kv.put(put(key, value)).timeout(BOUND).await.unwrap();
    }

    let fruit = RangeRequest {
        range_end: "fruit0".into(),
        sort_order: range_request::SortOrder::Descend.into(),
        limit: 2,
        ..get("fruit/")
    };
    let range = kv.range(fruit).timeout(BOUND).await.unwrap();
    let keys: Vec<_> = range
        .kvs
        .iter()
        .map(|kv| String::from_utf8_lossy(&kv.key))
        .collect();
    assert_eq!(keys, ["fruit/cherry", "fruit/banana"]);
    assert_eq!((range.count, range.more), (3, true));

    let again = PutRequest {
        prev_kv: true,
        ..put("fruit/apple", "green")
    };
    let before = kv.put(again).timeout(BOUND).await.unwrap().prev_kv.unwrap();
    assert_eq!(
        (before.value, before.mod_revision),
        (b"red".to_vec(), revision)
    );
    let past = RangeRequest {
        revision,
        ..get("fruit/apple")
    };
    let past = kv.range(past).timeout(BOUND).await.unwrap();
    assert_eq!(past.kvs[0].value, b"red");

    let delete = DeleteRangeRequest {
        key: "fruit/".into(),
        range_end: "fruit0".into(),
        prev_kv: true,
    };
    let deleted = kv.delete_range(delete).timeout(BOUND).await.unwrap();
    assert_eq!((deleted.deleted, deleted.prev_kvs.len()), (3, 3));
    let rest = kv.range(get("fruit/apple")).timeout(BOUND).await.unwrap();
    assert_eq!((rest.count, rest.kvs), (0, Vec::new()));
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn a_transaction_takes_one_way_or_the_other() {
    let etcd = Etcd::start("transaction");
    let kv = KvStub::new(etcd.channel());
    let operation = |request| RequestOp {
        request: Some(request),
    };
    // Takes the lock that nobody has, or says who has it.
    let lock = |owner: &str| TxnRequest {
        compare: vec![Compare {
            result: compare::CompareResult::Equal.into(),
            target: compare::CompareTarget::Create.into(),
            key: "lock".into(),
            target_union: Some(compare::TargetUnion::CreateRevision(0)),
            ..Compare::default()
        }],
        success: vec![operation(request_op::Request::RequestPut(put(
            "lock", owner,
        )))],
        failure: vec![operation(request_op::Request::RequestRange(get("lock")))],
    };
    let first = kv.txn(lock("Ada")).timeout(BOUND).await.unwrap();
    assert!(first.succeeded);
    let second = kv.txn(lock("Grace")).timeout(BOUND).await.unwrap();
    assert!(!second.succeeded);
    match &second.responses[0].response {
        Some(response_op::Response::ResponseRange(range)) => {
            assert_eq!(range.kvs[0].value, b"Ada");
        }
        other => panic!("not the lock's owner: {other:?}"),
    }
}

/// etcd's own codes and texts, by whichever layer of it they come.
#[tokio::test]
#[ignore = "needs etcd"]
async fn what_etcd_refuses_is_told_in_its_words() {
    let etcd = Etcd::start("refusals");
    let kv = KvStub::new(etcd.channel());
    for value in ["1", "2", "3"] {
        kv.put(put("key", value)).timeout(BOUND).await.unwrap();
    }
    let latest = kv.range(get("key")).timeout(BOUND).await.unwrap();
    let revision = latest.header.unwrap().revision;
    let compaction = CompactionRequest {
        revision,
        physical: true,
    };
    kv.compact(compaction).timeout(BOUND).await.unwrap();

    let at = |revision| RangeRequest {
        revision,
        ..get("key")
    };
    let status = kv.range(at(revision - 1)).timeout(BOUND).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert_eq!(
        status.message(),
        "etcdserver: mvcc: required revision has been compacted"
    );
    let status = kv.range(at(revision + 1)).timeout(BOUND).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert_eq!(
        status.message(),
        "etcdserver: mvcc: required revision is a future revision"
    );
    let status = kv.put(put("", "x")).timeout(BOUND).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(status.message(), "etcdserver: key is not provided");

    // Above etcd's own limit, then above that of the gRPC below it.
    let status = kv
        .put(put("key", &"x".repeat(1_600_000)))
        .timeout(BOUND)
        .await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(status.message(), "etcdserver: request is too large");
    let status = kv
        .put(put("key", &"x".repeat(3 << 20)))
        .timeout(BOUND)
        .await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    // None of this harmed the connection.
    let value = kv.range(get("key")).timeout(BOUND).await.unwrap();
    assert_eq!(value.kvs[0].value, b"3");
}
