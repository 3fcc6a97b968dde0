//! A part of a service config in JSON, with its path, and the types that it can be read as.
//! It contains no field names.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::channel::balance::policy::Balance;
use crate::channel::config::error::{ConfigPath, ServiceConfigError};
use crate::code::Code;

/// The longest time of protobuf's `Duration`, in seconds.
const LONGEST: u64 = 315_576_000_000;

/// The most that errors show of a value, in characters.
const SHOWN: usize = 60;

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct Json<'a> {
    pub(super) value: &'a Value,
    path: ConfigPath,
    /// The program's own policies.
    pub(super) own: &'a [Arc<dyn Balance>],
}

impl<'a> Json<'a> {
    pub(super) fn new(value: &'a Value, own: &'a [Arc<dyn Balance>]) -> Self {
        Self {
            value,
            path: ConfigPath::default(),
            own,
        }
    }

    fn at(&self, value: &'a Value, path: ConfigPath) -> Self {
        let own = self.own;
        Self { value, path, own }
    }

    /// An error at this path.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> ServiceConfigError {
        ServiceConfigError::new(&self.path, reason)
    }

    pub(super) fn expected<T>(&self, what: &str) -> Result<T, ServiceConfigError> {
        let text = self.value.to_string();
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Err(self.wrong(format!("it is {shown}; expected {what}")))
    }

    pub(super) fn fields(&self) -> Result<&'a Map<String, Value>, ServiceConfigError> {
        match self.value {
            Value::Object(fields) => Ok(fields),
            _ => self.expected("an object"),
        }
    }

    /// A field of an object; `None` if it is missing or null.
    pub(super) fn field(&self, name: &str) -> Result<Option<Self>, ServiceConfigError> {
        let value = self.fields()?.get(name).filter(|it| !it.is_null());
        Ok(value.map(|value| self.at(value, self.path.field(name))))
    }

    /// A required field of an object.
    pub(super) fn required(&self, name: &str) -> Result<Self, ServiceConfigError> {
        let missing = || ServiceConfigError::new(&self.path.field(name), "it is missing");
        self.field(name)?.ok_or_else(missing)
    }

    /// The only field of an object, and its name.
    pub(super) fn only_field(&self) -> Result<(&'a str, Self), ServiceConfigError> {
        let mut fields = self.fields()?.iter();
        match (fields.next(), fields.next()) {
            (Some((name, value)), None) => Ok((name, self.at(value, self.path.field(name)))),
            _ => self.expected("an object with one field"),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, ServiceConfigError> {
        let Value::Array(items) = self.value else {
            return self.expected("a list");
        };
        let items = items.iter().enumerate();
        Ok(items
            .map(|(index, value)| self.at(value, self.path.item(index)))
            .collect())
    }

    pub(super) fn text(&self) -> Result<&'a str, ServiceConfigError> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => self.expected("a text"),
        }
    }

    pub(super) fn switch(&self) -> Result<bool, ServiceConfigError> {
        match self.value {
            Value::Bool(is_on) => Ok(*is_on),
            _ => self.expected("true or false"),
        }
    }

    pub(super) fn number(&self) -> Result<f64, ServiceConfigError> {
        match self.value.as_f64() {
            Some(number) => Ok(number),
            None => self.expected("a number"),
        }
    }

    /// A whole number from 0; protobuf's JSON form allows `3`, `3.0` and `"3"`.
    pub(super) fn whole<T: TryFrom<u64>>(&self) -> Result<T, ServiceConfigError> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "values that are not whole or too large are rejected"
        )]
        let whole = match self.value {
            Value::Number(number) => number.as_u64().or_else(|| {
                let whole = number.as_f64().filter(|it| it.fract() == 0.0)?;
                (0.0..1e15).contains(&whole).then_some(whole as u64)
            }),
            Value::String(text) => digits(text),
            _ => None,
        };
        match whole.and_then(|it| T::try_from(it).ok()) {
            Some(whole) => Ok(whole),
            None => self.expected("a whole number, 0 or more"),
        }
    }

    /// A duration in protobuf's JSON form: `1.5s`.
    pub(super) fn time(&self) -> Result<Duration, ServiceConfigError> {
        match self.value.as_str().and_then(time) {
            Some(time) => Ok(time),
            None => self.expected("a time as \"1.5s\", with 9 decimal places at most"),
        }
    }

    /// A status code, by number or name.
    pub(super) fn code(&self) -> Result<Code, ServiceConfigError> {
        let all = (0..=16).map(Code::from_i32);
        let found = match self.value {
            Value::String(name) => {
                let mut all = all;
                all.find(|code| code.name().eq_ignore_ascii_case(name))
            }
            value => {
                let mut all = all;
                all.find(|code| value.as_f64() == Some(f64::from(code.as_i32())))
            }
        };
        match found {
            Some(code) => Ok(code),
            None => self.expected("a status code, as \"UNAVAILABLE\" or 14"),
        }
    }
}

/// Digits only.
fn digits(text: &str) -> Option<u64> {
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok())?
}

fn time(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s')?;
    let (seconds, nanos) = match text.split_once('.') {
        Some((seconds, places)) if places.len() <= 9 => {
            let nanos = digits(places)? * 10_u64.pow(9 - u32::try_from(places.len()).ok()?);
            (seconds, u32::try_from(nanos).ok()?)
        }
        Some(_) => return None,
        None => (text, 0),
    };
    let seconds = digits(seconds).filter(|seconds| *seconds <= LONGEST)?;
    Some(Duration::new(seconds, nanos))
}
