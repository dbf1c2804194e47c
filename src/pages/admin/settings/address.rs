//! The field of an address's last word, `admin/settings_address.html`: for the public page and for the organization's own pages.

use http::StatusCode;

use crate::error::FieldError;
use crate::pages::answer::Refused;
use crate::pages::form::Field;

/// The field, holding this word.
pub(super) fn field(word: &str) -> Field {
    let hint = "3 to 60 small letters, digits and hyphens. After a change, the old address leads to the new one.";
    Field::line("slug", "Address", "text", "off").holding(word).hinting(hint)
}

/// Says at the field that its word is taken: nothing else that stands beside it can be in conflict with anything.
pub(super) fn worded(mut refused: Refused) -> Refused {
    if refused.status == StatusCode::CONFLICT {
        refused.errors = vec![FieldError { field: "slug".into(), message: "is taken. Choose another one.".into() }];
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_taken_word_is_said_at_its_field_and_nothing_else_is() {
        let taken = worded(Refused::by(Error::Conflict("the address acme is taken; choose another".into())).unwrap());
        assert_eq!((taken.status.as_u16(), taken.errors[0].field.as_str()), (409, "slug"));
        let stale = worded(Refused::by(Error::Stale { current: 2 }).unwrap());
        assert_eq!((stale.status.as_u16(), stale.errors[0].field.as_str()), (412, ""));
    }
}
