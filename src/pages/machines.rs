//! What supervisors and crawlers ask.

use std::time::Duration;

use http::header;
use poem::web::Data;
use poem::{Response, handler};

use crate::domain::instance;
use crate::error::Error;
use crate::web::Web;

/// What crawlers may read: pages are meant to be found, forms and streams have nothing for them.
const ROBOTS: &str = "User-agent: *\nDisallow: /api/\nDisallow: /live/\nDisallow: /forgot\nDisallow: /invite/\nDisallow: /login\nDisallow: /logout\nDisallow: /reset/\nDisallow: /setup\nDisallow: /signup\nDisallow: /p/*/live\n";

/// How long a read may take before the database is said not to answer: less than a load balancer waits.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /healthz`: 200 while the store can be read, else 503. Where several nodes share a store that is away it stays 200 and says so: every node
/// serves its pages from memory, none can do better, and a load balancer that let go of all of them would take the pages away as well.
#[handler]
pub(crate) async fn healthz(web: Data<&Web>) -> poem::Result<&'static str> {
    match tokio::time::timeout(PATIENCE, web.app.system_read(instance::operator)).await {
        Ok(Ok(_)) => Ok("ok"),
        Ok(Err(_)) if web.app.away_since().is_some() => Ok("the database is away; pages are served from memory"),
        // It may take a while until a line on which nothing comes back is known to be dead.
        Err(_) if web.app.is_shared() => Ok("the database does not answer; pages are served from memory"),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Error::Unavailable(PATIENCE).into()),
    }
}

/// `GET /robots.txt`.
#[handler]
pub(super) fn robots() -> Response {
    Response::builder().content_type("text/plain; charset=utf-8").header(header::CACHE_CONTROL, "public, max-age=3600").body(ROBOTS)
}
