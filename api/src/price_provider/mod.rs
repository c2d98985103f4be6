//! A price provider over files: what an operator tries the contract with, and what tests ask over HTTP.
//!
//! It has the three routes of `docs/prices.md` and reads its folder anew for every request, so a file that is edited
//! is told at once.

mod files;

pub use files::FileError;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use files::{Files, Shop};

/// What the routes share.
struct Provider {
    files: Files,
    key: Option<String>,
}

/// Why a request is turned down, in the statuses of the contract.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        let status = match error {
            FileError::NoFile(_) => StatusCode::NOT_IMPLEMENTED,
            FileError::Unreadable { .. } | FileError::Wrong { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

fn refused(status: StatusCode, why: &str) -> Refused {
    Refused(status, why.to_owned())
}

/// The routes over a folder. With a key, whoever asks must send it as a bearer token.
pub fn routes(folder: PathBuf, key: Option<String>) -> Router {
    Router::new()
        .route("/stores", get(stores))
        .route("/search", get(search))
        .route("/product", get(product))
        .with_state(Arc::new(Provider { files: Files::new(folder), key }))
}

/// How many stores a folder names, for whoever starts it.
///
/// # Errors
/// When there is no `stores.json`, or it is not what it should be.
pub fn count_stores(folder: PathBuf) -> Result<usize, FileError> {
    Ok(Files::new(folder).stores()?.len())
}

impl Provider {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let Some(key) = &self.key else { return Ok(()) };
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match sent.and_then(|value| value.strip_prefix("Bearer ")) {
            None => Err(refused(StatusCode::UNAUTHORIZED, "send the key as a bearer token")),
            Some(sent) if sent == key => Ok(()),
            Some(_) => Err(refused(StatusCode::FORBIDDEN, "this is not the key")),
        }
    }

    fn store(&self, is_it: impl Fn(&Shop) -> bool) -> Result<Shop, Refused> {
        let found = self.files.stores()?.into_iter().find(|store| is_it(store));
        found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "there is no such store"))
    }
}

async fn stores(State(provider): State<Arc<Provider>>, headers: HeaderMap) -> Result<Json<Value>, Refused> {
    provider.admit(&headers)?;
    let stores = provider.files.stores()?;
    Ok(Json(stores.into_iter().map(|store| Value::Object(store.whole)).collect()))
}

#[derive(Deserialize)]
struct ByUrl {
    #[serde(default)]
    url: String,
}

async fn product(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Query(asked): Query<ByUrl>,
) -> Result<Json<Value>, Refused> {
    provider.admit(&headers)?;
    let host = files::host_of(&asked.url)
        .ok_or_else(|| refused(StatusCode::BAD_REQUEST, "url is not an http(s) address"))?;
    let store = provider.store(|store| store.has_host(&host))?;
    let products = provider.files.products(&store)?;
    let found = products.into_iter().find(|product| product.get("url") == Some(&json!(asked.url)));
    let found =
        found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "the store has no product at this address"))?;
    Ok(Json(Value::Object(found)))
}

#[derive(Deserialize)]
struct ByWords {
    #[serde(default)]
    q: String,
    #[serde(default)]
    store: String,
}

async fn search(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Query(asked): Query<ByWords>,
) -> Result<Json<Value>, Refused> {
    provider.admit(&headers)?;
    let words: Vec<String> = asked.q.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Err(refused(StatusCode::BAD_REQUEST, "q holds no word"));
    }
    let store = provider.store(|store| store.id == asked.store)?;
    let products = provider.files.products(&store)?;
    let meant = |product: &serde_json::Map<String, Value>| {
        let text = |field| product.get(field).and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let (title, jan) = (text("title"), text("jan"));
        words.iter().all(|word| title.contains(word) || jan == *word)
    };
    Ok(Json(products.into_iter().filter(meant).map(Value::Object).collect()))
}
