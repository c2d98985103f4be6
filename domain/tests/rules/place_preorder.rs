//! Placing a pre-order with its piece, and placing a fresh one after a cancellation.

use crate::harness::*;
use domain::collection::{CollectionEvent as E, Cost, UnwishReason};
use domain::commands::{
    CancelPreorder, EditPiece, PieceFields, PieceVersion, PlacePreorder, PreorderFields, ReplacePreorder,
    RestorePiece, SlipRelease,
};
use domain::entity::EntityKind;
use domain::ids::FigureId;
use domain::money::Currency;
use domain::preorder::{PreorderEvent as P, SlipSource, Status};
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::HttpUrl;

fn order(figure_id: FigureId) -> PlacePreorder {
    PlacePreorder {
        user_id: ANNA,
        piece_id: P1,
        preorder_id: O1,
        figure_id,
        piece: PieceFields::default(),
        preorder: PreorderFields::default(),
    }
}
fn costing(cost: Cost, deposit: Option<&str>) -> PlacePreorder {
    PlacePreorder {
        piece: PieceFields { cost, ..PieceFields::default() },
        preorder: PreorderFields { deposit: deposit.map(amount), ..PreorderFields::default() },
        ..order(LANTERN)
    }
}
fn at_status(status: Status) -> PlacePreorder {
    PlacePreorder {
        preorder: PreorderFields { status: Some(status), ..PreorderFields::default() },
        ..order(LANTERN)
    }
}
fn replace() -> ReplacePreorder {
    ReplacePreorder {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        preorder_id: O2,
        cost: Cost::default(),
        store: None,
        preorder: PreorderFields::default(),
    }
}
fn cancel(refund: &str) -> CancelPreorder {
    CancelPreorder { user_id: ANNA, piece_id: P1, expected: None, refund: amount(refund), fate: None }
}
fn restore() -> RestorePiece {
    RestorePiece { user_id: ANNA, piece_id: P1, expected: None }
}
fn with_deposit() -> Vec<Fact> {
    preorder_with(|p| {
        p.cost = price("100");
        p.deposit = Some(amount("30"));
        p.release = Some(in_month("2027-06"));
    })
}
fn restored() -> Given {
    given([with_deposit()]).done(cancel("10")).done(restore())
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN)]);
    let taken = given([preorder()]);
    let yen = |price: &str| cost(price, "", "", Currency::Jpy, "");
    let fresh = restored();
    let stale = Some(PieceVersion { piece: Version(1), preorder: Version(1) });
    vec![
        world.when(order(NOWHERE)).refuses(Code::FigureNotFound, "figure_id", "ordering an unknown figure"),
        taken.when(order(LANTERN)).refuses(Code::AlreadyExists, None, "ordering under a piece that is there"),
        given([figure(LANTERN), vec![pre(P1, P::Placed(placing(P1, O2, LANTERN)))]])
            .when(order(LANTERN))
            .refuses(Code::AlreadyExists, None, "a second pre-order of one piece"),
        world.when(at_status(Status::Shipped)).refuses(
            Code::IllegalStatusStep,
            "status",
            "placing it as shipped",
        ),
        world.when(at_status(Status::Received)).refuses(
            Code::IllegalStatusStep,
            "status",
            "placing it as received",
        ),
        world.when(at_status(Status::Cancelled)).refuses(
            Code::IllegalStatusStep,
            "status",
            "placing it as cancelled",
        ),
        world.when(costing(Cost::default(), Some("1"))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit without a price",
        ),
        world.when(costing(price("10"), Some("10.01"))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit above the price",
        ),
        world.when(costing(yen("0.5"), None)).refuses(Code::InvalidAmount, "price_amount", "half a yen"),
        world.when(costing(yen("10"), Some("0.5"))).refuses(
            Code::InvalidAmount,
            "deposit_amount",
            "a deposit of half a yen",
        ),
        world.when(costing(Cost { price: Some(amount("1")), ..Cost::default() }, None)).refuses(
            Code::CurrencyMissing,
            "price_currency",
            "a price without a currency",
        ),
        world
            .when(PlacePreorder {
                piece: PieceFields { purchase_date: Some(day("1900-01-01")), ..PieceFields::default() },
                ..order(LANTERN)
            })
            .refuses(Code::InvalidDate, "purchase_date", "ordered before any figure was made"),
        world
            .when(PlacePreorder {
                piece: PieceFields { store: Some(name("!!")), ..PieceFields::default() },
                ..order(LANTERN)
            })
            .refuses(Code::InvalidName, "store", "a shop whose name has no letter"),
        world
            .when(PlacePreorder {
                preorder: PreorderFields { estimated_delivery_days: Some(400), ..PreorderFields::default() },
                ..order(LANTERN)
            })
            .refuses(Code::InvalidField, "estimated_delivery_days", "a parcel for more than a year"),
        fresh.when(ReplacePreorder { piece_id: P2, ..replace() }).refuses(
            Code::PieceNotFound,
            None,
            "replacing for an unknown piece",
        ),
        fresh.when(ReplacePreorder { user_id: BEN, ..replace() }).refuses(
            Code::PieceNotFound,
            None,
            "replacing somebody else's",
        ),
        fresh.when(ReplacePreorder { expected: stale, ..replace() }).refuses(
            Code::Stale,
            None,
            "replacing what was changed since",
        ),
        given([figure(LANTERN), piece(P1, LANTERN)]).when(replace()).refuses(
            Code::PreorderNotFound,
            None,
            "replacing where there was none",
        ),
        given([preorder()]).when(replace()).refuses(Code::PreorderNotCancelled, None, "replacing a live one"),
        given([with_deposit()]).done(cancel("30")).when(replace()).refuses(
            Code::PieceArchived,
            None,
            "replacing before the piece is restored",
        ),
        fresh
            .when(ReplacePreorder {
                preorder: PreorderFields { deposit: Some(amount("5")), ..PreorderFields::default() },
                ..replace()
            })
            .refuses(Code::DepositAbovePrice, "deposit_amount", "a fresh deposit without a price"),
        fresh
            .when(ReplacePreorder {
                preorder: PreorderFields { status: Some(Status::Shipped), ..PreorderFields::default() },
                ..replace()
            })
            .refuses(Code::IllegalStatusStep, "status", "replacing as shipped"),
        fresh.when(ReplacePreorder { store: Some(name("?")), ..replace() }).refuses(
            Code::InvalidName,
            "store",
            "replacing at a shop whose name has no letter",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn placing_a_preorder_adds_its_piece_and_ends_the_wish_in_one_step() {
    let command = PlacePreorder {
        piece: PieceFields {
            cost: cost("14800", "2000", "900", Currency::Jpy, "0.0062"),
            store: Some(name("Harbour Hobby")),
            ..PieceFields::default()
        },
        preorder: PreorderFields {
            status: Some(Status::PreorderOpen),
            release: Some(in_month("2027-10")),
            deposit: Some(amount("5000")),
            tracking_url: Some(HttpUrl::new("https://track.example/1").unwrap()),
            estimated_delivery_days: Some(10),
        },
        ..order(LANTERN)
    };
    let world = given([figure(LANTERN), wish(LANTERN), entity(SHOP, EntityKind::Store, "Harbour Hobby")]);
    let mut placed = placing(P1, O1, LANTERN);
    placed.status = Status::PreorderOpen;
    placed.release = Some(in_month("2027-10"));
    placed.cost = cost("14800", "2000", "", Currency::Jpy, "0.0062");
    placed.deposit = Some(amount("5000"));
    placed.store_id = Some(SHOP);
    placed.tracking_url = Some(HttpUrl::new("https://track.example/1").unwrap());
    placed.estimated_delivery_days = Some(10);
    world.when(command.clone()).then([
        coll(added(P1, LANTERN, true, Some(SHOP), command.piece)),
        coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
        pre(P1, P::Placed(placed)),
    ]);
}

#[test]
fn a_new_shop_is_made_once_for_piece_and_preorder() {
    let world = given([figure(LANTERN)]);
    let shop = domain::ids::EntityId(world.new_id(1));
    let piece = PieceFields { store: Some(name("Harbour Hobby")), ..PieceFields::default() };
    let after = world.done(PlacePreorder { piece, ..order(LANTERN) });
    assert_eq!(after.collection().pieces[&P1].store_id, Some(shop));
    assert_eq!(after.chapter(P1).store_id, Some(shop));
}

#[test]
fn price_and_shipping_together_are_an_amount_too() {
    let most =
        PieceFields { cost: cost("9999999999.99", "0.01", "", Currency::Eur, "1"), ..PieceFields::default() };
    check(&[given([figure(LANTERN)]).when(PlacePreorder { piece: most, ..order(LANTERN) }).refuses(
        Code::InvalidAmount,
        "shipping_amount",
        "a total that is no amount",
    )]);
}

#[test]
fn a_whole_price_may_be_the_deposit() {
    let after = given([figure(LANTERN)]).done(costing(price("10"), Some("10.00")));
    assert_eq!(after.chapter(P1).paid(), amount("10"));
}

#[test]
fn the_catalogues_date_is_taken_over_when_it_is_still_to_come() {
    let placed_with = |releases: Vec<domain::dates::ReleaseDate>, stated| {
        let preorder = PreorderFields { release: stated, ..PreorderFields::default() };
        let world = given([figure_with(LANTERN, |f| f.releases = releases)]);
        world.done(PlacePreorder { preorder, ..order(LANTERN) }).chapter(P1).release
    };
    assert_eq!(placed_with(vec![in_month("2027-09")], None), Some(in_month("2027-09")));
    assert_eq!(placed_with(vec![in_month("2027-09")], Some(in_year(2028))), Some(in_year(2028)));
    assert_eq!(placed_with(vec![in_month("2025-09"), in_month("2027-09")], None), None, "it is out");
    assert_eq!(placed_with(vec![], None), None);
}

#[test]
fn every_status_before_shipping_may_be_the_first() {
    for status in Status::ALL.iter().copied().filter(|s| *s < Status::Shipped) {
        assert_eq!(given([figure(LANTERN)]).done(at_status(status)).chapter(P1).status, status);
    }
}

#[test]
fn ordering_a_merged_figure_orders_the_winner() {
    let world = given([figure(LANTERN), figure(TEAPOT), wish(LANTERN), merged(LANTERN, TEAPOT, &[LANTERN])]);
    world.when(order(LANTERN)).then([
        coll(added(P1, TEAPOT, true, None, PieceFields::default())),
        coll(E::Unwished { figure_id: LANTERN, reason: UnwishReason::Owned }),
        pre(P1, P::Placed(placing(P1, O1, TEAPOT))),
    ]);
}

#[test]
fn a_fresh_preorder_replaces_a_cancelled_one_once_the_piece_is_restored() {
    let world = restored().and(entity(SHOP, EntityKind::Store, "Harbour Hobby"));
    let mut placed = placing(P1, O2, LANTERN);
    placed.cost = cost("90", "5", "", Currency::Usd, "0.9");
    placed.store_id = Some(SHOP);
    placed.release = Some(in_year(2028));
    placed.status = Status::Announced;
    let command = ReplacePreorder {
        cost: cost("90", "5", "40", Currency::Usd, "0.9"),
        store: Some(name("Harbour Hobby")),
        preorder: PreorderFields {
            status: Some(Status::Announced),
            release: Some(in_year(2028)),
            ..PreorderFields::default()
        },
        ..replace()
    };
    let after = world.when(command).then([
        pre(P1, P::Replaced(placed)),
        coll(E::PieceCostRecorded { piece_id: P1, cost: cost("90", "5", "", Currency::Usd, "0.9") }),
        coll(E::PiecePurchaseRecorded { piece_id: P1, purchase_date: None, store_id: Some(SHOP) }),
    ]);
    let preorder = after.preorder(P1);
    assert_eq!(preorder.earlier, vec![O1], "the first chapter is not forgotten");
    let chapter = after.chapter(P1);
    assert_eq!(
        chapter.release_original,
        Some(in_year(2028)),
        "the fresh chapter has an original date of its own"
    );
    assert_eq!((chapter.deposit, chapter.balance_paid, chapter.shipped_at), (None, false, None));
}

#[test]
fn fees_were_the_old_parcels() {
    let fees = EditPiece {
        fees: Some(Some(amount("9"))),
        currency: Some(Some(Currency::Eur)),
        ..EditPiece::of(ANNA, P1)
    };
    let after = restored().done(fees).done(ReplacePreorder { cost: price("100"), ..replace() });
    assert_eq!(after.collection().pieces[&P1].cost, frozen("100"));
}

#[test]
fn a_replacement_can_slip_and_be_cancelled_and_replaced_again() {
    let slip = SlipRelease {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        release: in_year(2029),
        source: SlipSource::StoreUpdate,
        note: None,
    };
    let third = domain::ids::PreorderId(uuid::Uuid::from_u128(0xc3));
    let after = restored()
        .done(replace())
        .done(slip)
        .done(cancel("0"))
        .done(restore())
        .done(ReplacePreorder { preorder_id: third, ..replace() });
    assert_eq!(after.preorder(P1).earlier, vec![O1, O2]);
    assert_eq!(after.chapter(P1).id, third);
    assert_eq!(after.chapter(P1).release, None);
}
