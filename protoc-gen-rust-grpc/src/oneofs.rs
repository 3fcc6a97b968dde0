//! Renames oneofs that collide. A oneof's field stands beside those of its message, and its
//! name is not on the wire: if two of them would have one name in Rust, the field keeps it,
//! and the oneof is called `…_oneof`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto};

use crate::error::Diagnostic;
use crate::fields::oneof_of;
use crate::holding::Holding;
use crate::locations::{Locations, child, field};
use crate::names;
use crate::request::Request;

/// One such oneof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    /// The name of its field, from which its enum's name is made.
    pub(crate) name: String,
    /// The item that has the name already.
    because: String,
}

impl Aside {
    /// A sentence for readers who look for it under the other name.
    pub(crate) fn note(&self) -> String {
        format!("Named `{}` because {}.", self.name, self.because)
    }
}

/// The renamed oneofs of the message, by index. All others keep their names.
pub(crate) fn aside(message: &DescriptorProto) -> BTreeMap<usize, Aside> {
    let oneof_of = |item: &&FieldDescriptorProto| oneof_of(message, item);
    // One without members, such as stands behind an `optional`, is nothing in Rust.
    let written: BTreeSet<usize> = message
        .field
        .iter()
        .filter_map(|it| oneof_of(&it))
        .collect();
    if written.is_empty() {
        return BTreeMap::new();
    }
    let name = |index: usize| message.oneof_decl[index].name();

    let plain = message.field.iter().filter(|it| oneof_of(it).is_none());
    let mut taken: HashMap<String, String> = plain
        .map(|it| {
            (
                names::snake(it.name()),
                format!("the field `{}`", it.name()),
            )
        })
        .collect();
    // The new name must also differ from members and types, since an option's path could not
    // distinguish them.
    let fields = message.field.iter().map(FieldDescriptorProto::name);
    let messages = message.nested_type.iter().map(DescriptorProto::name);
    let enums = message.enum_type.iter().map(EnumDescriptorProto::name);
    let mut reserved: HashSet<String> = fields
        .chain(written.iter().map(|index| name(*index)))
        .map(names::snake)
        .chain(messages.chain(enums).map(str::to_owned))
        .collect();

    let mut aside = BTreeMap::new();
    for index in written {
        let wanted = names::snake(name(index));
        let Some(other) = taken.get(&wanted) else {
            taken.insert(wanted, format!("the oneof `{}`", name(index)));
            continue;
        };
        let because = format!("{other} is `{wanted}`");
        let mut longer = name(index).to_owned();
        let mut free = wanted;
        while !reserved.insert(free.clone()) {
            longer.push_str("_oneof");
            free = names::snake(&longer);
        }
        aside.insert(
            index,
            Aside {
                name: free,
                because,
            },
        );
    }
    aside
}

/// A warning for each that is generated, in a message that is not `is_external`.
pub(crate) fn warnings(
    request: &Request,
    holding: &Holding<'_>,
    is_external: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    for message in holding.messages() {
        // A message of another crate is not generated.
        if !request.generates(message.file) || is_external(&message.name) {
            continue;
        }
        for (index, aside) in aside(message.descriptor) {
            let path = child(&message.path, field::MESSAGE_ONEOF, index);
            let text = format!(
                "for the oneof `{}`, the field `{}` is generated because {}",
                message.descriptor.oneof_decl[index].name(),
                aside.name,
                aside.because
            );
            warnings.push(Locations::of(message.file).diagnostic(&path, text));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
