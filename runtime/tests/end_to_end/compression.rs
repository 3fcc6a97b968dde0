//! Compression as both sides of a call see it: what is asked for is what the
//! other side finds set, in each direction for itself, and nothing else is.

use grpc_runtime::{
    Channel, ChannelCredentials, Code, Compression, Context, Receiver, Sender, Server,
    ServerBuilder, Status,
};

use crate::support::{Echo, EchoServicer, EchoStub, service};

const ALL: &[Compression] = &[
    Compression::Gzip,
    Compression::Deflate,
    #[cfg(feature = "zstd")]
    Compression::Zstd,
];

/// Tells in `number` whether what it answers had come compressed. A reply's text
/// `plain` is sent uncompressed, where it is one of a stream.
struct Flags;

/// The compression of the answer, where the caller names one.
fn compress(context: &mut Context) -> Result<(), Status> {
    let wanted = match context.metadata().get("x-compress") {
        Some("gzip") => Compression::Gzip,
        Some("deflate") => Compression::Deflate,
        Some("identity") => Compression::Identity,
        _ => return Ok(()),
    };
    context.set_compression(wanted)
}

fn flagged(request: Echo, compressed: bool) -> Echo {
    Echo {
        number: compressed.into(),
        ..request
    }
}

async fn send(replies: &mut Sender<Echo>, reply: Echo) -> Result<(), Status> {
    if reply.text == "plain" {
        replies.send_uncompressed(reply).await
    } else {
        replies.send(reply).await
    }
}

impl EchoServicer for Flags {
    async fn unary(&self, request: Echo, context: &mut Context) -> Result<Echo, Status> {
        compress(context)?;
        Ok(flagged(request, context.request_was_compressed()))
    }

    async fn expand(
        &self,
        request: Echo,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        compress(context)?;
        let compressed = context.request_was_compressed();
        let plain = Echo {
            text: "plain".to_owned(),
            ..request.clone()
        };
        for reply in [request.clone(), plain, request] {
            send(replies, flagged(reply, compressed)).await?;
        }
        Ok(())
    }

    async fn collect(
        &self,
        requests: &mut Receiver<Echo>,
        context: &mut Context,
    ) -> Result<Echo, Status> {
        compress(context)?;
        let mut flags = Vec::new();
        while requests.next().await?.is_some() {
            flags.push(requests.was_compressed().into());
        }
        Ok(Echo {
            data: flags,
            ..Echo::default()
        })
    }

    async fn chat(
        &self,
        requests: &mut Receiver<Echo>,
        replies: &mut Sender<Echo>,
        context: &mut Context,
    ) -> Result<(), Status> {
        compress(context)?;
        while let Some(request) = requests.next().await? {
            let late = request.text == "late";
            let reply = flagged(request, requests.was_compressed());
            send(replies, reply).await?;
            if late {
                context.set_compression(Compression::Identity)?;
            }
        }
        Ok(())
    }
}

async fn serve(server: ServerBuilder) -> (Server, String) {
    let server = server.listen("127.0.0.1:0").start().await.unwrap();
    let address = server.addresses()[0].clone();
    (server, address)
}

fn in_process(server: ServerBuilder) -> EchoStub {
    EchoStub(Channel::in_process(server).unwrap())
}

/// A message of this many bytes, and some.
fn echo(text: &str, size: usize) -> Echo {
    Echo {
        text: text.to_owned(),
        ..Echo::data(size)
    }
}

/// All four kinds, when requests and replies are compressed or not.
async fn all_kinds(stub: &EchoStub, up: bool, down: bool, size: usize) {
    let request = echo("x", size);
    let expected = flagged(request.clone(), up);
    let response = stub.unary(request.clone()).response().await.unwrap();
    assert_eq!(response.message, expected);
    assert_eq!(response.was_compressed, down);

    let mut replies = stub.expand(request.clone()).start();
    for compressed in [down, false, down] {
        let reply = replies.next().await.unwrap().unwrap();
        assert_eq!((reply.number, reply.data.len()), (up.into(), size));
        assert_eq!(replies.was_compressed(), compressed);
    }
    assert!(replies.next().await.unwrap().is_none());

    let mut call = stub.collect().start();
    call.send(request.clone()).await.unwrap();
    call.send_uncompressed(request.clone()).await.unwrap();
    call.send(request.clone()).await.unwrap();
    let response = call.response().await.unwrap();
    assert_eq!(response.message.data, [up.into(), 0, up.into()]);
    assert_eq!(response.was_compressed, down);

    let (mut requests, mut replies) = stub.chat().start();
    let texts = ["x", "plain", "x", "x"];
    for (n, text) in texts.into_iter().enumerate() {
        let request = echo(text, size);
        let plain = n == 2;
        if plain {
            requests.send_uncompressed(request).await.unwrap();
        } else {
            requests.send(request).await.unwrap();
        }
        let reply = replies.next().await.unwrap().unwrap();
        assert_eq!(reply.number, i64::from(up && !plain));
        assert_eq!(reply.data.len(), size);
        assert_eq!(replies.was_compressed(), down && text != "plain");
    }
    requests.finish();
    assert!(replies.next().await.unwrap().is_none());
}

#[tokio::test]
async fn every_kind_of_call_is_compressed_as_asked_in_each_direction() {
    let identity = Compression::Identity;
    for (n, codec) in ALL.iter().copied().enumerate() {
        let other = ALL[(n + 1) % ALL.len()];
        for (up, down) in [(identity, codec), (codec, identity), (codec, other)] {
            let server = Server::builder()
                .add_service(service(Flags))
                .compression(down);
            let (server, address) = serve(server).await;
            let channel = Channel::builder(&address).unwrap().compression(up);
            let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());
            for size in [1, 3_000, 300_000] {
                all_kinds(&stub, up != identity, down != identity, size).await;
            }
            drop(server);
        }
    }
}

#[tokio::test]
async fn nothing_is_compressed_unless_asked_for() {
    let stub = in_process(Server::builder().add_service(service(Flags)));
    all_kinds(&stub, false, false, 10_000).await;
}

#[tokio::test]
async fn an_empty_message_is_never_compressed() {
    let server = Server::builder()
        .add_service(service(Flags))
        .compression(Compression::Gzip);
    let stub = in_process(server);
    let call = stub.unary(Echo::default()).compression(Compression::Gzip);
    let response = call.response().await.unwrap();
    assert_eq!(response.message, Echo::default());
    assert!(!response.was_compressed);
}

#[tokio::test]
async fn a_call_goes_before_its_channel() {
    let server = Server::builder().add_service(service(Flags));
    let (_server, address) = serve(server).await;
    let channel = Channel::builder(&address)
        .unwrap()
        .compression(Compression::Gzip)
        .build(ChannelCredentials::insecure())
        .unwrap();
    let stub = EchoStub(channel);
    let request = Echo::data(100);
    assert_eq!(stub.unary(request.clone()).await.unwrap().number, 1);
    let plain = Compression::Identity;
    let call = stub.unary(request.clone()).compression(plain);
    assert_eq!(call.await.unwrap().number, 0);
    let mut call = stub.collect().compression(plain).start();
    call.send(request.clone()).await.unwrap();
    assert_eq!(call.finish().await.unwrap().data, [0]);
    let (mut requests, mut replies) = stub.chat().compression(plain).start();
    requests.send(request.clone()).await.unwrap();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 0);
    let mut replies = stub.expand(request).compression(plain).start();
    assert_eq!(replies.next().await.unwrap().unwrap().number, 0);
}

#[tokio::test]
async fn a_call_goes_before_its_service_and_a_service_before_its_server() {
    let gzip = Compression::Gzip;
    let plain = Compression::Identity;
    for (server, own, expected) in [
        (gzip, None, true),
        (gzip, Some(plain), false),
        (plain, Some(gzip), true),
    ] {
        let flags = match own {
            None => service(Flags),
            Some(own) => service(Flags).compression(own),
        };
        let server = Server::builder().add_service(flags).compression(server);
        let stub = in_process(server);
        let request = Echo::data(100);
        for (own, expected) in [
            (None, expected),
            (Some("gzip"), true),
            (Some("identity"), false),
        ] {
            let mut unary = stub.unary(request.clone());
            let mut expand = stub.expand(request.clone());
            if let Some(own) = own {
                unary = unary.metadata("x-compress", own);
                expand = expand.metadata("x-compress", own);
            }
            assert_eq!(unary.response().await.unwrap().was_compressed, expected);
            let mut replies = expand.start();
            replies.next().await.unwrap();
            assert_eq!(replies.was_compressed(), expected);
        }
    }
}

#[tokio::test]
async fn a_response_that_has_begun_keeps_its_compression() {
    let stub = in_process(Server::builder().add_service(service(Flags)));
    let (mut requests, mut replies) = stub.chat().metadata("x-compress", "gzip").start();
    requests.send(Echo::text("late")).await.unwrap();
    assert!(replies.next().await.unwrap().is_some());
    let status = replies.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn a_server_takes_what_it_says_it_takes() {
    let server = Server::builder()
        .add_service(service(Flags))
        .accept_compression([Compression::Gzip]);
    let stub = in_process(server);
    let request = || Echo::data(100);
    let gzip = stub.unary(request()).compression(Compression::Gzip);
    assert_eq!(gzip.await.unwrap().number, 1);
    let deflate = stub.unary(request()).compression(Compression::Deflate);
    let status = deflate.await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    for part in ["'deflate'", "identity,gzip"] {
        assert!(status.message().contains(part), "{status}");
    }
    let mut call = stub.collect().compression(Compression::Deflate).start();
    // The answer may come before the message has gone, or after.
    if let Err(status) = call.send(request()).await {
        assert_eq!(status.code(), Code::Unimplemented);
    }
    assert_eq!(call.finish().await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_server_answers_only_with_what_the_client_takes() {
    for codec in ALL {
        let server = Server::builder()
            .add_service(service(Flags))
            .compression(*codec);
        let (_server, address) = serve(server).await;
        for accepted in [&[][..], &[Compression::Gzip], &[Compression::Deflate], ALL] {
            let channel = Channel::builder(&address)
                .unwrap()
                .accept_compression(accepted.iter().copied());
            let stub = EchoStub(channel.build(ChannelCredentials::insecure()).unwrap());
            all_kinds(&stub, false, accepted.contains(codec), 1_000).await;
        }
    }
}

#[tokio::test]
async fn a_bomb_is_resource_exhausted_on_either_side() {
    for codec in ALL.iter().copied() {
        let server = Server::builder()
            .add_service(service(Flags))
            .compression(codec)
            .max_receive_message_size(100_000);
        let stub = in_process(server);
        let assert_exhausted = |status: Status, side: &str, limit: &str| {
            assert_eq!(status.code(), Code::ResourceExhausted);
            for part in [side, limit, "max_receive_message_size"] {
                assert!(status.message().contains(part), "{status}");
            }
        };
        let bomb = || Echo::data(3_000_000);
        let status = stub.unary(bomb()).compression(codec).await.unwrap_err();
        assert_exhausted(status, "the server", "100000");
        let mut replies = stub.expand(bomb()).compression(codec).start();
        assert_exhausted(replies.next().await.unwrap_err(), "the server", "100000");
        let mut call = stub.collect().compression(codec).start();
        call.send(bomb()).await.unwrap();
        assert_exhausted(call.finish().await.unwrap_err(), "the server", "100000");

        let small = || Echo::data(90_000);
        let call = stub.unary(small()).max_receive_message_size(50_000);
        assert_exhausted(call.await.unwrap_err(), "the client", "50000");
        let call = stub.expand(small()).max_receive_message_size(50_000);
        let status = call.start().next().await.unwrap_err();
        assert_exhausted(status, "the client", "50000");
        // The connection and its codecs live on.
        let call = stub.unary(small()).compression(codec);
        assert_eq!(call.await.unwrap().data.len(), 90_000);
    }
}

#[test]
fn blocking_calls_compress_as_well() {
    let server = Server::builder()
        .add_service(service(Flags))
        .compression(Compression::Gzip);
    let stub = in_process(server);
    let gzip = Compression::Gzip;
    let request = || Echo::data(100);
    let reply = stub.unary(request()).compression(gzip).wait().unwrap();
    assert_eq!(reply.number, 1);
    let mut replies = stub.expand(request()).compression(gzip).wait();
    for compressed in [true, false, true] {
        assert_eq!(replies.next().unwrap().unwrap().number, 1);
        assert_eq!(replies.was_compressed(), compressed);
    }
    let mut call = stub.collect().compression(gzip).wait();
    call.send(request()).unwrap();
    call.send_uncompressed(request()).unwrap();
    assert_eq!(call.finish().unwrap().data, [1, 0]);
    let (mut requests, mut replies) = stub.chat().compression(gzip).wait();
    requests.send_uncompressed(request()).unwrap();
    assert_eq!(replies.next().unwrap().unwrap().number, 0);
    requests.send(request()).unwrap();
    assert_eq!(replies.next().unwrap().unwrap().number, 1);
}

/// Many calls at once share the codecs' states and never each other's bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_at_the_same_time_do_not_mix() {
    let server = Server::builder()
        .add_service(service(Flags))
        .compression(Compression::Gzip);
    let stub = in_process(server);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40_usize {
        let stub = stub.clone();
        tasks.spawn(async move {
            let codec = ALL[n % ALL.len()];
            for round in 0..20_usize {
                let request = Echo {
                    data: vec![(n * 20 + round) as u8; n * 100 + round + 1],
                    ..Echo::default()
                };
                let call = stub.unary(request.clone()).compression(codec);
                assert_eq!(call.await.unwrap(), flagged(request, true));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
