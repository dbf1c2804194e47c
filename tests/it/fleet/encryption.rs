//! Encrypted connections to the database, and whom they trust.

use std::sync::atomic::{AtomicU32, Ordering};

use allclear::config::StorePlace;
use allclear::store::{OpenError, Store};

use crate::harness::cluster::Cluster;
use crate::harness::engine::connect;

/// Whether the connections of a store that is opened so are encrypted; or why it is not.
async fn opened(cluster: &Cluster, host: &str, query: &str) -> Result<bool, OpenError> {
    // Each by a name of its own: connections of the one before may still be closing.
    static ROUND: AtomicU32 = AtomicU32::new(0);
    let name = format!("judged-{}", ROUND.fetch_add(1, Ordering::Relaxed));
    let url = format!("postgres://postgres@{host}:{}/postgres?application_name={name}&{query}", cluster.port());
    let (store, _news) = Store::open_place(&url.parse::<StorePlace>().expect("a place"), 0, 4)?;
    let admin = connect(&cluster.url("postgres")).await.expect("it answers");
    let sql = "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = $1";
    let encrypted = admin.query_one(sql, &[&name]).await.expect("it says").get(0);
    tokio::task::spawn_blocking(move || store.close()).await.expect("it closes");
    Ok(encrypted)
}

#[tokio::test(flavor = "multi_thread")]
async fn sslmode_means_what_it_means_everywhere() {
    let mut cluster = Cluster::start().await;
    assert!(!opened(&cluster, "localhost", "sslmode=prefer").await.unwrap(), "it can't");
    assert!(opened(&cluster, "localhost", "sslmode=require").await.is_err());

    let authority = cluster.encrypt().await;
    let (authority, stranger) = (authority.display(), cluster.stranger().display().to_string());
    for (query, encrypted) in [
        ("sslmode=disable".to_owned(), false),
        ("sslmode=prefer".to_owned(), true),
        ("sslmode=require".to_owned(), true),
        (format!("sslmode=verify-ca&sslrootcert={authority}"), true),
    ] {
        // It is made out to another name, which these don't look at.
        assert_eq!(opened(&cluster, "127.0.0.1", &query).await.unwrap(), encrypted, "{query}");
    }
    let full = format!("sslmode=verify-full&sslrootcert={authority}");
    assert!(opened(&cluster, "localhost", &full).await.unwrap());
    for (host, query) in [
        ("127.0.0.1", full),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", format!("sslmode=verify-full&sslrootcert={stranger}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={stranger}")),
        ("localhost", format!("sslmode=require&sslrootcert={stranger}")),
    ] {
        match opened(&cluster, host, &query).await {
            Err(OpenError::Refused { detail, .. }) => assert!(detail.contains("certificate"), "{query}: {detail}"),
            other => panic!("{query}: {other:?}"),
        }
    }
}
