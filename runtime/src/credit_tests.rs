//! Flow-control credit of a connection with random readers, sizes and numbers of streams:
//! the HTTP/2 state machine with the readers of calls above it, without a socket. Every
//! stream that is read makes progress, and what is buffered stays below the figure of
//! `Http2Options`.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use crate::call::command::{Command, Link};
use crate::call::early_head::EarlyHead;
use crate::call::queue::{QueueReceiver, QueueSender, queue};
use crate::call::receiver::Receiver;
use crate::call::response_head::Coding;
use crate::call::state::CallState;
use crate::framing::{Compression, Side};
use crate::transport::Http2Options;
use crate::transport::http2::connection::{Connection, Role};
use crate::transport::http2::credit::LEAST_SHARE;
use crate::transport::http2::event::{Event, StreamId};
use crate::transport::http2::fields::Fields;

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

/// The largest message of a stream.
const LARGEST: usize = 600_000;
const CAPACITY: u32 = 1 << 20;
const MESSAGES: u32 = 2 << 20;

fn options() -> Http2Options {
    Http2Options {
        stream_window: 200_000,
        connection_window: 300_000,
        connection_buffer: CAPACITY,
        message_buffer: MESSAGES,
        max_concurrent_streams: 4_000,
        ..Http2Options::default()
    }
}

/// The most that a connection may buffer with this many streams open.
fn figure(streams: usize) -> usize {
    2 * CAPACITY as usize + MESSAGES as usize + LARGEST + streams * LEAST_SHARE as usize
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Reads all that is there.
    Prompt,
    /// Reads one message in this many rounds.
    Slow(u8),
    /// Reads this many messages and then no more.
    Stops(u8),
}

#[derive(Debug, Clone)]
struct Plan {
    size: usize,
    messages: usize,
    habit: Habit,
}

struct Reader {
    receiver: Receiver<Note>,
    plan: Plan,
    /// The size of a message on the wire, in bytes.
    length: usize,
    read: usize,
    ended: bool,
}

impl Reader {
    /// Reads at most one message; returns whether there was one, or the end.
    fn read(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(self.receiver.next()).poll(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(Some(message))) => {
                assert_eq!(message.data.len(), self.plan.size);
                self.read += 1;
                true
            }
            Poll::Ready(end) => {
                assert_eq!(end.unwrap(), None);
                assert_eq!(self.read, self.plan.messages);
                self.ended = true;
                true
            }
        }
    }
}

struct End {
    connection: Connection,
    inbox: BytesMut,
}

/// The reading and the writing end, and the reading end's calls.
struct World {
    writer: End,
    reads: End,
    side: Side,
    readers: BTreeMap<StreamId, Reader>,
    states: BTreeMap<StreamId, Arc<CallState>>,
    commands: QueueReceiver<Command>,
    sender: QueueSender<Command>,
    now: Instant,
    held: usize,
    most: usize,
    streams: usize,
}

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in list {
        fields.push(name.as_bytes(), value.as_bytes());
    }
    fields
}

fn framed(size: usize) -> Bytes {
    let note = Note {
        data: Bytes::from(vec![7; size]),
    };
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(prost::Message::encoded_len(&note) as u32);
    prost::Message::encode(&note, &mut bytes).unwrap();
    bytes.freeze()
}

impl World {
    fn new(side: Side) -> Self {
        let now = Instant::now();
        let end = |role| End {
            connection: Connection::new(role, options(), now),
            inbox: BytesMut::new(),
        };
        let (client, server) = (end(Role::Client), end(Role::Server));
        let (writer, reads) = match side {
            Side::Server => (client, server),
            Side::Client => (server, client),
        };
        let (sender, commands) = queue();
        Self {
            writer,
            reads,
            side,
            readers: BTreeMap::new(),
            states: BTreeMap::new(),
            commands,
            sender,
            now,
            held: 0,
            most: 0,
            streams: 0,
        }
    }

    fn open(&mut self, plan: Plan) -> StreamId {
        let head = fields(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/a.B/C"),
        ]);
        let client = match self.side {
            Side::Server => &mut self.writer,
            Side::Client => &mut self.reads,
        };
        let id = client.connection.open(&head, self.now).unwrap();
        let plain = Compression::Identity;
        let state = CallState::new(usize::MAX, Coding::default(), plain, None);
        let link = Link {
            commands: self.sender.clone(),
            stream: id,
        };
        let reports = self.reads.connection.reports();
        state.attach_handler(link, reports, EarlyHead::default());
        let receiver = Receiver::new(Arc::clone(&state), LARGEST, self.side);
        self.states.insert(id, state);
        let reader = Reader {
            receiver,
            length: framed(plan.size).len(),
            plan,
            read: 0,
            ended: false,
        };
        self.readers.insert(id, reader);
        self.streams += 1;
        if self.side == Side::Client {
            self.reads.connection.send_data(id, Bytes::new(), true);
        } else {
            self.write(id);
        }
        id
    }

    /// Writes all that the stream is to carry.
    fn write(&mut self, id: StreamId) {
        let plan = self.readers[&id].plan.clone();
        let message = framed(plan.size);
        if self.side == Side::Client {
            let head = fields(&[(":status", "200")]);
            self.writer.connection.send_head(id, &head);
        }
        for number in 1..=plan.messages {
            let last = number == plan.messages && self.side == Side::Server;
            self.writer.connection.send_data(id, message.clone(), last);
        }
        if self.side == Side::Client {
            let trailers = fields(&[("grpc-status", "0")]);
            self.writer.connection.send_trailers(id, &trailers);
        }
    }

    /// Moves bytes both ways; returns whether any moved.
    fn cross(&mut self, step: usize) -> bool {
        let moved = carry(&mut self.writer, &mut self.reads, step)
            | carry(&mut self.reads, &mut self.writer, usize::MAX);
        while self
            .writer
            .connection
            .receive(&mut self.writer.inbox, self.now)
            .unwrap()
        {}
        let mut opened = Vec::new();
        while let Some(event) = self.writer.connection.next_event() {
            if let Event::Headers { stream, .. } = event {
                opened.push(stream);
            }
        }
        for id in opened {
            self.write(id);
        }
        while self
            .reads
            .connection
            .receive(&mut self.reads.inbox, self.now)
            .unwrap()
        {
            self.dispatch();
        }
        self.dispatch();
        moved
    }

    fn dispatch(&mut self) {
        while let Some(event) = self.reads.connection.next_event() {
            match event {
                Event::Data {
                    stream,
                    data,
                    end_stream,
                } => {
                    self.held += data.len();
                    if !data.is_empty() {
                        assert!(self.states[&stream].deliver_data(data).is_some());
                    }
                    if end_stream {
                        self.states[&stream].deliver_half_close();
                    }
                }
                Event::Trailers { stream, .. } => {
                    self.states[&stream].deliver_end(Ok(crate::metadata::Metadata::new()));
                }
                Event::Report => {
                    let reports = self.reads.connection.reports();
                    for (id, state) in &self.states {
                        let progress = state.set_reports(reports);
                        progress.apply(&mut self.reads.connection, *id, self.now);
                    }
                }
                Event::Granted { stream } => self.states[&stream].grant_room(),
                Event::Reset { cause, .. } => panic!("{cause:?}"),
                Event::Stalled { stream } => panic!("{stream} is stalled"),
                _ => {}
            }
        }
        self.most = self.most.max(self.held);
    }

    /// Lets the readers read by their habits; returns whether any made progress.
    fn read(&mut self, round: usize) -> bool {
        let mut moved = false;
        for reader in self.readers.values_mut().filter(|reader| !reader.ended) {
            let most = match reader.plan.habit {
                Habit::Prompt => usize::MAX,
                Habit::Slow(every) => usize::from(round.is_multiple_of(usize::from(every))),
                Habit::Stops(after) => usize::from(after).saturating_sub(reader.read),
            };
            for _ in 0..most {
                let before = reader.read;
                if !reader.read() {
                    break;
                }
                moved = true;
                if reader.read > before {
                    self.held -= reader.length;
                }
                if reader.ended {
                    break;
                }
            }
        }
        self.obey();
        moved
    }

    fn obey(&mut self) {
        let mut batch = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        if self.commands.poll_take(&mut batch, &mut cx).is_ready() {
            for command in batch {
                match command {
                    Command::Read(stream, progress) => {
                        progress.apply(&mut self.reads.connection, stream, self.now);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// Runs until nothing moves. After that no stream that is read may wait.
    fn run(&mut self, step: usize) {
        let mut still = 0;
        let mut round = 0;
        // A slow reader reads only in one of many rounds.
        while still < 300 {
            round += 1;
            let moved = self.cross(step) | self.read(round);
            still = if moved { 0 } else { still + 1 };
            assert!(
                self.most <= figure(self.streams),
                "{} bytes are held with {} streams",
                self.most,
                self.streams
            );
        }
        for (id, reader) in &self.readers {
            if !matches!(reader.plan.habit, Habit::Stops(_)) {
                assert!(
                    reader.ended,
                    "stream {id} stands still after {} of {:?}",
                    reader.read, reader.plan
                );
            }
        }
    }
}

fn carry(from: &mut End, to: &mut End, step: usize) -> bool {
    let mut moved = 0;
    while moved < step {
        from.connection.pump();
        let mut slices = [std::io::IoSlice::new(&[]); 16];
        let count = from.connection.output().slices(&mut slices);
        let mut taken = 0;
        for slice in &slices[..count] {
            let length = slice.len().min(step - moved - taken);
            to.inbox.extend_from_slice(&slice[..length]);
            taken += length;
        }
        from.connection.written(taken);
        moved += taken;
        if taken == 0 {
            break;
        }
    }
    moved > 0
}

fn habit() -> impl Strategy<Value = Habit> {
    prop_oneof![
        3 => Just(Habit::Prompt),
        2 => (2..60_u8).prop_map(Habit::Slow),
        3 => (0..4_u8).prop_map(Habit::Stops),
    ]
}

fn plan(largest: usize) -> impl Strategy<Value = Plan> {
    let size = prop_oneof![
        1..200_usize,
        200..20_000_usize,
        20_000..100_000_usize,
        Just(largest)
    ];
    (size, habit()).prop_flat_map(move |(size, habit)| {
        let size = size.min(largest);
        // At most a mebibyte for each stream, or one message.
        let most = (1_000_000 / size).clamp(1, 60);
        (1..=most).prop_map(move |messages| Plan {
            size,
            messages,
            habit,
        })
    })
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop_oneof![
        prop::collection::vec(plan(LARGEST - 100), 1..60),
        prop::collection::vec(plan(50_000), 60..200),
        prop::collection::vec(plan(3_000), 200..2_000),
    ]
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Client), Just(Side::Server)]
}

proptest! {
    // `PROPTEST_CASES` sets a larger number.
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn who_reads_gets_on_whoever_else_does_not(
        plans in plans(),
        side in side(),
        step in prop_oneof![1_000..60_000_usize, Just(usize::MAX)],
    ) {
        let mut world = World::new(side);
        world.cross(usize::MAX);
        for plan in plans {
            world.open(plan);
        }
        world.run(step);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(8, |cases| cases.parse().unwrap())
}

fn all_alike(side: Side, streams: usize, plan: &Plan) -> World {
    let mut world = World::new(side);
    world.cross(usize::MAX);
    for _ in 0..streams {
        world.open(plan.clone());
    }
    world
}

/// Each reader reads evenly and reports small amounts.
#[test]
fn streams_that_move_evenly_never_stand_still() {
    let plan = Plan {
        size: 10_000,
        messages: 40,
        habit: Habit::Slow(3),
    };
    for side in [Side::Client, Side::Server] {
        for streams in [16, 57, 60, 200, 600] {
            all_alike(side, streams, &plan).run(50_000);
        }
    }
}

#[test]
fn unread_streams_hold_up_nobody() {
    let unread = Plan {
        size: 100_000,
        messages: 10,
        habit: Habit::Stops(0),
    };
    for side in [Side::Client, Side::Server] {
        for streams in [16, 100, 1_000] {
            let mut world = all_alike(side, streams, &unread);
            world.run(usize::MAX);
            for size in [10, 50_000, LARGEST - 100] {
                let habit = Habit::Prompt;
                let beside = world.open(Plan {
                    size,
                    messages: 5,
                    habit,
                });
                world.run(usize::MAX);
                assert!(world.readers[&beside].ended);
            }
        }
    }
}

/// A connection whose data was read gives as much credit as before.
#[test]
fn a_connection_recovers_once_its_readers_come_back() {
    let plan = Plan {
        size: 90_000,
        messages: 10,
        habit: Habit::Stops(0),
    };
    for side in [Side::Client, Side::Server] {
        let mut world = all_alike(side, 40, &plan);
        world.run(usize::MAX);
        assert_ne!(
            world.reads.connection.reports(),
            Connection::new(Role::Client, options(), world.now).reports()
        );
        for reader in world.readers.values_mut() {
            reader.plan.habit = Habit::Prompt;
        }
        world.run(usize::MAX);
        assert_eq!(world.held, 0);
        world.readers.clear();
        world.obey();
        assert_eq!(world.reads.connection.reports().large, 100_000);
    }
}
