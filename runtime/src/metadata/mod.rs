//! Metadata: the key-value pairs that a call carries beside its messages. Received values
//! are kept byte for byte. Values of the application are checked when they are added, so
//! writing the wire form does not fail.

mod base64;
mod error;
mod iter;
mod reserved;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

pub(crate) use self::base64::{decode as decode_base64, encode as encode_base64};
pub use self::error::MetadataError;
use self::error::Problem;
pub use self::iter::{MetadataIter, MetadataValue};
pub(crate) use self::reserved::is_reserved;

/// What a call carries beside its messages: an ordered list of keys and values,
/// in which a key may stand several times.
///
/// Keys consist of `0-9 a-z _ - .`; uppercase letters are converted to lowercase. A key that
/// ends in `-bin` holds bytes, any other key holds printable ASCII. Keys that gRPC or HTTP/2
/// use themselves (`grpc-…`, `content-type`, `te`, `host`, `user-agent`, `connection` and
/// other connection-specific fields) are refused, except for two. A handler's trailing
/// metadata may hold `grpc-retry-pushback-ms`: after how many milliseconds a failed call may
/// be attempted again, or `-1` for never (gRFC A6). `grpc-trace-bin` is the context of a
/// trace (gRFC A72).
///
/// ```
/// use grpc_runtime::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.append("x-id", "7")?;
/// metadata.append_bin("trace-bin", [0xab, 0xcd])?;
///
/// assert_eq!(metadata.get("X-Id"), Some("7"));
/// assert_eq!(metadata.get_bin("trace-bin"), Some([0xab, 0xcd].as_slice()));
/// assert!(metadata.append("grpc-status", "0").is_err());
/// # Ok::<(), grpc_runtime::MetadataError>(())
/// ```
///
/// A value that a peer sent for a key without `-bin` need not be ASCII. It is kept
/// unchanged: [`get`](Self::get) returns it if it is UTF-8, [`get_bin`](Self::get_bin)
/// returns its bytes in any case, and [`append_from`](Self::append_from) and
/// [`extend`](Self::extend) copy it.
///
/// Empty metadata allocates nothing. Cloning copies the content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// One entry after the other, each a [`Head`], a name, and a decoded value. One
    /// allocation, since every call moves several of these.
    arena: Vec<u8>,
}

/// The lengths of an entry's name and value.
#[derive(Debug, Clone, Copy)]
struct Head {
    name: usize,
    value: usize,
}

impl Head {
    /// Its size in the arena, in bytes.
    const LEN: usize = 16;

    fn octets(self) -> [u8; Self::LEN] {
        let lengths = (self.value as u128) << 64 | self.name as u128;
        lengths.to_ne_bytes()
    }

    fn read(octets: [u8; Self::LEN]) -> Self {
        let lengths = u128::from_ne_bytes(octets);
        Self {
            name: lengths as u64 as usize,
            value: (lengths >> 64) as usize,
        }
    }
}

impl Metadata {
    /// Empty metadata.
    pub const fn new() -> Self {
        Self { arena: Vec::new() }
    }

    /// Metadata with these pairs of text keys and values, in this order. It fails with the
    /// error of the first pair that [`append`](Self::append) refuses.
    ///
    /// ```
    /// # use grpc_runtime::Metadata;
    /// let metadata = Metadata::from_pairs([("x-id", "7"), ("x-shard", "b")])?;
    /// assert_eq!(metadata.len(), 2);
    /// # Ok::<(), grpc_runtime::MetadataError>(())
    /// ```
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, MetadataError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        let mut metadata = Self::new();
        for (key, value) in pairs {
            metadata.append(key.as_ref(), value.as_ref())?;
        }
        Ok(metadata)
    }

    /// Adds `value` at the end. Existing values of `key` stay.
    ///
    /// Spaces at the ends of `value` are dropped, since HTTP/2 cannot carry
    /// them.
    ///
    /// # Errors
    ///
    /// The key is malformed, reserved or ends in `-bin`, or the value has a character
    /// outside printable ASCII. The metadata is unchanged then.
    pub fn append(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        if is_binary(key.as_bytes()) {
            return Err(MetadataError::new(key, Problem::TextForBinary));
        }
        let value = value.trim_matches(' ').as_bytes();
        if !value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            return Err(MetadataError::new(key, Problem::Value));
        }
        self.append_checked(key, value)
    }

    /// Adds bytes at the end. Existing values of `key` stay. The bytes are encoded in base64
    /// on the wire only.
    ///
    /// # Errors
    ///
    /// The key is malformed, reserved, or does not end in `-bin`. The metadata is unchanged
    /// then.
    pub fn append_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), MetadataError> {
        if !is_binary(key.as_bytes()) {
            return Err(MetadataError::new(key, Problem::BinaryForText));
        }
        self.append_checked(key, value.as_ref())
    }

    /// Sets `key` to `value`: [`remove`](Self::remove), then [`append`](Self::append).
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub fn insert(&mut self, key: &str, value: &str) -> Result<(), MetadataError> {
        self.append(key, value)?;
        self.keep_last(key);
        Ok(())
    }

    /// Sets `key` to these bytes: [`remove`](Self::remove), then
    /// [`append_bin`](Self::append_bin).
    ///
    /// # Errors
    ///
    /// As for [`append_bin`](Self::append_bin).
    pub fn insert_bin(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<(), MetadataError> {
        self.append_bin(key, value)?;
        self.keep_last(key);
        Ok(())
    }

    /// Adds all entries of `other`, including received values that [`append`](Self::append)
    /// would refuse.
    pub fn extend(&mut self, other: &Self) {
        self.arena.extend_from_slice(&other.arena);
    }

    /// Adds the values that `key` has in `other`, if any, including received values that
    /// [`append`](Self::append) would refuse.
    pub fn append_from(&mut self, other: &Self, key: &str) {
        for (name, value) in other.raw().filter(|(name, _)| is_key(name, key)) {
            self.push(name, value);
        }
    }

    /// The first value of `key`, if it has one and that is text. `None` for a `-bin` key:
    /// see [`get_bin`](Self::get_bin).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_all(key).next()?.as_str()
    }

    /// The first value of `key` as bytes: decoded for a `-bin` key, unchanged for any other.
    pub fn get_bin(&self, key: &str) -> Option<&[u8]> {
        Some(self.get_all(key).next()?.as_bytes())
    }

    /// All values of `key`, in order.
    pub fn get_all(&self, key: &str) -> impl Iterator<Item = MetadataValue<'_>> {
        self.raw()
            .filter(move |(name, _)| is_key(name, key))
            .map(|(name, value)| MetadataValue::new(name, value))
    }

    /// Whether `key` has a value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.raw().any(|(name, _)| is_key(name, key))
    }

    /// All keys and values, in order. A key with several values appears once for each.
    pub fn iter(&self) -> MetadataIter<'_> {
        MetadataIter::new(self.raw())
    }

    /// Removes all values of `key`; `false` if it had none.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.len();
        self.retain(|_, name| !is_key(name, key));
        self.len() < before
    }

    /// The number of values of all keys.
    pub fn len(&self) -> usize {
        self.raw().count()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }

    /// The size that counts against a peer's limit on header lists, in bytes: names and
    /// values as they are on the wire, and 32 for each field (RFC 9113 section 6.5.2).
    pub fn size(&self) -> usize {
        wire::size(self)
    }

    /// The present end, for [`cut`](Self::cut).
    pub(crate) fn mark(&self) -> usize {
        self.arena.len()
    }

    /// Removes the entries that were added after this mark.
    pub(crate) fn cut(&mut self, mark: usize) {
        self.arena.truncate(mark);
    }

    /// Whether each of `other`'s entries is here too.
    pub(crate) fn has_all(&self, other: &Self) -> bool {
        other
            .raw()
            .all(|theirs| self.raw().any(|own| own == theirs))
    }

    /// Removes all entries. Keeps the memory unless it is large.
    pub(crate) fn clear(&mut self) {
        const KEPT_CAPACITY: usize = 1024;
        self.arena.clear();
        self.arena.shrink_to(KEPT_CAPACITY);
    }

    fn append_checked(&mut self, key: &str, value: &[u8]) -> Result<(), MetadataError> {
        if key.is_empty() || !key.bytes().all(is_key_byte) {
            // The name of a pseudo-header field begins with a colon.
            let reserved = key.starts_with(':');
            let problem = if reserved {
                Problem::Reserved
            } else {
                Problem::Key
            };
            return Err(MetadataError::new(key, problem));
        }
        let start = self.begin(key.as_bytes(), value.len());
        let name = self.arena.len() - key.len();
        self.arena[name..].make_ascii_lowercase();
        if is_reserved(&self.arena[name..]) {
            self.arena.truncate(start);
            return Err(MetadataError::new(key, Problem::Reserved));
        }
        self.arena.extend_from_slice(value);
        self.finish(start, key.len());
        Ok(())
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.begin(name, value.len());
        self.arena.extend_from_slice(value);
        self.finish(start, name.len());
    }

    /// Begins an entry whose value is about `room` bytes long, and returns its start. The
    /// caller appends the value to the arena and then calls [`finish`](Self::finish).
    fn begin(&mut self, name: &[u8], room: usize) -> usize {
        let start = self.arena.len();
        self.arena.reserve(Head::LEN + name.len() + room);
        self.arena.extend_from_slice(&[0; Head::LEN]);
        self.arena.extend_from_slice(name);
        start
    }

    fn finish(&mut self, start: usize, name: usize) {
        let value = self.arena.len() - start - Head::LEN - name;
        let head = Head { name, value };
        self.arena[start..start + Head::LEN].copy_from_slice(&head.octets());
    }

    fn raw(&self) -> iter::Raw<'_> {
        iter::Raw::new(&self.arena)
    }

    fn keep_last(&mut self, key: &str) {
        let last = self.len() - 1;
        self.retain(|index, name| index == last || !is_key(name, key));
    }

    /// Keeps the entries for which `keep` is true of index and name.
    fn retain(&mut self, keep: impl Fn(usize, &[u8]) -> bool) {
        let mut kept = Self::default();
        for (index, (name, value)) in self.raw().enumerate() {
            if keep(index, name) {
                kept.push(name, value);
            }
        }
        *self = kept;
    }
}

/// Leaves out credentials, since `Debug` output ends up in logs.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in self {
            match (key, value) {
                ("authorization" | "proxy-authorization" | "cookie" | "set-cookie", _) => {
                    map.entry(&key, &format_args!("<not shown>"))
                }
                (_, MetadataValue::Text(text)) => map.entry(&key, &text),
                (_, MetadataValue::Binary(bytes)) => map.entry(&key, &bytes),
            };
        }
        map.finish()
    }
}

/// Whether the values of a key are bytes, by its name.
fn is_binary(key: &[u8]) -> bool {
    key.last_chunk()
        .is_some_and(|end: &[u8; 4]| end.eq_ignore_ascii_case(b"-bin"))
}

fn is_key(name: &[u8], key: &str) -> bool {
    name.eq_ignore_ascii_case(key.as_bytes())
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}
