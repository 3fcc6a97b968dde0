//! Reads the header off a connection, and no byte behind it.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::progress::{HeaderFault, HeaderProgress};
use super::{header, version_2};
use crate::transport::io::Io;

/// Between two looks at a connection whose first bytes could still be both.
const PAUSE: Duration = Duration::from_millis(1);

/// For whom the connection is made; `None` for the sender itself.
pub(crate) async fn real_address(
    io: &mut Io,
    is_optional: bool,
) -> io::Result<Option<std::net::SocketAddr>> {
    if let Io::Tcp(socket) = io
        && is_optional
        && !has_header(socket).await?
    {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(64);
    loop {
        let progress = header::read(&bytes);
        let more = match progress.map_err(|fault| invalid(&fault))? {
            HeaderProgress::Names(address) => return Ok(address),
            HeaderProgress::Needs(more) => more,
        };
        let before = bytes.len();
        let read = io.take(more as u64).read_buf(&mut bytes).await?;
        if read == 0 {
            let text = format!("the connection ended within it, after {before} bytes");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
    }
}

/// Looks at the first bytes without taking them.
async fn has_header(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0; version_2::SIGNATURE.len()];
    loop {
        let there = socket.peek(&mut first).await?;
        if header::read(&first[..there]) == Err(HeaderFault::Absent) {
            return Ok(false);
        }
        // So many tell `PROXY` from HTTP/2's `PRI`. Where the connection has ended, reading
        // tells.
        if there >= 3 || there == 0 {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn invalid(fault: &HeaderFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
}
