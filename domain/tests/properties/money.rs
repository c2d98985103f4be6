//! Conversions, sums and frozen rates.

use crate::runner::{Streams, decide};
use chrono::{Days, NaiveDate};
use domain::collection::{Collection, Cost};
use domain::commands::{
    AddPiece, CatalogueFigure, EditPiece, EditPreorder, PieceFields, PlacePreorder, PreorderFields,
};
use domain::ids::{CommandId, FigureId, PieceId, PreorderId, UserId};
use domain::money::rates::{CurrencyCode, RateTable, Rates, Sum};
use domain::money::{Amount, Currency, Money, rounded};
use domain::stream::StreamId;
use domain::text::{Line, Name, Note};
use domain::world::{Circumstances, Command, State};
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::sync::Arc;
use uuid::Uuid;

fn any_currency() -> impl Strategy<Value = Currency> {
    (0..Currency::ALL.len()).prop_map(|which| Currency::ALL[which])
}

/// A table that quotes all currencies, as far off from what they ever were as is believed.
fn any_table(date: NaiveDate) -> impl Strategy<Value = RateTable> {
    (2_000_i64..80_000, 200_000_i64..8_000_000, 1_000_i64..40_000, 2_000_i64..80_000, 2_000_i64..80_000)
        .prop_map(move |(usd, jpy, gbp, chf, cad)| {
            let quotes = [("USD", usd), ("JPY", jpy), ("GBP", gbp), ("CHF", chf), ("CAD", cad)];
            let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), Decimal::new(rate, 4)));
            RateTable::new(date, quotes).unwrap()
        })
}

fn any_money() -> impl Strategy<Value = Money> {
    (any_currency(), 0_i64..1_000_000_000_000).prop_map(|(currency, units)| {
        let cents = Decimal::new(units, currency.minor_units());
        let capped =
            if cents < Decimal::from(10_000_000_000_i64) { cents } else { cents / Decimal::from(100) };
        Money::new(Amount::new(rounded(capped, currency)).unwrap(), currency).unwrap()
    })
}

fn day() -> NaiveDate {
    "2026-10-30".parse().unwrap()
}

fn half_of_the_smallest(currency: Currency) -> Decimal {
    Decimal::new(5, currency.minor_units() + 1)
}

proptest! {
    #![proptest_config(crate::cases(512))]

    /// One rounding on the way there, worth at most half of the other currency's smallest unit, and one back.
    #[test]
    fn there_and_back_is_off_by_no_more_than_the_two_roundings(
        table in any_table(day()), money in any_money(), to in any_currency()
    ) {
        let amount = money.amount().decimal();
        let there = table.converted(money, to).unwrap();
        let back = rounded(table.convert(there, to, money.currency()).unwrap(), money.currency());
        let lost = table.convert(half_of_the_smallest(to), to, money.currency()).unwrap();
        let most = lost + half_of_the_smallest(money.currency());
        prop_assert!((back - amount).abs() <= most, "{money} → {there} {to} → {back}, more than {most}");
        if to == money.currency() {
            prop_assert_eq!(there, amount);
        }
    }

    #[test]
    fn a_sum_is_the_same_in_any_order_and_the_sum_of_its_parts(
        table in any_table(day()),
        amounts in proptest::collection::vec((any_money(), any::<bool>()), 0..60)
            .prop_flat_map(|amounts| (Just(amounts.clone()), Just(amounts).prop_shuffle())),
        to in any_currency(),
    ) {
        let signed = |amounts: &[(Money, bool)]| -> Vec<(Decimal, Currency)> {
            let signed = |(m, minus): &(Money, bool)| if *minus { -m.amount().decimal() } else { m.amount().decimal() };
            amounts.iter().map(|one| (signed(one), one.0.currency())).collect()
        };
        let (one, other) = (signed(&amounts.0), signed(&amounts.1));
        let sum: Sum = one.iter().copied().collect();
        let shuffled: Sum = other.into_iter().collect();
        prop_assert_eq!(sum.total(Some(&table), to), shuffled.total(Some(&table), to));
        let parts: Decimal = one.iter().map(|(amount, from)| table.convert(*amount, *from, to).unwrap()).sum();
        let total = sum.total(Some(&table), to);
        prop_assert!((total.exact - parts).abs() < Decimal::new(1, 9), "{} and {parts}", total.exact);
        prop_assert!(!total.partial);
    }

    /// Every amount times a frozen rate is exact, so that sums of costs are, too.
    #[test]
    fn an_amount_times_a_frozen_rate_loses_nothing(table in any_table(day()), money in any_money()) {
        let rate = table.eur_for_one(money.currency()).unwrap().decimal();
        let amount = money.amount().decimal();
        let euro = amount.checked_mul(rate).unwrap();
        prop_assert_eq!(euro.scale(), amount.scale() + rate.scale(), "nothing was rounded off");
        let exact = table.convert(amount, money.currency(), Currency::Eur).unwrap();
        prop_assert!((euro - exact).abs() < Decimal::new(1, 4), "{} and {}", euro, exact);
    }

    #[test]
    fn rounding_never_moves_an_amount_by_more_than_half_a_unit_and_keeps_the_sign(
        units in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..12, currency in any_currency()
    ) {
        let amount = Decimal::new(units, scale);
        let to = rounded(amount, currency);
        prop_assert!((to - amount).abs() <= half_of_the_smallest(currency));
        prop_assert!(to.scale() <= currency.minor_units());
        prop_assert_eq!(rounded(-amount, currency), -to, "both ways from zero alike");
        prop_assert_eq!(rounded(to, currency), to);
    }

    #[test]
    fn a_code_that_is_read_is_written_the_same(text in "\\PC{0,5}") {
        if let Ok(code) = text.parse::<CurrencyCode>() {
            prop_assert_eq!(code.as_str(), text);
        }
    }

    /// However a piece or its pre-order is edited, with whatever rates at hand, its rate moves exactly when the
    /// currency or the purchase date does, and both rows show the same.
    #[test]
    fn frozen_rates_move_only_with_currency_and_purchase_date(
        ordered in any::<bool>(),
        first in any_edit(),
        tables in proptest::collection::vec(any_table(day()), 24),
        edits in proptest::collection::vec((any_edit(), any::<bool>()), 1..24),
    ) {
        let mut person = Person::new();
        let cost = Cost {
            price: first.price.map(whole),
            currency: first.currency,
            ..Cost::default()
        };
        person.knows(&tables[0]);
        person.begins(ordered, cost, first.bought);
        for ((edit, on_preorder), table) in edits.into_iter().zip(&tables) {
            person.knows(table);
            let before = person.piece();
            person.edits(&edit, ordered && on_preorder);
            let after = person.piece();
            let moved = before.cost.currency != after.cost.currency || before.purchase_date != after.purchase_date;
            let expected = match after.cost.currency {
                None => None,
                Some(currency) if moved => person.rates.frozen(currency, after.purchase_date, person.today),
                Some(_) => before.cost.fx_rate,
            };
            prop_assert_eq!(after.cost.fx_rate, expected);
            if ordered && after.cost.without_fees().checked().unwrap() != Cost::default() {
                prop_assert_eq!(person.chapter_cost(), after.cost.without_fees());
            }
        }
    }
}

/// What an edit says; amounts are small whole numbers.
#[derive(Debug, Clone)]
struct Edit {
    price: Option<u16>,
    shipping: Option<Option<u16>>,
    fees: Option<Option<u16>>,
    currency: Option<Currency>,
    bought: Option<NaiveDate>,
    says_bought: bool,
    note: bool,
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let part = || proptest::option::of(proptest::option::of(any::<u16>()));
    let bought = proptest::option::of((0_u64..60).prop_map(|ago| day() + Days::new(20) - Days::new(ago)));
    (
        proptest::option::of(any::<u16>()),
        part(),
        part(),
        proptest::option::of(any_currency()),
        bought,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(price, shipping, fees, currency, bought, says_bought, note)| Edit {
            price,
            shipping,
            fees,
            currency,
            bought,
            says_bought,
            note,
        })
}

/// Somebody with one piece, perhaps on order.
struct Person {
    streams: Streams,
    rates: Rates,
    today: NaiveDate,
    runs: u128,
}

const ANNA: UserId = UserId(Uuid::from_u128(0xa1));
const PIECE: PieceId = PieceId(Uuid::from_u128(0xb1));
const FIGURE: FigureId = FigureId(Uuid::from_u128(0xf1));

impl Person {
    fn new() -> Self {
        let mut person = Self { streams: Streams::default(), rates: Rates::default(), today: day(), runs: 0 };
        let figure = CatalogueFigure::named(FIGURE, Name::new("Mina").unwrap(), Line::new("scale").unwrap());
        assert!(person.does(&figure));
        person
    }

    /// The table becomes that of the next day, and the day passes.
    fn knows(&mut self, table: &RateTable) {
        self.today = self.today + Days::new(1);
        let next = RateTable::new(self.today, table.quotes()).unwrap();
        let days = self.rates.today().cloned().into_iter().chain([next]);
        self.rates = days.collect();
        self.streams.set_rates(self.rates.clone());
    }

    fn does<C: Command>(&mut self, command: &C) -> bool {
        self.runs += 1;
        let circumstances = Circumstances {
            actor: Some(ANNA),
            is_admin: false,
            now: self.today.and_hms_opt(12, 0, 0).unwrap().and_utc(),
            command_id: CommandId(Uuid::from_u128(self.runs)),
        };
        let Ok((_, decided)) = decide(&self.streams, circumstances, command) else { return false };
        for staged in decided.staged {
            self.streams.fold(&staged.stream, &staged.event);
        }
        true
    }

    fn begins(&mut self, ordered: bool, cost: Cost, bought: Option<NaiveDate>) {
        // A price without a currency is refused, so it is left out.
        let cost = if cost.currency.is_some() { cost } else { Cost::default() };
        let piece = PieceFields { cost, purchase_date: bought, ..PieceFields::default() };
        let done = if ordered {
            self.does(&PlacePreorder {
                user_id: ANNA,
                piece_id: PIECE,
                preorder_id: PreorderId(Uuid::from_u128(0xc1)),
                figure_id: FIGURE,
                piece,
                preorder: PreorderFields::default(),
            })
        } else {
            self.does(&AddPiece { user_id: ANNA, piece_id: PIECE, figure_id: FIGURE, fields: piece })
        };
        assert!(done);
    }

    fn edits(&mut self, edit: &Edit, on_preorder: bool) {
        let amount = |part: Option<Option<u16>>| part.map(|part| part.map(whole));
        if on_preorder {
            self.does(&EditPreorder {
                price: edit.price.map(|price| Some(whole(price))),
                shipping: amount(edit.shipping),
                currency: edit.currency.map(Some),
                ..EditPreorder::of(ANNA, PIECE)
            });
        } else {
            self.does(&EditPiece {
                price: edit.price.map(|price| Some(whole(price))),
                shipping: amount(edit.shipping),
                fees: amount(edit.fees),
                currency: edit.currency.map(Some),
                purchase_date: edit.says_bought.then_some(edit.bought),
                notes: edit.note.then(|| Some(Note::new("a scratch").unwrap())),
                ..EditPiece::of(ANNA, PIECE)
            });
        }
    }

    fn piece(&self) -> domain::collection::Piece {
        match self.streams.get(&StreamId::Collection(ANNA)).0 {
            State::Collection(state) => Arc::<Collection>::clone(&state).pieces[&PIECE].as_ref().clone(),
            _ => unreachable!(),
        }
    }

    fn chapter_cost(&self) -> Cost {
        match self.streams.get(&StreamId::Preorder(PIECE)).0 {
            State::Preorder(state) => state.chapter.as_ref().unwrap().cost,
            _ => unreachable!(),
        }
    }
}

fn whole(amount: u16) -> Amount {
    Amount::new(amount.into()).unwrap()
}
