use serde_json::{Value, json};

use super::{
    app_with,
    stand_in::{CODE, Lie, StandIn, back},
    start,
};
use crate::support::{PASSWORD, TestApp};

async fn generic() -> (StandIn, TestApp) {
    generic_with(&[]).await
}

async fn generic_with(more: &[(&str, &str)]) -> (StandIn, TestApp) {
    let provider = StandIn::start().await;
    let app = app_with(&[("generic", &provider.issuer)], more).await;
    (provider, app)
}

async fn users(app: &TestApp) -> i64 {
    app.scalar("SELECT count(*) FROM users").await
}

#[tokio::test]
async fn an_honest_answer_signs_in() {
    let (provider, app) = generic().await;
    let miku = app.visitor();
    let answer = provider.signs_in(&miku).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(miku.get("/api/me").await.ok()["username"], "miku");
}

#[tokio::test]
async fn an_id_token_that_lies_signs_nobody_in() {
    let (provider, app) = generic().await;
    let now = chrono::Utc::now().timestamp();
    let claim = |claims: Value| Lie { claims, ..Lie::default() };
    let lies = [
        ("another issuer", claim(json!({"iss": "https://accounts.google.com"}))),
        ("for somebody else", claim(json!({"aud": "another-client"}))),
        ("for somebody else too", claim(json!({"aud": ["ledger-generic", "another-client"]}))),
        ("run out", claim(json!({"exp": now - 3_600}))),
        ("made tomorrow", claim(json!({"iat": now + 86_400}))),
        ("another nonce", claim(json!({"nonce": "of another sign-in"}))),
        ("no nonce", claim(json!({"nonce": null}))),
        ("no subject", claim(json!({"sub": ""}))),
        ("another access token", claim(json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}))),
        ("not signed", Lie { alg: "none", ..Lie::default() }),
        ("signed with the client's secret", Lie { alg: "HS256", ..Lie::default() }),
        ("signed with another key", Lie { foreign_key: true, ..Lie::default() }),
        ("no ID token at all", Lie { no_id_token: true, ..Lie::default() }),
    ];
    for (what, lie) in lies {
        provider.lies(lie);
        let client = app.visitor();
        let answer = provider.signs_in(&client).await;
        assert_eq!(answer.status, 502, "{what}: {}", answer.text);
        answer.refused(502, "oidc_untrusted");
        client.get("/api/me").await.refused(401, "not_signed_in");
    }
    assert_eq!(users(&app).await, 0);
    provider.lies(Lie::default());
    assert_eq!(provider.signs_in(&app.visitor()).await.status, 303, "the same without a lie");
}

#[tokio::test]
async fn a_state_works_once_in_the_browser_that_began() {
    let (provider, app) = generic().await;
    let miku = app.visitor();
    let state = provider.expects(&miku).await;
    let thief = app.visitor();
    thief.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
    provider.expects(&thief).await;
    thief.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
    for made_up in ["", "x", &"y".repeat(10_000), "%00", "%F0%9F%8E%8E"] {
        miku.get(&back(made_up, CODE)).await.refused(400, "oidc_state_unknown");
    }
    miku.get("/api/auth/oidc/generic/callback").await.refused(400, "oidc_state_unknown");
    let state = provider.expects(&miku).await;
    assert_eq!(miku.get(&back(&state, CODE)).await.status, 303);
    miku.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
}

#[tokio::test]
async fn a_state_runs_out_and_belongs_to_one_provider() {
    let provider = StandIn::start().await;
    let app = app_with(&[("generic", &provider.issuer), ("google", &provider.issuer)], &[]).await;
    let miku = app.visitor();
    let state = provider.expects(&miku).await;
    let elsewhere = back(&state, CODE).replace("generic", "google");
    miku.get(&elsewhere).await.refused(400, "oidc_state_unknown");
    sqlx::query("UPDATE oidc_flows SET expires_at = now() - interval '1 second'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    miku.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
    operational::sessions::delete_expired(&app.db.pool).await.unwrap();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM oidc_flows").await, 0);
    assert_eq!(users(&app).await, 0);
}

#[tokio::test]
async fn neither_state_nor_code_nor_verifier_can_be_read_from_the_answers() {
    let (provider, app) = generic().await;
    let miku = app.visitor();
    let state = provider.expects(&miku).await;
    let refused = miku.get(&back(&state, "another-code")).await;
    assert!(!refused.text.contains(&state) && !refused.text.contains("another-code"), "{}", refused.text);
    refused.refused(400, "oidc_code_refused");
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM oidc_flows WHERE convert_from(state_hash, 'LATIN1') = $1")
            .bind(&state)
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(kept, 0);
    miku.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_traded() {
    let (provider, app) = generic().await;
    let miku = app.visitor();
    let state = provider.expects(&miku).await;
    let mixed_up = format!("{}&iss=https%3A%2F%2Faccounts.google.com", back(&state, CODE));
    miku.get(&mixed_up).await.refused(502, "oidc_untrusted");
    let state = provider.expects(&miku).await;
    let iss: String = url::form_urlencoded::byte_serialize(provider.issuer.as_bytes()).collect();
    assert_eq!(miku.get(&format!("{}&iss={iss}", back(&state, CODE))).await.status, 303);
}

#[tokio::test]
async fn who_is_not_let_through_is_told_so() {
    let (provider, app) = generic().await;
    let miku = app.visitor();
    for (error, told) in [("access_denied", json!("access_denied")), ("%3Cscript%3E", Value::Null)] {
        let state = provider.expects(&miku).await;
        let place = format!("/api/auth/oidc/generic/callback?state={state}&error={error}");
        let refused = miku.get(&place).await.refused(403, "oidc_refused");
        assert_eq!(refused["provider_error"], told);
        miku.get(&place).await.refused(400, "oidc_state_unknown");
    }
}

#[tokio::test]
async fn an_address_opens_no_account() {
    let (provider, app) = generic().await;
    app.register("alice").await;
    let of_alice = |verified: bool| Lie {
        claims: json!({"email": "Alice@Example.org", "email_verified": verified}),
        ..Lie::default()
    };
    let thief = app.visitor();
    provider.lies(of_alice(true));
    provider.signs_in(&thief).await.refused(409, "email_taken");
    thief.get("/api/me").await.refused(401, "not_signed_in");
    assert_eq!(users(&app).await, 1);
    provider.lies(of_alice(false));
    assert_eq!(provider.signs_in(&thief).await.status, 303);
    let account = thief.get("/api/me").await.ok();
    assert_eq!((account["username"].as_str(), &account["email"]), (Some("miku"), &Value::Null));
}

#[tokio::test]
async fn whatever_a_provider_calls_somebody_they_get_a_username() {
    let (provider, app) = generic().await;
    app.register("miku").await;
    let names = ["miku", "аlice", "初音ミク", "   ", "<script>", &"x".repeat(10_000), "../../admin"];
    for (at, name) in names.into_iter().enumerate() {
        let claims = json!({"sub": format!("person {at}"), "preferred_username": name, "email": null});
        provider.lies(Lie { user_info: json!({"sub": format!("person {at}")}), claims, ..Lie::default() });
        let client = app.visitor();
        let answer = provider.signs_in(&client).await;
        assert_eq!(answer.status, 303, "{name:?}: {}", answer.text);
        let username = client.get("/api/me").await.ok()["username"].as_str().unwrap().to_owned();
        assert!(username.parse::<operational::users::Username>().is_ok(), "{username}");
        assert_ne!(username, "miku");
    }
}

#[tokio::test]
async fn userinfo_about_somebody_else_is_not_believed() {
    let (provider, app) = generic().await;
    let claims = json!({"email": null});
    let told = |sub: &str| json!({"sub": sub, "email": "m@provider.example", "email_verified": true});
    provider.lies(Lie { claims: claims.clone(), user_info: told("somebody else"), ..Lie::default() });
    provider.signs_in(&app.visitor()).await.refused(502, "oidc_untrusted");
    provider.lies(Lie { claims, user_info: told("miku"), ..Lie::default() });
    let miku = app.visitor();
    assert_eq!(provider.signs_in(&miku).await.status, 303);
    assert_eq!(miku.get("/api/me").await.ok()["email"], "m@provider.example");
}

#[tokio::test]
async fn closed_sign_up_lets_in_who_is_linked_and_nobody_new() {
    let (provider, app) = generic_with(&[("ALLOW_LOCAL_SIGNUP", "false")]).await;
    let miku = app.visitor();
    provider.signs_in(&miku).await.refused(403, "signup_closed");
    assert_eq!(users(&app).await, 0);
    sqlx::query("INSERT INTO users (id, username) VALUES (gen_random_uuid(), 'alice')")
        .execute(&app.db.pool)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO oidc_identities (id, user_id, provider, issuer, subject)
         SELECT gen_random_uuid(), id, 'generic', $1, 'miku' FROM users",
    )
    .bind(&provider.issuer)
    .execute(&app.db.pool)
    .await
    .unwrap();
    assert_eq!(provider.signs_in(&miku).await.status, 303);
    assert_eq!(miku.get("/api/me").await.ok()["username"], "alice");
}

#[tokio::test]
async fn closed_sign_up_can_be_open_for_those_who_come_from_a_provider() {
    let (provider, app) =
        generic_with(&[("ALLOW_LOCAL_SIGNUP", "false"), ("OIDC_ALLOW_SIGNUP", "true")]).await;
    assert_eq!(provider.signs_in(&app.visitor()).await.status, 303);
}

#[tokio::test]
async fn the_same_subject_at_another_issuer_is_somebody_else() {
    let (provider, app) = generic().await;
    let alice = app.register("alice").await;
    assert_eq!(provider.signs_in(&alice).await.status, 303);
    sqlx::query("UPDATE oidc_identities SET issuer = 'https://id.example'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let other = app.visitor();
    assert_eq!(provider.signs_in(&other).await.status, 303);
    assert_ne!(other.get("/api/me").await.ok()["username"], "alice");
}

#[tokio::test]
async fn the_suspended_come_in_by_no_door() {
    let (provider, app) = generic().await;
    provider.signs_in(&app.visitor()).await;
    sqlx::query("UPDATE users SET suspended_at = now()").execute(&app.db.pool).await.unwrap();
    let miku = app.visitor();
    provider.signs_in(&miku).await.refused(403, "suspended");
    miku.get("/api/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_provider_that_is_away_or_talks_nonsense_keeps_nobody_from_their_password() {
    let (provider, app) = generic().await;
    provider.lies(Lie { issuer: Some("https://accounts.google.com"), ..Lie::default() });
    let alice = app.register("alice").await;
    let refused = app.visitor().get("/api/auth/oidc/generic/start").await;
    assert!(!refused.header("retry-after").is_empty());
    refused.refused(503, "provider_unavailable");
    let nowhere = app_with(&[("generic", "http://127.0.0.1:9")], &[]).await;
    let bob = nowhere.register("bob").await;
    bob.get("/api/auth/oidc/generic/start").await.refused(503, "provider_unavailable");
    bob.post("/api/me/identities/generic", json!({})).await.refused(503, "provider_unavailable");
    let listed = nowhere.visitor().get("/api/auth/providers").await.ok();
    assert_eq!(listed["items"][0]["id"], "generic");
    for (app, name) in [(&app, "alice"), (&nowhere, "bob")] {
        let login = json!({"username": name, "password": PASSWORD});
        app.visitor().post("/api/auth/login", login).await.ok();
    }
    alice.get("/api/me").await.ok();
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (provider, app) = generic().await;
    provider.lies(Lie { padding: 3 << 20, ..Lie::default() });
    provider.signs_in(&app.visitor()).await.refused(503, "provider_unavailable");
}

#[tokio::test]
async fn one_returns_to_this_server_only() {
    let (_provider, app) = generic().await;
    for place in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "x",
        "%2F%09%2Fevil.example",
    ] {
        app.visitor().get(&format!("/api/auth/oidc/generic/start?return_to={place}")).await.refused_field(
            422,
            "invalid_field",
            "return_to",
        );
    }
}

#[tokio::test]
async fn without_providers_there_is_nowhere_to_go() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let listed = anybody.get("/api/auth/providers").await.ok();
    assert_eq!(listed, json!({"items": [], "local_signup": true, "password_reset": false}));
    anybody.get("/api/auth/oidc/google/start").await.refused(404, "not_found");
    anybody.get("/api/auth/oidc/evil/callback?state=a&code=b").await.refused(404, "not_found");
    let alice = app.register("alice").await;
    alice.post("/api/me/identities/google", json!({})).await.refused(404, "not_found");
    alice.delete("/api/me/identities/google").await.refused(404, "not_found");
}

#[tokio::test]
async fn another_site_cannot_have_somebody_link_an_identity() {
    let (_provider, app) = generic().await;
    let alice = app.register("alice").await;
    let from_elsewhere = |request: reqwest::RequestBuilder| request.header("sec-fetch-site", "cross-site");
    let place = "/api/auth/oidc/generic/start";
    alice.send(reqwest::Method::GET, place, from_elsewhere).await.refused(403, "cross_site_write");
    let signing_in = app.visitor().send(reqwest::Method::GET, place, from_elsewhere).await;
    assert_eq!(signing_in.status, 303, "a link on another site may lead to signing in");
}

#[tokio::test]
async fn a_browser_that_was_left_open_links_nothing() {
    let (_provider, app) = generic().await;
    let alice = app.register("alice").await;
    sqlx::query("UPDATE user_sessions SET created_at = created_at - interval '11 minutes'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    alice.get("/api/auth/oidc/generic/start").await.refused(403, "sign_in_again");
    alice.post("/api/me/identities/generic", json!({})).await.refused(403, "sign_in_again");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM oidc_flows").await, 0);
    alice.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await.ok();
    alice.post("/api/me/identities/generic", json!({})).await.ok();
}

#[tokio::test]
async fn a_link_is_made_only_for_who_began_it() {
    let (provider, app) = generic().await;
    let shared = app.register("alice").await;
    let state = provider.expects(&shared).await;
    app.register("bob").await;
    shared.post("/api/auth/login", json!({"username": "bob", "password": PASSWORD})).await.ok();
    shared.get(&back(&state, CODE)).await.refused(400, "oidc_state_unknown");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM oidc_identities").await, 0);
}

#[tokio::test]
async fn the_cookie_of_a_sign_in_is_out_of_reach_and_short_lived() {
    let (_provider, app) = generic_with(&[("PUBLIC_URL", "https://figures.example")]).await;
    let answer = app.visitor().get("/api/auth/oidc/generic/start").await;
    let cookie = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/api/auth/oidc", "Max-Age=600", "Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

#[tokio::test]
async fn beginning_to_sign_in_counts_as_an_attempt() {
    let (_provider, app) = generic_with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    start(&app.visitor(), "generic").await;
    let mut last = None;
    for _ in 0..30 {
        let answer = app.visitor().get("/api/auth/oidc/generic/start").await;
        if answer.status == 429 {
            last = Some(answer);
            break;
        }
    }
    let refused = last.expect("never refused");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    refused.refused(429, "too_many_attempts");
}
