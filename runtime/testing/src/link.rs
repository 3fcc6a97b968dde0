//! The link between two peers of a network: its weather, and its connections.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::pipe::{Delay, End, Pipe, Read};
use crate::wire::Wire;

/// The longest latency and jitter: the clock has room for it.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The link between a client and a server of a [`Network`](crate::Network): its delays and
/// faults. Settings hold for both directions, from now on, also for open connections. By
/// default nothing is delayed or lost.
///
/// ```
/// use std::time::Duration;
///
/// use grpc_testing::Network;
///
/// let network = Network::new(7);
/// let link = network.link("client", "orders");
/// link.set_latency(Duration::from_millis(20));
/// link.down();
/// link.restore();
/// ```
#[derive(Clone, Debug)]
pub struct Link(Arc<SharedLink>);

#[derive(Debug)]
struct SharedLink {
    from: String,
    to: String,
    seed: u64,
    state: Mutex<State>,
    /// The mode, for connects that wait for another one.
    mode: watch::Sender<Mode>,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    latency: Duration,
    jitter: Duration,
    /// The number of bytes that still pass before all connections are cut.
    budget: Option<u64>,
    made: u64,
    pipes: BTreeMap<u64, Pipe>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Up,
    Refusing,
    Held,
    Down,
}

impl State {
    fn delay(&self) -> Delay {
        Delay {
            latency: self.latency,
            jitter: self.jitter,
            is_held: self.is_held(),
        }
    }

    /// Whether delivery is suspended.
    fn is_held(&self) -> bool {
        matches!(self.mode, Mode::Held | Mode::Down)
    }

    fn cut(&mut self) {
        self.pipes.values_mut().for_each(Pipe::cut);
    }
}

impl Link {
    pub(crate) fn new(from: &str, to: &str, seed: u64) -> Self {
        Self(Arc::new(SharedLink {
            from: from.to_owned(),
            to: to.to_owned(),
            seed,
            state: Mutex::default(),
            mode: watch::Sender::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes whoever waits for that.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        let pipes = state.pipes.values_mut();
        let wakers: Vec<Waker> = pipes.flat_map(Pipe::wakers).collect();
        // After the lock is released: dropping a waker may drop an end of this link.
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn set_mode(&self, mode: Mode) {
        self.change(|state| {
            state.mode = mode;
            if mode == Mode::Down {
                let now = Instant::now();
                let busy = state.pipes.values_mut().filter(|pipe| pipe.is_busy(now));
                busy.for_each(Pipe::lose);
            }
        });
        self.0.mode.send_replace(mode);
    }

    /// Sets the time that bytes take from one end to the other. Default: 0. Connecting takes
    /// twice this time. Values above 365 days count as 365 days.
    pub fn set_latency(&self, latency: Duration) {
        self.change(|state| state.latency = latency.min(LONGEST));
    }

    /// Sets the jitter: each write is delayed, on top of the latency, by a part of this
    /// duration that the network's seed determines. Default: 0. Bytes are not reordered.
    /// Values above 365 days count as 365 days.
    pub fn set_jitter(&self, jitter: Duration) {
        self.change(|state| state.jitter = jitter.min(LONGEST));
    }

    /// Breaks the open connections: both ends get the bytes that are on their way and then
    /// an error. New connections may be made.
    pub fn cut(&self) {
        self.change(State::cut);
    }

    /// Lets so many more bytes pass, both ways and all connections together, and then
    /// [cuts](Self::cut) once. [`restore`](Self::restore) takes it back.
    pub fn cut_after(&self, bytes: u64) {
        if bytes == 0 {
            return self.cut();
        }
        self.change(|state| state.budget = Some(bytes));
    }

    /// Loses all bytes silently: writes succeed, reads wait, and connects wait. A connection
    /// that lost bytes stays silent for good, also after [`restore`](Self::restore); a
    /// connection that was idle all the time goes on.
    pub fn down(&self) {
        self.set_mode(Mode::Down);
    }

    /// Holds all bytes, and whoever would connect, until the link is
    /// [restored](Self::restore): nothing is lost, as with a socket that sends again.
    pub fn hold(&self) {
        self.set_mode(Mode::Held);
    }

    /// Refuses new connections at once. Open connections go on.
    pub fn refuse(&self) {
        self.set_mode(Mode::Refusing);
    }

    /// Ends [`down`](Self::down), [`hold`](Self::hold), [`refuse`](Self::refuse) and
    /// [`cut_after`](Self::cut_after). Latency and jitter stay.
    pub fn restore(&self) {
        self.change(|state| state.budget = None);
        self.set_mode(Mode::Up);
    }

    /// How many connections there are of which an end is open.
    pub fn connections(&self) -> usize {
        self.state().pipes.len()
    }

    /// How many connections have been made since the network was.
    pub fn connections_made(&self) -> u64 {
        self.state().made
    }

    /// A line for each connection that is left.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let (from, to) = (&self.0.from, &self.0.to);
        let line = |(id, pipe): (&u64, &Pipe)| {
            let name = |end| if end == End::Client { from } else { to };
            let open: Vec<_> = pipe.open_ends().map(|end| name(end).as_str()).collect();
            let open = open.join(" and ");
            format!("connection {id} from {from} to {to}, open at {open}")
        };
        self.state().pipes.iter().map(line).collect()
    }

    /// Waits for as long as a connection to be made has to.
    pub(crate) async fn admit(&self) -> io::Result<()> {
        self.wait_until_up().await?;
        let latency = self.state().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency * 2).await;
        }
        self.wait_until_up().await
    }

    async fn wait_until_up(&self) -> io::Result<()> {
        let mut mode = self.0.mode.subscribe();
        let decided = mode.wait_for(|mode| matches!(mode, Mode::Up | Mode::Refusing));
        // Its sender lives as long as `self`.
        match decided.await.map(|mode| *mode) {
            Ok(Mode::Refusing) => Err(io::ErrorKind::ConnectionRefused.into()),
            _ => Ok(()),
        }
    }

    /// Makes a connection: the client's end, and the server's.
    pub(crate) fn connect(&self) -> (Wire, Wire) {
        let mut state = self.state();
        state.made += 1;
        let id = state.made;
        let (from, to, made) = (
            self.0.from.as_bytes(),
            self.0.to.as_bytes(),
            id.to_be_bytes(),
        );
        let chance = |end: &[u8]| Chance::new(self.0.seed, &[from, to, &made, end]);
        let chances = [chance(b"client"), chance(b"server")];
        state.pipes.insert(id, Pipe::new(chances));
        drop(state);
        let end = |end| Wire::new(self.clone(), id, end);
        (end(End::Client), end(End::Server))
    }

    /// Up to `limit` bytes that have arrived at `end`.
    pub(crate) fn read(&self, id: u64, end: End, limit: usize, waker: &Waker) -> io::Result<Read> {
        let mut state = self.state();
        let is_held = state.is_held();
        let Some(pipe) = state.pipes.get_mut(&id) else {
            return Ok(Read::End);
        };
        if is_held && !pipe.is_cut() {
            pipe.wait(end, waker);
            return Ok(Read::Sleep);
        }
        let read = pipe.read(end, limit, Instant::now(), waker)?;
        let has_room = matches!(read, Read::Bytes(_));
        let writer = has_room.then(|| pipe.take_writer(end.other())).flatten();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Ok(read)
    }

    /// Sends as many bytes as there is room for.
    pub(crate) fn write(
        &self,
        id: u64,
        end: End,
        bytes: &[u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        let (mode, delay, budget) = (state.mode, state.delay(), state.budget);
        let Some(pipe) = state.pipes.get_mut(&id) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if mode == Mode::Down && !pipe.is_cut() {
            pipe.lose();
        }
        let budget = budget.map(|budget| usize::try_from(budget).unwrap_or(usize::MAX));
        let limit = bytes.len().min(budget.unwrap_or(usize::MAX));
        let written = pipe.write(end, &bytes[..limit], Instant::now(), delay, waker);
        let reader = pipe.take_reader(end.other());
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        match written {
            Ok(None) => Poll::Pending,
            Ok(Some(written)) => {
                if budget.is_some() {
                    self.spend(written as u64);
                }
                Poll::Ready(Ok(written))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Subtracts `bytes` from the budget.
    fn spend(&self, bytes: u64) {
        self.change(|state| {
            let left = state.budget.map(|budget| budget.saturating_sub(bytes));
            state.budget = left.filter(|left| *left > 0);
            if left == Some(0) {
                state.cut();
            }
        });
    }

    /// There is no more to come from `end`.
    pub(crate) fn finish(&self, id: u64, end: End) {
        self.change(|state| {
            let (mode, delay) = (state.mode, state.delay());
            if let Some(pipe) = state.pipes.get_mut(&id) {
                pipe.finish(end, Instant::now(), delay);
                if mode == Mode::Down && !pipe.is_cut() {
                    pipe.lose();
                }
            }
        });
    }

    /// `end` is gone, for the other one to hear if the link lets it.
    pub(crate) fn leave(&self, id: u64, end: End) {
        self.finish(id, end);
        self.change(|state| {
            let delay = state.delay();
            let pipe = state.pipes.get_mut(&id);
            if pipe.is_some_and(|pipe| pipe.leave(end, Instant::now(), delay)) {
                state.pipes.remove(&id);
            }
        });
    }
}
