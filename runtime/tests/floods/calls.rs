//! Floods of calls that no client of ours would make: with too large heads, and such as hold
//! what the server's memory has for calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::HeaderMap;
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::support::{Echo, UNARY};
use super::{CALLS, CONNECTIONS, Code, Codes};

/// How long such a call holds what it was given: long enough that all of them come meanwhile.
const HELD: Duration = Duration::from_secs(5);

/// Between two calls of a caller: all callers together reset fewer than the 500 calls a second
/// that a server takes of a connection, whose flood would be over.
const PAUSE: Duration = Duration::from_millis(200);

/// What such a call is.
#[derive(Clone, Copy)]
pub(super) enum Hoard {
    /// A head of so many bytes, whose request does not end.
    Head(usize),
    /// A message of so many bytes, whose response is not taken.
    Response(usize),
}

/// The message behind its five bytes of prefix.
fn framed(message: &Echo) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

fn code(fields: &HeaderMap) -> Option<String> {
    let number = fields.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    Some(format!("{:?}", Code::from_i32(number)))
}

impl Hoard {
    /// One call's code; `None` if it holds what it has until it is reset.
    async fn call(self, requests: SendRequest<Bytes>) -> Option<String> {
        let Ok(mut requests) = requests.ready().await else {
            return Some("the connection is closed".into());
        };
        let padding = match self {
            Self::Head(bytes) => "p".repeat(bytes),
            Self::Response(_) => String::new(),
        };
        let request = http::Request::post(format!("http://localhost{}", UNARY.path()))
            .header("content-type", "application/grpc")
            .header("padding", padding)
            .body(())
            .unwrap();
        let (response, mut body) = requests.send_request(request, false).ok()?;
        if let Self::Response(bytes) = self {
            body.send_data(framed(&Echo::data(bytes)), true).ok()?;
        }
        let answered = async {
            let response = response.await.ok()?;
            if let Some(code) = code(response.headers()) {
                return Some(code);
            }
            let trailers = response.into_body().trailers().await.ok()??;
            code(&trailers)
        };
        timeout(HELD, answered).await.ok()?
    }

    pub(super) async fn flood(self, address: String, goes_on: Arc<AtomicBool>) -> Codes {
        let mut callers = Vec::new();
        for _ in 0..CONNECTIONS {
            let socket = TcpStream::connect(&address).await.unwrap();
            let client = h2::client::Builder::new()
                .initial_window_size(0)
                .handshake(socket);
            let (requests, connection) = client.await.unwrap();
            tokio::spawn(connection);
            for _ in 0..CALLS {
                let (requests, goes_on) = (requests.clone(), Arc::clone(&goes_on));
                callers.push(tokio::spawn(async move {
                    let mut codes = Codes::new();
                    // At least one, however short the flood is.
                    loop {
                        let code = self.call(requests.clone()).await;
                        *codes
                            .entry(code.unwrap_or_else(|| "held".into()))
                            .or_default() += 1;
                        if !goes_on.load(Ordering::Relaxed) {
                            return codes;
                        }
                        sleep(PAUSE).await;
                    }
                }));
            }
        }
        super::sum(callers).await
    }
}
