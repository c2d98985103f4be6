//! `/api/series/{id}/mal-lookup`: which number a series may have on MyAnimeList, as AniList knows it.

use axum::{
    extract::State,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
};
use chrono::{DateTime, Utc};
use domain::{entity::EntityKind, refusal::Code, text::Name};
use projections::entities::queries;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::anilist::{AniListError, Candidate};

use super::entities::eyes;
use crate::{
    answer::Written,
    change,
    extract::{Body, CurrentUser, Path},
    guard::fresh,
    neighbours::TOO_MANY_LOOKUPS,
    problem::{self, Kind, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// The read models that this route is answered from.
const READS: &[&str] = &["entities", "figures"];

/// There is no such series.
const SERIES_NOT_FOUND: Kind = Kind::refusal(Code::EntityNotFound, "there is no such series");
/// Somebody else's series.
const NOT_ALLOWED: Kind = Kind::refusal(
    Code::NotAllowed,
    "only the person who first typed this name and admins can say which series it is",
);
/// The operator switched it off.
const ANILIST_OFF: Kind = Kind::new(
    StatusCode::CONFLICT,
    "anilist_off",
    "AniList is not asked here; type the number with PATCH /api/series/{id}",
);
/// It gave no answer that can be read.
const ANILIST_FAILED: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "anilist_failed",
    "AniList gave no answer that can be read; type the number with PATCH /api/series/{id}",
);
/// It is to be left alone for a while.
const ANILIST_BUSY: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "anilist_busy",
    "AniList is left alone for a moment; wait as long as Retry-After says",
);

problems!(
    LookupProblems = problem::SIGNED_IN,
    problem::BODY,
    &[SERIES_NOT_FOUND, NOT_ALLOWED, ANILIST_OFF, ANILIST_FAILED, ANILIST_BUSY, TOO_MANY_LOOKUPS],
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(look_up))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// What to look for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({}))]
pub struct LookUp {
    /// Another name than the series', 1 to 300 characters.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 300)]
    name: Option<Name>,
}

/// What a series may be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MalCandidates, example = example_found)]
pub struct FoundView {
    /// The series.
    series_id: Uuid,
    /// The number that it has now.
    mal_id: Option<i64>,
    /// The name that was looked for.
    searched: String,
    /// When AniList was asked; an answer holds for a week.
    fetched_at: DateTime<Utc>,
    /// The likeliest first, at most ten.
    candidates: Vec<CandidateView>,
}

/// A manga on AniList that has a number on MyAnimeList.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MalCandidate)]
pub struct CandidateView {
    /// The number: save it with `PATCH /api/series/{id}`.
    mal_id: i64,
    /// In Latin letters.
    title: Option<String>,
    title_english: Option<String>,
    title_native: Option<String>,
    /// `MANGA`, `NOVEL`, `ONE_SHOT` …
    format: Option<String>,
    /// The year in which it began.
    year: Option<i32>,
    is_adult: bool,
    /// Its page on AniList.
    url: Option<String>,
}

fn example_found() -> Value {
    json!({
        "series_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04",
        "mal_id": null,
        "searched": "Tides of Cobalt",
        "fetched_at": "2026-10-30T12:00:00Z",
        "candidates": [{
            "mal_id": 21,
            "title": "Aoi Shio",
            "title_english": "Tides of Cobalt",
            "title_native": null,
            "format": "MANGA",
            "year": 2014,
            "is_adult": false,
            "url": "https://anilist.co/manga/9"
        }]
    })
}

impl From<Candidate> for CandidateView {
    fn from(one: Candidate) -> Self {
        Self {
            mal_id: one.mal_id,
            title: one.title,
            title_english: one.title_english,
            title_native: one.title_native,
            format: one.format,
            year: one.year,
            is_adult: one.is_adult,
            url: one.url,
        }
    }
}

/// Asks AniList which number a series may have on MyAnimeList.
///
/// For whoever is signed in: the person who first typed the name, and admins. Nothing is saved: whoever asks looks at
/// the candidates and saves one with `PATCH /api/series/{id}`. Those for adults are left out for those who hide NSFW
/// figures. An answer is kept for a week. Ten questions at once per person, and one more every thirty seconds.
#[utoipa::path(
    post,
    path = "/api/series/{id}/mal-lookup",
    tag = "catalogue",
    security(("session" = [])),
    params(("id" = String, Path, description = "The id or a slug")),
    request_body = LookUp,
    responses((status = 200, description = "The candidates", body = FoundView), LookupProblems)
)]
async fn look_up(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<String>,
    Body(given): Body<LookUp>,
) -> Result<Written<FoundView>, Problem> {
    let series = queries::find(&state.pool, EntityKind::Series, &id, eyes(&user)).await?;
    let series = series.ok_or(SERIES_NOT_FOUND)?;
    if !user.is_admin && series.created_by != Some(user.id.uuid()) {
        return Err(NOT_ALLOWED.into());
    }
    let anilist = state.neighbours.anilist.as_ref().ok_or(ANILIST_OFF)?;
    let name = match given.name {
        Some(name) => name,
        None => series.name.parse().map_err(Problem::internal)?,
    };
    state.neighbours.lookups.take(&user.id)?;
    let found = anilist.candidates(&name).await.map_err(unanswered)?;
    let mut candidates = found.payload;
    candidates.retain(|one| !(one.is_adult && hides_nsfw(&user)));
    Ok(Written::done(FoundView {
        series_id: series.id,
        mal_id: series.mal_id,
        searched: name.to_string(),
        fetched_at: found.fetched_at,
        candidates: candidates.into_iter().map(CandidateView::from).collect(),
    }))
}

fn unanswered(error: AniListError) -> Problem {
    let wait = match &error {
        AniListError::Database(_) => None,
        AniListError::Busy(wait) => Some(wait.as_secs().saturating_add(1)),
        AniListError::TooMany | AniListError::Resting => Some(60),
        _ => None,
    };
    match (error, wait) {
        (AniListError::Database(error), _) => error.into(),
        (error, Some(seconds)) => Problem::from(ANILIST_BUSY)
            .detail(format!("{error}; wait as long as Retry-After says"))
            .header(header::RETRY_AFTER, seconds),
        (error, None) => {
            Problem::from(ANILIST_FAILED).detail(error.to_string()).extra("reason", error.code())
        }
    }
}
