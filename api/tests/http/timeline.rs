use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    figures::{add, id},
    support::{TestApp, TestClient},
};

const TIMELINE: &str = "/api/me/timeline";

fn column<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    page["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

async fn all(client: &TestClient, path: &str, limit: usize) -> Vec<Value> {
    crate::owned::walk(client, &format!("{path}?"), limit).await
}

#[tokio::test]
async fn the_timeline_tells_ones_own_events_in_sentences_and_facts_the_latest_first() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    alice
        .put(
            &format!("/api/me/wishlist/{}", id(&figure)),
            json!({"max_price_amount": "90", "max_price_currency": "EUR"}),
        )
        .await
        .made();
    let body = json!({"figure_id": id(&figure), "price_amount": "129.90", "price_currency": "EUR", "store": "Harbour Hobby"});
    let answer = alice.post("/api/me/owned", body).await;
    let position = answer.header("x-event-position").to_owned();
    let piece = answer.made();
    alice.patch(&format!("/api/me/owned/{}", id(&piece)), json!({"location": "Vitrine"})).await.ok();
    alice.delete(&format!("/api/me/owned/{}", id(&piece))).await.ok();
    let page = alice.get(TIMELINE).await.ok();
    assert_eq!(
        column(&page, "sentence"),
        [
            "Deleted Harbour Pilot Mina.",
            "Moved Harbour Pilot Mina to Vitrine.",
            "The wish for Harbour Pilot Mina came true.",
            "Added Harbour Pilot Mina for 129.90 EUR at Harbour Hobby.",
            "Wished for Harbour Pilot Mina, for 90.00 EUR at most.",
        ],
        "{page}"
    );
    assert_eq!(page["catalogue"], "current");
    assert_eq!(page["next_cursor"], Value::Null);
    let added = &page["items"][3];
    assert_eq!(added["event"], "collection.piece_added");
    assert_eq!(added["facts"]["piece_id"], piece["id"]);
    assert_eq!(added["facts"]["cost"]["price"], "129.9");
    assert_eq!(added["figures"][0]["name"], "Harbour Pilot Mina");
    assert_eq!(added["store"]["name"], "Harbour Hobby");
    let positions: Vec<i64> =
        page["items"].as_array().unwrap().iter().map(|item| item["position"].as_i64().unwrap()).collect();
    assert!(positions.is_sorted_by(|a, b| a > b));
    assert!(positions.contains(&position.parse().unwrap()));
    for limit in [1, 2, 5] {
        let walked = all(&alice, TIMELINE, limit).await;
        assert_eq!(Value::Array(walked), page["items"], "in pages of {limit}");
    }
    alice.get(&format!("{TIMELINE}?cursor=x")).await.refused_field(422, "invalid_cursor", "cursor");
    alice.get(&format!("{TIMELINE}?limit=0")).await.refused_field(422, "invalid_field", "limit");
}

#[tokio::test]
async fn nsfw_figures_are_not_told_to_those_who_hide_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let plain = add(&alice, "Plain", json!({})).await;
    let adult = add(&alice, "Adult", json!({"is_nsfw": true})).await;
    let mut pieces = Vec::new();
    for figure in [&plain, &adult, &plain] {
        pieces.push(alice.post("/api/me/owned", json!({"figure_id": id(figure)})).await.made());
    }
    let of: Vec<&str> = pieces.iter().map(id).collect();
    alice.post("/api/me/owned/bulk", json!({"ids": of, "set_location": "Attic"})).await.ok();
    assert_eq!(column(&alice.get(TIMELINE).await.ok(), "sentence").len(), 4);
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let page = alice.get(TIMELINE).await.ok();
    assert_eq!(
        column(&page, "sentence"),
        ["Moved 3 pieces (Plain) to Attic.", "Added Plain.", "Added Plain."],
        "{page}"
    );
    assert!(!page.to_string().contains("Adult"));
    assert_eq!(all(&alice, TIMELINE, 1).await.len(), 3);
}

#[tokio::test]
async fn long_lists_in_facts_are_cut_and_counted() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..51 {
        ids.push(alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made()["id"].clone());
    }
    alice.post("/api/me/owned/bulk", json!({"ids": ids, "set_location": "Attic"})).await.ok();
    let page = alice.get(&format!("{TIMELINE}?limit=1")).await.ok();
    let facts = &page["items"][0]["facts"];
    assert_eq!(facts["piece_ids"].as_array().unwrap().len(), 50);
    assert_eq!(facts["piece_ids_count"], 51);
    assert_eq!(page["items"][0]["sentence"], "Moved 51 pieces (Mina) to Attic.");
}

fn change<'a>(item: &'a Value, field: &str) -> &'a Value {
    let changes = item["changes"].as_array().unwrap();
    changes.iter().find(|change| change["field"] == field).unwrap_or_else(|| panic!("{field} in {item}"))
}

#[tokio::test]
async fn a_pieces_history_says_what_went_from_what_to_what_with_its_pre_order() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let body = json!({
        "figure_id": id(&figure), "price_amount": "120", "price_currency": "EUR", "deposit_amount": "30",
        "store": "Harbour Hobby", "release_date": "2099-05"
    });
    let preorder = alice.post("/api/me/preorders", body).await.made();
    let piece = preorder["owned_item_id"].as_str().unwrap();
    let order = format!("/api/me/preorders/{}", id(&preorder));
    alice.patch(&order, json!({"price_amount": "110", "store": "Pier Nine Figures"})).await.ok();
    alice.post(&format!("{order}/slip"), json!({"new_date": "2099-08"})).await.ok();
    alice
        .post(&format!("{order}/receive"), json!({"condition": "mib_sealed", "received_at": "2026-06-12"}))
        .await
        .ok();
    let path = format!("/api/me/owned/{piece}");
    // Another piece's doings are not among it.
    let other = alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made();
    alice.post("/api/me/locations", json!({"name": "Attic"})).await.made();
    alice.patch(&path, json!({"location": "Attic"})).await.ok();
    let places = alice.get("/api/me/locations").await.ok();
    let attic = places["items"][0]["id"].as_str().unwrap().to_owned();
    alice.patch(&format!("/api/me/locations/{attic}"), json!({"name": "Loft"})).await.ok();
    alice.delete(&format!("/api/me/owned/{}", id(&other))).await.ok();
    let history = format!("{path}/history");
    let page = alice.get(&history).await.ok();
    let items = page["items"].as_array().unwrap();
    assert_eq!(
        column(&page, "what"),
        ["added", "changed", "changed", "changed", "changed", "changed"],
        "{page}"
    );
    assert_eq!(
        change(&items[0], "preorder.status"),
        &json!({"field": "preorder.status", "from": null, "to": "preordered"})
    );
    assert_eq!(change(&items[0], "price_amount")["to"], "120.00");
    assert_eq!(items[0]["events"], json!(["collection.piece_added", "preorder.placed"]));
    assert_eq!(
        change(&items[1], "price_amount"),
        &json!({"field": "price_amount", "from": "120.00", "to": "110.00"})
    );
    assert_eq!(change(&items[1], "preorder.price_amount")["to"], "110.00");
    let store = change(&items[1], "store_id");
    assert_eq!(
        (&store["from_name"], &store["to_name"]),
        (&json!("Harbour Hobby"), &json!("Pier Nine Figures"))
    );
    assert_eq!(
        change(&items[2], "preorder.release_date_current"),
        &json!({"field": "preorder.release_date_current", "from": "2099-05-01", "to": "2099-08-01"})
    );
    assert_eq!(items[2]["sentences"], json!(["The release of Mina slipped from 2099-05 to 2099-08."]));
    assert_eq!(change(&items[3], "is_owned"), &json!({"field": "is_owned", "from": false, "to": true}));
    assert_eq!(change(&items[3], "condition")["to"], "mib_sealed");
    assert_eq!(items[4]["changes"], json!([{"field": "location", "from": null, "to": "Attic"}]));
    assert_eq!(
        items[5]["events"],
        json!(["collection.cabinet_renamed"]),
        "told where it is the piece that moves"
    );
    assert_eq!(items[5]["changes"], json!([{"field": "location", "from": "Attic", "to": "Loft"}]));
    for limit in [1, 4] {
        assert_eq!(Value::Array(all(&alice, &history, limit).await), page["items"], "in pages of {limit}");
    }
    // Each change's position is one to look at the piece as of.
    let then = alice.get(&format!("{path}?as_of={}", items[4]["position"])).await.ok();
    assert_eq!(then["location"], "Attic");
}

#[tokio::test]
async fn a_deleted_piece_keeps_its_history_and_an_unknown_one_has_none() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let piece =
        alice.post("/api/me/owned", json!({"figure_id": id(&figure), "notes": "from the fair"})).await.made();
    let path = format!("/api/me/owned/{}", id(&piece));
    alice.send(Method::DELETE, &path, |request| request).await.ok();
    let page = alice.get(&format!("{path}/history")).await.ok();
    assert_eq!(column(&page, "what"), ["added", "deleted"]);
    assert_eq!(
        change(&page["items"][1], "notes"),
        &json!({"field": "notes", "from": "from the fair", "to": null})
    );
    assert_eq!(change(&page["items"][1], "figure_id")["from_name"], "Mina");
    let nobodys = format!("/api/me/owned/{}/history", crate::owned::NOBODYS);
    alice.get(&nobodys).await.refused(404, "piece_not_found");
    alice.get("/api/me/owned/x/history").await.refused(404, "not_found");
}
