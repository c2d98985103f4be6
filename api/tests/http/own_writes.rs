//! Reading what one has just written, and what is said when that is not possible yet.

use database::testing::eventually;
use reqwest::Method;
use serde_json::json;

use crate::{
    seed,
    support::{Answer, TestApp, TestClient},
};

const FIGURES: &str = "/api/figures";

async fn add(client: &TestClient, name: &str, key: &str) -> Answer {
    client
        .send(Method::POST, FIGURES, |request| {
            request.header("idempotency-key", key).json(&json!({"name": name, "figure_type": "scale"}))
        })
        .await
}

async fn get_at(client: &TestClient, path: &str, position: &str) -> Answer {
    client.send(Method::GET, path, |request| request.header("x-min-position", position)).await
}

/// All read models that fold figures stop at an event of a later release.
async fn poison(app: &TestApp) {
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
}

/// Lets every stopped read model pass over the event it stopped at.
async fn heal(app: &TestApp) {
    eventually("the read models are healed", async || {
        let all = app.state.projections.status().await.unwrap();
        let poisoned: Vec<_> = all.iter().filter(|one| one.failed_position.is_some()).collect();
        let behind = all.iter().any(|one| one.lag > 0);
        for one in &poisoned {
            app.state.projections.skip(&one.name, "from a later release", "a test").await.unwrap();
        }
        poisoned.is_empty() && !behind
    })
    .await;
}

#[tokio::test]
async fn what_a_write_made_can_be_read_at_once() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = add(&alice, "Teapot Keeper Io", "first").await;
    let (position, location) =
        (made.header("x-event-position").to_owned(), made.header("location").to_owned());
    let figure = made.made();
    assert!(position.parse::<i64>().unwrap() > 0);
    assert_eq!(alice.get(&location).await.ok()["id"], figure["id"]);
    assert_eq!(get_at(&alice, &location, &position).await.ok()["id"], figure["id"]);
}

#[tokio::test]
async fn a_write_that_cannot_be_read_yet_stands_and_says_where_it_will_be() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    poison(&app).await;
    let answer = add(&alice, "Teapot Keeper Io", "first").await;
    let (position, location) =
        (answer.header("x-event-position").to_owned(), answer.header("location").to_owned());
    assert_eq!(answer.of(202)["code"], "read_model_behind");
    let catalogued = "SELECT count(*) FROM events WHERE event_type = 'figure.catalogued'";
    assert_eq!(app.scalar::<i64>(catalogued).await, 2);
    let early = get_at(&alice, &location, &position).await;
    assert!(!early.header("retry-after").is_empty());
    early.refused(503, "read_model_behind");
    let again = add(&alice, "Teapot Keeper Io", "first").await;
    assert_eq!(again.header("location"), location);
    assert_eq!(again.of(202)["code"], "read_model_behind");
    heal(&app).await;
    let figure = get_at(&alice, &location, &position).await.ok();
    assert_eq!(figure["name"], "Teapot Keeper Io");
    assert_eq!(add(&alice, "Teapot Keeper Io", "first").await.body["id"], figure["id"]);
    assert_eq!(app.scalar::<i64>(catalogued).await, 2, "the repeats added another one");
}

#[tokio::test]
async fn a_read_never_leaves_out_what_it_must_include() {
    let mut app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.stop_folding().await;
    let (io, position) = app.seed(None).figure_at("Teapot Keeper Io").await;
    let (path, position) = (format!("{FIGURES}/{io}"), position.to_string());
    get_at(&alice, &path, &position).await.refused(503, "read_model_behind");
    app.fold_again();
    eventually("the figure is shown", async || {
        let answer = get_at(&alice, &path, &position).await;
        if answer.status == 200 {
            assert_eq!(answer.ok()["name"], "Teapot Keeper Io");
            return true;
        }
        answer.refused(503, "read_model_behind");
        false
    })
    .await;
}

#[tokio::test]
async fn only_the_read_models_that_an_answer_is_read_from_are_waited_for() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.state.projections.pause("achievements").await.unwrap();
    let made = add(&alice, "Teapot Keeper Io", "first").await;
    let position = made.header("x-event-position").to_owned();
    made.made();
    get_at(&alice, FIGURES, &position).await.ok();
    get_at(&alice, "/api/me/achievements", &position).await.refused(503, "read_model_behind");
    app.state.projections.resume("achievements").await.unwrap();
    heal(&app).await;
    get_at(&alice, "/api/me/achievements", &position).await.ok();
}

#[tokio::test]
async fn a_position_that_does_not_exist_yet_cannot_be_read_at() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    get_at(&alice, FIGURES, "9223372036854775807").await.refused(503, "read_model_behind");
    get_at(&alice, FIGURES, "0").await.ok();
    for wrong in ["", "-1", "now", "1.5", "9223372036854775808"] {
        get_at(&alice, FIGURES, wrong).await.refused_field(400, "invalid_header", "X-Min-Position");
    }
}

#[tokio::test]
async fn the_feed_and_the_achievements_hold_what_one_did_just_before() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for done in 1..=8 {
        let figure = add(&alice, &format!("Mina {done}"), &format!("figure-{done}")).await.made();
        alice.post("/api/me/preorders", json!({"figure_id": figure["id"]})).await.made();
        let feed = alice.get("/api/me/activity").await.ok();
        assert_eq!(feed["items"].as_array().unwrap().len(), done, "{feed}");
        let achievements = alice.get("/api/me/achievements").await.ok();
        assert_eq!(!achievements["items"].as_array().unwrap().is_empty(), done > 0, "{achievements}");
    }
}
