//! Google's service accounts: a key file, and the tokens that the client signs with it (a
//! JWT instead of an access token, <https://google.aip.dev/auth/4111>). Errors and `Debug`
//! do not show the key.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rustls::SignatureScheme;
use rustls::sign::Signer;
use serde_json::{Value, json};

use super::call::CallCredentials;
use super::error::CredentialsError;
use super::pem;
use super::request::AuthRequest;
use super::token::{Token, TokenSource};
use crate::clock;
use crate::status::{Code, Status};

const INPUT: &str = "service account key";
/// The longest lifetime that Google permits.
const LIFE: Duration = Duration::from_secs(3_600);

impl CallCredentials {
    /// Tokens of a Google service account, signed on this machine without asking a server.
    /// `json` is the content of the account's key file.
    ///
    /// Each service that is called has its own JWT (RS256, valid for 1 h) with the audience
    /// `https://host/package.Service`, renewed as [`from_tokens`](Self::from_tokens)
    /// describes. Signing takes about a millisecond.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grpc_runtime::{CallCredentials, Channel, ChannelCredentials};
    ///
    /// let key = std::fs::read_to_string("account.json")?;
    /// let account = CallCredentials::service_account(&key)?;
    /// let credentials = ChannelCredentials::tls().build()?.with_call_credentials(account);
    /// let channel = Channel::new("pubsub.googleapis.com:443", credentials)?;
    /// # drop(channel);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `json` is not JSON, its `type` is not `service_account`, the field `client_email`,
    /// `private_key_id` or `private_key` is missing, or the key is not an RSA key in PEM.
    /// The error names the field.
    pub fn service_account(json: &str) -> Result<Self, CredentialsError> {
        ServiceAccount::read(json).map(Self::from_tokens)
    }
}

struct ServiceAccount {
    email: String,
    /// The encoded header, which is the same in all tokens.
    header: String,
    signer: Box<dyn Signer>,
}

impl ServiceAccount {
    fn read(json: &str) -> Result<Self, CredentialsError> {
        let file: Value = serde_json::from_str(json).map_err(|error| {
            let problem = format!("it is not JSON: {error}");
            CredentialsError::caused_by(INPUT, problem, error)
        })?;
        let kind = field(&file, "type")?;
        if kind != "service_account" {
            let kind = kind.escape_debug();
            let problem = format!("its field \"type\" is '{kind}', not 'service_account'");
            return Err(CredentialsError::new(INPUT, problem));
        }
        let key_id = field(&file, "private_key_id")?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
        Ok(Self {
            email: field(&file, "client_email")?.to_owned(),
            header: BASE64.encode(header.to_string()),
            signer: signer(field(&file, "private_key")?)?,
        })
    }

    /// A token for `audience` that is valid from `now`.
    fn sign(&self, audience: &str, now: SystemTime) -> Result<String, rustls::Error> {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = json!({
            "iss": self.email,
            "sub": self.email,
            "aud": audience,
            "iat": issued.as_secs(),
            "exp": issued.saturating_add(LIFE).as_secs(),
        });
        let mut token = format!("{}.{}", self.header, BASE64.encode(claims.to_string()));
        let signature = self.signer.sign(token.as_bytes())?;
        token.push('.');
        BASE64.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl TokenSource for ServiceAccount {
    async fn token(&self, request: &AuthRequest) -> Result<Token, Status> {
        let signed = self.sign(&request.service_url, clock::wall());
        let text = signed.map_err(|error| {
            let text = format!("a service account's token cannot be signed: {error}");
            Status::new(Code::Internal, text).with_source(error)
        })?;
        Ok(Token::bearer(&text)?.expires_in(LIFE))
    }
}

/// Without the key.
impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

fn field<'a>(file: &'a Value, name: &str) -> Result<&'a str, CredentialsError> {
    let problem = match file.get(name) {
        Some(Value::String(text)) if !text.is_empty() => return Ok(text),
        Some(_) => format!("its field \"{name}\" is no text, or is empty"),
        None => format!("it has no field \"{name}\""),
    };
    Err(CredentialsError::new(INPUT, problem))
}

fn signer(text: &str) -> Result<Box<dyn Signer>, CredentialsError> {
    let der = pem::private_key(text.as_bytes()).map_err(|error| {
        let problem = format!("its field \"private_key\": {error}");
        CredentialsError::caused_by(INPUT, problem, error)
    })?;
    let key = rustls::crypto::ring::sign::any_supported_type(&der).map_err(|error| {
        let problem = format!("its field \"private_key\" is no key that can sign: {error}");
        CredentialsError::caused_by(INPUT, problem, error)
    })?;
    key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
        .ok_or_else(|| {
            let problem = "its field \"private_key\" is no RSA key";
            CredentialsError::new(INPUT, problem)
        })
}

#[cfg(test)]
mod tests;
