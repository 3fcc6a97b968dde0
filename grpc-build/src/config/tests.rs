//! Whole builds, in a directory of their own.

use std::fs;
use std::path::Path;

use protoc_gen_rust_grpc::OPTIONS;

use super::Config;
use crate::error::Error;
use crate::sources::Sources;

const HELLO: &str = "\u{feff}syntax = \"proto3\";\npackage hello;\nimport \"part.proto\";\n\
                     message Hello { part.Part part = 1; }\n\
                     service Greeter { rpc Greet(Hello) returns (Hello); }\n";
const PART: &str = "syntax = \"proto3\";\npackage part;\nimport \"google/protobuf/any.proto\";\n\
                    message Part {}\n";

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("proto")).unwrap();
    fs::write(directory.path().join("proto/hello.proto"), HELLO).unwrap();
    fs::write(directory.path().join("proto/part.proto"), PART).unwrap();
    directory
}

fn run(config: Config, directory: &Path) -> Result<Vec<String>, Error> {
    let proto = directory.join("proto");
    let sources = Sources::new(&[proto.join("hello.proto")], &[&proto])?;
    config.out_dir(directory.join("out")).run(&sources)
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join("out").join(name)).unwrap()
}

#[test]
fn cargo_is_told_every_file_read() {
    let directory = directory();
    let lines = run(Config::new(), directory.path()).unwrap();
    let line = |name: &str| {
        format!(
            "cargo:rerun-if-changed={}",
            directory.path().join("proto").join(name).display()
        )
    };
    assert_eq!(lines, [line("part.proto"), line("hello.proto")]);
}

#[test]
fn only_what_was_asked_for_is_written() {
    let directory = directory();
    run(Config::new(), directory.path()).unwrap();
    let names: Vec<_> = fs::read_dir(directory.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["hello.rs"]);
    assert!(read(directory.path(), "hello.rs").contains("super::part::Part"));
}

#[test]
fn an_unchanged_file_is_not_touched() {
    let directory = directory();
    run(Config::new(), directory.path()).unwrap();
    let path = directory.path().join("out/hello.rs");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let set = |time| {
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    };
    let modified = || fs::metadata(&path).unwrap().modified().unwrap();

    set(long_ago);
    run(Config::new(), directory.path()).unwrap();
    assert_eq!(modified(), long_ago);
    run(Config::new().client(false), directory.path()).unwrap();
    assert_ne!(modified(), long_ago);
}

#[test]
fn methods_are_the_options_of_the_table() {
    let config = Config::new()
        .client(false)
        .server(true)
        .messages(false)
        .extern_path(".a", "::b")
        .include_file("mod.rs");
    let names: Vec<&str> = config
        .options
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let table: Vec<&str> = OPTIONS.iter().map(|spec| spec.name).collect();
    assert_eq!(names, table);

    let directory = directory();
    run(config, directory.path()).unwrap();
    let text = read(directory.path(), "hello.rs");
    assert!(
        !text.contains("GreeterStub") && text.contains("GreeterServer"),
        "{text}"
    );
    assert!(!text.contains("struct Hello"), "{text}");
    assert!(read(directory.path(), "mod.rs").contains("pub mod hello"));
}

#[test]
fn a_wrong_option_is_refused() {
    let directory = directory();
    let error = run(Config::new().option("no_such", "1"), directory.path()).unwrap_err();
    assert!(
        error.to_string().starts_with("unknown option `no_such`"),
        "{error}"
    );
    let error = run(Config::new().extern_path("a", "::b"), directory.path()).unwrap_err();
    assert!(error.to_string().contains("with a dot in front"), "{error}");
}

#[test]
fn debug_is_the_text_for_people() {
    let directory = directory();
    fs::write(
        directory.path().join("proto/part.proto"),
        "syntax = \"proto3\";\n\nmessage {}\n",
    )
    .unwrap();
    let error = run(Config::new(), directory.path()).unwrap_err();
    let text = error
        .to_string()
        .replace(&format!("{}/", directory.path().display()), "");
    assert_eq!(
        text,
        "proto/part.proto:3:9: expected an identifier, but found '{'\n   |\n 3 | message {}\n   \
         |         ^"
    );
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn without_a_place_to_write_to() {
    // Cargo sets OUT_DIR for build scripts, not for tests.
    let directory = directory();
    let proto = directory.path().join("proto");
    let sources = Sources::new(&["hello.proto"], &[proto]).unwrap();
    let error = Config::new().run(&sources).unwrap_err().to_string();
    assert!(error.starts_with("OUT_DIR is not set"), "{error}");
}
