//! Incidents: what a tired person needs at three in the morning, on a phone.
//!
//! | file | what |
//! |---|---|
//! | `listing.rs` | all of them, filtered, page by page |
//! | `reporting.rs` | a new one |
//! | `showing.rs` | one of them, with the form that says more about it |
//! | `posting.rs` | what that form does: another update, resolved, open again |
//! | `editing.rs`, `correcting.rs` | title, impact and services; the text of an update |
//! | `acting.rs` | delete, and bring back |
//! | `picker.rs` | which services, and how badly: among a thousand, without script |
//! | `typed.rs`, `was.rs`, `words.rs` | what forms send; what they were made from; what people read |
//!
//! A form that changes something carries the version that it was made from: two people on one incident must not undo each other
//! unawares. The second one is told what the first one did, keeps what they typed, and can send it again: what they did not touch has
//! followed the first one by then.

mod acting;
mod correcting;
mod editing;
mod listing;
mod picker;
mod posting;
mod reporting;
#[cfg(test)]
mod samples;
mod showing;
mod typed;
mod was;
mod words;

pub(super) use words::gist;

pub(crate) use acting::{delete, restore};
pub(crate) use correcting::{correct, correct_form};
pub(crate) use editing::{edit_form, save};
pub(crate) use listing::list;
pub(crate) use posting::post_update;
pub(crate) use reporting::{report, report_form};
pub(crate) use showing::show;
