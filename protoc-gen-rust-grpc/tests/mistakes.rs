//! Typical mistakes in `.proto` files and their errors: each has a place, and shows the
//! line. `mistakes.md` holds files and texts, to be read in review; `BLESS=1` writes the
//! texts.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use grpc_build::{Config, FrontEnd};

/// What the front-end, or behind it the generator, says of the file.
fn told(front_end: FrontEnd, text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.proto");
    fs::write(&path, text).unwrap();
    let error = Config::new()
        .front_end(front_end)
        .out_dir(directory.path().join("out"))
        .generate(&[&path], &[directory.path()])
        .unwrap_err();
    error
        .to_string()
        .replace(&format!("{}/", directory.path().display()), "")
}

/// `a.proto:line:column: …`
fn has_place(text: &str) -> bool {
    let mut parts = text.splitn(4, ':');
    let file = parts.next() == Some("a.proto");
    let mut number = || parts.next()?.parse::<usize>().ok();
    file && number().is_some() && number().is_some()
}

/// The same, then the line with a mark below it.
fn is_shown(text: &str) -> bool {
    has_place(text) && text.lines().nth(3).is_some_and(|line| line.contains('^'))
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("\n## ").unwrap();
    let protoc = protoc_bin_vendored::protoc_bin_path().unwrap();

    let mut written = format!("{}\n", head.trim_end());
    let mut count = 0;
    for section in rest.split("\n## ") {
        let (title, body) = section.split_once('\n').unwrap();
        let (_, proto) = body.split_once("```proto\n").unwrap();
        let (proto, _) = proto.split_once("```").unwrap();
        let _ = write!(written, "\n## {title}\n\n```proto\n{proto}```\n");
        let by_protox = told(FrontEnd::Protox, proto);
        let by_protoc = told(FrontEnd::Protoc(protoc.clone()), proto);
        assert!(is_shown(&by_protox), "{title}:\n{by_protox}");
        // The end of a file is a place too, and no line.
        for mistake in by_protoc.split("\n\n") {
            assert!(has_place(mistake), "{title}:\n{by_protoc}");
        }
        let texts = if by_protox == by_protoc {
            vec![("", by_protox)]
        } else {
            vec![("", by_protox), ("protoc:\n\n", by_protoc)]
        };
        for (who, text) in texts {
            let _ = write!(written, "\n{who}```text\n{text}\n```\n");
        }
        count += 1;
    }
    assert!(count >= 40, "{count} mistakes");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in written.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "mistakes.md:{}", number + 1);
    }
    assert!(
        written == golden,
        "mistakes.md: BLESS=1 accepts what is told now"
    );
}
