//! A Unix socket that a server listens on, and the file that is its address.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

/// A socket whose file is removed when the server stops listening.
#[derive(Debug)]
pub(crate) struct UnixListener {
    socket: tokio::net::UnixListener,
    path: PathBuf,
}

impl UnixListener {
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        remove_stale_socket(path)?;
        let socket = tokio::net::UnixListener::bind(path)?;
        let path = path.to_owned();
        Ok(Self { socket, path })
    }

    pub(crate) fn local_address(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        let (stream, _) = self.socket.accept().await?;
        Ok(stream)
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A socket file that nobody listens on is left over from a process that was
/// killed; anything else at that path is not ours to remove.
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
