//! Request bodies: read field by field, so that a caller hears of everything that is wrong with theirs at once.
//!
//! poem-openapi's own `Json` stops at the first mistake, answers 400 for all of them and takes a number for a string. Its derive still gives the
//! schema; the reading is ours.

use bytes::Bytes;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{MaybeUndefined, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

use super::problem::BadBody;
use crate::error::{Check, Error, Result};

/// The most entries of a list that are looked at.
const ENTRIES_MAX: usize = 1_000;

/// A JSON body: 415 for anything else, 400 for what can't be read, 422 with every wrong or unknown field.
#[derive(Debug, Clone)]
pub struct Input<T> {
    value: T,
    bytes: Bytes,
}

impl<T> Input<T> {
    /// The body as read, and as sent: an idempotency key holds for the same bytes alone.
    pub fn into_parts(self) -> (T, Bytes) {
        (self.value, self.bytes)
    }

    /// The body as read.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T: Field> Input<T> {
    fn parse(bytes: Bytes) -> poem::Result<Self> {
        let json: Value = serde_json::from_slice(&bytes).map_err(|error| BadBody::Unreadable(error.to_string()))?;
        Ok(Self { value: read_body(json)?, bytes })
    }
}

fn read_body<T: Field>(json: Value) -> Result<T> {
    if !json.is_object() {
        return Err(Error::invalid("body", "must be a JSON object"));
    }
    let mut check = Check::new();
    let value = T::parse(json, "", &mut check);
    check.done()?;
    value.ok_or_else(|| Error::internal("a field was neither right nor wrong"))
}

impl<'a, T: Field + Type> ApiExtractor<'a> for Input<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let json = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        Some(MetaRequest { description: None, content: vec![json], required: true })
    }

    async fn from_request(request: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        if !request.content_type().is_some_and(is_json) {
            return Err(BadBody::MediaType.into());
        }
        Self::parse(body.take()?.into_bytes().await?)
    }
}

/// Parameters such as `charset` may follow; RFC 8259 gives them no meaning.
fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What can be read from a JSON value, noting what is wrong with it.
pub trait Field: Sized {
    /// The value; `None` after noting under `path` what would be right.
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self>;

    /// What it is when the field is left out; `None` after noting that it is required.
    fn absent(path: &str, check: &mut Check) -> Option<Self> {
        check.wrong(path, "is required");
        None
    }

    /// What the field holds, if it is there.
    fn read(value: Option<Value>, path: &str, check: &mut Check) -> Option<Self> {
        match value {
            Some(value) => Self::parse(value, path, check),
            None => Self::absent(path, check),
        }
    }
}

/// Notes what would be right.
pub(crate) fn must<T>(check: &mut Check, path: &str, what: impl Into<String>) -> Option<T> {
    check.wrong(path, what);
    None
}

/// The path of a field inside an object.
pub(crate) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

impl Field for String {
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            _ => must(check, path, "must be a string"),
        }
    }
}

impl Field for i64 {
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
        value.as_i64().or_else(|| must(check, path, "must be an integer"))
    }
}

/// May be left out. `null` is something else, and refused: it would read like "no name".
impl<T: Field> Field for Option<T> {
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
        T::parse(value, path, check).map(Some)
    }

    fn absent(_: &str, _: &mut Check) -> Option<Self> {
        Some(None)
    }
}

/// May be left out, or be `null`, and each means something.
impl<T: Field> Field for MaybeUndefined<T> {
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
        match value {
            Value::Null => Some(MaybeUndefined::Null),
            value => T::parse(value, path, check).map(MaybeUndefined::Value),
        }
    }

    fn absent(_: &str, _: &mut Check) -> Option<Self> {
        Some(MaybeUndefined::Undefined)
    }
}

impl<T: Field> Field for Vec<T> {
    fn parse(value: Value, path: &str, check: &mut Check) -> Option<Self> {
        let Value::Array(entries) = value else { return must(check, path, "must be a list") };
        if entries.len() > ENTRIES_MAX {
            return must(check, path, format!("must have at most {ENTRIES_MAX} entries"));
        }
        // All of them, so that each wrong one is named.
        let read: Vec<Option<T>> =
            entries.into_iter().enumerate().map(|(at, entry)| T::parse(entry, &format!("{path}[{at}]"), check)).collect();
        read.into_iter().collect()
    }
}

/// Declares an object of a request's body: its type, its schema and its reading.
///
/// Fields that are not declared are refused; for one that people are likely to try, `refuses` says why.
macro_rules! input {
    (
        $(#[$doc:meta])*
        $vis:vis struct $name:ident { $($(#[$field_doc:meta])* $field_vis:vis $field:ident: $type:ty,)* }
        $(refuses { $($refused:ident => $why:literal,)* })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, poem_openapi::Object)]
        $vis struct $name { $($(#[$field_doc])* $field_vis $field: $type,)* }

        impl $crate::api::input::Field for $name {
            fn parse(value: serde_json::Value, path: &str, check: &mut $crate::error::Check) -> Option<Self> {
                use $crate::api::input::{join, must};
                let serde_json::Value::Object(mut object) = value else { return must(check, path, "must be an object") };
                $(let $field = <$type as $crate::api::input::Field>::read(object.remove(stringify!($field)), &join(path, stringify!($field)), check);)*
                $($(if object.remove(stringify!($refused)).is_some() {
                    check.wrong(join(path, stringify!($refused)), $why);
                })*)?
                for unknown in object.keys() {
                    check.wrong(join(path, unknown), "is not a known field");
                }
                Some(Self { $($field: $field?,)* })
            }
        }
    };
}
pub(crate) use input;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::dto::Visibility;

    input! {
        /// A part.
        struct Piece {
            /// Which.
            id: String,
            /// Its kind.
            kind: MaybeUndefined<Visibility>,
        }
    }

    input! {
        /// A whole.
        struct Whole {
            /// Required.
            name: String,
            /// Optional.
            position: Option<i64>,
            /// Optional, may be null.
            group: MaybeUndefined<String>,
            /// Optional.
            pieces: Option<Vec<Piece>>,
        }
        refuses { status => "is derived; set own_status", }
    }

    fn wrong(body: Value) -> Vec<(String, String)> {
        match read_body::<Whole>(body) {
            Ok(_) => Vec::new(),
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| (field.field, field.message)).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn left_out_and_null_are_told_apart() {
        let whole = read_body::<Whole>(json!({ "name": "a", "group": null })).unwrap_or_else(|error| panic!("{error}"));
        assert!(whole.group.is_null() && whole.position.is_none() && whole.pieces.is_none());
        let whole =
            read_body::<Whole>(json!({ "name": "a", "position": -3, "pieces": [{ "id": "x" }] })).unwrap_or_else(|error| panic!("{error}"));
        assert!(whole.group.is_undefined());
        assert_eq!((whole.name.as_str(), whole.position), ("a", Some(-3)));
        assert!(whole.pieces.is_some_and(|pieces| pieces[0].id == "x" && pieces[0].kind.is_undefined()));
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let body = json!({
            "position": 1.5,
            "group": 7,
            "pieces": [{ "id": "x", "kind": "secret" }, { "kind": null, "colour": 1 }, "y"],
            "status": "operational",
            "is_admin": true,
        });
        let expected = [
            ("name", "is required"),
            ("position", "must be an integer"),
            ("group", "must be a string"),
            ("pieces[0].kind", "must be one of public, private"),
            ("pieces[1].id", "is required"),
            ("pieces[1].colour", "is not a known field"),
            ("pieces[2]", "must be an object"),
            ("status", "is derived; set own_status"),
            ("is_admin", "is not a known field"),
        ];
        assert_eq!(wrong(body), expected.map(|(field, message)| (field.to_owned(), message.to_owned())));
    }

    #[test]
    fn null_is_no_value() {
        assert_eq!(wrong(json!({ "name": null })), [("name".to_owned(), "must be a string".to_owned())]);
        assert_eq!(wrong(json!({ "name": "a", "position": null })), [("position".to_owned(), "must be an integer".to_owned())]);
        assert_eq!(
            wrong(json!({ "name": "a", "pieces": vec![1; 2_000] })),
            [("pieces".to_owned(), "must have at most 1000 entries".to_owned())]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_as_a_whole() {
        for body in [json!([]), json!("x"), json!(null), json!(3)] {
            assert_eq!(wrong(body), [("body".to_owned(), "must be a JSON object".to_owned())]);
        }
        for broken in ["", "{", "{\"name\":\"\u{0}\"}", "nul"] {
            let error = Input::<Whole>::parse(Bytes::from_static(broken.as_bytes())).err().unwrap();
            assert_eq!(error.status(), 400, "{broken:?}");
        }
    }

    #[test]
    fn only_json_is_json() {
        for json in ["application/json", "Application/JSON", "application/json; charset=utf-8", " application/json ;x"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/problem+json"] {
            assert!(!is_json(other), "{other}");
        }
    }
}
