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

#[test]
fn what_does_not_fit_keeps_nobody_from_what_there_is() {
    let (one, other) = two(0);
    assert!(one.try_take(64 * KIB + MIB_4 - 10 * KIB));
    assert!(other.try_take(64 * KIB));
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| (0..200_000).any(|_| one.try_take(MIB_4)));
        for _ in 0..200_000 {
            assert!(other.try_take(10 * KIB));
            other.give_back(10 * KIB);
        }
        assert!(!asks.join().unwrap());
    });
    one.give_back(64 * KIB + MIB_4 - 10 * KIB);
    other.give_back(64 * KIB);
    assert!(one.try_take(64 * KIB + MIB_4), "nobody holds anything");
}

#[test]
fn takers_of_one_connection_leave_nothing() {
    let (one, other) = two(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..50_000 {
                    if one.try_take(50 * KIB) {
                        one.give_back(50 * KIB);
                    }
                }
            });
        }
    });
    assert_eq!(one.held(), 0);
    assert!(other.try_take(64 * KIB + MIB_4), "nobody holds anything");
    assert!(!one.try_take(65 * KIB) && one.try_take(64 * KIB));
}
