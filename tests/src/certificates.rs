//! Certificates that live as long as a test: an authority, and what it signs.
//! Made anew each time, so nothing here expires and no key is worth stealing.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Who signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub struct Identity {
    /// The certificate.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// One that nobody trusts but who is given its [`roots`](Self::roots).
    ///
    /// # Errors
    /// No key could be made.
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate whose issuer has its own name for self-signed.
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        CertifiedIssuer::self_signed(params, KeyPair::generate()?).map(Self)
    }

    /// Its own certificate, in PEM: what the others have to trust.
    pub fn roots(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, which may be addresses, and may begin with
    /// `*.`; for a server or a client.
    ///
    /// # Errors
    /// A name is none, or no key could be made.
    pub fn issue(&self, names: &[&str]) -> Result<Identity, rcgen::Error> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.0)?;
        Ok(Identity {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// The files of an authority and a server, for programs that take them as such.
pub struct Files {
    /// The authority's certificate, `ca.pem`.
    pub roots: PathBuf,
    /// The server's certificate, `server.pem`.
    pub chain: PathBuf,
    /// The server's key, `server.key`.
    pub key: PathBuf,
}

impl Files {
    /// Makes a server of these names, and writes it and its authority into a
    /// folder, which is made if it is not there.
    ///
    /// # Errors
    /// A name is none, or the folder cannot be written to.
    pub fn write(
        folder: &Path,
        authority: &Authority,
        names: &[&str],
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let server = authority.issue(names)?;
        let files = Self {
            roots: folder.join("ca.pem"),
            chain: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        fs::create_dir_all(folder)?;
        fs::write(&files.roots, authority.roots())?;
        fs::write(&files.chain, server.chain)?;
        fs::write(&files.key, server.key)?;
        Ok(files)
    }
}
