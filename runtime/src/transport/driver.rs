//! The shell around one connection: moves bytes between a socket and the [`Connection`]
//! machine, and time and events between the machine and its [`Application`]. One task owns all
//! three.
//!
//! A turn: read from the socket → handle events → take commands of other tasks → frame what
//! is ready → one write. The task repeats turns until there is nothing to do, then sleeps.
//! Between the first commands and the write it yields once, so that commands of other tasks
//! at the same time share the write.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::LocalKey;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::http2::connection::Connection;
use super::http2::event::{ConnectionError, Event};
use super::http2::tally::ConnectionCounts;
use super::io::Io;
use super::other_protocol;
use super::timer::Timer;
use crate::clock;
use crate::spare;

/// The size of the read buffer: it grows while reads fill it and shrinks when they return
/// little. The bytes of one read should still be in the processor's cache when they are
/// decoded: with buffers of four times the size small messages take a tenth longer.
const READ_MIN: usize = 4 << 10;
const READ_MAX: usize = 64 << 10;
/// The number of used read buffers that are checked for reuse: enough for a few large
/// messages.
const USED: usize = 8;
/// Segments in one `writev`.
const WRITE_SLICES: usize = 32;
/// Turns before the task lets others run.
const TURNS: usize = 16;
/// Output above this is written without yielding to other tasks first.
const GATHER_LIMIT: usize = 16 << 10;
/// After this much input a turn stops reading, since window updates and commands wait.
const READ_LIMIT: usize = 64 << 10;

/// Limits while a closing connection waits for the peer to read the last bytes: the time,
/// and the bytes that the peer sends meanwhile.
const FAREWELL: Duration = Duration::from_millis(500);
const FAREWELL_INPUT: usize = 1 << 20;

/// The largest output buffer that is kept as a spare.
const OUTPUT_KEPT: usize = 64 << 10;

/// One spare buffer per thread. The memory in [`spare`] has many sizes, is searched by size
/// and is at least 32 KiB; the buffers that a connection needs at each wake are here, where
/// taking one costs a move.
type SpareSlot = LocalKey<Cell<Option<BytesMut>>>;

thread_local! {
    /// The buffers for the next connection that reads and writes on this thread. An idle
    /// connection keeps none, and a busy one allocates none at each wake.
    static SPARE_INPUT: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static SPARE_OUTPUT: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

fn keep_spare(place: &'static SpareSlot, buffer: BytesMut, limit: usize) {
    if buffer.capacity() <= limit {
        // A thread that is ending drops the buffer.
        let _ = place.try_with(|spare| spare.set(Some(buffer)));
    }
}

fn take_spare(place: &'static SpareSlot) -> Option<BytesMut> {
    place.try_with(Cell::take).ok().flatten()
}

/// The user of a connection: the calls of a server or of a channel.
pub(crate) trait Application {
    fn on_event(&mut self, connection: &mut Connection, event: Event, now: Instant);
    /// Takes the commands of other tasks, and registers to be woken for more; `true` if
    /// there were any.
    fn poll_commands(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> bool;
    /// Passes what streams have to send to the connection. Called just before a write, so
    /// that all that a stream pushed since the last write becomes one frame.
    fn flush(&mut self, connection: &mut Connection, now: Instant);
    /// The number of calls that have begun and are not over.
    fn in_flight(&self) -> usize {
        0
    }
    fn next_timeout(&self) -> Option<Instant>;
    fn on_timeout(&mut self, connection: &mut Connection, now: Instant);
    /// The connection has ended.
    fn on_closed(&mut self, _connection: &mut Connection, _closed: &Closed, _now: Instant) {}
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Closed {
    /// Drained, with all output written.
    Drained,
    /// The peer closed its side.
    Eof,
    /// The socket failed.
    Io(io::Error),
    /// The peer broke HTTP/2.
    Protocol(ConnectionError),
    /// The peer speaks another protocol, described by the text.
    NotHttp2(String),
}

impl Closed {
    /// Whether the peer should still get the last output.
    pub(crate) fn has_last_words(&self) -> bool {
        matches!(self, Self::Drained | Self::Protocol(_))
    }
}

/// The result of a turn.
#[derive(Clone, Copy)]
enum Turn {
    /// There may be more to do at once.
    Again,
    Still,
    /// Other tasks may have more to write: continue after yielding to them.
    Gathers,
}

/// What the socket still has after a read.
#[derive(Clone, Copy)]
enum Unread {
    Nothing,
    More,
    /// Not read: the peer must take our replies first.
    Unwanted,
    /// The peer closed its side.
    End,
}

/// A connection's task: a future that ends with the connection.
#[derive(Debug)]
pub(crate) struct Driver<A> {
    io: Io,
    connection: Connection,
    pub(crate) application: A,
    input: BytesMut,
    /// `input` has no memory: the thread keeps it for the next connection that wakes.
    bare: bool,
    /// Used read buffers, of which messages may still hold parts.
    used: VecDeque<BytesMut>,
    read_size: usize,
    /// The task has yielded before the next write.
    gathered: bool,
    timer: Timer,
    /// Set once the connection is broken: only its last words are left, which
    /// [`leave`](Self::leave) writes.
    failed: Option<ConnectionError>,
}

impl<A: Application> Driver<A> {
    pub(crate) fn new(io: Io, connection: Connection, application: A) -> Self {
        Self {
            io,
            connection,
            application,
            input: BytesMut::new(),
            bare: true,
            used: VecDeque::new(),
            read_size: READ_MIN,
            gathered: false,
            timer: Timer::default(),
            failed: None,
        }
    }

    /// The same connection, with another application.
    pub(crate) fn hand_over<B: Application>(self, application: B) -> Driver<B> {
        Driver {
            input: self.input,
            bare: self.bare,
            failed: self.failed,
            ..Driver::new(self.io, self.connection, application)
        }
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    /// The connection's counters.
    pub(crate) fn counts(&self) -> &Arc<ConnectionCounts> {
        self.connection.counts()
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(crate) fn parts(&mut self) -> (&mut Connection, &mut A) {
        (&mut self.connection, &mut self.application)
    }

    /// Runs until there is nothing to do or the connection has ended.
    pub(crate) fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        if self.connection.output().is_bare() {
            let buffer = take_spare(&SPARE_OUTPUT).unwrap_or_default();
            self.connection.lend_output_buffer(buffer);
        }
        let mut due = true;
        for _ in 0..TURNS {
            if let Some(error) = self.failed {
                return Poll::Ready(self.ended(Closed::Protocol(error)));
            }
            match self.turn(std::mem::take(&mut due), cx) {
                Ok(Turn::Again) => {}
                Ok(Turn::Gathers) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(Turn::Still) => {
                    if self.connection.is_finished() && !self.io.wants_flush() {
                        return Poll::Ready(self.ended(Closed::Drained));
                    }
                    let of_calls = self.application.next_timeout();
                    let next = clock::earlier(self.connection.next_timeout(), of_calls);
                    if self.timer.poll_due(next, cx) {
                        due = true;
                        continue;
                    }
                    self.rest();
                    return Poll::Pending;
                }
                Err(Closed::Protocol(error)) => {
                    self.connection.abort(error);
                    self.failed = Some(error);
                }
                Err(closed) => return Poll::Ready(self.ended(closed)),
            }
        }
        self.publish(clock::now());
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Publishes the counters for other threads.
    #[inline]
    fn publish(&mut self, now: Instant) {
        self.connection.publish(self.application.in_flight(), now);
    }

    #[cold]
    fn ended(&mut self, closed: Closed) -> Closed {
        let now = clock::now();
        self.publish(now);
        self.application
            .on_closed(&mut self.connection, &closed, now);
        closed
    }

    /// With `due` it handles timeouts first, if there may be any.
    fn turn(&mut self, due: bool, cx: &mut Context<'_>) -> Result<Turn, Closed> {
        let now = clock::now();
        if due && self.timer.may_be_due(now) {
            self.check_timeouts(now)?;
        }
        let unread = self.read(now, cx)?;
        let asked = self
            .application
            .poll_commands(&mut self.connection, now, cx);
        // Yield, so that callers that were woken together share a write: a multi-thread
        // runtime runs the task that it woke last next.
        let short = self.connection.output().len() < GATHER_LIMIT;
        if asked && short && !std::mem::replace(&mut self.gathered, true) {
            return Ok(Turn::Gathers);
        }
        self.gathered = false;
        // While the socket takes nothing, streams gather their messages: otherwise a slow
        // reader would get a frame for each small message.
        if short {
            self.application.flush(&mut self.connection, now);
        }
        if self.connection.wants_memory() {
            self.connection.await_memory(cx.waker());
        }
        let unframed = self.connection.pump();
        self.dispatch(now);
        let wrote = match self.write(cx) {
            Ok(wrote) => wrote,
            Err(error) => return Err(self.hear_out(cx, now, error)),
        };
        // Otherwise the socket or the queue wakes the task.
        let again = match unread {
            Unread::Nothing => wrote && (unframed || !short),
            Unread::More => true,
            Unread::Unwanted => wrote,
            Unread::End => return Err(Closed::Eof),
        };
        if again {
            return Ok(Turn::Again);
        }
        self.connection.rest(now);
        self.publish(now);
        Ok(Turn::Still)
    }

    /// Reads until the socket has nothing more or there is enough input for one turn.
    fn read(&mut self, now: Instant, cx: &mut Context<'_>) -> Result<Unread, Closed> {
        if self.connection.is_clogged() {
            return Ok(Unread::Unwanted);
        }
        // Input is left from a turn in which too many replies to the peer were queued.
        if !self.input.is_empty() {
            self.receive(now)?;
        }
        let mut taken = 0;
        while self.connection.wants_input() {
            match self.poll_read(cx) {
                Poll::Pending => return Ok(Unread::Nothing),
                Poll::Ready(Ok(0)) => return Ok(Unread::End),
                Poll::Ready(Ok(read)) => {
                    taken += read;
                    self.connection.heard(now);
                }
                Poll::Ready(Err(error)) => return Err(Closed::Io(error)),
            }
            self.receive(now)?;
            if taken >= READ_LIMIT || self.connection.output().len() >= GATHER_LIMIT {
                return Ok(Unread::More);
            }
        }
        Ok(Unread::Unwanted)
    }

    /// Receives the input frame by frame, and handles the events of each.
    fn receive(&mut self, now: Instant) -> Result<(), Closed> {
        if !self.connection.is_established() && other_protocol::is_tls_alert(&self.input) {
            // A connection does not begin with a frame of the length that these bytes would
            // be.
            let reason = "it speaks TLS on this port, where this side does not";
            return Err(Closed::Protocol(ConnectionError::protocol(reason)));
        }
        if self.connection.awaits_settings()
            && let Some(other) = other_protocol::told_by(&self.input)
        {
            return Err(Closed::NotHttp2(other));
        }
        loop {
            let received = self.connection.receive(&mut self.input, now);
            if !received.map_err(Closed::Protocol)? {
                return Ok(());
            }
            self.dispatch(now);
        }
    }

    fn dispatch(&mut self, now: Instant) {
        while let Some(event) = self.connection.next_event() {
            self.application.on_event(&mut self.connection, event, now);
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if std::mem::take(&mut self.bare) {
            self.input = take_spare(&SPARE_INPUT).unwrap_or_else(|| spare::take(self.read_size));
        }
        if self.input.capacity() - self.input.len() < self.read_size / 2 {
            self.renew_input();
        }
        let room = self.input.capacity() - self.input.len();
        let read = std::task::ready!(pin!(self.io.read_buf(&mut self.input)).poll(cx))?;
        if read == room {
            self.read_size = (self.read_size * 2).min(READ_MAX);
        } else if read < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(READ_MIN);
        }
        Poll::Ready(Ok(read))
    }

    /// Makes room for a read. Buffers of large messages are reused once the messages have
    /// been decoded.
    fn renew_input(&mut self) {
        if self.input.try_reclaim(self.read_size) {
            return;
        }
        let again = self
            .used
            .iter_mut()
            .position(|used| spare::reclaim(used) && used.capacity() >= self.read_size);
        let again = again.and_then(|index| self.used.swap_remove_back(index));
        let mut input = again.unwrap_or_else(|| spare::take(self.read_size));
        input.extend_from_slice(&self.input);
        let used = std::mem::replace(&mut self.input, input);
        self.connection.pinned(used.capacity().max(self.read_size));
        if self.read_size > READ_MIN && self.used.len() < USED {
            self.used.push_back(used);
        }
    }

    /// Puts empty buffers back for the next connection that wakes.
    fn rest(&mut self) {
        for used in std::mem::take(&mut self.used) {
            spare::keep(used.freeze());
        }
        if self.input.is_empty() && !std::mem::replace(&mut self.bare, true) {
            keep_spare(&SPARE_INPUT, std::mem::take(&mut self.input), READ_MAX);
        }
        if let Some(output) = self.connection.take_output_buffer() {
            keep_spare(&SPARE_OUTPUT, output, OUTPUT_KEPT);
        }
    }

    /// Writes the output as far as the socket takes it.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut moved = false;
        loop {
            let is_all = self.connection.output().is_empty();
            // Flushes records that TLS holds back before writing more, so that output
            // gathers here and not in TLS. A buffering stream is flushed once all is
            // written.
            if self.io.holds_back() || (is_all && self.io.wants_flush()) {
                match Pin::new(&mut self.io).poll_flush(cx) {
                    Poll::Ready(flushed) => flushed?,
                    Poll::Pending => break,
                }
            }
            if is_all {
                break;
            }
            let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
            let count = self.connection.output().slices(&mut slices);
            let io = Pin::new(&mut self.io);
            let written = match &slices[..count] {
                // A plain send is cheaper than a vectored write of one slice.
                [only] => io.poll_write(cx, only),
                several => io.poll_write_vectored(cx, several),
            };
            match written {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.connection.written(written);
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(moved)
    }

    /// Writing to the socket failed. Reads what the peer sent before that, which usually
    /// says why it left.
    fn hear_out(&mut self, cx: &mut Context<'_>, now: Instant, error: io::Error) -> Closed {
        loop {
            match self.poll_read(cx) {
                Poll::Ready(Ok(1..)) => {
                    if let Err(closed) = self.receive(now) {
                        return closed;
                    }
                }
                // An error of TLS says more than the socket's.
                Poll::Ready(Err(heard)) if heard.kind() == io::ErrorKind::InvalidData => {
                    return Closed::Io(heard);
                }
                _ => return Closed::Io(error),
            }
        }
    }

    fn check_timeouts(&mut self, now: Instant) -> Result<(), Closed> {
        let due = |timeout: Option<Instant>| timeout.is_some_and(|timeout| timeout <= now);
        if due(self.connection.next_timeout()) {
            self.connection
                .handle_timeout(now)
                .map_err(Closed::Protocol)?;
        }
        if due(self.application.next_timeout()) {
            self.application.on_timeout(&mut self.connection, now);
        }
        Ok(())
    }

    /// Runs until the connection has ended and the peer has been told.
    #[expect(
        clippy::manual_async_fn,
        reason = "its future would have room for the connection twice"
    )]
    pub(crate) fn run(mut self) -> impl Future<Output = ()>
    where
        A: Unpin,
    {
        async move {
            if (&mut self).await.has_last_words() {
                // Boxed, since this runs only at the end of a connection's life.
                Box::pin(self.leave()).await;
            }
        }
    }

    /// Closes a connection that has ended: writes the remaining output, shuts down this
    /// side's half, and discards input until the peer closes. Closing a socket with unread
    /// input sends a reset, which discards what the peer has not read yet. The application
    /// is dropped first. The whole takes at most half a second.
    pub(crate) async fn leave(self) {
        let Self {
            mut io,
            mut connection,
            application,
            input,
            used,
            ..
        } = self;
        drop((application, input, used));
        let farewell = async {
            while !connection.output().is_empty() {
                let mut slices = [IoSlice::new(&[]); WRITE_SLICES];
                let count = connection.output().slices(&mut slices);
                match io.write_vectored(&slices[..count]).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    written => connection.written(written),
                }
            }
            io.flush().await?;
            io.shutdown().await?;
            let mut input = vec![0; READ_MIN];
            let mut left = FAREWELL_INPUT;
            while left > 0 {
                match io.read(&mut input).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            Ok::<(), io::Error>(())
        };
        // Best effort: the peer may be gone or not read.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

impl<A: Application + Unpin> Future for Driver<A> {
    type Output = Closed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        self.poll_run(cx)
    }
}
