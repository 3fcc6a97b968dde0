//! Typed details of a status, sent as one encoded `google.rpc.Status`. Received details that
//! cannot be read do not fail the call.

use bytes::Bytes;
use prost::{DecodeError, Message, Name};
use prost_types::Any;

use super::{Status, rpc};

impl Status {
    /// The same status with one more detail: a message of [`rpc`](crate::rpc),
    /// or one of your own that has a [`Name`].
    ///
    /// ```
    /// use grpc_runtime::Status;
    /// use grpc_runtime::rpc::{BadRequest, RetryInfo, bad_request::FieldViolation};
    ///
    /// let violation = FieldViolation::new("page", "pages start at 1");
    /// let status = Status::invalid_argument("no such page")
    ///     .with_detail(&BadRequest::new([violation]));
    ///
    /// // on the other side
    /// let wrong = status.detail::<BadRequest>().unwrap();
    /// assert_eq!(wrong.field_violations[0].field, "page");
    /// assert_eq!(status.detail::<RetryInfo>(), None);
    /// ```
    #[must_use]
    pub fn with_detail<M: Message + Name>(self, detail: &M) -> Self {
        // Details that cannot be read are replaced.
        let mut content = self.rpc_status().unwrap_or_default();
        content.code = self.code().as_i32();
        self.message().clone_into(&mut content.message);
        content.details.push(Any {
            type_url: type_url::<M>(),
            value: detail.encode_to_vec(),
        });
        self.with_details(content.encode_to_vec())
    }

    /// The first detail of type `M`; `None` if there is none, or if the peer sent details
    /// that cannot be read. [`rpc_status`](Self::rpc_status) distinguishes the two.
    pub fn detail<M: Message + Name + Default>(&self) -> Option<M> {
        let content = self.rpc_status().ok()?;
        let name = M::full_name();
        // The host before the name has no meaning.
        let any = content
            .details
            .iter()
            .find(|any| any.type_url.rsplit('/').next() == Some(&name))?;
        M::decode(any.value.as_slice()).ok()
    }

    /// All details, of unknown types too. Empty if there are none.
    ///
    /// # Errors
    /// The peer sent details that are not a `google.rpc.Status`.
    pub fn rpc_status(&self) -> Result<rpc::Status, DecodeError> {
        if self.details().is_empty() {
            return Ok(rpc::Status {
                code: self.code().as_i32(),
                message: self.message().to_owned(),
                details: Vec::new(),
            });
        }
        rpc::Status::decode(self.details().clone())
    }

    /// The same status with its details replaced: an encoded `google.rpc.Status`, sent as
    /// `grpc-status-details-bin`. The code and message in it are not compared with the
    /// status's own, which are the ones that count.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Self {
        self.0.details = details.into();
        self
    }

    /// The details: an encoded `google.rpc.Status`, as the peer sent it. Empty
    /// if there are none.
    pub fn details(&self) -> &Bytes {
        &self.0.details
    }
}

/// prost's default leaves the host out; C++ and Java cannot read an `Any` without one.
fn type_url<M: Name>() -> String {
    let url = M::type_url();
    if url.starts_with('/') {
        format!("type.googleapis.com{url}")
    } else {
        url
    }
}

#[cfg(test)]
mod tests;
