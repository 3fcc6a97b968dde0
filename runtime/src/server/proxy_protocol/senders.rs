//! The senders whose PROXY headers a server trusts. Values only.

use std::net::IpAddr;

use crate::server::error::ServerError;
use crate::transport::PeerAddress;

/// The [PROXY protocol](https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt),
/// versions 1 and 2: a load balancer that forwards TCP connections (HAProxy, nginx, Envoy,
/// those of the clouds) sends the client's address in their first bytes.
/// [`Context::peer`](crate::Context::peer), [`on_accept`](crate::ServerBuilder::on_accept),
/// limits and observers then use that address.
///
/// Any client can send such a header, so it is accepted only from the named senders. Others
/// are refused, unless they [may connect directly](Self::or_direct); a trusted sender
/// without a header is refused, unless the header is [optional](Self::or_absent). Observers
/// get each refusal ([`ConnectionStep::Proxy`](crate::ConnectionStep::Proxy)).
///
/// The header comes ahead of TLS, within
/// [`Http2Options::handshake_timeout`](crate::Http2Options::handshake_timeout), which starts
/// again after the header, and has at most 107 bytes in version 1 and 4 KiB in version 2.
/// With LOCAL (the sender's own connection, for example a health check) or UNKNOWN the
/// connection keeps the sender's address. Further fields of version 2 are skipped. Each
/// listening address awaits at most 1024 headers at a time; limits of connections count a
/// connection once its header has arrived.
///
/// ```
/// use grpc_runtime::{ListenOptions, ProxyProtocol, Server};
///
/// let balancers = ProxyProtocol::trusting(["10.0.0.0/8", "2001:db8:7::/48"]);
/// let server = Server::builder()
///     .listen_with_options("[::]:50051", ListenOptions::new().proxy_protocol(balancers));
/// # drop(server);
/// ```
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    trusted: Vec<Network>,
    /// The first text that is not an address or a network.
    wrong: Option<String>,
    is_optional: bool,
    lets_others_in: bool,
}

/// How a connection is treated, by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SenderVerdict {
    /// It begins with a header, or, if that is optional, with none.
    Proxied {
        is_optional: bool,
    },
    Direct,
    Refused,
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    first: IpAddr,
    bits: u32,
}

impl ProxyProtocol {
    /// Trusts these senders: addresses, and networks such as `10.0.0.0/8`. With any other
    /// text the server fails to start.
    pub fn trusting<S: AsRef<str>>(senders: impl IntoIterator<Item = S>) -> Self {
        let mut all = Self {
            trusted: Vec::new(),
            wrong: None,
            is_optional: false,
            lets_others_in: false,
        };
        for sender in senders {
            match Network::parse(sender.as_ref()) {
                Some(network) => all.trusted.push(network),
                None => all.wrong = Some(sender.as_ref().to_owned()),
            }
        }
        all
    }

    /// Also accepts connections of trusted senders without a header, under the sender's
    /// address: for example while a balancer is reconfigured. For TCP only; other streams
    /// always need a header.
    ///
    /// As long as the balancer writes no header, whoever is behind it may write one: until
    /// it does, decide nothing by addresses.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Accepts connections of senders that are not trusted under their own address, for
    /// example health checks of an orchestrator that bypass the balancer. If such a sender
    /// sends a header, the connection fails, since a header is neither TLS nor HTTP/2.
    #[must_use]
    pub fn or_direct(mut self) -> Self {
        self.lets_others_in = true;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ServerError> {
        let wrong = |sender: &String| ServerError::ProxySender {
            sender: sender.clone(),
        };
        self.wrong.as_ref().map(wrong).map_or(Ok(()), Err)
    }

    /// A sender without an IP address uses a Unix socket of this machine or was passed to
    /// the server by the program, so it is trusted.
    pub(crate) fn judge(&self, sender: &PeerAddress) -> SenderVerdict {
        let (is_trusted, is_tcp) = match sender {
            PeerAddress::Tcp(address) => {
                let address = address.ip().to_canonical();
                (self.trusted.iter().any(|it| it.has(address)), true)
            }
            _ => (true, false),
        };
        match (is_trusted, self.lets_others_in) {
            (true, _) => SenderVerdict::Proxied {
                is_optional: self.is_optional && is_tcp,
            },
            (false, true) => SenderVerdict::Direct,
            (false, false) => SenderVerdict::Refused,
        }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().ok()?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits: u32 = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
        };
        if bits > most {
            return None;
        }
        // Senders are compared as IPv4 where they are that, however their sockets have them.
        match first.to_canonical() {
            plain @ IpAddr::V4(_) if most == 128 => Some(Self {
                first: plain,
                bits: bits.checked_sub(96)?,
            }),
            first => Some(Self { first, bits }),
        }
    }

    fn has(self, address: IpAddr) -> bool {
        let differ = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros()
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differ >= self.bits
    }
}

#[cfg(test)]
mod tests;
