//! `/api/me/crossings`: where one's manga shelf meets one's figures.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use operational::{
    external_lookups::Lookup,
    manga_links::{self, Link},
    manga_servers::Status,
    users::User,
};
use projections::figures::queries::{self, CrossingCursor, OwnedSeries, UnownedFigure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::manga::{Entry, Kept, MangaError, Profile};

use super::views::{FailureView, ReadingView, ServerView, example_reading, example_server};
use crate::{
    extract::{CurrentUser, Query},
    http::{entities::eyes, figures::ListedView},
    pages::{Cursor, Limit, Page},
    problem::{self, Problem},
    problems,
    shown::{example_figure, hides_nsfw},
    state::AppState,
};

problems!(CrossingsProblems = problem::SIGNED_IN, problem::LISTING);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(crossings))
}

/// How many figures to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListCrossings {
    /// How many figures to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<CrossingCursor>>,
}

/// How current the shelf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MangaShelfState)]
pub enum ShelfState {
    /// Nothing is linked.
    NotLinked,
    /// The server waits for an admin; nobody is asked.
    Asleep,
    /// An admin revoked the server; nobody is asked. What was read before is shown.
    Revoked,
    /// It was read within 24 hours.
    Fresh,
    /// It could not be read anew; `failure` says why. What was read before is shown.
    Kept,
    /// It could not be read, and never was.
    Unavailable,
}

/// Where a shelf meets the figures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Crossings, example = example_crossings)]
pub struct CrossingsView {
    /// How current the shelf is.
    state: ShelfState,
    /// The server; null when nothing is linked.
    server: Option<ServerView>,
    slug: Option<String>,
    /// What one is called there.
    display_name: Option<String>,
    /// When the shelf was read.
    fetched_at: Option<DateTime<Utc>>,
    /// Why it could not be read just now.
    failure: Option<FailureView>,
    /// Series that are on the shelf and of which one owns figures, by name.
    series: Vec<CrossedSeries>,
    /// Figures of series that are on the shelf which one does not own, by name: one page of them.
    figures: Vec<CrossedFigure>,
    /// Give it as `cursor` to get the next page of figures; null on the last one.
    next_cursor: Option<String>,
}

/// A series that one reads and of which one owns figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrossedSeries {
    id: Uuid,
    name: String,
    slug: String,
    mal_id: i64,
    /// How many figures of it one owns; several pieces of one figure count once.
    figure_count: i64,
    reading: ReadingView,
}

/// A figure that one does not own, of a series that one reads.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrossedFigure {
    #[serde(flatten)]
    figure: ListedView,
    /// The numbers on MyAnimeList of its series that are on the shelf.
    mal_ids: Vec<i64>,
    /// Whether one owns another figure of any of these series.
    series_owned: bool,
}

fn example_crossings() -> Value {
    let mut figure = example_figure();
    if let Some(figure) = figure.as_object_mut() {
        let more = json!({
            "characters": [], "version_name": null, "viewer": "wished", "mal_ids": [21], "series_owned": true
        });
        figure.extend(more.as_object().cloned().unwrap_or_default());
    }
    json!({
        "state": "fresh",
        "server": example_server(),
        "slug": "mina",
        "display_name": "Mina",
        "fetched_at": "2026-10-30T12:00:00Z",
        "failure": null,
        "series": [{
            "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04",
            "name": "Tides of Cobalt",
            "slug": "tides-of-cobalt",
            "mal_id": 21,
            "figure_count": 2,
            "reading": example_reading()
        }],
        "figures": [figure],
        "next_cursor": null
    })
}

/// A shelf as it is at hand.
struct Shelf {
    state: ShelfState,
    profile: Option<Lookup<Profile>>,
    failure: Option<FailureView>,
}

impl Shelf {
    fn at_rest(state: ShelfState, kept: Kept) -> Self {
        Self { state, profile: kept.profile, failure: kept.failure.map(FailureView::from) }
    }

    /// Nothing new could be had.
    fn behind(profile: Option<Lookup<Profile>>, failure: Option<FailureView>) -> Self {
        let state = if profile.is_some() { ShelfState::Kept } else { ShelfState::Unavailable };
        Self { state, profile, failure }
    }

    async fn of(state: &AppState, link: &Link, user: &User) -> Result<Self, Problem> {
        let (manga, page, now) = (&state.neighbours.manga, link.page(), Utc::now());
        let kept = manga.kept(&page).await?;
        match link.server.status {
            Status::Pending => return Ok(Self::at_rest(ShelfState::Asleep, kept)),
            Status::Revoked => return Ok(Self::at_rest(ShelfState::Revoked, kept)),
            Status::Approved => {}
        }
        if kept.is_fresh(now) {
            return Ok(Self::at_rest(ShelfState::Fresh, kept));
        }
        if kept.rests(now) {
            return Ok(Self::behind(kept.profile, kept.failure.map(FailureView::from)));
        }
        let failed = |code: &str, detail: String| {
            Self::behind(kept.profile.clone(), Some(FailureView { code: code.to_owned(), detail, at: now }))
        };
        if let Err(problem) = state.neighbours.lookups.take(&user.id) {
            return Ok(failed(
                problem.code(),
                "you had others asked too often; come back in a while".to_owned(),
            ));
        }
        match manga.fetch(&page).await {
            Ok(profile) => Ok(Self { state: ShelfState::Fresh, profile: Some(profile), failure: None }),
            Err(MangaError::Database(error)) => Err(error.into()),
            Err(error) => Ok(failed(error.code(), error.to_string())),
        }
    }
}

/// Where one's manga shelf meets one's figures.
///
/// For whoever is signed in. What is on the shelf counts as read, whatever its progress. The two meet where a series has
/// the number on MyAnimeList that the shelf names. The server is asked when nothing is kept that was read within 24
/// hours, and only if an admin approved it; a server that does not answer is no error here: `state` says how current
/// the answer is, and `fetched_at` of when. Series for adults and NSFW figures are left out for those who hide NSFW
/// figures.
#[utoipa::path(
    get,
    path = "/api/me/crossings",
    tag = "manga",
    security(("session" = [])),
    params(ListCrossings),
    responses((status = 200, description = "The crossings", body = CrossingsView), CrossingsProblems)
)]
async fn crossings(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListCrossings>,
) -> Result<Json<CrossingsView>, Problem> {
    let Some(link) = manga_links::of(&state.pool, user.id).await? else {
        return Ok(Json(CrossingsView::unlinked()));
    };
    let shelf = Shelf::of(&state, &link, &user).await?;
    let mut view = CrossingsView {
        state: shelf.state,
        slug: Some(link.slug.to_string()),
        server: Some(ServerView::of(link.server, &user)),
        failure: shelf.failure,
        ..CrossingsView::unlinked()
    };
    let Some(Lookup { payload: profile, fetched_at }) = shelf.profile else { return Ok(Json(view)) };
    view.fetched_at = Some(fetched_at);
    view.display_name = profile.display_name;
    let mut entries = profile.entries;
    if hides_nsfw(&user) {
        entries.retain(|_, entry| !entry.is_adult);
    }
    let (mal_ids, viewer): (Vec<i64>, _) = (entries.keys().copied().collect(), eyes(&user));
    let owned = queries::owned_series(&state.pool, viewer, &mal_ids).await?;
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let page = queries::unowned_figures(&state.pool, viewer, &mal_ids, after, query.limit.into()).await?;
    let figures = Page::shown(page, |one: UnownedFigure| CrossedFigure {
        series_owned: owned.iter().any(|series| one.mal_ids.contains(&series.mal_id)),
        figure: ListedView::of(one.card, &user),
        mal_ids: one.mal_ids,
    });
    view.series = owned.into_iter().filter_map(|series| crossed(series, &entries)).collect();
    (view.figures, view.next_cursor) = (figures.items, figures.next_cursor);
    Ok(Json(view))
}

fn crossed(series: OwnedSeries, entries: &BTreeMap<i64, Entry>) -> Option<CrossedSeries> {
    let reading = entries.get(&series.mal_id)?.clone().into();
    Some(CrossedSeries {
        id: series.id,
        name: series.name,
        slug: series.slug,
        mal_id: series.mal_id,
        figure_count: series.figure_count,
        reading,
    })
}

impl CrossingsView {
    fn unlinked() -> Self {
        Self {
            state: ShelfState::NotLinked,
            server: None,
            slug: None,
            display_name: None,
            fetched_at: None,
            failure: None,
            series: Vec::new(),
            figures: Vec::new(),
            next_cursor: None,
        }
    }
}
