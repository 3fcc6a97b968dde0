//! Calls that get no handler: answers them, and reports them to observers.

use std::time::Duration;

use super::ServerConnection;
use crate::clock;
use crate::code::Code;
use crate::framing::Payload;
use crate::method::Method;
use crate::observe::ended_call::RefusedCall;
use crate::server::answer;
use crate::server::calls::Request;
use crate::status::Status;
use crate::transport::http2::connection::Connection;
use crate::transport::http2::event::StreamId;
use crate::transport::http2::fields::Fields;

impl ServerConnection {
    /// Answers a call whose request headers are invalid.
    pub(super) fn refuse_head(
        &self,
        connection: &mut Connection,
        stream: StreamId,
        fields: &Fields,
        status: Status,
    ) {
        self.tell_head(fields, &status);
        answer::refuse(connection, stream, status);
    }

    /// Answers a call that got as far as its method.
    pub(super) fn refuse(&self, connection: &mut Connection, request: &Request, status: Status) {
        self.tell_unbegun(request, &status);
        answer::refuse(connection, request.stream, status);
    }

    /// Answers a call whose handler could begin, and may not.
    #[cold]
    pub(super) fn refuse_whole(
        &self,
        connection: &mut Connection,
        request: &Request,
        message: Option<&Payload>,
        status: Status,
    ) {
        if message.is_some() {
            connection.release(request.stream, usize::MAX);
        }
        self.refuse(connection, request, status);
    }

    /// Observers hear of a call that has no more than a head.
    pub(super) fn tell_head(&self, fields: &Fields, status: &Status) {
        if !self.observers.is_empty() {
            let mut paths = fields.iter().filter(|(name, _)| *name == b":path");
            let path = paths.next().map_or(&b""[..], |(_, value)| value);
            let router = &self.shared.router;
            let route = router.find(path).ok();
            let method = route.map(|route| router.entry(route).route.method);
            let path = String::from_utf8_lossy(path);
            self.tell_refused(&path, method, status, Duration::ZERO);
        }
    }

    /// Observers hear of a call whose handler was to begin.
    pub(super) fn tell_unbegun(&self, request: &Request, status: &Status) {
        if !self.observers.is_empty() {
            let method = self.shared.router.entry(request.route).route.method;
            let elapsed = clock::now().saturating_duration_since(request.began);
            self.tell_refused(method.path(), Some(method), status, elapsed);
        }
    }

    fn tell_refused(&self, path: &str, method: Option<Method>, status: &Status, elapsed: Duration) {
        let call = RefusedCall {
            path,
            method,
            elapsed,
            peer: &self.peer.address,
            status,
        };
        self.observers.tell(|it| it.call_refused(&call));
    }
}

/// The status that a client derives from an HTTP status without `grpc-status`.
pub(super) fn status_of_http(http: u16, text: &'static str) -> Status {
    Status::new(Code::from_http_status(http), text)
}
