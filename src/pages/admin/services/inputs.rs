//! The fields of a service's forms: how they are shown, and what they mean.

use crate::domain::group::Group;
use crate::domain::order::Direction;
use crate::domain::service::{NewService, Service, ServicePatch, Visibility};
use crate::domain::status::ServiceStatus;
use crate::error::{Check, Error, FieldError, Result};
use crate::id::Id;
use crate::pages::answer::Refused;
use crate::pages::fields::Fields;
use crate::pages::form::{Choice, Field, Form};

const EDITED: [&str; 6] = ["name", "description", "group_id", "visibility", "version", "seen"];
const NEW: [&str; 5] = ["name", "description", "group_id", "visibility", "own_status"];

/// What stands in the fields, be it stored or typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) group_id: String,
    pub(super) visibility: String,
    pub(super) own_status: String,
}

impl Values {
    /// Of a service that is there.
    pub(super) fn of(service: &Service) -> Self {
        Self {
            name: service.name.clone(),
            description: service.description.clone(),
            group_id: service.group_id.map(|id| id.to_string()).unwrap_or_default(),
            visibility: service.visibility.as_str().into(),
            own_status: service.own_status.as_str().into(),
        }
    }

    /// Of one that is to be made.
    pub(super) fn new(group_id: String) -> Self {
        Self {
            group_id,
            visibility: Visibility::Public.as_str().into(),
            own_status: ServiceStatus::Operational.as_str().into(),
            ..Self::default()
        }
    }

    /// As somebody typed them.
    pub(super) fn typed(fields: &Fields) -> Self {
        let typed = |name| fields.get(name).to_owned();
        Self {
            name: typed("name"),
            description: typed("description"),
            group_id: typed("group_id"),
            visibility: typed("visibility"),
            own_status: typed("own_status"),
        }
    }

    fn described(&self, groups: &[Group]) -> Vec<Field> {
        let no_group = Choice::new("", "No group");
        let in_a_group = groups.iter().map(|group| Choice::new(group.id.to_string(), group.name.clone()));
        let visibilities = vec![
            Choice::new(Visibility::Public.as_str(), "Public: everyone who opens the page sees it"),
            Choice::new(Visibility::Private.as_str(), "Private: only people of this organization see it"),
        ];
        vec![
            Field::line("name", "Name", "text", "off").holding(&self.name).hinting("As your users know it: Website, API, Checkout."),
            Field::area("description", "Description", 4)
                .holding(&self.description)
                .hinting("Shown below the name. Markdown, at most 2,000 characters.")
                .optional(),
            Field::select("group_id", "Group", [no_group].into_iter().chain(in_a_group).collect()).holding(&self.group_id).optional(),
            Field::radio("visibility", "Visibility", visibilities).holding(&self.visibility),
        ]
    }

    /// The form of a new service.
    pub(super) fn new_form(&self, groups: &[Group], errors: &[FieldError]) -> Form {
        let mut fields = self.described(groups);
        fields.push(self.own_status());
        Form::new(fields, errors)
    }

    /// The form that changes what a service is.
    pub(super) fn edit_form(&self, groups: &[Group], errors: &[FieldError]) -> Form {
        Form::new(self.described(groups), errors)
    }

    /// The form that sets its status.
    pub(super) fn status_form(&self, errors: &[FieldError]) -> Form {
        Form::new(vec![self.own_status()], errors)
    }

    fn own_status(&self) -> Field {
        let choices = ServiceStatus::ALL.iter().map(|status| Choice::new(status.as_str(), status.label())).collect();
        let hint = "Open incidents can make it look worse than this, never better.";
        Field::select("own_status", "Status set by hand", choices).holding(&self.own_status).hinting(hint)
    }
}

/// The service that a form wants to be made.
///
/// # Errors
/// `Invalid`.
pub(super) fn new_service(fields: &Fields) -> Result<NewService> {
    fields.only(&NEW)?;
    let mut check = Check::new();
    let (visibility, group_id) = (check.take(visibility(fields))?, check.take(group(fields))?);
    let own_status = check.take(own_status(fields))?;
    check.done()?;
    Ok(NewService {
        name: fields.get("name").into(),
        description: fields.get("description").into(),
        visibility: visibility.unwrap_or(Visibility::Private),
        own_status: own_status.unwrap_or(ServiceStatus::Unknown),
        group_id: group_id.flatten(),
    })
}

/// What a form wants to be changed.
///
/// # Errors
/// `Invalid`.
pub(super) fn patch(fields: &Fields) -> Result<ServicePatch> {
    fields.only(&EDITED)?;
    let mut check = Check::new();
    let (visibility, group_id) = (check.take(visibility(fields))?, check.take(group(fields))?);
    check.done()?;
    Ok(ServicePatch {
        name: Some(fields.get("name").into()),
        description: Some(fields.get("description").into()),
        visibility,
        group_id,
        ..ServicePatch::default()
    })
}

/// The status that a form sets by hand.
///
/// # Errors
/// `Invalid`.
pub(super) fn own_status(fields: &Fields) -> Result<ServiceStatus> {
    ServiceStatus::parse(fields.get("own_status")).ok_or_else(|| Error::invalid("own_status", "must be one of those offered"))
}

/// Which way a button moves something.
///
/// # Errors
/// `Invalid`.
pub(crate) fn direction(fields: &Fields) -> Result<Direction> {
    match fields.get("direction") {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        _ => Err(Error::invalid("direction", "must be up or down")),
    }
}

fn visibility(fields: &Fields) -> Result<Visibility> {
    let known = [Visibility::Public, Visibility::Private];
    let wanted = fields.get("visibility");
    known.into_iter().find(|known| known.as_str() == wanted).ok_or_else(|| Error::invalid("visibility", "must be public or private"))
}

fn group(fields: &Fields) -> Result<Option<Id<Group>>> {
    match fields.get("group_id") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::invalid("group_id", "must be one of those offered")),
    }
}

/// Says for people what the operation says for programs: who chose from a list has sent no wrong id, the group went away meanwhile.
pub(super) fn worded(mut refused: Refused) -> Refused {
    for error in refused.errors.iter_mut().filter(|error| error.field == "group_id") {
        error.message = "is gone: somebody deleted it. Choose another.".into();
    }
    refused
}
