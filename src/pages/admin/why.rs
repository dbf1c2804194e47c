//! What makes a service be shown as it is.

use crate::domain::incident::Incident;
use crate::domain::service::Service;
use crate::domain::status::ServiceStatus;
use crate::pages::when::State;

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
    /// The latest begun first.
    pub(super) first: Vec<Cause>,
    /// How many more.
    pub(super) more: usize,
}

impl Causes {
    /// Every unresolved incident that touches the service.
    pub(super) fn touching(open: &[Incident], service: &Service, limit: usize) -> Self {
        Self::those(open, service, limit, |_| true)
    }

    /// Those for which it is shown worse than it was set by hand; none where it is shown as set.
    pub(super) fn worsening(open: &[Incident], service: &Service, shown: ServiceStatus, limit: usize) -> Self {
        Self::those(open, service, limit, |said| shown != service.own_status && said == Some(shown))
    }

    fn those(open: &[Incident], service: &Service, limit: usize, is_one: impl Fn(Option<ServiceStatus>) -> bool) -> Self {
        let mut causes = Self::default();
        // The index has the earliest begun first.
        for incident in open.iter().rev() {
            let Some(affected) = incident.affected.iter().find(|affected| affected.service_id == service.id) else { continue };
            if !is_one(affected.status) {
                continue;
            }
            if causes.first.len() == limit {
                causes.more += 1;
                continue;
            }
            let (id, title, status) = (incident.id.to_string(), incident.title.clone(), affected.status.map(State::from));
            causes.first.push(Cause { id, title, status });
        }
        causes
    }
}
