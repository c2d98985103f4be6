use serde_json::{Value, json};

use super::{
    app_with,
    provider::{Provider, walk_through},
    sent_on, start,
};
use crate::support::{Answer, PASSWORD, TestApp, TestClient};

/// Signs in at the provider as `name`, up to the answer of this server.
async fn signs_in(client: &TestClient, provider: &str, name: &str) -> Answer {
    let back = walk_through(client, start(client, provider).await, name).await;
    client.get(&back).await
}

#[track_caller]
fn led_to(answer: &Answer, place: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, place), "{}", answer.text);
}

async fn me(client: &TestClient) -> Value {
    client.get("/api/me").await.ok()
}

async fn generic() -> Option<(Provider, TestApp)> {
    let provider = Provider::start().await?;
    let app = app_with(&[("generic", &provider.issuer)], &[]).await;
    Some((provider, app))
}

#[tokio::test]
async fn signing_in_for_the_first_time_makes_an_account_and_then_opens_it() {
    let Some((_provider, app)) = generic().await else { return };
    let miku = app.visitor();
    let answer = signs_in(&miku, "generic", "miku").await;
    led_to(&answer, "/");
    let account = me(&miku).await;
    assert_eq!(account["username"], "miku");
    assert_eq!(account["email"], "miku@provider.example", "told by userinfo, and verified");
    assert_eq!(account["is_admin"], false);
    let elsewhere = app.visitor();
    signs_in(&elsewhere, "generic", "miku").await;
    assert_eq!(me(&elsewhere).await["id"], account["id"]);
    let other = app.visitor();
    signs_in(&other, "generic", "rin").await;
    assert_ne!(me(&other).await["id"], account["id"]);
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users").await, 2);
    let sessions = miku.get("/api/me/sessions").await.ok();
    assert_eq!(sessions["items"][0]["signed_in_by"], "generic");
}

#[tokio::test]
async fn after_signing_out_only_the_provider_lets_one_in_again() {
    let Some((_provider, app)) = generic().await else { return };
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    let account = me(&miku).await;
    miku.post("/api/auth/logout", json!({})).await.ok();
    miku.get("/api/me").await.refused(401, "not_signed_in");
    let password = json!({"username": "miku", "password": ""});
    miku.post("/api/auth/login", password).await.refused(401, "wrong_credentials");
    signs_in(&miku, "generic", "miku").await;
    assert_eq!(me(&miku).await["id"], account["id"]);
}

#[tokio::test]
async fn one_returns_to_where_one_was() {
    let Some((_provider, app)) = generic().await else { return };
    let miku = app.visitor();
    let from = miku.get("/api/auth/oidc/generic/start?return_to=/api/docs%3Fx%3D1").await;
    let back = walk_through(&miku, sent_on(from), "miku").await;
    led_to(&miku.get(&back).await, "/api/docs?x=1");
}

#[tokio::test]
async fn a_local_account_is_linked_and_unlinked() {
    let Some((_provider, app)) = generic().await else { return };
    let alice = app.register("alice").await;
    let begun = alice.send(reqwest::Method::POST, "/api/me/identities/generic", |it| it).await.ok();
    let url = begun["url"].as_str().unwrap().parse().unwrap();
    let back = walk_through(&alice, url, "miku").await;
    led_to(&alice.get(&back).await, "/");
    let identities = alice.get("/api/me/identities").await.ok();
    assert_eq!(identities["has_password"], true);
    assert_eq!(identities["items"][0]["provider"], "generic");
    assert_eq!(identities["items"][0]["email"], "miku@provider.example");
    assert_eq!(me(&alice).await["email"], "alice@example.org", "linking changes nothing of the account");

    let through_it = app.visitor();
    signs_in(&through_it, "generic", "miku").await;
    assert_eq!(me(&through_it).await["username"], "alice");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users").await, 1);

    alice.delete("/api/me/identities/generic").await.ok();
    alice.delete("/api/me/identities/generic").await.refused(404, "not_found");
    let afterwards = app.visitor();
    signs_in(&afterwards, "generic", "miku").await;
    assert_ne!(me(&afterwards).await["username"], "alice");
}

#[tokio::test]
async fn whoever_is_signed_in_links_by_starting_to_sign_in() {
    let Some((_provider, app)) = generic().await else { return };
    let alice = app.register("alice").await;
    signs_in(&alice, "generic", "miku").await;
    assert_eq!(me(&alice).await["username"], "alice");
    let through_it = app.visitor();
    signs_in(&through_it, "generic", "miku").await;
    assert_eq!(me(&through_it).await["username"], "alice");
}

#[tokio::test]
async fn an_identity_opens_one_account_and_a_provider_is_linked_once() {
    let Some((_provider, app)) = generic().await else { return };
    let alice = app.register("alice").await;
    signs_in(&alice, "generic", "miku").await;
    let bob = app.register("bob").await;
    signs_in(&bob, "generic", "miku").await.refused(409, "identity_taken");
    assert_eq!(bob.get("/api/me/identities").await.ok()["items"], json!([]));
    let alice_again = app.visitor();
    let login = json!({"username": "alice", "password": PASSWORD});
    alice_again.post("/api/auth/login", login).await.ok();
    signs_in(&alice_again, "generic", "rin").await.refused(409, "provider_already_linked");
    let through_it = app.visitor();
    signs_in(&through_it, "generic", "miku").await;
    assert_eq!(me(&through_it).await["username"], "alice");
}

#[tokio::test]
async fn the_last_way_into_an_account_stays() {
    let Some(provider) = Provider::start().await else { return };
    let both = [("generic", provider.issuer.as_str()), ("google", provider.issuer.as_str())];
    let app = app_with(&both, &[]).await;
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    miku.delete("/api/me/identities/generic").await.refused(409, "only_way_in");
    assert_eq!(miku.get("/api/me/identities").await.ok()["has_password"], false);

    signs_in(&miku, "google", "miku").await;
    // Both at once: one of them stays.
    let (one, other) =
        tokio::join!(miku.delete("/api/me/identities/generic"), miku.delete("/api/me/identities/google"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);

    // With a password the last one may go. The account has none yet, so signing in just now is proof enough.
    miku.patch("/api/me", json!({"password": PASSWORD})).await.ok();
    let left = miku.get("/api/me/identities").await.ok()["items"][0]["provider"].as_str().unwrap().to_owned();
    miku.delete(&format!("/api/me/identities/{left}")).await.ok();
    let login = json!({"username": "miku", "password": PASSWORD});
    app.visitor().post("/api/auth/login", login).await.ok();
}

#[tokio::test]
async fn an_account_without_a_password_is_changed_only_by_who_signed_in_just_now() {
    let Some((_provider, app)) = generic().await else { return };
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    sqlx::query("UPDATE user_sessions SET created_at = created_at - interval '11 minutes'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    miku.patch("/api/me", json!({"password": PASSWORD})).await.refused(403, "sign_in_again");
    miku.delete("/api/me").await.refused(403, "sign_in_again");
    miku.post("/api/auth/logout", json!({})).await.ok();
    signs_in(&miku, "generic", "miku").await;
    miku.patch("/api/me", json!({"password": PASSWORD})).await.ok();
    miku.patch("/api/me", json!({"password": "another good one"}))
        .await
        .refused(403, "current_password_needed");
}

#[tokio::test]
async fn a_provider_may_change_its_keys() {
    let Some((mut provider, app)) = generic().await else { return };
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    let account = me(&miku).await;
    provider.rotates_its_key().await;
    let elsewhere = app.visitor();
    signs_in(&elsewhere, "generic", "miku").await;
    assert_eq!(me(&elsewhere).await["id"], account["id"]);
}

#[tokio::test]
async fn a_provider_that_changes_somebodys_address_changes_no_account() {
    let Some((mut provider, app)) = generic().await else { return };
    app.register("alice").await;
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    let account = me(&miku).await;
    provider.tells("miku", json!({"email": "alice@example.org"})).await;
    let again = app.visitor();
    signs_in(&again, "generic", "miku").await;
    assert_eq!(me(&again).await, account, "neither alice's account nor her address");
    let identities = again.get("/api/me/identities").await.ok();
    assert_eq!(identities["items"][0]["email"], "alice@example.org", "it is shown what the provider tells");
}

#[tokio::test]
async fn erasing_a_person_takes_their_identities_keys_and_sessions() {
    let Some((_provider, app)) = generic().await else { return };
    let miku = app.visitor();
    signs_in(&miku, "generic", "miku").await;
    let made = miku.post("/api/me/api-keys", json!({"name": "script"})).await.made();
    miku.delete("/api/me").await.ok();
    for table in ["oidc_identities", "api_keys", "user_sessions", "tower_sessions", "users"] {
        assert_eq!(app.scalar::<i64>(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    let key = made["key"].as_str().unwrap();
    let with_key = app.visitor().send(reqwest::Method::GET, "/api/me", |it| it.bearer_auth(key)).await;
    with_key.refused(401, "invalid_api_key");
    signs_in(&miku, "generic", "miku").await;
    assert_eq!(me(&miku).await["username"], "miku", "a new account, since the old one is forgotten");
}
