//! prost-build names the module of a message's nested types after the message. If that
//! module is renamed ([`crate::aside`]), prost-build gets the message under another name,
//! and both names are corrected in its output. It gets a renamed oneof ([`crate::oneofs`])
//! under the new name.

use std::collections::BTreeMap;

use prost_types::{DescriptorProto, FileDescriptorProto};

use crate::aside::Moved;
use crate::full_names::{file_scope, full_name};
use crate::holding::Holding;
use crate::names;
use crate::oneofs;

/// One message under another name.
#[derive(Debug)]
struct StandIn {
    /// The full names, with a leading dot.
    from: String,
    to: String,
    /// Pairs of prost-build's text and its replacement, in this order.
    words: [(String, String); 3],
    moved: Moved,
}

/// The messages and oneofs that prost-build knows by another name.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    all: Vec<StandIn>,
    /// The full names of oneofs, from and to.
    oneofs: Vec<(String, String)>,
}

impl StandIns {
    pub(super) fn of(moved: &BTreeMap<String, Moved>, holding: &Holding<'_>) -> Self {
        let stand_in = |(index, (from, moved)): (usize, (&String, &Moved))| {
            let (scope, name) = from.rsplit_once('.').unwrap_or(("", from));
            // No word of a user's: `Zq` stands at both ends, so that no number is
            // the beginning of another.
            let other = format!("{name}Zq{index}Zq");
            StandIn {
                from: from.clone(),
                to: format!("{scope}.{other}"),
                words: [
                    (names::camel(&other), names::camel(name)),
                    (names::snake(&other), moved.name.clone()),
                    (other, name.to_owned()),
                ],
                moved: moved.clone(),
            }
        };
        let oneofs = holding.messages().iter().flat_map(|message| {
            let full = |name: &str| full_name(&message.name, name);
            let aside = oneofs::aside(message.descriptor).into_iter();
            aside.map(move |(index, aside)| {
                let own = message.descriptor.oneof_decl[index].name();
                (full(own), full(&aside.name))
            })
        });
        Self {
            all: moved.iter().enumerate().map(stand_in).collect(),
            oneofs: oneofs.collect(),
        }
    }

    /// The name, or path of an option, as prost-build is to know it.
    pub(super) fn name(&self, name: &str) -> String {
        let name = renamed(name, self.oneofs.iter().map(|(from, to)| (from, to)));
        renamed(&name, self.all.iter().map(|it| (&it.from, &it.to)))
    }

    /// Renames the messages and all that names them.
    pub(super) fn put(&self, file: &mut FileDescriptorProto) {
        if self.all.is_empty() {
            return;
        }
        let scope = file_scope(file);
        for message in &mut file.message_type {
            let full = self.name(&format!("{scope}.{}", message.name()));
            let name = full.rsplit('.').next().unwrap_or_default();
            message.name = Some(name.to_owned());
            self.put_types(message);
        }
    }

    fn put_types(&self, message: &mut DescriptorProto) {
        for item in &mut message.field {
            if let Some(name) = &mut item.type_name {
                *name = self.name(name);
            }
        }
        for nested in &mut message.nested_type {
            self.put_types(nested);
        }
    }

    /// Puts the names right in what prost-build wrote.
    pub(super) fn take(&self, text: &str) -> String {
        let words = self.all.iter().flat_map(|it| &it.words);
        words.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Says on each module of the package that it stepped aside.
    pub(super) fn note(&self, scope: &str, items: &mut [syn::Item]) {
        for item in items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            let name = module.ident.to_string();
            let is_it = |it: &&StandIn| {
                let above = it.from.rsplit_once('.').map_or("", |(above, _)| above);
                it.moved.name == name && above == scope
            };
            if let Some(it) = self.all.iter().find(is_it) {
                note(&mut module.attrs, &it.moved.note());
            }
        }
    }
}

/// `name` where it is or lies below the first of a pair, with the second instead.
fn renamed<'a>(name: &str, mut pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let found = pairs.find_map(|(from, to)| {
        let rest = name.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{to}{rest}"))
    });
    found.unwrap_or_else(|| name.to_owned())
}

/// Adds a paragraph to the docs that stand before all other attributes.
pub(super) fn note(attributes: &mut Vec<syn::Attribute>, text: &str) {
    let docs = attributes.iter();
    let after = docs.take_while(|it| it.path().is_ident("doc")).count();
    let text = format!(" {text}");
    let apart = (after > 0).then(|| syn::parse_quote!(#[doc = ""]));
    let notes: Vec<syn::Attribute> = apart
        .into_iter()
        .chain([syn::parse_quote!(#[doc = #text])])
        .collect();
    attributes.splice(after..after, notes);
}
