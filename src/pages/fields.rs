//! What a browser's form sends, read strictly.

use std::collections::HashSet;

use poem::web::Form;
use poem::{FromRequest, Request, RequestBody};

use crate::error::{Error, FieldError, Result};

/// The most wrong fields that are told of: a body of a megabyte has room for many.
const TOLD_MAX: usize = 10;

/// The fields of an `application/x-www-form-urlencoded` body; anything else is 415.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl<'a> FromRequest<'a> for Fields {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> poem::Result<Self> {
        Form::from_request(request, body).await.map(|Form(pairs)| Self(pairs))
    }
}

impl Fields {
    /// A field's text; empty when it was not sent.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
    }

    /// The fields whose names start like this, by the rest of their names.
    pub(crate) fn starting<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(field, value)| Some((field.strip_prefix(prefix)?, value.as_str())))
    }

    /// Whether a field was sent, be it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// Refuses fields that the form does not have, and those that come twice: whoever made them knows another form than ours. A known name
    /// that ends in `*` stands for all that begin like it.
    ///
    /// # Errors
    /// `Invalid` naming them.
    pub(crate) fn only(&self, known: &[&str]) -> Result<()> {
        let mut errors = Vec::new();
        // A set and not a look back: a body of a megabyte holds a hundred thousand names.
        let mut seen = HashSet::new();
        for (field, _) in &self.0 {
            let is_known = |known: &&str| match known.strip_suffix('*') {
                Some(prefix) => field.starts_with(prefix),
                None => field == known,
            };
            let message = if !known.iter().any(is_known) {
                "is not a field of this form"
            } else if !seen.insert(field.as_str()) {
                "was sent twice"
            } else {
                continue;
            };
            errors.push(FieldError { field: field.chars().take(50).collect(), message: message.into() });
            if errors.len() == TOLD_MAX {
                break;
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
    }
}

#[cfg(test)]
mod tests {
    use poem::http::Method;

    use super::*;

    async fn read(kind: &str, body: &'static str) -> poem::Result<Fields> {
        let request = Request::builder().method(Method::POST).content_type(kind).body(body);
        let (request, mut body) = request.split();
        Fields::from_request(&request, &mut body).await
    }

    #[tokio::test]
    async fn fields_are_decoded() {
        let fields = read("application/x-www-form-urlencoded", "email=ada%40example.com&full_name=Ada+L%C3%B6velace&empty=").await.unwrap();
        assert_eq!((fields.get("email"), fields.get("full_name")), ("ada@example.com", "Ada Lövelace"));
        assert_eq!((fields.get("empty"), fields.get("missing")), ("", ""));
        assert!(fields.only(&["email", "full_name", "empty"]).is_ok());
        assert!(fields.only(&["e*", "full_name"]).is_ok() && fields.only(&["e*"]).is_err());
        assert_eq!(fields.starting("e").collect::<Vec<_>>(), [("mail", "ada@example.com"), ("mpty", "")]);
        assert!(fields.has("empty") && !fields.has("missing"));
    }

    #[tokio::test]
    async fn unknown_and_repeated_fields_are_refused_by_name() {
        let fields = read("application/x-www-form-urlencoded", "email=a&role=admin&email=b").await.unwrap();
        let Err(Error::Invalid(errors)) = fields.only(&["email"]) else { panic!("taken") };
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), ["role", "email"]);
    }

    #[tokio::test]
    async fn other_kinds_of_bodies_are_415() {
        for kind in ["application/json", "multipart/form-data", "text/plain"] {
            assert_eq!(read(kind, "{}").await.unwrap_err().status(), 415, "{kind}");
        }
    }
}
