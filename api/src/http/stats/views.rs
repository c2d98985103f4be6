//! The numbers as they are shown.

use std::collections::BTreeMap;

use chrono::{Datelike, Months, NaiveDate};
use domain::money::rounded;
use projections::statistics::{Completion, Costs, Month, Spend, Statistics};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::exchange::{Exchange, TotalView, example_total, money};

/// What one's collection comes to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics, example = example_stats)]
pub(super) struct StatsView {
    /// The day of the rates that amounts without a frozen rate were converted by; null without any.
    fx_date: Option<NaiveDate>,
    counters: CountersView,
    pub(super) spend: SpendView,
    /// Every month from the first in which a piece came or money went to the last, oldest first.
    months: Vec<MonthView>,
    /// Every year in which a piece came or money went, oldest first.
    years: Vec<YearSpendView>,
    /// How complete the fullest series are; at most 20.
    series: Vec<CompletionView>,
    pub(super) wishlist: WishlistStats,
    pub(super) preorders: HealthView,
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountersView {
    /// Pieces that are here: not archived, and received if they were ever pre-ordered. NSFW ones count, too.
    pieces: i64,
    archived: i64,
    /// Different figures among the pieces.
    figures: i64,
    /// Different types among them.
    types: i64,
    /// Different makers among them.
    makers: i64,
    /// Different series among them.
    series: i64,
    /// Turntable scans.
    scans: i64,
    /// Pieces ever acquired that have no price.
    unpriced: i64,
    wishes: i64,
    /// Pre-orders by status; every status is there.
    preorders: BTreeMap<&'static str, i64>,
}

/// What was spent on every piece ever acquired, archived ones included.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpendView {
    /// Prices, shipping and fees.
    pub(super) total: TotalView,
    /// The same taken apart, per currency.
    by_currency: Vec<CurrencySpendView>,
}

/// What was spent in one currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrencySpendView {
    currency: String,
    pieces: i64,
    price: String,
    shipping: String,
    fees: String,
    total: String,
    /// Prices of the pieces whose figure has a list price.
    compared_price: String,
    /// List prices of those, at today's rates where they stand in another currency.
    msrp: String,
    /// The one without the other: negative is less than the catalogue asks.
    against_msrp: String,
    /// Whether list prices that could not be converted are missing from the comparison.
    partial: bool,
}

/// One month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthView {
    /// `YYYY-MM`, in UTC.
    pub(super) month: String,
    /// Pieces acquired in it.
    pieces: i64,
    /// Pieces acquired up to its end.
    pub(super) pieces_total: i64,
    /// What was spent in it, in euro.
    spent_eur: String,
    /// What was spent up to its end, in euro.
    spent_total_eur: String,
}

/// One year.
#[derive(Debug, Serialize, ToSchema)]
pub struct YearSpendView {
    year: i32,
    /// Pieces acquired in it.
    pieces: i64,
    spent: TotalView,
}

/// How much of a series is owned.
#[derive(Debug, Serialize, ToSchema)]
pub struct CompletionView {
    id: Uuid,
    name: String,
    slug: String,
    /// Different figures owned.
    owned: i64,
    /// Figures in the catalogue.
    figures: i64,
    /// Owned per cent of those, one place.
    percent: String,
}

/// What the wishes would cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishlistStats {
    wishes: i64,
    /// Wishes with neither a market price nor a list price: not in the cost.
    without_price: i64,
    /// The market price of each, else its list price.
    pub(super) cost: TotalView,
    /// The targets.
    pub(super) targets: TotalView,
}

/// How the pre-orders do.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// Neither received nor cancelled, of pieces that are not archived.
    open: i64,
    /// Cancelled, replaced ones included.
    cancelled: i64,
    /// Pre-orders, cancelled ones left out, that slipped.
    slipped: i64,
    /// By how many days the release of those moved since it was first named, on average, one place; null when none
    /// slipped.
    mean_slip_days: Option<String>,
    /// Deposits paid on open ones whose balance is not.
    pub(super) open_deposits: TotalView,
    /// What was not refunded of cancelled ones.
    pub(super) lost: TotalView,
}

fn example_stats() -> Value {
    json!({
        "fx_date": "2026-11-20",
        "counters": {
            "pieces": 124, "archived": 6, "figures": 119, "types": 4, "makers": 17, "series": 38, "scans": 0,
            "unpriced": 3, "wishes": 9,
            "preorders": {"announced": 0, "preorder_open": 1, "preordered": 7, "in_production": 1, "released": 0,
                "shipped": 1, "received": 22, "cancelled": 2}
        },
        "spend": {
            "total": example_total(),
            "by_currency": [{"currency": "EUR", "pieces": 80, "price": "1201.00", "shipping": "71.00", "fees": "18.00",
                "total": "1290.00", "compared_price": "980.00", "msrp": "940.10", "against_msrp": "39.90",
                "partial": false}]
        },
        "months": [{"month": "2026-10", "pieces": 3, "pieces_total": 124, "spent_eur": "210.40",
            "spent_total_eur": "1834.20"}],
        "years": [{"year": 2026, "pieces": 31, "spent": example_total()}],
        "series": [{"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04", "name": "Tides of Cobalt", "slug": "tides-of-cobalt",
            "owned": 9, "figures": 14, "percent": "64.3"}],
        "wishlist": {"wishes": 9, "without_price": 1, "cost": example_total(), "targets": example_total()},
        "preorders": {"open": 10, "cancelled": 2, "slipped": 5, "mean_slip_days": "47.6",
            "open_deposits": example_total(), "lost": example_total()}
    })
}

const STATUSES: [&str; 8] = [
    "announced",
    "preorder_open",
    "preordered",
    "in_production",
    "released",
    "shipped",
    "received",
    "cancelled",
];

/// Rounds to one place, half away from zero.
fn one_place(number: Decimal) -> String {
    let mut shown = number.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
    shown.rescale(1);
    shown.to_string()
}

impl From<Completion> for CompletionView {
    fn from(series: Completion) -> Self {
        let share = Decimal::from(series.owned)
            .checked_mul(Decimal::ONE_HUNDRED)
            .and_then(|share| share.checked_div(Decimal::from(series.figures)));
        Self {
            percent: one_place(share.unwrap_or_default()),
            id: series.id,
            name: series.name,
            slug: series.slug,
            owned: series.owned,
            figures: series.figures,
        }
    }
}

/// The spend of each currency, its list prices converted at today's rates.
fn by_currency(spend: &[Spend], exchange: &Exchange) -> Vec<CurrencySpendView> {
    let view = |spend: &Spend| {
        let currency = spend.currency;
        let (mut compared, mut msrp, mut partial) = (Decimal::ZERO, Decimal::ZERO, false);
        for one in &spend.compared {
            let converted = match exchange.today() {
                _ if one.currency == currency => Some(one.msrp),
                Some(table) => table.convert(one.msrp, one.currency, currency),
                None => None,
            };
            match converted {
                Some(converted) => {
                    compared = compared.saturating_add(one.price);
                    msrp = msrp.saturating_add(converted);
                }
                None => partial = true,
            }
        }
        let msrp = rounded(msrp, currency);
        let show = |amount: Decimal| domain::money::display_amount(amount, currency);
        CurrencySpendView {
            currency: currency.to_string(),
            pieces: spend.pieces,
            total: show(spend.price.saturating_add(spend.shipping).saturating_add(spend.fees)),
            price: show(spend.price),
            shipping: show(spend.shipping),
            fees: show(spend.fees),
            compared_price: show(compared),
            against_msrp: show(compared.saturating_sub(msrp)),
            msrp: show(msrp),
            partial,
        }
    };
    spend.iter().map(view).collect()
}

/// The first day of a month written `YYYY-MM`.
fn first_of(month: &str) -> Option<NaiveDate> {
    format!("{month}-01").parse().ok()
}

/// One month with the exact amounts that its view is rounded from.
pub(super) struct Running {
    pub first: NaiveDate,
    pub view: MonthView,
    pub spent_total: Decimal,
}

/// Every month from the first to the last, those without anything included.
pub(super) fn months(all: &BTreeMap<String, Month>, exchange: &Exchange) -> Vec<Running> {
    let ends = |(month, _): (&String, &Month)| first_of(month);
    let (Some(first), Some(last)) = (all.iter().next().and_then(ends), all.iter().next_back().and_then(ends))
    else {
        return Vec::new();
    };
    let (mut pieces_total, mut costs) = (0_i64, Costs::default());
    std::iter::successors(Some(first), |month| month.checked_add_months(Months::new(1)))
        .take_while(|month| *month <= last)
        .map(|first| {
            let month = first.format("%Y-%m").to_string();
            let of = all.get(&month).cloned().unwrap_or_default();
            pieces_total = pieces_total.saturating_add(of.pieces);
            costs.add_all(&of.costs);
            let spent_total = costs.eur(exchange.today()).exact;
            let view = MonthView {
                month,
                pieces: of.pieces,
                pieces_total,
                spent_eur: money(of.costs.eur(exchange.today()).exact),
                spent_total_eur: money(spent_total),
            };
            Running { first, view, spent_total }
        })
        .collect()
}

fn years(all: &BTreeMap<String, Month>, exchange: &Exchange) -> Vec<YearSpendView> {
    let mut years: BTreeMap<i32, Month> = BTreeMap::new();
    for (month, of) in all {
        let Some(first) = first_of(month) else { continue };
        let year = years.entry(first.year()).or_default();
        year.pieces = year.pieces.saturating_add(of.pieces);
        year.costs.add_all(&of.costs);
    }
    years
        .into_iter()
        .map(|(year, of)| YearSpendView { year, pieces: of.pieces, spent: exchange.total(&of.costs) })
        .collect()
}

impl StatsView {
    pub(super) fn of(all: Statistics, exchange: &Exchange) -> Self {
        let Statistics { counters, spend, months: all_months, series, wishes, targets, health } = all;
        let status = |word: &'static str| (word, counters.preorders.get(word).copied().unwrap_or_default());
        Self {
            fx_date: exchange.fx_date(),
            counters: CountersView {
                pieces: counters.pieces.owned,
                archived: counters.pieces.archived,
                figures: counters.pieces.figures,
                types: counters.pieces.types,
                makers: counters.pieces.makers,
                series: counters.pieces.series,
                scans: 0,
                unpriced: counters.pieces.unpriced,
                wishes: counters.wishes,
                preorders: STATUSES.into_iter().map(status).collect(),
            },
            spend: SpendView {
                total: exchange.total(&all_months.costs),
                by_currency: by_currency(&spend, exchange),
            },
            months: months(&all_months.by_month, exchange).into_iter().map(|month| month.view).collect(),
            years: years(&all_months.by_month, exchange),
            series: series.into_iter().map(Into::into).collect(),
            wishlist: WishlistStats {
                wishes: counters.wishes,
                without_price: counters.wishes_without_price,
                cost: exchange.total_of(wishes),
                targets: exchange.total_of(targets),
            },
            preorders: HealthView {
                open: health.open,
                cancelled: health.cancelled,
                slipped: health.slipped,
                mean_slip_days: health.mean_slip_days.map(one_place),
                open_deposits: exchange.total_of(health.deposits),
                lost: exchange.total(&health.lost),
            },
        }
    }
}
