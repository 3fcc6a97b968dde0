//! Changes between syntaxes and editions: files are compared by meaning, not by syntax.

use std::fs;

use crate::{Config, FrontEnd};

/// What is said of the new text of `a.proto`, the places of the old one left out.
fn compare(old: &str, new: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let proto = directory.path().join("a.proto");
    let record = directory.path().join("a.record");
    let includes = [directory.path()];
    let config = || {
        Config::new().front_end(FrontEnd::Protoc(
            protoc_bin_vendored::protoc_bin_path().unwrap(),
        ))
    };
    fs::write(&proto, old).unwrap();
    config().record(&[&proto], &includes, &record).unwrap();
    fs::write(&proto, new).unwrap();
    let config = config().breaking_against(&record);
    let Err(error) = config.check_breaking(&[&proto], &includes) else {
        return Vec::new();
    };
    let error = error.to_string();
    let lines = error.lines().filter_map(|line| {
        let (place, change) = line.split_once(": breaking change: ")?;
        let position = place.rsplit_once("a.proto:")?.1;
        Some(format!("{position} {change}"))
    });
    lines.collect()
}

const EDITION: &str = r#"edition = "2023";
package a;
message M {
  int32 n = 1;
  M m = 2;
  repeated int32 list = 3;
  map<string, M> map = 4;
  oneof one { string s = 5; M other = 6; }
  E e = 7;
  enum E { ZERO = 0; }
}
"#;

#[test]
fn the_same_in_other_words_is_no_change() {
    let proto2 = r#"syntax = "proto2";
package a;
message M {
  required int32 id = 1;
  optional int32 n = 2 [default = 3];
  repeated int32 list = 3;
  optional group G = 4 { optional string s = 1; }
  optional E e = 5;
}
enum E { ZERO = 0; }
"#;
    let edition = r#"edition = "2023";
package a;
option features.enum_type = CLOSED;
message M {
  int32 id = 1 [features.field_presence = LEGACY_REQUIRED];
  int32 n = 2 [default = 3];
  repeated int32 list = 3 [features.repeated_field_encoding = EXPANDED];
  G g = 4 [features.message_encoding = DELIMITED];
  message G { string s = 1; }
  E e = 5;
}
enum E { ZERO = 0; }
"#;
    assert_eq!(compare(proto2, edition), [""; 0]);
    assert_eq!(compare(edition, proto2), [""; 0]);

    let proto3 = r#"syntax = "proto3";
package a;
message M { int32 n = 1; optional string s = 2; M m = 3; E e = 4; }
enum E { ZERO = 0; }
"#;
    let edition = r#"edition = "2024";
package a;
option features.field_presence = IMPLICIT;
message M { int32 n = 1; string s = 2 [features.field_presence = EXPLICIT]; M m = 3; E e = 4; }
enum E { ZERO = 0; }
"#;
    assert_eq!(compare(proto3, edition), [""; 0]);
    assert_eq!(compare(edition, proto3), [""; 0]);

    // Either way of writing a list is read by all.
    let list = |encoding: &str| {
        let option = format!("list = 3 [features.repeated_field_encoding = {encoding}];");
        EDITION.replace("list = 3;", &option)
    };
    assert_eq!(compare(&list("PACKED"), &list("EXPANDED")), [""; 0]);
}

#[test]
fn a_feature_of_one_item() {
    for (from, to, expected) in [
        (
            "int32 n = 1;",
            "int32 n = 1 [features.field_presence = IMPLICIT];",
            "4:9 the field `n` was optional, now it is without presence",
        ),
        (
            "int32 n = 1;",
            "int32 n = 1 [features.field_presence = LEGACY_REQUIRED];",
            "4:9 the field `n` was optional, now it is required",
        ),
        (
            "M m = 2;",
            "M m = 2 [features.message_encoding = DELIMITED];",
            "5:5 the field `m` was `a.M`, now it is `group a.M`",
        ),
        (
            "M other = 6;",
            "M other = 6 [features.message_encoding = DELIMITED];",
            "8:31 the field `other` was `a.M`, now it is `group a.M`",
        ),
        (
            "enum E {",
            "enum E { option features.enum_type = CLOSED;",
            "10:8 the enum `a.M.E` was open, now it is closed",
        ),
    ] {
        assert_eq!(compare(EDITION, &EDITION.replace(from, to)), [expected]);
    }
}

#[test]
fn a_feature_of_the_file() {
    let with = |option: &str| EDITION.replace("package a;", &format!("package a; {option}"));
    assert_eq!(
        compare(EDITION, &with("option features.field_presence = IMPLICIT;")),
        [
            "4:9 the field `n` was optional, now it is without presence",
            "9:5 the field `e` was optional, now it is without presence"
        ]
    );
    // A map is written the same everywhere.
    assert_eq!(
        compare(
            EDITION,
            &with("option features.message_encoding = DELIMITED;")
        ),
        [
            "5:5 the field `m` was `a.M`, now it is `group a.M`",
            "8:31 the field `other` was `a.M`, now it is `group a.M`"
        ]
    );
    assert_eq!(
        compare(&with("option features.enum_type = CLOSED;"), EDITION),
        ["10:8 the enum `a.M.E` was closed, now it is open"]
    );
}

#[test]
fn a_syntax_that_closes_its_enums() {
    let text = |syntax: &str| {
        format!("syntax = \"{syntax}\";\npackage a;\nenum E {{ ZERO = 0; }}\nmessage M {{}}\n")
    };
    assert_eq!(
        compare(&text("proto2"), &text("proto3")),
        ["3:6 the enum `a.E` was closed, now it is open"]
    );
}
