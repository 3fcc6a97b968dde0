//! One name an idea: no crate has two types of one name, no two published crates have public
//! types of one name, and unit tests lie in one way. Held against the source of all crates.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The crates that users depend on, each with the folder of its source.
const PUBLISHED: [(&str, &str); 6] = [
    ("protoc-gen-rust-grpc", "protoc-gen-rust-grpc/src"),
    ("grpc-build", "grpc-build/src"),
    ("grpc-runtime", "runtime/src"),
    ("grpc-testing", "runtime/testing/src"),
    ("grpc-opentelemetry", "runtime/opentelemetry/src"),
    ("grpc-services", "runtime/services/src"),
];

/// Folders each of whose files and folders is a program, and so a crate, of its own.
const PROGRAMS: [&str; 3] = ["examples/src", "examples/src/bin", "tests/src/bin"];

/// Its messages have the names that `google/rpc` gives them, in modules of their own.
const MESSAGES: &str = "runtime/src/status/rpc.rs";

/// Public names that two published crates may have, each with the reason.
const OF_SEVERAL: [(&str, &str); 1] = [(
    "Error",
    "the generator's and grpc-build's: a crate's one error is called so in Rust",
)];

#[derive(Clone, Debug, PartialEq)]
struct Declared {
    name: String,
    is_public: bool,
    place: String,
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    {}", self.place)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All source files below a file or a folder, by their paths from the root.
fn rust_files(below: &str) -> Vec<String> {
    let path = root().join(below);
    if path.is_file() {
        return vec![below.to_owned()];
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().unwrap().to_string_lossy();
            names.push(format!("{below}/{name}"));
        }
    }
    names.sort();
    names.iter().flat_map(|name| rust_files(name)).collect()
}

fn is_test(file: &str) -> bool {
    file.split('/')
        .skip_while(|part| *part != "src")
        .any(|part| part.ends_with("tests") || part.ends_with("tests.rs"))
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// What a line declares: whether it is public beyond the crate's walls, its kind, its name.
fn declaration(line: &str) -> Option<(bool, &str, &str)> {
    let mut rest = line.trim_start();
    let mut is_public = false;
    if let Some(after) = rest.strip_prefix("pub") {
        is_public = after.starts_with(' ');
        rest = match after.strip_prefix('(') {
            Some(scope) => scope.split_once(')')?.1,
            None => after,
        };
        rest = rest.strip_prefix(' ')?;
    }
    rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let (kind, rest) = rest.split_once(' ')?;
    if !["struct", "enum", "trait", "union", "type"].contains(&kind) {
        return None;
    }
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let name = &rest[..end];
    name.starts_with(|c: char| c.is_ascii_uppercase())
        .then_some((is_public, kind, name))
}

/// The types of one file. It is formatted, so a block ends with its brace below its
/// first letter; types within an `impl` or a `trait` are associated ones.
fn types(file: &str, text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        if line == "mod tests {" {
            break;
        }
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if block.as_deref().is_some_and(|end| line.starts_with(end)) {
            block = None;
        }
        let declared = declaration(line);
        let is_trait = declared.is_some_and(|(_, kind, _)| kind == "trait");
        let is_impl = code.starts_with("impl ") || code.starts_with("impl<");
        let is_associated = block.is_some() && declared.is_some_and(|(_, kind, _)| kind == "type");
        if (is_trait || is_impl) && !line.ends_with(['}', ';']) && block.is_none() {
            block = Some(format!("{indent}}}"));
        }
        if let Some((is_public, _, name)) = declared.filter(|_| !is_associated) {
            found.push(Declared {
                name: name.to_owned(),
                is_public,
                place: format!("{file}:{}", index + 1),
            });
        }
    }
    found
}

fn types_below(below: &str) -> Vec<Declared> {
    let files = rust_files(below);
    let files = files
        .iter()
        .filter(|file| !is_test(file) && *file != MESSAGES);
    files.flat_map(|file| types(file, &read(file))).collect()
}

fn by_name(all: Vec<Declared>) -> BTreeMap<String, Vec<Declared>> {
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for declared in all {
        names
            .entry(declared.name.clone())
            .or_default()
            .push(declared);
    }
    names
}

fn told(of: &str, name: &str, places: &[Declared]) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    format!("{of}: `{name}`\n{}", places.join("\n"))
}

/// All crates of the workspace, by their names or by their programs' places.
fn crates() -> Vec<(String, Vec<Declared>)> {
    let mut crates: Vec<_> = PUBLISHED
        .iter()
        .map(|(name, below)| ((*name).to_owned(), types_below(below)))
        .collect();
    for folder in PROGRAMS {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            if name != "bin" {
                let below = format!("{folder}/{name}");
                crates.push((below.clone(), types_below(&below)));
            }
        }
    }
    crates.push(("corpora".to_owned(), types_below("tests/corpora")));
    let mut library = types_below("tests/src");
    library.retain(|declared| !declared.place.starts_with("tests/src/bin/"));
    crates.push(("grpc-tests".to_owned(), library));
    crates
}

#[test]
fn no_two_types_of_a_crate_share_a_name() {
    let crates = crates();
    assert!(crates.len() > 20 && crates.iter().map(|(_, all)| all.len()).sum::<usize>() > 700);
    let mut wrong = Vec::new();
    for (of, all) in crates {
        for (name, places) in by_name(all) {
            if places.len() > 1 {
                wrong.push(told(&of, &name, &places));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn public_types_of_published_crates_have_names_of_their_own() {
    let mut all = Vec::new();
    for (_, below) in PUBLISHED {
        all.extend(types_below(below));
    }
    all.retain(|declared| declared.is_public);
    let mut wrong = Vec::new();
    for (name, places) in by_name(all) {
        let is_excused = OF_SEVERAL.iter().any(|(excused, _)| *excused == name);
        if (places.len() > 1) != is_excused {
            wrong.push(told("several crates", &name, &places));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Those of `foo.rs` are in `foo/tests.rs`. What tests several files together is a
/// `subject_tests.rs` in their folder, and no file of the folder is its subject.
#[test]
fn unit_tests_lie_in_one_way() {
    let mut wrong = Vec::new();
    for (_, below) in PUBLISHED {
        let files = rust_files(below);
        for file in &files {
            let text = read(file);
            for line in text.lines() {
                let code = line.trim_start();
                if code.starts_with("#[path") {
                    wrong.push(format!("{file} names a path of a module"));
                }
                if code.starts_with("mod tests {") {
                    wrong.push(format!("{file} has tests in its midst"));
                }
            }
            if let Some(subject) = file.strip_suffix("_tests.rs")
                && files.contains(&format!("{subject}.rs"))
            {
                wrong.push(format!(
                    "{file} tests {subject}.rs: it is {subject}/tests.rs"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn declarations_are_found_in_text() {
    let text = "\
pub struct A<T>(T);
pub(in crate::channel) enum B {
    C,
}
impl Iterator for A {
    type Item = D;
}
pub trait E {
    type F;
}
/// struct G
fn f() {
    struct H;
}
type I = J;
mod tests {
    struct K;
}
";
    let found = types("a.rs", text);
    let names: Vec<_> = found
        .iter()
        .map(|declared| (declared.name.as_str(), declared.is_public))
        .collect();
    let expected = [
        ("A", true),
        ("B", false),
        ("E", true),
        ("H", false),
        ("I", false),
    ];
    assert_eq!(names, expected);
    assert_eq!(found[1].place, "a.rs:2");
}
