//! Comments of every form come out the same whoever reads the files: inputs are
//! made up from a fixed seed, and protoc with the plugin is the measure.

#![allow(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but sees no helpers"
)]

mod ways;

use std::fmt::Write as _;
use std::fs;

use grpc_build::FrontEnd;
use ways::{assert_same, by_build, by_descriptor_set, by_plugin, protoc};

/// How many files are made up.
const FILES: u64 = 60;

/// What comments are made of: text that means something to rustdoc, and text that
/// looks like the end of a comment, a token or a string.
const WORDS: &[&str] = &[
    "one",
    "Größe",
    "日本語",
    "*",
    "- item",
    "`code`",
    "    deep",
    "\t",
    "{ }",
    ";",
    "\"text",
    "'",
    "<b>",
    "[link]",
    "a//b",
    "a/ *",
    "* /",
    "=",
    "# Head",
    "e\u{301}",
    "\u{a0}",
    "\u{2028}",
    "***",
    "\u{c}",
    "1. first",
];

/// Numbers from a seed, the same on every machine (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn words(&mut self) -> String {
        let words: Vec<&str> = (0..self.below(4))
            .map(|_| WORDS[self.below(WORDS.len())])
            .collect();
        words.join(" ")
    }
}

/// A file that is written token by token, with comments between them.
struct Writer {
    text: String,
    chance: Chance,
    line_end: &'static str,
}

impl Writer {
    /// White space and comments in some order. `lines` says whether a line may end
    /// here: it may everywhere, but files look like files where it does between
    /// declarations.
    fn gap(&mut self, lines: bool) {
        let parts = if lines {
            self.chance.below(7)
        } else {
            usize::from(self.chance.below(12) == 0)
        };
        for _ in 0..parts {
            let indent = ["", " ", "  ", "\t", "   \t "][self.chance.below(5)];
            self.text.push_str(indent);
            match self.chance.below(8) {
                0 | 1 => {
                    let words = self.chance.words();
                    let slashes = ["//", "// ", "///", "//  "][self.chance.below(4)];
                    let _ = write!(self.text, "{slashes}{words}{}", self.line_end);
                }
                2..=4 => self.block(),
                5 => self.text.push(' '),
                _ => self.text.push_str(self.line_end),
            }
        }
        self.text.push(' ');
    }

    fn block(&mut self) {
        self.text
            .push_str(["/*", "/**", "/* ", "/** "][self.chance.below(4)]);
        for _ in 0..self.chance.below(5) {
            let words = self.chance.words();
            let start = ["", " ", " * ", "\t*", "*", "    ", "   -  "][self.chance.below(7)];
            let end = [self.line_end, self.line_end, " \n\n", " "][self.chance.below(4)];
            let _ = write!(self.text, "{words}{end}{start}");
        }
        // `/*` inside, which the words above can come to, is an error.
        self.text
            .push_str([" */", "*/", "\n*/", "\n   */", "**/"][self.chance.below(5)]);
        if self.chance.below(3) > 0 {
            self.text.push_str(self.line_end);
        }
    }

    fn tokens(&mut self, tokens: &str) {
        for (index, token) in tokens.split(' ').enumerate() {
            if index > 0 {
                self.gap(false);
            }
            self.text.push_str(token);
        }
        self.gap(true);
    }
}

/// Declarations of every kind, in a syntax.
fn file(seed: u64) -> String {
    let mut chance = Chance(seed);
    let line_end = ["\n", "\n", "\r\n"][chance.below(3)];
    let is_old = chance.below(2) == 0;
    let mut writer = Writer {
        text: String::new(),
        chance,
        line_end,
    };
    writer.gap(true);
    writer.tokens(if is_old {
        "syntax = \"proto2\" ;"
    } else {
        "syntax = \"proto3\" ;"
    });
    let label = if is_old { "optional " } else { "" };
    let number = 50_001 + seed;
    let blocks = [
        format!("package made.up{seed} ;"),
        "import \"google/protobuf/descriptor.proto\" ;".to_owned(),
        "option java_package = \"a;b{c}//d/*\" ;".to_owned(),
        ";".to_owned(),
        format!("extend google.protobuf.MessageOptions {{| {label}Inner inner = {number} ;| }}"),
        "message Outer {|".to_owned(),
        "option (inner) = { a : 1 b : \"}{\" } ;".to_owned(),
        format!("{label}int32 a = 1 ;"),
        format!("{label}Inner inner = 2 [ deprecated = true , json_name = \"in;ner\" ] ;"),
        "map < string , Inner > map = 3 ;".to_owned(),
        "reserved 10 to 12 , 14 ;".to_owned(),
        "reserved \"gone\" ;".to_owned(),
        "oneof choice {| string b = 4 ;| bytes c = 5 ;| }".to_owned(),
        "message Nested {| enum Kind {| KIND_NONE = 0 ;| } }".to_owned(),
        if is_old {
            "repeated group Grouped = 6 {| required double x = 1 [ default = - 1.5e3 ] ;| } extensions 100 to 199 ;"
        } else {
            "repeated double x = 6 ;"
        }
        .to_owned(),
        "} ;".to_owned(),
        format!("message Inner {{| {label}int32 a = 1 ;| {label}string b = 2 ;| }}"),
        "enum State {| option allow_alias = true ;| STATE_NONE = 0 ;| STATE_OFF = 0 [ deprecated = true ] ;| ; }".to_owned(),
        "service Keeper {| rpc Get ( Inner ) returns ( stream Outer ) ;| rpc Put ( stream Inner ) returns ( Outer ) {| option deprecated = true ;| } ; }".to_owned(),
    ];
    for block in blocks {
        for declaration in block.split('|') {
            writer.tokens(declaration.trim());
        }
    }
    writer.text
}

#[test]
fn comments_are_the_same_whoever_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let mut protos = Vec::new();
    for seed in 0..FILES {
        protos.push(folder.join(format!("made_up_{seed}.proto")));
        fs::write(&protos[protos.len() - 1], file(seed)).unwrap();
    }
    let options: &[(&str, &str)] = &[("extern_path", ".google.protobuf=::well_known")];
    let expected = by_plugin(folder, &protos, options);
    assert_eq!(expected.len() as u64, FILES);
    let protox = by_build(folder, &protos, options, FrontEnd::Protox);
    assert_same("protox", &protox, &expected);
    let protoc = by_build(folder, &protos, options, FrontEnd::Protoc(protoc()));
    assert_same("protoc", &protoc, &expected);
    let set = by_descriptor_set(folder, &protos, options);
    assert_same("a descriptor set", &set, &expected);
}
