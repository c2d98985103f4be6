use std::sync::{Arc, Mutex};

use api::identity::letters::{Letter, Letters};
use async_trait::async_trait;
use database::testing::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp, TestClient};

const NEW: &str = "a wholly different one";

/// A mail server that keeps what it is given.
#[derive(Clone, Default)]
struct Post(Arc<Mutex<Vec<Letter>>>);

#[async_trait]
impl Letters for Post {
    async fn can_send(&self) -> bool {
        true
    }

    async fn send(&self, letter: Letter) -> Result<(), String> {
        self.0.lock().unwrap().push(letter);
        Ok(())
    }
}

impl Post {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn token(&self, number: usize) -> String {
        eventually("a letter arrives", async || self.count() >= number).await;
        let letter = self.0.lock().unwrap()[number - 1].clone();
        letter.text.split_once("/reset-password#").unwrap().1.split_whitespace().next().unwrap().to_owned()
    }
}

async fn app() -> (TestApp, Post) {
    let (app, post) = (TestApp::with(&[("PUBLIC_URL", "https://figures.example")]).await, Post::default());
    app.state.send_letters_by(Arc::new(post.clone()));
    (app, post)
}

async fn ask(app: &TestApp, email: &str) -> Answer {
    app.visitor().post("/api/auth/password-reset", json!({"email": email})).await
}

async fn set(client: &TestClient, token: &str, password: &str) -> Answer {
    let body = json!({"token": token, "password": password});
    client.post("/api/auth/password-reset/confirm", body).await
}

async fn login(app: &TestApp, password: &str) -> Answer {
    app.visitor().post("/api/auth/login", json!({"username": "alice", "password": password})).await
}

#[tokio::test]
async fn a_letter_lets_one_set_a_new_password_once() {
    let (app, post) = app().await;
    let elsewhere = app.register("alice").await;
    ask(&app, "Alice@Example.org").await.of(202);
    let token = post.token(1).await;
    let letter = post.0.lock().unwrap()[0].clone();
    assert_eq!(letter.to, "alice@example.org");
    assert!(
        letter.text.contains(&format!("https://figures.example/reset-password#{token}")),
        "{}",
        letter.text
    );
    login(&app, PASSWORD).await.ok();
    let client = app.visitor();
    set(&client, &token, "short").await.refused_field(422, "invalid_field", "password");
    assert_eq!(set(&client, &token, NEW).await.ok()["username"], "alice");
    client.get("/api/me").await.ok();
    elsewhere.get("/api/me").await.refused(401, "not_signed_in");
    login(&app, PASSWORD).await.refused(401, "wrong_credentials");
    login(&app, NEW).await.ok();
    set(&app.visitor(), &token, PASSWORD).await.refused_field(403, "reset_token_unknown", "token");
}

#[tokio::test]
async fn the_answer_does_not_tell_who_has_an_account() {
    let (app, post) = app().await;
    app.register("alice").await;
    let (known, unknown) = (ask(&app, "alice@example.org").await, ask(&app, "nobody@example.org").await);
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    post.token(1).await;
    sometime_later(&app).await;
    ask(&app, "alice@example.org").await.of(202);
    post.token(2).await;
    assert_eq!(post.count(), 2, "nobody else got one");
}

#[tokio::test]
async fn a_newer_token_and_time_end_an_older_one() {
    let (app, post) = app().await;
    let alice = app.register("alice").await;
    ask(&app, "alice@example.org").await.of(202);
    let first = post.token(1).await;
    sometime_later(&app).await;
    ask(&app, "alice@example.org").await.of(202);
    let second = post.token(2).await;
    set(&app.visitor(), &first, NEW).await.refused(403, "reset_token_unknown");
    sqlx::query("UPDATE password_resets SET expires_at = now()").execute(&app.db.pool).await.unwrap();
    set(&app.visitor(), &second, NEW).await.refused(403, "reset_token_unknown");
    ask(&app, "alice@example.org").await.of(202);
    let third = post.token(3).await;
    alice.patch("/api/me", json!({"email": "new@example.org", "current_password": PASSWORD})).await.ok();
    set(&app.visitor(), &third, NEW).await.refused(403, "reset_token_unknown");
    for made_up in ["", "x", &"y".repeat(10_000)] {
        set(&app.visitor(), made_up, NEW).await.refused(403, "reset_token_unknown");
    }
    login(&app, PASSWORD).await.ok();
}

async fn sometime_later(app: &TestApp) {
    let older = "UPDATE password_resets SET created_at = created_at - interval '6 minutes'";
    sqlx::query(older).execute(&app.db.pool).await.unwrap();
}

#[tokio::test]
async fn whoever_only_knows_the_address_can_neither_flood_the_mailbox_nor_void_an_admins_link() {
    let (app, post) = app().await;
    let root = app.register_admin("root").await;
    app.register("alice").await;
    ask(&app, "alice@example.org").await.of(202);
    let first = post.token(1).await;
    ask(&app, "alice@example.org").await.of(202);
    ask(&app, "root@example.org").await.of(202);
    post.token(2).await;
    let to: Vec<_> = post.0.lock().unwrap().iter().map(|letter| letter.to.clone()).collect();
    assert_eq!(to, ["alice@example.org", "root@example.org"]);
    let place = "/api/admin/users/alice/password-reset";
    let link = root.send(Method::POST, place, |it| it).await.made();
    set(&app.visitor(), &first, NEW).await.refused(403, "reset_token_unknown");
    sometime_later(&app).await;
    ask(&app, "alice@example.org").await.of(202);
    set(&app.visitor(), link["token"].as_str().unwrap(), NEW).await.ok();
}

#[tokio::test]
async fn of_many_who_use_one_token_at_once_one_succeeds() {
    let (app, post) = app().await;
    app.register("alice").await;
    ask(&app, "alice@example.org").await.of(202);
    let token = post.token(1).await;
    let asking = (0..8).map(|n| {
        let (client, token) = (app.visitor(), token.clone());
        async move { set(&client, &token, &format!("password number {n}")).await }
    });
    let answers = futures::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn tokens_are_kept_as_hashes() {
    let (app, post) = app().await;
    app.register("alice").await;
    ask(&app, "alice@example.org").await.of(202);
    let token = post.token(1).await;
    let matching: i64 =
        sqlx::query_scalar("SELECT count(*) FROM password_resets WHERE token_hash = sha256($1::bytea)")
            .bind(token.as_bytes())
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(matching, 1);
    let row: String = app.scalar("SELECT t::text FROM password_resets AS t").await;
    assert!(!row.contains(&token));
}

#[tokio::test]
async fn without_mail_an_admin_makes_the_link() {
    let app = TestApp::new().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    ask(&app, "alice@example.org").await.refused(409, "mail_not_set_up");
    let place = "/api/admin/users/alice/password-reset";
    let post = async |client: &TestClient| client.send(Method::POST, place, |it| it).await;
    post(&app.visitor()).await.refused(401, "not_signed_in");
    post(&alice).await.refused(403, "admin_only");
    let answer = post(&root).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let link = answer.made();
    let token = link["token"].as_str().unwrap();
    assert!(link["url"].as_str().unwrap().ends_with(&format!("/reset-password#{token}")));
    alice.get("/api/me").await.ok();
    set(&app.visitor(), token, NEW).await.ok();
    alice.get("/api/me").await.refused(401, "not_signed_in");
    root.send(Method::POST, "/api/admin/users/nobody/password-reset", |it| it)
        .await
        .refused(404, "not_found");
    let unknown = "/api/admin/users/00000000-0000-4000-8000-000000000000/password-reset";
    root.send(Method::POST, unknown, |it| it).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_suspended_get_no_new_password() {
    let (app, post) = app().await;
    let root = app.register_admin("root").await;
    app.register("alice").await;
    ask(&app, "alice@example.org").await.of(202);
    let token = post.token(1).await;
    root.patch("/api/admin/users/alice", json!({"suspended": true})).await.ok();
    set(&app.visitor(), &token, NEW).await.refused(403, "reset_token_unknown");
    root.send(Method::POST, "/api/admin/users/alice/password-reset", |it| it).await.refused(403, "suspended");
    ask(&app, "alice@example.org").await.of(202);
    ask(&app, "root@example.org").await.of(202);
    post.token(2).await;
    assert_eq!(post.0.lock().unwrap()[1].to, "root@example.org", "the one before went nowhere");
}

#[tokio::test]
async fn asking_and_guessing_count_as_attempts() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let mut last = None;
    for _ in 0..30 {
        let answer = set(&app.visitor(), "a guess", NEW).await;
        if answer.status == 429 {
            last = Some(answer);
            break;
        }
    }
    last.expect("never refused").refused(429, "too_many_attempts");
}

#[tokio::test]
async fn the_page_behind_a_link_runs_its_own_script_only() {
    let app = TestApp::new().await;
    let page = app.visitor().get("/reset-password").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(!page.text.contains("http://") && !page.text.contains("https://"));
    assert_eq!(page.body, Value::Null);
}
