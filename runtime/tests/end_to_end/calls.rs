//! The four kinds of call, end to end, over every transport.

use std::time::Duration;

use crate::support::{ELSEWHERE, Echo, EchoServicer, EchoStub, MISSING, service};
use grpc_runtime::{Channel, Code, Context, Metadata, Receiver, Sender, Server, Status};
use tokio::time::timeout;

/// Long enough for anything that is not stuck.
const BOUND: Duration = Duration::from_secs(20);

pub(crate) struct Echoes;

impl EchoServicer for Echoes {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        if let Some(id) = context.metadata().get("x-id") {
            let id = id.to_owned();
            context.set_initial_metadata(Metadata::from_pairs([("x-initial", id.as_str())])?)?;
            context.trailing_metadata_mut().append("x-trailing", &id)?;
        }
        if let Some(data) = context.metadata().get_bin("x-data-bin") {
            let data = data.to_vec();
            context
                .trailing_metadata_mut()
                .append_bin("x-data-bin", &data)?;
        }
        match request.text.as_str() {
            "fail" => Err(Status::not_found("no ☺ here\t").with_details(vec![1, 2, 3])),
            "panic" => panic!("this panic is part of a test"),
            "wait" => {
                tokio::task::yield_now().await;
                Ok(request)
            }
            _ => Ok(request),
        }
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        context
            .trailing_metadata_mut()
            .append("x-count", &request.number.to_string())?;
        for number in 0..request.number {
            replies
                .send(Echo {
                    number,
                    ..request.clone()
                })
                .await?;
        }
        if request.text == "fail" {
            Err(Status::aborted("half way"))
        } else {
            Ok(())
        }
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        _context: &mut Context,
    ) -> Result<Echo, Status> {
        let mut sum = 0;
        while let Some(request) = requests.next().await? {
            if request.text == "enough" {
                break;
            }
            sum += request.number;
        }
        Ok(Echo::number(sum))
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

pub(crate) async fn all_kinds(stub: &EchoStub) {
    let reply = stub.unary(Echo::text("hi")).await.unwrap();
    assert_eq!(reply.text, "hi");
    let reply = stub.unary(Echo::text("wait")).await.unwrap();
    assert_eq!(reply.text, "wait");

    let response = stub
        .unary(Echo::text("x"))
        .metadata("x-id", "7")
        .metadata_bin("x-data-bin", &[0, 255, 1])
        .response()
        .await
        .unwrap();
    assert_eq!(response.initial_metadata.get("x-initial"), Some("7"));
    assert_eq!(response.trailing_metadata.get("x-trailing"), Some("7"));
    assert_eq!(
        response.trailing_metadata.get_bin("x-data-bin"),
        Some(&[0, 255, 1][..])
    );

    let status = stub
        .unary(Echo::text("fail"))
        .metadata("x-id", "8")
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no ☺ here\t")
    );
    assert_eq!(status.details()[..], [1, 2, 3]);
    assert_eq!(status.metadata().get("x-trailing"), Some("8"));

    let mut replies = stub.expand(Echo::number(1_000)).start();
    for number in 0..1_000 {
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
    }
    assert_eq!(replies.next().await.unwrap(), None);
    assert_eq!(
        replies.trailing_metadata().unwrap().get("x-count"),
        Some("1000")
    );

    let mut replies = stub
        .expand(Echo {
            number: 2,
            ..Echo::text("fail")
        })
        .start();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 0);
    assert_eq!(replies.next().await.unwrap().unwrap().number, 1);
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Aborted);
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Aborted);

    let mut call = stub.collect().start();
    for number in 0..1_000 {
        call.send(Echo::number(number)).await.unwrap();
    }
    assert_eq!(call.finish().await.unwrap().number, 499_500);

    let (mut requests, mut replies) = stub.chat().start();
    for number in 0..100 {
        requests.send(Echo::number(number)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, number);
    }
    requests.finish();
    assert_eq!(replies.next().await.unwrap(), None);
}

#[tokio::test]
async fn all_kinds_over_tcp() {
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    all_kinds(&EchoStub(
        Channel::insecure(&server.addresses()[0]).unwrap(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_kinds_over_tcp_on_many_threads() {
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    all_kinds(&EchoStub(
        Channel::insecure(&server.addresses()[0]).unwrap(),
    ))
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn all_kinds_over_a_unix_socket() {
    let address = format!(
        "unix:{}/grpc-calls-{}.sock",
        std::env::temp_dir().display(),
        std::process::id()
    );
    let server = Server::builder()
        .add_service(service(Echoes))
        .listen(&address)
        .start()
        .await
        .unwrap();
    all_kinds(&EchoStub(
        Channel::insecure(&server.addresses()[0]).unwrap(),
    ))
    .await;
}

#[tokio::test]
async fn all_kinds_in_process() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    all_kinds(&EchoStub(channel)).await;
}

#[test]
fn all_kinds_blocking_without_a_runtime() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let stub = EchoStub(channel);
    assert_eq!(stub.unary(Echo::text("hi")).wait().unwrap().text, "hi");
    let numbers: Result<Vec<i64>, Status> = stub
        .expand(Echo::number(5))
        .wait()
        .map(|reply| reply.map(|reply| reply.number))
        .collect();
    assert_eq!(numbers.unwrap(), [0, 1, 2, 3, 4]);
    let mut call = stub.collect().wait();
    for number in 0..10 {
        call.send(Echo::number(number)).unwrap();
    }
    assert_eq!(call.finish().unwrap().number, 45);
    let (mut requests, mut replies) = stub.chat().wait();
    requests.send(Echo::number(3)).unwrap();
    assert_eq!(replies.next().unwrap().unwrap().number, 3);
    requests.finish();
    assert!(replies.next().is_none());
    let late = stub
        .unary(Echo::text("x"))
        .timeout(Duration::ZERO)
        .wait()
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn blocking_a_worker_of_many_makes_room_for_the_others() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    assert_eq!(
        EchoStub(channel)
            .unary(Echo::text("hi"))
            .wait()
            .unwrap()
            .text,
        "hi"
    );
}

#[tokio::test]
async fn unknown_methods_and_services_are_unimplemented() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let stub = EchoStub(channel);
    for (method, text) in [(MISSING, "no method"), (ELSEWHERE, "no service")] {
        let status = stub.call(method, Echo::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains(text), "{status}");
    }
}

#[tokio::test]
async fn a_panic_fails_its_call_alone() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let stub = EchoStub(channel);
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    let status = stub.unary(Echo::text("panic")).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("part of a test"), "{status}");
    requests.send(Echo::number(2)).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 2);
}

#[tokio::test]
async fn large_messages_cross_both_ways() {
    let server = Server::builder()
        .add_service(service(Echoes))
        .max_receive_message_size(64 << 20)
        .listen("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let stub = EchoStub(Channel::insecure(&server.addresses()[0]).unwrap());
    for size in [0, 1, 16_383, 16_384, 65_535, 1 << 20, 32 << 20] {
        let reply = stub
            .unary(Echo::data(size))
            .max_receive_message_size(64 << 20)
            .await
            .unwrap();
        assert_eq!(reply.data.len(), size);
    }
    let (mut requests, mut replies) = stub.chat().max_receive_message_size(64 << 20).start();
    let sender = tokio::spawn(async move {
        for _ in 0..5 {
            requests.send(Echo::data(5 << 20)).await.unwrap();
        }
        requests.finish();
    });
    let mut count = 0;
    while let Some(reply) = replies.next().await.unwrap() {
        assert_eq!(reply.data.len(), 5 << 20);
        count += 1;
    }
    assert_eq!(count, 5);
    sender.await.unwrap();
}

#[tokio::test]
async fn a_server_that_answers_early_loses_neither_answer_nor_call() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let mut call = EchoStub(channel).collect().start();
    call.send(Echo::number(5)).await.unwrap();
    call.send(Echo::text("enough")).await.unwrap();
    let told = timeout(BOUND, async {
        loop {
            if let Err(status) = call.send(Echo::data(1_000)).await {
                return status;
            }
            tokio::task::yield_now().await;
        }
    });
    let status = told.await.expect("a sender hears that nobody listens");
    assert_eq!(status.code(), Code::Cancelled, "{status}");
    timeout(BOUND, call.closed()).await.unwrap();
    assert_eq!(call.finish().await.unwrap().number, 5);
}

#[tokio::test]
async fn a_sender_that_waits_hears_of_the_end() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let mut call = EchoStub(channel).collect().start();
    call.send(Echo::number(1)).await.unwrap();
    let early = timeout(Duration::from_millis(20), call.closed()).await;
    assert!(early.is_err(), "the call is not over");
    call.send(Echo::text("enough")).await.unwrap();
    timeout(BOUND, call.closed()).await.unwrap();
    assert_eq!(call.finish().await.unwrap().number, 1);
}

#[tokio::test]
async fn a_failed_call_of_one_answer_gives_its_initial_metadata() {
    let channel = Channel::in_process(Server::builder().add_service(service(Echoes))).unwrap();
    let call = EchoStub(channel).unary(Echo::text("fail"));
    let status = call.metadata("x-id", "7").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(status.initial_metadata().get("x-initial"), Some("7"));
    assert_eq!(status.metadata().get("x-initial"), None);
    assert_eq!(status.metadata().get("x-trailing"), Some("7"));
}

#[tokio::test]
async fn messages_above_the_limit_say_so() {
    let channel = Channel::in_process(
        Server::builder()
            .add_service(service(Echoes))
            .max_receive_message_size(1_000),
    )
    .unwrap();
    let stub = EchoStub(channel);
    let status = stub.unary(Echo::data(2_000)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    for part in ["server", "1000", "max_receive_message_size"] {
        assert!(status.message().contains(part), "{status}");
    }
    let status = stub
        .unary(Echo::data(500))
        .max_receive_message_size(100)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("client"), "{status}");
    let status = stub
        .unary(Echo::data(500))
        .max_send_message_size(100)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::data(2_000)).await.unwrap();
    assert_eq!(
        replies.next().await.unwrap_err().code(),
        Code::ResourceExhausted
    );
}
