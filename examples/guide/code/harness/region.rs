//! The marked regions of a file, as a page shows them.

use std::collections::BTreeMap;

/// The regions of a text by name, each without the indentation that all its lines have; or
/// what is wrong with the marks.
pub(super) fn regions(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut regions = BTreeMap::<String, Vec<&str>>::new();
    let mut open: Option<&str> = None;
    for (line, number) in text.lines().zip(1..) {
        let trimmed = line.trim();
        let mark = trimmed
            .strip_prefix("// ")
            .or_else(|| trimmed.strip_prefix("# "));
        match (mark, open) {
            (Some("end"), Some(_)) => open = None,
            (Some("end"), None) => return Err(format!("line {number}: `end` of nothing")),
            (Some(mark), _) if mark.starts_with("snippet: ") => {
                if let Some(name) = open {
                    return Err(format!("line {number}: {name} has not ended"));
                }
                open = mark.strip_prefix("snippet: ");
                regions
                    .entry(open.unwrap_or_default().to_owned())
                    .or_default();
            }
            (_, Some(name)) => regions.entry(name.to_owned()).or_default().push(line),
            (_, None) => {}
        }
    }
    if let Some(name) = open {
        return Err(format!("{name} has no end"));
    }
    Ok(regions
        .into_iter()
        .map(|(name, lines)| (name, dedented(&lines)))
        .collect())
}

fn dedented(lines: &[&str]) -> String {
    let indentation = |line: &&&str| line.len() - line.trim_start().len();
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let common = full.map(|line| indentation(&line)).min().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        text.push_str(line.get(common..).unwrap_or(""));
        text.push('\n');
    }
    text
}

#[test]
fn regions_are_dedented_joined_and_end() {
    let text = "x\n    // snippet: a\n    one\n\n      two\n    // end\n  y\n  # snippet: b\n  \
                three\n  # end\n    // snippet: a\n    four\n    // end\n";
    let regions = regions(text).unwrap();
    assert_eq!(regions["a"], "one\n\n  two\nfour\n");
    assert_eq!(regions["b"], "three\n");
}

#[test]
fn marks_that_do_not_fit_are_told() {
    for text in [
        "// end\n",
        "// snippet: a\n",
        "// snippet: a\n// snippet: b\n// end\n",
    ] {
        assert!(regions(text).is_err(), "{text}");
    }
}
