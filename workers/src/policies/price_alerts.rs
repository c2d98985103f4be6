//! Tells wishers when the market price of a figure comes down to their target.

use super::{Beginning, Effect, Policy, Unable};
use async_trait::async_trait;
use domain::figure::{FigureEvent, PriceMove};
use domain::ids::FigureId;
use domain::money::rates::Rates;
use domain::money::{Money, display_amount};
use domain::policies::price_alert::{Compared, Judged, judge};
use domain::stream::{Event, Recorded, StreamId};
use operational::notifications::Kind;
use operational::wish_alerts::{self, WishAlert};
use projections::collection::wishers;
use projections::figures::{Called, called};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// The policy.
pub struct PriceAlerts;

#[async_trait]
impl Policy for PriceAlerts {
    fn name(&self) -> &'static str {
        "price_alerts"
    }

    fn begins(&self) -> Beginning {
        Beginning::Head
    }

    fn reads(&self) -> &'static [&'static str] {
        &["collection", "figures"]
    }

    fn aggregates(&self) -> &'static [&'static str] {
        &["figure"]
    }

    fn hears(&self, event: &Event) -> bool {
        matches!(event, Event::Figure(FigureEvent::PriceMoved(_)))
    }

    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        rates: &Rates,
    ) -> Result<Vec<Effect>, Unable> {
        let (StreamId::Figure(figure_id), Event::Figure(FigureEvent::PriceMoved(moved))) =
            (&event.stream, &event.event)
        else {
            return Ok(Vec::new());
        };
        // Merged since: the winner got this price by an event of its own.
        let Some(figure) = called(transaction, *figure_id).await? else { return Ok(Vec::new()) };
        let table = rates.on(moved.seen_at.date_naive()).or_else(|| rates.today());
        let before = wish_alerts::of_figure(transaction, *figure_id).await?;
        let (mut alerts, mut effects) = (Vec::new(), Vec::new());
        for wisher in wishers(transaction, *figure_id).await? {
            let Some(target) = wisher.target else { continue };
            let known = before.get(&wisher.user_id).and_then(judged);
            let verdict = judge(moved, target, known, table);
            if let Some(Judged { target, armed }) = verdict.judged {
                alerts.push(WishAlert {
                    user_id: wisher.user_id,
                    target_amount: target.amount().decimal(),
                    target_currency: target.currency().code().to_owned(),
                    armed,
                });
            }
            if verdict.tells {
                effects.push(Effect::Tell {
                    user_id: wisher.user_id,
                    kind: Kind::WishlistPriceBelowTarget,
                    about: format!("{figure_id}:{}", event.event_id),
                    payload: payload(&figure, *figure_id, moved, target, verdict.compared),
                    at: moved.seen_at,
                });
            }
        }
        wish_alerts::set(transaction, *figure_id, &alerts, moved.seen_at).await?;
        Ok(effects)
    }
}

fn judged(alert: &WishAlert) -> Option<Judged> {
    let amount = alert.target_amount.try_into().ok()?;
    let target = Money::new(amount, alert.target_currency.parse().ok()?).ok()?;
    Some(Judged { target, armed: alert.armed })
}

fn payload(
    figure: &Called,
    figure_id: FigureId,
    moved: &PriceMove,
    target: Money,
    compared: Option<Compared>,
) -> Value {
    let money = |money: Money| {
        let (amount, currency) = (money.amount().decimal(), money.currency());
        json!({"amount": display_amount(amount, currency), "currency": currency.code()})
    };
    let mut facts = json!({
        "figure": {"id": figure_id, "name": figure.name, "slug": figure.slug, "is_nsfw": figure.is_nsfw},
        "price": money(moved.price),
        "previous_price": moved.previous.map(money),
        "target": money(target),
        "url": moved.offer.url,
    });
    if let (Some(compared), Some(facts)) = (compared, facts.as_object_mut()) {
        let euro = |amount| display_amount(amount, domain::money::Currency::Eur);
        facts.insert(
            "compared".to_owned(),
            json!({
                "price_eur": euro(compared.price_eur),
                "target_eur": euro(compared.target_eur),
                "rate_date": compared.rate_date,
            }),
        );
    }
    facts
}
