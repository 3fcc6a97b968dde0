//! The links of a page: to files that exist, and to headings in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::page::Page;

/// What is wrong with a page's links within the repository.
pub(super) fn dead(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, text) in page.prose() {
        for target in targets(text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if let Some(what) = problem(page, target) {
                wrong.push(format!("{}:{line}: {target}: {what}", page.path.display()));
            }
        }
    }
    wrong
}

fn problem(page: &Page, target: &str) -> Option<&'static str> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.path.clone(),
        file => page.path.parent().unwrap_or(Path::new("")).join(file),
    };
    if !path.exists() {
        return Some("no such file");
    }
    if anchor.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let there = Page::read(&path).ok().map(|page| anchors(&page));
    let is_there = there.is_some_and(|anchors| anchors.contains(anchor));
    (!is_there).then_some("no such heading")
}

/// What stands in the parentheses of `[text](target)`, outside of code.
pub(super) fn targets(line: &str) -> impl Iterator<Item = &str> {
    let outside_of_code = line.split('`').step_by(2);
    let joined = outside_of_code.flat_map(|part| part.split('(').map(move |rest| (part, rest)));
    joined.filter_map(|(part, rest)| {
        let start = rest.as_ptr() as usize - part.as_ptr() as usize;
        // Behind code in the brackets, `](` opens the part.
        let before = part.get(..start.checked_sub(1)?)?;
        before.ends_with(']').then(|| rest.split(')').next())?
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let headings = page.prose().filter_map(|(_, line)| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len())
            .then(|| text.strip_prefix(' '))
            .flatten()
    });
    headings
        .map(|heading| {
            let anchor = anchor(heading);
            let count = seen.entry(anchor.clone()).or_default();
            *count += 1;
            match *count {
                1 => anchor,
                more => format!("{anchor}-{}", more - 1),
            }
        })
        .collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect::<String>().to_lowercase()
}

#[test]
fn targets_stand_in_parentheses_behind_brackets() {
    let line = "see [a](x.md#b), [`c`](y.md) (not z.md) and `[d](w.md)` ![e](f.svg)";
    assert_eq!(
        targets(line).collect::<Vec<_>>(),
        ["x.md#b", "y.md", "f.svg"]
    );
}

#[test]
fn anchors_are_those_of_github() {
    assert_eq!(
        anchor("What `drop` does, and when"),
        "what-drop-does-and-when"
    );
    assert_eq!(anchor("A server on each core"), "a-server-on-each-core");
}
