//! Unit tests of `places`.

use super::find;

const SAID: &str = "Field numbers 19000 through 19999 are reserved for protobuf.";

#[track_caller]
fn check(text: &str, before: usize, expected: Option<(usize, usize)>) {
    let found = find(SAID, text, before);
    let found = found.map(|place| (place.line, place.column));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn numbers_are_found_where_fields_are_given_them() {
    let text = "// a = 19001\nint32 a = /* = 19002 */ 19003;\n\
                string s = 1 [default = \"= 19004\", (o) = 19005];\nint32 b = 0x4a39;";
    check(text, 0, Some((2, 25)));
    check(text, 1, Some((4, 11)));
    check(text, 2, None);
}

#[test]
fn what_is_not_there_has_no_place() {
    check("", 0, None);
    check("int32 a = 1; /* = 19001", 0, None);
    check("string a = '= 19001;\nint32 a = 19000", 0, Some((2, 11)));
    check("int32 é = 19000é", 0, Some((1, 11)));
    assert_eq!(find("anything", "int32 a = 19000;", 0), None);
}
