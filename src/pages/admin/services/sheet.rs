//! The list of services, cut into sheets: what is in no group first, then group by group, as the public page has it.
//!
//! The cut is made here and not by a scan of the store: the order is that of the groups first, which no index of the services knows, and
//! one that did would have to be written anew, service by service, whenever a group moves. What is read for it is what every rendering of
//! the public page reads; what is bounded is what is rendered and sent.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::domain::group::Group;
use crate::domain::service::Service;
use crate::id::{Id, Kind};

/// The most lines of a sheet, the headings of groups among them.
const LINES: usize = 50;

/// A line's place in the whole list: of a group's heading, or of a service. Stable while lines come and go around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// `None` before every group: what is in none comes first.
    group: Option<(i64, Id<Group>)>,
    /// `None` before every service of the group: the heading.
    service: Option<(i64, Id<Service>)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            Some((position, id)) => write!(f, "{position}.{id}.")?,
            None => f.write_str("..")?,
        }
        match self.service {
            Some((position, id)) => write!(f, "{position}.{id}"),
            None => f.write_str("."),
        }
    }
}

impl Place {
    /// The place that was printed so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let [group_position, group, position, service] = parts.as_slice() else { return None };
        Some(Self { group: half(group_position, group)?, service: half(position, service)? })
    }
}

/// The outer `None` is for what was never printed.
fn half<K: Kind>(position: &str, id: &str) -> Option<Option<(i64, Id<K>)>> {
    if position.is_empty() && id.is_empty() {
        return Some(None);
    }
    Some(Some((position.parse().ok()?, id.parse().ok()?)))
}

/// So much of the list as is shown at once.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) sections: Vec<Section>,
    /// After which line the next sheet goes on; `None` at the end.
    pub(super) next: Option<Place>,
    /// How many services are wanted, on this sheet and the others.
    pub(super) found: usize,
}

/// A group, or what is in none.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) heading: Option<Heading>,
    pub(super) lines: Vec<Line>,
}

/// A group's heading.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) group: Group,
    /// Whether the group began on an earlier sheet.
    pub(super) is_continued: bool,
    /// Whether there is no service in the group, wanted or not.
    pub(super) is_empty: bool,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// A service, and whether it is at an end of its group.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) service: Service,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// Cuts out the sheet that follows a place. `services` are in the order of their positions; the filters say which are wanted, and which
/// groups are shown even where none of theirs is.
pub(super) fn cut(
    groups: Vec<Group>,
    services: Vec<Service>,
    is_wanted: impl Fn(&Service) -> bool,
    is_shown_empty: impl Fn(&Group) -> bool,
    after: Option<Place>,
) -> Sheet {
    let is_ahead = |place: Place| after.is_none_or(|after| place > after);
    let (mut sections, mut found) = (Vec::new(), 0);
    let (mut room, mut last, mut is_full) = (LINES, None, false);
    let group_count = groups.len();
    for (number, (key, (group, services))) in chapters(groups, services).into_iter().enumerate() {
        let place_of = |service: &Service| Place { group: key, service: Some((service.position, service.id)) };
        let of_heading = Place { group: key, service: None };
        let count = services.len();
        let wanted: Vec<Line> = services
            .into_iter()
            .enumerate()
            .map(|(at, service)| Line { service, is_first: at == 0, is_last: at + 1 == count })
            .filter(|line| is_wanted(&line.service))
            .collect();
        found += wanted.len();
        if is_full {
            continue;
        }
        let is_shown = group.as_ref().is_some_and(|group| !wanted.is_empty() || is_shown_empty(group));
        let begins = is_shown && is_ahead(of_heading);
        let mut lines: Vec<Line> = wanted.into_iter().filter(|line| is_ahead(place_of(&line.service))).collect();
        if !begins && lines.is_empty() {
            continue;
        }
        // A heading does not stand alone at the foot of a sheet: it goes with its first service.
        let least = usize::from(begins) + usize::from(!lines.is_empty());
        if room < least {
            is_full = true;
            continue;
        }
        room -= usize::from(begins);
        is_full = lines.len() > room;
        lines.truncate(room);
        room -= lines.len();
        last = Some(lines.last().map_or(of_heading, |line| place_of(&line.service)));
        let heading = group.map(|group| Heading {
            group,
            is_continued: !begins,
            is_empty: count == 0,
            is_first: number == 1,
            is_last: number == group_count,
        });
        sections.push(Section { heading, lines });
    }
    Sheet { sections, next: last.filter(|_| is_full), found }
}

/// Groups by their places, each with its services; what is in no group comes first.
type Chapters = BTreeMap<Option<(i64, Id<Group>)>, (Option<Group>, Vec<Service>)>;

fn chapters(groups: Vec<Group>, services: Vec<Service>) -> Chapters {
    let mut keys = HashMap::new();
    let mut chapters = Chapters::from([(None, (None, Vec::new()))]);
    for group in groups {
        let key = (group.position, group.id);
        keys.insert(group.id, key);
        chapters.insert(Some(key), (Some(group), Vec::new()));
    }
    for service in services {
        let key = service.group_id.and_then(|group| keys.get(&group).copied());
        chapters.entry(key).or_default().1.push(service);
    }
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::service::Visibility;
    use crate::domain::status::ServiceStatus;

    fn then() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn group(number: u128, position: i64) -> Group {
        Group {
            id: Id::from_u128(number),
            version: 1,
            name: format!("Group {number}"),
            position,
            created_at: then(),
            updated_at: then(),
            deleted_at: None,
            released: Vec::new(),
        }
    }

    fn service(number: u128, group: Option<u128>) -> Service {
        Service {
            id: Id::from_u128(number),
            version: 1,
            name: format!("Service {number}"),
            description: String::new(),
            group_id: group.map(Id::from_u128),
            position: i64::try_from(number).unwrap_or_default(),
            visibility: Visibility::Public,
            own_status: ServiceStatus::Operational,
            created_at: then(),
            updated_at: then(),
            deleted_at: None,
        }
    }

    /// What is on each sheet, as words; a heading that comes again is marked.
    fn sheets(groups: &[Group], services: &[Service], is_wanted: impl Fn(&Service) -> bool) -> Vec<Vec<String>> {
        let (mut sheets, mut after) = (Vec::new(), None);
        loop {
            let sheet = cut(groups.to_vec(), services.to_vec(), &is_wanted, |_| true, after);
            let mut words = Vec::new();
            for section in sheet.sections {
                let mark = |heading: &Heading| if heading.is_continued { " …" } else { "" };
                words.extend(section.heading.map(|heading| format!("{}{}", heading.group.name, mark(&heading))));
                words.extend(section.lines.into_iter().map(|line| line.service.name));
            }
            sheets.push(words);
            let Some(next) = sheet.next else { return sheets };
            assert_eq!(Place::parse(&next.to_string()), Some(next));
            after = Some(next);
        }
    }

    #[test]
    fn what_is_in_no_group_comes_first_then_the_groups_in_their_order_empty_ones_too() {
        let groups = [group(1, 7), group(2, 3), group(3, 9)];
        let services = [service(1, Some(1)), service(2, None), service(3, Some(2)), service(4, Some(1)), service(5, Some(77))];
        let expected = ["Service 2", "Service 5", "Group 2", "Service 3", "Group 1", "Service 1", "Service 4", "Group 3"];
        assert_eq!(sheets(&groups, &services, |_| true), [expected]);
    }

    #[test]
    fn every_line_comes_once_and_no_sheet_is_too_long() {
        let groups: Vec<_> = (1..=60).map(|number| group(number, 0)).collect();
        for count in [0, 1, 48, 49, 50, 51, 230] {
            let in_group = |number: u128| [None, Some(5), Some(1 + number % 60)][(number % 3) as usize];
            let services: Vec<_> = (1..=count).map(|number| service(number, in_group(number))).collect();
            let sheets = sheets(&groups, &services, |_| true);
            let lines: Vec<_> = sheets.iter().flatten().filter(|line| !line.ends_with('…')).collect();
            assert_eq!(lines.len(), 60 + services.len(), "{count}");
            assert_eq!(lines.iter().collect::<std::collections::HashSet<_>>().len(), lines.len(), "{count}");
            for sheet in &sheets {
                assert!(sheet.iter().filter(|line| !line.ends_with('…')).count() <= LINES, "{count}");
            }
        }
    }

    #[test]
    fn a_heading_goes_with_its_first_service() {
        let services: Vec<_> = (1..=49).map(|number| service(number, None)).chain([service(50, Some(1))]).collect();
        let sheets = sheets(&[group(1, 0)], &services, |_| true);
        assert_eq!(sheets[0].len(), 49);
        assert_eq!(sheets[1], ["Group 1", "Service 50"]);
    }

    #[test]
    fn a_group_that_goes_on_says_so_and_knows_its_ends() {
        let services: Vec<_> = (1..=60).map(|number| service(number, Some(1))).collect();
        let sheets = sheets(&[group(1, 0)], &services, |_| true);
        assert_eq!((sheets[0].len(), sheets[1][0].as_str(), sheets[1].len()), (50, "Group 1 …", 12));

        let sheet = cut(vec![group(1, 0)], services, |service| service.position > 58, |_| false, None);
        assert_eq!(sheet.found, 2);
        let ends: Vec<_> = sheet.sections[0].lines.iter().map(|line| (line.is_first, line.is_last)).collect();
        assert_eq!(ends, [(false, false), (false, true)], "an end of the group, not of what was found");
    }

    #[test]
    fn only_printed_places_are_read() {
        let far = format!("..{}.{}", i128::MAX, Id::<Service>::from_u128(1));
        for bad in ["", ".", "....", "1.grp_1..", "x.y.z.w", "..1.svc_1", "..1.", far.as_str()] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
        let place = Place { group: Some((-4, Id::from_u128(1))), service: None };
        assert_eq!(Place::parse(&place.to_string()), Some(place));
    }
}
