//! Options for a part of the files, chosen by a path: `bytes=.acme.Blob.data`. A path covers
//! the item with this full name and all items below it; `.` covers everything.

use super::values;

/// The kind of items that an option's path selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Messages, enums, oneofs.
    Types,
    Messages,
    /// Enums and oneofs.
    Enums,
    /// Fields, oneofs, enum values.
    Fields,
    /// Fields of type `bytes`.
    Bytes,
    /// `map` fields.
    Maps,
    /// Fields that hold one message.
    MessageFields,
    Stubs,
    Servers,
    Packages,
    All,
}

impl Target {
    /// As it stands in "covers no …".
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Types => "message, enum or oneof",
            Self::Messages => "message",
            Self::Enums => "enum or oneof",
            Self::Fields => "field, oneof or enum value",
            Self::Bytes => "field of type `bytes`",
            Self::Maps => "`map` field",
            Self::MessageFields => "field that holds one message",
            Self::Stubs => "service with a stub",
            Self::Servers => "service with a server",
            Self::Packages => "package",
            Self::All => "name",
        }
    }
}

/// One option with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The option's name.
    pub(crate) option: &'static str,
    pub(crate) target: Target,
    /// With its leading dot; `.` alone for everything.
    pub(crate) path: String,
    /// The value after `path=`; empty for an option without one.
    pub(crate) value: String,
}

impl Rule {
    pub(super) fn parse(
        option: &'static str,
        target: Target,
        valued: bool,
        text: &str,
    ) -> Result<Self, String> {
        let (path, value) = if valued {
            let (path, value) = text
                .split_once('=')
                .ok_or_else(|| format!("`{text}` has no `=` behind the path"))?;
            (path.trim(), value.trim())
        } else {
            (text, "")
        };
        if path != "." {
            values::proto_path(path)?;
        }
        if option.ends_with("_attribute") {
            values::attributes(value)?;
        } else if valued {
            values::domain(value)?;
        }
        Ok(Self {
            option,
            target,
            path: path.to_owned(),
            value: value.to_owned(),
        })
    }

    /// Whether the path covers this full name.
    pub(crate) fn covers(&self, full_name: &str) -> bool {
        self.path == "."
            || full_name
                .strip_prefix(&self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}
