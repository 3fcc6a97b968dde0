//! Reports messages that exceed limits of rustc which only the user's crate can raise:
//! messages nested too deep, and messages with too many fields. To check `Send`, rustc walks
//! into all parts of a type, at most `recursion_limit` steps deep; and its stack must hold
//! an expression over all fields of a message.

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::Label;

use crate::error::{Diagnostic, Error};
use crate::fields::{is_map_entry, oneof_of};
use crate::holding::{HeldMessage, Holding, inmost_first};
use crate::locations::Locations;
use crate::request::Request;

/// Steps available for messages, of the default limit of 128; the rest is for the contents
/// of the inmost message.
const STEPS: usize = 118;

/// Beyond them the compiler overflows its stack, whatever its limit.
const MOST_STEPS: usize = 1000;

/// How many fields are certain not to overflow it; it does between 2,000 and 3,500.
const FIELDS: usize = 2000;

/// Returns warnings for the author of such messages. Fails on messages for which no setting
/// helps.
pub(crate) fn check(request: &Request, holding: &Holding<'_>) -> Result<Vec<Diagnostic>, Error> {
    let mut warnings = Vec::new();
    if let Some((outmost, steps)) = deepest(holding) {
        let deeper = format!(
            "the messages in `{}` lie in each other deeper than the compiler follows",
            outmost.descriptor.name()
        );
        if steps > MOST_STEPS {
            let help = "let one in between be `bytes`, which hold the next one encoded";
            return Err(located(outmost, deeper).with_help(help).into());
        }
        let enough = (steps * 2).next_power_of_two();
        let help = format!(
            "write `#![recursion_limit = \"{enough}\"]` at the top of the crate's `lib.rs` or `main.rs`"
        );
        let warning = located(outmost, format!("{deeper} by itself"));
        warnings.push(warning.with_help(help));
    }
    for message in holding.messages() {
        let fields = message.descriptor.field.len();
        if fields > FIELDS && request.generates(message.file) {
            let many = format!(
                "the compiler's stack may be too small for the {fields} fields of `{}`",
                message.descriptor.name()
            );
            let help = "set the environment variable `RUST_MIN_STACK=67108864` for cargo";
            warnings.push(located(message, many).with_help(help));
        }
    }
    Ok(warnings)
}

fn located(message: &HeldMessage<'_>, what: String) -> Diagnostic {
    Locations::of(message.file).diagnostic(&message.path, what)
}

/// The outmost of messages that may be too deep, and how many steps it is to the
/// inmost.
///
/// Messages that hold each other count as one: how the compiler walks through
/// them depends on where it begins.
fn deepest<'h, 'a>(holding: &'h Holding<'a>) -> Option<(&'h HeldMessage<'a>, usize)> {
    let component = holding.components(|item| holding.mentioned(item));
    let messages = holding.messages();
    let mut steps = vec![0; messages.len()];
    for index in inmost_first(&component) {
        let message = &messages[index];
        let below = message.descriptor.field.iter().filter_map(|item| {
            let held = holding.mentioned(item)?;
            let apart = component[held] != component[index];
            apart.then(|| steps[held] + steps_of(message, item, &messages[held]))
        });
        steps[index] = below.max().unwrap_or(0);
    }
    let deepest = (0..messages.len())
        .rev()
        .max_by_key(|index| steps[*index])?;
    (steps[deepest] > STEPS).then(|| (&messages[deepest], steps[deepest]))
}

/// The steps from a message to its field's message: an `Option`, a oneof and its `Option`, a
/// `Vec` or a map with the types inside them.
fn steps_of(
    message: &HeldMessage<'_>,
    item: &FieldDescriptorProto,
    held: &HeldMessage<'_>,
) -> usize {
    if item.label() != Label::Repeated {
        2 + usize::from(oneof_of(message.descriptor, item).is_some())
    } else if is_map_entry(held.descriptor) {
        // Two more are the entry's own.
        3
    } else {
        4
    }
}
