//! Whoever repeats a request because its answer got lost is told what it came to, also when the thing is gone by then.

use domain::commands::MergeFigures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    owned::{figure, id, own, run},
    support::{Answer, TestApp, TestClient},
};

/// Sends a write under a key.
async fn keyed(client: &TestClient, method: Method, path: &str, key: &'static str, body: &Value) -> Answer {
    client.send(method, path, |request| request.header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_piece_that_was_deleted_meanwhile_is_told_as_it_was_left() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"figure_id": figure(&app, "Mina").await, "notes": "from the shop"});
    let add = async || keyed(&alice, Method::POST, "/api/me/owned", "k1", &body).await.made();
    let piece = add().await;
    let path = format!("/api/me/owned/{}", id(&piece));
    let note = json!({"notes": "with a dent"});
    let edited = keyed(&alice, Method::PATCH, &path, "k2", &note).await.ok();
    alice.delete(&path).await.ok();
    assert_eq!(add().await, piece);
    assert_eq!(keyed(&alice, Method::PATCH, &path, "k2", &note).await.ok(), edited);
    keyed(&alice, Method::PATCH, &path, "k3", &note).await.refused(404, "piece_not_found");
}

#[tokio::test]
async fn a_wish_that_a_merge_made_come_true_is_told_as_it_was_left() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (double, mina) = (figure(&app, "Mina (double)").await, figure(&app, "Mina").await);
    own(&alice, &mina, json!({})).await;
    let path = format!("/api/me/wishlist/{double}");
    let body = json!({"note": "one day"});
    let wish = keyed(&alice, Method::PUT, &path, "k1", &body).await.made();
    let merge = MergeFigures { loser_id: double.parse().unwrap(), winner_id: mina.parse().unwrap() };
    run(&app, None, merge).await;
    alice.get(&path).await.refused(404, "wish_not_found");
    let again = keyed(&alice, Method::PUT, &path, "k1", &body).await.made();
    assert_eq!((&again["id"], &again["note"]), (&wish["id"], &json!("one day")));
    assert_eq!(again["figure_id"], json!(mina), "the figure goes by the id it has now");
    keyed(&alice, Method::PUT, &path, "k2", &body).await.refused(409, "already_owned");
}

#[tokio::test]
async fn a_pre_order_that_was_deleted_meanwhile_is_told_as_it_was_left() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"figure_id": figure(&app, "Mina").await, "release_date": "2031-05"});
    let place = async || keyed(&alice, Method::POST, "/api/me/preorders", "k1", &body).await.made();
    let preorder = place().await;
    let piece = format!("/api/me/owned/{}?refund_amount=0", preorder["owned_item_id"].as_str().unwrap());
    alice.delete(&piece).await.ok();
    alice.get(&format!("/api/me/preorders/{}", id(&preorder))).await.refused(404, "preorder_not_found");
    assert_eq!(place().await, preorder);
}

#[tokio::test]
async fn a_place_that_was_removed_meanwhile_is_said_to_be_gone_and_not_to_have_never_been() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({"name": "Detolf"});
    let add = async || keyed(&alice, Method::POST, "/api/me/locations", "k1", &body).await;
    let place = add().await.made();
    alice.delete(&format!("/api/me/locations/{}", id(&place))).await.ok();
    add().await.refused(410, "gone_since");
}
