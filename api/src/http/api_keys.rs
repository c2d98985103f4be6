//! `/api/me/api-keys`: keys for one's own scripts.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use chrono::{DateTime, Utc};
use operational::api_keys::{self, ApiKey, KeyError, NewKey, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::Written,
    change,
    extract::{Body, Path},
    identity::InPerson,
    problem::{self, ADMIN_ONLY, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// What an answer with a secret in it says to whoever might keep it.
pub(super) const UNKEPT: [(HeaderName, HeaderValue); 1] =
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];

const TOO_MANY_KEYS: Kind =
    Kind::new(StatusCode::CONFLICT, "too_many_keys", "nobody has more than 50 keys; revoke one first");

problems!(ListProblems = problem::SIGNED_IN);
problems!(MakeProblems = problem::SIGNED_IN, problem::BODY, &[TOO_MANY_KEYS, ADMIN_ONLY]);
problems!(RevokeProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(revoke))
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "price tags", "scopes": ["collection:read"], "expires_at": "2099-01-01T00:00:00Z"}))]
pub struct MakeApiKey {
    /// What it is for: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it is allowed, of `catalogue:read`, `catalogue:write`, `collection:read`, `collection:write`,
    /// `collection:delete`, `stats:read`, `admin:*`. Left out: the three that read. Only admins give `admin:*`.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<Vec<String>>, min_items = 1)]
    scopes: Option<Vec<Scope>>,
    /// When it stops to work; left out or null: never.
    #[serde(default)]
    expires_at: Option<DateTime<Utc>>,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_key)]
pub struct ApiKeyView {
    id: Uuid,
    name: String,
    /// How the key begins.
    hint: String,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
}

/// A key, this once with its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_made)]
pub struct ApiKeyMade {
    /// The secret. It cannot be shown again.
    key: String,
    #[serde(flatten)]
    about: ApiKeyView,
}

/// All of one's keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeys {
    items: Vec<ApiKeyView>,
}

/// A key works no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyRevoked {
    id: Uuid,
    /// Always true.
    revoked: bool,
}

fn example_key() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01",
        "name": "price tags",
        "hint": "fl_Qm9va",
        "scopes": ["collection:read"],
        "created_at": "2026-01-17T09:30:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "last_used_at": null
    })
}

fn example_made() -> Value {
    let mut made = example_key();
    if let Some(made) = made.as_object_mut() {
        made.insert("key".to_owned(), "fl_Qm9vayBvZiBmaWd1cmVzLCBib29rIG9mIGZpZ3VyZXM".into());
    }
    made
}

impl From<ApiKey> for ApiKeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            hint: key.hint,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// One's keys.
///
/// For whoever is signed in. Newest first, with those that have run out; never with their secrets.
#[utoipa::path(
    get,
    path = "/api/me/api-keys",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The keys", body = ApiKeys), ListProblems)
)]
async fn list(State(state): State<AppState>, who: InPerson) -> Result<Json<ApiKeys>, Problem> {
    let keys = api_keys::of_user(&state.pool, who.user.id).await?;
    Ok(Json(ApiKeys { items: keys.into_iter().map(ApiKeyView::from).collect() }))
}

/// Makes a key.
///
/// For whoever is signed in. The secret is in this answer and nowhere else: what is kept is a hash. Send it as
/// `Authorization: Bearer`. An `Idempotency-Key` is not looked at, since its record would keep the secret.
#[utoipa::path(
    post,
    path = "/api/me/api-keys",
    tag = "me",
    security(("session" = [])),
    request_body = MakeApiKey,
    responses((status = 201, description = "The key, this once with its secret", body = ApiKeyMade), MakeProblems)
)]
async fn make(
    State(state): State<AppState>,
    who: InPerson,
    Body(given): Body<MakeApiKey>,
) -> Result<([(HeaderName, HeaderValue); 1], Written<ApiKeyMade>), Problem> {
    let name = given.name.trim();
    if name.is_empty() || name.chars().count() > api_keys::NAME_CHARS || name.chars().any(char::is_control) {
        let wanted = "a name has 1 to 100 characters, and no control characters";
        return Err(Problem::from(INVALID_FIELD).detail(wanted).field("name"));
    }
    let scopes: BTreeSet<Scope> =
        given.scopes.unwrap_or_else(|| Scope::DEFAULT.to_vec()).into_iter().collect();
    if scopes.is_empty() {
        return Err(Problem::from(INVALID_FIELD).detail("a key needs a scope").field("scopes"));
    }
    if scopes.contains(&Scope::Admin) && !who.user.is_admin {
        return Err(Problem::from(ADMIN_ONLY)
            .detail("only admins may give the scope admin:*")
            .field("scopes"));
    }
    if given.expires_at.is_some_and(|at| at <= Utc::now()) {
        return Err(Problem::from(INVALID_FIELD).detail("this is in the past").field("expires_at"));
    }
    let new =
        NewKey { name: name.to_owned(), scopes: scopes.into_iter().collect(), expires_at: given.expires_at };
    let (key, secret) =
        api_keys::create(&state.pool, who.user.id, &new).await.map_err(|error| match error {
            KeyError::TooMany => TOO_MANY_KEYS.into(),
            KeyError::Database(error) => Problem::from(error),
        })?;
    let place = format!("/api/me/api-keys/{}", key.id);
    let made = ApiKeyMade { key: secret.as_str().to_owned(), about: key.into() };
    Ok((UNKEPT, Written::created(made, place)))
}

/// Revokes a key.
///
/// For whoever is signed in; other people's keys are not found. The next request with it is refused.
#[utoipa::path(
    delete,
    path = "/api/me/api-keys/{id}",
    tag = "me",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The key's id")),
    responses((status = 200, description = "It works no more", body = ApiKeyRevoked), RevokeProblems)
)]
async fn revoke(
    State(state): State<AppState>,
    who: InPerson,
    Path(id): Path<Uuid>,
) -> Result<Json<ApiKeyRevoked>, Problem> {
    match api_keys::revoke(&state.pool, who.user.id, id).await? {
        true => Ok(Json(ApiKeyRevoked { id, revoked: true })),
        false => Err(NOT_FOUND.into()),
    }
}
