//! A client of bare frames, whose socket may stop taking them. Its waits for the server are
//! bounded.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What is gathered before a write.
const BATCH: usize = 64 << 10;
/// A socket that takes nothing for so long takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Attacker {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// The server takes no more.
    stopped: bool,
}

/// A request's head in literals (RFC 7541 section 6.2.2).
pub(crate) fn block(path: &str) -> Vec<u8> {
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // :method POST, :scheme http, and :path and content-type by their names.
    [
        vec![0x83, 0x86, 0x04],
        literal(path),
        vec![0x0f, 0x10],
        literal("application/grpc"),
    ]
    .concat()
}

/// A frame's kind and payload.
fn read_frame(socket: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload)?;
    Ok((head[3], payload))
}

impl Attacker {
    /// Connects and says what a client says first, with these settings.
    pub(crate) fn connect(address: &str, settings: &[u8]) -> Self {
        Self::begin(TcpStream::connect(address).unwrap(), settings)
    }

    /// The same where the system takes next to nothing of what the server says.
    pub(crate) fn connect_deaf(address: &str, settings: &[u8]) -> Self {
        let address = address.parse().unwrap();
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(4 << 10)?;
            socket.connect(address).await?.into_std()
        };
        let socket = Runtime::new().unwrap().block_on(connect).unwrap();
        socket.set_nonblocking(false).unwrap();
        Self::begin(socket, settings)
    }

    fn begin(socket: TcpStream, settings: &[u8]) -> Self {
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut attacker = Self {
            socket,
            bytes: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            stopped: false,
        };
        attacker.frame(SETTINGS, 0, 0, settings);
        attacker
    }

    /// Sends a frame; `false` once the server takes none.
    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.bytes.extend_from_slice(&length[1..]);
        self.bytes.extend_from_slice(&[kind, flags]);
        self.bytes.extend_from_slice(&stream.to_be_bytes());
        self.bytes.extend_from_slice(payload);
        if self.bytes.len() >= BATCH {
            return self.flush();
        }
        !self.stopped
    }

    /// The server may send so much more on the stream, or on the connection with 0.
    pub(crate) fn widen(&mut self, stream: u32, increment: u32) {
        self.frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
    }

    pub(crate) fn head(&mut self, stream: u32, path: &str, flags: u8) -> bool {
        self.frame(HEADERS, END_HEADERS | flags, stream, &block(path))
    }

    /// Whether the server took all there was.
    pub(crate) fn flush(&mut self) -> bool {
        if !self.stopped {
            self.stopped = self.socket.write_all(&self.bytes).is_err();
        }
        self.bytes.clear();
        !self.stopped
    }

    /// Waits until the server has seen all that was sent, and has not closed the
    /// connection: it answers a PING that comes behind it.
    pub(crate) fn heard_out(&mut self) {
        self.frame(PING, 0, 0, b"heard me");
        assert!(self.flush(), "the server takes no more");
        self.socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        loop {
            let (kind, payload) = read_frame(&mut self.socket).unwrap();
            assert_ne!(kind, GOAWAY, "{payload:?}");
            if kind == PING && payload == b"heard me" {
                return;
            }
        }
    }

    /// Reads meanwhile, until the server closes the connection; with which code of
    /// GOAWAY it did.
    pub(crate) fn told_to_leave(&self) -> JoinHandle<Option<u32>> {
        let mut socket = self.socket.try_clone().unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        std::thread::spawn(move || {
            let mut told = None;
            while let Ok((kind, payload)) = read_frame(&mut socket) {
                if kind == GOAWAY {
                    told = payload[4..8].try_into().ok().map(u32::from_be_bytes);
                }
            }
            told
        })
    }
}

impl Drop for Attacker {
    /// The thread that reads has a handle of its own.
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
