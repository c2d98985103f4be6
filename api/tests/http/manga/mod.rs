//! MangaCollector: servers, one's own shelf, crossings, the badge and the mirror.

mod crossings;
mod links;
mod mirror;
mod servers;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    market::Fake,
    support::{TestApp, TestClient},
};

#[derive(Default)]
struct Known {
    shelves: Mutex<HashMap<String, Value>>,
    asked: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
    down: Mutex<Option<u16>>,
}

/// A MangaCollector server. What it is asked in another way than the documented one, it writes down.
struct Shelves {
    fake: Fake,
    known: Arc<Known>,
}

impl Shelves {
    async fn open() -> Self {
        let known = Arc::new(Known::default());
        let routes = Router::new().fallback(answer).with_state(known.clone());
        Self { fake: Fake::serving(routes).await, known }
    }

    fn url(&self) -> String {
        self.fake.url()
    }

    fn show(&self, slug: &str, library: Value) {
        let shelf = json!({"display_name": "Mina's shelf", "library": library, "since": 2019});
        self.known.shelves.lock().unwrap().insert(slug.to_owned(), shelf);
    }

    /// It answers everything with this status from here on, or as usual again.
    fn break_down(&self, status: Option<u16>) {
        *self.known.down.lock().unwrap() = status;
    }

    /// How often it was asked; never in a wrong way.
    #[track_caller]
    fn asked(&self) -> usize {
        assert_eq!(*self.known.faults.lock().unwrap(), Vec::<String>::new());
        self.known.asked.lock().unwrap().len()
    }
}

async fn answer(State(known): State<Arc<Known>>, request: Request) -> Response {
    let of = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = request.uri().path().to_owned();
    let right = request.method() == Method::GET
        && request.uri().query().is_none()
        && of(header::ACCEPT) == "application/json"
        && of(header::USER_AGENT).starts_with("figure-ledger/")
        && of(header::COOKIE).is_empty()
        && of(header::AUTHORIZATION).is_empty();
    let Some(slug) = path.strip_prefix("/api/public/u/").filter(|_| right) else {
        known.faults.lock().unwrap().push(format!("{request:?}"));
        return StatusCode::IM_A_TEAPOT.into_response();
    };
    known.asked.lock().unwrap().push(slug.to_owned());
    if let Some(status) = *known.down.lock().unwrap() {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let shelf = known.shelves.lock().unwrap().get(slug).cloned();
    shelf.map_or(StatusCode::NOT_FOUND.into_response(), |shelf| axum::Json(shelf).into_response())
}

/// An instance that may ask this machine.
async fn at_home(more: &[(&str, &str)]) -> TestApp {
    let mut variables = vec![("OUTBOUND_ALLOW_CIDRS", "127.0.0.0/8")];
    variables.extend(more);
    TestApp::with(&variables).await
}

pub async fn proposed(client: &TestClient, url: &str) -> String {
    let server = client.post("/api/manga/servers", json!({"base_url": url})).await.made();
    assert_eq!(server["status"], "pending");
    server["id"].as_str().unwrap().to_owned()
}

pub async fn approve(root: &TestClient, id: &str) -> Value {
    root.post(&format!("/api/admin/manga-servers/{id}/approve"), json!({})).await.ok()
}

pub async fn revoke(root: &TestClient, id: &str, reason: &str) -> Value {
    root.post(&format!("/api/admin/manga-servers/{id}/revoke"), json!({"reason": reason})).await.ok()
}

pub async fn link(client: &TestClient, server: &str, slug: &str) -> Value {
    client.put("/api/me/manga-link", json!({"server_id": server, "slug": slug})).await.ok()
}

/// Somebody with a link to an approved server.
async fn reader(app: &TestApp, root: &TestClient, shelves: &Shelves, name: &str) -> TestClient {
    let client = app.register(name).await;
    let server = proposed(&client, &shelves.url()).await;
    approve(root, &server).await;
    link(&client, &server, name).await;
    client
}

/// A figure of some series; gives its slug and id.
async fn figure(client: &TestClient, name: &str, series: &[&str], is_nsfw: bool) -> (String, String) {
    let body = json!({"name": name, "figure_type": "scale", "series": series, "is_nsfw": is_nsfw});
    let made = client.post("/api/figures", body).await.made();
    (made["slug"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn number(client: &TestClient, series: &str, mal_id: i64) {
    client.patch(&format!("/api/series/{series}"), json!({"mal_id": mal_id})).await.ok();
}

/// What was read becomes so many hours old.
async fn age(app: &TestApp, hours: i32) {
    sqlx::query("UPDATE external_lookups SET fetched_at = fetched_at - make_interval(hours => $1)")
        .bind(hours)
        .execute(&app.db.pool)
        .await
        .unwrap();
}
