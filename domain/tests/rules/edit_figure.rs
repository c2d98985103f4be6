//! Correcting a figure: by whom, what becomes an event, and what happens to its codes.

use super::catalogue_figure::{JAN, UPC, new};
use crate::harness::*;
use domain::claim::{ClaimCode, Holder};
use domain::commands::{BuyLinkByName, CatalogueFigure, EditFigure};
use domain::entity::EntityKind;
use domain::figure::{BuyLink, Details, FigureEvent as F};
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::HttpUrl;

const OTHER_JAN: &str = "4006381333931";

fn edit(with: impl FnOnce(&mut EditFigure)) -> EditFigure {
    let mut edit = EditFigure::of(LANTERN);
    with(&mut edit);
    edit
}
fn jan_code(text: &str) -> ClaimCode {
    ClaimCode::gtin(&gtin(text))
}
fn coded() -> Vec<Fact> {
    figure_with(LANTERN, |f| {
        f.jan = Some(gtin(JAN));
        f.mfc_id = Some(77);
    })
}
fn with_other_codes() -> Vec<Fact> {
    figure_with(TEAPOT, |f| {
        f.jan = Some(gtin(OTHER_JAN));
        f.mfc_id = Some(88);
    })
}

pub fn refusals() -> Vec<Case> {
    let world = given([coded(), with_other_codes()]);
    let link = BuyLinkByName { store: name("·"), path: line("/1") };
    vec![
        world.when(EditFigure::of(NOWHERE)).refuses(
            Code::FigureNotFound,
            "figure_id",
            "editing an unknown figure",
        ),
        world.clone().by(BEN).when(edit(|_| ())).refuses(
            Code::NotAllowed,
            None,
            "editing somebody else's entry",
        ),
        given([figure_with(LANTERN, |f| f.created_by = None)]).when(edit(|_| ())).refuses(
            Code::NotAllowed,
            None,
            "editing an imported entry",
        ),
        world.when(edit(|e| e.expected = Some(Version(9)))).refuses(
            Code::Stale,
            None,
            "editing what was changed since",
        ),
        world.when(edit(|e| e.name = Some(name("!?")))).refuses(
            Code::InvalidName,
            "name",
            "a name without a letter",
        ),
        world.when(edit(|e| e.manufacturer = Some(Some(name("?"))))).refuses(
            Code::InvalidName,
            "manufacturer",
            "a maker without a letter",
        ),
        world.when(edit(|e| e.sculptor = Some(Some(name("?"))))).refuses(
            Code::InvalidName,
            "sculptor",
            "a sculptor without a letter",
        ),
        world.when(edit(|e| e.series = Some(vec![name("?")]))).refuses(
            Code::InvalidName,
            "series",
            "a series without a letter",
        ),
        world.when(edit(|e| e.characters = Some(vec![name("?")]))).refuses(
            Code::InvalidName,
            "characters",
            "a character without a letter",
        ),
        world.when(edit(|e| e.buy_links = Some(vec![link]))).refuses(
            Code::InvalidName,
            "buy_links",
            "a shop without a letter",
        ),
        world.when(edit(|e| e.jan = Some(Some(gtin(OTHER_JAN))))).refuses(
            Code::JanTaken,
            "jan",
            "a barcode that another figure has",
        ),
        world.when(edit(|e| e.mfc_id = Some(Some(88)))).refuses(
            Code::MfcIdTaken,
            "mfc_id",
            "a number that another figure has",
        ),
        world.when(edit(|e| e.mfc_id = Some(Some(-1)))).refuses(
            Code::InvalidField,
            "mfc_id",
            "a number that cannot be",
        ),
        world.when(edit(|e| e.height_mm = Some(Some(0)))).refuses(
            Code::InvalidField,
            "height_mm",
            "a flat figure",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn each_group_of_facts_that_changes_is_one_event() {
    let world = given([
        figure(LANTERN),
        entity(MAKER, EntityKind::Manufacturer, "Paper Crane Works"),
        entity(SHOP, EntityKind::Store, "Harbour Hobby"),
    ]);
    let image = HttpUrl::new("https://images.example/lantern.jpg").unwrap();
    let everything = edit(|e| {
        e.name = Some(name("Lantern Girl: Dusk"));
        e.figure_type = Some(line("figma"));
        e.manufacturer = Some(Some(name("paper crane works")));
        e.scale = Some(Some(line("1/8")));
        e.height_mm = Some(Some(200));
        e.official_image_url = Some(Some(image.clone()));
        e.releases = Some(vec![in_month("2028-01"), in_month("2027-01")]);
        e.msrp = Some(Some(eur("150")));
        e.jan = Some(Some(gtin(JAN)));
        e.mfc_id = Some(Some(5));
        e.is_nsfw = Some(true);
        e.buy_links = Some(vec![BuyLinkByName { store: name("Harbour Hobby"), path: line("/1") }]);
    });
    let after = world.when(everything.clone()).then([
        claimed(&jan_code(JAN), Holder::Figure(LANTERN)),
        claimed(&ClaimCode::mfc(5), Holder::Figure(LANTERN)),
        fig(LANTERN, F::Renamed { name: name("Lantern Girl: Dusk") }),
        fig(LANTERN, F::Retyped { figure_type: line("figma") }),
        fig(
            LANTERN,
            F::Credited {
                manufacturer_id: Some(MAKER),
                sculptor_id: None,
                series_ids: vec![],
                character_ids: vec![],
            },
        ),
        fig(
            LANTERN,
            F::Described {
                details: Details {
                    scale: Some(line("1/8")),
                    height_mm: Some(200),
                    official_image_url: Some(image),
                    ..Details::default()
                },
            },
        ),
        fig(LANTERN, F::ReleasesAnnounced { releases: vec![in_month("2027-01"), in_month("2028-01")] }),
        fig(LANTERN, F::MsrpSet { msrp: Some(eur("150")) }),
        fig(LANTERN, F::Identified { jan: Some(gtin(JAN)), mfc_id: Some(5) }),
        fig(LANTERN, F::NsfwMarked { is_nsfw: true }),
        fig(LANTERN, F::BuyLinksSet { buy_links: vec![BuyLink { store_id: SHOP, path: line("/1") }] }),
    ]);
    after.when(everything).then_nothing();
    after.when(edit(|_| ())).then_nothing();
}

#[test]
fn only_what_is_named_changes() {
    let world = given([
        figure_with(LANTERN, |f| {
            f.manufacturer_id = Some(MAKER);
            f.details =
                Details { scale: Some(line("1/7")), edition: Some(line("Limited")), ..Details::default() };
        }),
        entity(MAKER, EntityKind::Manufacturer, "Paper Crane Works"),
    ]);
    let after = world.done(edit(|e| {
        e.scale = Some(None);
        e.series = Some(vec![name("Tideline Diaries")]);
    }));
    let figure = after.figure(LANTERN);
    assert_eq!(figure.details, Details { edition: Some(line("Limited")), ..Details::default() });
    assert_eq!(figure.manufacturer_id, Some(MAKER));
    assert_eq!(figure.series_ids.len(), 1);
}

#[test]
fn creators_admins_and_the_operator_may_edit_an_entry() {
    let rename = edit(|e| e.name = Some(name("Dusk")));
    let renamed = || fig(LANTERN, F::Renamed { name: name("Dusk") });
    let world = given([figure(LANTERN)]);
    world.when(rename.clone()).then([renamed()]);
    world.clone().by_admin().when(rename.clone()).then([renamed()]);
    world.clone().by_operator().when(rename.clone()).then([renamed()]);
    world.by(BEN).when(rename).refused(Code::NotAllowed, None);
}

#[test]
fn a_corrected_barcode_is_free_again() {
    let world = given([coded()]);
    let after = world.when(edit(|e| e.jan = Some(Some(gtin(OTHER_JAN))))).then([
        released(&jan_code(JAN), Holder::Figure(LANTERN)),
        claimed(&jan_code(OTHER_JAN), Holder::Figure(LANTERN)),
        fig(LANTERN, F::Identified { jan: Some(gtin(OTHER_JAN)), mfc_id: Some(77) }),
    ]);
    let taken = CatalogueFigure { jan: Some(gtin(OTHER_JAN)), ..new(COMET) };
    assert_eq!(after.when(taken).refused(Code::JanTaken, Some("jan")).figure_id, Some(LANTERN));
    let free = after.done(CatalogueFigure { jan: Some(gtin(JAN)), ..new(COMET) });
    assert_eq!(free.holder(&jan_code(JAN)), Some(Holder::Figure(COMET)));
    free.when(edit(|e| e.jan = Some(Some(gtin(JAN))))).refused(Code::JanTaken, Some("jan"));
}

#[test]
fn codes_can_be_taken_off() {
    given([coded()])
        .when(edit(|e| {
            e.jan = Some(None);
            e.mfc_id = Some(None);
        }))
        .then([
            released(&jan_code(JAN), Holder::Figure(LANTERN)),
            released(&ClaimCode::mfc(77), Holder::Figure(LANTERN)),
            fig(LANTERN, F::Identified { jan: None, mfc_id: None }),
        ]);
}

#[test]
fn the_same_number_written_another_way_keeps_its_claim() {
    let ean = format!("0{UPC}");
    given([figure_with(LANTERN, |f| f.jan = Some(gtin(UPC)))])
        .when(edit(|e| e.jan = Some(Some(gtin(&ean)))))
        .then([fig(LANTERN, F::Identified { jan: Some(gtin(&ean)), mfc_id: None })]);
}

#[test]
fn a_refused_code_names_the_figure_that_has_it() {
    let refusal = given([coded(), with_other_codes()])
        .when(edit(|e| e.mfc_id = Some(Some(88))))
        .refused(Code::MfcIdTaken, Some("mfc_id"));
    assert_eq!(refusal.figure_id, Some(TEAPOT));
}

#[test]
fn editing_the_loser_of_a_merge_edits_the_winner_and_its_codes() {
    let world = given([coded(), figure(TEAPOT)]).by_admin();
    let world = world.done(domain::commands::MergeFigures { loser_id: LANTERN, winner_id: TEAPOT });
    world.when(edit(|e| e.name = Some(name("Dusk")))).then([fig(TEAPOT, F::Renamed { name: name("Dusk") })]);
    let after = world.when(edit(|e| e.jan = Some(None))).then([
        released(&jan_code(JAN), Holder::Figure(LANTERN)),
        fig(TEAPOT, F::Identified { jan: None, mfc_id: Some(77) }),
    ]);
    let free = after.done(CatalogueFigure { jan: Some(gtin(JAN)), ..new(COMET) });
    assert_eq!(free.holder(&jan_code(JAN)), Some(Holder::Figure(COMET)));
}

#[test]
fn a_figure_is_changed_by_who_saw_it_last() {
    let world = given([figure(LANTERN)]);
    let rename = |to: &str, expected| {
        edit(|e| {
            e.name = Some(name(to));
            e.expected = Some(Version(expected));
        })
    };
    let after = world.done(rename("Dusk", 1));
    after.when(rename("Dawn", 1)).refused(Code::Stale, None);
    after.when(rename("Dawn", 2)).then([fig(LANTERN, F::Renamed { name: name("Dawn") })]);
}

#[test]
fn a_new_first_release_leaves_the_re_runs() {
    let all = |dates: &[&str]| dates.iter().map(|d| in_month(d)).collect::<Vec<_>>();
    let announced = |dates: &[&str]| [fig(LANTERN, F::ReleasesAnnounced { releases: all(dates) })];
    let world = given([figure_with(LANTERN, |f| f.releases = all(&["2027-05", "2029-01", "2031-01"]))]);
    let first = |date: Option<&str>| edit(|e| e.first_release = Some(date.map(in_month)));
    world.when(first(Some("2027-08"))).then(announced(&["2027-08", "2029-01", "2031-01"]));
    world.when(first(None)).then(announced(&["2029-01", "2031-01"]));
    world.when(first(Some("2027-05"))).then([]);
    let both = edit(|e| {
        e.first_release = Some(Some(in_month("2028-01")));
        e.releases = Some(all(&["2030-01"]));
    });
    world.when(both).then(announced(&["2028-01", "2030-01"]));
}
