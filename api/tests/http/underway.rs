//! Imports that tell how far they are, for whoever asks for events.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    imports::EXPORT,
    owned::{figure, own},
    support::{Answer, TestApp, TestClient},
};

async fn followed(client: &TestClient, path: &str, kind: &str, body: String) -> Answer {
    let headers = [("content-type", kind), ("accept", "text/event-stream")];
    client
        .send(Method::POST, path, |request| {
            headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)).body(body)
        })
        .await
}

/// What was told, in order: the name of each event, its data and its id.
fn events(answer: &Answer) -> Vec<(String, Value, Option<i64>)> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    answer
        .text
        .split("\n\n")
        .filter(|event| event.contains("event:"))
        .map(|event| {
            let data = serde_json::from_str(&field(event, "data:").unwrap()).unwrap();
            let id = field(event, "id:").map(|id| id.parse().unwrap());
            (field(event, "event:").unwrap(), data, id)
        })
        .collect()
}

/// Takes the steps apart from the end: each is further than the one before, and the last is all of it.
fn steps(events: &[(String, Value, Option<i64>)]) -> (Vec<i64>, i64) {
    let (_, steps) = events.split_last().unwrap();
    assert!(steps.iter().all(|(name, ..)| name == "progress"), "{steps:?}");
    let done: Vec<i64> = steps.iter().map(|(_, data, _)| data["done"].as_i64().unwrap()).collect();
    let total = steps.last().unwrap().1["total"].as_i64().unwrap();
    assert!(done.is_sorted() && done.last() == Some(&total), "{done:?} of {total}");
    (done, total)
}

#[tokio::test]
async fn a_backup_tells_how_far_it_is_and_then_what_became_of_it() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = figure(&app, "Mina").await;
    for _ in 0..150 {
        own(&alice, &mina, json!({})).await;
    }
    let taken = alice.get("/api/me/export/backup.json").await.text;
    let path = "/api/me/import/backup";
    let dry = followed(&ben, &format!("{path}?dry_run=true"), "application/json", taken.clone()).await;
    let rehearsed = events(&dry);
    assert_eq!(steps(&rehearsed).1, 150);
    let (name, body, id) = rehearsed.last().unwrap();
    assert_eq!((name.as_str(), &body["dry_run"], id), ("finished", &json!(true), &None));
    assert_eq!(ben.get("/api/me/cote").await.ok()["pieces_total"], 0);

    let told = followed(&ben, path, "application/json", taken).await;
    let told = events(&told);
    assert_eq!(steps(&told).1, 300, "rehearsed and then appended");
    let (name, body, id) = told.last().unwrap();
    assert_eq!((name.as_str(), &body["pieces"]), ("finished", &json!({"new": 150, "known": 0})));
    let head = app.state.store.head().await.unwrap();
    assert_eq!(*id, Some(head.0), "the position that shows it");
    assert_eq!(ben.get("/api/me/cote").await.ok()["pieces_total"], 150);
}

#[tokio::test]
async fn an_export_tells_how_far_it_is_and_then_every_rows_fate() {
    let app = TestApp::new().await;
    let anna = app.register("anna").await;
    let answer = followed(&anna, "/api/me/import/mfc", "text/csv", EXPORT.to_owned()).await;
    let told = events(&answer);
    assert_eq!(steps(&told).1, 3);
    let (name, body, id) = told.last().unwrap();
    assert_eq!((name.as_str(), body["items"].as_array().unwrap().len()), ("finished", 3));
    assert!(id.is_some());
    assert_eq!(anna.get("/api/me/owned?state=owned").await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_found_wrong_on_the_way_is_told_as_an_event_and_what_is_wrong_before_as_ever() {
    let app = TestApp::new().await;
    let anna = app.register("anna").await;
    for (path, kind, code) in [
        ("/api/me/import/backup", "application/json", "not_a_backup"),
        ("/api/me/import/mfc", "text/csv", "not_an_export"),
    ] {
        let told = events(&followed(&anna, path, kind, "{\"a\":1}".to_owned()).await);
        let [(name, problem, None)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            (name.as_str(), &problem["code"], &problem["status"]),
            ("problem", &json!(code), &json!(422))
        );
        let visitor = followed(&app.visitor(), path, kind, String::new()).await;
        visitor.refused(401, "not_signed_in");
    }
}
