//! What the fold makes of a collection's events.

use super::{Collections, OwnedItemRow, WishRow};
use crate::engine::testing::Folded;
use chrono::NaiveDate;
use domain::collection::{
    ArchiveReason, CollectionEvent as E, Condition, Cost, Origin, Placement, Sale, UnwishReason,
};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::FigureEvent;
use domain::ids::{CabinetId, EntityId, FigureId, PieceId, PreorderId, UserId};
use domain::money::{Currency, Money};
use domain::preorder::{Placed, PreorderEvent, SlipSource, Status};
use domain::stream::{Event, Recorded, StreamId};
use domain::text::Location;
use uuid::Uuid;

const ANNA: UserId = UserId(Uuid::from_u128(0xA));
const BEN: UserId = UserId(Uuid::from_u128(0xB));
const MINA: FigureId = FigureId(Uuid::from_u128(0xF1));
const MINA_AGAIN: FigureId = FigureId(Uuid::from_u128(0xF2));
const MINA_ONCE_MORE: FigureId = FigureId(Uuid::from_u128(0xF3));
const P1: PieceId = PieceId(Uuid::from_u128(0x11));
const P2: PieceId = PieceId(Uuid::from_u128(0x12));

struct World(Folded<Collections>);

fn eur(amount: &str) -> Money {
    Money::new(amount.parse().unwrap(), Currency::Eur).unwrap()
}

fn at(name: &str) -> Location {
    Location::new(name).unwrap()
}

fn piece(piece_id: PieceId, figure_id: FigureId) -> E {
    E::PieceAdded {
        piece_id,
        figure_id,
        preordered: false,
        condition: None,
        cost: Cost::default(),
        purchase_date: None,
        store_id: None,
        location: None,
        notes: None,
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
    }
}

fn wished(figure_id: FigureId) -> E {
    E::Wished { figure_id, target: Some(eur("90")), note: None }
}

fn archived(piece_id: PieceId) -> E {
    E::PiecesArchived { piece_ids: vec![piece_id], reason: ArchiveReason::Other, sale: None }
}

impl World {
    fn new() -> Self {
        Self(Folded::new())
    }

    fn tell(&mut self, user: UserId, event: E) -> Recorded {
        self.0.fold(StreamId::Collection(user), Some(user), Event::Collection(event))
    }

    fn anna(&mut self, event: E) -> Recorded {
        self.tell(ANNA, event)
    }

    fn preorder(&mut self, piece: PieceId, event: PreorderEvent) -> Recorded {
        self.0.fold(StreamId::Preorder(piece), Some(ANNA), Event::Preorder(event))
    }

    fn merge(&mut self, loser: FigureId, winner_id: FigureId) {
        self.0.fold(StreamId::Figure(loser), None, Event::Figure(FigureEvent::MergedInto { winner_id }));
    }

    fn row(&self, id: PieceId) -> &OwnedItemRow {
        self.0.rows.pieces.get(&id.uuid()).unwrap()
    }

    fn wish(&self, user: UserId, wished_as: FigureId) -> Option<&WishRow> {
        self.0.rows.wishes.get(&(user.uuid(), wished_as.uuid()))
    }

    /// The figures that somebody wishes, as they are now.
    fn wishes(&self, user: UserId) -> Vec<Uuid> {
        [MINA, MINA_AGAIN, MINA_ONCE_MORE]
            .iter()
            .filter_map(|figure| self.wish(user, *figure))
            .map(|row| row.figure_id)
            .collect()
    }
}

fn placed(piece_id: PieceId, status: Status) -> Placed {
    Placed {
        preorder_id: PreorderId(Uuid::from_u128(0x99)),
        user_id: ANNA,
        piece_id,
        figure_id: MINA,
        status,
        release: None,
        cost: Cost::default(),
        deposit: None,
        store_id: None,
        tracking_url: None,
        estimated_delivery_days: None,
    }
}

#[test]
fn a_piece_holds_what_was_said_of_it() {
    let mut world = World::new();
    let cost = Cost {
        price: Some("129.90".parse().unwrap()),
        shipping: Some("12".parse().unwrap()),
        fees: None,
        currency: Some(Currency::Eur),
        fx_rate: None,
    };
    let bought = NaiveDate::from_ymd_opt(2026, 10, 17);
    let E::PieceAdded { piece_id, figure_id, .. } = piece(P1, MINA) else { unreachable!() };
    let added = world.anna(E::PieceAdded {
        piece_id,
        figure_id,
        preordered: false,
        condition: Some(Condition::MibSealed),
        cost,
        purchase_date: bought,
        store_id: Some(EntityId(Uuid::from_u128(0x51))),
        location: Some(at("Vitrine  A")),
        notes: Some("mind the left arm".parse().unwrap()),
        origin: Origin::Gift,
        origin_from: Some("Ben".parse().unwrap()),
        value: Some(eur("200")),
        source: None,
    });
    let row = world.row(P1);
    assert_eq!(row.user_id, ANNA.uuid());
    assert_eq!(row.condition.as_deref(), Some("mib_sealed"));
    assert_eq!(row.price_amount.unwrap().to_string(), "129.9");
    assert_eq!(row.price_currency.as_deref(), Some("EUR"));
    assert_eq!(row.value_amount.unwrap().to_string(), "200");
    assert_eq!(row.purchase_date, bought);
    assert_eq!(row.location.as_deref(), Some("Vitrine  A"));
    assert_eq!(row.location_key.as_deref(), Some("vitrine a"));
    assert_eq!((row.origin.as_str(), row.origin_from.as_deref()), ("gift", Some("Ben")));
    assert_eq!((row.version, row.preorder_version), (1, 0));
    assert_eq!((row.created_at, row.updated_at), (added.recorded_at, added.recorded_at));
    assert_eq!((row.preorder_status.clone(), row.archived_at), (None, None));
}

#[test]
fn each_change_moves_the_version_of_its_pieces_and_of_no_other() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    world.anna(piece(P2, MINA));
    let both = vec![P1, P2];
    let changed = |world: &World| (world.row(P1).version, world.row(P2).version);
    world.anna(E::PiecesConditionSet { piece_ids: both.clone(), condition: Some(Condition::Loose) });
    assert_eq!(changed(&world), (3, 3));
    world.anna(E::PiecesMoved { piece_ids: vec![P1], location: Some(at("Desk")) });
    assert_eq!(changed(&world), (4, 3));
    world.anna(E::PiecesArranged {
        placements: vec![Placement { piece_id: P2, location: Some(at("Desk")), sort_order: 7 }],
    });
    assert_eq!(changed(&world), (4, 5));
    assert_eq!((world.row(P2).sort_order, world.row(P2).location_key.as_deref()), (7, Some("desk")));
    world.anna(E::PieceCostRecorded {
        piece_id: P1,
        cost: Cost { price: Some("5".parse().unwrap()), currency: Some(Currency::Usd), ..Cost::default() },
    });
    world.anna(E::PieceNoted { piece_id: P1, notes: Some("chipped".parse().unwrap()) });
    world.anna(E::PieceProvenanceRecorded { piece_id: P1, origin: Origin::Trade, origin_from: None });
    world.anna(E::PieceValued { piece_id: P1, value: eur("9") });
    assert_eq!(world.row(P1).value_currency.as_deref(), Some("EUR"));
    world.anna(E::PieceValuationCleared { piece_id: P1 });
    let last = world.anna(E::PiecePurchaseRecorded {
        piece_id: P1,
        purchase_date: NaiveDate::from_ymd_opt(2026, 1, 2),
        store_id: None,
    });
    let row = world.row(P1);
    assert_eq!((row.version, row.updated_at), (11, last.recorded_at));
    assert_eq!((row.price_currency.as_deref(), row.notes.as_deref()), (Some("USD"), Some("chipped")));
    assert_eq!((row.origin.as_str(), row.value_amount, row.value_currency.clone()), ("trade", None, None));
    assert_eq!(world.row(P2).version, 5);
}

#[test]
fn the_archive_remembers_a_sale_and_restoring_forgets_it() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    let sold_on = NaiveDate::from_ymd_opt(2026, 11, 2);
    let sale = Some(Sale { price: Some(eur("150")), sold_on });
    let told = world.anna(E::PiecesArchived { piece_ids: vec![P1], reason: ArchiveReason::Sold, sale });
    let row = world.row(P1);
    assert_eq!((row.archived_at, row.archive_reason.as_deref()), (Some(told.recorded_at), Some("sold")));
    assert_eq!((row.sold_currency.as_deref(), row.sold_on), (Some("EUR"), sold_on));
    world.anna(E::PieceRestored { piece_id: P1 });
    let row = world.row(P1);
    assert_eq!(
        (row.archived_at, row.archive_reason.clone(), row.sold_amount, row.sold_on),
        (None, None, None, None)
    );
    assert_eq!(row.version, 3);
    world.anna(E::PiecesDeleted { piece_ids: vec![P1] });
    assert!(world.0.rows.pieces.get(&P1.uuid()).is_none());
}

#[test]
fn a_pre_order_shows_on_its_piece_until_and_after_it_arrives() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    let preorder_id = PreorderId(Uuid::from_u128(0x99));
    world.preorder(P1, PreorderEvent::Placed(placed(P1, Status::Preordered)));
    assert_eq!(world.row(P1).preorder_status.as_deref(), Some("preordered"));
    world.preorder(
        P1,
        PreorderEvent::ReleaseDateNamed {
            preorder_id,
            release: ReleaseDate::new(NaiveDate::from_ymd_opt(2027, 5, 1).unwrap(), Precision::Month)
                .unwrap(),
            source: SlipSource::User,
            note: None,
        },
    );
    assert_eq!((world.row(P1).version, world.row(P1).preorder_version), (1, 2));
    let received_at = Folded::<Collections>::begun();
    world.preorder(
        P1,
        PreorderEvent::Shipped {
            preorder_id,
            shipped_at: received_at,
            tracking_url: None,
            estimated_delivery_days: None,
        },
    );
    world.preorder(P1, PreorderEvent::Received { preorder_id, received_at, condition: None });
    assert_eq!(world.row(P1).received_at, Some(received_at));
    assert_eq!(world.row(P1).preorder_status.as_deref(), Some("received"));
    let (previous, status) = (Status::Received, Status::Shipped);
    world.preorder(P1, PreorderEvent::StatusCorrected { preorder_id, previous, status });
    assert_eq!(world.row(P1).received_at, None);
    let nothing = "0".parse().unwrap();
    world.preorder(
        P1,
        PreorderEvent::Cancelled { preorder_id, paid: nothing, refund: nothing, currency: None },
    );
    assert_eq!(world.row(P1).preorder_status.as_deref(), Some("cancelled"));
    world.preorder(P1, PreorderEvent::Replaced(placed(P1, Status::Announced)));
    let row = world.row(P1);
    assert_eq!((row.preorder_status.as_deref(), row.preorder_version), (Some("announced"), 7));
}

#[test]
fn a_piece_that_was_deleted_with_its_pre_order_stays_gone() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    world.preorder(P1, PreorderEvent::Placed(placed(P1, Status::Preordered)));
    world.anna(E::PiecesDeleted { piece_ids: vec![P1] });
    let preorder_id = PreorderId(Uuid::from_u128(0x99));
    world.preorder(P1, PreorderEvent::BalanceReopened { preorder_id });
    assert!(world.0.rows.pieces.get(&P1.uuid()).is_none());
}

#[test]
fn pieces_move_with_their_cabinet_whatever_their_spelling_and_others_stay() {
    let mut world = World::new();
    let cabinet_id = CabinetId(Uuid::from_u128(0xC1));
    world.anna(piece(P1, MINA));
    world.anna(piece(P2, MINA));
    let theirs = PieceId(Uuid::from_u128(0x13));
    world.tell(BEN, piece(theirs, MINA));
    world.tell(BEN, E::PiecesMoved { piece_ids: vec![theirs], location: Some(at("Desk")) });
    world.anna(E::PiecesMoved { piece_ids: vec![P1], location: Some(at("ＤＥＳＫ")) });
    world.anna(E::PiecesMoved { piece_ids: vec![P2], location: Some(at("Hall")) });
    world.anna(E::CabinetCreated { cabinet_id, name: at("Desk") });
    world.anna(E::CabinetRenamed { cabinet_id, previous: at("Desk"), name: at("Window") });
    let row = world.row(P1);
    assert_eq!(
        (row.location.as_deref(), row.location_key.as_deref(), row.version),
        (Some("Window"), Some("window"), 6)
    );
    assert_eq!((world.row(P2).location.as_deref(), world.row(P2).version), (Some("Hall"), 4));
    assert_eq!(world.row(theirs).location.as_deref(), Some("Desk"));
    world.anna(E::CabinetDeleted { cabinet_id, name: at("Window") });
    assert_eq!((world.row(P1).location.clone(), world.row(P1).version), (None, 7));
    assert!(world.0.rows.cabinets.get(&cabinet_id.uuid()).is_none());
}

#[test]
fn cabinets_come_in_the_order_in_which_they_were_made_until_told_otherwise() {
    let mut world = World::new();
    let [a, b, c] = [1, 2, 3].map(|n| CabinetId(Uuid::from_u128(n)));
    for (cabinet_id, name) in [(c, "C"), (a, "A"), (b, "B")] {
        world.anna(E::CabinetCreated { cabinet_id, name: at(name) });
    }
    let order = |world: &World| [a, b, c].map(|id| world.0.rows.cabinets.get(&id.uuid()).unwrap().sort_order);
    assert_eq!(order(&world), [1, 2, 0]);
    world.anna(E::CabinetsOrdered { cabinet_ids: vec![b, c, a] });
    assert_eq!(order(&world), [2, 0, 1]);
    // Ordering is no change of any one of them, as in the stream's own state.
    assert_eq!(world.0.rows.cabinets.get(&a.uuid()).unwrap().version, 2);
}

#[test]
fn a_wish_is_named_after_the_event_that_made_it_and_ends_when_told() {
    let mut world = World::new();
    let made = world.anna(wished(MINA));
    let wish = world.wish(ANNA, MINA).unwrap();
    assert_eq!((wish.id, wish.version, wish.created_at), (made.event_id.uuid(), 1, made.recorded_at));
    world.anna(E::WishTargetSet { figure_id: MINA, target: None });
    let noted = world.anna(E::WishNoted { figure_id: MINA, note: Some("used is fine".parse().unwrap()) });
    let wish = world.wish(ANNA, MINA).unwrap();
    assert_eq!((wish.max_price_amount, wish.max_price_currency.clone()), (None, None));
    assert_eq!(
        (wish.note.as_deref(), wish.version, wish.updated_at),
        (Some("used is fine"), 3, noted.recorded_at)
    );
    world.anna(E::Unwished { figure_id: MINA, reason: UnwishReason::Removed });
    assert_eq!(world.wish(ANNA, MINA), None);
}

#[test]
fn pieces_and_wishes_follow_a_merge() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    world.tell(BEN, wished(MINA));
    world.merge(MINA, MINA_AGAIN);
    world.merge(MINA_AGAIN, MINA_ONCE_MORE);
    assert_eq!(world.row(P1).figure_id, MINA_ONCE_MORE.uuid());
    // The stream still calls them by their old names, and nothing about them changed.
    assert_eq!(world.row(P1).version, 1);
    assert_eq!(world.wish(BEN, MINA).unwrap().figure_id, MINA_ONCE_MORE.uuid());
    world.tell(BEN, E::Unwished { figure_id: MINA, reason: UnwishReason::Removed });
    assert!(world.wishes(BEN).is_empty());
}

#[test]
fn two_wishes_that_become_one_are_the_winners_own() {
    let mut world = World::new();
    world.anna(wished(MINA));
    let own = world.anna(wished(MINA_AGAIN));
    world.merge(MINA, MINA_AGAIN);
    assert_eq!(world.wishes(ANNA), [MINA_AGAIN.uuid()]);
    assert_eq!(world.wish(ANNA, MINA_AGAIN).unwrap().id, own.event_id.uuid());
    for figure_id in [MINA_AGAIN, MINA] {
        world.anna(E::Unwished { figure_id, reason: UnwishReason::Removed });
    }
    assert!(world.wishes(ANNA).is_empty());
}

#[test]
fn a_wish_that_continues_under_the_winners_name_keeps_its_id_and_age() {
    let mut world = World::new();
    let made = world.anna(wished(MINA));
    world.merge(MINA, MINA_AGAIN);
    world.anna(E::Unwished { figure_id: MINA, reason: UnwishReason::Merged });
    world.anna(E::Wished { figure_id: MINA_AGAIN, target: Some(eur("70")), note: None });
    assert_eq!(world.wishes(ANNA), [MINA_AGAIN.uuid()]);
    let wish = world.wish(ANNA, MINA_AGAIN).unwrap();
    assert_eq!((wish.id, wish.created_at, wish.version), (made.event_id.uuid(), made.recorded_at, 3));
    assert_eq!(wish.max_price_amount.unwrap().to_string(), "70");
}

#[test]
fn nobody_wishes_what_a_merge_made_them_own_and_the_wish_is_back_when_the_last_piece_goes() {
    for owned in [MINA, MINA_AGAIN] {
        let wanted = if owned == MINA { MINA_AGAIN } else { MINA };
        let mut world = World::new();
        world.anna(piece(P1, owned));
        world.anna(piece(P2, owned));
        world.anna(wished(wanted));
        world.tell(BEN, wished(wanted));
        world.merge(MINA, MINA_AGAIN);
        assert!(world.wishes(ANNA).is_empty());
        assert_eq!(world.wishes(BEN), [MINA_AGAIN.uuid()]);
        world.anna(archived(P1));
        assert!(world.wishes(ANNA).is_empty(), "one is still there");
        world.anna(E::PiecesDeleted { piece_ids: vec![P2] });
        assert_eq!(world.wishes(ANNA), [MINA_AGAIN.uuid()]);
        world.anna(E::WishTargetSet { figure_id: wanted, target: None });
        assert_eq!(world.wish(ANNA, wanted).unwrap().max_price_amount, None);
    }
}

#[test]
fn a_waiting_wish_ends_when_told_and_archived_pieces_do_not_keep_one_waiting() {
    let mut world = World::new();
    world.anna(piece(P1, MINA));
    world.anna(wished(MINA_AGAIN));
    world.merge(MINA, MINA_AGAIN);
    world.anna(piece(P2, MINA_AGAIN));
    world.anna(E::Unwished { figure_id: MINA_AGAIN, reason: UnwishReason::Owned });
    world.anna(E::PiecesDeleted { piece_ids: vec![P1, P2] });
    assert!(world.wishes(ANNA).is_empty());

    let mut world = World::new();
    world.anna(piece(P1, MINA));
    world.anna(archived(P1));
    world.anna(wished(MINA_AGAIN));
    world.merge(MINA, MINA_AGAIN);
    assert_eq!(world.wishes(ANNA), [MINA_AGAIN.uuid()]);
}

#[test]
fn pieces_follow_merged_stores_also_when_their_stream_names_the_old_one() {
    let mut world = World::new();
    let [a, b, c] = [1, 2, 3].map(|n| EntityId(Uuid::from_u128(n)));
    let bought_at = |store: EntityId| E::PiecePurchaseRecorded {
        piece_id: P1,
        purchase_date: None,
        store_id: Some(store),
    };
    world.anna(piece(P1, MINA));
    world.anna(bought_at(a));
    for (kind, loser, winner_id) in
        [(EntityKind::Store, a, b), (EntityKind::Store, b, c), (EntityKind::Series, c, a)]
    {
        let merged = EntityEvent::MergedInto { kind, winner_id };
        world.0.fold(StreamId::Entity(loser), None, Event::Entity(merged));
    }
    assert_eq!(world.row(P1).store_id, Some(c.uuid()));
    world.anna(bought_at(a));
    assert_eq!(world.row(P1).store_id, Some(c.uuid()));
}

#[test]
fn an_event_about_a_piece_that_was_never_added_stops_the_fold() {
    let mut folded = Folded::<Collections>::new();
    let moved = E::PiecesMoved { piece_ids: vec![P1], location: None };
    assert!(folded.try_fold(StreamId::Collection(ANNA), Some(ANNA), Event::Collection(moved)).is_err());
}
