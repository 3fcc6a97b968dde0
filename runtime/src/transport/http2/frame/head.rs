//! The nine octets in front of every frame (RFC 9113 section 4.1).

use bytes::BytesMut;

/// A frame's kind. Other values are legal, and such frames are ignored (section 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) u8);

impl Kind {
    pub(crate) const DATA: Self = Self(0x0);
    pub(crate) const HEADERS: Self = Self(0x1);
    pub(crate) const PRIORITY: Self = Self(0x2);
    pub(crate) const RST_STREAM: Self = Self(0x3);
    pub(crate) const SETTINGS: Self = Self(0x4);
    pub(crate) const PUSH_PROMISE: Self = Self(0x5);
    pub(crate) const PING: Self = Self(0x6);
    pub(crate) const GOAWAY: Self = Self(0x7);
    pub(crate) const WINDOW_UPDATE: Self = Self(0x8);
    pub(crate) const CONTINUATION: Self = Self(0x9);
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// The length of the payload in octets, below 2^24.
    pub(crate) length: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// Below 2^31; zero is the connection.
    pub(crate) stream_id: u32,
}

impl FrameHead {
    /// The length of a head on the wire.
    pub(crate) const LEN: usize = 9;

    /// A head for a frame with `length` octets of payload.
    #[inline]
    pub(super) const fn new(length: u32, kind: Kind, flags: u8, stream_id: u32) -> Self {
        Self {
            length,
            kind,
            flags,
            stream_id,
        }
    }

    /// Reads a head. Any nine octets are valid.
    #[inline]
    pub(crate) const fn parse(octets: &[u8; Self::LEN]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *octets;
        Self {
            length: u32::from_be_bytes([l0, l1, l2, kind]) >> 8,
            kind: Kind(kind),
            flags,
            // The reserved bit is ignored.
            stream_id: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    /// The encoded head.
    #[inline]
    pub(crate) const fn octets(self) -> [u8; Self::LEN] {
        let [_, l0, l1, l2] = self.length.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream_id.to_be_bytes();
        [l0, l1, l2, self.kind.0, self.flags, s0, s1, s2, s3]
    }

    /// Appends the head.
    #[inline]
    pub(crate) fn encode(self, out: &mut BytesMut) {
        out.extend_from_slice(&self.octets());
    }

    /// Whether one of the bits of `flag` is set.
    #[inline]
    pub(crate) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
