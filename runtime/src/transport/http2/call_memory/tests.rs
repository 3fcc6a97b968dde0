//! Tests of `call_memory.rs`.

use super::*;

const KIB: usize = 1 << 10;
const MIB_4: usize = 4 << 20;

fn two(limit: usize) -> (Arc<CallMemory>, Arc<CallMemory>) {
    let memory = Memory::new(limit);
    (
        CallMemory::new(Arc::clone(&memory)),
        CallMemory::new(memory),
    )
}

#[test]
fn each_connection_has_its_own_and_all_share_the_rest() {
    let (one, other) = two(4 * MIB_4);
    assert!(one.try_take(64 * KIB) && one.try_take(MIB_4));
    assert!(!one.try_take(1));
    assert!(other.try_take(64 * KIB) && !other.try_take(1));
    one.give_back(KIB);
    assert!(other.try_take(KIB) && !other.try_take(1));
}

#[test]
fn what_fits_nowhere_passes_where_nothing_else_is_held() {
    let (one, other) = two(4 * MIB_4);
    assert!(one.try_take(10_000 * KIB));
    assert!(!other.try_take(65 * KIB) && other.try_take(64 * KIB));
    one.give_back(10_000 * KIB);
    assert!(other.try_take(10_000 * KIB));
}

#[test]
fn what_did_not_fit_and_what_comes_back_leaves_nothing() {
    let (one, other) = two(0);
    for _ in 0..3 {
        let mut reserve = Reserve::new(&one);
        assert!(reserve.try_take(60 * KIB) && reserve.try_take(5 * KIB));
        assert!(
            !other.try_take(64 * KIB + MIB_4),
            "one holds some of the rest"
        );
        reserve.take(30 * KIB);
        drop(reserve.split(30 * KIB));
        let passed_on = reserve.pass_on();
        assert_eq!(passed_on, 65 * KIB);
        one.give_back(passed_on);
    }
    assert!(other.try_take(64 * KIB + MIB_4), "nobody holds anything");
}
