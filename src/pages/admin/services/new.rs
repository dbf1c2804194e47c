//! A new service.

use askama::Template;
use http::StatusCode;
use poem::{Request, Response, handler};

use super::inputs::{self, Values};
use super::one::groups_to_choose;
use crate::access::Edit;
use crate::domain::service::{self, ServiceState};
use crate::error::{FieldError, Result};
use crate::pages::admin::desk::{Desk, query};
use crate::pages::admin::frame::{Frame, Tab};
use crate::pages::admin::told::Done;
use crate::pages::answer::{Refused, html};
use crate::pages::fields::Fields;
use crate::pages::form::Form;
use crate::pages::shell::Shell;
use crate::store::OrgView;

#[derive(Template)]
#[template(path = "admin/service_new.html")]
struct NewServicePage<'a> {
    shell: &'a Shell,
    frame: &'a Frame,
    form: Form,
}

async fn look(desk: &Desk, values: Values, errors: Vec<FieldError>) -> Result<(Frame, Form)> {
    desk.look(Tab::Services, move |view: &OrgView<'_, Edit>| Ok(values.new_form(&groups_to_choose(view, None)?, &errors))).await
}

/// `GET /o/:org/services/new`, for a group's own new service with `?group=`.
#[handler]
pub(crate) async fn new_form(desk: Desk, request: &Request) -> poem::Result<Response> {
    let (frame, form) = look(&desk, Values::new(query(request, "group")), Vec::new()).await?;
    Ok(html(StatusCode::OK, &NewServicePage { shell: &frame.shell, frame: &frame, form })?)
}

/// `POST /o/:org/services`.
#[handler]
pub(crate) async fn create(desk: Desk, fields: Fields) -> poem::Result<Response> {
    let created = match inputs::new_service(&fields) {
        Ok(input) => desk.change(move |tx| service::create(tx, input)).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(ServiceState { service, .. }) => {
            let done = if service.is_public() { Done::ServiceCreated } else { Done::ServiceCreatedPrivately };
            Ok(desk.done("/services", done, service.id)?)
        }
        Err(error) => {
            let refused = inputs::worded(Refused::by(error)?);
            let (frame, form) = look(&desk, Values::typed(&fields), refused.errors.clone()).await?;
            Ok(refused.answer(&NewServicePage { shell: &frame.shell, frame: &frame, form })?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_stays_and_stays_text() {
        let frame = Frame::sample("Acme", Tab::Services);
        let evil = "\"><script>alert(1)</script>";
        let values = Values { name: evil.into(), description: "</textarea><script>alert(1)".into(), ..Values::new(evil.into()) };
        let wrong = [FieldError { field: "name".into(), message: "must be 1 to 200 characters long".into() }];
        let html = NewServicePage { shell: &frame.shell, frame: &frame, form: values.new_form(&[], &wrong) }.render().unwrap();
        assert!(!html.contains("<script>alert"), "{html}");
        assert!(html.contains("aria-invalid=\"true\"") && html.contains("Name must be 1 to 200"), "{html}");
        assert!(html.contains("value=\"public\" checked") && html.contains("value=\"operational\" selected"), "{html}");
    }
}
