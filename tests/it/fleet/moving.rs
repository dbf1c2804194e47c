//! From a file to a database, with everything that people have; and from lost keys to new ones.

use std::path::Path;

use crate::harness::engine::{Database, on_postgres};
use crate::harness::{Client, Process};

const OPEN: [&str; 2] = ["--registration", "open"];

/// What a member sees of their organization.
async fn seen(ada: &Client) -> [serde_json::Value; 3] {
    let mut seen = [serde_json::Value::Null, serde_json::Value::Null, serde_json::Value::Null];
    for (place, path) in seen.iter_mut().zip(["/api/users/auth/profile", "/api/services", "/api/incidents"]) {
        *place = ada.get(path).await.expect(200).json;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_moves_with_its_people_who_stay_signed_in() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::run(dir.path(), &OPEN, &[]).await;
    let ada = process.anonymous().sign_up("ada").await;
    let service = ada.service("Checkout").await;
    ada.incident(&[(&service, "major_outage")], "Checkout fails").await;
    let (before, told) = (seen(&ada).await, ada.timeline().await);

    let database = Database::new().await;
    let copy = ["store", "copy", "--from", "redb:data/allclear.redb", "--to", database.url()];
    let (code, said) = Process::ended(dir.path(), &copy).await;
    assert_eq!(code, Some(75), "a server has the file: {said}");
    assert_eq!(process.terminate().await, Some(0));
    let (code, said) = Process::ended(dir.path(), &copy).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = Process::ended(dir.path(), &copy).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not empty"), "{said}");

    let mut flags = on_postgres(database.url(), &dir.path().join("data/keys"));
    flags.extend(OPEN.map(str::to_owned));
    let process = start(dir.path(), &flags).await;
    let ada = ada.at(process.base());
    assert_eq!((seen(&ada).await, ada.timeline().await), (before, told));
    ada.service("Search").await;
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_keys_are_replaced_on_purpose_and_never_by_accident() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Database::new().await;
    let keys = |dir: &Path| on_postgres(database.url(), &dir.join("keys"));
    let process = start(first.path(), &[keys(first.path()), OPEN.map(str::to_owned).to_vec()].concat()).await;
    let ada = process.anonymous().sign_up("ada").await;
    assert_eq!(process.terminate().await, Some(0));

    let words: Vec<String> = ["user", "reset-password", "ada@example.com"].map(str::to_owned).to_vec();
    for command in [Vec::new(), words] {
        let flags = [command, keys(second.path())].concat();
        let (code, said) = Process::ended(second.path(), &flags.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("adopt-keys"), "{said}");
    }
    let adopt = [vec!["store".to_owned(), "adopt-keys".to_owned()], keys(second.path())].concat();
    let (code, said) = Process::ended(second.path(), &adopt.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(0), "{said}");
    let process = start(second.path(), &keys(second.path())).await;
    let ada = ada.at(process.base());
    ada.get("/api/users/auth/profile").await.expect(401);
    ada.sign_in().await.get("/api/users/auth/profile").await.expect(200);
    assert_eq!(process.terminate().await, Some(0));
}

async fn start(dir: &Path, flags: &[String]) -> Process {
    Process::run(dir, &flags.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await
}
