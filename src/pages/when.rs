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

/// A length of time in the two units that matter: "2 hours 5 minutes".
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    let minutes = (to.millis() - from.millis()) / 60_000;
    if minutes < 1 {
        return "less than a minute".to_owned();
    }
    [(minutes / 1_440, "day"), (minutes / 60 % 24, "hour"), (minutes % 60, "minute")]
        .into_iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}{}", if number == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations_have_the_two_units_that_matter() {
        let from = Timestamp::from_millis(0);
        let after = |minutes: u64| duration(from, from.plus(Duration::from_secs(minutes * 60)));
        for (minutes, expected) in [
            (0, "less than a minute"),
            (1, "1 minute"),
            (59, "59 minutes"),
            (60, "1 hour"),
            (125, "2 hours 5 minutes"),
            (1_440, "1 day"),
            (4_500, "3 days 3 hours"),
        ] {
            assert_eq!(after(minutes), expected);
        }
        assert_eq!(duration(from.plus(Duration::from_secs(60)), from), "less than a minute", "a clock that was set back");
    }
}
