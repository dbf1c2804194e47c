//! Transactions and views: the only way from the domain to the store.

use std::marker::PhantomData;

use uuid::Uuid;

use super::base::{Base, Listed, LogKind, LogRange, RowQuery, Scope};
use super::document::{Document, Index, OrgDocument, Part, SystemDocument, decode};
use super::names::Names;
use super::scan::{Cursor, Page, Scan};
use super::writes::WriteSet;
use super::{LogEntry, Signal};
use crate::access::{ActorRef, Covers, Permission, Read};
use crate::clock::Timestamp;
use crate::domain::organization::OrgId;
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::id::{Id, IdSource};

/// What is committed with a command's own writes over it, for one scope.
#[derive(Clone, Copy)]
struct Source<'a> {
    base: Base<'a>,
    writes: &'a WriteSet,
    scope: Scope,
}

impl Source<'_> {
    fn find<D: Document>(self, id: Id<D>) -> Result<Option<D>> {
        match self.writes.row(self.scope, D::NUMBER, id.uuid()) {
            Some(own) => own.map(|row| decode(&row.doc)).transpose(),
            None => self.base.get(self.scope, D::NUMBER, id.uuid())?.map(|doc| decode(&doc)).transpose(),
        }
    }

    /// Asks for as many rows more as the overlay may hide, then lays the overlay over them: no merging iterators, one code for every engine.
    fn scan<D: Document>(self, scan: Scan<D>) -> Result<Page<D>> {
        let own: Vec<_> = self.writes.collection(self.scope, D::NUMBER).collect();
        let query = RowQuery {
            scope: self.scope,
            collection: D::NUMBER,
            index: scan.index.as_ref().map(|(index, group)| (index.number(), group.clone())),
            newest: scan.newest,
            after: scan.after.clone(),
            limit: scan.limit.saturating_add(1).saturating_add(own.len()),
        };
        let place = |document: &D| -> Option<Cursor> {
            let id = document.id().uuid();
            match &scan.index {
                None => Some(Cursor { sort: Vec::new(), id }),
                Some((index, group)) => {
                    let filed = index.file(document).into_iter().find(|filed| filed.group == *group)?;
                    Some(Cursor { sort: filed.sort, id })
                }
            }
        };
        let mut found = Vec::new();
        for (id, doc) in self.base.scan(&query)? {
            if own.iter().all(|(shadowed, _)| *shadowed != id) {
                found.push(decode::<D>(&doc)?);
            }
        }
        for row in own.iter().filter_map(|(_, row)| *row) {
            found.push(decode::<D>(&row.doc)?);
        }
        let mut placed: Vec<(Cursor, D)> = found.into_iter().filter_map(|document| Some((place(&document)?, document))).collect();
        let order = |a: &Cursor, b: &Cursor| {
            let forward = (&a.sort, a.id).cmp(&(&b.sort, b.id));
            if scan.newest { forward.reverse() } else { forward }
        };
        if let Some(after) = &scan.after {
            placed.retain(|(at, _)| order(at, after).is_gt());
        }
        if !own.is_empty() {
            placed.sort_by(|(a, _), (b, _)| order(a, b));
        }
        let more = placed.len() > scan.limit;
        placed.truncate(scan.limit);
        let next = if more { placed.last().map(|(at, _)| at.clone()) } else { None };
        Ok(Page { items: placed.into_iter().map(|(_, document)| document).collect(), next })
    }
}

impl Source<'_> {
    /// Looks at keys alone, unless the overlay has something to say.
    fn count<D: Document>(self, scan: Scan<D>) -> Result<usize> {
        if self.writes.collection(self.scope, D::NUMBER).next().is_some() {
            return Ok(self.scan(scan)?.items.len());
        }
        self.base.count(&RowQuery {
            scope: self.scope,
            collection: D::NUMBER,
            index: scan.index.as_ref().map(|(index, group)| (index.number(), group.clone())),
            newest: scan.newest,
            after: scan.after,
            limit: scan.limit,
        })
    }
}

/// Reading one organization's documents: what transactions and members' views have in common.
pub trait Reads {
    /// The organization.
    fn org(&self) -> OrgId;
    /// The time of this transaction or view, read once.
    fn now(&self) -> Timestamp;
    /// The document, if the organization has it.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    fn find<D: OrgDocument>(&self, id: Id<D>) -> Result<Option<D>>;
    /// Documents in order.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    fn scan<D: OrgDocument>(&self, scan: Scan<D>) -> Result<Page<D>>;
    /// How many documents a scan would find, up to its limit: quicker than to read them.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    fn count<D: OrgDocument>(&self, scan: Scan<D>) -> Result<usize>;
    /// The document.
    ///
    /// # Errors
    /// `NotFound` when the organization has no such document.
    fn get<D: OrgDocument>(&self, id: Id<D>) -> Result<D> {
        self.find(id)?.ok_or(Error::NotFound)
    }
}

/// One organization inside a command that may do what `P` says.
///
/// Every key starts with the organization, so that another tenant's row can't be spelled. An operation names what it needs, and can't be
/// called with less:
///
/// ```
/// use allclear::access::{Edit, Respond};
/// use allclear::store::OrgTx;
/// fn opens_an_incident(_: &mut OrgTx<'_, Respond>) {}
/// fn creates_a_service(tx: &mut OrgTx<'_, Edit>) {
///     opens_an_incident(&mut tx.lower());
/// }
/// ```
/// The same the other way round does not compile, since a responder is no editor:
/// ```compile_fail,E0277
/// use allclear::access::{Edit, Respond};
/// use allclear::store::OrgTx;
/// fn creates_a_service(_: &mut OrgTx<'_, Edit>) {}
/// fn opens_an_incident(tx: &mut OrgTx<'_, Respond>) {
///     creates_a_service(&mut tx.lower());
/// }
/// ```
pub struct OrgTx<'a, P> {
    base: Base<'a>,
    writes: &'a mut WriteSet,
    org: OrgId,
    context: Context<'a>,
    permission: PhantomData<fn() -> P>,
}

/// What a transaction is told from outside: the time, who asks, where ids come from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    pub(crate) actor: &'a ActorRef,
    pub(crate) ids: &'a IdSource,
}

impl<'a, P> OrgTx<'a, P> {
    /// Only `App` makes one, after it has read the actor's role.
    pub(crate) fn new(base: Base<'a>, writes: &'a mut WriteSet, org: OrgId, context: Context<'a>) -> Self {
        Self { base, writes, org, context, permission: PhantomData }
    }

    /// Who asks, as events and updates name them.
    pub fn actor(&self) -> &ActorRef {
        self.context.actor
    }

    /// The same transaction with less permission, for calling an operation that needs less.
    pub fn lower<Q: Permission>(&mut self) -> OrgTx<'_, Q>
    where
        P: Covers<Q>,
    {
        OrgTx::new(self.base, self.writes, self.org, self.context)
    }

    /// Writes a document.
    ///
    /// # Errors
    /// `Internal` if it can't be encoded.
    pub fn put<D: OrgDocument>(&mut self, document: &D) -> Result<()> {
        self.writes.put(Scope(self.org.uuid()), document)
    }

    /// Deletes a document, if it is there.
    pub fn delete<D: OrgDocument>(&mut self, id: Id<D>) {
        self.writes.delete::<D>(Scope(self.org.uuid()), id.uuid());
    }

    /// A new id.
    pub fn new_id<K>(&self) -> Id<K> {
        self.context.ids.next(self.context.now)
    }

    /// What this transaction sees now, its own writes included.
    pub fn view<Q>(&self) -> OrgView<'_, Q> {
        OrgView::new(self.base, self.writes, self.org, self.context.now)
    }

    /// Who somebody is, by the account that they have in the instance.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    pub fn user(&self, id: Id<User>) -> Result<Option<User>> {
        Source { base: self.base, writes: self.writes, scope: Scope::SYSTEM }.find(id)
    }

    /// The last number of a log, with this transaction's own entries.
    pub(crate) fn head(&self, log: LogKind) -> Result<u64> {
        match self.writes.head(log) {
            Some(own) => Ok(own),
            None => self.base.head(log),
        }
    }

    pub(crate) fn append(&mut self, entry: LogEntry) {
        self.writes.append(entry);
    }

    /// The organization as it was before the writes in `writes` that came after `earlier`.
    pub(crate) fn before<'b, Q>(&'b self, earlier: &'b WriteSet) -> OrgView<'b, Q> {
        OrgView::new(self.base, earlier, self.org, self.context.now)
    }
}

impl<P> Reads for OrgTx<'_, P> {
    fn org(&self) -> OrgId {
        self.org
    }
    fn now(&self) -> Timestamp {
        self.context.now
    }
    fn find<D: OrgDocument>(&self, id: Id<D>) -> Result<Option<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.find(id)
    }
    fn scan<D: OrgDocument>(&self, scan: Scan<D>) -> Result<Page<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.scan(scan)
    }
    fn count<D: OrgDocument>(&self, scan: Scan<D>) -> Result<usize> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.count(scan)
    }
}

/// One organization as it stood at one moment, for someone who may see what `P` says.
///
/// A view for [`Public`](crate::domain::public::Public) does not implement [`Reads`]: it hands out only what visitors may see.
pub struct OrgView<'a, P> {
    base: Base<'a>,
    writes: &'a WriteSet,
    org: OrgId,
    now: Timestamp,
    permission: PhantomData<fn() -> P>,
}

impl<'a, P> OrgView<'a, P> {
    pub(crate) fn new(base: Base<'a>, writes: &'a WriteSet, org: OrgId, now: Timestamp) -> Self {
        Self { base, writes, org, now, permission: PhantomData }
    }

    /// Everything, behind the filter: for `domain::public` alone, which *is* the filter.
    pub(crate) fn unfiltered(&self) -> OrgView<'a, Read> {
        OrgView::new(self.base, self.writes, self.org, self.now)
    }

    /// Entries of the organization's log, or of one of its services, with their numbers.
    pub(crate) fn log(&self, service: Option<Uuid>, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        match service {
            None => self.base.log(LogKind::Org(self.org.uuid()), range),
            Some(service) => self.base.service_log(self.org.uuid(), service, range),
        }
    }

    /// Entries of the organization's log that stand in each of these lists, newest first, and below which number to go on.
    pub(crate) fn common_log(&self, lists: &[Uuid], before: u64, limit: usize) -> Result<Listed> {
        self.base.common_log(self.org.uuid(), lists, before, limit)
    }

    /// Entries of a page's public log. The page must be the organization's; callers hold its document.
    pub(crate) fn page_log(&self, page: Uuid, range: LogRange) -> Result<Vec<(u64, Vec<u8>)>> {
        self.base.log(LogKind::Page(page), range)
    }

    /// The last number of a log.
    pub(crate) fn head(&self, log: LogKind) -> Result<u64> {
        match self.writes.head(log) {
            Some(own) => Ok(own),
            None => self.base.head(log),
        }
    }
}

impl<P: Permission> OrgView<'_, P> {
    /// The session, if it was not ended.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    pub(crate) fn session(&self, id: Id<Session>) -> Result<Option<Session>> {
        Source { base: self.base, writes: self.writes, scope: Scope::SYSTEM }.find(id)
    }

    /// Who somebody is, by the account that they have in the instance. Ask for members alone: what else an account says is nobody's business here.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    pub fn user(&self, id: Id<User>) -> Result<Option<User>> {
        Source { base: self.base, writes: self.writes, scope: Scope::SYSTEM }.find(id)
    }
}

impl<P: Permission> OrgView<'_, P> {
    /// Places in an index of names where a text begins so, those of names that begin so first. A document may have several. Of what is
    /// committed: a view inside of a transaction does not find what that transaction named.
    pub(crate) fn names<D: OrgDocument>(
        &self,
        names: &Names<D>,
        beginning: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<Cursor>> {
        let mut found = Vec::new();
        for rank in Names::<D>::RANKS {
            let after = match after.map(|after| (after.sort.as_slice(), after.id)) {
                Some(([Part::Int(other), _], _)) if *other > rank => continue,
                Some(([Part::Int(same), text @ Part::Text(_)], id)) if *same == rank => Some(Cursor { sort: vec![text.clone()], id }),
                _ => None,
            };
            let query = RowQuery {
                scope: Scope(self.org.uuid()),
                collection: D::NUMBER,
                index: Some((names.number, vec![Part::Int(rank)])),
                newest: false,
                after,
                limit: limit.saturating_sub(found.len()),
            };
            let places = self.base.names(&query, beginning)?.into_iter();
            found.extend(places.map(|place| Cursor { sort: [vec![Part::Int(rank)], place.sort].concat(), id: place.id }));
        }
        Ok(found)
    }
}

impl<P: Permission> Reads for OrgView<'_, P> {
    fn org(&self) -> OrgId {
        self.org
    }
    fn now(&self) -> Timestamp {
        self.now
    }
    fn find<D: OrgDocument>(&self, id: Id<D>) -> Result<Option<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.find(id)
    }
    fn scan<D: OrgDocument>(&self, scan: Scan<D>) -> Result<Page<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.scan(scan)
    }
    fn count<D: OrgDocument>(&self, scan: Scan<D>) -> Result<usize> {
        Source { base: self.base, writes: self.writes, scope: Scope(self.org.uuid()) }.count(scan)
    }
}

/// What belongs to no organization, inside a command. Locked before any organization.
pub struct SystemTx<'a> {
    base: Base<'a>,
    writes: &'a mut WriteSet,
    context: Context<'a>,
}

impl<'a> SystemTx<'a> {
    pub(crate) fn new(base: Base<'a>, writes: &'a mut WriteSet, context: Context<'a>) -> Self {
        Self { base, writes, context }
    }

    /// The time of this transaction.
    pub fn now(&self) -> Timestamp {
        self.context.now
    }

    /// A new id.
    pub fn new_id<K>(&self) -> Id<K> {
        self.context.ids.next(self.context.now)
    }

    /// What this transaction sees now, its own writes included.
    pub fn view(&self) -> SystemView<'_> {
        SystemView::new(self.base, self.writes, self.context.now)
    }

    /// The document, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    pub fn find<D: SystemDocument>(&self, id: Id<D>) -> Result<Option<D>> {
        self.view().find(id)
    }

    /// Documents in order.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn scan<D: SystemDocument>(&self, scan: Scan<D>) -> Result<Page<D>> {
        self.view().scan(scan)
    }

    /// Writes a document.
    ///
    /// # Errors
    /// `Internal` if it can't be encoded.
    pub fn put<D: SystemDocument>(&mut self, document: &D) -> Result<()> {
        self.writes.put(Scope::SYSTEM, document)
    }

    /// Deletes a document, if it is there.
    pub fn delete<D: SystemDocument>(&mut self, id: Id<D>) {
        self.writes.delete::<D>(Scope::SYSTEM, id.uuid());
    }

    /// Tells open connections something once this is durable.
    pub fn signal(&mut self, signal: Signal) {
        self.writes.signal(signal);
    }

    /// The writes so far: what an organization's change is compared with.
    pub(crate) fn writes_so_far(&self) -> WriteSet {
        self.writes.clone()
    }

    /// An organization inside the same transaction.
    pub(crate) fn enter<P: Permission>(&mut self, org: OrgId) -> OrgTx<'_, P> {
        self.base.lock(Scope(org.uuid()));
        OrgTx::new(self.base, self.writes, org, self.context)
    }

    /// The same transaction with an organization beside.
    pub(crate) fn wide<P: Permission>(&mut self, org: OrgId) -> WideTx<'_, P> {
        self.base.lock(Scope(org.uuid()));
        WideTx::new(SystemTx::new(self.base, self.writes, self.context), org)
    }
}

/// One organization together with what belongs to none, in one transaction: for changes that touch both, such as who belongs where.
///
/// As with [`OrgTx`], an operation names what it needs; the actor's role was read before it is called.
pub struct WideTx<'a, P> {
    system: SystemTx<'a>,
    org: OrgId,
    permission: PhantomData<fn() -> P>,
}

impl<'a, P: Permission> WideTx<'a, P> {
    /// Only `App` makes one, after it has read the actor's role.
    pub(crate) fn new(system: SystemTx<'a>, org: OrgId) -> Self {
        Self { system, org, permission: PhantomData }
    }

    /// The organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The time of this transaction.
    pub fn now(&self) -> Timestamp {
        self.system.now()
    }

    /// Who asks.
    pub fn actor(&self) -> &ActorRef {
        self.system.context.actor
    }

    /// What belongs to no organization.
    pub fn system(&mut self) -> &mut SystemTx<'a> {
        &mut self.system
    }

    /// The organization inside the same transaction.
    pub fn inside(&mut self) -> OrgTx<'_, P> {
        self.system.enter(self.org)
    }
}

/// What belongs to no organization, as it stood at one moment.
pub struct SystemView<'a> {
    base: Base<'a>,
    writes: &'a WriteSet,
    now: Timestamp,
}

impl<'a> SystemView<'a> {
    pub(crate) fn new(base: Base<'a>, writes: &'a WriteSet, now: Timestamp) -> Self {
        Self { base, writes, now }
    }

    /// The time of this view.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The document, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the store fails.
    pub fn find<D: SystemDocument>(&self, id: Id<D>) -> Result<Option<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope::SYSTEM }.find(id)
    }

    /// Documents in order.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn scan<D: SystemDocument>(&self, scan: Scan<D>) -> Result<Page<D>> {
        Source { base: self.base, writes: self.writes, scope: Scope::SYSTEM }.scan(scan)
    }

    /// Organizations in which the first document of an index is of that time or earlier, in the order of their ids: where the clock has
    /// something to do, found without a visit to those where it has not. Of what is committed.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn due<D: OrgDocument>(&self, index: &Index<D, (), Timestamp>, until: Timestamp, limit: usize) -> Result<Vec<OrgId>> {
        let found = self.base.due(D::NUMBER, index.number, until.millis(), limit)?;
        Ok(found.into_iter().map(Id::from_uuid).collect())
    }

    /// An organization at the same moment.
    pub(crate) fn enter<P>(&self, org: OrgId) -> OrgView<'a, P> {
        OrgView::new(self.base, self.writes, org, self.now)
    }
}
