//! What a connection asks its server besides its users' calls, and what it tells of
//! itself by the answers.

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
    /// HTTP/2 is agreed on, and this connection stands for its subchannel from now on.
    /// `health` is what is known of its server.
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

    /// What is known of a server to which this is the only connection.
    pub(crate) fn first_health(&self) -> Health {
        match self.unopened.watched().health {
            Some(_) => Health::Awaited,
            None => Health::Serving,
        }
    }

    /// What is known of the server.
    pub(crate) fn health(&self) -> &Health {
        self.watches.health()
    }

    /// Where it leads, once it stands for its subchannel.
    pub(crate) fn destination(&self) -> Option<&Destination> {
        self.destination.as_ref()
    }

    /// What is to be watched may be another from now on.
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

    /// Takes no more calls, and is over when it has none.
    pub(crate) fn leave(&mut self, connection: &mut Connection, now: Instant) {
        self.watches.leave(connection);
        connection.drain(now);
    }

    /// Asks its server nothing more.
    pub(crate) fn end_watches(&mut self, connection: &mut Connection) {
        self.watches.leave(connection);
    }

    fn tell_state(&mut self) {
        let Some(Destination { address, .. }) = &self.destination else {
            return;
        };
        let state = match self.watches.health() {
            // As it is while it is made.
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

    // --- events on streams that are no calls' ---------------------------------------

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

    /// Even OK is no good end of a call that is to stay open.
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
                let text = "the server ended it with OK, though it is to stay open";
                Status::new(Code::Unavailable, text).with_phase(Phase::Receive)
            }
        };
        let Some(call) = self.watches.on(stream) else {
            return;
        };
        // What came of it that is not read is free.
        connection.forget(stream);
        let word = call.end(status, now);
        self.take_word(word);
    }
}
