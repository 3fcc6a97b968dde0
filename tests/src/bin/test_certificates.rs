//! Writes an authority's certificate and one that it signed for a server, for the
//! programs of `tests/interop`: `test_certificates FOLDER NAME…` makes `ca.pem`,
//! `server.pem` and `server.key`, and `renewed/` with those that the same authority signs
//! next. A machine need not have openssl.

use std::path::Path;

use grpc_tests::certificates::{Authority, Files};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [folder, ref names @ ..] if !names.is_empty() => {
            let (folder, authority) = (Path::new(folder), Authority::new()?);
            Files::write(folder, &authority, names)?;
            Files::write(&folder.join("renewed"), &authority, names)?;
            Ok(())
        }
        _ => Err("usage: test_certificates FOLDER NAME...".into()),
    }
}
