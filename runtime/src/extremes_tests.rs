//! Tests every public option at its extremes, on both sides, with calls of every shape:
//! they succeed or end with a status that the option's documentation names, no task panics,
//! and nothing waits for ever. An option that is missing in this test fails it.

mod guide;
mod inventory;
mod options;

use std::panic;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use self::options::{CallOptions, Change, OPTIONS, Value, with_options};
use crate::channel::Connects;
use crate::clock;
use crate::server::{Peer, serve_connection};
use crate::transport::io::Io;
use crate::{
    BidiStreamingCall, Channel, ChannelBuilder, ChannelCredentials, ClientStreamingCall, Code,
    Context, Metadata, Method, OutgoingCall, PeerAddress, Receiver, Sender, Server, ServerBuilder,
    ServerStreamingCall, Service, Shape, Status, UnaryCall,
};

const SERVICE: &str = "test.Extremes";
const UNARY: Method = Method::new("/test.Extremes/Unary", Shape::UNARY);
const DOWN: Method = Method::new("/test.Extremes/Down", Shape::SERVER_STREAMING);
const UP: Method = Method::new("/test.Extremes/Up", Shape::CLIENT_STREAMING);
const BOTH: Method = Method::new("/test.Extremes/Both", Shape::BIDI_STREAMING);

/// More than a stream's smallest window, and more than is reserved for a message as it
/// arrives.
const LARGE: usize = 200 << 10;
const MESSAGE: usize = 100 << 10;
const MESSAGES: usize = 3;
/// The capacity of pipes in bytes: small, so that heads and frames arrive in pieces.
const PIPE: usize = 4_000;
/// How long the long call takes, in seconds: longer than the detection of a dead peer, and
/// shorter than three PINGs of a client.
const LONG: u8 = 25;

// --- the service -----------------------------------------------------------------

/// Metadata larger than a pipe.
fn filler() -> String {
    "filler ".repeat(900)
}

fn fill(context: &mut Context) -> Result<(), Status> {
    context.set_initial_metadata(Metadata::from_pairs([("x-filler", filler().as_str())])?)
}

/// Answers with as many bytes; to one byte after that many seconds.
async fn unary((): &(), request: Vec<u8>, context: &mut Context) -> Result<Vec<u8>, Status> {
    fill(context)?;
    if let [seconds] = request[..] {
        sleep(Duration::from_secs(seconds.into())).await;
    }
    Ok(request)
}

async fn down(
    (): &(),
    request: Vec<u8>,
    replies: &mut Sender<Vec<u8>>,
    context: &mut Context,
) -> Result<(), Status> {
    fill(context)?;
    for _ in 0..MESSAGES {
        replies.send(request.clone()).await?;
    }
    Ok(())
}

async fn up(
    (): &(),
    requests: &mut Receiver<Vec<u8>>,
    context: &mut Context,
) -> Result<Vec<u8>, Status> {
    fill(context)?;
    let mut all = Vec::new();
    while let Some(request) = requests.next().await? {
        all.extend(request);
    }
    Ok(all)
}

async fn both(
    (): &(),
    requests: &mut Receiver<Vec<u8>>,
    replies: &mut Sender<Vec<u8>>,
    context: &mut Context,
) -> Result<(), Status> {
    fill(context)?;
    while let Some(request) = requests.next().await? {
        replies.send(request).await?;
    }
    Ok(())
}

fn service() -> Service {
    Service::builder(SERVICE, Arc::new(()))
        .unary(UNARY, unary)
        .server_streaming(DOWN, down)
        .client_streaming(UP, up)
        .bidi_streaming(BOTH, both)
        .build()
}

// --- the calls -------------------------------------------------------------------

async fn call_unary(
    channel: &Channel,
    options: CallOptions,
    request: Vec<u8>,
) -> Result<(), Status> {
    let call: UnaryCall<Vec<u8>> = UnaryCall::new(channel, UNARY, &request);
    let reply = with_options!(call, options).await?;
    assert_eq!(reply.len(), request.len());
    Ok(())
}

async fn call_down(channel: &Channel, options: CallOptions) -> Result<(), Status> {
    let call: ServerStreamingCall<Vec<u8>> =
        ServerStreamingCall::new(channel, DOWN, &vec![7; MESSAGE]);
    let mut replies = with_options!(call, options).start();
    let mut count = 0;
    while let Some(reply) = replies.next().await? {
        assert_eq!(reply.len(), MESSAGE);
        count += 1;
    }
    assert_eq!(count, MESSAGES);
    Ok(())
}

async fn call_up(channel: &Channel, options: CallOptions) -> Result<(), Status> {
    let call: ClientStreamingCall<Vec<u8>, Vec<u8>> = ClientStreamingCall::new(channel, UP);
    let mut call = with_options!(call, options).start();
    for _ in 0..MESSAGES {
        call.send(vec![7; MESSAGE]).await?;
    }
    assert_eq!(call.finish().await?.len(), MESSAGES * MESSAGE);
    Ok(())
}

async fn call_both(channel: &Channel, options: CallOptions) -> Result<(), Status> {
    let call: BidiStreamingCall<Vec<u8>, Vec<u8>> = BidiStreamingCall::new(channel, BOTH);
    let (mut requests, mut replies) = with_options!(call, options).start();
    for _ in 0..MESSAGES {
        requests.send(vec![7; MESSAGE]).await?;
        assert_eq!(
            replies.next().await?.map(|reply| reply.len()),
            Some(MESSAGE)
        );
    }
    requests.finish();
    assert_eq!(replies.next().await?, None);
    Ok(())
}

type Results = Vec<(&'static str, Result<(), Status>)>;

/// Calls of every shape at once, and a long one.
async fn traffic(channel: &Channel, options: CallOptions, long: u8) -> Results {
    let (unary, down, up, both, long) = tokio::join!(
        call_unary(channel, options, vec![7; LARGE]),
        call_down(channel, options),
        call_up(channel, options),
        call_both(channel, options),
        call_unary(channel, options, vec![long]),
    );
    vec![
        ("unary", unary),
        ("down", down),
        ("up", up),
        ("both", both),
        (LONG_CALL, long),
    ]
}

const LONG_CALL: &str = "long";

// --- trials ----------------------------------------------------------------------

/// The documented results of a call.
fn allowed(name: &str, value: Value, call: &str) -> &'static [Code] {
    let is_least = matches!(value, Value::Zero | Value::One);
    let (_, option) = name.rsplit_once("::").unwrap();
    match (option, call) {
        _ if !is_least => &[Code::Ok],
        (
            "max_receive_message_size"
            | "max_send_message_size"
            | "max_response_message_size"
            | "max_request_message_size"
            | "max_header_list_size",
            _,
        ) => &[Code::ResourceExhausted],
        // On pipes no time passes until all tasks wait.
        (
            "default_timeout" | "timeout" | "deadline" | "set_timeout" | "set_deadline" | "assumed"
            | "at_most",
            _,
        ) => &[Code::DeadlineExceeded, Code::Ok],
        ("new" | "queue", _) => &[Code::ResourceExhausted, Code::Ok],
        // Refused before the channel knows the limit, and the stream was not kept.
        ("max_concurrent_streams", "up" | "both") => &[Code::Unavailable, Code::Ok],
        ("max_connection_age_grace", LONG_CALL) => &[Code::Unavailable],
        _ => &[Code::Ok],
    }
}

/// A server and a channel with one option set.
struct Setting {
    server: ServerBuilder,
    channel: Box<dyn FnOnce(ChannelBuilder) -> ChannelBuilder>,
    calls: CallOptions,
}

/// `None` if the option does not have this value.
fn setting(change: Change, value: Value) -> Option<Setting> {
    let mut server = Server::builder();
    let mut service = service();
    let mut calls = CallOptions::default();
    let mut channel: Box<dyn FnOnce(ChannelBuilder) -> ChannelBuilder> = Box::new(|it| it);
    match change {
        Change::Server(set) => server = set(server, value)?,
        Change::Service(set) => service = set(service, value)?,
        Change::ServerHttp2(set) => {
            let mut options = crate::Http2Options::default();
            set(&mut options, value)?;
            server = server.http2(options);
        }
        Change::ChannelHttp2(set) => {
            let mut options = crate::Http2Options::default();
            set(&mut options, value)?;
            channel = Box::new(|it| it.http2(options));
        }
        Change::Channel(set) => {
            set(Channel::builder("localhost:1").unwrap(), value)?;
            channel = Box::new(move |it| set(it, value).unwrap());
        }
        Change::Call(set) => set(&mut calls, value)?,
        Change::Outgoing(has, set) => {
            has(value)?;
            let set = move |call: &mut OutgoingCall| {
                set(call, value);
                Ok(())
            };
            channel = Box::new(move |it| it.interceptor(set));
        }
        Change::Context(has, set) => {
            has(value)?;
            service = service.interceptor(move |context: &mut Context| set(context, value));
        }
    }
    Some(Setting {
        server: server.add_service(service),
        channel,
        calls,
    })
}

/// Over pipes and in paused time, where a call that waits for ever is found at once: calls
/// of all kinds, and one an hour later.
fn over_pipes(setting: Setting) -> Results {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (shared, http2) = setting.server.into_shared().unwrap();
        let connect = move || {
            let (near, far) = tokio::io::duplex(PIPE);
            let (io, peer) = (Io::Memory(far), Peer::at(PeerAddress::InProcess));
            let (shared, http2) = (Arc::clone(&shared), http2.clone());
            tokio::spawn(serve_connection(io, peer, shared, http2, clock::now()));
            Io::Memory(near)
        };
        let connects = Connects::Function(Arc::new(connect));
        let builder = ChannelBuilder::over(connects, "localhost");
        let channel = (setting.channel)(builder).build_plain();
        let day = Duration::from_secs(86_400);
        let rounds = async {
            let mut results = traffic(&channel, setting.calls, LONG).await;
            sleep(day / 24).await;
            let later = call_unary(&channel, setting.calls, vec![7; LARGE]).await;
            results.push(("later", later));
            results
        };
        let stuck = Status::unknown("it waits for ever");
        let rounds = timeout(day, rounds).await;
        rounds.unwrap_or_else(|_| vec![("all", Err(stuck))])
    })
}

/// Over sockets, with the server's accept loop and a shutdown with `grace`.
fn over_sockets(setting: Setting, grace: Duration) -> Results {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = setting.server.listen("127.0.0.1:0").start().await.unwrap();
        let builder = Channel::builder(&server.addresses()[0]).unwrap();
        let builder = (setting.channel)(builder);
        let channel = builder.build(ChannelCredentials::insecure()).unwrap();
        let round = async {
            let results = traffic(&channel, setting.calls, 0).await;
            drop(channel);
            let report = server.shutdown(grace).await;
            assert_eq!(report.connections_cut, 0);
            results
        };
        let stuck = Status::unknown("it waits for ever");
        let round = timeout(Duration::from_secs(60), round).await;
        round.unwrap_or_else(|_| vec![("all", Err(stuck))])
    })
}

static PANICS: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

/// The panics on this thread, where all tasks of a trial run.
fn panics_of(trial: impl FnOnce() -> Results) -> (Results, Vec<String>) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let panic = (thread::current().id(), info.to_string());
            let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
            panics.push(panic);
            drop(panics);
            before(info);
        }));
    });
    let results = trial();
    let own = thread::current().id();
    let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    let mine = panics.extract_if(.., |(thread, _)| *thread == own);
    (results, mine.map(|(_, panic)| panic).collect())
}

fn judge(name: &str, value: Value, trial: impl FnOnce() -> Results) -> Vec<String> {
    let (results, mut wrong) = panics_of(trial);
    for (call, result) in results {
        let code = result.as_ref().map_or_else(Status::code, |()| Code::Ok);
        if !allowed(name, value, call).contains(&code) {
            wrong.push(format!("{call}: {result:?}"));
        }
    }
    let tell = |wrong| format!("{name} = {value:?}: {wrong}");
    wrong.into_iter().map(tell).collect()
}

/// Tries every value of the options for which `is_meant` is true.
fn try_all(is_meant: impl Fn(&Change) -> bool) {
    let mut tried = 0;
    let mut wrong = Vec::new();
    for (name, change) in OPTIONS.iter().filter(|(_, change)| is_meant(change)) {
        for value in Value::ALL {
            if let Some(setting) = setting(*change, value) {
                tried += 1;
                wrong.extend(judge(name, value, || over_pipes(setting)));
            }
        }
    }
    assert!(tried > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn http2_options_of_servers() {
    try_all(|change| matches!(change, Change::ServerHttp2(_)));
}

#[test]
fn http2_options_of_channels() {
    try_all(|change| matches!(change, Change::ChannelHttp2(_)));
}

#[test]
fn options_of_servers_and_services() {
    try_all(|change| {
        matches!(
            change,
            Change::Server(_) | Change::Service(_) | Change::Context(..)
        )
    });
}

#[test]
fn options_of_channels_and_calls() {
    try_all(|change| {
        matches!(
            change,
            Change::Channel(_) | Change::Call(_) | Change::Outgoing(..)
        )
    });
}

/// The largest values again with a server that listens: only here a panic of its accept
/// loop would show.
#[test]
fn the_most_of_every_option_over_sockets() {
    let mut wrong = Vec::new();
    // An endless notice period would never end.
    let ending = |(name, _): &&(&str, Change)| *name != "ServerBuilder::shutdown_notice";
    for (name, change) in OPTIONS.iter().filter(ending) {
        for value in [Value::Most, Value::Last] {
            let grace = options::Extreme::at(value, Duration::ZERO).unwrap();
            if let Some(setting) = setting(*change, value) {
                wrong.extend(judge(name, value, || over_sockets(setting, grace)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_last_moment_of_the_clock_is_found() {
    let now = Instant::now();
    let last = options::furthest(now);
    assert!(now.checked_add(last).is_some());
    assert!(now.checked_add(last + Duration::from_nanos(1)).is_none());
}
