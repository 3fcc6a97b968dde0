//! Names of oneofs, depending on the fields and types beside them.

use prost_types::{DescriptorProto, FieldDescriptorProto, OneofDescriptorProto};

use super::aside;

/// A message with plain fields, and oneofs each with one member.
fn message(fields: &[&str], oneofs: &[(&str, &str)]) -> DescriptorProto {
    let item = |name: &str, oneof_index| FieldDescriptorProto {
        name: Some(name.to_owned()),
        oneof_index,
        ..FieldDescriptorProto::default()
    };
    let plain = fields.iter().map(|name| item(name, None));
    let members = (0..).zip(oneofs);
    let members = members.map(|(index, (_, member))| item(member, Some(index)));
    let oneof = |(name, _): &(&str, _)| OneofDescriptorProto {
        name: Some((*name).to_owned()),
        options: None,
    };
    DescriptorProto {
        field: plain.chain(members).collect(),
        oneof_decl: oneofs.iter().map(oneof).collect(),
        ..DescriptorProto::default()
    }
}

/// What those that step aside say.
fn notes(message: &DescriptorProto) -> Vec<(usize, String)> {
    let aside = aside(message).into_iter();
    aside.map(|(index, it)| (index, it.note())).collect()
}

#[track_caller]
fn check(fields: &[&str], oneofs: &[(&str, &str)], expected: &[(usize, &str)]) {
    let expected = expected.iter().map(|(at, it)| (*at, (*it).to_owned()));
    assert_eq!(
        notes(&message(fields, oneofs)),
        expected.collect::<Vec<_>>()
    );
}

#[test]
fn a_field_keeps_its_name() {
    check(
        &["oo"],
        &[("o", "a"), ("_oo", "b")],
        &[(1, "Named `oo_oneof` because the field `oo` is `oo`.")],
    );
    check(
        &["type"],
        &[("Type", "a")],
        &[(
            0,
            "Named `type_oneof` because the field `type` is `r#type`.",
        )],
    );
    check(
        &["self"],
        &[("_self", "a")],
        &[(0, "Named `self_oneof` because the field `self` is `self_`.")],
    );
}

#[test]
fn of_two_oneofs_the_first_keeps_its_name() {
    check(
        &[],
        &[("fooBar", "a"), ("foo_bar", "b"), ("FooBar", "c")],
        &[
            (
                1,
                "Named `foo_bar_oneof` because the oneof `fooBar` is `foo_bar`.",
            ),
            (
                2,
                "Named `foo_bar_oneof_oneof` because the oneof `fooBar` is `foo_bar`.",
            ),
        ],
    );
}

#[test]
fn it_takes_no_name_that_another_has() {
    let twice = "Named `oo_oneof_oneof` because the field `oo` is `oo`.";
    check(&["oo", "ooOneof"], &[("_oo", "a")], &[(0, twice)]);
    // Of a oneof that comes later, and of a member.
    check(&["oo"], &[("_oo", "a"), ("oo_oneof", "b")], &[(0, twice)]);
    check(&["oo"], &[("_oo", "oo_oneof")], &[(0, twice)]);
    // A type is called otherwise in Rust, but not in an option's path.
    let mut typed = message(&["oo"], &[("_oo", "a")]);
    typed.nested_type.push(message(&[], &[]));
    typed.nested_type[0].name = Some("oo_oneof".to_owned());
    assert_eq!(notes(&typed), [(0, twice.to_owned())]);
}

#[test]
fn what_is_nothing_in_rust_meets_nothing() {
    // A member, which is a variant.
    check(&[], &[("Oo", "oo")], &[]);
    // Behind an `optional`.
    let mut hidden = message(&[], &[("_oo", "oo")]);
    hidden.field[0].proto3_optional = Some(true);
    assert_eq!(notes(&hidden), []);
}
