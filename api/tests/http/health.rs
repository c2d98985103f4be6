use std::time::Duration;

use event_store::APPEND_LOCK;
use futures::future::{Either, select};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

use crate::{owned::figure, seed, support::TestApp};

#[tokio::test]
async fn a_running_server_lives_and_is_ready() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    assert_eq!(anybody.get("/api/health/live").await.ok()["status"], "alive");
    assert_eq!(anybody.get("/api/health/ready").await.ok()["status"], "ready");
}

#[tokio::test]
async fn a_stopping_server_lives_but_is_not_ready() {
    let app = TestApp::new().await;
    app.state.stop();
    app.visitor().get("/api/health/live").await.ok();
    app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
}

#[tokio::test]
async fn a_server_without_its_database_lives_but_is_not_ready() {
    let app = TestApp::new().await;
    app.db.pool.close().await;
    app.visitor().get("/api/health/live").await.ok();
    app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
}

#[tokio::test]
async fn a_request_without_the_database_is_told_to_come_back() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.db.pool.close().await;
    let answer = alice.post("/api/auth/login", json!({"username": "alice", "password": "x"})).await;
    assert_eq!(answer.header("retry-after"), "5");
    answer.refused(503, "database_unavailable");
}

#[tokio::test]
async fn a_server_with_a_stopped_read_model_is_not_ready_and_names_it() {
    let app = TestApp::new().await;
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
    app.visitor().get("/api/health/live").await.ok();
    let refused = app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
    assert!(refused["projections"].as_array().unwrap().contains(&"figures".into()), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("figures"), "{refused}");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_nobodys_fault_and_makes_the_server_not_ready() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let name = &app.db.name;
    // Every connection of the server is a new one then.
    let mut operator = PgConnection::connect_with(&app.db.options()).await.unwrap();
    for sql in [
        format!("ALTER DATABASE {name} SET default_transaction_read_only = on"),
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()"
            .to_owned(),
    ] {
        sqlx::query(&sql).execute(&mut operator).await.unwrap();
    }
    let refused = timeout(Duration::from_secs(60), async {
        loop {
            let ready = app.visitor().get("/api/health/ready").await;
            if ready.text.contains("takes no writes") {
                return ready;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    refused.refused(503, "not_ready");
    alice.get("/api/me").await.ok();
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.refused(503, "database_unavailable");
    alice.post("/api/me/api-keys", json!({"name": "phone"})).await.refused(503, "database_unavailable");
}

#[tokio::test]
async fn whoever_finds_no_room_for_a_write_is_told_when_to_come_back() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"figure_id": figure(&app, "Mina").await});
    // Nobody can append; and of one person, one command at a time is decided.
    let mut other = app.db.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *other).await.unwrap();
    let add = || Box::pin(alice.post("/api/me/owned", body.clone()));
    let (first, rest) = match select(add(), add()).await {
        Either::Left((first, rest)) | Either::Right((first, rest)) => (first, rest),
    };
    assert_eq!(first.header("retry-after"), "1");
    first.refused(503, "busy");
    other.rollback().await.unwrap();
    rest.await.made();
    assert_eq!(alice.get("/api/me/owned").await.ok()["items"].as_array().unwrap().len(), 1);
}
