//! Unit tests of `components`.

use super::components;

#[test]
fn cycles_share_a_number_and_edges_lead_down() {
    // 0 → 1 ⇄ 2 → 3, 4 → 4, 5 alone.
    let edges = [vec![1], vec![2], vec![1, 3], vec![], vec![4], vec![]];
    let found = components(&edges);
    assert_eq!(found[1], found[2]);
    assert!(found[0] > found[1] && found[2] > found[3]);
    let mut distinct = found.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, [0, 1, 2, 3, 4]);
}

#[test]
fn a_long_cycle_needs_no_deep_stack() {
    let length = 1_000_000;
    let edges: Vec<Vec<usize>> = (0..length).map(|node| vec![(node + 1) % length]).collect();
    assert!(components(&edges).iter().all(|component| *component == 0));
}
