//! The statements, built once from what the collections declare.
//!
//! Every name in them is one of ours or a collection's own, written in this program; what comes from outside is a parameter.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::super::document::{PartKind, Shape};
use crate::domain::Collection;

/// A column's name and type, and whether it is part of the sort key.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: PartKind,
}

/// An index that stands in columns.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) number: u8,
    pub(super) group: Vec<Column>,
    pub(super) sort: Vec<Column>,
    /// Scans: forwards and backwards, from the beginning and after a place.
    scans: [String; 4],
    count: String,
    /// Organizations in which the sort key has come; only where there is no group and the key is one number.
    pub(super) due: Option<String>,
}

/// A collection's table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) number: u16,
    /// Whose documents it holds.
    pub(super) collection: Collection,
    pub(super) keyed: Vec<Keyed>,
    /// The indexes of names.
    pub(super) names: Vec<u8>,
    pub(super) get: String,
    scans: [String; 4],
    count: String,
    pub(super) upsert: String,
    pub(super) delete: String,
    pub(super) erase: String,
    /// Everything, in the order of the keys, after one of them: for filing anew and for copies.
    pub(super) walk: String,
}

/// Every table by its collection's number.
#[derive(Debug)]
pub(super) struct Tables(HashMap<u16, Table>);

impl Tables {
    pub(super) fn of<'c>(collections: impl Iterator<Item = &'c Collection>) -> Self {
        Self(collections.map(|collection| (collection.number, Table::of(collection))).collect())
    }

    pub(super) fn get(&self, number: u16) -> Option<&Table> {
        self.0.get(&number)
    }

    /// In the order of their numbers.
    pub(super) fn sorted(&self) -> Vec<&Table> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|table| table.number);
        all
    }
}

/// The type of a column.
pub(super) fn sql_type(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Uuid => "uuid",
        PartKind::Int => "int8",
        // Byte order, as the keys of the other engine have it.
        PartKind::Text => "text",
    }
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// `$first, $first+1, …`, with the types that the parameters have.
fn parameters(columns: &[Column], first: usize) -> String {
    columns.iter().enumerate().map(|(at, column)| format!("${}::{}", first + at, sql_type(column.kind))).collect::<Vec<_>>().join(", ")
}

/// Which of a collection's four scans.
fn which(newest: bool, after: bool) -> usize {
    usize::from(newest) * 2 + usize::from(after)
}

impl Keyed {
    fn of(table: &str, number: u8, group: &[(&'static str, PartKind)], sort: &[(&'static str, PartKind)]) -> Self {
        // A number behind each: the same word may stand in several indexes, of which a document is in one alone.
        let column = |(name, kind): &(&'static str, PartKind)| Column { name: format!("{name}_{number}"), kind: *kind };
        let (group, sort): (Vec<_>, Vec<_>) = (group.iter().map(column).collect(), sort.iter().map(column).collect());
        let mut place = String::from("org_id = $1");
        for (at, column) in group.iter().enumerate() {
            let _ = write!(place, " and {} = ${}", column.name, at + 2);
        }
        // Spelled out, so that the partial index is seen to hold all that is asked for.
        if let Some(first) = group.first().or(sort.first()) {
            let _ = write!(place, " and {} is not null", first.name);
        }
        let key: Vec<Column> = sort.iter().cloned().chain([Column { name: "id".into(), kind: PartKind::Uuid }]).collect();
        let (next, limit) = (group.len() + 2, group.len() + 2);
        let selected = if sort.is_empty() { String::new() } else { format!(", {}", names(&sort)) };
        let scan = |newest: bool, after: bool| {
            let (order, sign) = if newest { (" desc", "<") } else { ("", ">") };
            let ordered = key.iter().map(|column| format!("{}{order}", column.name)).collect::<Vec<_>>().join(", ");
            let (bound, limit) = if after {
                (format!(" and ({}) {sign} ({})", names(&key), parameters(&key, next)), next + key.len())
            } else {
                (String::new(), limit)
            };
            format!("select id, doc::text{selected} from allclear.{table} where {place}{bound} order by {ordered} limit ${limit}::int8")
        };
        let due = match (group.as_slice(), sort.as_slice()) {
            ([], [Column { name, kind: PartKind::Int }]) => Some(format!(
                "select distinct org_id from allclear.{table} where {name} <= $1::int8 and org_id <> '00000000-0000-0000-0000-000000000000' \
                 order by org_id limit $2::int8"
            )),
            _ => None,
        };
        Self {
            number,
            scans: [scan(false, false), scan(false, true), scan(true, false), scan(true, true)],
            count: format!("select count(*) from (select from allclear.{table} where {place} limit ${limit}::int8) few"),
            due,
            group,
            sort,
        }
    }

    pub(super) fn scan(&self, newest: bool, after: bool) -> &str {
        &self.scans[which(newest, after)]
    }

    pub(super) fn counting(&self) -> &str {
        &self.count
    }

    /// Group and sort key, as they stand in the table.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.group.iter().chain(&self.sort)
    }
}

impl Table {
    fn of(collection: &Collection) -> Self {
        let name = collection.name;
        let (mut keyed, mut indexes) = (Vec::new(), Vec::new());
        for shape in (collection.shapes)() {
            match shape {
                Shape::Columns { number, group, sort } => keyed.push(Keyed::of(name, number, &group, &sort)),
                Shape::Names { number } => indexes.push(number),
            }
        }
        let scan = |newest: bool, after: bool| {
            let (order, sign) = if newest { (" desc", "<") } else { ("", ">") };
            let (bound, limit) = if after { (format!(" and id {sign} $2::uuid"), 3) } else { (String::new(), 2) };
            format!("select id, doc::text from allclear.{name} where org_id = $1{bound} order by id{order} limit ${limit}::int8")
        };
        let columns: Vec<&Column> = keyed.iter().flat_map(Keyed::columns).collect();
        let mut listed = String::new();
        let (mut arrays, mut updates) = (String::new(), String::new());
        for (at, column) in columns.iter().enumerate() {
            let _ = write!(listed, ", {}", column.name);
            let _ = write!(arrays, ", ${}::{}[]", at + 3, sql_type(column.kind));
            let _ = write!(updates, ", {0} = excluded.{0}", column.name);
        }
        let doc = columns.len() + 3;
        Self {
            name,
            number: collection.number,
            collection: *collection,
            get: format!("select doc::text from allclear.{name} where org_id = $1 and id = $2"),
            scans: [scan(false, false), scan(false, true), scan(true, false), scan(true, true)],
            count: format!("select count(*) from (select from allclear.{name} where org_id = $1 limit $2::int8) few"),
            upsert: format!(
                "insert into allclear.{name} (org_id, id{listed}, doc) select org_id, id{listed}, doc::jsonb \
                 from unnest($1::uuid[], $2::uuid[]{arrays}, ${doc}::text[]) as new (org_id, id{listed}, doc) \
                 on conflict (org_id, id) do update set doc = excluded.doc{updates}"
            ),
            delete: format!("delete from allclear.{name} where (org_id, id) in (select * from unnest($1::uuid[], $2::uuid[]))"),
            erase: format!(
                "delete from allclear.{name} where org_id = $1 and id in \
                 (select id from allclear.{name} where org_id = $1 order by id desc limit $2::int8)"
            ),
            walk: format!(
                "select org_id, id, doc::text from allclear.{name} where (org_id, id) > ($1, $2) order by org_id, id limit $3::int8"
            ),
            names: indexes,
            keyed,
        }
    }

    pub(super) fn scan(&self, newest: bool, after: bool) -> &str {
        &self.scans[which(newest, after)]
    }

    pub(super) fn counting(&self) -> &str {
        &self.count
    }

    pub(super) fn index(&self, number: u8) -> Option<&Keyed> {
        self.keyed.iter().find(|index| index.number == number)
    }
}

/// Takes the right to write to an organization, and tells how far its log is and which schema the database has. Who waits here sees, in the
/// statements that follow, all that the one before has committed.
pub(super) const LOCK: &str =
    "select seq, (select value from allclear.meta where name = 'schema') from allclear.heads where log = $1 for update";

pub(super) const HEAD: &str = "select seq from allclear.heads where log = $1";

pub(super) const LOG: [&str; 2] = [
    "select seq, doc::text from allclear.log where log = $1 and seq >= $2 and seq <= $3 order by seq limit $4::int8",
    "select seq, doc::text from allclear.log where log = $1 and seq >= $2 and seq <= $3 order by seq desc limit $4::int8",
];

pub(super) const SERVICE_LOG: [&str; 2] = [
    "select seq, doc::text from allclear.touches join allclear.log using (seq) where org_id = $1 and list = $2 and log = $1 \
     and seq >= $3 and seq <= $4 order by seq limit $5::int8",
    "select seq, doc::text from allclear.touches join allclear.log using (seq) where org_id = $1 and list = $2 and log = $1 \
     and seq >= $3 and seq <= $4 order by seq desc limit $5::int8",
];

/// The newest of one list below a number, and which of them stand in all the others as well. How many are looked at is bounded, not how many
/// are found.
pub(super) const COMMON_LOG: &str = "select seq, case when not exists (select from unnest($3::uuid[]) as other (list) where not exists \
     (select from allclear.touches t where t.org_id = $1 and t.list = other.list and t.seq = looked.seq)) \
     then (select doc::text from allclear.log where log = $1 and log.seq = looked.seq) end \
     from (select seq from allclear.touches where org_id = $1 and list = $2 and seq <= $4 order by seq desc limit $5::int8) looked \
     order by seq desc";

pub(super) const NAMES: &str = "select text, id from allclear.names where org_id = $1 and collection = $2 and index = $3 and rank = $4 \
     and text >= $5 and text < $5 || U&'\\+10FFFF' and starts_with(text, $5) order by text, id limit $6::int8";

pub(super) const NAMES_AFTER: &str = "select text, id from allclear.names where org_id = $1 and collection = $2 and index = $3 and rank = $4 \
     and text >= $5 and text < $5 || U&'\\+10FFFF' and starts_with(text, $5) and (text, id) > ($6, $7) order by text, id limit $8::int8";

pub(super) const APPEND: &str = "insert into allclear.log (log, seq, doc, services) select log, seq, doc::json, services::uuid[] \
     from unnest($1::uuid[], $2::int8[], $3::text[], $4::text[]) as new (log, seq, doc, services)";

pub(super) const TOUCH: &str = "insert into allclear.touches (org_id, list, seq) select * from unnest($1::uuid[], $2::uuid[], $3::int8[]) \
     on conflict do nothing";

pub(super) const ADVANCE: &str = "insert into allclear.heads (log, page, seq, changed) select log, page, seq, pg_current_xact_id() \
     from unnest($1::uuid[], $2::bool[], $3::int8[]) as new (log, page, seq) \
     on conflict (log) do update set seq = excluded.seq, changed = excluded.changed";

pub(super) const FORGET_SIGNALS: &str = "delete from allclear.log where log = '00000000-0000-0000-0000-000000000000' and seq <= $1";

pub(super) const UNNAME: &str = "delete from allclear.names where (org_id, collection, id) in \
     (select * from unnest($1::uuid[], $2::int2[], $3::uuid[]))";

pub(super) const NAME: &str = "insert into allclear.names (org_id, collection, index, rank, text, id) \
     select * from unnest($1::uuid[], $2::int2[], $3::int2[], $4::int8[], $5::text[], $6::uuid[]) on conflict do nothing";

/// What changed since an earlier look, and from where on to look the next time.
///
/// What commits after this statement's snapshot was taken has a transaction id that is not below the snapshot's xmin, so the next look lists it.
/// A transaction that takes long only makes the list longer, and what is listed again is known by its number.
pub(super) const POLL: &str = "select pg_snapshot_xmin(pg_current_snapshot())::text, log, page, seq \
     from (select) one left join allclear.heads on changed >= $1::text::xid8";

/// Where every log stands now.
pub(super) const HEADS: &str =
    "select pg_snapshot_xmin(pg_current_snapshot())::text, log, page, seq from (select) one left join allclear.heads on true";

/// Entries of several logs, each after a number, so many at most of each.
pub(super) const NEWS: &str = "select wanted.log, entry.seq, entry.doc::text, entry.services \
     from unnest($1::uuid[], $2::int8[]) with ordinality as wanted (log, seen, place), \
     lateral (select seq, doc, services from allclear.log where log.log = wanted.log and log.seq > wanted.seen order by log.seq limit $3::int8) entry \
     order by wanted.place, entry.seq";
