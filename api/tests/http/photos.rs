//! `/api/figures/{id}/photos`, `/api/me/owned/{id}/photos`, `/api/figure-photos/{id}` and `/api/photos/{id}`.

mod bad;
mod folded;
mod room;
mod seen;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::forms::{jpeg, png};
use crate::profiles::own;
use crate::support::{TestApp, TestClient};

/// How long a read model may take for a handful of events.
const MOST: Duration = Duration::from_secs(60);

pub fn ids(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(id).collect()
}

/// A figure, a piece of it, and where the piece's photos are.
async fn piece(client: &TestClient, name: &str) -> (Value, Value, String) {
    let figure = add(client, name, json!({})).await;
    let piece = own(client, &figure, json!({})).await;
    let place = format!("/api/me/owned/{}/photos", id(&piece));
    (figure, piece, place)
}

fn place_of(figure: &Value) -> String {
    format!("/api/figures/{}/photos", id(figure))
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_of_a_piece_come_back_in_the_order_of_the_form() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_figure, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let sent = vec![jpeg(64, 48, 10), png(48, 64, 20), jpeg(32, 32, 30)];
    let made = alice.upload(&place, sent).await;
    assert_eq!(made.header("location"), place);
    let made = made.made();
    let sizes: Vec<(u64, u64)> = made["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["width"].as_u64().unwrap(), one["height"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(64, 48), (48, 64), (32, 32)]);
    let photo = &made["items"][0];
    assert_eq!(photo["owned_item_id"], piece["id"]);
    assert_eq!((photo["shared"].clone(), photo["is_cover"].clone()), (json!(false), json!(false)));
    assert!(photo["blurhash"].as_str().unwrap().len() >= 6, "{photo}");
    assert_eq!(ids(&alice.get(&place).await.ok()), ids(&made));

    let second = alice.upload(&place, vec![jpeg(40, 40, 40)]).await.made();
    assert_eq!(ids(&second).len(), 1, "only the new ones are in the answer");
    let expected = [ids(&made), ids(&second)].concat();
    assert_eq!(ids(&alice.get(&place).await.ok()), expected, "new ones come last");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_photos_of_a_figure_are_everybodys() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let ben = app.register("ben").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let place = place_of(&figure);
    let made = alice.upload(&place, vec![jpeg(64, 48, 1)]).await.made();
    let bens = ben.upload(&place, vec![jpeg(64, 48, 2)]).await.made();
    for client in [&alice, &ben, &app.visitor()] {
        let listed = client.get(&place).await.ok();
        assert_eq!(ids(&listed), [ids(&made)[0], ids(&bens)[0]]);
        let got = client.fetch(made["items"][0]["url"].as_str().unwrap()).await;
        assert_eq!(got.status, 200);
    }
    let listed = ben.get(&place).await.ok();
    let may: Vec<bool> =
        listed["items"].as_array().unwrap().iter().map(|one| one["can_edit"].as_bool().unwrap()).collect();
    assert_eq!(may, [false, true], "one's own upload, and no other of somebody else's figure");
    assert_eq!(
        ids(&ben.get(&format!("/api/figures/{}/photos", figure["slug"].as_str().unwrap())).await.ok()).len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_added_the_figure_tends_its_gallery_and_uploaders_their_own() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let admin = app.register_admin("root").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let place = place_of(&figure);
    let hers = alice.upload(&place, vec![jpeg(64, 48, 1)]).await.made()["items"][0]["id"].clone();
    let his = ben.upload(&place, vec![jpeg(64, 48, 2)]).await.made()["items"][0]["id"].clone();
    let (hers, his) = (hers.as_str().unwrap(), his.as_str().unwrap());
    let at = |photo: &str| format!("/api/figure-photos/{photo}");

    ben.replace(&at(hers), jpeg(20, 20, 9)).await.refused(403, "not_allowed");
    ben.delete(&at(hers)).await.refused(403, "not_allowed");
    ben.post(&format!("{}/primary", at(his)), json!({})).await.refused(403, "not_allowed");
    let order = json!({"ids": [his, hers]});
    ben.put(&format!("{place}/order"), order.clone()).await.refused(403, "not_allowed");
    ben.replace(&at(his), jpeg(20, 20, 9)).await.ok();

    let primary = alice.post(&format!("{}/primary", at(his)), json!({})).await.ok();
    assert_eq!(primary["is_primary"], true);
    let ordered = admin.put(&format!("{place}/order"), order).await.ok();
    assert_eq!(ids(&ordered), [his, hers]);
    admin.delete(&at(his)).await.ok();
    let left = alice.get(&place).await.ok();
    assert_eq!(ids(&left), [hers]);
    assert_eq!(left["items"][0]["is_primary"], false, "nobody chose this one");
    app.visitor().get(&at(his)).await.refused(404, "photo_not_found");
    for nobodys in [Method::PUT, Method::DELETE] {
        app.visitor().send(nobodys, &at(hers), |request| request).await.refused(401, "not_signed_in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_order_names_every_photo_exactly_once() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let made = alice.upload(&place, vec![jpeg(16, 16, 1), jpeg(16, 16, 2), jpeg(16, 16, 3)]).await.made();
    let [a, b, c] = ids(&made)[..] else { panic!("{made}") };
    let order = format!("{place}/order");
    assert_eq!(ids(&alice.put(&order, json!({"ids": [c, a, b]})).await.ok()), [c, a, b]);
    for wrong in [json!([a, b]), json!([a, b, b]), json!([a, b, c, c]), json!([])] {
        alice.put(&order, json!({"ids": wrong})).await.refused_field(422, "invalid_field", "ids");
    }
    assert_eq!(ids(&alice.get(&place).await.ok()), [c, a, b]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_replace_the_same_picture_one_is_told_that_it_is_another_by_now() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let made = alice.upload(&place, vec![jpeg(16, 16, 1), jpeg(16, 16, 2)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    let tag = alice.fetch(photo).await.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", made["items"][0]["version"].as_str().unwrap()));
    let replace = |shade: u8| {
        let (alice, tag) = (alice.clone(), tag.clone());
        async move {
            let form = crate::forms::form("file", vec![jpeg(24, 24, shade)]);
            alice.send(Method::PUT, photo, |request| request.header("if-match", tag).multipart(form)).await
        }
    };
    let (one, other) = tokio::join!(replace(100), replace(200));
    let mut both = [one, other];
    both.sort_by_key(|answer| answer.status);
    let [done, late] = both;
    late.refused_field(412, "stale_version", "If-Match");
    let now = done.ok();
    let listed = alice.get(&place).await.ok();
    assert_eq!(ids(&listed), ids(&made), "it keeps its place");
    assert_eq!(listed["items"][0]["version"], now["version"]);
    let got = alice.fetch(photo).await;
    assert_eq!(got.header("etag"), format!("\"{}\"", now["version"].as_str().unwrap()));

    let stale = alice.send(Method::DELETE, photo, |request| request.header("if-match", &tag)).await;
    stale.refused(412, "stale_version");
    let fresh = got.header("etag").to_owned();
    alice.send(Method::DELETE, photo, |request| request.header("if-match", fresh)).await.ok();
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_who_replace_the_same_photo_of_the_catalogue_leave_one_of_theirs_whole() {
    let app = TestApp::new().await;
    let (alice, admin) = (app.register("alice").await, app.register_admin("root").await);
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let made = alice.upload(&place_of(&figure), vec![jpeg(16, 16, 1)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    let seen = alice.fetch(photo).await.header("etag").to_owned();
    let replace = |client: &TestClient, shade: u8, seen: Option<String>| {
        let (client, form) = (client.clone(), crate::forms::form("file", vec![jpeg(24, 24, shade)]));
        async move {
            let adjust = |request: reqwest::RequestBuilder| match seen {
                Some(tag) => request.header("if-match", tag),
                None => request,
            };
            client.send(Method::PUT, photo, |request| adjust(request).multipart(form)).await
        }
    };
    let (hers, theirs) =
        tokio::join!(replace(&alice, 100, Some(seen.clone())), replace(&admin, 200, Some(seen.clone())));
    let (done, late) = if hers.status.is_success() { (hers, theirs) } else { (theirs, hers) };
    late.refused_field(412, "stale_version", "If-Match");
    let now = done.ok();
    // Without having looked both are done, one after the other.
    let (hers, theirs) = tokio::join!(replace(&alice, 120, None), replace(&admin, 220, None));
    let versions = [hers.ok()["version"].clone(), theirs.ok()["version"].clone()];
    let listed = alice.get(&place_of(&figure)).await.ok();
    assert_eq!(ids(&listed), ids(&made), "it keeps its place");
    let version = &listed["items"][0]["version"];
    assert!(versions.contains(version) && *version != now["version"], "{listed}");
    for size in ["", "?size=320", "?size=960"] {
        let got = alice.fetch(&format!("{photo}{size}")).await;
        assert_eq!(got.status, 200, "{size}");
        let pixels = image::load_from_memory(&got.body).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (24, 24), "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_sent_again_with_its_key_adds_nothing_twice() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let send = async |file: Vec<u8>| {
        let form = crate::forms::form("file", vec![file]);
        alice.send(Method::POST, &place, |r| r.header("idempotency-key", "k1").multipart(form)).await
    };
    let first = send(jpeg(16, 16, 1)).await.made();
    let again = send(jpeg(16, 16, 1)).await.made();
    assert_eq!(ids(&first), ids(&again));
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), 1);
    send(jpeg(16, 16, 2)).await.refused(422, "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_figure_brings_its_photos_along() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    let loser = add(&admin, "Mina", json!({})).await;
    let winner = add(&admin, "Harbour Pilot Mina", json!({})).await;
    let same = jpeg(32, 32, 7);
    let of_loser = admin.upload(&place_of(&loser), vec![same.clone(), jpeg(32, 32, 8)]).await.made();
    let of_winner = admin.upload(&place_of(&winner), vec![same]).await.made();
    let merge = json!({"into": id(&winner)});
    admin.post(&format!("/api/figures/{}/merge", id(&loser)), merge).await.ok();
    let expected = [ids(&of_winner)[0], ids(&of_loser)[1]];
    for place in [place_of(&winner), place_of(&loser)] {
        let listed = admin.get(&place).await.ok();
        assert_eq!(ids(&listed), expected, "what both have comes once");
        assert_eq!(listed["items"][1]["figure_id"], winner["id"]);
    }
    assert_eq!(admin.fetch(&format!("/api/figure-photos/{}", expected[1])).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_piece_takes_its_photos_along_and_archiving_does_not() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let made = alice.upload(&place, vec![jpeg(16, 16, 1)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    let owned = format!("/api/me/owned/{}", id(&piece));
    alice.post(&format!("{owned}/archive"), json!({"reason": "lost"})).await.ok();
    assert_eq!(alice.fetch(photo).await.status, 200);
    alice.delete(&owned).await.ok();
    alice.get(photo).await.refused(404, "photo_not_found");
    alice.get(&place).await.refused(404, "piece_not_found");
}
