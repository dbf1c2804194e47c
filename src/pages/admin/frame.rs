//! What surrounds every page of an organization: where one is, who one is, and the two things that are always at hand.

use crate::access::Role;
use crate::app::Caller;
use crate::domain::incident::Incident;
use crate::domain::organization::Own;
use crate::pages::shell::Shell;
use crate::store::Page;

use super::told::Told;

/// Which entry of the navigation is the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// `/o/:org`.
    Overview,
    /// `…/services` and `…/groups`.
    Services,
    /// `…/incidents`.
    Incidents,
    /// `…/timeline`.
    Timeline,
    /// `…/team`.
    Team,
    /// `…/page` and `…/settings`.
    Settings,
    /// What is found from anywhere.
    None,
}

/// The frame around a page.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Where this instance is reached.
    pub(crate) shell: Shell,
    /// The organization's id, as rooms name it.
    pub(crate) org: String,
    /// The organization's name.
    pub(crate) name: String,
    /// In its addresses.
    pub(crate) slug: String,
    /// In its public page's address.
    pub(crate) page: String,
    /// The person's name.
    pub(crate) person: String,
    /// The person's id, to tell oneself from others.
    pub(crate) person_id: String,
    /// The person's role here.
    pub(crate) role: Role,
    /// The present entry of the navigation.
    pub(crate) tab: Tab,
    /// The position in the organization's log that the page shows, `<epoch>:<seq>`.
    pub(crate) at: String,
    /// Unresolved incidents, the latest begun first; some of them.
    pub(crate) open: Vec<Open>,
    /// Whether there are more of them.
    pub(crate) more_open: bool,
    /// The person's organizations, the earliest joined first; some of them.
    pub(crate) organizations: Vec<Choice>,
    /// Whether the person looks after the instance.
    pub(crate) is_operator: bool,
    /// What was just done.
    pub(crate) told: Option<Told>,
}

/// One of the person's organizations, as the switcher offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Its name.
    pub(crate) name: String,
    /// In its addresses.
    pub(crate) slug: String,
    /// Whether it is the one whose page this is.
    pub(crate) is_this: bool,
}

/// Who looks at the page, beside their role in the organization.
pub(super) struct Person {
    pub(super) organizations: Vec<Choice>,
    pub(super) is_operator: bool,
}

/// An unresolved incident, as the header offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    /// Its id.
    pub(crate) id: String,
    /// Its title.
    pub(crate) title: String,
    /// How far it has come, in words.
    pub(crate) status: &'static str,
}

impl Frame {
    #[expect(clippy::too_many_arguments, reason = "made in one place, of what was read in one snapshot")]
    pub(super) fn new(
        shell: &Shell,
        caller: &Caller,
        own: Own,
        page: String,
        open: Page<Incident>,
        at: String,
        tab: Tab,
        person: Person,
        told: Option<Told>,
    ) -> Self {
        Self {
            shell: shell.clone(),
            org: own.organization.id.to_string(),
            name: own.organization.name,
            slug: own.organization.slug,
            page,
            person: caller.user.full_name.clone(),
            person_id: caller.user.id.to_string(),
            role: own.role,
            tab,
            at,
            more_open: open.next.is_some(),
            open: open
                .items
                .into_iter()
                .map(|incident| Open { id: incident.id.to_string(), title: incident.title, status: incident.status.label() })
                .collect(),
            organizations: person.organizations,
            is_operator: person.is_operator,
            told,
        }
    }

    /// The link to a page of the organization; `rest` is empty or begins with a slash.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}/o/{}{rest}", self.shell.path(), self.slug)
    }

    /// Whether the person may report and update incidents and set statuses.
    pub(crate) fn responds(&self) -> bool {
        self.role >= Role::Responder
    }

    /// Whether the person may change services and groups.
    pub(crate) fn edits(&self) -> bool {
        self.role >= Role::Editor
    }

    /// Whether the person may manage people and settings.
    pub(crate) fn administers(&self) -> bool {
        self.role >= Role::Admin
    }

    /// `page` for the present entry of the navigation, for `aria-current`.
    pub(crate) fn current(&self, tab: &str) -> &'static str {
        let present = match self.tab {
            Tab::Overview => "overview",
            Tab::Services => "services",
            Tab::Incidents => "incidents",
            Tab::Timeline => "timeline",
            Tab::Team => "team",
            Tab::Settings => "settings",
            Tab::None => "",
        };
        if tab == present { "page" } else { "false" }
    }
}

#[cfg(test)]
impl Frame {
    /// A frame for rendering samples of pages: everything in it is `each`, the role an admin's.
    pub(crate) fn sample(each: &str, tab: Tab) -> Self {
        Self {
            shell: Shell { base_url: "https://example.org/status".into() },
            org: "org_00000000000000000000000000000001".into(),
            name: each.into(),
            slug: "acme".into(),
            page: "acme".into(),
            person: each.into(),
            person_id: "usr_00000000000000000000000000000001".into(),
            role: Role::Admin,
            tab,
            at: "00ff:7".into(),
            open: vec![Open { id: "inc_00000000000000000000000000000001".into(), title: each.into(), status: "Investigating" }],
            more_open: true,
            organizations: vec![
                Choice { name: each.into(), slug: "acme".into(), is_this: true },
                Choice { name: each.into(), slug: "other".into(), is_this: false },
            ],
            is_operator: true,
            told: None,
        }
    }
}
