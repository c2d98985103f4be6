use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::support::{Answer, TestApp, TestClient};

const PLACE: &str = "/api/me/achievements";

async fn after(client: &TestClient, written: &Answer) -> Value {
    let position = written.header("x-event-position").to_owned();
    assert!(!position.is_empty(), "{}", written.text);
    client.send(Method::GET, PLACE, |request| request.header("x-min-position", position)).await.ok()
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

fn one<'a>(list: &'a Value, code: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one["code"] == code).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn achievements_unlock_and_the_nearest_locked_ones_are_shown() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let none = alice.get(PLACE).await.ok();
    assert_eq!(none["items"], json!([]));
    assert_eq!(codes(&none["next"])[..3], ["pieces_owned_1", "preorders_placed_1", "preorders_received_1"]);
    let figure = add(&alice, "Mina", json!({"manufacturer": "Good Maker", "series": ["Tides"]})).await;
    let body = json!({"figure_id": id(&figure)});
    for _ in 0..4 {
        alice.post("/api/me/owned", body.clone()).await.made();
    }
    let written = alice.post("/api/me/preorders", body).await;
    let now = after(&alice, &written).await;
    assert_eq!(codes(&now["items"]), ["preorders_placed_1", "pieces_owned_1"], "the latest first");
    let maker = one(&now["next"], "maker_5");
    assert_eq!(
        (&maker["current"], &maker["remaining"], &maker["tier"]),
        (&json!(4), &json!(1), &json!("bronze"))
    );
    assert_eq!(
        codes(&now["next"])[..4],
        ["preorders_received_1", "scans_made_1", "maker_5", "series_5"],
        "the nearest first"
    );
    let preorder = written.made();
    let received = alice.post(&format!("/api/me/preorders/{}/receive", id(&preorder)), json!({})).await;
    let now = after(&alice, &received).await;
    for code in ["maker_5", "series_5", "preorders_received_1"] {
        assert!(codes(&now["items"]).contains(&code), "{code}");
    }
    assert_eq!(one(&now["next"], "maker_15")["current"], 5);
    assert_eq!(one(&now["next"], "pieces_owned_10")["remaining"], 5);
    let bob = app.register("bob").await;
    assert_eq!(bob.get(PLACE).await.ok()["items"], json!([]), "nobody else's");
}

#[tokio::test]
async fn those_of_nsfw_pieces_are_shown_only_to_those_who_do_not_hide_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({"is_nsfw": true})).await;
    let mut written = None;
    for _ in 0..5 {
        written = Some(alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await);
    }
    let shown = after(&alice, &written.unwrap()).await;
    assert!(codes(&shown["items"]).contains(&"nsfw_5"));
    assert_eq!(one(&shown["next"], "nsfw_25")["current"], 5);
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let hidden = alice.get(PLACE).await.ok();
    for list in [&hidden["items"], &hidden["next"]] {
        assert!(!codes(list).iter().any(|code| code.starts_with("nsfw")), "{list}");
    }
}

#[tokio::test]
async fn a_piece_that_slipped_three_times_unlocks_when_it_is_received() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let body = json!({"figure_id": id(&figure), "release_date": "2098-01"});
    let preorder = alice.post("/api/me/preorders", body).await.made();
    let path = |action: &str| format!("/api/me/preorders/{}/{action}", id(&preorder));
    let mut written = None;
    for month in ["2098-02", "2098-03", "2098-04"] {
        written = Some(alice.post(&path("slip"), json!({"new_date": month})).await);
    }
    let waiting = after(&alice, &written.unwrap()).await;
    let slipped = one(&waiting["next"], "slipped_three_times");
    assert_eq!(
        (&slipped["current"], &slipped["remaining"]),
        (&json!(3), &json!(0)),
        "only the receipt is missing"
    );
    let received = alice.post(&path("receive"), json!({})).await;
    assert!(codes(&after(&alice, &received).await["items"]).contains(&"slipped_three_times"));
}
