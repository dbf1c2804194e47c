//! Sizes, counts and standings in words.

use crate::config::Registration;
use crate::domain::member;
use crate::domain::tenant::Tenant;

/// How an organization stands with the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its people work in it.
    Active,
    /// Nobody has come yet.
    Waiting,
    /// Shut by the operator.
    Suspended,
}

impl Standing {
    pub(super) fn of(tenant: &Tenant) -> Self {
        if tenant.organization.suspended_at.is_some() {
            Self::Suspended
        } else if tenant.members == 0 {
            Self::Waiting
        } else {
            Self::Active
        }
    }

    /// The word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Waiting => "Waits for its first admin",
            Self::Suspended => "Suspended",
        }
    }

    pub(super) fn is_active(self) -> bool {
        self == Self::Active
    }

    pub(super) fn is_suspended(self) -> bool {
        self == Self::Suspended
    }
}

/// So many people.
pub(super) fn people(members: usize) -> String {
    match members {
        0 => "Nobody yet".into(),
        1 => "1 member".into(),
        many if many >= member::COUNTED => format!("{many} members or more"),
        many => format!("{many} members"),
    }
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let Some(power) = bytes.checked_ilog2().map(|log| log / 10).filter(|power| *power > 0) else { return format!("{bytes} bytes") };
    let power = power.min(4);
    // In tenths, cut off: a disk that is not quite full must not read as a full one.
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// Who may make an account.
pub(super) fn registration(mode: Registration) -> &'static str {
    match mode {
        Registration::Open => "Open: anyone may make an account and an organization of their own.",
        Registration::Invite => "By invitation: new people come by a link. New organizations are made here, by you.",
        Registration::Closed => "Closed: no new accounts. Invitations work only for people who have one.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        for (bytes, words) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1.0 KiB"),
            (1_600_000, "1.5 MiB"),
            (1_073_741_823, "1023.9 MiB"),
            (1_073_741_824, "1.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn people_are_counted_so_far() {
        let said: Vec<_> = [0, 1, 2, 999, 1_000].into_iter().map(people).collect();
        assert_eq!(said, ["Nobody yet", "1 member", "2 members", "999 members", "1000 members or more"]);
    }
}
