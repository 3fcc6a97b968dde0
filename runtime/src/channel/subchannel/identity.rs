//! The names of a channel's connections, and what they send about themselves in each
//! request. Values only.

use std::sync::Arc;

use super::security::Security;
use crate::call::request_head::RequestTemplate;
use crate::channel::error::ChannelError;
use crate::credentials::ClientSecurity;
use crate::framing::Encodings;

/// What a connection sends about itself in each request.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) authority: Arc<str>,
    pub(crate) template: RequestTemplate,
    /// The encodings accepted in responses.
    pub(crate) encodings: Encodings,
}

/// What the program sets for all connections of a channel, whatever they lead to.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) security: ClientSecurity,
    /// The authority that the program set.
    pub(crate) authority: Option<String>,
    pub(crate) encodings: Encodings,
    pub(crate) user_agent: String,
}

impl Naming {
    /// The security and identity of a connection. Its authority is `default`, unless the
    /// program set another one.
    pub(crate) fn settle(&self, default: &str) -> Result<(Security, Arc<Identity>), ChannelError> {
        let given = self.authority.clone();
        let (security, authority) = Security::settle(&self.security, given, default)?;
        let accept_encoding = if self.encodings.is_plain() {
            String::new()
        } else {
            self.encodings.list()
        };
        let identity = Identity {
            template: RequestTemplate::new(
                security.scheme(),
                &authority,
                &accept_encoding,
                &self.user_agent,
            ),
            authority: authority.into(),
            encodings: self.encodings,
        };
        Ok((security, Arc::new(identity)))
    }
}
