//! Envelopes that come back empty, and how many a thread keeps.

use super::*;

#[test]
fn an_envelope_comes_back_empty() {
    let mut envelope = Envelope::take();
    envelope.request.append("x-id", "7").unwrap();
    envelope.trailing.append("x-id", "8").unwrap();
    envelope.compression.request_was_compressed = true;
    envelope.extensions.insert("of one call");
    envelope.keep();
    let again = Envelope::take();
    assert!(again.request.is_empty() && again.initial.is_empty() && again.trailing.is_empty());
    assert!(!again.compression.request_was_compressed);
    assert_eq!(again.extensions.get::<&str>(), None);
}

#[test]
fn a_thread_keeps_only_so_many() {
    let taken: Vec<_> = (0..2 * KEPT).map(|_| Envelope::take()).collect();
    taken.into_iter().for_each(Envelope::keep);
    assert_eq!(with_spare(|spare| spare.len()), Some(KEPT));
}
