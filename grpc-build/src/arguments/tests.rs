//! Command lines.

use std::path::PathBuf;

use super::{Arguments, Command, USAGE};

fn parse(line: &str) -> Result<Arguments, String> {
    Arguments::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn commands_and_files() {
    let arguments = parse("generate --out=o -Ia -I b --include c x.proto y.proto").unwrap();
    assert_eq!(arguments.command, Command::Generate);
    assert_eq!(arguments.protos, ["x.proto", "y.proto"].map(PathBuf::from));
    assert_eq!(arguments.includes, ["a", "b", "c"].map(PathBuf::from));

    let arguments = parse("record x.proto --to r").unwrap();
    assert_eq!(arguments.command, Command::Record(PathBuf::from("r")));
    assert_eq!(arguments.includes, [PathBuf::from(".")]);
    assert_eq!(parse("check --help").unwrap().command, Command::Help);
    assert_eq!(parse("-V").unwrap().command, Command::Version);
}

#[test]
fn mistakes() {
    for (line, why) in [
        ("", "no command is given"),
        ("x.proto", "there is no command `x.proto`"),
        ("generate x.proto", "generate needs --out"),
        ("check x.proto", "check needs --out"),
        ("breaking x.proto", "breaking needs --against"),
        ("record x.proto", "record needs --to"),
        (
            "record --to r --opt a=b x.proto",
            "record has no use for --opt",
        ),
        (
            "record --to r --against r",
            "record has no use for --against",
        ),
        (
            "breaking --against r --out o",
            "breaking has no use for --out",
        ),
        ("generate --out", "--out needs a value"),
        ("generate --out a --out b", "--out is given twice"),
        (
            "generate --out a --opt server",
            "--opt server: it is written NAME=VALUE",
        ),
        ("generate --outt a", "there is no option --outt"),
        (
            "generate --out a --protoc b --descriptor-set c",
            "--protoc and --descriptor-set exclude each other",
        ),
    ] {
        assert_eq!(parse(line).unwrap_err(), why, "{line}");
    }
}

#[test]
fn the_usage_fits_a_terminal() {
    assert!(USAGE.lines().all(|line| line.len() <= 92));
}
