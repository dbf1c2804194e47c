//! What makes a service be shown as it is.

use std::collections::HashMap;

use crate::domain::incident::{self, Incident, IncidentLink};
use crate::domain::service::Service;
use crate::error::Result;
use crate::id::Id;
use crate::pages::when::State;
use crate::store::Reads;

/// How many incidents beside those that are named are counted; where there are more, it is said that there are at least so many.
const COUNTED: usize = 20;

/// An unresolved incident that touches a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// The incident's id.
    pub(super) id: String,
    /// Its title.
    pub(super) title: String,
    /// What it makes of the service; `None` = it only mentions it.
    pub(super) status: Option<State>,
}

/// Some causes, and how many there are beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Causes {
    /// What says the worst first, among equals the latest begun.
    pub(super) first: Vec<Cause>,
    /// How many more, in words: `3`, `20+`; nothing where there are none.
    pub(super) more: Option<String>,
}

/// The titles of the incidents that a page names: one incident often is why for many services, and is long.
#[derive(Default)]
pub(super) struct Titles(HashMap<Id<Incident>, String>);

impl Titles {
    fn of(&mut self, view: &impl Reads, id: Id<Incident>) -> Result<String> {
        if let Some(known) = self.0.get(&id) {
            return Ok(known.clone());
        }
        let title = view.find(id)?.map(|incident: Incident| incident.title).unwrap_or_default();
        self.0.insert(id, title.clone());
        Ok(title)
    }
}

impl Causes {
    /// Every unresolved incident that touches the service.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn touching(view: &impl Reads, titles: &mut Titles, service: &Service, limit: usize) -> Result<Self> {
        Self::those(view, titles, service, limit, |_| true)
    }

    /// Those for which it is shown worse than it was set by hand; none where it is shown as set.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn worsening(view: &impl Reads, titles: &mut Titles, service: &Service, limit: usize) -> Result<Self> {
        let shown = service.status();
        if shown == service.own_status {
            return Ok(Self::default());
        }
        Self::those(view, titles, service, limit, |link| link.status == Some(shown))
    }

    /// Those that say the worst come first, so that what is read is what is named and counted.
    fn those(
        view: &impl Reads,
        titles: &mut Titles,
        service: &Service,
        limit: usize,
        is_one: impl Fn(&IncidentLink) -> bool,
    ) -> Result<Self> {
        let links = incident::causes(view, service.id, limit + COUNTED)?;
        let is_cut = links.len() == limit + COUNTED && links.last().is_some_and(&is_one);
        let mut causes = Self::default();
        let mut more = 0;
        for link in links.iter().filter(|link| is_one(link)) {
            if causes.first.len() == limit {
                more += 1;
                continue;
            }
            let (id, title) = (link.incident_id.to_string(), titles.of(view, link.incident_id)?);
            causes.first.push(Cause { id, title, status: link.status.map(State::from) });
        }
        causes.more = (more > 0).then(|| if is_cut { format!("{more}+") } else { more.to_string() });
        Ok(causes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::incident::IncidentPatch;
    use crate::domain::status::ServiceStatus::{DegradedPerformance, MajorOutage, Operational};
    use crate::domain::testing::TestOrg;

    #[test]
    fn the_worst_are_named_first_and_the_rest_is_counted() {
        let mut org = TestOrg::new().with_service("API", Operational);
        let api = org.named("API");
        let look = |org: &TestOrg, is_all: bool| {
            org.read(move |view| {
                let (service, mut titles) = (view.get(api)?, Titles::default());
                if is_all { Causes::touching(view, &mut titles, &service, 2) } else { Causes::worsening(view, &mut titles, &service, 2) }
            })
        };
        let titles = |causes: &Causes| causes.first.iter().map(|cause| cause.title.clone()).collect::<Vec<_>>();
        assert_eq!(look(&org, true), Causes::default());

        for number in 0..3 {
            org.advance(Duration::from_secs(1));
            org.open(&format!("It is slow {number}"), [("API", DegradedPerformance)]);
        }
        let bad = org.open("It is down", [("API", MajorOutage)]);
        assert_eq!((titles(&look(&org, false)), look(&org, false).more), (vec!["It is down".to_owned()], None));
        assert_eq!(
            (titles(&look(&org, true)), look(&org, true).more),
            (vec!["It is down".into(), "It is slow 2".into()], Some("2".into()))
        );

        let patch = IncidentPatch { title: Some("It was down".into()), ..IncidentPatch::default() };
        org.change(move |tx| incident::update(tx, bad, patch, None)).unwrap();
        assert_eq!(titles(&look(&org, false)), ["It was down"]);
        org.resolve(bad);
        assert_eq!(
            (titles(&look(&org, false)), look(&org, false).more),
            (vec!["It is slow 2".into(), "It is slow 1".into()], Some("1".into()))
        );
        for number in 0..30 {
            org.open(&format!("Another {number}"), [("API", DegradedPerformance)]);
        }
        assert_eq!(look(&org, false).more, Some("20+".into()));
    }
}
