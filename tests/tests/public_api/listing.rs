//! A crate's public API as text: each item at the path that users name it by, with what it
//! promises, and nothing that they cannot see.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use quote::ToTokens;
use syn::{Attribute, Fields, ImplItem, Item, Signature, TraitItem, Visibility};

use super::source::{Meaning, ModulePath, Source, attributes, name};

/// One item that users see.
pub struct Public<'s> {
    /// The path by which users name it, without the crate.
    pub path: String,
    pub item: &'s Item,
    /// The features that it needs.
    cfgs: Vec<String>,
}

/// A function that users may call, with its documentation.
pub struct Function {
    pub path: String,
    pub signature: Signature,
    pub docs: String,
}

/// The public items of a crate.
pub struct Api<'s> {
    source: &'s Source,
    items: BTreeMap<String, Public<'s>>,
    /// Re-exports of other crates' items, and of generated ones.
    others: Vec<String>,
    /// The path of each public item, by where it is declared.
    paths: HashMap<(ModulePath, String), String>,
}

impl<'s> Api<'s> {
    pub fn of(source: &'s Source) -> Self {
        let mut api = Self {
            source,
            items: BTreeMap::new(),
            others: Vec::new(),
            paths: HashMap::new(),
        };
        api.walk(&Vec::new(), "", &[]);
        api
    }

    pub fn items(&self) -> impl Iterator<Item = &Public<'s>> {
        self.items.values()
    }

    fn walk(&mut self, module: &ModulePath, path: &str, cfgs: &[String]) {
        let source = self.source;
        let declared = &source.modules[module];
        for item in &declared.items {
            let attributes = attributes(item);
            if is_hidden(attributes) || !is_public(item) {
                continue;
            }
            if let Some(name) = name(item) {
                self.add(module, &name, &join(path, &name), &with(cfgs, attributes));
            } else if let Item::Macro(it) = item {
                let name = it.ident.as_ref().unwrap();
                self.others.push(format!("macro {name}!"));
            }
        }
        for used in declared.uses.iter().filter(|used| used.is_public) {
            if is_hidden(&used.attributes) {
                continue;
            }
            let (path, cfgs) = (join(path, &used.name), with(cfgs, &used.attributes));
            match source.resolve(module, &used.path) {
                Meaning::Item(home, name) => self.add(&home, &name, &path, &cfgs),
                Meaning::Module(found) => self.walk(&found, &path, &cfgs),
                Meaning::Elsewhere => {
                    let from = used.path.join("::");
                    self.others
                        .push(line(&cfgs, &format!("use {from} as {path}")));
                }
            }
        }
    }

    fn add(&mut self, home: &ModulePath, name_there: &str, path: &str, cfgs: &[String]) {
        let source = self.source;
        let named = |item: &&Item| name(item).as_deref() == Some(name_there);
        for item in source.modules[home].items.iter().filter(named) {
            if let Item::Mod(_) = item {
                let mut below = home.clone();
                below.push(name_there.to_owned());
                let is_generated = source.modules[&below]
                    .items
                    .iter()
                    .any(|item| matches!(item, Item::Macro(it) if it.mac.path.is_ident("include")));
                if is_generated {
                    self.others
                        .push(line(cfgs, &format!("mod {path}, which is generated")));
                }
                self.walk(&below, path, cfgs);
                continue;
            }
            let cfgs = with(cfgs, &source.modules[home].attributes);
            let cfgs = with(&cfgs, attributes(item));
            let key = (home.clone(), name_there.to_owned());
            self.paths.entry(key).or_insert_with(|| path.to_owned());
            // One path may have two items: a form for each feature.
            let unique = format!("{path} {}", cfgs.concat());
            let path = path.to_owned();
            self.items.insert(unique, Public { path, item, cfgs });
        }
    }

    /// The listing.
    pub fn text(&self) -> String {
        let mut blocks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for public in self.items() {
            let lines = blocks.entry(&public.path).or_default();
            lines.extend(declaration(public));
        }
        let mut members: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for (owner, head, line) in self.members() {
            members.entry(owner).or_default().insert((head, line));
        }
        let mut text = String::new();
        let mut others = self.others.clone();
        others.sort();
        for other in others {
            let _ = writeln!(text, "{other}");
        }
        for (path, lines) in blocks {
            let _ = writeln!(text, "\n{}", lines.join("\n"));
            let mut last = String::new();
            for (head, line) in members.remove(path).unwrap_or_default() {
                if head != last {
                    let _ = writeln!(text, "    {head}");
                    last.clone_from(&head);
                }
                if !line.is_empty() {
                    let indent = if head.is_empty() { "" } else { "    " };
                    let _ = writeln!(text, "    {indent}{line}");
                }
            }
        }
        // Traits that the crate implements for what is not its own.
        for (owner, heads) in members {
            assert!(owner.is_empty(), "{owner} is not public: {heads:?}");
            let _ = writeln!(text);
            for (head, _) in heads {
                let _ = writeln!(text, "{head}");
            }
        }
        text
    }

    /// What `impl` blocks have: the path of the type, which is empty for a type of another
    /// crate, the block's head where it is a trait's or has parameters, and the function.
    fn members(&self) -> Vec<(String, String, String)> {
        let mut members = Vec::new();
        self.impls(|owner, cfgs, block| {
            if block.trait_.is_some() {
                let mut header = block.clone();
                header
                    .items
                    .retain(|item| matches!(item, ImplItem::Type(_)));
                header.attrs.clear();
                let header = squeezed(&printed(Item::Impl(header)));
                let header = line(cfgs, header.trim_end_matches(" {}"));
                members.push((owner, header, String::new()));
                return;
            }
            for item in self.source.expanded(&block.items) {
                let (attributes, visibility, text) = match &item {
                    ImplItem::Fn(it) => (&it.attrs, &it.vis, signature(&it.sig)),
                    ImplItem::Const(it) => {
                        let (name, of) = (&it.ident, it.ty.to_token_stream());
                        (
                            &it.attrs,
                            &it.vis,
                            format!("const {name}: {}", squeezed_tokens(&of)),
                        )
                    }
                    _ => continue,
                };
                if matches!(visibility, Visibility::Public(_)) && !is_hidden(attributes) {
                    let text = line(&with(cfgs, attributes), &text);
                    members.push((owner.clone(), header(block), text));
                }
            }
        });
        members
    }

    /// Shows each `impl` that users see, with the path of its type.
    fn impls(&self, mut show: impl FnMut(String, &[String], &syn::ItemImpl)) {
        for (module, declared) in &self.source.modules {
            for item in &declared.items {
                let Item::Impl(block) = item else { continue };
                let owner = self.meaning(module, type_path(&block.self_ty));
                let of_trait = block.trait_.as_ref().map(|(_, path, _)| words(path));
                let of_trait = self.meaning(module, of_trait);
                let shown = match (owner, of_trait) {
                    // Of a private type, of a private trait, and of other crates' alone.
                    (Some(Err(())), _) | (_, Some(Err(()))) | (None, None) => continue,
                    (Some(Ok(path)), _) => path,
                    // Of a type of another crate: where the trait is ours, or takes what is.
                    (None, Some(Ok(_))) => String::new(),
                };
                let cfgs = with(&[], &declared.attributes);
                show(shown, &with(&cfgs, &block.attrs), block);
            }
        }
    }

    /// The public path of what a path means, an error if it is ours and not public, and
    /// nothing if it is another crate's.
    fn meaning(&self, at: &ModulePath, path: Option<Vec<String>>) -> Option<Result<String, ()>> {
        match self.source.resolve(at, &path?) {
            Meaning::Item(home, name) => Some(self.paths.get(&(home, name)).cloned().ok_or(())),
            Meaning::Module(_) | Meaning::Elsewhere => None,
        }
    }

    /// All functions that users may call.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        let mut add = |path: String, signature: &Signature, attributes: &[Attribute]| {
            if !is_hidden(attributes) {
                functions.push(Function {
                    path,
                    signature: signature.clone(),
                    docs: docs(attributes),
                });
            }
        };
        for public in self.items() {
            match public.item {
                Item::Fn(it) => add(public.path.clone(), &it.sig, &it.attrs),
                Item::Trait(it) => {
                    for item in &it.items {
                        if let TraitItem::Fn(it) = item {
                            add(
                                join(&public.path, &it.sig.ident.to_string()),
                                &it.sig,
                                &it.attrs,
                            );
                        }
                    }
                }
                _ => {}
            }
        }
        self.impls(|owner, _, block| {
            if block.trait_.is_some() {
                return;
            }
            for item in self.source.expanded(&block.items) {
                if let ImplItem::Fn(it) = item
                    && matches!(it.vis, Visibility::Public(_))
                {
                    add(join(&owner, &it.sig.ident.to_string()), &it.sig, &it.attrs);
                }
            }
        });
        functions.sort_by(|a, b| a.path.cmp(&b.path));
        functions
    }
}

impl Function {
    /// Whether it returns a `Result`, now or later.
    pub fn can_fail(&self) -> bool {
        let output = squeezed_tokens(&self.signature.output);
        output.contains("Result<")
    }

    /// Whether its documentation has a section on errors, or a sentence on them.
    pub fn tells_of_failure(&self) -> bool {
        let words = ["# Errors", "Errors as", "fails", "Fails", "error", "refuse"];
        words.iter().any(|word| self.docs.contains(word))
    }
}

impl Public<'_> {
    /// Whether users could write it out in full, so that nothing may be added to it.
    pub fn is_closed(&self) -> bool {
        let is_open = |attributes: &[Attribute]| {
            attributes
                .iter()
                .any(|it| it.path().is_ident("non_exhaustive"))
        };
        match self.item {
            Item::Enum(it) => !is_open(&it.attrs),
            Item::Struct(it) => {
                let public = |field: &syn::Field| matches!(field.vis, Visibility::Public(_));
                !is_open(&it.attrs) && !it.fields.is_empty() && it.fields.iter().all(public)
            }
            _ => false,
        }
    }
}

/// What an item is, with its fields and variants.
fn declaration(public: &Public<'_>) -> Vec<String> {
    let mut item = public.item.clone();
    let mut lines = Vec::new();
    let mut keep = |attributes: &mut Vec<Attribute>| {
        for attribute in attributes.drain(..) {
            let text = squeezed_tokens(&attribute.meta.to_token_stream());
            if text.starts_with("derive") {
                // In one order, and without what messages derive by options of their fields.
                let inner = text.trim_start_matches("derive(").trim_end_matches(')');
                let mut names: Vec<&str> = inner.split(", ").collect();
                names.sort_unstable();
                lines.push(format!("#[derive({})]", names.join(", ")));
            } else if ["non_exhaustive", "must_use", "deprecated", "diagnostic"]
                .iter()
                .any(|it| text.starts_with(it))
            {
                lines.push(format!("#[{text}]"));
            }
        }
    };
    let mut body = Vec::new();
    match &mut item {
        Item::Const(it) => {
            keep(&mut it.attrs);
            body.push(format!("const {}: {}", it.ident, squeezed_tokens(&it.ty)));
        }
        Item::Fn(it) => {
            keep(&mut it.attrs);
            body.push(signature(&it.sig));
        }
        Item::Struct(it) => {
            keep(&mut it.attrs);
            let fields: Vec<_> = it.fields.iter().cloned().collect();
            let public = fields
                .iter()
                .filter(|it| matches!(it.vis, Visibility::Public(_)));
            body.extend(public.map(|field| {
                let name = field
                    .ident
                    .as_ref()
                    .map_or("_".to_owned(), ToString::to_string);
                format!("    field {name}: {}", squeezed_tokens(&field.ty))
            }));
            it.fields = Fields::Unit;
            it.semi_token = Some(syn::token::Semi::default());
            let header = squeezed(&printed(item));
            body.insert(0, header.trim_end_matches(';').to_owned());
        }
        Item::Enum(it) => {
            keep(&mut it.attrs);
            body.extend(it.variants.iter().map(|variant| {
                let mut variant = variant.clone();
                variant.attrs.retain(|it| it.path().is_ident("cfg"));
                for field in &mut variant.fields {
                    field.attrs.clear();
                }
                format!("    variant {}", squeezed_tokens(&variant))
            }));
            it.variants.clear();
            let header = squeezed(&printed(item));
            body.insert(0, header.trim_end_matches(" {}").to_owned());
        }
        Item::Trait(it) => {
            keep(&mut it.attrs);
            for item in &it.items {
                match item {
                    TraitItem::Fn(it) => {
                        let given = if it.default.is_some() { " { … }" } else { "" };
                        body.push(format!("    {}{given}", signature(&it.sig)));
                    }
                    other => {
                        let mut other = other.clone();
                        if let TraitItem::Type(it) = &mut other {
                            it.attrs.clear();
                        }
                        body.push(format!("    {}", squeezed_tokens(&other)));
                    }
                }
            }
            it.items.clear();
            let header = squeezed(&printed(item));
            body.insert(0, header.trim_end_matches(" {}").to_owned());
        }
        other => body.push(squeezed(&printed(other.clone()))),
    }
    let first = &mut body[0];
    let rest = first.trim_start_matches("pub ");
    let (kind, rest) = rest.split_once(' ').unwrap();
    // The path in place of the name alone.
    let name = public.path.rsplit("::").next().unwrap();
    *first = format!("{kind} {}", rest.replacen(name, &public.path, 1));
    *first = line(&public.cfgs, first);
    lines.extend(body);
    lines
}

fn signature(signature: &Signature) -> String {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        // That a function changes its own copy is no matter of its callers.
        match input {
            syn::FnArg::Receiver(it) if it.reference.is_none() => it.mutability = None,
            syn::FnArg::Typed(it) => {
                if let syn::Pat::Ident(name) = &mut *it.pat {
                    name.mutability = None;
                }
            }
            syn::FnArg::Receiver(_) => {}
        }
    }
    let text = format!("{} {{}}", signature.to_token_stream());
    let function: syn::ItemFn = syn::parse_str(&text).unwrap();
    squeezed(&printed(Item::Fn(function)))
        .trim_end_matches(" {}")
        .to_owned()
}

/// An `impl` with type parameters, as its functions hold for some types alone.
fn header(block: &syn::ItemImpl) -> String {
    if block.generics.type_params().next().is_none() {
        return String::new();
    }
    let mut header = block.clone();
    header.items.clear();
    header.attrs.clear();
    let header = squeezed(&printed(Item::Impl(header)));
    header.trim_end_matches(" {}").to_owned()
}

fn printed(item: Item) -> String {
    prettyplease::unparse(&syn::File {
        shebang: None,
        attrs: Vec::new(),
        items: vec![item],
    })
}

/// A type and the like in the way that code is written.
fn squeezed_tokens(tokens: &impl ToTokens) -> String {
    let text = squeezed(&tokens.to_token_stream().to_string());
    let mut text = text
        .replace(" :: ", "::")
        .replace(":: ", "::")
        .replace(" ::", "::");
    for (from, to) in [
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ,", ","),
        (" (", "("),
        ("' ", "'"),
        (" : ", ": "),
        (" ;", ";"),
        (" ()", "()"),
        ("->(", "-> ("),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// On one line.
fn squeezed(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .join(" ")
        .replace("( ", "(")
        .replace(", )", ")")
        .replace(" )", ")")
}

fn line(cfgs: &[String], text: &str) -> String {
    if cfgs.is_empty() {
        text.to_owned()
    } else {
        format!("#[{}] {text}", cfgs.join(", "))
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}::{name}")
    }
}

/// These conditions and the attributes' own.
fn with(cfgs: &[String], attributes: &[Attribute]) -> Vec<String> {
    let own = attributes.iter().filter(|it| it.path().is_ident("cfg"));
    let mut all = cfgs.to_vec();
    for cfg in own.map(|it| squeezed_tokens(&it.meta)) {
        if !all.contains(&cfg) {
            all.push(cfg);
        }
    }
    all
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|it| it.meta.to_token_stream().to_string() == "doc (hidden)")
}

fn is_public(item: &Item) -> bool {
    let visibility = match item {
        Item::Const(it) => &it.vis,
        Item::Enum(it) => &it.vis,
        Item::Fn(it) => &it.vis,
        Item::Mod(it) => &it.vis,
        Item::Static(it) => &it.vis,
        Item::Struct(it) => &it.vis,
        Item::Trait(it) => &it.vis,
        Item::Type(it) => &it.vis,
        Item::Union(it) => &it.vis,
        Item::Macro(it) => return it.attrs.iter().any(|it| it.path().is_ident("macro_export")),
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let syn::Meta::NameValue(it) = &attribute.meta
            && it.path.is_ident("doc")
            && let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(line),
                ..
            }) = &it.value
        {
            text.push_str(line.value().trim());
            text.push('\n');
        }
    }
    text
}

fn words(path: &syn::Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|it| it.ident.to_string())
        .collect()
}

/// The path of a type that is one, without references.
fn type_path(of: &syn::Type) -> Option<Vec<String>> {
    match of {
        syn::Type::Path(it) => Some(words(&it.path)),
        syn::Type::Reference(it) => type_path(&it.elem),
        _ => None,
    }
}
