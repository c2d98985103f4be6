//! A wish's price alert: the market price has come down to the target.
//!
//! It is judged at price points only, with the rates of that moment. It is told once per crossing: not again while
//! the price stays at or below the target, and anew after it was above. The first price of a figure, a new wish and
//! a changed target tell nothing by themselves.

use crate::figure::{PriceMove, Stock};
use crate::money::rates::RateTable;
use crate::money::{Currency, Money};
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// How a wish stood at the price point before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The target that it was judged by.
    pub target: Money,
    /// The price was above it, so that the next one at or below it is a crossing.
    pub armed: bool,
}

/// How amounts in different currencies were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// What the price is in euro, rounded to the cent.
    pub price_eur: Decimal,
    /// What the target is in euro, rounded to the cent.
    pub target_eur: Decimal,
    /// The day of the rates.
    pub rate_date: NaiveDate,
}

/// What a price point means for a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How the wish stands from here on; absent where nothing can be said, since a rate is missing.
    pub judged: Option<Judged>,
    /// The wisher is to be told.
    pub tells: bool,
    /// How price and target were compared, when their currencies differ.
    pub compared: Option<Compared>,
}

/// Judges a price point. `before` is how this wish stood at the point before, whatever its target was then.
///
/// A crossing that happens while every store is known to be sold out tells nothing, then or later: what could be
/// told is that it is back, which is another alert.
pub fn judge(moved: &PriceMove, target: Money, before: Option<Judged>, rates: Option<&RateTable>) -> Verdict {
    let Some(below) = at_most(moved.price, target, rates) else {
        return Verdict { judged: before, tells: false, compared: None };
    };
    let armed = match before.filter(|before| before.target == target) {
        Some(before) => before.armed,
        None => moved.previous.and_then(|price| at_most(price, target, rates)).is_some_and(|below| !below),
    };
    let sold_out =
        !moved.stores.is_empty() && moved.stores.iter().all(|store| store.stock == Some(Stock::OutOfStock));
    Verdict {
        judged: Some(Judged { target, armed: !below }),
        tells: armed && below && !sold_out,
        compared: rates.filter(|_| moved.price.currency() != target.currency()).and_then(|rates| {
            Some(Compared {
                price_eur: rates.converted(moved.price, Currency::Eur)?,
                target_eur: rates.converted(target, Currency::Eur)?,
                rate_date: rates.date(),
            })
        }),
    }
}

/// Whether a price is at or below another amount: exactly, however they are shown.
pub fn at_most(price: Money, target: Money, rates: Option<&RateTable>) -> Option<bool> {
    if price.currency() == target.currency() {
        return Some(price.amount() <= target.amount());
    }
    let euro = |money: Money| rates?.convert(money.amount().decimal(), money.currency(), Currency::Eur);
    Some(euro(price)? <= euro(target)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::figure::{Offer, StoreStock};
    use crate::ids::EntityId;
    use chrono::Utc;
    use uuid::Uuid;

    fn money(text: &str) -> Money {
        let (amount, currency) = text.split_once(' ').unwrap();
        Money::new(amount.parse().unwrap(), currency.parse().unwrap()).unwrap()
    }

    fn moved(previous: Option<&str>, price: &str, stock: &[Option<Stock>]) -> PriceMove {
        let store = EntityId(Uuid::from_u128(1));
        PriceMove {
            price: money(price),
            previous: previous.map(money),
            original: None,
            offer: Offer {
                provider: "127.0.0.1:1".to_owned().try_into().unwrap(),
                source: "shop".to_owned().try_into().unwrap(),
                store_id: store,
                url: "https://shop.example/1".to_owned().try_into().unwrap(),
            },
            matched_version: None,
            stores: stock.iter().map(|stock| StoreStock { store_id: store, stock: *stock }).collect(),
            seen_at: Utc::now(),
        }
    }

    /// One dollar is `eur` hundredths of a euro.
    fn rates(per_euro: &str) -> RateTable {
        let day = NaiveDate::from_ymd_opt(2026, 11, 2).unwrap();
        RateTable::new(day, [("USD".parse().unwrap(), per_euro.parse().unwrap())]).unwrap()
    }

    /// Runs prices past a wish of 90 EUR and says at which the wisher is told.
    fn told(prices: &[&str]) -> Vec<bool> {
        let (mut before, mut previous) = (None, None);
        let mut told = Vec::new();
        for price in prices {
            let verdict = judge(&moved(previous, price, &[]), money("90 EUR"), before, None);
            before = verdict.judged;
            previous = Some(*price);
            told.push(verdict.tells);
        }
        told
    }

    #[test]
    fn a_crossing_is_told_once_and_climbing_above_the_target_arms_it_again() {
        let prices = ["100 EUR", "90 EUR", "80 EUR", "90.01 EUR", "90 EUR", "120 EUR", "95 EUR", "10 EUR"];
        assert_eq!(told(&prices), [false, true, false, false, true, false, false, true]);
    }

    #[test]
    fn the_first_price_tells_nothing_even_below_the_target() {
        assert_eq!(told(&["50 EUR", "40 EUR"]), [false, false]);
        assert_eq!(told(&["50 EUR", "91 EUR", "40 EUR"]), [false, false, true]);
    }

    #[test]
    fn a_new_wish_is_judged_by_the_price_that_stood_when_the_next_one_comes() {
        let after =
            |previous, price| judge(&moved(Some(previous), price, &[]), money("90 EUR"), None, None).tells;
        assert!(after("100 EUR", "85 EUR"));
        assert!(!after("89 EUR", "85 EUR"));
    }

    #[test]
    fn a_changed_target_counts_from_then_on() {
        let low = judge(&moved(Some("100 EUR"), "80 EUR", &[]), money("50 EUR"), None, None);
        assert_eq!(low.judged, Some(Judged { target: money("50 EUR"), armed: true }));
        // It was armed for 50; for 90 the 80 was low enough already.
        assert!(!judge(&moved(Some("80 EUR"), "70 EUR", &[]), money("90 EUR"), low.judged, None).tells);
        assert!(judge(&moved(Some("80 EUR"), "70 EUR", &[]), money("75 EUR"), low.judged, None).tells);
    }

    #[test]
    fn nothing_is_told_while_every_store_is_known_to_be_sold_out() {
        let out = Some(Stock::OutOfStock);
        let tells = |stock: &[Option<Stock>]| {
            judge(&moved(Some("100 EUR"), "80 EUR", stock), money("90 EUR"), None, None).tells
        };
        assert!(!tells(&[out]));
        assert!(!tells(&[out, out]));
        assert!(tells(&[out, None]), "one of them may have it");
        assert!(tells(&[out, Some(Stock::Preorder)]));
        assert!(tells(&[]));
    }

    #[test]
    fn other_currencies_are_compared_exactly_at_the_rates_of_the_moment() {
        let verdict =
            judge(&moved(Some("110 USD"), "99 USD", &[]), money("90 EUR"), None, Some(&rates("1.10")));
        assert!(verdict.tells);
        let compared = verdict.compared.unwrap();
        assert_eq!((compared.price_eur, compared.target_eur), (Decimal::new(9000, 2), Decimal::new(90, 0)));
        // 99.01 USD are 90.0090… EUR: shown as 90.01, and above whatever is shown.
        assert!(
            !judge(&moved(Some("110 USD"), "99.01 USD", &[]), money("90 EUR"), None, Some(&rates("1.10")))
                .tells
        );
    }

    #[test]
    fn a_rate_that_moves_alone_is_no_crossing() {
        let weak = rates("1.00");
        let before = judge(&moved(None, "100 USD", &[]), money("90 EUR"), None, Some(&weak)).judged;
        assert!(before.unwrap().armed);
        // At today's rate the price before was low enough; at its own moment it was not, and that counts.
        let strong = rates("1.20");
        assert!(judge(&moved(Some("100 USD"), "99 USD", &[]), money("90 EUR"), before, Some(&strong)).tells);
    }

    #[test]
    fn what_cannot_be_compared_leaves_everything_as_it_was() {
        let before = Some(Judged { target: money("90 EUR"), armed: true });
        let verdict = judge(&moved(Some("110 USD"), "1 USD", &[]), money("90 EUR"), before, None);
        assert_eq!(verdict, Verdict { judged: before, tells: false, compared: None });
    }
}
