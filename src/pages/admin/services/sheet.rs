//! The list of services in sheets: what is in no group first, then group by group, as the public page has it.
//!
//! A sheet is read from where the last one ended: the groups in their order from one index, the services of each from another, and of both no
//! more than there is room for. An order of all services by their groups' places would be one index less, but would have to be written anew,
//! service by service, whenever a group moves. Services that are looked for come as the index that finds them has them; what fits on a sheet is
//! arranged by groups then.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::group::{self, Group};
use crate::domain::service::{self, NO_GROUP, Service};
use crate::error::{Error, Result};
use crate::id::{Id, Kind};
use crate::store::{Cursor, Page, Reads};

/// The most lines of a sheet, the headings of groups among them.
pub(super) const LINES: usize = 50;
/// How many groups are read at once.
const GROUPS: usize = 10;
/// How many of its neighbours are shown above a service that left its sheet.
const ABOVE: usize = LINES / 2;

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
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) sections: Vec<Section>,
    /// After which line the next sheet goes on; `None` at the end.
    pub(super) next: Option<Place>,
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

/// The sheet that follows a place: of all, or of one group alone.
///
/// # Errors
/// What the store says.
pub(super) fn read(view: &impl Reads, only: Option<Id<Group>>, after: Option<Place>) -> Result<Sheet> {
    let mut writing = Writing { sections: Vec::new(), room: LINES, last: None, is_full: false };
    match only {
        Some(id) => writing.one(view, id, after)?,
        None => writing.all(view, after)?,
    }
    Ok(Sheet { sections: writing.sections, next: writing.last.filter(|_| writing.is_full) })
}

/// A sheet that is being filled.
struct Writing {
    sections: Vec<Section>,
    room: usize,
    last: Option<Place>,
    is_full: bool,
}

impl Writing {
    fn all(&mut self, view: &impl Reads, after: Option<Place>) -> Result<()> {
        let begun = after.and_then(|after| after.group);
        if begun.is_none() {
            self.chapter(view, None, after.and_then(|after| after.service))?;
        }
        let end = |page: Page<Group>| page.items.first().map(|group| group.id);
        let (first, last) = (end(group::list(view, |scan| scan.limit(1))?), end(group::list(view, |scan| scan.newest().limit(1))?));
        let heading = |group: Group, is_continued| Heading {
            is_continued,
            is_empty: false,
            is_first: first == Some(group.id),
            is_last: last == Some(group.id),
            group,
        };
        if let Some((position, id)) = begun {
            // One that was moved or deleted meanwhile does not go on here.
            let group = found(group::live(view, id))?.filter(|group| group.position == position);
            if let Some(group) = group {
                self.chapter(view, Some(heading(group, true)), after.and_then(|after| after.service))?;
            }
        }
        let mut from = begun.map(|(position, id)| Cursor::at(position, id));
        while !self.is_full {
            let page = group::list(view, |scan| scan.limit(GROUPS).after(from))?;
            for group in page.items {
                if !self.is_full {
                    self.chapter(view, Some(heading(group, false)), None)?;
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn one(&mut self, view: &impl Reads, id: Id<Group>, after: Option<Place>) -> Result<()> {
        let Some(group) = found(group::live(view, id))? else { return Ok(()) };
        let heading = Heading { group, is_continued: after.is_some(), is_empty: false, is_first: true, is_last: true };
        self.chapter(view, Some(heading), after.and_then(|after| after.service))
    }

    /// A group, or what is in none, from that service on.
    fn chapter(&mut self, view: &impl Reads, heading: Option<Heading>, after: Option<(i64, Id<Service>)>) -> Result<()> {
        if self.room == 0 {
            self.is_full = true;
            return Ok(());
        }
        let key = heading.as_ref().map(|heading| (heading.group.position, heading.group.id));
        let begins = heading.as_ref().is_some_and(|heading| !heading.is_continued);
        let scan = Service::IN_GROUP.of(key.map_or(NO_GROUP, |(_, id)| id));
        let page = view.scan(scan.after(after.map(|(position, id)| Cursor::at(position, id))).limit(self.room))?;
        let (count, is_all) = (page.items.len(), page.next.is_none());
        if !begins && count == 0 {
            return Ok(());
        }
        // A heading does not stand alone at the foot of a sheet: it goes with its first service.
        if self.room < usize::from(begins) + usize::from(count > 0) {
            self.is_full = true;
            return Ok(());
        }
        self.room -= usize::from(begins);
        let is_first = |at| at == 0 && after.is_none();
        let is_last = |at| is_all && at + 1 == count;
        let lines = page.items.into_iter().enumerate().map(|(at, service)| Line { service, is_first: is_first(at), is_last: is_last(at) });
        let lines: Vec<Line> = lines.take(self.room).collect();
        self.is_full = !is_all || count > self.room;
        self.room -= lines.len();
        self.last = Some(Place { group: key, service: lines.last().map(|line| (line.service.position, line.service.id)) });
        let heading = heading.map(|heading| Heading { is_empty: begins && count == 0, ..heading });
        self.sections.push(Section { heading, lines });
        Ok(())
    }
}

/// Something of the list that can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A group with what is in it.
    Group(Id<Group>),
    /// A service within its group.
    Service(Id<Service>),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => fmt::Display::fmt(id, f),
            Self::Service(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl Thing {
    fn is_on(self, sheet: &Sheet) -> bool {
        sheet.sections.iter().any(|section| match self {
            Self::Group(id) => section.heading.as_ref().is_some_and(|heading| heading.group.id == id),
            Self::Service(id) => section.lines.iter().any(|line| line.service.id == id),
        })
    }
}

/// After which place a sheet begins that has this thing on it: after this one, if its sheet does.
///
/// Else a sheet begins a little above it. On which of those it stands that follow each other from the beginning, only who walks through all
/// of them could say.
///
/// # Errors
/// What the store says.
pub(super) fn follow(view: &impl Reads, after: Option<Place>, thing: Thing) -> Result<Option<Place>> {
    if thing.is_on(&read(view, None, after)?) {
        return Ok(after);
    }
    match thing {
        Thing::Group(id) => found(group::live(view, id))?.map_or(Ok(after), |group| line_before(view, &group)),
        Thing::Service(id) => {
            let Some(service) = found(service::live(view, id))? else { return Ok(after) };
            let group = service.group_id.map(|group| group::live(view, group)).transpose()?;
            let row = Service::IN_GROUP.of(group.as_ref().map_or(NO_GROUP, |group| group.id));
            let here = Some(Cursor::at(service.position, service.id));
            let before = view.scan(row.newest().after(here).limit(ABOVE + 1))?.items;
            match (before.get(ABOVE), &group) {
                (Some(far), group) => {
                    let group = group.as_ref().map(|group| (group.position, group.id));
                    Ok(Some(Place { group, service: Some((far.position, far.id)) }))
                }
                (None, Some(group)) => line_before(view, group),
                (None, None) => Ok(None),
            }
        }
    }
}

/// The last line before a group's heading; nothing where there is none.
fn line_before(view: &impl Reads, group: &Group) -> Result<Option<Place>> {
    let here = Some(Cursor::at(group.position, group.id));
    let previous = group::list(view, |scan| scan.newest().after(here).limit(1))?.items.pop();
    let row = Service::IN_GROUP.of(previous.as_ref().map_or(NO_GROUP, |group| group.id));
    let last = view.scan(row.newest().limit(1))?.items.pop();
    let place =
        Place { group: previous.map(|group| (group.position, group.id)), service: last.map(|service| (service.position, service.id)) };
    Ok(Some(place).filter(|place| place.group.is_some() || place.service.is_some()))
}

/// Nothing, where there is no such thing.
fn found<T>(looked_up: Result<T>) -> Result<Option<T>> {
    match looked_up {
        Ok(thing) => Ok(Some(thing)),
        Err(Error::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Groups by their places, each with lines; what is in no group comes first.
type Chapters = BTreeMap<Option<(i64, Id<Group>)>, (Option<Group>, Vec<Line>)>;

/// Arranges services that were found by groups, in the order of these.
///
/// # Errors
/// What the store says.
pub(super) fn arrange(view: &impl Reads, services: Vec<Service>) -> Result<Vec<Section>> {
    let mut chapters = Chapters::new();
    let mut groups: BTreeMap<Id<Group>, Option<Group>> = BTreeMap::new();
    for service in services {
        let group = match service.group_id {
            None => None,
            Some(id) => match groups.get(&id) {
                Some(known) => known.clone(),
                None => groups.entry(id).or_insert(found(group::live(view, id))?).clone(),
            },
        };
        let key = group.as_ref().map(|group| (group.position, group.id));
        let line = Line { service, is_first: false, is_last: false };
        chapters.entry(key).or_insert_with(|| (group, Vec::new())).1.push(line);
    }
    let headed = |group: Group| Heading { group, is_continued: false, is_empty: false, is_first: false, is_last: false };
    Ok(chapters.into_values().map(|(group, lines)| Section { heading: group.map(headed), lines }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Direction;
    use crate::domain::service::{ServicePatch, Visibility};
    use crate::domain::status::ServiceStatus;
    use crate::domain::testing::TestOrg;

    /// So many groups, and services in them: which one each is in, by number.
    fn org(groups: usize, services: impl IntoIterator<Item = Option<usize>>) -> (TestOrg, Vec<Id<Group>>) {
        let mut org = TestOrg::new();
        let groups: Vec<_> = (0..groups).map(|number| org.group(&format!("Group {number}"))).collect();
        for (number, group) in services.into_iter().enumerate() {
            let id = org.service(&format!("Service {number}"), Visibility::Public, ServiceStatus::Operational);
            if let Some(group) = group {
                org.patch(id, ServicePatch { group_id: Some(Some(groups[group])), ..ServicePatch::default() });
            }
        }
        (org, groups)
    }

    fn words(sheet: &Sheet) -> Vec<String> {
        let mut words = Vec::new();
        for section in &sheet.sections {
            let mark = |heading: &Heading| if heading.is_continued { " …" } else { "" };
            words.extend(section.heading.iter().map(|heading| format!("{}{}", heading.group.name, mark(heading))));
            words.extend(section.lines.iter().map(|line| line.service.name.clone()));
        }
        words
    }

    /// What is on each sheet, as words; a heading that comes again is marked.
    fn sheets(org: &TestOrg, only: Option<Id<Group>>) -> Vec<Vec<String>> {
        let (mut sheets, mut after) = (Vec::new(), None);
        loop {
            let sheet = org.read(move |view| read(view, only, after));
            sheets.push(words(&sheet));
            let Some(next) = sheet.next else { return sheets };
            assert_eq!(Place::parse(&next.to_string()), Some(next));
            after = Some(next);
        }
    }

    #[test]
    fn what_is_in_no_group_comes_first_then_the_groups_in_their_order_empty_ones_too() {
        let (org, groups) = org(3, [Some(0), None, Some(1), Some(0)]);
        let second = groups[1];
        org.change(move |tx| group::shift(tx, second, Direction::Up)).unwrap();
        let expected = ["Service 1", "Group 1", "Service 2", "Group 0", "Service 0", "Service 3", "Group 2"];
        assert_eq!(sheets(&org, None), [expected]);
        assert_eq!(sheets(&org, Some(groups[0])), [["Group 0", "Service 0", "Service 3"]]);
        let sheet = org.read(|view| read(view, None, None));
        let ends: Vec<_> =
            sheet.sections.iter().flat_map(|section| &section.heading).map(|h| (h.is_first, h.is_last, h.is_empty)).collect();
        assert_eq!(ends, [(true, false, false), (false, false, false), (false, true, true)]);
        assert!(sheets(&org, Some(Id::from_u128(9))).concat().is_empty(), "no such group");
    }

    #[test]
    fn every_line_comes_once_and_no_sheet_is_too_long() {
        for count in [0, 1, 49, 50, 51, 130] {
            let in_group = |number: usize| [None, Some(5), Some(number % 30)][number % 3];
            let (org, _) = org(30, (0..count).map(in_group));
            let sheets = sheets(&org, None);
            let lines: Vec<_> = sheets.iter().flatten().filter(|line| !line.ends_with('…')).collect();
            assert_eq!(lines.len(), 30 + count, "{count}");
            assert_eq!(lines.iter().collect::<std::collections::HashSet<_>>().len(), lines.len(), "{count}");
            for sheet in &sheets {
                assert!(sheet.iter().filter(|line| !line.ends_with('…')).count() <= LINES, "{count}");
            }
        }
    }

    #[test]
    fn a_heading_goes_with_its_first_service() {
        let (org, _) = org(1, (0..49).map(|_| None).chain([Some(0)]));
        let sheets = sheets(&org, None);
        assert_eq!(sheets[0].len(), 49);
        assert_eq!(sheets[1], ["Group 0", "Service 49"]);
    }

    #[test]
    fn a_group_that_goes_on_says_so_and_knows_its_ends() {
        let (org, groups) = org(1, (0..60).map(|_| Some(0)));
        for only in [None, Some(groups[0])] {
            let sheets = sheets(&org, only);
            assert_eq!((sheets[0].len(), sheets[1][0].as_str(), sheets[1].len()), (50, "Group 0 …", 12));
        }
        let first = org.read(|view| read(view, None, None));
        let (lines, next) = (&first.sections[0].lines, first.next);
        assert!(lines[0].is_first && !lines[0].is_last && !lines[48].is_last);
        let second = org.read(move |view| read(view, None, next));
        let lines = &second.sections[0].lines;
        assert!(!lines[0].is_first && lines.last().is_some_and(|last| last.is_last) && second.next.is_none());
    }

    /// After which place the second sheet begins.
    fn edge(org: &TestOrg) -> Option<Place> {
        org.read(|view| read(view, None, None)).next
    }

    /// Moves something, looks whether it has left the sheet that begins there, and follows it.
    fn leaves(org: &TestOrg, after: Option<Place>, thing: Thing, direction: Direction) -> bool {
        match thing {
            Thing::Group(id) => drop(org.change(move |tx| group::shift(tx, id, direction)).unwrap()),
            Thing::Service(id) => drop(org.change(move |tx| service::shift(tx, id, direction)).unwrap()),
        }
        let (stays, place, followed) = org.read(move |view| {
            let place = follow(view, after, thing)?;
            Ok((thing.is_on(&read(view, None, after)?), place, thing.is_on(&read(view, None, place)?)))
        });
        assert!(followed && stays == (place == after), "{thing:?} {direction:?} {place:?}");
        !stays
    }

    #[test]
    fn a_service_that_leaves_its_sheet_is_followed_over_both_edges() {
        // In no group, in a group, and where the edge is just behind a group's heading.
        let rows: [Vec<Option<usize>>; 3] = [vec![None; 120], vec![Some(0); 120], [vec![None; 47], vec![Some(0); 10]].concat()];
        for row in rows {
            let (org, _) = org(1, row);
            let first = org.read(|view| read(view, None, None));
            let last = Thing::Service(first.sections.last().unwrap().lines.last().unwrap().service.id);
            assert!(leaves(&org, None, last, Direction::Down), "over the foot of the first sheet");
            let edge = edge(&org);
            assert!(edge.is_some() && leaves(&org, edge, last, Direction::Up), "over the head of the second");
            assert!(!leaves(&org, None, last, Direction::Up), "within the first");
        }
    }

    #[test]
    fn a_group_that_leaves_its_sheet_is_followed_over_both_edges() {
        for services in [0, 60] {
            let (org, _) = org(60, (0..services).map(Some));
            let first = org.read(|view| read(view, None, None));
            let last = Thing::Group(first.sections.last().and_then(|section| section.heading.as_ref()).unwrap().group.id);
            assert!(leaves(&org, None, last, Direction::Down), "over the foot of the first sheet");
            let edge = edge(&org);
            assert!(edge.is_some() && leaves(&org, edge, last, Direction::Up), "over the head of the second");
            assert!(!leaves(&org, None, last, Direction::Up), "within the first");
        }
    }

    #[test]
    fn what_was_found_is_arranged_by_groups() {
        let (org, _) = org(2, [Some(1), None, Some(0), Some(1)]);
        let sections = org.read(|view| {
            let services = view.scan(Service::BY_POSITION.of(()))?.items;
            arrange(view, services)
        });
        let expected = ["Service 1", "Group 0", "Service 2", "Group 1", "Service 0", "Service 3"];
        assert_eq!(words(&Sheet { sections, next: None }), expected);
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
