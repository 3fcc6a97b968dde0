//! The verified identity of a peer: its certificates and the names in them.

use bytes::Bytes;

/// The certificates of a peer that the handshake has verified, and the names in them.
#[derive(Debug)]
pub(crate) struct PeerIdentity {
    /// In DER, the peer's own certificate first.
    pub(crate) certificates: Vec<Bytes>,
    /// The names in the peer's own certificate, in its order.
    pub(crate) dns_names: Vec<String>,
    pub(crate) uri_names: Vec<String>,
}

#[cfg(feature = "tls")]
impl PeerIdentity {
    /// From a chain that the handshake has verified. A certificate that only a custom
    /// verifier can parse has no names here.
    pub(super) fn of(chain: &[rustls::pki_types::CertificateDer<'_>]) -> Self {
        let own = chain.first().map(webpki::EndEntityCert::try_from);
        let own = own.and_then(Result::ok);
        let names = own.as_ref().map(|own| {
            let dns_names = own.valid_dns_names().map(str::to_owned).collect();
            (
                dns_names,
                own.valid_uri_names().map(str::to_owned).collect(),
            )
        });
        let (dns_names, uri_names) = names.unwrap_or_default();
        Self {
            certificates: chain
                .iter()
                .map(|der| Bytes::copy_from_slice(der))
                .collect(),
            dns_names,
            uri_names,
        }
    }
}
