//! Finds where the messages of a stream end, without keeping their bytes: counts the
//! messages of a stream that is passed on.

use super::PREFIX_LEN;

/// The position in a stream of messages. It checks nothing: for a malformed stream the
/// number is arbitrary.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Boundaries {
    /// Bytes of the current message that are still to come, once its prefix is complete.
    left: u32,
    prefix: [u8; PREFIX_LEN],
    /// Bytes of an incomplete prefix that have come.
    have: u8,
}

impl Boundaries {
    /// The number of messages that end in `data`, the next chunk of the stream.
    #[inline]
    pub(crate) fn pass(&mut self, data: &[u8]) -> u32 {
        // Most often it is one message.
        if let Some([_, length @ ..]) = data.first_chunk::<PREFIX_LEN>()
            && self.left == 0
            && self.have == 0
            && u32::from_be_bytes(*length) as usize == data.len() - PREFIX_LEN
        {
            return 1;
        }
        self.pass_pieces(data)
    }

    fn pass_pieces(&mut self, mut data: &[u8]) -> u32 {
        let mut messages = 0;
        loop {
            if self.left > 0 {
                let Some(rest) = data.get(self.left as usize..) else {
                    // Less than `left`, so it fits.
                    self.left -= u32::try_from(data.len()).unwrap_or(self.left);
                    return messages;
                };
                data = rest;
                self.left = 0;
                messages += 1;
            }
            let whole = if self.have == 0 {
                data.first_chunk::<PREFIX_LEN>()
            } else {
                None
            };
            let prefix = match whole {
                Some(prefix) => {
                    data = &data[PREFIX_LEN..];
                    *prefix
                }
                None => match self.gather(&mut data) {
                    Some(prefix) => prefix,
                    None => return messages,
                },
            };
            let [_, length @ ..] = prefix;
            self.left = u32::from_be_bytes(length);
            // An empty message has ended with its prefix.
            messages += u32::from(self.left == 0);
        }
    }

    /// Gathers a prefix that comes in parts; returns it once it is complete.
    fn gather(&mut self, data: &mut &[u8]) -> Option<[u8; PREFIX_LEN]> {
        while let (Some((byte, rest)), true) =
            (data.split_first(), usize::from(self.have) < PREFIX_LEN)
        {
            self.prefix[usize::from(self.have)] = *byte;
            self.have += 1;
            *data = rest;
        }
        let is_whole = usize::from(self.have) == PREFIX_LEN;
        if is_whole {
            self.have = 0;
        }
        is_whole.then_some(self.prefix)
    }
}

#[cfg(test)]
mod tests;
