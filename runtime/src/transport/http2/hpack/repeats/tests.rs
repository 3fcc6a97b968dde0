//! Tests of the memory of runs.

use super::*;

fn list(names: &[&str]) -> Fields {
    let mut list = Fields::default();
    for name in names {
        list.push(name.as_bytes(), b"value");
    }
    list
}

fn all(list: &Fields) -> ((usize, usize), (usize, usize)) {
    ((0, 0), list.extent())
}

#[test]
fn finds_a_run_both_ways() {
    let mut repeats = Repeats::default();
    let run = list(&["a", "bc"]);
    repeats.remember(&[0x82, 0xbe], &run, all(&run), 7);
    let found = repeats.fields(&[0x82, 0xbe], 7).unwrap();
    assert!(found.iter().eq(run.iter()));
    assert_eq!(
        repeats.indices(&run, run.extent(), 7),
        Some(&[0x82, 0xbe][..])
    );
    // The same octets, divided otherwise.
    let other = list(&["ab", "c"]);
    assert_eq!(repeats.indices(&other, other.extent(), 7), None);
}

#[test]
fn a_changed_table_makes_it_forget() {
    let mut repeats = Repeats::default();
    let run = list(&["a", "b"]);
    repeats.remember(&[0x82, 0xbe], &run, all(&run), 7);
    assert!(repeats.fields(&[0x82, 0xbe], 8).is_none());
    assert_eq!(repeats.indices(&run, run.extent(), 8), None);
}

#[test]
fn finds_the_front_of_a_longer_list() {
    let mut repeats = Repeats::default();
    let (run, longer) = (list(&["a", "b"]), list(&["a", "b", "c"]));
    repeats.remember(&[0x82, 0xbe], &run, all(&run), 0);
    assert!(repeats.indices(&longer, run.extent(), 0).is_some());
    assert!(repeats.indices(&longer, longer.extent(), 0).is_none());
}

#[test]
fn holds_a_few_runs_of_bounded_length() {
    let mut repeats = Repeats::default();
    for n in 0..100 {
        let run = list(&["a", "b", "c"]);
        repeats.remember(&[n, n], &run, all(&run), 0);
    }
    assert_eq!(repeats.runs.len(), KEPT);
    assert!(repeats.fields(&[99, 99], 0).is_some());
    let long = list(&["n"; LONGEST]);
    assert!(repeats.remember(&[1, 1], &long, all(&long), 0).is_none());
}
