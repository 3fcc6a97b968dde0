//! Places and their marks.

use std::borrow::Cow;
use std::fs;

use super::{LONGEST, Place, around, in_source, located};
use crate::sources::Sources;

fn sources(text: &str) -> (tempfile::TempDir, Sources) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.proto"), text).unwrap();
    let sources = Sources::new(&["a.proto"], &[directory.path()]).unwrap();
    (directory, sources)
}

#[test]
fn offsets() {
    let place = |offset, length| {
        let place = Place::at_offset("ab\ncd\u{e9}f\n", offset, length);
        (place.line, place.column, place.width)
    };
    assert_eq!(place(0, 2), (1, 1, 2));
    assert_eq!(place(3, 1), (2, 1, 1));
    assert_eq!(place(7, 1), (2, 4, 1));
    assert_eq!(place(3, 100), (2, 1, 4));
    // Inside a character, and past the end.
    assert_eq!(place(6, 1), (2, 3, 1));
    assert_eq!(place(100, 1), (3, 1, 1));
}

#[test]
fn tabs_before_the_mark_are_kept() {
    let (directory, sources) = sources("one\n\tint32 x = 1;\n");
    // As protoc counts: the tab reaches to column 9.
    let place = in_source(&sources, "a.proto", 2, 15);
    assert_eq!((place.column, place.width), (8, 1));
    let error = located(&sources, "a.proto", Some(place), "no", &[]);
    assert_eq!(
        error.replace(&format!("{}/", directory.path().display()), ""),
        "a.proto:2:8: no\n   |\n 2 | \tint32 x = 1;\n   | \t      ^"
    );
}

#[test]
fn a_place_outside_of_the_file() {
    let (_directory, sources) = sources("one\n");
    let place = in_source(&sources, "a.proto", 9, 9);
    let error = located(&sources, "a.proto", Some(place), "no", &[]);
    assert!(error.ends_with("a.proto:9:1: no"), "{error}");
    let error = located(&sources, "b.proto", None, "no", &[]);
    assert_eq!(error, "b.proto: no");
}

/// A file that a program wrote may be one line of megabytes, with a mistake in
/// every field.
#[test]
fn of_a_long_line_what_is_around_the_mark() {
    let long: String = ('a'..='z').cycle().take(100_000).collect();
    let (shown, column) = around(&long, 50_003);
    assert_eq!(shown.chars().count(), LONGEST + 2);
    assert!(shown.starts_with('…') && shown.ends_with('…'));
    assert_eq!(shown.chars().nth(column), long.chars().nth(50_003));

    let (shown, column) = around(&long, 3);
    assert!(shown.starts_with("abcd") && column == 3);
    let (shown, column) = around(&long, 99_999);
    assert!(!shown.ends_with('…'));
    assert_eq!(shown.chars().nth(column), long.chars().last());

    let short = &long[..LONGEST];
    assert_eq!(around(short, 159), (Cow::Borrowed(short), 159));
}
