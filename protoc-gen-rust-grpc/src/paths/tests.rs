//! Proto types, seen from packages.

use super::Paths;

fn externs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect()
}

#[test]
fn relative_paths() {
    let paths = Paths::new(&[]);
    for (package, proto, expected) in [
        ("a.b", ".a.b.Message", "Message"),
        ("a.b", ".a.b.Outer.Inner", "outer::Inner"),
        ("a.b", ".a.c.Message", "super::c::Message"),
        ("a.b", ".a.Message", "super::Message"),
        ("a.b", ".x.y.Message", "super::super::x::y::Message"),
        ("a.b", ".Message", "super::super::Message"),
        ("", ".Message", "Message"),
        ("", ".x.Message", "x::Message"),
        ("a", ".a.a.Message", "a::Message"),
        ("a.a", ".a.Message", "super::Message"),
        ("a", ".google.type.Date", "super::google::r#type::Date"),
        ("a", ".a.HTTPThing", "HttpThing"),
    ] {
        assert_eq!(
            paths.resolve(package, proto),
            expected,
            "{proto} from {package}"
        );
    }
}

#[test]
fn well_known_types() {
    let paths = Paths::new(&[]);
    for (proto, expected) in [
        (".google.protobuf.Empty", "()"),
        (
            ".google.protobuf.Timestamp",
            "::grpc_runtime::prost_types::Timestamp",
        ),
        (".google.protobuf.Int64Value", "i64"),
        (
            ".google.protobuf.FieldDescriptorProto.Type",
            "::grpc_runtime::prost_types::field_descriptor_proto::Type",
        ),
    ] {
        assert_eq!(paths.resolve("a", proto), expected);
    }
    for (proto, expected) in [
        (
            ".google.protobufish.Empty",
            "super::google::protobufish::Empty",
        ),
        // Newer than prost-types, and of others who use the package.
        (
            ".google.protobuf.FeatureSet",
            "super::google::protobuf::FeatureSet",
        ),
        (
            ".google.protobuf.EnumWise",
            "super::google::protobuf::EnumWise",
        ),
        (
            ".google.protobuf.util.Thing",
            "super::google::protobuf::util::Thing",
        ),
    ] {
        assert_eq!(paths.resolve("a", proto), expected);
    }
}

#[test]
fn the_longest_extern_path_wins() {
    let externs = externs(&[
        (".a", "::one"),
        (".a.b", "crate::two"),
        (".a.b.Exact", "::three::Kept"),
        (".google.protobuf", "::known"),
    ]);
    let paths = Paths::new(&externs);
    for (proto, expected) in [
        (".a.Message", "::one::Message"),
        (".a.Outer.Inner", "::one::outer::Inner"),
        (".a.b.Message", "crate::two::Message"),
        (".a.b.Exact", "::three::Kept"),
        (".a.b.Exact.Inner", "::three::kept::Inner"),
        // The user's path, even against a longer one that is built in.
        (".google.protobuf.Empty", "::known::Empty"),
    ] {
        assert_eq!(paths.resolve("x", proto), expected);
    }
    assert_eq!(paths.external(".ab.Message"), None);
}
