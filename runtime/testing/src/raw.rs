//! A message as the bytes that it was encoded to.

use grpc_runtime::prost::bytes::{Buf, BufMut, Bytes};
use grpc_runtime::prost::encoding::{DecodeContext, WireType, skip_field};
use grpc_runtime::prost::{DecodeError, Message};

/// Takes and gives the bytes of a message as they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Raw(pub(crate) Bytes);

impl Message for Raw {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.0);
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the whole message at once, without decoding its fields.
    fn merge(&mut self, mut buf: impl Buf) -> Result<(), DecodeError> {
        self.0 = buf.copy_to_bytes(buf.remaining());
        Ok(())
    }

    /// Not called, since [`merge`](Self::merge) looks at no field.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buf, context)
    }
}

#[cfg(test)]
mod tests;
