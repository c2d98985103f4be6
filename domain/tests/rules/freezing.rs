//! Which rate a recorded cost keeps, and when it is frozen anew.

use crate::harness::*;
use chrono::NaiveDate;
use domain::collection::{Cost, Origin};
use domain::commands::{
    AcquireWish, AddPiece, CancelPreorder, EditPiece, EditPreorder, PieceFields, PlacePreorder,
    PreorderFields, ReplacePreorder, RestorePiece,
};
use domain::money::Currency::{self, Chf, Eur, Jpy, Usd};
use domain::money::rates::{RateTable, Rates};

/// Long ago, a Friday some weeks back, and the newest; `now()` is later than all of them.
fn rates() -> Rates {
    let table = |day: &str, quotes: [(&str, &str); 2]| {
        let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
        RateTable::new(day.parse().unwrap(), quotes).unwrap()
    };
    [
        table("1999-01-04", [("USD", "1.1789"), ("JPY", "133.73")]),
        table("2026-05-01", [("USD", "1.25"), ("JPY", "160")]),
        table("2026-11-19", [("USD", "1.6"), ("JPY", "200")]),
    ]
    .into_iter()
    .collect()
}

fn bought(text: &str, currency: Currency, on: Option<&str>) -> PieceFields {
    PieceFields {
        cost: cost(text, "", "", currency, ""),
        purchase_date: on.map(day),
        ..PieceFields::default()
    }
}

fn add(fields: PieceFields) -> AddPiece {
    AddPiece { user_id: ANNA, piece_id: P1, figure_id: LANTERN, fields }
}

fn place(fields: PieceFields) -> PlacePreorder {
    PlacePreorder {
        user_id: ANNA,
        piece_id: P1,
        preorder_id: O1,
        figure_id: LANTERN,
        piece: fields,
        preorder: PreorderFields::default(),
    }
}

fn edited(world: &Given, with: impl FnOnce(&mut EditPiece)) -> Given {
    let mut edit = EditPiece::of(ANNA, P1);
    with(&mut edit);
    world.clone().done(edit)
}

fn world() -> Given {
    given([figure(LANTERN)]).knowing(rates())
}

fn rate_of(cost: &Cost) -> String {
    cost.fx_rate.map(|rate| rate.decimal().to_string()).unwrap_or_default()
}

/// The rate of the piece.
fn rate(world: &Given) -> String {
    rate_of(&world.collection().pieces[&P1].cost)
}

/// The rate of the piece and of its pre-order, which are one fact.
fn both(world: &Given) -> String {
    let rate = rate(world);
    assert_eq!(rate_of(&world.chapter(P1).cost), rate);
    rate
}

#[test]
fn the_rate_of_the_purchase_date_else_of_the_moment_is_frozen() {
    let moment = "0.625";
    for (on, expected) in [
        (None, moment),
        (Some("2026-05-01"), "0.8"),
        // The Saturday and Sunday after it.
        (Some("2026-05-02"), "0.8"),
        (Some("2026-05-03"), "0.8"),
        (Some("1999-01-04"), "0.848248367121"),
        // Before the first rates, in a gap, in the future.
        (Some("1998-12-31"), moment),
        (Some("2010-06-01"), moment),
        (Some("2027-03-11"), moment),
    ] {
        let after = world().done(add(bought("80", Usd, on)));
        assert!(rate(&after).starts_with(expected), "{on:?}: {} {expected}", rate(&after));
    }
}

#[test]
fn a_frozen_rate_has_at_least_ten_decimals_where_it_needs_them() {
    let after = world().done(add(bought("80", Usd, Some("1999-01-04"))));
    assert_eq!(rate(&after), "0.848248367121893");
}

#[test]
fn without_rates_only_the_euro_has_one() {
    let nothing = given([figure(LANTERN)]);
    assert_eq!(rate(&nothing.clone().done(add(bought("80", Eur, None)))), "1");
    let unknown = nothing.done(add(bought("80", Usd, Some("2026-05-01"))));
    assert_eq!(rate(&unknown), "", "absent means today's");
    // They come later: what is recorded stays as it is until currency or purchase date change.
    let later = unknown.knowing(rates());
    assert_eq!(rate(&edited(&later, |e| e.price = Some(Some(amount("90"))))), "");
    assert_eq!(rate(&edited(&later, |e| e.purchase_date = Some(Some(day("2026-05-02"))))), "0.8");
    let unquoted = world().done(add(bought("80", Chf, None)));
    assert_eq!(rate(&unquoted), "", "a currency that no table quotes");
}

#[test]
fn a_piece_that_cost_nothing_known_freezes_nothing() {
    let after =
        world().done(add(PieceFields { purchase_date: Some(day("2026-05-01")), ..bought("", Usd, None) }));
    assert_eq!(after.collection().pieces[&P1].cost, Cost::default());
    assert_eq!(
        rate(&edited(&after, |e| {
            e.shipping = Some(Some(amount("7")));
            e.currency = Some(Some(Jpy));
        })),
        "0.00625",
        "shipping alone has a currency, and so a rate"
    );
}

#[test]
fn editing_anything_but_currency_and_purchase_date_keeps_the_rate() {
    let then = world().done(add(bought("80", Usd, Some("2026-05-01"))));
    let newer: Rates =
        [RateTable::new(day("2026-11-20"), [("USD".parse().unwrap(), "2".parse().unwrap())]).unwrap()]
            .into_iter()
            .collect();
    let then = then.knowing(newer);
    let edits: [fn(&mut EditPiece); 8] = [
        |e| e.price = Some(Some(amount("90"))),
        |e| e.shipping = Some(Some(amount("9"))),
        |e| e.fees = Some(Some(amount("3"))),
        |e| e.currency = Some(Some(Usd)),
        |e| e.purchase_date = Some(Some(day("2026-05-01"))),
        |e| e.notes = Some(Some(note("a scratch"))),
        |e| e.store = Some(Some(name("Harbour Hobby"))),
        |e| e.origin = Some(Origin::Gift),
    ];
    for (which, edit) in edits.into_iter().enumerate() {
        assert_eq!(rate(&edited(&then, edit)), "0.8", "edit {which}");
    }
}

#[test]
fn another_currency_or_purchase_date_freezes_anew() {
    let then = world().done(add(bought("80", Usd, Some("2026-05-01"))));
    let yen = edited(&then, |e| e.currency = Some(Some(Jpy)));
    assert_eq!(rate(&yen), "0.00625", "of the purchase date, in the new currency");
    assert_eq!(rate(&edited(&yen, |e| e.purchase_date = Some(None))), "0.005", "of the moment");
    let both = edited(&then, |e| {
        e.currency = Some(Some(Jpy));
        e.purchase_date = Some(Some(day("2026-11-19")));
    });
    assert_eq!(rate(&both), "0.005");
    assert_eq!(rate(&edited(&then, |e| e.currency = Some(Some(Eur)))), "1");
}

#[test]
fn where_no_rate_is_known_any_more_the_old_one_stays_for_the_same_currency() {
    let then = world().done(add(bought("80", Usd, Some("2026-05-01")))).knowing(Rates::default());
    assert_eq!(rate(&edited(&then, |e| e.purchase_date = Some(None))), "0.8");
    assert_eq!(rate(&edited(&then, |e| e.currency = Some(Some(Jpy)))), "", "it was another currency's");
}

#[test]
fn a_cost_taken_away_takes_its_rate_along() {
    let then = world().done(add(bought("80", Usd, Some("2026-05-01"))));
    let without = edited(&then, |e| e.price = Some(None));
    assert_eq!(without.collection().pieces[&P1].cost, Cost::default());
}

#[test]
fn a_rate_that_is_given_stands() {
    let fields =
        PieceFields { cost: cost("80", "", "", Usd, "0.9123"), ..bought("80", Usd, Some("2026-05-01")) };
    assert_eq!(rate(&world().done(add(fields.clone()))), "0.9123");
    assert_eq!(both(&world().done(place(fields))), "0.9123");
}

#[test]
fn a_preorder_and_its_piece_share_the_rate() {
    let placed = world().done(place(bought("12000", Jpy, None)));
    assert_eq!(both(&placed), "0.005");
    let mut edit = EditPreorder::of(ANNA, P1);
    edit.currency = Some(Some(Usd));
    assert_eq!(both(&placed.clone().done(edit)), "0.625");
    let mut edit = EditPreorder::of(ANNA, P1);
    edit.price = Some(Some(amount("13000")));
    edit.deposit = Some(Some(amount("2000")));
    assert_eq!(both(&placed.clone().done(edit).knowing(Rates::default())), "0.005");
    let dated = edited(&placed, |e| e.purchase_date = Some(Some(day("2026-05-01"))));
    assert_eq!(both(&dated), "0.00625", "the piece's purchase date is the pre-order's, too");
    let paid_long_ago = world().done(place(bought("12000", Jpy, Some("2026-05-01"))));
    assert_eq!(both(&paid_long_ago), "0.00625");
}

#[test]
fn a_fresh_preorder_freezes_the_rate_of_its_own_moment_and_the_old_ones_stays() {
    let cancel =
        CancelPreorder { user_id: ANNA, piece_id: P1, expected: None, refund: amount("0"), fate: None };
    let cancelled = world()
        .done(place(bought("80", Usd, Some("2026-05-01"))))
        .done(CancelPreorder { fate: Some(domain::commands::Fate::Archive), ..cancel });
    let restored = cancelled.done(RestorePiece { user_id: ANNA, piece_id: P1, expected: None });
    let old = edited(&restored, |e| e.currency = Some(Some(Jpy)));
    assert_eq!(rate(&old), "0.00625");
    assert_eq!(rate_of(&old.chapter(P1).cost), "0.8", "what was cancelled is history");
    let replaced = old.done(ReplacePreorder {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        preorder_id: O2,
        cost: cost("90", "", "", Usd, ""),
        store: None,
        preorder: PreorderFields::default(),
    });
    assert_eq!(both(&replaced), "0.625");
}

#[test]
fn an_acquired_wish_freezes_its_rate_as_a_piece_and_as_a_preorder() {
    let acquire = |fields| AcquireWish {
        user_id: ANNA,
        figure_id: LANTERN,
        expected: None,
        piece_id: P1,
        preorder_id: O1,
        piece: fields,
        preorder: PreorderFields::default(),
    };
    let wished = given([figure(LANTERN), wish(LANTERN)]).knowing(rates());
    assert_eq!(rate(&wished.done(acquire(bought("80", Usd, Some("2026-05-02"))))), "0.8");
    let to_come = given([figure_with(LANTERN, |f| f.releases = vec![in_month("2027-09")]), wish(LANTERN)]);
    assert_eq!(both(&to_come.knowing(rates()).done(acquire(bought("80", Usd, None)))), "0.625");
}

#[test]
fn a_purchase_date_of_today_has_todays_rate() {
    let today: NaiveDate = now().date_naive();
    let table = RateTable::new(today, [("USD".parse().unwrap(), "1.28".parse().unwrap())]).unwrap();
    let world = given([figure(LANTERN)]).knowing([table].into_iter().collect());
    assert_eq!(rate(&world.done(add(bought("80", Usd, Some(&today.to_string()))))), "0.78125");
}
