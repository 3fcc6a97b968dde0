//! Certificates, keys and roots out of PEM text, and the errors that say what is
//! wrong with it. It must never let a key's bytes into an error.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::CredentialsError;

/// The cryptography of every configuration that is made here. It is named each
/// time: a provider of the whole process would be somebody else's choice.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate chain, the end entity's certificate first, and its key.
pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) fn identity(chain: &[u8], key: &[u8]) -> Result<Identity, CredentialsError> {
    Ok((certificates("certificate chain", chain)?, private_key(key)?))
}

fn certificates(
    input: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| broken(input, error))?;
    if certificates.is_empty() {
        return Err(missing(input, "CERTIFICATE", pem));
    }
    Ok(certificates)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CredentialsError> {
    const INPUT: &str = "private key";
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) if contains(pem, b"ENCRYPTED PRIVATE KEY") => {
            let problem = "it is encrypted; give it decrypted (openssl pkey -in … -out …)";
            Err(CredentialsError::new(INPUT, problem))
        }
        Err(PemError::NoItemsFound) => Err(missing(INPUT, "PRIVATE KEY", pem)),
        Err(error) => Err(broken(INPUT, error)),
    }
}

/// Roots to trust. Every one of them must be usable.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, CredentialsError> {
    const INPUT: &str = "root certificates";
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates(INPUT, pem)?.into_iter().enumerate() {
        store.add(certificate).map_err(|error| {
            let problem = format!("number {} is no X.509 certificate: {error}", index + 1);
            CredentialsError::caused_by(INPUT, problem, error)
        })?;
    }
    Ok(store)
}

/// The roots that the operating system trusts.
pub(super) fn platform_roots() -> Result<RootCertStore, CredentialsError> {
    const INPUT: &str = "root certificates of this system";
    const ADVICE: &str = "install them (on Debian: ca-certificates), name their file in \
                          SSL_CERT_FILE, or give roots with ClientTls::roots";
    let mut found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    // Systems keep some that nobody can read; one good root is enough to work.
    let (added, _) = store.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(store);
    }
    Err(match found.errors.pop() {
        Some(error) => CredentialsError::caused_by(
            INPUT,
            format!("none can be read: {error}; {ADVICE}"),
            error,
        ),
        None => CredentialsError::new(INPUT, format!("there are none; {ADVICE}")),
    })
}

/// What rustls has against an identity.
pub(super) fn refused(error: rustls::Error) -> CredentialsError {
    let input = "certificate chain and private key";
    let problem = match &error {
        rustls::Error::InconsistentKeys(_) => {
            "the key is not that of the first certificate; the chain begins with the certificate \
             that the key belongs to"
                .to_owned()
        }
        error => error.to_string(),
    };
    CredentialsError::caused_by(input, problem, error)
}

fn missing(input: &'static str, label: &str, pem: &[u8]) -> CredentialsError {
    let form = if pem.is_empty() {
        "it is empty"
    } else if pem.starts_with(&[0x30]) {
        "it looks like DER; convert it (openssl … -inform DER -outform PEM)"
    } else {
        "there is none in this text"
    };
    let problem = format!("expected PEM, '-----BEGIN {label}-----' and so on: {form}");
    CredentialsError::new(input, problem)
}

fn broken(input: &'static str, error: PemError) -> CredentialsError {
    let problem = match &error {
        PemError::MissingSectionEnd { end_marker } => {
            let label = end_marker.escape_ascii();
            format!("the PEM text is cut off: '-----END {label}-----' is missing")
        }
        // The line may be anything, a part of a key too.
        PemError::IllegalSectionStart { .. } => {
            let problem = "a line that begins with '-----BEGIN' does not end in '-----'";
            return CredentialsError::new(input, problem);
        }
        PemError::Base64Decode(_) => "the PEM text is garbled: it is not base64".to_owned(),
        error => error.to_string(),
    };
    CredentialsError::caused_by(input, problem, error)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
