//! The inbox of a channel's or a subchannel's task: requests from other tasks, and the
//! calls among them, which wait here.

use std::task::Context;

use super::call::open_call::OpenCall;
use super::waiting_calls::WaitingCalls;
use super::watched::Watched;
use crate::call::queue::QueueReceiver;

/// A request to a channel from its users, or to a subchannel from its channel.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Open a stream for a call.
    Open(Box<OpenCall>),
    /// Connect although no call needs a connection yet.
    Connect,
    /// What a subchannel does besides calls.
    Watch(Box<Watched>),
    /// End once the present calls are over: no more will come.
    Retire,
    /// Give back the calls that have no stream, and end once the others are over: the
    /// policy has dropped the subchannel.
    Remove,
    /// End at once.
    Close,
}

/// How far the end has come. It only advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EndStage {
    NotYet,
    Retired,
    Removed,
    Closing,
}

/// The queue of requests, and the state that follows from them.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// `None` once all senders are gone.
    asks: Option<QueueReceiver<Ask>>,
    batch: Vec<Ask>,
    /// A connection was asked for without a call.
    pub(crate) is_wanted: bool,
    pub(crate) watched: Watched,
    pub(crate) has_other_watched: bool,
    end: EndStage,
    /// The calls that have come since the task was told to end.
    taken: u64,
    pub(crate) waiting: WaitingCalls,
}

impl Inbox {
    pub(crate) fn new(asks: QueueReceiver<Ask>) -> Self {
        Self {
            asks: Some(asks),
            ..Self::nobodys()
        }
    }

    /// An inbox to which nothing comes.
    pub(crate) fn nobodys() -> Self {
        Self {
            asks: None,
            batch: Vec::new(),
            is_wanted: false,
            watched: Watched::default(),
            has_other_watched: false,
            end: EndStage::NotYet,
            taken: 0,
            waiting: WaitingCalls::new(),
        }
    }

    /// Moves everything to another holder; nothing comes to this one any more.
    pub(crate) fn hand_on(&mut self) -> Self {
        Self {
            asks: self.asks.take(),
            batch: Vec::new(),
            is_wanted: std::mem::take(&mut self.is_wanted),
            watched: std::mem::take(&mut self.watched),
            // The new holder reads `watched` first.
            has_other_watched: false,
            end: self.end,
            taken: self.taken,
            waiting: std::mem::take(&mut self.waiting),
        }
    }

    /// Takes in the requests that have come. `true` if there were any, or if this call
    /// finds that all senders are gone.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(asks) = &mut self.asks else {
            return false;
        };
        if asks.poll_take(&mut self.batch, cx).is_pending() {
            return false;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let has_ended = batch.is_empty();
        for ask in batch.drain(..) {
            match ask {
                Ask::Open(open) => {
                    self.taken += u64::from(self.end > EndStage::NotYet);
                    self.waiting.push(open);
                }
                Ask::Connect => self.is_wanted = true,
                Ask::Watch(watched) => {
                    self.watched = *watched;
                    self.has_other_watched = true;
                }
                Ask::Retire => self.end = self.end.max(EndStage::Retired),
                Ask::Remove => self.end = self.end.max(EndStage::Removed),
                Ask::Close => self.end = self.end.max(EndStage::Closing),
            }
        }
        self.batch = batch;
        if has_ended {
            self.asks = None;
        }
        true
    }

    /// No more calls will come from outside.
    pub(crate) fn is_left(&self) -> bool {
        self.asks.is_none() || self.end >= EndStage::Retired
    }

    /// How many calls have come since the task was told to end.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.end == EndStage::Retired
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.end == EndStage::Removed
    }

    /// Whether the holder must end all calls at once.
    pub(crate) fn is_closing(&self) -> bool {
        self.end == EndStage::Closing
    }

    /// Whether all senders are gone.
    pub(crate) fn is_ended(&self) -> bool {
        self.asks.is_none()
    }

    /// Ends the queue and takes in what it still contains.
    pub(crate) fn finish(&mut self) {
        if let Some(mut asks) = self.asks.take() {
            for ask in asks.close() {
                if let Ask::Open(open) = ask {
                    self.waiting.push(open);
                }
            }
        }
    }
}
