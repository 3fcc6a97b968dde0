//! The policies that a service config in JSON can name, and their options there. A new
//! one is a line of the table.

use std::sync::Arc;

use super::content::Named;
use super::json::Json;
use crate::channel::balance::pick_first::PickFirst;
use crate::channel::balance::policy::Balance;
use crate::channel::balance::round_robin::RoundRobin;
use crate::channel::config::error::ServiceConfigError;

type Read = fn(&Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError>;

/// By their names in `loadBalancingConfig`.
const POLICIES: &[(&str, Read)] = &[("pick_first", pick_first), ("round_robin", round_robin)];

fn pick_first(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    let shuffles = options.field("shuffleAddressList")?;
    let shuffles = shuffles.map(|it| it.switch()).transpose()?;
    let policy = PickFirst::new();
    Ok(Arc::new(if shuffles == Some(true) {
        policy.shuffled()
    } else {
        policy
    }))
}

fn round_robin(options: &Json<'_>) -> Result<Arc<dyn Balance>, ServiceConfigError> {
    // It has no options, but has to be an object.
    options.field("")?;
    Ok(Arc::new(RoundRobin::new()))
}

/// The first of a list, as `loadBalancingConfig` or a policy's `childPolicy`, that the
/// program has; none in an empty one.
pub(super) fn first_known(list: &Json<'_>) -> Result<Option<Named>, ServiceConfigError> {
    let mut unknown = Vec::new();
    for entry in list.items()? {
        let (name, options) = entry.only_field()?;
        if let Some(named) = named(name, &options) {
            return named.map(Some);
        }
        unknown.push(format!("'{}'", name.escape_debug()));
    }
    if unknown.is_empty() {
        return Ok(None);
    }
    let text = format!("none of its policies is known: {}", unknown.join(", "));
    Err(list.wrong(text))
}

/// The policy of a name, if the program has it.
pub(super) fn named(name: &str, options: &Json<'_>) -> Option<Result<Named, ServiceConfigError>> {
    if let Some(own) = options.own.iter().find(|it| it.name() == name) {
        // It has no options, so it is the same each time.
        let balance = Arc::clone(own);
        return Some(Ok(Named {
            balance,
            text: None,
        }));
    }
    let (_, read) = POLICIES.iter().find(|(known, _)| *known == name)?;
    Some(read(options).map(|balance| Named {
        balance,
        text: Some(format!("{name} {}", options.value)),
    }))
}
