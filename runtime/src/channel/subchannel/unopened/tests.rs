//! Unit tests of `unopened`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::call::queue::queue;
use crate::channel::call::trial::Trial;
use crate::channel::inbox::Ask;
use crate::channel::record::ChannelRecord;

/// A caller's call must not wait for a task that has ended.
#[test]
fn a_panic_of_the_task_is_told_and_the_calls_go_back() {
    let (asks, inbox) = queue();
    let (hub, mut reports) = queue();
    let record = Arc::new(ChannelRecord::new("shop".to_owned())).enter(Arc::default());
    let calls = Unopened::new(Inbox::new(inbox), 1, hub, true, "shop".into(), record);
    let (_caller, open) = Trial::call(false, None);
    asks.send(Ask::Open(open)).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _calls = calls;
        panic!("this panic is part of a test");
    }));
    panicked.unwrap_err();
    let reports = reports.close();
    assert!(
        matches!(reports[..], [Report::Broken, Report::Back(_)]),
        "{reports:?}"
    );
}
