//! Suggests a defined name for an undefined one.

use protoc_gen_rust_grpc::nearest;

const SCALARS: &[&str] = &[
    "bool", "bytes", "double", "fixed32", "fixed64", "float", "int32", "int64", "sfixed32",
    "sfixed64", "sint32", "sint64", "string", "uint32", "uint64",
];

/// Words of other languages for proto's scalars.
const FOREIGN: &[(&str, &str)] = &[
    ("boolean", "bool"),
    ("byte", "bytes"),
    ("char", "string"),
    ("f32", "float"),
    ("f64", "double"),
    ("float32", "float"),
    ("float64", "double"),
    ("i32", "int32"),
    ("i64", "int64"),
    ("int", "int32"),
    ("integer", "int32"),
    ("long", "int64"),
    ("number", "double"),
    ("str", "string"),
    ("text", "string"),
    ("u32", "uint32"),
    ("u64", "uint64"),
    ("uint", "uint32"),
    ("ulong", "uint64"),
];

/// The files of `google/protobuf` and the types that people use of them.
const WELL_KNOWN: &[(&str, &[&str])] = &[
    ("any", &["Any"]),
    ("duration", &["Duration"]),
    ("empty", &["Empty"]),
    ("field_mask", &["FieldMask"]),
    ("struct", &["ListValue", "NullValue", "Struct", "Value"]),
    ("timestamp", &["Timestamp"]),
    (
        "wrappers",
        &[
            "BoolValue",
            "BytesValue",
            "DoubleValue",
            "FloatValue",
            "Int32Value",
            "Int64Value",
            "StringValue",
            "UInt32Value",
            "UInt64Value",
        ],
    ),
];

/// Help for a compiler's message that says a name is not defined, in a file with
/// this text.
pub(crate) fn for_undefined(message: &str, text: &str) -> Option<String> {
    let before = message
        .strip_suffix(" is not defined")
        .or_else(|| message.strip_suffix(" is not defined."))?;
    let name = before.strip_prefix("name ").unwrap_or(before);
    let name = name.trim_matches(['\'', '"']);
    if SCALARS.contains(&name) {
        return Some(format!(
            "a method takes and returns messages: put the {name} into one"
        ));
    }
    well_known(name).or_else(|| {
        let scalar = FOREIGN
            .iter()
            .find(|(foreign, _)| *foreign == name.to_lowercase())
            .map(|(_, scalar)| *scalar);
        scalar
            .or_else(|| nearest(name, SCALARS.iter().copied().chain(declared(text))))
            .map(|meant| format!("did you mean `{meant}`?"))
    })
}

fn well_known(name: &str) -> Option<String> {
    let short = name.strip_prefix('.').unwrap_or(name);
    let short = short.strip_prefix("google.protobuf.").unwrap_or(short);
    let (file, _) = WELL_KNOWN
        .iter()
        .find(|(_, types)| types.contains(&short))?;
    let import = format!("`import \"google/protobuf/{file}.proto\";`");
    Some(if name.contains('.') {
        format!("it needs {import}")
    } else {
        format!("did you mean `google.protobuf.{short}`? It needs {import}")
    })
}

/// The names after `message` and `enum`, found without a parser, since the file has a
/// mistake in it.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|next: char| !(next.is_alphanumeric() || next == '_'));
    let words = words.filter(|word| !word.is_empty());
    words
        .clone()
        .zip(words.skip(1))
        .filter(|(keyword, _)| matches!(*keyword, "message" | "enum"))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
