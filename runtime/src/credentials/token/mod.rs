//! Tokens that expire: what a source gives, how long it is used, and when the next one is
//! fetched. `Debug` does not show tokens.

pub(super) mod cache;
mod renewal;
mod seat;
mod source;
mod value;

pub use self::source::TokenSource;
pub use self::value::Token;
