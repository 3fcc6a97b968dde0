//! A Unix socket that a server listens on, and the file that is its address.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct UnixListener {
    socket: tokio::net::UnixListener,
    address: String,
    /// The file that this server made, which goes with it.
    file: Option<PathBuf>,
}

impl UnixListener {
    /// Makes the socket and its file.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        remove_stale_socket(path)?;
        Ok(Self {
            socket: tokio::net::UnixListener::bind(path)?,
            address: format!("unix:{}", path.display()),
            file: Some(path.to_owned()),
        })
    }

    /// Takes over a socket that is already bound. Its file is not removed on drop.
    pub(crate) fn inherited(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: address_of(&listener),
            socket: tokio::net::UnixListener::from_std(listener)?,
            file: None,
        })
    }

    pub(crate) fn local_address(&self) -> String {
        self.address.clone()
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.socket.accept().await?;
        Ok(stream)
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Returns `unix:` and the path, or `unix-abstract:` and the name; `unix:` alone for a
/// socket without a path or name.
pub(super) fn address_of(listener: &std::os::unix::net::UnixListener) -> String {
    let Ok(address) = listener.local_addr() else {
        return "unix:".to_owned();
    };
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(&address) {
        return format!("unix-abstract:{}", name.escape_ascii());
    }
    let path = address.as_pathname().unwrap_or(Path::new(""));
    format!("unix:{}", path.display())
}

/// A socket file on which no process listens is left over from a process that was killed and
/// is removed; anything else at that path is left alone.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::net::UnixStream;
    match std::fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
