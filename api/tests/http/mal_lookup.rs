//! Looking a series' number up on AniList: a stand-in that looks at what it is sent.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::{
    market::Fake,
    support::{TestApp, TestClient},
};

#[derive(Default)]
struct Known {
    searched: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
    answer: Mutex<Option<(u16, &'static str)>>,
}

/// AniList.
struct AniList {
    fake: Fake,
    known: Arc<Known>,
}

impl AniList {
    async fn open() -> Self {
        let known = Arc::new(Known::default());
        let routes = Router::new().route("/", post(answer)).with_state(known.clone());
        Self { fake: Fake::serving(routes).await, known }
    }

    async fn app(&self) -> TestApp {
        TestApp::with(&[("ANILIST_BASE_URL", self.fake.url().as_str())]).await
    }

    fn answers(&self, answer: Option<(u16, &'static str)>) {
        *self.known.answer.lock().unwrap() = answer;
    }

    /// What it was asked for; never in a wrong way.
    #[track_caller]
    fn searched(&self) -> Vec<String> {
        assert_eq!(*self.known.faults.lock().unwrap(), Vec::<String>::new());
        self.known.searched.lock().unwrap().clone()
    }
}

async fn answer(State(known): State<Arc<Known>>, headers: HeaderMap, body: String) -> Response {
    let question: Value = serde_json::from_str(&body).unwrap_or_default();
    let query = question["query"].as_str().unwrap_or_default();
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let right = of("content-type") == "application/json"
        && of("accept") == "application/json"
        && of("cookie").is_empty()
        && query.matches('{').count() == query.matches('}').count()
        && ["query ($search: String)", "search: $search", "type: MANGA", "idMal"]
            .iter()
            .all(|part| query.contains(part));
    let Some(search) = question["variables"]["search"].as_str().filter(|_| right) else {
        known.faults.lock().unwrap().push(format!("{headers:?} {body}"));
        return StatusCode::BAD_REQUEST.into_response();
    };
    known.searched.lock().unwrap().push(search.to_owned());
    if let Some((status, body)) = *known.answer.lock().unwrap() {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    let media = |mal_id: Value, title: &str, adult: bool| {
        json!({
            "idMal": mal_id, "format": "MANGA", "isAdult": adult, "siteUrl": "https://anilist.example/manga/9",
            "startDate": {"year": 2014}, "title": {"romaji": title, "english": null, "native": "青い潮"}
        })
    };
    let found = [
        media(json!(21), search, false),
        media(json!(null), "No number", false),
        media(json!(22), "After dark", true),
        media(json!(21), "The same", false),
    ];
    Json(json!({"data": {"Page": {"media": found}}})).into_response()
}

async fn series(client: &TestClient, name: &str) -> String {
    let body = json!({"name": "Mina", "figure_type": "scale", "series": [name]});
    let figure = client.post("/api/figures", body).await.made();
    figure["series"][0]["slug"].as_str().unwrap().to_owned()
}

fn numbers(found: &Value) -> Vec<i64> {
    found["candidates"].as_array().unwrap().iter().map(|one| one["mal_id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_are_shown_and_nothing_is_saved_until_somebody_chooses() {
    let anilist = AniList::open().await;
    let app = anilist.app().await;
    let (alice, bob, root) =
        (app.register("alice").await, app.register("bob").await, app.register_admin("root").await);
    let slug = series(&alice, "Tides of Cobalt").await;
    let path = format!("/api/series/{slug}/mal-lookup");
    app.visitor().post(&path, json!({})).await.refused(401, "not_signed_in");
    bob.post(&path, json!({})).await.refused(403, "not_allowed");
    alice.post("/api/series/nothing/mal-lookup", json!({})).await.refused(404, "entity_not_found");
    assert!(anilist.searched().is_empty());
    let found = alice.post(&path, json!({})).await.ok();
    assert_eq!((&found["searched"], &found["mal_id"]), (&json!("Tides of Cobalt"), &Value::Null));
    assert_eq!(numbers(&found), [21, 22]);
    let first = &found["candidates"][0];
    assert_eq!((&first["title"], &first["year"]), (&json!("Tides of Cobalt"), &json!(2014)));
    assert_eq!(root.post(&path, json!({})).await.ok()["fetched_at"], found["fetched_at"]);
    alice.post(&path, json!({"name": "TIDES  of cobalt"})).await.ok();
    assert_eq!(anilist.searched(), ["Tides of Cobalt"], "an answer holds for a week, however it is typed");
    alice.post(&path, json!({"name": "Aoi Shio"})).await.ok();
    assert_eq!(anilist.searched().len(), 2);
    alice.post(&path, json!({"name": " "})).await.refused_field(422, "invalid_field", "name");
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    assert_eq!(numbers(&alice.post(&path, json!({})).await.ok()), [21]);
    let place = format!("/api/series/{slug}");
    assert_eq!(alice.get(&place).await.ok()["mal_id"], Value::Null);
    assert_eq!(alice.patch(&place, json!({"mal_id": 21})).await.ok()["mal_id"], 21);
    assert_eq!(alice.post(&path, json!({})).await.ok()["mal_id"], 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_not_kept_and_after_five_times_left_alone() {
    let anilist = AniList::open().await;
    let app = anilist.app().await;
    let alice = app.register("alice").await;
    let path = format!("/api/series/{}/mal-lookup", series(&alice, "Tides").await);
    for (status, body, code, refused) in [
        (500, "oh", 502, "anilist_failed"),
        (200, "<html>", 502, "anilist_failed"),
        (200, "{\"data\": null, \"errors\": [{\"message\": \"Invalid token\"}]}", 502, "anilist_failed"),
        (429, "{}", 503, "anilist_busy"),
    ] {
        anilist.answers(Some((status, body)));
        alice.post(&path, json!({})).await.refused(code, refused);
    }
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM external_lookups").await, 0);
    anilist.answers(None);
    assert_eq!(
        numbers(&alice.post(&path, json!({})).await.ok()),
        [21, 22],
        "one good answer, and all is well"
    );
    anilist.answers(Some((500, "oh")));
    // It is asked no faster than it likes; who is too fast is told to wait.
    let mut failed = 0;
    database::testing::eventually("it failed five times", async || {
        let answer = alice.post(&path, json!({"name": format!("Other {failed}")})).await;
        match answer.status.as_u16() {
            502 => failed += 1,
            _ => assert_eq!(answer.body["code"], "anilist_busy", "{}", answer.text),
        }
        failed == 5
    })
    .await;
    anilist.answers(None);
    let asked = anilist.searched().len();
    let resting = alice.post(&path, json!({"name": "Something else"})).await;
    assert!(resting.header("retry-after").parse::<u32>().is_ok());
    resting.refused(503, "anilist_busy");
    assert_eq!(anilist.searched().len(), asked);
    alice.post(&path, json!({})).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_or_away_the_number_is_typed_by_hand() {
    for (variable, value, status, code) in [
        ("ANILIST_ENABLED", "false", 409, "anilist_off"),
        ("ANILIST_BASE_URL", "http://127.0.0.1:1", 502, "anilist_failed"),
    ] {
        let app = TestApp::with(&[(variable, value)]).await;
        let alice = app.register("alice").await;
        let slug = series(&alice, "Tides").await;
        alice.post(&format!("/api/series/{slug}/mal-lookup"), json!({})).await.refused(status, code);
        alice.patch(&format!("/api/series/{slug}"), json!({"mal_id": 21})).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_that_have_no_number_yet_are_listed() {
    let app = AniList::open().await.app().await;
    let alice = app.register("alice").await;
    for name in ["Tides of Cobalt", "Anchor Song", "The Lighthouse Choir"] {
        series(&alice, name).await;
    }
    alice.patch("/api/series/anchor-song", json!({"mal_id": 21})).await.ok();
    let listed = async |query: &str| -> Vec<String> {
        let page = alice.get(&format!("/api/series{query}")).await.ok();
        let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
        page["items"].as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(listed("?without_mal_id=true").await, ["The Lighthouse Choir", "Tides of Cobalt"]);
    assert_eq!(listed("?without_mal_id=true&q=tides").await, ["Tides of Cobalt"]);
    assert_eq!(listed("?without_mal_id=false").await.len(), 3);
    alice.get("/api/stores?without_mal_id=true").await.refused_field(422, "invalid_field", "without_mal_id");
}
