//! `/api/admin/users`: who has an account and what they may do.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use operational::users::{self, AccessChange, User, UserKey, Username};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    change,
    extract::{AdminUser, Body, Path, Query},
    pages::{Cursor, Limit, Page},
    problem::{self, Kind, NOT_FOUND, Problem},
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

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(change))
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
    /// Whether they are shut out. Shutting out ends all their sessions at once.
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
/// For admins. The last admin who can sign in can be neither demoted nor suspended.
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
    Path(user): Path<String>,
    Body(given): Body<ChangeUser>,
) -> Result<Written<AdminUserView>, Problem> {
    let id = find(&state, &user).await?;
    let change = AccessChange { is_admin: given.is_admin, suspended: given.suspended };
    let changed = users::change_access(&state.pool, id, change).await?;
    Ok(Written::done(changed.into()))
}

/// The account with this id or username; 404 when nobody has that name. No UUID is a username: it is longer.
pub(super) async fn find(state: &AppState, user: &str) -> Result<UserId, Problem> {
    if let Ok(id) = user.parse::<UserId>() {
        return Ok(id);
    }
    let name: Username = user.parse().map_err(|_no_name| NOT_FOUND)?;
    Ok(users::by_username(&state.pool, &name).await?.ok_or(NOT_FOUND)?.id)
}
