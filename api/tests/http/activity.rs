use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::support::{Answer, TestApp, TestClient};

const FEED: &str = "/api/me/activity";

/// The feed once it knows of a write.
async fn after(client: &TestClient, query: &str, written: &Answer) -> Value {
    let position = written.header("x-event-position").to_owned();
    assert!(!position.is_empty(), "{}", written.text);
    let path = format!("{FEED}?{query}");
    client.send(Method::GET, &path, |request| request.header("x-min-position", position)).await.ok()
}

fn kinds(feed: &Value) -> Vec<&str> {
    feed["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

async fn own(client: &TestClient, figure: &Value) -> Value {
    let body = json!({"figure_id": id(figure), "price_amount": "12.5", "price_currency": "EUR"});
    client.post("/api/me/owned", body).await.made()
}

#[tokio::test]
async fn the_feed_tells_what_was_done_the_latest_first() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    assert_eq!(alice.get(FEED).await.ok(), json!({"items": [], "next_cursor": null}));
    let figure = add(&alice, "Mina", json!({})).await;
    let body = json!({"figure_id": id(&figure), "price_amount": "120", "price_currency": "EUR"});
    let preorder = alice.post("/api/me/preorders", body).await.made();
    let path = |action: &str| format!("/api/me/preorders/{}/{action}", id(&preorder));
    alice.post(&path("slip"), json!({"new_date": "2098-05"})).await.ok();
    alice.post(&path("slip"), json!({"new_date": "2098-08", "source": "mfc"})).await.ok();
    alice.patch(&format!("/api/figures/{}", id(&figure)), json!({"name": "Harbour Pilot Mina"})).await.ok();
    let written = alice.post(&path("receive"), json!({"condition": "loose"})).await;
    let feed = after(&alice, "", &written).await;
    assert_eq!(
        kinds(&feed),
        ["preorder_received", "release_date_slipped", "release_date_named", "preorder_placed"]
    );
    let items = feed["items"].as_array().unwrap();
    assert_eq!(items[0]["payload"]["figure"]["name"], "Harbour Pilot Mina");
    assert_eq!(items[0]["payload"]["condition"], "loose");
    assert_eq!(items[3]["payload"]["figure"]["name"], "Mina", "as it was called then");
    assert_eq!(items[3]["payload"]["price_amount"], "120.00");
    let slip = &items[1]["payload"];
    assert_eq!(
        (&slip["from"], &slip["to"], &slip["source"]),
        (&json!("2098-05-01"), &json!("2098-08-01"), &json!("mfc"))
    );
    let bob = app.register("bob").await;
    assert_eq!(bob.get(FEED).await.ok()["items"], json!([]), "nobody else's feed");
}

#[tokio::test]
async fn a_bulk_edit_is_one_row_and_pages_join_up() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mut ids = Vec::new();
    for name in ["Mina", "Rika", "Suzu"] {
        let figure = add(&alice, name, json!({})).await;
        ids.push(own(&alice, &figure).await["id"].clone());
    }
    let body = json!({"ids": ids, "set_location": "Vitrine", "set_condition": "displayed"});
    let written = alice.post("/api/me/owned/bulk", body).await;
    let feed = after(&alice, "", &written).await;
    assert_eq!(kinds(&feed), ["pieces_edited", "piece_added", "piece_added", "piece_added"]);
    let told = &feed["items"][0]["payload"];
    assert_eq!((&told["count"], &told["changes"]["location"]), (&json!(3), &json!("Vitrine")));
    assert_eq!(told["figures"].as_array().unwrap().len(), 3);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = alice.get(&format!("{FEED}?limit=2&cursor={cursor}")).await.ok();
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(paged), feed["items"]);
    alice.get(&format!("{FEED}?cursor=x")).await.refused_field(422, "invalid_cursor", "cursor");
    alice.get(&format!("{FEED}?kind=wished")).await.refused_field(422, "unknown_parameter", "kind");
}

#[tokio::test]
async fn those_who_hide_nsfw_figures_are_not_told_of_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let plain = add(&alice, "Mina", json!({})).await;
    let nsfw = add(&alice, "Rika", json!({"is_nsfw": true})).await;
    let later = add(&alice, "Suzu", json!({})).await;
    let mut ids = Vec::new();
    for figure in [&plain, &nsfw, &later] {
        ids.push(own(&alice, figure).await["id"].clone());
    }
    alice.post("/api/me/owned/bulk", json!({"ids": ids, "set_condition": "loose"})).await.ok();
    let written = alice.patch(&format!("/api/figures/{}", id(&later)), json!({"is_nsfw": true})).await;
    assert_eq!(kinds(&after(&alice, "", &written).await).len(), 4);
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let feed = alice.get(FEED).await.ok();
    assert_eq!(kinds(&feed), ["pieces_edited", "piece_added"], "also what was marked only afterwards");
    assert_eq!(feed["items"][1]["payload"]["figure"]["name"], "Mina");
    assert!(!feed["items"][0]["payload"]["figures"].to_string().contains("Rika"));
}
