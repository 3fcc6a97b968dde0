//! Requests that are judged before a service's methods see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::calls::Echoes;
use crate::support::{CHAT, COLLECT, EXPAND, Echo, EchoStub, UNARY, service};
use grpc_runtime::prost::Message;
use grpc_runtime::{Channel, Code, Context, Method, Server, Service, Status, UnaryCall};

/// What a judge was asked.
#[derive(Debug, Default)]
struct Asked(AtomicUsize);

impl Asked {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The service with a judge that refuses this text, and panics at another.
fn judged() -> (Service, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let told = Arc::clone(&asked);
    let judge = move |method: Method, message: &[u8]| {
        told.0.fetch_add(1, Ordering::SeqCst);
        assert!([UNARY, EXPAND, COLLECT, CHAT].contains(&method));
        match Echo::decode(message).unwrap().text.as_str() {
            "bad" => Err(Status::invalid_argument(method.name()).with_details(vec![7])),
            "panic of the judge" => panic!("this panic is part of a test"),
            _ => Ok(()),
        }
    };
    (service(Echoes).validate_requests(judge), asked)
}

fn stub(service: Service) -> EchoStub {
    EchoStub(Channel::in_process(Server::builder().add_service(service)).unwrap())
}

fn assert_refused(status: &Status, method: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(
        (status.message(), &status.details()[..]),
        (method, &[7][..])
    );
}

#[tokio::test]
async fn each_message_of_each_kind_of_method_is_judged() {
    let (service, asked) = judged();
    let stub = stub(service);
    let bad = || Echo::text("bad");
    assert_refused(&stub.unary(bad()).await.unwrap_err(), "Unary");
    let mut replies = stub.expand(bad()).start();
    assert_refused(&replies.next().await.unwrap_err(), "Expand");
    assert_eq!(asked.times(), 2);

    let mut requests = stub.collect().start();
    requests.send(Echo::number(1)).await.unwrap();
    let _ = requests.send(bad()).await;
    assert_refused(&requests.finish().await.unwrap_err(), "Collect");
    assert_eq!(asked.times(), 4);

    let (mut requests, mut replies) = stub.chat().start();
    for number in 0..3 {
        requests.send(Echo::number(number)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
    }
    requests.send(bad()).await.unwrap();
    assert_refused(&replies.next().await.unwrap_err(), "Chat");
    assert_eq!(asked.times(), 8);
}

#[tokio::test]
async fn what_is_not_refused_goes_on_as_it_was() {
    let (service, asked) = judged();
    let stub = stub(service);
    // In many pieces, too.
    for length in [0, 10, 3 << 20] {
        let request = Echo::data(length);
        assert_eq!(stub.unary(request.clone()).await.unwrap(), request);
        let (mut requests, mut replies) = stub.chat().start();
        requests.send(request.clone()).await.unwrap();
        assert_eq!(replies.next().await.unwrap(), Some(request));
        requests.finish();
        assert_eq!(replies.next().await.unwrap(), None);
    }
    assert_eq!(asked.times(), 6);
}

#[cfg(feature = "compression")]
#[tokio::test]
async fn messages_are_decompressed_for_the_judge() {
    use grpc_runtime::Compression;
    let (service, _) = judged();
    let stub = stub(service);
    let call = stub.unary(Echo::text("bad")).compression(Compression::Gzip);
    assert_refused(&call.await.unwrap_err(), "Unary");
    let call = stub.chat().compression(Compression::Gzip);
    let (mut requests, mut replies) = call.start();
    requests.send(Echo::data(100_000)).await.unwrap();
    let reply = replies.next().await.unwrap();
    assert_eq!(reply, Some(Echo::data(100_000)));
    requests.send(Echo::text("bad")).await.unwrap();
    assert_refused(&replies.next().await.unwrap_err(), "Chat");
}

#[tokio::test]
async fn nothing_is_judged_of_who_is_not_let_in_and_of_what_is_no_message() {
    /// Of another type than the string that is expected.
    #[derive(Clone, PartialEq, Message)]
    struct Noise {
        #[prost(uint32, tag = "1")]
        text: u32,
    }
    let (service, asked) = judged();
    let open = stub(service.clone());
    let noise = Noise { text: 5 };
    let call = UnaryCall::<Echo>::new(&open.0, UNARY, &noise);
    assert_eq!(call.await.unwrap_err().code(), Code::Internal);

    let nobody = |_: &mut Context| Err(Status::permission_denied("nobody"));
    let closed = stub(service.interceptor(nobody));
    let status = closed.unary(Echo::text("bad")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(asked.times(), 0);
}

#[tokio::test]
async fn a_judge_that_panics_ends_its_call_alone() {
    let (service, _) = judged();
    let stub = stub(service);
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert_eq!(replies.next().await.unwrap(), Some(Echo::number(1)));
    let poison = || Echo::text("panic of the judge");
    let status = stub.unary(poison()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let mut other = stub.collect().start();
    let _ = other.send(poison()).await;
    assert_eq!(other.finish().await.unwrap_err().code(), Code::Internal);
    requests.send(Echo::number(2)).await.unwrap();
    assert_eq!(replies.next().await.unwrap(), Some(Echo::number(2)));
}
