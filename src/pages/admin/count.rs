//! How many there are, as far as it is worth counting.

use std::fmt;

use crate::error::Result;
use crate::store::{OrgDocument, Reads, Scan};

/// What is counted: keys alone are looked at, so that a thousand of them are a fraction of a millisecond. Beyond it is said that there are more.
const MOST: usize = 1_000;

/// How many there are, or that there are more than anyone counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count(usize);

impl Count {
    /// Of what a scan finds.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn of<D: OrgDocument>(view: &impl Reads, scan: Scan<D>) -> Result<Self> {
        view.count(scan.limit(MOST + 1)).map(Self)
    }

    /// So many.
    pub(crate) fn exactly(number: usize) -> Self {
        Self(number)
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Those beside so many.
    pub(crate) fn beside(self, shown: usize) -> Self {
        if self.0 > MOST { self } else { Self(self.0.saturating_sub(shown)) }
    }

    /// For comparing with a few.
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > MOST { write!(f, "{MOST}+") } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_thousand_it_is_said_that_there_are_more() {
        let words = |number| Count::exactly(number).to_string();
        assert_eq!((words(0), words(1_000), words(1_001), words(usize::MAX)), ("0".into(), "1000".into(), "1000+".into(), "1000+".into()));
        assert_eq!(Count::exactly(70).beside(20), Count::exactly(50));
        assert_eq!(Count::exactly(1_001).beside(20).to_string(), "1000+", "of more than were counted, who knows how many are left");
        assert_eq!(Count::exactly(600).plus(Count::exactly(600)).to_string(), "1000+");
    }
}
