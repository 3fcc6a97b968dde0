//! SETTINGS (RFC 9113 sections 6.5 and 6.5.2).

use bytes::{BufMut, BytesMut};

use super::{ACK, ErrorCode, FrameError, FrameHead, Kind, MAX_31_BITS};

/// The smallest frame size a peer may set as its greatest, and the default.
pub(crate) const MIN_MAX_FRAME_SIZE: u32 = 1 << 14;
/// The greatest frame size of all.
pub(crate) const MAX_MAX_FRAME_SIZE: u32 = (1 << 24) - 1;

/// The length of one setting on the wire.
const SETTING_LEN: usize = 6;

const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;

/// The settings of one frame; those it does not carry are `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The size of the sender's HPACK decoding table, in octets.
    pub(crate) header_table_size: Option<u32>,
    /// Whether the sender takes `PUSH_PROMISE`. A server must not send `true`
    /// (section 6.5.2), which the receiver checks, as it knows the roles.
    pub(crate) enable_push: Option<bool>,
    /// How many streams its peer may have open.
    pub(crate) max_concurrent_streams: Option<u32>,
    /// The window of new streams, in octets, below 2^31.
    pub(crate) initial_window_size: Option<u32>,
    /// The greatest payload the sender takes, 2^14 to 2^24 - 1 octets.
    pub(crate) max_frame_size: Option<u32>,
    /// The greatest header list the sender takes, in octets.
    pub(crate) max_header_list_size: Option<u32>,
}

/// A SETTINGS frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsFrame {
    /// The sender's settings.
    Settings(Settings),
    /// The sender has applied ours.
    Ack,
}

impl Settings {
    /// Reads the frame. If a setting occurs twice, the last value counts. Unknown settings
    /// are ignored.
    pub(crate) fn parse(head: FrameHead, payload: &[u8]) -> Result<SettingsFrame, FrameError> {
        if head.stream_id != 0 {
            return Err(FrameError::protocol("SETTINGS on a stream"));
        }
        if head.has(ACK) {
            return if payload.is_empty() {
                Ok(SettingsFrame::Ack)
            } else {
                Err(FrameError::size("SETTINGS acknowledgement with a payload"))
            };
        }
        let (chunks, []) = payload.as_chunks::<SETTING_LEN>() else {
            return Err(FrameError::size("SETTINGS not of whole settings"));
        };
        let mut settings = Self::default();
        for &[i0, i1, v0, v1, v2, v3] in chunks {
            let id = u16::from_be_bytes([i0, i1]);
            settings.set(id, u32::from_be_bytes([v0, v1, v2, v3]))?;
        }
        Ok(SettingsFrame::Settings(settings))
    }

    fn set(&mut self, id: u16, value: u32) -> Result<(), FrameError> {
        match id {
            HEADER_TABLE_SIZE => self.header_table_size = Some(value),
            ENABLE_PUSH => {
                self.enable_push = Some(match value {
                    0 => false,
                    1 => true,
                    _ => return Err(FrameError::protocol("ENABLE_PUSH neither 0 nor 1")),
                });
            }
            MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = Some(value),
            INITIAL_WINDOW_SIZE => {
                if value > MAX_31_BITS {
                    return Err(FrameError {
                        code: ErrorCode::FLOW_CONTROL_ERROR,
                        ..FrameError::protocol("INITIAL_WINDOW_SIZE above 2^31 - 1")
                    });
                }
                self.initial_window_size = Some(value);
            }
            MAX_FRAME_SIZE => {
                if !(MIN_MAX_FRAME_SIZE..=MAX_MAX_FRAME_SIZE).contains(&value) {
                    return Err(FrameError::protocol("MAX_FRAME_SIZE out of range"));
                }
                self.max_frame_size = Some(value);
            }
            MAX_HEADER_LIST_SIZE => self.max_header_list_size = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// Appends the frame, with the settings that are `Some`.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let settings = [
            (HEADER_TABLE_SIZE, self.header_table_size),
            (ENABLE_PUSH, self.enable_push.map(u32::from)),
            (MAX_CONCURRENT_STREAMS, self.max_concurrent_streams),
            (INITIAL_WINDOW_SIZE, self.initial_window_size),
            (MAX_FRAME_SIZE, self.max_frame_size),
            (MAX_HEADER_LIST_SIZE, self.max_header_list_size),
        ];
        let settings = settings
            .into_iter()
            .filter_map(|(id, value)| Some((id, value?)));
        let length = settings.clone().count() * SETTING_LEN;
        FrameHead::new(length as u32, Kind::SETTINGS, 0, 0).encode(out);
        for (id, value) in settings {
            out.put_u16(id);
            out.put_u32(value);
        }
    }

    /// Appends an acknowledgement.
    pub(crate) fn encode_ack(out: &mut BytesMut) {
        FrameHead::new(0, Kind::SETTINGS, ACK, 0).encode(out);
    }
}
