//! Whole builds, each in a temporary directory.

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

const NOT_GENERATED: &str = "proto/hello.proto:3:1: `part.Part` is taken from `part.proto`, which is \
                             not generated with it; name `part.proto` among the files to generate \
                             too, or say with `extern_path` where its types are";

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
    config.out_dir(directory.join("out")).for_cargo(&sources)
}

/// The lines for cargo of one kind, with the directory cut off.
fn told(kind: &str, lines: &[String], directory: &Path) -> Vec<String> {
    let start = format!("cargo:{kind}=");
    let folder = format!("{}/", directory.display());
    let lines = lines.iter().filter_map(|line| line.strip_prefix(&start));
    lines.map(|line| line.replace(&folder, "")).collect()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join("out").join(name)).unwrap()
}

#[test]
fn cargo_is_told_every_file_read() {
    let directory = directory();
    let lines = run(Config::new(), directory.path()).unwrap();
    assert_eq!(
        told("rerun-if-changed", &lines, directory.path()),
        ["proto/part.proto", "proto/hello.proto"]
    );
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
        .client_cfg("feature = \"client\"")
        .server_cfg("feature = \"server\"")
        .extern_path(".a", "::b")
        .include_file("mod.rs")
        .default_package_filename("root")
        .file_descriptor_set(true)
        .require_methods(true)
        .type_attribute(".", "#[a]")
        .message_attribute(".", "#[a]")
        .enum_attribute(".", "#[a]")
        .field_attribute(".", "#[a]")
        .stub_attribute(".", "#[a]")
        .servicer_attribute(".", "#[a]")
        .server_attribute(".", "#[a]")
        .module_attribute(".", "#[a]")
        .bytes(".")
        .btree_map(".")
        .boxed(".")
        .skip_debug(".")
        .disable_comments(".")
        .retain_enum_prefix(true)
        .type_names(true)
        .type_name_domain(".", "a.example");
    let names: Vec<&str> = config
        .options
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let table: Vec<&str> = OPTIONS.iter().map(|spec| spec.name).collect();
    assert_eq!(names, table);
    // All of them are written as the generator reads them.
    config.parsed().unwrap();
}

#[test]
fn options_take_effect() {
    let directory = directory();
    let config = Config::new()
        .client(false)
        .messages(false)
        .include_file("mod.rs");
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
fn a_path_that_covers_nothing_is_a_warning_of_cargos() {
    let directory = directory();
    let config = Config::new()
        .bytes(".helo")
        .type_attribute(".hello.Helo", "#[a]")
        .extern_path(".part.Parts", "::p");
    let lines = run(config, directory.path()).unwrap();
    assert_eq!(
        told("warning", &lines, directory.path()),
        [
            "option `bytes=.helo` covers no field of type `bytes` of the files",
            "option `type_attribute=.hello.Helo` covers no message, enum or oneof of \
             the files; did you mean `.hello.Hello`?",
            "option `extern_path=.part.Parts` covers no package or type of the \
             files; did you mean `.part.Part`?",
            NOT_GENERATED,
        ]
    );
}

#[test]
fn an_import_that_nobody_generates_is_a_warning_with_its_place() {
    let warnings = |config: Config, protos: &[&str]| {
        let directory = directory();
        let proto = directory.path().join("proto");
        let sources = Sources::new(protos, &[&proto]).unwrap();
        let config = config.out_dir(directory.path().join("out"));
        told(
            "warning",
            &config.for_cargo(&sources).unwrap(),
            directory.path(),
        )
    };
    let one = ["hello.proto"];
    assert_eq!(warnings(Config::new(), &one), [NOT_GENERATED]);
    let found: [(Config, &[&str]); 3] = [
        (Config::new(), &["hello.proto", "part.proto"]),
        (Config::new().extern_path(".part", "::part"), &one),
        // Whoever has the messages has all of them.
        (Config::new().messages(false), &one),
    ];
    for (config, protos) in found {
        assert_eq!(warnings(config, protos), Vec::<String>::new());
    }
}

#[test]
fn types_of_imports_are_missed_wherever_they_are_used() {
    let directory = directory();
    let proto = directory.path().join("proto");
    let user = "syntax = \"proto3\";\nimport \"public.proto\";\nimport \"other.proto\";\n\
                import \"google/protobuf/timestamp.proto\";\nimport \"unused.proto\";\n\
                message M { map<int32, Kind> kinds = 1; google.protobuf.Timestamp at = 2; }\n\
                service S { rpc R(M) returns (other.Outer.Inner); }\n";
    let files = [
        ("user.proto", user),
        (
            "public.proto",
            "syntax = \"proto3\";\nimport public \"kind.proto\";\n",
        ),
        (
            "kind.proto",
            "syntax = \"proto3\";\nenum Kind { NONE = 0; }\n",
        ),
        (
            "other.proto",
            "syntax = \"proto3\";\npackage other;\nmessage Outer { message Inner {} }\n",
        ),
        ("unused.proto", "syntax = \"proto3\";\nmessage Unused {}\n"),
    ];
    for (name, text) in files {
        fs::write(proto.join(name), text).unwrap();
    }
    let sources = Sources::new(&["user.proto"], &[&proto]).unwrap();
    let config = Config::new().out_dir(directory.path().join("out"));
    let lines = config.for_cargo(&sources).unwrap();
    let starts = [
        "proto/user.proto: `Kind` is",
        "proto/user.proto:3:1: `other.Outer.Inner` is",
    ];
    let warnings = told("warning", &lines, directory.path());
    assert_eq!(warnings.len(), starts.len(), "{warnings:?}");
    for (warning, start) in warnings.iter().zip(starts) {
        assert!(warning.starts_with(start), "{warning}");
    }
}

#[test]
fn a_name_that_had_to_differ_is_a_warning_with_its_place() {
    let directory = directory();
    let taken = format!("{HELLO}message GreeterStub {{}}\n");
    fs::write(directory.path().join("proto/hello.proto"), taken).unwrap();
    let lines = run(
        Config::new().extern_path(".part", "::part"),
        directory.path(),
    )
    .unwrap();
    assert_eq!(
        told("warning", &lines, directory.path()),
        [
            "proto/hello.proto:5:9: for the service `Greeter`, `GreeterStub_` is generated \
             because the message `GreeterStub` is `GreeterStub`"
        ]
    );
}

#[test]
fn generated_code_that_is_checked_in_is_checked() {
    let directory = directory();
    let proto = directory.path().join("proto");
    let config = Config::new().out_dir(directory.path().join("out"));
    let check = || {
        let result = config.check(&[proto.join("hello.proto")], &[&proto]);
        let prefix = format!("{}/", directory.path().display());
        result.map_err(|error| error.to_string().replace(&prefix, ""))
    };
    assert_eq!(
        check().unwrap_err(),
        "the generated code is not what the .proto files and options give now; generate it \
         again\n  out/hello.rs: is missing"
    );
    run(config.clone(), directory.path()).unwrap();
    assert_eq!(check(), Ok(()));

    let old = directory.path().join("out/old.rs");
    let by_hand = directory.path().join("out/mod.rs");
    fs::copy(directory.path().join("out/hello.rs"), old).unwrap();
    fs::write(by_hand, "pub mod hello;\n").unwrap();
    let newer = HELLO.replace("message Hello {", "message Hello { int32 more = 2;");
    fs::write(proto.join("hello.proto"), newer).unwrap();
    let error = check().unwrap_err();
    let (_, differences) = error.split_once('\n').unwrap();
    assert_eq!(
        differences,
        "  out/hello.rs:8: differs from here on\n  out/old.rs: is no longer generated"
    );
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
    let text = error.to_string();
    assert!(text.contains("proto/part.proto:3:9: "), "{text}");
    assert!(
        text.contains("\n   |\n 3 | message {}\n   |         ^"),
        "{text}"
    );
    assert_eq!(format!("{error:?}"), text);
}

#[test]
fn without_a_place_to_write_to() {
    // Cargo sets OUT_DIR for build scripts, not for tests.
    let directory = directory();
    let proto = directory.path().join("proto");
    let sources = Sources::new(&["hello.proto"], &[proto]).unwrap();
    let error = Config::new().for_cargo(&sources).unwrap_err().to_string();
    assert!(error.starts_with("OUT_DIR is not set"), "{error}");
}

#[test]
fn descriptors_for_other_generators_have_all_imports() {
    use prost::Message as _;

    let directory = directory();
    let file = directory.path().join("sets/hello.bin");
    let config = Config::new().file_descriptor_set_path(&file);
    run(config, directory.path()).unwrap();
    let set = prost_types::FileDescriptorSet::decode(&fs::read(&file).unwrap()[..]).unwrap();
    let files = set.file.iter();
    let names: Vec<&str> = files.map(prost_types::FileDescriptorProto::name).collect();
    let expected = ["google/protobuf/any.proto", "part.proto", "hello.proto"];
    assert_eq!(names, expected);
}

#[test]
fn a_call_does_not_replace_what_another_wrote() {
    let directory = directory();
    let proto = directory.path().join("proto");
    fs::write(
        proto.join("more.proto"),
        "syntax = \"proto3\";\npackage hello;\nmessage More {}\n",
    )
    .unwrap();
    let call = |config: Config, name: &str| {
        let sources = Sources::new(&[proto.join(name)], &[&proto]).unwrap();
        config
            .out_dir(directory.path().join("out"))
            .for_cargo(&sources)
    };
    call(Config::new(), "hello.proto").unwrap();
    // The same files again are the same call.
    call(Config::new().client(false), "hello.proto").unwrap();
    let before = read(directory.path(), "hello.rs");
    let error = call(Config::new(), "more.proto").unwrap_err().to_string();
    let error = error.replace(&format!("{}/", directory.path().display()), "");
    assert!(
        error.starts_with(
            "`hello.rs` would replace what another call of this build script has written to out: \
             one call is for proto/hello.proto, this one for proto/more.proto. Name the files of \
             both in one call"
        ),
        "{error}"
    );
    assert_eq!(read(directory.path(), "hello.rs"), before);

    call(Config::new().include_file("all.rs"), "part.proto").unwrap();
    let again = call(Config::new().include_file("all.rs"), "hello.proto").unwrap_err();
    assert!(
        again.to_string().starts_with("`all.rs` would replace"),
        "{again}"
    );
}

/// What two calls write alike is nobody's loss, nor is another order of their files.
#[test]
fn calls_may_share_a_file() {
    let directory = directory();
    let proto = directory.path().join("proto");
    let call = |names: &[&str], client: bool| {
        let protos: Vec<_> = names.iter().map(|name| proto.join(name)).collect();
        let sources = Sources::new(&protos, &[&proto]).unwrap();
        Config::new()
            .client(client)
            .out_dir(directory.path().join("out"))
            .for_cargo(&sources)
    };
    call(&["hello.proto"], true).unwrap();
    call(&["hello.proto", "part.proto"], true).unwrap();
    call(&["part.proto", "hello.proto"], false).unwrap();
    call(&["hello.proto"], true).unwrap_err();
}

#[test]
fn include_proto_is_told_what_there_is() {
    let directory = directory();
    let out = directory.path().join("out");
    run(Config::new().include_file("all.rs"), directory.path()).unwrap();
    let shown = out.display();
    assert_eq!(
        crate::written::variables(&out),
        [
            format!("cargo:rustc-env=GRPC_BUILD_FILE_all={shown}/all.rs"),
            format!("cargo:rustc-env=GRPC_BUILD_FILE_hello={shown}/hello.rs"),
            "cargo:rustc-env=GRPC_BUILD_NAMES=`all`, `hello`".to_owned(),
        ]
    );
}

#[test]
fn packages_that_name_each_other_are_told_how_to_be_taken_in() {
    let directory = directory();
    let proto = directory.path().join("proto");
    let both = [proto.join("hello.proto"), proto.join("part.proto")];
    let warnings = |config: Config, protos: &[std::path::PathBuf]| {
        let sources = Sources::new(protos, &[&proto]).unwrap();
        let warnings = config.run(&sources).unwrap().warnings;
        let folder = format!("{}/", directory.path().display());
        let warnings = warnings.iter().map(|text| text.replace(&folder, ""));
        warnings.collect::<Vec<_>>()
    };
    assert_eq!(
        warnings(Config::new(), &both),
        [
            "proto/hello.proto:2:1: the package `hello` names types of the package `part`, which \
             in Rust needs modules that lie as the packages do; have them written by \
             `include_file(\"all.rs\")`, and take in all packages with \
             `grpc_runtime::include_proto!(\"all\")`"
        ]
    );
    let none = Vec::<String>::new();
    assert_eq!(warnings(Config::new().include_file("all.rs"), &both), none);
    assert_eq!(warnings(Config::new(), &both[1..]), none);
}

#[test]
fn files_whose_types_are_ready_made_are_told() {
    let directory = directory();
    let proto = directory.path().join("proto");
    let sources = Sources::new(&["google/protobuf/any.proto"], &[&proto]);
    // It is on no include path here, as it is for those who copy it beside theirs.
    assert!(sources.is_err());
    fs::create_dir_all(proto.join("google/protobuf")).unwrap();
    let text = "syntax = \"proto3\";\npackage google.protobuf;\n\
                message Any { string type_url = 1; bytes value = 2; }\n";
    fs::write(proto.join("google/protobuf/any.proto"), text).unwrap();
    let sources = Sources::new(&["google/protobuf/any.proto"], &[&proto]).unwrap();
    let config = Config::new().out_dir(directory.path().join("out"));
    let lines = config.clone().for_cargo(&sources).unwrap();
    assert_eq!(
        told("warning", &lines, directory.path()),
        [
            "proto/google/protobuf/any.proto: nothing is generated for this file: its types are \
             those of `::grpc_runtime::prost_types`; leave it out of the files to generate; for \
             types of your own say where they are with `extern_path=.google.protobuf=…`"
        ]
    );
    let config = config.extern_path(".google.protobuf", "::mine");
    let lines = config.for_cargo(&sources).unwrap();
    assert_eq!(
        told("warning", &lines, directory.path()),
        Vec::<String>::new()
    );
}
