//! Calls that wait for a connection or for a free stream. It must never keep a
//! caller past its deadline.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use super::open::{Ask, Open};
use crate::call::queue::{QueueReceiver, QueueSender, WeakQueueSender};
use crate::call::state::CallState;
use crate::status::{Code, Phase, Status};

/// The shortest queue that is worth clearing.
const PRUNE_MIN: usize = 256;

/// The calls of a channel that have no stream yet, oldest first.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Gone once every `Channel` is: no more calls will come.
    asks: Option<QueueReceiver<Ask>>,
    /// Where a call goes that has to be opened again after this was handed on.
    again: WeakQueueSender<Ask>,
    queue: VecDeque<(u64, Box<Open>)>,
    batch: Vec<Ask>,
    deadlines: BTreeMap<(Instant, u64), Arc<CallState>>,
    next: u64,
    /// At this length the queue is cleared of calls that are over.
    prune_at: usize,
    /// Another connection has the queue now.
    handed_on: bool,
    /// A connection was asked for by itself.
    wanted: bool,
    /// Calls go elsewhere, as if no handle of the channel were left.
    is_retired: bool,
    /// The channel was closed: whoever holds this ends the calls.
    closing: bool,
    /// What errors call the other side.
    target: Arc<str>,
    reach: Reach,
}

/// What the calls wait for.
#[derive(Debug, Default)]
enum Reach {
    /// A connection.
    #[default]
    Awaited,
    /// Room on the connection that there is.
    Reached,
    /// A connection, after the last attempt failed.
    Failed(Status),
}

impl Waiting {
    pub(crate) fn new(
        target: Arc<str>,
        asks: QueueReceiver<Ask>,
        again: WeakQueueSender<Ask>,
    ) -> Self {
        Self {
            asks: Some(asks),
            again,
            queue: VecDeque::new(),
            batch: Vec::new(),
            deadlines: BTreeMap::new(),
            next: 0,
            prune_at: PRUNE_MIN,
            handed_on: false,
            wanted: false,
            is_retired: false,
            closing: false,
            target,
            reach: Reach::Awaited,
        }
    }

    /// Hands everything on to the next connection. A call that is put back here
    /// afterwards goes there too.
    pub(crate) fn hand_on(&mut self) -> Self {
        self.handed_on = true;
        Self {
            asks: self.asks.take(),
            again: self.again.clone(),
            queue: std::mem::take(&mut self.queue),
            batch: Vec::new(),
            deadlines: std::mem::take(&mut self.deadlines),
            next: self.next,
            prune_at: self.prune_at,
            handed_on: false,
            wanted: std::mem::take(&mut self.wanted),
            is_retired: self.is_retired,
            closing: self.closing,
            target: Arc::clone(&self.target),
            reach: match std::mem::take(&mut self.reach) {
                Reach::Failed(last) => Reach::Failed(last),
                Reach::Awaited | Reach::Reached => Reach::Awaited,
            },
        }
    }

    /// There is a connection: what failed before it tells nothing any more.
    pub(crate) fn reached(&mut self) {
        self.reach = Reach::Reached;
        self.wanted = false;
    }

    /// What a call fails with whose time is up while it waits.
    pub(crate) fn expired(&self) -> Status {
        let target = &self.target;
        let status = |text| Status::new(Code::DeadlineExceeded, text).with_phase(Phase::Wait);
        match &self.reach {
            Reach::Reached => status(format!(
                "the call's deadline passed while it waited for room on the connection to {target}"
            )),
            Reach::Awaited => status(format!(
                "the call's deadline passed while connecting to {target}"
            )),
            Reach::Failed(last) => status(format!(
                "the call's deadline passed while connecting to {target} (last attempt: {})",
                last.message()
            ))
            .with_source(last.clone()),
        }
    }

    /// A call that had a stream waits for another. `Err` gives it back where no
    /// connection will come.
    pub(crate) fn put_back(&mut self, open: Box<Open>) -> Result<(), Box<Open>> {
        if !self.handed_on {
            self.push(open);
            return Ok(());
        }
        match self.again.upgrade() {
            Some(again) => ask_to_open(&again, open),
            None => Err(open),
        }
    }

    /// Takes new calls in; `true` if there were any, or if it is known only now
    /// that there will be none.
    pub(crate) fn poll_new(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(asks) = &mut self.asks else {
            return false;
        };
        let mut batch = std::mem::take(&mut self.batch);
        let taken = asks.poll_take(&mut batch, cx);
        let ended = taken.is_ready() && batch.is_empty();
        for ask in batch.drain(..) {
            match ask {
                Ask::Open(open) => self.push(open),
                Ask::Connect => self.wanted = true,
                Ask::Retire => self.is_retired = true,
                Ask::Close => self.closing = true,
            }
        }
        self.batch = batch;
        if ended {
            self.asks = None;
        }
        taken.is_ready()
    }

    fn push(&mut self, open: Box<Open>) {
        let key = self.key_of(&open);
        self.queue.push_back((key, open));
        self.prune();
    }

    /// A call that was popped is the oldest again.
    pub(crate) fn put_first(&mut self, open: Box<Open>) {
        let key = self.key_of(&open);
        self.queue.push_front((key, open));
    }

    fn key_of(&mut self, open: &Open) -> u64 {
        let key = self.next;
        self.next += 1;
        if let Some(deadline) = open.options.deadline {
            self.deadlines
                .insert((deadline, key), Arc::clone(&open.state));
        }
        key
    }

    /// While all streams are taken, calls come, time out and are cancelled: those
    /// leave only their places, which must not add up.
    fn prune(&mut self) {
        if self.queue.len() >= self.prune_at {
            self.forget_ended();
            self.prune_at = PRUNE_MIN.max(2 * self.queue.len());
        }
    }

    fn forget_ended(&mut self) {
        self.queue.retain(|(_, open)| !open.state.is_over());
        self.deadlines.retain(|_, state| !state.is_over());
    }

    /// Has the task woken when a call ends: while there is no connection, and no handle
    /// of the channel, calls that are over keep nothing alive.
    pub(crate) fn settle(&mut self, waker: &Waker) {
        if self.is_left() {
            self.forget_ended();
        }
        // Calls come in at the back.
        for (_, open) in self.queue.iter_mut().rev() {
            if std::mem::replace(&mut open.is_queued, true) {
                break;
            }
            open.state.queued(waker.clone());
        }
    }

    /// The oldest call that is still wanted; until the connection is `established`
    /// only one that does not wait for that.
    pub(crate) fn pop(&mut self, established: bool) -> Option<Box<Open>> {
        loop {
            let (key, mut open) = if established {
                self.queue.pop_front()?
            } else {
                let mut calls = self.queue.iter();
                let place = calls.position(|(_, open)| !open.options.wait_for_ready)?;
                self.queue.remove(place)?
            };
            open.is_queued = false;
            if let Some(deadline) = open.options.deadline {
                self.deadlines.remove(&(deadline, key));
            }
            if !open.state.is_over() {
                return Some(open);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// No call waits and none will come.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_left() && self.queue.is_empty()
    }

    /// No more calls will come.
    fn is_left(&self) -> bool {
        self.asks.is_none() || self.is_retired
    }

    /// Whether anyone needs a connection. What was asked for by itself is
    /// answered by one attempt.
    pub(crate) fn take_wanted(&mut self) -> bool {
        self.forget_ended();
        std::mem::take(&mut self.wanted) || !self.queue.is_empty()
    }

    /// What was asked for has had its attempt.
    pub(crate) fn forget_wanted(&mut self) {
        self.wanted = false;
    }

    /// Whether a connection was asked for by itself.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether the channel was closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Ends every call that waits, and those still on their way here.
    pub(crate) fn close(&mut self, status: &Status, now: Instant) {
        if let Some(mut asks) = self.asks.take() {
            for ask in asks.close() {
                if let Ask::Open(open) = ask {
                    self.push(open);
                }
            }
        }
        self.deadlines.clear();
        for (_, open) in self.queue.drain(..) {
            open.fail(status.clone(), now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    /// Ends the calls whose time is up; their places in the queue are skipped
    /// later.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(entry) = self.deadlines.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let state = entry.remove();
            state.deliver_end(Err(self.expired()));
        }
    }

    /// Fails every call that did not ask to wait until the channel is ready.
    pub(crate) fn fail_fast(&mut self, status: &Status, now: Instant) {
        self.reach = Reach::Failed(status.clone());
        let mut patient = VecDeque::new();
        for (key, open) in std::mem::take(&mut self.queue) {
            if open.options.wait_for_ready {
                patient.push_back((key, open));
                continue;
            }
            if let Some(deadline) = open.options.deadline {
                self.deadlines.remove(&(deadline, key));
            }
            open.fail(status.clone(), now);
        }
        self.queue = patient;
    }
}

/// Queues a call; `Err` gives it back where nobody takes any.
pub(crate) fn ask_to_open(asks: &QueueSender<Ask>, open: Box<Open>) -> Result<(), Box<Open>> {
    match asks.send(Ask::Open(open)) {
        Err(Ask::Open(open)) => Err(open),
        _ => Ok(()),
    }
}
