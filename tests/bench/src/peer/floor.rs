//! Two tokio tasks that pass the bytes of calls over TCP, with no protocol: what
//! sockets and tokio cost alone. It speaks with itself only.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Error;
use crate::driver::{Outcome, Times};
use crate::handler::{NAME, TEXT};
use crate::load::{Load, Task};

/// How much is read or written at once.
const CHUNK: usize = 64 * 1024;

static NOTHING: [u8; CHUNK] = [0; CHUNK];

/// What a frame of HTTP/2 begins with, and the payload of those that are sent by
/// default.
const FRAME: usize = 9;
const PAYLOAD: usize = 16 * 1024;

/// The header blocks of our calls once the peer's table knows their fields, with
/// their frames: of a request, of a response, and of its trailers.
const REQUEST_HEAD: usize = FRAME + 8;
const RESPONSE_HEAD: usize = FRAME + 2;
const TRAILERS: usize = FRAME + 1;

/// What goes both ways, again and again.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// Bytes that are answered.
    request: u64,
    /// Bytes that answer them.
    reply: u64,
    /// How often.
    count: u64,
}

impl Exchange {
    /// What one of a load's tasks passes, with how many of them are under way on a
    /// connection at once.
    fn of(load: Load) -> (Self, u64) {
        let share = load.share();
        let (asks, answers) = (message(NAME.len()), message(TEXT.len()));
        let unary = |request: usize, reply: usize, count: usize| Self {
            request: (REQUEST_HEAD + framed(request)) as u64,
            reply: (RESPONSE_HEAD + framed(reply) + TRAILERS) as u64,
            count: count as u64,
        };
        let all = share * load.in_flight;
        let width = load.in_flight as u64;
        match load.task {
            Task::Echo(size) => (unary(message(size), message(size), all), width),
            // A call with a number, and a stream.
            Task::Pull => (unary(message(3), answers * share, load.in_flight), width),
            Task::Push => (unary(asks * share, message(3), load.in_flight), width),
            // Both halves flow at once.
            Task::Chat => {
                let each = Self {
                    request: asks as u64,
                    reply: answers as u64,
                    count: all as u64,
                };
                (each, each.count)
            }
            Task::PingPong => {
                let each = Self {
                    request: framed(asks) as u64,
                    reply: framed(answers) as u64,
                    count: all as u64,
                };
                (each, width)
            }
            Task::Connect => (unary(asks, answers, 1), 1),
            _ => (unary(asks, answers, all), width),
        }
    }
}

/// A message with one field of so many bytes, and its prefix.
fn message(size: usize) -> usize {
    let length = usize::BITS - size.leading_zeros();
    5 + 1 + length.div_ceil(7).max(1) as usize + size
}

/// Bytes with the frames that they are sent in.
fn framed(size: usize) -> usize {
    size + FRAME * size.div_ceil(PAYLOAD)
}

/// Serves until the process ends; `ready` hears the address.
pub async fn serve(ready: impl FnOnce(&str)) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(&listener.local_addr()?.to_string());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

/// Answers a connection's exchanges until it ends.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let exchange = Exchange {
            request: stream.read_u64().await?,
            reply: stream.read_u64().await?,
            count: stream.read_u64().await?,
        };
        let incoming = exchange.request * exchange.count;
        let outgoing = exchange.reply * exchange.count;
        let due = |received| received / exchange.request * exchange.reply;
        pass(&mut stream, &mut buffer, incoming, outgoing, due).await?;
    }
}

/// Reads and writes so many bytes; `due` tells from what has come how much may have
/// been written by then.
async fn pass(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    incoming: u64,
    outgoing: u64,
    mut due: impl FnMut(u64) -> u64,
) -> io::Result<()> {
    let (mut received, mut sent) = (0, 0);
    let mut turn = |cx: &mut Context<'_>| -> Poll<io::Result<()>> {
        loop {
            let mut moved = false;
            let due = due(received);
            while sent < due {
                let length = (due - sent).min(CHUNK as u64) as usize;
                match Pin::new(&mut *stream).poll_write(cx, &NOTHING[..length])? {
                    Poll::Ready(written) => {
                        sent += written as u64;
                        moved = true;
                    }
                    Poll::Pending => break,
                }
            }
            if received == incoming && sent == outgoing {
                return Poll::Ready(Ok(()));
            }
            if received < incoming {
                let mut room = ReadBuf::new(buffer);
                if Pin::new(&mut *stream).poll_read(cx, &mut room)?.is_ready() {
                    let read = room.filled().len() as u64;
                    if read == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    received += read;
                    moved = true;
                }
            }
            if !moved {
                return Poll::Pending;
            }
        }
    };
    poll_fn(|cx| turn(cx)).await
}

/// The client's connections.
#[derive(Debug)]
pub struct Floor {
    load: Load,
    address: String,
    streams: Vec<TcpStream>,
}

impl Floor {
    /// Connects, and does a tenth of the load.
    pub async fn ready(load: Load, address: &str) -> Result<Self, Error> {
        let mut floor = Self {
            load,
            address: address.to_owned(),
            streams: Vec::new(),
        };
        if load.task != Task::Connect {
            for _ in 0..load.connections {
                floor.streams.push(connect(address).await?);
            }
        }
        let count = load.count / 10;
        floor.tasks(Load { count, ..load }).await?;
        Ok(floor)
    }

    /// Does the load once.
    pub async fn run(&mut self) -> Result<Outcome, Error> {
        let start = Instant::now();
        let times = self.tasks(self.load).await?;
        Ok(Outcome::new(start.elapsed(), times))
    }

    /// A task for each connection.
    async fn tasks(&mut self, load: Load) -> Result<Times, Error> {
        if load.task == Task::Connect {
            for _ in 0..load.share() {
                drive(connect(&self.address).await?, load).await?;
            }
            return Ok(Times::new());
        }
        let mut tasks = JoinSet::new();
        for stream in self.streams.drain(..) {
            tasks.spawn(drive(stream, load));
        }
        let mut all = Times::new();
        while let Some(task) = tasks.join_next().await {
            let (stream, mut times) = task??;
            self.streams.push(stream);
            all.append(&mut times);
        }
        Ok(all)
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection's share of a load; the times are those between a request that is due
/// and its reply, in the order of the requests.
async fn drive(mut stream: TcpStream, load: Load) -> io::Result<(TcpStream, Times)> {
    let (exchange, width) = Exchange::of(load);
    let mut head = Vec::new();
    for value in [exchange.request, exchange.reply, exchange.count] {
        head.extend_from_slice(&value.to_be_bytes());
    }
    stream.write_all(&head).await?;

    let mut times = Times::new();
    let mut under_way = VecDeque::new();
    let (mut begun, mut ended) = (0, 0);
    let due = |received: u64| {
        let done = received / exchange.reply;
        let wanted = exchange.count.min(done + width);
        if load.timed {
            let now = Instant::now();
            let over = under_way.drain(..(done - ended) as usize);
            times.extend(over.map(|start: Instant| (now - start).as_nanos() as u64));
            under_way.extend((begun..wanted).map(|_| now));
        }
        (begun, ended) = (wanted, done);
        wanted * exchange.request
    };
    let incoming = exchange.reply * exchange.count;
    let outgoing = exchange.request * exchange.count;
    let mut buffer = vec![0; CHUNK];
    pass(&mut stream, &mut buffer, incoming, outgoing, due).await?;
    Ok((stream, times))
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Floor, message, serve};
    use crate::load::{Load, Task};
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    struct Field {
        #[prost(bytes = "vec", tag = "1")]
        data: Vec<u8>,
    }

    #[test]
    fn messages_are_as_long_as_prost_makes_them() {
        for size in [1, 5, 127, 128, 16 * 1024, 1 << 20] {
            let data = vec![1; size];
            assert_eq!(message(size), 5 + Field { data }.encoded_len());
        }
    }

    #[tokio::test]
    async fn every_load_ends() {
        let (sender, address) = tokio::sync::oneshot::channel();
        let served = tokio::spawn(serve(move |address| {
            sender.send(address.to_owned()).unwrap();
        }));
        let address = address.await.unwrap();
        for task in [
            Task::Hello,
            Task::Echo(1 << 20),
            Task::Pull,
            Task::Push,
            Task::Chat,
            Task::PingPong,
        ] {
            let timed = Load {
                timed: true,
                ..Load::new(task, 2, 4, 100)
            };
            let mut floor = Floor::ready(timed, &address).await.unwrap();
            let outcome = floor.run().await.unwrap();
            assert!(outcome.p50_ns.unwrap() <= outcome.p99_ns.unwrap());
        }
        let one = Load::new(Task::Connect, 1, 1, 10);
        Floor::ready(one, &address)
            .await
            .unwrap()
            .run()
            .await
            .unwrap();
        served.abort();
    }

    #[test]
    fn a_small_call_is_a_few_dozen_bytes() {
        let (exchange, width) = Exchange::of(Load::new(Task::Hello, 10, 100, 60_000));
        assert_eq!((exchange.request, exchange.reply), (38, 50));
        assert_eq!((exchange.count, width), (6_000, 100));
    }
}
