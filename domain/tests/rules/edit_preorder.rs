//! Correcting a pre-order: price, deposit, balance, shop, tracking, estimate, date.

use crate::harness::*;
use domain::collection::{CollectionEvent as E, Cost};
use domain::commands::{CancelPreorder, EditPiece, EditPreorder, PieceVersion};
use domain::entity::EntityKind;
use domain::money::Currency;
use domain::preorder::{DateChanged, PreorderEvent as P, SlipSource};
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::HttpUrl;

fn edit(with: impl FnOnce(&mut EditPreorder)) -> EditPreorder {
    let mut edit = EditPreorder::of(ANNA, P1);
    with(&mut edit);
    edit
}
fn with_deposit() -> Vec<Fact> {
    preorder_with(|p| {
        p.cost = price("100");
        p.deposit = Some(amount("30"));
    })
}
fn recorded(cost: Cost, deposit: Option<&str>) -> Fact {
    pre(P1, P::CostRecorded { preorder_id: O1, cost, deposit: deposit.map(amount) })
}
fn piece_cost(cost: Cost) -> Fact {
    coll(E::PieceCostRecorded { piece_id: P1, cost })
}
fn cancel(refund: &str) -> CancelPreorder {
    CancelPreorder { user_id: ANNA, piece_id: P1, expected: None, refund: amount(refund), fate: None }
}

pub fn refusals() -> Vec<Case> {
    let world = given([with_deposit(), piece(P2, LANTERN)]);
    let bare = given([preorder()]);
    let cancelled = world.clone().done(cancel("30"));
    let paid = world.clone().done(edit(|e| e.balance_paid = Some(true)));
    let stale = Some(PieceVersion { piece: Version(1), preorder: Version(9) });
    let yen = |price: &str| {
        let price = amount(price);
        move |e: &mut EditPreorder| {
            e.price = Some(Some(price));
            e.currency = Some(Some(Currency::Jpy));
        }
    };
    vec![
        world.when(EditPreorder::of(ANNA, P3)).refuses(
            Code::PieceNotFound,
            None,
            "a pre-order of an unknown piece",
        ),
        world.when(EditPreorder::of(BEN, P1)).refuses(Code::PieceNotFound, None, "somebody else's pre-order"),
        world.when(EditPreorder::of(ANNA, P2)).refuses(
            Code::PreorderNotFound,
            None,
            "a piece without a pre-order",
        ),
        world.when(edit(|e| e.expected = stale)).refuses(Code::Stale, None, "editing what was changed since"),
        cancelled.when(edit(|e| e.price = Some(Some(amount("1"))))).refuses(
            Code::PreorderCancelled,
            None,
            "the price of a cancelled one",
        ),
        cancelled.when(edit(|e| e.balance_paid = Some(true))).refuses(
            Code::PreorderCancelled,
            None,
            "the balance of a cancelled one",
        ),
        cancelled.when(edit(|e| e.release = Some(in_year(2028)))).refuses(
            Code::PreorderCancelled,
            None,
            "the date of a cancelled one",
        ),
        cancelled.when(edit(|e| e.tracking_url = Some(None))).refuses(
            Code::PreorderCancelled,
            None,
            "tracking a cancelled one",
        ),
        cancelled.when(edit(|e| e.estimated_delivery_days = Some(None))).refuses(
            Code::PreorderCancelled,
            None,
            "the delivery of a cancelled one",
        ),
        cancelled.when(edit(|e| e.store = Some(None))).refuses(
            Code::PreorderCancelled,
            None,
            "the shop of a cancelled one",
        ),
        world.when(edit(|e| e.deposit = Some(Some(amount("100.01"))))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit above the price",
        ),
        world.when(edit(|e| e.price = Some(Some(amount("29"))))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a price below the deposit",
        ),
        bare.when(edit(|e| e.deposit = Some(Some(amount("1"))))).refuses(
            Code::DepositAbovePrice,
            "deposit_amount",
            "a deposit without a price",
        ),
        bare.when(edit(|e| e.price = Some(Some(amount("1"))))).refuses(
            Code::CurrencyMissing,
            "price_currency",
            "a price without a currency",
        ),
        bare.when(edit(yen("0.5"))).refuses(Code::InvalidAmount, "price_amount", "half a yen"),
        bare.when(edit(|e| {
            yen("500")(e);
            e.deposit = Some(Some(amount("0.5")));
        }))
        .refuses(Code::InvalidAmount, "deposit_amount", "a deposit of half a yen"),
        bare.when(edit(|e| e.balance_paid = Some(true))).refuses(
            Code::InvalidField,
            "balance_paid",
            "a balance of an unknown price",
        ),
        paid.when(edit(|e| {
            e.price = Some(None);
            e.deposit = Some(None);
        }))
        .refuses(Code::InvalidAmount, "price_amount", "no price although the balance is paid"),
        world.when(edit(|e| e.estimated_delivery_days = Some(Some(366)))).refuses(
            Code::InvalidField,
            "estimated_delivery_days",
            "a parcel for more than a year",
        ),
        world.when(edit(|e| e.store = Some(Some(name("…"))))).refuses(
            Code::InvalidName,
            "store",
            "a shop whose name has no letter",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn price_shipping_currency_and_deposit_are_stated_whole_on_both() {
    given([preorder()])
        .when(edit(|e| {
            e.price = Some(Some(amount("100")));
            e.shipping = Some(Some(amount("12.5")));
            e.currency = Some(Some(Currency::Cad));
            e.deposit = Some(Some(amount("100")));
        }))
        .then([
            recorded(cost("100", "12.5", "", Currency::Cad, ""), Some("100")),
            piece_cost(cost("100", "12.5", "", Currency::Cad, "")),
        ]);
}

#[test]
fn the_deposit_is_the_preorders_alone() {
    let world = given([with_deposit()]);
    world.when(edit(|e| e.deposit = Some(Some(amount("50"))))).then([recorded(price("100"), Some("50"))]);
    world.when(edit(|e| e.deposit = Some(None))).then([recorded(price("100"), None)]);
}

#[test]
fn fees_of_the_piece_survive_a_new_price() {
    let fees = EditPiece { fees: Some(Some(amount("9"))), ..EditPiece::of(ANNA, P1) };
    given([with_deposit()])
        .done(fees)
        .when(edit(|e| e.price = Some(Some(amount("90")))))
        .then([recorded(price("90"), Some("30")), piece_cost(cost("90", "", "9", Currency::Eur, ""))]);
}

#[test]
fn saying_the_same_again_changes_nothing() {
    let url = || HttpUrl::new("https://track.example/1").unwrap();
    let said = edit(|e| {
        e.price = Some(Some(amount("100.00")));
        e.shipping = Some(None);
        e.currency = Some(Some(Currency::Eur));
        e.deposit = Some(Some(amount("30")));
        e.balance_paid = Some(true);
        e.store = Some(Some(name("Harbour Hobby")));
        e.tracking_url = Some(Some(url()));
        e.estimated_delivery_days = Some(Some(14));
        e.release = Some(in_month("2027-09"));
    });
    let world = given([with_deposit(), entity(SHOP, EntityKind::Store, "Harbour Hobby")]);
    let after = world.when(said.clone()).then([
        pre(P1, P::StoreRecorded { preorder_id: O1, store_id: Some(SHOP) }),
        coll(E::PiecePurchaseRecorded { piece_id: P1, purchase_date: None, store_id: Some(SHOP) }),
        pre(P1, P::BalancePaid { preorder_id: O1, paid_at: now() }),
        pre(P1, P::TrackingRecorded { preorder_id: O1, tracking_url: Some(url()) }),
        pre(P1, P::DeliveryEstimated { preorder_id: O1, days: Some(14) }),
        pre(
            P1,
            P::ReleaseDateNamed {
                preorder_id: O1,
                release: in_month("2027-09"),
                source: SlipSource::User,
                note: None,
            },
        ),
    ]);
    after.when(said).then_nothing();
    after.when(edit(|_| ())).then_nothing();
}

#[test]
fn paid_is_nothing_then_the_deposit_then_price_and_shipping() {
    let bare = given([preorder()]);
    assert_eq!(bare.chapter(P1).paid(), amount("0"));
    let world = given([with_deposit()]);
    assert_eq!(world.chapter(P1).paid(), amount("30"));
    let paid = world
        .done(edit(|e| e.shipping = Some(Some(amount("12.34")))))
        .when(edit(|e| e.balance_paid = Some(true)))
        .then([pre(P1, P::BalancePaid { preorder_id: O1, paid_at: now() })]);
    assert_eq!(paid.chapter(P1).paid(), amount("112.34"));
    let reopened = paid
        .when(edit(|e| e.balance_paid = Some(false)))
        .then([pre(P1, P::BalanceReopened { preorder_id: O1 })]);
    assert_eq!(reopened.chapter(P1).paid(), amount("30"));
}

#[test]
fn a_price_and_the_balance_can_be_stated_at_once() {
    let after = given([preorder()]).done(edit(|e| {
        e.price = Some(Some(amount("60")));
        e.currency = Some(Some(Currency::Eur));
        e.balance_paid = Some(true);
    }));
    assert_eq!(after.chapter(P1).paid(), amount("60"));
}

#[test]
fn a_release_date_edited_by_hand_is_a_slip_the_collector_told() {
    let world = given([preorder_with(|p| p.release = Some(in_month("2027-09")))]);
    let change = DateChanged {
        preorder_id: O1,
        previous: in_month("2027-09"),
        release: in_month("2027-11"),
        source: SlipSource::User,
        note: None,
    };
    world
        .when(edit(|e| e.release = Some(in_month("2027-11"))))
        .then([pre(P1, P::ReleaseDateSlipped(change))]);
}

#[test]
fn tracking_and_estimate_can_be_taken_away() {
    let world = given([preorder_with(|p| {
        p.tracking_url = Some(HttpUrl::new("https://track.example/1").unwrap());
        p.estimated_delivery_days = Some(3);
    })]);
    world
        .when(edit(|e| {
            e.tracking_url = Some(None);
            e.estimated_delivery_days = Some(None);
        }))
        .then([
            pre(P1, P::TrackingRecorded { preorder_id: O1, tracking_url: None }),
            pre(P1, P::DeliveryEstimated { preorder_id: O1, days: None }),
        ]);
}
