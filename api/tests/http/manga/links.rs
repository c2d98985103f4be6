use serde_json::{Value, json};

use super::{Shelves, age, approve, at_home, figure, link, number, proposed, reader, revoke};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_one_server_and_one_slug_that_can_be_one() {
    let app = TestApp::new().await;
    let (alice, root) = (app.register("alice").await, app.register_admin("root").await);
    let path = "/api/me/manga-link";
    for answer in [app.visitor().get(path).await, app.visitor().delete(path).await] {
        answer.refused(401, "not_signed_in");
    }
    alice.get(path).await.refused(404, "manga_not_linked");
    alice.delete(path).await.refused(404, "manga_not_linked");
    alice.post(&format!("{path}/refresh"), json!({})).await.refused(404, "manga_not_linked");
    let id = proposed(&alice, "https://a.example").await;
    let put =
        async |server: &str, slug: &str| alice.put(path, json!({"server_id": server, "slug": slug})).await;
    for bad in ["", ".", "..", "../admin", "a/b", "a?b", "a%2fb", "a b", "é", "-a", &"a".repeat(65)] {
        put(&id, bad).await.refused_field(422, "invalid_field", "slug");
    }
    let nowhere = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01";
    put(nowhere, "alice").await.refused_field(404, "manga_server_not_found", "server_id");
    put("x", "alice").await.refused_field(422, "invalid_field", "server_id");
    let linked = put(&id, "Alice.s-Shelf_1").await.ok();
    assert_eq!((&linked["slug"], &linked["server"]["id"]), (&json!("Alice.s-Shelf_1"), &json!(id)));
    assert_eq!((&linked["fetched_at"], &linked["is_fresh"]), (&Value::Null, &json!(false)));
    assert_eq!(alice.get(path).await.ok(), linked);
    revoke(&root, &id, "It lies").await;
    let refused = put(&id, "alice").await.refused_field(409, "manga_server_revoked", "server_id");
    assert!(refused["detail"].as_str().unwrap().contains("It lies"));
    assert_eq!(alice.get(path).await.ok()["server"]["status"], "revoked", "the old link stays");
    alice.delete(path).await.ok();
    alice.get(path).await.refused(404, "manga_not_linked");
    app.register("bob").await.get(path).await.refused(404, "manga_not_linked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_pending_server_sleeps_until_it_is_approved() {
    let (app, shelves) = (at_home(&[]).await, Shelves::open().await);
    let (alice, root) = (app.register("alice").await, app.register_admin("root").await);
    shelves.show("alice", json!([{"mal_id": 21}]));
    let id = proposed(&alice, &shelves.url()).await;
    link(&alice, &id, "alice").await;
    let asleep = alice.get("/api/me/crossings").await.ok();
    assert_eq!((&asleep["state"], &asleep["fetched_at"]), (&json!("asleep"), &Value::Null));
    let refused = alice.post("/api/me/manga-link/refresh", json!({})).await.refused(409, "manga_link_asleep");
    assert_eq!(refused["server_status"], "pending");
    root.post("/api/admin/jobs/manga_sync/run", json!({})).await.ok();
    database::testing::eventually("the job has run", async || {
        root.get("/api/admin/jobs/manga_sync").await.ok()["latest"]["state"] == "succeeded"
    })
    .await;
    assert_eq!(shelves.asked(), 0);
    approve(&root, &id).await;
    assert_eq!(alice.get("/api/me/crossings").await.ok()["state"], "fresh");
    assert_eq!(shelves.asked(), 1);
    revoke(&root, &id, "Enough").await;
    age(&app, 30).await;
    let revoked = alice.get("/api/me/crossings").await.ok();
    assert_eq!((&revoked["state"], revoked["fetched_at"].is_string()), (&json!("revoked"), true));
    alice.post("/api/me/manga-link/refresh", json!({})).await.refused(409, "manga_link_asleep");
    assert_eq!(shelves.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_is_read_once_a_day_or_when_one_asks_for_it() {
    let (app, shelves) = (at_home(&[]).await, Shelves::open().await);
    let root = app.register_admin("root").await;
    shelves.show("mina", json!([{"mal_id": 21}, {"mal_id": -4}]));
    let mina = reader(&app, &root, &shelves, "mina").await;
    for _ in 0..3 {
        assert_eq!(mina.get("/api/me/crossings").await.ok()["state"], "fresh");
    }
    assert_eq!(shelves.asked(), 1);
    let linked = mina.get("/api/me/manga-link").await.ok();
    assert_eq!((&linked["series_count"], &linked["passed_over"]), (&json!(1), &json!(1)));
    age(&app, 23).await;
    mina.get("/api/me/crossings").await.ok();
    assert_eq!(shelves.asked(), 1);
    shelves.show("mina", json!([{"mal_id": 21}, {"mal_id": 22}]));
    let refreshed = mina.post("/api/me/manga-link/refresh", json!({})).await.ok();
    assert_eq!((&refreshed["series_count"], &refreshed["is_fresh"]), (&json!(2), &json!(true)));
    assert_eq!(shelves.asked(), 2);
    age(&app, 25).await;
    assert_eq!(mina.get("/api/me/manga-link").await.ok()["is_fresh"], false);
    assert_eq!(shelves.asked(), 2, "looking at the link asks nobody");
    mina.get("/api/me/crossings").await.ok();
    assert_eq!(shelves.asked(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_server_is_down_what_was_read_is_shown_with_its_date() {
    let (app, shelves) = (at_home(&[]).await, Shelves::open().await);
    let root = app.register_admin("root").await;
    shelves.show("mina", json!([{"mal_id": 21}]));
    shelves.break_down(Some(503));
    let mina = reader(&app, &root, &shelves, "mina").await;
    let nothing = mina.get("/api/me/crossings").await.ok();
    assert_eq!(
        (&nothing["state"], &nothing["failure"]["code"]),
        (&json!("unavailable"), &json!("unexpected_status"))
    );
    assert_eq!((&nothing["series"], &nothing["figures"]), (&json!([]), &json!([])));
    mina.get("/api/me/crossings").await.ok();
    assert_eq!(shelves.asked(), 1, "a server that is down is left alone for ten minutes");
    let refused =
        mina.post("/api/me/manga-link/refresh", json!({})).await.refused(502, "manga_server_failed");
    assert_eq!(refused["reason"], "unexpected_status");
    assert_eq!(mina.get("/api/me/manga-link").await.ok()["failure"]["code"], "unexpected_status");
    shelves.break_down(None);
    mina.post("/api/me/manga-link/refresh", json!({})).await.ok();
    figure(&mina, "Mina", &["Tides"], false).await;
    number(&mina, "tides", 21).await;
    let fresh = mina.get("/api/me/crossings").await.ok();
    assert_eq!((&fresh["state"], &fresh["failure"]), (&json!("fresh"), &Value::Null));
    shelves.break_down(Some(500));
    age(&app, 48).await;
    let kept = mina.get("/api/me/crossings").await.ok();
    assert_eq!((&kept["state"], &kept["failure"]["code"]), (&json!("kept"), &json!("unexpected_status")));
    assert_eq!(kept["figures"], fresh["figures"]);
    let age = chrono::Utc::now()
        - kept["fetched_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(age.num_hours(), 48);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_has_others_asked_ten_times_at_once() {
    let (app, shelves) = (at_home(&[("RATE_LIMIT_ENABLED", "true")]).await, Shelves::open().await);
    let root = app.register_admin("root").await;
    shelves.show("mina", json!([]));
    let mina = reader(&app, &root, &shelves, "mina").await;
    // What is asked for at the same time is asked once, and counts for each.
    let asking = (0..10).map(|_| mina.post("/api/me/manga-link/refresh", json!({})));
    for answer in futures::future::join_all(asking).await {
        assert!(matches!(answer.status.as_u16(), 200 | 502), "{}", answer.text);
    }
    let before = shelves.asked();
    let refused = mina.post("/api/me/manga-link/refresh", json!({})).await;
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    refused.refused(429, "too_many_lookups");
    age(&app, 25).await;
    let kept = mina.get("/api/me/crossings").await.ok();
    assert_eq!((&kept["state"], &kept["failure"]["code"]), (&json!("kept"), &json!("too_many_lookups")));
    assert_eq!(shelves.asked(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_says_how_far_one_is_with_its_series_and_asks_nobody() {
    let (app, shelves) = (at_home(&[]).await, Shelves::open().await);
    let (root, alice) = (app.register_admin("root").await, app.register("alice").await);
    let on_the_shelf =
        json!({"mal_id": 21, "name": "Tides", "volumes": 12, "volumes_owned": 7, "read_percent": 58});
    shelves.show("mina", json!([on_the_shelf, {"mal_id": 30, "name": "Nightfall", "is_adult": true}]));
    let (_, tides) = figure(&alice, "Mina", &["Unheard Of", "Tides"], false).await;
    let (_, night) = figure(&alice, "Nyx", &["Nightfall"], false).await;
    let (_, other) = figure(&alice, "Oriel", &["Choir"], false).await;
    for (series, mal_id) in [("tides", 21), ("nightfall", 30), ("choir", 99)] {
        number(&alice, series, mal_id).await;
    }
    let mina = reader(&app, &root, &shelves, "mina").await;
    let manga = async |who: &crate::support::TestClient, id: &str| {
        who.get(&format!("/api/figures/{id}")).await.ok()["manga"].clone()
    };
    assert_eq!(manga(&mina, &tides).await, Value::Null, "nothing was read yet");
    assert_eq!(shelves.asked(), 0);
    mina.get("/api/me/crossings").await.ok();
    age(&app, 40).await;
    let badge = manga(&mina, &tides).await;
    assert_eq!((&badge["mal_id"], &badge["read_percent"]), (&json!(21), &json!(58)));
    assert_eq!((&badge["volumes_owned"], &badge["volumes"]), (&json!(7), &json!(12)));
    assert!(badge["fetched_at"].is_string());
    assert_eq!(manga(&mina, &other).await, Value::Null);
    assert_eq!(manga(&mina, &night).await["is_adult"], true);
    mina.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    assert_eq!(manga(&mina, &night).await, Value::Null);
    assert_eq!(manga(&alice, &tides).await, Value::Null, "the shelf is somebody else's");
    assert_eq!(shelves.asked(), 1, "no figure's page asks anybody");
    let server = mina.get("/api/me/manga-link").await.ok()["server"]["id"].as_str().unwrap().to_owned();
    revoke(&root, &server, "Enough").await;
    assert_eq!(manga(&mina, &tides).await, Value::Null);
}
