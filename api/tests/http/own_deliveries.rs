//! How one's own notifications went out.

use database::testing::eventually;
use serde_json::{Value, json};

use crate::{
    notify::{at_home, due_today, receiver, switch},
    support::TestClient,
};

const DELIVERIES: &str = "/api/me/notifications/deliveries";

async fn by_webhook(client: &TestClient, url: String) {
    client.put("/api/me/notifications/channels/webhook", json!({"url": url})).await.ok();
    let routing = json!({"preorder_release_today": {"webhook": true}});
    client.put("/api/me/notifications/routing", routing).await.ok();
}

async fn listed(client: &TestClient, query: &str) -> Vec<Value> {
    client.get(&format!("{DELIVERIES}{query}")).await.ok()["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_how_ones_own_went_out_and_nobody_elses() {
    let app = at_home().await;
    let (root, alice, ben) =
        (app.register_admin("root").await, app.register("alice").await, app.register("ben").await);
    let (url, mut _got) = receiver().await;
    switch(&root, "webhook", json!({"enabled": true})).await;
    by_webhook(&alice, format!("{url}/403")).await;
    by_webhook(&ben, format!("{url}/200")).await;
    let sending = app.state.deliveries.run();
    due_today(&app, &alice, &root, "Mina").await;
    due_today(&app, &ben, &root, "Lyra").await;
    eventually("both are done with", async || {
        listed(&alice, "?state=dead").await.len() == 1 && listed(&ben, "?state=delivered").await.len() == 1
    })
    .await;
    sending.stop().await;
    let (alices, bens) = (listed(&alice, "").await, listed(&ben, "?channel=webhook").await);
    assert_eq!((alices.len(), bens.len()), (1, 1));
    assert_eq!(listed(&root, "").await, [Value::Null; 0], "admins see everybody's elsewhere");
    assert_eq!(listed(&alice, "?state=delivered").await, [Value::Null; 0]);
    assert_eq!(listed(&alice, "?channel=email").await, [Value::Null; 0]);
    let one = &alices[0];
    for (field, expected) in [
        ("channel", json!("webhook")),
        ("event_type", json!("preorder_release_today")),
        ("state", json!("dead")),
        ("attempts", json!(1)),
        ("outcome", json!("it answered 403 Forbidden")),
    ] {
        assert_eq!(one[field], expected, "{field}");
    }
    let place = |delivery: &Value| format!("{DELIVERIES}/{}", delivery["id"].as_str().unwrap());
    let whole = alice.get(&place(one)).await;
    assert!(!whole.text.contains(&url), "{}", whole.text);
    let whole = whole.ok();
    assert_eq!((&whole["tries"][0]["outcome"], &whole["tries"][0]["number"]), (&json!("refused"), &json!(1)));
    let told = alice.get("/api/me/notifications").await.ok();
    let told: Vec<&Value> = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["event_type"] == "preorder_release_today")
        .map(|one| &one["id"])
        .collect();
    assert_eq!(told, [&whole["notification_ids"][0]]);

    for other in [&ben, &root] {
        other.get(&place(one)).await.refused(404, "not_found");
    }
    alice.get(&format!("{DELIVERIES}/nonsense")).await.refused(404, "not_found");
    alice.get(&format!("{DELIVERIES}?state=lost")).await.refused_field(422, "invalid_field", "state");
    alice.get(&format!("{DELIVERIES}?channel=pigeon")).await.refused_field(422, "invalid_field", "channel");
    for path in [DELIVERIES, &place(one)] {
        app.visitor().get(path).await.refused(401, "not_signed_in");
    }
}
