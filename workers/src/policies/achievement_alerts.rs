//! Tells people what they unlocked.

use super::{Beginning, Effect, Policy, Unable};
use async_trait::async_trait;
use domain::collection::CollectionEvent;
use domain::entity::EntityEvent;
use domain::money::rates::Rates;
use domain::preorder::PreorderEvent;
use domain::stream::{Event, Position, Recorded};
use operational::notifications::Kind;
use projections::achievements::catalogue::Family;
use projections::achievements::{unlocked_at, unlocking};
use serde_json::json;
use sqlx::PgConnection;
use std::collections::HashSet;

/// The policy. What an event unlocked is read from the read model, which gives every achievement the moment of its
/// event for good: however far ahead it is, and rebuilt or not, the answer is the same.
pub struct AchievementAlerts;

#[async_trait]
impl Policy for AchievementAlerts {
    fn name(&self) -> &'static str {
        "achievement_alerts"
    }

    fn begins(&self) -> Beginning {
        Beginning::Head
    }

    fn reads(&self) -> &'static [&'static str] {
        &["achievements"]
    }

    fn aggregates(&self) -> &'static [&'static str] {
        &["collection", "preorder", "entity"]
    }

    fn hears(&self, event: &Event) -> bool {
        match event {
            Event::Collection(event) => {
                matches!(event, CollectionEvent::PieceAdded { .. } | CollectionEvent::ScanMade { .. })
            }
            Event::Preorder(event) => matches!(
                event,
                PreorderEvent::Placed(_)
                    | PreorderEvent::Replaced(_)
                    | PreorderEvent::Received { .. }
                    | PreorderEvent::ReleaseDateSlipped(_)
            ),
            // Pieces of two makers are pieces of one then.
            Event::Entity(event) => matches!(event, EntityEvent::MergedInto { .. }),
            _ => false,
        }
    }

    async fn concerned(
        &self,
        transaction: &mut PgConnection,
        heard: &[&Recorded],
    ) -> Result<HashSet<Position>, Unable> {
        let owned = heard.iter().filter_map(|event| Some((event.owner?, event.recorded_at)));
        let unlocking = unlocking(transaction, &owned.collect::<Vec<_>>()).await?;
        // What has no owner may unlock something for anybody.
        let concerns = |event: &&&Recorded| {
            event.owner.is_none_or(|owner| unlocking.contains(&(owner, event.recorded_at)))
        };
        Ok(heard.iter().filter(concerns).map(|event| event.position).collect())
    }

    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        _: &Rates,
    ) -> Result<Vec<Effect>, Unable> {
        let unlocked = unlocked_at(transaction, event.owner, event.recorded_at).await?;
        let tell = |(user_id, one): (_, projections::achievements::catalogue::Achievement)| Effect::Tell {
            user_id,
            kind: Kind::AchievementUnlocked,
            about: format!("{}:{}", one.code, one.tier),
            payload: json!({
                "code": one.code,
                "tier": one.tier.as_str(),
                "is_nsfw": one.family == Family::Nsfw,
            }),
            at: event.recorded_at,
        };
        Ok(unlocked.into_iter().map(tell).collect())
    }
}
