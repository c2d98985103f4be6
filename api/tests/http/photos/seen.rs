//! Who sees which picture, and how it is served.

use serde_json::{Value, json};

use super::{MOST, id, ids, jpeg, piece, place_of};
use crate::figures::add;
use crate::profiles::{own, switch};
use crate::support::{TestApp, TestClient};

fn size(bytes: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(bytes).unwrap();
    (picture.width(), picture.height())
}

/// Lets a photo be what others are shown of a piece, where it is shared.
async fn pin(client: &TestClient, piece: &Value, photo: &Value) {
    let cover = format!("/api/me/owned/{}/cover", id(piece));
    client.put(&cover, json!({"photo_id": photo["id"]})).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_served_at_every_size_with_what_keeps_it_harmless() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (figure, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let own = alice.upload(&place, vec![jpeg(1200, 900, 50)]).await.made()["items"][0].clone();
    let shared = alice.upload(&place_of(&figure), vec![jpeg(1200, 900, 50)]).await.made()["items"][0].clone();
    for (photo, caching) in [(&own, "private, no-cache"), (&shared, "public, no-cache")] {
        for (url, media_type, expected) in [
            ("url", "image/jpeg", (1200, 900)),
            ("small_url", "image/webp", (320, 240)),
            ("large_url", "image/webp", (960, 720)),
        ] {
            let got = alice.fetch(photo[url].as_str().unwrap()).await;
            assert_eq!((got.status, got.header("content-type")), (200, media_type), "{url}");
            assert_eq!(size(&got.body), expected, "{url}");
            assert_eq!(got.header("content-length"), got.body.len().to_string());
            assert_eq!(got.header("cache-control"), caching);
            assert!(got.header("content-security-policy").contains("sandbox"));
            assert_eq!(got.header("x-content-type-options"), "nosniff");
            assert_eq!(got.header("accept-ranges"), "bytes");
        }
    }
    let url = own["url"].as_str().unwrap();
    for wrong in ["size=321", "size=0320", "size=small", "more=1"] {
        let answer = alice.fetch(&format!("{url}?{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_picture_is_told_so_and_whoever_wants_a_part_gets_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let photo = alice.upload(&place, vec![jpeg(200, 100, 50)]).await.made()["items"][0].clone();
    let url = photo["url"].as_str().unwrap();
    let whole = alice.fetch(url).await;
    let tag = whole.header("etag").to_owned();
    let has = |tag: &str| {
        let tag = tag.to_owned();
        alice.fetch_with(url, |request| request.header("if-none-match", tag))
    };
    let held = has(&tag).await;
    assert_eq!((held.status, held.body.len(), held.header("etag")), (304, 0, tag.as_str()));
    assert_eq!(has(&format!("\"0\", W/{tag}")).await.status, 304);
    assert_eq!(has("\"0\"").await.status, 200);
    let small = alice.fetch(photo["small_url"].as_str().unwrap()).await;
    assert_ne!(small.header("etag"), tag, "other bytes, another tag");

    let part = |range: &str| {
        let range = range.to_owned();
        alice.fetch_with(url, |request| request.header("range", range))
    };
    let length = whole.body.len();
    for (range, expected) in [
        ("bytes=0-9".to_owned(), 0..10),
        ("bytes=10-".to_owned(), 10..length),
        ("bytes=-7".to_owned(), length - 7..length),
        (format!("bytes=5-{}", length * 2), 5..length),
    ] {
        let got = part(&range).await;
        assert_eq!(got.status, 206, "{range}");
        assert_eq!(got.body, whole.body[expected.clone()], "{range}");
        let place = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
        assert_eq!(got.header("content-range"), place);
    }
    let beyond = part(&format!("bytes={length}-")).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{length}").as_str()));
    assert_eq!(part("lines=1-2").await.status, 200, "an unknown unit is passed over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_personal_photo_is_its_owners_alone() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let admin = app.register_admin("root").await;
    let (_, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let made = alice.upload(&place, vec![jpeg(64, 48, 1)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    for other in [&ben, &admin] {
        other.get(photo).await.refused(404, "photo_not_found");
        other.get(&format!("{photo}?size=320")).await.refused(404, "photo_not_found");
        other.replace(photo, jpeg(64, 48, 2)).await.refused(404, "photo_not_found");
        other.delete(photo).await.refused(404, "photo_not_found");
        other.put(&format!("{photo}/shared"), json!({"shared": true})).await.refused(404, "photo_not_found");
        other.get(&place).await.refused(404, "piece_not_found");
        other.upload(&place, vec![jpeg(64, 48, 2)]).await.refused(404, "piece_not_found");
        other
            .put(&format!("{place}/order"), json!({"ids": ids(&made)}))
            .await
            .refused(404, "piece_not_found");
        let cover = format!("/api/me/owned/{}/cover", id(&piece));
        other.put(&cover, json!({"photo_id": ids(&made)[0]})).await.refused(404, "piece_not_found");
    }
    let nobody = app.visitor();
    nobody.get(photo).await.refused(404, "photo_not_found");
    nobody.get(&place).await.refused(401, "not_signed_in");
    nobody.upload(&place, vec![jpeg(64, 48, 2)]).await.refused(401, "not_signed_in");
    assert_eq!(ids(&alice.get(&place).await.ok()), ids(&made));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_photo_is_seen_by_others_until_it_is_no_longer_shared() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let (_, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let made = alice.upload(&place, vec![jpeg(64, 48, 1)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    let share = format!("{photo}/shared");
    assert_eq!(alice.put(&share, json!({"shared": true})).await.ok()["shared"], true);
    ben.get(photo).await.refused(404, "photo_not_found");
    pin(&alice, &piece, &made["items"][0]).await;
    for client in [&ben, &app.visitor()] {
        let got = client.fetch(photo).await;
        assert_eq!((got.status, got.header("cache-control")), (200, "private, no-cache"));
        client.delete(photo).await.status.is_client_error().then_some(()).unwrap();
    }
    alice.put(&share, json!({"shared": false})).await.ok();
    ben.get(photo).await.refused(404, "photo_not_found");
    alice.put(&share, json!({})).await.refused(422, "missing_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_nsfw_figures_need_a_viewer_who_may() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    switch(&alice, json!({"nsfw_visibility": "show"})).await;
    let figure = add(&alice, "Quillon Vesper", json!({"is_nsfw": true})).await;
    let piece = own(&alice, &figure, json!({})).await;
    let catalogue = place_of(&figure);
    let personal = format!("/api/me/owned/{}/photos", id(&piece));
    let public = alice.upload(&catalogue, vec![jpeg(64, 48, 1)]).await.made()["items"][0].clone();
    let private = alice.upload(&personal, vec![jpeg(64, 48, 2)]).await.made()["items"][0].clone();
    pin(&alice, &piece, &private).await;
    let (public, private) = (public["url"].as_str().unwrap(), private["url"].as_str().unwrap());
    alice.put(&format!("{private}/shared"), json!({"shared": true})).await.ok();

    let nobody = app.visitor();
    nobody.get(&catalogue).await.refused(401, "not_signed_in");
    nobody.get(public).await.refused(401, "not_signed_in");
    nobody.get(private).await.refused(404, "photo_not_found");

    let ben = app.register("ben").await;
    for (wish, owner_shows, sees) in
        [("show", true, true), ("blur", true, true), ("hide", true, false), ("show", false, false)]
    {
        switch(&ben, json!({"nsfw_visibility": wish})).await;
        switch(&alice, json!({"public_profile_show_nsfw": owner_shows})).await;
        let got = ben.fetch(private).await;
        assert_eq!(got.status, if sees { 200 } else { 404 }, "{wish}, {owner_shows}");
        let got = ben.fetch(public).await;
        assert_eq!(got.status, if wish == "hide" { 403 } else { 200 }, "{wish}");
        if got.status == 200 {
            assert_eq!(got.header("cache-control"), "private, no-cache");
        }
    }
    switch(&ben, json!({"nsfw_visibility": "hide"})).await;
    ben.get(public).await.refused(403, "nsfw_gate");
    assert_eq!(ben.fetch(&format!("{public}?confirm_nsfw=true&size=320")).await.status, 200);
    assert_eq!(ben.get(&catalogue).await.ok(), json!({"is_nsfw": true, "nsfw_gate": true}));
    assert_eq!(ids(&ben.get(&format!("{catalogue}?confirm_nsfw=true")).await.ok()).len(), 1);

    switch(&alice, json!({"nsfw_visibility": "hide"})).await;
    assert_eq!(alice.get(&personal).await.ok()["nsfw_gate"], true);
    alice.get(private).await.refused(403, "nsfw_gate");
    assert_eq!(alice.fetch(&format!("{private}?confirm_nsfw=true")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_shown_nsfw_figures_uploads_no_pictures_of_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Quillon Vesper", json!({"is_nsfw": true})).await;
    let tame = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let piece = own(&alice, &figure, json!({})).await;
    let personal = format!("/api/me/owned/{}/photos", id(&piece));
    for wish in ["blur", "hide"] {
        switch(&alice, json!({"nsfw_visibility": wish})).await;
        for place in [&place_of(&figure), &personal] {
            alice.upload(place, vec![jpeg(64, 48, 1)]).await.refused(403, "nsfw_not_shown");
        }
        alice.upload(&place_of(&tame), vec![jpeg(64, 48, 1)]).await.made();
    }
    switch(&alice, json!({"nsfw_visibility": "show"})).await;
    let made = alice.upload(&personal, vec![jpeg(64, 48, 1)]).await.made();
    switch(&alice, json!({"nsfw_visibility": "blur"})).await;
    let photo = made["items"][0]["url"].as_str().unwrap();
    alice.replace(photo, jpeg(64, 48, 2)).await.refused(403, "nsfw_not_shown");
    alice.delete(photo).await.ok();
    let receipts = format!("/api/me/owned/{}/documents", id(&piece));
    alice.upload(&receipts, vec![b"%PDF-1.7 a".to_vec()]).await.made();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_erased_persons_pictures_but_what_they_gave_the_catalogue() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let (figure, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let given = alice.upload(&place_of(&figure), vec![jpeg(64, 48, 1)]).await.made();
    let made = alice.upload(&place, vec![jpeg(64, 48, 2)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    alice.put(&format!("{photo}/shared"), json!({"shared": true})).await.ok();
    pin(&alice, &piece, &made["items"][0]).await;
    let receipts = format!("/api/me/owned/{}/documents", id(&piece));
    alice.upload(&receipts, vec![b"%PDF-1.7 a".to_vec()]).await.made();
    assert_eq!(ben.fetch(photo).await.status, 200);
    let me = json!({"current_password": crate::support::PASSWORD});
    let gone = alice.send(reqwest::Method::DELETE, "/api/me", |request| request.json(&me)).await;
    assert!(gone.status.is_success(), "{}", gone.text);
    let gone = async || {
        let left: i64 = app
            .scalar("SELECT (SELECT count(*) FROM photos) + (SELECT count(*) FROM documents) + (SELECT count(*) FROM scans)")
            .await;
        left == 0
    };
    tokio::time::timeout(MOST, async {
        while !gone().await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    ben.get(photo).await.refused(404, "photo_not_found");
    assert_eq!(ben.fetch(given["items"][0]["url"].as_str().unwrap()).await.status, 200);
}
