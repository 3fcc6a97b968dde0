//! One watch on one connection: a call that starts again whenever it ends. Time is an
//! argument; the connection is its only I/O.

use std::time::Instant;

use bytes::Bytes;

use super::subject::{Subject, Word};
use crate::channel::backoff::{Backoff, Waits};
use crate::channel::subchannel::identity::Identity;
use crate::framing::{Compression, FramingError, MessageReader, Side};
use crate::metadata::Metadata;
use crate::status::{Code, Status};
use crate::transport::http2::connection::Connection;
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::StreamId;

#[derive(Debug)]
pub(in super::super) struct WatchCall {
    subject: Subject,
    stage: WatchStage,
    backoff: Backoff,
}

#[derive(Debug)]
enum WatchStage {
    /// It starts at this instant; with `None` as soon as there is room for a stream.
    Due(Option<Instant>),
    Open {
        stream: StreamId,
        began: Instant,
        reader: MessageReader,
    },
    /// The server has no such service: it is not asked again on this connection (A17).
    Unknown,
}

impl WatchCall {
    pub(super) fn new(subject: Subject, waits: Waits) -> Self {
        Self {
            subject,
            stage: WatchStage::Due(None),
            backoff: Backoff::new(waits),
        }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Whether the stream is this call's.
    pub(super) fn has(&self, id: StreamId) -> bool {
        matches!(&self.stage, WatchStage::Open { stream, .. } if *stream == id)
    }

    /// Starts the call if it is due and there is room.
    pub(super) fn begin(&mut self, connection: &mut Connection, identity: &Identity, now: Instant) {
        match self.stage {
            WatchStage::Due(at) if at.is_none_or(|at| at <= now) => {}
            WatchStage::Due(_) | WatchStage::Open { .. } | WatchStage::Unknown => return,
        }
        self.stage = WatchStage::Due(None);
        if connection.can_open().is_err() {
            return;
        }
        let mut fields = connection.take_fields();
        let (path, none) = (self.subject.path(), Metadata::new());
        let template = &identity.template;
        template.write(path, None, Compression::Identity, &none, &mut fields);
        let opened = connection.open(&fields, now);
        connection.recycle(fields);
        if let Ok(stream) = opened {
            connection.send_whole(stream, &self.subject.request(), true);
            self.stage = WatchStage::Open {
                stream,
                began: now,
                reader: MessageReader::new(),
            };
        }
    }

    /// When it starts again, if it waits for that.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match self.stage {
            WatchStage::Due(at) => at,
            WatchStage::Open { .. } | WatchStage::Unknown => None,
        }
    }

    /// Sets the encoding of the answers.
    pub(in super::super) fn set_encoding(&mut self, encoding: Compression) {
        if let WatchStage::Open { reader, .. } = &mut self.stage {
            reader.set_encoding(encoding);
        }
    }

    /// The latest of the answers that have arrived: each one replaces those before it.
    pub(in super::super) fn read(&mut self, data: Bytes) -> Result<Option<Word>, Status> {
        let WatchStage::Open { reader, .. } = &mut self.stage else {
            return Ok(None);
        };
        reader.push(data);
        let mut latest = None;
        let failed = |error: FramingError| error.into_status(Side::Client);
        while let Some(word) = self.subject.next(reader).map_err(failed)? {
            latest = Some(word);
        }
        if latest.is_some() {
            self.backoff.reset();
        }
        Ok(latest)
    }

    /// The call has ended. The wait counts from its start, so that a server that ends each
    /// call after an answer is not asked in a loop.
    pub(in super::super) fn end(&mut self, status: Status, now: Instant) -> Option<Word> {
        let WatchStage::Open { began, .. } = self.stage else {
            return None;
        };
        self.stage = if status.code() == Code::Unimplemented {
            WatchStage::Unknown
        } else {
            let next = began.checked_add(self.backoff.next());
            WatchStage::Due(Some(next.unwrap_or(now).max(now)))
        };
        self.subject.ended(status)
    }

    /// Cancels the call.
    pub(super) fn cancel(self, connection: &mut Connection) {
        if let WatchStage::Open { stream, .. } = self.stage {
            connection.reset(stream, ErrorCode::CANCEL);
            connection.forget(stream);
        }
    }
}
