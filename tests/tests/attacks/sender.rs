//! A client of bare frames that keeps to every window it is given, and to nothing else: what it
//! sends is never finished.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::attacker::{DATA, END_HEADERS, GOAWAY, HEADERS, SETTINGS, WINDOW_UPDATE, block};

const FRAME: i64 = 16 << 10;
const ACK: u8 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// What the server lets the client send.
#[derive(Default)]
struct Windows {
    connection: i64,
    /// What a stream may send from its beginning on.
    initial: i64,
    /// What it was given besides, and what it has sent.
    streams: HashMap<u32, i64>,
    told_to_leave: bool,
}

/// What the thread that sends and the one that reads have together.
struct Shared {
    socket: TcpStream,
    /// Held for a frame at a time: a write that the socket takes in parts lets another
    /// thread's in between.
    writing: Mutex<()>,
    windows: Mutex<Windows>,
}

impl Shared {
    fn write(&self, frame: &[u8]) -> io::Result<()> {
        let _whole = self.writing.lock().unwrap();
        (&self.socket).write_all(frame)
    }
}

pub(crate) struct Sender(Arc<Shared>);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

impl Sender {
    pub(crate) fn connect(address: &str) -> Self {
        Self::connect_with(address, &[])
    }

    /// Connects and says these settings.
    pub(crate) fn connect_with(address: &str, settings: &[u8]) -> Self {
        let shared = Arc::new(Shared {
            socket: TcpStream::connect(address).unwrap(),
            writing: Mutex::default(),
            windows: Mutex::new(Windows {
                connection: 65_535,
                initial: 65_535,
                ..Windows::default()
            }),
        });
        shared.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        shared.write(&frame(SETTINGS, 0, 0, settings)).unwrap();
        let reader = Arc::clone(&shared);
        thread::spawn(move || while read_frame(&reader).is_ok() {});
        Self(shared)
    }

    pub(crate) fn open(&mut self, stream: u32, path: &str) {
        let head = frame(HEADERS, END_HEADERS, stream, &block(path));
        self.0.write(&head).unwrap();
    }

    /// Sends at most `bytes` of `stream`; how many it was.
    pub(crate) fn send(&mut self, stream: u32, bytes: &[u8]) -> usize {
        let mut windows = self.0.windows.lock().unwrap();
        let initial = windows.initial;
        let connection = windows.connection;
        let own = windows.streams.entry(stream).or_default();
        let room = (initial + *own).min(connection).clamp(0, FRAME);
        let length = bytes.len().min(usize::try_from(room).unwrap());
        if length > 0 {
            let sent = i64::try_from(length).unwrap();
            *own -= sent;
            windows.connection -= sent;
            drop(windows);
            let data = frame(DATA, 0, stream, &bytes[..length]);
            self.0.write(&data).unwrap();
        }
        length
    }

    pub(crate) fn is_told_to_leave(&self) -> bool {
        self.0.windows.lock().unwrap().told_to_leave
    }
}

fn read_frame(shared: &Shared) -> io::Result<()> {
    let mut socket = &shared.socket;
    let mut head = [0; 9];
    socket.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload)?;
    let number = |bytes: &[u8]| i64::from(u32::from_be_bytes(bytes.try_into().unwrap()));
    let mut windows = shared.windows.lock().unwrap();
    match head[3] {
        SETTINGS if head[4] & ACK == 0 => {
            for setting in payload.chunks(6) {
                if u16::from_be_bytes([setting[0], setting[1]]) == INITIAL_WINDOW_SIZE {
                    windows.initial = number(&setting[2..]);
                }
            }
            // Under the lock: what is taken from the windows after this keeps to it.
            shared.write(&frame(SETTINGS, ACK, 0, &[]))?;
        }
        WINDOW_UPDATE if stream == 0 => windows.connection += number(&payload),
        WINDOW_UPDATE => *windows.streams.entry(stream).or_default() += number(&payload),
        GOAWAY => windows.told_to_leave = true,
        _ => {}
    }
    Ok(())
}

impl Drop for Sender {
    /// The thread that reads has the socket too.
    fn drop(&mut self) {
        let _ = self.0.socket.shutdown(Shutdown::Both);
    }
}
