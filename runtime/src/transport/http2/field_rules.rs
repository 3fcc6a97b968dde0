//! What makes a header block malformed: RFC 9113 sections 8.2 and 8.3. It
//! judges a list of fields and must never know gRPC's own rules.

use super::fields::Fields;

/// Which block is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Request,
    Response,
    Trailers,
}

/// The first broken rule, if any.
pub(crate) fn check(fields: &Fields, block: Block) -> Result<(), &'static str> {
    if fields.malformed() {
        return Err("a field name or value with bytes that HTTP/2 forbids");
    }
    let mut seen = Pseudo::default();
    let mut regular = false;
    for (name, value) in fields.iter() {
        if let Some(pseudo) = name.strip_prefix(b":") {
            if regular {
                return Err("a pseudo-header field after a regular one");
            }
            seen.note(pseudo, value, block)?;
            continue;
        }
        regular = true;
        match name {
            b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding"
            | b"upgrade" => return Err("a connection-specific field"),
            b"te" if value != b"trailers" => return Err("a te field other than trailers"),
            _ => {}
        }
    }
    // An overflowing list was cut, so nothing can be said of what is missing.
    if fields.overflowed() {
        return Ok(());
    }
    match block {
        Block::Request if !(seen.method && seen.scheme && seen.path) => {
            Err("a request without :method, :scheme or :path")
        }
        Block::Response if !seen.status => Err("a response without :status"),
        _ => Ok(()),
    }
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag for each pseudo-header field"
)]
struct Pseudo {
    method: bool,
    scheme: bool,
    path: bool,
    authority: bool,
    status: bool,
}

impl Pseudo {
    fn note(&mut self, name: &[u8], value: &[u8], block: Block) -> Result<(), &'static str> {
        let flag = match (block, name) {
            (Block::Request, b"method") => &mut self.method,
            (Block::Request, b"scheme") => &mut self.scheme,
            (Block::Request, b"path") => {
                if value.is_empty() {
                    return Err("an empty :path");
                }
                &mut self.path
            }
            (Block::Request, b"authority") => &mut self.authority,
            (Block::Response, b"status") => {
                if value.len() != 3 || !value.iter().all(u8::is_ascii_digit) {
                    return Err("a :status that is not three digits");
                }
                &mut self.status
            }
            _ => return Err("a pseudo-header field that has no place here"),
        };
        if std::mem::replace(flag, true) {
            return Err("a pseudo-header field that stands twice");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
