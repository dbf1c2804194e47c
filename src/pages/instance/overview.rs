//! The organizations of the instance, and the instance itself.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::Operator;
use super::words::{self, Standing};
use crate::config::{Key, Registration};
use crate::domain::tenant::Tenant;
use crate::error::{Error, Result};
use crate::pages::admin::told::Told;
use crate::pages::answer::html;
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::{Cursor, StoreSize};

/// How many organizations are shown at once.
const SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "instance/overview.html")]
struct OverviewPage<'a> {
    shell: &'a Shell,
    told: Option<Told>,
    rows: Vec<Row>,
    /// Where the first are, unless these are the first.
    first: Option<String>,
    /// Where the others begin.
    next: Option<String>,
    about: About,
}

struct Row {
    id: String,
    name: String,
    slug: String,
    since: When,
    people: String,
    standing: Standing,
}

impl From<Tenant> for Row {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.organization.id.to_string(),
            standing: Standing::of(&tenant),
            people: words::people(tenant.members),
            since: tenant.organization.created_at.into(),
            slug: tenant.organization.slug,
            name: tenant.organization.name,
        }
    }
}

/// The instance itself.
struct About {
    version: &'static str,
    registration: &'static str,
    /// What changes who may sign up: the key in the file, the variable, the flag.
    setting: [String; 3],
    /// What the store takes, and what its disk has left if that is this machine's; none in memory.
    storage: Option<(String, Option<String>)>,
    sends_mail: bool,
}

impl About {
    fn new(mode: Registration, size: StoreSize, sends_mail: bool) -> Self {
        let key = Key::Registration;
        Self {
            version: env!("CARGO_PKG_VERSION"),
            registration: words::registration(mode),
            setting: [key.name().to_owned(), key.variable(), key.flag()],
            storage: size.file_bytes.map(|file| (words::size(file), size.free_bytes.map(words::size))),
            sends_mail,
        }
    }
}

/// `GET /instance`.
#[handler]
pub(crate) async fn show(operator: Operator, request: &Request) -> poem::Result<Response> {
    let query: Vec<(String, String)> = request.params().unwrap_or_default();
    let cursor = query.iter().find(|(name, _)| name == "cursor").map(|(_, cursor)| cursor.parse::<Cursor>());
    let cursor = cursor.transpose().map_err(|_| Error::NotFound)?;
    Ok(page(operator, cursor).await?)
}

async fn page(operator: Operator, cursor: Option<Cursor>) -> Result<Response> {
    let Operator { web, me, told } = operator;
    let start = cursor.is_none();
    let tenants = web.app.tenants(&me, SHOWN, cursor).await?;
    let shell = web.pages.shell();
    let about = About::new(web.app.registration(), web.app.storage().await?, web.app.sends_mail());
    let (first, next) = ways(shell, start, tenants.next.as_ref().map(Cursor::to_string).as_deref());
    let rows = tenants.items.into_iter().map(Row::from).collect();
    html(StatusCode::OK, &OverviewPage { shell, told, rows, first, next, about })
}

/// Where the list begins, unless it is shown from there, and where it goes on.
fn ways(shell: &Shell, start: bool, next: Option<&str>) -> (Option<String>, Option<String>) {
    let at = |query: String| format!("{}/instance{query}", shell.path());
    ((!start).then(|| at(String::new())), next.map(|cursor| at(format!("?cursor={cursor}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn shell() -> Shell {
        Shell { base_url: "https://example.org/status".into() }
    }

    fn row(each: &str, standing: Standing) -> Row {
        Row {
            id: "org_00000000000000000000000000000001".into(),
            name: each.into(),
            slug: each.into(),
            since: Timestamp::from_millis(0).into(),
            people: words::people(3),
            standing,
        }
    }

    fn page(rows: Vec<Row>, start: bool, next: Option<&str>, size: StoreSize, sends_mail: bool) -> String {
        let shell = shell();
        let about = About::new(Registration::Invite, size, sends_mail);
        let (first, next) = ways(&shell, start, next);
        OverviewPage { shell: &shell, told: None, rows, first, next, about }.render().unwrap()
    }

    const ON_DISK: StoreSize = StoreSize { file_bytes: Some(1_600_000), free_bytes: Some(1_073_741_824) };
    const ON_A_SERVER: StoreSize = StoreSize { file_bytes: Some(1_600_000), free_bytes: None };
    const IN_MEMORY: StoreSize = StoreSize { file_bytes: None, free_bytes: None };

    #[test]
    fn each_organization_has_its_page_and_how_it_stands() {
        let html = page(vec![row("acme", Standing::Active), row("mill", Standing::Suspended)], true, None, ON_DISK, true);
        assert_eq!(html.matches("href=\"/status/instance/organizations/org_00000000000000000000000000000001\"").count(), 2, "{html}");
        assert!(html.contains("Active") && html.contains("Suspended") && html.contains("3 members"), "{html}");
        assert!(html.contains("href=\"/status/p/acme\""), "{html}");
        assert!(!html.contains("href=\"/status/p/mill\""), "a suspended page is not found: {html}");
        assert!(html.contains("href=\"/status/organizations\"") && html.contains("href=\"/status/account\""), "{html}");
        assert!(!html.contains("class=\"pager\""), "{html}");
    }

    #[test]
    fn the_instance_says_how_it_is_set_up_and_what_changes_that() {
        let html = page(vec![row("acme", Standing::Active)], true, None, ON_DISK, true);
        for part in ["By invitation", "ALLCLEAR_REGISTRATION", "--registration", "1.5 MiB", "1.0 GiB", env!("CARGO_PKG_VERSION")] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("smtp_url"), "{html}");
        let html = page(vec![row("acme", Standing::Active)], true, None, ON_A_SERVER, true);
        assert!(html.contains("1.5 MiB") && html.contains("its server") && !html.contains("free on its disk"), "{html}");
        let html = page(vec![row("acme", Standing::Active)], true, None, IN_MEMORY, false);
        assert!(html.contains("smtp_url") && html.contains("memory") && !html.contains("MiB"), "{html}");
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let html = page(Vec::new(), true, None, ON_DISK, true);
        assert!(html.contains("No organizations yet") && html.contains("href=\"/status/instance/organizations\""), "{html}");
        let html = page(Vec::new(), false, None, ON_DISK, true);
        assert!(html.contains("past the end of the list") && html.contains("href=\"/status/instance\""), "{html}");
    }

    #[test]
    fn long_and_hostile_names_stay_in_their_place() {
        let long = EVIL.repeat(500);
        let rows = [EVIL, long.as_str(), "اسم", ""].map(|each| row(each, Standing::Waiting));
        let html = page(rows.into(), false, Some(EVIL), ON_DISK, false);
        assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        assert!(html.contains("?cursor=") && html.contains("rel=\"next\""), "{html}");
    }
}
