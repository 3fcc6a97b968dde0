//! The tests over all pages: blocks, regions, commands, links and the index.

use std::path::{Path, PathBuf};
use std::{fs, mem};

use super::page::{Block, Marker, Page};
use super::region::regions;
use super::{alone, guide, is_blessing, links};

/// Code of these languages has a marker.
const HELD: &[&str] = &["rust", "proto", "toml", "yaml"];

/// What a page may have its reader run beside our examples.
const TOOLS: &[&str] = &["kubectl", "grpcurl", "curl", "openssl", "dig", "systemctl"];

/// Pages beside the guide's whose links are checked.
const OTHERS: &[&str] = &[
    "../README.md",
    "../ARCHITECTURE.md",
    "../CONTRIBUTING.md",
    "../PERFORMANCE.md",
    "../protoc-gen-rust-grpc/OPTIONS.md",
    "../runtime/opentelemetry/README.md",
    "../runtime/services/README.md",
    "../runtime/testing/README.md",
];

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn pages() -> Vec<Page> {
    let pages: Vec<_> = files(&guide(), "md")
        .iter()
        .map(|path| Page::read(path).unwrap())
        .collect();
    assert!(pages.len() > 1, "no pages in {}", guide().display());
    pages
}

/// The sources of a page's module: its file, and those of its folder.
fn sources(page: &str) -> Vec<PathBuf> {
    let module = guide().join("code").join(page.replace('-', "_"));
    let mut sources = Vec::new();
    let file = module.with_extension("rs");
    if file.exists() {
        sources.push(file);
    }
    if module.is_dir() {
        sources.extend(files(&module, "rs"));
    }
    sources
}

fn region(path: &Path, name: &str) -> Result<Option<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut regions = regions(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(regions.remove(name))
}

/// What the block has to say; `None` if nothing in the repository holds it.
fn expected(page: &Page, block: &Block) -> Result<Option<String>, String> {
    let folder = page.path.parent().unwrap();
    match &block.marker {
        Some(Marker::Snippet(name)) => {
            let (places, name) = match name.split_once('#') {
                Some((path, name)) => (vec![folder.join(path)], name),
                None => (sources(page.name()), name.as_str()),
            };
            for place in &places {
                if let Some(text) = region(place, name)? {
                    return Ok(Some(text));
                }
            }
            Err(format!("no region {name} in {places:?}"))
        }
        Some(Marker::File(path)) => fs::read_to_string(folder.join(path))
            .map(Some)
            .map_err(|error| format!("{path}: {error}")),
        Some(Marker::Manifest) => manifest(&block.text).map(|()| None),
        Some(Marker::Unknown(marker)) => Err(format!("what is the marker {marker}?")),
        None if HELD.contains(&block.language.split(',').next().unwrap_or("")) => {
            Err(format!("{} without a marker", block.language))
        }
        Some(Marker::Output(_) | Marker::Crate(_) | Marker::Theirs(_)) | None => Ok(None),
    }
}

/// Our crates that lines of a Cargo.toml name exist, and have the features.
fn manifest(text: &str) -> Result<(), String> {
    for line in text.lines().filter(|line| line.starts_with("grpc-")) {
        let name = line.split([' ', '.', '=']).next().unwrap_or_default();
        let folder = match name {
            "grpc-runtime" => "runtime",
            "grpc-build" => "grpc-build",
            "grpc-testing" => "runtime/testing",
            "grpc-services" => "runtime/services",
            "grpc-opentelemetry" => "runtime/opentelemetry",
            _ => return Err(format!("no crate {name}")),
        };
        let path = format!("path = \"../rust-grpc/{folder}\"");
        if !line.contains(&path) {
            return Err(format!("{name}: the path is not {path}"));
        }
        let manifest = guide().join("../..").join(folder).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).map_err(|error| error.to_string())?;
        let features = line.split_once("features = [").map_or("", |(_, rest)| rest);
        let features = features.split(']').next().unwrap_or_default();
        for feature in features.split('"').skip(1).step_by(2) {
            if !manifest
                .lines()
                .any(|line| line.starts_with(&format!("{feature} = [")))
            {
                return Err(format!("{name} has no feature {feature}"));
            }
        }
    }
    Ok(())
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn blocks_are_what_they_are_marked_as() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for mut page in pages() {
        let mut is_changed = false;
        for number in 0..page.blocks.len() {
            let block = &page.blocks[number];
            let place = format!("{}:{}", page.path.display(), block.line);
            match expected(&page, block) {
                Err(error) => wrong.push(format!("{place}: {error}")),
                Ok(Some(text)) if text != block.text && is_blessing() => {
                    page.replace(number, &text);
                    is_changed = true;
                }
                Ok(Some(text)) if text != block.text => wrong.push(format!(
                    "{place}: is not what its source has (BLESS=1 writes it):\n{text}"
                )),
                Ok(_) => {}
            }
        }
        if is_changed {
            page.write().unwrap();
        }
    }
    report(&wrong);
}

#[test]
fn each_region_is_shown_and_each_module_has_its_page() {
    let _alone = alone();
    let mut wrong = Vec::new();
    let root = fs::read_to_string(guide().join("code/main.rs")).unwrap();
    for file in files(&guide().join("code"), "rs") {
        let module = file.file_stem().unwrap().to_str().unwrap();
        if module == "main" {
            continue;
        }
        if !root.contains(&format!("\nmod {module};\n")) {
            wrong.push(format!(
                "{}: main.rs has no `mod {module};`",
                file.display()
            ));
        }
        let path = guide().join(format!("{}.md", module.replace('_', "-")));
        let Ok(page) = Page::read(&path) else {
            wrong.push(format!("{}: no page {}", file.display(), path.display()));
            continue;
        };
        for source in sources(page.name()) {
            let text = fs::read_to_string(&source).unwrap();
            for name in regions(&text).unwrap_or_default().into_keys() {
                let marker = Some(Marker::Snippet(name.clone()));
                if !page.blocks.iter().any(|block| block.marker == marker) {
                    wrong.push(format!("{}: no page shows {name}", source.display()));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn outputs_are_asserted() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for page in pages() {
        let sources = sources(page.name());
        let code: String = sources
            .iter()
            .map(|source| fs::read_to_string(source).unwrap())
            .collect();
        for block in &page.blocks {
            if let Some(Marker::Output(name)) = &block.marker
                && !code.contains(&format!("\"{name}\""))
            {
                wrong.push(format!(
                    "{}:{}: no test gives the output {name}",
                    page.path.display(),
                    block.line
                ));
            }
        }
    }
    report(&wrong);
}

#[test]
fn commands_name_examples_that_exist_or_known_tools() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for page in pages() {
        // A crate that the page has its reader make is run as it says.
        let makes_a_crate = page
            .blocks
            .iter()
            .any(|block| matches!(block.marker, Some(Marker::Crate(_))));
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            for command in commands(&block.text) {
                let words: Vec<_> = command.split_whitespace().collect();
                let is_known = match words[..] {
                    ["cargo", "run", "-p", "examples", kind, name, ..] => is_example(kind, name),
                    ["cargo", "run", ..] => makes_a_crate,
                    [tool, ..] => TOOLS.contains(&tool),
                    [] => true,
                };
                if !is_known {
                    wrong.push(format!("{}:{}: {command}", page.path.display(), block.line));
                }
            }
        }
    }
    report(&wrong);
}

/// The commands of a block, each in one line.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut command = String::new();
    for line in text.lines() {
        let line = line.split(" # ").next().unwrap_or_default().trim();
        if line.starts_with('#') {
            continue;
        }
        command.push_str(line.trim_end_matches('\\'));
        if !line.ends_with('\\') {
            commands.push(mem::take(&mut command));
        }
    }
    commands
}

fn is_example(kind: &str, name: &str) -> bool {
    let package = guide().join("..");
    match kind {
        "--bin" => {
            let bins = package.join("src/bin");
            bins.join(format!("{name}.rs")).exists() || bins.join(name).join("main.rs").exists()
        }
        "--example" => {
            let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
            manifest.contains(&format!("[[example]]\nname = \"{name}\"\n"))
        }
        _ => false,
    }
}

#[test]
fn links_lead_somewhere() {
    let _alone = alone();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let others = OTHERS
        .iter()
        .map(|path| Page::read(&package.join(path)).unwrap());
    let wrong: Vec<_> = pages()
        .iter()
        .chain(&others.collect::<Vec<_>>())
        .flat_map(links::dead)
        .collect();
    report(&wrong);
}

#[test]
fn the_index_lists_each_page_once() {
    let _alone = alone();
    let pages = pages();
    let index = pages.iter().find(|page| page.name() == "README").unwrap();
    let mut listed: Vec<_> = index
        .prose()
        .filter_map(|(_, line)| links::targets(line.strip_prefix("- ")?).next())
        .filter_map(|target| target.strip_suffix(".md"))
        .collect();
    listed.sort_unstable();
    let mut there: Vec<_> = pages
        .iter()
        .map(Page::name)
        .filter(|name| *name != "README")
        .collect();
    there.sort_unstable();
    assert_eq!(
        listed, there,
        "lines `- [Title](name.md): …` of README.md, and the pages there are"
    );
}

#[test]
fn the_readme_and_rustdoc_list_each_page() {
    let _alone = alone();
    let read = |path: &str| fs::read_to_string(guide().join(path)).unwrap();
    let (readme, rustdoc) = (read("../../README.md"), read("../../runtime/src/lib.rs"));
    let mut wrong = Vec::new();
    for page in pages().iter().filter(|page| page.name() != "README") {
        if !readme.contains(&format!("(examples/guide/{}.md)", page.name())) {
            wrong.push(format!("README.md has no link to {}.md", page.name()));
        }
        let is_named =
            |line: &str| line.starts_with("//!") && line.contains(&format!("`{}`", page.name()));
        if !rustdoc.lines().any(is_named) {
            wrong.push(format!(
                "runtime/src/lib.rs does not name `{}`",
                page.name()
            ));
        }
    }
    report(&wrong);
}
