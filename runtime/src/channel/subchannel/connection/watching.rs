//! A connection's watches beside its users' calls, and the states it reports because of
//! them.

use std::time::Instant;

use bytes::Bytes;

use super::ClientConnection;
use super::responses::ResponseOutcome;
use crate::call::response_head;
use crate::channel::address::Destination;
use crate::channel::subchannel::report::SubchannelState;
use crate::channel::subchannel::watch::health::Health;
use crate::channel::subchannel::watch::subject::Word;
use crate::channel::subchannel::watch::watches::News;
use crate::status::{Code, Phase, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

impl ClientConnection {
    /// HTTP/2 is established, and this is now its subchannel's connection. `health` is what
    /// is known of the server.
    pub(crate) fn stand(
        &mut self,
        destination: Destination,
        health: Health,
        connection: &mut Connection,
        now: Instant,
    ) {
        self.destination = Some(destination);
        self.unopened.reached();
        self.watches.set_health(health);
        self.tell_state();
        self.watch(connection, now);
        if self.unopened.is_over() {
            self.leave(connection, now);
        }
    }

    /// The initial health of a server to which this is the only connection.
    pub(crate) fn first_health(&self) -> Health {
        match self.unopened.watched().health {
            Some(_) => Health::Awaited,
            None => Health::Serving,
        }
    }

    /// The server's health, as far as it is known.
    pub(crate) fn health(&self) -> &Health {
        self.watches.health()
    }

    /// The address it leads to, once it is its subchannel's connection.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// What to watch may have changed.
    pub(super) fn watch(&mut self, connection: &mut Connection, now: Instant) {
        if self.destination.is_none() {
            return;
        }
        let was_serving = matches!(self.watches.health(), Health::Serving);
        let watched = self.unopened.watched();
        self.watches.watch(watched, connection, &self.identity, now);
        if !was_serving && matches!(self.watches.health(), Health::Serving) {
            self.tell_state();
        }
    }

    /// Accepts no more calls, and ends once it has none.
    pub(crate) fn leave(&mut self, connection: &mut Connection, now: Instant) {
        self.watches.leave(connection);
        connection.drain(now);
    }

    /// Ends the watches.
    pub(crate) fn end_watches(&mut self, connection: &mut Connection) {
        self.watches.leave(connection);
    }

    fn tell_state(&mut self) {
        let Some(Destination { address, .. }) = &self.destination else {
            return;
        };
        let state = match self.watches.health() {
            // The same state as while connecting.
            Health::Awaited => SubchannelState::Connecting,
            Health::Serving => SubchannelState::Ready(address.clone()),
            Health::Failing(status) => {
                let text = format!("{address}: {}", status.message());
                let told = Status::new(Code::Unavailable, text).with_phase(Phase::Connect);
                SubchannelState::TransientFailure(told.with_source(status.clone()))
            }
        };
        self.unopened.tell(state);
        self.unopened.tell_if_done();
    }

    fn take_word(&mut self, word: Option<Word>) {
        match word.map(|word| self.watches.take_in(word)) {
            None | Some(News::None) => {}
            Some(News::State) => self.tell_state(),
            Some(News::Load(report)) => self.unopened.tell_load(report),
        }
    }

    // --- events on streams of watches -----------------------------------------------

    pub(super) fn on_watch_headers(
        &mut self,
        stream: StreamId,
        fields: &Fields,
        end_stream: bool,
    ) -> ResponseOutcome {
        let Some(call) = self.watches.on(stream) else {
            return ResponseOutcome::Goes;
        };
        if end_stream {
            return ResponseOutcome::Ends(response_head::read_trailers(fields));
        }
        match response_head::read_head(fields, self.identity.encodings) {
            Ok(head) => {
                call.set_encoding(head.encoding);
                ResponseOutcome::Goes
            }
            Err(status) => ResponseOutcome::Fails(status),
        }
    }

    pub(super) fn on_watch_data(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        data: Bytes,
    ) -> ResponseOutcome {
        let Some(call) = self.watches.on(stream) else {
            return ResponseOutcome::Goes;
        };
        let length = data.len();
        let read = call.read(data);
        connection.release(stream, length);
        match read {
            Ok(word) => {
                self.take_word(word);
                ResponseOutcome::Goes
            }
            Err(status) => ResponseOutcome::Fails(status),
        }
    }

    /// Even OK is an unexpected end, since the call is to stay open.
    pub(super) fn on_watch_end(
        &mut self,
        connection: &mut Connection,
        stream: StreamId,
        outcome: ResponseOutcome,
        now: Instant,
    ) {
        let status = match outcome {
            ResponseOutcome::Goes | ResponseOutcome::Loses => return,
            ResponseOutcome::Ends(Err(status)) | ResponseOutcome::Fails(status) => status,
            ResponseOutcome::Ends(Ok(_)) => {
                let text = "the server ended it with OK instead of keeping it open";
                Status::new(Code::Unavailable, text).with_phase(Phase::Receive)
            }
        };
        let Some(call) = self.watches.on(stream) else {
            return;
        };
        // Returns the credit for data that was not read.
        connection.forget(stream);
        let word = call.end(status, now);
        self.take_word(word);
    }
}
