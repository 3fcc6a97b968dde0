//! A message with something nested in it, beside a package of the same name: the
//! module of the nested types steps aside, here and under an extern path.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fs;
use std::path::Path;

use grpc_build::Config;

/// The warnings, with the directory cut off, and the text of one file.
fn generate(config: Config, protos: &[&str], file: &str) -> (Vec<String>, String) {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
    let out = tempfile::tempdir().unwrap();
    let protos: Vec<_> = protos.iter().map(|name| testdata.join(name)).collect();
    let config = config.out_dir(out.path());
    let warnings = config.generate(&protos, &[&testdata]).unwrap();
    let folder = format!("{}/", testdata.display());
    let warnings = warnings.iter().map(|text| text.replace(&folder, ""));
    let text = fs::read_to_string(out.path().join(file)).unwrap();
    (warnings.collect(), text)
}

#[test]
fn it_is_told_with_its_place() {
    let both = ["aside.proto", "aside_bar.proto"];
    let (warnings, text) = generate(Config::new(), &both, "aside.rs");
    assert_eq!(
        warnings,
        [
            "aside.proto:6:9: for what is nested in the message `Bar`, the module `bar_` is \
             generated because the package `aside.bar` is `bar`"
        ]
    );
    assert!(text.contains("pub mod bar_ {"), "{text}");
    assert!(
        text.contains("Named `bar_` because the package `aside.bar` is `bar`."),
        "{text}"
    );
    assert!(!text.contains("Zq"), "{text}");
}

#[test]
fn options_find_it() {
    let both = ["aside.proto", "aside_bar.proto"];
    let config = Config::new()
        .message_attribute(".aside.Bar.Inner", "#[must_use]")
        .field_attribute(".aside.Bar.choice.kind", "#[doc(alias = \"sort\")]")
        .btree_map(".aside.Bar.inners")
        .type_names(true);
    let (warnings, text) = generate(config, &both, "aside.rs");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for expected in [
        "#[must_use]",
        "alias = \"sort\"",
        "BTreeMap",
        "\"aside.Bar.Inner\"",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("Zq"), "{text}");
}

#[test]
fn without_the_package_nothing_steps_aside() {
    let (warnings, text) = generate(Config::new(), &["aside.proto"], "aside.rs");
    assert_eq!(warnings, Vec::<String>::new());
    assert!(text.contains("pub mod bar {"), "{text}");
}

#[test]
fn extern_paths_lead_to_it() {
    let crates = |config: Config| config.messages(false).client(false);
    let one = crates(Config::new().extern_path(".aside", "::other"));
    let (_, text) = generate(one, &["aside_bar.proto"], "aside.bar.rs");
    assert!(text.contains("request: ::other::bar_::Inner"), "{text}");
    // Where the package is in no crate with the message, its name is free there.
    let two = Config::new()
        .extern_path(".aside", "::other")
        .extern_path(".aside.bar", "::third");
    let (_, text) = generate(crates(two), &["aside_bar.proto"], "aside.bar.rs");
    assert!(text.contains("request: ::other::bar::Inner"), "{text}");
    let exact = crates(Config::new().extern_path(".aside.Bar", "::other::Bar"));
    let (_, text) = generate(exact, &["aside_bar.proto"], "aside.bar.rs");
    assert!(text.contains("request: ::other::bar::Inner"), "{text}");
}
