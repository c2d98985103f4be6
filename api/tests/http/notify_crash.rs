//! Deliveries of a server that is killed in the middle.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::Router;
use chrono::Utc;
use database::testing::{TestDb, eventually};
use domain::ids::UserId;
use nix::sys::signal::Signal;
use operational::notifications::{self, Kind, Telling};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};
use uuid::Uuid;

use crate::{
    cli::{Server, program},
    support::PASSWORD,
};

const MESSAGES: usize = 400;
/// As many of one person's may be under way in one process.
const UNDER_WAY: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_loses_nothing_and_repeats_only_what_was_under_way() {
    let db = TestDb::new().await;
    let got: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let take = {
        let got = got.clone();
        move |body: axum::Json<Value>| async move {
            *got.lock().await.entry(body["id"].as_str().unwrap().to_owned()).or_default() += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Router::new().fallback(take);
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    let start = || {
        let mut command = program(&db, &["serve", "--listen", "127.0.0.1:0"]);
        command.env("OUTBOUND_ALLOW_CIDRS", "127.0.0.0/8");
        Server::start_with(command)
    };
    let server = start();
    let alice = server.client();
    let body = json!({"username": "alice", "email": "alice@example.org", "password": PASSWORD});
    let person: Uuid =
        alice.post("/api/auth/register", body).await.made()["id"].as_str().unwrap().parse().unwrap();
    sqlx::query("UPDATE users SET is_admin = true").execute(&db.pool).await.unwrap();
    alice.put("/api/admin/notifications/channels/webhook", json!({"enabled": true})).await.ok();
    alice.put("/api/me/notifications/channels/webhook", json!({"url": url})).await.ok();
    alice
        .put("/api/me/notifications/routing", json!({"wishlist_back_in_stock": {"webhook": true}}))
        .await
        .ok();
    let mut transaction = db.pool.begin().await.unwrap();
    for number in 0..MESSAGES {
        let telling = Telling {
            id: Uuid::now_v7(),
            user_id: UserId(person),
            kind: Kind::WishlistBackInStock,
            about: number.to_string(),
            payload: json!({}),
            at: Utc::now(),
        };
        assert!(notifications::tell(&mut transaction, &telling).await.unwrap());
    }
    transaction.commit().await.unwrap();
    eventually("some arrive", async || got.lock().await.len() > 40).await;
    assert!(!server.stop(Signal::SIGKILL));
    let before = got.lock().await.len();
    assert!(before < MESSAGES, "it was killed in the middle");
    // What was under way is tried again when its lease is over; here it is over at once.
    let over = "UPDATE notification_deliveries SET leased_until = now() WHERE leased_until IS NOT NULL";
    sqlx::query(over).execute(&db.pool).await.unwrap();
    let server = start();
    let delivered = "SELECT count(*) FROM notification_deliveries WHERE state = 'delivered'";
    eventually("all are delivered", async || {
        let count: i64 = sqlx::query_scalar(delivered).fetch_one(&db.pool).await.unwrap();
        usize::try_from(count).unwrap() == MESSAGES
    })
    .await;
    assert!(server.stop(Signal::SIGTERM));
    let got = got.lock().await;
    assert_eq!(got.len(), MESSAGES, "nothing is lost");
    let twice = got.values().filter(|times| **times > 1).count();
    assert!(twice <= UNDER_WAY, "{twice} came twice");
    assert!(got.values().all(|times| *times <= 2));
    let unknown = "SELECT count(*) FROM notification_delivery_attempts WHERE outcome = 'unknown'";
    let unknown: i64 = sqlx::query_scalar(unknown).fetch_one(&db.pool).await.unwrap();
    assert!(twice <= usize::try_from(unknown).unwrap(), "each of them is on record");
}
