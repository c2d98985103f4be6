use super::*;
use crate::engine::testing::Folded;
use chrono::{DateTime, Utc};
use domain::figure::{FigureEvent, Offer, PriceMove, Stock};
use domain::ids::{EntityId, FigureId};
use domain::money::{Currency, Money};
use domain::text::{HttpUrl, Line};
use rust_decimal::Decimal;
use uuid::Uuid;

const AKARI: u128 = 1;
const OTHER: u128 = 2;
const HARBOUR: u128 = 11;
const CRANE: u128 = 12;

struct World(Folded<Prices>);

fn at(hour: u32) -> DateTime<Utc> {
    format!("2026-11-02T{hour:02}:00:00Z").parse().unwrap()
}
fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}
fn offer(store: u128) -> Offer {
    Offer {
        provider: Line::new("127.0.0.1:8090").unwrap(),
        source: Line::new("harbour").unwrap(),
        store_id: EntityId(id(store)),
        url: HttpUrl::new("https://harbour.example/1").unwrap(),
    }
}
fn eur(text: &str) -> Money {
    Money::new(text.parse().unwrap(), Currency::Eur).unwrap()
}

impl World {
    fn new() -> Self {
        Self(Folded::new())
    }
    fn figure(&mut self, n: u128, event: FigureEvent) {
        self.0.fold(StreamId::Figure(FigureId(id(n))), None, Event::Figure(event));
    }
    fn price(&mut self, n: u128, amount: &str, hour: u32) {
        let price = PriceMove {
            price: eur(amount),
            previous: None,
            original: None,
            offer: offer(HARBOUR),
            matched_version: None,
            stores: vec![],
            seen_at: at(hour),
        };
        self.figure(n, FigureEvent::PriceMoved(Box::new(price)));
    }
    fn stock(&mut self, n: u128, store: u128, stock: Stock, hour: u32) {
        self.figure(
            n,
            FigureEvent::StockChanged { offer: offer(store), previous: None, stock, seen_at: at(hour) },
        );
    }
    fn merged(&mut self, loser: u128, winner: u128) {
        self.figure(loser, FigureEvent::MergedInto { winner_id: FigureId(id(winner)) });
    }
    fn store_merged(&mut self, loser: u128, winner: u128) {
        let winner_id = EntityId(id(winner));
        let event = EntityEvent::MergedInto { kind: EntityKind::Store, winner_id };
        self.0.fold(StreamId::Entity(EntityId(id(loser))), None, Event::Entity(event));
    }
    fn latest(&self, n: u128) -> Option<(Decimal, DateTime<Utc>)> {
        self.0.rows.latest.get(&id(n)).map(|row| (row.amount, row.fetched_at))
    }
    fn history(&self, n: u128) -> Vec<(String, DateTime<Utc>)> {
        let mut rows = self.0.rows.history.rows_where(PricePointRow::figure_id, id(n));
        rows.sort_by_key(|row| row.recorded_at);
        rows.into_iter().map(|row| (row.amount.to_string(), row.recorded_at)).collect()
    }
    fn stocks(&self, n: u128) -> Vec<(u128, String)> {
        let rows = self.0.rows.stock.rows_where(StoreStockRow::figure_id, id(n));
        rows.into_iter().map(|row| (row.store_id.as_u128(), row.stock.clone())).collect()
    }
}

#[test]
fn the_latest_price_stands_and_every_move_is_a_point() {
    let mut world = World::new();
    world.price(AKARI, "100", 1);
    world.price(AKARI, "90", 2);
    assert_eq!(world.latest(AKARI), Some((Decimal::from(90), at(2))));
    assert_eq!(world.history(AKARI), [("100".to_owned(), at(1)), ("90".to_owned(), at(2))]);
}

#[test]
fn a_merged_figures_prices_follow_and_the_one_seen_later_stands() {
    for (winners, losers, stands) in [(3, 2, ("100", 3)), (2, 3, ("90", 3))] {
        let mut world = World::new();
        world.price(AKARI, "100", winners);
        world.price(OTHER, "90", losers);
        world.merged(OTHER, AKARI);
        let (amount, hour) = stands;
        assert_eq!(world.latest(AKARI), Some((amount.parse().unwrap(), at(hour))));
        assert_eq!(world.history(AKARI).len(), 2);
        assert_eq!((world.latest(OTHER), world.history(OTHER)), (None, vec![]));
    }
}

#[test]
fn the_price_that_a_winner_goes_on_with_is_no_second_point() {
    let mut world = World::new();
    world.price(OTHER, "90", 2);
    world.merged(OTHER, AKARI);
    world.price(AKARI, "90", 2);
    assert_eq!(world.history(AKARI), [("90".to_owned(), at(2))]);
    assert_eq!(world.latest(AKARI), Some((Decimal::from(90), at(2))));
}

#[test]
fn stock_follows_figures_and_stores_and_what_was_said_later_stands() {
    let mut world = World::new();
    world.stock(AKARI, HARBOUR, Stock::InStock, 2);
    world.stock(OTHER, HARBOUR, Stock::OutOfStock, 1);
    world.stock(OTHER, CRANE, Stock::Preorder, 1);
    world.merged(OTHER, AKARI);
    assert_eq!(world.stocks(AKARI), [(HARBOUR, "in_stock".to_owned()), (CRANE, "preorder".to_owned())]);
    assert_eq!(world.stocks(OTHER), []);
    world.store_merged(HARBOUR, CRANE);
    assert_eq!(world.stocks(AKARI), [(CRANE, "in_stock".to_owned())]);
    // Whoever still names the store by its old id means the one it is now.
    world.stock(AKARI, HARBOUR, Stock::OutOfStock, 3);
    assert_eq!(world.stocks(AKARI), [(CRANE, "out_of_stock".to_owned())]);
    world.price(AKARI, "50", 4);
    assert_eq!(world.0.rows.latest.get(&id(AKARI)).unwrap().store_id, id(CRANE));
}
