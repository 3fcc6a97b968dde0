//! Certificates, keys and roots out of PEM text, and the errors that say what is wrong with it.
//! An error contains no bytes of a key.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::CredentialsError;

/// The cryptography provider of every configuration that is built here. It is passed
/// explicitly, because the provider of the process belongs to the application.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate chain, the end entity's certificate first, and its key.
pub(super) type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(super) fn identity(chain: &[u8], key: &[u8]) -> Result<ChainAndKey, CredentialsError> {
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

pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, CredentialsError> {
    const INPUT: &str = "private key";
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(pem) => {
            let problem = "it is encrypted; give it decrypted (openssl pkey -in … -out …)";
            Err(CredentialsError::new(INPUT, problem))
        }
        Err(PemError::NoItemsFound) => Err(missing(INPUT, "PRIVATE KEY", pem)),
        Err(error) => Err(broken(INPUT, error)),
    }
}

/// PKCS #8 has a separate label for encrypted keys; older forms have a line within the
/// section.
fn is_encrypted(pem: &[u8]) -> bool {
    labels(pem).any(|label| label == b"ENCRYPTED PRIVATE KEY")
        || contains(pem, b"Proc-Type: 4,ENCRYPTED")
}

/// Roots to trust. Every one of them must be usable.
pub(super) fn roots(input: &'static str, pem: &[u8]) -> Result<RootCertStore, CredentialsError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates(input, pem)?.into_iter().enumerate() {
        store.add(certificate).map_err(|error| {
            let problem = format!("number {} is no X.509 certificate: {error}", index + 1);
            CredentialsError::caused_by(input, problem, error)
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
    // Systems have some roots that cannot be parsed; one usable root is enough.
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

/// The error for an identity that rustls refuses.
pub(super) fn refused(error: rustls::Error) -> CredentialsError {
    let (input, problem) = match &error {
        rustls::Error::InconsistentKeys(_) => (
            "certificate chain and private key",
            "the key is not that of the first certificate; the chain begins with the certificate \
             that the key belongs to"
                .to_owned(),
        ),
        rustls::Error::InvalidCertificate(_) => (
            "certificate chain",
            format!("the first one is no X.509 certificate: {error}"),
        ),
        error => ("certificate chain and private key", error.to_string()),
    };
    CredentialsError::caused_by(input, problem, error)
}

/// The error for a text without a section of this label. It says what the text is instead,
/// by its form only, so that no key gets into the error.
fn missing(input: &'static str, label: &str, pem: &[u8]) -> CredentialsError {
    const NAME_MAX: usize = 256;
    let found = labels(pem).map(|found| format!("'{}'", found.escape_ascii()));
    let found: BTreeSet<_> = found.collect();
    let form = if !found.is_empty() {
        let found: Vec<_> = found.into_iter().collect();
        format!("this text has {} instead", found.join(" and "))
    } else if pem.is_empty() {
        "it is empty".to_owned()
    } else if pem.starts_with(&[0x30]) {
        "it looks like DER; convert it (openssl … -inform DER -outform PEM)".to_owned()
    } else if pem.len() <= NAME_MAX && !pem.trim_ascii().contains(&b'\n') {
        "this looks like a file's name; give what is in the file (std::fs::read)".to_owned()
    } else {
        "there is none in this text".to_owned()
    };
    let problem = format!("expected PEM, '-----BEGIN {label}-----' and so on: {form}");
    CredentialsError::new(input, problem)
}

/// The labels of the sections in a PEM text.
fn labels(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    pem.split(|byte| b"\r\n".contains(byte)).filter_map(|line| {
        let line = line.trim_ascii_end().strip_prefix(b"-----BEGIN ")?;
        line.strip_suffix(b"-----").filter(|label| is_label(label))
    })
}

/// Whether the text is a label only. A key that lost its line breaks stands between the same
/// dashes.
fn is_label(text: &[u8]) -> bool {
    let in_labels = |byte: &u8| byte.is_ascii_uppercase() || b"0123456789 ".contains(byte);
    text.len() < 40 && text.iter().all(in_labels)
}

fn broken(input: &'static str, error: PemError) -> CredentialsError {
    let problem = match &error {
        PemError::MissingSectionEnd { end_marker } if is_label(end_marker) => {
            let label = end_marker.escape_ascii();
            format!("the PEM text is cut off: '-----END {label}-----' is missing")
        }
        // The line may be anything, even a whole key, so the error leaves it out.
        PemError::MissingSectionEnd { .. } | PemError::IllegalSectionStart { .. } => {
            let problem = "a '-----BEGIN …-----' does not stand on a line of its own; were the \
                           text's line breaks lost?";
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
