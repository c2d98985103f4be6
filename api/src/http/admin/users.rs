//! `/api/admin/users`: who has an account and what they may do.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use operational::{
    password_resets::{self, AskedBy},
    users::{self, AccessChange, User, UserKey, Username},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    change,
    extract::{AdminUser, Body, Path, Query},
    http::{api_keys::UNKEPT, auth_reset},
    identity::InPerson,
    pages::{Cursor, Limit, Page},
    problem::{self, Kind, NOT_FOUND, Problem, SUSPENDED},
    problems,
    state::AppState,
};

/// Nobody would be left to run the instance.
pub const LAST_ADMIN: Kind = Kind::new(
    StatusCode::CONFLICT,
    "last_admin",
    "the last admin can be neither demoted, suspended nor erased; make somebody else an admin first",
);

problems!(ListProblems = problem::ADMIN, problem::LISTING);
problems!(ChangeProblems = problem::ADMIN, problem::BODY, &[NOT_FOUND, LAST_ADMIN]);

problems!(ResetProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, SUSPENDED]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change)).routes(routes!(reset))
}

/// Which accounts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListUsers {
    /// Part of the username or e-mail address, in whatever case.
    q: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<UserKey>>,
}

/// What to change of somebody's account; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"suspended": true}))]
pub struct ChangeUser {
    /// Whether they run the instance.
    #[serde(default, deserialize_with = "change::not_null")]
    is_admin: Option<bool>,
    /// Whether they are shut out. Shutting out ends all their sessions and keys at once.
    #[serde(default, deserialize_with = "change::not_null")]
    suspended: Option<bool>,
}

/// An account, as admins see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_user)]
pub struct AdminUserView {
    #[schema(value_type = Uuid)]
    id: UserId,
    username: String,
    email: Option<String>,
    is_admin: bool,
    /// Since when they are shut out.
    suspended_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

fn example_user() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "username": "alice",
        "email": "alice@example.org",
        "is_admin": false,
        "suspended_at": null,
        "created_at": "2026-01-17T09:30:00Z"
    })
}

impl From<User> for AdminUserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            is_admin: user.is_admin,
            suspended_at: user.suspended_at,
            created_at: user.created_at,
        }
    }
}

/// Who has an account.
///
/// For admins. Oldest first.
#[utoipa::path(
    get,
    path = "/api/admin/users",
    tag = "admin",
    security(("session" = [])),
    params(ListUsers),
    responses((status = 200, description = "One page of accounts", body = Page<AdminUserView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
    Query(query): Query<ListUsers>,
) -> Result<Json<Page<AdminUserView>>, Problem> {
    let after = query.cursor.map(|cursor| cursor.0);
    let rows = users::list(&state.pool, query.q.as_deref(), after, query.limit.one_more()).await?;
    Ok(Json(Page::cut(rows, query.limit, User::key, AdminUserView::from)))
}

/// Changes what somebody may do.
///
/// For admins who are signed in, with no API key. The last admin who can sign in can be neither demoted nor suspended.
#[utoipa::path(
    patch,
    path = "/api/admin/users/{user}",
    tag = "admin",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the username", example = "alice")),
    request_body = ChangeUser,
    responses((status = 200, description = "The account as it now is", body = AdminUserView), ChangeProblems)
)]
async fn change(
    State(state): State<AppState>,
    _admin: AdminUser,
    _in_person: InPerson,
    Path(user): Path<String>,
    Body(given): Body<ChangeUser>,
) -> Result<Written<AdminUserView>, Problem> {
    let id = find(&state, &user).await?;
    let change = AccessChange { is_admin: given.is_admin, suspended: given.suspended };
    let changed = users::change_access(&state.pool, id, change).await?;
    Ok(Written::done(changed.into()))
}

/// A link with which somebody sets a new password, once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuLCBzb3JyeSE",
    "url": "https://figures.example/reset-password#dGhpcyBpcyBub3QgYSByZWFsIHRva2VuLCBzb3JyeSE",
    "expires_at": "2026-01-18T09:30:00Z"
}))]
pub struct ResetLink {
    /// For `POST /api/auth/password-reset/confirm`. It cannot be shown again.
    token: String,
    /// The page that asks for the new password.
    url: String,
    expires_at: DateTime<Utc>,
}

/// Makes a link with which somebody sets a new password.
///
/// For admins who are signed in, with no API key. It works once, within a day; an earlier one stops to work. The
/// password in force stays until then.
#[utoipa::path(
    post,
    path = "/api/admin/users/{user}/password-reset",
    tag = "admin",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the username", example = "alice")),
    responses((status = 201, description = "The link, this once", body = ResetLink), ResetProblems)
)]
async fn reset(
    State(state): State<AppState>,
    admin: AdminUser,
    _in_person: InPerson,
    Path(user): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 1], (StatusCode, Json<ResetLink>)), Problem> {
    let id = find(&state, &user).await?;
    let user = users::by_id(&state.pool, id).await?.ok_or(NOT_FOUND)?;
    if user.suspended_at.is_some() {
        return Err(Problem::from(SUSPENDED).detail("this account is suspended; unsuspend it first"));
    }
    let begun = password_resets::begin(&state.pool, id, AskedBy::Admin).await?;
    let (token, expires_at) = begun.ok_or(NOT_FOUND)?;
    tracing::info!(admin = %admin.id, user = %id, "an admin made a link to reset a password");
    let url = auth_reset::link(&state.config, &token);
    let made = ResetLink { token: token.as_str().to_owned(), url, expires_at };
    Ok((UNKEPT, (StatusCode::CREATED, Json(made))))
}

/// The account with this id or username; 404 when nobody has that name. No UUID is a username: it is longer.
pub(super) async fn find(state: &AppState, user: &str) -> Result<UserId, Problem> {
    if let Ok(id) = user.parse::<UserId>() {
        return Ok(id);
    }
    let name: Username = user.parse().map_err(|_no_name| NOT_FOUND)?;
    Ok(users::by_username(&state.pool, &name).await?.ok_or(NOT_FOUND)?.id)
}
