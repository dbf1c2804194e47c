//! Time zones by their IANA names, from the database that the program carries: the machine's own may be missing, or another one tomorrow.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{Error, Result};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone of a page that has chosen none.
pub(super) const UTC: &str = "UTC";

/// In the database, but nowhere on earth: what a machine shows that was never set up.
const NOWHERE: &str = "Factory";

/// Checks a zone's name, and spells it as the database does.
///
/// # Errors
/// `Invalid` naming the field.
pub(super) fn parse(field: &str, name: &str) -> Result<String> {
    let zone = ZONES.get(name.trim()).ok().filter(|zone| !zone.is_unknown());
    let known = zone.as_ref().and_then(TimeZone::iana_name).filter(|known| *known != NOWHERE);
    let right = "must be a time zone's IANA name, such as Europe/Berlin, America/New_York or UTC";
    known.map(str::to_owned).ok_or_else(|| Error::invalid(field, right))
}

/// The zone of this name, and UTC for one that this program does not know: an older one must not fail where a newer one has been.
pub(super) fn named(name: &str) -> TimeZone {
    ZONES.get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_their_names_however_they_are_typed() {
        for (typed, known) in [
            ("Europe/Berlin", "Europe/Berlin"),
            (" europe/berlin ", "Europe/Berlin"),
            ("AMERICA/NEW_YORK", "America/New_York"),
            ("utc", "UTC"),
            ("Etc/UTC", "Etc/UTC"),
        ] {
            assert_eq!(parse("time_zone", typed).as_deref(), Ok(known), "{typed}");
            assert_eq!(named(known).iana_name(), Some(known));
        }
    }

    #[test]
    fn what_is_no_zone_is_refused_with_what_would_be_right() {
        for typed in ["", "Berlin", "CET+1", "+01:00", "Europe/Atlantis", "Etc/Unknown", "Factory", "../Europe/Berlin", "Europe/Berlin\0"] {
            let Err(Error::Invalid(errors)) = parse("time_zone", typed) else { panic!("{typed:?} is taken") };
            assert_eq!(errors[0].field, "time_zone");
            assert!(errors[0].message.contains("Europe/Berlin"), "{}", errors[0].message);
        }
        assert_eq!(named("Europe/Atlantis"), TimeZone::UTC);
    }
}
