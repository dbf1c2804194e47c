//! How the process ends, after `sysexits.h` where that has a word for it.

use std::process::ExitCode;

/// What the exit code tells whoever started the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Fine,
    /// 1: tried, and failed.
    Failed,
    /// 2: the command line makes no sense.
    Usage,
    /// 75: something outside is in the way for now (the port or the data directory is taken); trying again may help.
    TryAgain,
    /// 78: the configuration can't be used; trying again won't help.
    Configuration,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TryAgain => 75,
            Self::Configuration => 78,
        }
    }

    /// The meaning of a number; one that means nothing here is a failure.
    pub fn of_code(code: u8) -> Self {
        let all = [Self::Fine, Self::Failed, Self::Usage, Self::TryAgain, Self::Configuration];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
