//! Why a body cannot be decompressed. Values.

use std::borrow::Cow;

/// What is wrong, in the codec's words.
pub(super) type FaultReason = Cow<'static, str>;

/// Why a body cannot be decompressed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There would be more than the limit.
    TooLarge,
    /// The input ended too soon.
    Truncated,
    /// So many bytes follow the end of the compressed data.
    Trailing(usize),
    /// It breaks its format: what the codec says of it.
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
