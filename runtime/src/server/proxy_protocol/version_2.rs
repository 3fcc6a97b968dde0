//! Version 2 of the header: binary, with addresses and further fields (section 2.2). Fields
//! after the addresses are skipped.

use std::net::{IpAddr, SocketAddr};

use super::progress::{HeaderFault, HeaderProgress};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and protocol, and the length of the rest.
const FIXED: usize = SIGNATURE.len() + 4;
/// A header is at most so long, though its length could say 64 KiB: certificates in
/// its fields are the most that is sent.
pub(super) const LONGEST: usize = 4 << 10;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Of bytes that begin with the signature, or a part of it.
pub(super) fn read(bytes: &[u8]) -> Result<HeaderProgress, HeaderFault> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(HeaderProgress::Needs(FIXED - bytes.len()));
    };
    let [.., command, family, high, low] = *fixed;
    if command != LOCAL && command != PROXY {
        return Err(HeaderFault::Malformed(
            "version 2: neither LOCAL nor PROXY of this version",
        ));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > LONGEST {
        return Err(HeaderFault::Malformed("version 2: longer than 4 KiB"));
    }
    if rest.len() < length {
        return Ok(HeaderProgress::Needs(length - rest.len()));
    }
    let source = match (command, family) {
        (PROXY, TCP_OVER_IPV4) => address::<4>(&rest[..length])?,
        (PROXY, TCP_OVER_IPV6) => address::<16>(&rest[..length])?,
        // UDP addresses and Unix paths are ignored: a TCP connection does not come from
        // them.
        _ => return Ok(HeaderProgress::Names(None)),
    };
    Ok(HeaderProgress::Names(Some(source)))
}

/// Source, destination, and the port of each.
fn address<const N: usize>(fields: &[u8]) -> Result<SocketAddr, HeaderFault>
where
    IpAddr: From<[u8; N]>,
{
    const MALFORMED: HeaderFault =
        HeaderFault::Malformed("version 2: too short for the addresses that it announces");
    let (source, rest) = fields.split_first_chunk::<N>().ok_or(MALFORMED)?;
    let (_destination, rest) = rest.split_first_chunk::<N>().ok_or(MALFORMED)?;
    let (port, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
    let _port: &[u8; 2] = rest.first_chunk().ok_or(MALFORMED)?;
    Ok(SocketAddr::new(
        IpAddr::from(*source),
        u16::from_be_bytes(*port),
    ))
}
