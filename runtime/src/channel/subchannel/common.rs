//! What all subchannels of a channel share. A value.

use std::sync::Arc;

use super::dial::Dial;
use crate::channel::backoff::Waits;
use crate::channel::record::ChannelRecord;
use crate::transport::Http2Options;
use crate::transport::http2::options::UpkeepOptions;

#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) dial: Dial,
    pub(crate) http2: Http2Options,
    pub(crate) upkeep: UpkeepOptions,
    pub(crate) backoff: Waits,
    pub(crate) record: Arc<ChannelRecord>,
}
