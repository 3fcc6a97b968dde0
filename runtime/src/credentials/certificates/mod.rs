//! Certificates that change while a program runs: the current ones, their source, and files
//! that are watched.

mod by_name;
mod files;
mod reload;
mod settling;
mod source;
mod validity;
mod value;

pub use self::files::{CertificateFiles, WatchedCertificates};
pub use self::reload::CertificateReload;
pub use self::source::CertificateSource;
pub use self::value::{Certificates, CertificatesBuilder};
