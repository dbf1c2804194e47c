//! Groups: services shown together.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::count::Count;
use super::desk::{Desk, path_id};
use super::frame::{Frame, Tab};
use super::seen::{Seen, expected};
use super::services::{Thing, back_to, direction, whether};
use super::stale::{self, Meanwhile};
use super::told::Done;
use crate::access::{Edit, Permission, Read};
use crate::domain::group::{self, Group, GroupPatch, NewGroup};
use crate::domain::service::Service;
use crate::error::{Error, FieldError, Result};
use crate::event::Change;
use crate::id::Id;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::{Field, Form};
use crate::pages::shell::Shell;
use crate::pages::when::State;
use crate::store::{OrgTx, OrgView, Reads};

/// How many of its services a group's page shows; the list of services has all.
const SERVICES_SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "admin/group_new.html")]
struct NewGroupPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    form: Form,
}

#[derive(Template)]
#[template(path = "admin/group.html")]
struct GroupPage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    id: String,
    name: &'a str,
    services: &'a [ServiceRow],
    /// How many it has beside those.
    more: Count,
    form: Form,
    seen: Seen,
    meanwhile: Option<&'a Meanwhile>,
}

/// What a group's page shows, as it was read in one snapshot.
struct Shown {
    group: Group,
    services: Vec<ServiceRow>,
    more: Count,
    meanwhile: Option<Meanwhile>,
}

struct ServiceRow {
    id: String,
    name: String,
    is_private: bool,
    status: State,
}

fn form(name: &str, errors: &[FieldError]) -> Form {
    let hint = "The public page shows its services together under this name.";
    Form::new(vec![Field::line("name", "Name", "text", "off").holding(name).hinting(hint)], errors)
}

impl Shown {
    fn read<P: Permission>(view: &OrgView<'_, P>, id: Id<Group>, missed: Option<&str>) -> Result<Self> {
        let group = group::live(view, id)?;
        let services = view.scan(Service::IN_GROUP.of(id).limit(SERVICES_SHOWN))?.items.into_iter().map(|service| ServiceRow {
            id: service.id.to_string(),
            is_private: !service.is_public(),
            status: service.status().into(),
            name: service.name,
        });
        let services: Vec<_> = services.collect();
        let more = Count::of(view, Service::IN_GROUP.of(id))?.beside(services.len());
        let meanwhile = missed.map(|seen| stale::meanwhile(view, &id.to_string(), seen)).transpose()?;
        Ok(Self { group, services, more, meanwhile })
    }
}

impl<'a> GroupPage<'a> {
    fn new(frame: &'a Frame, shown: &'a Shown, typed: Option<(&Fields, &Refused)>) -> Self {
        let Shown { group, services, more, meanwhile } = shown;
        let (form, seen) = match typed {
            Some((fields, refused)) => (form(fields.get("name"), &refused.errors), Seen::again(fields, refused, group.version, frame)),
            None => (form(&group.name, &[]), Seen::now(group.version, frame)),
        };
        Self {
            shell: &frame.shell,
            frame,
            id: group.id.to_string(),
            name: &group.name,
            services,
            more: *more,
            form,
            seen,
            meanwhile: meanwhile.as_ref(),
        }
    }
}

async fn page<P: Permission>(desk: &Desk, id: Id<Group>, typed: Option<(&Fields, &Refused)>) -> Result<Response> {
    let missed = typed.and_then(|(fields, refused)| Seen::missed(desk, fields, refused));
    let query = move |view: &OrgView<'_, P>| Shown::read(view, id, missed.as_deref());
    let (frame, shown) = desk.look(Tab::Services, query).await?;
    let page = GroupPage::new(&frame, &shown, typed);
    match typed {
        None => html(StatusCode::OK, &page),
        Some((_, refused)) => refused.answer(&page),
    }
}

/// `GET /o/:org/groups/new`.
#[handler]
pub(crate) async fn new_form(desk: Desk) -> poem::Result<Response> {
    let (frame, ()) = desk.look(Tab::Services, |_: &OrgView<'_, Edit>| Ok(())).await?;
    Ok(html(StatusCode::OK, &NewGroupPage { shell: &frame.shell, frame: &frame, form: form("", &[]) })?)
}

/// `POST /o/:org/groups`.
#[handler]
pub(crate) async fn create(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let created = match fields.only(&["name"]) {
        Ok(()) => {
            let input = NewGroup { name: fields.get("name").into(), position: None };
            desk.change(move |tx| group::create(tx, input)).await
        }
        Err(error) => Err(error),
    };
    match created {
        Ok(group) => Ok(desk.done(&format!("/groups/{}", group.id), Done::GroupCreated, group.id)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            let (frame, ()) = desk.look(Tab::Services, |_: &OrgView<'_, Edit>| Ok(())).await?;
            let form = form(fields.get("name"), &refused.errors);
            Ok(refused.answer(&NewGroupPage { shell: &frame.shell, frame: &frame, form })?)
        }
    }
}

/// `GET /o/:org/groups/:group`.
#[handler]
pub(crate) async fn show(desk: Desk, request: &Request) -> poem::Result<Response> {
    Ok(page::<Read>(&desk, path_id(request, "group")?, None).await?)
}

/// `POST /o/:org/groups/:group`: its name.
#[handler]
pub(crate) async fn save(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Group>(request, "group")?;
    let saved = match fields.only(&["name", "version", "seen"]).and_then(|()| expected(&fields)) {
        Ok(expected) => {
            let patch = GroupPatch { name: Some(fields.get("name").into()), position: None };
            desk.change(move |tx| group::update(tx, id, patch, expected)).await
        }
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => Ok(desk.done(&format!("/groups/{id}"), Done::GroupSaved, id)?),
        Err(error) => {
            let refused = Refused::by(error)?;
            Ok(page::<Edit>(&desk, id, Some((&fields, &refused))).await?)
        }
    }
}

/// `POST /o/:org/groups/:group/shift`. Leads back to the button that was pressed.
#[handler]
pub(crate) async fn shift(desk: Desk, request: &Request, fields: Fields) -> poem::Result<Response> {
    let id = path_id::<Group>(request, "group")?;
    fields.only(&["direction", "list"])?;
    let direction = direction(&fields)?;
    let moved = desk.change(move |tx| group::shift(tx, id, direction).map(whether)).await?;
    Ok(back_to(&desk, &fields, moved, Thing::Group(id)).await?)
}

/// `POST /o/:org/groups/:group/delete`. Its services stay. Of one that is deleted already it says the same.
#[handler]
pub(crate) async fn delete(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Group>(request, "group")?;
    desk.change(move |tx: &mut OrgTx<'_, Edit>| match tx.get(id)?.deleted_at {
        Some(_) => Ok(Change::nothing(())),
        None => group::delete(tx, id, None),
    })
    .await?;
    Ok(desk.done("/services", Done::GroupDeleted, id)?)
}

/// `POST /o/:org/groups/:group/restore`.
#[handler]
pub(crate) async fn restore(desk: Desk, request: &Request) -> poem::Result<Response> {
    let id = path_id::<Group>(request, "group")?;
    // As for services.
    desk.change(move |tx: &mut OrgTx<'_, Edit>| match group::live(tx, id) {
        Ok(_) => Ok(Change::nothing(())),
        Err(Error::NotFound) => Ok(group::restore(tx, id)?.map(|_| ())),
        Err(other) => Err(other),
    })
    .await?;
    Ok(desk.done(&format!("/groups/{id}"), Done::GroupRestored, id)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;
    use crate::clock::Timestamp;
    use crate::domain::status::ServiceStatus;

    fn shown(each: &str, services: u32) -> Shown {
        let at = Timestamp::from_millis(0);
        let group = Group {
            id: Id::from_u128(1),
            version: 2,
            name: each.into(),
            position: 0,
            created_at: at,
            updated_at: at,
            deleted_at: None,
            released: Vec::new(),
        };
        let row = |number| ServiceRow {
            id: format!("svc_{number:032x}"),
            name: each.into(),
            is_private: true,
            status: ServiceStatus::Unknown.into(),
        };
        Shown { group, services: (0..services).map(row).collect(), more: Count::exactly(7), meanwhile: None }
    }

    fn rendered(role: Role, shown: &Shown) -> String {
        let frame = Frame { role, ..Frame::sample("Acme", Tab::Services) };
        GroupPage::new(&frame, shown, None).render().unwrap()
    }

    #[test]
    fn a_group_shows_its_services_and_says_how_many_more() {
        let html = rendered(Role::Editor, &shown("Core", 2));
        assert!(html.contains("7 more") && html.contains("No data") && html.contains("name=\"version\" value=\"2\""), "{html}");
        let empty = Shown { more: Count::default(), ..shown("Core", 0) };
        assert!(rendered(Role::Editor, &empty).contains("No service is in this group yet"));
        assert!(!rendered(Role::Responder, &shown("Core", 2)).contains("method=\"post\" action=\"/status/o/acme/groups"));
    }

    #[test]
    fn hostile_and_long_names_stay_text() {
        for name in ["\"><script>alert(1)</script>'", &"long ".repeat(40), "مرحبا"] {
            assert!(!rendered(Role::Admin, &shown(name, 2)).contains("<script>alert"));
            let frame = Frame::sample(name, Tab::Services);
            let page = NewGroupPage { shell: &frame.shell, frame: &frame, form: form(name, &[]) };
            assert!(!page.render().unwrap().contains("<script>alert"));
        }
    }
}
