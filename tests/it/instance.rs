//! The operator's pages: organizations made, suspended and deleted by plain forms, and nothing seen of what is in them.

use std::collections::BTreeSet;

use allclear::access::{Actor, Read};
use allclear::domain::organization::OrgId;
use allclear::domain::purge;
use allclear::store::{OrgView, Reads};
use serde_json::json;

use crate::harness::{Answer, Client, PASSWORD, Server, eventually};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const EVIL: &str = "\"><script>alert(1)</script>";
const NONE: [&str; 0] = [];

/// The operator, who has an organization `Operations` of their own.
async fn operator(server: &Server) -> Client {
    assert!(server.app().bootstrap("operator@example.com", PASSWORD.into()).await.expect("an operator"));
    let operator = server.anonymous();
    operator.post("/api/users/auth/login", json!({ "email": "operator@example.com", "password": PASSWORD })).await.expect(200);
    operator
}

async fn page(client: &Client, path: &str) -> Answer {
    client.send("GET", path, &[BROWSER], "").await
}

/// Where an answer leads, and the page that is there.
async fn follow(client: &Client, answer: Answer) -> (String, String) {
    let location = answer.expect(303).header("location").to_owned();
    let shown = page(client, &location).await.expect(200).text;
    (location, shown)
}

/// The path of an organization's page.
fn at(org_id: &str, rest: &str) -> String {
    format!("/instance/organizations/{org_id}{rest}")
}

/// Makes an organization for somebody, and answers with its id and the token of the link.
async fn made(operator: &Client, name: &str, email: &str) -> (String, String) {
    let made = operator.post_form("/instance/organizations", &[("name", name), ("email", email)]).await;
    let (location, shown) = follow(operator, made).await;
    let id = location.strip_prefix("/instance/organizations/").and_then(|rest| rest.split_once("/invitation")).expect("an invitation").0;
    (id.to_owned(), token(&shown))
}

/// The token of the link that a page shows to copy.
fn token(html: &str) -> String {
    let rest = html.split_once("/invite/").unwrap_or_else(|| panic!("no link in {html}")).1;
    rest.split_once('"').expect("an attribute").0.to_owned()
}

/// The organizations that a list links to.
fn listed(html: &str) -> BTreeSet<String> {
    let links = html.split("href=\"/instance/organizations/").skip(1).filter_map(|rest| rest.split_once('"'));
    links.map(|(id, _)| id.to_owned()).collect()
}

#[tokio::test]
async fn the_pages_exist_for_the_operator_alone() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let eve = server.sign_up("eve").await;
    let own = |rest| at(&eve.org_id, rest);
    for path in ["/instance".to_owned(), "/instance/organizations".into(), own(""), own("/delete")] {
        page(&operator, &path).await.expect(200);
        page(&eve, &path).await.expect(404);
        let way = page(&server.anonymous(), &path).await.expect(303);
        assert_eq!(way.header("location"), format!("/login?next={}", path.replace('/', "%2F")));
    }
    for path in [own("/suspend"), own("/resume"), own("/delete"), own("/invitation/resend"), "/instance/organizations".into()] {
        let fields: &[(&str, &str)] = match path.as_str() {
            "/instance/organizations" => &[("name", "Mine"), ("email", "eve@example.com")],
            path if path.ends_with("/delete") => &[("name", "Eve's Org")],
            _ => &[],
        };
        eve.post_form(&path, fields).await.expect(404);
        server.anonymous().post_form(&path, fields).await.expect(401);
    }
    assert_eq!(eve.new_events().await, NONE);
    for nobodys in ["/instance/organizations/x", "/instance/organizations/org_00000000000000000000000000000009", "/instance?cursor=x"] {
        page(&operator, nobodys).await.expect(404);
    }
}

#[tokio::test]
async fn an_organization_is_made_for_its_first_admin() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let fields = [("name", "Skerry Light"), ("email", "grace@example.com")];
    let (location, shown) = follow(&operator, operator.post_form("/instance/organizations", &fields).await).await;
    assert!(location.ends_with("/invitation?told=organization-made"), "{location}");
    assert!(shown.contains("This instance sends no mail") && shown.contains(&format!("value=\"{}/invite/", server.base())), "{shown}");
    let id = location.strip_prefix("/instance/organizations/").and_then(|rest| rest.split_once('/')).expect("an id").0;
    let first = token(&shown);

    let list = page(&operator, "/instance").await.expect(200).text;
    assert!(list.contains("Skerry Light") && list.contains("Nobody yet") && list.contains("Waits for its first admin"), "{list}");
    assert!(page(&operator, &at(id, "")).await.expect(200).text.contains(&format!("href=\"{}\"", at(id, "/invitation"))));

    let (_, shown) = follow(&operator, operator.post_form(at(id, "/invitation/resend"), &[]).await).await;
    let second = token(&shown);
    let sign_up = |token: &str| json!({ "email": "grace@example.com", "password": PASSWORD, "full_name": "Grace", "invite_token": token });
    assert_ne!(server.anonymous().post("/api/users/auth/signup", sign_up(&first)).await.status, 201, "the old link works still");
    let grace = server.anonymous();
    let signed_up = grace.post("/api/users/auth/signup", sign_up(&second)).await.expect(201);
    assert_eq!((&signed_up.json["organization"]["id"], &signed_up.json["role"]), (&json!(id), &json!("admin")));
    page(&grace, "/o/skerry-light").await.expect(200);

    let list = page(&operator, "/instance").await.expect(200).text;
    assert!(!list.contains("Nobody yet") && !list.contains("Waits for its first admin"), "{list}");
    page(&operator, &at(id, "/invitation")).await.expect(404);
    operator.post_form(at(id, "/invitation/resend"), &[]).await.expect(404);
    page(&operator, "/o/skerry-light").await.expect(404);
}

#[tokio::test]
async fn a_mistyped_address_is_put_right_and_its_link_is_dead() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let (id, first) = made(&operator, "Skerry Light", "gace@example.com").await;
    let (path, resend) = (at(&id, "/invitation"), at(&id, "/invitation/resend"));
    let offer = async |token: &str| server.anonymous().get(format!("/api/users/invitations/{token}")).await;
    let shown = page(&operator, &path).await.expect(200).text;
    assert!(shown.contains("name=\"email\"") && shown.contains("value=\"gace@example.com\""), "{shown}");

    for typed in ["", "grace", EVIL] {
        let refused = operator.post_form(&resend, &[("email", typed)]).await.expect(422).text;
        assert!(refused.contains("id=\"email-error\"") && !refused.contains(EVIL), "{refused}");
        assert!(refused.contains("<bdi>gace@example.com</bdi>"), "the present link is still for whom it was: {refused}");
    }
    let sneaky = operator.post_form(&resend, &[("email", "grace@example.com"), ("role", "viewer")]).await.expect(422).text;
    assert!(sneaky.contains("role is not a field of this form") && sneaky.contains("value=\"grace@example.com\""), "{sneaky}");
    offer(&first).await.expect(200);

    let (location, shown) = follow(&operator, operator.post_form(&resend, &[("email", "Grace@Example.com")]).await).await;
    assert_eq!(location, format!("{path}?told=invited-no-mail"));
    assert!(shown.contains("value=\"grace@example.com\"") && !shown.contains("gace@example.com"), "{shown}");
    offer(&first).await.expect(404);
    let second = token(&shown);
    let offered = offer(&second).await.expect(200);
    assert_eq!((offered.text_at("/email"), offered.text_at("/role")), ("grace@example.com".to_owned(), "admin".to_owned()));

    let mut grace = server.anonymous();
    let input = json!({ "email": "grace@example.com", "password": PASSWORD, "full_name": "Grace", "invite_token": second });
    grace.post("/api/users/auth/signup", input).await.expect(201);
    grace.org_id = id;
    let told = ["organization.created", "member.invited", "invitation.revoked", "member.invited", "member.joined"];
    assert_eq!(grace.events().await, told);
    operator.post_form(&resend, &[("email", "eve@example.com")]).await.expect(404);
}

#[tokio::test]
async fn what_is_wrong_stands_in_the_form() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    for (name, email, field) in [("", "grace@example.com", "name"), (EVIL, "grace", "email"), ("Skerry", "", "email")] {
        let refused = operator.post_form("/instance/organizations", &[("name", name), ("email", email)]).await.expect(422).text;
        assert!(refused.contains(&format!("id=\"{field}-error\"")) && !refused.contains(EVIL), "{refused}");
        assert!(refused.contains(&format!("value=\"{email}\"")), "{refused}");
    }
    let sneaky = operator.post_form("/instance/organizations", &[("name", "A"), ("email", "a@example.com"), ("role", "admin")]).await;
    assert!(sneaky.expect(422).text.contains("role is not a field of this form"));
    assert_eq!(listed(&page(&operator, "/instance").await.expect(200).text).len(), 1, "nothing was made");
}

#[tokio::test]
async fn the_list_goes_on_by_cursor_and_leaves_nothing_out() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    for number in 0..54 {
        made(&operator, &format!("Team {number:02}"), &format!("admin-{number}@example.com")).await;
    }
    let first = page(&operator, "/instance").await.expect(200).text;
    let next = first.split_once("href=\"/instance?cursor=").unwrap_or_else(|| panic!("no next ones in {first}")).1;
    let next = next.split_once('"').expect("an attribute").0;
    let second = page(&operator, &format!("/instance?cursor={next}")).await.expect(200).text;
    let (first, second) = (listed(&first), listed(&second));
    assert_eq!((first.len(), second.len(), first.union(&second).count()), (50, 5, 55));
}

#[tokio::test]
async fn a_suspended_organization_is_shut_until_it_is_resumed() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let ada = server.sign_up("ada").await;
    let services = format!("/api/services?organization_id={}", ada.org_id);

    let (location, shown) = follow(&operator, operator.post_form(at(&ada.org_id, "/suspend"), &[]).await).await;
    assert_eq!(location, at(&ada.org_id, "?told=organization-suspended"));
    assert!(shown.contains(&at(&ada.org_id, "/resume")) && !shown.contains("href=\"/p/adas-org\""), "{shown}");
    assert!(page(&ada, "/o/adas-org").await.expect(403).text.contains("suspended"));
    ada.get(&services).await.expect(403);
    page(&server.anonymous(), "/p/adas-org").await.expect(404);
    // Twice is once.
    operator.post_form(at(&ada.org_id, "/suspend"), &[]).await.expect(303);

    let (_, shown) = follow(&operator, operator.post_form(at(&ada.org_id, "/resume"), &[]).await).await;
    assert!(shown.contains(&at(&ada.org_id, "/suspend")) && shown.contains("href=\"/p/adas-org\""), "{shown}");
    page(&ada, "/o/adas-org").await.expect(200);
    ada.get(&services).await.expect(200);
    page(&server.anonymous(), "/p/adas-org").await.expect(200);
    assert_eq!(ada.new_events().await, ["organization.suspended", "organization.resumed"]);
}

#[tokio::test]
async fn a_deleted_organization_is_gone_at_once_and_then_wholly() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    ada.service("API").await;
    let kept = eve.service("Website").await;

    let path = at(&ada.org_id, "/delete");
    assert!(page(&operator, &path).await.expect(200).text.contains("There is no undo"));
    for typed in ["", "Eve's Org", "adas-org", EVIL] {
        let refused = operator.post_form(&path, &[("name", typed)]).await.expect(422).text;
        assert!(refused.contains("id=\"name-error\"") && !refused.contains(EVIL), "{refused}");
    }
    page(&ada, "/o/adas-org").await.expect(200);
    assert_eq!(ada.new_events().await, ["service.created"]);

    let (location, shown) = follow(&operator, operator.post_form(&path, &[("name", "Ada's Org")]).await).await;
    assert_eq!(location, "/instance?told=organization-deleted");
    assert!(!listed(&shown).contains(&ada.org_id) && listed(&shown).contains(&eve.org_id), "{shown}");
    for gone in [path.as_str(), at(&ada.org_id, "").as_str()] {
        page(&operator, gone).await.expect(404);
    }
    page(&ada, "/o/adas-org").await.expect(404);
    page(&server.anonymous(), "/p/adas-org").await.expect(404);

    let app = server.app().clone();
    eventually(async || app.system_read(purge::next).await.expect("a store").is_none()).await;
    let org: OrgId = ada.org_id.parse().expect("an id");
    let left = app.read(Actor::System("test"), org, move |view: &OrgView<'_, Read>| view.find(org)).await.expect("a store");
    assert!(left.is_none(), "{left:?}");
    eve.get(format!("/api/services/{kept}")).await.expect(200);
    assert_eq!(eve.new_events().await, ["service.created"]);
}

#[tokio::test]
async fn the_operator_sees_nothing_of_what_is_in_an_organization() {
    let server = Server::start().await;
    let operator = operator(&server).await;
    let ada = server.sign_up("ada").await;
    let member = ada.make_member("responder").await;
    ada.group("Vault group").await;
    let service = ada.service("Payroll engine").await;
    let private = ada.private_service("Quiet ledger").await;
    let incident = ada.incident(&[(&service, "major_outage")], "Salaries are late").await;

    for path in ["/instance".to_owned(), at(&ada.org_id, ""), at(&ada.org_id, "/delete")] {
        let html = page(&operator, &path).await.expect(200).text;
        assert!(html.contains("Ada&#39;s Org"), "{html}");
        let secrets = ["Vault group", "Payroll engine", "Quiet ledger", "Salaries are late", "We are looking into it"];
        let people = [&ada.email, &member.email, &ada.user_id, &member.user_id, &service, &incident];
        for secret in secrets.into_iter().chain(people.map(String::as_str)) {
            assert!(!html.contains(secret), "{path} tells {secret}: {html}");
        }
    }
    assert!(page(&operator, "/instance").await.expect(200).text.contains("2 members"));

    for rest in ["", "/services", "/incidents", "/timeline", "/timeline.csv", "/team", "/settings"] {
        page(&operator, &format!("/o/adas-org{rest}")).await.expect(404);
    }
    for path in [
        format!("/api/services?organization_id={}", ada.org_id),
        format!("/api/services/{service}"),
        format!("/api/services/{private}"),
        format!("/api/incidents/{incident}"),
        format!("/api/timeline/organization/{}", ada.org_id),
        ada.own(""),
        ada.own("/members"),
        ada.own("/invitations"),
    ] {
        operator.get(&path).await.expect(404);
    }
}
