//! What incidents make of services, and how that is kept.
//!
//! A service's document holds the worst that unresolved incidents say of it, so that whoever lists services reads no incident. Each operation
//! that changes an incident sets it right for the services that this incident touches, from their links: what the other incidents say of a
//! service is the last of its links in [`IncidentLink::OPEN`], however many there are. The road not taken, to derive a status from all
//! unresolved incidents each time it is shown, reads every word that was ever said of each of them.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{Affected, Incident, IncidentLink, causes};
use crate::access::Respond;
use crate::domain::service::Service;
use crate::domain::status::ServiceStatus;
use crate::error::Result;
use crate::event::Event;
use crate::id::Id;
use crate::store::{OrgDocument, OrgTx, Reads, Scan};

/// The services that an incident touches, as they are before it changes.
pub(super) struct Shown(Vec<Standing>);

struct Standing {
    service: Service,
    /// The worst that other unresolved incidents say of it.
    others: Option<ServiceStatus>,
}

impl Shown {
    pub(super) fn of(tx: &impl Reads, incident: Id<Incident>, affected: &[Affected]) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut shown = Vec::new();
        for id in affected.iter().map(|affected| affected.service_id).filter(|id| seen.insert(*id)) {
            if let Some(service) = tx.find(id)? {
                // The worst come first, and of two one is another incident's.
                let other = causes(tx, id, 2)?.into_iter().find(|link| link.incident_id != incident);
                shown.push(Standing { service, others: other.and_then(|link| link.status) });
            }
        }
        Ok(Self(shown))
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Service> {
        self.0.iter().map(|standing| &standing.service)
    }

    /// Sets right what services hold, the incident being what it is now. Answers those whose status everyone now sees differently.
    ///
    /// Their versions stay: nobody has changed the services.
    pub(super) fn since(self, tx: &mut OrgTx<'_, Respond>, now: &Incident) -> Result<Effects> {
        let said: HashMap<_, _> = now.affected.iter().filter(|_| now.is_open()).map(|said| (said.service_id, said.status)).collect();
        let entry = |service: &Service| json!({ "id": service.id, "name": service.name, "status": service.status() });
        let mut effects = Effects::default();
        for Standing { service: before, others } in self.0 {
            let raised = worst(others, said.get(&before.id).copied().flatten());
            if raised == before.raised {
                continue;
            }
            let after = Service { raised, ..before.clone() };
            tx.put(&after)?;
            if after.deleted_at.is_none() && after.status() != before.status() {
                effects.before.push(entry(&before));
                effects.after.push(entry(&after));
            }
        }
        Ok(effects)
    }
}

/// What a change of an incident did to services: their effective status before and after.
#[derive(Default)]
pub(super) struct Effects {
    before: Vec<Value>,
    after: Vec<Value>,
}

impl Effects {
    pub(super) fn note(self, event: Event) -> Event {
        event.change("services", self.before, self.after)
    }
}

fn worst(one: Option<ServiceStatus>, other: Option<ServiceStatus>) -> Option<ServiceStatus> {
    one.into_iter().chain(other).reduce(ServiceStatus::worst)
}

/// Makes the links of an incident say what it says now.
pub(super) fn link_again(tx: &mut OrgTx<'_, Respond>, before: Option<&Incident>, after: &Incident) -> Result<()> {
    let links = |incident: &Incident| incident.affected.iter().map(|affected| IncidentLink::of(affected, incident)).collect::<Vec<_>>();
    let mut old: HashMap<_, _> = before.map(links).unwrap_or_default().into_iter().map(|link| (link.id, link)).collect();
    for new in links(after) {
        if old.remove(&new.id).as_ref() != Some(&new) {
            tx.put(&new)?;
        }
    }
    for gone in old.into_keys() {
        tx.delete(gone);
    }
    Ok(())
}

/// Takes the links of an incident away.
pub(super) fn unlink(tx: &mut OrgTx<'_, Respond>, incident: &Incident) {
    for affected in &incident.affected {
        tx.delete(IncidentLink::of(affected, incident).id);
    }
}

/// How many rows are read at once.
const PART: usize = 50;

/// Sets all links and services of an organization right, as its unresolved incidents have them: for a store that was written before these
/// said so themselves. What is right is not written again.
///
/// # Errors
/// What the store says.
pub(crate) fn mend(tx: &mut OrgTx<'_, Respond>) -> Result<()> {
    let mut said: HashMap<Id<IncidentLink>, IncidentLink> = HashMap::new();
    let open = || Incident::BY_STATE.of("open".into());
    each(tx, open, |incident: Incident| {
        said.extend(incident.affected.iter().map(|affected| IncidentLink::of(affected, &incident)).map(|link| (link.id, link)));
    })?;
    let mut raised: HashMap<Id<Service>, ServiceStatus> = HashMap::new();
    for link in said.values() {
        if let Some(status) = link.status {
            raised.entry(link.service_id).and_modify(|known| *known = known.worst(status)).or_insert(status);
        }
    }
    // Gathered before anything is written: a scan lays what was written in its own transaction over what it finds, again for each part.
    let (mut links, mut services) = (Vec::new(), Vec::new());
    each(tx, Scan::all, |link: IncidentLink| {
        let right = said.remove(&link.id).unwrap_or_else(|| IncidentLink { open: false, ..link.clone() });
        if right != link {
            links.push(right);
        }
    })?;
    each(tx, Scan::all, |service: Service| {
        let raised = raised.get(&service.id).copied();
        if service.raised != raised {
            services.push(Service { raised, ..service });
        }
    })?;
    links.extend(said.into_values());
    links.iter().try_for_each(|link| tx.put(link))?;
    services.iter().try_for_each(|service| tx.put(service))
}

/// Looks at everything that a scan finds, some at a time.
fn each<D: OrgDocument>(view: &impl Reads, scan: impl Fn() -> Scan<D>, mut look: impl FnMut(D)) -> Result<()> {
    let mut after = None;
    loop {
        let part = view.scan(scan().limit(PART).after(after))?;
        part.items.into_iter().for_each(&mut look);
        after = part.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::operations::{IncidentPatch, NewUpdate, OpenIncident};
    use super::super::{delete, open, post_update, restore, update};
    use super::*;
    use crate::access::{Actor, Edit};
    use crate::domain::group::{self, Group};
    use crate::domain::service::{self, ServicePatch, Visibility};
    use crate::domain::status::{self, IncidentStatus};
    use crate::domain::testing::TestOrg;
    use crate::event::Change;

    const SERVICES: usize = 4;

    /// The model: what unresolved incidents there are, each read whole.
    fn open_incidents(view: &impl Reads) -> Result<Vec<Incident>> {
        Ok(view.scan(Incident::BY_STATE.of("open".into()))?.items)
    }

    /// The model: the status of a service, these being the unresolved incidents.
    fn effective_among(open: &[Incident], service: &Service) -> ServiceStatus {
        let said = open.iter().flat_map(|incident| &incident.affected).filter(|affected| affected.service_id == service.id);
        status::effective(service.own_status, said.filter_map(|affected| affected.status))
    }

    /// What somebody may do; which service or incident is a number among those that there are.
    #[derive(Debug, Clone)]
    enum Step {
        Open(IncidentStatus, Vec<(usize, Option<ServiceStatus>)>),
        Edit(usize, Vec<(usize, Option<ServiceStatus>)>),
        /// Its status and what it touches in one change.
        Both(usize, IncidentStatus, Vec<(usize, Option<ServiceStatus>)>),
        /// Over, then touching something else, then open again.
        EditOver(usize, Vec<(usize, Option<ServiceStatus>)>),
        Say(usize, IncidentStatus, Vec<(usize, Option<ServiceStatus>)>),
        Delete(usize),
        Restore(usize),
        Set(usize, ServiceStatus),
        DeleteService(usize),
        RestoreService(usize),
        Show(usize, Visibility),
        DeleteGroup,
        RestoreGroup,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let of_incident: Vec<_> = ServiceStatus::ALL.iter().copied().filter(|status| status.from_incident()).collect();
        let touched = prop::collection::btree_map(0..SERVICES, prop::option::of(prop::sample::select(of_incident)), 0..SERVICES);
        let touched = touched.prop_map(|touched| touched.into_iter().collect::<Vec<_>>());
        let stage = || prop::sample::select(IncidentStatus::ALL);
        let step = prop_oneof![
            4 => (stage(), touched.clone()).prop_map(|(stage, touched)| Step::Open(stage, touched)),
            2 => (0..9_usize, touched.clone()).prop_map(|(incident, touched)| Step::Edit(incident, touched)),
            2 => (0..9_usize, stage(), touched.clone()).prop_map(|(incident, stage, touched)| Step::Both(incident, stage, touched)),
            2 => (0..9_usize, touched.clone()).prop_map(|(incident, touched)| Step::EditOver(incident, touched)),
            4 => (0..9_usize, stage(), touched).prop_map(|(incident, stage, touched)| Step::Say(incident, stage, touched)),
            1 => (0..9_usize).prop_map(Step::Delete),
            1 => (0..9_usize).prop_map(Step::Restore),
            1 => (0..SERVICES, prop::sample::select(ServiceStatus::ALL)).prop_map(|(service, status)| Step::Set(service, status)),
            1 => (0..SERVICES).prop_map(Step::DeleteService),
            1 => (0..SERVICES).prop_map(Step::RestoreService),
            1 => (0..SERVICES, prop::sample::select(vec![Visibility::Public, Visibility::Private]))
                .prop_map(|(service, visibility)| Step::Show(service, visibility)),
            1 => Just(Step::DeleteGroup),
            1 => Just(Step::RestoreGroup),
        ];
        prop::collection::vec(step, 1..25)
    }

    /// Does it, if it can be done.
    fn take(org: &TestOrg, services: &[Id<Service>], group: Id<Group>, incidents: &mut Vec<Id<Incident>>, step: Step) {
        let affected = |touched: Vec<(usize, Option<ServiceStatus>)>| -> Vec<Affected> {
            touched.into_iter().map(|(service, status)| Affected { service_id: services[service], status }).collect()
        };
        let among = |number: usize| incidents.get(number % incidents.len().max(1)).copied().unwrap_or(Id::from_u128(1));
        match step {
            Step::Open(stage, touched) => {
                let input = OpenIncident {
                    title: "It fails".into(),
                    message: "We are looking.".into(),
                    status: Some(stage),
                    affected: affected(touched),
                    ..OpenIncident::default()
                };
                incidents.extend(org.change(move |tx| open(tx, input)).map(|incident| incident.id));
            }
            Step::Edit(incident, touched) => {
                let (id, patch) = (among(incident), IncidentPatch { affected: Some(affected(touched)), ..IncidentPatch::default() });
                let _ = org.change(move |tx| update(tx, id, patch, None));
            }
            Step::Both(incident, stage, touched) => {
                let (id, affected) = (among(incident), Some(affected(touched)));
                let patch = IncidentPatch { status: Some(stage), affected, ..IncidentPatch::default() };
                let _ = org.change(move |tx| update(tx, id, patch, None));
            }
            Step::EditOver(incident, touched) => {
                let id = among(incident);
                let to = |status| IncidentPatch { status: Some(status), ..IncidentPatch::default() };
                let edit = IncidentPatch { affected: Some(affected(touched)), ..IncidentPatch::default() };
                for patch in [to(IncidentStatus::Resolved), edit, to(IncidentStatus::Monitoring)] {
                    let _ = org.change(move |tx| update(tx, id, patch, None));
                }
            }
            Step::Say(incident, stage, touched) => {
                let id = among(incident);
                let input = NewUpdate { status: Some(stage), message: "More is known.".into(), affected: affected(touched) };
                let _ = org.change(move |tx| post_update(tx, id, input, None));
            }
            Step::Delete(incident) => {
                let id = among(incident);
                let _ = org.change(move |tx| delete(tx, id, None));
            }
            Step::Restore(incident) => {
                let id = among(incident);
                let _ = org.change(move |tx| restore(tx, id));
            }
            Step::Set(at, status) => {
                let id = services[at];
                let _ = org.change(move |tx| service::set_own_status(tx, id, status, None));
            }
            Step::DeleteService(at) => {
                let id = services[at];
                let _ = org.change(move |tx| service::delete(tx, id, None));
            }
            Step::RestoreService(at) => {
                let id = services[at];
                let _ = org.change(move |tx| service::restore(tx, id));
            }
            Step::Show(at, visibility) => {
                let (id, patch) = (services[at], ServicePatch { visibility: Some(visibility), ..ServicePatch::default() });
                let _ = org.change(move |tx| service::update(tx, id, patch, None));
            }
            Step::DeleteGroup => {
                let _ = org.change(move |tx| group::delete(tx, group, None));
            }
            Step::RestoreGroup => {
                let _ = org.change(move |tx| group::restore(tx, group));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever happens, what a service holds and what its links say is what reading every unresolved incident says.
        #[test]
        fn a_service_holds_what_reading_all_incidents_says(steps in steps()) {
            let mut org = TestOrg::new();
            let services: Vec<_> =
                (0..SERVICES).map(|number| org.service(&format!("Service {number}"), Visibility::Public, ServiceStatus::Unknown)).collect();
            let group = org.group("Core");
            for id in &services[..SERVICES / 2] {
                org.patch(*id, ServicePatch { group_id: Some(Some(group)), ..ServicePatch::default() });
            }
            let mut incidents = Vec::new();
            for step in steps {
                take(&org, &services, group, &mut incidents, step.clone());
                let asked = services.clone();
                let found = org.read(move |view| {
                    let open = open_incidents(view)?;
                    asked
                        .into_iter()
                        .map(|id| {
                            let service: Service = view.get(id)?;
                            let links = causes(view, id, 100)?;
                            let linked = status::effective(service.own_status, links.iter().filter_map(|link| link.status));
                            let worst_first = links.windows(2).all(|pair| {
                                let weight = |link: &IncidentLink| link.status.map(ServiceStatus::severity);
                                weight(&pair[0]) >= weight(&pair[1])
                            });
                            Ok((service.status(), effective_among(&open, &service), linked, worst_first))
                        })
                        .collect::<Result<Vec<_>>>()
                });
                for (held, read, linked, worst_first) in found {
                    prop_assert_eq!(held, read, "after {:?}", &step);
                    prop_assert_eq!(linked, read, "after {:?}", &step);
                    prop_assert!(worst_first);
                }
            }
        }
    }

    /// Every service and every link.
    fn look(org: &TestOrg) -> (Vec<Service>, Vec<IncidentLink>) {
        org.read(|view| Ok((view.scan(Scan::all())?.items, view.scan(Scan::all())?.items)))
    }

    /// Sets all right, and says how many rows were written for it.
    fn mended(org: &TestOrg) -> usize {
        let id = org.org;
        let command = org.app.system_change(Actor::System("test"), move |tx| {
            mend(&mut tx.enter::<Respond>(id))?;
            Ok(tx.writes_so_far().rows.len())
        });
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(command).unwrap()
    }

    /// An organization with an open incident and one that is over.
    fn troubled() -> (TestOrg, Id<Incident>, Id<Incident>) {
        use ServiceStatus::{DegradedPerformance, MajorOutage, Operational};
        let mut org = TestOrg::new().with_service("API", Operational).with_service("Web", Operational).with_service("Shop", Operational);
        let open = org.open("It fails", [("API", MajorOutage), ("Web", DegradedPerformance)]);
        let over = org.open("It is over", [("Web", MajorOutage), ("Shop", MajorOutage)]);
        org.resolve(over);
        (org, open, over)
    }

    #[test]
    fn setting_all_right_writes_nothing_where_all_is_right() {
        let (org, ..) = troubled();
        let before = look(&org);
        assert_eq!(mended(&org), 0);
        assert_eq!(look(&org), before);
    }

    #[test]
    fn setting_all_right_says_more_and_less_and_writes_what_differs() {
        let (mut org, open, over) = troubled();
        let (api, web, shop) = (org.named("API"), org.named("Web"), org.named("Shop"));
        let gone = org.service("Gone", Visibility::Public, ServiceStatus::Operational);
        org.change(move |tx| service::delete(tx, gone, None)).unwrap();
        let right = look(&org);
        org.change(move |tx: &mut OrgTx<'_, Edit>| {
            // Too much, too little, and nothing at all; of one that is deleted, too.
            for (id, raised) in [(shop, Some(ServiceStatus::MajorOutage)), (web, Some(ServiceStatus::PartialOutage)), (api, None)] {
                tx.put(&Service { raised, ..tx.get(id)? })?;
            }
            tx.put(&Service { raised: Some(ServiceStatus::DegradedPerformance), ..tx.get(gone)? })?;
            for link in tx.scan(Scan::<IncidentLink>::all())?.items {
                match (link.incident_id, link.service_id) {
                    (incident, service) if incident == open && service == api => tx.delete(link.id),
                    (incident, _) if incident == open => tx.put(&IncidentLink { open: false, status: None, ..link })?,
                    (incident, service) if incident == over && service == shop => tx.put(&IncidentLink { open: true, ..link })?,
                    _ => {}
                }
            }
            Ok(Change::nothing(()))
        })
        .unwrap();
        assert_ne!(look(&org), right);
        assert_eq!(mended(&org), 4 + 3, "and not the link that is right");
        assert_eq!(look(&org), right);
        assert_eq!(mended(&org), 0);
    }
}
