//! `/api/me/manga-link`: where one shows one's manga shelf.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
};
use chrono::{DateTime, Utc};
use operational::{
    manga_links::{self, Link, Slug, Unlinkable},
    manga_servers::Status,
    users::User,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::manga::{Kept, MangaError};

use super::views::{FailureView, RemovedView, ServerView, example_server};
use crate::{
    answer::Written,
    extract::{Body, CurrentUser},
    neighbours::TOO_MANY_LOOKUPS,
    problem::{self, Kind, Problem},
    problems,
    state::AppState,
};

/// There is no link.
const MANGA_NOT_LINKED: Kind = Kind::new(
    StatusCode::NOT_FOUND,
    "manga_not_linked",
    "you have linked no MangaCollector page; PUT /api/me/manga-link does",
);
/// No such server.
const MANGA_SERVER_NOT_FOUND: Kind =
    Kind::new(StatusCode::NOT_FOUND, "manga_server_not_found", "there is no such server; propose it first")
        .on("server_id");
/// It may not be linked any more.
const MANGA_SERVER_REVOKED: Kind =
    Kind::new(StatusCode::CONFLICT, "manga_server_revoked", "an admin has revoked this server")
        .on("server_id");
/// Only approved servers are asked.
const MANGA_LINK_ASLEEP: Kind = Kind::new(
    StatusCode::CONFLICT,
    "manga_link_asleep",
    "only servers that an admin has approved are asked; you are told when this one is",
);
/// The other side is at fault.
const MANGA_SERVER_FAILED: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "manga_server_failed",
    "the server did not give a shelf that can be read",
);

problems!(ReadProblems = problem::SIGNED_IN, &[MANGA_NOT_LINKED]);
problems!(SetProblems = problem::SIGNED_IN, problem::BODY, &[MANGA_SERVER_NOT_FOUND, MANGA_SERVER_REVOKED],);
problems!(RemoveProblems = problem::SIGNED_IN, problem::WRITE, &[MANGA_NOT_LINKED]);
problems!(
    RefreshProblems = problem::SIGNED_IN,
    problem::WRITE,
    &[MANGA_NOT_LINKED, MANGA_LINK_ASLEEP, MANGA_SERVER_FAILED, TOO_MANY_LOOKUPS],
);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, set, remove)).routes(routes!(refresh))
}

/// Where one shows one's shelf.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"server_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01", "slug": "mina"}))]
pub struct SetLink {
    /// The server.
    server_id: Uuid,
    /// The name of one's public page there: 1 to 64 of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or
    /// digit.
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    slug: Slug,
}

/// Where one shows one's shelf, and what is kept of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaLink, example = example_link)]
pub struct LinkView {
    server: ServerView,
    slug: String,
    /// When the shelf was last read; null when it never was.
    fetched_at: Option<DateTime<Utc>>,
    /// Whether what was read still holds: for 24 hours.
    is_fresh: bool,
    /// How many series were read.
    series_count: Option<usize>,
    /// How many items of the shelf could not be used: those without a number of MyAnimeList, most of all.
    passed_over: Option<u64>,
    /// Why it could not be read since.
    failure: Option<FailureView>,
}

fn example_link() -> Value {
    json!({
        "server": example_server(),
        "slug": "mina",
        "fetched_at": "2026-10-30T12:00:00Z",
        "is_fresh": true,
        "series_count": 84,
        "passed_over": 2,
        "failure": null
    })
}

impl LinkView {
    fn of(link: Link, kept: Kept, viewer: &User) -> Self {
        let is_fresh = kept.is_fresh(Utc::now());
        let profile = kept.profile.as_ref();
        Self {
            slug: link.slug.to_string(),
            server: ServerView::of(link.server, viewer),
            fetched_at: profile.map(|profile| profile.fetched_at),
            is_fresh,
            series_count: profile.map(|profile| profile.payload.entries.len()),
            passed_over: profile.map(|profile| profile.payload.passed_over),
            failure: kept.failure.map(FailureView::from),
        }
    }
}

async fn shown(state: &AppState, link: Link, viewer: &User) -> Result<LinkView, Problem> {
    let kept = state.neighbours.manga.kept(&link.page()).await?;
    Ok(LinkView::of(link, kept, viewer))
}

/// Where one shows one's manga shelf.
///
/// For whoever is signed in. The link sleeps while its server is not approved. Nobody is asked for this answer.
#[utoipa::path(
    get,
    path = "/api/me/manga-link",
    tag = "manga",
    security(("session" = [])),
    responses((status = 200, description = "The link", body = LinkView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<LinkView>, Problem> {
    let link = manga_links::of(&state.pool, user.id).await?.ok_or(MANGA_NOT_LINKED)?;
    Ok(Json(shown(&state, link, &user).await?))
}

/// Links one's manga shelf.
///
/// For whoever is signed in. It takes the place of the link before. A server that is still pending can be linked: the
/// link sleeps until an admin approves it, and one is told then. What was kept of another page goes when nobody
/// links that one any more.
#[utoipa::path(
    put,
    path = "/api/me/manga-link",
    tag = "manga",
    security(("session" = [])),
    request_body = SetLink,
    responses((status = 200, description = "The link as it now is", body = LinkView), SetProblems)
)]
async fn set(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Body(given): Body<SetLink>,
) -> Result<Written<LinkView>, Problem> {
    let linked = manga_links::set(&state.pool, user.id, given.server_id, &given.slug).await;
    let link = linked.map_err(|error| match error {
        Unlinkable::NotFound => MANGA_SERVER_NOT_FOUND.into(),
        Unlinkable::Revoked(server) => match server.note {
            Some(note) => Problem::from(MANGA_SERVER_REVOKED)
                .detail(format!("an admin has revoked this server: {note}")),
            None => MANGA_SERVER_REVOKED.into(),
        },
        Unlinkable::Database(error) => Problem::from(error),
    })?;
    Ok(Written::done(shown(&state, link, &user).await?))
}

/// Takes the link to one's manga shelf away.
///
/// For whoever is signed in. What was kept of the shelf goes, unless somebody else links the same page.
#[utoipa::path(
    delete,
    path = "/api/me/manga-link",
    tag = "manga",
    security(("session" = [])),
    responses((status = 200, description = "It is gone", body = RemovedView), RemoveProblems)
)]
async fn remove(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Written<RemovedView>, Problem> {
    let removed = manga_links::remove(&state.pool, user.id).await?;
    if removed { Ok(Written::done(RemovedView { removed })) } else { Err(MANGA_NOT_LINKED.into()) }
}

/// Reads one's manga shelf anew, at once.
///
/// For whoever is signed in. When the server gives no shelf that can be read, that is a 502 with a `reason`, which is
/// on record at `GET /api/me/manga-link`; what was read before stays. Ten times at once, and one more every thirty
/// seconds.
#[utoipa::path(
    post,
    path = "/api/me/manga-link/refresh",
    tag = "manga",
    security(("session" = [])),
    responses((status = 200, description = "The link, with what was read", body = LinkView), RefreshProblems)
)]
async fn refresh(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Written<LinkView>, Problem> {
    let link = manga_links::of(&state.pool, user.id).await?.ok_or(MANGA_NOT_LINKED)?;
    if link.server.status != Status::Approved {
        let status = link.server.status.as_str();
        return Err(Problem::from(MANGA_LINK_ASLEEP).extra("server_status", status));
    }
    state.neighbours.lookups.take(&user.id)?;
    match state.neighbours.manga.fetch(&link.page()).await {
        Ok(_) => Ok(Written::done(shown(&state, link, &user).await?)),
        Err(MangaError::Database(error)) => Err(error.into()),
        Err(error) => {
            let problem =
                Problem::from(MANGA_SERVER_FAILED).detail(error.to_string()).extra("reason", error.code());
            let soon = matches!(error, MangaError::Resting | MangaError::Busy);
            Err(if soon { problem.header(header::RETRY_AFTER, 60) } else { problem })
        }
    }
}
