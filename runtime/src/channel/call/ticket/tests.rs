//! Unit tests of `ticket`.

use std::sync::Mutex;

use super::*;

struct Ends(Mutex<Vec<(u64, Code)>>);

impl AttemptEnds for Ends {
    fn ended(&self, token: u64, end: &AttemptEnd<'_>) {
        self.0.lock().unwrap().push((token, end.code));
        assert_ne!(token, 13, "this panic is part of a test");
    }
}

#[test]
fn each_end_is_told_once() {
    let ends = Arc::new(Ends(Mutex::default()));
    let ticket = |token| Ticket::new(Arc::clone(&ends) as Arc<dyn AttemptEnds>, token);
    let ok = AttemptEnd {
        code: Code::Ok,
        trailing_metadata: None,
    };
    ticket(1).end(&ok);
    drop(ticket(2));
    ticket(13).end(&ok);
    let told = ends.0.lock().unwrap().clone();
    let expected = [(1, Code::Ok), (2, Code::Cancelled), (13, Code::Ok)];
    assert_eq!(told, expected);
}

#[test]
fn one_beside_another_is_told_the_same() {
    let ends = Arc::new(Ends(Mutex::default()));
    let ticket = |token| Ticket::new(Arc::clone(&ends) as Arc<dyn AttemptEnds>, token);
    let aborted = AttemptEnd {
        code: Code::Aborted,
        trailing_metadata: None,
    };
    ticket(1).beside(Some(ticket(2).beside(None))).end(&aborted);
    drop(ticket(13).beside(Some(ticket(4))));
    let told = ends.0.lock().unwrap().clone();
    let (aborted, cancelled) = (Code::Aborted, Code::Cancelled);
    let expected = [(1, aborted), (2, aborted), (13, cancelled), (4, cancelled)];
    assert_eq!(told, expected);
}
