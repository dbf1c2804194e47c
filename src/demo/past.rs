//! The past month: what went wrong, what was said about it, and how it ended. All of it is invented.

use super::cast::Who::{Mara, Robin, Tomas};
use super::story::{Story, Told, correct, say, saying};
use crate::domain::status::IncidentStatus::{Identified, Investigating, Monitoring, Postmortem, Resolved};
use crate::domain::status::ServiceStatus::{DegradedPerformance, MajorOutage, PartialOutage};

/// A story and when it began: so many days before today, at that time in UTC.
///
/// They are told one after the other, so each ends before the next begins; the last one ends by the evening of yesterday.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) days_ago: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) story: Story,
}

const SLOW_CONSOLE: &[Told] = &[
    say(
        0,
        Mara,
        Investigating,
        "Lists in the console take up to ten seconds to load. Workloads and their APIs are not affected. We are looking into it.",
    ),
    say(14, Mara, Identified, "A new column made one query read far more than it needs. We are taking the column out again."),
    say(31, Tomas, Monitoring, "The column is gone and lists load as fast as before. We keep watching for an hour."),
    say(92, Tomas, Resolved, "Load times have stayed normal. The column comes back once its query has an index."),
];

const STUCK_BUILDS: &[Told] = &[
    say(0, Tomas, Investigating, "Builds started since about 13:05 UTC stay in the queue. Images that are already built deploy as usual."),
    say(
        18,
        Tomas,
        Identified,
        "Half of the builders lost their connection to the queue after a certificate was renewed, and did not come back by themselves. We are restarting them group by group.",
    ),
    say(
        47,
        Tomas,
        Monitoring,
        "All builders are back. About 900 builds are waiting; at the present rate the last of them starts within 40 minutes. Nothing was lost, and there is no need to start anything again.",
    ),
    say(
        96,
        Mara,
        Resolved,
        "The queue is empty and new builds start within seconds. Builders now reconnect by themselves when a certificate changes.",
    ),
];

const LOST_ZONE: &[Told] = &[
    say(
        0,
        Mara,
        Investigating,
        "Containers in the zone `east` do not answer. Traffic is being sent to the other zones; what runs in `east` alone is not reachable.",
    ),
    saying(
        11,
        Mara,
        Identified,
        "A switch in `east` failed, and its spare did not take over. Technicians are on their way to it. Functions start slowly while the other zones take the additional load.",
        &[("Functions", Some(DegradedPerformance))],
    ),
    say(
        58,
        Robin,
        Identified,
        "The spare is being replaced. Until then:\n\n- containers with replicas in several zones keep working,\n- those in `east` alone can be moved in the console under **Placement**; their volumes follow,\n- no data is lost.",
    ),
    say(103, Mara, Monitoring, "`east` is connected again and its containers are starting. We bring traffic back slowly."),
    say(
        171,
        Mara,
        Resolved,
        "All zones carry their usual share again. We are sorry for this. What happened, and what we change, follows here within the week.",
    ),
    say(
        3_120,
        Robin,
        Postmortem,
        "**What happened.** A switch in the zone `east` failed at 06:41 UTC. Its spare should have taken over within seconds, but had been left in maintenance mode after a test eleven days earlier.\n\n**Why it took so long.** Our checks asked whether the spare is *there*, not whether it is *ready*. We looked for a fault in the network before we looked at the spare.\n\n**What we change.** The check now fails when a spare is not ready, and a test that leaves anything in maintenance mode is not complete. Placing new containers in a single zone asks for confirmation.",
    ),
];

const LATE_MAIL: &[Told] = &[
    say(
        0,
        Mara,
        Identified,
        "A large mailbox provider accepts mail from everybody with delays of up to half an hour. We hand it over at once and try again for two days; there is nothing that you need to do. Other recipients are not affected.",
    ),
    say(204, Mara, Resolved, "The provider accepts mail without delay again."),
];

const SLOW_DNS: &[Told] = &[
    say(
        0,
        Tomas,
        Investigating,
        "Changes to zones take up to 20 minutes to reach all name servers instead of one. Names that have not changed resolve as usual.",
    ),
    say(
        22,
        Tomas,
        Identified,
        "One of four distribution nodes accepted changes without passing them on. It has been taken out; the reminder of the backlog is being sent from the others.",
    ),
    correct(
        25,
        Tomas,
        "One of four distribution nodes accepted changes without passing them on. It has been taken out; the remainder of the backlog is being sent from the others.",
    ),
    say(41, Tomas, Monitoring, "The backlog is gone. Changes arrive within a minute."),
    say(88, Tomas, Resolved, "Everything has been normal for 45 minutes. Each node is now compared with its neighbours every minute."),
];

const FAILED_UPLOADS: &[Told] = &[
    say(0, Mara, Investigating, "Uploads of files larger than 5 GB fail near their end. Smaller uploads and all downloads work."),
    say(
        37,
        Mara,
        Identified,
        "A release from this morning miscounts the parts of large uploads. We are going back to the release before it.",
    ),
    say(
        64,
        Mara,
        Resolved,
        "The earlier release is in place and large uploads succeed. Uploads that failed can be started again; no parts of them are charged.",
    ),
    say(118, Tomas, Investigating, "Some large uploads fail again. It looks as if not all servers went back to the earlier release."),
    say(131, Tomas, Identified, "Three of forty servers still ran the faulty release. They have been taken out of service."),
    say(149, Tomas, Monitoring, "All servers run the earlier release, and we have checked each of them this time."),
    say(232, Mara, Resolved, "No failed uploads for more than an hour."),
];

const LEDGER: &[Told] = &[
    say(
        0,
        Robin,
        Identified,
        "The billing ledger counts yesterday's usage again after a restart. Invoices are not sent before the end of the month, so customers see nothing of it.",
    ),
    say(
        75,
        Tomas,
        Resolved,
        "The doubled entries are removed and the sums agree with the meters. The ledger now refuses a day that it has already closed.",
    ),
];

const LATE_CODES: &[Told] = &[
    say(
        0,
        Mara,
        Investigating,
        "Codes for signing in arrive several minutes late, some after they have expired. Passkeys and single sign-on work.",
    ),
    say(
        16,
        Mara,
        Monitoring,
        "Codes are sent by another route since 09:12 UTC and arrive within seconds. Ask for a new one if yours has expired.",
    ),
    say(71, Mara, Resolved, "Codes have arrived in time for an hour."),
];

const NO_DATABASE: &[Told] = &[
    say(
        0,
        Tomas,
        Investigating,
        "Managed Databases do not accept new connections. Connections that are open keep working. The console can't show databases.",
    ),
    say(
        9,
        Tomas,
        Identified,
        "The proxies in front of the databases ran out of file descriptors. The databases themselves are well. We are restarting the proxies with a higher limit.",
    ),
    say(21, Tomas, Monitoring, "New connections are accepted again. Pools that gave up may need a restart on your side."),
    say(66, Robin, Resolved, "Connections have been stable for 45 minutes. We alert on descriptors now, long before they run out."),
];

const COLD_STARTS: &[Told] = &[
    say(
        0,
        Mara,
        Investigating,
        "The first call of a function that has been idle takes up to four seconds. Functions in use answer as fast as ever.",
    ),
    say(
        26,
        Mara,
        Identified,
        "The cache of prepared images is too small for the number of functions since this week. It is being made larger.",
    ),
    say(52, Mara, Monitoring, "First calls are back to about 300 ms."),
    say(117, Tomas, Resolved, "First calls have been fast for an hour, at twice the usual load."),
];

/// The earliest first.
pub(super) const PAST: &[Past] = &[
    Past {
        days_ago: 29,
        hour: 9,
        minute: 17,
        story: Story { title: "Lists in the console load slowly", affected: &[("Console", Some(DegradedPerformance))], told: SLOW_CONSOLE },
    },
    Past {
        days_ago: 26,
        hour: 13,
        minute: 22,
        story: Story { title: "Builds are stuck in the queue", affected: &[("Builds", Some(PartialOutage))], told: STUCK_BUILDS },
    },
    Past {
        days_ago: 21,
        hour: 6,
        minute: 44,
        story: Story {
            title: "Containers in one zone are not reachable",
            affected: &[("Containers", Some(MajorOutage)), ("Edge network", Some(DegradedPerformance))],
            told: LOST_ZONE,
        },
    },
    Past {
        days_ago: 17,
        hour: 11,
        minute: 3,
        story: Story { title: "One mailbox provider accepts mail late", affected: &[("Email delivery", None)], told: LATE_MAIL },
    },
    Past {
        days_ago: 13,
        hour: 15,
        minute: 48,
        story: Story {
            title: "Changes to DNS zones take longer than usual",
            affected: &[("DNS", Some(DegradedPerformance))],
            told: SLOW_DNS,
        },
    },
    Past {
        days_ago: 10,
        hour: 10,
        minute: 6,
        story: Story { title: "Uploads of large files fail", affected: &[("Object storage", Some(PartialOutage))], told: FAILED_UPLOADS },
    },
    Past {
        days_ago: 8,
        hour: 7,
        minute: 30,
        story: Story {
            title: "The billing ledger counts a day twice",
            affected: &[("Billing ledger", Some(DegradedPerformance))],
            told: LEDGER,
        },
    },
    Past {
        days_ago: 6,
        hour: 8,
        minute: 58,
        story: Story { title: "Sign-in codes arrive late", affected: &[("Sign-in", Some(DegradedPerformance))], told: LATE_CODES },
    },
    Past {
        days_ago: 4,
        hour: 18,
        minute: 12,
        story: Story {
            title: "Databases do not accept new connections",
            affected: &[("Managed Databases", Some(MajorOutage)), ("Console", Some(DegradedPerformance))],
            told: NO_DATABASE,
        },
    },
    Past {
        days_ago: 1,
        hour: 14,
        minute: 35,
        story: Story { title: "Idle functions start slowly", affected: &[("Functions", Some(DegradedPerformance))], told: COLD_STARTS },
    },
];

/// What is going on when the demonstration starts. Its first part is told with the past; the script goes on with it.
pub(super) static PRESENT: Story = Story {
    title: "Search results are some minutes behind",
    affected: &[("Search", Some(DegradedPerformance))],
    told: &[
        say(
            0,
            Mara,
            Investigating,
            "Search finds everything, but what changed in the last ten minutes or so is missing from its results. Reading and writing data is not affected. We are looking for the cause.",
        ),
        say(
            0,
            Tomas,
            Identified,
            "One of six indexing workers stopped, and its share of the changes waits. We have given that share to the others; they are catching up.",
        ),
        say(0, Mara, Monitoring, "The backlog is gone, and changes are found within seconds again. We keep watching."),
        say(0, Mara, Resolved, "Results have been up to date since. A worker that stops is now noticed within a minute instead of ten."),
    ],
};
