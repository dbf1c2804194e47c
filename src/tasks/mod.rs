//! What happens without anyone asking at that moment. Each task is awaited when the server stops.
//!
//! | file | what |
//! |---|---|
//! | `purge.rs` | erases what deleted organizations left |

pub mod purge;
