//! Tables of comments as they come and as they go out; and arbitrary ones,
//! judged by the Markdown parser that rustdoc uses.

use proptest::prelude::*;
use pulldown_cmark::{BrokenLink, CodeBlockKind, Event, Options, Parser, Tag};

use super::{join, sanitise};

#[track_caller]
fn check(comment: &str, expected: &[&str]) {
    assert_eq!(sanitise(comment), expected);
}

#[test]
fn text_is_dedented_and_trimmed() {
    check("", &[]);
    check(" \n\n", &[]);
    check(" One line.\n", &["One line."]);
    check("\n Two\n lines.\n\n", &["Two", "lines."]);
    check("* A block comment.\n More.", &["A block comment.", "More."]);
    check(" with\r\n CRLF \r\n", &["with", "CRLF"]);
    check(" a\u{202e}b\rc\u{0}d", &["abcd"]);
}

#[test]
fn fences_become_text() {
    check(
        " ```\n let x = 1;\n ```\n",
        &["```text", "let x = 1;", "```"],
    );
    check(
        " ```rust,no_run\n x\n ```\n after",
        &["```text", "x", "```", "after"],
    );
    check(" ~~~ proto\n x\n ~~~", &["```text", "x", "```"]);
    check(" ```\n never closed", &["```text", "never closed", "```"]);
    check(
        " ````\n ```\n x\n ```\n ````",
        &["````text", "```", "x", "```", "````"],
    );
    check(" text\n ```\n x\n ```", &["text", "```text", "x", "```"]);
    // An info string with a backtick is a code span, not a fence.
    check(" ```not a fence``` here", &["```not a fence``` here"]);
}

#[test]
fn indented_code_becomes_text() {
    check(
        " Like so:\n\n     f();\n\n       g();\n\n Done.",
        &[
            "Like so:", "", "```text", "f();", "", "  g();", "```", "", "Done.",
        ],
    );
    check(" a\n\n\t\tf();", &["a", "", "```text", "   f();", "```"]);
    // A paragraph goes on, however deep it is indented.
    check(" a\n         b", &["a", "b"]);
    check(" a\n         - b", &["a", "\\- b"]);
}

#[test]
fn lists_keep_their_shape() {
    check(" - a\n   b\n - c", &["- a", "  b", "- c"]);
    check(" - a\n lazy", &["- a", "  lazy"]);
    check(" 1. a\n    - b\n 2. c", &["1. a", "   - b", "2. c"]);
    check(
        " - a\n\n       code\n\n   text",
        &["- a", "", "  ```text", "  code", "  ```", "", "  text"],
    );
    check(
        " - ```\n   x\n   ```\n - b",
        &["- ```text", "  x", "  ```", "- b"],
    );
    check(" -      x", &["- x"]);
    // A number that is not 1 ends no paragraph.
    check(
        " In\n 1986. Not\n\n     code",
        &["In", "1986. Not", "", "```text", "code", "```"],
    );
    // An item is empty once a blank line follows it.
    check("   -\n\n     text", &["-", "", "text"]);
}

#[test]
fn quotes_hold_no_code() {
    check(
        " > a\n > ```\n >      b\n > > - c\n after",
        &["> a", "> \\`\\`\\`", "> b", "> \\- c", "", "after"],
    );
}

#[test]
fn tables_stay_tables() {
    check(
        " | a | b |\n |---|:-:|\n | `x | [y] |\n | `z` | <T> |",
        &[
            "| a | b |",
            "|---|:-:|",
            "| \\`x | \\[y\\] |",
            "| `z` | \\<T> |",
        ],
    );
    check(
        " | a |\n |---|\n | x \\| [y] |",
        &["```text", "| a |", "|---|", "| x \\| [y] |", "```"],
    );
}

#[test]
fn brackets_and_tags_are_escaped() {
    check(" A [Thing][a.Thing].", &["A \\[Thing\\]\\[a.Thing\\]."]);
    check(" Vec<String> and a[0]", &["Vec\\<String> and a\\[0\\]"]);
    check(" [x]: https://a.example", &["\\[x\\]: <https://a.example>"]);
    check(" already \\[escaped\\]", &["already \\[escaped\\]"]);
    check(" `[code] <T>` stays", &["`[code] <T>` stays"]);
    check(
        " `over\n two[0]` lines[0]",
        &["`over", "two[0]` lines\\[0\\]"],
    );
    check(" a ` alone [x]", &["a \\` alone \\[x\\]"]);
    check(" *emphasis* and __more__", &["*emphasis* and __more__"]);
    check(" # Heading [x]", &["# Heading \\[x\\]"]);
}

#[test]
fn urls_become_links() {
    check(" See https://a.example/b.", &["See <https://a.example/b>."]);
    check(" (http://a.example/b(c))", &["(<http://a.example/b(c)>)"]);
    check(" <https://a.example> as is", &["<https://a.example> as is"]);
    check(
        " [a](https://a.example) as is",
        &["[a](https://a.example) as is"],
    );
    check(" [a](b.md)", &["\\[a\\](b.md)"]);
    check(" `https://a.example`", &["`https://a.example`"]);
    check(r" C:\https://a.example", &[r"C:\\<https://a.example>"]);
    check(" https:// alone", &["https:// alone"]);
    check(" xhttps://a.example", &["x<https://a.example>"]);
}

#[test]
fn leading_and_trailing_comments_are_joined() {
    assert_eq!(join(" a\n", " b\n"), ["a", "", "b"]);
    assert_eq!(join("", " b\n"), ["b"]);
    assert_eq!(join(" a\n", ""), ["a"]);
}

/// What is wrong with the text in rustdoc's eyes, if anything.
fn complaint(text: &str) -> Option<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION;
    let mut unresolved = None;
    let mut callback = |link: BrokenLink<'_>| {
        unresolved = Some(format!("looks like a link to an item: {}", link.reference));
        None
    };
    let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut callback));
    let mut found = None;
    for event in parser {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &*info == "text" => {}
            Event::Start(Tag::CodeBlock(kind)) => found = Some(format!("a doctest: {kind:?}")),
            Event::Html(html) | Event::InlineHtml(html) => found = Some(format!("HTML: {html}")),
            Event::Start(Tag::Link { dest_url, .. })
                if !dest_url.contains("://") && !dest_url.contains("mailto:") =>
            {
                found = Some(format!("a link to an item: {dest_url}"));
            }
            _ => {}
        }
    }
    found.or(unresolved)
}

/// Lines out of the pieces Markdown is made of.
fn line() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "",
        " ",
        "  ",
        "    ",
        "     ",
        "\t",
        "- ",
        "* ",
        "1. ",
        "7) ",
        "> ",
        ">",
        "```",
        "````",
        "~~~",
        "rust",
        "word",
        "`",
        "``",
        "[",
        "]",
        "](",
        ")",
        "<",
        ">",
        "</b>",
        "<!--",
        "\\",
        "#",
        "# ",
        "---",
        "===",
        "|",
        "\\|",
        "|---|",
        "| a | b |\n|---|---|\n|",
        "https://a.example",
        "(b)",
        "*",
        "_",
        "[x]: y",
        "![",
        "<b>",
        "&lt;",
        "-",
        "1.",
        "==",
        "+ ",
        "[^1]",
        "foo.bar",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_becomes_code_or_html(lines in prop::collection::vec(line(), 0..9)) {
        let safe = sanitise(&lines.join("\n")).join("\n");
        if let Some(complaint) = complaint(&safe) {
            prop_assert!(false, "{complaint}\n--- from\n{}\n--- to\n{safe}", lines.join("\n"));
        }
    }
}

/// rustdoc itself on many comments at once, each on an item of its own: no
/// warning of any of its lints, and not one test.
#[test]
fn rustdoc_has_nothing_to_say() {
    use std::fmt::Write as _;
    use std::process::Command;

    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::default();
    let strategy = prop::collection::vec(line(), 0..9);
    let mut source = String::from("#![doc = \"Comments.\"]\n");
    for number in 0..1500 {
        let lines = strategy.new_tree(&mut runner).unwrap().current();
        let _ = writeln!(source, "\n// {:?}", lines.join("\n"));
        for line in sanitise(&lines.join("\n")) {
            let _ = writeln!(source, "/// {line}");
        }
        let _ = writeln!(source, "pub struct Item{number};");
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("comments.rs");
    std::fs::write(&file, &source).unwrap();
    let rustdoc = |arguments: &[&str]| {
        let mut command = Command::new("rustdoc");
        command.args([
            "--edition=2024",
            "--crate-type=lib",
            "--crate-name=comments",
        ]);
        let output = command.args(arguments).arg(&file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{text}\n{source}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let out = directory.path().join("out");
    let out = format!("--out-dir={}", out.display());
    rustdoc(&["-Dwarnings", "-Drustdoc::all", &out]);
    let tests = rustdoc(&["--test"]);
    assert!(tests.contains("running 0 tests"), "{tests}");
}
