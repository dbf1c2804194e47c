//! Services: the list, one service, and what is done to it.
//!
//! | file | what |
//! |---|---|
//! | `all.rs`, `sheet.rs` | the list, group by group, filtered and in sheets of bounded length |
//! | `new.rs`, `one.rs` | a new service; one that is there, read or edited |
//! | `act.rs` | its status, its place, deleting and bringing back |
//! | `inputs.rs` | the fields of its forms |

mod act;
mod all;
mod inputs;
mod new;
mod one;
mod sheet;

pub(super) use act::{delete, restore, set_status, shift, whether};
pub(super) use all::{back_to, list};
pub(super) use inputs::direction;
pub(super) use new::{create, new_form};
pub(super) use one::{save, show};
pub(super) use sheet::Thing;
