//! Scripted servers, as the clients under test see them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use grpc_runtime::{
    BidiStreamingCall, Channel, ChannelCredentials, ClientStreamingCall, Code, Context, Metadata,
    Method, Server, ServerStreamingCall, Service, Status, UnaryCall,
};
use grpc_testing::{Network, Reply, Script, no_leftovers};
use tokio::time::Instant;

const GET: Method = Method::unary("/shop.Orders/Get");
const LIST: Method = Method::server_streaming("/shop.Orders/List");
const IMPORT: Method = Method::client_streaming("/shop.Orders/Import");
const TALK: Method = Method::bidi_streaming("/shop.Desk/Talk");

const SECOND: Duration = Duration::from_secs(1);

fn text(text: &str) -> String {
    text.to_owned()
}

fn over(script: &Script) -> Channel {
    Channel::in_process(script.server()).unwrap()
}

fn get(channel: &Channel, id: &str) -> UnaryCall<String> {
    UnaryCall::new(channel, GET, &text(id)).timeout(SECOND * 600)
}

fn pairs(key: &str, value: &str) -> Metadata {
    Metadata::from_pairs([(key, value)]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_their_order_and_the_last_one_stays() {
    let script = Script::new()
        .on(GET.path(), Reply::status(Status::unavailable("later")))
        .on(GET.path(), Reply::message(&text("first")))
        .on(GET.path(), Reply::message(&text("last")));
    let channel = over(&script);
    let failure = get(&channel, "1").await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.message()),
        (Code::Unavailable, "later")
    );
    for expected in ["first", "last", "last"] {
        assert_eq!(get(&channel, "1").await.unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn methods_have_answers_of_their_own_and_services_may_be_several() {
    let script = Script::new()
        .on(GET.path(), Reply::message(&text("an order")))
        .on("/shop.Stock/Get", Reply::message(&text("a shelf")));
    let channel = over(&script);
    let stock = Method::unary("/shop.Stock/Get");
    let shelf = UnaryCall::<String>::new(&channel, stock, &text("1"));
    assert_eq!(shelf.await.unwrap(), "a shelf");
    assert_eq!(get(&channel, "1").await.unwrap(), "an order");
    assert_eq!(script.calls_to(GET.path()).len(), 1);
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn answers_may_be_added_while_the_server_runs() {
    let script = Script::new().on(GET.path(), Reply::message(&text("old")));
    let channel = over(&script);
    assert_eq!(get(&channel, "1").await.unwrap(), "old");
    let script = script.on(GET.path(), Reply::message(&text("new")));
    assert_eq!(get(&channel, "1").await.unwrap(), "new");
    drop(script);
}

#[tokio::test(start_paused = true)]
async fn a_method_without_an_answer_is_unimplemented_and_recorded() {
    let script = Script::new().on("/shop.Orders/Other", Reply::empty());
    let channel = over(&script);
    let failure = get(&channel, "1").await.unwrap_err();
    assert_eq!(failure.code(), Code::Unimplemented);
    let call = &script.calls()[0];
    assert_eq!(call.method(), Method::UNKNOWN.path());
    assert_eq!(call.path(), GET.path());
    let failure = call.failure().unwrap();
    assert!(
        failure.message().contains(GET.path()),
        "{}",
        failure.message()
    );
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_of_tokio_time_and_comes_before_all_else() {
    let reply = Reply::message(&text("late")).delay(SECOND * 60);
    let script = Script::new()
        .on(GET.path(), reply.clone())
        .on(LIST.path(), reply.then_hang());
    let channel = over(&script);
    let began = Instant::now();
    assert_eq!(get(&channel, "1").await.unwrap(), "late");
    assert_eq!(began.elapsed().as_secs(), 60);
    let mut replies = ServerStreamingCall::<String>::new(&channel, LIST, &text("all")).start();
    assert_eq!(replies.next().await.unwrap().as_deref(), Some("late"));
    assert_eq!(began.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn metadata_go_ahead_of_an_answer_and_behind_it() {
    let reply = Reply::message(&text("x"))
        .initial_metadata(pairs("x-shard", "3"))
        .trailing_metadata(pairs("x-cost", "7"));
    let failure = Status::aborted("no").with_metadata(pairs("x-why", "because"));
    let failure = Reply::status(failure).trailing_metadata(pairs("x-cost", "8"));
    let script = Script::new().on(GET.path(), reply).on(GET.path(), failure);
    let channel = over(&script);

    let response = get(&channel, "1").response().await.unwrap();
    assert_eq!(response.initial_metadata.get("x-shard"), Some("3"));
    assert_eq!(response.trailing_metadata.get("x-cost"), Some("7"));

    let failure = get(&channel, "1").await.unwrap_err();
    assert_eq!(failure.metadata().get("x-why"), Some("because"));
    assert_eq!(failure.metadata().get("x-cost"), Some("8"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_breaks_off_where_its_script_does() {
    let reply = Reply::messages(&[text("a"), text("b")])
        .then_delay(SECOND)
        .then_message(&text("c"))
        .then_status(Status::data_loss("torn"))
        .then_message(&text("never"));
    let script = Script::new().on(LIST.path(), reply);
    let channel = over(&script);
    let mut replies = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"))
        .timeout(SECOND * 600)
        .start();
    let began = Instant::now();
    for (expected, second) in [("a", 0), ("b", 0), ("c", 1)] {
        assert_eq!(replies.next().await.unwrap().as_deref(), Some(expected));
        assert_eq!(began.elapsed().as_secs(), second);
    }
    let failure = replies.next().await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.message()),
        (Code::DataLoss, "torn")
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_empty_and_one_message_may_be_missing() {
    let script = Script::new()
        .on(LIST.path(), Reply::empty())
        .on(GET.path(), Reply::empty());
    let channel = over(&script);
    let mut replies = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"))
        .timeout(SECOND * 600)
        .start();
    assert_eq!(replies.next().await.unwrap(), None);
    assert!(get(&channel, "1").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_message_reach_the_client_as_they_are() {
    let script = Script::new().on(GET.path(), Reply::bytes(&[0xff_u8, 0xff][..]));
    let failure = get(&over(&script), "1").await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn a_record_tells_who_asked_what_and_how_it_ended() {
    let script = Script::new().on(GET.path(), Reply::hang());
    let channel = over(&script);
    let call = get(&channel, "order 7")
        .metadata("x-user", "ann")
        .timeout(SECOND * 5);
    let call = tokio::spawn(call.response());
    script.received(1).await;
    let record = script.calls_to(GET.path()).remove(0);
    assert_eq!(record.metadata().get("x-user"), Some("ann"));
    assert_eq!(record.peer().to_string(), "in-process");
    let remaining = record.time_remaining().unwrap();
    assert!(
        remaining <= SECOND * 5 && remaining > SECOND * 4,
        "{remaining:?}"
    );
    assert_eq!(record.code(), None);

    assert_eq!(
        call.await.unwrap().unwrap_err().code(),
        Code::DeadlineExceeded
    );
    no_leftovers(&script, SECOND).await;
    // It is the same record, which has gone on.
    assert_eq!(record.requests::<String>().unwrap(), ["order 7"]);
    assert!(record.has_all_requests());
    let code = record.code().unwrap();
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_of_another_type_are_an_error_of_the_record() {
    let script = Script::new().on(GET.path(), Reply::message(&text("x")));
    get(&over(&script), "text").await.unwrap();
    let call = &script.calls()[0];
    assert!(call.requests::<u64>().is_err());
    assert_eq!(call.request_bytes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_answered_at_its_end_or_where_the_script_says() {
    let refusal = Reply::status(Status::resource_exhausted("full")).after_requests(2);
    let script = Script::new()
        .on(IMPORT.path(), Reply::message(&text("three")))
        .on(IMPORT.path(), refusal);
    let channel = over(&script);
    let import = || {
        ClientStreamingCall::<String, String>::new(&channel, IMPORT)
            .timeout(SECOND * 600)
            .start()
    };

    let mut upload = import();
    for part in ["a", "b", "c"] {
        upload.send(text(part)).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap(), "three");
    let record = &script.calls()[0];
    assert_eq!(record.requests::<String>().unwrap(), ["a", "b", "c"]);

    let mut upload = import();
    let mut sent = 0;
    while upload.send(text("part")).await.is_ok() {
        sent += 1;
        tokio::time::sleep(SECOND).await;
        assert!(sent < 10, "it was not refused");
    }
    assert!(sent >= 2, "{sent}");
    assert_eq!(
        upload.finish().await.unwrap_err().code(),
        Code::ResourceExhausted
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_goes_both_ways_at_once() {
    let reply = Reply::message(&text("hello"))
        .then_delay(SECOND)
        .then_message(&text("bye"))
        .after_requests(1);
    let script = Script::new().on(TALK.path(), reply);
    let channel = over(&script);
    let (mut requests, mut replies) = BidiStreamingCall::<String, String>::new(&channel, TALK)
        .timeout(SECOND * 600)
        .start();
    requests.send(text("hi")).await.unwrap();
    assert_eq!(replies.next().await.unwrap().as_deref(), Some("hello"));
    requests.send(text("and?")).await.unwrap();
    assert_eq!(replies.next().await.unwrap().as_deref(), Some("bye"));
    assert_eq!(replies.next().await.unwrap(), None);
    let record = &script.calls()[0];
    assert_eq!(record.requests::<String>().unwrap(), ["hi", "and?"]);
    assert_eq!(record.code(), Some(Code::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_script_begins_a_conversation_that_the_client_does_not() {
    let script = Script::new().on(
        TALK.path(),
        Reply::message(&text("welcome")).after_requests(0),
    );
    let channel = over(&script);
    let (requests, mut replies) = BidiStreamingCall::<String, String>::new(&channel, TALK)
        .timeout(SECOND * 600)
        .start();
    assert_eq!(replies.next().await.unwrap().as_deref(), Some("welcome"));
    drop(requests);
}

#[test]
#[should_panic(expected = "path is /service/method")]
fn a_path_that_is_none_is_a_mistake_of_the_test() {
    let _ = Script::new().on("/shop.Orders", Reply::empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_reset_with_the_code_that_is_said() {
    // RFC 9113 section 7, and what gRPC makes of it.
    for (code, expected) in [
        (2, Code::Internal),
        (8, Code::Cancelled),
        (11, Code::ResourceExhausted),
        // None that the document knows.
        (u32::MAX, Code::Internal),
        (0, Code::Internal),
    ] {
        let script = Script::new()
            .on(GET.path(), Reply::reset(code))
            .on(GET.path(), Reply::message(&text("a book")));
        let channel = over(&script);
        let status = get(&channel, "1").await.unwrap_err();
        assert_eq!(status.code(), expected, "{status}");
        // The connection is none the worse.
        assert_eq!(get(&channel, "2").await.unwrap(), "a book");
        assert_eq!(script.calls()[0].code(), Some(Code::Unavailable));
        no_leftovers(&script, SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_server_looked_at_is_made_again() {
    const REFUSED_STREAM: u32 = 7;
    let script = Script::new()
        .on(GET.path(), Reply::reset(REFUSED_STREAM))
        .on(GET.path(), Reply::message(&text("a book")));
    let channel = over(&script);
    assert_eq!(get(&channel, "1").await.unwrap(), "a book");
    assert_eq!(script.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_break_off_before_its_trailers() {
    for (ending, code) in [
        (Reply::message(&text("one")).then_reset(2), Code::Internal),
        (Reply::message(&text("one")).then_cut(), Code::Unavailable),
    ] {
        let script = Script::new().on(LIST.path(), ending);
        let channel = over(&script);
        let list = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"));
        let mut replies = list.start();
        assert_eq!(replies.next().await.unwrap().unwrap(), "one");
        assert_eq!(replies.next().await.unwrap_err().code(), code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_drained_or_cut_by_a_reply() {
    let network = Network::new(7);
    let script = Script::new()
        .on(GET.path(), Reply::message(&text("first")).go_away())
        .on(GET.path(), Reply::message(&text("second")))
        .on(GET.path(), Reply::cut())
        .on(GET.path(), Reply::message(&text("third")))
        .on(LIST.path(), Reply::message(&text("one")).then_hang());
    let host = network.bind("shop", script.server()).await.unwrap();
    let link = network.link("client", "shop");
    let channel = Channel::builder("passthrough:///shop").unwrap();
    let channel = channel.connector(network.connector("client"));
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    assert_eq!(get(&channel, "1").await.unwrap(), "first");
    tokio::time::sleep(SECOND).await;
    assert_eq!(link.connections(), 0, "it was drained");
    assert_eq!(get(&channel, "2").await.unwrap(), "second");
    assert_eq!(link.connections_made(), 2);

    // All calls of a connection are lost with it.
    let list = ServerStreamingCall::<String>::new(&channel, LIST, &text("all"));
    let mut replies = list.start();
    assert_eq!(replies.next().await.unwrap().unwrap(), "one");
    let status = get(&channel, "3").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(replies.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(get(&channel, "4").await.unwrap(), "third");
    assert_eq!(link.connections_made(), 3);
    drop(channel);
    drop(host);
    no_leftovers(&network, 5 * SECOND).await;
}

/// Does with its connection what the request says.
struct Parts;

impl Parts {
    #[expect(clippy::unused_async, reason = "a handler is")]
    async fn get(&self, order: String, context: &mut Context) -> Result<String, Status> {
        match order.as_str() {
            "reset" => context.reset_stream(8),
            "drain" => context.drain_connection(),
            "cut" => context.cut_connection(),
            _ => {}
        }
        Ok(order)
    }
}

#[tokio::test(start_paused = true)]
async fn a_unary_handler_may_part_with_its_stream_and_its_connection() {
    let network = Network::new(7);
    let service = Service::builder("shop.Orders", std::sync::Arc::new(Parts));
    let server = Server::builder().add_service(service.unary(GET, Parts::get).build());
    let host = network.bind("shop", server).await.unwrap();
    let link = network.link("client", "shop");
    let channel = Channel::builder("passthrough:///shop").unwrap();
    let channel = channel.connector(network.connector("client"));
    let channel = channel.build(ChannelCredentials::insecure()).unwrap();
    for (order, expected, made) in [
        ("stay", Ok("stay"), 1),
        ("reset", Err(Code::Cancelled), 1),
        ("drain", Ok("drain"), 1),
        ("stay", Ok("stay"), 2),
        ("cut", Err(Code::Unavailable), 2),
        ("stay", Ok("stay"), 3),
    ] {
        let answer = get(&channel, order).await;
        let answer = answer.as_deref().map_err(Status::code);
        assert_eq!(answer, expected, "{order}");
        tokio::time::sleep(SECOND).await;
        assert_eq!(link.connections_made(), made, "{order}");
    }
    drop(channel);
    drop(host);
    no_leftovers(&network, 5 * SECOND).await;
}
