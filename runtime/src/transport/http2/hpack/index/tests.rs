//! Tests of the encoder's index.

use super::super::octets::hash;
use super::Index;

fn found(index: &Index, hash: u64, id: u32) -> bool {
    index
        .find(hash, |each| (each == id).then_some(()))
        .is_some()
}

#[test]
fn an_index_without_memory_finds_nothing() {
    let mut index = Index::new();
    index.insert(1, 1);
    assert!(!found(&index, 1, 1));
    assert!(index.is_crowded(1));
}

#[test]
fn the_newest_of_one_hash_replaces_the_older() {
    let mut index = Index::new();
    index.reset(1);
    index.insert(0xabcd_0000_0001, 1);
    index.insert(0xabcd_0000_0001, 2);
    assert!(!found(&index, 0xabcd_0000_0001, 1));
    assert!(found(&index, 0xabcd_0000_0001, 2));
}

#[test]
fn a_full_bucket_gives_up_its_oldest_across_wrap_around() {
    let mut index = Index::new();
    index.reset(1);
    let hashes: Vec<u64> = (1..=5_u64).map(|n| n << 40).collect();
    let ids: Vec<u32> = (0..5).map(|n| (u32::MAX - 1).wrapping_add(n)).collect();
    for (hash, id) in hashes.iter().zip(&ids) {
        index.insert(*hash, *id);
    }
    assert!(!found(&index, hashes[0], ids[0]));
    for at in 1..5 {
        assert!(found(&index, hashes[at], ids[at]));
    }
}

#[test]
fn most_of_a_full_table_is_found() {
    let mut index = Index::new();
    index.reset(128);
    let hashes: Vec<u64> = (0..256_u32).map(|n| hash(0, &n.to_le_bytes())).collect();
    for (id, &hash) in (0..).zip(&hashes) {
        index.insert(hash, id);
    }
    let kept = (0..)
        .zip(&hashes)
        .filter(|&(id, &hash)| found(&index, hash, id))
        .count();
    assert!(kept >= 250, "{kept}");
}
