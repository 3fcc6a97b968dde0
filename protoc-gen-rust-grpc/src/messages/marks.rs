//! Transfers the computed derives from descriptors to prost-build's text. Each message
//! passed to prost-build gets a mark as its first field: a list of floating-point numbers,
//! which is neither `Copy` nor `Eq`, so that prost-build stops its search there. In the
//! generated text the mark identifies the message, and is replaced by the derives of
//! [`derives`](super::derives). Marks also locate the oneofs that are passed to prost-build
//! under another name.

use std::collections::HashMap;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use syn::punctuated::Punctuated;
use syn::{Path, Token};

use super::derives::{Derives, OfMessage};
use super::stand_ins::note;
use crate::fields::is_map_entry;
use crate::full_names::{file_scope, full_name};
use crate::oneofs::{self, Aside};

/// The prefix of a mark's name, followed by its message's number. A user's field may have
/// that name too, but is not the first field.
const NAME: &str = "mark_";

/// How much further behind a field is for its mark.
pub(super) const SHIFT: usize = 1;

/// The derives and oneofs of marked messages, by number.
#[derive(Debug, Default)]
pub(super) struct Marks {
    messages: Vec<Marked>,
}

#[derive(Debug)]
struct Marked {
    derived: OfMessage,
    /// The oneofs that step aside.
    aside: Vec<Aside>,
}

impl Marks {
    /// Marks all messages of a file but the entries of maps, which are no
    /// messages in Rust, and renames the oneofs that step aside.
    pub(super) fn put(
        &mut self,
        file: &mut FileDescriptorProto,
        derived: &mut HashMap<String, OfMessage>,
    ) {
        let scope = file_scope(file);
        self.put_all(&scope, &mut file.message_type, derived);
    }

    fn put_all(
        &mut self,
        scope: &str,
        messages: &mut [DescriptorProto],
        derived: &mut HashMap<String, OfMessage>,
    ) {
        for message in messages.iter_mut().filter(|message| !is_map_entry(message)) {
            let name = full_name(scope, message.name());
            let mut aside = Vec::new();
            for (index, it) in oneofs::aside(message) {
                message.oneof_decl[index].name = Some(it.name.clone());
                aside.push(it);
            }
            let mark = FieldDescriptorProto {
                name: Some(format!("{NAME}{}", self.messages.len())),
                label: Some(Label::Repeated.into()),
                r#type: Some(Type::Double.into()),
                ..FieldDescriptorProto::default()
            };
            message.field.insert(0, mark);
            self.messages.push(Marked {
                derived: derived.remove(&name).unwrap_or_default(),
                aside,
            });
            self.put_all(&name, &mut message.nested_type, derived);
        }
    }

    /// Takes the marks out of the items and of the modules among them.
    pub(super) fn take(&self, items: &mut [syn::Item]) {
        // Of the oneofs, which stand in their messages' modules, by their paths.
        let mut oneofs: HashMap<String, Derives> = HashMap::new();
        for item in &mut *items {
            let syn::Item::Struct(item) = item else {
                continue;
            };
            if let Some(Marked { derived, aside }) = self.take_from(&mut item.fields) {
                set(&mut item.attrs, derived.message);
                let paths = item.fields.iter().filter_map(oneof);
                oneofs.extend(paths.zip(derived.oneofs.iter().copied()));
                for field in &mut item.fields {
                    let named =
                        |it: &&Aside| field.ident.as_ref().is_some_and(|own| *own == it.name);
                    if let Some(it) = aside.iter().find(named) {
                        note(&mut field.attrs, &it.note());
                    }
                }
            }
        }
        for item in items {
            let syn::Item::Mod(module) = item else {
                continue;
            };
            let Some((_, inside)) = &mut module.content else {
                continue;
            };
            for item in &mut *inside {
                if let syn::Item::Enum(item) = item
                    && let Some(derives) = oneofs.get(&format!("{}::{}", module.ident, item.ident))
                {
                    set(&mut item.attrs, *derives);
                }
            }
            self.take(inside);
        }
    }

    fn take_from(&self, fields: &mut syn::Fields) -> Option<&Marked> {
        let syn::Fields::Named(fields) = fields else {
            return None;
        };
        let first = fields.named.first()?.ident.as_ref()?.to_string();
        let number: usize = first.strip_prefix(NAME)?.parse().ok()?;
        let marked = self.messages.get(number)?;
        fields.named = std::mem::take(&mut fields.named)
            .into_iter()
            .skip(SHIFT)
            .collect();
        Some(marked)
    }
}

/// The path of the field's oneof, from the module that its message is in.
fn oneof(field: &syn::Field) -> Option<String> {
    let mut found = None;
    for attribute in field.attrs.iter().filter(|it| it.path().is_ident("prost")) {
        // Later parts of the attribute have other forms.
        let _ = attribute.parse_nested_meta(|meta| {
            let value = meta.value()?.parse::<syn::LitStr>()?;
            if meta.path.is_ident("oneof") {
                found = Some(value.value());
            }
            Ok(())
        });
    }
    found
}

/// Writes the derives into prost-build's attribute, which comes after any derives of the
/// user. For a oneof without messages prost-build has written them itself.
fn set(attributes: &mut [syn::Attribute], derives: Derives) {
    let own = attributes
        .iter_mut()
        .rfind(|attribute| attribute.path().is_ident("derive"));
    let Some(attribute) = own else { return };
    let Ok(given) = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
    else {
        return;
    };
    let mut paths: Punctuated<Path, Token![,]> = Punctuated::new();
    for path in given {
        if ["Copy", "Eq", "Hash"]
            .iter()
            .any(|name| path.is_ident(name))
        {
            continue;
        }
        let (clone, eq) = (path.is_ident("Clone"), path.is_ident("PartialEq"));
        paths.push(path);
        if clone && derives.copy {
            paths.push(syn::parse_quote!(Copy));
        }
        if eq && derives.eq {
            paths.push(syn::parse_quote!(Eq));
            paths.push(syn::parse_quote!(Hash));
        }
    }
    *attribute = syn::parse_quote!(#[derive(#paths)]);
}
