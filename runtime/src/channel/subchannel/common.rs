//! What all subchannels of a channel have in common. A value.

use super::dial::Dial;
use crate::channel::backoff::Waits;
use crate::transport::Http2Options;
use crate::transport::http2::options::UpkeepOptions;

#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) dial: Dial,
    pub(crate) http2: Http2Options,
    pub(crate) upkeep: UpkeepOptions,
    pub(crate) backoff: Waits,
}
