//! Parameters of the query string, each optional, refused by name when they are wrong.

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// What a parameter can hold.
pub trait Parameter: Sized + Send {
    /// What would be right.
    const EXPECTED: &'static str;

    /// As the document describes it.
    fn schema() -> MetaSchema;

    /// The value of a text; `None` if it is none.
    fn parse(text: &str) -> Option<Self>;
}

/// A parameter of the query string, if it is given. An empty one is as good as none, as forms and templates leave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub Option<T>);

impl<T: Parameter> Query<T> {
    fn parse(name: &str, values: &[(String, String)]) -> Result<Self> {
        let mut given = values.iter().filter(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value);
        match (given.next(), given.next()) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => T::parse(value).map(|value| Self(Some(value))).ok_or_else(|| Error::invalid(name, T::EXPECTED)),
            (Some(_), Some(_)) => Err(Error::invalid(name, "must be given once")),
        }
    }
}

impl Query<String> {
    /// The text, if it is given.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'a, T: Parameter> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(T::schema())))
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, options: ExtractParamOptions<()>) -> poem::Result<Self> {
        let values: Vec<(String, String)> = request.params().unwrap_or_default();
        Self::parse(options.name, &values).map_err(poem::Error::from)
    }
}

impl Parameter for String {
    const EXPECTED: &'static str = "must be a text";

    fn schema() -> MetaSchema {
        MetaSchema::new("string")
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Parameter for Timestamp {
    const EXPECTED: &'static str = "must be an RFC 3339 time such as 2026-03-01T12:00:00Z";

    fn schema() -> MetaSchema {
        MetaSchema::new_with_format("string", "date-time")
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_parameter_is_optional_and_comes_once() {
        assert_eq!(Query::<String>::parse("cursor", &query(&[("limit", "3"), ("cursor", "")])).unwrap().text(), None);
        assert_eq!(Query::<String>::parse("cursor", &query(&[("cursor", "abc")])).unwrap().text(), Some("abc"));
        let twice = Query::<String>::parse("cursor", &query(&[("cursor", "a"), ("cursor", "b")]));
        assert_eq!(twice, Err(Error::invalid("cursor", "must be given once")));
    }

    #[test]
    fn a_time_is_read_in_any_zone() {
        let noon = Query::<Timestamp>::parse("since", &query(&[("since", "2026-03-01T13:00:00+01:00")])).unwrap();
        assert_eq!(noon.0.unwrap().to_string(), "2026-03-01T12:00:00.000Z");
        assert_eq!(
            Query::<Timestamp>::parse("since", &query(&[("since", "yesterday")])),
            Err(Error::invalid("since", Timestamp::EXPECTED))
        );
    }
}
