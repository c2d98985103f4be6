//! Which of the prices that stores ask is the market price.

use domain::figure::{Offer, Original};
use domain::money::{Currency, Money};
use domain::text::{Line, folded};

/// A price that a store asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub price: Money,
    pub original: Option<Original>,
    /// The version that it is for; none for the page's own price.
    pub label: Option<Line<200>>,
    pub offer: Offer,
}

/// Those labelled as the figure's version if there are any, else all; of these the highest in the currency of the list
/// price, failing that in the commonest one. Of equals the first.
pub(super) fn choose(
    candidates: Vec<Candidate>,
    version: Option<&str>,
    msrp: Option<Currency>,
) -> Option<Candidate> {
    let is_version = |candidate: &Candidate| match (&candidate.label, version) {
        (Some(label), Some(version)) => folded(label.as_str()) == folded(version),
        _ => false,
    };
    let matching = candidates.iter().any(is_version);
    let within: Vec<Candidate> =
        candidates.into_iter().filter(|candidate| !matching || is_version(candidate)).collect();
    let count = |currency: Currency| within.iter().filter(|one| one.price.currency() == currency).count();
    let commonest = || {
        // Of equally common ones the first that is listed.
        Currency::ALL.into_iter().rev().max_by_key(|currency| count(*currency))
    };
    let currency = msrp.filter(|currency| count(*currency) > 0).or_else(commonest)?;
    within
        .into_iter()
        .filter(|one| one.price.currency() == currency)
        .reduce(|best, one| if one.price.amount() > best.price.amount() { one } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::EntityId;
    use domain::text::HttpUrl;
    use uuid::Uuid;

    fn candidate((price, label): (&str, Option<&str>)) -> Candidate {
        let (amount, currency) = price.split_once(' ').unwrap();
        Candidate {
            price: Money::new(amount.parse().unwrap(), currency.parse().unwrap()).unwrap(),
            original: None,
            label: label.map(|label| Line::new(label).unwrap()),
            offer: Offer {
                provider: Line::new("prices.example").unwrap(),
                source: Line::new("harbour").unwrap(),
                store_id: EntityId(Uuid::nil()),
                url: HttpUrl::new("https://harbour.example/1").unwrap(),
            },
        }
    }
    fn chosen(
        candidates: &[(&str, Option<&str>)],
        version: Option<&str>,
        msrp: Option<Currency>,
    ) -> Option<String> {
        let candidates = candidates.iter().copied().map(candidate).collect();
        choose(candidates, version, msrp).map(|one| one.price.to_string())
    }

    #[test]
    fn the_label_of_the_version_decides_whatever_it_costs() {
        let offers = [("200 EUR", None), ("90 EUR", Some("dusk  VER.")), ("150 EUR", Some("Dawn Ver."))];
        assert_eq!(chosen(&offers, Some("Dusk Ver."), None).as_deref(), Some("90.00 EUR"));
        assert_eq!(chosen(&offers, Some("Noon Ver."), None).as_deref(), Some("200.00 EUR"));
        assert_eq!(chosen(&offers, None, None).as_deref(), Some("200.00 EUR"));
    }

    #[test]
    fn several_of_the_version_are_chosen_among_like_all() {
        let offers = [
            ("90 EUR", Some("Dusk")),
            ("9000 JPY", Some("Dusk")),
            ("95 EUR", Some("Dusk")),
            ("200 EUR", None),
        ];
        assert_eq!(chosen(&offers, Some("Dusk"), Some(Currency::Jpy)).as_deref(), Some("9000 JPY"));
        assert_eq!(chosen(&offers, Some("Dusk"), None).as_deref(), Some("95.00 EUR"));
    }

    #[test]
    fn the_highest_in_the_currency_of_the_list_price_failing_that_in_the_commonest() {
        let offers = [("30000 JPY", None), ("100 EUR", None), ("120 EUR", None), ("130 USD", None)];
        assert_eq!(chosen(&offers, None, Some(Currency::Usd)).as_deref(), Some("130.00 USD"));
        assert_eq!(chosen(&offers, None, Some(Currency::Chf)).as_deref(), Some("120.00 EUR"));
        assert_eq!(chosen(&offers, None, None).as_deref(), Some("120.00 EUR"));
        let even = [("130 USD", None), ("100 EUR", None)];
        assert_eq!(chosen(&even, None, None).as_deref(), Some("100.00 EUR"));
        assert_eq!(chosen(&[], None, Some(Currency::Eur)), None);
    }
}
