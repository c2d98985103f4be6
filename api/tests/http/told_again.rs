//! Whoever repeats a request because its answer got lost is told what it came to, also when the thing is gone by then.

use domain::commands::MergeFigures;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    figures,
    forms::{form, jpeg},
    owned::{figure, id, own, run},
    photos::ids,
    support::{Answer, TestApp, TestClient},
};

/// Sends a write under a key.
async fn keyed(client: &TestClient, method: Method, path: &str, key: &'static str, body: &Value) -> Answer {
    client.send(method, path, |request| request.header("idempotency-key", key).json(body)).await
}

/// Sends plain pictures of these shades in a form, under a key.
async fn uploaded(
    client: &TestClient,
    method: Method,
    path: &str,
    key: &str,
    field: &'static str,
    shades: &[u8],
) -> Answer {
    let form = form(field, shades.iter().map(|shade| jpeg(16, 16, *shade)).collect());
    client.send(method, path, |request| request.header("idempotency-key", key).multipart(form)).await
}

/// Where in the log a write stands that was done.
#[track_caller]
fn stands(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{}", answer.text);
    answer.header("x-event-position").to_owned()
}

/// What stands there was done, and is gone since.
#[track_caller]
fn gone(again: Answer, position: &str) {
    assert_eq!(again.header("x-event-position"), position, "{}", again.text);
    again.refused(410, "gone_since");
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

#[tokio::test(flavor = "multi_thread")]
async fn photos_and_documents_that_were_removed_meanwhile_are_said_to_be_gone_and_what_is_left_is_told() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let piece = own(&alice, &mina, json!({})).await;
    let places = [
        format!("/api/me/owned/{}/photos", id(&piece)),
        format!("/api/figures/{mina}/photos"),
        format!("/api/me/owned/{}/documents", id(&piece)),
    ];
    for place in places {
        let add = async || uploaded(&alice, Method::POST, &place, &place, "file", &[1, 2]).await;
        let first = add().await;
        let position = stands(&first);
        let made = first.made();
        let url = |n: usize| made["items"][n]["url"].as_str().unwrap();
        alice.delete(url(0)).await.ok();
        let left = add().await;
        assert_eq!(stands(&left), position);
        assert_eq!(ids(&left.made()), ids(&made)[1..], "{place}");
        alice.delete(url(1)).await.ok();
        gone(add().await, &position);
        assert_eq!(ids(&alice.get(&place).await.ok()).len(), 0, "nothing is added again: {place}");
        uploaded(&alice, Method::POST, &place, &format!("{place}/2"), "file", &[1]).await.made();
        let other = uploaded(&alice, Method::POST, &place, &place, "file", &[90]).await;
        other.refused(422, "idempotency_key_reused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_with_a_photo_that_was_removed_meanwhile_is_said_to_be_gone() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let mina = figures::add(&alice, "Mina", json!({})).await;
    let piece = own(&alice, id(&mina), json!({})).await;
    let of_piece = format!("/api/me/owned/{}/photos", id(&piece));
    let of_figure = format!("/api/figures/{}/photos", id(&mina));
    for (place, method, act, key) in
        [(of_piece, Method::PUT, "shared", "k1"), (of_figure, Method::POST, "primary", "k2")]
    {
        let made = alice.upload(&place, vec![jpeg(16, 16, 1)]).await.made();
        let photo = made["items"][0]["url"].as_str().unwrap();
        let replace = async |client: &TestClient, key: &str, shade: u8| {
            uploaded(client, Method::PUT, photo, key, "file", &[shade]).await
        };
        let body = json!({"shared": true});
        let path = format!("{photo}/{act}");
        let act = async |key: &'static str| keyed(&alice, method.clone(), &path, key, &body).await;
        let replaced = stands(&replace(&alice, photo, 2).await);
        let acted = stands(&act(key).await);
        alice.delete(photo).await.ok();
        gone(replace(&alice, photo, 2).await, &replaced);
        gone(act(key).await, &acted);
        replace(&alice, photo, 90).await.refused(422, "idempotency_key_reused");
        replace(&alice, "another", 2).await.refused(404, "photo_not_found");
        act("another").await.refused(404, "photo_not_found");
        alice.replace(photo, jpeg(16, 16, 2)).await.refused(404, "photo_not_found");
        replace(&bob, photo, 2).await.refused(404, "photo_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_to_a_piece_that_was_deleted_meanwhile_is_said_to_be_gone() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let piece = own(&alice, &figure(&app, "Mina").await, json!({"notes": "from the shop"})).await;
    let path = format!("/api/me/owned/{}", id(&piece));
    let add = async |client: &TestClient, (place, field): (&str, &'static str), key: &str| {
        uploaded(client, Method::POST, &format!("{path}/{place}"), key, field, &[1]).await
    };
    let places = [("documents", "file"), ("scans", "frame"), ("photos", "file")];
    let mut positions = Vec::new();
    for place in places {
        positions.push(stands(&add(&alice, place, place.0).await));
    }
    let photos = alice.get(&format!("{path}/photos")).await.ok();
    let in_order = json!({"ids": ids(&photos)});
    let order =
        async || keyed(&alice, Method::PUT, &format!("{path}/photos/order"), "order", &in_order).await;
    let ordered = stands(&order().await);
    let cover = json!({"photo_id": ids(&photos)[0]});
    let pin = async || keyed(&alice, Method::PUT, &format!("{path}/cover"), "pin", &cover).await;
    let pinned = stands(&pin().await);
    alice.delete(&path).await.ok();

    for (place, position) in places.into_iter().zip(positions) {
        gone(add(&alice, place, place.0).await, &position);
        add(&alice, place, "another").await.refused(404, "piece_not_found");
        add(&bob, place, place.0).await.refused(404, "piece_not_found");
        let (junk, there) = (form(place.1, vec![b"<svg/>".to_vec()]), format!("{path}/{}", place.0));
        let junk =
            alice.send(Method::POST, &there, |it| it.header("idempotency-key", "junk").multipart(junk));
        junk.await.refused(404, "piece_not_found");
    }
    gone(order().await, &ordered);
    let again = pin().await;
    assert_eq!(stands(&again), pinned);
    let again = again.ok();
    assert_eq!((&again["id"], &again["notes"]), (&piece["id"], &json!("from the shop")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_was_deleted_meanwhile_is_said_to_be_gone_whatever_was_done_with_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let piece = own(&alice, &figure(&app, "Mina").await, json!({})).await;
    let scans = format!("/api/me/owned/{}/scans", id(&piece));
    let make = async || uploaded(&alice, Method::POST, &scans, "make", "frame", &[1, 2]).await;
    let first = make().await;
    let made = stands(&first);
    let scan = format!("/api/scans/{}", id(&first.made()));
    let put = async |client: &TestClient, place: &str, key: &str, shade: u8| {
        uploaded(client, Method::PUT, &format!("{scan}/{place}"), key, "frame", &[shade]).await
    };
    let share = async |key| keyed(&alice, Method::PATCH, &scan, key, &json!({"shared": true})).await;
    let one = stands(&put(&alice, "frames/1", "one", 3).await);
    let shared = stands(&share("share").await);
    let all = stands(&put(&alice, "frames", "all", 4).await);
    gone(put(&alice, "frames/1", "one", 3).await, &one);
    put(&alice, "frames/1", "another", 3).await.refused(404, "frame_not_found");
    alice.delete(&scan).await.ok();

    gone(make().await, &made);
    gone(put(&alice, "frames/1", "one", 3).await, &one);
    gone(put(&alice, "frames", "all", 4).await, &all);
    gone(share("share").await, &shared);
    put(&alice, "frames", "all", 90).await.refused(422, "idempotency_key_reused");
    for (place, key) in [("frames", "all"), ("frames/1", "one")] {
        put(&alice, place, "another", 4).await.refused(404, "scan_not_found");
        put(&bob, place, key, 4).await.refused(404, "scan_not_found");
    }
    share("another").await.refused(404, "scan_not_found");
    assert_eq!(alice.get(&scans).await.ok()["items"], json!([]));
}
