//! Lists in pages, by cursor, also across all organizations of a caller.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem_openapi::registry::MetaSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::query::{Parameter, Query};
use crate::access::{Permission, Read};
use crate::app::{App, Caller};
use crate::domain::account;
use crate::domain::organization::{self, OrgId};
use crate::domain::user::User;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::store::{Cursor, Document, OrgView, Page, Reads, Scan};

/// The most entries of one page.
const LIMIT_MAX: usize = 200;
/// The entries of a page when nothing is said.
const LIMIT: usize = 50;

/// How many entries at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(usize);

impl Parameter for Limit {
    const EXPECTED: &'static str = "must be an integer from 1 to 200";

    fn schema() -> MetaSchema {
        MetaSchema {
            minimum: Some(1.0),
            maximum: Some(LIMIT_MAX as f64),
            default: Some(LIMIT.into()),
            ..MetaSchema::new_with_format("integer", "int32")
        }
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).map(Self)
    }
}

impl Query<Limit> {
    /// The number asked for, else the usual one.
    pub fn limit(self) -> usize {
        self.0.map_or(LIMIT, |limit| limit.0)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Where the next page starts; `None` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// Turns each entry into something else; the place stays.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Listing<U> {
        Listing { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

/// One page of a list that is held whole, since it is short: in the order of `place`, which no two entries share and no entry changes.
///
/// # Errors
/// `Invalid`, under `cursor`.
pub fn cut<T, P: Ord + Serialize + DeserializeOwned>(
    mut entries: Vec<T>,
    limit: Query<Limit>,
    cursor: &Query<String>,
    place: impl Fn(&T) -> P,
) -> Result<Listing<T>> {
    let after = cursor.text().map(open::<P>).transpose()?;
    entries.sort_by_key(&place);
    let mut data: Vec<T> = entries.into_iter().filter(|entry| after.as_ref().is_none_or(|after| place(entry) > *after)).collect();
    let limit = limit.limit();
    let more = data.len() > limit;
    data.truncate(limit);
    let next_cursor = data.last().filter(|_| more).map(|last| seal(&place(last))).transpose()?;
    Ok(Listing { data, next_cursor })
}

/// A place in a list that may run through several organizations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// In which organization to go on.
    #[serde(rename = "o")]
    pub org: OrgId,
    /// After which of its entries; `None` = from its first.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<Cursor>,
}

/// A cursor as clients get it: opaque, safe in an address.
///
/// # Errors
/// `Internal` if the place can't be written as JSON.
pub fn seal(place: &impl Serialize) -> Result<String> {
    serde_json::to_vec(place).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(Error::internal)
}

/// A cursor as clients give it back.
///
/// # Errors
/// `Invalid`, under `cursor`.
pub fn open<T: DeserializeOwned>(cursor: &str) -> Result<T> {
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| not_ours())?;
    serde_json::from_slice(&json).map_err(|_| not_ours())
}

fn not_ours() -> Error {
    Error::invalid("cursor", "must be a next_cursor from an earlier answer")
}

/// Which page of which organizations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    organization: Option<OrgId>,
    limit: usize,
    after: Option<Place>,
    suspended: bool,
}

impl Ask {
    /// What the parameters ask for; `organization` is the one that the path or the query names.
    ///
    /// # Errors
    /// `Invalid`, under `cursor`.
    pub fn new(organization: Option<OrgId>, limit: Query<Limit>, cursor: &Query<String>) -> Result<Self> {
        Ok(Self { organization, limit: limit.limit(), after: cursor.text().map(open).transpose()?, suspended: false })
    }

    /// Also of organizations that are suspended: for what their members may still know of them.
    pub fn and_suspended(self) -> Self {
        Self { suspended: true, ..self }
    }

    /// Whether to look into an organization of the caller's, who is this user.
    fn enters(&self, view: &OrgView<'_, Read>, user: Id<User>) -> Result<bool> {
        if self.suspended {
            return Ok(true);
        }
        match organization::role_of(view, user) {
            Ok(_) => Ok(true),
            // Asked for by itself it is refused; among others it is left out.
            Err(Error::Forbidden(why)) if self.organization == Some(view.org()) => Err(Error::Forbidden(why)),
            Err(Error::Forbidden(_) | Error::NotFound) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The organizations among `mine` that are asked for, from the one where this page starts, and where in it.
    fn start(&self, mine: Vec<OrgId>) -> Result<(Vec<OrgId>, Option<Cursor>)> {
        let mut wanted: Vec<OrgId> = mine.into_iter().filter(|org| self.organization.is_none_or(|asked| asked == *org)).collect();
        if self.organization.is_some() && wanted.is_empty() {
            return Err(Error::NotFound);
        }
        let Some(place) = &self.after else { return Ok((wanted, None)) };
        let at = wanted.iter().position(|org| *org == place.org).ok_or_else(not_ours)?;
        Ok((wanted.split_off(at), place.inner.clone()))
    }
}

/// What part of one organization's list to read.
#[derive(Debug, Clone)]
pub struct Slice {
    limit: usize,
    after: Option<Cursor>,
}

impl Slice {
    /// Bounds a scan.
    pub fn of<D: Document>(self, scan: Scan<D>) -> Scan<D> {
        scan.limit(self.limit).after(self.after)
    }

    /// How many entries at most, and after which one.
    pub fn bounds(self) -> (usize, Option<Cursor>) {
        (self.limit, self.after)
    }
}

/// Reads a page of what those members of one organization see who may do what `P` says.
///
/// # Errors
/// As [`App::read`]; `Invalid` for a cursor of another list; what `list` says.
pub async fn read<P: Permission, T: Send + 'static>(
    app: &App,
    caller: &Caller,
    org: OrgId,
    ask: Ask,
    list: impl FnOnce(&OrgView<'_, P>, Slice) -> Result<Page<T>> + Send + 'static,
) -> Result<Listing<T>> {
    let (_, after) = ask.start(vec![org])?;
    let slice = Slice { limit: ask.limit, after };
    let page = app.read(caller.actor(), org, move |view: &OrgView<'_, P>| list(view, slice)).await?;
    let next_cursor = page.next.map(|inner| seal(&Place { org, inner: Some(inner) })).transpose()?;
    Ok(Listing { data: page.items, next_cursor })
}

/// Reads a page: of one organization, or of all of the caller's, one after the other in the order in which they were joined.
///
/// # Errors
/// `NotFound` for an organization that is not the caller's; `Invalid` for a cursor of another list; what `list` says.
pub async fn walk<T: Send + 'static>(
    app: &App,
    caller: &Caller,
    ask: Ask,
    list: impl Fn(&OrgView<'_, Read>, Slice) -> Result<Page<T>> + Send + 'static,
) -> Result<Listing<T>> {
    let user = caller.user.id;
    // One snapshot for all of it, memberships included: what is listed is what the caller may see at one moment.
    app.system_read(move |view| {
        let mut mine = Vec::new();
        for membership in account::memberships(view, user)? {
            if ask.enters(&view.enter::<Read>(membership.org_id), user)? {
                mine.push(membership.org_id);
            }
        }
        let (orgs, after) = ask.start(mine)?;
        through(&orgs, after, ask.limit, |org, slice| list(&view.enter::<Read>(org), slice))
    })
    .await
}

fn through<T>(
    orgs: &[OrgId],
    mut after: Option<Cursor>,
    limit: usize,
    list: impl Fn(OrgId, Slice) -> Result<Page<T>>,
) -> Result<Listing<T>> {
    let mut data = Vec::new();
    for &org in orgs {
        let left = limit - data.len();
        // When the page is full, one entry more tells whether there is a next one to point at.
        let page = list(org, Slice { limit: left.max(1), after: after.take() })?;
        let next = match (left, page.items.is_empty()) {
            (0, true) => continue,
            (0, false) => Some(Place { org, inner: None }),
            _ => {
                data.extend(page.items);
                page.next.map(|cursor| Place { org, inner: Some(cursor) })
            }
        };
        if let Some(place) = next {
            return Ok(Listing { data, next_cursor: Some(seal(&place)?) });
        }
    }
    Ok(Listing { data, next_cursor: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::organization::Organization;

    const ORGS: [OrgId; 4] = [Id::<Organization>::from_u128(1), Id::from_u128(2), Id::from_u128(3), Id::from_u128(4)];

    fn cursor(at: usize) -> Cursor {
        serde_json::from_value(serde_json::json!({ "i": uuid::Uuid::from_u128(at as u128) })).unwrap()
    }

    /// Organization 1 has three entries, 2 none, 3 two, 4 one.
    fn list(org: OrgId, slice: Slice) -> Result<Page<u32>> {
        let all: Vec<u32> = match ORGS.iter().position(|known| *known == org) {
            Some(0) => vec![10, 11, 12],
            Some(2) => vec![30, 31],
            Some(3) => vec![40],
            _ => Vec::new(),
        };
        let from = slice.after.map_or(0, |after| (0..3).find(|at| cursor(*at) == after).unwrap() + 1);
        let items: Vec<u32> = all.iter().copied().skip(from).take(slice.limit).collect();
        let end = from + items.len();
        Ok(Page { items, next: (end < all.len()).then(|| cursor(end - 1)) })
    }

    fn ask(organization: Option<OrgId>, limit: usize, after: Option<&str>) -> Result<Listing<u32>> {
        let ask = Ask::new(organization, Query(Some(Limit(limit))), &Query(after.map(str::to_owned)))?;
        let (orgs, after) = ask.start(ORGS.to_vec())?;
        through(&orgs, after, ask.limit, list)
    }

    #[test]
    fn whatever_the_limit_each_entry_comes_once_and_the_last_page_says_so() {
        for limit in 1..=7 {
            let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = ask(None, limit, cursor.as_deref()).unwrap();
                assert!((1..=limit).contains(&page.data.len()), "a page of {} with limit {limit}", page.data.len());
                seen.extend(page.data);
                cursor = page.next_cursor;
                pages += 1;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, [10, 11, 12, 30, 31, 40], "limit {limit}");
            assert_eq!(pages, 6_usize.div_ceil(limit), "limit {limit}");
        }
    }

    #[test]
    fn one_organization_alone() {
        let first = ask(Some(ORGS[2]), 1, None).unwrap();
        assert_eq!(first.data, [30]);
        let second = ask(Some(ORGS[2]), 1, first.next_cursor.as_deref()).unwrap();
        assert_eq!((second.data, second.next_cursor), (vec![31], None));
        assert_eq!(ask(Some(Id::from_u128(9)), 1, None), Err(Error::NotFound));
        assert_eq!(ask(Some(ORGS[1]), 5, None).unwrap(), Listing { data: Vec::new(), next_cursor: None });
    }

    #[test]
    fn a_cursor_of_elsewhere_is_refused() {
        let other = ask(Some(ORGS[2]), 1, None).unwrap().next_cursor;
        assert_eq!(ask(Some(ORGS[0]), 1, other.as_deref()), Err(not_ours()));
        for bad in ["x", "e30", "!!", "bnVsbA"] {
            assert_eq!(ask(None, 1, Some(bad)), Err(not_ours()), "{bad}");
        }
    }

    #[test]
    fn a_limit_is_1_to_200() {
        assert_eq!((Limit::parse("1"), Limit::parse("200")), (Some(Limit(1)), Some(Limit(200))));
        for bad in ["0", "201", "-1", "1.5", "ten", "99999999999999999999"] {
            assert_eq!(Limit::parse(bad), None, "{bad}");
        }
        assert_eq!(Query::<Limit>(None).limit(), 50);
    }
}
