//! The one file of a form, as browsers send it: `multipart/form-data` (RFC 7578).

use http::StatusCode;
use poem::web::Multipart;
use poem::{FromRequest, Request, RequestBody};

use crate::error::{Error, FieldError, Result};
use crate::http::refuse::Refusal;
use crate::pages::answer::Refused;

/// The form's only field.
pub(super) const FIELD: &str = "logo";

/// The file, or why there is none: empty, if none was chosen. Any other kind of body is 415.
pub(crate) struct Upload(pub(super) Result<Vec<u8>, Refused>);

impl<'a> FromRequest<'a> for Upload {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        if let Some(Refusal::TooLarge { .. }) = request.data::<Refusal>() {
            return Ok(Self(Err(too_large())));
        }
        let mut form = Multipart::from_request(request, body).await?;
        Ok(Self(match file(&mut form).await? {
            Ok(file) => Ok(file),
            Err(error) => Err(Refused::by(error)?),
        }))
    }
}

/// The server has dropped what was too large for it, and left it to the form to say so.
fn too_large() -> Refused {
    let error = FieldError { field: FIELD.into(), message: "must be 2 MiB at most; save it smaller".into() };
    Refused { status: StatusCode::PAYLOAD_TOO_LARGE, errors: vec![error], retry_after: None }
}

/// How much there is was bounded when the body was read.
async fn file(form: &mut Multipart) -> poem::Result<Result<Vec<u8>>> {
    let mut file = None;
    while let Some(field) = form.next_field().await? {
        let name: String = field.name().unwrap_or_default().chars().take(50).collect();
        if name != FIELD {
            return Ok(Err(Error::invalid(name, "is not a field of this form")));
        }
        if file.is_some() {
            return Ok(Err(Error::invalid(FIELD, "was sent twice")));
        }
        file = Some(field.bytes().await?);
    }
    // A form that is sent before anything was chosen has an empty file in it; one without any is no better.
    Ok(Ok(file.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use poem::http::Method;

    use super::*;

    fn part(name: &str, content: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\n\r\n{content}\r\n")
    }

    async fn read(kind: &str, body: String) -> poem::Result<Upload> {
        let request = Request::builder().method(Method::POST).content_type(kind).body(body);
        let (request, mut body) = request.split();
        Upload::from_request(&request, &mut body).await
    }

    async fn form(parts: &[String]) -> Result<Vec<u8>, Refused> {
        read("multipart/form-data; boundary=x", format!("{}--x--\r\n", parts.concat())).await.unwrap().0
    }

    #[tokio::test]
    async fn one_file_comes_as_it_was_sent() {
        assert_eq!(form(&[part("logo", "a\r\n--y\r\nb")]).await.ok().as_deref(), Some(&b"a\r\n--y\r\nb"[..]));
        assert_eq!(form(&[part("logo", "")]).await.ok().as_deref(), Some(&b""[..]));
        assert_eq!(form(&[]).await.ok().as_deref(), Some(&b""[..]));
    }

    #[tokio::test]
    async fn more_than_one_file_is_no_form_of_ours() {
        for (parts, field) in [([part("logo", "a"), part("logo", "b")], "logo"), ([part("logo", "a"), part("slug", "b")], "slug")] {
            let refused = form(&parts).await.err().unwrap();
            assert_eq!((refused.status.as_u16(), refused.errors[0].field.as_str()), (422, field), "{parts:?}");
        }
    }

    #[tokio::test]
    async fn other_bodies_are_refused_whole() {
        for (kind, body, status) in [
            ("application/x-www-form-urlencoded", "logo=a".to_owned(), 415),
            ("multipart/mixed; boundary=x", part("logo", "a"), 415),
            ("multipart/form-data", part("logo", "a"), 400),
            ("multipart/form-data; boundary=x", part("logo", "a"), 400),
            ("multipart/form-data; boundary=x", "no part".to_owned(), 400),
        ] {
            assert_eq!(read(kind, body).await.err().unwrap().status(), status, "{kind}");
        }
    }

    #[tokio::test]
    async fn what_the_server_did_not_keep_is_too_large() {
        let mut request = Request::builder().method(Method::POST).content_type("multipart/form-data; boundary=x").finish();
        request.extensions_mut().insert(Refusal::TooLarge { limit: 7 });
        let (request, mut body) = request.split();
        let refused = Upload::from_request(&request, &mut body).await.unwrap().0.err().unwrap();
        assert_eq!((refused.status.as_u16(), refused.errors[0].message.as_str()), (413, "must be 2 MiB at most; save it smaller"));
    }
}
