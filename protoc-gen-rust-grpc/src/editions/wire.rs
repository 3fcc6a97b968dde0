//! The fields of descriptors about editions that prost-types lacks; all others are skipped.
//! The numbers are those of `plugin.proto` and `descriptor.proto`.

use prost::Message as Wire;

/// A `CodeGeneratorRequest`.
#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawRequest {
    #[prost(message, repeated, tag = "15")]
    pub(super) files: Vec<RawFile>,
}

/// A `FileDescriptorSet`.
#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawSet {
    #[prost(message, repeated, tag = "1")]
    pub(super) files: Vec<RawFile>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawFile {
    #[prost(message, repeated, tag = "4")]
    pub(super) messages: Vec<RawMessage>,
    #[prost(message, repeated, tag = "5")]
    pub(super) enums: Vec<RawEnum>,
    #[prost(message, optional, tag = "8")]
    pub(super) options: Option<FileOptions>,
    #[prost(int32, optional, tag = "14")]
    pub(super) edition: Option<i32>,
}

impl RawFile {
    pub(super) fn features(&self) -> Option<FeatureSet> {
        self.options.as_ref().and_then(|options| options.features)
    }
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct FileOptions {
    #[prost(message, optional, tag = "50")]
    pub(super) features: Option<FeatureSet>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawMessage {
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<RawField>,
    #[prost(message, repeated, tag = "3")]
    pub(super) nested: Vec<RawMessage>,
    #[prost(message, repeated, tag = "4")]
    pub(super) enums: Vec<RawEnum>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawEnum {
    #[prost(message, optional, tag = "3")]
    pub(super) options: Option<EnumOptions>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct EnumOptions {
    #[prost(message, optional, tag = "7")]
    pub(super) features: Option<FeatureSet>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct RawField {
    #[prost(message, optional, tag = "8")]
    pub(super) options: Option<FieldOptions>,
}

#[derive(Clone, PartialEq, Wire)]
pub(super) struct FieldOptions {
    #[prost(message, optional, tag = "21")]
    pub(super) features: Option<FeatureSet>,
}

/// As plain numbers: 0 is unset, and a number that is not known is no reason to
/// drop the rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Wire)]
pub(super) struct FeatureSet {
    #[prost(int32, tag = "1")]
    pub(super) field_presence: i32,
    #[prost(int32, tag = "2")]
    pub(super) enum_type: i32,
    #[prost(int32, tag = "3")]
    pub(super) repeated_field_encoding: i32,
    #[prost(int32, tag = "5")]
    pub(super) message_encoding: i32,
}
