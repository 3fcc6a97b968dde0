//! One end of a connection, as the byte stream that HTTP/2 runs over.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use crate::link::Link;
use crate::pipe::{End, Read};

/// An end of a connection over a link. Dropped, it closes.
#[derive(Debug)]
pub(crate) struct Wire {
    link: Link,
    id: u64,
    end: End,
    /// Until something arrives.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(crate) fn new(link: Link, id: u64, end: End) -> Self {
        Self {
            link,
            id,
            end,
            timer: None,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let limit = buf.remaining();
            match self.link.read(self.id, self.end, limit, cx.waker())? {
                Read::Bytes(bytes) => {
                    buf.put_slice(&bytes);
                    return Poll::Ready(Ok(()));
                }
                Read::End => return Poll::Ready(Ok(())),
                Read::Sleep => return Poll::Pending,
                Read::Wait(until) => {
                    let timer = self
                        .timer
                        .get_or_insert_with(|| Box::pin(sleep_until(until)));
                    if timer.deadline() != until {
                        timer.as_mut().reset(until);
                    }
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.timer = None;
                }
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.link.write(self.id, self.end, bytes, cx.waker())
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.finish(self.id, self.end);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.link.leave(self.id, self.end);
    }
}
