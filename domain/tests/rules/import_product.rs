//! Figures and wishes that were found elsewhere.

use crate::harness::*;
use domain::claim::{ClaimCode, Holder};
use domain::collection::CollectionEvent as E;
use domain::commands::{
    BuyLinkByName, CatalogueFigure, FigureFound, ImportProduct, ImportWish, ProductImported, SeenAtStore,
    WishFate, WishImported,
};
use domain::figure::{Original, Stock};
use domain::ids::FigureId;
use domain::money::{Currency, Money};
use domain::preorder::PreorderEvent;
use domain::refusal::Code;
use domain::text::HttpUrl;

const NUMBER: &str = "0b3c";

fn import_code() -> ClaimCode {
    ClaimCode::import("product", NUMBER)
}
fn catalogue(id: FigureId) -> CatalogueFigure {
    CatalogueFigure {
        buy_links: vec![BuyLinkByName { store: name("Harbour Hobby"), path: line("/item/1") }],
        imported_as: Some((line("product"), line(NUMBER))),
        ..CatalogueFigure::named(id, name("Lantern Girl"), line("scale"))
    }
}
fn product(id: FigureId) -> ImportProduct {
    ImportProduct { figure: catalogue(id), seen: None, resembles: None }
}
fn seen() -> SeenAtStore {
    SeenAtStore {
        provider: line("prices.example"),
        source: line("harbour"),
        url: HttpUrl::new("https://harbour.example/item/1").unwrap(),
        price: Some(Money::new(amount("164.25"), Currency::Usd).unwrap()),
        original: Some(Original {
            amount: amount("1280"),
            currency: "HKD".parse().unwrap(),
            rate: "0.128".parse().unwrap(),
            rate_date: day("2027-03-10"),
        }),
        version: Some(line("Dusk Ver.")),
        stock: Some(Stock::Preorder),
        seen_at: now(),
    }
}
fn wish_of(product: Option<ImportProduct>, likely: Option<(FigureId, FigureFound)>) -> ImportWish {
    ImportWish { user_id: ANNA, source: line("product:0b3c"), product, likely }
}
fn came_to(fate: WishFate, figure_id: FigureId, found: FigureFound) -> WishImported {
    WishImported { fate, figure_id, found }
}

pub fn refusals() -> Vec<Case> {
    let there = given([figure(LANTERN)]);
    let coded = given([figure_with(LANTERN, |f| f.jan = Some(gtin("4580590123458")))]);
    let same_code = ImportProduct {
        figure: CatalogueFigure { jan: Some(gtin("4580590123458")), ..catalogue(TEAPOT) },
        ..product(TEAPOT)
    };
    vec![
        there.when(ImportProduct { resembles: Some(LANTERN), ..product(TEAPOT) }).refuses(
            Code::SimilarFigure,
            None,
            "importing what resembles a figure",
        ),
        coded.when(same_code).refuses(Code::JanTaken, "jan", "importing a barcode that is taken"),
        there.when(wish_of(None, None)).refuses(Code::FigureNotFound, None, "wishing what nobody knows"),
        there.when(wish_of(None, Some((NOWHERE, FigureFound::MfcId)))).refuses(
            Code::FigureNotFound,
            "figure_id",
            "wishing a figure that is gone",
        ),
    ]
}

#[test]
fn every_refusal_is_as_it_should_be() {
    check(&refusals());
}

#[test]
fn a_product_is_catalogued_once_with_what_its_store_asks() {
    let world = given([]);
    let (answer, world) = world.when(ImportProduct { seen: Some(seen()), ..product(LANTERN) }).answered();
    assert_eq!(answer, ProductImported { figure_id: LANTERN, existed: false });
    let there = world.figure(LANTERN);
    let price = there.market.price.clone().unwrap();
    assert_eq!(price.price.to_string(), "164.25 USD");
    assert_eq!(price.original, seen().original);
    assert_eq!(price.offer.store_id, there.buy_links[0].store_id);
    assert_eq!(there.market.stock.len(), 1);

    // Somebody else does the same under another id, or insists on what it resembles: it is there.
    for again in [product(TEAPOT), ImportProduct { resembles: Some(COMET), ..product(TEAPOT) }] {
        assert_eq!(world.when(again).unchanged(), ProductImported { figure_id: LANTERN, existed: true });
    }
}

#[test]
fn a_number_of_the_site_tells_a_figure_as_an_import_code_does() {
    let page = |id| ImportProduct {
        figure: CatalogueFigure { mfc_id: Some(12), imported_as: None, ..catalogue(id) },
        ..product(id)
    };
    let world = given([figure_with(LANTERN, |f| f.mfc_id = Some(12))]);
    assert_eq!(world.when(page(TEAPOT)).unchanged(), ProductImported { figure_id: LANTERN, existed: true });
}

#[test]
fn a_wish_is_made_linked_or_created_and_again_it_is_there() {
    let unknown = given([]);
    let (answer, world) = unknown.when(wish_of(Some(product(LANTERN)), None)).answered();
    assert_eq!(answer, came_to(WishFate::Created, LANTERN, FigureFound::Created));
    assert!(world.collection().wishes.contains_key(&LANTERN));
    let again = world.when(wish_of(Some(product(TEAPOT)), None)).unchanged();
    assert_eq!(again, came_to(WishFate::AlreadyWished, LANTERN, FigureFound::Before));

    let imported = given([figure(LANTERN), vec![claimed(&import_code(), Holder::Figure(LANTERN))]]);
    let (answer, _) = imported.when(wish_of(Some(product(TEAPOT)), None)).answered();
    assert_eq!(answer, came_to(WishFate::Wished, LANTERN, FigureFound::Before));

    let named = given([figure(LANTERN)]);
    let likely = Some((LANTERN, FigureFound::Likeness));
    let (answer, world) = named.when(wish_of(Some(product(TEAPOT)), likely)).answered();
    assert_eq!(answer, came_to(WishFate::Linked, LANTERN, FigureFound::Likeness));
    // The figure is called otherwise now, and still it is the same page.
    let world = world.and(vec![coll(E::Unwished {
        figure_id: LANTERN,
        reason: domain::collection::UnwishReason::Removed,
    })]);
    let (answer, _) = world.when(wish_of(Some(product(TEAPOT)), None)).answered();
    assert_eq!(answer, came_to(WishFate::Wished, LANTERN, FigureFound::Before));
}

#[test]
fn a_barcode_goes_before_a_name_and_a_name_is_not_taken_against_a_code() {
    let coded = |id, code: &str| {
        let jan = Some(gtin(code));
        ImportProduct { figure: CatalogueFigure { jan, ..catalogue(id) }, ..product(id) }
    };
    let world = given([
        figure_with(LANTERN, |f| f.jan = Some(gtin("4580590123458"))),
        figure_with(COMET, |f| f.jan = Some(gtin("4580416940009"))),
    ]);
    let likely = Some((COMET, FigureFound::Name));
    let (answer, _) = world.when(wish_of(Some(coded(TEAPOT, "4580590123458")), likely)).answered();
    assert_eq!(answer, came_to(WishFate::Linked, LANTERN, FigureFound::Jan));
    let (answer, _) = world.when(wish_of(Some(coded(TEAPOT, "96385074")), likely)).answered();
    assert_eq!(answer, came_to(WishFate::Created, TEAPOT, FigureFound::Created));
}

#[test]
fn what_is_owned_or_on_order_is_told_so_and_not_wished() {
    let likely = Some((LANTERN, FigureFound::MfcId));
    for (world, fate) in [
        (given([figure(LANTERN), piece(P2, LANTERN)]), WishFate::Owned),
        (given([preorder()]), WishFate::Preordered),
        (given([preorder(), piece(P2, LANTERN)]), WishFate::Owned),
        (
            given([
                preorder(),
                vec![pre(
                    P1,
                    PreorderEvent::Received { preorder_id: O1, received_at: now(), condition: None },
                )],
            ]),
            WishFate::Owned,
        ),
    ] {
        let answer = world.when(wish_of(None, likely)).unchanged();
        assert_eq!(answer, came_to(fate, LANTERN, FigureFound::MfcId));
    }
}

#[test]
fn a_figure_without_a_store_keeps_no_price() {
    let bare = ImportProduct {
        figure: CatalogueFigure { buy_links: vec![], ..catalogue(LANTERN) },
        seen: Some(seen()),
        resembles: None,
    };
    let world = given([]).done(bare);
    assert_eq!(world.figure(LANTERN).market.price, None);
}
