//! `/api/public/figures/by-mal/{mal_id}`: the mirror, for MangaCollector servers and anybody else.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use projections::figures::queries::{self, OpenFigure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    config::PublicUrl,
    extract::{Path, Query},
    http::stats::yes_or_no,
    problem::{
        self, INVALID_FIELD, MALFORMED_QUERY, NOT_FOUND, Problem, TOO_MANY_ATTEMPTS, UNKNOWN_PARAMETER,
    },
    problems,
    shown::CoverView,
    state::AppState,
};

/// The largest number that MyAnimeList may have given out.
const LARGEST_ID: i64 = 10_000_000;
/// How many figures are listed; no series that anybody reads has more.
const MOST_FIGURES: i64 = 500;
/// Anybody's cache may keep an answer for five minutes.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

problems!(
    ByMalProblems = &[
        NOT_FOUND,
        problem::MALFORMED_PATH,
        MALFORMED_QUERY,
        INVALID_FIELD,
        UNKNOWN_PARAMETER,
        TOO_MANY_ATTEMPTS
    ],
);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(by_mal))
}

/// Whether NSFW figures count, too.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WithNsfw {
    /// `1` includes NSFW figures.
    #[serde(default, deserialize_with = "yes_or_no")]
    #[param(value_type = Option<String>, pattern = "^(0|1|false|true)$", example = "1")]
    nsfw: bool,
}

/// The figures of a series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FiguresByMal, example = json!({"mal_id": 21, "count": 1, "figures": [{"name": "Harbour Pilot Mina", "slug": "harbour-pilot-mina-1c0e4b02", "figure_type": "scale", "image": "https://figures.example/api/figure-photos/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41?size=960"}]}))]
pub struct FiguresByMal {
    /// The number on MyAnimeList that was asked for.
    mal_id: i64,
    /// How many figures there are.
    count: i64,
    /// The first 500 of them, by name.
    figures: Vec<OpenFigureView>,
}

/// A figure as anybody sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenFigureView {
    name: String,
    slug: String,
    figure_type: String,
    /// The picture of its card, at most 960 pixels a side: the catalogue's photo that stands for it, else the maker's
    /// own; of an NSFW figure the maker's own, since the catalogue's need an account. Null is a placeholder. Where the
    /// operator has not said under which address this server is reached, it is relative to the one that was asked.
    image: Option<String>,
}

impl OpenFigureView {
    fn of(figure: OpenFigure, base: Option<&PublicUrl>) -> Self {
        let OpenFigure { name, slug, figure_type, cover } = figure;
        let image = cover.map(|cover| CoverView::from(cover).elsewhere(base));
        Self { name, slug, figure_type, image }
    }
}

/// The figures of a series, by its number on MyAnimeList.
///
/// Anybody may call it, and pages of any site may read it (`Access-Control-Allow-Origin: *`): it holds nothing of any
/// person's, and is the same for everybody. Without figures, `count` is 0. NSFW figures only with `nsfw=1`. It may be
/// kept for five minutes, and `If-None-Match` is honoured. 120 requests at once per address, and two more a second.
#[utoipa::path(
    get,
    path = "/api/public/figures/by-mal/{mal_id}",
    tag = "manga",
    params(
        ("mal_id" = i64, Path, description = "The number on MyAnimeList", minimum = 1, maximum = 10_000_000),
        WithNsfw
    ),
    responses(
        (status = 200, description = "The figures", body = FiguresByMal),
        (status = 304, description = "They are as If-None-Match has them"),
        ByMalProblems
    )
)]
async fn by_mal(
    State(state): State<AppState>,
    Path(mal_id): Path<i64>,
    Query(query): Query<WithNsfw>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !(1..=LARGEST_ID).contains(&mal_id) {
        return Err(NOT_FOUND.into());
    }
    let (count, figures) = queries::by_mal_id(&state.pool, mal_id, query.nsfw, MOST_FIGURES).await?;
    let base = state.config.public_url.as_ref();
    let figures = figures.into_iter().map(|figure| OpenFigureView::of(figure, base)).collect();
    let body = serde_json::to_vec(&FiguresByMal { mal_id, count, figures }).map_err(Problem::internal)?;
    let digest = Sha256::digest(&body);
    let tag: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.trim_start_matches("W/") == tag
    });
    let open = [
        (header::CACHE_CONTROL, CACHED),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
        (header::ETAG, HeaderValue::try_from(tag).map_err(Problem::internal)?),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, open).into_response());
    }
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((open, json, body).into_response())
}
