use serde_json::{Value, json};

use crate::{
    seed::{self, Seed},
    support::{TestApp, TestClient},
};

async fn positions(client: &TestClient, query: &str) -> Vec<i64> {
    let page = client.get(&format!("/api/admin/events?{query}")).await.ok();
    page["items"].as_array().unwrap().iter().map(|event| event["position"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn only_admins_read_the_log() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/events").await.refused(status, code);
    }
}

#[tokio::test]
async fn events_are_shown_in_order_as_they_are_stored() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed.rename(mina, "Harbour Pilot Mina: Night Shift").await;
    let page = root.get("/api/admin/events").await.ok();
    let events = page["items"].as_array().unwrap();
    let types: Vec<&str> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["figure.catalogued", "figure.renamed"]);
    let (first, second) = (&events[0], &events[1]);
    assert!(first["position"].as_i64() < second["position"].as_i64());
    assert_eq!((&first["version"], &second["version"]), (&json!(1), &json!(2)));
    assert_eq!(first["stream_type"], "figure");
    assert_eq!(first["stream_id"], mina.to_string());
    assert_eq!(first["undecodable"], Value::Null);
    assert!(second["payload"].to_string().contains("Night Shift"), "{second}");
    assert!(first["metadata"]["command_id"].is_string(), "{first}");
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test]
async fn pages_follow_each_other_without_loss_or_repetition() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    for n in 0..7 {
        seed.figure(&format!("Figure {n}")).await;
    }
    let all = positions(&root, "limit=200").await;
    assert_eq!(all.len(), 7);
    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = root.get(&format!("/api/admin/events?limit=3&cursor={cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|event| event["position"].as_i64().unwrap()));
        next = page["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, all);
    assert_eq!(positions(&root, &format!("after={}", all[4])).await, all[5..]);
}

#[tokio::test]
async fn every_filter_lets_through_what_it_names() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let alice = app.register("alice").await;
    let alice_id = alice.get("/api/me").await.ok()["id"].as_str().unwrap().to_owned();
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    let by_alice = app.seed(Some(alice_id.parse().unwrap()));
    let (teapot, _) = by_alice.figure_at("Teapot Keeper Io").await;
    by_alice.rename(teapot, "Teapot Keeper Io, Again").await;
    let all = root.get("/api/admin/events").await.ok()["items"].clone();
    let at = |n: usize| all[n]["position"].as_i64().unwrap();
    let (first, second, third) = (at(0), at(1), at(2));
    let moment = |n: usize| all[n]["recorded_at"].as_str().unwrap();
    for (query, expected) in [
        (format!("stream_id={mina}"), vec![first]),
        (format!("stream_type=figure&stream_id={teapot}"), vec![second, third]),
        ("stream_type=claim".to_owned(), vec![]),
        ("event_type=figure.renamed".to_owned(), vec![third]),
        ("actor=alice".to_owned(), vec![second, third]),
        ("actor=ALICE&event_type=figure.catalogued".to_owned(), vec![second]),
        (format!("actor={alice_id}"), vec![second, third]),
        (format!("since={}", moment(2)), vec![third]),
        ("since=2000-01-01".to_owned(), vec![first, second, third]),
        ("until=2000-01-01".to_owned(), vec![]),
        (format!("until={}", moment(0)), vec![first]),
        (format!("since={}&until={}", moment(1), moment(1)), vec![second]),
        (format!("after={second}"), vec![third]),
        ("after=-5".to_owned(), vec![first, second, third]),
        ("after=9223372036854775807".to_owned(), vec![]),
    ] {
        assert_eq!(positions(&root, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn an_event_of_a_later_release_is_shown_all_the_same() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    let events = root.get("/api/admin/events").await.ok()["items"].clone();
    assert_eq!(events[1]["event_type"], "figure.sung_about");
    assert_eq!(events[1]["payload"], json!({"by": "a choir"}));
    assert!(events[1]["undecodable"].as_str().unwrap().contains("figure.sung_about"), "{events}");
}

#[tokio::test]
async fn filters_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    for (query, code, field) in [
        ("actor=nobody", "invalid_field", "actor"),
        ("actor=no+name", "invalid_field", "actor"),
        ("after=first", "invalid_field", "after"),
        ("since=yesterday", "invalid_field", "since"),
        ("until=2026-13-01T00:00:00Z", "invalid_field", "until"),
        ("limit=0", "invalid_field", "limit"),
        ("limit=201", "invalid_field", "limit"),
        ("cursor=rubbish", "invalid_cursor", "cursor"),
        ("type=figure", "unknown_parameter", "type"),
    ] {
        root.get(&format!("/api/admin/events?{query}")).await.refused_field(422, code, field);
    }
    root.get("/api/admin/events?stream_id=%00").await.refused(422, "invalid_field");
    root.get("/api/admin/events?stream_id=%ff").await.refused(400, "malformed_query");
}

#[tokio::test]
async fn the_seed_writes_beside_the_server() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let beside = Seed::at(&app.db.pool).await;
    let (_, position) = beside.figure_at("Harbour Pilot Mina").await;
    assert_eq!(positions(&root, "").await, [position.0]);
}
