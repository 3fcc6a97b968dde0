//! The answer of a scripted server to one call, as a value.

use std::time::Duration;

use grpc_runtime::prost::Message;
use grpc_runtime::prost::bytes::Bytes;
use grpc_runtime::{Metadata, Status};

/// The answer to one call, built in the order in which it is sent: messages, pauses, and at
/// last a status. Default status: `OK`.
///
/// It begins when the client has sent all its requests; see
/// [`after_requests`](Self::after_requests).
///
/// ```
/// use std::time::Duration;
///
/// use grpc_runtime::Status;
/// use grpc_testing::Reply;
///
/// // Two messages, a second apart, and then the stream breaks off.
/// let reply = Reply::message(&"one".to_owned())
///     .then_delay(Duration::from_secs(1))
///     .then_message(&"two".to_owned())
///     .then_status(Status::unavailable("going down"));
/// # drop(reply);
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) steps: Vec<Step>,
    pub(crate) initial: Metadata,
    pub(crate) trailing: Metadata,
    /// The answer begins after so many requests.
    pub(crate) after: usize,
    /// The connection takes no more calls behind it.
    pub(crate) is_last: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Message(Bytes),
    Delay(Duration),
    Fail(Status),
    Hang,
    /// With this error code of HTTP/2.
    Reset(u32),
    Cut,
}

impl Reply {
    /// No message, and the status `OK`: an empty stream. For a call that expects one message
    /// this is an error, and its caller gets the runtime's status for it.
    pub fn empty() -> Self {
        Self {
            steps: Vec::new(),
            initial: Metadata::new(),
            trailing: Metadata::new(),
            after: usize::MAX,
            is_last: false,
        }
    }

    /// One message.
    pub fn message(message: &impl Message) -> Self {
        Self::empty().then_message(message)
    }

    /// A stream of messages.
    ///
    /// ```
    /// use grpc_testing::Reply;
    ///
    /// let reply = Reply::messages(&["one".to_owned(), "two".to_owned()]);
    /// # drop(reply);
    /// ```
    pub fn messages<'a, M: Message + 'a>(messages: impl IntoIterator<Item = &'a M>) -> Self {
        messages.into_iter().fold(Self::empty(), Self::then_message)
    }

    /// Replies with these bytes as one message: encoded already, or deliberately malformed.
    /// They are not checked.
    pub fn bytes(message: impl Into<Bytes>) -> Self {
        Self::empty().then_bytes(message)
    }

    /// A failure. Its [metadata](Status::with_metadata) goes with it. A status of
    /// [`Code::Ok`](grpc_runtime::Code::Ok) is no failure, and its caller gets `UNKNOWN`.
    pub fn status(status: Status) -> Self {
        Self::empty().then_status(status)
    }

    /// Does not answer: the call lasts until its deadline, or until the client cancels.
    pub fn hang() -> Self {
        Self::empty().then_hang()
    }

    /// No answer: the stream is reset, with this error code of HTTP/2 (RFC 9113 section 7).
    ///
    /// ```
    /// use grpc_testing::{Reply, Script};
    ///
    /// // A server that did not look at the call, as the client's transparent retries want it.
    /// const REFUSED_STREAM: u32 = 7;
    /// let script = Script::new()
    ///     .on("/shop.Orders/Get", Reply::reset(REFUSED_STREAM))
    ///     .on("/shop.Orders/Get", Reply::message(&"a book".to_owned()));
    /// # drop(script);
    /// ```
    pub fn reset(code: u32) -> Self {
        Self::empty().then_reset(code)
    }

    /// No answer: the connection is cut, with all calls on it.
    pub fn cut() -> Self {
        Self::empty().then_cut()
    }

    /// Then a message.
    #[must_use]
    pub fn then_message(self, message: &impl Message) -> Self {
        self.then_bytes(message.encode_to_vec())
    }

    /// Then a message that is encoded already.
    #[must_use]
    pub fn then_bytes(self, message: impl Into<Bytes>) -> Self {
        self.then(Step::Message(message.into()))
    }

    /// Then a pause, in tokio's time.
    #[must_use]
    pub fn then_delay(self, delay: Duration) -> Self {
        self.then(Step::Delay(delay))
    }

    /// Then ends the call with this status. Later parts of the reply are not sent.
    #[must_use]
    pub fn then_status(self, status: Status) -> Self {
        self.then(Step::Fail(status))
    }

    /// Then sends nothing more and leaves the call open. Later parts of the reply are not
    /// sent.
    #[must_use]
    pub fn then_hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// Then resets the stream in place of a status, with this HTTP/2 error code (RFC 9113
    /// section 7). Later parts of the reply are not sent.
    #[must_use]
    pub fn then_reset(self, code: u32) -> Self {
        self.then(Step::Reset(code))
    }

    /// Then closes the connection, with all calls on it, in place of a status and without
    /// GOAWAY; data sent before arrives. Later parts of the reply are not sent.
    ///
    /// ```
    /// use grpc_testing::Reply;
    ///
    /// // A stream that breaks off before its trailers.
    /// let reply = Reply::message(&"one".to_owned()).then_cut();
    /// # drop(reply);
    /// ```
    #[must_use]
    pub fn then_cut(self) -> Self {
        self.then(Step::Cut)
    }

    /// The connection takes no more calls: GOAWAY goes out behind the reply, and the calls that
    /// run come to their ends. It is for replies that end with a status.
    #[must_use]
    pub fn go_away(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// A pause before anything else, in tokio's time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use grpc_testing::Reply;
    ///
    /// let slow = Reply::message(&"late".to_owned()).delay(Duration::from_secs(3));
    /// # drop(slow);
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.steps.insert(0, Step::Delay(delay));
        self
    }

    /// Sets the metadata sent before the first message. It replaces earlier initial
    /// metadata.
    #[must_use]
    pub fn initial_metadata(mut self, metadata: Metadata) -> Self {
        self.initial = metadata;
        self
    }

    /// Sets the metadata sent after the last message or with a failure. It replaces earlier
    /// trailing metadata.
    ///
    /// ```
    /// use grpc_runtime::{Metadata, MetadataError};
    /// use grpc_testing::Reply;
    ///
    /// # fn main() -> Result<(), MetadataError> {
    /// let reply = Reply::message(&"hello".to_owned())
    ///     .trailing_metadata(Metadata::from_pairs([("x-cost", "7")])?);
    /// # drop(reply);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trailing_metadata(mut self, metadata: Metadata) -> Self {
        self.trailing = metadata;
        self
    }

    /// Begins the answer when `requests` messages have arrived, or when the client has sent
    /// its last one. Default: after the last one. With 0 the answer begins at once. Messages
    /// that arrive during the answer are [recorded](crate::RecordedCall) too.
    ///
    /// ```
    /// use grpc_runtime::Status;
    /// use grpc_testing::Reply;
    ///
    /// // An upload that is refused at its third part.
    /// let full = Status::resource_exhausted("the disk is full");
    /// let reply = Reply::status(full).after_requests(3);
    /// # drop(reply);
    /// ```
    #[must_use]
    pub fn after_requests(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
