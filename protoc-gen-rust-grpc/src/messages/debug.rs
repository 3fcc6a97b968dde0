//! `Debug` for messages with ordered maps. prost's derive names `::prost` in it, whatever
//! path is configured, and so needs a crate that users do not depend on. So prost skips
//! `Debug` for these messages, and a similar one is written here. It differs in one respect:
//! enums are shown as numbers.

use quote::quote;

/// Adds the impls to the items and to the modules among them.
pub(super) fn add(items: &mut Vec<syn::Item>) {
    let mut written = Vec::new();
    for mut item in items.drain(..) {
        let mut added = None;
        match &mut item {
            syn::Item::Mod(module) => {
                if let Some((_, inside)) = &mut module.content {
                    add(inside);
                }
            }
            syn::Item::Struct(message) if needs_one(message) => {
                message.attrs.push(syn::parse_quote!(#[prost(skip_debug)]));
                added = Some(implementation(message));
            }
            _ => {}
        }
        written.push(item);
        written.extend(added);
    }
    *items = written;
}

fn needs_one(message: &syn::ItemStruct) -> bool {
    !prost_says(&message.attrs, "skip_debug")
        && message
            .fields
            .iter()
            .any(|field| prost_says(&field.attrs, "btree_map"))
}

/// Whether one of the attributes is `#[prost(word …)]`.
fn prost_says(attributes: &[syn::Attribute], word: &str) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("prost")
            && list
                .tokens
                .clone()
                .into_iter()
                .next()
                .is_some_and(|first| first.to_string() == word)
    })
}

fn implementation(message: &syn::ItemStruct) -> syn::Item {
    let name = &message.ident;
    let shown = name.to_string();
    let fields = message.fields.iter().filter_map(|field| {
        let name = field.ident.as_ref()?;
        let shown = name.to_string();
        let shown = shown.strip_prefix("r#").unwrap_or(&shown);
        // A field may be deprecated, and is shown all the same.
        let deprecated = field
            .attrs
            .iter()
            .any(|it| it.path().is_ident("deprecated"));
        let allow = deprecated.then(|| quote!(#[allow(deprecated)]));
        Some(quote!(#allow let debug = debug.field(#shown, &self.#name);))
    });
    let fields: Vec<_> = fields.collect();
    syn::parse_quote! {
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut debug = f.debug_struct(#shown);
                let debug = &mut debug;
                #(#fields)*
                debug.finish()
            }
        }
    }
}
