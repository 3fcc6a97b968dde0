//! A server's end of one HTTP/2 connection, frame by frame. It keeps to flow
//! control, so that what it does wrong is what its script does wrong.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// What RFC 9113 lets us send before anything was said about it.
const FRAME: usize = 16_384;
const WINDOW: i64 = 65_535;
/// Requests never wait for credit.
const OUR_WINDOW: u32 = 1 << 30;

/// What the server says of itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) max_concurrent_streams: Option<u32>,
}

pub(crate) struct Connection {
    socket: TcpStream,
    output: Vec<u8>,
    /// The client's windows: what it still takes from us.
    window: i64,
    initial_window: i64,
    streams: BTreeMap<u32, Stream>,
    /// The bytes of the client's PING acknowledgements.
    pub(crate) acknowledged: Vec<[u8; 8]>,
}

struct Stream {
    window: i64,
    /// The client's half has ended and `request` has not told it yet.
    complete: bool,
}

impl Connection {
    pub(crate) fn accept(socket: TcpStream, settings: Settings, bound: Duration) -> Self {
        socket.set_read_timeout(Some(bound)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut connection = Self {
            socket,
            output: Vec::new(),
            window: WINDOW,
            initial_window: WINDOW,
            streams: BTreeMap::new(),
            acknowledged: Vec::new(),
        };
        let mut preface = [0; 24];
        connection.socket.read_exact(&mut preface).unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut list = setting(INITIAL_WINDOW_SIZE, OUR_WINDOW);
        if let Some(limit) = settings.max_concurrent_streams {
            list.extend(setting(MAX_CONCURRENT_STREAMS, limit));
        }
        connection.frame(SETTINGS, 0, 0, &list);
        connection.frame(WINDOW_UPDATE, 0, 0, &OUR_WINDOW.to_be_bytes());
        connection
    }

    /// Waits for the end of a request, and gives its stream.
    pub(crate) fn request(&mut self) -> u32 {
        loop {
            let mut streams = self.streams.iter_mut();
            if let Some((&id, stream)) = streams.find(|(_, stream)| stream.complete) {
                stream.complete = false;
                return id;
            }
            self.read().expect("the connection ended before a request");
        }
    }

    /// The streams that neither side has ended.
    pub(crate) fn open_streams(&self) -> Vec<u32> {
        self.streams.keys().copied().collect()
    }

    pub(crate) fn head(&mut self, stream: u32) {
        // `:status: 200` of the static table, and a literal.
        let mut block = vec![0x88];
        literal("content-type", "application/grpc", &mut block);
        self.frame(HEADERS, END_HEADERS, stream, &block);
    }

    pub(crate) fn trailers(&mut self, stream: u32) {
        let mut block = Vec::new();
        literal("grpc-status", "0", &mut block);
        self.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        self.streams.remove(&stream);
        self.flush();
    }

    /// Sends bytes as the client makes room for them; with 255 bytes of padding
    /// in each frame, if asked to.
    pub(crate) fn data(&mut self, stream: u32, bytes: &[u8], padded: bool) {
        const PADDING: [u8; 255] = [0; 255];
        for piece in bytes.chunks(FRAME - 256) {
            let payload = if padded {
                [&[255], piece, &PADDING].concat()
            } else {
                piece.to_vec()
            };
            let cost = i64::try_from(payload.len()).unwrap();
            while cost > self.window.min(self.streams[&stream].window) {
                self.read()
                    .expect("the connection ended before there was room");
            }
            self.window -= cost;
            self.streams.get_mut(&stream).unwrap().window -= cost;
            let flags = if padded { PADDED } else { 0 };
            self.frame(DATA, flags, stream, &payload);
        }
    }

    pub(crate) fn reset(&mut self, stream: u32, reason: u32) {
        self.frame(RST_STREAM, 0, stream, &reason.to_be_bytes());
        self.streams.remove(&stream);
        self.flush();
    }

    pub(crate) fn go_away(&mut self, last: u32) {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        self.frame(GOAWAY, 0, 0, &payload);
    }

    pub(crate) fn ping(&mut self, bytes: [u8; 8]) {
        self.frame(PING, 0, 0, &bytes);
    }

    /// Reads until the client closes the connection.
    pub(crate) fn until_closed(&mut self) {
        while self.read().is_some() {}
    }

    /// Sends what there is, then takes a frame: its type and flags. `None` at the
    /// connection's end.
    pub(crate) fn read(&mut self) -> Option<(u8, u8)> {
        self.flush();
        let mut head = [0; 9];
        match self.socket.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no frame came: {error}"),
        }
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.socket.read_exact(&mut payload).unwrap();
        self.take(kind, flags, u32::from_be_bytes(id), &payload);
        Some((kind, flags))
    }

    fn take(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        match kind {
            HEADERS => {
                assert_ne!(flags & END_HEADERS, 0, "a request of several frames");
                let window = self.initial_window;
                let complete = flags & END_STREAM != 0;
                self.streams.insert(id, Stream { window, complete });
            }
            DATA if flags & END_STREAM != 0 => {
                self.streams.get_mut(&id).unwrap().complete = true;
            }
            RST_STREAM => {
                self.streams.remove(&id);
            }
            SETTINGS if flags & ACK == 0 => {
                for setting in payload.chunks(6) {
                    let value = i64::from(number(&setting[2..]));
                    if setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                        for stream in self.streams.values_mut() {
                            stream.window += value - self.initial_window;
                        }
                        self.initial_window = value;
                    }
                }
                self.frame(SETTINGS, ACK, 0, &[]);
            }
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, payload),
            PING => self.acknowledged.push(payload.try_into().unwrap()),
            WINDOW_UPDATE => {
                let credit = i64::from(number(payload));
                if id == 0 {
                    self.window += credit;
                } else if let Some(stream) = self.streams.get_mut(&id) {
                    stream.window += credit;
                }
            }
            _ => {}
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.output.extend(&length[1..]);
        self.output.extend([kind, flags]);
        self.output.extend(stream.to_be_bytes());
        self.output.extend(payload);
    }

    /// A client that is gone is found out by reading.
    fn flush(&mut self) {
        let _ = self.socket.write_all(&self.output);
        self.output.clear();
    }
}

fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// A field that enters no table (RFC 7541, section 6.2.2), both lengths below 127.
fn literal(name: &str, value: &str, block: &mut Vec<u8>) {
    block.push(0);
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend(text.as_bytes());
    }
}
