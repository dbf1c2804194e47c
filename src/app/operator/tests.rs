//! The operator's side: what they may do to organizations, and what they never see.

use serde_json::json;

use super::*;
use crate::access::Read;
use crate::app::SignUpInput;
use crate::app::testing::{HERE, House, PASSWORD, address};
use crate::config::Registration;
use crate::domain::session::Origin;
use crate::store::{OrgView, Signal};

async fn operator(house: &mut House) -> (Caller, OrgId) {
    let input = SignUpInput {
        email: address("op"),
        password: PASSWORD.into(),
        full_name: "Op".into(),
        organization_name: "Operations".into(),
        setup_token: house.app.setup_token().await.unwrap(),
        invite_token: None,
    };
    let signed_in = house.app.sign_up(input, HERE, Origin::default()).await.unwrap();
    house.events();
    (house.app.authenticate(&signed_in.token).await.unwrap(), signed_in.profile.organizations[0].organization.id)
}

fn enter(house: &House, caller: &Caller, org: OrgId) -> impl Future<Output = Result<()>> + use<> {
    let (app, actor) = (house.app.clone(), caller.actor());
    async move { app.read(actor, org, |_: &OrgView<'_, Read>| Ok(())).await }
}

#[tokio::test]
async fn an_organization_is_made_for_its_admin_and_the_operator_stays_outside() {
    let mut house = House::new(Registration::Invite);
    let (op, _) = operator(&mut house).await;
    let invited = house.app.create_organization(&op, "Skerry", &address("ada")).await.unwrap();
    let offer = house.app.offer(&invited.token, HERE).await.unwrap();
    assert_eq!((offer.organization.as_str(), offer.role, offer.invited_by.as_str()), ("Skerry", Role::Admin, "Op"));
    let tenants = house.app.tenants(&op, 50, None).await.unwrap().items;
    assert_eq!(
        tenants.iter().map(|tenant| (tenant.organization.name.as_str(), tenant.members)).collect::<Vec<_>>(),
        [("Operations", 1), ("Skerry", 0)]
    );
    let org = tenants[1].organization.id;
    assert_eq!(tenants[1].pending_admin, Some(invited.invitation.id));
    assert_eq!(enter(&house, &op, org).await, Err(Error::NotFound));

    let again = house.app.resend_tenant_invitation(&op, org, None).await.unwrap();
    assert_eq!(house.app.offer(&invited.token, HERE).await, Err(Error::NotFound));
    let ada = house.sign_up("ada", &again.token).await.unwrap();
    assert_eq!(enter(&house, &ada, org).await, Ok(()));
    assert_eq!(house.events(), ["organization.created", "member.invited", "member.invited", "member.joined"]);
    // From now on the organization is its own.
    assert_eq!(house.app.tenant_invitation(&op, org).await.err(), Some(Error::NotFound));
    assert_eq!(house.app.resend_tenant_invitation(&op, org, None).await.err(), Some(Error::NotFound));
    assert_eq!(enter(&house, &op, org).await, Err(Error::NotFound));
}

#[tokio::test]
async fn a_mistyped_address_of_the_first_admin_is_put_right() {
    let mut house = House::new(Registration::Invite);
    let (op, _) = operator(&mut house).await;
    let wrong = house.app.create_organization(&op, "Skerry", &address("aad")).await.unwrap();
    house.logs();

    let right = house.app.resend_tenant_invitation(&op, wrong.org, Some("Ada@Example.com ".into())).await.unwrap();

    assert_eq!((right.org, right.invitation.email.as_str(), right.invitation.role), (wrong.org, "ada@example.com", Role::Admin));
    assert_eq!(house.app.tenant_invitation(&op, wrong.org).await.unwrap().0.id, right.invitation.id);
    let logs = house.logs();
    assert_eq!(logs.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["invitation.revoked", "member.invited"]);
    assert_eq!(logs[0]["data"]["before"], json!({ "email": "aad@example.com", "role": "admin" }));
    assert_eq!((&logs[1]["data"]["after"]["email"], &logs[1]["actor"]["name"]), (&json!("ada@example.com"), &json!("Op")));
    assert_eq!(house.app.offer(&wrong.token, HERE).await, Err(Error::NotFound));
    let Err(Error::Invalid(fields)) = house.sign_up("aad", &wrong.token).await else { panic!("the first address came in") };
    assert_eq!(fields[0].field, "invite_token");

    // The same address is no other: the link alone is a new one.
    let again = house.app.resend_tenant_invitation(&op, wrong.org, Some(address("ADA"))).await.unwrap();
    assert_eq!((again.invitation.id, house.events()), (right.invitation.id, vec!["member.invited".to_owned()]));
    let bad = house.app.resend_tenant_invitation(&op, wrong.org, Some("ada".into())).await;
    assert!(matches!(&bad, Err(Error::Invalid(fields)) if fields[0].field == "email"), "{bad:?}");
    assert_eq!(house.events(), [""; 0]);
    assert!(house.app.offer(&again.token, HERE).await.is_ok(), "what is refused takes no link away");

    let ada = house.sign_up("ada", &again.token).await.unwrap();
    assert_eq!(enter(&house, &ada, wrong.org).await, Ok(()));
    let late = house.app.resend_tenant_invitation(&op, wrong.org, Some(address("eve"))).await;
    assert_eq!(late.err(), Some(Error::NotFound), "it is Ada's to invite now");
}

#[tokio::test]
async fn the_operator_invites_as_often_as_anybody_and_others_are_not_counted() {
    let mut house = House::new(Registration::Open);
    let (op, _) = operator(&mut house).await;
    let (eve, _) = house.founder("eve").await;
    let waiting = house.app.create_organization(&op, "Skerry", &address("ada")).await.unwrap().org;
    let mut made = 1;
    while house.app.create_organization(&op, "Skerry", &address("ada")).await.is_ok() {
        made += 1;
        assert!(made < 200, "there is no end");
    }
    let (another, again) =
        (house.app.create_organization(&op, "Skerry", &address("ada")).await, house.app.resend_tenant_invitation(&op, waiting, None).await);
    assert!(matches!((&another, &again), (Err(Error::TooMany(_)), Err(Error::TooMany(_)))), "{another:?} {again:?}");
    assert_eq!(house.app.tenants(&op, 1_000, None).await.unwrap().items.len(), made + 2, "with the operator's own and Eve's");
    // What is wrong in itself is told, and sends nothing.
    assert!(matches!(house.app.create_organization(&op, "", "ada").await, Err(Error::Invalid(fields)) if fields.len() == 2));
    for _ in 0..=made {
        assert_eq!(house.app.create_organization(&eve, "Mine", &address("eve")).await.err(), Some(Error::NotFound));
    }
}

#[tokio::test]
async fn nobody_else_has_an_operators_side() {
    let mut house = House::new(Registration::Open);
    let (_, operations) = operator(&mut house).await;
    let (eve, org) = house.founder("eve").await;
    let app = &house.app;
    assert!(!app.is_operator(&eve).await.unwrap());
    assert_eq!(app.tenants(&eve, 50, None).await.err(), Some(Error::NotFound));
    assert_eq!(app.tenant(&eve, org).await.err(), Some(Error::NotFound));
    assert_eq!(app.create_organization(&eve, "Mine", &address("eve")).await.err(), Some(Error::NotFound));
    for own in [org, operations] {
        assert_eq!(app.suspend(&eve, own).await.err(), Some(Error::NotFound));
        assert_eq!(app.resume(&eve, own).await.err(), Some(Error::NotFound));
        assert_eq!(app.erase(&eve, own, "eves").await.err(), Some(Error::NotFound));
        assert_eq!(app.tenant_invitation(&eve, own).await.err(), Some(Error::NotFound));
        assert_eq!(app.resend_tenant_invitation(&eve, own, Some(address("eve"))).await.err(), Some(Error::NotFound));
    }
    assert_eq!(house.events(), [""; 0]);
}

#[tokio::test]
async fn a_suspended_organization_is_shut_and_loses_nothing() {
    let mut house = House::new(Registration::Open);
    let (op, _) = operator(&mut house).await;
    let (ada, org) = house.founder("ada").await;
    house.app.suspend(&op, org).await.unwrap();
    house.app.suspend(&op, org).await.unwrap();
    let (events, signals) = house.committed();
    assert_eq!(events.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["organization.suspended"]);
    assert!(matches!(signals.as_slice(), [Signal::OrganizationShut(shut, pages)] if *shut == org && pages.len() == 1), "{signals:?}");
    assert!(matches!(enter(&house, &ada, org).await, Err(Error::Forbidden(why)) if why.contains("suspended")));
    let (eve, _) = house.founder("eve").await;
    assert_eq!(enter(&house, &eve, org).await, Err(Error::NotFound), "strangers learn nothing");
    assert_eq!(house.app.profile(&ada).await.unwrap().organizations.len(), 1);

    house.app.resume(&op, org).await.unwrap();
    assert_eq!(enter(&house, &ada, org).await, Ok(()));
    assert_eq!(house.events(), ["organization.resumed"]);
}

#[tokio::test]
async fn the_operator_deletes_an_organization_by_its_name() {
    let mut house = House::new(Registration::Open);
    let (op, _) = operator(&mut house).await;
    let (ada, org) = house.founder("ada").await;
    assert!(matches!(house.app.erase(&op, org, "Operations").await, Err(Error::Invalid(_))));
    house.app.erase(&op, org, "adas").await.unwrap();
    assert_eq!(enter(&house, &ada, org).await, Err(Error::NotFound));
    assert_eq!(house.app.tenants(&op, 50, None).await.unwrap().items.len(), 1);
    assert_eq!(house.app.suspend(&op, org).await.err(), Some(Error::NotFound));
    assert_eq!(house.events(), ["organization.deleted"]);
}
