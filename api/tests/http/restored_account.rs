//! What a backup brings back of the account: how its owner is told of things, the manga shelf, pinned covers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    exports::{backup, client_dry_run, essence, restore},
    forms::{form, png},
    manga::{approve, link, proposed, revoke},
    owned::{events, figure, id, own},
    support::{TestApp, TestClient},
};

const SHELF: &str = "https://manga.example";

async fn link_of(client: &TestClient) -> Value {
    client.get("/api/me/manga-link").await.ok()
}

#[tokio::test]
async fn a_link_to_a_manga_shelf_comes_back_once_and_never_over_another_one() {
    let app = TestApp::new().await;
    let (alice, ben, cleo) =
        (app.register("alice").await, app.register("ben").await, app.register("cleo").await);
    let root = app.register_admin("root").await;
    assert_eq!(backup(&alice).await["manga_link"], Value::Null);
    let server = proposed(&alice, SHELF).await;
    approve(&root, &server).await;
    link(&alice, &server, "Alice.s-shelf").await;
    let taken = backup(&alice).await;
    assert_eq!(taken["manga_link"], json!({"base_url": SHELF, "slug": "Alice.s-shelf"}));

    assert_eq!(client_dry_run(&ben, &taken).await["manga_link"], "linked");
    ben.get("/api/me/manga-link").await.refused(404, "manga_not_linked");
    assert_eq!(restore(&ben, &taken).await.ok()["manga_link"], "linked");
    let (his, hers) = (link_of(&ben).await, link_of(&alice).await);
    assert_eq!((&his["slug"], &his["server"]["id"]), (&hers["slug"], &hers["server"]["id"]));
    assert_eq!(essence(&backup(&ben).await), essence(&taken));
    assert_eq!(restore(&ben, &taken).await.ok()["manga_link"], "kept");
    link(&cleo, &server, "cleo").await;
    assert_eq!(restore(&cleo, &taken).await.ok()["manga_link"], "kept");
    assert_eq!(link_of(&cleo).await["slug"], "cleo");

    revoke(&root, &server, "It lies").await;
    let dora = app.register("dora").await;
    assert_eq!(client_dry_run(&dora, &taken).await["manga_link"], "revoked");
    assert_eq!(restore(&dora, &taken).await.ok()["manga_link"], "revoked");
    dora.get("/api/me/manga-link").await.refused(404, "manga_not_linked");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM manga_servers").await, 1);
}

#[tokio::test]
async fn a_server_that_is_not_known_elsewhere_is_proposed_there_as_anybody_would() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mut taken = backup(&alice).await;
    taken["manga_link"] = json!({"base_url": "HTTPS://Manga.Example:443/", "slug": "alice"});
    assert_eq!(client_dry_run(&alice, &taken).await["manga_link"], "linked");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM manga_servers").await, 0, "nothing is done yet");
    assert_eq!(restore(&alice, &taken).await.ok()["manga_link"], "linked");
    let linked = link_of(&alice).await;
    assert_eq!(
        (&linked["server"]["base_url"], &linked["server"]["status"], &linked["server"]["is_mine"]),
        (&json!(SHELF), &json!("pending"), &json!(true))
    );
    // A file opens no way to where nobody may send this server.
    let ben = app.register("ben").await;
    for private in ["http://127.0.0.1:9000", "http://10.1.2.3", "http://[::1]"] {
        taken["manga_link"]["base_url"] = json!(private);
        assert_eq!(restore(&ben, &taken).await.ok()["manga_link"], "not_allowed", "{private}");
    }
    for n in 0..10 {
        proposed(&ben, &format!("https://m{n}.example")).await;
    }
    taken["manga_link"]["base_url"] = json!("https://eleventh.example");
    assert_eq!(restore(&ben, &taken).await.ok()["manga_link"], "too_many_proposals");
    ben.get("/api/me/manga-link").await.refused(404, "manga_not_linked");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM manga_servers").await, 11);
}

#[tokio::test]
async fn quiet_hours_digest_and_routing_come_back_and_no_destination_does() {
    let app = TestApp::new().await;
    let (alice, ben, cleo) =
        (app.register("alice").await, app.register("ben").await, app.register("cleo").await);
    let root = app.register_admin("root").await;
    root.put("/api/admin/notifications/channels/webhook", json!({"enabled": true})).await.ok();
    let secret = json!({"url": "https://hooks.example/very-secret"});
    alice.put("/api/me/notifications/channels/webhook", secret).await.ok();
    let (routing, settings) = ("/api/me/notifications/routing", "/api/me/notifications/settings");
    alice.put(routing, json!({"wishlist_back_in_stock": {"webhook": true}})).await.ok();
    let quiet = json!({"quiet_hours": {"from": "22:00", "until": "07:30"}, "digest_at": "08:15"});
    alice.put(settings, quiet).await.ok();
    let taken = backup(&alice).await;
    assert!(!taken.to_string().contains("very-secret"), "{taken}");

    assert_eq!(restore(&ben, &taken).await.ok()["settings"], true);
    for path in [routing, settings] {
        assert_eq!(ben.get(path).await.ok(), alice.get(path).await.ok(), "{path}");
    }
    assert_eq!(essence(&backup(&ben).await), essence(&taken));
    // Whoever has something here has chosen already.
    let mina = figure(&app, "Mina").await;
    own(&cleo, &mina, json!({})).await;
    assert_eq!(restore(&cleo, &taken).await.ok()["settings"], false);
    assert_eq!(cleo.get(settings).await.ok(), json!({"quiet_hours": null, "digest_at": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_cover_comes_back_once_its_piece_has_pictures_again() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let (mina, rin) = (figure(&app, "Mina").await, figure(&app, "Rin").await);
    let photographed = id(&own(&alice, &mina, json!({})).await).to_owned();
    let scanned = id(&own(&alice, &rin, json!({})).await).to_owned();
    own(&alice, &rin, json!({"notes": "plain"})).await;
    let fill = async |client: &TestClient, photographed: &str, scanned: &str| {
        let photos = format!("/api/me/owned/{photographed}/photos");
        let made = client.upload(&photos, vec![png(8, 8, 1), png(8, 8, 2)]).await.made();
        let mut scans = Vec::new();
        for shade in [3, 4] {
            let path = format!("/api/me/owned/{scanned}/scans");
            let frames = form("frame", vec![png(8, 8, shade)]);
            scans.push(client.send(Method::POST, &path, |request| request.multipart(frames)).await.made());
        }
        (made["items"][1]["id"].clone(), scans[1]["id"].clone())
    };
    let (photo, scan) = fill(&alice, &photographed, &scanned).await;
    alice.put(&format!("/api/me/owned/{photographed}/cover"), json!({"photo_id": photo})).await.ok();
    alice.put(&format!("/api/me/owned/{scanned}/cover"), json!({"scan_id": scan})).await.ok();
    let taken = backup(&alice).await;
    let covers: Vec<&Value> =
        taken["pieces"].as_array().unwrap().iter().map(|piece| &piece["cover"]).collect();
    let (second_photo, second_scan) =
        (json!({"kind": "photo", "place": 1}), json!({"kind": "scan", "place": 1}));
    assert_eq!(covers, [&second_photo, &second_scan, &Value::Null]);

    let restored = restore(&ben, &taken).await.ok();
    assert_eq!(restored["covers"], json!({"new": 0, "known": 0, "without_picture": 2}));
    let pieces = ben.get("/api/me/owned?sort=added").await.ok()["items"].clone();
    let his = |of: &str| {
        let mut all = pieces.as_array().unwrap().iter();
        let found = all.find(|piece| piece["figure_id"] == of && piece["notes"] == Value::Null);
        id(found.unwrap()).to_owned()
    };
    let (his_photographed, his_scanned) = (his(&mina), his(&rin));
    let (photo, scan) = fill(&ben, &his_photographed, &his_scanned).await;
    let rehearsed = client_dry_run(&ben, &taken).await;
    assert_eq!(rehearsed["covers"], json!({"new": 2, "known": 0, "without_picture": 0}));
    let restored = restore(&ben, &taken).await.ok();
    assert_eq!(restored["covers"], json!({"new": 2, "known": 0, "without_picture": 0}));
    let cover =
        async |piece: &str, name: &str| ben.get(&format!("/api/me/owned/{piece}")).await.ok()[name].clone();
    assert_eq!(cover(&his_photographed, "cover_photo_id").await, photo);
    assert_eq!(cover(&his_scanned, "cover_scan_id").await, scan);
    assert_eq!(essence(&backup(&ben).await), essence(&taken));
    let before = events(&app).await;
    let again = restore(&ben, &taken).await.ok();
    assert_eq!(again["covers"], json!({"new": 0, "known": 2, "without_picture": 0}));
    assert_eq!(events(&app).await, before, "twice adds nothing");
}
