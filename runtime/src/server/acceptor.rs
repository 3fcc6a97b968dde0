//! The accept loops: one for each address or stream of connections. Each passes accepted
//! connections to the [`Door`]. A loop does not wait for a client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::connection_source::ConnectionSource;
use super::door::Door;
use super::listener::Listener;
use super::proxy_protocol::{ProxyProtocol, SenderVerdict, real_address};
use crate::clock;
use crate::credentials::ServerSecurity;
use crate::observe::connection::ConnectionStep;
use crate::observe::observation::FailedStep;
use crate::transport::PeerAddress;
use crate::transport::io::Io;

/// After an accept that failed (no descriptors left, say) a loop waits so
/// long before the next.
const PAUSE: Duration = Duration::from_millis(100);
/// How many headers of the PROXY protocol a loop awaits at once. A balancer sends its
/// header with the first bytes, so few are under way; the limits to connections come
/// behind it, since they go by the address that it names.
const HEADERS: usize = 1024;

/// One accept loop: its source of connections, and the [`Door`] that admits them.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) origin: Origin,
    pub(super) security: ServerSecurity,
    pub(super) proxy: Option<ProxyProtocol>,
}

#[derive(Debug)]
pub(super) enum Origin {
    Listener(Listener),
    Source(ConnectionSource),
}

impl Acceptor {
    /// `None` if the source is a stream of connections, which has no address.
    pub(super) fn local_address(&self) -> Option<String> {
        match &self.origin {
            Origin::Listener(listener) => Some(listener.local_address()),
            Origin::Source(_) => None,
        }
    }

    /// Accepts until it is aborted, or there are no more.
    pub(super) async fn run(self, door: Arc<Door>) {
        let Self {
            mut origin,
            security,
            proxy,
        } = self;
        // Connections whose PROXY header has not arrived. They are cut when the loop ends.
        let mut headers = JoinSet::new();
        while let Some(accepted) = origin.accept().await {
            while headers.try_join_next().is_some() {}
            match (accepted, &proxy) {
                (Ok((io, address)), None) => door.enter(io, address, &security),
                (Ok((io, address)), Some(proxy)) => {
                    let (door, security) = (Arc::clone(&door), security.clone());
                    match proxy.judge(&address) {
                        SenderVerdict::Direct => door.enter(io, address, &security),
                        SenderVerdict::Refused => refuse(&door, &address, UNTRUSTED),
                        SenderVerdict::Proxied { .. } if headers.len() >= HEADERS => {
                            refuse(&door, &address, TOO_MANY);
                        }
                        SenderVerdict::Proxied { is_optional } => {
                            headers.spawn(proxied(door, io, address, security, is_optional));
                        }
                    }
                }
                // The client left before it was accepted.
                (Err(error), _) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                (Err(error), _) => {
                    door.cannot_accept(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        // The end of a stream does not cut connections whose header is still awaited.
        while headers.join_next().await.is_some() {}
    }
}

impl Origin {
    /// `None` once there are no more.
    async fn accept(&mut self) -> Option<io::Result<(Io, PeerAddress)>> {
        match self {
            Self::Listener(listener) => Some(listener.accept().await),
            Self::Source(source) => loop {
                let accepted = source.accept().await?;
                let with_peer = |io: Io| io.peer().map(|address| (io, address));
                // A socket that has lost its other end is dropped.
                if let Some(accepted) = accepted.map(with_peer).transpose() {
                    return Some(accepted);
                }
            },
        }
    }
}

/// Reads the PROXY header and admits the connection with the client address from it.
async fn proxied(
    door: Arc<Door>,
    mut io: Io,
    sender: PeerAddress,
    security: ServerSecurity,
    is_optional: bool,
) {
    let begun = clock::now();
    let limit = door.handshake_timeout();
    let header = tokio::time::timeout(limit, real_address(&mut io, is_optional));
    let error = match header.await {
        Ok(Ok(Some(real))) => return door.enter(io, PeerAddress::Tcp(real), &security),
        Ok(Ok(None)) => return door.enter(io, sender, &security),
        Ok(Err(error)) => error,
        Err(_) => {
            let text = format!("it did not come within {limit:?}");
            io::Error::new(io::ErrorKind::TimedOut, text)
        }
    };
    let reason = format!("no header of the PROXY protocol: {error}");
    let failure = FailedStep {
        step: ConnectionStep::Proxy,
        reason: &reason,
        source: Some(&error),
    };
    door.turn_away(&sender, &failure, begun);
}

const UNTRUSTED: &str =
    "it is none of the senders that ProxyProtocol trusts, and others may not come directly";
const TOO_MANY: &str = "1024 connections of balancers have not yet sent their header";

fn refuse(door: &Door, sender: &PeerAddress, reason: &str) {
    let failure = FailedStep {
        step: ConnectionStep::Proxy,
        reason,
        source: None,
    };
    door.turn_away(sender, &failure, clock::now());
}
