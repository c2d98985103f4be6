//! Archiving, restoring and deleting pieces, with what that means for their pre-orders and wishes.

use crate::harness::*;
use domain::collection::{ArchiveReason, CollectionEvent as E, Sale, UnwishReason};
use domain::commands::{ArchivePieces, DeletePieces, PieceVersion, RestorePiece};
use domain::ids::PieceId;
use domain::money::Currency;
use domain::preorder::{PreorderEvent, Status};
use domain::refusal::Code;
use domain::stream::Version;
use uuid::Uuid;

fn archive(piece_ids: &[PieceId], reason: ArchiveReason) -> ArchivePieces {
    ArchivePieces {
        user_id: ANNA,
        piece_ids: piece_ids.to_vec(),
        expected: None,
        reason,
        sale: None,
        refund: None,
    }
}
fn refunding(refund: &str) -> ArchivePieces {
    ArchivePieces { refund: Some(amount(refund)), ..archive(&[P1], ArchiveReason::Other) }
}
fn delete(piece_ids: &[PieceId]) -> DeletePieces {
    DeletePieces { user_id: ANNA, piece_ids: piece_ids.to_vec(), expected: None, refund: None }
}
fn deleting(refund: &str) -> DeletePieces {
    DeletePieces { refund: Some(amount(refund)), ..delete(&[P1]) }
}
fn restore(piece_id: PieceId) -> RestorePiece {
    RestorePiece { user_id: ANNA, piece_id, expected: None }
}
fn archived(piece_ids: &[PieceId], reason: ArchiveReason) -> Fact {
    coll(E::PiecesArchived { piece_ids: piece_ids.to_vec(), reason, sale: None })
}
fn cancelled(paid: &str, refund: &str) -> Fact {
    let (paid, refund) = (amount(paid), amount(refund));
    pre(P1, PreorderEvent::Cancelled { preorder_id: O1, paid, refund, currency: Some(Currency::Eur) })
}
fn with_deposit() -> Vec<Fact> {
    preorder_with(|p| {
        p.cost = price("100");
        p.deposit = Some(amount("30"));
    })
}
fn received() -> Vec<Fact> {
    let mut facts = with_deposit();
    facts.push(pre(P1, PreorderEvent::Received { preorder_id: O1, received_at: now(), condition: None }));
    facts
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN), piece(P2, LANTERN), piece(P3, LANTERN)]);
    let ordered = given([with_deposit(), piece(P2, LANTERN)]);
    let yen = given([preorder_with(|p| {
        p.cost = cost("5000", "", "", Currency::Jpy, "");
        p.deposit = Some(amount("1000"));
    })]);
    let gone = world.clone().and(vec![archived(&[P2], ArchiveReason::Lost)]);
    let stale = Some(PieceVersion { piece: Version(40), preorder: Version::NONE });
    let sold_on = |on| Some(Sale { price: Some(eur("50")), sold_on: on });
    let crowd: Vec<PieceId> = (0..5_001).map(|n| PieceId(Uuid::from_u128(0xb000_0000 + n))).collect();
    let crowded = given([figure(LANTERN), crowd.iter().flat_map(|p| piece(*p, LANTERN)).collect()]);
    vec![
        world.when(archive(&[P1], ArchiveReason::Lost)).refuses(
            Code::PieceNotFound,
            None,
            "archiving an unknown piece",
        ),
        world.when(archive(&[P2, P1], ArchiveReason::Lost)).refuses(
            Code::PieceNotFound,
            "ids",
            "archiving several, one unknown",
        ),
        world.when(ArchivePieces { user_id: BEN, ..archive(&[P2], ArchiveReason::Lost) }).refuses(
            Code::PieceNotFound,
            None,
            "archiving somebody else's piece",
        ),
        world.when(archive(&[], ArchiveReason::Lost)).refuses(Code::NothingToDo, "ids", "archiving nothing"),
        world.when(archive(&[P2, P2], ArchiveReason::Lost)).refuses(
            Code::InvalidField,
            "ids",
            "archiving a piece twice at once",
        ),
        crowded.when(archive(&crowd, ArchiveReason::Lost)).refuses(
            Code::TooMany,
            "ids",
            "archiving more than 5,000",
        ),
        gone.when(archive(&[P2], ArchiveReason::Lost)).refuses(
            Code::PieceArchived,
            "ids",
            "archiving what is archived",
        ),
        gone.when(archive(&[P3, P2], ArchiveReason::Lost)).refuses(
            Code::PieceArchived,
            "ids",
            "archiving several, one archived",
        ),
        world.when(ArchivePieces { expected: stale, ..archive(&[P2], ArchiveReason::Lost) }).refuses(
            Code::Stale,
            None,
            "archiving what was changed since",
        ),
        world.when(ArchivePieces { sale: sold_on(None), ..archive(&[P2], ArchiveReason::Traded) }).refuses(
            Code::SaleWithoutSold,
            "reason",
            "a sale price on a swap",
        ),
        world
            .when(ArchivePieces {
                sale: sold_on(Some(day("2222-01-01"))),
                ..archive(&[P2], ArchiveReason::Sold)
            })
            .refuses(Code::InvalidDate, "sold_on", "sold in another century"),
        ordered.when(archive(&[P1], ArchiveReason::Other)).refuses(
            Code::PreorderLive,
            "refund_amount",
            "archiving what is on order, no refund stated",
        ),
        ordered
            .when(ArchivePieces { refund: Some(amount("30")), ..archive(&[P1, P2], ArchiveReason::Other) })
            .refuses(Code::PreorderLive, "refund_amount", "one refund for several pieces"),
        ordered.when(refunding("30.01")).refuses(
            Code::RefundAbovePaid,
            "refund_amount",
            "more back than was paid",
        ),
        yen.when(refunding("0.5")).refuses(Code::InvalidAmount, "refund_amount", "half a yen back"),
        world.when(restore(P1)).refuses(Code::PieceNotFound, None, "restoring an unknown piece"),
        gone.when(RestorePiece { expected: stale, ..restore(P2) }).refuses(
            Code::Stale,
            None,
            "restoring what was changed since",
        ),
        world.when(delete(&[P1])).refuses(Code::PieceNotFound, None, "deleting an unknown piece"),
        world.when(delete(&[P2, P1])).refuses(Code::PieceNotFound, "ids", "deleting several, one unknown"),
        world.when(delete(&[])).refuses(Code::NothingToDo, "ids", "deleting nothing"),
        world.when(delete(&[P2, P2])).refuses(Code::InvalidField, "ids", "deleting a piece twice at once"),
        crowded.when(delete(&crowd)).refuses(Code::TooMany, "ids", "deleting more than 5,000"),
        world.when(DeletePieces { expected: stale, ..delete(&[P2]) }).refuses(
            Code::Stale,
            None,
            "deleting what was changed since",
        ),
        ordered.when(delete(&[P1])).refuses(
            Code::PreorderLive,
            "refund_amount",
            "deleting what is on order, no refund stated",
        ),
        ordered.when(delete(&[P2, P1])).refuses(
            Code::PreorderLive,
            "refund_amount",
            "deleting several, one on order",
        ),
        ordered.when(deleting("10")).refuses(Code::LossMustBeKept, "refund_amount", "deleting a loss"),
        ordered.when(deleting("31")).refuses(
            Code::RefundAbovePaid,
            "refund_amount",
            "deleting with more back than was paid",
        ),
        yen.when(deleting("0.5")).refuses(
            Code::InvalidAmount,
            "refund_amount",
            "deleting with half a yen back",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn a_sold_piece_remembers_what_it_brought() {
    let sale = Some(Sale { price: Some(eur("95.50")), sold_on: Some(day("2027-03-01")) });
    given([figure(LANTERN), piece(P1, LANTERN)])
        .when(ArchivePieces { sale, ..archive(&[P1], ArchiveReason::Sold) })
        .then([coll(E::PiecesArchived { piece_ids: vec![P1], reason: ArchiveReason::Sold, sale })]);
}

#[test]
fn many_pieces_are_archived_or_deleted_by_one_event() {
    let world =
        given([figure(LANTERN), figure(TEAPOT), piece(P1, LANTERN), piece(P2, TEAPOT), piece(P3, LANTERN)]);
    let after = world
        .when(archive(&[P1, P2], ArchiveReason::Gifted))
        .then([archived(&[P1, P2], ArchiveReason::Gifted)]);
    assert_eq!(after.collection().live[&LANTERN], 1);
    let after = world.when(delete(&[P1, P2])).then([coll(E::PiecesDeleted { piece_ids: vec![P1, P2] })]);
    assert_eq!(after.collection().pieces.len(), 1);
}

#[test]
fn restoring_brings_a_piece_back_and_drops_the_wish() {
    let lost = vec![archived(&[P1], ArchiveReason::Lost)];
    let world = given([figure(LANTERN), piece(P1, LANTERN), lost]);
    world.when(restore(P1)).then([coll(E::PieceRestored { piece_id: P1 })]);
    world.clone().and(wish(LANTERN)).when(restore(P1)).then([
        coll(E::PieceRestored { piece_id: P1 }),
        coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
    ]);
    world
        .and(figure(TEAPOT))
        .and(merged(LANTERN, TEAPOT, &[LANTERN]))
        .and(wish(TEAPOT))
        .when(restore(P1))
        .then([
            coll(E::PieceRestored { piece_id: P1 }),
            coll(E::Unwished { figure_id: TEAPOT, reason: UnwishReason::Owned }),
        ]);
}

#[test]
fn restoring_a_piece_of_the_winner_drops_a_wish_made_under_the_losers_name() {
    given([
        figure(LANTERN),
        figure(TEAPOT),
        wish(LANTERN),
        piece(P1, TEAPOT),
        vec![archived(&[P1], ArchiveReason::Lost)],
        merged(LANTERN, TEAPOT, &[LANTERN]),
    ])
    .when(restore(P1))
    .then([
        coll(E::PieceRestored { piece_id: P1 }),
        coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
    ]);
}

#[test]
fn restoring_what_is_not_archived_changes_nothing() {
    given([figure(LANTERN), piece(P1, LANTERN)]).when(restore(P1)).then_nothing();
}

#[test]
fn restoring_leaves_the_preorder_cancelled() {
    let after = given([with_deposit()]).done(refunding("10")).done(restore(P1));
    assert_eq!(after.chapter(P1).status, Status::Cancelled);
    assert!(after.collection().pieces[&P1].archived.is_none());
    after.when(restore(P1)).then_nothing();
}

#[test]
fn archiving_a_piece_on_order_cancels_the_preorder_with_the_stated_refund() {
    let world = given([with_deposit()]);
    world.when(refunding("10")).then([cancelled("30", "10"), archived(&[P1], ArchiveReason::Other)]);
    world.when(refunding("30")).then([cancelled("30", "30"), archived(&[P1], ArchiveReason::Other)]);
}

#[test]
fn deleting_a_piece_on_order_needs_all_of_the_money_back() {
    given([with_deposit()])
        .when(deleting("30.00"))
        .then([cancelled("30", "30"), coll(E::PiecesDeleted { piece_ids: vec![P1] })]);
    given([preorder()]).when(deleting("0")).then([
        pre(
            P1,
            PreorderEvent::Cancelled {
                preorder_id: O1,
                paid: amount("0"),
                refund: amount("0"),
                currency: None,
            },
        ),
        coll(E::PiecesDeleted { piece_ids: vec![P1] }),
    ]);
}

#[test]
fn a_received_or_cancelled_preorder_needs_no_refund() {
    given([received()])
        .when(archive(&[P1], ArchiveReason::Traded))
        .then([archived(&[P1], ArchiveReason::Traded)]);
    given([received()]).when(delete(&[P1])).then([coll(E::PiecesDeleted { piece_ids: vec![P1] })]);
    let cancelled = given([with_deposit()]).done(refunding("30"));
    cancelled.when(delete(&[P1])).then([coll(E::PiecesDeleted { piece_ids: vec![P1] })]);
    cancelled
        .done(restore(P1))
        .when(archive(&[P1], ArchiveReason::Other))
        .then([archived(&[P1], ArchiveReason::Other)]);
}

#[test]
fn who_saw_the_piece_and_its_preorder_last_may_end_them() {
    let world = given([with_deposit()]);
    let expected = Some(world.piece_version(P1));
    world.when(ArchivePieces { expected, ..refunding("30") }).done();
    world.when(DeletePieces { expected, ..deleting("30") }).done();
    let moved_on = world.and(vec![pre(
        P1,
        PreorderEvent::StatusAdvanced {
            preorder_id: O1,
            previous: Status::Preordered,
            status: Status::Released,
        },
    )]);
    moved_on.when(ArchivePieces { expected, ..refunding("30") }).refused(Code::Stale, None);
    moved_on.when(DeletePieces { expected, ..deleting("30") }).refused(Code::Stale, None);
}
