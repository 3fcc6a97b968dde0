//! What every connection of a channel says of itself in each request. A value.

use std::sync::Arc;

use crate::call::request_head::RequestTemplate;
use crate::framing::Encodings;

#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) authority: Arc<str>,
    pub(crate) template: RequestTemplate,
    /// What responses may be compressed with.
    pub(crate) encodings: Encodings,
}
