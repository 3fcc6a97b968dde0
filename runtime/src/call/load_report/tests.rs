//! Unit tests of `load_report`.

use super::*;

fn full() -> LoadReport {
    let mut report = LoadReport::new();
    report
        .set_cpu_utilization(0.5)
        .set_memory_utilization(0.25)
        .set_application_utilization(2.0)
        .set_qps(100.0)
        .set_eps(3.0)
        .set_request_cost("a", 7.0)
        .set_utilization("b", 1.0)
        .set_named_metric("c", -1.0);
    report
}

/// Each field with its number, as other implementations write them.
#[test]
fn a_report_is_the_message_of_others() {
    let double = |tag: u8, value: f64| [&[tag << 3 | 1], &value.to_le_bytes()[..]].concat();
    let entry = |tag: u8, name: &str, value: f64| {
        let name = [&[0x0a, name.len() as u8], name.as_bytes()].concat();
        let inner = [name, double(2, value)].concat();
        [&[tag << 3 | 2, inner.len() as u8], &inner[..]].concat()
    };
    let expected = [
        double(1, 0.5),
        double(2, 0.25),
        entry(4, "a", 7.0),
        entry(5, "b", 1.0),
        double(6, 100.0),
        double(7, 3.0),
        entry(8, "c", -1.0),
        double(9, 2.0),
    ];
    assert_eq!(full().encode_to_vec(), expected.concat());
    // The deprecated field of whole requests per second is ignored.
    let old = [&[3 << 3, 9][..], &double(1, 0.5)].concat();
    let report = LoadReport::decode(&old[..]).unwrap();
    assert_eq!((report.qps(), report.cpu_utilization()), (0.0, 0.5));
}

#[test]
fn what_is_written_is_read_and_nothing_else_is() {
    let mut metadata = Metadata::new();
    assert_eq!(LoadReport::from_metadata(&metadata), None);
    LoadReport::new().write(&mut metadata);
    full().write(&mut metadata);
    assert_eq!(metadata.len(), 1);
    assert_eq!(LoadReport::from_metadata(&metadata), Some(full()));
    metadata.insert_bin(KEY, [0xff]).unwrap();
    assert_eq!(LoadReport::from_metadata(&metadata), None);
}

#[test]
fn values_that_cannot_be_are_left_out() {
    let mut report = full();
    for value in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        report
            .set_cpu_utilization(value)
            .set_memory_utilization(value)
            .set_application_utilization(value)
            .set_qps(value)
            .set_eps(value)
            .set_utilization("b", value);
    }
    report.set_memory_utilization(1.1).set_utilization("b", 1.1);
    assert_eq!(report, full());
}
