//! Signing up, in and out: the parts of it that take time (hashing) or remember strangers (throttling), around the operations on accounts.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use super::{App, record};
use crate::access::{Actor, Administer};
use crate::config::Registration;
use crate::domain::account::{self, Door, Profile, SignUp};
use crate::domain::invitation::{self, Offer, Ticket};
use crate::domain::organization::OrgId;
use crate::domain::session::{self, Origin, Session};
use crate::domain::text::Email;
use crate::domain::user::{self, User};
use crate::domain::{instance, password};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::token::Purpose;

/// How long a request waits for it to be noted that its session was used.
const TOUCH: Duration = Duration::from_millis(250);
/// How long a setup link is good for.
const SETUP: Duration = Duration::from_secs(30 * 60);

/// A signed-in person, as found by their cookie.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub user: User,
    /// Through which session.
    pub session: Id<Session>,
}

impl Caller {
    /// As the one who asks.
    pub fn actor(&self) -> Actor {
        Actor::User { id: self.user.id, session: Some(self.session), name: self.user.full_name.clone() }
    }
}

/// Someone who has just signed up or in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who, and where they belong.
    pub profile: Profile,
    /// For the cookie.
    pub token: String,
    /// Until when the cookie may be kept.
    pub lifetime: Duration,
}

/// What the sign-up form asks.
#[derive(Debug, Clone, Default)]
pub struct SignUpInput {
    /// The person's address.
    pub email: String,
    /// 12 to 128 characters.
    pub password: String,
    /// The person's name.
    pub full_name: String,
    /// The organization's name; empty for who comes by an invitation.
    pub organization_name: String,
    /// From the setup link; makes the operator.
    pub setup_token: Option<String>,
    /// From an invitation's link; makes a member of the organization that invites.
    pub invite_token: Option<String>,
}

impl App {
    /// Makes an account, and an organization or a member of the one that invites, and signs the person in.
    ///
    /// # Errors
    /// `Forbidden` where registration is not open and there is no good token; `Invalid`; `Conflict` for a taken address; `TooMany`.
    pub async fn sign_up(&self, input: SignUpInput, from: IpAddr, origin: Origin) -> Result<SignedIn> {
        self.0.throttle.sign_up(from)?;
        let (door, offer) = match (&input.setup_token, &input.invite_token) {
            (Some(_), Some(_)) => return Err(Error::invalid("invite_token", "can't be given together with setup_token")),
            (None, Some(token)) => {
                let (ticket, offer) = self.invited_to(token).await?;
                (Door::Invitation(ticket), Some(offer))
            }
            (setup, None) => (self.door(setup.as_deref()).await?, None),
        };
        let parsed = SignUp::parse(&input.email, &input.password, &input.full_name, &input.organization_name, offer.as_ref())?;
        let signed_up = self.found(parsed, input.password, door).await?;
        self.begin_session(signed_up, origin).await
    }

    /// What an invitation's token opens for a new person.
    async fn invited_to(&self, token: &str) -> Result<(Ticket, Offer)> {
        if self.0.settings.registration == Registration::Closed {
            return Err(Error::Forbidden("this instance makes no new accounts".into()));
        }
        let gone = || Error::invalid("invite_token", "has been used, was revoked or has expired; ask for a new invitation");
        let ticket = self.ticket(token).ok_or_else(gone)?;
        let offered = ticket.clone();
        match self.system_read(move |view| invitation::offer(view, &offered)).await {
            Ok(offer) => Ok((ticket, offer)),
            Err(Error::NotFound) => Err(gone()),
            Err(other) => Err(other),
        }
    }

    /// Makes the operator without a terminal, from the environment. Answers whether there was none yet.
    ///
    /// # Errors
    /// As [`sign_up`](Self::sign_up).
    pub async fn bootstrap(&self, email: &str, password: String) -> Result<bool> {
        if self.system_read(instance::operator).await?.is_some() {
            return Ok(false);
        }
        let parsed = SignUp::parse(email, &password, "Operator", "Operations", None)?;
        match self.found(parsed, password, Door::Setup).await {
            Ok(_) => Ok(true),
            // Another node was quicker with the same.
            Err(Error::Conflict(_)) if self.system_read(instance::operator).await?.is_some() => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The token of a new setup link, while there is no operator.
    ///
    /// # Errors
    /// What the store says.
    pub async fn setup_token(&self) -> Result<Option<String>> {
        if self.system_read(instance::operator).await?.is_some() {
            return Ok(None);
        }
        self.0.keys.seal(Purpose::Setup, "operator", self.0.clock.now(), SETUP).map(Some)
    }

    /// Whether a setup link still opens something.
    ///
    /// # Errors
    /// `NotFound` for a bad or used token.
    pub async fn check_setup(&self, token: &str) -> Result<()> {
        let good = self.0.keys.open(Purpose::Setup, token, self.0.clock.now()).is_some();
        if good && self.system_read(instance::operator).await?.is_none() { Ok(()) } else { Err(Error::NotFound) }
    }

    async fn door(&self, setup_token: Option<&str>) -> Result<Door> {
        match setup_token {
            Some(token) => match self.check_setup(token).await {
                Ok(()) => Ok(Door::Setup),
                Err(Error::NotFound) => {
                    Err(Error::invalid("setup_token", "has been used or has expired; restart the server for a new link"))
                }
                Err(other) => Err(other),
            },
            None => match self.0.settings.registration {
                Registration::Open => Ok(Door::Open),
                Registration::Invite => Err(Error::Forbidden("accounts are by invitation here; ask a colleague to invite you".into())),
                Registration::Closed => Err(Error::Forbidden("registration is closed".into())),
            },
        }
    }

    /// Whether anyone may sign up.
    pub fn registration(&self) -> Registration {
        self.0.settings.registration
    }

    pub(super) async fn found(&self, parsed: SignUp, password: String, door: Door) -> Result<User> {
        let hash = self.hash(password).await?;
        let org: OrgId = match &door {
            Door::Invitation(ticket) => ticket.org,
            Door::Open | Door::Setup => self.0.ids.next(self.0.clock.now()),
        };
        let by_invitation = matches!(door, Door::Invitation(_));
        let signed_up = self.system_change_with(Actor::System("sign-up"), org, move |tx| {
            let earlier = tx.writes_so_far();
            let (user, change) = account::sign_up(tx, org, parsed, hash, &door)?;
            let actor = Actor::User { id: user.id, session: None, name: user.full_name.clone() }.describe();
            record(&mut tx.enter::<Administer>(org), &earlier, &actor, &change.events)?;
            Ok(user)
        });
        match signed_up.await {
            // Somebody was quicker with the same link.
            Err(Error::NotFound) if by_invitation => {
                Err(Error::invalid("invite_token", "has been used, was revoked or has expired; ask for a new invitation"))
            }
            signed_up => signed_up,
        }
    }

    /// Signs a person in. An unknown address and a wrong password get the same answer after the same time.
    ///
    /// # Errors
    /// `Unauthenticated`; `TooMany`.
    pub async fn sign_in(&self, email: &str, password: String, from: IpAddr, origin: Origin) -> Result<SignedIn> {
        let email = Email::parse("email", email).ok();
        // What is no address is one key for all: a key is as long as a stranger makes it, and kept for a while.
        self.0.throttle.sign_in(from, email.as_ref().map_or("-", Email::as_str))?;
        let user = match email {
            Some(email) => self.system_read(move |view| user::by_email(view, &email)).await?,
            None => None,
        };
        let decoy = self.0.decoy.get_or_try_init(|| self.hash("nobody has this password".into())).await?;
        let hash = user.as_ref().map_or_else(|| decoy.clone(), |user| user.password_hash.clone());
        let matches = self.verify(password, hash).await?;
        match user.filter(|_| matches) {
            Some(user) => {
                tracing::info!(user = %user.id, %from, "signed in");
                self.begin_session(user, origin).await
            }
            None => {
                tracing::info!(%from, "sign-in refused");
                Err(Error::Unauthenticated)
            }
        }
    }

    pub(super) async fn begin_session(&self, user: User, origin: Origin) -> Result<SignedIn> {
        let lifetime = self.0.settings.sessions;
        let (session, profile) = self
            .system_change(Actor::System("sign-in"), move |tx| {
                // The password was verified outside, since that takes long; it must still be the one.
                if tx.find(user.id)?.is_none_or(|now| now.password_hash != user.password_hash) {
                    return Err(Error::Unauthenticated);
                }
                let session = session::begin(tx, user.id, lifetime, &origin)?;
                Ok((session, account::profile(&tx.view(), user.id)?))
            })
            .await?;
        let token = self.0.keys.seal(Purpose::Session, &session.id.to_string(), session.created_at, lifetime.absolute)?;
        Ok(SignedIn { profile, token, lifetime: lifetime.absolute })
    }

    /// Who holds this cookie.
    ///
    /// # Errors
    /// `Unauthenticated` for any token that is not one of a live session.
    pub async fn authenticate(&self, token: &str) -> Result<Caller> {
        let now = self.0.clock.now();
        let session: Id<Session> =
            self.0.keys.open(Purpose::Session, token, now).and_then(|id| id.parse().ok()).ok_or(Error::Unauthenticated)?;
        let lifetime = self.0.settings.sessions;
        let (session, user) = self
            .system_read(move |view| {
                let session =
                    view.find(session)?.filter(|session| session::is_live(session, lifetime, now)).ok_or(Error::Unauthenticated)?;
                let user = view.find(session.user_id)?.ok_or(Error::Unauthenticated)?;
                Ok((session, user))
            })
            .await?;
        if session::wants_touch(&session, now) {
            let (app, id) = (self.clone(), session.id);
            // Once an hour; a failure only means that it is tried again with the next request. It is not waited for long: whoever reads must not
            // stand behind those who write.
            let touching =
                tokio::spawn(async move { app.system_change(Actor::System("sessions"), move |tx| session::touch(tx, id)).await });
            // What is under way then ends with its command, which the store finishes or refuses.
            let _ = tokio::time::timeout(TOUCH, touching).await;
        }
        Ok(Caller { user, session: session.id })
    }

    /// Ends the caller's session and what was opened through it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn sign_out(&self, caller: Caller) -> Result<()> {
        self.system_change(Actor::System("sign-out"), move |tx| {
            session::end(tx, caller.session);
            Ok(())
        })
        .await
    }

    /// The caller's sessions that still hold, the last used first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn sessions_of(&self, caller: &Caller) -> Result<Vec<Session>> {
        let (user, lifetime) = (caller.user.id, self.0.settings.sessions);
        self.system_read(move |view| session::live_of(view, user, lifetime)).await
    }

    /// Ends one of the caller's sessions and what was opened through it.
    ///
    /// # Errors
    /// `NotFound` for one that is over or somebody else's; `Unauthenticated` when the caller's own is over.
    pub async fn end_session(&self, caller: &Caller, id: Id<Session>) -> Result<()> {
        let (user, by) = (caller.user.id, caller.session);
        self.system_change(Actor::System("sessions"), move |tx| session::end_own(tx, user, by, id)).await
    }

    /// Ends all of the caller's sessions but the one asked through, and what was opened through them.
    ///
    /// # Errors
    /// `Unauthenticated` when the caller's own is over.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<()> {
        let (user, by) = (caller.user.id, caller.session);
        self.system_change(Actor::System("sessions"), move |tx| {
            tx.find(by)?.ok_or(Error::Unauthenticated)?;
            session::end_others(tx, user, Some(by))
        })
        .await
    }

    /// Gives the caller another name.
    ///
    /// # Errors
    /// `Invalid` for a bad name; `NotFound` when the account is gone.
    pub async fn rename(&self, caller: &Caller, full_name: String) -> Result<User> {
        let id = caller.user.id;
        self.system_change(caller.actor(), move |tx| user::rename(tx, id, &full_name)).await
    }

    /// The caller with their organizations.
    ///
    /// # Errors
    /// What the store says.
    pub async fn profile(&self, caller: &Caller) -> Result<Profile> {
        let id = caller.user.id;
        self.system_read(move |view| account::profile(view, id)).await
    }

    /// Sets another password; the caller's other sessions end.
    ///
    /// # Errors
    /// `Invalid` for a wrong present password or a bad new one; `TooMany`.
    pub async fn change_password(&self, caller: &Caller, current: String, new: String) -> Result<()> {
        // By session, so that a thief with one can't keep the owner from changing the password with another.
        self.0.throttle.password(&caller.session.to_string())?;
        if !self.verify(current, caller.user.password_hash.clone()).await? {
            return Err(Error::invalid("current_password", "is not your password"));
        }
        password::check("new_password", &new, &[caller.user.email.as_str(), &caller.user.full_name])?;
        let (id, session, old) = (caller.user.id, caller.session, caller.user.password_hash.clone());
        let hash = self.hash(new).await?;
        self.system_change(Actor::System("password"), move |tx| account::set_password(tx, id, &old, hash, Some(session))).await?;
        tracing::info!(user = %caller.user.id, "password changed");
        self.tell_of_new_password(&caller.user);
        Ok(())
    }

    /// The organizations a person belongs to, the earliest joined first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn organizations_of(&self, caller: &Caller) -> Result<Vec<OrgId>> {
        let id = caller.user.id;
        self.system_read(move |view| Ok(account::memberships(view, id)?.into_iter().map(|membership| membership.org_id).collect())).await
    }

    pub(super) async fn hash(&self, password: String) -> Result<String> {
        self.slowly(move || password::hash(&password)).await
    }

    async fn verify(&self, password: String, hash: String) -> Result<bool> {
        // Longer ones can't be anybody's, and must not cost more than others.
        let password = if password.chars().count() > 128 { String::new() } else { password };
        self.slowly(move || password::verify(&password, &hash)).await
    }

    async fn slowly<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _permit = self.0.hashing.acquire().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
    }
}
