//! Generates the peers' services, and the generator's own test files, which
//! `src/lib.rs` compiles under the strictest lints.

use std::path::{Path, PathBuf};

/// gRPC's interop contract.
const TESTING: &str = "proto/grpc/testing";

fn main() -> Result<(), grpc_build::Error> {
    // What the options' sample asks for, so that rustc knows these are meant.
    println!("cargo:rustc-check-cfg=cfg(no_client, no_server, no_store)");
    grpc_build::compile(
        &["proto/flow/flow.proto", "../examples/proto/hello.proto"],
        &["proto/flow", "../examples/proto"],
    )?;
    grpc_build::compile(
        &["empty.proto", "messages.proto", "test.proto"].map(|file| format!("{TESTING}/{file}")),
        &[TESTING],
    )?;
    grpc_build::Config::new()
        .include_file("catalogue_services.rs")
        .file_descriptor_set(true)
        .compile(
            &[
                "proto/services/catalogue.proto",
                "proto/services/options.proto",
            ],
            &["proto/services"],
        )?;
    grpc_build::Config::new().include_file("etcd.rs").compile(
        &["../examples/etcd/kv.proto", "../examples/etcd/rpc.proto"],
        &["../examples/etcd"],
    )?;

    grpc_build::Config::new()
        .front_end(grpc_build::FrontEnd::VendoredProtoc)
        .compile(&["proto/editions/editions.proto"], &["proto/editions"])?;

    let testdata = Path::new("../protoc-gen-rust-grpc/tests/testdata");
    let mut protos = Vec::new();
    collect(testdata, &mut protos);
    protos.sort();
    println!("cargo:rerun-if-changed={}", testdata.display());
    let out_dir = Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()).join("testdata");
    grpc_build::Config::new()
        .include_file("mod.rs")
        .out_dir(out_dir)
        .compile(&protos, &[testdata])?;
    runtime_readme();
    json();
    options(testdata)
}

/// The program in the page on the package grpc-runtime: the last of its blocks of Rust.
///
/// # Panics
/// If the page cannot be read or has no such block.
fn runtime_readme() {
    const PAGE: &str = "../runtime/README.md";
    println!("cargo:rerun-if-changed={PAGE}");
    let page = std::fs::read_to_string(PAGE).unwrap_or_else(|error| panic!("{PAGE}: {error}"));
    let program = page.rsplit_once("```rust\n");
    let program = program.and_then(|(_, rest)| rest.split_once("```"));
    let (program, _) = program.unwrap_or_else(|| panic!("{PAGE}: it has no program"));
    let out_dir = std::env::var_os("OUT_DIR").unwrap_or_default();
    let path = Path::new(&out_dir).join("runtime_readme.rs");
    std::fs::write(&path, program).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Messages with the JSON of proto3, as the options' page has it.
///
/// # Panics
/// If the descriptors are not what pbjson-build takes.
fn json() {
    let out_dir = std::env::var_os("OUT_DIR").unwrap_or_default();
    let set = Path::new(&out_dir).join("descriptors.bin");
    grpc_build::Config::new()
        .file_descriptor_set_path(&set)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile(&["proto/event/event.proto"], &["proto/event"])
        .unwrap_or_else(|error| panic!("{error}"));
    let described = std::fs::read(&set).and_then(|set| {
        let mut builder = pbjson_build::Builder::new();
        builder.register_descriptors(&set)?.build(&[".event"])
    });
    described.unwrap_or_else(|error| panic!("{}: {error}", set.display()));
}

/// One file with every option that changes what is compiled.
fn options(testdata: &Path) -> Result<(), grpc_build::Error> {
    let out_dir = Path::new(&std::env::var_os("OUT_DIR").unwrap_or_default()).join("options");
    grpc_build::Config::new()
        .client_cfg("not(no_client)")
        .server_cfg("not(no_server)")
        .include_file("mod.rs")
        .file_descriptor_set(true)
        .require_methods(true)
        .type_attribute(".store", "#[derive(serde::Serialize, serde::Deserialize)]")
        .message_attribute(".store", "#[serde(default)]")
        .enum_attribute(".store.Color", "#[non_exhaustive]")
        .field_attribute(".store.Order.photo", "#[serde(skip)]")
        .field_attribute(".store.Order.card", "#[serde(rename = \"by_card\")]")
        .stub_attribute(".store.Shop", "#[doc(alias = \"ShopClient\")]")
        .servicer_attribute(
            ".",
            "#[diagnostic::on_unimplemented(note = \"see the guide\")]",
        )
        .server_attribute(".", "#[doc(alias = \"shop\")]")
        .module_attribute(".store", "#[cfg(not(no_store))]")
        .bytes(".store.Order.photo")
        .btree_map(".")
        .boxed(".store.Order.details")
        .skip_debug(".store.Details")
        .disable_comments(".store.Order")
        .retain_enum_prefix(true)
        .type_names(true)
        .type_name_domain(".store.Details", "types.store.example")
        .out_dir(out_dir)
        .compile(&[testdata.join("options.proto")], &[testdata])
}

/// Every .proto file below `folder`. One that cannot be listed is missed by the
/// compiler of whoever imports it.
fn collect(folder: &Path, protos: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, protos);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            protos.push(path);
        }
    }
}
