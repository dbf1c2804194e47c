//! An organization for tests of operations: steered time, every event told, what visitors hear beside it.

use std::time::Duration;

use serde_json::Value;

use super::account::{self, Door, SignUp};
use super::group::{self, Group, NewGroup};
use super::incident::{self, Affected, Incident, IncidentPatch, NewUpdate, OpenIncident};
use super::organization::OrgId;
use super::page::{self, PageView};
use super::service::{self, NewService, Service, ServicePatch, Visibility};
use super::status::{IncidentStatus, ServiceStatus};
use super::text::Email;
use crate::access::{Actor, Permission, Read};
use crate::app::{App, Settings};
use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::event::Change;
use crate::id::{Id, IdSource};
use crate::store::{Committed, LogKind, OrgTx, OrgView, Scan};
use tokio::sync::mpsc::UnboundedReceiver;

/// One organization, on a store in memory unless said otherwise.
pub(crate) struct TestOrg {
    runtime: tokio::runtime::Runtime,
    pub(crate) app: App,
    pub(crate) org: OrgId,
    news: UnboundedReceiver<Committed>,
    unread: Vec<Committed>,
}

impl TestOrg {
    pub(crate) fn new() -> Self {
        Self::on(crate::store::Store::memory().unwrap())
    }

    /// On this store.
    pub(crate) fn on((store, news): (crate::store::Store, UnboundedReceiver<Committed>)) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let app = App::new(store, clock, IdSource::seeded(3), crate::token::Keys::ephemeral(), Settings::default());
        let org = Id::from_u128(0xabc);
        let input =
            SignUp { email: Email::parse("email", "ada@example.com").unwrap(), full_name: "Ada".into(), organization_name: "Acme".into() };
        runtime
            .block_on(app.system_change(Actor::System("test"), move |tx| {
                let earlier = tx.writes_so_far();
                let (_, change) = account::sign_up(tx, org, input, "-".into(), &Door::Open)?;
                let actor = Actor::System("test").describe();
                crate::app::record(&mut tx.enter::<crate::access::Administer>(org), &earlier, &actor, &change.events)?;
                Ok(())
            }))
            .unwrap();
        let mut org = Self { runtime, app, org, news, unread: Vec::new() };
        org.new_events();
        org
    }

    pub(crate) fn with_service(mut self, name: &str, status: ServiceStatus) -> Self {
        self.service(name, Visibility::Public, status);
        self.new_events();
        self
    }

    pub(crate) fn change<P: Permission, T: Send + 'static>(
        &self,
        op: impl FnOnce(&mut OrgTx<'_, P>) -> Result<Change<T>> + Send + 'static,
    ) -> Result<T> {
        self.runtime.block_on(self.app.change(Actor::System("test"), self.org, op))
    }

    pub(crate) fn read<T: Send + 'static>(&self, query: impl FnOnce(&OrgView<'_, Read>) -> Result<T> + Send + 'static) -> T {
        self.runtime.block_on(self.app.read(Actor::System("test"), self.org, query)).unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.app.clock().advance(by);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.app.clock().now()
    }

    pub(crate) fn service(&mut self, name: &str, visibility: Visibility, own_status: ServiceStatus) -> Id<Service> {
        let input = NewService { name: name.into(), description: String::new(), visibility, own_status, group_id: None };
        self.change(move |tx| service::create(tx, input)).unwrap().service.id
    }

    pub(crate) fn group(&mut self, name: &str) -> Id<Group> {
        let input = NewGroup { name: name.into(), position: None };
        self.change(move |tx| group::create(tx, input)).unwrap().id
    }

    pub(crate) fn patch(&mut self, id: Id<Service>, patch: ServicePatch) {
        self.change(move |tx| service::update(tx, id, patch, None)).unwrap();
    }

    pub(crate) fn show(&mut self, id: Id<Service>, visibility: Visibility) {
        self.patch(id, ServicePatch { visibility: Some(visibility), ..ServicePatch::default() });
    }

    pub(crate) fn named(&self, name: &str) -> Id<Service> {
        let all = self.read(|view| service::list(view, |scan: Scan<Service>| scan)).items;
        all.into_iter().find(|state| state.service.name == name).unwrap().service.id
    }

    pub(crate) fn status(&self, name: &str) -> ServiceStatus {
        let id = self.named(name);
        self.read(move |view| service::get(view, id)).status
    }

    pub(crate) fn open<'a>(&mut self, title: &str, affected: impl IntoIterator<Item = (&'a str, ServiceStatus)>) -> Id<Incident> {
        let affected = affected.into_iter().map(|(name, status)| Affected { service_id: self.named(name), status: Some(status) }).collect();
        let input = OpenIncident { title: title.into(), message: "We are looking.".into(), affected, ..OpenIncident::default() };
        self.change(move |tx| incident::open(tx, input)).unwrap().id
    }

    pub(crate) fn say(&mut self, id: Id<Incident>, status: IncidentStatus, message: &str) {
        let input = NewUpdate { status: Some(status), message: message.into(), affected: Vec::new() };
        self.change(move |tx| incident::post_update(tx, id, input, None)).unwrap();
    }

    pub(crate) fn resolve(&mut self, id: Id<Incident>) {
        let patch = IncidentPatch { status: Some(IncidentStatus::Resolved), ..IncidentPatch::default() };
        self.change(move |tx| incident::update(tx, id, patch, None)).unwrap();
    }

    pub(crate) fn incident(&self, id: Id<Incident>) -> Incident {
        self.read(move |view| crate::store::Reads::get(view, id))
    }

    /// What visitors see.
    pub(crate) fn page(&self) -> PageView {
        self.runtime
            .block_on(self.app.read_public(self.org, |view| {
                let first = view.first_page()?;
                page::view(view, first, "e")
            }))
            .unwrap()
    }

    fn drain(&mut self) {
        while let Ok(committed) = self.news.try_recv() {
            self.unread.push(committed);
        }
    }

    /// The types of the organization's events since the last call.
    pub(crate) fn new_events(&mut self) -> Vec<String> {
        self.new_logs().0.into_iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The organization's events and the page's since the last call, as JSON.
    pub(crate) fn new_logs(&mut self) -> (Vec<Value>, Vec<Value>) {
        self.drain();
        let (mut org, mut page) = (Vec::new(), Vec::new());
        for entry in self.unread.drain(..).flat_map(|committed| committed.entries) {
            let event = serde_json::from_slice(entry.json()).unwrap();
            match entry.log() {
                LogKind::Org(_) => org.push(event),
                LogKind::Page(_) => page.push(event),
            }
        }
        (org, page)
    }

    /// A page's log from its beginning, as it may be shown now.
    pub(crate) fn replay(&self) -> Vec<Value> {
        self.runtime
            .block_on(self.app.read_public(self.org, |view| {
                let page = view.first_page()?;
                let range = crate::store::LogRange { after: 0, before: u64::MAX, newest: false, limit: 1_000 };
                let entries = view.page_log(page.uuid(), range)?;
                let mut shown = Vec::new();
                for (_, json) in entries {
                    shown.extend(super::public_event::revisit(view, serde_json::from_slice(&json).unwrap())?);
                }
                Ok(shown)
            }))
            .unwrap()
    }
}
