//! The pieces of one's collection, ranked by what they are worth.

use axum::{Json, extract::State};
use chrono::NaiveDate;
use domain::money::Currency;
use operational::users::User;
use projections::{
    collection::ListKey,
    cote::{self, CoteOrder, Ranked, SparkPoint},
    pictures::Eyes,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::{locations::Sum, owned::parsed};
use crate::shown::hides_nsfw;
use crate::{
    exchange::{Exchange, money, sum},
    extract::{CurrentUser, Query},
    pages::{Cursor, Limit, Page},
    problem::{self, Problem},
    problems,
    shown::{self, CoverView, FigureView},
    state::AppState,
};

problems!(RankingProblems = problem::SIGNED_IN, problem::LISTING);

/// How to rank.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ListRanked {
    /// `value`, `paid` or `gain`, in euro; a `-` before it puts the greatest first. What has none comes last.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, default = "-value")]
    sort: Option<CoteOrder>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<ListKey>>,
}

/// A piece and what it is worth.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CotePiece, example = example_ranked)]
pub(in crate::http) struct RankedView {
    /// The piece.
    id: Uuid,
    figure: Option<FigureView>,
    /// The picture of its card: what is pinned, else what stands for its figure; null is a placeholder.
    cover: Option<CoverView>,
    /// What backs its worth: `manual`, `market` or `msrp`; null without any.
    tier: Option<&'static str>,
    value: Option<Sum>,
    /// What was paid, shipping and fees left out; zero for a gift without a price.
    paid: Option<Sum>,
    value_eur: Option<String>,
    paid_eur: Option<String>,
    /// `value_eur` − `paid_eur`.
    gain_eur: Option<String>,
    /// The same in the currency that one prefers; null without a preference.
    display: Option<RankedDisplay>,
    /// The latest points at which the market price of its figure moved, oldest first, at most 30.
    history: Vec<SparkView>,
}

/// Worth, cost and gain in the currency that one prefers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct RankedDisplay {
    currency: String,
    value: Option<String>,
    paid: Option<String>,
    /// `value` − `paid`.
    gain: Option<String>,
}

/// The market price from a day on.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SparkView {
    /// In UTC.
    day: NaiveDate,
    #[serde(flatten)]
    price: Sum,
    /// At today's rate; null when it cannot be converted.
    eur: Option<String>,
}

fn example_ranked() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
        "figure": shown::example_figure(),
        "cover": null,
        "tier": "market",
        "value": {"currency": "JPY", "amount": "19800"},
        "paid": {"currency": "EUR", "amount": "129.90"},
        "value_eur": "109.31",
        "paid_eur": "129.90",
        "gain_eur": "-20.59",
        "display": {"currency": "CHF", "value": "101.79", "paid": "120.96", "gain": "-19.17"},
        "history": [{"day": "2026-10-02", "currency": "JPY", "amount": "19800", "eur": "109.31"}]
    })
}

impl RankedView {
    fn of(ranked: Ranked, viewer: &User, exchange: &Exchange) -> Self {
        let value = ranked.value.map(|(_, currency, amount)| (currency, amount));
        let paid = ranked.price.map(|(amount, currency)| (currency.unwrap_or(Currency::Eur), amount));
        let value_eur = value.and_then(|(currency, amount)| exchange.eur(amount, currency));
        let paid_eur = paid.and_then(|(currency, amount)| match ranked.rate {
            Some(rate) => amount.checked_mul(rate),
            None => exchange.eur(amount, currency),
        });
        let rounded = |eur: Decimal, currency| domain::money::rounded(eur, currency);
        // The gain is that of the two numbers beside it.
        let gain = |value: Option<Decimal>, paid: Option<Decimal>, currency| {
            Some(rounded(value?, currency).saturating_sub(rounded(paid?, currency)))
        };
        let display = exchange.display().map(|currency| {
            let there = |eur: Option<Decimal>| exchange.convert(eur?, currency);
            let text = |amount: Option<Decimal>| {
                amount.map(|amount| sum(currency, rounded(amount, currency)).amount)
            };
            let (value, paid) = (there(value_eur), there(paid_eur));
            RankedDisplay {
                currency: currency.to_string(),
                value: text(value),
                paid: text(paid),
                gain: text(gain(value, paid, currency)),
            }
        });
        let cover = ranked.cover(Eyes::Owner).map(Into::into);
        Self {
            id: ranked.piece_id,
            cover,
            figure: ranked.figure.map(|figure| FigureView::of(figure, viewer)),
            tier: ranked.value.map(|(tier, ..)| tier.as_str()),
            value: value.map(|(currency, amount)| sum(currency, amount)),
            paid: paid.map(|(currency, amount)| sum(currency, amount)),
            value_eur: value_eur.map(money),
            paid_eur: paid_eur.map(money),
            gain_eur: gain(value_eur, paid_eur, Currency::Eur).map(money),
            display,
            history: ranked.history.into_iter().filter_map(|point| spark(point, exchange)).collect(),
        }
    }
}

fn spark(point: SparkPoint, exchange: &Exchange) -> Option<SparkView> {
    let currency: Currency = point.currency.parse().ok()?;
    let eur = exchange.eur(point.amount, currency).map(money);
    Some(SparkView { day: point.day, price: sum(currency, point.amount), eur })
}

/// One's pieces, ranked by what they are worth.
///
/// For whoever is signed in. Pieces that count, each with what was paid, its worth, its gain and how its market price
/// moved; NSFW ones are left out for those who hide them.
#[utoipa::path(
    get,
    path = "/api/me/cote/pieces",
    tag = "statistics",
    security(("session" = [])),
    params(ListRanked),
    responses((status = 200, description = "A page of pieces", body = Page<RankedView>), RankingProblems)
)]
pub(super) async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListRanked>,
) -> Result<Json<Page<RankedView>>, Problem> {
    let exchange = Exchange::of(&state, &user);
    let order = query.sort.unwrap_or_default();
    let after = query.cursor.as_ref().map(|cursor| &cursor.0);
    let ranked = cote::ranking(
        &state.pool,
        user.id,
        exchange.today(),
        hides_nsfw(&user),
        order,
        after,
        query.limit.one_more(),
    )
    .await?;
    let view = |piece| RankedView::of(piece, &user, &exchange);
    Ok(Json(Page::cut(ranked, query.limit, |piece: &Ranked| piece.key(order), view)))
}
