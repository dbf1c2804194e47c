//! What visitors may see. This file is the filter: nothing private gets past it, and nothing public is made anywhere else.
//!
//! - A service is seen while it is public and not deleted.
//! - An incident is seen while it touches a service that is public (or none at all), and only those of its updates are that were said while
//!   visitors could see it: what was private stays private when a service is made public later.
//! - Of what an incident touches, the public services are seen, of one that is over only those that they saw it touch; its impact is derived from
//!   them alone, unless the responder set it.
//! - A group is seen while it holds a service that is seen.
//! - What is deleted is seen no more until it is restored; but a public service's name stays where incidents speak of it.
//! - Actors and authors are never seen.
//! - The organization's name is seen where a page shows it, and not where the page has a name of its own.
//! - Of an organization that is suspended or deleted, no page is seen.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::group::Group;
use super::incident::{self, Incident, Update, Which};
use super::logo::LogoFile;
use super::organization::Organization;
use super::page::{LogoRef, Page};
use super::public_event;
use super::service::{self, Service};
use super::status::{Impact, IncidentStatus, ServiceStatus};
use crate::access::Read;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::{LogRange, OrgView, Reads};

/// The permission of a visitor: not a [`Permission`](crate::access::Permission) of members, so that a view for it reads nothing unfiltered.
#[derive(Debug, Clone, Copy)]
pub enum Public {}

/// The most incidents a page shows: a page is read by everyone, so its making is bounded.
const HISTORY_MAX: usize = 200;
/// The most incidents looked at to find them among private ones.
const LOOKED_AT_MAX: usize = 2_000;

/// A page as visitors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPage {
    /// In its address.
    pub slug: String,
    /// Its own name, or the organization's.
    pub name: String,
    /// Markdown.
    pub description: String,
    /// In which its days are cut.
    pub zone: TimeZone,
    /// Its logo, if it has one.
    pub logo: Option<LogoRef>,
}

impl PublicPage {
    /// The IANA name of its zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// A group as visitors see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicGroup {
    /// Its id.
    pub id: Id<Group>,
    /// Its name.
    pub name: String,
    /// Its place.
    pub position: i64,
}

/// A service as visitors see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicService {
    /// Its id.
    pub id: Id<Service>,
    /// Its name.
    pub name: String,
    /// Markdown.
    pub description: String,
    /// Derived.
    pub status: ServiceStatus,
    /// Where it is shown.
    pub group_id: Option<Id<Group>>,
    /// Its place.
    pub position: i64,
}

/// An incident as visitors see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicIncident {
    /// Its id.
    pub id: Id<Incident>,
    /// Its title.
    pub title: String,
    /// How far it has come.
    pub status: IncidentStatus,
    /// How much it hurts, as far as visitors may know.
    pub impact: Impact,
    /// The public services it touches.
    pub affected: Vec<PublicAffected>,
    /// Newest first; never empty.
    pub updates: Vec<PublicUpdate>,
    /// When it began, or when visitors first heard of it if that was later.
    pub started_at: Timestamp,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
}

/// A service an incident touches, as visitors see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicAffected {
    /// Which.
    pub service_id: Id<Service>,
    /// Its name, or its last one.
    pub name: String,
    /// `None` = only mentioned.
    pub status: Option<ServiceStatus>,
}

/// An update as visitors see it: without its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicUpdate {
    /// Its id.
    pub id: Id<Update>,
    /// The incident's status from then on.
    pub status: IncidentStatus,
    /// Markdown.
    pub message: String,
    /// When it was said.
    pub created_at: Timestamp,
}

impl OrgView<'_, Public> {
    /// The time of this view.
    pub fn made_at(&self) -> Timestamp {
        self.all().now()
    }

    /// A page of the organization.
    ///
    /// # Errors
    /// `NotFound` when it has no such page, and while it is suspended or deleted: then visitors see nothing at all.
    pub fn page(&self, id: Id<Page>) -> Result<PublicPage> {
        if !self.organization()?.is_some_and(|organization| organization.is_open()) {
            return Err(Error::NotFound);
        }
        self.described(id)?.ok_or(Error::NotFound)
    }

    /// When visitors of a page were last told something: the time of the last entry in its log; while that is empty, of the page's making.
    ///
    /// # Errors
    /// `NotFound` when the organization has no such page; what the store says.
    pub fn last_told(&self, id: Id<Page>) -> Result<Timestamp> {
        let last = LogRange { after: 0, before: u64::MAX, newest: true, limit: 1 };
        match self.page_log(id.uuid(), last)?.pop() {
            Some((_, entry)) => public_event::time_of(&entry),
            None => Ok(self.all().get(id)?.created_at),
        }
    }

    /// A page's logo, PNG, if it is the one with this hash.
    ///
    /// # Errors
    /// As [`page`](Self::page); `NotFound` for any other hash.
    pub fn logo(&self, page: Id<Page>, hash: &str) -> Result<Vec<u8>> {
        self.page(page)?.logo.filter(|logo| logo.hash == hash).ok_or(Error::NotFound)?;
        Ok(self.all().get(LogoFile::id_of(page))?.png)
    }

    /// What a page says of itself, whether or not it can be looked at: for the page's log, which goes on while the organization is suspended.
    pub(super) fn described(&self, id: Id<Page>) -> Result<Option<PublicPage>> {
        let (Some(page), Some(organization)) = (self.all().find(id)?, self.organization()?) else { return Ok(None) };
        let zone = page.zone();
        let Page { slug, name, description, logo, .. } = page;
        Ok(Some(PublicPage { slug, name: name.unwrap_or(organization.name), description, zone, logo }))
    }

    /// The organization's name, if one of its pages shows it.
    pub(super) fn organization_name(&self) -> Result<Option<String>> {
        let is_shown = self.pages()?.iter().any(|page| page.name.is_none());
        Ok(self.organization()?.filter(|_| is_shown).map(|organization| organization.name))
    }

    fn organization(&self) -> Result<Option<Organization>> {
        let all = self.all();
        all.find(all.org())
    }

    /// The services visitors see, in their order.
    ///
    /// # Errors
    /// What the store says.
    pub fn services(&self) -> Result<Vec<PublicService>> {
        let all = service::list(&self.all(), |scan| scan)?.items;
        Ok(all.into_iter().filter(|state| state.service.is_public()).map(|state| shown(state.service)).collect())
    }

    /// The service, if visitors see it.
    ///
    /// # Errors
    /// What the store says.
    pub fn service(&self, id: Id<Service>) -> Result<Option<PublicService>> {
        let found = self.all().find(id)?.filter(|service: &Service| service.is_public() && service.deleted_at.is_none());
        Ok(found.map(shown))
    }

    /// Whether visitors may read this service's name: they see it, or saw it until it was deleted.
    ///
    /// # Errors
    /// What the store says.
    pub fn may_name(&self, id: Id<Service>) -> Result<bool> {
        Ok(self.all().find(id)?.is_some_and(|service| service.is_public()))
    }

    /// The groups that hold a service visitors see, in their order.
    ///
    /// # Errors
    /// What the store says.
    pub fn groups(&self) -> Result<Vec<PublicGroup>> {
        let groups = super::group::list(&self.all(), |scan| scan)?.items;
        groups.into_iter().filter_map(|group| self.seen(group).transpose()).collect()
    }

    /// The group, if visitors see it.
    ///
    /// # Errors
    /// What the store says.
    pub fn group(&self, id: Id<Group>) -> Result<Option<PublicGroup>> {
        self.all().find(id)?.filter(|group: &Group| group.deleted_at.is_none()).map_or(Ok(None), |group| self.seen(group))
    }

    fn seen(&self, group: Group) -> Result<Option<PublicGroup>> {
        let holds = !self.all().scan(Service::BY_GROUP.of(group.id).limit(1))?.items.is_empty();
        Ok(holds.then_some(PublicGroup { id: group.id, name: group.name, position: group.position }))
    }

    /// The incident, if visitors see it.
    ///
    /// # Errors
    /// What the store says.
    pub fn incident(&self, id: Id<Incident>) -> Result<Option<PublicIncident>> {
        match self.all().find(id)?.filter(|incident: &Incident| incident.deleted_at.is_none()) {
            Some(incident) => self.publish(incident),
            None => Ok(None),
        }
    }

    /// Unresolved incidents that visitors see, the latest begun first.
    ///
    /// # Errors
    /// What the store says.
    pub fn active(&self) -> Result<Vec<PublicIncident>> {
        Ok(self.published(Which::Open, |_| true)?.0)
    }

    /// Incidents that ended since then, the latest ended first; and, where there are too many to tell of all, the end of the first one left out:
    /// of that time and before, nothing may be concluded.
    ///
    /// # Errors
    /// What the store says.
    pub fn closed_since(&self, since: Timestamp) -> Result<(Vec<PublicIncident>, Option<Timestamp>)> {
        let (found, left_out) = self.published(Which::Closed, |incident| incident.resolved_at.is_some_and(|over| over >= since))?;
        Ok((found, left_out.and_then(|incident| incident.resolved_at)))
    }

    /// Those that visitors see, while `holds`: filtered a page at a time, so that private ones do not push public ones off. And the first one that
    /// was left out, if any was.
    fn published(&self, which: Which, holds: impl Fn(&Incident) -> bool) -> Result<(Vec<PublicIncident>, Option<Incident>)> {
        let (mut found, mut looked_at, mut cursor) = (Vec::new(), 0, None);
        loop {
            let page = incident::list(&self.all(), which, |scan| scan.limit(HISTORY_MAX).after(cursor))?;
            for incident in page.items {
                if !holds(&incident) {
                    return Ok((found, None));
                }
                if found.len() >= HISTORY_MAX || looked_at >= LOOKED_AT_MAX {
                    return Ok((found, Some(incident)));
                }
                looked_at += 1;
                found.extend(self.publish(incident)?);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// The incidents that touch a service, the latest first, whether or not visitors see them.
    pub(super) fn touching(&self, service: Id<Service>) -> Result<Vec<Id<Incident>>> {
        let all = incident::list_of(&self.all(), service, |scan| scan.limit(HISTORY_MAX))?.items;
        Ok(all.into_iter().map(|incident| incident.id).collect())
    }

    /// The organization's first page; for tests.
    #[cfg(test)]
    pub(super) fn first_page(&self) -> Result<Id<Page>> {
        Ok(self.pages()?[0].id)
    }

    /// The pages of the organization.
    pub(super) fn pages(&self) -> Result<Vec<Page>> {
        Ok(self.all().scan(crate::store::Scan::all())?.items)
    }

    fn publish(&self, incident: Incident) -> Result<Option<PublicIncident>> {
        let all = self.all();
        let mut affected = Vec::new();
        for entry in &incident.affected {
            let may_be_told = incident.resolved_at.is_none() || incident.told.contains(&entry.service_id);
            let seen = all.find(entry.service_id)?.filter(|service: &Service| service.is_public() && may_be_told);
            if let Some(service) = seen {
                affected.push(PublicAffected { service_id: service.id, name: service.name, status: entry.status });
            }
        }
        let about_nothing_public = affected.is_empty() && !incident.affected.is_empty();
        let said = incident.updates.iter().rev().filter(|update| update.public);
        let updates: Vec<_> = said
            .map(|update| PublicUpdate {
                id: update.id,
                status: update.status,
                message: update.message.clone(),
                created_at: update.created_at,
            })
            .collect();
        let Some(first) = updates.last().filter(|_| !about_nothing_public) else { return Ok(None) };
        Ok(Some(PublicIncident {
            id: incident.id,
            title: incident.title,
            status: incident.status,
            impact: incident.impact_override.unwrap_or_else(|| Impact::derive(affected.iter().filter_map(|entry| entry.status))),
            started_at: if incident.updates.first().is_some_and(|update| update.public) { incident.started_at } else { first.created_at },
            affected,
            updates,
            resolved_at: incident.resolved_at,
        }))
    }

    fn all(&self) -> OrgView<'_, Read> {
        self.unfiltered()
    }
}

fn shown(service: Service) -> PublicService {
    let status = service.status();
    let Service { id, name, description, group_id, position, .. } = service;
    PublicService { id, name, description, status, group_id, position }
}
