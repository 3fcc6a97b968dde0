//! Why a body cannot be decompressed. Values.

use std::borrow::Cow;

/// The codec's description of the error.
pub(super) type FaultReason = Cow<'static, str>;

/// Why a body cannot be decompressed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The output would exceed the limit.
    TooLarge,
    /// The input ended too soon.
    Truncated,
    /// This many bytes follow the end of the compressed data.
    Trailing(usize),
    /// The input is malformed, with the codec's description.
    Corrupt(FaultReason),
}

impl Fault {
    pub(super) fn reason(self) -> FaultReason {
        match self {
            Self::TooLarge => "it is too large".into(),
            Self::Truncated => "it ends before its compressed data does".into(),
            Self::Trailing(count) => {
                format!("{count} bytes follow the end of its compressed data").into()
            }
            Self::Corrupt(reason) => reason,
        }
    }
}
