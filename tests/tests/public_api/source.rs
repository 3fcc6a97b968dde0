//! A crate's source as modules of items, and what its names mean. It knows what our crates
//! use: no globs, and macros without arguments where methods stand.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Ident, ImplItem, Item, UseTree, Visibility};

/// The names of modules from the crate's root.
pub type ModulePath = Vec<String>;

/// What a module declares.
#[derive(Default)]
pub struct Module {
    pub items: Vec<Item>,
    /// Names that `use` declarations bring in.
    pub uses: Vec<Use>,
    /// The attributes of the declarations that it lies in.
    pub attributes: Vec<Attribute>,
}

/// One name that a `use` declaration brings in.
pub struct Use {
    pub name: String,
    pub path: Vec<String>,
    pub is_public: bool,
    pub attributes: Vec<Attribute>,
}

/// All modules of a crate, without those of tests.
pub struct Source {
    pub modules: HashMap<ModulePath, Module>,
    /// What macros without arguments stand for, by their names.
    macros: HashMap<String, String>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// An item of the crate: the module that declares it, and its name there.
    Item(ModulePath, String),
    Module(ModulePath),
    /// Of another crate, or in a file that a build has written.
    Elsewhere,
}

impl Source {
    /// Reads the crate whose root is this file.
    pub fn read(root: &Path) -> Self {
        let mut source = Self {
            modules: HashMap::new(),
            macros: HashMap::new(),
        };
        let text = text(root);
        let folder = root.parent().unwrap().to_owned();
        let file = parse(root, &text);
        source.add(Vec::new(), &[], file.items, &folder);
        source
    }

    fn add(&mut self, path: ModulePath, outer: &[Attribute], items: Vec<Item>, folder: &Path) {
        let mut module = Module {
            attributes: outer.to_vec(),
            ..Module::default()
        };
        for item in items {
            if is_of_tests(attributes(&item)) {
                continue;
            }
            match &item {
                Item::Mod(inner) => {
                    let mut below = path.clone();
                    below.push(inner.ident.to_string());
                    let outer: Vec<_> = outer.iter().chain(&inner.attrs).cloned().collect();
                    if let Some((_, items)) = &inner.content {
                        let folder_below = folder.join(inner.ident.to_string());
                        self.add(below, &outer, items.clone(), &folder_below);
                    } else {
                        let (inner_file, inner_folder) = find(folder, &inner.ident);
                        let text = text(&inner_file);
                        let parsed = parse(&inner_file, &text);
                        self.add(below, &outer, parsed.items, &inner_folder);
                    }
                }
                Item::Use(uses) => {
                    let is_public = matches!(uses.vis, Visibility::Public(_));
                    flatten(&uses.tree, &mut Vec::new(), &mut |name, path| {
                        module.uses.push(Use {
                            name,
                            path,
                            is_public,
                            attributes: uses.attrs.clone(),
                        });
                    });
                }
                Item::Macro(it) => {
                    if let (Some(name), Some(body)) = (&it.ident, without_arguments(it)) {
                        self.macros.insert(name.to_string(), body);
                    }
                }
                _ => {}
            }
            module.items.push(item);
        }
        self.modules.insert(path, module);
    }

    /// What a path means where it stands.
    pub fn resolve(&self, at: &ModulePath, path: &[String]) -> Meaning {
        self.resolve_within(at, path, 0)
    }

    fn resolve_within(&self, at: &ModulePath, path: &[String], depth: usize) -> Meaning {
        assert!(
            depth < 32,
            "{at:?} {path:?}: names that go round in circles"
        );
        let (mut module, mut rest) = match path[0].as_str() {
            "crate" | "grpc_runtime" if path.len() > 1 && self.is_own(&path[0]) => {
                (Vec::new(), &path[1..])
            }
            "self" => (at.clone(), &path[1..]),
            "super" => (at[..at.len() - 1].to_vec(), &path[1..]),
            _ => (at.clone(), path),
        };
        while let Some((first, after)) = rest.split_first() {
            if first == "super" {
                module.pop();
                rest = after;
                continue;
            }
            let declared = &self.modules[&module];
            let mut below = module.clone();
            below.push(first.clone());
            // A function may have the name of the module that it is in.
            let is_used = |it: &&Use| it.name == *first && it.path.len() > 1;
            let used = declared.uses.iter().find(is_used);
            let meaning = if let (Some(used), true) = (used, after.is_empty()) {
                self.resolve_within(&module, &used.path, depth + 1)
            } else if self.modules.contains_key(&below) {
                Meaning::Module(below)
            } else if declared
                .items
                .iter()
                .any(|item| name(item) == Some(first.clone()))
            {
                Meaning::Item(module.clone(), first.clone())
            } else if let Some(used) = declared.uses.iter().find(|it| it.name == *first) {
                // `use http2::Http2` and the like name a crate or a module.
                if used.path.len() == 1 && used.path[0] == *first {
                    return Meaning::Elsewhere;
                }
                self.resolve_within(&module, &used.path, depth + 1)
            } else {
                return Meaning::Elsewhere;
            };
            match meaning {
                Meaning::Module(found) if after.is_empty() => return Meaning::Module(found),
                Meaning::Module(found) => {
                    module = found;
                    rest = after;
                }
                // `Enum::Variant` is of its enum.
                other => return other,
            }
        }
        Meaning::Module(module)
    }

    /// Whether this first word of a path is the crate itself. The runtime names itself as
    /// generated code does.
    fn is_own(&self, word: &str) -> bool {
        word == "crate" || self.modules.contains_key(&vec!["codegen".to_owned()])
    }

    /// The items of an `impl` or a trait, with what macros stand for.
    pub fn expanded(&self, items: &[ImplItem]) -> Vec<ImplItem> {
        let mut all = Vec::new();
        for item in items {
            let ImplItem::Macro(it) = item else {
                all.push(item.clone());
                continue;
            };
            let name = it.mac.path.segments.last().unwrap().ident.to_string();
            let body = self.macros.get(&name);
            let body = body.unwrap_or_else(|| panic!("{name}! is no macro without arguments"));
            let text = format!("impl It {{ {} }}", body.replace("$ crate", "crate"));
            let parsed: syn::ItemImpl = syn::parse_str(&text).unwrap();
            all.extend(parsed.items);
        }
        all
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(path: &Path, text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file of a module that is declared in a folder, and the folder of those below it.
fn find(folder: &Path, name: &Ident) -> (PathBuf, PathBuf) {
    let below = folder.join(name.to_string());
    let beside = folder.join(format!("{name}.rs"));
    if beside.exists() {
        (beside, below)
    } else {
        (below.join("mod.rs"), below)
    }
}

/// The text of a macro of one rule, which takes nothing.
fn without_arguments(item: &syn::ItemMacro) -> Option<String> {
    let text = item.mac.tokens.to_string();
    let body = text.strip_prefix("() => {")?;
    let body = body.trim_end().trim_end_matches(';').trim_end();
    Some(body.strip_suffix('}')?.to_owned())
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, add: &mut impl FnMut(String, Vec<String>)) {
    match tree {
        UseTree::Path(it) => {
            path.push(it.ident.to_string());
            flatten(&it.tree, path, add);
            path.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, add);
            }
        }
        UseTree::Name(it) if it.ident == "self" => {
            add(path.last().unwrap().clone(), path.clone());
        }
        UseTree::Name(it) => {
            let mut whole = path.clone();
            whole.push(it.ident.to_string());
            add(it.ident.to_string(), whole);
        }
        UseTree::Rename(it) => {
            let mut whole = path.clone();
            if it.ident != "self" {
                whole.push(it.ident.to_string());
            }
            add(it.rename.to_string(), whole);
        }
        // Those that stand in the crates are of other crates.
        UseTree::Glob(_) => {}
    }
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The name that an item declares.
pub fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Mod(it) => &it.ident,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Whether an item is there in tests alone.
fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let tokens = quote::ToTokens::to_token_stream(&attribute.meta).to_string();
        ["cfg (test)", "cfg (doctest)", "cfg (shuttle)"].contains(&tokens.as_str())
    })
}
