//! What happens without anyone asking at that moment. Each task is awaited when the server stops.
//!
//! | file | what |
//! |---|---|
//! | `clockwork.rs` | when it happens, and on which of several nodes |
//! | `purge.rs` | erases what deleted organizations left |
//! | `expiry.rs` | removes what is over: sessions, answers that were kept, invitations |

pub mod clockwork;
mod expiry;
pub mod purge;
#[cfg(test)]
mod testing;
