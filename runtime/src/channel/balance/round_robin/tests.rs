//! Tests of `round_robin.rs`.
