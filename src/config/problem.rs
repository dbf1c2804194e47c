//! What is wrong with a configuration, told so that it can be mended.

use std::fmt;

use super::{Key, Origin};

/// One fault: where it is, what it is and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    place: String,
    says: String,
    on_command_line: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// Every fault that was found, in the order of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each fault.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether the command line alone is to blame, which is a usage error rather than a configuration error.
    pub fn is_usage(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|problem| problem.on_command_line)
    }

    /// A setting's value that can't be.
    pub(super) fn add(&mut self, key: Key, origin: Origin, says: impl Into<String>) {
        let on_command_line = origin == Origin::Flag;
        self.0.push(Problem { place: origin.place(key), says: says.into(), on_command_line });
    }

    /// A fault that belongs to no known setting.
    pub(super) fn add_at(&mut self, place: impl Into<String>, says: impl Into<String>) {
        self.0.push(Problem { place: place.into(), says: says.into(), on_command_line: false });
    }
}

impl fmt::Display for Problems {
    /// One line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
