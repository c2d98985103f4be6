//! `/api/u/{username}`: what somebody shows of their collection.

use axum::{
    Json,
    extract::State,
    middleware::{from_fn, from_fn_with_state},
};
use domain::money::Currency;
use operational::{
    following,
    users::{User, Username},
};
use projections::{
    achievements,
    cote::{self, Reckoning},
    profiles::{self, Card, Counts},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::achievements::UnlockedView;
use crate::{
    extract::{MaybeUser, Path, Query},
    guard::{fresh, noindex, open_reads},
    pages::{Cursor, Limit, Offset, Page},
    problem::{self, NOT_FOUND, Problem, TOO_MANY_ATTEMPTS},
    problems,
    shown::{CoverView, DisplayTotal, FigureView, PublicNsfw, example_cover, example_figure},
    state::AppState,
};

/// The read models that profiles are answered from.
const READS: &[&str] = &["collection", "preorders", "figures", "achievements", "cote"];

problems!(ReadProblems = problem::LISTING, &[NOT_FOUND, TOO_MANY_ATTEMPTS]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
        .layer(from_fn_with_state(state.clone(), open_reads::limit))
        .layer(from_fn(noindex::add))
}

/// Which part of somebody's figures to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadProfile {
    /// How many figures to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: `next_cursor` of its `pieces`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<Offset>>,
}

/// What somebody shows of their collection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Profile, example = example)]
pub struct ProfileView {
    username: String,
    /// Whether whoever asks follows them; null without an account, and on one's own profile.
    is_followed: Option<bool>,
    counts: CountsView,
    /// What the pieces are worth, in the currency that whoever asks prefers, else in euro, at today's rates. Null
    /// unless `public_profile_show_value` is on.
    value: Option<DisplayTotal>,
    /// Unlocked, the latest first. None where NSFW figures are left out and any was ever counted: what they unlocked
    /// cannot be told from the rest.
    achievements: Vec<UnlockedView>,
    /// The figures of which there are pieces, the latest added first.
    pieces: Page<CardView>,
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileCounts)]
pub struct CountsView {
    /// Pieces that are here: not archived, and received if they were ever pre-ordered.
    pieces: i64,
    /// Different figures among them.
    figures: i64,
    /// Different makers among them.
    manufacturers: i64,
    /// Different series among them.
    series: i64,
    /// Live pre-orders.
    preorders: i64,
    wishes: i64,
    /// People with a profile who follow them.
    followers: i64,
    /// People with a profile whom they follow.
    following: i64,
}

/// A figure on somebody's shelf.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileCard)]
pub struct CardView {
    figure: FigureView,
    /// How many pieces of it there are.
    pieces: i64,
    /// The picture of the card: what its owner pinned and shares on the latest of the pieces that has such, else what
    /// stands for the figure; null is a placeholder. To be blurred where the figure is.
    cover: Option<CoverView>,
}

fn example() -> Value {
    json!({
        "username": "alice",
        "is_followed": false,
        "counts": {"pieces": 124, "figures": 119, "manufacturers": 17, "series": 40, "preorders": 6, "wishes": 12,
            "followers": 3, "following": 5},
        "value": {"amount": "2411.80", "currency": "EUR", "partial": false, "fx_date": "2026-11-20"},
        "achievements": [
            {"code": "pieces_owned_100", "tier": "silver", "threshold": 100, "unlocked_at": "2026-10-17T09:30:00Z"}
        ],
        "pieces": {"items": [{"figure": example_figure(), "pieces": 1, "cover": example_cover()}], "next_cursor": null}
    })
}

impl CountsView {
    const fn of(counts: Counts, (followers, following): (i64, i64)) -> Self {
        let Counts { pieces, figures, manufacturers, series, preorders, wishes } = counts;
        Self { pieces, figures, manufacturers, series, preorders, wishes, followers, following }
    }
}

/// What their pieces are worth, if they show it.
async fn value(
    state: &AppState,
    owner: &User,
    viewer: Option<&User>,
    nsfw: PublicNsfw,
) -> Result<Option<DisplayTotal>, Problem> {
    if !owner.public_profile_show_value {
        return Ok(None);
    }
    let groups = cote::worth(&state.pool, owner.id, nsfw.leaves_out()).await?;
    let rates = state.fx.rates();
    let to = viewer.and_then(|viewer| viewer.preferred_currency).unwrap_or(Currency::Eur);
    Ok(Some(Reckoning::of(&groups, &[], &rates).values.total(rates.today(), to).into()))
}

/// What somebody shows of their collection.
///
/// Anybody, with an account or without one; an API key needs `collection:read`. Somebody whose profile is off, or who
/// is suspended, is not found, like somebody who does not exist. Never what was paid, where a thing stands, what was
/// noted or where it was bought. NSFW figures are left out of everything unless `public_profile_show_nsfw` is on and
/// whoever asks does not hide them; without an account they are marked for blurring. At most 120 requests at once per
/// address, and two more a second.
#[utoipa::path(
    get,
    path = "/api/u/{username}",
    tag = "people",
    operation_id = "read_profile",
    params(("username" = String, Path, description = "Their name", example = "alice"), ReadProfile),
    responses((status = 200, description = "The profile", body = ProfileView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    MaybeUser(viewer): MaybeUser,
    Path(name): Path<Username>,
    Query(query): Query<ReadProfile>,
) -> Result<Json<ProfileView>, Problem> {
    let owner = following::find(&state.pool, &name).await?.ok_or(NOT_FOUND)?;
    let nsfw = PublicNsfw::of(&owner, viewer.as_ref());
    let (without, after) = (nsfw.leaves_out(), query.cursor.map_or(Offset::START, |cursor| cursor.0));
    let counts = profiles::counts(&state.pool, owner.id, without).await?;
    let people = following::counts(&state.pool, owner.id).await?;
    let unlocked = achievements::shown_to_others(&state.pool, owner.id, without).await?;
    let cards = profiles::shelf(&state.pool, owner.id, without, after.get(), query.limit.one_more()).await?;
    let is_followed = match viewer.as_ref().filter(|viewer| viewer.id != owner.id) {
        Some(viewer) => Some(following::follows(&state.pool, viewer.id, owner.id).await?),
        None => None,
    };
    let card = |card: Card| CardView {
        cover: card.cover().map(Into::into),
        figure: FigureView::public(card.figure, nsfw),
        pieces: card.pieces,
    };
    Ok(Json(ProfileView {
        value: value(&state, &owner, viewer.as_ref(), nsfw).await?,
        username: owner.username,
        is_followed,
        counts: CountsView::of(counts, people),
        achievements: unlocked.into_iter().map(Into::into).collect(),
        pieces: Page::cut(cards, query.limit, |_last| after.then(query.limit), card),
    }))
}
