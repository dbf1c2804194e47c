//! Moments and states as templates show them.

use crate::clock::Timestamp;
use crate::domain::status::ServiceStatus;

/// A moment for `<time>`, `parts/when.html`: UTC in words, which a script turns to the reader's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// For programs.
    pub(crate) iso: String,
    /// For people, in UTC and saying so.
    pub(crate) text: String,
}

impl From<Timestamp> for When {
    fn from(at: Timestamp) -> Self {
        Self { iso: at.to_string(), text: at.jiff().strftime("%-d %b %Y, %H:%M UTC").to_string() }
    }
}

/// A service's state, `public/status.html`: a shape and a colour by its name, and the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Its name.
    pub(crate) state: &'static str,
    /// The words.
    pub(crate) word: &'static str,
}

impl From<ServiceStatus> for State {
    fn from(status: ServiceStatus) -> Self {
        Self { state: status.as_str(), word: status.label() }
    }
}
