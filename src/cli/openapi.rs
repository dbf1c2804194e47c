//! `openapi`: the API's description, without a server.

use super::{Exit, say};

pub(super) fn run() -> Exit {
    say(&crate::api::openapi_document())
}
