//! Adding figures to the catalogue: codes are unique, names become entities.

use crate::harness::*;
use domain::claim::{ClaimCode, Holder};
use domain::commands::{BuyLinkByName, CatalogueFigure, Catalogued};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::{BuyLink, Details, FigureEvent};
use domain::ids::{EntityId, FigureId};
use domain::refusal::Code;

pub const JAN: &str = "4580590123458";
pub const UPC: &str = "036000291452";

pub fn new(figure_id: FigureId) -> CatalogueFigure {
    CatalogueFigure::named(figure_id, name("Lantern Girl"), line("scale"))
}
fn new_with(with: impl FnOnce(&mut CatalogueFigure)) -> CatalogueFigure {
    let mut new = new(TEAPOT);
    with(&mut new);
    new
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure_with(LANTERN, |f| {
        f.jan = Some(gtin(JAN));
        f.mfc_id = Some(77);
    })]);
    let symbol = || name("♪");
    let link = BuyLinkByName { store: symbol(), path: line("/item/1") };
    vec![
        world.when(new_with(|n| n.jan = Some(gtin(JAN)))).refuses(
            Code::JanTaken,
            "jan",
            "a barcode that another figure has",
        ),
        world.when(new_with(|n| n.mfc_id = Some(77))).refuses(
            Code::MfcIdTaken,
            "mfc_id",
            "a number that another figure has",
        ),
        world.when(new(LANTERN)).refuses(Code::AlreadyExists, None, "an id that is there"),
        world.when(new_with(|n| n.name = symbol())).refuses(
            Code::InvalidName,
            "name",
            "a name without a letter",
        ),
        world.when(new_with(|n| n.manufacturer = Some(symbol()))).refuses(
            Code::InvalidName,
            "manufacturer",
            "a maker without a letter",
        ),
        world.when(new_with(|n| n.sculptor = Some(symbol()))).refuses(
            Code::InvalidName,
            "sculptor",
            "a sculptor without a letter",
        ),
        world.when(new_with(|n| n.series = vec![name("A"), symbol()])).refuses(
            Code::InvalidName,
            "series",
            "a series without a letter",
        ),
        world.when(new_with(|n| n.characters = vec![symbol()])).refuses(
            Code::InvalidName,
            "characters",
            "a character without a letter",
        ),
        world.when(new_with(|n| n.buy_links = vec![link])).refuses(
            Code::InvalidName,
            "buy_links",
            "a shop without a letter",
        ),
        world.when(new_with(|n| n.mfc_id = Some(0))).refuses(
            Code::InvalidField,
            "mfc_id",
            "a number that cannot be",
        ),
        world.when(new_with(|n| n.details.height_mm = Some(0))).refuses(
            Code::InvalidField,
            "height_mm",
            "a flat figure",
        ),
        world.when(new_with(|n| n.details.height_mm = Some(10_001))).refuses(
            Code::InvalidField,
            "height_mm",
            "a figure of ten metres",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn a_figure_arrives_with_everything_its_box_says() {
    let world = given([
        entity(MAKER, EntityKind::Manufacturer, "Paper Crane Works"),
        entity(SHOP, EntityKind::Store, "Harbour Hobby"),
    ]);
    let ids: Vec<EntityId> = (1..=3).map(|n| EntityId(world.new_id(n))).collect();
    let made = |id: EntityId, kind, called: &str, slugged: &str| {
        let named = EntityEvent::Named {
            entity_id: id,
            kind,
            name: name(called),
            slug: slugged.to_owned(),
            created_by: Some(ANNA),
        };
        [ent(id, named), claimed(&slug(kind, called), Holder::Entity(id))]
    };
    let command = CatalogueFigure {
        manufacturer: Some(name("PAPER CRANE WORKS")),
        sculptor: Some(name("Ōta Jun")),
        series: vec![name("Tideline Diaries")],
        characters: vec![name("葵"), name("葵 ")],
        details: Details { scale: Some(line("1/7")), height_mm: Some(235), ..Details::default() },
        releases: vec![in_month("2028-02"), in_month("2027-01"), in_month("2028-02")],
        msrp: Some(eur("199")),
        jan: Some(gtin(JAN)),
        mfc_id: Some(4242),
        is_nsfw: true,
        buy_links: vec![BuyLinkByName { store: name("harbour hobby"), path: line("/item/1") }],
        ..new(LANTERN)
    };
    let mut expected = entry(LANTERN, "Lantern Girl");
    expected.manufacturer_id = Some(MAKER);
    expected.sculptor_id = Some(ids[0]);
    expected.series_ids = vec![ids[1]];
    expected.character_ids = vec![ids[2]];
    expected.details = command.details.clone();
    expected.releases = vec![in_month("2027-01"), in_month("2028-02")];
    expected.msrp = Some(eur("199"));
    expected.jan = Some(gtin(JAN));
    expected.mfc_id = Some(4242);
    expected.is_nsfw = true;
    expected.buy_links = vec![BuyLink { store_id: SHOP, path: line("/item/1") }];
    let [sculptor, sculptor_claim] = made(ids[0], EntityKind::Sculptor, "Ōta Jun", "ota-jun");
    let [series, series_claim] = made(ids[1], EntityKind::Series, "Tideline Diaries", "tideline-diaries");
    let [character, character_claim] = made(ids[2], EntityKind::Character, "葵", "葵");
    world.when(command).then([
        claimed(&ClaimCode::gtin(&gtin(JAN)), Holder::Figure(LANTERN)),
        claimed(&ClaimCode::mfc(4242), Holder::Figure(LANTERN)),
        sculptor,
        sculptor_claim,
        series,
        series_claim,
        character,
        character_claim,
        fig(LANTERN, FigureEvent::Catalogued(Box::new(expected))),
    ]);
}

#[test]
fn a_taken_barcode_names_the_figure_that_has_it_also_across_a_merge() {
    let with_jan = |id| figure_with(id, |f| f.jan = Some(gtin(JAN)));
    let again = new_with(|n| {
        n.figure_id = COMET;
        n.jan = Some(gtin(JAN));
    });
    let refusal = given([with_jan(LANTERN)]).when(again.clone()).refused(Code::JanTaken, Some("jan"));
    assert_eq!(refusal.figure_id, Some(LANTERN));
    let refusal = given([with_jan(LANTERN), figure(TEAPOT), merged(LANTERN, TEAPOT, &[LANTERN])])
        .when(again)
        .refused(Code::JanTaken, Some("jan"));
    assert_eq!(refusal.figure_id, Some(TEAPOT), "the one it is now");
}

#[test]
fn a_upc_and_the_ean_of_the_same_number_are_one_code() {
    let ean = format!("0{UPC}");
    let world = given([figure_with(LANTERN, |f| f.jan = Some(gtin(UPC)))]);
    let refusal = world.when(new_with(|n| n.jan = Some(gtin(&ean)))).refused(Code::JanTaken, Some("jan"));
    assert_eq!(refusal.figure_id, Some(LANTERN));
}

#[test]
fn names_that_look_alike_across_kinds_are_different_entities() {
    let world = given([entity(SHOP, EntityKind::Store, "Tideline")]);
    let maker = EntityId(world.new_id(1));
    let after = world.done(new_with(|n| n.manufacturer = Some(name("Tideline"))));
    assert_eq!(after.figure(TEAPOT).manufacturer_id, Some(maker));
    assert_eq!(after.entity(maker).kind, Some(EntityKind::Manufacturer));
}

#[test]
fn names_without_latin_letters_stay_apart_and_are_found_again() {
    let world = given([]);
    let first = EntityId(world.new_id(1));
    let world = world.done(new_with(|n| n.series = vec![name("バス停の灯り")]));
    let again =
        world.clone().done(CatalogueFigure { series: vec![name("バス停の灯り！")], ..new(COMET) });
    assert_eq!(again.figure(COMET).series_ids, vec![first]);
    let other = world.done(CatalogueFigure { series: vec![name("ハス停の灯り")], ..new(COMET) });
    assert_ne!(other.figure(COMET).series_ids, vec![first]);
}

#[test]
fn a_name_that_was_merged_away_leads_to_the_winner() {
    let world = given([
        entity(MAKER, EntityKind::Manufacturer, "Paper Crane Works"),
        entity(OTHER_MAKER, EntityKind::Manufacturer, "Papercrane"),
        vec![ent(OTHER_MAKER, EntityEvent::MergedInto { kind: EntityKind::Manufacturer, winner_id: MAKER })],
    ]);
    let after = world.done(new_with(|n| n.manufacturer = Some(name("papercrane"))));
    assert_eq!(after.figure(TEAPOT).manufacturer_id, Some(MAKER));
}

#[test]
fn importing_a_row_again_adds_nothing_and_answers_with_the_figure_of_the_first_time() {
    let import = |id| CatalogueFigure { imported_as: Some((line("nendoroid"), line("1234"))), ..new(id) };
    let code = ClaimCode::import("nendoroid", "1234");
    let mut expected = entry(LANTERN, "Lantern Girl");
    expected.source = Some(line("nendoroid:1234"));
    expected.created_by = None;
    let world = given([]).by_operator().when(import(LANTERN)).then([
        claimed(&code, Holder::Figure(LANTERN)),
        fig(LANTERN, FigureEvent::Catalogued(Box::new(expected))),
    ]);
    let (answer, after) = world.when(import(TEAPOT)).answered();
    assert_eq!(answer, Catalogued { figure_id: LANTERN, existed: true });
    assert!(!after.figure(TEAPOT).is_live());
    let moved = world.and(figure(COMET)).and(merged(LANTERN, COMET, &[LANTERN]));
    let (answer, _) = moved.when(import(TEAPOT)).answered();
    assert_eq!(answer, Catalogued { figure_id: COMET, existed: true });
    let other = CatalogueFigure { imported_as: Some((line("nendoroid"), line("1234-DX"))), ..new(TEAPOT) };
    assert!(!moved.when(other).answered().0.existed, "the same name under another number is another figure");
}

#[test]
fn slugs_differ_where_names_do_not() {
    let after = given([]).done(new(LANTERN)).done(new(TEAPOT));
    assert_eq!(after.figure(LANTERN).name, after.figure(TEAPOT).name);
    assert_ne!(entry(LANTERN, "Lantern Girl").slug, entry(TEAPOT, "Lantern Girl").slug);
}
