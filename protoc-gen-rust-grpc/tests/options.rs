//! Every option, as the page `OPTIONS.md` shows it: what it changes in the code
//! for one sample. The page is the golden file; `BLESS=1` writes it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use grpc_build::Config;
use protoc_gen_rust_grpc::{OPTIONS, options_as_markdown};

const HEAD: &str = "\
# Options of the code generator

These options change the code that is generated. Give them to the plugin
`protoc-gen-rust-grpc` as `--rust-grpc_opt=name=value`: several separated by commas,
or each in a `--rust-grpc_opt` of its own. In a build script call the method of the
same name of `grpc_build::Config`. Both ways write the same bytes.

A `.path` is a full name in the `.proto` files with a dot in front: `.acme.Order`
covers the message, its fields and what is nested in it, `.acme` the package, `.`
everything. Options with a path may be given several times. A path that covers
nothing is a warning. An option that does not exist, or that has no effect beside
the others, is an error.

";

const RECIPES: &str = "
## Recipes

**serde**, for all types of a package:

```rust
grpc_build::Config::new()
    .type_attribute(\".acme\", \"#[derive(serde::Serialize, serde::Deserialize)]\")
    .message_attribute(\".acme\", \"#[serde(default)]\")
```

The well-known types of `prost_types` do not implement serde's traits. Give a field of
such a type `#[serde(skip)]` or `#[serde(with = \"…\")]` by `field_attribute`, or use other
types that implement them, by `extern_path=.google.protobuf=::…`.

**proto3 JSON**, with pbjson. The build script writes the descriptors to a file, and
`pbjson-build` generates implementations of serde's traits from it. Include these in the
module of the messages. The well-known types are those of `pbjson-types`. In `build.rs`,
then in the program:

```rust
let set = std::path::Path::new(&std::env::var(\"OUT_DIR\")?).join(\"descriptors.bin\");
grpc_build::Config::new()
    .file_descriptor_set_path(&set)
    .extern_path(\".google.protobuf\", \"::pbjson_types\")
    .compile(&[\"proto/event.proto\"], &[\"proto\"])?;
pbjson_build::Builder::new()
    .register_descriptors(&std::fs::read(&set)?)?
    .build(&[\".event\"])?;
```

```rust
grpc_runtime::include_proto!(\"event\");
include!(concat!(env!(\"OUT_DIR\"), \"/event.serde.rs\"));
```

**Dynamic messages**, and JSON of types without generated code, with `prost-reflect`:
`DescriptorPool::decode` takes `FILE_DESCRIPTOR_SET`, or the file of
`Config::file_descriptor_set_path`.

**A client and a server behind cargo features**, from one crate:
`client_cfg=feature = \"client\"` and `server_cfg=feature = \"server\"`.

**Messages in a crate of their own**: give `client=false,server=false` in the crate of the
messages, and `messages=false,extern_path=.acme=::acme_messages::acme` in the crate of the
services.

";

/// What has to be there for an option to have an effect.
fn beside(option: &str) -> &'static [(&'static str, &'static str)] {
    match option {
        "module_attribute" => &[("include_file", "mod.rs")],
        "type_name_domain" => &[("type_names", "true")],
        _ => &[],
    }
}

/// A value that fits the sample.
fn value(option: &str) -> &'static str {
    match option {
        "client" | "server" | "messages" => "false",
        "client_cfg" => "feature = \"client\"",
        "server_cfg" => "feature = \"server\"",
        "extern_path" => ".store.Details=::details::Details",
        "include_file" => "mod.rs",
        "default_package_filename" => "root",
        "file_descriptor_set" | "require_methods" | "retain_enum_prefix" | "type_names" => "true",
        "type_attribute" => ".store=#[derive(serde::Serialize, serde::Deserialize)]",
        "message_attribute" => ".store.Order=#[must_use]",
        "enum_attribute" => ".=#[non_exhaustive]",
        "field_attribute" => ".store.Order.card=#[serde(skip)]",
        "stub_attribute" => ".store.Shop=#[doc(alias = \"ShopClient\")]",
        "servicer_attribute" => ".=#[diagnostic::on_unimplemented(note = \"see the guide\")]",
        "server_attribute" => ".store.Shop=#[doc(alias = \"shop\")]",
        "module_attribute" => ".store=#[cfg(feature = \"store\")]",
        "bytes" | "btree_map" | "disable_comments" => ".",
        "boxed" => ".store.Order.details",
        "skip_debug" => ".store.Details",
        "type_name_domain" => ".store=types.store.example",
        other => panic!("{other} has no example: give it one"),
    }
}

fn generate(samples: &[&str], options: &[(&str, &str)]) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
    let protos: Vec<_> = samples.iter().map(|name| testdata.join(name)).collect();
    let warnings = options
        .iter()
        .fold(Config::new(), |config, (name, value)| {
            config.option(*name, *value)
        })
        .out_dir(out.path())
        .generate(&protos, &[&testdata])
        .unwrap();
    assert_eq!(warnings, Vec::<String>::new(), "{options:?}");
    fs::read_dir(out.path())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The lines that differ, with `+` and `-`, and a few around them.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // Of the rest of both, how many lines can be kept.
    let mut kept = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (row, left) in old.iter().enumerate().rev() {
        for (column, right) in new.iter().enumerate().rev() {
            kept[row][column] = if left == right {
                kept[row + 1][column + 1] + 1
            } else {
                kept[row + 1][column].max(kept[row][column + 1])
            };
        }
    }
    // Every line with its sign, in order.
    let mut lines: Vec<(char, &str)> = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < old.len() || column < new.len() {
        let ends = (row == old.len(), column == new.len());
        if ends == (false, false) && old[row] == new[column] {
            lines.push((' ', old[row]));
            row += 1;
            column += 1;
        } else if ends.1 || !ends.0 && kept[row + 1][column] >= kept[row][column + 1] {
            lines.push(('-', old[row]));
            row += 1;
        } else {
            lines.push(('+', new[column]));
            column += 1;
        }
    }
    // Those that differ, the one above and the two below; attributes stand above
    // what they are for.
    let shown = |at: usize| {
        let near = &lines[at.saturating_sub(2)..(at + 2).min(lines.len())];
        near.iter().any(|(sign, _)| *sign != ' ')
    };
    let mut text = String::new();
    for (at, (sign, line)) in lines.iter().enumerate() {
        if shown(at) {
            if !text.is_empty() && !shown(at - 1) {
                text.push_str("@@\n");
            }
            let _ = writeln!(text, "{}", format!("{sign}{line}").trim_end());
        }
    }
    text
}

fn section(option: &str) -> String {
    let samples: &[&str] = match option {
        "default_package_filename" => &["no_package.proto", "hello.proto"],
        _ => &["options.proto"],
    };
    let mut options = beside(option).to_vec();
    let before = generate(samples, &options);
    options.push((option, value(option)));
    let after = generate(samples, &options);

    let written: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("`{name}={value}`"))
        .collect();
    let mut text = format!("\n## {option}\n\n{}\n\n", written.join(" with "));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => {
                let _ = write!(text, "```diff\n{}```\n", diff(old, new));
            }
            (None, Some(new)) if !after.contains_key("root.rs") => {
                let _ = write!(text, "New file `{name}`:\n\n```rust\n{new}```\n");
            }
            (old, _) => {
                let state = if old.is_some() { "no longer" } else { "now" };
                let _ = writeln!(text, "`{name}` is {state} written.\n");
            }
        }
    }
    assert!(
        text.contains("```") || text.contains("is now"),
        "{option} changes nothing"
    );
    text
}

#[test]
fn the_page_is_the_table_and_what_each_option_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = fs::read_to_string(root.join("tests/testdata/options.proto")).unwrap();
    let mut page = format!(
        "{HEAD}{}{RECIPES}The rest of this page shows what each option changes in the code for \
         this file:\n\n```proto\n{sample}```\n",
        options_as_markdown()
    );
    for spec in OPTIONS {
        page.push_str(&section(spec.name));
    }
    let path = root.join("OPTIONS.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(golden.lines()).position(|(a, b)| a != b);
    assert!(
        page == golden,
        "OPTIONS.md differs from line {} on; BLESS=1 accepts what is generated now",
        differs.map_or(0, |line| line + 1)
    );
}

#[test]
fn examples_of_the_table_are_values_that_fit() {
    for spec in OPTIONS {
        let mut options = protoc_gen_rust_grpc::Options::default();
        options.set(spec.name, spec.example).unwrap();
    }
}
