//! The encodings that a side accepts: the value of `grpc-accept-encoding` (PROTOCOL-HTTP2,
//! "Message-Accept-Encoding").

use super::Compression;

/// A set of encodings. Identity is always one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Encodings(u8);

impl Encodings {
    /// All encodings of this build.
    pub(crate) fn all() -> Self {
        Compression::ALL.iter().copied().collect()
    }

    pub(crate) fn contains(self, compression: Compression) -> bool {
        compression.is_identity() || self.0 & bit(compression) != 0
    }

    /// Only identity.
    pub(crate) fn is_plain(self) -> bool {
        self.0 & !bit(Compression::Identity) == 0
    }

    /// `compression` if it is one of these, otherwise none.
    pub(crate) fn allow(self, compression: Compression) -> Compression {
        if self.contains(compression) {
            compression
        } else {
            Compression::Identity
        }
    }

    /// Adds the encodings in a field's value; unknown ones are ignored.
    pub(crate) fn add_listed(&mut self, value: &[u8]) {
        for name in value.split(|byte| *byte == b',') {
            if let Some(compression) = Compression::from_name(name.trim_ascii()) {
                self.0 |= bit(compression);
            }
        }
    }

    /// The value of a field: `identity,deflate,gzip`.
    pub(crate) fn list(self) -> String {
        let all = Compression::ALL.iter().copied();
        let names: Vec<&str> = all
            .filter(|known| self.contains(*known))
            .map(Compression::name)
            .collect();
        names.join(",")
    }

    /// Reads a `grpc-encoding`; for one that is not in the set the error is a text for
    /// people.
    pub(crate) fn read(self, encoding: &[u8]) -> Result<Compression, String> {
        match Compression::from_name(encoding) {
            Some(compression) if self.contains(compression) => Ok(compression),
            _ => Err(format!(
                "the peer compresses with '{}'; this side takes: {}",
                encoding.escape_ascii(),
                self.list()
            )),
        }
    }
}

fn bit(compression: Compression) -> u8 {
    1 << compression as u8
}

impl FromIterator<Compression> for Encodings {
    fn from_iter<T: IntoIterator<Item = Compression>>(list: T) -> Self {
        Self(list.into_iter().fold(0, |set, each| set | bit(each)))
    }
}
