//! Whom a server believes when it is told for whom a connection is made. Values.

use std::net::IpAddr;

use crate::server::error::ServerError;
use crate::transport::PeerAddress;

/// The [PROXY protocol](https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt),
/// versions 1 and 2: a load balancer that passes TCP connections on (HAProxy, nginx,
/// Envoy, those of the clouds) says in their first bytes for whom. That address is then
/// the connection's own, as [`Context::peer`](crate::Context::peer),
/// [`on_accept`](crate::ServerBuilder::on_accept), limits and observers have it.
///
/// Anybody can write such a header, so it is believed of the named senders alone. Others
/// are refused, unless they [may come directly](Self::or_direct); whoever is trusted and
/// sends no header is refused, unless it is [optional](Self::or_absent). Observers are told
/// of each who is refused ([`ConnectionStep::Proxy`](crate::ConnectionStep::Proxy)).
///
/// The header comes ahead of TLS, within
/// [`Http2Options::handshake_timeout`](crate::Http2Options::handshake_timeout), which begins
/// anew for what follows, and has at most 107 bytes in version 1 and 4 KiB in version 2. A sender that speaks for itself
/// (LOCAL, a health check) or does not know (UNKNOWN) keeps its own address. What version 2
/// says besides is skipped. Of the connections of one address at most 1024 may be without
/// their header at a time; limits to connections count those that have come with one.
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
    /// What was no network.
    wrong: Option<String>,
    is_optional: bool,
    lets_others_in: bool,
}

/// What becomes of a connection, by who made it.
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
    /// Believes these senders: addresses, and networks as `10.0.0.0/8`. What is neither is
    /// an error when the server starts.
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

    /// Lets those who are trusted come without a header too, as themselves: while a balancer
    /// is switched over, say. Of TCP alone; on other streams it is always expected.
    ///
    /// As long as the balancer writes no header, whoever is behind it may write one: until
    /// it does, decide nothing by addresses.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Lets those who are not trusted in as themselves, as the health checks of an
    /// orchestrator that pass by the balancer. A header of theirs is no TLS and no HTTP/2,
    /// so that they are refused with it.
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

    /// Who has no address of the network reached a socket of this machine, or was given
    /// to the server by the program: whoever lets them do that trusts them.
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
