//! Recognizes peers that speak another protocol than HTTP/2, for the error text.

/// The answer of a TLS server to a peer without TLS: a record of type alert (RFC 8446
/// section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];

/// Whether the input is a TLS server's refusal of a peer without TLS.
pub(super) fn is_tls_alert(input: &[u8]) -> bool {
    input.starts_with(TLS_ALERT)
}

/// Describes a server whose first bytes are a line of text instead of a SETTINGS frame: a
/// web server, a proxy or something else.
pub(super) fn told_by(input: &[u8]) -> Option<String> {
    const FRAME_HEAD: usize = 9;
    const SETTINGS: u8 = 4;
    const SHOWN: usize = 80;
    if input.len() < FRAME_HEAD || input[3] == SETTINGS {
        return None;
    }
    let line = input.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let line = std::str::from_utf8(line.get(..SHOWN).unwrap_or(line)).ok()?;
    if line.len() < FRAME_HEAD || line.contains(|c: char| !matches!(c, ' '..='~')) {
        return None;
    }
    Some(match line.split(' ').next() {
        Some(version) if version.starts_with("HTTP/") => {
            format!("it speaks {version} on this port, not HTTP/2: '{line}'")
        }
        _ => format!("it does not speak HTTP/2 on this port: '{line}'"),
    })
}
