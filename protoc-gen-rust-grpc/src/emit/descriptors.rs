//! The package's descriptors as a constant.

use std::fmt::Write as _;

use proc_macro2::TokenStream;
use quote::quote;

use super::lints;

/// How wide the literal's lines are, more or less.
const LINE: usize = 90;

pub(super) fn emit(descriptors: &[u8]) -> TokenStream {
    let literal = literal(descriptors);
    let lints = lints(None);
    quote! {
        /// The descriptors of this package's files and of all they import: an
        /// encoded `google.protobuf.FileDescriptorSet`.
        #lints
        pub const FILE_DESCRIPTOR_SET: &[u8] = #literal;
    }
}

/// `b"…"`, broken over lines.
fn literal(bytes: &[u8]) -> proc_macro2::Literal {
    let mut text = String::from("b\"");
    let mut width = 0;
    for byte in bytes {
        let before = text.len();
        match byte {
            b'"' | b'\\' => {
                let _ = write!(text, "\\{}", char::from(*byte));
            }
            // At a line's start it would be eaten with the break.
            b' ' if width == 0 => text.push_str("\\x20"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => {
                let _ = write!(text, "\\x{other:02x}");
            }
        }
        width += text.len() - before;
        if width >= LINE {
            text.push_str("\\\n");
            width = 0;
        }
    }
    text.push('"');
    text.parse()
        .unwrap_or_else(|_| proc_macro2::Literal::byte_string(bytes))
}
