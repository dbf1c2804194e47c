//! What the script plays, in turn and for ever.

use super::cast::Who::{Mara, Robin, Tomas};
use super::story::{Story, say, saying};
use crate::domain::status::IncidentStatus::{Identified, Investigating, Monitoring, Resolved};
use crate::domain::status::ServiceStatus::{DegradedPerformance, PartialOutage};

/// Short incidents of different kinds; each ends as it should.
pub(super) static SCENES: [Story; 4] = [
    Story {
        title: "Some requests at the edge fail",
        affected: &[("Edge network", Some(PartialOutage)), ("Website", Some(DegradedPerformance))],
        told: &[
            say(
                0,
                Mara,
                Investigating,
                "For some minutes now, about one request in fifty has been answered with an error. Trying again helps. We are looking into it.",
            ),
            say(0, Mara, Identified, "A new configuration reached two locations only in part. They are being taken out of rotation."),
            say(
                0,
                Tomas,
                Monitoring,
                "Both locations are out, and requests succeed everywhere. They return once their configuration is whole.",
            ),
            say(0, Mara, Resolved, "No failed requests since. Thank you for your patience."),
        ],
    },
    Story {
        title: "Email goes out with a delay",
        affected: &[("Email delivery", Some(DegradedPerformance))],
        told: &[
            say(
                0,
                Tomas,
                Investigating,
                "Mail leaves our servers about five minutes late. None of it is lost. We are looking for the cause.",
            ),
            saying(
                0,
                Tomas,
                Identified,
                "A disk of the queue is slow. We are moving the queue to another one; codes for signing in are late, too, until that is done.",
                &[("Sign-in", Some(DegradedPerformance))],
            ),
            say(0, Tomas, Monitoring, "The queue has moved and is empty. Mail leaves at once."),
            say(0, Robin, Resolved, "Delivery times have been normal since the move."),
        ],
    },
    Story {
        title: "Builds wait longer than usual",
        affected: &[("Builds", Some(DegradedPerformance))],
        told: &[
            say(
                0,
                Mara,
                Investigating,
                "Builds wait up to eight minutes before they start. Deployments of images that are already built are not affected.",
            ),
            say(
                0,
                Mara,
                Identified,
                "A customer's pipeline starts thousands of builds at once. We give every organization its turn, and add builders.",
            ),
            say(0, Mara, Monitoring, "Waiting times are below a minute."),
            say(0, Mara, Resolved, "Builds start at once again."),
        ],
    },
    Story {
        title: "Metrics in the console are missing",
        affected: &[("Console", Some(DegradedPerformance)), ("Containers", None)],
        told: &[
            say(0, Tomas, Investigating, "Charts of containers show no data for the last minutes. The containers themselves are well."),
            say(
                0,
                Tomas,
                Identified,
                "The collector in the zone `west` was restarted without its configuration. It has it back; the charts fill up from now on.",
            ),
            say(0, Mara, Resolved, "Charts are complete again but for eleven minutes, which could not be recovered."),
        ],
    },
];
