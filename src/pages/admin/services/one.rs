//! One service: its state and why, its incidents, and the forms that change it.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::inputs::{self, Values};
use crate::access::{Edit, Permission, Read};
use crate::domain::group::{self, Group};
use crate::domain::incident::{self, Incident};
use crate::domain::service::{self, Service, ServiceState};
use crate::error::{FieldError, Result};
use crate::id::Id;
use crate::pages::admin::desk::{Desk, path_id};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::seen::{self, Seen};
use crate::pages::admin::stale::{self, Meanwhile};
use crate::pages::admin::told::Done;
use crate::pages::admin::why::{Causes, Titles};
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::markdown::{self, SafeHtml};
use crate::pages::shell::Shell;
use crate::pages::when::{State, When};
use crate::store::{OrgView, Reads};

/// The most groups that a form offers. Who has more finds a group's own page from the list, and makes a service there.
const GROUPS_OFFERED: usize = 200;
/// How many of its incidents a service shows; the list of incidents has all.
const INCIDENTS_SHOWN: usize = 10;
/// How many unresolved incidents it names as the cause of its state.
const CAUSES_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "admin/service.html")]
struct ServicePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    id: String,
    name: &'a str,
    description: SafeHtml,
    is_private: bool,
    group: Option<(String, &'a str)>,
    status: State,
    own: State,
    causes: &'a Causes,
    incidents: Vec<IncidentRow<'a>>,
    edit_form: Form,
    edit_seen: Seen,
    status_form: Form,
    status_seen: Seen,
    meanwhile: Option<&'a Meanwhile>,
    created: When,
    updated: When,
}

struct IncidentRow<'a> {
    id: String,
    title: &'a str,
    stage: &'static str,
    stage_word: &'static str,
    started: When,
}

/// A form of this page that was refused, with what was typed into it.
#[derive(Clone, Copy)]
pub(super) enum Typed<'a> {
    /// None was: the page was asked for.
    Nothing,
    /// The one that says what the service is.
    Edit(&'a Fields, &'a Refused),
    /// The one that sets its status.
    Status(&'a Fields, &'a Refused),
}

/// What the page shows, as it was read in one snapshot.
struct Shown {
    state: ServiceState,
    group: Option<Group>,
    groups: Vec<Group>,
    causes: Causes,
    incidents: Vec<Incident>,
    meanwhile: Option<Meanwhile>,
}

/// The groups that a form offers, in the order shown; the present one among them wherever it stands.
pub(super) fn groups_to_choose(view: &impl Reads, present: Option<Group>) -> Result<Vec<Group>> {
    let mut groups = group::list(view, |scan| scan.limit(GROUPS_OFFERED))?.items;
    groups.extend(present.filter(|present| groups.iter().all(|group| group.id != present.id)));
    Ok(groups)
}

impl Shown {
    fn read<P: Permission>(view: &OrgView<'_, P>, id: Id<Service>, missed: Option<&str>) -> Result<Self> {
        let state = service::get(view, id)?;
        let group = state.service.group_id.map(|group| view.find(group)).transpose()?.flatten();
        Ok(Self {
            causes: Causes::touching(view, &mut Titles::default(), &state.service, CAUSES_SHOWN)?,
            incidents: incident::list_of(view, id, |scan| scan.limit(INCIDENTS_SHOWN))?.items,
            meanwhile: missed.map(|seen| stale::meanwhile(view, &id.to_string(), seen)).transpose()?,
            groups: groups_to_choose(view, group.clone())?,
            group,
            state,
        })
    }
}

impl<'a> ServicePage<'a> {
    fn new(frame: &'a Frame, shown: &'a Shown, typed: Typed<'_>) -> Self {
        let Shown { state: ServiceState { service, status }, group, groups, causes, incidents, meanwhile } = shown;
        let (stored, fresh) = (Values::of(service), Seen::now(service.version, frame));
        let none: &[FieldError] = &[];
        let again = |fields, refused| Seen::again(fields, refused, service.version, frame);
        let (edit_form, edit_seen) = match typed {
            Typed::Edit(fields, refused) => (Values::typed(fields).edit_form(groups, &refused.errors), again(fields, refused)),
            Typed::Nothing | Typed::Status(..) => (stored.edit_form(groups, none), fresh.clone()),
        };
        let (status_form, status_seen) = match typed {
            Typed::Status(fields, refused) => (Values::typed(fields).status_form(&refused.errors), again(fields, refused)),
            Typed::Nothing | Typed::Edit(..) => (stored.status_form(none), fresh),
        };
        Self {
            shell: &frame.shell,
            frame,
            id: service.id.to_string(),
            name: &service.name,
            description: markdown::render(&service.description),
            is_private: !service.is_public(),
            group: group.as_ref().map(|group| (group.id.to_string(), group.name.as_str())),
            status: (*status).into(),
            own: service.own_status.into(),
            causes,
            incidents: incidents.iter().map(IncidentRow::of).collect(),
            edit_form,
            edit_seen,
            status_form,
            status_seen,
            meanwhile: meanwhile.as_ref(),
            created: service.created_at.into(),
            updated: service.updated_at.into(),
        }
    }
}

impl<'a> IncidentRow<'a> {
    fn of(incident: &'a Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            title: &incident.title,
            stage: incident.status.as_str(),
            stage_word: incident.status.label(),
            started: incident.started_at.into(),
        }
    }
}

/// The page, for who may do what `P` says; with the form that was refused, if one was.
pub(super) async fn page<P: Permission>(desk: &Desk, id: Id<Service>, typed: Typed<'_>) -> Result<Response> {
    let missed = match typed {
        Typed::Nothing => None,
        Typed::Edit(fields, refused) | Typed::Status(fields, refused) => Seen::missed(desk, fields, refused),
    };
    let query = move |view: &OrgView<'_, P>| Shown::read(view, id, missed.as_deref());
    let (frame, shown) = desk.look(Tab::Services, query).await?;
    let page = ServicePage::new(&frame, &shown, typed);
    match typed {
        Typed::Nothing => html(StatusCode::OK, &page),
        Typed::Edit(_, refused) | Typed::Status(_, refused) => refused.answer(&page),
    }
}

/// `GET /o/:org/services/:service`.
#[handler]
pub(crate) async fn show(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(page::<Read>(&desk, path_id(request, "service")?, Typed::Nothing).await?)
}

/// `POST /o/:org/services/:service`: what it is.
#[handler]
pub(crate) async fn save(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Service>(request, "service")?;
    let saved = match inputs::patch(&fields).and_then(|patch| Ok((patch, seen::expected(&fields)?))) {
        Ok((patch, expected)) => desk.change(move |tx| service::update(tx, id, patch, expected)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => Ok(desk.done(&format!("/services/{id}"), Done::ServiceSaved, id)?),
        Err(error) => {
            let refused = inputs::worded(Refused::by(error)?);
            Ok(page::<Edit>(&desk, id, Typed::Edit(&fields, &refused)).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::clock::Timestamp;
    use crate::domain::service::Visibility;
    use crate::domain::status::ServiceStatus;
    use crate::pages::admin::why::Cause;

    fn shown(each: &str) -> Shown {
        let at = Timestamp::from_millis(0);
        let group = Group {
            id: Id::from_u128(2),
            version: 1,
            name: each.into(),
            position: 0,
            created_at: at,
            updated_at: at,
            deleted_at: None,
            released: Vec::new(),
        };
        let service = Service {
            id: Id::from_u128(1),
            version: 4,
            name: each.into(),
            description: each.into(),
            group_id: Some(group.id),
            position: 0,
            visibility: Visibility::Private,
            own_status: ServiceStatus::Operational,
            raised: Some(ServiceStatus::MajorOutage),
            created_at: at,
            updated_at: at,
            deleted_at: None,
        };
        let said = Some(ServiceStatus::MajorOutage.into());
        let cause = |id: &str, status| Cause { id: id.into(), title: each.into(), status };
        let causes = vec![cause("inc_1", said), cause("inc_2", None)];
        Shown {
            state: ServiceState { service, status: ServiceStatus::MajorOutage },
            groups: vec![group.clone()],
            group: Some(group),
            causes: Causes { first: causes, more: Some("3".into()) },
            incidents: Vec::new(),
            meanwhile: None,
        }
    }

    fn rendered(role: Role, shown: &Shown) -> String {
        let frame = Frame { role, ..Frame::sample("Acme", Tab::Services) };
        ServicePage::new(&frame, shown, Typed::Nothing).render().unwrap()
    }

    #[test]
    fn the_page_says_what_is_shown_and_why() {
        let html = rendered(Role::Admin, &shown("API"));
        let version = "name=\"version\" value=\"4\"";
        for words in ["Major outage", "mentions it only", "and 3 more", "Private", "No incident has touched it", version] {
            assert!(html.contains(words), "{words}: {html}");
        }
        let calm = Shown { causes: Causes::default(), group: None, ..shown("API") };
        assert!(rendered(Role::Admin, &calm).contains("No open incident touches it"));
    }

    #[test]
    fn each_role_sees_what_it_may_do() {
        let (viewer, responder) = (rendered(Role::Viewer, &shown("API")), rendered(Role::Responder, &shown("API")));
        assert!(!viewer.contains("name=\"version\""), "{viewer}");
        assert!(responder.contains("name=\"own_status\"") && !responder.contains("name=\"description\""), "{responder}");
        assert!(!responder.contains("/delete\""), "{responder}");
    }

    #[test]
    fn hostile_and_long_texts_stay_text() {
        for text in ["\"><script>alert(1)</script>'", &"long ".repeat(400), "مرحبا"] {
            let html = rendered(Role::Admin, &shown(text));
            assert!(!html.contains("<script>alert"), "{html}");
        }
    }
}
