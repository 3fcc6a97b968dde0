//! What those hear who follow a call, event by event, on both sides.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod attempts;
mod calls;
mod world;
