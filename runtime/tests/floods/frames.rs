//! Floods of bare frames: connections that break a limit of HTTP/2, each anew once the server
//! has closed the one before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{BOUND, BREATH, CONNECTIONS, Codes};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_HEADERS: u8 = 4;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The frames of one write.
const BATCH: u32 = 100;

/// What such a connection says.
#[derive(Clone, Copy)]
pub(super) enum Frames {
    /// Calls that it resets.
    Resets,
    Pings,
    Settings,
    /// Not a byte.
    Nothing,
    /// The beginning of a header block.
    UnfinishedHead,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// A request's head in literals (RFC 7541 section 6.2.2).
fn head() -> Vec<u8> {
    let literal = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // :method POST, :scheme http, and :path and content-type by their names.
    let names = [vec![0x83, 0x86, 0x04], literal("/test.Echo/Unary")].concat();
    [names, vec![0x0f, 0x10], literal("application/grpc")].concat()
}

impl Frames {
    /// The next frames; `None` if the connection says no more.
    fn batch(self, first: u32) -> Option<Vec<u8>> {
        let many = |make: &dyn Fn(u32) -> Vec<u8>| {
            let frames = (first * BATCH..(first + 1) * BATCH).map(make);
            Some(frames.collect::<Vec<_>>().concat())
        };
        match self {
            Self::Resets => many(&|call| {
                let stream = 2 * call + 1;
                let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
                [frame(HEADERS, END_HEADERS, stream, &head()), reset].concat()
            }),
            Self::Pings => many(&|_| frame(PING, 0, 0, &[7; 8])),
            Self::Settings => many(&|_| frame(SETTINGS, 0, 0, &[])),
            Self::UnfinishedHead if first == 0 => Some(frame(HEADERS, 0, 1, &head())),
            Self::Nothing | Self::UnfinishedHead => None,
        }
    }

    /// Makes one connection. How the server closed it: with which code of GOAWAY, if with
    /// one.
    async fn connection(self, address: &str) -> String {
        let (mut reads, mut writes) = TcpStream::connect(address).await.unwrap().into_split();
        let writing = tokio::spawn(async move {
            if !matches!(self, Self::Nothing) {
                writes.write_all(PREFACE).await?;
            }
            for first in 0.. {
                let Some(batch) = self.batch(first) else {
                    break;
                };
                writes.write_all(&batch).await?;
            }
            Ok::<_, std::io::Error>(writes)
        });
        let mut told: Option<h2::Reason> = None;
        let reading = async {
            let mut head = [0; 9];
            while reads.read_exact(&mut head).await.is_ok() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                if reads.read_exact(&mut payload).await.is_err() {
                    break;
                }
                if head[3] == GOAWAY {
                    let code = u32::from_be_bytes(payload[4..8].try_into().unwrap());
                    told = Some(h2::Reason::from(code));
                }
            }
        };
        timeout(BOUND, reading).await.expect("it is not closed");
        writing.abort();
        told.map_or_else(|| "closed".into(), |reason| reason.description().into())
    }

    pub(super) async fn flood(self, address: String, goes_on: Arc<AtomicBool>) -> Codes {
        let mut floods = Vec::new();
        for _ in 0..CONNECTIONS {
            let (address, goes_on) = (address.clone(), Arc::clone(&goes_on));
            floods.push(tokio::spawn(async move {
                let mut codes = Codes::new();
                // At least one, however short the flood is.
                loop {
                    *codes.entry(self.connection(&address).await).or_default() += 1;
                    if !goes_on.load(Ordering::Relaxed) {
                        return codes;
                    }
                    sleep(BREATH).await;
                }
            }));
        }
        super::sum(floods).await
    }
}
