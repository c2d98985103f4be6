use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestApp, TestClient};

const SESSIONS: &str = "/api/me/sessions";

async fn login(app: &TestApp, browser: &str) -> (TestClient, Answer) {
    let client = app.visitor();
    let body = json!({"username": "alice", "password": PASSWORD});
    let answer =
        client.send(Method::POST, "/api/auth/login", |it| it.header("user-agent", browser).json(&body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    (client, answer)
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn one_sees_where_one_is_signed_in_and_never_what_a_cookie_holds() {
    let app = TestApp::new().await;
    app.register("alice").await;
    let (here, signed_in) = login(&app, "Browser/1.0 \"here\"").await;
    let listed = here.get(SESSIONS).await;
    let secret = cookie(&signed_in).split_once('=').unwrap().1.to_owned();
    assert!(!listed.text.contains(&secret), "{}", listed.text);
    let sessions = listed.ok()["items"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0]["current"], true);
    assert_eq!(sessions[0]["user_agent"], "Browser/1.0 \"here\"");
    assert_eq!(sessions[0]["signed_in_by"], "password");
    assert_eq!(sessions[1]["current"], false);
    // The public name opens nothing.
    let public = sessions[0]["id"].as_str().unwrap();
    let with_it = app
        .visitor()
        .send(Method::GET, "/api/me", |it| it.header("cookie", format!("figure_ledger_session={public}")))
        .await;
    with_it.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_session_is_ended_by_its_owner_alone() {
    let app = TestApp::new().await;
    let first = app.register("alice").await;
    let (second, _) = login(&app, "second").await;
    let bob = app.register("bob").await;
    let id = second.get(SESSIONS).await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    bob.delete(&format!("{SESSIONS}/{id}")).await.refused(404, "not_found");
    second.get("/api/me").await.ok();
    first.delete(&format!("{SESSIONS}/{id}")).await.ok();
    second.get("/api/me").await.refused(401, "not_signed_in");
    first.get("/api/me").await.ok();
    first.delete(&format!("{SESSIONS}/{id}")).await.refused(404, "not_found");
    let own = first.get(SESSIONS).await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    first.delete(&format!("{SESSIONS}/{own}")).await.ok();
    first.get("/api/me").await.refused(401, "not_signed_in");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM user_sessions").await, 1, "bob's");
}

#[tokio::test]
async fn a_new_password_leaves_this_session_alone_on_the_list() {
    let app = TestApp::new().await;
    let here = app.register("alice").await;
    let (elsewhere, _) = login(&app, "elsewhere").await;
    here.patch("/api/me", json!({"password": "a wholly different one", "current_password": PASSWORD}))
        .await
        .ok();
    elsewhere.get("/api/me").await.refused(401, "not_signed_in");
    assert_eq!(here.get(SESSIONS).await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn signing_in_again_or_out_takes_the_session_off_the_list() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"username": "alice", "password": PASSWORD});
    alice.post("/api/auth/login", body).await.ok();
    assert_eq!(alice.get(SESSIONS).await.ok()["items"].as_array().unwrap().len(), 1);
    alice.post("/api/auth/logout", json!({})).await.ok();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM user_sessions").await, 0);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_in_any_case_after_its_time() {
    let app = TestApp::with(&[("SESSION_IDLE_DAYS", "2"), ("SESSION_MAX_DAYS", "5")]).await;
    app.register("alice").await;
    let days = "SELECT extract(day FROM idle_until - created_at)::bigint * 10
                + extract(day FROM ends_at - created_at)::bigint FROM user_sessions";
    assert_eq!(app.scalar::<i64>(days).await, 25);
    for column in ["idle_until", "ends_at"] {
        let (alice, _) = login(&app, column).await;
        alice.get("/api/me").await.ok();
        sqlx::query(&format!("UPDATE user_sessions SET {column} = now() WHERE user_agent = '{column}'"))
            .execute(&app.db.pool)
            .await
            .unwrap();
        alice.get("/api/me").await.refused(401, "not_signed_in");
    }
    operational::sessions::delete_expired(&app.db.pool).await.unwrap();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM user_sessions").await, 1);
}

#[tokio::test]
async fn using_a_session_prolongs_it_but_not_beyond_its_time() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let before = "UPDATE user_sessions SET seen_at = now() - interval '2 hours', idle_until = now() + interval '1 day'";
    sqlx::query(before).execute(&app.db.pool).await.unwrap();
    let ends: String = app.scalar("SELECT ends_at::text FROM user_sessions").await;
    let answer = alice.get("/api/me").await;
    assert!(answer.header("set-cookie").contains("Max-Age=2592000"), "{}", answer.header("set-cookie"));
    assert!(app.scalar::<bool>("SELECT idle_until > now() + interval '29 days' FROM user_sessions").await);
    assert!(app.scalar::<bool>("SELECT seen_at > now() - interval '1 hour' FROM user_sessions").await);
    assert_eq!(app.scalar::<String>("SELECT ends_at::text FROM user_sessions").await, ends);
}

#[tokio::test]
async fn a_cookie_of_another_instance_is_nobodys() {
    let (one, other) = (TestApp::new().await, TestApp::new().await);
    one.register("alice").await;
    other.register("alice").await;
    let (_, signed_in) = login(&one, "one").await;
    let carried = cookie(&signed_in);
    let there = other.visitor().send(Method::GET, "/api/me", |it| it.header("cookie", &carried)).await;
    there.refused(401, "not_signed_in");
    // Not even with its row of the session layer, as when that table is copied.
    let (id, data): (String, Vec<u8>) =
        sqlx::query_as("SELECT id, data FROM tower_sessions ORDER BY expiry_date DESC LIMIT 1")
            .fetch_one(&one.db.pool)
            .await
            .unwrap();
    sqlx::query("INSERT INTO tower_sessions VALUES ($1, $2, now() + interval '1 day')")
        .bind(id)
        .bind(data)
        .execute(&other.db.pool)
        .await
        .unwrap();
    let there = other.visitor().send(Method::GET, "/api/me", |it| it.header("cookie", &carried)).await;
    there.refused(401, "not_signed_in");
}
