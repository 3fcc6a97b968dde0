//! Why descriptor sets cannot be served. Values only.

use std::error::Error;
use std::fmt;

use grpc_runtime::prost::DecodeError;

/// Why [`Reflection::new`](super::Reflection::new) cannot serve the descriptor sets that it
/// was given. Sets are counted from 1, in the order in which they were given.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReflectionError {
    /// The bytes are no encoded `google.protobuf.FileDescriptorSet`.
    Malformed {
        /// The set.
        set: usize,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A file without a name.
    Unnamed {
        /// The set that it is in.
        set: usize,
    },
    /// Two files of one name that are not the same.
    DifferentFiles {
        /// The files' name.
        file: String,
        /// The sets that they are in.
        sets: [usize; 2],
        /// How many bytes each of them has.
        lengths: [usize; 2],
    },
    /// A name that is declared twice.
    DuplicateSymbol {
        /// The full name.
        symbol: String,
        /// The files that declare it.
        files: [String; 2],
    },
    /// A number that two extensions of one message have.
    DuplicateExtension {
        /// The full name of the message that they extend.
        extended: String,
        /// Their number.
        number: i32,
        /// The files that declare them.
        files: [String; 2],
    },
    /// A file that is imported, and is in no set.
    MissingImport {
        /// The file that imports it.
        file: String,
        /// The import that is missing.
        import: String,
    },
}

impl fmt::Display for ReflectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { set, source } => write!(
                f,
                "descriptor set {set} is no encoded google.protobuf.FileDescriptorSet: {source}"
            ),
            Self::Unnamed { set } => {
                write!(f, "descriptor set {set} has a file without a name")
            }
            Self::DifferentFiles {
                file,
                sets: [first, second],
                lengths: [long, other],
            } => write!(
                f,
                "'{file}' of descriptor set {first} ({long} bytes) is another file than \
                 '{file}' of descriptor set {second} ({other} bytes): generate both from one \
                 file, by one compiler"
            ),
            Self::DuplicateSymbol {
                symbol,
                files: [first, second],
            } if first == second => write!(f, "'{first}' declares '{symbol}' twice"),
            Self::DuplicateSymbol {
                symbol,
                files: [first, second],
            } => write!(
                f,
                "'{symbol}' is declared by '{first}' and by '{second}': the same file, perhaps, \
                 compiled under two names"
            ),
            Self::DuplicateExtension {
                extended,
                number,
                files: [first, second],
            } => write!(
                f,
                "'{extended}' is extended with number {number} by '{first}' and by '{second}'"
            ),
            Self::MissingImport { file, import } => write!(
                f,
                "'{file}' imports '{import}', which is in no descriptor set: protoc adds it \
                 with --include_imports"
            ),
        }
    }
}

impl Error for ReflectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed { source, .. } => Some(source),
            Self::Unnamed { .. }
            | Self::DifferentFiles { .. }
            | Self::DuplicateSymbol { .. }
            | Self::DuplicateExtension { .. }
            | Self::MissingImport { .. } => None,
        }
    }
}
