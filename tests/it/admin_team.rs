//! The team in the admin: inviting, roles, removal, leaving; every form as a browser without JavaScript sends it, with the exact events.

use std::collections::BTreeSet;
use std::time::Duration;

use allclear::access::{Actor, Role};
use allclear::domain::member;
use allclear::domain::text::Email;
use allclear::domain::user::User;
use allclear::id::Id;
use serde_json::json;

use crate::harness::{Answer, Client, Server};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
const EVIL: &str = "\"><script>alert(1)</script>";
const NONE: [&str; 0] = [];
const DAY: Duration = Duration::from_secs(86_400);

/// Any page, as a browser asks for it.
async fn open(client: &Client, path: &str) -> Answer {
    client.send("GET", path, &[BROWSER], "").await
}

/// A page of the person's organization.
async fn page(client: &Client, rest: &str) -> Answer {
    open(client, &format!("/o/{}{rest}", client.slug)).await
}

/// A form of the person's organization.
async fn send(client: &Client, rest: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_form(format!("/o/{}{rest}", client.slug), fields).await
}

/// Where an answer leads, below the organization's pages, and the page that is there.
async fn follow(client: &Client, answer: Answer) -> (String, String) {
    let location = answer.expect(303).header("location").to_owned();
    let rest = location.strip_prefix(&format!("/o/{}", client.slug)).unwrap_or_else(|| panic!("it leads to {location}")).to_owned();
    let shown = page(client, &rest).await.expect(200).text;
    (rest, shown)
}

/// What stands between two marks, the first of each.
fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let rest = html.split_once(before).unwrap_or_else(|| panic!("no {before} in {html}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} after {before}")).0
}

/// A hidden field, as the first form of the page that has it would send it.
fn hidden(html: &str, name: &str) -> String {
    between(html, &format!("name=\"{name}\" value=\""), "\"").to_owned()
}

/// The path of the link that an invitation's page offers.
fn link(server: &Server, html: &str) -> String {
    let input = between(html, "<input id=\"link\"", ">");
    assert!(input.contains(" readonly "), "{input}");
    let url = between(input, "value=\"", "\"");
    url.strip_prefix(&server.base()).unwrap_or_else(|| panic!("the link leads to {url}")).to_owned()
}

/// The ids of one kind that a page lists, in its order.
fn listed(html: &str, prefix: &str) -> Vec<String> {
    let rows = html.split("<li class=\"item\" id=\"").skip(1).filter_map(|row| row.split_once('"'));
    rows.map(|(id, _)| id.to_owned()).filter(|id| id.starts_with(prefix)).collect()
}

/// The form that gives another role, filled in.
fn chosen<'a>(role: &'a str, version: &'a str, seen: &'a str) -> [(&'a str, &'a str); 3] {
    [("role", role), ("version", version), ("seen", seen)]
}

/// Invites somebody by the form; answers with the invitation's id and its page.
async fn invite(client: &Client, email: &str, role: &str) -> (String, String) {
    let (rest, shown) = follow(client, send(client, "/team/invite", &[("email", email), ("role", role)]).await).await;
    (between(&rest, "/team/invitations/", "?").to_owned(), shown)
}

#[tokio::test]
async fn an_invitation_from_its_form_to_its_end() {
    let server = Server::start().await;
    let (ada, nobody) = (server.sign_up("ada").await, server.anonymous());
    let alone = page(&ada, "/team").await.expect(200).text;
    assert!(alone.contains("Nobody else is here yet") && alone.contains(&ada.own("/invitations")), "{alone}");
    let form = page(&ada, "/team/invite").await.expect(200).text;
    assert!(form.contains("value=\"viewer\" checked") && !form.contains("aria-invalid"), "{form}");

    let (id, shown) = invite(&ada, "Sam@Example.com", "responder").await;
    for words in ["sam@example.com", "Responder", "This instance sends no mail", "Now pass the link on."] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let first = link(&server, &shown);
    open(&nobody, &first).await.expect(200);
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"]), (1, &json!("member.invited")));
    assert_eq!(news[0]["data"]["after"]["role"], "responder");
    let team = page(&ada, "/team").await.expect(200).text;
    assert_eq!(listed(&team, "inv_"), [id.as_str()]);
    assert!(!team.contains("Nobody else is here yet"), "{team}");

    let path = format!("/team/invitations/{id}");
    let (rest, shown) = follow(&ada, send(&ada, &format!("{path}/resend"), &[]).await).await;
    assert_eq!(rest, format!("{path}?told=invited-no-mail&of={id}"));
    let second = link(&server, &shown);
    open(&nobody, &first).await.expect(404);
    open(&nobody, &second).await.expect(200);
    assert_eq!(ada.new_events().await, ["member.invited"]);
    let again = page(&ada, &path).await.expect(200).text;
    open(&nobody, &link(&server, &again)).await.expect(200);

    let (rest, shown) = follow(&ada, send(&ada, &format!("{path}/revoke"), &[]).await).await;
    assert_eq!(rest, format!("/team?told=invitation-revoked&of={id}"));
    assert!(shown.contains("The invitation is revoked."), "{shown}");
    assert_eq!(listed(&shown, "inv_"), NONE);
    assert_eq!(ada.new_events().await, ["invitation.revoked"]);
    open(&nobody, &second).await.expect(404);
    page(&ada, &path).await.expect(404);
    send(&ada, &format!("{path}/revoke"), &[]).await.expect(404);
    send(&ada, &format!("{path}/resend"), &[]).await.expect(404);
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn an_invitation_that_has_expired_says_so_and_can_be_sent_again() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (id, shown) = invite(&ada, "sam@example.com", "viewer").await;
    let old = link(&server, &shown);
    server.advance(DAY);

    let path = format!("/team/invitations/{id}");
    let expired = page(&ada, &path).await.expect(200).text;
    assert!(expired.contains("This invitation has expired") && !expired.contains("<input id=\"link\""), "{expired}");
    assert!(page(&ada, "/team").await.expect(200).text.contains("has expired"));
    open(&server.anonymous(), &old).await.expect(404);

    let (_, shown) = follow(&ada, send(&ada, &format!("{path}/resend"), &[]).await).await;
    assert!(!shown.contains("has expired"), "{shown}");
    open(&server.anonymous(), &link(&server, &shown)).await.expect(200);
}

#[tokio::test]
async fn a_refused_invitation_keeps_what_was_typed_and_names_what_is_wrong() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    let (id, _) = invite(&ada, "sam@example.com", "viewer").await;
    ada.new_events().await;

    let wrong_address = "Email address must be an email address such as ada@example.com";
    let wrong_role = "Role must be viewer, responder, editor or admin";
    let refused = send(&ada, "/team/invite", &[("email", "sam"), ("role", "owner")]).await.expect(422).text;
    assert!(refused.contains(wrong_address) && refused.contains(wrong_role) && refused.contains("value=\"sam\""), "{refused}");
    let refused = send(&ada, "/team/invite", &[("email", EVIL), ("role", "editor")]).await.expect(422).text;
    assert!(refused.contains(wrong_address) && refused.contains("value=\"editor\" checked") && !refused.contains(EVIL), "{refused}");
    let more = [("email", "kim@example.com"), ("role", "viewer"), ("expires_at", "2099-01-01")];
    let refused = send(&ada, "/team/invite", &more).await.expect(422).text;
    assert!(refused.contains("expires_at is not a field of this form"), "{refused}");

    let member = send(&ada, "/team/invite", &[("email", bob.email.as_str()), ("role", "editor")]).await.expect(409).text;
    assert!(
        member.contains(&format!("This organization has {} as a member already.", bob.email)) && !member.contains("Open that invitation"),
        "{member}"
    );
    let invited = send(&ada, "/team/invite", &[("email", "SAM@example.com"), ("role", "editor")]).await.expect(409).text;
    assert!(
        invited.contains("There is already an invitation for sam@example.com; send it again or revoke it.")
            && invited.contains("value=\"editor\" checked"),
        "{invited}"
    );
    assert!(invited.contains(&format!("href=\"/o/adas-org/team/invitations/{id}\"")), "{invited}");
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn a_role_counts_at_once_and_a_stale_one_is_answered_with_what_changed() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("viewer").await;
    ada.new_events().await;
    page(&bob, "/incidents/new").await.expect(403);

    let path = format!("/team/members/{}", bob.user_id);
    let opened = page(&ada, &path).await.expect(200).text;
    assert!(opened.contains("value=\"viewer\" checked") && opened.contains(&bob.email), "{opened}");
    let (old, seen) = (hidden(&opened, "version"), hidden(&opened, "seen"));
    let (rest, shown) = follow(&ada, send(&ada, &path, &chosen("responder", &old, &seen)).await).await;
    assert_eq!(rest, format!("{path}?told=role-changed&of={}", bob.user_id));
    assert!(shown.contains("The role is saved.") && shown.contains("Report incidents, post updates"), "{shown}");
    assert_eq!(ada.new_events().await, ["member.role_changed"]);
    page(&bob, "/incidents/new").await.expect(200);

    let stale = send(&ada, &path, &chosen("editor", &old, &seen)).await.expect(412).text;
    assert!(stale.contains("Somebody changed this since you opened it") && stale.contains("changed the role"), "{stale}");
    assert!(stale.contains("value=\"editor\" checked"), "{stale}");
    let wrong = send(&ada, &path, &chosen("owner", &old, &seen)).await.expect(422).text;
    assert!(wrong.contains("Role must be") && hidden(&wrong, "version") == old, "{wrong}");
    assert_eq!(ada.new_events().await, NONE);
    let (new, seen) = (hidden(&stale, "version"), hidden(&stale, "seen"));
    assert_ne!(new, old);
    send(&ada, &path, &chosen("editor", &new, &seen)).await.expect(303);
    send(&ada, &path, &[("role", "editor")]).await.expect(303);
    assert_eq!(ada.new_events().await, ["member.role_changed"], "the second time nothing changed");

    let last = send(&ada, &format!("/team/members/{}", ada.user_id), &[("role", "viewer")]).await.expect(409).text;
    assert!(last.contains("last admin") && last.contains("value=\"viewer\" checked"), "{last}");
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn people_are_removed_and_leave() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    ada.new_events().await;

    let path = format!("/team/members/{}", bob.user_id);
    let (rest, shown) = follow(&ada, send(&ada, &format!("{path}/remove"), &[]).await).await;
    assert_eq!(rest, format!("/team?told=member-removed&of={}", bob.user_id));
    assert_eq!(listed(&shown, "usr_"), [ada.user_id.as_str()]);
    let news = ada.news().await;
    assert_eq!((news.len(), &news[0]["type"], &news[0]["subject"]["id"]), (1, &json!("member.removed"), &json!(bob.user_id)));
    page(&bob, "/team").await.expect(404);
    page(&ada, &path).await.expect(404);
    send(&ada, &format!("{path}/remove"), &[]).await.expect(404);

    let asked = page(&ada, "/team/leave").await.expect(200).text;
    assert!(asked.contains("you are the last admin") && asked.contains("/settings/delete\""), "{asked}");
    assert!(!asked.contains("action=\"/o/adas-org/team/leave\""), "{asked}");
    for path in ["/team/leave".to_owned(), format!("/team/members/{}/remove", ada.user_id)] {
        let refused = send(&ada, &path, &[]).await.expect(409).text;
        assert!(refused.contains("id=\"problems\"") && refused.contains("last admin"), "{refused}");
    }
    assert_eq!(ada.new_events().await, NONE);

    let cy = ada.make_member("admin").await;
    let asked = page(&ada, "/team/leave").await.expect(200).text;
    assert!(asked.contains("action=\"/o/adas-org/team/leave\"") && asked.contains("There is no undo"), "{asked}");
    let out = send(&ada, "/team/leave", &[]).await.expect(303);
    assert_eq!(out.header("location"), "/organizations?told=left");
    assert!(open(&ada, "/organizations?told=left").await.expect(200).text.contains("You have left the organization."));
    page(&ada, "/team").await.expect(404);
    let news = cy.news().await;
    assert_eq!((news.len(), &news[0]["type"], &news[0]["data"]["after"]["left"]), (1, &json!("member.removed"), &json!(true)));

    // By the way of a removal it is the same.
    let dan = cy.make_member("viewer").await;
    let out = send(&dan, &format!("/team/members/{}/remove", dan.user_id), &[]).await.expect(303);
    assert_eq!(out.header("location"), "/organizations?told=left");
    page(&dan, "/team").await.expect(404);
    let told = page(&cy, "/timeline?type=member").await.expect(200).text;
    for words in ["joined the organization", "left the organization", " as Viewer"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[tokio::test]
async fn each_role_sees_and_may_do_what_it_should() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let (id, _) = invite(&ada, "sam@example.com", "viewer").await;
    let (one, invitation) = (format!("/team/members/{}", ada.user_id), format!("/team/invitations/{id}"));
    for role in ["viewer", "responder", "editor"] {
        let who = ada.make_member(role).await;
        ada.new_events().await;
        for path in ["/team", &one] {
            let shown = page(&who, path).await.expect(200).text;
            assert!(shown.contains(&ada.email) && !shown.contains("/team/invit") && !shown.contains("sam@example.com"), "{shown}");
            assert_eq!(shown.matches("method=\"post\"").count(), 1, "only to sign out: {shown}");
        }
        assert!(page(&who, "/team").await.text.contains(">You<"));
        page(&who, "/team/invite").await.expect(403);
        page(&who, &invitation).await.expect(403);
        send(&who, "/team/invite", &[("email", "kim@example.com"), ("role", "admin")]).await.expect(403);
        send(&who, "/team/invite", &[("role", "wrong")]).await.expect(403);
        send(&who, &format!("{invitation}/resend"), &[]).await.expect(403);
        send(&who, &format!("{invitation}/revoke"), &[]).await.expect(403);
        send(&who, &one, &[("role", "viewer")]).await.expect(403);
        send(&who, &format!("/team/members/{}", who.user_id), &[("role", "admin")]).await.expect(403);
        send(&who, &format!("{one}/remove"), &[]).await.expect(403);
        assert_eq!(ada.new_events().await, NONE);
    }

    let (eve, nobody) = (server.sign_up("eve").await, server.anonymous());
    for path in ["/team", "/team/invite", "/team/leave", &one, &invitation] {
        let path = format!("/o/{}{path}", ada.slug);
        open(&eve, &path).await.expect(404);
        let location = open(&nobody, &path).await.expect(303).header("location").to_owned();
        assert_eq!(location, format!("/login?next={}", path.replace('/', "%2F")));
    }
    // Her own organization's pages do not open another's people and invitations.
    page(&eve, &one).await.expect(404);
    page(&eve, &invitation).await.expect(404);
    send(&eve, &one, &[("role", "viewer")]).await.expect(404);
    send(&eve, &format!("{one}/remove"), &[]).await.expect(404);
    send(&eve, &format!("{invitation}/revoke"), &[]).await.expect(404);
    eve.post_form(format!("/o/{}/team/leave", ada.slug), &[]).await.expect(404);
    nobody.post_form(format!("/o/{}/team/leave", ada.slug), &[]).await.expect(401);
    assert_eq!(ada.new_events().await, NONE);
}

#[tokio::test]
async fn people_and_invitations_come_page_by_page() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let org = ada.org_id.parse().expect("an organization's id");
    let join = server.app().system_change(Actor::System("test"), move |tx| {
        for number in 0..60_u128 {
            let (id, now) = (Id::from_u128(0x1000 + number), tx.now());
            let email = Email::parse("email", &format!("person-{number}@example.com"))?;
            let (full_name, password_hash) = (format!("Person {number}"), "-".to_owned());
            tx.put(&User { id, version: 1, email, full_name, password_hash, created_at: now, updated_at: now })?;
            member::join(tx, org, id, Role::Viewer)?;
        }
        Ok(())
    });
    join.await.expect("they join");

    let (mut seen, mut next, mut pages) = (Vec::new(), Some("/team".to_owned()), 0);
    while let Some(path) = next {
        let shown = page(&ada, &path).await.expect(200).text;
        seen.extend(listed(&shown, "usr_"));
        pages += 1;
        let link = shown.split_once("rel=\"next\" href=\"/o/adas-org").and_then(|(_, rest)| rest.split_once('"'));
        next = link.map(|(link, _)| link.replace("&#38;", "&"));
    }
    assert_eq!((pages, seen.len(), &seen[0]), (2, 61, &ada.user_id), "admins first");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 61);

    for number in 0..25 {
        ada.invite(&format!("guest-{number}@example.com"), "viewer").await;
    }
    let first = page(&ada, "/team").await.expect(200).text;
    let older = first.split("href=\"/o/adas-org").find(|part| part.contains(">Older invitations<")).expect("a link");
    let older = older.split_once('"').expect("an attribute").0.to_owned();
    let second = page(&ada, &older).await.expect(200).text;
    let (first, rest) = (listed(&first, "inv_"), listed(&second, "inv_"));
    assert_eq!((first.len(), rest.len()), (20, 5));
    assert_eq!(first.iter().chain(&rest).collect::<BTreeSet<_>>().len(), 25);
    assert!(second.contains(">Latest invitations<") && !second.contains(">Older invitations<"), "{second}");
    assert_eq!(listed(&page(&ada, "/team?cursor=broken&invited=broken").await.expect(200).text, "inv_").len(), 20);
}

#[tokio::test]
async fn a_hostile_name_stays_text() {
    let server = Server::start().await;
    let ada = server.sign_up("ada").await;
    let bob = ada.make_member("editor").await;
    bob.post_form("/account/name", &[("full_name", EVIL)]).await.expect(303);
    let path = format!("/team/members/{}", bob.user_id);
    send(&ada, &path, &[("role", "viewer")]).await.expect(303);
    for rest in ["/team", path.as_str(), "/timeline?type=member"] {
        let shown = page(&ada, rest).await.expect(200).text;
        assert!(shown.contains("&#60;script&#62;") && !shown.contains("<script>alert"), "{shown}");
    }
}
