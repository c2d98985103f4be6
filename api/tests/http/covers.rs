//! `PUT /api/me/owned/{id}/cover`, and what stands on cards.

mod elsewhere;

use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::forms::jpeg;
use crate::profiles::own;
use crate::support::{TestApp, TestClient};

const OFFICIAL: &str = "https://maker.example/mina.jpg";

async fn upload(client: &TestClient, place: &str, shade: u8) -> Value {
    client.upload(place, vec![jpeg(400, 300, shade)]).await.made()["items"][0].clone()
}

/// Where the card of a piece comes from, and of which picture.
fn on_card(card: &Value) -> (Option<&str>, Option<&str>) {
    (card["cover"]["source"].as_str(), card["cover"]["id"].as_str())
}

struct Scene {
    alice: TestClient,
    figure: Value,
    piece: String,
    owned: String,
    photos: String,
    catalogue: String,
}

async fn scene(app: &TestApp) -> Scene {
    let alice = app.register("alice").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let piece = own(&alice, &figure, json!({"location": "Vitrine"})).await;
    let owned = format!("/api/me/owned/{}", id(&piece));
    Scene {
        photos: format!("{owned}/photos"),
        catalogue: format!("/api/figures/{}/photos", id(&figure)),
        piece: id(&piece).to_owned(),
        owned,
        alice,
        figure,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_shows_the_first_that_there_is() {
    let app = TestApp::new().await;
    let Scene { alice, figure, owned, photos, catalogue, .. } = scene(&app).await;
    let card = async || alice.get(&owned).await.ok();
    assert_eq!(card().await["cover"], Value::Null, "a placeholder");

    let entry = format!("/api/figures/{}", id(&figure));
    alice.patch(&entry, json!({"official_image_url": OFFICIAL})).await.ok();
    let official = card().await;
    assert_eq!((on_card(&official).0, official["cover"]["url"].as_str()), (Some("official"), Some(OFFICIAL)));

    let first = upload(&alice, &catalogue, 1).await;
    let second = upload(&alice, &catalogue, 2).await;
    assert_eq!(on_card(&card().await), (Some("catalogue"), first["id"].as_str()), "the first by position");
    alice.post(&format!("{}/primary", second["url"].as_str().unwrap()), json!({})).await.ok();
    assert_eq!(on_card(&card().await), (Some("catalogue"), second["id"].as_str()), "the primary one");

    let mine = upload(&alice, &photos, 3).await;
    assert_eq!(on_card(&card().await).0, Some("catalogue"), "only what is pinned counts");
    let pinned = alice.put(&format!("{owned}/cover"), json!({"photo_id": mine["id"]})).await.ok();
    assert_eq!(on_card(&pinned), (Some("photo"), mine["id"].as_str()));
    assert_eq!(pinned["cover_photo_id"], mine["id"]);
    for size in ["url", "small_url", "large_url"] {
        assert_eq!(alice.fetch(pinned["cover"][size].as_str().unwrap()).await.status, 200, "{size}");
    }
    assert_eq!(
        (pinned["cover"]["width"].clone(), pinned["cover"]["height"].clone()),
        (json!(400), json!(300))
    );
    assert_eq!(pinned["cover"]["blurhash"], mine["blurhash"]);

    alice.delete(mine["url"].as_str().unwrap()).await.ok();
    let after = card().await;
    assert_eq!(on_card(&after), (Some("catalogue"), second["id"].as_str()), "removing it unpins it");
    assert_eq!(after["cover_photo_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_card_of_ones_own_shows_the_same() {
    let app = TestApp::new().await;
    let Scene { alice, figure, piece, owned, photos, catalogue } = scene(&app).await;
    let shown = upload(&alice, &catalogue, 1).await;
    let mine = upload(&alice, &photos, 2).await;
    alice.put(&format!("{owned}/cover"), json!({"photo_id": mine["id"]})).await.ok();
    let other = add(&alice, "Teapot Keeper Io", json!({})).await;
    let ordered = alice.post("/api/me/preorders", json!({"figure_id": id(&other)})).await.made();
    let its_piece = ordered["owned_item_id"].as_str().unwrap();
    let of_order = upload(&alice, &format!("/api/me/owned/{its_piece}/photos"), 3).await;
    let pin = json!({"photo_id": of_order["id"]});
    alice.put(&format!("/api/me/owned/{its_piece}/cover"), pin).await.ok();

    let (photo, catalogues) =
        ((Some("photo"), mine["id"].as_str()), (Some("catalogue"), shown["id"].as_str()));
    let list = alice.get("/api/me/owned").await.ok();
    let listed = list["items"].as_array().unwrap().iter().find(|one| one["id"] == piece.as_str()).unwrap();
    assert_eq!(on_card(listed), photo);
    assert_eq!(on_card(&listed["figure"]), catalogues, "the figure itself goes on showing its own");
    assert_eq!(on_card(&alice.get("/api/me/cote/pieces").await.ok()["items"][0]), photo);
    let orders = alice.get("/api/me/preorders").await.ok();
    assert_eq!(on_card(&orders["items"][0]), (Some("photo"), of_order["id"].as_str()));
    for of_figure in [
        alice.get("/api/figures?q=mina").await.ok()["items"][0].clone(),
        alice.get(&format!("/api/figures/{}", id(&figure))).await.ok(),
    ] {
        assert_eq!(on_card(&of_figure), catalogues);
    }
    let wished = add(&alice, "Lantern Keeper Aya", json!({})).await;
    let of_wish = upload(&alice, &format!("/api/figures/{}/photos", id(&wished)), 4).await;
    alice.put(&format!("/api/me/wishlist/{}", id(&wished)), json!({})).await.made();
    let wishes = alice.get("/api/me/wishlist").await.ok();
    assert_eq!(on_card(&wishes["items"][0]["figure"]), (Some("catalogue"), of_wish["id"].as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_cover_never_reaches_others_unless_it_is_shared() {
    let app = TestApp::new().await;
    let Scene { alice, owned, photos, catalogue, .. } = scene(&app).await;
    let shown = upload(&alice, &catalogue, 1).await;
    let mine = upload(&alice, &photos, 2).await;
    alice.put(&format!("{owned}/cover"), json!({"photo_id": mine["id"]})).await.ok();
    let cabinet = alice.post("/api/me/locations", json!({"name": "Vitrine"})).await.made();
    let link = alice.post(&format!("/api/me/locations/{}/share", id(&cabinet)), json!({})).await.made();
    let link = format!("/api/v/{}", link["token"].as_str().unwrap());
    let (ben, nobody) = (app.register("ben").await, app.visitor());
    let see = async |client: &TestClient| client.get(&link).await.ok()["items"][0].clone();
    for client in [&ben, &nobody, &alice] {
        let card = see(client).await;
        assert_eq!(on_card(&card), (Some("catalogue"), shown["id"].as_str()), "{card}");
        assert!(!card.to_string().contains(mine["id"].as_str().unwrap()));
    }
    let url = mine["url"].as_str().unwrap();
    alice.put(&format!("{url}/shared"), json!({"shared": true})).await.ok();
    for client in [&ben, &nobody] {
        let card = see(client).await;
        assert_eq!(on_card(&card), (Some("photo"), mine["id"].as_str()), "{card}");
        assert_eq!(client.fetch(card["cover"]["small_url"].as_str().unwrap()).await.status, 200);
    }
    alice.put(&format!("{url}/shared"), json!({"shared": false})).await.ok();
    assert_eq!(on_card(&see(&nobody).await).0, Some("catalogue"));
    nobody.get(url).await.refused(404, "photo_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cover_belongs_to_that_very_piece() {
    let app = TestApp::new().await;
    let Scene { alice, figure, owned, photos, catalogue, .. } = scene(&app).await;
    let twin = own(&alice, &figure, json!({})).await;
    let of_twin = upload(&alice, &format!("/api/me/owned/{}/photos", id(&twin)), 1).await;
    let of_catalogue = upload(&alice, &catalogue, 2).await;
    let mine = upload(&alice, &photos, 3).await;
    let cover = format!("{owned}/cover");
    for other in [&of_twin, &of_catalogue] {
        let pin = json!({"photo_id": other["id"]});
        alice.put(&cover, pin).await.refused_field(404, "photo_not_found", "photo_id");
    }
    let scan = json!({"scan_id": mine["id"]});
    alice.put(&cover, scan).await.refused_field(404, "scan_not_found", "scan_id");
    let both = json!({"photo_id": mine["id"], "scan_id": mine["id"]});
    alice.put(&cover, both).await.refused_field(422, "invalid_field", "scan_id");
    alice.put(&cover, json!({"photo": mine["id"]})).await.refused(422, "unknown_field");

    let pin = json!({"photo_id": mine["id"]});
    let seen = alice.get(&owned).await.header("etag").to_owned();
    alice.put(&cover, pin.clone()).await.ok();
    let stale = alice
        .send(reqwest::Method::PUT, &cover, |request| request.header("if-match", &seen).json(&json!({})))
        .await;
    stale.refused(412, "stale_version");
    assert_eq!(alice.put(&cover, json!({"photo_id": null})).await.ok()["cover_photo_id"], Value::Null);
    app.visitor().put(&cover, pin).await.refused(401, "not_signed_in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pinned_at_some_time_is_shown_of_that_time_while_it_is_there() {
    let app = TestApp::new().await;
    let Scene { alice, owned, photos, .. } = scene(&app).await;
    let (one, other) = (upload(&alice, &photos, 1).await, upload(&alice, &photos, 2).await);
    let cover = format!("{owned}/cover");
    let pinned = alice.put(&cover, json!({"photo_id": one["id"]})).await;
    let then = pinned.header("x-event-position").to_owned();
    alice.put(&cover, json!({"photo_id": other["id"]})).await.ok();
    let past = format!("{owned}?as_of={then}");
    assert_eq!(on_card(&alice.get(&past).await.ok()), (Some("photo"), one["id"].as_str()));
    alice.delete(one["url"].as_str().unwrap()).await.ok();
    assert_eq!(on_card(&alice.get(&past).await.ok()), (None, None), "pictures are those of today");
}
