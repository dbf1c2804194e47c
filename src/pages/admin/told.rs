//! What a page says was just done.
//!
//! The redirect after a POST names it in its query by a word of this table, never by a text: what the page says can't be chosen by whoever
//! made the link. A cookie was the other road; it would tell the wrong tab.

use poem::Request;

use super::desk::query;

macro_rules! done {
    ($($variant:ident = $word:literal, $text:literal $(, undo $undo:literal)?;)*) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Done { $(#[doc = $text] $variant,)* }

        impl Done {
            const ALL: &'static [Done] = &[$(Done::$variant),*];

            /// The word in the query.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Done::$variant => $word,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Done::$variant => $text,)* }
            }

            /// Where to POST to have it undone, with `{}` for the id.
            fn undo(self) -> Option<&'static str> {
                match self { $(Done::$variant => None$(.or(Some($undo)))?,)* }
            }
        }
    };
}

done! {
    ServiceCreated = "service-created", "The service is on the page.";
    ServiceCreatedPrivately = "service-created-privately", "The service is made. Only people of this organization see it.";
    ServiceSaved = "service-saved", "The service is saved.";
    StatusSet = "status-set", "The status is set.";
    Moved = "moved", "The order is changed.";
    ServiceDeleted = "service-deleted", "The service is deleted.", undo "/services/{}/restore";
    ServiceRestored = "service-restored", "The service is back.";
    GroupCreated = "group-created", "The group is made.";
    GroupSaved = "group-saved", "The group is saved.";
    GroupDeleted = "group-deleted", "The group is deleted; its services stay.", undo "/groups/{}/restore";
    GroupRestored = "group-restored", "The group is back.";
    IncidentReported = "incident-reported", "The incident is reported. Everyone who watches sees it now.";
    IncidentReportedPrivately = "incident-reported-privately", "The incident is reported. Only people of this organization see it.";
    UpdatePosted = "update-posted", "The update is posted. Everyone who watches sees it now.";
    UpdatePostedPrivately = "update-posted-privately", "The update is posted. Only people of this organization see it.";
    IncidentResolved = "incident-resolved", "The incident is resolved.";
    IncidentReopened = "incident-reopened", "The incident is open again.";
    IncidentSaved = "incident-saved", "The incident is saved.";
    TextCorrected = "text-corrected", "The text is corrected. The earlier one stays in the timeline.";
    IncidentDeleted = "incident-deleted", "The incident is deleted.", undo "/incidents/{}/restore";
    IncidentRestored = "incident-restored", "The incident is back.";
    NameSaved = "name-saved", "Your name is saved.";
    PasswordChanged = "password-changed", "Your password is changed. You are signed out everywhere else.";
    SessionEnded = "session-ended", "That session is signed out.";
    SessionsEnded = "sessions-ended", "You are signed out everywhere else.";
}

/// What a page says was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// A sentence.
    pub(crate) text: &'static str,
    /// Where to POST to have it undone: a path without the sub-path of the instance.
    pub(crate) undo: Option<String>,
}

impl Told {
    /// What the request's query says, if it is one of ours; `base` is the path that undoing is below.
    pub(crate) fn of(request: &Request, base: &str) -> Option<Self> {
        let word = query(request, "told");
        let done = Done::ALL.iter().find(|done| done.as_str() == word)?;
        let of = query(request, "of");
        // An id of ours, so that the link can lead nowhere else.
        let is_id = !of.is_empty() && of.len() <= 50 && of.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let undo = done.undo().filter(|_| is_id).map(|path| format!("{base}{}", path.replace("{}", &of)));
        Some(Self { text: done.text(), undo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(query: &str) -> Option<Told> {
        let uri = format!("/o/acme/services?{query}").parse().unwrap();
        Told::of(&Request::builder().uri(uri).finish(), "/o/acme")
    }

    #[test]
    fn a_page_says_only_what_is_in_the_table() {
        assert_eq!(told("told=service-saved"), Some(Told { text: "The service is saved.", undo: None }));
        assert_eq!(told("told=You+won"), None);
        assert_eq!(told(""), None);
    }

    #[test]
    fn undoing_leads_to_an_id_and_nowhere_else() {
        assert_eq!(told("told=service-deleted&of=svc_1").unwrap().undo.as_deref(), Some("/o/acme/services/svc_1/restore"));
        for of in ["", "..%2F..%2Flogout", "a%2Fb", "%22"] {
            assert_eq!(told(&format!("told=service-deleted&of={of}")).unwrap().undo, None, "{of}");
        }
        assert_eq!(told("told=service-saved&of=svc_1").unwrap().undo, None);
    }
}
