//! Tests of `extensions.rs`.

use super::*;

#[derive(Debug, PartialEq)]
struct User(&'static str);

#[test]
fn there_is_one_value_of_a_type() {
    let mut extensions = Extensions::default();
    assert_eq!(extensions.get::<User>(), None);
    assert_eq!(extensions.insert(User("ada")), None);
    assert_eq!(extensions.insert(7_u32), None);
    assert_eq!(extensions.insert(User("eve")), Some(User("ada")));
    assert_eq!(extensions.get(), Some(&User("eve")));
    extensions.get_mut::<User>().unwrap().0 = "bob";
    assert_eq!(extensions.remove(), Some(User("bob")));
    assert_eq!(extensions.get::<User>(), None);
    assert_eq!(extensions.get(), Some(&7_u32));
}
