//! What can go wrong, as a caller may hear it.
//!
//! One place maps it to problem+json (`api::problem`), one to a page; the detail of an [`Error::Internal`] goes to the log alone.

use std::time::Duration;

/// A field of the input and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field as the client wrote it, with a path where it is nested: `affected[0].status`.
    pub field: String,
    /// What would be right, as a sentence part: `must be 1 to 200 characters long`.
    pub message: String,
}

/// Why an operation was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the credentials are wrong.
    #[error("not signed in")]
    Unauthenticated,
    /// It does not exist, or the caller may not know that it does.
    #[error("not found")]
    NotFound,
    /// A member asks for what their role does not allow.
    #[error("{0}")]
    Forbidden(String),
    /// Fields that are wrong, each named.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldError>),
    /// It can't be done in the present state.
    #[error("{0}")]
    Conflict(String),
    /// The version the caller expected is not the present one.
    #[error("it has changed since it was read; its version is now {current}")]
    Stale {
        /// The present version.
        current: u64,
    },
    /// Too often; try again after this long.
    #[error("too many attempts")]
    TooMany(Duration),
    /// Not now; try again after this long.
    #[error("temporarily unavailable")]
    Unavailable(Duration),
    /// A fault of ours. The text is for the log.
    #[error("{0}")]
    Internal(String),
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One field is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// A fault of ours, for the log.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }
}

fn describe(fields: &[FieldError]) -> String {
    fields.iter().map(|f| format!("{} {}", f.field, f.message)).collect::<Vec<_>>().join("; ")
}

/// Gathers what is wrong with several fields, so that a caller hears all of it at once.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the value, or notes what is wrong with it.
    ///
    /// An error that is not about fields (the store is away) is noted as such by [`done`](Self::done) of the caller: it is passed on at once.
    ///
    /// # Errors
    /// Whatever is not `Invalid`.
    pub fn take<T>(&mut self, parsed: Result<T>) -> Result<Option<T>> {
        match parsed {
            Ok(value) => Ok(Some(value)),
            Err(Error::Invalid(fields)) => {
                self.0.extend(fields);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// Notes that a field is wrong.
    pub fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// All fields were right.
    ///
    /// # Errors
    /// `Invalid` with everything noted.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}
