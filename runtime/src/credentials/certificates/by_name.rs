//! Selects the certificate that a server shows to a client by the requested name (SNI, RFC
//! 6066 section 3), and the one that a channel shows to a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureScheme, pki_types::CertificateDer};

/// Certificates in their order, and the names in them.
#[derive(Debug, Default)]
pub(crate) struct ByName {
    keys: Vec<Arc<CertifiedKey>>,
    /// In lower case. A name that begins with `*.` matches one more label.
    names: BTreeMap<String, Vec<usize>>,
}

impl ByName {
    pub(super) fn push(&mut self, key: Arc<CertifiedKey>) {
        let place = self.keys.len();
        for name in names(key.cert.first()) {
            let places = self.names.entry(name).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        self.keys.push(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &CertifiedKey> {
        self.keys.iter().map(Arc::as_ref)
    }

    /// The first certificate with this name whose key the client can verify; the first of
    /// all if no certificate has the name, or the client asks for no name.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let named = name.map(|name| self.named(&name.to_ascii_lowercase()));
        let named = named.unwrap_or_default();
        let suits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let mut suiting = named.iter().filter_map(|place| self.keys.get(*place));
        let chosen = suiting.find(suits);
        let chosen = chosen.or_else(|| self.keys.iter().find(suits));
        chosen.or(self.keys.first()).map(Arc::clone)
    }

    fn named(&self, name: &str) -> &[usize] {
        let exact = self.names.get(name);
        let found = exact.or_else(|| {
            let (_, domain) = name.split_once('.')?;
            self.names.get(&format!("*.{domain}"))
        });
        found.map_or(&[], Vec::as_slice)
    }
}

fn names(certificate: Option<&CertificateDer<'_>>) -> Vec<String> {
    let own = certificate.map(webpki::EndEntityCert::try_from);
    let own = own.and_then(Result::ok);
    let names = own.iter().flat_map(|own| own.valid_dns_names());
    names.map(str::to_ascii_lowercase).collect()
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

impl ResolvesClientCert for ByName {
    fn resolve(
        &self,
        _acceptable: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.choose(None, schemes)
    }

    fn has_certs(&self) -> bool {
        !self.is_empty()
    }
}
