//! Wishing, not wishing any more, and wishes that come true.

use crate::harness::*;
use domain::collection::{ArchiveReason, CollectionEvent as E, UnwishReason};
use domain::commands::{
    AcquireWish, Acquired, AddPiece, ArchivePieces, PieceFields, PreorderFields, SetWish, StepPreorder,
    Steps, Unwish,
};
use domain::ids::FigureId;
use domain::money::Currency;
use domain::preorder::{PreorderEvent, Status};
use domain::refusal::Code;
use domain::stream::Version;

fn set(figure_id: FigureId) -> SetWish {
    SetWish { user_id: ANNA, figure_id, expected: None, target: None, note: None }
}
fn unwish(figure_id: FigureId) -> Unwish {
    Unwish { user_id: ANNA, figure_id, expected: None }
}
fn acquire(figure_id: FigureId) -> AcquireWish {
    AcquireWish {
        user_id: ANNA,
        figure_id,
        expected: None,
        piece_id: P1,
        preorder_id: O1,
        piece: PieceFields::default(),
        preorder: PreorderFields::default(),
    }
}
fn wished(figure_id: FigureId) -> Fact {
    coll(E::Wished { figure_id, target: None, note: None })
}
fn ended(figure_id: FigureId, reason: UnwishReason) -> Fact {
    coll(E::Unwished { figure_id, reason })
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN), figure(TEAPOT), wish(TEAPOT), piece(P2, LANTERN)]);
    let unreleased = given([figure_with(LANTERN, |f| f.releases = vec![in_month("2027-09")]), wish(LANTERN)]);
    let other = Some(Version(9));
    let with_deposit = |price: Option<&str>, deposit: &str| AcquireWish {
        piece: PieceFields {
            cost: price.map(crate::harness::price).unwrap_or_default(),
            ..PieceFields::default()
        },
        preorder: PreorderFields { deposit: Some(amount(deposit)), ..PreorderFields::default() },
        ..acquire(LANTERN)
    };
    let yen = PieceFields { cost: cost("0.5", "", "", Currency::Jpy, ""), ..PieceFields::default() };
    vec![
        world.when(set(NOWHERE)).refuses(Code::FigureNotFound, "figure_id", "wishing an unknown figure"),
        world.when(set(LANTERN)).refuses(Code::AlreadyOwned, None, "wishing an owned figure"),
        given([preorder()]).when(set(LANTERN)).refuses(
            Code::AlreadyOwned,
            None,
            "wishing a pre-ordered figure",
        ),
        world.when(SetWish { expected: other, ..set(TEAPOT) }).refuses(
            Code::Stale,
            None,
            "restating a wish changed since",
        ),
        given([figure(LANTERN)]).when(SetWish { expected: Some(Version(1)), ..set(LANTERN) }).refuses(
            Code::Stale,
            None,
            "restating a wish that is gone",
        ),
        world.when(unwish(NOWHERE)).refuses(Code::FigureNotFound, "figure_id", "unwishing an unknown figure"),
        world.when(unwish(LANTERN)).refuses(Code::WishNotFound, None, "unwishing what is not wished"),
        world.when(Unwish { user_id: BEN, ..unwish(TEAPOT) }).refuses(
            Code::WishNotFound,
            None,
            "unwishing somebody else's wish",
        ),
        world.when(Unwish { expected: other, ..unwish(TEAPOT) }).refuses(
            Code::Stale,
            None,
            "unwishing what was changed since",
        ),
        world.when(acquire(NOWHERE)).refuses(
            Code::FigureNotFound,
            "figure_id",
            "acquiring an unknown figure",
        ),
        world.when(acquire(LANTERN)).refuses(Code::WishNotFound, None, "acquiring what is not wished"),
        world.when(AcquireWish { expected: other, ..acquire(TEAPOT) }).refuses(
            Code::Stale,
            None,
            "acquiring a wish changed since",
        ),
        world.when(AcquireWish { piece_id: P2, ..acquire(TEAPOT) }).refuses(
            Code::AlreadyExists,
            None,
            "acquiring under an id that is there",
        ),
        given([figure(LANTERN), wish(LANTERN)]).when(with_deposit(Some("100"), "20")).refuses(
            Code::InvalidField,
            None,
            "a deposit on a released figure",
        ),
        unreleased.when(with_deposit(None, "20")).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit on nothing",
        ),
        unreleased.when(with_deposit(Some("10"), "20")).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit above the price",
        ),
        unreleased.when(AcquireWish { piece: yen.clone(), ..acquire(LANTERN) }).refuses(
            Code::InvalidAmount,
            "price_amount",
            "half a yen for a pre-order",
        ),
        world.when(AcquireWish { piece: yen, ..acquire(TEAPOT) }).refuses(
            Code::InvalidAmount,
            "price_amount",
            "half a yen for a piece",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn a_wish_is_made_restated_and_taken_off() {
    let full = SetWish { target: Some(eur("90")), note: Some(note("second hand is fine")), ..set(LANTERN) };
    let world = given([figure(LANTERN)]).when(full.clone()).then([coll(E::Wished {
        figure_id: LANTERN,
        target: Some(eur("90")),
        note: Some(note("second hand is fine")),
    })]);
    world.when(full.clone()).then_nothing();
    world
        .when(SetWish { target: Some(eur("80")), ..full.clone() })
        .then([coll(E::WishTargetSet { figure_id: LANTERN, target: Some(eur("80")) })]);
    world.when(SetWish { note: None, ..full }).then([coll(E::WishNoted { figure_id: LANTERN, note: None })]);
    world.when(set(LANTERN)).then([
        coll(E::WishTargetSet { figure_id: LANTERN, target: None }),
        coll(E::WishNoted { figure_id: LANTERN, note: None }),
    ]);
    let gone = world.when(unwish(LANTERN)).then([ended(LANTERN, UnwishReason::Removed)]);
    gone.when(set(LANTERN)).then([wished(LANTERN)]);
}

#[test]
fn a_wish_is_changed_by_who_saw_it_last() {
    let world = given([figure(LANTERN), wish(LANTERN)]);
    let expected = Some(world.collection().wishes[&LANTERN].version);
    world
        .when(SetWish { expected, target: Some(eur("5")), ..set(LANTERN) })
        .then([coll(E::WishTargetSet { figure_id: LANTERN, target: Some(eur("5")) })]);
    world.when(Unwish { expected, ..unwish(LANTERN) }).then([ended(LANTERN, UnwishReason::Removed)]);
}

#[test]
fn an_owned_figure_is_not_wished_and_the_refusal_names_it() {
    let refusal =
        given([figure(LANTERN), piece(P1, LANTERN)]).when(set(LANTERN)).refused(Code::AlreadyOwned, None);
    assert_eq!(refusal.figure_id, Some(LANTERN));
}

#[test]
fn a_preordered_piece_excludes_wishing_before_and_after_its_receipt() {
    let receive = Steps::Receive { received_at: None, condition: None };
    let step = StepPreorder { user_id: ANNA, piece_id: P1, expected: None, step: receive };
    given([preorder()]).when(set(LANTERN)).refused(Code::AlreadyOwned, None);
    given([preorder()]).done(step).when(set(LANTERN)).refused(Code::AlreadyOwned, None);
}

#[test]
fn an_archived_piece_does_not_exclude_wishing_but_a_second_copy_does() {
    let archive = ArchivePieces {
        user_id: ANNA,
        piece_ids: vec![P1],
        expected: None,
        reason: ArchiveReason::Traded,
        sale: None,
        refund: None,
    };
    let world = given([figure(LANTERN), piece(P1, LANTERN)]);
    world.clone().done(archive.clone()).when(set(LANTERN)).then([wished(LANTERN)]);
    world.and(piece(P2, LANTERN)).done(archive).when(set(LANTERN)).refused(Code::AlreadyOwned, None);
}

#[test]
fn somebody_elses_piece_does_not_exclude_wishing() {
    let bens = collection_of(BEN, added(P2, LANTERN, false, None, PieceFields::default()));
    given([figure(LANTERN), vec![bens]]).when(set(LANTERN)).then([wished(LANTERN)]);
}

#[test]
fn a_wish_for_the_loser_continues_on_the_winner() {
    let world = given([figure(LANTERN), figure(TEAPOT), wish(LANTERN), merged(LANTERN, TEAPOT, &[LANTERN])]);
    let restated = [ended(LANTERN, UnwishReason::Merged), wished(TEAPOT)];
    world.when(set(TEAPOT)).then(restated.clone());
    world.when(set(LANTERN)).then(restated);
    world.when(unwish(TEAPOT)).then([ended(LANTERN, UnwishReason::Removed)]);
    world.when(unwish(LANTERN)).then([ended(LANTERN, UnwishReason::Removed)]);
    let expected = Some(world.collection().wishes[&LANTERN].version);
    world.when(Unwish { expected, ..unwish(TEAPOT) }).then([ended(LANTERN, UnwishReason::Removed)]);
}

#[test]
fn wishes_for_both_sides_of_a_merge_end_together() {
    let world = given([
        figure(LANTERN),
        figure(TEAPOT),
        wish(LANTERN),
        wish(TEAPOT),
        merged(LANTERN, TEAPOT, &[LANTERN]),
    ]);
    let both = [UnwishReason::Removed; 2];
    world.when(unwish(TEAPOT)).then([ended(TEAPOT, both[0]), ended(LANTERN, both[1])]);
}

#[test]
fn where_both_sides_of_a_merge_were_wished_the_winners_own_wish_stands() {
    let world = given([
        figure(LANTERN),
        figure(TEAPOT),
        wish(LANTERN),
        wish(TEAPOT),
        merged(LANTERN, TEAPOT, &[LANTERN]),
    ]);
    let expected = Some(world.collection().wishes[&TEAPOT].version);
    world
        .when(SetWish { expected, target: Some(eur("5")), ..set(LANTERN) })
        .then([coll(E::WishTargetSet { figure_id: TEAPOT, target: Some(eur("5")) })]);
}

#[test]
fn owning_the_loser_blocks_wishing_the_winner_and_the_other_way_round() {
    given([figure(LANTERN), figure(TEAPOT), piece(P1, LANTERN), merged(LANTERN, TEAPOT, &[LANTERN])])
        .when(set(TEAPOT))
        .refused(Code::AlreadyOwned, None);
    given([figure(LANTERN), figure(TEAPOT), piece(P1, TEAPOT), merged(LANTERN, TEAPOT, &[LANTERN])])
        .when(set(LANTERN))
        .refused(Code::AlreadyOwned, None);
}

#[test]
fn a_chain_of_merges_is_followed_to_its_end() {
    let chain = given([
        figure(LANTERN),
        figure(TEAPOT),
        figure(COMET),
        merged(LANTERN, TEAPOT, &[LANTERN]),
        merged(TEAPOT, COMET, &[TEAPOT, LANTERN]),
    ]);
    chain.when(set(LANTERN)).then([wished(COMET)]);
    chain.clone().and(piece(P1, LANTERN)).when(set(COMET)).refused(Code::AlreadyOwned, None);
    let after = chain.and(wish(LANTERN)).when(AddPiece {
        user_id: ANNA,
        piece_id: P1,
        figure_id: TEAPOT,
        fields: PieceFields::default(),
    });
    after.then([
        coll(added(P1, COMET, false, None, PieceFields::default())),
        ended(LANTERN, UnwishReason::Owned),
    ]);
}

#[test]
fn a_released_figure_is_acquired_as_a_piece() {
    let world = given([figure_with(LANTERN, |f| f.releases = vec![in_month("2026-04")]), wish(LANTERN)]);
    let fields = PieceFields { cost: price("120"), ..PieceFields::default() };
    let when = world.when(AcquireWish { piece: fields.clone(), ..acquire(LANTERN) });
    let (answer, _) = world.when(AcquireWish { piece: fields.clone(), ..acquire(LANTERN) }).answered();
    assert_eq!(answer, Acquired { piece_id: P1, preorder_id: None });
    let fields = PieceFields { cost: frozen("120"), ..fields };
    when.then([coll(added(P1, LANTERN, false, None, fields)), ended(LANTERN, UnwishReason::Acquired)]);
    given([figure(LANTERN), wish(LANTERN)]).when(acquire(LANTERN)).then([
        coll(added(P1, LANTERN, false, None, PieceFields::default())),
        ended(LANTERN, UnwishReason::Acquired),
    ]);
}

#[test]
fn a_figure_still_to_come_is_acquired_as_a_preorder_in_the_same_append() {
    let world = given([figure_with(LANTERN, |f| f.releases = vec![in_month("2027-09")]), wish(LANTERN)]);
    let command = AcquireWish {
        piece: PieceFields { cost: price("120"), ..PieceFields::default() },
        preorder: PreorderFields { deposit: Some(amount("30")), ..PreorderFields::default() },
        ..acquire(LANTERN)
    };
    let (answer, _) = world.when(command.clone()).answered();
    assert_eq!(answer, Acquired { piece_id: P1, preorder_id: Some(O1) });
    let mut placed = placing(P1, O1, LANTERN);
    placed.release = Some(in_month("2027-09"));
    placed.cost = frozen("120");
    placed.deposit = Some(amount("30"));
    let fields = PieceFields { cost: frozen("120"), ..command.piece.clone() };
    world.when(command).then([
        coll(added(P1, LANTERN, true, None, fields)),
        ended(LANTERN, UnwishReason::Acquired),
        pre(P1, PreorderEvent::Placed(placed)),
    ]);
}

#[test]
fn a_date_to_come_that_the_collector_states_makes_it_a_preorder() {
    let command = AcquireWish {
        preorder: PreorderFields { release: Some(on_day("2027-11-20")), ..PreorderFields::default() },
        ..acquire(LANTERN)
    };
    let after = given([figure(LANTERN), wish(LANTERN)]).done(command);
    assert_eq!(after.chapter(P1).release, Some(on_day("2027-11-20")));
    assert_eq!(after.chapter(P1).status, Status::Preordered);
}

#[test]
fn a_wish_under_the_losers_name_comes_true_under_the_winners() {
    given([figure(LANTERN), figure(TEAPOT), wish(LANTERN), merged(LANTERN, TEAPOT, &[LANTERN])])
        .when(acquire(LANTERN))
        .then([
            coll(added(P1, TEAPOT, false, None, PieceFields::default())),
            ended(LANTERN, UnwishReason::Acquired),
        ]);
}
