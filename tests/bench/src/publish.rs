//! Puts a report's tables into `PERFORMANCE.md`, between its markers. All tables come from one
//! report, except those that name a run of their own.

use std::path::Path;

use crate::report::{About, Report};
use crate::table::{self, Style};
use crate::works::Group;
use crate::{Error, build_cost, gain, plot};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../PERFORMANCE.md");
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.svg");
const GAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gain.svg");

/// Rewrites the page, and the plots beside this package's manifest.
pub fn publish(report: &Report) -> Result<(), Error> {
    let mut page = std::fs::read_to_string(PAGE)?;
    if report.about.partial {
        std::fs::write(PAGE, with_part(&page, report)?)?;
        println!("published: {}", Path::new(PAGE).canonicalize()?.display());
        return Ok(());
    }
    page = replace(&page, "gain", &gain::text(report))?;
    page = replace(&page, "run", &about(&report.about))?;
    let groups = Group::ALL.map(Group::name);
    for group in groups.into_iter().chain([build_cost::GROUP]) {
        let table = table::table(report, group, Style::Markdown);
        let text = table.unwrap_or_else(|| "Not measured in this run.".to_owned());
        page = replace(&page, group, &text)?;
    }
    std::fs::write(PAGE, page)?;
    std::fs::write(PLOT, plot::svg(report)?)?;
    std::fs::write(GAIN, gain::svg(report)?)?;
    for path in [PAGE, PLOT, GAIN] {
        let path = Path::new(path).canonicalize()?;
        println!("published: {}", path.display());
    }
    Ok(())
}

/// The page with the tables of a run of some workloads, each of which says so.
fn with_part(page: &str, report: &Report) -> Result<String, Error> {
    let mut page = page.to_owned();
    for group in Group::ALL.map(Group::name) {
        if let Some(table) = table::table(report, group, Style::Markdown) {
            let text = format!(
                "{table}\n\nThese rows come from another run. {}",
                about(&report.about)
            );
            page = replace(&page, group, &text)?;
        }
    }
    Ok(page)
}

/// Replaces what stands between a part's markers.
fn replace(page: &str, part: &str, text: &str) -> Result<String, Error> {
    let (begin, end) = (
        format!("<!-- begin: {part} -->"),
        format!("<!-- end: {part} -->"),
    );
    let missing = || format!("PERFORMANCE.md lacks the markers of '{part}'");
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!(
        "{before}{begin}\n{}\n{end}{after}",
        text.trim_end()
    ))
}

/// Where and with what a run was made, in a sentence.
pub fn about(about: &About) -> String {
    let kind = if about.quick { "quick run" } else { "full run" };
    let busy = about.busy.map_or(String::new(), |busy| {
        format!(" with a load average of {busy:.1} before it")
    });
    format!(
        "A {kind} of {} rounds on {}, on {}{busy}; servers of unary calls driven by {}. {}.",
        about.rounds,
        about.day,
        about.machine,
        about.unary_client,
        about.versions.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let page = "# A\n<!-- begin: x -->\nold\n<!-- end: x -->\nB\n";
        let wanted = "# A\n<!-- begin: x -->\nnew\n<!-- end: x -->\nB\n";
        assert_eq!(replace(page, "x", "new\n").unwrap(), wanted);
        assert!(replace(page, "y", "new").is_err());
    }
}
