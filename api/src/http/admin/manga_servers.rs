//! `/api/admin/manga-servers`: which MangaCollector servers people may link.

use axum::{Json, extract::State};
use chrono::Utc;
use operational::{
    manga_servers::{self, Counted, Origin, Reason, ServerName, Status, Verdict},
    manga_tellings,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    answer::Written,
    change,
    extract::{AdminUser, Body, Path, Query},
    http::{
        manga::{
            MANGA_SERVER_EXISTS, MANGA_SERVER_LINKED, allowed, refused,
            views::{AdminServerView, RemovedView},
        },
        notification_channels::ADDRESS_NOT_ALLOWED,
    },
    pages::{Cursor, Limit, Page},
    problem::{self, MISSING_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::ADMIN, problem::LISTING);
problems!(ApproveProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND]);
problems!(RevokeProblems = problem::ADMIN, problem::BODY, &[NOT_FOUND]);
problems!(
    RenameProblems = problem::ADMIN,
    problem::BODY,
    &[NOT_FOUND, MANGA_SERVER_EXISTS, ADDRESS_NOT_ALLOWED],
);
problems!(DeleteProblems = problem::ADMIN, problem::WRITE, &[NOT_FOUND, MANGA_SERVER_LINKED]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rename, delete))
        .routes(routes!(approve))
        .routes(routes!(revoke))
}

/// Which servers to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListMangaServers {
    /// Only those that are `pending`, `approved` or `revoked`.
    #[param(value_type = Option<String>, pattern = "^(pending|approved|revoked)$")]
    status: Option<Status>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
}

/// Why a server is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"reason": "It shows what is not on anybody's shelf."}))]
pub struct RevokeServer {
    /// 1 to 500 characters. Those who linked it are told.
    #[schema(value_type = String, min_length = 1, max_length = 500)]
    reason: Reason,
}

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "The harbour library"}))]
pub struct RenameServer {
    /// What people call it: 1 to 100 characters.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    name: Option<ServerName>,
    /// The origin that it has moved to. Shelves are read anew from there.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>)]
    base_url: Option<Origin>,
}

/// All MangaCollector servers.
///
/// For admins. By origin, with how many people have linked each.
#[utoipa::path(
    get,
    path = "/api/admin/manga-servers",
    tag = "admin",
    security(("session" = [])),
    params(ListMangaServers),
    responses((status = 200, description = "One page of servers", body = Page<AdminServerView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    _admin: AdminUser,
    Query(query): Query<ListMangaServers>,
) -> Result<Json<Page<AdminServerView>>, Problem> {
    let after = query.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let rows = manga_servers::list(&state.pool, None, query.status, after, query.limit.one_more()).await?;
    let key = |row: &Counted| row.server.base_url.clone();
    Ok(Json(Page::cut(rows, query.limit, key, AdminServerView::from)))
}

async fn review(
    state: &AppState,
    admin: &AdminUser,
    id: Uuid,
    verdict: &Verdict,
) -> Result<Written<AdminServerView>, Problem> {
    let reviewed = manga_servers::review(&state.pool, id, verdict, admin.id, Utc::now()).await;
    let reviewed = reviewed.map_err(refused)?;
    // The first of those who linked it are told at once. The review stands, and others are told soon, in any case.
    if let Err(error) = manga_tellings::tell_some(&state.pool, Utc::now()).await {
        tracing::warn!(%error, "those who linked a manga server are told later");
    }
    Ok(Written::done(reviewed.into()))
}

/// Approves a MangaCollector server.
///
/// For admins. From here on it is asked for the shelves of those who linked it, and they are told, once. One that is
/// approved already stays as it is. One that was revoked can be approved again.
#[utoipa::path(
    post,
    path = "/api/admin/manga-servers/{id}/approve",
    tag = "admin",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The server's id")),
    responses((status = 200, description = "The server as it now is", body = AdminServerView), ApproveProblems)
)]
async fn approve(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(id): Path<Uuid>,
) -> Result<Written<AdminServerView>, Problem> {
    review(&state, &admin, id, &Verdict::Approve).await
}

/// Revokes a MangaCollector server, or refuses one that is pending.
///
/// For admins. It is asked for nothing any more and nobody can link it; those who did are told, once, with the reason. One
/// that is revoked already gets the new reason, and nobody is told again.
#[utoipa::path(
    post,
    path = "/api/admin/manga-servers/{id}/revoke",
    tag = "admin",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The server's id")),
    request_body = RevokeServer,
    responses((status = 200, description = "The server as it now is", body = AdminServerView), RevokeProblems)
)]
async fn revoke(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(id): Path<Uuid>,
    Body(given): Body<RevokeServer>,
) -> Result<Written<AdminServerView>, Problem> {
    review(&state, &admin, id, &Verdict::Revoke(given.reason)).await
}

/// Renames a MangaCollector server, or says where it has moved to.
///
/// For admins. What was read from its old origin is deleted. Nobody is told.
#[utoipa::path(
    patch,
    path = "/api/admin/manga-servers/{id}",
    tag = "admin",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The server's id")),
    request_body = RenameServer,
    responses((status = 200, description = "The server as it now is", body = AdminServerView), RenameProblems)
)]
async fn rename(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(id): Path<Uuid>,
    Body(given): Body<RenameServer>,
) -> Result<Written<AdminServerView>, Problem> {
    if given.name.is_none() && given.base_url.is_none() {
        return Err(Problem::from(MISSING_FIELD).detail("give name or base_url").field("name"));
    }
    if let Some(origin) = &given.base_url {
        allowed(&state, origin)?;
    }
    let renamed = manga_servers::rename(&state.pool, id, given.name.as_ref(), given.base_url.as_ref()).await;
    Ok(Written::done(renamed.map_err(refused)?.into()))
}

/// Takes a MangaCollector server off the list.
///
/// For admins. Refused while anybody has linked it; revoke it instead.
#[utoipa::path(
    delete,
    path = "/api/admin/manga-servers/{id}",
    tag = "admin",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The server's id")),
    responses((status = 200, description = "It is gone", body = RemovedView), DeleteProblems)
)]
async fn delete(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(id): Path<Uuid>,
) -> Result<Written<RemovedView>, Problem> {
    manga_servers::delete(&state.pool, id).await.map_err(refused)?;
    Ok(Written::done(RemovedView { removed: true }))
}
