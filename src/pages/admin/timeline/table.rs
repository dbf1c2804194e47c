//! The timeline as CSV (RFC 4180), safe to open in a spreadsheet.

use csv::{Terminator, WriterBuilder};

use crate::api::dto::TimelineEntry;
use crate::error::{Error, Result};

const COLUMNS: [&str; 11] =
    ["seq", "id", "at", "type", "actor_kind", "actor_id", "actor_name", "subject_kind", "subject_id", "subject_name", "data"];

/// The first line.
///
/// # Errors
/// `Internal` if it can't be written.
pub(super) fn head() -> Result<Vec<u8>> {
    lines([COLUMNS.map(str::to_owned)])
}

/// A line for each entry.
///
/// # Errors
/// `Internal` if they can't be written.
pub(super) fn rows(entries: &[TimelineEntry]) -> Result<Vec<u8>> {
    lines(entries.iter().map(row).collect::<Result<Vec<_>>>()?)
}

fn row(entry: &TimelineEntry) -> Result<[String; 11]> {
    let data = serde_json::to_string(&entry.data).map_err(Error::internal)?;
    let (actor, subject) = (&entry.actor, &entry.subject);
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        entry.seq.to_string(),
        entry.id.clone(),
        entry.at.to_string(),
        entry.kind.clone(),
        actor.kind.clone(),
        or_empty(&actor.id.0),
        actor.name.clone(),
        subject.kind.clone(),
        subject.id.clone(),
        or_empty(&subject.name.0),
        data,
    ];
    Ok(cells.map(harmless))
}

/// A cell that no spreadsheet takes for a formula (OWASP, CSV injection): one that begins like it gets an apostrophe in front. The wide forms of
/// the signs are formulas too where people write in them.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) { format!("'{cell}") } else { cell }
}

fn lines(rows: impl IntoIterator<Item = [String; 11]>) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &str) -> TimelineEntry {
        serde_json::from_value(json!({
            "id": "k3:7", "seq": 7, "type": "service.updated", "at": "2026-03-01T12:00:00.000Z",
            "actor": { "kind": "system", "id": null, "name": name },
            "subject": { "kind": "service", "id": "svc_1", "name": name },
            "data": { "before": {}, "after": { "name": name } },
        }))
        .unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_row_reads_back_as_it_was() {
        for name in ["API", "a, \"b\"", "two\r\nlines", "שירות", "; | '", ""] {
            let rows = read(&rows(&[entry(name)]).unwrap());
            assert_eq!(rows[0][..9], ["7", "k3:7", "2026-03-01T12:00:00.000Z", "service.updated", "system", "", name, "service", "svc_1"]);
            assert_eq!(rows[0][9], name);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&rows[0][10]).unwrap(),
                json!({ "before": {}, "after": { "name": name } })
            );
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            let rows = read(&rows(&[entry(name)]).unwrap());
            assert_eq!((&rows[0][6], &rows[0][9]), (&format!("'{name}"), &format!("'{name}")));
        }
    }

    #[test]
    fn lines_end_as_the_rfc_says_and_have_a_cell_for_each_column() {
        let text = String::from_utf8([head().unwrap(), rows(&[entry("A"), entry("B")]).unwrap()].concat()).unwrap();
        assert!(text.starts_with("seq,id,at,type,") && text.ends_with("\r\n"), "{text}");
        assert!(read(text.as_bytes()).iter().all(|row| row.len() == COLUMNS.len()));
        assert_eq!(read(text.as_bytes()).len(), 3);
    }
}
