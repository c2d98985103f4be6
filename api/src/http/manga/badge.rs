//! What a figure's page says of one's manga shelf.

use chrono::{DateTime, Utc};
use operational::{external_lookups::Lookup, manga_links, users::User};
use projections::figures::queries;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use workers::manga::Entry;

use super::views::{ReadingView, example_reading};
use crate::{problem::Problem, shown::hides_nsfw, state::AppState};

/// The series of a figure on one's manga shelf.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaBadge, example = example_badge)]
pub struct BadgeView {
    /// The series' number on MyAnimeList.
    mal_id: i64,
    #[serde(flatten)]
    reading: ReadingView,
    /// When the shelf was read.
    fetched_at: DateTime<Utc>,
}

fn example_badge() -> Value {
    let mut badge = example_reading();
    if let Some(badge) = badge.as_object_mut() {
        badge.insert("mal_id".to_owned(), json!(21));
        badge.insert("fetched_at".to_owned(), json!("2026-10-30T12:00:00Z"));
    }
    badge
}

/// What is kept of the first series of a figure that is on this person's shelf, as long as its server is approved.
/// Nobody is asked.
pub async fn of(state: &AppState, viewer: &User, figure: Uuid) -> Result<Option<BadgeView>, Problem> {
    let mal_ids = queries::mal_ids_of(&state.pool, figure).await?;
    if mal_ids.is_empty() {
        return Ok(None);
    }
    let kept: Option<Lookup<(i64, Entry)>> = manga_links::entry(&state.pool, viewer.id, &mal_ids).await?;
    let kept = kept.filter(|kept| !(kept.payload.1.is_adult && hides_nsfw(viewer)));
    Ok(kept.map(|Lookup { payload: (mal_id, entry), fetched_at }| BadgeView {
        mal_id,
        reading: entry.into(),
        fetched_at,
    }))
}
