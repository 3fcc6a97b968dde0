//! A header of the PROXY protocol, version 1 or 2, as its bytes come
//! (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>). Sans-IO. It asks for no
//! byte behind the header.

use super::progress::{HeaderFault, HeaderProgress};
use super::{version_1, version_2};

/// Reads the first bytes of a connection. The caller passes at most as many bytes as were
/// asked for, so that no byte after the header is consumed.
pub(super) fn read(bytes: &[u8]) -> Result<HeaderProgress, HeaderFault> {
    let is_one = |signature: &[u8]| {
        let length = bytes.len().min(signature.len());
        bytes[..length] == signature[..length]
    };
    if is_one(version_1::SIGNATURE) {
        version_1::read(bytes)
    } else if is_one(version_2::SIGNATURE) {
        version_2::read(bytes)
    } else {
        Err(HeaderFault::Absent)
    }
}

#[cfg(test)]
mod tests;
