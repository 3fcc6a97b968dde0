//! A client of bare frames that keeps to every window it is given, and to nothing
//! else: what it sends is never finished. It must never send more than it may.

use std::collections::HashMap;
use std::io::{Read, Write};
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

pub(crate) struct Sender {
    socket: TcpStream,
    windows: Arc<Mutex<Windows>>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

impl Sender {
    pub(crate) fn connect(address: &str) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        let windows = Arc::new(Mutex::new(Windows {
            connection: 65_535,
            initial: 65_535,
            ..Windows::default()
        }));
        let mut input = socket.try_clone().unwrap();
        let shared = Arc::clone(&windows);
        thread::spawn(move || while read_frame(&mut input, &shared).is_ok() {});
        Self { socket, windows }
    }

    pub(crate) fn open(&mut self, stream: u32, path: &str) {
        let head = frame(HEADERS, END_HEADERS, stream, &block(path));
        self.socket.write_all(&head).unwrap();
    }

    /// Sends at most `bytes` of `stream`; how many it was.
    pub(crate) fn send(&mut self, stream: u32, bytes: &[u8]) -> usize {
        let mut windows = self.windows.lock().unwrap();
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
            self.socket.write_all(&data).unwrap();
        }
        length
    }

    pub(crate) fn is_told_to_leave(&self) -> bool {
        self.windows.lock().unwrap().told_to_leave
    }
}

fn read_frame(socket: &mut TcpStream, windows: &Mutex<Windows>) -> std::io::Result<()> {
    let mut head = [0; 9];
    socket.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload)?;
    let number = |bytes: &[u8]| i64::from(u32::from_be_bytes(bytes.try_into().unwrap()));
    let mut windows = windows.lock().unwrap();
    match head[3] {
        SETTINGS if head[4] & ACK == 0 => {
            for setting in payload.chunks(6) {
                if u16::from_be_bytes([setting[0], setting[1]]) == INITIAL_WINDOW_SIZE {
                    windows.initial = number(&setting[2..]);
                }
            }
            // Under the lock: what is sent after this keeps to it.
            socket.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
        }
        WINDOW_UPDATE if stream == 0 => windows.connection += number(&payload),
        WINDOW_UPDATE => *windows.streams.entry(stream).or_default() += number(&payload),
        GOAWAY => windows.told_to_leave = true,
        _ => {}
    }
    Ok(())
}

impl Drop for Sender {
    /// The thread that reads has a handle of its own.
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
