//! Correcting a piece; price, shipping and currency are one fact with its pre-order.

use crate::harness::*;
use domain::collection::{ArchiveReason, CollectionEvent as E, Condition, Cost, Origin};
use domain::commands::{CancelPreorder, EditPiece, Fate, PieceFields, PieceVersion, RestorePiece};
use domain::entity::EntityKind;
use domain::money::Currency;
use domain::preorder::PreorderEvent;
use domain::refusal::Code;
use domain::stream::Version;

fn edit(with: impl FnOnce(&mut EditPiece)) -> EditPiece {
    let mut edit = EditPiece::of(ANNA, P1);
    with(&mut edit);
    edit
}
fn priced(text: &str) -> Vec<Fact> {
    piece_with(P1, LANTERN, PieceFields { cost: price(text), ..PieceFields::default() })
}
fn piece_cost(cost: Cost) -> Fact {
    coll(E::PieceCostRecorded { piece_id: P1, cost })
}
fn preorder_cost(cost: Cost, deposit: Option<&str>) -> Fact {
    pre(P1, PreorderEvent::CostRecorded { preorder_id: O1, cost, deposit: deposit.map(amount) })
}
fn with_deposit() -> Vec<Fact> {
    preorder_with(|p| {
        p.cost = price("100");
        p.deposit = Some(amount("30"));
    })
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN), piece(P1, LANTERN)]);
    let ordered = given([with_deposit()]);
    let paid = given([preorder_with(|p| p.cost = price("100")), vec![balance_paid()]]);
    let stale = Some(PieceVersion { piece: Version(1), preorder: Version(1) });
    vec![
        world.when(EditPiece::of(ANNA, P2)).refuses(Code::PieceNotFound, None, "editing an unknown piece"),
        world.when(EditPiece::of(BEN, P1)).refuses(
            Code::PieceNotFound,
            None,
            "editing somebody else's piece",
        ),
        world.when(edit(|e| e.expected = stale)).refuses(Code::Stale, None, "editing what was changed since"),
        world.when(edit(|e| e.store = Some(Some(name("☆"))))).refuses(
            Code::InvalidName,
            "store",
            "a shop whose name has no letter",
        ),
        world.when(edit(|e| e.price = Some(Some(amount("5"))))).refuses(
            Code::CurrencyMissing,
            "price_currency",
            "a price without a currency",
        ),
        world
            .when(edit(|e| {
                e.fees = Some(Some(amount("5.5")));
                e.currency = Some(Some(Currency::Jpy));
            }))
            .refuses(Code::InvalidAmount, "fees_amount", "fees with decimals in yen"),
        world.when(edit(|e| e.purchase_date = Some(Some(day("2101-01-01"))))).refuses(
            Code::InvalidDate,
            "purchase_date",
            "bought next century",
        ),
        ordered.when(edit(|e| e.price = Some(Some(amount("29.99"))))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a price below the deposit",
        ),
        ordered.when(edit(|e| e.price = Some(None))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "no price under a deposit",
        ),
        given([preorder_with(|p| {
            p.cost = price("100.50");
            p.deposit = Some(amount("30.50"));
        })])
        .when(edit(|e| {
            e.price = Some(Some(amount("16000")));
            e.currency = Some(Some(Currency::Jpy));
        }))
        .refuses(Code::InvalidAmount, "deposit_amount", "yen under a deposit with decimals"),
        paid.when(edit(|e| e.price = Some(None))).refuses(
            Code::InvalidAmount,
            "price_amount",
            "no price although the balance is paid",
        ),
    ]
}

fn balance_paid() -> Fact {
    pre(P1, PreorderEvent::BalancePaid { preorder_id: O1, paid_at: now() })
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn each_fact_that_changes_is_one_event_and_the_others_are_none() {
    let world = given([figure(LANTERN), priced("80"), entity(SHOP, EntityKind::Store, "Harbour Hobby")]);
    let everything = edit(|e| {
        e.condition = Some(Some(Condition::Loose));
        e.location = Some(Some(place("Hall")));
        e.shipping = Some(Some(amount("7")));
        e.fees = Some(Some(amount("3.20")));
        e.purchase_date = Some(Some(day("2026-12-24")));
        e.store = Some(Some(name("harbour hobby")));
        e.notes = Some(Some(note("from the flea market")));
        e.origin = Some(Origin::Found);
        e.origin_from = Some(Some(line("a box in the street")));
    });
    let after = world.when(everything.clone()).then([
        // The purchase date is another one, so the rate is frozen anew.
        piece_cost(cost("80", "7", "3.2", Currency::Eur, "1")),
        coll(E::PiecesConditionSet { piece_ids: vec![P1], condition: Some(Condition::Loose) }),
        coll(E::PiecesMoved { piece_ids: vec![P1], location: Some(place("Hall")) }),
        coll(E::PiecePurchaseRecorded {
            piece_id: P1,
            purchase_date: Some(day("2026-12-24")),
            store_id: Some(SHOP),
        }),
        coll(E::PieceNoted { piece_id: P1, notes: Some(note("from the flea market")) }),
        coll(E::PieceProvenanceRecorded {
            piece_id: P1,
            origin: Origin::Found,
            origin_from: Some(line("a box in the street")),
        }),
    ]);
    // Notes are not among what decisions keep, so saying them again says them again.
    after.when(EditPiece { notes: None, ..everything }).then_nothing();
    after.when(edit(|_| ())).then_nothing();
}

#[test]
fn facts_can_be_taken_away() {
    let fields = PieceFields {
        condition: Some(Condition::Damaged),
        cost: cost("80", "7", "3", Currency::Eur, "1"),
        purchase_date: Some(day("2026-12-24")),
        location: Some(place("Hall")),
        ..PieceFields::default()
    };
    given([figure(LANTERN), piece_with(P1, LANTERN, fields)])
        .when(edit(|e| {
            e.condition = Some(None);
            e.location = Some(None);
            e.price = Some(None);
            e.shipping = Some(None);
            e.fees = Some(None);
            e.purchase_date = Some(None);
        }))
        .then([
            piece_cost(Cost::default()),
            coll(E::PiecesConditionSet { piece_ids: vec![P1], condition: None }),
            coll(E::PiecesMoved { piece_ids: vec![P1], location: None }),
            coll(E::PiecePurchaseRecorded { piece_id: P1, purchase_date: None, store_id: None }),
        ]);
}

#[test]
fn a_price_changed_on_the_piece_is_changed_on_its_preorder_in_the_same_append() {
    given([with_deposit()])
        .when(edit(|e| {
            e.price = Some(Some(amount("110")));
            e.shipping = Some(Some(amount("8")));
            e.fees = Some(Some(amount("21")));
        }))
        .then([
            preorder_cost(cost("110", "8", "", Currency::Eur, ""), Some("30")),
            piece_cost(cost("110", "8", "21", Currency::Eur, "")),
        ]);
}

#[test]
fn fees_are_the_pieces_alone() {
    given([with_deposit()]).when(edit(|e| e.fees = Some(Some(amount("21"))))).then([piece_cost(cost(
        "100",
        "",
        "21",
        Currency::Eur,
        "",
    ))]);
}

#[test]
fn a_received_preorder_still_shares_its_price() {
    let received = PreorderEvent::Received { preorder_id: O1, received_at: now(), condition: None };
    given([with_deposit(), vec![pre(P1, received)]])
        .when(edit(|e| e.price = Some(Some(amount("90")))))
        .then([preorder_cost(price("90"), Some("30")), piece_cost(price("90"))]);
}

#[test]
fn a_cancelled_preorder_keeps_its_price_as_history() {
    let cancel = CancelPreorder {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        refund: amount("30"),
        fate: Some(Fate::Archive),
    };
    let world = given([with_deposit()]).done(cancel);
    let edited = edit(|e| e.price = Some(Some(amount("20"))));
    world.when(edited.clone()).then([piece_cost(price("20"))]);
    let restore = RestorePiece { user_id: ANNA, piece_id: P1, expected: None };
    let after = world.done(restore).when(edited).then([piece_cost(price("20"))]);
    assert_eq!(after.chapter(P1).cost, price("100"));
    assert_eq!(after.collection().pieces[&P1].archived, None::<ArchiveReason>);
}

#[test]
fn the_frozen_rate_stays_until_the_currency_changes() {
    let fields = PieceFields { cost: cost("100", "", "", Currency::Usd, "0.92"), ..PieceFields::default() };
    let world = given([figure(LANTERN), piece_with(P1, LANTERN, fields)]);
    world.when(edit(|e| e.price = Some(Some(amount("120"))))).then([piece_cost(cost(
        "120",
        "",
        "",
        Currency::Usd,
        "0.92",
    ))]);
    world.when(edit(|e| e.currency = Some(Some(Currency::Gbp)))).then([piece_cost(cost(
        "100",
        "",
        "",
        Currency::Gbp,
        "",
    ))]);
}

#[test]
fn a_currency_without_an_amount_changes_nothing() {
    given([figure(LANTERN), piece(P1, LANTERN)])
        .when(edit(|e| e.currency = Some(Some(Currency::Chf))))
        .then_nothing();
}

#[test]
fn a_shop_is_recorded_on_the_piece_and_its_live_preorder() {
    given([preorder(), entity(SHOP, EntityKind::Store, "Harbour Hobby")])
        .when(edit(|e| e.store = Some(Some(name("Harbour Hobby")))))
        .then([
            pre(P1, PreorderEvent::StoreRecorded { preorder_id: O1, store_id: Some(SHOP) }),
            coll(E::PiecePurchaseRecorded { piece_id: P1, purchase_date: None, store_id: Some(SHOP) }),
        ]);
}

#[test]
fn a_change_of_the_preorder_counts_as_a_change_of_the_piece_for_if_match() {
    let world = given([with_deposit()]);
    let expected = Some(world.piece_version(P1));
    let noted = edit(|e| {
        e.expected = expected;
        e.notes = Some(None);
    });
    world.when(noted.clone()).then([coll(E::PieceNoted { piece_id: P1, notes: None })]);
    let step = PreorderEvent::DeliveryEstimated { preorder_id: O1, days: Some(9) };
    world.clone().and(vec![pre(P1, step)]).when(noted.clone()).refused(Code::Stale, None);
    let other_piece = world.and(piece(P2, LANTERN));
    other_piece.when(noted).then([coll(E::PieceNoted { piece_id: P1, notes: None })]);
}
