//! What a page says was just done.
//!
//! The redirect after a POST names it in its query by a word of this table, never by a text: what the page says can't be chosen by whoever
//! made the link. A cookie was the other road; it would tell the wrong tab.

use poem::Request;

use super::desk::query;

macro_rules! done {
    (@kind) => {
        Kind::Done
    };
    (@kind $kind:ident) => {
        Kind::$kind
    };
    ($($variant:ident = $word:literal, $text:literal $(, undo $undo:literal)? $(=> $kind:ident)?;)*) => {
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

            fn kind(self) -> Kind {
                match self { $(Done::$variant => done!(@kind $($kind)?),)* }
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
    Joined = "joined", "You are in. This page shows what is broken, what is planned and what happened last.";
    Out = "out", "That organization is not open to you any more: it was deleted, or an admin removed you." => Plain;
    Left = "left", "You have left the organization.";
    ResetRequested = "reset-requested", "If there is an account with that address, a mail with a link is on its way." => Plain;
    PasswordReset = "password-reset", "Your password is changed. Sign in with the new one.";
    PageSaved = "page-saved", "The public page is saved. Everyone who watches sees it now.";
    LogoSaved = "logo-saved", "The logo is saved. Everyone who watches sees it now.";
    LogoRemoved = "logo-removed", "The logo is removed.";
    OrganizationSaved = "organization-saved", "The organization is saved.";
    OrganizationDeleted = "organization-deleted", "The organization is deleted.";
    OrganizationMade = "organization-made", "The organization is made. This instance sends no mail: pass the link on yourself." => Plain;
    OrganizationMadeMailed = "organization-made-mailed", "The organization is made, and the link is on its way by mail.";
    OrganizationMadeMailFailed = "organization-made-mail-failed",
        "The organization is made, but no mail went out: pass the link on yourself." => Warning;
    OrganizationSuspended = "organization-suspended", "The organization is suspended. Its people and its visitors are out.";
    OrganizationResumed = "organization-resumed", "The organization is open again.";
    InvitedByMail = "invited-by-mail", "The invitation is on its way by mail. Its link is on this page, too.";
    InvitedMailFailed = "invited-mail-failed",
        "The invitation is made, but the mail could not be sent: pass the link on yourself." => Warning;
    InvitedNoMail = "invited-no-mail", "The invitation is made. Now pass the link on." => Plain;
    InvitationRevoked = "invitation-revoked", "The invitation is revoked. Its link works no more.";
    RoleChanged = "role-changed", "The role is saved. It counts at once.";
    MemberRemoved = "member-removed", "That person is out of the organization.";
}

/// Whether what is told went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is done, and there is nothing left to do.
    Done,
    /// Something of it failed.
    Warning,
    /// It is so; whether that is good is the reader's to say.
    Plain,
}

impl Kind {
    /// As `data-kind` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Warning => "warn",
            Self::Plain => "plain",
        }
    }
}

/// What a page says was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// A sentence.
    pub(crate) text: &'static str,
    /// How it looks.
    pub(crate) kind: Kind,
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
        Some(Self { text: done.text(), kind: done.kind(), undo })
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
        assert_eq!(told("told=service-saved"), Some(Told { text: "The service is saved.", kind: Kind::Done, undo: None }));
        assert_eq!(told("told=You+won"), None);
        assert_eq!(told(""), None);
    }

    #[test]
    fn a_mail_that_failed_is_no_success() {
        for (word, kind) in [
            ("invited-by-mail", Kind::Done),
            ("invited-mail-failed", Kind::Warning),
            ("organization-made-mail-failed", Kind::Warning),
            ("invited-no-mail", Kind::Plain),
            ("out", Kind::Plain),
        ] {
            assert_eq!(told(&format!("told={word}")).unwrap().kind, kind, "{word}");
        }
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
