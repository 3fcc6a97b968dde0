//! The ways to generate: the plugin under a real protoc, and `grpc-build` with its
//! front-ends. Shared by tests that compare them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use grpc_build::{Config, FrontEnd};

pub(crate) fn protoc() -> PathBuf {
    protoc_bin_vendored::protoc_bin_path().unwrap()
}

pub(crate) fn by_plugin(
    folder: &Path,
    protos: &[PathBuf],
    options: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().unwrap();
    let mut command = Command::new(protoc());
    command
        .arg(format!(
            "--plugin=protoc-gen-rust-grpc={}",
            env!("CARGO_BIN_EXE_protoc-gen-rust-grpc")
        ))
        .arg(format!("--rust-grpc_out={}", out.path().display()))
        .arg(format!("-I{}", folder.display()));
    for (name, value) in options {
        command.arg(format!("--rust-grpc_opt={name}={value}"));
    }
    let output = command.args(protos).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    written(out.path())
}

pub(crate) fn by_build(
    folder: &Path,
    protos: &[PathBuf],
    options: &[(&str, &str)],
    front_end: FrontEnd,
) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().unwrap();
    options
        .iter()
        .fold(Config::new(), |config, (name, value)| {
            config.option(*name, *value)
        })
        .front_end(front_end)
        .out_dir(out.path())
        .compile(protos, &[folder])
        .unwrap();
    written(out.path())
}

pub(crate) fn by_descriptor_set(
    folder: &Path,
    protos: &[PathBuf],
    options: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let set = directory.path().join("set");
    let status = Command::new(protoc())
        .args(["--include_imports", "--include_source_info"])
        .arg(format!("--descriptor_set_out={}", set.display()))
        .arg(format!("-I{}", folder.display()))
        .args(protos)
        .status()
        .unwrap();
    assert!(status.success());
    by_build(folder, protos, options, FrontEnd::DescriptorSet(set))
}

fn written(directory: &Path) -> BTreeMap<String, String> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[track_caller]
pub(crate) fn assert_same(
    who: &str,
    found: &BTreeMap<String, String>,
    expected: &BTreeMap<String, String>,
) {
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "the files of {who}");
    for (name, text) in expected {
        for (number, (found, expected)) in found[name].lines().zip(text.lines()).enumerate() {
            assert_eq!(found, expected, "{who}, {name}:{}", number + 1);
        }
        assert_eq!(&found[name], text, "{who}, {name}");
    }
}
