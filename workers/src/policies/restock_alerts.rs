//! Tells wishers when a store has a figure again.

use super::{Beginning, Effect, Policy, Unable};
use async_trait::async_trait;
use domain::money::rates::Rates;
use domain::policies::restock_alert::restocked;
use domain::stream::{Event, Recorded, StreamId};
use operational::notifications::Kind;
use projections::collection::wishers;
use projections::entities::queries::store_name;
use projections::figures::called;
use serde_json::json;
use sqlx::PgConnection;

/// The policy.
pub struct RestockAlerts;

#[async_trait]
impl Policy for RestockAlerts {
    fn name(&self) -> &'static str {
        "restock_alerts"
    }

    fn begins(&self) -> Beginning {
        Beginning::Head
    }

    fn reads(&self) -> &'static [&'static str] {
        &["collection", "figures", "entities"]
    }

    fn aggregates(&self) -> &'static [&'static str] {
        &["figure"]
    }

    fn hears(&self, event: &Event) -> bool {
        matches!(event, Event::Figure(event) if restocked(event).is_some())
    }

    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        _: &Rates,
    ) -> Result<Vec<Effect>, Unable> {
        let (StreamId::Figure(figure_id), Event::Figure(told)) = (&event.stream, &event.event) else {
            return Ok(Vec::new());
        };
        let Some(restocked) = restocked(told) else { return Ok(Vec::new()) };
        let Some(figure) = called(transaction, *figure_id).await? else { return Ok(Vec::new()) };
        let store = store_name(transaction, restocked.offer.store_id).await?;
        let day = restocked.seen_at.date_naive();
        let payload = json!({
            "figure": {"id": figure_id, "name": figure.name, "slug": figure.slug, "is_nsfw": figure.is_nsfw},
            "store": {"id": restocked.offer.store_id, "name": store},
            "stock": restocked.stock,
            "url": restocked.offer.url,
        });
        let wishers = wishers(transaction, *figure_id).await?;
        let tell = |wisher: projections::collection::Wisher| Effect::Tell {
            user_id: wisher.user_id,
            kind: Kind::WishlistBackInStock,
            about: format!("{figure_id}:{}:{day}", restocked.offer.store_id),
            payload: payload.clone(),
            at: restocked.seen_at,
        };
        Ok(wishers.into_iter().map(tell).collect())
    }
}
