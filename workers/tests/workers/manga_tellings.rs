//! Telling everybody who linked a MangaCollector server that it was reviewed, however many they are.

use crate::support::Ledger;
use chrono::Utc;
use database::testing::eventually;
use domain::ids::UserId;
use operational::manga_servers::{self, Verdict};
use operational::manga_tellings::{BATCH, tell_some};
use std::time::Duration;
use uuid::Uuid;

const LINKED: i64 = 250;
const TOLD: &str = "SELECT count(*) FROM notifications WHERE event_type = 'manga_server_approved'";
const LEFT: &str = "SELECT count(*) FROM manga_tellings";

/// A server that an admin has just approved and 250 people had linked; gives the server and the admin.
async fn approved(ledger: &Ledger) -> (Uuid, UserId) {
    let (pool, root) = (&ledger.db.pool, Uuid::now_v7());
    let add = "INSERT INTO users (id, username, manga_server_id, manga_slug) VALUES ($1, $2, $3, $4)";
    sqlx::query("INSERT INTO users (id, username) VALUES ($1, 'root')")
        .bind(root)
        .execute(pool)
        .await
        .unwrap();
    let origin = "https://manga.example".parse().unwrap();
    let server = manga_servers::propose(pool, &origin, root.into()).await.unwrap().id;
    for n in 0..LINKED {
        let (id, name) = (Uuid::now_v7(), format!("reader{n}"));
        sqlx::query(add).bind(id).bind(&name).bind(server).bind(&name).execute(pool).await.unwrap();
    }
    manga_servers::review(pool, server, &Verdict::Approve, root.into(), Utc::now()).await.unwrap();
    (server, root.into())
}

async fn tell_all(ledger: &Ledger) {
    let mut batches = 0;
    while tell_some(&ledger.db.pool, Utc::now()).await.unwrap() {
        batches += 1;
        assert!(batches < 20, "it never ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_tells_in_batches_and_everybody_once() {
    let ledger = Ledger::new().await;
    let (server, root) = approved(&ledger).await;
    assert_eq!((ledger.count(LEFT).await, ledger.count(TOLD).await), (LINKED, 0));
    assert!(tell_some(&ledger.db.pool, Utc::now()).await.unwrap());
    assert_eq!((ledger.count(LEFT).await, ledger.count(TOLD).await), (LINKED - BATCH, BATCH));
    // Several processes tell, and whoever unlinks meanwhile had linked it when it was reviewed.
    sqlx::query("UPDATE users SET manga_server_id = NULL, manga_slug = NULL WHERE username = 'reader249'")
        .execute(&ledger.db.pool)
        .await
        .unwrap();
    tokio::join!(tell_all(&ledger), tell_all(&ledger), tell_all(&ledger));
    assert_eq!((ledger.count(LEFT).await, ledger.count(TOLD).await), (0, LINKED));
    assert_eq!(ledger.count("SELECT count(DISTINCT user_id) FROM notifications").await, LINKED);
    manga_servers::review(&ledger.db.pool, server, &Verdict::Approve, root, Utc::now()).await.unwrap();
    assert_eq!(ledger.count(LEFT).await, 0, "it was approved already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_in_the_middle_of_a_batch_leaves_it_to_the_next() {
    let ledger = Ledger::new().await;
    approved(&ledger).await;
    let pool = ledger.db.pool.clone();
    // Somebody in the middle of the first batch cannot be told for now.
    let mut held = pool.begin().await.unwrap();
    sqlx::query("SELECT id FROM users WHERE username = 'reader50' FOR UPDATE")
        .execute(&mut *held)
        .await
        .unwrap();
    let telling = tokio::spawn({
        let pool = pool.clone();
        async move { tell_some(&pool, Utc::now()).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND wait_event_type = 'Lock' AND query LIKE '%notification_dedup%'";
    eventually("it waits for that one", async || ledger.count(waiting).await == 1).await;
    telling.abort();
    assert!(telling.await.unwrap_err().is_cancelled());
    held.rollback().await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), tell_all(&ledger)).await.unwrap();
    assert_eq!((ledger.count(LEFT).await, ledger.count(TOLD).await), (0, LINKED));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_before_their_turn_is_not_told_and_holds_up_nobody() {
    let ledger = Ledger::new().await;
    approved(&ledger).await;
    let pool = &ledger.db.pool;
    let erased = sqlx::query_scalar::<_, Uuid>("DELETE FROM users WHERE username = 'reader3' RETURNING id");
    erased.fetch_one(pool).await.unwrap();
    assert_eq!(ledger.count(LEFT).await, LINKED - 1);
    tell_all(&ledger).await;
    assert_eq!((ledger.count(LEFT).await, ledger.count(TOLD).await), (0, LINKED - 1));
}
