//! Adding, valuing, arranging and changing pieces; cabinets.

use crate::harness::*;
use domain::claim::Holder;
use domain::collection::{CollectionEvent as E, Condition, Cost, Origin, Placement, UnwishReason};
use domain::commands::{
    AddPiece, ArrangePieces, CabinetCommand, ChangeCabinets, ChangePieces, DeletePieces, PieceFields,
    PieceVersion, ValuePiece,
};
use domain::entity::{EntityEvent, EntityKind};
use domain::ids::{CabinetId, EntityId, FigureId, PieceId};
use domain::money::Currency;
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::Location;
use uuid::Uuid;

fn add(piece_id: PieceId, figure_id: FigureId) -> AddPiece {
    AddPiece { user_id: ANNA, piece_id, figure_id, fields: PieceFields::default() }
}
fn add_with(fields: PieceFields) -> AddPiece {
    AddPiece { fields, ..add(P1, LANTERN) }
}
fn with_cost(cost: Cost) -> AddPiece {
    add_with(PieceFields { cost, ..PieceFields::default() })
}
fn value(piece_id: PieceId, text: Option<&str>) -> ValuePiece {
    ValuePiece { user_id: ANNA, piece_id, expected: None, value: text.map(eur) }
}
fn placement(piece_id: PieceId, at: Option<&str>, sort_order: i32) -> Placement {
    Placement { piece_id, location: at.map(place), sort_order }
}
fn arrange(placements: Vec<Placement>) -> ArrangePieces {
    ArrangePieces { user_id: ANNA, placements }
}
fn to_shelf(piece_ids: Vec<PieceId>, at: Option<&str>) -> ChangePieces {
    ChangePieces { user_id: ANNA, piece_ids, location: Some(at.map(place)), condition: None }
}
fn cabinets(change: CabinetCommand) -> ChangeCabinets {
    ChangeCabinets { user_id: ANNA, change }
}
fn create(cabinet_id: CabinetId, name: &str) -> ChangeCabinets {
    cabinets(CabinetCommand::Create { cabinet_id, name: place(name) })
}
fn rename(cabinet_id: CabinetId, name: &str) -> ChangeCabinets {
    cabinets(CabinetCommand::Rename { cabinet_id, expected: None, name: place(name) })
}
fn remove(cabinet_id: CabinetId) -> ChangeCabinets {
    cabinets(CabinetCommand::Delete { cabinet_id, expected: None })
}
fn shelved(piece: PieceId, at: &str) -> Vec<Fact> {
    piece_with(piece, LANTERN, PieceFields { location: Some(place(at)), ..PieceFields::default() })
}
fn location(given: &Given, piece: PieceId) -> Option<String> {
    given.collection().pieces[&piece].location.as_ref().map(Location::to_string)
}
fn many_pieces(count: u128) -> Vec<PieceId> {
    (0..count).map(|n| PieceId(Uuid::from_u128(0xb000_0000 + n))).collect()
}

pub fn refusals() -> Vec<Case> {
    let world = given([
        figure(LANTERN),
        figure(TEAPOT),
        piece(P2, LANTERN),
        cabinet(C1, "Hall"),
        cabinet(C2, "Attic"),
    ]);
    let jpy = |price: &str, shipping: &str, fees: &str| cost(price, shipping, fees, Currency::Jpy, "");
    let mut full = given([]);
    for n in 0..500 {
        full = full.and(cabinet(CabinetId(Uuid::from_u128(0xd000 + n)), &format!("Shelf {n}")));
    }
    let seen = Some(Version(1));
    vec![
        world.when(add(P1, NOWHERE)).refuses(Code::FigureNotFound, "figure_id", "adding an unknown figure"),
        world.when(add(P2, LANTERN)).refuses(
            Code::AlreadyExists,
            None,
            "adding a piece under an id that is there",
        ),
        world.when(with_cost(Cost { price: Some(amount("10")), ..Cost::default() })).refuses(
            Code::CurrencyMissing,
            "price_currency",
            "a price without a currency",
        ),
        world.when(with_cost(Cost { fees: Some(amount("10")), ..Cost::default() })).refuses(
            Code::CurrencyMissing,
            "price_currency",
            "fees without a currency",
        ),
        world.when(with_cost(jpy("0.5", "", ""))).refuses(
            Code::InvalidAmount,
            "price_amount",
            "a price of half a yen",
        ),
        world.when(with_cost(jpy("10", "0.5", ""))).refuses(
            Code::InvalidAmount,
            "shipping_amount",
            "shipping of half a yen",
        ),
        world.when(with_cost(jpy("10", "", "0.01"))).refuses(
            Code::InvalidAmount,
            "fees_amount",
            "fees with decimals in yen",
        ),
        world
            .when(add_with(PieceFields { purchase_date: Some(day("1949-12-31")), ..PieceFields::default() }))
            .refuses(Code::InvalidDate, "purchase_date", "bought before any figure was made"),
        world.when(add_with(PieceFields { store: Some(name("★☆★")), ..PieceFields::default() })).refuses(
            Code::InvalidName,
            "store",
            "a shop whose name has no letter",
        ),
        world.when(value(P1, Some("1"))).refuses(Code::PieceNotFound, None, "valuing an unknown piece"),
        world.when(value(P1, None)).refuses(
            Code::PieceNotFound,
            None,
            "clearing the valuation of an unknown piece",
        ),
        world.when(ValuePiece { user_id: BEN, ..value(P2, Some("1")) }).refuses(
            Code::PieceNotFound,
            None,
            "valuing somebody else's piece",
        ),
        world
            .when(ValuePiece {
                expected: Some(PieceVersion { piece: Version(7), preorder: Version::NONE }),
                ..value(P2, Some("1"))
            })
            .refuses(Code::Stale, None, "valuing what was changed since"),
        world.when(arrange(vec![])).refuses(Code::NothingToDo, "ids", "arranging nothing"),
        world.when(arrange(vec![placement(P2, None, 0), placement(P2, None, 1)])).refuses(
            Code::InvalidField,
            "ids",
            "arranging a piece twice",
        ),
        world.when(arrange(vec![placement(P1, None, 0)])).refuses(
            Code::PieceNotFound,
            "ids",
            "arranging an unknown piece",
        ),
        world.when(arrange(many_pieces(5_001).into_iter().map(|p| placement(p, None, 0)).collect())).refuses(
            Code::TooMany,
            "ids",
            "arranging more than 5,000",
        ),
        world
            .when(ChangePieces { user_id: ANNA, piece_ids: vec![P2], location: None, condition: None })
            .refuses(Code::NothingToDo, None, "a bulk edit that sets nothing"),
        world.when(to_shelf(vec![], None)).refuses(Code::NothingToDo, "ids", "a bulk edit of nothing"),
        world.when(to_shelf(vec![P2, P2], None)).refuses(
            Code::InvalidField,
            "ids",
            "a bulk edit naming a piece twice",
        ),
        world.when(to_shelf(vec![P2, P1], None)).refuses(
            Code::PieceNotFound,
            "ids",
            "a bulk edit with one unknown piece",
        ),
        world.when(to_shelf(many_pieces(10_000), None)).refuses(
            Code::TooMany,
            "ids",
            "a bulk edit of 10,000",
        ),
        world.when(create(CabinetId(Uuid::from_u128(9)), "HALL")).refuses(
            Code::CabinetNameTaken,
            "name",
            "a second cabinet of that name",
        ),
        world.when(rename(C2, "hall")).refuses(
            Code::CabinetNameTaken,
            "name",
            "renaming onto another cabinet",
        ),
        full.when(create(C1, "One more")).refuses(Code::TooMany, None, "the 501st cabinet"),
        world.when(rename(CabinetId(Uuid::from_u128(9)), "Den")).refuses(
            Code::CabinetNotFound,
            None,
            "renaming an unknown cabinet",
        ),
        world.when(remove(CabinetId(Uuid::from_u128(9)))).refuses(
            Code::CabinetNotFound,
            None,
            "deleting an unknown cabinet",
        ),
        world
            .when(cabinets(CabinetCommand::Rename { cabinet_id: C1, expected: seen, name: place("Den") }))
            .refuses(Code::Stale, None, "renaming a cabinet that was changed since"),
        world.when(cabinets(CabinetCommand::Delete { cabinet_id: C1, expected: seen })).refuses(
            Code::Stale,
            None,
            "deleting a cabinet that was changed since",
        ),
        world.when(cabinets(CabinetCommand::Order { cabinet_ids: vec![C1] })).refuses(
            Code::InvalidField,
            "ids",
            "an order that leaves a cabinet out",
        ),
        world.when(cabinets(CabinetCommand::Order { cabinet_ids: vec![C1, C1] })).refuses(
            Code::InvalidField,
            "ids",
            "an order that names a cabinet twice",
        ),
        world
            .when(cabinets(CabinetCommand::Order { cabinet_ids: vec![C1, CabinetId(Uuid::from_u128(9))] }))
            .refuses(Code::CabinetNotFound, None, "an order that names an unknown cabinet"),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn adding_a_piece_records_all_that_is_said_of_it() {
    let fields = PieceFields {
        condition: Some(Condition::OpenedBox),
        cost: cost("14800", "1200", "", Currency::Jpy, "0.0061"),
        purchase_date: Some(day("2027-02-28")),
        store: Some(name("Harbour Hobby")),
        location: Some(place("Hall")),
        notes: Some(note("box has a dent")),
        origin: Some(Origin::Gift),
        origin_from: Some(line("Mika")),
        value: Some(eur("180")),
        source: Some(line("mfc:12#1")),
    };
    given([figure(LANTERN), entity(SHOP, EntityKind::Store, "Harbour Hobby")])
        .when(add_with(fields.clone()))
        .then([coll(added(P1, LANTERN, false, Some(SHOP), fields))]);
}

#[test]
fn adding_a_figure_takes_it_off_the_wishlist() {
    let after =
        given([figure(LANTERN), figure(TEAPOT), wish(LANTERN), wish(TEAPOT)]).when(add(P1, LANTERN)).then([
            coll(added(P1, LANTERN, false, None, PieceFields::default())),
            coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
        ]);
    assert!(after.collection().wishes.contains_key(&TEAPOT), "other wishes stay");
}

#[test]
fn a_shop_typed_for_the_first_time_comes_into_being_with_its_slug() {
    let world = given([figure(LANTERN)]);
    let shop = EntityId(world.new_id(1));
    let fields = PieceFields { store: Some(name("駿河屋")), ..PieceFields::default() };
    world.when(add_with(fields.clone())).then([
        ent(
            shop,
            EntityEvent::Named {
                entity_id: shop,
                kind: EntityKind::Store,
                name: name("駿河屋"),
                slug: "駿河屋".into(),
                created_by: Some(ANNA),
            },
        ),
        claimed(&slug(EntityKind::Store, "駿河屋"), Holder::Entity(shop)),
        coll(added(P1, LANTERN, false, Some(shop), fields)),
    ]);
}

#[test]
fn a_shop_typed_another_way_is_the_same_shop() {
    for typed in ["harbour  hobby", "HARBOUR HOBBY!", "Ｈａｒｂｏｕｒ　Ｈｏｂｂｙ"] {
        let fields = PieceFields { store: Some(name(typed)), ..PieceFields::default() };
        given([figure(LANTERN), entity(SHOP, EntityKind::Store, "Harbour Hobby")])
            .when(add_with(fields))
            .then([coll(added(P1, LANTERN, false, Some(SHOP), PieceFields::default()))]);
    }
}

#[test]
fn one_person_may_own_several_copies() {
    let after = given([figure(LANTERN)]).done(add(P1, LANTERN)).done(add(P2, LANTERN)).done(add(P3, LANTERN));
    assert_eq!(after.collection().pieces.len(), 3);
    assert_eq!(after.collection().live[&LANTERN], 3);
}

#[test]
fn a_piece_of_a_merged_figure_is_a_piece_of_the_winner_and_ends_the_wish_under_either_name() {
    given([figure(LANTERN), figure(TEAPOT), wish(LANTERN), merged(LANTERN, TEAPOT, &[LANTERN])])
        .when(add(P1, LANTERN))
        .then([
            coll(added(P1, TEAPOT, false, None, PieceFields::default())),
            coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
        ]);
}

#[test]
fn costs_say_only_what_was_paid() {
    let recorded = |cost| {
        let after = given([figure(LANTERN)]).done(with_cost(cost));
        after.collection().pieces[&P1].cost
    };
    let only_currency = Cost { currency: Some(Currency::Eur), ..Cost::default() };
    assert_eq!(recorded(only_currency), Cost::default(), "a currency without an amount says nothing");
    let shipping = cost("", "12.50", "", Currency::Eur, "");
    let with_rate = cost("", "12.50", "", Currency::Eur, "1");
    assert_eq!(recorded(shipping), with_rate, "the currency may stand with shipping alone");
    let ten_yen = recorded(cost("10.00", "", "", Currency::Jpy, ""));
    assert_eq!(ten_yen.price.unwrap().to_string(), "10", "10.00 JPY is ten yen");
}

#[test]
fn a_piece_that_an_import_made_and_its_owner_deleted_does_not_come_back() {
    let imported = PieceId(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"row 1"));
    let delete = DeletePieces { user_id: ANNA, piece_ids: vec![imported], expected: None, refund: None };
    let world = given([figure(LANTERN)]).done(add(imported, LANTERN)).done(delete);
    let refusal = world.when(add(imported, LANTERN)).refused(Code::AlreadyExists, None);
    assert_eq!(refusal.other_id, Some(imported.uuid()));
}

#[test]
fn a_valuation_is_stated_restated_and_taken_back() {
    let world = given([figure(LANTERN), piece(P1, LANTERN)]);
    world.when(value(P1, None)).then_nothing();
    let valued =
        world.when(value(P1, Some("150"))).then([coll(E::PieceValued { piece_id: P1, value: eur("150") })]);
    valued.when(value(P1, Some("150.00"))).then_nothing();
    valued.when(value(P1, None)).then([coll(E::PieceValuationCleared { piece_id: P1 })]);
    let expected = Some(valued.piece_version(P1));
    valued
        .when(ValuePiece { expected, ..value(P1, Some("90")) })
        .then([coll(E::PieceValued { piece_id: P1, value: eur("90") })]);
}

#[test]
fn arranging_moves_and_orders_many_pieces_at_once() {
    let after = given([figure(LANTERN), cabinet(C1, "Hall"), piece(P1, LANTERN), shelved(P2, "Hall")])
        .when(arrange(vec![placement(P1, Some("HALL"), 0), placement(P2, None, 1)]))
        .then([coll(E::PiecesArranged {
            placements: vec![placement(P1, Some("Hall"), 0), placement(P2, None, 1)],
        })]);
    assert_eq!(location(&after, P1).as_deref(), Some("Hall"), "spelt as the registered cabinet is");
    assert_eq!(location(&after, P2), None);
}

#[test]
fn a_bulk_edit_changes_what_differs_and_nothing_else() {
    let world = given([figure(LANTERN), shelved(P1, "Hall"), shelved(P2, "Attic"), piece(P3, LANTERN)]);
    let both = ChangePieces {
        condition: Some(Some(Condition::Displayed)),
        ..to_shelf(vec![P1, P2, P3], Some("Hall"))
    };
    let after = world.when(both.clone()).then([
        coll(E::PiecesMoved { piece_ids: vec![P2, P3], location: Some(place("Hall")) }),
        coll(E::PiecesConditionSet { piece_ids: vec![P1, P2, P3], condition: Some(Condition::Displayed) }),
    ]);
    after.when(both).then_nothing();
    after.when(to_shelf(vec![P1], None)).then([coll(E::PiecesMoved { piece_ids: vec![P1], location: None })]);
}

#[test]
fn a_bulk_edit_names_the_piece_that_stops_all_of_it() {
    let world = given([figure(LANTERN), piece(P1, LANTERN)]);
    let refusal = world.when(to_shelf(vec![P1, P2], Some("Hall"))).refused(Code::PieceNotFound, Some("ids"));
    assert_eq!(refusal.other_id, Some(P2.uuid()));
}

#[test]
fn renaming_a_cabinet_moves_its_pieces_however_their_location_was_spelt() {
    let after = given([
        figure(LANTERN),
        shelved(P1, "hall"),
        cabinet(C1, "Hall"),
        shelved(P2, "ＨＡＬＬ"),
        shelved(P3, "Attic"),
    ])
    .when(rename(C1, "Landing"))
    .then([coll(E::CabinetRenamed { cabinet_id: C1, previous: place("Hall"), name: place("Landing") })]);
    assert_eq!(location(&after, P1).as_deref(), Some("Landing"));
    assert_eq!(location(&after, P2).as_deref(), Some("Landing"));
    assert_eq!(location(&after, P3).as_deref(), Some("Attic"));
    after.when(create(C2, "Hall")).then([coll(E::CabinetCreated { cabinet_id: C2, name: place("Hall") })]);
}

#[test]
fn a_cabinet_may_change_the_case_of_its_own_name() {
    let world = given([cabinet(C1, "hall")]);
    world.when(rename(C1, "Hall")).then([coll(E::CabinetRenamed {
        cabinet_id: C1,
        previous: place("hall"),
        name: place("Hall"),
    })]);
    world.when(rename(C1, "hall")).then_nothing();
}

#[test]
fn deleting_a_cabinet_unshelves_its_pieces_and_deletes_none() {
    let after = given([figure(LANTERN), cabinet(C1, "Hall"), shelved(P1, "HALL"), shelved(P2, "Attic")])
        .when(remove(C1))
        .then([coll(E::CabinetDeleted { cabinet_id: C1, name: place("Hall") })]);
    assert_eq!(location(&after, P1), None);
    assert_eq!(location(&after, P2).as_deref(), Some("Attic"));
    assert_eq!(after.collection().pieces.len(), 2);
}

#[test]
fn cabinets_are_put_in_order_and_carry_a_version_of_their_own() {
    let world = given([cabinet(C1, "Hall"), cabinet(C2, "Attic")]);
    world
        .when(cabinets(CabinetCommand::Order { cabinet_ids: vec![C2, C1] }))
        .then([coll(E::CabinetsOrdered { cabinet_ids: vec![C2, C1] })]);
    let expected = Some(world.collection().cabinets[&C1].version);
    world
        .when(cabinets(CabinetCommand::Rename { cabinet_id: C1, expected, name: place("Den") }))
        .then([coll(E::CabinetRenamed { cabinet_id: C1, previous: place("Hall"), name: place("Den") })]);
    given([]).when(cabinets(CabinetCommand::Order { cabinet_ids: vec![] })).then_nothing();
}

#[test]
fn the_version_of_a_piece_reads_back_as_it_is_written() {
    let version = PieceVersion { piece: Version(12), preorder: Version(3) };
    assert_eq!(version.to_string(), "12-3");
    assert_eq!("12-3".parse(), Ok(version));
    for bad in ["", "12", "12-", "-3", "a-b", "12-3-4"] {
        assert_eq!(bad.parse::<PieceVersion>(), Err(()), "{bad}");
    }
}
