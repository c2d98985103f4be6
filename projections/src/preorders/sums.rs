//! What is computed from a pre-order when it is read: amounts, days, what was lost.

use super::rows::PreorderRow;
use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use domain::money::rates::{RateTable, Sum};
use domain::preorder::Status;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

fn status(row: &PreorderRow) -> Option<Status> {
    row.status.parse().ok()
}

/// Neither received nor cancelled.
#[must_use]
pub fn is_live(row: &PreorderRow) -> bool {
    status(row).is_some_and(Status::is_live)
}

fn is_cancelled(row: &PreorderRow) -> bool {
    status(row) == Some(Status::Cancelled)
}

/// What was paid: price and shipping once the balance is paid, else the deposit, else nothing. Of a
/// cancelled one, what had been paid by then.
#[must_use]
pub fn paid(row: &PreorderRow) -> Decimal {
    if let Some(paid) = row.paid_amount {
        return paid;
    }
    if row.balance_paid_at.is_some() {
        return add(row.price_amount.unwrap_or_default(), row.shipping_amount.unwrap_or_default());
    }
    row.deposit_amount.unwrap_or_default()
}

/// Amounts stay below 10^10, so no sum of two reaches the end of the type.
fn add(one: Decimal, other: Decimal) -> Decimal {
    one.saturating_add(other)
}

/// The UTC day of shipping plus the estimated days; `None` while either is unknown.
#[must_use]
pub fn delivery_date(shipped_at: Option<DateTime<Utc>>, days: Option<i32>) -> Option<NaiveDate> {
    let days = u64::try_from(days?).ok()?;
    shipped_at?.date_naive().checked_add_days(Days::new(days))
}

/// Whole UTC days to what the collector waits for: `J-3`, `J0`, `J+2` (overdue).
///
/// That is the delivery date of a shipped one, else the release date. A month or a year is counted to its
/// first day while it lies ahead, is `J0` while it lasts and overdue from its last day on. `None` for what
/// is not live, has no date, or was shipped without an estimate.
#[must_use]
pub fn countdown(row: &PreorderRow, today: NaiveDate) -> Option<String> {
    if !is_live(row) {
        return None;
    }
    let (first, last) = if status(row) == Some(Status::Shipped) {
        let day = delivery_date(row.shipped_at, row.estimated_delivery_days)?;
        (day, day)
    } else {
        let first = row.release_date_current?;
        let months = match row.release_date_precision.as_deref() {
            Some("month") => Some(1),
            Some("year") => Some(12),
            _ => None,
        };
        let last = months
            .and_then(|months| first.checked_add_months(Months::new(months)))
            .and_then(|next| next.checked_sub_days(Days::new(1)))
            .unwrap_or(first);
        (first, last)
    };
    Some(if today < first {
        format!("J-{}", first.signed_duration_since(today).num_days())
    } else if today <= last {
        "J0".to_owned()
    } else {
        format!("J+{}", today.signed_duration_since(last).num_days())
    })
}

/// A price taken apart. Of a cancelled pre-order only `paid`, `refunded` and `lost` are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breakdown {
    /// The currency of every amount but the MSRP's.
    pub currency: Option<String>,
    /// The part of the price paid first.
    pub deposit: Option<Decimal>,
    /// Price − deposit.
    pub figure: Option<Decimal>,
    /// Shipping.
    pub shipping: Option<Decimal>,
    /// Price + shipping; unknown without a price.
    pub total: Option<Decimal>,
    /// What was paid so far.
    pub paid: Decimal,
    /// The list price and its currency.
    pub msrp: Option<(Decimal, String)>,
    /// Price − MSRP, in the price's currency. May be negative.
    pub delta: Option<Decimal>,
    /// The day of the rates, when the MSRP had to be converted for `delta`.
    pub delta_rates_of: Option<NaiveDate>,
    /// What came back after cancelling.
    pub refunded: Option<Decimal>,
    /// Paid − refunded, unless that is nothing.
    pub lost: Option<Decimal>,
}

/// Takes the price of a pre-order apart. `msrp` is the figure's list price, `today` the rates to convert it with; what
/// they do not quote is not compared.
#[must_use]
pub fn breakdown(row: &PreorderRow, msrp: Option<(Decimal, String)>, today: Option<&RateTable>) -> Breakdown {
    let currency = row.price_currency.clone();
    if is_cancelled(row) {
        let refunded = row.deposit_refund_amount.unwrap_or_default();
        return Breakdown {
            currency,
            paid: paid(row),
            refunded: Some(refunded),
            lost: lost(row),
            ..Breakdown::default()
        };
    }
    let delta = row.price_amount.zip(msrp.as_ref()).and_then(|(price, (msrp, msrp_currency))| {
        let (currency, msrp_currency) = (currency.as_ref()?.parse().ok()?, msrp_currency.parse().ok()?);
        let mut parts = Sum::default();
        parts.add(price, currency);
        parts.add(-*msrp, msrp_currency);
        Some(parts.total(today, currency)).filter(|total| !total.partial)
    });
    Breakdown {
        deposit: row.deposit_amount,
        figure: row.price_amount.map(|price| price.saturating_sub(row.deposit_amount.unwrap_or_default())),
        shipping: row.shipping_amount,
        total: row.price_amount.map(|price| add(price, row.shipping_amount.unwrap_or_default())),
        paid: paid(row),
        msrp,
        delta: delta.map(|delta| delta.rounded()),
        delta_rates_of: delta.and_then(|delta| delta.rates_of),
        currency,
        refunded: None,
        lost: None,
    }
}

/// What a cancelled chapter cost its owner; `None` when nothing.
fn lost(row: &PreorderRow) -> Option<Decimal> {
    if !is_cancelled(row) {
        return None;
    }
    let lost = paid(row).saturating_sub(row.deposit_refund_amount.unwrap_or_default());
    (lost > Decimal::ZERO).then_some(lost)
}

/// Money that did not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// How much.
    pub amount: Decimal,
    /// In which currency.
    pub currency: String,
}

/// What cancelled chapters lost together, per currency, in the order of the codes.
#[must_use]
pub fn losses<'a>(chapters: impl IntoIterator<Item = &'a PreorderRow>) -> Vec<Lost> {
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for row in chapters {
        if let (Some(lost), Some(currency)) = (lost(row), row.price_currency.as_deref()) {
            let sum = sums.entry(currency).or_default();
            *sum = add(*sum, lost);
        }
    }
    sums.into_iter().map(|(currency, amount)| Lost { amount, currency: currency.to_owned() }).collect()
}
