//! One stream that tells of changes as they are made.

use grpc_runtime::{Code, Receiver, Sender};
use tokio::time::timeout;

use crate::proto::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, KvStub, WatchCancelRequest, WatchCreateRequest,
    WatchRequest, WatchResponse, WatchStub, watch_request::RequestUnion,
};
use crate::proto::mvccpb::event::EventType;
use crate::server::{BOUND, Etcd};
use crate::store::put;

type Watch = (Sender<WatchRequest>, Receiver<WatchResponse>);

async fn ask(requests: &mut Sender<WatchRequest>, request: RequestUnion) {
    let request_union = Some(request);
    requests.send(WatchRequest { request_union }).await.unwrap();
}

pub(crate) async fn next(responses: &mut Receiver<WatchResponse>) -> WatchResponse {
    let response = timeout(BOUND, responses.next())
        .await
        .expect("nothing came");
    response.unwrap().expect("the stream ended")
}

/// A stream with one watch, which is in place.
pub(crate) async fn watch(stub: &WatchStub, request: WatchCreateRequest) -> Watch {
    let (mut requests, mut responses) = stub.watch().start();
    ask(&mut requests, RequestUnion::CreateRequest(request)).await;
    assert!(next(&mut responses).await.created);
    (requests, responses)
}

pub(crate) fn prefix(key: &str, end: &str) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.into(),
        range_end: end.into(),
        prev_kv: true,
        ..WatchCreateRequest::default()
    }
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn a_watch_sees_every_change_until_it_is_cancelled() {
    let etcd = Etcd::start("watch");
    let channel = etcd.channel();
    let (kv, stub) = (KvStub::new(channel.clone()), WatchStub::new(channel));
    kv.put(put("a/0", "before")).timeout(BOUND).await.unwrap();
    let (mut requests, mut responses) = watch(&stub, prefix("a/", "a0")).await;

    // The calls that change things run beside the stream, on its connection.
    for n in 1..=100 {
        let changed = put(&format!("a/{n}"), &n.to_string());
        kv.put(changed).timeout(BOUND).await.unwrap();
        kv.put(put("b/1", "elsewhere"))
            .timeout(BOUND)
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 100 {
        seen.extend(next(&mut responses).await.events);
    }
    for (n, event) in seen.iter().enumerate() {
        assert_eq!(event.r#type(), EventType::Put);
        let value = (n + 1).to_string();
        assert_eq!(event.kv.as_ref().unwrap().value, value.as_bytes());
    }

    let delete = DeleteRangeRequest {
        key: "a/0".into(),
        ..DeleteRangeRequest::default()
    };
    kv.delete_range(delete).timeout(BOUND).await.unwrap();
    let events = next(&mut responses).await.events;
    assert_eq!(events[0].r#type(), EventType::Delete);
    assert_eq!(events[0].prev_kv.as_ref().unwrap().value, b"before");

    // Two watches of one stream; one goes, the other stays.
    ask(
        &mut requests,
        RequestUnion::CreateRequest(prefix("b/", "b0")),
    )
    .await;
    let second = next(&mut responses).await;
    assert!(second.created);
    let cancel = WatchCancelRequest { watch_id: 0 };
    ask(&mut requests, RequestUnion::CancelRequest(cancel)).await;
    let cancelled = next(&mut responses).await;
    assert_eq!((cancelled.canceled, cancelled.watch_id), (true, 0));
    kv.put(put("a/1", "unseen")).timeout(BOUND).await.unwrap();
    kv.put(put("b/1", "seen")).timeout(BOUND).await.unwrap();
    let event = next(&mut responses).await;
    assert_eq!(event.watch_id, second.watch_id);
    assert_eq!(event.events[0].kv.as_ref().unwrap().value, b"seen");

    responses.cancel();
    let status = responses.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    // The connection has lived through it.
    kv.put(put("a/1", "after")).timeout(BOUND).await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn a_watch_of_what_is_no_more_is_cancelled_by_etcd() {
    let etcd = Etcd::start("compacted");
    let channel = etcd.channel();
    let (kv, stub) = (KvStub::new(channel.clone()), WatchStub::new(channel));
    let mut revision = 0;
    for value in ["1", "2", "3"] {
        let done = kv.put(put("key", value)).timeout(BOUND).await.unwrap();
        revision = done.header.unwrap().revision;
    }
    let compaction = CompactionRequest {
        revision,
        physical: true,
    };
    kv.compact(compaction).timeout(BOUND).await.unwrap();
    let past = WatchCreateRequest {
        start_revision: revision - 1,
        ..prefix("key", "")
    };
    let (_requests, mut responses) = watch(&stub, past).await;
    let end = next(&mut responses).await;
    assert_eq!((end.canceled, end.compact_revision), (true, revision));
}
