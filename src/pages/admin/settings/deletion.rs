//! Deleting the organization: there is no way back, so the page says what is lost, and the name is typed.

use askama::Template;
use http::StatusCode;
use poem::{Response, handler};

use crate::access::Administer;
use crate::domain::group::Group;
use crate::domain::incident::Incident;
use crate::domain::service::Service;
use crate::domain::{member, page};
use crate::error::{Error, FieldError, Result};
use crate::pages::admin::desk::Desk;
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html, see_other};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::store::{LogKind, OrgView, Reads};

/// How many services and people are counted, to say how much is lost.
const COUNTED: usize = 1_000;

#[derive(Template)]
#[template(path = "admin/settings_delete.html")]
struct DeletePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    lost: &'a Lost,
    form: Form,
}

/// What goes with the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lost {
    /// The public page's whole address.
    page: String,
    /// Services and groups, in a sentence, where there are any.
    services: Option<String>,
    has_incidents: bool,
    people: String,
    entries: String,
}

impl Lost {
    fn read(view: &OrgView<'_, Administer>, shell: &Shell) -> Result<Self> {
        let services = view.count(Service::BY_POSITION.of(()).limit(COUNTED))?;
        let groups = view.count(Group::BY_POSITION.of(()).limit(1))?;
        let entries = view.head(LogKind::Org(view.org().uuid()))?;
        Ok(Self {
            page: shell.absolute(&format!("/p/{}", page::own(view)?.slug)),
            services: match (services, groups) {
                (0, 0) => None,
                (0, _) => Some("All groups.".to_owned()),
                _ => Some(format!("All services and groups: {}.", counted(services, "service", "services"))),
            },
            has_incidents: view.count(Incident::BY_START.of(()).limit(1))? > 0,
            people: counted(member::count(view)?, "person", "people"),
            entries: if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") },
        })
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        0 => format!("no {several}"),
        1 => format!("1 {one}"),
        COUNTED.. => format!("1,000 or more {several}"),
        _ => format!("{count} {several}"),
    }
}

fn form(organization: &str, typed: &str, errors: &[FieldError]) -> Form {
    let hint = format!("Type {organization} here, so that nobody does this by mistake.");
    Form::new(vec![Field::line("name", "Name of the organization", "text", "off").holding(typed).hinting(hint)], errors)
}

async fn ask(desk: &Desk, typed: Option<(&Fields, &Refused)>) -> Result<Response> {
    let shell = desk.web.pages.shell().clone();
    let (frame, lost) = desk.look(Tab::Settings, move |view: &OrgView<'_, Administer>| Lost::read(view, &shell)).await?;
    let shown = |form| DeletePage { shell: &frame.shell, frame: &frame, lost: &lost, form };
    match typed {
        None => html(StatusCode::OK, &shown(form(&frame.name, "", &[]))),
        Some((fields, refused)) => refused.answer(&shown(form(&frame.name, fields.get("name"), &refused.errors))),
    }
}

/// `GET /o/:org/settings/delete`.
#[handler]
pub(crate) async fn delete_form(desk: Desk) -> poem::Result<Response> {
    Ok(ask(&desk, None).await?)
}

/// `POST /o/:org/settings/delete`.
#[handler]
pub(crate) async fn delete(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let deleted = match fields.only(&["name"]) {
        Ok(()) if desk.web.demo.is_some() => Err(Error::Conflict("this demonstration has one organization alone, and it stays".into())),
        Ok(()) => desk.web.app.delete_organization(&desk.caller, desk.org, fields.get("name")).await,
        Err(error) => Err(error),
    };
    match deleted {
        Ok(()) => Ok(see_other(&desk.web, &format!("/organizations?told={}", Done::OrganizationDeleted.as_str()))?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(ask(&desk, Some((&fields, &refused))).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(services: usize) -> Lost {
        Lost {
            page: "https://example.org/status/p/acme".into(),
            services: (services > 0).then(|| format!("All services and groups: {}.", counted(services, "service", "services"))),
            has_incidents: services > 0,
            people: counted(COUNTED, "person", "people"),
            entries: "7 entries".into(),
        }
    }

    fn rendered(name: &str, typed: &str, errors: &[FieldError]) -> String {
        let (frame, lost) = (Frame::sample(name, Tab::Settings), lost(1));
        DeletePage { shell: &frame.shell, frame: &frame, lost: &lost, form: form(name, typed, errors) }.render().unwrap()
    }

    #[test]
    fn what_is_lost_is_said_before_and_what_can_be_kept_is_offered() {
        let html = rendered("Acme", "", &[]);
        for words in [
            "https://example.org/status/p/acme",
            "1 service",
            "1,000 or more people",
            "7 entries",
            "There is no undo",
            "Type Acme here",
            "href=\"/status/o/acme/timeline.csv\"",
            "href=\"/status/o/acme/timeline.jsonl\"",
            "action=\"/status/o/acme/settings/delete\"",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(!html.contains("value=\"Acme\""), "the name is the person's to type: {html}");
    }

    #[test]
    fn what_is_not_there_is_not_lost() {
        let frame = Frame::sample("Acme", Tab::Settings);
        let page = |services: usize| {
            DeletePage { shell: &frame.shell, frame: &frame, lost: &lost(services), form: form("Acme", "", &[]) }.render().unwrap()
        };
        let (full, empty) = (page(2), page(0));
        for line in ["All services and groups: 2 services.", "All incidents"] {
            assert!(full.contains(line) && !empty.contains(line), "{line}: {full}{empty}");
        }
    }

    #[test]
    fn what_was_typed_stays_and_is_found_wrong_beside_its_field() {
        let wrong = [FieldError { field: "name".into(), message: "must be the organization's name".into() }];
        let html = rendered("Acme", "Acne", &wrong);
        assert!(html.contains("value=\"Acne\"") && html.contains("id=\"name-error\""), "{html}");
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in ["\"><script>alert(1)</script>'", &"long ".repeat(40), "مرحبا", ""] {
            assert!(!rendered(name, name, &[]).contains("<script>alert"));
        }
    }

    #[test]
    fn numbers_are_told_in_words() {
        let services = |count| counted(count, "service", "services");
        let told = [services(0), services(1), services(2), services(1_000)];
        assert_eq!(told, ["no services", "1 service", "2 services", "1,000 or more services"]);
    }
}
