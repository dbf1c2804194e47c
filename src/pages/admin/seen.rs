//! What a form was filled in against.

use http::StatusCode;

use crate::error::{Error, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::Frame;
use crate::pages::admin::stale;
use crate::pages::answer::Refused;
use crate::pages::fields::Fields;

/// The version of the thing that a form changes, and how far the page that showed it had read the log: its fields `version` and `seen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// As the form sends it.
    pub(crate) version: String,
    /// As the form sends it, `<epoch>:<seq>`.
    pub(crate) at: String,
}

impl Seen {
    /// The thing as this page shows it.
    pub(crate) fn now(version: u64, frame: &Frame) -> Self {
        Self { version: version.to_string(), at: frame.at.clone() }
    }

    /// For a form that is shown again. What was typed stays held against the version that its author has seen, until they were told of a
    /// newer one: else mending a typing mistake would quietly overwrite what somebody else wrote meanwhile.
    pub(crate) fn again(fields: &Fields, refused: &Refused, version: u64, frame: &Frame) -> Self {
        let is_told = refused.status == StatusCode::PRECONDITION_FAILED;
        match expected(fields) {
            Ok(Some(seen)) if !is_told => Self { version: seen.to_string(), at: fields.get("seen").to_owned() },
            _ => Self::now(version, frame),
        }
    }

    /// Up to where somebody had read who is now to be told what happened since: only if their form was refused for that.
    pub(crate) fn missed(desk: &Desk, fields: &Fields, refused: &Refused) -> Option<String> {
        (refused.status == StatusCode::PRECONDITION_FAILED).then(|| stale::seen(desk, fields))
    }
}

/// The version that the form's author has seen. A form that does not say so overwrites whatever is there, as a request without `If-Match`.
///
/// # Errors
/// `Invalid` for what is no number.
pub(crate) fn expected(fields: &Fields) -> Result<Option<u64>> {
    match fields.get("version") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::invalid("version", "must be the number that the form came with")),
    }
}
