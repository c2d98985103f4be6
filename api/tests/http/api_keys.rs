use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestClient};

const KEYS: &str = "/api/me/api-keys";

async fn made(client: &TestClient, body: Value) -> (String, String) {
    let made = client.post(KEYS, body).await.made();
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

async fn with(app: &TestApp, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
    let body = body.clone();
    app.visitor()
        .send(method, path, |request| {
            let request = request.bearer_auth(key);
            match body {
                Some(body) => request.json(&body),
                None => request,
            }
        })
        .await
}

async fn get(app: &TestApp, path: &str, key: &str) -> Answer {
    with(app, Method::GET, path, key, None).await
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"name": "  price tags ", "scopes": ["collection:read", "collection:read"]});
    let keyed = |request: reqwest::RequestBuilder| request.header("idempotency-key", "once").json(&body);
    let answer = alice.send(Method::POST, KEYS, keyed).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let made = answer.made();
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("fl_") && secret.len() == 46, "{secret}");
    assert_eq!((made["name"].as_str(), &made["scopes"]), (Some("price tags"), &json!(["collection:read"])));
    assert_eq!((&made["expires_at"], &made["last_used_at"]), (&Value::Null, &Value::Null));
    let listed = alice.get(KEYS).await;
    assert!(!listed.text.contains(secret), "{}", listed.text);
    assert!(secret.starts_with(listed.body["items"][0]["hint"].as_str().unwrap()));
    let again = alice.send(Method::POST, KEYS, keyed).await.made();
    assert_ne!(again["key"], made["key"], "a record of the first answer would keep its secret");

    // Nowhere in the database, and the hash is of the whole key.
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&app.db.pool)
            .await
            .unwrap();
    for table in tables {
        let found: i64 =
            sqlx::query_scalar(&format!("SELECT count(*) FROM {table} AS t WHERE strpos(t::text, $1) > 0"))
                .bind(secret.strip_prefix("fl_").unwrap())
                .fetch_one(&app.db.pool)
                .await
                .unwrap();
        assert_eq!(found, 0, "{table} holds the secret");
    }
    let hashes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE secret_hash = sha256($1::bytea)")
            .bind(secret.as_bytes())
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(hashes, 1);
}

#[tokio::test]
async fn a_key_speaks_for_its_owner_until_it_is_revoked() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let (id, key) = made(&alice, json!({"name": "script"})).await;
    assert_eq!(get(&app, "/api/me", &key).await.ok()["username"], "alice");
    let lower =
        |request: reqwest::RequestBuilder| request.header(header::AUTHORIZATION, format!("bearer {key}"));
    assert_eq!(app.visitor().send(Method::GET, "/api/me", lower).await.ok()["username"], "alice");
    bob.delete(&format!("{KEYS}/{id}")).await.refused(404, "not_found");
    assert_eq!(bob.get(KEYS).await.ok()["items"], json!([]));
    alice.delete(&format!("{KEYS}/{id}")).await.ok();
    get(&app, "/api/me", &key).await.refused(401, "invalid_api_key");
    alice.delete(&format!("{KEYS}/{id}")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_key_counts_for_more_than_the_cookie_beside_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let (_, key) = made(&alice, json!({"name": "script", "scopes": ["collection:read"]})).await;
    let both = bob.send(Method::GET, "/api/me", |it| it.bearer_auth(&key)).await.ok();
    assert_eq!(both["username"], "alice");
    let both = alice.send(Method::GET, KEYS, |it| it.bearer_auth(&key)).await;
    both.refused(403, "key_not_allowed");
    let broken = alice.send(Method::GET, "/api/me", |it| it.bearer_auth("fl_x")).await;
    broken.refused(401, "invalid_api_key");
}

#[tokio::test]
async fn by_default_a_key_reads_and_admins_power_is_given_by_admins_only() {
    let app = TestApp::new().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let made_by_default = alice.post(KEYS, json!({"name": "script"})).await.made();
    assert_eq!(made_by_default["scopes"], json!(["catalogue:read", "collection:read", "stats:read"]));
    alice.post(KEYS, json!({"name": "script", "scopes": ["admin:*"]})).await.refused_field(
        403,
        "admin_only",
        "scopes",
    );
    let (_, weak) =
        made(&root, json!({"name": "weak", "scopes": ["collection:read", "catalogue:write"]})).await;
    get(&app, "/api/admin/users", &weak).await.refused(403, "scope_missing");
    assert_eq!(get(&app, "/api/me", &weak).await.ok()["is_admin"], false, "the key is no admin's");
    let figure =
        app.register("carol").await.post("/api/figures", json!({"name": "Io", "figure_type": "scale"})).await;
    let place = format!("/api/figures/{}", figure.made()["id"].as_str().unwrap());
    let edit = with(&app, Method::PATCH, &place, &weak, Some(json!({"name": "Ganymede"}))).await;
    assert_eq!(edit.status, 403, "an admin's key without admin:* edits what its owner made: {}", edit.text);
    let (_, strong) = made(&root, json!({"name": "strong", "scopes": ["admin:*", "catalogue:write"]})).await;
    get(&app, "/api/admin/users", &strong).await.ok();
    with(&app, Method::PATCH, &place, &strong, Some(json!({"name": "Ganymede"}))).await.ok();
    // Whoever is no admin any more has no admin's key either.
    app.register_admin("second").await;
    root.patch("/api/admin/users/root", json!({"is_admin": false})).await.ok();
    get(&app, "/api/admin/users", &strong).await.refused(403, "admin_only");
}

#[tokio::test]
async fn deleting_by_another_name_needs_the_scope_too() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = alice.post("/api/figures", json!({"name": "Io", "figure_type": "scale"})).await.made();
    let piece = alice.post("/api/me/owned", json!({"figure_id": figure["id"]})).await.made();
    let preorder = alice.post("/api/me/preorders", json!({"figure_id": figure["id"]})).await.made();
    let (_, writes) =
        made(&alice, json!({"name": "w", "scopes": ["collection:read", "collection:write"]})).await;
    let bulk = |action: Value| {
        let mut body = json!({"ids": [piece["id"]]});
        body.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        body
    };
    let post = async |path: &str, body: Value| with(&app, Method::POST, path, &writes, Some(body)).await;
    post("/api/me/owned/bulk", bulk(json!({"set": {"location": "shelf"}}))).await;
    let refused = post("/api/me/owned/bulk", bulk(json!({"delete": true}))).await;
    assert_eq!(refused.refused(403, "scope_missing")["scope"], "collection:delete");
    let cancel = format!("/api/me/preorders/{}/cancel", preorder["id"].as_str().unwrap());
    let refused = post(&cancel, json!({"refund_amount": "0", "item": "delete"})).await;
    assert_eq!(refused.refused(403, "scope_missing")["scope"], "collection:delete");
    let place = format!("/api/me/owned/{}", piece["id"].as_str().unwrap());
    with(&app, Method::DELETE, &place, &writes, None).await.refused(403, "scope_missing");
    let (_, deletes) = made(&alice, json!({"name": "d", "scopes": ["collection:delete"]})).await;
    with(&app, Method::DELETE, &place, &deletes, None).await.ok();
}

#[tokio::test]
async fn a_key_runs_out() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, key) = made(&alice, json!({"name": "soon", "expires_at": "2099-01-01T00:00:00Z"})).await;
    get(&app, "/api/me", &key).await.ok();
    sqlx::query("UPDATE api_keys SET expires_at = now()").execute(&app.db.pool).await.unwrap();
    get(&app, "/api/me", &key).await.refused(401, "invalid_api_key");
    assert_eq!(alice.get(KEYS).await.ok()["items"].as_array().unwrap().len(), 1, "it is still listed");
}

#[tokio::test]
async fn its_last_use_is_written_at_most_once_a_minute() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, key) = made(&alice, json!({"name": "script"})).await;
    let used = async || alice.get(KEYS).await.ok()["items"][0]["last_used_at"].clone();
    assert_eq!(used().await, Value::Null);
    get(&app, "/api/me", &key).await.ok();
    let first = used().await;
    assert!(first.is_string());
    get(&app, "/api/me", &key).await.ok();
    assert_eq!(used().await, first);
    sqlx::query("UPDATE api_keys SET last_used_at = last_used_at - interval '2 minutes'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let before = used().await;
    get(&app, "/api/me", &key).await.ok();
    assert_ne!(used().await, before);
}

#[tokio::test]
async fn suspending_ends_keys_and_sessions_for_good() {
    let app = TestApp::new().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let (_, key) = made(&alice, json!({"name": "script"})).await;
    root.patch("/api/admin/users/alice", json!({"suspended": true})).await.ok();
    get(&app, "/api/me", &key).await.refused(401, "invalid_api_key");
    alice.get("/api/me").await.refused(403, "suspended");
    root.patch("/api/admin/users/alice", json!({"suspended": false})).await.ok();
    get(&app, "/api/me", &key).await.refused(401, "invalid_api_key");
    alice.get("/api/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn keys_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let long = "x".repeat(101);
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "   "}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": long}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": null}), "scopes"),
        (json!({"name": "x", "scopes": ["collection:*"]}), "scopes[0]"),
        (json!({"name": "x", "scopes": ["stats:read", "admin"]}), "scopes[1]"),
        (json!({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"name": "x", "expires_at": "tomorrow"}), "expires_at"),
    ] {
        alice.post(KEYS, body.clone()).await.refused_field(422, "invalid_field", field);
    }
    alice.post(KEYS, json!({})).await.refused_field(422, "missing_field", "name");
    assert_eq!(alice.get(KEYS).await.ok()["items"], json!([]));
    for bad in ["fl_", "fl_x", "x", "fl_\u{7f}", &format!("fl_{}", "A".repeat(10_000))] {
        let header = reqwest::header::HeaderValue::from_bytes(format!("Bearer {bad}").as_bytes());
        let Ok(header) = header else { continue };
        let refused =
            app.visitor().send(Method::GET, "/api/me", |it| it.header("authorization", header)).await;
        refused.refused(401, "invalid_api_key");
    }
    let twice = app
        .visitor()
        .send(Method::GET, "/api/me", |it| {
            it.header("authorization", "Bearer a").header("authorization", "Bearer b")
        })
        .await;
    twice.refused_field(400, "invalid_header", "Authorization");
}

#[tokio::test]
async fn nobody_has_more_than_fifty_keys_also_when_asking_at_once() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let asking = (0..60).map(|n| {
        let alice = alice.clone();
        async move { alice.post(KEYS, json!({"name": format!("key {n}")})).await }
    });
    let answers = futures::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 50);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "too_many_keys");
    }
}

#[tokio::test]
async fn requests_are_limited_per_key() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let alice = app.register("alice").await;
    let (_, busy) = made(&alice, json!({"name": "busy"})).await;
    let (_, quiet) = made(&alice, json!({"name": "quiet"})).await;
    let client = app.visitor();
    let mut refused = None;
    for _ in 0..40 {
        let asking = (0..50).map(|_| client.send(Method::GET, "/api/me", |it| it.bearer_auth(&busy)));
        let answers = futures::future::join_all(asking).await;
        refused = answers.into_iter().find(|answer| answer.status == 429);
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("a key is never too busy");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    refused.refused(429, "too_many_requests");
    get(&app, "/api/me", &quiet).await.ok();
    alice.get("/api/me").await.ok();
}

#[tokio::test]
async fn on_routes_for_anybody_a_key_plays_no_part() {
    let app = TestApp::new().await;
    let health = get(&app, "/api/health/live", "fl_x").await;
    assert_eq!(health.status, 200);
    let basic = app.visitor().send(Method::GET, "/api/health/live", |it| it.basic_auth("a", Some("b"))).await;
    assert_eq!(basic.status, 200);
    let alice = app.register("alice").await;
    let behind_a_proxy = alice.send(Method::GET, "/api/me", |it| it.basic_auth("a", Some("b"))).await;
    assert_eq!(behind_a_proxy.ok()["username"], "alice", "a proxy's password beside the session");
}
