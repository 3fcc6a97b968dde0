//! The compiler on what was generated: a crate for each corpus, all in one
//! workspace, so that they are checked side by side.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::ways::TREE;

/// The compiler's complaints, by corpus.
pub(crate) fn check(
    names: &[&str],
    work: &Path,
    target: &Path,
) -> Result<HashMap<String, Vec<String>>, Failure> {
    let workspace = work.join("check");
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in names {
        let member = workspace.join(name);
        let tree = work.join("generated").join(name).join(TREE);
        fs::create_dir_all(member.join("src"))?;
        fs::write(
            member.join("Cargo.toml"),
            format!(
                "[package]\nname = \"corpus_{name}\"\nedition = \"2024\"\n\n[dependencies]\n\
                 grpc-runtime = {{ path = '{}' }}\n",
                home.join("runtime").display()
            ),
        )?;
        fs::write(
            member.join("src/lib.rs"),
            format!("#![deny(warnings)]\ninclude!(r\"{}\");\n", tree.display()),
        )?;
    }
    fs::write(
        workspace.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n",
    )?;
    // The same versions, so that nothing is to be downloaded.
    fs::copy(home.join("Cargo.lock"), workspace.join("Cargo.lock"))?;

    let output = Command::new("cargo")
        .current_dir(&workspace)
        .env("CARGO_TARGET_DIR", target)
        .args([
            "check",
            "--workspace",
            "--offline",
            "--keep-going",
            "--message-format=short",
        ])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut refused: HashMap<String, Vec<String>> = HashMap::new();
    for line in text.lines().filter(|line| line.contains(": error")) {
        let blamed = names.iter().find(|name| {
            line.contains(&format!("/generated/{name}/"))
                || line.contains(&format!("{name}/src/lib.rs"))
        });
        let blamed = blamed.ok_or_else(|| text.clone().into_owned())?;
        refused
            .entry((*blamed).to_owned())
            .or_default()
            .push(line.to_owned());
    }
    if !output.status.success() && refused.is_empty() {
        return Err(text.into());
    }
    Ok(refused)
}
