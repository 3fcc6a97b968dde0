//! Tests that imports follow the order of the layers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lowest first. A module may import modules of lower ranks and itself; two of the same
/// rank may not import each other.
const LAYERS: &[&[&str]] = &[
    &[
        "chance", "clock", "code", "deadline", "limits", "locks", "method", "spare",
    ],
    &["metadata"],
    &["status"],
    &["framing", "transport"],
    &["snapshot"],
    &["observe"],
    &["call", "credentials"],
    &["channel", "server"],
    &["stub", "in_process", "channelz", "codegen"],
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

/// The sans-IO parts use no executor and no clock.
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
        for word in ["tokio", "Instant::now", "std::net", "crate::clock"] {
            assert!(!text.contains(word), "{} names {word}", file.display());
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

/// The path of a file's module below `src`.
fn path_of(file: &Path, src: &Path) -> Vec<String> {
    let relative = file.strip_prefix(src).unwrap().with_extension("");
    let parts = relative.components();
    let mut parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Each path of `use a::{b, c::{d, e}}`, and each that begins with `crate` or `super`
/// elsewhere.
fn paths_in(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let begins = at == 0 || rest[..at].ends_with([' ', '\n']);
        let (before, after) = rest.split_at(at);
        mentioned(before, &mut paths);
        let end = after.find(';').unwrap_or(after.len());
        if begins {
            let compact: String = after[4..end].split_whitespace().collect();
            expand("", &compact, &mut paths);
        }
        rest = &after[if begins { end } else { 4 }..];
    }
    mentioned(rest, &mut paths);
    paths
}

fn mentioned(code: &str, paths: &mut Vec<String>) {
    for word in code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        if word.starts_with("crate::") || word.starts_with("super::") {
            paths.push(word.to_owned());
        }
    }
}

fn expand(before: &str, text: &str, paths: &mut Vec<String>) {
    let Some((head, list)) = text.split_once('{') else {
        return paths.push(format!("{before}{text}"));
    };
    let list = list.strip_suffix('}').unwrap_or(list);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&format!("{before}{head}"), &list[from..at], paths);
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// Imports between files and folders that lie beside each other: for each folder, the
/// edges, with a file that has each.
fn edges(src: &Path) -> BTreeMap<Vec<String>, BTreeMap<(String, String), PathBuf>> {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    files.retain(|file| !file.to_string_lossy().contains("tests"));
    let modules: BTreeSet<_> = files.iter().map(|file| path_of(file, src)).collect();
    let mut edges: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for file in &files {
        let own = path_of(file, src);
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code: Vec<_> = lines.collect();
        for path in paths_in(&code.join("\n")) {
            let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
            let mut full = match parts[0].as_str() {
                "crate" => Vec::new(),
                "super" => own.clone(),
                _ => continue,
            };
            while parts.first().is_some_and(|part| part == "super") {
                full.pop();
                parts.remove(0);
            }
            full.extend(parts.into_iter().filter(|part| part != "crate"));
            while !full.is_empty() && !modules.contains(&full) {
                full.pop();
            }
            let same = own.iter().zip(&full).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (own.get(same), full.get(same)) {
                let edge = (from.clone(), to.clone());
                let folder = edges.entry(own[..same].to_vec()).or_default();
                folder.insert(edge, file.clone());
            }
        }
    }
    edges
}

#[test]
fn files_of_one_folder_have_no_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut circles = Vec::new();
    for (folder, mut edges) in edges(&src) {
        // A node without edges in or out is in no circle.
        loop {
            let from: BTreeSet<_> = edges.keys().map(|(from, _)| from.clone()).collect();
            let to: BTreeSet<_> = edges.keys().map(|(_, to)| to.clone()).collect();
            let before = edges.len();
            edges.retain(|(a, b), _| to.contains(a) && from.contains(b));
            if edges.len() == before {
                break;
            }
        }
        for ((from, to), file) in edges {
            let file = file.display();
            circles.push(format!("{}: {from} -> {to} in {file}", folder.join("::")));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn paths_are_found_in_text() {
    let code = "use crate::{a, b::{c, d as e}};\nfn f() { super::g::h(crate::i); }";
    let found = paths_in(code);
    let expected = [
        "crate::a",
        "crate::b::c",
        "crate::b::dase",
        "super::g::h",
        "crate::i",
    ];
    assert_eq!(found, expected);
}
