//! Options of other generators, by their names there (tonic-prost-build 0.14, prost-build
//! 0.14, protoc-gen-prost 0.4, protoc-gen-go-grpc 1.6), and what to use here.

/// The hint for an option of another generator; `None` for unknown names.
pub(super) fn hint(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let (_, told) = NAMES
        .iter()
        .find(|(names, _)| names.contains(&name.as_str()))?;
    Some(match told {
        Told::Called(ours) => format!("here it is called `{ours}`"),
        Told::That(text) => (*text).to_owned(),
    })
}

enum Told {
    Called(&'static str),
    That(&'static str),
}

const NAMES: &[(&[&str], Told)] = &[
    (&["build_client"], Told::Called("client")),
    (&["build_server"], Told::Called("server")),
    (&["enable_type_names"], Told::Called("type_names")),
    (&["client_attribute"], Told::Called("stub_attribute")),
    (&["trait_attribute"], Told::Called("servicer_attribute")),
    (
        &["client_mod_attribute", "server_mod_attribute"],
        Told::That(
            "clients and servers have no modules of their own here: put attributes on them with \
             `stub_attribute`, `servicer_attribute` and `server_attribute`, or leave them out of \
             a build with `client_cfg` and `server_cfg`",
        ),
    ),
    (
        &["generate_default_stubs"],
        Told::That(
            "a method that a servicer leaves out answers UNIMPLEMENTED here, unless \
             `require_methods=true`",
        ),
    ),
    (
        &["require_unimplemented_servers"],
        Told::That("`require_methods=true` makes a servicer write every method"),
    ),
    (
        &["strip_enum_prefix"],
        Told::That("it is done unless `retain_enum_prefix=true`"),
    ),
    (
        &[
            "build_transport",
            "codec_path",
            "use_arc_self",
            "disable_package_emission",
            "emit_package",
        ],
        Told::That("generated code here has nothing that it would change: leave it out"),
    ),
    (
        &["compile_well_known_types"],
        Told::That(
            "the well-known types are those of `::grpc_runtime::prost_types`; for others use \
             `extern_path=.google.protobuf=::…`",
        ),
    ),
    (
        &["out_dir", "flat_output_dir"],
        Told::That(
            "the directory is what stands behind `--rust-grpc_out=`, or `Config::out_dir` of \
             grpc-build",
        ),
    ),
    (
        &["file_descriptor_set_path"],
        Told::That(
            "grpc-build has it as `Config::file_descriptor_set_path`; protoc writes the file \
             itself, with `--include_imports --descriptor_set_out=FILE`",
        ),
    ),
    (
        &[
            "proto_path",
            "protoc_arg",
            "skip_protoc_run",
            "protoc_executable",
        ],
        Told::That("who reads the files is said with `Config::front_end` of grpc-build"),
    ),
    (
        &[
            "emit_rerun_if_changed",
            "format",
            "no_features",
            "gen_crate",
            "paths",
            "module",
        ],
        Told::That("there is no such choice here: leave it out"),
    ),
];

/// The options of ours that others' names stand for.
#[cfg(test)]
pub(super) fn named() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter_map(|(_, told)| match told {
        Told::Called(ours) => Some(*ours),
        Told::That(_) => None,
    })
}
