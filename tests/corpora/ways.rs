//! The ways to generate a corpus: the plugin, which is the measure, and
//! grpc-build with each of its front-ends. Each runs in a process of its own: a
//! panic or an overflow of the stack is a result, not the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use grpc_build::{Config, FrontEnd};

use crate::Failure;
use crate::corpus::Corpus;

/// The first argument of a process that generates.
pub(crate) const CHILD: &str = "--generate";

/// Names and texts.
pub(crate) type Files = BTreeMap<String, String>;

/// The file with the tree of modules.
pub(crate) const TREE: &str = "mod.rs";

/// One front-end of grpc-build.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    editions: bool,
    comments: bool,
    /// Whether a difference is ours to answer for. protobuf-parse refuses some
    /// valid files.
    pub(crate) answered_for: bool,
    front_end: fn(&Path) -> FrontEnd,
}

/// What a way makes of a corpus.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Files it cannot read, with their places.
    pub(crate) refused: Vec<String>,
    pub(crate) different: Vec<String>,
}

/// All but the plugin.
pub(crate) const ALL: &[Way] = &[
    Way {
        name: "protox",
        editions: false,
        comments: true,
        answered_for: true,
        front_end: |_| FrontEnd::Protox,
    },
    Way {
        name: "protoc",
        editions: true,
        comments: true,
        answered_for: true,
        front_end: |_| FrontEnd::VendoredProtoc,
    },
    Way {
        name: "descriptor set",
        editions: true,
        comments: true,
        answered_for: true,
        front_end: |work| FrontEnd::DescriptorSet(work.join("corpus.set")),
    },
    Way {
        name: "protobuf-parse",
        editions: false,
        comments: false,
        answered_for: false,
        front_end: |_| FrontEnd::ProtobufParse,
    },
];

impl Way {
    pub(crate) fn reads(&self, corpus: &Corpus) -> bool {
        self.editions || !corpus.uses_editions()
    }

    /// What differs from the plugin's output. Files that this way refuses, and
    /// says where, are left out on both sides.
    pub(crate) fn compare(
        &self,
        corpus: &Corpus,
        expected: &Files,
        work: &Path,
    ) -> Result<Comparison, Failure> {
        let mut corpus = corpus.clone();
        let mut comparison = Comparison::default();
        loop {
            let error = match self.generate(&corpus, work)? {
                Ok(found) => {
                    let reduced = if comparison.refused.is_empty() {
                        None
                    } else {
                        Some(plugin(&corpus, &work.join("reduced"), work)??)
                    };
                    let expected = reduced.as_ref().unwrap_or(expected);
                    comparison.different = self.differences(&found, expected);
                    return Ok(comparison);
                }
                Err(error) => error,
            };
            let blamed = corpus.blamed(&error).map(str::to_owned);
            let Some(name) = blamed else {
                comparison.different.push(error);
                return Ok(comparison);
            };
            corpus.leave_out(&name);
            comparison.refused.push(error);
        }
    }

    fn generate(&self, corpus: &Corpus, work: &Path) -> Result<Result<Files, String>, Failure> {
        let out = work.join("out");
        let _ = fs::remove_dir_all(&out);
        let list = work.join("files.txt");
        write_list(corpus, &list)?;
        let mut child = Command::new(std::env::current_exe()?);
        child
            .args([CHILD, self.name])
            .arg(work)
            .arg(&out)
            .arg(&list);
        let output = child.args(&corpus.includes).output()?;
        if output.status.success() {
            return Ok(Ok(read(&out)?));
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Ok(Err(if output.status.code() == Some(1) {
            error.into_owned()
        } else {
            format!("{}: {error}", output.status)
        }))
    }

    fn differences(&self, found: &Files, expected: &Files) -> Vec<String> {
        let mut different: Vec<String> = expected
            .iter()
            .filter_map(|(name, expected)| match found.get(name) {
                None => Some(format!("{name} is missing")),
                Some(found) => self.difference(name, found, expected),
            })
            .collect();
        let unexpected = found.keys().filter(|name| !expected.contains_key(*name));
        different.extend(unexpected.map(|name| format!("{name} is not the plugin's")));
        different
    }

    fn difference(&self, name: &str, found: &str, expected: &str) -> Option<String> {
        let lines = |text: &'_ str| -> Vec<String> {
            let kept = text.lines().filter(|line| {
                self.comments || !line.trim().is_empty() && !line.trim_start().starts_with("///")
            });
            kept.map(str::to_owned).collect()
        };
        let (found, expected) = (lines(found), lines(expected));
        let at = found.iter().zip(&expected).position(|(a, b)| a != b);
        match at {
            Some(at) => Some(format!("{name}: `{}` for `{}`", found[at], expected[at])),
            None if found.len() == expected.len() => None,
            None => Some(format!(
                "{name}: {} lines for {}",
                found.len(),
                expected.len()
            )),
        }
    }
}

/// What a process with [`CHILD`] does: way, work, output, list, includes.
pub(crate) fn child(arguments: &[String]) -> Result<(), Failure> {
    let [name, work, out, list, includes @ ..] = arguments else {
        return Err("too few arguments".into());
    };
    let way = ALL
        .iter()
        .find(|way| way.name == name)
        .ok_or("no such way")?;
    let work = Path::new(work);
    if name == "descriptor set" {
        let output = Command::new(protoc_bin_vendored::protoc_bin_path()?)
            .args(includes.iter().map(|include| format!("-I{include}")))
            .args(["--include_imports", "--include_source_info"])
            .arg(format!(
                "--descriptor_set_out={}",
                work.join("corpus.set").display()
            ))
            .arg(format!("@{list}"))
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    let names = fs::read_to_string(list)?;
    let names: Vec<PathBuf> = names.lines().map(PathBuf::from).collect();
    let includes: Vec<PathBuf> = includes.iter().map(PathBuf::from).collect();
    Config::new()
        .front_end((way.front_end)(work))
        .include_file(TREE)
        .out_dir(out)
        .compile(&names, &includes)?;
    Ok(())
}

/// What the plugin writes into `out`, or what protoc says.
pub(crate) fn plugin(
    corpus: &Corpus,
    out: &Path,
    work: &Path,
) -> Result<Result<Files, String>, Failure> {
    let _ = fs::remove_dir_all(out);
    fs::create_dir_all(out)?;
    let list = work.join("files.txt");
    write_list(corpus, &list)?;
    let plugin = std::env::current_exe()?.with_file_name("protoc-gen-rust-grpc");
    let output = Command::new(protoc_bin_vendored::protoc_bin_path()?)
        .arg(format!(
            "--plugin=protoc-gen-rust-grpc={}",
            plugin.display()
        ))
        .arg(format!(
            "--rust-grpc_out=include_file={TREE}:{}",
            out.display()
        ))
        .args(
            corpus
                .includes
                .iter()
                .map(|include| format!("-I{}", include.display())),
        )
        .arg(format!("@{}", list.display()))
        .output()?;
    if output.status.success() {
        return Ok(Ok(read(out)?));
    }
    // Before it stand warnings.
    let text = String::from_utf8_lossy(&output.stderr);
    let own = text.split_once("--rust-grpc_out: ").map(|(_, own)| own);
    Ok(Err(own.unwrap_or(&text).to_owned()))
}

fn write_list(corpus: &Corpus, list: &Path) -> Result<(), Failure> {
    let names: Vec<&str> = corpus.files.keys().map(String::as_str).collect();
    Ok(fs::write(list, names.join("\n"))?)
}

fn read(directory: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files.insert(name.into_owned(), fs::read_to_string(&path)?);
    }
    Ok(files)
}
