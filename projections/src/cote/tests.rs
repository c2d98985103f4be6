//! `cote_days` against worth reckoned day by day, whatever happened.

use super::{Cote, CoteRows};
use crate::engine::testing::Folded;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::collection::{ArchiveReason, CollectionEvent, Cost, Origin};
use domain::figure::{Details, Entry, FigureEvent, Offer, PriceMove};
use domain::ids::{EntityId, FigureId, PieceId, PreorderId, UserId};
use domain::money::{Currency, Money};
use domain::preorder::{PreorderEvent, Status};
use domain::stream::{Event, StreamId};
use domain::text::HttpUrl;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const OWNERS: u128 = 2;
const FIGURES: u128 = 3;
const PIECES: u128 = 5;

/// Something that may happen; ids are small numbers.
#[derive(Debug, Clone)]
enum Doing {
    Add { piece: u128, figure: u128, bought: Option<u64>, preordered: bool, value: Option<u32> },
    Bought { piece: u128, on: Option<u64> },
    Value { piece: u128, value: Option<u32> },
    Archive { piece: u128 },
    Restore { piece: u128 },
    Delete { piece: u128 },
    Step { piece: u128, received: Option<u64> },
    Msrp { figure: u128, msrp: Option<u32> },
    Price { figure: u128, on: u64, price: u32 },
    Merge { loser: u128, winner: u128 },
    Credit { figure: u128, maker: Option<u128>, series: Vec<u128> },
    Mark { figure: u128, is_nsfw: bool },
    Retype { figure: u128, is_scale: bool },
}

fn doing() -> impl Strategy<Value = Doing> {
    let (piece, figure, day) = (0..PIECES, 0..FIGURES, 0_u64..12);
    let some = |most: u32| proptest::option::of(1..most);
    prop_oneof![
        4 => (piece.clone(), figure.clone(), proptest::option::of(day.clone()), any::<bool>(), some(90)).prop_map(
            |(piece, figure, bought, preordered, value)| Doing::Add {
                piece, figure, bought, preordered, value: value.filter(|v| v % 3 == 0)
            }
        ),
        1 => (piece.clone(), proptest::option::of(day.clone())).prop_map(|(piece, on)| Doing::Bought { piece, on }),
        2 => (piece.clone(), some(90)).prop_map(|(piece, value)| Doing::Value { piece, value }),
        1 => piece.clone().prop_map(|piece| Doing::Archive { piece }),
        1 => piece.clone().prop_map(|piece| Doing::Restore { piece }),
        1 => piece.clone().prop_map(|piece| Doing::Delete { piece }),
        2 => (piece, proptest::option::of(day.clone())).prop_map(|(piece, received)| Doing::Step { piece, received }),
        2 => (figure.clone(), some(90)).prop_map(|(figure, msrp)| Doing::Msrp { figure, msrp }),
        6 => (figure.clone(), day, 1_u32..90).prop_map(|(figure, on, price)| Doing::Price { figure, on, price }),
        1 => (figure.clone(), proptest::option::of(1_u128..3), proptest::collection::vec(1_u128..4, 0..3)).prop_map(
            |(figure, maker, series)| Doing::Credit { figure, maker, series }
        ),
        1 => (figure.clone(), any::<bool>()).prop_map(|(figure, is_nsfw)| Doing::Mark { figure, is_nsfw }),
        1 => (figure.clone(), any::<bool>()).prop_map(|(figure, is_scale)| Doing::Retype { figure, is_scale }),
        1 => (figure.clone(), figure).prop_map(|(loser, winner)| Doing::Merge { loser, winner }),
    ]
}

fn day(n: u64) -> NaiveDate {
    // The folds record everything on 1 January 2026; these days lie around it.
    "2025-12-27".parse::<NaiveDate>().unwrap().checked_add_days(Days::new(n)).unwrap()
}

fn money(n: u32) -> Money {
    let currency = if n.is_multiple_of(2) { Currency::Eur } else { Currency::Jpy };
    Money::new(Decimal::from(n).try_into().unwrap(), currency).unwrap()
}

fn at(on: u64, nth: usize) -> DateTime<Utc> {
    day(on)
        .and_hms_opt(0, u32::try_from(nth % 60).unwrap(), u32::try_from(nth / 60).unwrap())
        .unwrap()
        .and_utc()
}

/// A piece as a reader of the rules would keep it.
#[derive(Debug, Clone)]
struct Model {
    owner: u128,
    figure: u128,
    bought: Option<NaiveDate>,
    awaited: bool,
    received: Option<NaiveDate>,
    archived: bool,
    value: Option<u32>,
}

/// What a reader of the rules would keep of a catalogue entry.
#[derive(Debug, Clone, Default, PartialEq)]
struct EntryModel {
    is_scale: bool,
    is_nsfw: bool,
    maker: Option<u128>,
    series: BTreeSet<u128>,
}

#[derive(Debug, Clone, Default)]
struct World {
    pieces: BTreeMap<u128, Model>,
    msrp: BTreeMap<u128, u32>,
    entries: BTreeMap<u128, EntryModel>,
    /// When, and what.
    prices: BTreeMap<u128, BTreeMap<DateTime<Utc>, u32>>,
    merged: BTreeMap<u128, u128>,
}

impl World {
    fn worth(&self, owner: u128, on: NaiveDate) -> BTreeMap<String, Decimal> {
        let recorded: NaiveDate = "2026-01-01".parse().unwrap();
        let mut worth: BTreeMap<String, Decimal> = BTreeMap::new();
        for piece in self.pieces.values().filter(|piece| piece.owner == owner && !piece.awaited) {
            let acquired = piece.received.or(piece.bought).unwrap_or(recorded);
            if on < acquired || (piece.archived && on >= recorded) {
                continue;
            }
            let market = self.prices.get(&piece.figure).and_then(|prices| {
                prices.iter().filter(|(seen, _)| seen.date_naive() <= on).map(|(_, price)| *price).next_back()
            });
            if let Some(n) = piece.value.or(market).or_else(|| self.msrp.get(&piece.figure).copied()) {
                let money = money(n);
                *worth.entry(money.currency().code().to_owned()).or_default() += money.amount().decimal();
            }
        }
        worth.retain(|_, amount| !amount.is_zero());
        worth
    }
}

fn folded(rows: &CoteRows, owner: u128, on: NaiveDate) -> BTreeMap<String, Decimal> {
    let mut worth: BTreeMap<String, Decimal> = BTreeMap::new();
    for row in rows.days.rows().filter(|row| row.user_id == Uuid::from_u128(owner + 1) && row.day <= on) {
        *worth.entry(row.currency.clone()).or_default() += row.change;
    }
    worth.retain(|_, amount| !amount.is_zero());
    worth
}

struct Play {
    folded: Folded<Cote>,
    world: World,
}

fn piece_id(n: u128) -> PieceId {
    PieceId(Uuid::from_u128(0x10 + n))
}

fn figure_id(n: u128) -> FigureId {
    FigureId(Uuid::from_u128(0x20 + n))
}

fn entity_id(n: u128) -> EntityId {
    EntityId(Uuid::from_u128(0x30 + n))
}

const fn figure_type(is_scale: bool) -> &'static str {
    if is_scale { "scale" } else { "prize" }
}

impl Play {
    fn new() -> Self {
        let mut play = Self { folded: Folded::new(), world: World::default() };
        for n in 0..FIGURES {
            let entry = Entry {
                figure_id: figure_id(n),
                slug: format!("figure-{n}"),
                name: "Somebody".parse().unwrap(),
                figure_type: "scale".parse().unwrap(),
                manufacturer_id: None,
                sculptor_id: None,
                series_ids: Vec::new(),
                character_ids: Vec::new(),
                details: Details::default(),
                releases: Vec::new(),
                msrp: Some(money(70)),
                jan: None,
                mfc_id: None,
                is_nsfw: false,
                buy_links: Vec::new(),
                created_by: None,
                source: None,
            };
            play.world.msrp.insert(n, 70);
            play.world.entries.insert(n, EntryModel { is_scale: true, ..EntryModel::default() });
            play.figure(n, FigureEvent::Catalogued(Box::new(entry)));
        }
        play
    }

    fn figure(&mut self, n: u128, event: FigureEvent) {
        self.folded.fold(StreamId::Figure(figure_id(n)), None, Event::Figure(event));
    }

    fn collection(&mut self, owner: u128, event: CollectionEvent) {
        let user = UserId(Uuid::from_u128(owner + 1));
        self.folded.fold(StreamId::Collection(user), Some(user), Event::Collection(event));
    }

    fn now(&self, figure: u128) -> u128 {
        self.world.merged.get(&figure).map_or(figure, |winner| self.now(*winner))
    }

    fn play(&mut self, nth: usize, doing: &Doing) {
        use CollectionEvent as E;
        match doing.clone() {
            Doing::Add { piece, figure, bought, preordered, value } => {
                if self.world.pieces.contains_key(&piece) {
                    return;
                }
                let (owner, figure) = (piece % OWNERS, self.now(figure));
                let bought = bought.map(day);
                let model = Model {
                    owner,
                    figure,
                    bought,
                    awaited: preordered,
                    received: None,
                    archived: false,
                    value,
                };
                self.world.pieces.insert(piece, model);
                self.collection(
                    owner,
                    E::PieceAdded {
                        piece_id: piece_id(piece),
                        figure_id: figure_id(figure),
                        preordered,
                        condition: None,
                        cost: Cost::default(),
                        purchase_date: bought,
                        store_id: None,
                        location: None,
                        notes: None,
                        origin: Origin::Purchased,
                        origin_from: None,
                        value: value.map(money),
                        source: None,
                    },
                );
            }
            Doing::Msrp { figure, msrp } => {
                let figure = self.now(figure);
                match msrp {
                    Some(msrp) => self.world.msrp.insert(figure, msrp),
                    None => self.world.msrp.remove(&figure),
                };
                self.figure(figure, FigureEvent::MsrpSet { msrp: msrp.map(money) });
            }
            Doing::Price { figure, on, price } => {
                let figure = self.now(figure);
                let seen_at = at(on, nth);
                self.world.prices.entry(figure).or_default().insert(seen_at, price);
                let moved = PriceMove {
                    price: money(price),
                    previous: None,
                    original: None,
                    offer: Offer {
                        provider: "localhost:1".parse().unwrap(),
                        source: "shop".parse().unwrap(),
                        store_id: EntityId(Uuid::nil()),
                        url: HttpUrl::new("https://shop.example/1").unwrap(),
                    },
                    matched_version: None,
                    stores: Vec::new(),
                    seen_at,
                };
                self.figure(figure, FigureEvent::PriceMoved(Box::new(moved)));
            }
            Doing::Merge { loser, winner } => {
                let (loser, winner) = (self.now(loser), self.now(winner));
                if loser == winner {
                    return;
                }
                self.world.merged.insert(loser, winner);
                for piece in self.world.pieces.values_mut().filter(|piece| piece.figure == loser) {
                    piece.figure = winner;
                }
                let moved = self.world.prices.remove(&loser).unwrap_or_default();
                self.world.prices.entry(winner).or_default().extend(moved);
                self.figure(loser, FigureEvent::MergedInto { winner_id: figure_id(winner) });
            }
            Doing::Credit { figure, maker, series } => {
                let figure = self.now(figure);
                let entry = self.world.entries.entry(figure).or_default();
                (entry.maker, entry.series) = (maker, series.iter().copied().collect());
                let event = FigureEvent::Credited {
                    manufacturer_id: maker.map(entity_id),
                    sculptor_id: maker.map(entity_id),
                    series_ids: series.into_iter().map(entity_id).collect(),
                    character_ids: Vec::new(),
                };
                self.figure(figure, event);
            }
            Doing::Mark { figure, is_nsfw } => {
                let figure = self.now(figure);
                self.world.entries.entry(figure).or_default().is_nsfw = is_nsfw;
                self.figure(figure, FigureEvent::NsfwMarked { is_nsfw });
            }
            Doing::Retype { figure, is_scale } => {
                let figure = self.now(figure);
                self.world.entries.entry(figure).or_default().is_scale = is_scale;
                let figure_type = figure_type(is_scale).parse().unwrap();
                self.figure(figure, FigureEvent::Retyped { figure_type });
            }
            Doing::Bought { piece, .. }
            | Doing::Value { piece, .. }
            | Doing::Archive { piece }
            | Doing::Restore { piece }
            | Doing::Delete { piece }
            | Doing::Step { piece, .. } => self.change(piece, doing),
        }
    }

    fn change(&mut self, piece: u128, doing: &Doing) {
        use CollectionEvent as E;
        let Some(model) = self.world.pieces.get_mut(&piece) else { return };
        let (owner, id) = (model.owner, piece_id(piece));
        let event = match doing {
            Doing::Bought { on, .. } => {
                model.bought = on.map(day);
                E::PiecePurchaseRecorded { piece_id: id, purchase_date: model.bought, store_id: None }
            }
            Doing::Value { value, .. } => {
                model.value = *value;
                match value {
                    Some(value) => E::PieceValued { piece_id: id, value: money(*value) },
                    None => E::PieceValuationCleared { piece_id: id },
                }
            }
            Doing::Archive { .. } => {
                model.archived = true;
                E::PiecesArchived { piece_ids: vec![id], reason: ArchiveReason::Lost, sale: None }
            }
            Doing::Restore { .. } => {
                model.archived = false;
                E::PieceRestored { piece_id: id }
            }
            Doing::Step { received, .. } => {
                let preorder_id = PreorderId(Uuid::nil());
                model.awaited = received.is_none();
                model.received = received.map(day);
                let event = match received {
                    Some(on) => {
                        let received_at = at(*on, 0);
                        PreorderEvent::Received { preorder_id, received_at, condition: None }
                    }
                    None => PreorderEvent::StatusCorrected {
                        preorder_id,
                        previous: Status::Received,
                        status: Status::Preordered,
                    },
                };
                let user = UserId(Uuid::from_u128(owner + 1));
                self.folded.fold(StreamId::Preorder(id), Some(user), Event::Preorder(event));
                return;
            }
            _ => {
                self.world.pieces.remove(&piece);
                E::PiecesDeleted { piece_ids: vec![id] }
            }
        };
        self.collection(owner, event);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_changes_up_to_any_day_add_up_to_the_worth_on_that_day(
        doings in proptest::collection::vec(doing(), 1..40)
    ) {
        let mut play = Play::new();
        for (nth, doing) in doings.iter().enumerate() {
            play.play(nth, doing);
        }
        for owner in 0..OWNERS {
            for n in 0..14 {
                let on = day(n);
                prop_assert_eq!(
                    folded(&play.folded.rows, owner, on), play.world.worth(owner, on), "owner {} on {}", owner, on
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_stands_beside_a_piece_is_what_its_figure_says_now(
        doings in proptest::collection::vec(doing(), 1..40)
    ) {
        let mut play = Play::new();
        for (nth, doing) in doings.iter().enumerate() {
            play.play(nth, doing);
        }
        let Play { folded, world } = &play;
        for (n, model) in &world.pieces {
            let row = folded.rows.pieces.get(&piece_id(*n).uuid()).unwrap();
            let entry = &world.entries[&model.figure];
            let named = |n: u128| entity_id(n).uuid();
            let msrp = world.msrp.get(&model.figure).map(|n| money(*n));
            prop_assert_eq!(row.figure_type.as_deref(), Some(figure_type(entry.is_scale)));
            prop_assert_eq!(row.is_nsfw, Some(entry.is_nsfw));
            prop_assert_eq!((row.manufacturer_id, row.sculptor_id), (entry.maker.map(named), entry.maker.map(named)));
            prop_assert_eq!(row.has_several_series, entry.series.len() > 1);
            let only = entry.series.first().filter(|_| entry.series.len() == 1);
            prop_assert_eq!(row.series_id, only.copied().map(named));
            prop_assert_eq!(row.msrp_amount, msrp.map(|msrp| msrp.amount().decimal()));
            prop_assert_eq!(row.msrp_currency.as_deref(), msrp.map(|msrp| msrp.currency().code()));
        }
    }
}

#[test]
fn nothing_is_left_of_a_person_who_is_erased() {
    let mut play = Play::new();
    for piece in 0..PIECES {
        play.play(0, &Doing::Add { piece, figure: 0, bought: None, preordered: false, value: None });
    }
    assert!(play.folded.rows.days.rows().any(|row| row.user_id == Uuid::from_u128(1)));
    play.collection(0, CollectionEvent::PersonErased {});
    assert!(play.folded.rows.days.rows().all(|row| row.user_id == Uuid::from_u128(2)));
    assert!(play.folded.rows.pieces.rows().all(|row| row.user_id == Uuid::from_u128(2)));
    assert!(play.folded.rows.pieces.rows().count() > 0);
}
