//! What comes to the task of a channel or a subchannel: what is asked of it, and the
//! calls among that, which wait here.

use std::task::Context;

use super::call::open_call::OpenCall;
use super::waiting_calls::WaitingCalls;
use super::watched::Watched;
use crate::call::queue::QueueReceiver;

/// What a channel's users ask of it, and the channel of its subchannels.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A stream for a call.
    Open(Box<OpenCall>),
    /// A connection, though no call needs it yet.
    Connect,
    /// What a subchannel is to do besides calls.
    Watch(Box<Watched>),
    /// The end once the calls that are there are over: no others come.
    Retire,
    /// To give back what has no stream, and to end once the rest is over: a
    /// subchannel that its policy does not want any more.
    Remove,
    /// The end, at once.
    Close,
}

/// How far it is told to end; what goes further stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EndStage {
    NotYet,
    Retired,
    Removed,
    Closing,
}

/// The queue of what is asked, and what is known of it.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Gone once everybody is who could ask.
    asks: Option<QueueReceiver<Ask>>,
    batch: Vec<Ask>,
    /// A connection was asked for by itself.
    pub(crate) is_wanted: bool,
    pub(crate) watched: Watched,
    pub(crate) has_other_watched: bool,
    end: EndStage,
    /// Calls since it was told to end.
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

    /// One to which nothing comes.
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

    /// All of it for another holder; nothing comes here any more.
    pub(crate) fn hand_on(&mut self) -> Self {
        Self {
            asks: self.asks.take(),
            batch: Vec::new(),
            is_wanted: std::mem::take(&mut self.is_wanted),
            watched: std::mem::take(&mut self.watched),
            // Whoever holds it reads it first.
            has_other_watched: false,
            end: self.end,
            taken: self.taken,
            waiting: std::mem::take(&mut self.waiting),
        }
    }

    /// Takes in what was asked; `true` if there was anything, or if it is known only
    /// now that there will be nothing.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(asks) = &mut self.asks else {
            return false;
        };
        let mut batch = std::mem::take(&mut self.batch);
        let taken = asks.poll_take(&mut batch, cx);
        let has_ended = taken.is_ready() && batch.is_empty();
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
        taken.is_ready()
    }

    /// No more calls will come from outside.
    pub(crate) fn is_left(&self) -> bool {
        self.asks.is_none() || self.end >= EndStage::Retired
    }

    /// How many calls came after it was told that none come from outside.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.end == EndStage::Retired
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.end == EndStage::Removed
    }

    /// Whoever holds this ends the calls.
    pub(crate) fn is_closing(&self) -> bool {
        self.end == EndStage::Closing
    }

    /// Nobody is there who could ask for anything.
    pub(crate) fn is_ended(&self) -> bool {
        self.asks.is_none()
    }

    /// Ends the queue and takes in what was still on its way.
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
