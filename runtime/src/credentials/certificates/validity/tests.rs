//! Unit tests of `validity`.

use std::time::Duration;

use super::*;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn day(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(24 * 60 * 60 * number)
}

/// With two digits of a year, and with four from 2050 on.
#[test]
fn times_of_both_forms_are_read() {
    let read = Validity::of(&certificate((1999, 12, 31), (2061, 1, 2))).unwrap();
    assert_eq!(read.from, day(10_956));
    assert_eq!(read.until, day(33_239));
    assert!(read.covers(day(20_000)) && read.covers(day(33_239)));
    assert!(!read.covers(day(10_955)) && !read.covers(day(33_240)));
}

proptest! {
    #[test]
    fn whatever_is_read_panics_nowhere(at: prop::sample::Index, byte: u8, cut in 0..400_usize) {
        let mut certificate = certificate((2020, 1, 1), (2030, 1, 1));
        let at = at.index(certificate.len());
        certificate[at] = byte;
        let _ = Validity::of(&certificate);
        certificate.truncate(cut);
        let _ = Validity::of(&certificate);
    }

    #[test]
    fn noise_is_no_certificate(noise in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(Validity::of(&noise), None);
    }
}
