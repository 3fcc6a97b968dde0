//! Envelopes come back empty; how many a thread keeps.

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
fn what_a_panic_drops_is_had_back_only_if_it_was_lent_to_it() {
    let lose = |is_lent: bool| {
        let mut envelope = Envelope::take();
        envelope.request.append("x-id", "7").unwrap();
        envelope.is_lent = is_lent;
        let lost = Envelope::salvage(move || {
            let _held = envelope;
            panic!("this panic is part of a test")
        });
        lost.unwrap_err().1
    };
    let lost = lose(true).unwrap();
    assert_eq!(lost.request.get("x-id"), Some("7"));
    assert!(lose(false).is_none());
    // An envelope that an earlier panic dropped is not returned for a later one.
    let mut envelope = Envelope::take();
    envelope.is_lent = true;
    let outside = catch_unwind(AssertUnwindSafe(move || {
        let _held = envelope;
        panic!("this panic is part of a test")
    }));
    assert!(outside.is_err());
    assert!(lose(false).is_none());
    assert_eq!(Envelope::salvage(|| 7).unwrap(), 7);
}

#[test]
fn a_thread_keeps_only_so_many() {
    let taken: Vec<_> = (0..2 * KEPT).map(|_| Envelope::take()).collect();
    taken.into_iter().for_each(Envelope::keep);
    assert_eq!(spare::with(&SPARE, |spare| spare.len()), Some(KEPT));
}
