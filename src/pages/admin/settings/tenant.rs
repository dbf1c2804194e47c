//! The organization itself: its name, the address of its people's pages, its id for programs.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use super::address;
use crate::access::Administer;
use crate::domain::organization::{self, Organization, OrganizationPatch};
use crate::error::{FieldError, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{Seen, expected};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::pages::when::When;
use crate::store::{OrgView, Reads, WideTx};

#[derive(Template)]
#[template(path = "admin/settings_organization.html")]
struct OrganizationPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    id: String,
    /// What stands before the last word of its address.
    before: String,
    form: Form,
    seen: Seen,
    meanwhile: Option<&'a Meanwhile>,
    created: When,
}

/// What the page shows, as it was read in one snapshot.
struct Shown {
    organization: Organization,
    meanwhile: Option<Meanwhile>,
}

fn form(name: &str, slug: &str, errors: &[FieldError]) -> Form {
    let hint = "Its people see it, and visitors do where the public page has no name of its own.";
    Form::new(vec![Field::line("name", "Name", "text", "organization").holding(name).hinting(hint), address::field(slug)], errors)
}

impl<'a> OrganizationPage<'a> {
    fn new(frame: &'a Frame, shown: &'a Shown, typed: Option<(&Fields, &Refused)>) -> Self {
        let Shown { organization, meanwhile } = shown;
        let (form, seen) = match typed {
            Some((fields, refused)) => {
                let form = form(fields.get("name"), fields.get("slug"), &refused.errors);
                (form, Seen::again(fields, refused, organization.version, frame))
            }
            None => (form(&organization.name, &organization.slug, &[]), Seen::now(organization.version, frame)),
        };
        Self {
            shell: &frame.shell,
            frame,
            id: organization.id.to_string(),
            before: frame.shell.absolute("/o/"),
            form,
            seen,
            meanwhile: meanwhile.as_ref(),
            created: organization.created_at.into(),
        }
    }
}

async fn page(desk: &Desk, typed: Option<(&Fields, &Refused)>) -> Result<Response> {
    let missed = typed.and_then(|(fields, refused)| Seen::missed(desk, fields, refused));
    let query = move |view: &OrgView<'_, Administer>| {
        let organization = view.get(view.org())?;
        let told = |seen: String| stale::meanwhile(view, &organization.id.to_string(), &seen);
        Ok(Shown { meanwhile: missed.map(told).transpose()?, organization })
    };
    let (frame, shown) = desk.look(Tab::Settings, query).await?;
    let page = OrganizationPage::new(&frame, &shown, typed);
    match typed {
        None => html(StatusCode::OK, &page),
        Some((_, refused)) => refused.answer(&page),
    }
}

/// `GET /o/:org/settings`.
#[handler]
pub(crate) async fn show(desk: Desk) -> poem::Result<Response> {
    Ok(page(&desk, None).await?)
}

/// `POST /o/:org/settings`: its name and its address. It leads to the new one.
#[handler]
pub(crate) async fn save(mut desk: Desk, fields: Fields) -> poem::Result<Response> {
    let saved = match fields.only(&["name", "slug", "version", "seen"]).and_then(|()| expected(&fields)) {
        Ok(expected) => {
            let (name, slug) = (fields.get("name").to_owned(), fields.get("slug").to_owned());
            let patch = OrganizationPatch { name: Some(name), slug: Some(slug) };
            desk.change_wide(move |tx: &mut WideTx<'_, Administer>| organization::update(tx, patch, expected)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(saved) => {
            desk.slug = saved.slug;
            Ok(desk.done("/settings", Done::OrganizationSaved, saved.id)?)
        }
        Err(error) => {
            let refused = address::worded(Refused::by(error)?);
            Ok(page(&desk, Some((&fields, &refused))).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn rendered(name: &str, errors: &[FieldError]) -> String {
        let frame = Frame::sample(name, Tab::Settings);
        let page = OrganizationPage {
            shell: &frame.shell,
            frame: &frame,
            id: frame.org.clone(),
            before: frame.shell.absolute("/o/"),
            form: form(name, "acme", errors),
            seen: Seen::now(5, &frame),
            meanwhile: None,
            created: crate::clock::Timestamp::from_millis(0).into(),
        };
        page.render().unwrap()
    }

    #[test]
    fn its_address_its_id_and_the_way_out_are_shown() {
        let html = rendered("Acme", &[]);
        for words in [
            "https://example.org/status/o/</span>",
            "name=\"version\" value=\"5\"",
            "<code>org_00000000000000000000000000000001</code>",
            "https://example.org/status/api/users/organizations/org_00000000000000000000000000000001",
            "href=\"/status/o/acme/settings/delete\"",
            "href=\"/status/o/acme/page\"",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
    }

    #[test]
    fn a_taken_address_is_said_beside_it() {
        let refused = address::worded(Refused::by(Error::Conflict("taken".into())).unwrap());
        let html = rendered("Acme", &refused.errors);
        assert!(html.contains("id=\"slug-error\"") && html.contains("Address is taken. Choose another one."), "{html}");
        assert!(html.contains("aria-describedby=\"slug-before slug-hint slug-error\""), "{html}");
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in ["\"><script>alert(1)</script>'", &"long ".repeat(40), "مرحبا", ""] {
            assert!(!rendered(name, &[]).contains("<script>alert"));
        }
    }
}
