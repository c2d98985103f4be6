//! `/api/compare/{username}`: somebody's collection beside one's own.

use axum::{Json, extract::State, middleware::from_fn_with_state};
use operational::{following, users::Username};
use projections::{
    collection::ListKey,
    profiles::{self, Compared, Overlap, Part, Sides},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::{CurrentUser, Path, Query},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    problem::{self, NOT_FOUND, Problem},
    problems,
    shown::{CoverView, FigureView, PublicNsfw, example_cover, example_figure, hides_nsfw},
    state::AppState,
};

/// The read models that comparisons are answered from.
const READS: &[&str] = &["collection", "figures"];

problems!(CompareProblems = problem::SIGNED_IN, problem::LISTING, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(compare))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which part to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Compare {
    /// `both` own it, `only_me` owns it, `only_them`, `both_wish` it, `my_wishes` that they own, or `their_wishes`
    /// that one owns.
    #[serde(default)]
    #[param(value_type = Option<String>, default = "both",
        pattern = "^(both|only_me|only_them|both_wish|my_wishes|their_wishes)$")]
    part: Part,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ListKey>>,
}

/// Two collections side by side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Comparison, example = example)]
pub struct ComparisonView {
    username: String,
    counts: OverlapView,
    /// The figures of the part that was asked for, by name.
    items: Vec<ComparedView>,
    /// Give it as `cursor`, with the same `part`, to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// How many figures each part has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Overlap)]
pub struct OverlapView {
    both: i64,
    only_me: i64,
    only_them: i64,
    both_wish: i64,
    my_wishes: i64,
    their_wishes: i64,
}

/// A figure of a part.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComparedFigure)]
pub struct ComparedView {
    figure: FigureView,
    /// How many pieces of it one has.
    mine: i64,
    /// How many they show.
    theirs: i64,
    /// The picture of the card: what is pinned on a piece of one's own, else what they share of theirs, else what stands
    /// for the figure; null is a placeholder. To be blurred where the figure is.
    cover: Option<CoverView>,
}

fn example() -> Value {
    json!({
        "username": "bob",
        "counts": {"both": 12, "only_me": 112, "only_them": 40, "both_wish": 2, "my_wishes": 3, "their_wishes": 1},
        "items": [{"figure": example_figure(), "mine": 1, "theirs": 2, "cover": example_cover()}],
        "next_cursor": null
    })
}

impl From<Overlap> for OverlapView {
    fn from(counts: Overlap) -> Self {
        let Overlap { both, only_me, only_them, both_wish, my_wishes, their_wishes } = counts;
        Self { both, only_me, only_them, both_wish, my_wishes, their_wishes }
    }
}

/// Somebody's collection beside one's own.
///
/// For whoever is signed in. Somebody whose profile is off, or who is suspended, is not found. Pieces that are here
/// count, and wishes. Of their NSFW figures one sees what their profile shows, as if there were no others; one's own are
/// left out for those who hide them.
#[utoipa::path(
    get,
    path = "/api/compare/{username}",
    tag = "people",
    operation_id = "compare",
    security(("session" = [])),
    params(("username" = String, Path, description = "Their name", example = "bob"), Compare),
    responses((status = 200, description = "The counts, and a page of one part", body = ComparisonView), CompareProblems)
)]
async fn compare(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(name): Path<Username>,
    Query(query): Query<Compare>,
) -> Result<Json<ComparisonView>, Problem> {
    let other = following::find(&state.pool, &name).await?.ok_or(NOT_FOUND)?;
    let sides = Sides {
        me: user.id,
        them: other.id,
        without_my_nsfw: hides_nsfw(&user),
        without_their_nsfw: PublicNsfw::of(&other, Some(&user)).leaves_out(),
    };
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let counts = profiles::overlap(&state.pool, sides).await?;
    let found = profiles::compared(&state.pool, sides, query.part, after, query.limit.one_more()).await?;
    // Whoever looks has an account, so their own wish decides what is blurred, wherever the figure comes from.
    let view = |one: Compared| ComparedView {
        cover: one.cover().map(Into::into),
        figure: FigureView::of(one.figure, &user),
        mine: one.mine,
        theirs: one.theirs,
    };
    let Page { items, next_cursor } = Page::cut(found, query.limit, |one| one.key(query.part), view);
    Ok(Json(ComparisonView { username: other.username, counts: counts.into(), items, next_cursor }))
}
