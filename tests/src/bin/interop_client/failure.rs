//! What a case expects, and how it says that it did not come.

use grpc_runtime::{Code, Status};

/// Why a case failed.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Fails unless the two are equal.
pub(crate) fn equal<T, U>(what: &str, found: &T, expected: &U) -> Result<(), Failure>
where
    T: PartialEq<U> + std::fmt::Debug + ?Sized,
    U: std::fmt::Debug + ?Sized,
{
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, not {expected:?}").into())
}

/// The status of a call that has to fail with this code.
pub(crate) fn failed<T>(result: Result<T, Status>, code: Code) -> Result<Status, Failure> {
    match result {
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(format!("the call failed with {status}, not {code}").into()),
        Ok(_) => Err(format!("the call succeeded, instead of failing with {code}").into()),
    }
}
