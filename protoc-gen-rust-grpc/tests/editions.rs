//! Files with editions, read by a real protoc: what they generate is what the
//! proto2 or proto3 file of the same meaning does, byte for byte.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::process::Command;

use grpc_build::{Config, FrontEnd};

/// What is generated for the one file, by grpc-build and by the plugin.
#[track_caller]
fn generated(text: &str) -> String {
    let protoc = protoc_bin_vendored::protoc_bin_path().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.proto");
    fs::write(&file, text).unwrap();
    Config::new()
        .front_end(FrontEnd::Protoc(protoc.clone()))
        .out_dir(directory.path().join("build"))
        .compile(&[&file], &[directory.path()])
        .unwrap();

    fs::create_dir(directory.path().join("plugin")).unwrap();
    let output = Command::new(protoc)
        .current_dir(directory.path())
        .arg(format!(
            "--plugin=protoc-gen-rust-grpc={}",
            env!("CARGO_BIN_EXE_protoc-gen-rust-grpc")
        ))
        .args(["--rust-grpc_out=plugin", "a.proto"])
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");

    let read = |folder: &str| fs::read_to_string(directory.path().join(folder).join("a.rs"));
    let by_build = read("build").unwrap();
    assert_eq!(by_build, read("plugin").unwrap());
    by_build
}

#[track_caller]
fn assert_same(old: &str, new: &str) {
    let (old, new) = (generated(old), generated(new));
    for (number, (old, new)) in old.lines().zip(new.lines()).enumerate() {
        assert_eq!(new, old, "line {}", number + 1);
    }
    assert_eq!(new, old);
}

#[test]
fn proto2_and_its_edition() {
    assert_same(
        "
syntax = \"proto2\";
package a;
enum Color { RED = 1; BLUE = 2; }
message M {
  required int32 id = 1;
  optional string name = 2 [default = \"none\"];
  optional Color color = 3 [default = BLUE];
  repeated int32 loose = 4;
  repeated int32 tight = 5 [packed = true];
  repeated string words = 6;
  optional group Part = 7 { optional int32 n = 1; }
  repeated group Parts = 8 { optional bytes b = 1; }
  oneof which {
    string text = 9;
    group Either = 10 { optional M more = 1; }
  }
  map<string, M> children = 11;
  optional M parent = 12;
  required M root = 13;
  extensions 100 to 200;
}
extend M { optional int32 extra = 100; }
service S { rpc Do(M) returns (stream M); }
",
        "
edition = \"2023\";
package a;
option features.repeated_field_encoding = EXPANDED;
option features.message_encoding = DELIMITED;
option features.enum_type = CLOSED;
option features.utf8_validation = NONE;
enum Color { RED = 1; BLUE = 2; }
message M {
  message Part { int32 n = 1; }
  message Parts { bytes b = 1; }
  message Either {
    M more = 1 [features.message_encoding = LENGTH_PREFIXED];
  }
  int32 id = 1 [features.field_presence = LEGACY_REQUIRED];
  string name = 2 [default = \"none\"];
  Color color = 3 [default = BLUE];
  repeated int32 loose = 4;
  repeated int32 tight = 5 [features.repeated_field_encoding = PACKED];
  repeated string words = 6;
  Part part = 7;
  repeated Parts parts = 8;
  oneof which {
    string text = 9;
    Either either = 10;
  }
  map<string, M> children = 11;
  M parent = 12 [features.message_encoding = LENGTH_PREFIXED];
  M root = 13 [
    features.message_encoding = LENGTH_PREFIXED,
    features.field_presence = LEGACY_REQUIRED
  ];
  extensions 100 to 200;
}
extend M { int32 extra = 100; }
service S { rpc Do(M) returns (stream M); }
",
    );
}

#[test]
fn proto3_and_its_edition() {
    let body = "
enum Color { NONE = 0; BLUE = 2; }
message M {
  int32 id = 1;
  string name = 2;
  Color color = 3;
  repeated int32 numbers = 4;
  repeated sint64 old = 5 [OLD];
  repeated Color colors = 6 [deprecated = true];
  OPTIONAL int32 known = 7 [PRESENT];
  OPTIONAL string word = 8 [PRESENT];
  oneof which { string text = 9; M more = 10; }
  map<int32, Color> paints = 11;
  M parent = 12;
  repeated M children = 13;
}
service S { rpc Do(stream M) returns (M); }
";
    let proto3 = body
        .replace("OPTIONAL", "optional")
        .replace(" [PRESENT]", "")
        .replace("OLD", "packed = false");
    let edition = body
        .replace("OPTIONAL ", "")
        .replace("PRESENT", "features.field_presence = EXPLICIT")
        .replace("OLD", "features.repeated_field_encoding = EXPANDED");
    for year in ["2023", "2024"] {
        assert_same(
            &format!("syntax = \"proto3\";\npackage a;\n{proto3}"),
            &format!(
                "edition = \"{year}\";\npackage a;\noption features.field_presence = \
                 IMPLICIT;\n{edition}"
            ),
        );
    }
}

#[test]
fn the_defaults_of_an_edition() {
    let text = generated(
        "
edition = \"2024\";
package a;
export message M {
  int32 id = 1;
  repeated int32 numbers = 2;
  Local local = 3;
}
local message Local {}
",
    );
    for line in [
        "    #[prost(int32, optional, tag = \"1\")]\n",
        "    #[prost(int32, repeated, tag = \"2\")]\n",
        "    #[prost(message, optional, tag = \"3\")]\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn groups_that_contain_themselves_are_boxed() {
    let text = generated(
        "
edition = \"2023\";
package a;
option features.message_encoding = DELIMITED;
option features.field_presence = IMPLICIT;
message Tree { Tree left = 1; oneof right { Tree tree = 2; Leaf leaf = 3; } }
message Leaf { int32 n = 1; }
message Ping { Pong pong = 1; }
message Pong { Ping ping = 1 [features.message_encoding = LENGTH_PREFIXED]; }
",
    );
    for boxed in [
        "#[prost(group, optional, boxed, tag = \"1\")]\n    pub left: ::core::option::Option<::grpc_runtime::prost::alloc::boxed::Box<Tree>>",
        "Tree(::grpc_runtime::prost::alloc::boxed::Box<super::Tree>)",
        "Leaf(super::Leaf)",
        "pub pong: ::core::option::Option<::grpc_runtime::prost::alloc::boxed::Box<Pong>>",
    ] {
        assert!(text.contains(boxed), "{boxed} is not in\n{text}");
    }
}
