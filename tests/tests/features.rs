//! What the compiler says to who uses what a build has not.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn tls_without_its_feature_names_the_feature() {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = temporary.join("without-tls");
    fs::create_dir_all(folder.join("src")).unwrap();
    let runtime = workspace.join("runtime");
    let manifest = format!(
        "[package]\nname = \"without-tls\"\nedition = \"2024\"\n\n\
         [dependencies]\ngrpc-runtime = {{ path = '{}' }}\n\n[workspace]\n",
        runtime.display()
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let main = "fn main() {\n    \
                let _ = grpc_runtime::ChannelCredentials::tls();\n    \
                let _ = grpc_runtime::ServerCredentials::tls(b\"\", b\"\");\n}\n";
    fs::write(folder.join("src/main.rs"), main).unwrap();
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    // Beside the README's own crate, which builds the same.
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", temporary.join("readme-target"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let told = said.matches("is in the feature `tls` of grpc-runtime");
    assert_eq!(told.count(), 2, "{said}");
    assert!(said.contains("features = [\"tls\"]"), "{said}");
}
