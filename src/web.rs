//! What handlers share, and the one router.

use std::sync::Arc;

use http::{StatusCode, Uri};
use poem::middleware::{AddData, NormalizePath, TrailingSlash};
use poem::{Endpoint, EndpointExt, IntoResponse, Request, Response};

use crate::app::App;
use crate::config::{BaseUrl, Config, FrontPage};
use crate::demo::{Demo, guard};
use crate::domain::directory::Recent;
use crate::error::Error;
use crate::http::{Cors, Csrf, RequestId, SecurityHeaders, SessionCookie, Shutdown};
use crate::live::Hub;
use crate::pages::public::Pages;
use crate::{api, live, pages};

/// What every handler may use. A clone is another handle.
#[derive(Clone)]
pub struct Web {
    /// The application.
    pub app: App,
    /// The live rooms.
    pub hub: Hub,
    /// The public pages in memory.
    pub pages: Pages,
    /// How browsers reach us; every link is built from it.
    pub base_url: BaseUrl,
    /// How the session cookie looks.
    pub cookie: SessionCookie,
    /// For streams, which must end when the server stops.
    pub shutdown: Shutdown,
    /// Front ends elsewhere that may use `/api` and `/live`.
    pub cors_origins: Arc<Vec<String>>,
    /// The page that `/` shows.
    pub home_page: Option<Arc<str>>,
    /// What `/` shows without one.
    pub front_page: FrontPage,
    /// Parts of the list of public pages, as they were a moment ago.
    pub directory: Arc<Recent>,
    /// Whose turn it is to read another part: one at a time, however many ask.
    pub directory_turn: Arc<tokio::sync::Mutex<()>>,
    /// Set where this is a demonstration.
    pub demo: Option<Arc<Demo>>,
}

impl Web {
    /// The shared state of one server.
    pub fn new(app: App, config: &Config, headers: SecurityHeaders, shutdown: Shutdown) -> Self {
        let hub = Hub::new();
        Self {
            pages: Pages::new(&app, &hub, &config.base_url, headers),
            app,
            hub,
            base_url: config.base_url.clone(),
            cookie: SessionCookie::new(config.base_url.https()),
            shutdown,
            cors_origins: Arc::new(config.cors_origins.clone()),
            home_page: config.home_page.as_deref().map(Arc::from),
            front_page: config.front_page,
            directory: Arc::default(),
            directory_turn: Arc::default(),
            demo: None,
        }
    }
}

/// Everything the server answers.
///
/// From outside in: the base URL's own path goes, for proxies that leave it in; cross-origin answers (which must be readable when they are errors);
/// the one place where errors become answers; the refusal of cross-site writes; an optional slash at the end; the routes.
pub fn endpoint(web: Web) -> impl Endpoint<Output = Response> {
    let cors = Cors::new(web.cors_origins.to_vec());
    let csrf = Csrf { base_url_origin: web.base_url.origin(), cors_origins: web.cors_origins.to_vec() };
    let prefix = web.base_url.path().to_owned();
    let errors = web.clone();
    pages::routes()
        .nest("/api", api::routes())
        .nest("/live", live::routes())
        .with(AddData::new(web))
        .with(NormalizePath::new(TrailingSlash::Trim))
        .with(csrf)
        .around(move |endpoint, request| answered(errors.clone(), endpoint, request))
        .with(cors)
        .before(move |request| std::future::ready(Ok(below(request, &prefix))))
        .map_to_response()
}

/// The request as the routes know it, without the base URL's own path; the base URL itself is `/`.
fn below(mut request: Request, prefix: &str) -> Request {
    let rest = request.uri().path_and_query().and_then(|whole| whole.as_str().strip_prefix(prefix)).filter(|_| !prefix.is_empty());
    let inside = match rest {
        Some(rest) if rest.starts_with('/') => rest.parse::<Uri>().ok(),
        Some(rest) if rest.is_empty() || rest.starts_with('?') => format!("/{rest}").parse().ok(),
        _ => None,
    };
    if let Some(uri) = inside {
        *request.uri_mut() = uri;
    }
    request
}

/// Turns an error into an answer: a page for a browser, problem+json for everyone else.
async fn answered<E: Endpoint>(web: Web, endpoint: Arc<E>, request: Request) -> poem::Result<Response> {
    let html = pages::wants_html(&request);
    let way_in = pages::way_in(&request);
    let id = request.data::<RequestId>().cloned();
    let refused = web.demo.is_some() && guard::refuses(request.method(), request.uri().path());
    let called = if refused { Err(Error::Forbidden(guard::SHARED.into()).into()) } else { endpoint.call(request).await };
    match called {
        Ok(response) => Ok(response.into_response()),
        // An older address that leads to the present one is no error, but is found out where only errors can be answered.
        Err(error) if error.is_from_response() && error.status().is_redirection() => Ok(error.into_response()),
        Err(error) => {
            let status = error.status();
            if let Some(path) = way_in.filter(|_| html && status == StatusCode::UNAUTHORIZED) {
                return Ok(pages::see_other(&web, &path)?);
            }
            let problem = api::problem::into_response(error, id.as_ref()).await;
            if html && status != StatusCode::NOT_MODIFIED { Ok(pages::error_page(&web, problem, id.as_ref()).await) } else { Ok(problem) }
        }
    }
}
