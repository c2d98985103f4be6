//! `/api/me/year-in-review/{year}`: a calendar year, and the one before it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use domain::ids::{PieceId, PreorderId};
use operational::users::User;
use projections::{
    collection,
    pictures::Eyes,
    preorders,
    statistics::{self, Acquired, Named, Whole, Year, YearOf},
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::stats::{self, Explain, QUERY};
use crate::shown::hides_nsfw;
use crate::{
    charts::{self, Chart, Panel},
    exchange::{Exchange, TotalView, example_total},
    extract::{CurrentUser, Path, Query},
    guard::fresh,
    problem::{self, Kind, Problem},
    problems,
    shown::{self, CoverView, EntityRef, FigureView},
    state::AppState,
};

/// Years in which something can have happened.
const YEARS: std::ops::RangeInclusive<i32> = 1950..=2100;

const INVALID_YEAR: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_year", "a year is a number from 1950 to 2100")
        .on("year");

problems!(YearProblems = problem::SIGNED_IN, QUERY, &[INVALID_YEAR]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .layer(from_fn_with_state(fresh::reads(state, stats::READS), fresh::wait))
}

/// A year in review.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = YearInReview, example = example_year)]
pub struct YearView {
    year: i32,
    /// The day of the rates that amounts without a frozen rate were converted by; null without any.
    fx_date: Option<NaiveDate>,
    #[serde(flatten)]
    of: YearOfView,
    /// Pieces acquired in each month, January first.
    months: Vec<i64>,
    /// The maker of most pieces acquired.
    favourite_maker: Option<Favourite>,
    /// The series of most pieces acquired.
    favourite_series: Option<Favourite>,
    most_slipped: Option<SlippedView>,
    first_acquired: Option<AcquiredView>,
    last_acquired: Option<AcquiredView>,
    /// The same numbers of the year before.
    year_before: YearOfView,
}

/// What a year came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct YearOfView {
    /// Pieces acquired, those archived since included.
    pieces: i64,
    spent: TotalView,
    /// What was not refunded of the pre-orders cancelled in it.
    lost: TotalView,
}

/// A maker or series, and how many pieces of it came.
#[derive(Debug, Serialize, ToSchema)]
pub struct Favourite {
    #[serde(flatten)]
    of: EntityRef,
    pieces: i64,
}

/// The pre-order that slipped most often; of several, the one that slipped by more days.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlippedView {
    preorder_id: Uuid,
    figure: Option<FigureView>,
    /// The picture of its piece: what is pinned, else what stands for the figure; null is a placeholder.
    cover: Option<CoverView>,
    /// How often it slipped in the year.
    slips: i64,
    /// By how many days in all.
    days: i64,
}

/// A piece that came.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcquiredView {
    piece_id: Uuid,
    figure: Option<FigureView>,
    /// What is pinned, else what stands for the figure; null is a placeholder.
    cover: Option<CoverView>,
    /// In UTC.
    acquired_on: NaiveDate,
}

fn example_year() -> Value {
    json!({
        "year": 2026,
        "fx_date": "2026-11-20",
        "pieces": 31,
        "spent": example_total(),
        "lost": {"eur": "18.00", "partial": false, "display": null, "by_currency": [{"currency": "EUR", "amount": "18.00"}]},
        "months": [2, 0, 5, 1, 0, 3, 4, 2, 6, 3, 5, 0],
        "favourite_maker": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b01", "name": "Good Smile Company",
            "slug": "good-smile-company", "pieces": 12},
        "favourite_series": {"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04", "name": "Tides of Cobalt",
            "slug": "tides-of-cobalt", "pieces": 4},
        "most_slipped": {"preorder_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b30", "figure": shown::example_figure(),
            "cover": shown::example_cover(), "slips": 3, "days": 153},
        "first_acquired": {"piece_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10", "figure": shown::example_figure(),
            "cover": shown::example_cover(), "acquired_on": "2026-01-04"},
        "last_acquired": null,
        "year_before": {"pieces": 24, "spent": example_total(), "lost": example_total()}
    })
}

fn favourite(named: Option<Named>) -> Option<Favourite> {
    let Named { id, name, slug, pieces } = named?;
    let of = projections::figures::summary::EntityName { id: id?, name: name?, slug: slug? };
    Some(Favourite { of: of.into(), pieces })
}

async fn acquired(
    state: &AppState,
    user: &User,
    piece: Option<Acquired>,
) -> Result<Option<AcquiredView>, Problem> {
    let Some(Acquired { piece_id, on }) = piece else { return Ok(None) };
    let found = collection::piece(&state.pool, user.id, PieceId(piece_id)).await?;
    let cover = found.as_ref().and_then(|piece| piece.cover(Eyes::Owner)).map(Into::into);
    let figure = found.and_then(|piece| piece.figure).map(|figure| FigureView::of(figure, user));
    Ok(Some(AcquiredView { piece_id, figure, cover, acquired_on: on }))
}

async fn year_of(
    state: &AppState,
    user: &User,
    exchange: &Exchange,
    (year, of): (i32, &YearOf),
    explain: bool,
) -> Result<YearOfView, Problem> {
    let why = async |whole| stats::explained(state, user, exchange, whole, explain).await;
    Ok(YearOfView {
        pieces: of.pieces,
        spent: exchange.total(&of.spent).explained(why(Whole::Spent(Some(year))).await?),
        lost: exchange.total(&of.lost).explained(why(Whole::Lost(Some(year))).await?),
    })
}

/// A calendar year in review.
///
/// For whoever is signed in. Pieces acquired, money spent and lost, favourites, the most-slipped pre-order, and the year
/// before beside it; days are UTC days. With `Accept: image/svg+xml`, or `.svg` behind the year, the chart of pieces per
/// month.
#[utoipa::path(
    get,
    path = "/api/me/year-in-review/{year}",
    tag = "statistics",
    security(("session" = [])),
    params(("year" = String, Path, description = "1950 to 2100; with `.svg` behind it, the chart", example = "2026"), Explain),
    responses(
        (status = 200, description = "The year", content(
            (YearView = "application/json"),
            (String = "image/svg+xml"),
        )),
        YearProblems
    )
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(year): Path<String>,
    Query(query): Query<Explain>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (digits, is_chart) = match year.strip_suffix(".svg") {
        Some(digits) => (digits, true),
        None => (year.as_str(), charts::wanted(&headers)),
    };
    let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let year: i32 = digits.parse().ok().filter(|year| plain && YEARS.contains(year)).ok_or(INVALID_YEAR)?;
    let hide = hides_nsfw(&user);
    let review = statistics::year_in_review(&state.pool, user.id, year, hide).await?;
    if is_chart {
        return Ok(drawn(year, &review).into_response());
    }
    let exchange = Exchange::of(&state, &user);
    let most_slipped = match &review.most_slipped {
        Some(most) => {
            let found = preorders::find(&state.pool, user.id, PreorderId(most.preorder_id)).await?;
            let cover = found.as_ref().and_then(|found| found.cover(Eyes::Owner)).map(Into::into);
            let figure = found.and_then(|found| found.figure).map(|figure| FigureView::of(figure, &user));
            let (preorder_id, slips, days) = (most.preorder_id, most.slips, most.days);
            Some(SlippedView { preorder_id, figure, cover, slips, days })
        }
        None => None,
    };
    Ok(Json(YearView {
        year,
        fx_date: exchange.fx_date(),
        of: year_of(&state, &user, &exchange, (year, &review.of), query.explain).await?,
        year_before: year_of(&state, &user, &exchange, (year - 1, &review.before), query.explain).await?,
        months: review.months.to_vec(),
        first_acquired: acquired(&state, &user, review.first).await?,
        last_acquired: acquired(&state, &user, review.last).await?,
        favourite_maker: favourite(review.maker),
        favourite_series: favourite(review.series),
        most_slipped,
    })
    .into_response())
}

fn drawn(year: i32, review: &Year) -> Chart {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let bars: Vec<(String, i64)> =
        MONTHS.iter().zip(review.months).map(|(name, count)| ((*name).to_owned(), count)).collect();
    let most = bars.iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    let busiest = most.map_or_else(String::new, |(name, count)| format!(" Most in {name}: {count}."));
    Chart {
        title: format!("Pieces acquired in {year}"),
        description: format!(
            "{} pieces in all, {} the year before.{busiest}",
            review.of.pieces, review.before.pieces
        ),
        panels: vec![Panel::Bars { label: "Pieces per month".to_owned(), bars }],
    }
}
