//! Statuses, what they weigh, and how a service's and a page's status are derived.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal, $label:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word in the API.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The words people read.
            pub fn label(self) -> &'static str {
                match self { $($name::$variant => $label,)* }
            }

            /// The value of an API word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// The status of a service.
    ServiceStatus {
        /// Works.
        Operational = "operational", "Operational";
        /// Works, but slowly or with errors.
        DegradedPerformance = "degraded_performance", "Degraded performance";
        /// Does not work for some.
        PartialOutage = "partial_outage", "Partial outage";
        /// Does not work.
        MajorOutage = "major_outage", "Major outage";
        /// Being worked on, as announced.
        UnderMaintenance = "under_maintenance", "Under maintenance";
        /// Nothing is known; never shown green.
        Unknown = "unknown", "No data";
    }
}

words! {
    /// How far an incident has come.
    IncidentStatus {
        /// The cause is not known yet.
        Investigating = "investigating", "Investigating";
        /// The cause is known.
        Identified = "identified", "Identified";
        /// A fix is in place and is being watched.
        Monitoring = "monitoring", "Monitoring";
        /// Over.
        Resolved = "resolved", "Resolved";
        /// Over, and what was learned is published.
        Postmortem = "postmortem", "Postmortem";
    }
}

words! {
    /// How much an incident hurts.
    Impact {
        /// Not at all.
        None = "none", "None";
        /// Something is slower than it should be.
        Minor = "minor", "Minor";
        /// Something does not work for some.
        Major = "major", "Major";
        /// Something does not work.
        Critical = "critical", "Critical";
    }
}

impl ServiceStatus {
    /// The weight in a comparison: major > partial > degraded > maintenance > operational > unknown.
    pub fn severity(self) -> u8 {
        match self {
            ServiceStatus::Unknown => 0,
            ServiceStatus::Operational => 1,
            ServiceStatus::UnderMaintenance => 2,
            ServiceStatus::DegradedPerformance => 3,
            ServiceStatus::PartialOutage => 4,
            ServiceStatus::MajorOutage => 5,
        }
    }

    /// The worse of the two.
    pub fn worst(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }

    /// Whether an incident may say this of a service: maintenance has its own kind of announcement, and "no data" is no finding.
    pub fn from_incident(self) -> bool {
        !matches!(self, ServiceStatus::UnderMaintenance | ServiceStatus::Unknown)
    }
}

impl IncidentStatus {
    /// Whether the incident is over.
    pub fn is_resolved(self) -> bool {
        matches!(self, IncidentStatus::Resolved | IncidentStatus::Postmortem)
    }
}

impl Impact {
    /// What the affected statuses amount to: any major outage is critical, any partial one major, any degradation minor.
    pub fn derive(affected: impl IntoIterator<Item = ServiceStatus>) -> Self {
        match affected.into_iter().map(ServiceStatus::severity).max() {
            Some(5) => Impact::Critical,
            Some(4) => Impact::Major,
            Some(3) => Impact::Minor,
            _ => Impact::None,
        }
    }
}

/// The status of a service as everyone sees it: the worst of what is set by hand and what unresolved incidents say.
///
/// `unknown` is the least of all, so that it shows only where nothing else speaks.
pub fn effective(own: ServiceStatus, incidents: impl IntoIterator<Item = ServiceStatus>) -> ServiceStatus {
    incidents.into_iter().fold(own, ServiceStatus::worst)
}

/// The one line above a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollup {
    /// The sentence, as the Statuspage-compatible API words it; "No data" where nothing is known.
    pub description: &'static str,
    /// Colour and icon.
    pub state: ServiceStatus,
}

/// Rolls the services' statuses up; the first row that holds.
pub fn rollup(services: &[ServiceStatus]) -> Rollup {
    use ServiceStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance, Unknown};
    let any = |status| services.contains(&status);
    let all = |status| !services.is_empty() && services.iter().all(|found| *found == status);
    let (description, state) = if services.is_empty() || all(Unknown) {
        ("No data", Unknown)
    } else if all(MajorOutage) {
        ("Major System Outage", MajorOutage)
    } else if any(MajorOutage) || all(PartialOutage) {
        ("Partial System Outage", PartialOutage)
    } else if any(PartialOutage) {
        ("Minor Service Outage", PartialOutage)
    } else if all(DegradedPerformance) {
        ("Degraded System Service", DegradedPerformance)
    } else if any(DegradedPerformance) {
        ("Partially Degraded Service", DegradedPerformance)
    } else if any(UnderMaintenance) {
        ("Service Under Maintenance", UnderMaintenance)
    } else {
        ("All Systems Operational", Operational)
    };
    Rollup { description, state }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_status() -> impl Strategy<Value = ServiceStatus> {
        prop::sample::select(ServiceStatus::ALL)
    }

    proptest! {
        #[test]
        fn the_effective_status_is_the_worst_that_anyone_says(own in any_status(), incidents in prop::collection::vec(any_status(), 0..5)) {
            let shown = effective(own, incidents.clone());
            let said: Vec<_> = incidents.iter().copied().chain([own]).collect();
            prop_assert!(said.contains(&shown));
            prop_assert!(said.iter().all(|status| status.severity() <= shown.severity()));
            prop_assert_eq!(shown == ServiceStatus::Unknown, said.iter().all(|status| *status == ServiceStatus::Unknown));
            let mut turned = incidents;
            turned.reverse();
            prop_assert_eq!(effective(own, turned), shown);
        }

        #[test]
        fn the_banner_is_green_only_when_nothing_is_wrong(services in prop::collection::vec(any_status(), 0..8)) {
            let rollup = rollup(&services);
            let known: Vec<_> = services.iter().filter(|status| **status != ServiceStatus::Unknown).collect();
            let green = !known.is_empty() && known.iter().all(|status| **status == ServiceStatus::Operational);
            prop_assert_eq!(rollup.state == ServiceStatus::Operational, green);
            prop_assert_eq!(rollup.state == ServiceStatus::Unknown, known.is_empty());
        }
    }

    #[test]
    fn the_rollup_follows_the_table() {
        use ServiceStatus::*;
        let rows: [(&[ServiceStatus], &str); 10] = [
            (&[], "No data"),
            (&[Unknown], "No data"),
            (&[MajorOutage, MajorOutage], "Major System Outage"),
            (&[MajorOutage, Operational], "Partial System Outage"),
            (&[PartialOutage, PartialOutage], "Partial System Outage"),
            (&[PartialOutage, Operational], "Minor Service Outage"),
            (&[DegradedPerformance], "Degraded System Service"),
            (&[DegradedPerformance, UnderMaintenance], "Partially Degraded Service"),
            (&[UnderMaintenance, Operational], "Service Under Maintenance"),
            (&[Operational, Unknown], "All Systems Operational"),
        ];
        for (services, description) in rows {
            assert_eq!(rollup(services).description, description, "{services:?}");
        }
    }

    #[test]
    fn impact_follows_the_worst_affected_status() {
        use ServiceStatus::*;
        assert_eq!(Impact::derive([]), Impact::None);
        assert_eq!(Impact::derive([Operational]), Impact::None);
        assert_eq!(Impact::derive([DegradedPerformance, Operational]), Impact::Minor);
        assert_eq!(Impact::derive([PartialOutage, DegradedPerformance]), Impact::Major);
        assert_eq!(Impact::derive([DegradedPerformance, MajorOutage]), Impact::Critical);
    }
}
