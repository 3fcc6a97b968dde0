//! Plain connections and TLS, and the certificates of a run. The certificates
//! are made anew for each run, and measured processes find them by their
//! environment.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::Error;

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Plain,
    Tls,
}

/// Whom certificates are for; the address is another.
pub const SERVER_NAME: &str = "localhost";

/// Where a measured process finds the folder of certificates.
const VARIABLE: &str = "BENCH_CERTIFICATES";

const ROOTS: &str = "roots.pem";
const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";

/// The certificates of a run, for as long as this lives.
#[derive(Debug)]
pub struct Certificates(tempfile::TempDir);

/// A server's chain and its key, in PEM.
#[derive(Debug)]
pub struct Identity {
    pub chain: String,
    pub key: String,
}

impl Certificates {
    pub fn make() -> Result<Self, Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let chain =
            CertificateParams::new([SERVER_NAME.to_owned()])?.signed_by(&key, &authority)?;

        let folder = tempfile::tempdir()?;
        let write = |name: &str, pem: String| std::fs::write(folder.path().join(name), pem);
        write(ROOTS, authority.pem())?;
        write(CHAIN, chain.pem())?;
        write(KEY, key.serialize_pem())?;
        Ok(Self(folder))
    }

    /// Tells a process that is about to start where they are.
    pub fn tell(&self, command: &mut Command) {
        command.env(VARIABLE, self.0.path());
    }
}

/// What a client trusts, in PEM.
pub fn roots() -> Result<String, Error> {
    read(ROOTS)
}

/// What a server shows.
pub fn identity() -> Result<Identity, Error> {
    Ok(Identity {
        chain: read(CHAIN)?,
        key: read(KEY)?,
    })
}

fn read(name: &str) -> Result<String, Error> {
    let folder = std::env::var_os(VARIABLE).ok_or("no certificates were made")?;
    Ok(std::fs::read_to_string(Path::new(&folder).join(name))?)
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        })
    }
}

impl FromStr for Security {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "plain" => Ok(Self::Plain),
            "tls" => Ok(Self::Tls),
            _ => Err(format!("no security is called '{word}'").into()),
        }
    }
}
