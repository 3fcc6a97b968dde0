//! Descriptor sets passed to reflection: sets that it merges, files that it adds, and sets
//! that it refuses.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::error::Error as _;

use bytes::Bytes;
use grpc_runtime::prost::Message;
use grpc_runtime::prost_types::FileDescriptorProto;
use grpc_services::proto::grpc::health;
use grpc_services::{Reflection, ReflectionError};

use support::{
    Asking, base, declaring, extension, file, message, money, named, orders, raw_set, serve, set,
    shop,
};

fn refused(sets: impl IntoIterator<Item = Bytes>) -> ReflectionError {
    Reflection::new(sets).unwrap_err()
}

#[tokio::test]
async fn files_that_several_sets_have_are_taken_once() {
    let sets = [set([base(), money()]), Bytes::new(), set([base()]), shop()];
    let mut asking = Asking::at(serve(sets));
    let files = asking.names(declaring("shop.Order")).await.unwrap();
    assert_eq!(files.len(), 3);
    // Twice in one set.
    serve([set([base(), base()])]);
}

#[test]
fn sets_are_taken_in_whatever_form_they_come() {
    Reflection::new([health::v1::FILE_DESCRIPTOR_SET]).unwrap();
    Reflection::new(vec![shop().to_vec()]).unwrap();
    Reflection::new(None::<Bytes>).unwrap();
}

#[test]
fn one_name_for_two_files_is_refused_with_both_sides() {
    let mut other = base();
    other.message_type.push(message("Added"));
    let error = refused([shop(), Bytes::new(), set([other])]);
    let text = error.to_string();
    for said in [
        "'shop/base.proto'",
        "descriptor set 1",
        "descriptor set 3",
        "bytes",
    ] {
        assert!(text.contains(said), "{text}");
    }
    assert!(matches!(
        error,
        ReflectionError::DifferentFiles { sets: [1, 3], .. }
    ));
}

#[test]
fn one_symbol_in_two_files_is_refused_with_both_files() {
    let copy = FileDescriptorProto {
        name: Some("base.proto".to_owned()),
        ..base()
    };
    let text = refused([shop(), set([copy])]).to_string();
    for said in ["'shop.Base'", "'shop/base.proto'", "'base.proto'"] {
        assert!(text.contains(said), "{text}");
    }
    let mut twice = base();
    twice.message_type.push(message("Base"));
    let text = refused([set([twice])]).to_string();
    assert!(
        text.contains("'shop/base.proto' declares 'shop.Base' twice"),
        "{text}"
    );
}

#[test]
fn one_number_for_two_extensions_is_refused_with_both_files() {
    let other = FileDescriptorProto {
        extension: vec![extension(".shop.Order", "other", 500)],
        ..file("shop/other.proto", &["shop/orders.proto"])
    };
    let text = refused([shop(), set([other])]).to_string();
    for said in [
        "'shop.Order'",
        "500",
        "'shop/extras.proto'",
        "'shop/other.proto'",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn an_import_that_is_in_no_set_is_refused() {
    let text = refused([set([orders()])]).to_string();
    for said in [
        "'shop/orders.proto'",
        "'shop/money.proto'",
        "--include_imports",
    ] {
        assert!(text.contains(said), "{text}");
    }
    // In another set, it is there.
    Reflection::new([set([orders()]), set([money(), base()])]).unwrap();
}

/// protoc leaves imports out unless told otherwise, and well-known types import each other.
#[tokio::test]
async fn well_known_types_that_are_left_out_are_there() {
    let names = [
        "any",
        "api",
        "descriptor",
        "duration",
        "empty",
        "field_mask",
        "source_context",
        "struct",
        "timestamp",
        "type",
        "wrappers",
    ];
    let imports = names.map(|name| format!("google/protobuf/{name}.proto"));
    let imports = imports.each_ref().map(String::as_str);
    let mut asking = Asking::at(serve([set([file("shop/all.proto", &imports)])]));
    let files = asking.names(named("shop/all.proto")).await.unwrap();
    assert_eq!(files.len(), 1 + names.len());
    for import in imports {
        assert!(files.iter().any(|file| file == import), "{import}");
    }
    let files = asking
        .names(declaring("google.protobuf.Any"))
        .await
        .unwrap();
    assert_eq!(files, ["google/protobuf/any.proto"]);
    // Of what nobody imports, nothing is said.
    let mut asking = Asking::at(serve([shop()]));
    asking
        .names(declaring("google.protobuf.FieldMask"))
        .await
        .unwrap_err();
}

/// Two compilers, each with a descriptor.proto of its own.
#[tokio::test]
async fn of_different_well_known_files_the_longest_counts() {
    let name = "google/protobuf/descriptor.proto";
    let of = |messages: &[&str]| FileDescriptorProto {
        package: Some("google.protobuf".to_owned()),
        message_type: messages.iter().map(|name| message(name)).collect(),
        ..file(name, &[])
    };
    let (old, new) = (of(&["FileOptions"]), of(&["FileOptions", "FeatureSet"]));
    for sets in [[old.clone(), new.clone()], [new.clone(), old]] {
        let mut asking = Asking::at(serve(sets.map(|file| set([file]))));
        let files = asking.files(named(name)).await.unwrap();
        assert_eq!(files, [new.encode_to_vec()]);
    }
}

/// A health.proto of the user's own, say, with options that ours has not.
#[tokio::test]
async fn what_the_sets_say_of_what_this_crate_brings_counts() {
    let own = FileDescriptorProto {
        package: Some("grpc.health.v1".to_owned()),
        service: vec![support::service("Health", "Check")],
        message_type: vec![message("HealthCheckRequest")],
        ..file("grpc/health/v1/health.proto", &[])
    };
    let mut asking = Asking::at(serve([set([own.clone()])]));
    let files = asking
        .files(declaring("grpc.health.v1.Health"))
        .await
        .unwrap();
    assert_eq!(files, [own.encode_to_vec()]);
    // The same under another name.
    let elsewhere = FileDescriptorProto {
        name: Some("health.proto".to_owned()),
        ..own
    };
    let mut asking = Asking::at(serve([set([elsewhere])]));
    let files = asking
        .names(declaring("grpc.health.v1.Health"))
        .await
        .unwrap();
    assert_eq!(files, ["health.proto"]);

    let details = FileDescriptorProto {
        package: Some("google.rpc".to_owned()),
        message_type: vec![message("ErrorInfo")],
        ..file("google/rpc/error_details.proto", &[])
    };
    let mut asking = Asking::at(serve([set([details.clone()])]));
    let files = asking
        .files(declaring("google.rpc.ErrorInfo"))
        .await
        .unwrap();
    assert_eq!(files, [details.encode_to_vec()]);
    asking
        .names(declaring("google.rpc.BadRequest"))
        .await
        .unwrap_err();
}

#[test]
fn bytes_that_are_no_descriptor_set_are_refused() {
    let good = shop();
    let cases: [&[u8]; 6] = [
        b"syntax = \"proto3\";",
        // A file longer than the set, one that says so to a reader of sizes, and half a tag.
        &[0x0a, 100, 1],
        &[
            0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ],
        &[0x8a],
        // A file whose name is no text.
        &[0x0a, 4, 0x0a, 2, 0xff, 0xff],
        &good[..good.len() - 1],
    ];
    for (case, bytes) in (1..).zip(cases) {
        let error = refused([shop(), Bytes::copy_from_slice(bytes)]);
        let text = error.to_string();
        assert!(text.contains("descriptor set 2"), "{case}: {text}");
        assert!(error.source().is_some(), "{case}: {text}");
    }
    let unnamed = refused([raw_set(&[Vec::new()])]).to_string();
    assert!(unnamed.contains("without a name"), "{unnamed}");
}

/// Messages within messages, deeper than any stack.
#[test]
fn a_set_that_is_too_deep_is_refused() {
    let mut nested = message("Deep");
    for _ in 0..50 {
        nested = grpc_runtime::prost_types::DescriptorProto {
            nested_type: vec![nested],
            ..message("Deep")
        };
    }
    let deep = |message| FileDescriptorProto {
        message_type: vec![message],
        ..file("shop/deep.proto", &[])
    };
    Reflection::new([set([deep(nested)])]).unwrap();

    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        // DescriptorProto.nested_type
        let mut outer = Vec::new();
        grpc_runtime::prost::encoding::bytes::encode(3, &bytes, &mut outer);
        bytes = outer;
    }
    let mut file = file("shop/deep.proto", &[]).encode_to_vec();
    grpc_runtime::prost::encoding::bytes::encode(4, &bytes, &mut file);
    let text = refused([raw_set(&[file])]).to_string();
    assert!(text.contains("recursion"), "{text}");
}

/// Whatever is done to a set, it is taken or refused.
#[test]
fn broken_sets_do_not_panic() {
    let good = shop().to_vec();
    for length in 0..good.len() {
        let _ = Reflection::new([Bytes::copy_from_slice(&good[..length])]);
    }
    let mut refused = 0;
    for place in 0..good.len() {
        for change in [1, 2, 8, 128] {
            let mut broken = good.clone();
            broken[place] ^= change;
            refused += usize::from(Reflection::new([broken]).is_err());
        }
    }
    assert!(refused > good.len() / 2, "{refused}");
}
