//! Inviting, accepting, roles and removal: what is answered, and exactly what the timeline tells.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::access::Actor;
use crate::app::testing::{House, address};
use crate::config::Registration;
use crate::domain::account;
use crate::domain::invitation::LIFETIME;
use crate::domain::organization::OrganizationPatch;

fn conflict<T: std::fmt::Debug>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Conflict(_)))
}

/// As the API and the team's page do it, with no version expected.
async fn set_role(app: &App, caller: &Caller, org: OrgId, user: Id<User>, role: Role) -> Result<()> {
    let changed = app.change(caller.actor(), org, move |tx: &mut OrgTx<'_, Administer>| member::set_role(tx, user, role, None));
    changed.await.map(drop)
}

#[tokio::test]
async fn who_is_invited_joins_with_the_role_that_the_invitation_names() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;

    let invited = house.app.invite(&ada, org, "Bo@Example.com ".into(), Role::Responder).await.unwrap();
    assert_eq!((invited.invitation.email.as_str(), invited.delivery), ("bo@example.com", Delivery::Off));
    assert_eq!(invited.url, format!("http://127.0.0.1:8080/invite/{}", invited.token));
    let offer = house.app.offer(&invited.token, crate::app::testing::HERE).await.unwrap();
    assert_eq!((offer.organization.as_str(), offer.invited_by.as_str(), offer.role), ("adas", "ada", Role::Responder));
    assert!(!offer.has_account);

    let bo = house.sign_up("bo", &invited.token).await.unwrap();
    let profile = house.app.profile(&bo).await.unwrap();
    assert_eq!(profile.organizations.iter().map(|own| (own.organization.id, own.role)).collect::<Vec<_>>(), [(org, Role::Responder)]);

    let logs = house.logs();
    assert_eq!(logs[0]["type"], "member.invited");
    assert_eq!(logs[0]["subject"], json!({ "kind": "invitation", "id": invited.invitation.id, "name": "bo@example.com" }));
    assert_eq!(logs[0]["data"]["after"]["role"], "responder");
    assert_eq!(logs[1]["type"], "member.joined");
    assert_eq!(logs[1]["subject"], json!({ "kind": "member", "id": bo.user.id, "name": "bo" }));
    assert_eq!(logs[1]["actor"]["name"], "bo");
    assert_eq!(
        logs[1]["data"]["after"],
        json!({ "role": "responder", "by": "invitation", "invited_by": { "id": ada.user.id, "name": "ada" } })
    );
    assert_eq!(logs.len(), 2);
    let waiting = house.app.read(ada.actor(), org, |view: &OrgView<'_, Administer>| invitation::list(view, 50, None)).await.unwrap();
    assert!(waiting.items.is_empty());
}

#[tokio::test]
async fn a_link_works_once_and_only_in_its_time() {
    let mut house = House::new(Registration::Invite);
    let (ada, org) = {
        let setup = house.app.setup_token().await.unwrap();
        let input = crate::app::SignUpInput {
            email: address("ada"),
            password: crate::app::testing::PASSWORD.into(),
            full_name: "ada".into(),
            organization_name: "adas".into(),
            setup_token: setup,
            invite_token: None,
        };
        let signed_in = house.app.sign_up(input, crate::app::testing::HERE, Default::default()).await.unwrap();
        (house.app.authenticate(&signed_in.token).await.unwrap(), signed_in.profile.organizations[0].organization.id)
    };
    let app = house.app.clone();
    let here = crate::app::testing::HERE;

    let used = app.invite(&ada, org, address("bo"), Role::Viewer).await.unwrap().token;
    house.sign_up("bo", &used).await.unwrap();
    let revoked = app.invite(&ada, org, address("cy"), Role::Viewer).await.unwrap();
    app.revoke_invitation(&ada, org, revoked.invitation.id).await.unwrap();
    let replaced = app.invite(&ada, org, address("di"), Role::Viewer).await.unwrap();
    let present = app.resend_invitation(&ada, org, replaced.invitation.id).await.unwrap();
    for (dead, of) in [(&used, "bo"), (&revoked.token, "cy"), (&replaced.token, "di"), (&"v4.local.AAAA".to_owned(), "ed")] {
        assert_eq!(app.offer(dead, here).await, Err(Error::NotFound), "{of}");
        assert_eq!(app.accept(&ada, dead).await.err(), Some(Error::NotFound), "{of}");
        let Err(Error::Invalid(fields)) = house.sign_up(&format!("{of}2"), dead).await else { panic!("{of} came in") };
        assert_eq!(fields[0].field, "invite_token");
    }
    assert!(app.offer(&present.token, here).await.is_ok());

    app.clock().advance(LIFETIME - Duration::from_millis(1));
    assert!(app.offer(&present.token, here).await.is_ok());
    app.clock().advance(Duration::from_millis(1));
    assert_eq!(app.offer(&present.token, here).await, Err(Error::NotFound));
    // An expired one stands in nobody's way.
    house.events();
    app.invite(&ada, org, address("di"), Role::Editor).await.unwrap();
    assert_eq!(house.events(), ["member.invited"]);
    let waiting = app.read(ada.actor(), org, |view: &OrgView<'_, Administer>| invitation::list(view, 50, None)).await.unwrap();
    assert_eq!(waiting.items.len(), 1);
}

#[tokio::test]
async fn of_two_who_hold_one_link_one_wins() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let (bo, _) = house.founder("bo").await;
    let invited = house.app.invite(&ada, org, address("bo"), Role::Viewer).await.unwrap();
    house.events();
    let again = house.app.clone();
    let (first, second) = tokio::join!(house.app.accept(&bo, &invited.token), again.accept(&bo, &invited.token));
    assert_eq!([&first, &second].iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(first.err().or(second.err()), Some(Error::NotFound));
    assert_eq!(house.events(), ["member.joined"]);
}

#[tokio::test]
async fn a_link_is_for_its_address_alone() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let (eve, _) = house.founder("eve").await;
    let invited = house.app.invite(&ada, org, address("bo"), Role::Admin).await.unwrap();
    house.events();
    let refused = house.app.accept(&eve, &invited.token).await;
    assert!(matches!(&refused, Err(Error::Forbidden(why)) if why.contains("bo@example.com")), "{refused:?}");
    let Err(Error::Invalid(fields)) = house.sign_up("mallory", &invited.token).await else { panic!("a stranger came in") };
    assert_eq!(fields[0].field, "email");
    assert_eq!(house.events(), [""; 0]);
    assert!(house.app.offer(&invited.token, crate::app::testing::HERE).await.is_ok(), "and it still works for its own");
}

#[tokio::test]
async fn nobody_is_invited_twice_or_who_is_there() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    house.member(&ada, org, "bo", Role::Viewer).await;
    assert!(conflict(house.app.invite(&ada, org, address("bo"), Role::Admin).await));
    house.app.invite(&ada, org, address("cy"), Role::Viewer).await.unwrap();
    assert!(conflict(house.app.invite(&ada, org, address("CY"), Role::Viewer).await));
    assert!(matches!(house.app.invite(&ada, org, "nobody".into(), Role::Viewer).await, Err(Error::Invalid(_))));
    assert_eq!(house.events(), ["member.invited"]);
}

#[tokio::test]
async fn only_admins_manage_people_and_strangers_learn_nothing() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let editor = house.member(&ada, org, "bo", Role::Editor).await;
    let (eve, _) = house.founder("eve").await;
    let invited = house.app.invite(&ada, org, address("cy"), Role::Viewer).await.unwrap().invitation.id;
    house.events();
    let app = house.app.clone();
    for (caller, is_member) in [(&editor, true), (&eve, false)] {
        let refused = |result: Result<()>| match result {
            Err(Error::Forbidden(_)) => is_member,
            Err(Error::NotFound) => !is_member,
            _ => false,
        };
        assert!(refused(app.invite(caller, org, address("di"), Role::Viewer).await.map(drop)));
        assert!(refused(app.resend_invitation(caller, org, invited).await.map(drop)));
        assert!(refused(app.revoke_invitation(caller, org, invited).await));
        assert!(refused(app.invitation_link(caller, org, invited).await.map(drop)));
        assert!(refused(set_role(&app, caller, org, ada.user.id, Role::Viewer).await));
        assert!(refused(app.remove_member(caller, org, ada.user.id).await));
        assert!(refused(app.delete_organization(caller, org, "adas").await));
    }
    // An invitation and a member of one organization are nothing in another, also for its admin.
    let (fay, elsewhere) = house.founder("fay").await;
    assert_eq!(app.revoke_invitation(&fay, elsewhere, invited).await, Err(Error::NotFound));
    assert_eq!(set_role(&app, &fay, elsewhere, editor.user.id, Role::Admin).await, Err(Error::NotFound));
    assert_eq!(app.remove_member(&fay, elsewhere, editor.user.id).await, Err(Error::NotFound));
    assert_eq!(house.events(), [""; 0]);
}

#[tokio::test]
async fn a_role_counts_from_the_next_request_on() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Viewer).await;
    let responds = || house.app.read(bo.actor(), org, |_: &OrgView<'_, crate::access::Respond>| Ok(()));
    assert!(matches!(responds().await, Err(Error::Forbidden(_))));
    set_role(&house.app, &ada, org, bo.user.id, Role::Responder).await.unwrap();
    assert_eq!(responds().await, Ok(()));
    set_role(&house.app, &ada, org, bo.user.id, Role::Responder).await.unwrap();
    house.app.remove_member(&ada, org, bo.user.id).await.unwrap();
    assert_eq!(responds().await, Err(Error::NotFound));
    assert_eq!(house.app.profile(&bo).await.unwrap().organizations.len(), 0);

    let logs = house.logs();
    assert_eq!(logs.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["member.role_changed", "member.removed"]);
    assert_eq!(logs[0]["data"], json!({ "before": { "role": "viewer" }, "after": { "role": "responder" } }));
    assert_eq!(logs[1]["data"], json!({ "before": { "role": "responder" }, "after": {} }));
    assert_eq!(logs[1]["subject"]["name"], "bo");
}

#[tokio::test]
async fn the_last_admin_stays_and_is_one() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Editor).await;
    let app = house.app.clone();
    assert!(conflict(app.remove_member(&ada, org, ada.user.id).await));
    assert!(conflict(set_role(&app, &ada, org, ada.user.id, Role::Viewer).await));
    assert_eq!(house.events(), [""; 0]);

    set_role(&app, &ada, org, bo.user.id, Role::Admin).await.unwrap();
    app.remove_member(&ada, org, ada.user.id).await.unwrap();
    assert!(conflict(app.remove_member(&bo, org, bo.user.id).await));
    let logs = house.logs();
    assert_eq!(logs.last().unwrap()["data"], json!({ "before": { "role": "admin" }, "after": { "left": true } }));
    assert_eq!(logs.len(), 2);
}

#[tokio::test]
async fn two_admins_can_not_demote_each_other_at_once() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Admin).await;
    let other = house.app.clone();
    let (first, second) =
        tokio::join!(set_role(&house.app, &ada, org, bo.user.id, Role::Viewer), set_role(&other, &bo, org, ada.user.id, Role::Viewer));
    assert_eq!([first.is_ok(), second.is_ok()].iter().filter(|done| **done).count(), 1);
    let admins = house
        .app
        .read(Actor::System("test"), org, |view: &OrgView<'_, Read>| member::list(view, 50, None))
        .await
        .unwrap()
        .items
        .into_iter()
        .filter(|person| person.role == Role::Admin);
    assert_eq!(admins.count(), 1);
}

#[tokio::test]
async fn people_are_listed_by_role_a_page_at_a_time() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    for (name, role) in [("bo", Role::Viewer), ("cy", Role::Editor), ("di", Role::Admin), ("ed", Role::Responder)] {
        house.app.clock().advance(Duration::from_secs(60));
        house.member(&ada, org, name, role).await;
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = house.app.read(ada.actor(), org, move |view: &OrgView<'_, Read>| member::list(view, 2, after)).await.unwrap();
        found.extend(page.items.into_iter().map(|person| person.user.full_name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, ["ada", "di", "cy", "ed", "bo"]);
}

#[tokio::test]
async fn an_address_changes_and_the_old_one_still_leads_there() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let (eve, elsewhere) = house.founder("eve").await;
    let change = |caller: &Caller, org: OrgId, slug: &str| {
        let (app, actor, slug) = (house.app.clone(), caller.actor(), slug.to_owned());
        async move {
            let patch = OrganizationPatch { slug: Some(slug), name: None };
            app.change_wide(actor, org, move |tx: &mut WideTx<'_, Administer>| organization::update(tx, patch, None)).await
        }
    };
    assert_eq!(change(&ada, org, "skerry").await.unwrap().slug, "skerry");
    assert!(conflict(change(&eve, elsewhere, "skerry").await));
    assert!(conflict(change(&eve, elsewhere, "adas").await), "it is still theirs");
    for bad in ["", "ab", "Skerry", "a--b", "-ab", "api", "a b", "é-é"] {
        assert!(matches!(change(&eve, elsewhere, bad).await, Err(Error::Invalid(fields)) if fields[0].field == "slug"), "{bad}");
    }
    for word in ["adas", "skerry"] {
        let found = house.app.system_read(move |view| crate::domain::slug::find(view, word)).await.unwrap().unwrap();
        assert_eq!(found.org_id, org);
    }
    // Of many words the oldest goes, but never one that is shown: the page still has its first.
    for number in 0..12 {
        change(&ada, org, &format!("skerry-{number}")).await.unwrap();
    }
    let held = |word: &'static str| house.app.system_read(move |view| crate::domain::slug::find(view, word));
    assert!(held("skerry").await.unwrap().is_none());
    assert!(held("adas").await.unwrap().is_some());
    assert!(held("skerry-11").await.unwrap().is_some());
    assert_eq!(house.logs()[0]["data"], json!({ "before": { "slug": "adas" }, "after": { "slug": "skerry" } }));
}

#[tokio::test]
async fn an_organization_is_deleted_by_its_name_and_for_everyone_at_once() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Viewer).await;
    let invited = house.app.invite(&ada, org, address("cy"), Role::Viewer).await.unwrap();
    house.events();
    let Err(Error::Invalid(fields)) = house.app.delete_organization(&ada, org, "Adas").await else { panic!("deleted by another name") };
    assert_eq!(fields[0].field, "name");
    house.app.delete_organization(&ada, org, "adas").await.unwrap();
    assert_eq!(house.events(), ["organization.deleted"]);
    for caller in [&ada, &bo] {
        assert_eq!(house.app.read(caller.actor(), org, |_: &OrgView<'_, Read>| Ok(())).await, Err(Error::NotFound));
        let id = caller.user.id;
        assert_eq!(house.app.system_read(move |view| account::memberships(view, id)).await.unwrap(), []);
    }
    assert_eq!(house.app.offer(&invited.token, crate::app::testing::HERE).await, Err(Error::NotFound));
    assert_eq!(house.app.delete_organization(&ada, org, "adas").await, Err(Error::NotFound));
    // The address leads nowhere, and nobody is given it at once: people have links to it.
    assert!(house.app.system_read(|view| crate::domain::slug::find(view, "adas")).await.unwrap().is_none());
    let (_, next) = house.founder("ada2").await;
    let take = || {
        house.app.change_wide(Actor::System("test"), next, |tx: &mut WideTx<'_, Administer>| {
            organization::update(tx, OrganizationPatch { slug: Some("adas".into()), name: None }, None)
        })
    };
    assert!(conflict(take().await));
    house.app.clock().advance(Duration::from_secs(365 * 86_400));
    assert_eq!(take().await.unwrap().slug, "adas");
}

#[tokio::test]
async fn who_is_no_admin_any_more_leaves_no_way_in_behind() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Admin).await;
    let app = house.app.clone();
    let own = app.invite(&bo, org, address("bo2"), Role::Admin).await.unwrap();
    let taken_over = app.invite(&bo, org, address("cy"), Role::Viewer).await.unwrap();
    let taken_over = app.resend_invitation(&ada, org, taken_over.invitation.id).await.unwrap();
    let adas = app.invite(&ada, org, address("di"), Role::Viewer).await.unwrap();
    assert_eq!(taken_over.invitation.invited_by.name, "ada");
    house.events();

    app.remove_member(&ada, org, bo.user.id).await.unwrap();

    let logs = house.logs();
    assert_eq!(logs.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["member.removed", "invitation.revoked"]);
    assert_eq!(logs[1]["subject"]["name"], "bo2@example.com");
    assert!(house.sign_up("bo2", &own.token).await.is_err());
    for kept in [taken_over, adas] {
        assert!(app.offer(&kept.token, crate::app::testing::HERE).await.is_ok());
    }
}

#[tokio::test]
async fn who_has_an_account_makes_an_organization_where_anyone_may() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let bo = house.member(&ada, org, "bo", Role::Viewer).await;
    let app = house.app.clone();
    app.remove_member(&ada, org, bo.user.id).await.unwrap();
    house.events();

    for bad in [" ", "a\u{202e}b"] {
        let Err(Error::Invalid(fields)) = app.found_organization(&bo, bad).await else { panic!("{bad:?} is a name") };
        assert_eq!(fields[0].field, "name");
    }
    let founded = app.found_organization(&bo, " adas ").await.unwrap();

    assert_eq!((founded.name.as_str(), founded.slug.as_str()), ("adas", "adas-2"));
    let own = app.profile(&bo).await.unwrap().organizations;
    assert_eq!(own.iter().map(|own| (own.organization.id, own.role)).collect::<Vec<_>>(), [(founded.id, Role::Admin)]);
    let logs = house.logs();
    assert_eq!((logs.len(), &logs[0]["type"], &logs[0]["actor"]["name"]), (1, &json!("organization.created"), &json!("bo")));
    assert_eq!(logs[0]["data"]["after"]["admin"], json!({ "id": bo.user.id, "name": "bo" }));

    let mut last = Ok(founded);
    for _ in 0..60 {
        last = app.found_organization(&bo, "one more").await;
    }
    assert!(matches!(last, Err(Error::TooMany(_))), "{last:?}");
    app.sign_out(ada.clone()).await.unwrap();
    house.events();
    assert_eq!(app.found_organization(&ada, "late").await, Err(Error::Unauthenticated));
    assert_eq!(house.events(), [""; 0]);
}

#[tokio::test]
async fn whoever_was_signed_out_while_a_request_waited_does_and_sees_nothing() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let app = house.app.clone();
    app.sign_out(ada.clone()).await.unwrap();
    assert_eq!(app.invite(&ada, org, address("bo"), Role::Admin).await.err(), Some(Error::Unauthenticated));
    assert_eq!(app.read(ada.actor(), org, |_: &OrgView<'_, Read>| Ok(())).await, Err(Error::Unauthenticated));
    let change = app.change(ada.actor(), org, |tx: &mut OrgTx<'_, Administer>| tx.get(tx.org()).map(crate::event::Change::nothing));
    assert_eq!(change.await.err(), Some(Error::Unauthenticated));
    assert_eq!(app.delete_organization(&ada, org, "adas").await, Err(Error::Unauthenticated));
    assert_eq!(house.events(), [""; 0]);
}

#[tokio::test]
async fn where_no_accounts_are_made_nobody_is_invited_who_has_none() {
    let mut house = House::new(Registration::Closed);
    let setup = house.app.setup_token().await.unwrap();
    let input = crate::app::SignUpInput {
        email: address("ada"),
        password: crate::app::testing::PASSWORD.into(),
        full_name: "ada".into(),
        organization_name: "adas".into(),
        setup_token: setup,
        invite_token: None,
    };
    let signed_in = house.app.sign_up(input, crate::app::testing::HERE, Default::default()).await.unwrap();
    let ada = house.app.authenticate(&signed_in.token).await.unwrap();
    house.events();
    let org = signed_in.profile.organizations[0].organization.id;
    let Err(Error::Invalid(fields)) = house.app.invite(&ada, org, address("bo"), Role::Viewer).await else { panic!("invited in vain") };
    assert_eq!(fields[0].field, "email");
    assert!(matches!(house.app.found_organization(&ada, "more").await, Err(Error::Forbidden(_))));
    assert_eq!(house.events(), [""; 0]);
}
