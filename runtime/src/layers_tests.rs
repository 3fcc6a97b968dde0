//! Imports run one way: the order of the layers, held against the source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lowest first. A module may import those of lower ranks and of its own name;
/// two of the same rank never see each other.
const LAYERS: &[&[&str]] = &[
    &[
        "chance", "clock", "code", "deadline", "limits", "locks", "method", "spare",
    ],
    &["metadata"],
    &["status"],
    &["framing", "transport"],
    &["call", "credentials"],
    &["channel", "server"],
    &["stub", "in_process", "codegen"],
];

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first segment below `src`, without its extension.
fn module_of(path: &Path, src: &Path) -> String {
    let relative = path.strip_prefix(src).unwrap();
    let first = relative.components().next().unwrap();
    Path::new(first.as_os_str())
        .with_extension("")
        .to_string_lossy()
        .into_owned()
}

/// The top-level modules named after `crate::` in a file's code.
fn imports(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn imports_run_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let module = module_of(&file, &src);
        if module == "lib" || module.ends_with("_tests") {
            continue;
        }
        let Some(own) = rank(&module) else {
            wrong.push(format!("{} stands in no layer", file.display()));
            continue;
        };
        for import in imports(&std::fs::read_to_string(&file).unwrap()) {
            let known = rank(&import);
            if import != module && known.is_none_or(|rank| rank >= own) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parts that must run without a socket or a clock.
#[test]
fn what_is_sans_io_knows_no_executor_and_no_clock() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src.join("transport/http2"), &mut files);
    rust_files(&src.join("framing"), &mut files);
    for file in files
        .iter()
        .filter(|file| !file.to_string_lossy().ends_with("tests.rs"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        for word in ["tokio", "Instant::now", "std::net", "crate::clock"] {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn files_are_short_enough_to_read_in_one_sitting() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.lines().count() <= 600,
            "{} is over 600 lines",
            file.display()
        );
        assert!(
            text.starts_with("//!"),
            "{} does not say what it is for",
            file.display()
        );
    }
}
