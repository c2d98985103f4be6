//! What stores ask and have: what becomes an event, and what is only a confirmation.

use crate::harness::*;
use chrono::{DateTime, TimeDelta, Utc};
use domain::commands::{EditFigure, MergeFigures, Noted, ObserveMarket};
use domain::figure::{
    FigureEvent as F, Observation, ObservedPrice, ObservedStore, Offer, Original, PriceMove, STOCK_KNOWN_FOR,
    Stock, StoreStock,
};
use domain::ids::{EntityId, FigureId};
use domain::money::{Currency, Money};
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::HttpUrl;

const OTHER_SHOP: EntityId = EntityId(uuid::Uuid::from_u128(0xe9));

fn offer(store_id: EntityId) -> Offer {
    let url = HttpUrl::new("https://harbour.example/1").unwrap();
    Offer { provider: line("prices.example"), source: line("harbour"), store_id, url }
}
fn usd(text: &str) -> Money {
    Money::new(amount(text), Currency::Usd).unwrap()
}
fn asked(price: Money) -> ObservedPrice {
    ObservedPrice { price, original: None, offer: offer(SHOP), matched_version: None }
}
/// So much in Hong Kong dollars, at a rate.
fn converted(price: &str, hkd: &str, rate: &str) -> ObservedPrice {
    let original = Original {
        amount: amount(hkd),
        currency: "HKD".parse().unwrap(),
        rate: rate.parse().unwrap(),
        rate_date: day("2027-03-10"),
    };
    ObservedPrice { original: Some(original), ..asked(usd(price)) }
}
fn at(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}
fn said(store_id: EntityId, stock: Option<Stock>) -> ObservedStore {
    ObservedStore { store_id, said: stock.map(|stock| (offer(store_id), stock)), confirmed_at: None }
}
fn look(figure_id: FigureId, hours: i64, price: Option<ObservedPrice>) -> ObserveMarket {
    ObserveMarket { figure_id, seen: Observation { seen_at: at(hours), price, stores: vec![] } }
}
fn priced(hours: i64, price: Money) -> ObserveMarket {
    look(LANTERN, hours, Some(asked(price)))
}
fn stocked(hours: i64, stock: Stock) -> ObserveMarket {
    let stores = vec![said(SHOP, Some(stock))];
    ObserveMarket { figure_id: LANTERN, seen: Observation { seen_at: at(hours), price: None, stores } }
}
fn moved(hours: i64, price: ObservedPrice, previous: Option<Money>) -> F {
    F::PriceMoved(Box::new(PriceMove {
        price: price.price,
        previous,
        original: price.original,
        offer: price.offer,
        matched_version: price.matched_version,
        stores: vec![],
        seen_at: at(hours),
    }))
}
fn changed(hours: i64, previous: Option<Stock>, stock: Stock) -> F {
    F::StockChanged { offer: offer(SHOP), previous, stock, seen_at: at(hours) }
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN)]).by_operator();
    vec![
        world.when(look(NOWHERE, 0, None)).refuses(
            Code::FigureNotFound,
            "figure_id",
            "a price of an unknown figure",
        ),
        world.when(priced(0, eur("0"))).refuses(Code::InvalidAmount, "price", "a price of nothing"),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn the_first_price_and_every_other_one_is_an_event() {
    let world = given([figure(LANTERN)]).by_operator();
    let world = world
        .when(priced(0, eur("100")))
        .then([fig(LANTERN, moved(0, asked(eur("100")), None))])
        .when(priced(1, eur("90")))
        .then([fig(LANTERN, moved(1, asked(eur("90")), Some(eur("100"))))]);
    world.when(priced(2, usd("90"))).then([fig(LANTERN, moved(2, asked(usd("90")), Some(eur("90"))))]);
}

#[test]
fn a_price_that_stands_is_no_event_whichever_store_asks_it() {
    let world = given([figure(LANTERN)]).by_operator().done(priced(0, eur("100")));
    world.when(priced(1, eur("100"))).then_nothing();
    let elsewhere = ObservedPrice { offer: offer(OTHER_SHOP), ..asked(eur("100")) };
    world.when(look(LANTERN, 1, Some(elsewhere))).then_nothing();
    world.when(look(LANTERN, 1, None)).then_nothing();
}

#[test]
fn a_rate_that_moves_is_no_price_that_moves() {
    let first = converted("164.25", "1280", "0.1283");
    let world = given([figure(LANTERN)]).by_operator().done(look(LANTERN, 0, Some(first)));
    world.when(look(LANTERN, 1, Some(converted("165.12", "1280", "0.129")))).then_nothing();
    let dearer = converted("166.41", "1290", "0.129");
    world
        .when(look(LANTERN, 1, Some(dearer.clone())))
        .then([fig(LANTERN, moved(1, dearer, Some(usd("164.25"))))]);
    let own = asked(usd("165.12"));
    world.when(look(LANTERN, 1, Some(own.clone()))).then([fig(LANTERN, moved(1, own, Some(usd("164.25"))))]);
}

#[test]
fn what_is_older_than_what_stands_says_nothing() {
    let world =
        given([figure(LANTERN)]).by_operator().done(priced(5, eur("100"))).done(stocked(5, Stock::InStock));
    world.when(priced(4, eur("90"))).then_nothing();
    world.when(stocked(4, Stock::OutOfStock)).then_nothing();
}

#[test]
fn stock_is_an_event_when_it_is_another_one() {
    let world = given([figure(LANTERN)]).by_operator();
    let world =
        world.when(stocked(0, Stock::OutOfStock)).then([fig(LANTERN, changed(0, None, Stock::OutOfStock))]);
    world.when(stocked(1, Stock::OutOfStock)).then_nothing();
    world
        .when(stocked(1, Stock::Preorder))
        .then([fig(LANTERN, changed(1, Some(Stock::OutOfStock), Stock::Preorder))]);
    // A store that says nothing leaves what it said to age.
    let silent = Observation { seen_at: at(1), price: None, stores: vec![said(SHOP, None)] };
    world.when(ObserveMarket { figure_id: LANTERN, seen: silent }).then_nothing();
}

#[test]
fn stock_that_was_last_seen_too_long_ago_is_no_longer_known() {
    let world = given([figure(LANTERN)]).by_operator().done(stocked(0, Stock::OutOfStock));
    let week = STOCK_KNOWN_FOR.num_hours();
    let back = |hours, confirmed: Option<i64>| {
        let store = ObservedStore { confirmed_at: confirmed.map(at), ..said(SHOP, Some(Stock::InStock)) };
        let seen = Observation { seen_at: at(hours), price: None, stores: vec![store] };
        ObserveMarket { figure_id: LANTERN, seen }
    };
    let known = Some(Stock::OutOfStock);
    for (hours, confirmed, previous) in [
        (week, None, known),
        (week + 1, None, None),
        (week + 1, Some(1), known),
        (week + 2, Some(1), None),
        (week, Some(-week), known),
    ] {
        world.when(back(hours, confirmed)).then([fig(LANTERN, changed(hours, previous, Stock::InStock))]);
    }
}

#[test]
fn a_price_that_moves_says_what_is_known_of_every_store() {
    let week = STOCK_KNOWN_FOR.num_hours();
    let world = given([figure(LANTERN)]).by_operator().done(stocked(0, Stock::OutOfStock));
    let told = |hours, stores| {
        let seen = Observation { seen_at: at(hours), price: Some(asked(eur("80"))), stores };
        let after = world.clone().done(ObserveMarket { figure_id: LANTERN, seen });
        after.figure(LANTERN).market.price.clone().unwrap().stores
    };
    let both = || vec![said(SHOP, None), said(OTHER_SHOP, Some(Stock::InStock))];
    let other = StoreStock { store_id: OTHER_SHOP, stock: Some(Stock::InStock) };
    let shop = |stock| StoreStock { store_id: SHOP, stock };
    assert_eq!(told(1, both()), [shop(Some(Stock::OutOfStock)), other]);
    assert_eq!(told(week + 1, both()), [shop(None), other]);
}

#[test]
fn the_answer_says_what_moved_and_under_which_id() {
    let world = given([figure(LANTERN), figure(TEAPOT)])
        .by_admin()
        .done(MergeFigures { loser_id: TEAPOT, winner_id: LANTERN });
    let seen = Observation {
        seen_at: at(0),
        price: Some(asked(eur("80"))),
        stores: vec![said(SHOP, Some(Stock::InStock)), said(OTHER_SHOP, Some(Stock::Preorder))],
    };
    let look = ObserveMarket { figure_id: TEAPOT, seen };
    let (noted, world) = world.when(look.clone()).answered();
    assert_eq!(noted, Noted { figure_id: LANTERN, price_moved: true, stocks_changed: 2 });
    let (noted, _) = world.when(look).answered();
    assert_eq!(noted, Noted { figure_id: LANTERN, price_moved: false, stocks_changed: 0 });
}

#[test]
fn the_market_is_no_change_of_the_entry() {
    let world = given([figure(LANTERN)]).done(priced(0, eur("100"))).done(stocked(0, Stock::InStock));
    assert_eq!((world.figure(LANTERN).version, world.figure(LANTERN).events), (Version(1), Version(3)));
    let edit =
        EditFigure { expected: Some(Version(1)), name: Some(name("Lantern")), ..EditFigure::of(LANTERN) };
    let world = world.done(edit);
    assert_eq!(world.figure(LANTERN).version, Version(4));
}

#[test]
fn a_winner_goes_on_with_what_was_seen_later_of_the_loser() {
    let elsewhere = |hours, price| look(TEAPOT, hours, Some(asked(price)));
    let merge = || MergeFigures { loser_id: TEAPOT, winner_id: LANTERN };
    let world = given([figure(LANTERN), figure(TEAPOT)]).by_admin();
    let stands = |world: Given| {
        let merged = world.done(merge());
        let price = merged.figure(LANTERN).market.price.clone().unwrap();
        (price.price, price.previous)
    };
    let both = world.clone().done(priced(1, eur("100")));
    assert_eq!(stands(both.clone().done(elsewhere(2, eur("90")))), (eur("90"), Some(eur("100"))));
    assert_eq!(stands(both.clone().done(elsewhere(0, eur("90")))), (eur("100"), None));
    assert_eq!(stands(world.clone().done(elsewhere(0, eur("90")))), (eur("90"), None));
    // Nothing comes back into stock by a merge.
    let out = both.done(stocked(1, Stock::OutOfStock));
    let seen = Observation { seen_at: at(2), price: None, stores: vec![said(SHOP, Some(Stock::InStock))] };
    let merged = out.done(ObserveMarket { figure_id: TEAPOT, seen }).when(merge());
    let merged = merged.done();
    assert_eq!(merged.figure(LANTERN).market.stock[&SHOP].stock, Stock::InStock);
}
