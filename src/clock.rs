//! Time: the one place that reads the wall clock.
//!
//! Everything else is handed a [`Clock`], so that a test steers it and one change has one time.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in UTC, to the millisecond. Prints and reads as RFC 3339 (`2026-03-01T12:00:00.000Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that many milliseconds after 1970-01-01T00:00:00Z, held within the years 1 to 9999.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(-62_135_596_800_000, 253_402_207_200_000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The same moment for calendar work.
    pub fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default()
    }

    /// The moment that much later.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment that much earlier.
    pub fn minus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|at| Self::from_millis(at.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where time comes from: the system's clock, one that is behind it and catches up, or a hand that a test moves.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// By so many milliseconds; the number only ever shrinks.
    Behind(Arc<AtomicI64>),
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The machine's wall clock, so much behind until [`catch_up_to`](Self::catch_up_to) brings it nearer. Clones share the distance.
    ///
    /// For telling a past in its order: what is written on the way has the time of the story, and afterwards it is the machine's clock.
    pub fn behind(by: Duration) -> Self {
        Self(Source::Behind(Arc::new(AtomicI64::new(millis(by)))))
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it. Clones share the hand.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.millis()))))
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()),
            Source::Behind(by) => Timestamp::from_millis(jiff::Timestamp::now().as_millisecond() - by.load(Ordering::SeqCst)),
            Source::Manual(at) => Timestamp::from_millis(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the others are nobody's to move so, and stay.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Moves a clock that is behind, or a manual one, on to this moment: never back, and never past the machine's own time.
    pub fn catch_up_to(&self, at: Timestamp) {
        match &self.0 {
            Source::System => {}
            Source::Behind(by) => {
                let left = Self::system().now().millis() - at.millis();
                by.fetch_min(left.max(0), Ordering::SeqCst);
            }
            Source::Manual(hand) => {
                hand.fetch_max(at.millis(), Ordering::SeqCst);
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A monotonic reading for measuring how long something took; never stored, never shown as a time.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clocks")]
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_with_milliseconds_and_reads_back() {
        let at = Timestamp::from_millis(1_700_000_000_120);
        assert_eq!(at.to_string(), "2023-11-14T22:13:20.120Z");
        assert_eq!("2023-11-14T23:13:20.12+01:00".parse::<Timestamp>().unwrap(), at);
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        let same = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(same.now().millis(), 2_005);
        clock.catch_up_to(Timestamp::from_millis(3_000));
        clock.catch_up_to(Timestamp::from_millis(1));
        assert_eq!(same.now().millis(), 3_000);
    }

    #[test]
    fn a_clock_that_is_behind_catches_up_and_never_steps_back() {
        const DAY: Duration = Duration::from_secs(86_400);
        let clock = Clock::behind(30 * DAY);
        let same = clock.clone();
        let today = Clock::system().now();
        assert!(same.now() < today.minus(29 * DAY));

        clock.catch_up_to(today.minus(10 * DAY));
        assert!(same.now() >= today.minus(10 * DAY) && same.now() < today.minus(9 * DAY));
        clock.catch_up_to(today.minus(20 * DAY));
        assert!(same.now() >= today.minus(10 * DAY), "it went back");

        clock.catch_up_to(today.plus(DAY));
        let (before, shown, after) = (Clock::system().now(), same.now(), Clock::system().now());
        assert!(before <= shown && shown <= after, "it is the machine's clock now");
    }
}
