//! Gives the peer flow-control credit: windows that follow what is read, shares that depend
//! on how full the connection is, and memory for large messages. A stream that is read
//! always progresses.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use super::{Connection, Role};
use crate::transport::http2::account::Account;
use crate::transport::http2::credit::{Reports, Review};
use crate::transport::http2::event::{Event, StreamId};
use crate::transport::http2::flow::ReceiveWindow;
use crate::transport::http2::frame;
use crate::transport::http2::memory::Memory;
use crate::transport::http2::stream::Stream;

/// What unread bytes may keep of the buffers that they were read into, beside four times
/// as much as they are: what a large message is read into is mostly its own.
const PINNED: usize = 512 << 10;

impl Connection {
    /// When readers have to report to the connection.
    pub(crate) fn reports(&self) -> Reports {
        self.credit.reports(self.readers())
    }

    /// The number of streams that hold unread bytes, or may.
    fn readers(&self) -> usize {
        self.streams.len() + self.lingering.len()
    }

    /// Whether bytes of the stream were received and not consumed.
    pub(crate) fn has_unread(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        stream.is_some_and(|stream| stream.receive.held() > 0)
    }

    /// The application consumed `bytes` that arrived on the stream; larger values count as
    /// all bytes held.
    pub(crate) fn release(&mut self, id: StreamId, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.release_lingering(id, bytes);
        };
        let window = &mut stream.receive;
        let (granted, unread) = window.release(bytes);
        let left = window.granted();
        if stream.remote_open
            && let Some(increment) = window.update(self.credit.share(), self.credit.wide())
        {
            self.update_window(id, increment);
        }
        self.credit.add_unread(-i64::from(unread));
        if granted > 0 {
            self.take_grant_back(id, granted, left == 0);
        }
        if !self.credit.is_settled() {
            self.change_credit();
        }
    }

    #[cold]
    fn take_grant_back(&mut self, id: StreamId, bytes: u32, last: bool) {
        self.grants.take_back(id, bytes, last);
        if let Some(account) = &mut self.account {
            account.free(bytes);
        }
        self.give_grants();
    }

    /// The unread bytes of a finished stream will not be read.
    #[inline]
    pub(crate) fn forget(&mut self, id: StreamId) {
        if !self.lingering.is_empty() {
            self.release_lingering(id, u32::MAX);
        }
    }

    /// The unread bytes of a finished stream were consumed, or will not be.
    #[cold]
    fn release_lingering(&mut self, id: StreamId, bytes: u32) {
        let Some(held) = self.lingering.get_mut(&id) else {
            return;
        };
        let bytes = bytes.min(*held);
        *held -= bytes;
        if *held == 0 {
            self.lingering.remove(&id);
        }
        self.credit.add_unread(-i64::from(bytes));
        self.review_credit();
    }

    /// The application waits for a message of `size` bytes, which begins with the stream's
    /// unread bytes. With `to_end` it is held until the stream ends. Memory is reserved for
    /// a message that may exceed the stream's share.
    pub(crate) fn await_message(&mut self, id: StreamId, size: usize, to_end: bool, now: Instant) {
        if size <= self.credit.large() {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.to_end = to_end;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        if stream.remote_open && stream.receive.want(size) {
            self.grants.wait(id);
            self.give_grants();
            if self.grants.first().is_some() {
                self.grants.watch(now);
            }
            self.announce_connection_window();
        }
    }

    /// Reserves memory for the waiting messages, in order. A message that exceeds the limit
    /// gets its memory once no other message has any.
    pub(super) fn give_grants(&mut self) {
        while let Some(id) = self.grants.first() {
            let wanted = self.streams.get(&id).and_then(|s| s.receive.wanted());
            let Some(size) = wanted else {
                self.grants.skip();
                continue;
            };
            if !self.grants.has_room(size) && self.is_filling_any() {
                return;
            }
            if let Some(account) = &mut self.account
                && !account.hold(size)
            {
                return;
            }
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            let window = &mut stream.receive;
            let unread = window.unread();
            window.grant();
            self.grants.give(size);
            self.credit
                .add_unread(i64::from(window.unread()) - i64::from(unread));
            self.announce_stream_window(id);
            self.events.push_back(Event::Granted { stream: id });
        }
    }

    /// The largest message for which memory is reserved at once on a stream whose reader
    /// does not wait.
    pub(crate) fn room(&self, id: StreamId) -> usize {
        let stream = self.streams.get(&id);
        if stream.is_some_and(|stream| stream.receive.granted() > 0) {
            usize::MAX
        } else {
            self.credit.large()
        }
    }

    fn is_filling_any(&self) -> bool {
        self.grants
            .given()
            .any(|id| self.streams.get(&id).is_some_and(Stream::is_filling))
    }

    /// Reports messages that arrive too slowly while others wait for memory.
    pub(super) fn report_stalled(&mut self, now: Instant) {
        let streams = &self.streams;
        let wanted = self.account.as_ref().is_some_and(|a| a.is_wanted());
        let stalled = self.grants.stalled(wanted, now, |id| {
            let stream = streams.get(&id)?;
            let waits = stream.remote_open && stream.is_filling();
            waits.then(|| stream.receive.held())
        });
        let events = stalled.into_iter().map(|stream| Event::Stalled { stream });
        self.events.extend(events);
    }

    /// Counts what this connection holds in the server's memory from now on.
    pub(crate) fn share_memory(&mut self, memory: Arc<Memory>) {
        self.account = Some(Box::new(Account::new(memory)));
        self.credit.share_memory();
    }

    /// Whether a message or a response waits for memory that other connections use.
    #[inline]
    pub(crate) fn wants_memory(&self) -> bool {
        self.account.as_ref().is_some_and(|a| a.wants_memory())
    }

    /// Registers `waker` for when there is memory, and tries once more.
    pub(crate) fn await_memory(&mut self, waker: &Waker) {
        if let Some(account) = &mut self.account
            && account.wait(waker)
        {
            self.events.push_back(Event::Room);
        }
        self.give_grants();
    }

    /// Before a rest: reports the unread bytes to the server's memory, and watches the
    /// progress of messages that hold memory if it is scarce.
    #[inline]
    pub(super) fn rest_account(&mut self, now: Instant) {
        if self.account.is_some() {
            self.rest_with_account(now);
        }
    }

    fn rest_with_account(&mut self, now: Instant) {
        let Some(account) = &mut self.account else {
            return;
        };
        if account.has_told() {
            account.tell(self.credit.unread());
        }
        if !self.grants.is_empty() && account.is_scarce() {
            self.grants.watch(now);
        }
        self.rest_calls(now);
    }

    /// Settles the credit of a stream that leaves the table. On a client the caller may
    /// still read its unread bytes; on a server they are dropped with the handler.
    #[inline]
    pub(super) fn settle(&mut self, id: StreamId, stream: &Stream) {
        if !stream.receive.is_clear() {
            self.settle_held(id, &stream.receive);
        }
    }

    #[cold]
    fn settle_held(&mut self, id: StreamId, window: &ReceiveWindow) {
        let mut change = -i64::from(window.unread());
        if self.role == Role::Client && window.held() > 0 {
            self.lingering.insert(id, window.held());
            change += i64::from(window.held());
        }
        self.credit.add_unread(change);
        if window.granted() > 0 {
            self.take_grant_back(id, window.granted(), true);
        } else {
            self.give_grants();
        }
    }

    /// A buffer of this size that was read into is let go of, while others still have
    /// parts of it.
    pub(crate) fn pinned(&mut self, bytes: usize) {
        self.pinned += bytes;
        let unread = usize::try_from(self.credit.unread()).unwrap_or(0);
        if self.pinned > PINNED + 4 * unread {
            self.pinned = 0;
            self.events.push_back(Event::Unpin);
        }
    }

    fn announce_connection_window(&mut self) {
        if let Some(increment) = self.credit.update(false) {
            self.update_window(0, increment);
        }
    }

    fn update_window(&mut self, stream_id: StreamId, increment: u32) {
        frame::WindowUpdate {
            stream_id,
            increment,
        }
        .encode(self.output.buffer());
    }

    fn announce_stream_window(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.remote_open
            && let Some(increment) = stream
                .receive
                .update(self.credit.share(), self.credit.wide())
        {
            self.update_window(id, increment);
        }
    }

    /// Adapts the streams' shares and the connection's window to the unread bytes.
    pub(super) fn review_credit(&mut self) {
        if !self.credit.is_settled() {
            self.change_credit();
        }
    }

    #[cold]
    pub(super) fn change_credit(&mut self) {
        self.change_shares();
        self.announce_connection_window();
    }

    fn change_shares(&mut self) {
        let unread = self.credit.unread();
        let tight = self.account.as_mut().is_some_and(|account| {
            account.tell_roughly(unread);
            account.is_tight()
        });
        match self.credit.review(self.readers(), tight) {
            Review::Nothing => {}
            Review::Ask => self.events.push_back(Event::Report),
            Review::Tell(share) => {
                frame::Settings {
                    initial_window_size: Some(share),
                    ..frame::Settings::default()
                }
                .encode(self.output.buffer());
                if let Some(change) = self.credit.widen() {
                    self.shift_windows(change);
                }
                self.events.push_back(Event::Report);
            }
        }
    }

    /// The peer has applied our SETTINGS. `false` if there were none to apply.
    pub(super) fn settings_acknowledged(&mut self) -> bool {
        self.decoder.settings_acknowledged();
        match self.credit.acknowledge() {
            Ok(Some(change)) => {
                self.shift_windows(change);
                // A stream that was read may have used up its smaller window.
                let ids: Vec<StreamId> = self.streams.keys().copied().collect();
                for id in ids {
                    self.announce_stream_window(id);
                }
            }
            Ok(None) => {}
            Err(()) => return false,
        }
        self.review_credit();
        true
    }

    fn shift_windows(&mut self, change: i64) {
        for stream in self.streams.values_mut() {
            stream.receive.shift(change);
        }
    }
}
