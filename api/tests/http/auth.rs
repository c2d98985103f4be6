use std::time::Duration;

use database::testing::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestApp};

fn account(username: &str, email: &str, password: &str) -> Value {
    json!({"username": username, "email": email, "password": password})
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").to_owned()
}

#[tokio::test]
async fn registering_answers_the_account_and_signs_in() {
    let app = TestApp::new().await;
    let alice = app.visitor();
    let answer = alice.post("/api/auth/register", account("Alice", "Alice@example.org", PASSWORD)).await;
    assert_eq!(answer.header("location"), "/api/me");
    let user = answer.made();
    assert_eq!(user["username"], "Alice");
    assert_eq!(user["email"], "Alice@example.org");
    assert_eq!(user["is_admin"], false, "the first account is no admin either");
    assert_eq!(user["nsfw_visibility"], "blur");
    assert_eq!(user["preferred_currency"], Value::Null);
    assert_eq!(user["time_zone"], "UTC");
    assert!(!user.to_string().contains("argon2") && user.get("password_hash").is_none());
    assert_eq!(alice.get("/api/me").await.ok(), user);
    let stored: String = app.scalar("SELECT password_hash FROM users").await;
    assert!(stored.starts_with("$argon2id$"), "{stored}");
}

#[tokio::test]
async fn a_taken_name_or_address_is_told_whatever_its_case() {
    let app = TestApp::new().await;
    app.register("alice").await;
    let register = async |body| app.visitor().post("/api/auth/register", body).await;
    register(account("ALICE", "other@example.org", PASSWORD)).await.refused_field(
        409,
        "username_taken",
        "username",
    );
    register(account("other", "Alice@Example.org", PASSWORD)).await.refused_field(
        409,
        "email_taken",
        "email",
    );
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn of_many_who_ask_for_one_name_at_once_one_gets_it() {
    let app = TestApp::new().await;
    let asking = (0..8).map(|n| {
        let client = app.visitor();
        async move {
            client.post("/api/auth/register", account("miku", &format!("m{n}@example.org"), PASSWORD)).await
        }
    });
    let answers = futures::future::join_all(asking).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    for answer in refused {
        answer.refused(409, "username_taken");
    }
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_with_its_field() {
    let app = TestApp::new().await;
    let register = async |body| app.visitor().post("/api/auth/register", body).await;
    let names =
        ["ab", "   ", "has space", "аlice", "ɑlice", "ａｌｉｃｅ", "alice\u{200b}", "🎎🎎🎎", "ali/ce"];
    for name in names.into_iter().chain([&*"x".repeat(31), &*"x".repeat(10_000), &*" ".repeat(10_000)]) {
        register(account(name, "a@example.org", PASSWORD)).await.refused_field(
            422,
            "invalid_field",
            "username",
        );
    }
    for address in ["", "nobody", "a b@example.org", &format!("a@{}.org", "x".repeat(250))] {
        register(account("alice", address, PASSWORD)).await.refused_field(422, "invalid_field", "email");
    }
    for password in ["short", &"x".repeat(201)] {
        let body = register(account("alice", "a@example.org", password)).await;
        let body = body.refused_field(422, "invalid_field", "password");
        assert!(!body.to_string().contains(password), "a password came back");
    }
    register(json!({"username": "alice", "password": PASSWORD})).await.refused_field(
        422,
        "missing_field",
        "email",
    );
    let body = json!({"username": "alice", "email": "a@example.org", "password": PASSWORD, "is_admin": true});
    register(body).await.refused_field(422, "unknown_field", "is_admin");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn sign_up_can_be_closed_and_those_who_are_in_stay_in() {
    let app = TestApp::with(&[("ALLOW_LOCAL_SIGNUP", "false")]).await;
    let answer = app.visitor().post("/api/auth/register", account("alice", "a@example.org", PASSWORD)).await;
    answer.refused(403, "signup_closed");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn signing_in_takes_the_name_in_any_case_and_only_the_right_password() {
    let app = TestApp::new().await;
    app.register("Alice").await;
    let login = async |name: &str, password: &str| {
        app.visitor().post("/api/auth/login", json!({"username": name, "password": password})).await
    };
    assert_eq!(login("aLICE", PASSWORD).await.ok()["username"], "Alice");
    let wrong = login("alice", "correct horse bakery").await.refused(401, "wrong_credentials");
    let unknown = login("bob", PASSWORD).await.refused(401, "wrong_credentials");
    assert_eq!(wrong, unknown, "the refusal tells which names exist");
    login("no such\u{7f}name", PASSWORD).await.refused(401, "wrong_credentials");
    login("alice", "").await.refused(401, "wrong_credentials");
}

#[tokio::test]
async fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let app = TestApp::new().await;
    let answer = app.visitor().post("/api/auth/register", account("alice", "a@example.org", PASSWORD)).await;
    let cookie = cookie(&answer);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn under_https_the_session_cookie_is_secure() {
    let app = TestApp::with(&[("PUBLIC_URL", "https://figures.example")]).await;
    let answer = app.visitor().post("/api/auth/register", account("alice", "a@example.org", PASSWORD)).await;
    assert!(cookie(&answer).contains("Secure"), "{}", cookie(&answer));
}

#[tokio::test]
async fn the_session_id_changes_at_sign_in_and_the_old_one_is_worth_nothing() {
    let app = TestApp::new().await;
    let alice = app.visitor();
    let before = cookie(&alice.post("/api/auth/register", account("alice", "a@example.org", PASSWORD)).await);
    let login = alice.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await;
    let after = cookie(&login);
    let id = |cookie: &str| cookie.split(';').next().unwrap().to_owned();
    assert_ne!(id(&before), id(&after));
    let with = async |pair: String| {
        app.visitor().send(Method::GET, "/api/me", |request| request.header("cookie", pair)).await
    };
    with(id(&before)).await.refused(401, "not_signed_in");
    with(id(&after)).await.ok();
    with("figure_ledger_session=AAAAAAAAAAAAAAAAAAAAAA".to_owned()).await.refused(401, "not_signed_in");
    with("figure_ledger_session=%00;;".to_owned()).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn an_id_planted_before_sign_in_is_not_taken_over() {
    let app = TestApp::new().await;
    app.register("alice").await;
    let planted = "figure_ledger_session=AAAAAAAAAAAAAAAAAAAAAA";
    let login = app
        .visitor()
        .send(Method::POST, "/api/auth/login", |request| {
            request.header("cookie", planted).json(&json!({"username": "alice", "password": PASSWORD}))
        })
        .await;
    assert!(!cookie(&login).contains("AAAAAAAAAAAAAAAAAAAAAA"));
    login.ok();
    let thief = app.visitor().send(Method::GET, "/api/me", |request| request.header("cookie", planted)).await;
    thief.refused(401, "not_signed_in");
}

#[tokio::test]
async fn signing_out_deletes_the_session_on_the_server() {
    let app = TestApp::new().await;
    let alice = app.visitor();
    let made = alice.post("/api/auth/register", account("alice", "a@example.org", PASSWORD)).await;
    let pair = cookie(&made).split(';').next().unwrap().to_owned();
    alice.post("/api/auth/logout", json!({})).await.ok();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM tower_sessions").await, 0);
    alice.get("/api/me").await.refused(401, "not_signed_in");
    let kept = app.visitor().send(Method::GET, "/api/me", |request| request.header("cookie", pair)).await;
    kept.refused(401, "not_signed_in");
    app.visitor().send(Method::POST, "/api/auth/logout", |request| request).await.ok();
}

#[tokio::test]
async fn nobody_is_kept_from_signing_out() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let alice = app.register("alice").await;
    eventually("attempts are limited", async || {
        let body = json!({"username": "alice", "password": "wrong"});
        app.visitor().post("/api/auth/login", body).await.status == 429
    })
    .await;
    alice.post("/api/auth/logout", json!({})).await.ok();
    alice.get("/api/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn signing_in_as_somebody_else_leaves_nothing_of_the_first() {
    let app = TestApp::new().await;
    app.register("bob").await;
    let shared = app.register("alice").await;
    shared.post("/api/auth/login", json!({"username": "bob", "password": PASSWORD})).await.ok();
    assert_eq!(shared.get("/api/me").await.ok()["username"], "bob");
}

#[tokio::test]
async fn sessions_that_have_run_out_are_worth_nothing_and_are_swept_away() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    sqlx::query("UPDATE tower_sessions SET expiry_date = now() - interval '1 minute'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    alice.get("/api/me").await.refused(401, "not_signed_in");
    assert_eq!(operational::sessions::delete_expired(&app.db.pool).await.unwrap(), 1);
}

#[tokio::test]
async fn attempts_are_limited_per_address_and_reads_are_not() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true"), ("TRUSTED_PROXY_HOPS", "1")]).await;
    let login = async |from: &'static str| {
        app.visitor()
            .send(Method::POST, "/api/auth/login", |request| {
                request.header("x-forwarded-for", from).json(&json!({"username": "bob", "password": "x"}))
            })
            .await
    };
    let answers = futures::future::join_all((0..30).map(|_| login("203.0.113.1"))).await;
    let refused: Vec<Answer> = answers.into_iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 10, "{} of 30 were refused", refused.len());
    for answer in refused {
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=Duration::from_secs(60).as_secs()).contains(&wait), "{wait}");
        answer.refused(429, "too_many_attempts");
    }
    login("203.0.113.2").await.refused(401, "wrong_credentials");
    app.visitor().get("/api/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn without_a_trusted_proxy_a_made_up_address_does_not_help() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let attempts = (0..30).map(|n| {
        let client = app.visitor();
        async move {
            let body = json!({"username": "bob", "password": "x"});
            let from = format!("203.0.113.{n}");
            client
                .send(Method::POST, "/api/auth/login", |request| {
                    request.header("x-forwarded-for", from).json(&body)
                })
                .await
        }
    });
    let answers = futures::future::join_all(attempts).await;
    assert!(answers.iter().any(|answer| answer.status == 429));
}
