//! Certificates that change while a program runs: what is current, who says so, and
//! files that are looked at again. It must never shake hands.

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
