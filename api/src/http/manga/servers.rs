//! `/api/manga/servers`: the MangaCollector servers that one can link.

use axum::{Json, extract::State};
use operational::manga_servers::{self, Counted, Origin};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{MANGA_SERVER_EXISTS, TOO_MANY_PROPOSALS, allowed, refused, views::ServerView};
use crate::{
    answer::Written,
    extract::{Body, CurrentUser, Query},
    http::notification_channels::ADDRESS_NOT_ALLOWED,
    pages::{Cursor, Limit, Page},
    problem::{self, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);
problems!(
    ProposeProblems = problem::SIGNED_IN,
    problem::BODY,
    &[ADDRESS_NOT_ALLOWED, MANGA_SERVER_EXISTS, TOO_MANY_PROPOSALS],
);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, propose))
}

/// How much to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListServers {
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
}

/// A server to be put on the list.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"base_url": "https://manga.example"}))]
pub struct ProposeServer {
    /// Its origin: scheme, host and perhaps a port.
    #[schema(value_type = String)]
    base_url: Origin,
}

/// The MangaCollector servers that one can link.
///
/// For whoever is signed in: those that an admin approved, those that one proposed, and the one that one linked; for
/// admins all of them. By origin.
#[utoipa::path(
    get,
    path = "/api/manga/servers",
    tag = "manga",
    security(("session" = [])),
    params(ListServers),
    responses((status = 200, description = "One page of servers", body = Page<ServerView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListServers>,
) -> Result<Json<Page<ServerView>>, Problem> {
    let viewer = (!user.is_admin).then_some(user.id);
    let after = query.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let rows = manga_servers::list(&state.pool, viewer, None, after, query.limit.one_more()).await?;
    let key = |row: &Counted| row.server.base_url.clone();
    Ok(Json(Page::cut(rows, query.limit, key, |row| ServerView::of(row.server, &user))))
}

/// Proposes a MangaCollector server.
///
/// For whoever is signed in. It is `pending` until an admin has looked at it; it can be linked at once, and sleeps until
/// then. One that is on the list already is refused with its id as `other_id` and its status as `server_status`,
/// also when two people propose it at once. Addresses have to be on the public internet, or in a network that the
/// operator opened. Ten proposals of one person may wait at a time.
#[utoipa::path(
    post,
    path = "/api/manga/servers",
    tag = "manga",
    security(("session" = [])),
    request_body = ProposeServer,
    responses((status = 201, description = "The server", body = ServerView), ProposeProblems)
)]
async fn propose(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Body(given): Body<ProposeServer>,
) -> Result<Written<ServerView>, Problem> {
    allowed(&state, &given.base_url)?;
    let server = manga_servers::propose(&state.pool, &given.base_url, user.id).await.map_err(refused)?;
    Ok(Written::created(ServerView::of(server, &user), "/api/manga/servers"))
}
