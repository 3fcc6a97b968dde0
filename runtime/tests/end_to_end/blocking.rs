//! The four kinds of call on a thread without a runtime: their options, their
//! metadata, and the ways in which they break off.

use std::time::{Duration, Instant};

use crate::support::{Echo, EchoServicer, EchoStub, service};
use grpc_runtime::{
    Channel, Code, ConnectivityState, Context, Metadata, Receiver, Sender, Server, Status,
};

/// Shows that a call's metadata came, ahead of the answer and behind it; waits for
/// ever where it is asked to.
struct Patient;

async fn answer(context: &mut Context) -> Result<(), Status> {
    let id = context.metadata().get("x-id").unwrap_or("none").to_owned();
    let data = context.metadata().get_bin("x-data-bin").map(<[u8]>::to_vec);
    context.set_initial_metadata(Metadata::from_pairs([("x-initial", id.as_str())])?)?;
    let trailing = context.trailing_metadata_mut();
    trailing.append_bin("x-data-bin", data.unwrap_or_default())?;
    match context.metadata().get("x-wait") {
        Some(_) => std::future::pending().await,
        None => Ok(()),
    }
}

impl EchoServicer for Patient {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        answer(context).await.map(|()| request)
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        answer(context).await?;
        replies.send(request).await
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        context: &mut Context,
    ) -> Result<Echo, Status> {
        answer(context).await?;
        while requests.next().await?.is_some() {}
        Ok(Echo::default())
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        answer(context).await?;
        while let Some(request) = requests.next().await? {
            replies.send(request).await?;
        }
        Ok(())
    }
}

fn stub() -> EchoStub {
    EchoStub(Channel::in_process(Server::builder().add_service(service(Patient))).unwrap())
}

/// The same option on a call of any kind.
macro_rules! each {
    ($stub:ident, $call:ident => $options:expr) => {{
        let unary = {
            let $call = $stub.unary(Echo::text("hi"));
            $options
        };
        let expand = {
            let $call = $stub.expand(Echo::text("hi"));
            $options
        };
        let collect = {
            let $call = $stub.collect();
            $options
        };
        let chat = {
            let $call = $stub.chat();
            $options
        };
        (unary, expand, collect, chat)
    }};
}

#[test]
fn metadata_goes_out_and_comes_back_in_every_kind() {
    let stub = stub();
    let (unary, expand, collect, chat) = each!(stub, call => call
        .metadata("x-id", "7")
        .metadata_bin("x-data-bin", &[0, 255]));
    let proves = |initial: &Metadata, trailing: &Metadata| {
        assert_eq!(initial.get("x-initial"), Some("7"));
        assert_eq!(trailing.get_bin("x-data-bin"), Some(&[0, 255][..]));
    };

    let response = unary.response().wait().unwrap();
    proves(&response.initial_metadata, &response.trailing_metadata);

    let mut replies = expand.wait();
    let initial = replies.initial_metadata().unwrap();
    assert_eq!(replies.by_ref().count(), 1);
    proves(&initial, replies.trailing_metadata().unwrap());

    let response = collect.wait().response().unwrap();
    proves(&response.initial_metadata, &response.trailing_metadata);

    let (mut requests, mut replies) = chat.wait();
    requests.send(Echo::number(3)).unwrap();
    assert_eq!(replies.next().unwrap().unwrap().number, 3);
    requests.finish();
    assert!(replies.next().is_none());
    let initial = replies.initial_metadata().unwrap();
    proves(&initial, replies.trailing_metadata().unwrap());
}

#[test]
fn a_timeout_and_a_deadline_end_every_kind() {
    let stub = stub();
    for moment in [false, true] {
        let (unary, expand, collect, chat) = each!(stub, call => {
            let call = call.metadata("x-wait", "1");
            let short = Duration::from_millis(20);
            if moment {
                call.deadline(Instant::now() + short)
            } else {
                call.timeout(short)
            }
        });
        let codes = [
            unary.wait().unwrap_err().code(),
            expand.wait().next().unwrap().unwrap_err().code(),
            collect.wait().finish().unwrap_err().code(),
            chat.wait().1.next().unwrap().unwrap_err().code(),
        ];
        // The sender of the last was dropped unfinished, which cancels.
        let late = Code::DeadlineExceeded;
        assert_eq!(codes[..3], [late, late, late]);
        assert!([late, Code::Cancelled].contains(&codes[3]));
    }
    let (mut requests, mut replies) = stub
        .chat()
        .metadata("x-wait", "1")
        .timeout(Duration::from_millis(20))
        .wait();
    assert_eq!(
        replies.next().unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
    // The iterator has ended with its error, and so has the other half.
    assert!(replies.next().is_none());
    let late = requests.send(Echo::default()).unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

#[test]
fn every_stream_can_be_cancelled() {
    let stub = stub();
    let (_, expand, collect, chat) = each!(stub, call => call.metadata("x-wait", "1"));

    let mut replies = expand.wait();
    replies.cancel();
    assert_eq!(replies.next().unwrap().unwrap_err().code(), Code::Cancelled);

    let mut call = collect.wait();
    call.send(Echo::default()).unwrap();
    call.cancel();
    assert_eq!(
        call.send(Echo::default()).unwrap_err().code(),
        Code::Cancelled
    );
    assert_eq!(call.finish().unwrap_err().code(), Code::Cancelled);

    let (mut requests, mut replies) = chat.wait();
    replies.cancel();
    assert_eq!(
        requests.send(Echo::default()).unwrap_err().code(),
        Code::Cancelled
    );
    assert_eq!(replies.next().unwrap().unwrap_err().code(), Code::Cancelled);
}

#[test]
fn limits_and_readiness_hold_for_every_kind() {
    let stub = stub();
    let (unary, expand, collect, chat) = each!(stub, call => call
        .max_send_message_size(3)
        .wait_for_ready());
    let too_large = || Echo::text("more than three bytes");
    let codes = [
        unary.wait().unwrap_err().code(),
        expand.wait().next().unwrap().unwrap_err().code(),
        collect.wait().send(too_large()).unwrap_err().code(),
        chat.wait().0.send(too_large()).unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::ResourceExhausted; 4]);

    let (unary, expand, _, chat) = each!(stub, call => call.max_receive_message_size(3));
    let (mut requests, mut replies) = chat.wait();
    requests.send(too_large()).unwrap();
    let codes = [
        unary.wait().unwrap_err().code(),
        expand.wait().next().unwrap().unwrap_err().code(),
        replies.next().unwrap().unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::ResourceExhausted; 3]);
}

/// What a call of each kind says on this thread.
fn refusals(stub: &EchoStub) -> [Code; 5] {
    let (unary, expand, collect, chat) = each!(stub, call => call.timeout(Duration::from_secs(20)));
    let (mut requests, mut replies) = chat.wait();
    [
        unary.wait().unwrap_err().code(),
        expand.wait().next().unwrap().unwrap_err().code(),
        collect.wait().finish().unwrap_err().code(),
        requests.send(Echo::default()).unwrap_err().code(),
        replies.next().unwrap().unwrap_err().code(),
    ]
}

#[tokio::test]
async fn blocking_the_only_thread_of_a_runtime_is_an_error_in_every_kind() {
    let stub = stub();
    assert_eq!(refusals(&stub), [Code::Internal; 5]);
    // A task that tokio never asks to yield is no better.
    let task = tokio::task::unconstrained(async { refusals(&stub) });
    assert_eq!(task.await, [Code::Internal; 5]);
    // The channel and the runtime are none the worse for it.
    assert_eq!(stub.unary(Echo::text("hi")).await.unwrap().text, "hi");
}

#[tokio::test]
async fn spawn_blocking_of_any_runtime_may_block() {
    let stub = stub();
    let blocking = tokio::task::spawn_blocking(move || {
        let (unary, expand, collect, chat) = each!(stub, call => call);
        assert_eq!(unary.wait().unwrap().text, "hi");
        assert_eq!(expand.wait().map(Result::unwrap).count(), 1);
        collect.wait().finish().unwrap();
        let (mut requests, mut replies) = chat.wait();
        requests.send(Echo::number(3)).unwrap();
        assert_eq!(replies.next().unwrap().unwrap().number, 3);
    });
    blocking.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_a_local_set_is_an_error_on_any_runtime() {
    let stub = stub();
    let local = tokio::task::LocalSet::new();
    let refused = local.run_until(async { refusals(&stub) }).await;
    assert_eq!(refused, [Code::Internal; 5]);
    // A thread that may block blocks.
    let call = stub.unary(Echo::text("hi"));
    let blocking = tokio::task::spawn_blocking(move || call.wait());
    assert_eq!(blocking.await.unwrap().unwrap().text, "hi");
}

/// A server on a thread of its own, for as long as the runtime is held.
fn serve() -> (tokio::runtime::Runtime, Server) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let builder = Server::builder().add_service(service(Patient));
    let server = runtime.block_on(builder.listen("127.0.0.1:0").start());
    (runtime, server.unwrap())
}

/// A single-threaded runtime that carries a channel's connection and that nobody drives.
fn resting(stub: &EchoStub) -> tokio::runtime::Runtime {
    let runtime = single_threaded();
    let first = async { stub.unary(Echo::default()).await };
    runtime.block_on(first).unwrap();
    runtime
}

fn single_threaded() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A conversation that is under way.
async fn chatting(stub: &EchoStub) -> (Sender<Echo>, Receiver<Echo>) {
    let (mut requests, mut replies) = stub.chat().start();
    requests.send(Echo::number(1)).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 1);
    (requests, replies)
}

#[test]
fn a_connection_moves_off_a_runtime_that_nobody_drives() {
    let (_serving, server) = serve();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let stub = EchoStub(channel.clone());
    let first = resting(&stub);
    let (mut requests, mut replies) = first.block_on(chatting(&stub));

    // No call has a deadline that could help it.
    assert_eq!(stub.unary(Echo::text("hi")).wait().unwrap().text, "hi");
    let other = single_threaded();
    // The hub says so after the answer, perhaps.
    let mut states = channel.watch_state();
    let ready = states.wait_for(ConnectivityState::Ready);
    let ready = async { tokio::time::timeout(Duration::from_secs(20), ready).await };
    assert!(other.block_on(ready).unwrap());
    let hi = async { stub.unary(Echo::text("hi")).await };
    assert_eq!(other.block_on(hi).unwrap().text, "hi");
    // Nor does it depend on the last caller's.
    let hi = async { stub.unary(Echo::text("hi")).await };
    assert_eq!(first.block_on(hi).unwrap().text, "hi");

    // What ran on the first goes on there, and its connection ends with it.
    first.block_on(async {
        requests.send(Echo::number(2)).await.unwrap();
        assert_eq!(replies.next().await.unwrap().unwrap().number, 2);
        requests.finish();
        assert!(replies.next().await.unwrap().is_none());
        while first.metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    assert_eq!(stub.unary(Echo::text("hi")).wait().unwrap().text, "hi");
}

#[test]
fn closing_a_channel_that_moved_ends_what_runs_on_either_side() {
    let (_serving, server) = serve();
    let channel = Channel::insecure(&server.addresses()[0]).unwrap();
    let stub = EchoStub(channel.clone());
    let first = resting(&stub);
    let (_requests, mut replies) = first.block_on(chatting(&stub));
    assert_eq!(stub.unary(Echo::text("hi")).wait().unwrap().text, "hi");
    channel.close();
    let status = first.block_on(replies.next()).unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status}");
    let status = stub.unary(Echo::text("hi")).wait().unwrap_err();
    assert_eq!(status.code(), Code::Cancelled, "{status}");
}

#[test]
fn connections_in_the_background_need_no_callers_runtime() {
    let (_serving, server) = serve();
    let channel = Channel::builder(&server.addresses()[0])
        .unwrap()
        .background_connections()
        .build(grpc_runtime::ChannelCredentials::insecure())
        .unwrap();
    let stub = EchoStub(channel);
    drop(resting(&stub));
    let _runtime = resting(&stub);
    let long = Duration::from_secs(20);
    assert_eq!(
        stub.unary(Echo::text("hi"))
            .timeout(long)
            .wait()
            .unwrap()
            .text,
        "hi"
    );
}
