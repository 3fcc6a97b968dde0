//! The features that change the generated code, resolved.

use super::wire::FeatureSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Explicit,
    Implicit,
    Required,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) presence: Presence,
    pub(super) packed: bool,
    pub(super) delimited: bool,
}

/// The defaults of editions 2023 and 2024, which are the same.
impl Default for Features {
    fn default() -> Self {
        Self {
            presence: Presence::Explicit,
            packed: true,
            delimited: false,
        }
    }
}

impl Features {
    /// These features, with those that `set` names replaced.
    pub(super) fn with(self, set: Option<FeatureSet>) -> Self {
        let set = set.unwrap_or_default();
        Self {
            presence: match set.field_presence {
                1 => Presence::Explicit,
                2 => Presence::Implicit,
                3 => Presence::Required,
                _ => self.presence,
            },
            packed: match set.repeated_field_encoding {
                1 => true,
                2 => false,
                _ => self.packed,
            },
            delimited: match set.message_encoding {
                1 => false,
                2 => true,
                _ => self.delimited,
            },
        }
    }
}
