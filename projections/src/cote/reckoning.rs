//! From sums to what is shown: every conversion in one place.

use super::worth::{Cost, Group, Sold, Tier};
use chrono::NaiveDate;
use domain::money::Currency;
use domain::money::rates::{RateTable, Rates, Sum};
use rust_decimal::Decimal;

/// What a collection is worth, cost and brought. Amounts in euro are exact: rounded by whoever shows them, once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// Every piece with a worth, at today's rates.
    pub value: Decimal,
    /// Those whose cost is known, too.
    pub compared: Decimal,
    /// What these cost, at the rates frozen then.
    pub cost: Decimal,
    /// What sold pieces brought, at the rates of the days of their sale.
    pub brought: Decimal,
    /// What these had cost.
    pub brought_cost: Decimal,
    /// Whether something could not be converted, and is missing from the above.
    pub partial: bool,
    /// The worth of every piece as it stands.
    pub values: Sum,
    /// The cost of every piece with a price as it stands.
    pub costs: Sum,
    /// Pieces that count.
    pub pieces: i64,
    /// By what backs their worth: valuation, market price, list price.
    pub tiers: [i64; 3],
    /// Pieces in the gain.
    pub pieces_compared: i64,
    /// Pieces in the realised gain.
    pub pieces_sold: i64,
}

/// Converts an amount into euro; euro need no table.
pub(super) fn eur(amount: Decimal, currency: Currency, table: Option<&RateTable>) -> Option<Decimal> {
    if currency == Currency::Eur || amount.is_zero() {
        return Some(amount);
    }
    table?.convert(amount, currency, Currency::Eur)
}

/// The table that a sale is converted with: that of its day, else today's.
#[must_use]
pub fn sale_table(rates: &Rates, on: NaiveDate, currency: Currency) -> Option<&RateTable> {
    rates.on(on).filter(|table| table.per_euro(currency).is_some()).or_else(|| rates.today())
}

impl Cost {
    /// What it was in euro, exact. None when nobody says, or for want of a rate.
    fn eur(self, today: Option<&RateTable>) -> Option<Decimal> {
        match self {
            Self::Unknown => None,
            Self::Nothing => Some(Decimal::ZERO),
            Self::Frozen { eur, .. } => Some(eur),
            Self::Open { currency, amount } => eur(amount, currency, today),
        }
    }

    fn is_known(self) -> bool {
        self != Self::Unknown
    }
}

impl Reckoning {
    /// Adds everything up.
    #[must_use]
    pub fn of(groups: &[Group], sold: &[Sold], rates: &Rates) -> Self {
        let mut all = Self::default();
        for group in groups {
            all.add(group, rates.today());
        }
        for sale in sold.iter().filter(|sale| sale.cost.is_known()) {
            let (currency, amount) = sale.brought;
            let brought = eur(amount, currency, sale_table(rates, sale.on, currency));
            match (brought, sale.cost.eur(rates.today())) {
                (Some(brought), Some(cost)) => {
                    all.brought = all.brought.saturating_add(brought);
                    all.brought_cost = all.brought_cost.saturating_add(cost);
                    all.pieces_sold = all.pieces_sold.saturating_add(sale.pieces);
                }
                _ => all.partial = true,
            }
        }
        all
    }

    fn add(&mut self, group: &Group, today: Option<&RateTable>) {
        self.pieces = self.pieces.saturating_add(group.pieces);
        if let Cost::Frozen { currency, amount, .. } | Cost::Open { currency, amount } = group.cost {
            self.costs.add(amount, currency);
        }
        let Some((tier, currency, amount)) = group.value else { return };
        let count = match tier {
            Tier::Manual => &mut self.tiers[0],
            Tier::Market => &mut self.tiers[1],
            Tier::Msrp => &mut self.tiers[2],
        };
        *count = count.saturating_add(group.pieces);
        self.values.add(amount, currency);
        let Some(value) = eur(amount, currency, today) else {
            self.partial = true;
            return;
        };
        self.value = self.value.saturating_add(value);
        match group.cost.eur(today) {
            // Value and cost are of the same pieces, or the gain would be that of neither.
            Some(cost) => {
                self.compared = self.compared.saturating_add(value);
                self.cost = self.cost.saturating_add(cost);
                self.pieces_compared = self.pieces_compared.saturating_add(group.pieces);
            }
            None => self.partial |= group.cost.is_known(),
        }
    }

    /// Pieces with a worth.
    #[must_use]
    pub fn valued(&self) -> i64 {
        self.tiers.iter().sum()
    }

    /// What backs most pieces; of several, the strongest. None without any worth.
    #[must_use]
    pub fn basis(&self) -> Option<Tier> {
        let most = self.tiers.iter().copied().max().filter(|most| *most > 0)?;
        Tier::ALL.into_iter().zip(self.tiers).find(|(_, count)| *count == most).map(|(tier, _)| tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::money::rates::CurrencyCode;
    use domain::money::rounded;
    use proptest::prelude::*;

    fn rates() -> Rates {
        let table = |day: &str, quotes: &[(&str, &str)]| {
            let quotes = quotes.iter().map(|(c, r)| (c.parse::<CurrencyCode>().unwrap(), r.parse().unwrap()));
            RateTable::new(day.parse().unwrap(), quotes).unwrap()
        };
        let quotes =
            [("USD", "1.1577"), ("JPY", "181.13"), ("GBP", "0.8791"), ("CHF", "0.9312"), ("CAD", "1.6204")];
        [table("2026-11-20", &quotes), table("2024-03-01", &[("USD", "1.0813"), ("JPY", "162.75")])]
            .into_iter()
            .collect()
    }

    fn eur_and(currency: Currency, cost: &str) -> Group {
        let amount = "100".parse().unwrap();
        Group {
            value: Some((Tier::Msrp, Currency::Eur, "120".parse().unwrap())),
            cost: Cost::Open { currency, amount: cost.parse().unwrap_or(amount) },
            pieces: 1,
        }
    }

    #[test]
    fn without_rates_only_euro_count_and_the_total_is_partial() {
        let none = Rates::default();
        let all = Reckoning::of(&[eur_and(Currency::Eur, "80"), eur_and(Currency::Jpy, "9000")], &[], &none);
        assert_eq!((all.value, all.compared, all.cost), (240.into(), 120.into(), 80.into()));
        assert!(all.partial);
        assert_eq!((all.pieces_compared, all.valued()), (1, 2));
        assert!(!Reckoning::of(&[eur_and(Currency::Eur, "80")], &[], &none).partial);
    }

    #[test]
    fn a_piece_without_a_price_has_a_worth_and_no_gain_while_a_gift_costs_nothing() {
        let value = Some((Tier::Market, Currency::Eur, Decimal::from(50)));
        let unknown = Group { value, cost: Cost::Unknown, pieces: 2 };
        let gift = Group { value, cost: Cost::Nothing, pieces: 1 };
        let all = Reckoning::of(&[unknown, gift], &[], &rates());
        assert_eq!((all.value, all.compared, all.cost), (100.into(), 50.into(), 0.into()));
        assert!(!all.partial);
    }

    #[test]
    fn a_sale_is_converted_on_its_day_and_else_today() {
        let sale = |on: &str| Sold {
            on: on.parse().unwrap(),
            brought: (Currency::Usd, "10813".parse().unwrap()),
            cost: Cost::Frozen { currency: Currency::Usd, amount: 1.into(), eur: 9_000.into() },
            pieces: 1,
        };
        let all = Reckoning::of(&[], &[sale("2024-03-02")], &rates());
        assert_eq!((all.brought, all.brought_cost), (10_000.into(), 9_000.into()));
        let later = Reckoning::of(&[], &[sale("1998-03-02")], &rates());
        assert_eq!(rounded(later.brought, Currency::Eur).to_string(), "9340.07");
    }

    #[test]
    fn the_basis_is_what_backs_most_pieces_and_of_equals_the_strongest() {
        let group = |tier, pieces| Group {
            value: Some((tier, Currency::Eur, 1.into())),
            cost: Cost::Unknown,
            pieces,
        };
        let basis = |groups: &[Group]| Reckoning::of(groups, &[], &rates()).basis();
        assert_eq!(basis(&[]), None);
        assert_eq!(basis(&[group(Tier::Msrp, 3), group(Tier::Market, 2)]), Some(Tier::Msrp));
        assert_eq!(basis(&[group(Tier::Msrp, 2), group(Tier::Market, 2)]), Some(Tier::Market));
    }

    fn group() -> impl Strategy<Value = Group> {
        let currency = || proptest::sample::select(Currency::ALL.to_vec());
        let amount = || (0_u64..100_000_000).prop_map(|cents| Decimal::new(i64::try_from(cents).unwrap(), 2));
        let tier = proptest::sample::select(Tier::ALL.to_vec());
        let cost = prop_oneof![
            Just(Cost::Unknown),
            Just(Cost::Nothing),
            (currency(), amount()).prop_map(|(currency, amount)| Cost::Open { currency, amount }),
            (currency(), amount()).prop_map(|(currency, amount)| Cost::Frozen {
                currency,
                amount,
                eur: amount
            }),
        ];
        (proptest::option::of((tier, currency(), amount())), cost).prop_map(|(value, cost)| Group {
            value,
            cost,
            pieces: 1,
        })
    }

    proptest! {
        #[test]
        fn totals_are_the_sum_of_their_parts_in_any_order(
            groups in proptest::collection::vec(group(), 0..60), seed in any::<u64>()
        ) {
            let rates = rates();
            let whole = Reckoning::of(&groups, &[], &rates);
            let mut others = groups.clone();
            let turn = usize::try_from(seed % 61).unwrap().min(others.len());
            others.rotate_left(turn);
            others.reverse();
            let other = Reckoning::of(&others, &[], &rates);
            let shown = |all: &Reckoning| [all.value, all.compared, all.cost].map(|a| rounded(a, Currency::Eur));
            prop_assert_eq!(shown(&whole), shown(&other));
            prop_assert_eq!(&whole.values, &other.values);
            let parts: Vec<Reckoning> = groups.iter().map(|g| Reckoning::of(&[*g], &[], &rates)).collect();
            let sum = |part: fn(&Reckoning) -> Decimal| rounded(parts.iter().map(part).sum(), Currency::Eur);
            prop_assert_eq!(shown(&whole), [sum(|p| p.value), sum(|p| p.compared), sum(|p| p.cost)]);
        }
    }
}
