//! protox's errors with their places. It knows most of them; where it does not,
//! the place is looked for in the text.

use miette::{Diagnostic, LabeledSpan};

use crate::report::{Place, located};
use crate::sources::Sources;
use crate::suggestion;

/// The error for a file with an edition.
const EDITIONS: &str = "editions are read by a protoc only. Use FrontEnd::ProtocFromEnv with \
                        protoc 27 or newer (32 for edition 2024), on the PATH or named by PROTOC; \
                        or FrontEnd::VendoredProtoc, of grpc-build's feature `vendored-protoc`; \
                        or FrontEnd::DescriptorSet";

/// Everything protox has found; its `Display` has the first message alone.
pub(super) fn report(error: &protox::Error, sources: &Sources) -> Vec<String> {
    let Some(name) = error.file() else {
        return vec![error.to_string()];
    };
    let text = sources.text(name).unwrap_or_default();
    let first: &dyn Diagnostic = error;
    std::iter::once(first)
        .chain(error.related().into_iter().flatten())
        .map(|diagnostic| one(diagnostic, name, &text, sources))
        .collect()
}

fn one(diagnostic: &dyn Diagnostic, name: &str, text: &str, sources: &Sources) -> String {
    let message = diagnostic.to_string();
    let labels: Vec<LabeledSpan> = diagnostic.labels().into_iter().flatten().collect();
    let at = |label: &LabeledSpan| Place::at_offset(text, label.offset(), label.len());
    let Some(main) = main_label(&labels) else {
        let place = find(&message, text);
        return located(sources, name, place, &message, &[]);
    };
    if text
        .get(main.offset()..)
        .is_some_and(|rest| rest.starts_with("edition"))
    {
        return located(sources, name, Some(at(main)), EDITIONS, &[]);
    }
    let mut notes: Vec<String> = labels
        .iter()
        .filter(|label| label.offset() != main.offset())
        .map(|label| {
            let what = label.label().unwrap_or("see").trim_end_matches('…');
            let Place { line, column, .. } = at(label);
            format!("note: {what}: {}:{line}:{column}", sources.shown(name))
        })
        .collect();
    let help = diagnostic.help().map(|help| help.to_string());
    let help = help.or_else(|| of_message_set(&message, text.get(..main.offset())?));
    let help = help.or_else(|| suggestion::for_undefined(&message, text));
    notes.extend(help.map(|help| format!("help: {help}")));
    located(sources, name, Some(at(main)), &message, &notes)
}

/// A message with `message_set_wire_format` takes extensions of any number, which
/// protox does not know. `before` is what stands before the number.
fn of_message_set(message: &str, before: &str) -> Option<String> {
    if !message.starts_with("message numbers must be between") {
        return None;
    }
    let mut inside = 0_usize;
    let opened = before.rfind(|next| match next {
        '}' => {
            inside += 1;
            false
        }
        '{' if inside > 0 => {
            inside -= 1;
            false
        }
        next => next == '{',
    })?;
    let head = before[..opened].rsplit([';', '{', '}']).next()?;
    head.split_whitespace().any(|word| word == "extend").then(|| {
        "only a message with `message_set_wire_format` takes an extension of such a number, and \
         only a protoc reads it: use FrontEnd::ProtocFromEnv, FrontEnd::VendoredProtoc or \
         FrontEnd::DescriptorSet"
            .to_owned()
    })
}

/// Of two places the one that is new, not the one it conflicts with.
fn main_label(labels: &[LabeledSpan]) -> Option<&LabeledSpan> {
    let is_new = |label: &&LabeledSpan| {
        label
            .label()
            .is_some_and(|text| text.contains("again") || text.contains("found"))
    };
    labels.iter().find(is_new).or_else(|| labels.first())
}

/// The place of what protox tells without one.
fn find(message: &str, text: &str) -> Option<Place> {
    if message.starts_with("expected comment terminator") {
        let start = text.rfind("/*")?;
        return Some(Place::at_offset(text, start, 2));
    }
    if let Some(name) = message.strip_prefix("name '") {
        let (name, _) = name.split_once("' is not defined")?;
        let is_word = |next: char| next.is_ascii_alphanumeric() || next == '_' || next == '.';
        let (start, _) = text.match_indices(name).find(|(start, _)| {
            !text[..*start].ends_with(is_word) && !text[start + name.len()..].starts_with(is_word)
        })?;
        return Some(Place::at_offset(text, start, name.len()));
    }
    // `import cycle detected: a.proto -> b.proto -> a.proto`, told of the file
    // whose import closes the cycle or begins it.
    let cycle = message.strip_prefix("import cycle detected: ")?;
    cycle.split(" -> ").find_map(|name| {
        let quoted = [format!("\"{name}\""), format!("'{name}'")];
        quoted.iter().find_map(|quoted| {
            let start = text.find(quoted.as_str())?;
            Some(Place::at_offset(text, start, quoted.len()))
        })
    })
}
