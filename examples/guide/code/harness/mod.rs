//! What holds the guide's pages to the code and to each other.
//!
//! | in a page | is |
//! |---|---|
//! | `<!-- snippet: NAME -->` | the region `NAME` of the page's module, `code/page_name.rs` |
//! | `<!-- snippet: PATH#NAME -->` | the region `NAME` of a file, by its path from the page |
//! | `<!-- file: PATH -->` | a whole file |
//! | `<!-- output: NAME -->` | what the page's module gave to [`output`] by that name |
//! | `<!-- manifest -->` | lines of a Cargo.toml: our crates and features in it exist |
//! | `<!-- theirs: NAME -->` | code of another project, of the version that NAME tells; nothing holds it |
//! | `<!-- crate: PATH -->` | a file of a crate that `tests/tests/readme.rs` builds and runs |
//!
//! A region begins with a line `// snippet: NAME` (`#` in TOML and YAML) and ends with
//! `// end`. One name may have several regions, which the page shows as one: what lies between
//! them is left out of the page. `BLESS=1 cargo test -p examples --test guide` writes regions,
//! files and outputs into the pages.

mod checks;
mod links;
mod page;
mod region;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use page::{Marker, Page};

/// Tests run side by side, and with `BLESS` some write pages: one at a time touches them.
fn alone() -> MutexGuard<'static, ()> {
    static PAGES: Mutex<()> = Mutex::new(());
    PAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of the pages.
fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide")
}

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

/// Asserts that the page of the calling module shows `actual` in its block
/// `<!-- output: NAME -->`.
#[track_caller]
pub(crate) fn output(name: &str, actual: &str) {
    let caller = Path::new(Location::caller().file());
    let mut parts = caller.iter().map(|part| part.to_str().unwrap());
    let module = parts.by_ref().skip_while(|part| *part != "code").nth(1);
    let module = module.unwrap().trim_end_matches(".rs");
    let path = guide().join(format!("{}.md", module.replace('_', "-")));
    let _alone = alone();
    let mut page = Page::read(&path).unwrap();
    let marker = Marker::Output(name.to_owned());
    let block = page
        .blocks
        .iter()
        .position(|block| block.marker.as_ref() == Some(&marker));
    let block = block.unwrap_or_else(|| panic!("{}: no block {marker:?}", path.display()));
    let actual = format!("{}\n", actual.trim_end());
    if page.blocks[block].text != actual && is_blessing() {
        page.replace(block, &actual);
        page.write().unwrap();
    }
    assert_eq!(
        page.blocks[block].text,
        actual,
        "{}, {name}: BLESS=1 writes it",
        path.display()
    );
}
