//! Forgotten passwords: a link sets another one, once.

use super::*;
use crate::app::testing::{HERE, House, PASSWORD, address};
use crate::config::Registration;
use crate::domain::session::Origin;

const NEW: &str = "walnut-cathedral-mosaic";

fn token(url: &str) -> &str {
    url.rsplit_once("/reset/").unwrap().1
}

#[tokio::test]
async fn a_link_sets_another_password_once_and_ends_every_session() {
    let mut house = House::new(Registration::Open);
    let (ada, _) = house.founder("ada").await;
    let (app, email) = (house.app.clone(), address("ada"));
    let (url, other) = (app.reset_link("Ada@example.com").await.unwrap(), app.reset_link(&email).await.unwrap());
    assert_eq!(app.check_reset(token(&url)).await.unwrap().as_str(), email);

    let Err(Error::Invalid(fields)) = app.reset_password(token(&url), "short".into(), HERE).await else { panic!("too short") };
    assert_eq!(fields[0].field, "new_password");
    app.reset_password(token(&url), NEW.into(), HERE).await.unwrap();

    assert_eq!(app.sessions_of(&ada).await.unwrap().len(), 0);
    assert_eq!(app.sign_in(&email, PASSWORD.into(), HERE, Origin::default()).await.err(), Some(Error::Unauthenticated));
    assert!(app.sign_in(&email, NEW.into(), HERE, Origin::default()).await.is_ok());
    for used in [&url, &other] {
        assert_eq!(app.check_reset(token(used)).await, Err(Error::NotFound));
        assert_eq!(app.reset_password(token(used), "another-long-passphrase".into(), HERE).await, Err(Error::NotFound));
    }
}

#[tokio::test]
async fn a_link_is_good_for_an_hour_and_for_nothing_else() {
    let mut house = House::new(Registration::Open);
    let (ada, org) = house.founder("ada").await;
    let app = house.app.clone();
    let url = app.reset_link(&address("ada")).await.unwrap();
    let invited = app.invite(&ada, org, address("bo"), crate::access::Role::Viewer).await.unwrap();
    assert_eq!(app.check_reset(&invited.token).await, Err(Error::NotFound), "an invitation resets no password");
    assert_eq!(app.offer(token(&url), HERE).await, Err(Error::NotFound), "nor the other way round");
    assert_eq!(app.authenticate(token(&url)).await.err(), Some(Error::Unauthenticated));
    app.clock().advance(Duration::from_secs(3_600));
    assert_eq!(app.check_reset(token(&url)).await, Err(Error::NotFound));
    assert_eq!(app.reset_link("nobody@example.com").await, Err(Error::NotFound));
}

#[tokio::test]
async fn asking_for_a_link_tells_nothing_of_who_has_an_account() {
    let mut house = House::new(Registration::Open);
    house.founder("ada").await;
    for email in [address("ada"), address("nobody")] {
        assert_eq!(house.app.forgot_password(&email, HERE).await, Ok(()));
    }
    assert!(matches!(house.app.forgot_password("ada", HERE).await, Err(Error::Invalid(_))));
    let mut refused = None;
    for _ in 0..40 {
        refused = house.app.forgot_password(&address("nobody"), HERE).await.err().or(refused);
    }
    assert!(matches!(refused, Some(Error::TooMany(_))));
}
