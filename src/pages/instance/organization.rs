//! One organization, as the operator sees it: from outside.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::words::{self, Standing};
use super::{Operator, path_org};
use crate::domain::organization::OrgId;
use crate::domain::tenant::Tenant;
use crate::error::Result;
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{Refused, html};
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::pages::when::When;

#[derive(Template)]
#[template(path = "instance/organization.html")]
struct OrganizationPage<'a> {
    shell: &'a Shell,
    told: Option<Told>,
    /// Has no fields: only what was refused.
    form: Form,
    id: String,
    name: String,
    slug: String,
    since: When,
    people: String,
    standing: Standing,
    /// Since when it is shut.
    suspended: Option<When>,
    /// Whether an invitation of its first admin waits.
    is_invited: bool,
    /// Whether the operator is one of its people, too.
    is_member: bool,
}

impl<'a> OrganizationPage<'a> {
    fn new(shell: &'a Shell, told: Option<Told>, tenant: Tenant, is_member: bool, refused: Option<&Refused>) -> Self {
        Self {
            shell,
            told,
            form: Form::new(Vec::new(), refused.map_or(&[], |refused| refused.errors.as_slice())),
            id: tenant.organization.id.to_string(),
            since: tenant.organization.created_at.into(),
            people: words::people(tenant.members),
            standing: Standing::of(&tenant),
            suspended: tenant.organization.suspended_at.map(When::from),
            is_invited: tenant.pending_admin.is_some(),
            is_member,
            slug: tenant.organization.slug,
            name: tenant.organization.name,
        }
    }
}

async fn page(operator: &Operator, org: OrgId, refused: Option<&Refused>) -> Result<Response> {
    let tenant = operator.web.app.tenant(&operator.me, org).await?;
    let own = operator.web.app.profile(&operator.me).await?.organizations;
    let is_member = own.iter().any(|own| own.organization.id == org);
    let page = OrganizationPage::new(operator.web.pages.shell(), operator.told.clone(), tenant, is_member, refused);
    match refused {
        Some(refused) => refused.answer(&page),
        None => html(StatusCode::OK, &page),
    }
}

/// `GET /instance/organizations/:org`.
#[handler]
pub(crate) async fn one(operator: Operator, request: &Request) -> poem::Result<Response> {
    Ok(page(&operator, path_org(request)?, None).await?)
}

/// `POST /instance/organizations/:org/suspend`. Of one that is suspended already it says the same.
#[handler]
pub(crate) async fn suspend(operator: Operator, request: &Request) -> poem::Result<Response> {
    let org = path_org(request)?;
    let suspended = operator.web.app.suspend(&operator.me, org).await.map(drop);
    Ok(changed(&operator, org, suspended, Done::OrganizationSuspended).await?)
}

/// `POST /instance/organizations/:org/resume`.
#[handler]
pub(crate) async fn resume(operator: Operator, request: &Request) -> poem::Result<Response> {
    let org = path_org(request)?;
    let resumed = operator.web.app.resume(&operator.me, org).await.map(drop);
    Ok(changed(&operator, org, resumed, Done::OrganizationResumed).await?)
}

async fn changed(operator: &Operator, org: OrgId, outcome: Result<()>, done: Done) -> Result<Response> {
    match outcome {
        Ok(()) => operator.done(&format!("/organizations/{org}"), done),
        Err(error) => page(operator, org, Some(&Refused::by(error)?)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::organization::Organization;
    use crate::error::Error;
    use crate::id::Id;

    const EVIL: &str = "\"><script>alert(1)</script>'";
    const BASE: &str = "/status/instance/organizations/org_00000000000000000000000000000001";

    fn page(each: &str, members: usize, suspended: bool, refused: Option<&Refused>) -> String {
        seen(each, members, suspended, false, refused)
    }

    fn seen(each: &str, members: usize, suspended: bool, is_member: bool, refused: Option<&Refused>) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let at = Timestamp::from_millis(0);
        let organization = Organization {
            id: Id::from_u128(1),
            version: 1,
            name: each.into(),
            slug: "acme".into(),
            created_at: at,
            suspended_at: suspended.then_some(at),
            deleted_at: None,
        };
        let pending_admin = (members == 0).then_some(Id::from_u128(2));
        OrganizationPage::new(&shell, None, Tenant { organization, members, pending_admin }, is_member, refused).render().unwrap()
    }

    #[test]
    fn it_offers_what_fits_and_says_what_that_means() {
        let html = page("Acme", 3, false, None);
        assert!(html.contains(&format!("action=\"{BASE}/suspend\"")) && !html.contains("/resume\""), "{html}");
        assert!(html.contains(&format!("href=\"{BASE}/delete\"")) && !html.contains("/invitation\""), "{html}");
        assert!(html.contains("href=\"/status/p/acme\""), "{html}");

        let html = page("Acme", 3, true, None);
        assert!(html.contains(&format!("action=\"{BASE}/resume\"")) && !html.contains("/suspend\""), "{html}");
        assert!(!html.contains("href=\"/status/p/acme\""), "{html}");
    }

    #[test]
    fn an_operator_who_belongs_to_it_is_led_into_it() {
        let html = seen("Acme", 3, false, true, None);
        assert!(html.contains("href=\"/status/o/acme\"") && !html.contains("not shown to you"), "{html}");
        assert!(!seen("Acme", 3, true, true, None).contains("/o/acme\""), "nobody gets in while it is suspended");
        let html = page("Acme", 3, false, None);
        assert!(html.contains("not shown to you") && !html.contains("/o/acme\""), "{html}");
    }

    #[test]
    fn while_nobody_has_come_the_link_is_at_hand() {
        assert!(page("Acme", 0, false, None).contains(&format!("href=\"{BASE}/invitation\"")));
    }

    #[test]
    fn a_refusal_stands_on_the_page() {
        let refused = Refused::by(Error::Unavailable(std::time::Duration::from_secs(2))).unwrap();
        assert!(page("Acme", 3, false, Some(&refused)).contains("id=\"problems\""));
    }

    #[test]
    fn names_stay_in_their_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(500), "منظمة".to_owned(), String::new()] {
            let html = page(&each, 0, true, None);
            assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        }
    }
}
