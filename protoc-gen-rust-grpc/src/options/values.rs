//! Parses values of options. They are checked early, so that a mistake is reported with the
//! option's name, not by the compiler of the generated code.

use syn::parse::Parser;

pub(super) fn boolean(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| format!("`{value}` is neither true nor false"))
}

/// The file goes beside the packages' files, whose names it includes: a path
/// with directories would break both.
pub(super) fn file_name(value: &str) -> Result<String, String> {
    if value.contains(['/', '\\']) || value.strip_suffix(".rs").is_none_or(str::is_empty) {
        return Err(format!("`{value}` is not the plain name of a .rs file"));
    }
    Ok(value.to_owned())
}

pub(super) fn file_stem(value: &str) -> Result<String, String> {
    if value.contains(['/', '\\']) || value.strip_suffix(".rs").is_some() {
        return Err(format!(
            "`{value}` is not a plain file name without its .rs"
        ));
    }
    Ok(value.to_owned())
}

/// Checks a predicate of `#[cfg(…)]`.
pub(super) fn predicate(value: &str) -> Result<String, String> {
    match syn::parse_str::<syn::Meta>(value) {
        Ok(_) => Ok(value.to_owned()),
        Err(error) => Err(format!(
            "`{value}` is not a predicate of `cfg`, such as `feature = \"x\"` ({error})"
        )),
    }
}

pub(super) fn attributes(value: &str) -> Result<(), String> {
    match syn::Attribute::parse_outer.parse_str(value) {
        Ok(attributes) if !attributes.is_empty() => Ok(()),
        _ => Err(format!(
            "`{value}` is no attribute; one is written `#[name]` or `#[name(…)]`"
        )),
    }
}

pub(super) fn domain(value: &str) -> Result<(), String> {
    let fits = |next: char| next.is_ascii_alphanumeric() || "-._~:/".contains(next);
    if value.is_empty() || !value.chars().all(fits) {
        return Err(format!(
            "`{value}` cannot stand before the `/` of a type URL"
        ));
    }
    Ok(())
}

/// A full name with a dot in front.
pub(super) fn proto_path(path: &str) -> Result<(), String> {
    let segments = path.strip_prefix('.').ok_or_else(|| {
        format!("the proto path `{path}` must be full, with a dot in front: `.{path}`")
    })?;
    if !segments.split('.').all(is_proto_identifier) {
        return Err(format!("`{path}` is not a proto path"));
    }
    Ok(())
}

/// A path that means the same in every module: generated code stands in
/// modules of several depths, so `self` and `super` would not.
pub(super) fn rust_path(path: &str) -> Result<(), String> {
    let fits = match syn::parse_str::<syn::Type>(path) {
        Ok(syn::Type::Path(parsed)) => parsed
            .path
            .segments
            .first()
            .is_some_and(|first| first.ident != "self" && first.ident != "super"),
        Ok(syn::Type::Tuple(tuple)) => tuple.elems.is_empty(),
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "`{path}` is not a Rust path that begins with `::`, `crate` or a crate's name"
        ))
    }
}

/// Whether it is an `ident` of the proto grammar.
pub(crate) fn is_proto_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}
