//! Errors of making a channel. Values only.

use super::target::TargetError;

/// Why a channel could not be made. An unreachable target is not among these: calls to it
/// fail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelError {
    /// The text is not a target.
    Target(TargetError),
    /// The text is not a valid `:authority`, or not a name that a certificate can have.
    Authority {
        /// The given text.
        authority: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The text is not a valid value of the header field `user-agent`.
    UserAgent(String),
    /// The channel has no resolver for targets of this scheme.
    Scheme {
        /// The given target.
        target: String,
        /// Its scheme.
        scheme: String,
    },
    /// The text does not name a proxy.
    Proxy {
        /// The given text, without user name and password.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl std::fmt::Display for ChannelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Authority { authority, reason } => write!(
                f,
                "'{}' cannot be the channel's authority: {reason}; expected a host name or an IP \
                 address, with a port or without",
                authority.escape_debug()
            ),
            Self::Scheme { target, scheme } => write!(
                f,
                "'{target}' has a scheme that the channel has no resolver for: give it one by \
                 ChannelBuilder::resolver, or leave out '{scheme}://' for a name that the system \
                 resolves"
            ),
            Self::Proxy { url, reason } => write!(
                f,
                "'{}' is not a proxy: {reason}; expected 'http://host:port' or \
                 'http://user:password@host:port'",
                url.escape_debug()
            ),
            Self::UserAgent(text) => write!(
                f,
                "'{}' cannot be the channel's user agent: it is not printable ASCII",
                text.escape_debug()
            ),
        }
    }
}

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Target(error) => Some(error),
            Self::Authority { .. }
            | Self::UserAgent(_)
            | Self::Scheme { .. }
            | Self::Proxy { .. } => None,
        }
    }
}

impl From<TargetError> for ChannelError {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}
