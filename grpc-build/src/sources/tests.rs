//! Paths and names.

use std::fs;
use std::path::Path;

use super::{Sources, relative};

fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for name in [
        "one/a.proto",
        "one/deep/b.proto",
        "two/a.proto",
        "two/c.proto",
    ] {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    tree
}

#[test]
fn names_are_relative_to_the_include_path() {
    let tree = tree();
    let (one, two) = (tree.path().join("one"), tree.path().join("two"));
    let sources = Sources::new(
        &[
            one.join("./deep/b.proto"),
            two.join("c.proto"),
            "a.proto".into(),
            one.join("a.proto"),
        ],
        &[one.clone(), two.join(".")],
    )
    .unwrap();
    assert_eq!(sources.names(), ["deep/b.proto", "c.proto", "a.proto"]);
    assert_eq!(sources.find("a.proto"), Some(one.join("a.proto")));
    assert_eq!(sources.find("d.proto"), None);
}

#[test]
fn what_cannot_be_found_is_named() {
    let tree = tree();
    let (one, two) = (tree.path().join("one"), tree.path().join("two"));
    let refused = |protos: &[std::path::PathBuf], includes: &[&Path]| {
        Sources::new(protos, includes).unwrap_err().to_string()
    };
    let error = refused(&[one.join("x.proto")], &[&one]);
    assert!(
        error.starts_with(&format!(
            "there is no file {}",
            one.join("x.proto").display()
        )),
        "{error}"
    );
    let error = refused(&["x.proto".into()], &[&one]);
    assert!(
        error.starts_with("there is no file x.proto (include paths: "),
        "{error}"
    );
    let error = refused(&[two.join("c.proto")], &[&one]);
    assert!(error.contains("is in none of the include paths"), "{error}");
    let error = refused(&[two.join("a.proto")], &[&one, &two]);
    assert!(error.contains("is hidden by"), "{error}");
    let error = refused(&[one.join("a.proto")], &[&tree.path().join("three")]);
    assert!(error.ends_with("three is not a directory"), "{error}");
    let error = refused(&[], &[&one]);
    assert_eq!(error, "no .proto files to compile");
}

#[test]
fn dots_in_paths_do_not_matter() {
    for (path, directory, expected) in [
        ("proto/a.proto", "proto", Some("a.proto")),
        ("./proto/a.proto", "proto", Some("a.proto")),
        ("proto/a.proto", "./proto/.", Some("a.proto")),
        ("proto/a.proto", ".", Some("proto/a.proto")),
        ("proto/a.proto", "prot", None),
        ("proto", "proto/deep", None),
    ] {
        assert_eq!(
            relative(Path::new(path), Path::new(directory)),
            expected.map(Path::new),
            "{path} in {directory}"
        );
    }
}
