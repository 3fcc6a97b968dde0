//! A certificate authority for one test.

use grpc_runtime::{ChannelCredentials, ClientTls, ServerCredentials, ServerTls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A chain and its key, in PEM.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        // A name of its own: one of the same name would be taken for this one.
        let name = format!("authority {:x?}", &key.public_key_raw()[..8]);
        Self::named(&name, key)
    }

    pub(crate) fn named(name: &str, key: KeyPair) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn roots(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    /// A certificate for a key that is there already.
    pub(crate) fn issue_to(&self, key: &KeyPair, names: &[&str]) -> Identity {
        self.sign(key, names, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        self.sign(&KeyPair::generate().unwrap(), names, change)
    }

    fn sign(
        &self,
        key: &KeyPair,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(key, &self.0).unwrap();
        Identity {
            chain: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }

    /// A server for this machine.
    pub(crate) fn server(&self) -> ServerTls {
        let identity = self.issue(&["localhost", "127.0.0.1"]);
        ServerCredentials::tls(identity.chain, identity.key)
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> ClientTls {
        ChannelCredentials::tls().roots(self.roots())
    }
}
