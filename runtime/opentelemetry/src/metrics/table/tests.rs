//! Unit tests of `table`.

use super::*;

fn put(table: &Table<u64>, number: u64) -> Option<&u64> {
    table.insert(mix(number), |it| *it == number, number)
}

#[test]
fn what_was_put_in_is_found_and_there_is_an_end() {
    let table = Table::new();
    assert_eq!(table.find(mix(1), |it| *it == 1), None);
    let held: Vec<u64> = (0..10_000).filter(|n| put(&table, *n).is_some()).collect();
    assert!((1_500..=2_336).contains(&held.len()), "{}", held.len());
    assert!(held[..1_000].iter().eq(&(0..1_000).collect::<Vec<_>>()));
    for number in 0..10_000 {
        let is_held = held.binary_search(&number).is_ok();
        let found = table.find(mix(number), |it| *it == number);
        assert_eq!(found.is_some(), is_held);
        assert_eq!(put(&table, number).is_some(), is_held);
    }
}

#[test]
fn values_of_one_hash_stand_beside_each_other() {
    let table = Table::new();
    for number in 0..48_u64 {
        assert_eq!(table.insert(7, |it| *it == number, number), Some(&number));
    }
    assert_eq!(table.insert(7, |it| *it == 48, 48), None);
    assert_eq!(table.find(7, |it| *it == 47), Some(&47));
}

#[test]
fn threads_that_put_in_the_same_get_the_same() {
    let table = Table::new();
    let places: Vec<Vec<usize>> = std::thread::scope(|scope| {
        let put = |_| {
            scope.spawn(|| {
                let numbers = 0..1_000;
                let put = |n| std::ptr::from_ref(put(&table, n).unwrap()).addr();
                numbers.map(put).collect()
            })
        };
        let threads: Vec<_> = (0..4).map(put).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(places.iter().all(|own| *own == places[0]));
}

#[test]
fn texts_that_differ_in_a_byte_have_other_hashes() {
    let texts = [
        "dns:///a:443",
        "dns:///b:443",
        "dns:///a:444",
        "dns:///a:44",
    ];
    for (at, text) in texts.iter().enumerate() {
        assert!(texts[..at].iter().all(|other| hash(other) != hash(text)));
    }
}
