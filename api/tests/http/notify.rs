//! Channels, routing, browsers and what goes out, over HTTP; and what happens, as it happens.

use std::time::Duration;

use axum::{Router, http::StatusCode};
use database::testing::eventually;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

use crate::support::{TestApp, TestClient};

/// The public key of nobody: a point on the curve.
const POINT: &str = "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY";
const AUTH: &str = "_ordMnz7uTCmrpBTeUV4Bw";

/// A server that answers with the status that is its path, and says what it got.
pub async fn receiver() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (sender, got) = mpsc::unbounded_channel();
    let take = move |uri: axum::http::Uri, body: String| async move {
        let _ = sender.send(serde_json::from_str(&body).unwrap_or(Value::String(body)));
        let status = uri.path().trim_start_matches('/').parse().unwrap_or(200);
        StatusCode::from_u16(status).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = Router::new().fallback(take);
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    (format!("http://{address}"), got)
}

pub async fn at_home() -> TestApp {
    TestApp::with(&[("OUTBOUND_ALLOW_CIDRS", "127.0.0.0/8")]).await
}

pub async fn switch(root: &TestClient, channel: &str, setup: Value) -> Value {
    root.put(&format!("/api/admin/notifications/channels/{channel}"), setup).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_set_channels_up_and_no_secret_comes_back() {
    let app = TestApp::new().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let path = "/api/admin/notifications/channels/email";
    let setup = json!({
        "enabled": true, "host": "mail.example.org", "security": "tls", "from": "f@example.org",
        "username": "figures", "password": "hunter2hunter2"
    });
    alice.put(path, setup.clone()).await.refused(403, "admin_only");
    app.visitor().get(path).await.refused(401, "not_signed_in");
    let shown = root.put(path, setup).await;
    assert!(!shown.text.contains("hunter2"), "{}", shown.text);
    let shown = shown.ok();
    assert_eq!(
        (&shown["port"], &shown["password_set"], &shown["enabled"]),
        (&json!(465), &json!(true), &json!(true))
    );
    for read in [path, "/api/admin/notifications/channels"] {
        assert!(!root.get(read).await.text.contains("hunter2"));
    }
    // Nothing but the switch leaves the rest; another host does not get the password.
    assert_eq!(root.put(path, json!({"enabled": false})).await.ok()["password_set"], true);
    let elsewhere = json!({"enabled": true, "host": "evil.example", "security": "tls", "from": "f@example.org", "username": "figures"});
    root.put(path, elsewhere).await.refused_field(422, "invalid_field", "password");
    root.put(path, json!({})).await.refused_field(422, "missing_field", "enabled");
    root.put(path, json!({"enabled": true, "host": "a b"})).await.refused_field(422, "invalid_field", "host");
    let more = json!({"enabled": true, "host": "h", "from": "f@example.org", "colour": "red"});
    root.put(path, more).await.refused_field(422, "unknown_field", "colour");
    root.put("/api/admin/notifications/channels/pigeon", json!({"enabled": true}))
        .await
        .refused(404, "not_found");
    root.put("/api/admin/notifications/channels/in_app", json!({"enabled": false}))
        .await
        .refused(422, "always_on");
}

#[tokio::test(flavor = "multi_thread")]
async fn routing_is_merged_and_knows_its_events_and_channels() {
    let app = TestApp::new().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let path = "/api/me/notifications/routing";
    let before = alice.get(path).await.ok();
    assert_eq!(before.as_object().unwrap().len(), 9);
    assert_eq!(before["achievement_unlocked"], json!({"in_app": true}), "only what is switched on is shown");
    let on = json!({"achievement_unlocked": {"webhook": true}});
    alice.put(path, on.clone()).await.refused_field(409, "channel_off", "achievement_unlocked.webhook");
    for channel in ["webhook", "ntfy"] {
        switch(&root, channel, json!({"enabled": true})).await;
    }
    alice.put(path, on).await.ok();
    let merged = alice
        .put(path, json!({"achievement_unlocked": {"ntfy": true}, "preorder_release_j7": {}}))
        .await
        .ok();
    assert_eq!(merged["achievement_unlocked"], json!({"in_app": true, "ntfy": true, "webhook": true}));
    assert_eq!(merged["preorder_release_j7"], json!({"in_app": true, "ntfy": false, "webhook": false}));
    alice.put(path, json!({"sung": {"ntfy": true}})).await.refused_field(422, "unknown_event", "sung");
    alice.put(path, json!({"achievement_unlocked": {"pigeon": true}})).await.refused(422, "unknown_channel");
    alice.put(path, json!({"achievement_unlocked": {"in_app": false}})).await.refused(422, "always_on");
    alice.put(path, json!({"achievement_unlocked": {"ntfy": "yes"}})).await.refused(422, "invalid_field");
    app.visitor().get(path).await.refused(401, "not_signed_in");
    assert_eq!(root.get(path).await.ok()["achievement_unlocked"]["ntfy"], false, "everybody has their own");

    let path = "/api/me/notifications/settings";
    assert_eq!(alice.get(path).await.ok(), json!({"quiet_hours": null, "digest_at": null}));
    let quiet = json!({"quiet_hours": {"from": "22:00", "until": "07:30"}});
    assert_eq!(alice.put(path, quiet.clone()).await.ok()["quiet_hours"], quiet["quiet_hours"]);
    let both = alice.put(path, json!({"digest_at": "18:15"})).await.ok();
    assert_eq!((&both["quiet_hours"], &both["digest_at"]), (&quiet["quiet_hours"], &json!("18:15")));
    for bad in ["25:00", "7:30", "noon"] {
        alice.put(path, json!({"digest_at": bad})).await.refused_field(422, "invalid_field", "digest_at");
    }
    let none = json!({"quiet_hours": null, "digest_at": null});
    assert_eq!(alice.put(path, none.clone()).await.ok(), none);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_tried_out_and_what_the_other_side_said_is_told() {
    let app = at_home().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let (url, mut got) = receiver().await;
    let path = "/api/me/notifications/channels/webhook";
    alice.put(path, json!({"url": url})).await.refused(409, "channel_off");
    switch(&root, "webhook", json!({"enabled": true})).await;
    alice.post(&format!("{path}/test"), json!({})).await.refused(409, "no_destination");
    alice.put(path, json!({"url": "http://10.0.0.1/"})).await.refused_field(
        422,
        "address_not_allowed",
        "url",
    );
    alice.put(path, json!({"url": "gopher://example.org/"})).await.refused_field(
        422,
        "address_not_allowed",
        "url",
    );
    alice.put(path, json!({"url": "hello"})).await.refused_field(422, "invalid_field", "url");
    alice.put(path, json!({})).await.refused_field(422, "missing_field", "url");
    let made = alice.put(path, json!({"url": url})).await.ok();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "shown this once");
    assert_eq!(made["destination"]["secret_set"], true);
    let again = alice.put(path, json!({"url": url})).await;
    assert!(!again.text.contains("whsec_") && !alice.get(path).await.text.contains("whsec_"));
    let said = alice.post(&format!("{path}/test"), json!({})).await.ok();
    assert_eq!(said["said"], json!(["it answered 200 OK"]));
    assert_eq!(got.recv().await.unwrap()["event_type"], "test");
    for (status, code) in [(403, "channel_refused"), (500, "channel_failed"), (301, "channel_refused")] {
        alice.put(path, json!({"url": format!("{url}/{status}")})).await.ok();
        let problem = alice.post(&format!("{path}/test"), json!({})).await.refused(502, code);
        assert!(problem["detail"].as_str().unwrap().contains(&status.to_string()), "{problem}");
    }
    alice.put(path, json!({"url": "http://127.0.0.1:1/"})).await.ok();
    alice.post(&format!("{path}/test"), json!({})).await.refused(502, "channel_failed");
    alice.delete(path).await.ok();
    assert_eq!(alice.get(path).await.ok()["destination"], json!(null));
    alice.get("/api/me/notifications/channels/pigeon").await.refused(404, "not_found");
    let ntfy = "/api/me/notifications/channels/ntfy";
    switch(&root, "ntfy", json!({"enabled": true})).await;
    let newline = json!({"url": url, "topic": "a\nX-Evil: 1"});
    alice.put(ntfy, newline).await.refused_field(422, "invalid_field", "topic");
    app.visitor().post(&format!("{path}/test"), json!({})).await.refused(401, "not_signed_in");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_subscribe_with_the_key_that_an_admin_made() {
    let app = TestApp::new().await;
    let (root, alice, bob) =
        (app.register_admin("root").await, app.register("alice").await, app.register("bob").await);
    let push = |endpoint: &str, key: &str| json!({"endpoint": endpoint, "expirationTime": null, "keys": {"p256dh": key, "auth": AUTH}});
    alice.post("/api/me/web-push", push("https://push.example/a", POINT)).await.refused(409, "channel_off");
    let path = "/api/admin/notifications/channels/web_push";
    root.put(path, json!({"enabled": true})).await.refused(409, "keys_needed");
    alice.post("/api/admin/notifications/vapid", json!({})).await.refused(403, "admin_only");
    let key = root.post("/api/admin/notifications/vapid", json!({})).await.made()["public_key"].clone();
    assert_eq!(key.as_str().unwrap().len(), 87);
    switch(&root, "web_push", json!({"enabled": true, "subject": "mailto:root@example.org"})).await;
    assert!(!root.get(path).await.text.contains("private"));
    assert_eq!(alice.get("/api/me/web-push").await.ok(), json!({"public_key": key, "items": []}));
    let mut off = POINT.to_owned();
    off.replace_range(80..81, "A");
    for (body, field, code) in [
        (push("https://push.example/a", &off), "keys.p256dh", "invalid_field"),
        (push("https://push.example/a", "AAAA"), "keys.p256dh", "invalid_field"),
        (push("http://127.0.0.1/a", POINT), "endpoint", "address_not_allowed"),
        (push("http://169.254.169.254/a", POINT), "endpoint", "address_not_allowed"),
        (push("no address", POINT), "endpoint", "invalid_field"),
    ] {
        alice.post("/api/me/web-push", body).await.refused_field(422, code, field);
    }
    let one = alice.post("/api/me/web-push", push("https://push.example/secret", POINT)).await;
    assert!(!one.text.contains("/secret"), "{}", one.text);
    let one = one.made();
    assert_eq!(one["push_service"], "https://push.example");
    let again = alice.post("/api/me/web-push", push("https://push.example/secret", POINT)).await.made();
    assert_eq!(again["id"], one["id"]);
    let place = format!("/api/me/web-push/{}", one["id"].as_str().unwrap());
    bob.delete(&place).await.refused(404, "not_found");
    root.post("/api/admin/notifications/vapid", json!({})).await.refused(409, "keys_exist");
    alice.delete(&place).await.ok();
    alice.delete(&place).await.refused(404, "not_found");
    alice.post("/api/me/web-push", push("https://push.example/b", POINT)).await.made();
    root.post("/api/admin/notifications/vapid", json!({"replace": true})).await.made();
    assert_eq!(alice.get("/api/me/web-push").await.ok()["items"], json!([]));
}

/// A pre-order of somebody's that is due today, told by the job.
pub async fn due_today(app: &TestApp, alice: &TestClient, root: &TestClient, name: &str) {
    let figure = alice.post("/api/figures", json!({"name": name, "figure_type": "scale"})).await.made();
    let today = chrono::Utc::now().date_naive();
    let body = json!({"figure_id": figure["id"], "release_date": today, "price_amount": "10", "price_currency": "EUR"});
    alice.post("/api/me/preorders", body).await.made();
    eventually("the job can be run", async || {
        root.post("/api/admin/jobs/release_cron/run", json!({})).await.status == 200
    })
    .await;
    let told = format!("SELECT count(*) FROM notifications WHERE payload -> 'figure' ->> 'name' = '{name}'");
    eventually("it is told", async || app.scalar::<i64>(&told).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_from_the_clock_to_a_webhook_and_a_dead_one_is_tried_again_by_an_admin() {
    let app = at_home().await;
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let (url, mut got) = receiver().await;
    switch(&root, "webhook", json!({"enabled": true})).await;
    let path = "/api/me/notifications/channels/webhook";
    alice.put(path, json!({"url": format!("{url}/403")})).await.ok();
    alice
        .put("/api/me/notifications/routing", json!({"preorder_release_today": {"webhook": true}}))
        .await
        .ok();
    let sending = app.state.deliveries.run();
    due_today(&app, &alice, &root, "Harbour Pilot Mina").await;
    eventually("it is dead", async || {
        !root.get("/api/admin/deliveries?state=dead").await.ok()["items"].as_array().unwrap().is_empty()
    })
    .await;
    let dead = root.get("/api/admin/deliveries?state=dead&channel=webhook").await.ok()["items"][0].clone();
    assert_eq!((&dead["event_type"], &dead["attempts"]), (&json!("preorder_release_today"), &json!(1)));
    assert!(!dead.to_string().contains(&url), "where it goes is nobody's business: {dead}");
    let place = format!("/api/admin/deliveries/{}", dead["id"].as_str().unwrap());
    alice.get(&place).await.refused(403, "admin_only");
    alice.get("/api/admin/deliveries").await.refused(403, "admin_only");
    root.get("/api/admin/deliveries?state=lost").await.refused_field(422, "invalid_field", "state");
    let whole = root.get(&place).await.ok();
    assert_eq!(whole["tries"][0]["said"], "it answered 403 Forbidden");
    alice.put(path, json!({"url": format!("{url}/200")})).await.ok();
    root.post(&format!("{place}/retry"), json!({})).await.ok();
    eventually("it arrives", async || root.get(&place).await.ok()["state"] == "delivered").await;
    root.post(&format!("{place}/retry"), json!({})).await.refused(409, "delivery_not_dead");
    sending.stop().await;
    let (first, second) = (got.recv().await.unwrap(), got.recv().await.unwrap());
    assert_eq!(first["id"], second["id"]);
    assert_eq!(second["title"], "Harbour Pilot Mina is released today");
    let metrics = root.get("/metrics").await;
    assert_eq!(metrics.status, 200);
}

/// Reads a stream of events: their id, name and data.
async fn follow(client: &TestClient, last: Option<&str>) -> mpsc::UnboundedReceiver<(String, String, Value)> {
    let mut request = client.http.request(Method::GET, format!("{}/api/me/events/live", client.base));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, "text/event-stream")
    );
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut stream, mut text) = (response.bytes_stream(), String::new());
        while let Some(Ok(chunk)) = stream.next().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((one, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = one.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                if one.contains("event:") {
                    let data = serde_json::from_str(&field("data:")).unwrap();
                    if sender.send((field("id:"), field("event:"), data)).is_err() {
                        return;
                    }
                }
                text = rest.to_owned();
            }
        }
    });
    events
}

async fn next(events: &mut mpsc::UnboundedReceiver<(String, String, Value)>) -> (String, String, Value) {
    tokio::time::timeout(Duration::from_secs(60), events.recv())
        .await
        .expect("an event comes")
        .expect("the stream goes on")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_live_and_a_client_that_comes_back_misses_nothing() {
    let app = TestApp::new().await;
    let (root, alice, bob) =
        (app.register_admin("root").await, app.register("alice").await, app.register("bob").await);
    app.visitor().get("/api/me/events/live").await.refused(401, "not_signed_in");
    let bad =
        alice.send(Method::GET, "/api/me/events/live", |it| it.header("last-event-id", "yesterday")).await;
    bad.refused(400, "invalid_header");
    let (mut hers, mut his) = (follow(&alice, None).await, follow(&bob, None).await);
    let (ready, name, _) = next(&mut hers).await;
    assert_eq!(name, "ready");
    assert_eq!(next(&mut his).await.1, "ready");
    due_today(&app, &alice, &root, "Harbour Pilot Mina").await;
    let (position, name, changed) = next(&mut hers).await;
    assert_eq!(name, "changed");
    assert_eq!(changed["position"].to_string(), position);
    assert!(changed["read_models"].as_array().unwrap().contains(&json!("preorders")), "{changed}");
    let told = loop {
        let (_, name, data) = next(&mut hers).await;
        if name == "notification" {
            break data;
        }
    };
    assert_eq!(told["payload"]["figure"]["name"], "Harbour Pilot Mina");
    // Whoever comes back with what was seen before is told both again, and nobody else is told of hers.
    let mut again = follow(&alice, Some(&ready)).await;
    let mut names = std::collections::HashSet::new();
    while !(names.contains("changed") && names.contains("notification")) {
        let (_, name, data) = next(&mut again).await;
        if name == "notification" {
            assert_eq!(data["id"], told["id"]);
        }
        names.insert(name);
    }
    assert!(his.try_recv().is_err(), "bob heard of it");
    // A suspended account's stream ends.
    sqlx::query("UPDATE users SET suspended_at = now() WHERE username = 'alice'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    let ended = async { while hers.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it ends");
}
