//! `/api/me/achievements`: what one has unlocked, and what is next.

use axum::{Json, extract::State, middleware::from_fn_with_state};
use chrono::{DateTime, Utc};
use projections::achievements::{self, Locked, Unlocked};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::CurrentUser,
    guard::fresh,
    problem::{self, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// The read models that achievements are answered from.
const READS: &[&str] = &["achievements"];

problems!(ReadProblems = problem::SIGNED_IN);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Something that one unlocked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Achievement)]
pub struct UnlockedView {
    #[schema(example = "pieces_owned_10")]
    code: &'static str,
    /// `bronze`, `silver` or `gold`.
    tier: &'static str,
    threshold: i32,
    unlocked_at: DateTime<Utc>,
}

/// Something that one has yet to unlock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NextAchievement)]
pub struct LockedView {
    #[schema(example = "pieces_owned_25")]
    code: &'static str,
    /// `bronze`, `silver` or `gold`.
    tier: &'static str,
    threshold: i32,
    /// How far it has come. Of makers and series, the one with the most counts; of slips, the piece with the
    /// most.
    current: i32,
    /// What is missing; 0 when only the receipt of a piece that slipped often enough is.
    remaining: i32,
}

/// What one has unlocked, and what is next.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example)]
pub struct AchievementsView {
    /// Unlocked, the latest first. Never taken back.
    items: Vec<UnlockedView>,
    /// The next of each kind, the nearest first.
    next: Vec<LockedView>,
}

fn example() -> Value {
    json!({
        "items": [
            {"code": "pieces_owned_1", "tier": "bronze", "threshold": 1, "unlocked_at": "2026-10-17T09:30:00Z"}
        ],
        "next": [
            {"code": "preorders_placed_1", "tier": "bronze", "threshold": 1, "current": 0, "remaining": 1},
            {"code": "pieces_owned_10", "tier": "bronze", "threshold": 10, "current": 4, "remaining": 6}
        ]
    })
}

impl From<Unlocked> for UnlockedView {
    fn from(one: Unlocked) -> Self {
        let what = one.achievement;
        Self {
            code: what.code,
            tier: what.tier.as_str(),
            threshold: what.threshold,
            unlocked_at: one.unlocked_at,
        }
    }
}

impl From<Locked> for LockedView {
    fn from(one: Locked) -> Self {
        let what = one.achievement;
        Self {
            code: what.code,
            tier: what.tier.as_str(),
            threshold: what.threshold,
            current: one.current,
            remaining: one.remaining,
        }
    }
}

/// One's achievements.
///
/// For whoever is signed in. Those of NSFW pieces are left out for people who hide them.
#[utoipa::path(
    get,
    path = "/api/me/achievements",
    tag = "activity",
    operation_id = "list_achievements",
    security(("session" = [])),
    responses((status = 200, description = "What is unlocked and what is next", body = AchievementsView), ReadProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<AchievementsView>, Problem> {
    let (unlocked, next) = achievements::of_user(&state.pool, user.id, hides_nsfw(&user)).await?;
    Ok(Json(AchievementsView {
        items: unlocked.into_iter().map(Into::into).collect(),
        next: next.into_iter().map(Into::into).collect(),
    }))
}
