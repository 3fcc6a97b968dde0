//! Where the messages of a stream end, found without their bytes: who passes a stream on
//! counts its messages so.

use super::PREFIX_LEN;

/// The place in a stream of messages. It judges nothing: of a stream that is wrong it
/// gives some number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Boundaries {
    /// Bytes of the present message that are still to come, once its prefix is whole.
    left: u32,
    prefix: [u8; PREFIX_LEN],
    /// Bytes of a prefix that has come in part.
    have: u8,
}

impl Boundaries {
    /// How many messages end in `data`, which comes next.
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
                    // No more than `left`, as there is less than that.
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

    /// A prefix that comes in parts, once it is whole.
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
