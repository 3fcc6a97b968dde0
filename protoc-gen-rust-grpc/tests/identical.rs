//! One generator, however it is reached: the plugin under a real protoc and
//! `grpc-build` with each of its front-ends must write the same bytes.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

mod ways;

use std::fs;
use std::path::{Path, PathBuf};

use grpc_build::FrontEnd;
use ways::{assert_same, by_build, by_descriptor_set, by_plugin, protoc};

/// Folders of `.proto` files, each its own include path. Those of other members
/// of the workspace are tried where they exist.
const FOLDERS: &[&str] = &[
    "tests/testdata",
    "../examples/etcd",
    "../examples/proto",
    "../tests/proto/flow",
    "../tests/proto/grpc/testing",
];

fn folders() -> Vec<PathBuf> {
    FOLDERS
        .iter()
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .filter(|folder| folder.is_dir())
        .collect()
}

fn protos(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(protos(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether the file imports one of those that each compiler brings in a version
/// of its own: their descriptors differ with it.
fn imports_compiler_files(path: &Path) -> bool {
    let text = fs::read_to_string(path).unwrap();
    ["api", "compiler/plugin", "descriptor", "type"]
        .iter()
        .any(|name| text.contains(&format!("\"google/protobuf/{name}.proto\"")))
}

#[test]
fn all_ways_write_the_same() {
    let variants: &[&[(&str, &str)]] = &[
        &[("include_file", "mod.rs")],
        &[("client", "false")],
        &[("server", "false")],
        &[
            ("file_descriptor_set", "true"),
            ("type_names", "true"),
            ("client_cfg", "all(unix, feature = \"client\")"),
            ("type_attribute", ".=#[derive(Serialize, Deserialize)]"),
            ("type_attribute", ".=#[serde(rename_all = \"a,]\")]"),
            ("bytes", "."),
        ],
        &[
            ("messages", "false"),
            ("extern_path", ".example=::example::pb"),
            ("extern_path", ".google.protobuf=::well_known"),
        ],
    ];
    for folder in folders() {
        let all = protos(&folder);
        for options in variants {
            let with_descriptors = options.contains(&("file_descriptor_set", "true"));
            let protos: Vec<PathBuf> = all
                .iter()
                .filter(|path| !with_descriptors || !imports_compiler_files(path))
                .cloned()
                .collect();
            let expected = by_plugin(&folder, &protos, options);
            assert!(!expected.is_empty(), "{}", folder.display());
            let protox = by_build(&folder, &protos, options, FrontEnd::Protox);
            assert_same("protox", &protox, &expected);
            let protoc = by_build(&folder, &protos, options, FrontEnd::Protoc(protoc()));
            assert_same("protoc", &protoc, &expected);
            let set = by_descriptor_set(&folder, &protos, options);
            assert_same("a descriptor set", &set, &expected);
        }
    }
}

#[test]
fn the_order_of_files_does_not_matter() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
    let mut protos = protos(&folder);
    let expected = by_build(&folder, &protos, &[], FrontEnd::Protox);
    protos.reverse();
    let reversed = by_build(&folder, &protos, &[], FrontEnd::Protox);
    assert_same("the reversed order", &reversed, &expected);
    assert_same("protoc", &by_plugin(&folder, &protos, &[]), &expected);
}
