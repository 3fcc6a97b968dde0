//! Chooses this client's service config among those in a name's TXT records (gRFC A2).
//! Sans-IO: records and random numbers are arguments.

use std::sync::Arc;

use serde_json::Value;

use super::content::ServiceConfig;
use super::json::Json;
use super::text;
use crate::chance::Chance;
use crate::channel::config::error::{ConfigPath, ServiceConfigError};

/// The beginning of the record whose rest is the list of choices.
const ATTRIBUTE: &[u8] = b"grpc_config=";

const LANGUAGE: &str = "rust";

/// The fields of a choice; any other field makes it invalid.
const FIELDS: [&str; 4] = [
    "clientLanguage",
    "percentage",
    "clientHostname",
    "serviceConfig",
];

/// The choices of one channel. The same records give the same choice, so that a channel
/// stays in or out of a percentage.
#[derive(Debug)]
pub(crate) struct Choices {
    /// The system's host name; `None` if it has none or it is not text.
    host_name: Option<String>,
    chance: Arc<Chance>,
    /// The last choice and the config that was read from it.
    last: Option<(Value, ServiceConfig)>,
}

impl Choices {
    pub(crate) fn new(host_name: Option<String>, chance: Arc<Chance>) -> Self {
        Self {
            host_name,
            chance,
            last: None,
        }
    }

    /// The config for this client, if there is one. The strings of each record are already
    /// joined. If the choice is the same as the last time, the result is a clone of the
    /// last config.
    pub(crate) fn choose(
        &mut self,
        records: &[Vec<u8>],
    ) -> Result<Option<ServiceConfig>, ServiceConfigError> {
        let Some(list) = list_in(records)? else {
            return Ok(None);
        };
        let list = text::parse(list)?;
        let (host_name, chance) = (self.host_name.as_deref(), &self.chance);
        let chosen = first_match(&Json::new(&list, &[]), host_name, |place| chance.at(place))?;
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        if let Some((value, config)) = &self.last
            && value == chosen.value
        {
            return Ok(Some(config.clone()));
        }
        let config = text::read(&chosen)?.build()?;
        self.last = Some((chosen.value.clone(), config.clone()));
        Ok(Some(config))
    }
}

/// The only record with the attribute. The order of records is random, so with two of them
/// clients would differ: they are an error, as in grpc-go.
fn list_in(records: &[Vec<u8>]) -> Result<Option<&[u8]>, ServiceConfigError> {
    let mut lists = records
        .iter()
        .filter_map(|record| record.strip_prefix(ATTRIBUTE));
    let list = lists.next();
    if lists.next().is_some() {
        let text = "several TXT records begin with 'grpc_config='; expected one";
        return Err(ServiceConfigError::new(&ConfigPath::default(), text));
    }
    Ok(list)
}

/// The service config of the first choice of which this client meets all criteria.
///
/// An error in the criteria of any choice makes the whole list invalid, so that all clients
/// see it. An error in a config affects only the clients that choose it: it may be for a
/// language with other policies.
fn first_match<'a>(
    list: &Json<'a>,
    host_name: Option<&str>,
    chance: impl Fn(usize) -> f64,
) -> Result<Option<Json<'a>>, ServiceConfigError> {
    let mut first = None;
    for (place, choice) in list.items()?.into_iter().enumerate() {
        if let Some(name) = choice.fields()?.keys().find(|it| !FIELDS.contains(&&***it)) {
            return Err(choice.wrong(format!("'{}' is not known", name.escape_debug())));
        }
        let is_language = |it: &str| it.eq_ignore_ascii_case(LANGUAGE);
        let mut fits = names(&choice, "clientLanguage", is_language)?;
        fits &= names(&choice, "clientHostname", |it| Some(it) == host_name)?;
        if let Some(field) = choice.field("percentage")? {
            fits &= chance(place) * 100.0 < percentage(&field)?;
        }
        let config = choice.required("serviceConfig")?;
        config.fields()?;
        if fits && first.is_none() {
            first = Some(config);
        }
    }
    Ok(first)
}

/// Whether a list of a choice contains this client; a missing or empty list contains all.
fn names(
    choice: &Json<'_>,
    field: &str,
    is_this: impl Fn(&str) -> bool,
) -> Result<bool, ServiceConfigError> {
    let Some(list) = choice.field(field)? else {
        return Ok(true);
    };
    let list = list.items()?;
    let mut is_named = list.is_empty();
    for name in list {
        is_named |= is_this(name.text()?);
    }
    Ok(is_named)
}

fn percentage(field: &Json<'_>) -> Result<f64, ServiceConfigError> {
    let whole = field.value.as_u64().and_then(|it| u8::try_from(it).ok());
    match whole {
        Some(percent @ 0..=100) => Ok(percent.into()),
        _ => field.expected("a whole number from 0 to 100"),
    }
}

#[cfg(test)]
mod tests;
