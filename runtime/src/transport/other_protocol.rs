//! Peers that speak something else than HTTP/2, and what tells it.

/// How a TLS server answers what is no TLS: a record of type alert (RFC 8446
/// section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];

/// Whether a TLS server refuses what it takes for no TLS.
pub(super) fn is_tls_alert(input: &[u8]) -> bool {
    input.starts_with(TLS_ALERT)
}

/// What a server says that does not begin with a frame of SETTINGS but with a line of
/// text: a web server, a proxy or something else.
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
