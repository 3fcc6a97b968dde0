//! A page of the guide: its fenced blocks, with what their markers say of them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a comment in the line above a block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marker {
    Snippet(String),
    File(String),
    Output(String),
    Manifest,
    Crate(String),
    Theirs(String),
    Unknown(String),
}

impl Marker {
    fn parse(line: &str) -> Option<Self> {
        let comment = line
            .trim()
            .strip_prefix("<!--")?
            .strip_suffix("-->")?
            .trim();
        let (kind, name) = comment.split_once(": ").unwrap_or((comment, ""));
        let name = name.to_owned();
        Some(match kind {
            "snippet" => Self::Snippet(name),
            "file" => Self::File(name),
            "output" => Self::Output(name),
            "manifest" => Self::Manifest,
            "crate" => Self::Crate(name),
            "theirs" => Self::Theirs(name),
            _ => Self::Unknown(comment.to_owned()),
        })
    }
}

#[derive(Debug)]
pub(super) struct Block {
    /// Of the opening fence, from 1.
    pub(super) line: usize,
    pub(super) language: String,
    pub(super) marker: Option<Marker>,
    pub(super) text: String,
    /// Where the text lies in the page.
    place: Range<usize>,
}

pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
}

impl Page {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let blocks = blocks(&text);
        Ok(Self {
            path: path.to_owned(),
            text,
            blocks,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.path.file_stem().unwrap().to_str().unwrap()
    }

    /// Puts a text in place of a block's.
    pub(super) fn replace(&mut self, block: usize, text: &str) {
        self.text
            .replace_range(self.blocks[block].place.clone(), text);
        self.blocks = blocks(&self.text);
    }

    pub(super) fn write(&self) -> io::Result<()> {
        fs::write(&self.path, &self.text)
    }

    /// The lines outside of blocks, with their numbers from 1.
    pub(super) fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        self.text
            .lines()
            .zip(1..)
            .filter_map(move |(line, number)| {
                let is_fence = line.starts_with("```");
                let is_prose = !fenced && !is_fence;
                fenced ^= is_fence;
                is_prose.then_some((number, line))
            })
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::<Block>::new();
    let (mut offset, mut is_open) = (0, false);
    let mut before = "";
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let next = offset + line.len();
        if let Some(language) = line.strip_prefix("```") {
            if is_open {
                let block = blocks.last_mut().unwrap();
                block.place.end = offset;
                text[block.place.clone()].clone_into(&mut block.text);
            } else {
                blocks.push(Block {
                    line: number,
                    language: language.trim().to_owned(),
                    marker: Marker::parse(before),
                    text: String::new(),
                    place: next..next,
                });
            }
            is_open = !is_open;
        }
        before = line;
        offset = next;
    }
    blocks
}

#[test]
fn a_page_is_split_into_prose_and_blocks() {
    let text = "# A\n<!-- snippet: x -->\n```rust\nfn f() {}\n```\nb\n```text\n```\n";
    let blocks = blocks(text);
    assert_eq!(blocks.len(), 2);
    assert_eq!(blocks[0].text, "fn f() {}\n");
    assert_eq!(blocks[0].marker, Some(Marker::Snippet("x".to_owned())));
    assert_eq!((blocks[0].line, blocks[0].language.as_str()), (3, "rust"));
    assert_eq!((blocks[1].text.as_str(), &blocks[1].marker), ("", &None));
    let mut page = Page {
        path: PathBuf::new(),
        text: text.to_owned(),
        blocks,
    };
    assert_eq!(
        page.prose().map(|(line, _)| line).collect::<Vec<_>>(),
        [1, 2, 6]
    );
    page.replace(0, "struct S;\n");
    assert_eq!(page.blocks[0].text, "struct S;\n");
}
