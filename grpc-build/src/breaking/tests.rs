//! Changes to a file, and the reports of them.

use std::fs;
use std::path::Path;

use crate::Config;

const OLD: &str = r#"syntax = "proto3";
package shop;
service Shop {
  rpc Buy(Order) returns (Receipt);
  rpc Watch(Order) returns (stream Receipt);
}
message Order {
  string item = 1;
  int32 count = 2;
  optional string note = 3;
  repeated string tags = 4;
  map<string, int32> prices = 5;
  oneof by { string card = 6; string cash = 7; }
  Kind kind = 8;
  message Part { string id = 1; }
}
message Receipt { string id = 1; }
enum Kind {
  KIND_UNKNOWN = 0;
  KIND_FAST = 1;
}
"#;

/// What is said of the new text, with the directory cut off.
fn compare(new: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let proto = directory.path().join("shop.proto");
    let record = directory.path().join("shop.record");
    fs::write(&proto, OLD).unwrap();
    let includes = [directory.path()];
    Config::new().record(&[&proto], &includes, &record).unwrap();
    fs::write(&proto, new).unwrap();
    let config = Config::new().breaking_against(&record);
    let result = config.check_breaking(&[&proto], &includes);
    // The builder's other methods say the same.
    let out = directory.path().join("out");
    let built = config.out_dir(&out).generate(&[&proto], &includes);
    assert_eq!(
        built.map(|_| ()).map_err(|error| error.to_string()),
        result.as_ref().copied().map_err(ToString::to_string)
    );
    assert_eq!(Path::exists(&out), result.is_ok());
    result.map_err(|error| {
        let prefix = format!("{}/", directory.path().display());
        error.to_string().replace(&prefix, "")
    })
}

#[test]
fn what_is_only_added_breaks_nothing() {
    assert_eq!(compare(OLD), Ok(()));
    let more = OLD
        .replace("string item = 1;", "string item = 1; string more = 20;")
        .replace("KIND_FAST = 1;", "KIND_FAST = 1; KIND_SLOW = 2;")
        .replace(
            "service Shop {",
            "service Shop {\n rpc New(Order) returns (Order);",
        )
        .replace("message Receipt", "message Added {}\nmessage Receipt");
    assert_eq!(compare(&more), Ok(()));
    // Order, comments and places are no promise; nor is a field that is retired.
    let moved = format!(
        "{}\n// moved\nmessage Receipt {{ string id = 1; }}\n",
        OLD.replace("message Receipt { string id = 1; }", "")
            .replace("int32 count = 2;", "reserved 2;")
            .replace("KIND_FAST = 1;", "reserved 1;")
    );
    assert_eq!(compare(&moved), Ok(()));
}

#[test]
fn every_kind_of_breaking_change_is_told() {
    for (from, to, expected) in [
        (
            "  rpc Buy(Order) returns (Receipt);\n",
            "",
            "shop.proto:3:9: breaking change: the method `Buy` of `Shop` is gone",
        ),
        (
            "rpc Buy(Order)",
            "rpc Buy(Receipt)",
            "shop.proto:4:7: breaking change: the method `Buy` took `shop.Order`, now it is `shop.Receipt`",
        ),
        (
            "rpc Buy(Order)",
            "rpc Buy(stream Order)",
            "shop.proto:4:7: breaking change: the method `Buy` took `shop.Order`, now it is `stream shop.Order`",
        ),
        (
            "(stream Receipt)",
            "(Receipt)",
            "shop.proto:5:7: breaking change: the method `Watch` returned `stream shop.Receipt`, now it is `shop.Receipt`",
        ),
        (
            "(stream Receipt)",
            "(stream Order)",
            "shop.proto:5:7: breaking change: the method `Watch` returned `stream shop.Receipt`",
        ),
        (
            "service Shop",
            "service Store",
            "shop.proto: breaking change: the service `shop.Shop` is gone",
        ),
        (
            "package shop;",
            "package store;",
            "shop.proto:2:1: breaking change: the package was `shop`, now it is `store`",
        ),
        (
            "  message Part { string id = 1; }\n",
            "",
            "shop.proto:7:9: breaking change: the message `shop.Order.Part` is gone",
        ),
        (
            "  int32 count = 2;\n",
            "",
            "shop.proto:7:9: breaking change: the field `count` = 2 of `Order` is gone",
        ),
        (
            "int32 count = 2;",
            "int32 amount = 2;",
            "shop.proto:9:9: breaking change: the field 2 was called `count`, now it is `amount`",
        ),
        (
            "int32 count = 2;",
            "int32 count = 20;",
            "shop.proto:9:9: breaking change: the field `count` had number 2, now it has 20",
        ),
        (
            "int32 count = 2;",
            "int64 count = 2;",
            "shop.proto:9:9: breaking change: the field `count` was `int32`, now it is `int64`",
        ),
        (
            "int32 count = 2;",
            "repeated int32 count = 2;",
            "shop.proto:9:18: breaking change: the field `count` was without presence, now it is repeated",
        ),
        (
            "optional string note",
            "string note",
            "shop.proto:10:10: breaking change: the field `note` was optional, now it is without presence",
        ),
        (
            "int32 count = 2;",
            "int32 count = 2 [json_name = \"n\"];",
            "shop.proto:9:9: breaking change: the field `count` was `count` in JSON, now it is `n`",
        ),
        (
            "repeated string tags",
            "repeated bytes tags",
            "shop.proto:11:18: breaking change: the field `tags` was `string`, now it is `bytes`",
        ),
        (
            "map<string, int32>",
            "map<string, int64>",
            "shop.proto:12:22: breaking change: the field `prices` was `map<string, int32>`, now it is `map<string, int64>`",
        ),
        (
            "string cash = 7; }",
            "} string cash = 7;",
            "breaking change: the field `cash` was in a oneof, now it is without presence",
        ),
        (
            "oneof by",
            "oneof with",
            "breaking change: the field `card` was in the oneof `by`, now it is in `with`",
        ),
        (
            "Kind kind = 8;",
            "int32 kind = 8;",
            "shop.proto:14:9: breaking change: the field `kind` was `shop.Kind`, now it is `int32`",
        ),
        (
            "  KIND_FAST = 1;\n",
            "",
            "shop.proto:18:6: breaking change: the value `KIND_FAST` = 1 of `Kind` is gone",
        ),
        (
            "KIND_FAST = 1;",
            "KIND_QUICK = 1;",
            "shop.proto:20:3: breaking change: the value 1 was called `KIND_FAST`, now it is `KIND_QUICK`",
        ),
        (
            "KIND_FAST = 1;",
            "KIND_FAST = 2;",
            "shop.proto:20:3: breaking change: the value `KIND_FAST` had number 1, now it has 2",
        ),
    ] {
        assert!(OLD.contains(from), "{from}");
        let error = compare(&OLD.replace(from, to)).unwrap_err();
        assert!(error.contains(expected), "{from} -> {to}\n{error}");
        assert!(error.contains("note: it was at shop.proto:"), "{error}");
    }
}

#[test]
fn a_change_is_shown_where_it_is_and_where_it_was() {
    let new = OLD
        .replace("syntax = \"proto3\";\n", "syntax = \"proto3\";\n\n\n")
        .replace("int32 count = 2;", "int64 count = 2;")
        .replace("  repeated string tags = 4;\n", "");
    assert_eq!(
        compare(&new).unwrap_err(),
        "\
shop.proto:11:9: breaking change: the field `count` was `int32`, now it is `int64`
    |
 11 |   int64 count = 2;
    |         ^^^^^
    = note: it was at shop.proto:9:9 in shop.record

shop.proto:9:9: breaking change: the field `tags` = 4 of `Order` is gone
   |
 9 | message Order {
   |         ^^^^^
   = note: it was at shop.proto:11:19 in shop.record
   = help: if nobody reads it any more, say so, that its number is never used again: `reserved 4;`"
    );
}

#[test]
fn a_record_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let proto = directory.path().join("shop.proto");
    fs::write(&proto, OLD).unwrap();
    let check = |record: &Path| {
        let config = Config::new().breaking_against(record);
        let result = config.check_breaking(&[&proto], &[directory.path()]);
        result.unwrap_err().to_string()
    };
    let missing = check(Path::new("no/such"));
    assert!(
        missing.starts_with("cannot read the recorded set no/such: "),
        "{missing}"
    );
    assert!(check(&proto).contains("is not a recorded set"));
}
