//! What stands on the cards that others see, and on those that stand for several pieces.

use serde_json::{Value, json};

use super::{OFFICIAL, on_card, upload};
use crate::figures::{add, id};
use crate::profiles::{own, switch};
use crate::support::{TestApp, TestClient};

/// A piece of a figure, with a photo that is pinned as its cover, and maybe shared.
async fn pinned(client: &TestClient, figure: &Value, shade: u8, shared: bool) -> Value {
    let piece = own(client, figure, json!({})).await;
    let owned = format!("/api/me/owned/{}", id(&piece));
    let photo = upload(client, &format!("{owned}/photos"), shade).await;
    client.put(&format!("{owned}/cover"), json!({"photo_id": photo["id"]})).await.ok();
    let share = format!("{}/shared", photo["url"].as_str().unwrap());
    client.put(&share, json!({"shared": shared})).await.ok();
    photo
}

async fn shown(app: &TestApp, name: &str) -> TestClient {
    let client = app.register(name).await;
    let settings =
        json!({"public_profile": true, "public_profile_show_nsfw": true, "nsfw_visibility": "show"});
    switch(&client, settings).await;
    client
}

fn photo(of: &Value) -> (Option<&str>, Option<&str>) {
    (Some("photo"), of["id"].as_str())
}

fn catalogue(of: &Value) -> (Option<&str>, Option<&str>) {
    (Some("catalogue"), of["id"].as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_shows_what_is_shared_of_the_latest_piece_that_has_such() {
    let app = TestApp::new().await;
    let (alice, bob) = (shown(&app, "alice").await, shown(&app, "bob").await);
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let common = upload(&alice, &format!("/api/figures/{}/photos", id(&figure)), 1).await;
    own(&alice, &figure, json!({})).await;
    let card = async |client: &TestClient| {
        crate::profiles::settled(&app).await;
        client.get("/api/u/alice").await.ok()["pieces"]["items"][0].clone()
    };
    assert_eq!(on_card(&card(&bob).await), catalogue(&common));
    let first = pinned(&alice, &figure, 2, true).await;
    assert_eq!(on_card(&card(&bob).await), photo(&first));
    let hidden = pinned(&alice, &figure, 3, false).await;
    let seen = card(&bob).await;
    assert_eq!(on_card(&seen), photo(&first), "a later one is private");
    assert_eq!(seen["pieces"], 3);
    assert!(!seen.to_string().contains(id(&hidden)));
    let later = pinned(&alice, &figure, 4, true).await;
    for client in [&bob, &alice, &app.visitor()] {
        let seen = card(client).await;
        assert_eq!(on_card(&seen), photo(&later), "its owner sees what others see");
        assert_eq!(on_card(&seen["figure"]), catalogue(&common), "the figure goes on showing its own");
        let small = seen["cover"]["small_url"].as_str().unwrap();
        assert_eq!(client.fetch(small).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_shows_ones_own_pieces_as_one_sees_them_and_theirs_as_they_share_them() {
    let app = TestApp::new().await;
    let (alice, bob) = (shown(&app, "alice").await, shown(&app, "bob").await);
    let [both, hers, his, nsfw] = ["Ada", "Bea", "Cai", "Dee"];
    let both = add(&alice, both, json!({"official_image_url": OFFICIAL})).await;
    let (hers, his) = (add(&alice, hers, json!({})).await, add(&alice, his, json!({})).await);
    let nsfw = add(&alice, nsfw, json!({"is_nsfw": true})).await;
    let mine = pinned(&alice, &both, 1, false).await;
    let theirs = pinned(&bob, &both, 2, true).await;
    let only_mine = pinned(&alice, &hers, 3, false).await;
    let only_theirs = pinned(&bob, &his, 4, true).await;
    pinned(&alice, &nsfw, 5, false).await;
    let unseen = pinned(&bob, &nsfw, 6, true).await;
    let part = async |client: &TestClient, other: &str, part: &str| {
        crate::profiles::settled(&app).await;
        client.get(&format!("/api/compare/{other}?part={part}")).await.ok()
    };
    let all = part(&alice, "bob", "both").await;
    assert_eq!(on_card(&all["items"][0]), photo(&mine));
    assert_eq!(on_card(&all["items"][0]["figure"]).0, Some("official"));
    let of_bob = part(&bob, "alice", "both").await;
    assert_eq!(on_card(&of_bob["items"][0]), photo(&theirs), "each sees their own first");
    let own = part(&alice, "bob", "only_me").await;
    assert_eq!(on_card(&own["items"][0]), photo(&only_mine));
    let other = part(&alice, "bob", "only_them").await;
    assert_eq!(on_card(&other["items"][0]), photo(&only_theirs));
    let missing = part(&bob, "alice", "only_them").await;
    assert_eq!(
        on_card(&missing["items"][0]),
        (None, None),
        "hers is private, and nothing stands for the figure"
    );

    // As if theirs were not there: nothing of it is told where only one's own is listed.
    switch(&bob, json!({"public_profile_show_nsfw": false})).await;
    let now = part(&alice, "bob", "only_me").await;
    assert_eq!(now["items"].as_array().unwrap().len(), 2);
    assert!(!now.to_string().contains(id(&unseen)), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_for_other_servers_shows_the_same_picture_as_the_card() {
    let app = TestApp::with(&[("PUBLIC_URL", "http://figures.example")]).await;
    let plain = TestApp::new().await;
    for (app, base) in [(&app, "http://figures.example"), (&plain, "")] {
        let alice = shown(app, "alice").await;
        let more = |is_nsfw: bool| json!({"series": ["Tides"], "is_nsfw": is_nsfw, "official_image_url": OFFICIAL, "figure_type": "scale"});
        let figure = add(&alice, "Ada", more(false)).await;
        let daring = add(&alice, "Bea", more(true)).await;
        alice.patch("/api/series/tides", json!({"mal_id": 21})).await.ok();
        let images = async || {
            let found = app.visitor().get("/api/public/figures/by-mal/21?nsfw=1").await.ok();
            let figures = found["figures"].as_array().unwrap().clone();
            figures.iter().map(|one| one["image"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        assert_eq!(images().await, [OFFICIAL, OFFICIAL], "the maker's own while there is no other");
        upload(&alice, &format!("/api/figures/{}/photos", id(&figure)), 1).await;
        let primary = upload(&alice, &format!("/api/figures/{}/photos", id(&figure)), 2).await;
        let url = primary["url"].as_str().unwrap();
        alice.post(&format!("{url}/primary"), json!({})).await.ok();
        upload(&alice, &format!("/api/figures/{}/photos", id(&daring)), 3).await;
        let now = images().await;
        assert_eq!(now[0], format!("{base}{url}?size=960"));
        assert_eq!(now[1], OFFICIAL, "those of NSFW figures need an account");
        let got = app.visitor().fetch(now[0].strip_prefix(base).unwrap()).await;
        assert_eq!((got.status, got.header("content-type")), (200, "image/webp"));
        assert_eq!(got.header("cross-origin-resource-policy"), "cross-origin", "pages elsewhere show it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_in_review_shows_what_is_pinned() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Ada", json!({})).await;
    let mine = pinned(&alice, &figure, 1, false).await;
    let year = chrono::Datelike::year(&chrono::Utc::now());
    crate::profiles::settled(&app).await;
    let review = alice.get(&format!("/api/me/year-in-review/{year}")).await.ok();
    assert_eq!(on_card(&review["first_acquired"]), photo(&mine));
}
