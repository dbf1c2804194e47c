//! An instance for tests of what people do: steered time, every event told.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{App, Caller, Settings, SignUpInput};
use crate::access::Role;
use crate::clock::Clock;
use crate::config::Registration;
use crate::domain::organization::OrgId;
use crate::domain::session::Origin;
use crate::error::Result;
use crate::id::IdSource;
use crate::store::{Committed, LogKind, Signal};

pub(super) const PASSWORD: &str = "tangerine-otter-plinth";
pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An instance in memory, with open registration.
pub(super) struct House {
    pub(super) app: App,
    news: UnboundedReceiver<Committed>,
}

impl House {
    pub(super) fn new(registration: Registration) -> Self {
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let settings = Settings { registration, ..Settings::default() };
        let (app, news) = App::in_memory(clock, IdSource::seeded(5), settings).unwrap();
        Self { app, news }
    }

    /// Somebody with an account and an organization of their own, called after them.
    pub(super) async fn founder(&mut self, name: &str) -> (Caller, OrgId) {
        let input = SignUpInput { organization_name: format!("{name}s"), ..asks(name) };
        let signed_in = self.app.sign_up(input, HERE, Origin::default()).await.unwrap();
        let caller = self.app.authenticate(&signed_in.token).await.unwrap();
        self.events();
        (caller, signed_in.profile.organizations[0].organization.id)
    }

    /// Somebody who signs up by an invitation's link.
    pub(super) async fn sign_up(&self, name: &str, token: &str) -> Result<Caller> {
        let input = SignUpInput { invite_token: Some(token.to_owned()), ..asks(name) };
        let signed_in = self.app.sign_up(input, HERE, Origin::default()).await?;
        self.app.authenticate(&signed_in.token).await
    }

    /// A new member of an organization.
    pub(super) async fn member(&mut self, admin: &Caller, org: OrgId, name: &str, role: Role) -> Caller {
        let invited = self.app.invite(admin, org, address(name), role).await.unwrap();
        let caller = self.sign_up(name, &invited.token).await.unwrap();
        self.events();
        caller
    }

    /// The organizations' events since the last call.
    pub(super) fn logs(&mut self) -> Vec<Value> {
        self.committed().0
    }

    /// Their types.
    pub(super) fn events(&mut self) -> Vec<String> {
        self.logs().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Events and signals since the last call.
    pub(super) fn committed(&mut self) -> (Vec<Value>, Vec<Signal>) {
        let (mut events, mut signals) = (Vec::new(), Vec::new());
        while let Ok(committed) = self.news.try_recv() {
            let of_organizations = committed.entries.iter().filter(|entry| matches!(entry.log(), LogKind::Org(_)));
            events.extend(of_organizations.map(|entry| serde_json::from_slice::<Value>(entry.json()).unwrap()));
            signals.extend(committed.signals);
        }
        (events, signals)
    }
}

pub(super) fn address(name: &str) -> String {
    format!("{name}@example.com")
}

fn asks(name: &str) -> SignUpInput {
    SignUpInput { email: address(name), password: PASSWORD.into(), full_name: name.into(), ..SignUpInput::default() }
}
