//! Deleting an organization, which nobody brings back: on a page of its own, by typing the name.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::{Operator, path_org, words};
use crate::domain::organization::OrgId;
use crate::domain::tenant::Tenant;
use crate::error::{FieldError, Result};
use crate::pages::admin::told::{Done, Told};
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;

#[derive(Template)]
#[template(path = "instance/delete.html")]
struct DeletePage<'a> {
    shell: &'a Shell,
    told: Option<Told>,
    form: Form,
    id: String,
    name: String,
    slug: String,
    /// How many lose their way in, if anyone has come yet.
    people: Option<String>,
    is_suspended: bool,
}

impl<'a> DeletePage<'a> {
    fn new(shell: &'a Shell, tenant: Tenant, typed: &str, errors: &[FieldError]) -> Self {
        let organization = tenant.organization;
        let field = Field::line("name", "Name of the organization", "text", "off")
            .holding(typed)
            .hinting(format!("Type {} to say that you mean this one.", organization.name));
        Self {
            shell,
            told: None,
            form: Form::new(vec![field], errors),
            id: organization.id.to_string(),
            people: (tenant.members > 0).then(|| words::people(tenant.members)),
            is_suspended: organization.suspended_at.is_some(),
            slug: organization.slug,
            name: organization.name,
        }
    }
}

async fn page(operator: &Operator, org: OrgId, typed: &str, refused: Option<&Refused>) -> Result<Response> {
    let tenant = operator.web.app.tenant(&operator.me, org).await?;
    let shell = operator.web.pages.shell();
    match refused {
        None => html(StatusCode::OK, &DeletePage::new(shell, tenant, typed, &[])),
        Some(refused) => refused.answer(&DeletePage::new(shell, tenant, typed, &refused.errors)),
    }
}

/// `GET /instance/organizations/:org/delete`.
#[handler]
pub(crate) async fn delete_form(operator: Operator, request: &Request) -> poem::Result<Response> {
    Ok(page(&operator, path_org(request)?, "", None).await?)
}

/// `POST /instance/organizations/:org/delete`.
#[handler]
pub(crate) async fn delete(operator: Operator, request: &Request, fields: Fields) -> poem::Result<Response> {
    let org = path_org(request)?;
    let deleted = match fields.only(&["name"]) {
        Ok(()) => operator.web.app.erase(&operator.me, org, fields.get("name")).await,
        Err(error) => Err(error),
    };
    match deleted {
        Ok(()) => Ok(operator.done("", Done::OrganizationDeleted)?),
        Err(error) => Ok(page(&operator, org, fields.get("name"), Some(&Refused::by(error)?)).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::organization::Organization;
    use crate::id::Id;

    const EVIL: &str = "\"><script>alert(1)</script>'";

    fn page(name: &str, typed: &str, errors: &[FieldError]) -> String {
        page_of(12, name, typed, errors)
    }

    fn page_of(members: usize, name: &str, typed: &str, errors: &[FieldError]) -> String {
        let shell = Shell { base_url: "https://example.org/status".into() };
        let organization = Organization {
            id: Id::from_u128(1),
            version: 1,
            name: name.into(),
            slug: "acme".into(),
            created_at: Timestamp::from_millis(0),
            suspended_at: None,
            deleted_at: None,
        };
        DeletePage::new(&shell, Tenant { organization, members, pending_admin: None }, typed, errors).render().unwrap()
    }

    #[test]
    fn it_says_what_goes_and_asks_for_the_name() {
        let html = page("Acme", "", &[]);
        assert!(html.contains("action=\"/status/instance/organizations/org_00000000000000000000000000000001/delete\""), "{html}");
        assert!(html.contains("There is no undo") && html.contains("12 members") && html.contains("Type Acme to say"), "{html}");
        assert!(!html.contains("value=\"Acme\""), "it is theirs to type: {html}");
    }

    #[test]
    fn where_nobody_has_come_there_is_little_to_lose() {
        let html = page_of(0, "Acme", "", &[]);
        assert!(html.contains("The invitation of its first admin") && !html.contains("All services") && !html.contains("way in"), "{html}");
    }

    #[test]
    fn another_name_is_told_at_the_field_and_stays() {
        let wrong = [FieldError { field: "name".into(), message: "must be the organization's name, Acme".into() }];
        let html = page("Acme", "Amce", &wrong);
        assert!(html.contains("id=\"name-error\"") && html.contains("value=\"Amce\""), "{html}");
    }

    #[test]
    fn names_stay_in_their_place() {
        for each in [EVIL.to_owned(), EVIL.repeat(500), "منظمة".to_owned(), String::new()] {
            let html = page(&each, &each, &[]);
            assert!(!html.contains("<script>alert") && !html.contains(" style="), "{html}");
        }
    }
}
