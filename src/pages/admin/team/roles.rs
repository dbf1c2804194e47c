//! The field that chooses a role.

use crate::access::Role;
use crate::pages::form::{Choice, Field};

/// The field `role`, which `admin/team_roles.html` shows as cards.
pub(super) fn field(chosen: &str) -> Field {
    let choices = Role::ALL.into_iter().map(|role| Choice::new(role.as_str(), role.label())).collect();
    Field::radio("role", "Role", choices).holding(chosen)
}
