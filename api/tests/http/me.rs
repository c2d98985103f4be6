use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn nobody_has_an_account_without_signing_in() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let answer = anybody.get("/api/me").await;
    assert_eq!(answer.header("www-authenticate"), "Session");
    answer.refused(401, "not_signed_in");
    anybody.patch("/api/me", json!({})).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn who_is_not_signed_in_learns_so_before_their_body_is_looked_at() {
    let app = TestApp::new().await;
    app.visitor().raw(reqwest::Method::PATCH, "/api/me", "{").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn settings_change_one_by_one_and_the_rest_stays() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let before = alice.get("/api/me").await.ok();
    for (field, value) in [
        ("nsfw_visibility", json!("hide")),
        ("preferred_currency", json!("JPY")),
        ("public_profile", json!(true)),
        ("public_profile_show_nsfw", json!(true)),
        ("public_profile_show_value", json!(true)),
        ("time_zone", json!("Asia/Tokyo")),
    ] {
        let after = alice.patch("/api/me", json!({field: value})).await.ok();
        assert_eq!(after[field], value);
    }
    let after = alice.patch("/api/me", json!({})).await.ok();
    for field in ["id", "username", "email", "is_admin", "created_at"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["preferred_currency"], "JPY");
    let cleared = alice.patch("/api/me", json!({"preferred_currency": null})).await.ok();
    assert_eq!(cleared["preferred_currency"], Value::Null);
    assert_eq!(alice.get("/api/me").await.ok(), cleared);
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_and_nothing_changes() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let before = alice.get("/api/me").await.ok();
    for currency in ["BTC", "XXX", "eur", ""] {
        let body = json!({"preferred_currency": currency, "public_profile": true});
        alice.patch("/api/me", body).await.refused_field(422, "unknown_currency", "preferred_currency");
    }
    for (field, value) in [
        ("nsfw_visibility", json!("maybe")),
        ("nsfw_visibility", json!(null)),
        ("time_zone", json!("Mars/Olympus")),
        ("public_profile", json!(1)),
        ("email", json!("nobody")),
        ("password", json!("short")),
    ] {
        alice.patch("/api/me", json!({field: value})).await.refused_field(422, "invalid_field", field);
    }
    for field in ["is_admin", "username", "suspended_at", "password_hash"] {
        alice.patch("/api/me", json!({field: "x"})).await.refused_field(422, "unknown_field", field);
    }
    assert_eq!(alice.get("/api/me").await.ok(), before);
}

#[tokio::test]
async fn a_new_address_needs_the_password_and_must_be_free() {
    let app = TestApp::new().await;
    app.register("bob").await;
    let alice = app.register("alice").await;
    let patch = async |body| alice.patch("/api/me", body).await;
    patch(json!({"email": "new@example.org"})).await.refused_field(
        403,
        "current_password_needed",
        "current_password",
    );
    patch(json!({"email": "new@example.org", "current_password": "not this one"})).await.refused_field(
        403,
        "wrong_password",
        "current_password",
    );
    patch(json!({"email": "BOB@example.org", "current_password": PASSWORD})).await.refused_field(
        409,
        "email_taken",
        "email",
    );
    let changed = patch(json!({"email": "new@example.org", "current_password": PASSWORD})).await.ok();
    assert_eq!(changed["email"], "new@example.org");
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let app = TestApp::new().await;
    let here = app.register("alice").await;
    let elsewhere = app.visitor();
    elsewhere.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await.ok();
    let new = "a wholly different one";
    here.patch("/api/me", json!({"password": new, "current_password": PASSWORD})).await.ok();
    here.get("/api/me").await.ok();
    elsewhere.get("/api/me").await.refused(401, "not_signed_in");
    let login = async |password| {
        app.visitor().post("/api/auth/login", json!({"username": "alice", "password": password})).await
    };
    login(PASSWORD).await.refused(401, "wrong_credentials");
    login(new).await.ok();
}

#[tokio::test]
async fn guessing_the_password_of_a_session_left_open_is_limited() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let alice = app.register("alice").await;
    let guess = json!({"password": "a wholly different one", "current_password": "a guess"});
    let mut last = None;
    for _ in 0..30 {
        last = Some(alice.patch("/api/me", guess.clone()).await);
        if last.as_ref().is_some_and(|answer| answer.status == 429) {
            break;
        }
    }
    last.unwrap().refused(429, "too_many_attempts");
}
