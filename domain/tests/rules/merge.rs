//! Merging figures and entities that turned out to be the same.

use super::catalogue_figure::JAN;
use crate::harness::*;
use domain::commands::{MergeEntities, MergeFigures};
use domain::entity::{EntityEvent as N, EntityKind};
use domain::figure::{BuyLink, Details, FigureEvent as F};
use domain::ids::{EntityId, FigureId};
use domain::refusal::Code;

const THIRD_MAKER: EntityId = EntityId(uuid::Uuid::from_u128(0xe5));

fn merge(loser_id: FigureId, winner_id: FigureId) -> MergeFigures {
    MergeFigures { loser_id, winner_id }
}
fn merge_makers(loser_id: EntityId, winner_id: EntityId) -> MergeEntities {
    MergeEntities { kind: EntityKind::Manufacturer, loser_id, winner_id }
}
fn maker(id: EntityId, called: &str) -> Vec<Fact> {
    entity(id, EntityKind::Manufacturer, called)
}
fn three_figures() -> Given {
    given([figure(LANTERN), figure(TEAPOT), figure(COMET)]).by_admin()
}
fn three_makers() -> Given {
    given([maker(MAKER, "Crane"), maker(OTHER_MAKER, "Heron"), maker(THIRD_MAKER, "Egret")]).by_admin()
}

pub fn refusals() -> Vec<Case> {
    let figures = three_figures();
    let merged = three_figures().done(merge(LANTERN, TEAPOT));
    let makers = three_makers().and(entity(SHOP, EntityKind::Store, "Harbour"));
    let merged_makers = three_makers().done(merge_makers(MAKER, OTHER_MAKER));
    let nobody = EntityId(uuid::Uuid::from_u128(0xee));
    vec![
        figures.clone().by_anyone().when(merge(LANTERN, TEAPOT)).refuses(
            Code::NotAllowed,
            None,
            "merging as anyone",
        ),
        figures.when(merge(NOWHERE, TEAPOT)).refuses(
            Code::FigureNotFound,
            "figure_id",
            "merging an unknown figure",
        ),
        figures.when(merge(LANTERN, NOWHERE)).refuses(
            Code::FigureNotFound,
            "into",
            "merging into an unknown figure",
        ),
        figures.when(merge(LANTERN, LANTERN)).refuses(
            Code::MergeImpossible,
            "into",
            "merging a figure with itself",
        ),
        merged.when(merge(LANTERN, TEAPOT)).refuses(Code::MergeImpossible, "into", "merging twice"),
        merged.when(merge(TEAPOT, LANTERN)).refuses(Code::MergeImpossible, "into", "a cycle of figures"),
        merged.when(merge(LANTERN, COMET)).refuses(Code::AlreadyMerged, None, "merging a loser elsewhere"),
        makers.clone().by_anyone().when(merge_makers(MAKER, OTHER_MAKER)).refuses(
            Code::NotAllowed,
            None,
            "merging makers as anyone",
        ),
        makers.when(merge_makers(nobody, MAKER)).refuses(
            Code::EntityNotFound,
            None,
            "merging an unknown maker",
        ),
        makers.when(merge_makers(MAKER, nobody)).refuses(
            Code::EntityNotFound,
            "into",
            "merging into an unknown maker",
        ),
        makers.when(merge_makers(MAKER, SHOP)).refuses(
            Code::EntityNotFound,
            "into",
            "merging a maker into a shop",
        ),
        makers.when(merge_makers(SHOP, MAKER)).refuses(
            Code::EntityNotFound,
            None,
            "merging a shop into a maker",
        ),
        makers.when(merge_makers(MAKER, MAKER)).refuses(
            Code::MergeImpossible,
            "into",
            "merging a maker with itself",
        ),
        merged_makers.when(merge_makers(OTHER_MAKER, MAKER)).refuses(
            Code::MergeImpossible,
            "into",
            "a cycle of makers",
        ),
        merged_makers.when(merge_makers(MAKER, THIRD_MAKER)).refuses(
            Code::AlreadyMerged,
            None,
            "merging a lost maker elsewhere",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn the_loser_points_at_the_winner_and_the_winner_knows_its_aliases() {
    three_figures().when(merge(LANTERN, TEAPOT)).then([
        fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
    ]);
}

#[test]
fn what_the_loser_had_absorbed_goes_along() {
    let after = three_figures().done(merge(LANTERN, TEAPOT));
    after.when(merge(TEAPOT, COMET)).then([
        fig(TEAPOT, F::MergedInto { winner_id: COMET }),
        fig(COMET, F::Absorbed { loser_id: TEAPOT, aliases: vec![TEAPOT, LANTERN] }),
    ]);
    after.when(merge(COMET, TEAPOT)).then([
        fig(COMET, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: COMET, aliases: vec![LANTERN, COMET] }),
    ]);
}

#[test]
fn merging_into_a_loser_is_merging_into_what_it_is_now() {
    three_figures().done(merge(LANTERN, TEAPOT)).when(merge(COMET, LANTERN)).then([
        fig(COMET, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: COMET, aliases: vec![LANTERN, COMET] }),
    ]);
}

#[test]
fn codes_that_only_the_loser_knew_are_the_winners() {
    let coded = figure_with(LANTERN, |f| {
        f.jan = Some(gtin(JAN));
        f.mfc_id = Some(77);
    });
    given([coded.clone(), figure(TEAPOT)]).by_admin().when(merge(LANTERN, TEAPOT)).then([
        fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
        fig(TEAPOT, F::Identified { jan: Some(gtin(JAN)), mfc_id: Some(77) }),
    ]);
    let own = figure_with(TEAPOT, |f| f.mfc_id = Some(88));
    given([coded, own]).by_admin().when(merge(LANTERN, TEAPOT)).then([
        fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
        fig(TEAPOT, F::Identified { jan: Some(gtin(JAN)), mfc_id: Some(88) }),
    ]);
}

#[test]
fn the_winner_is_nsfw_when_either_was() {
    let nsfw = |id| figure_with(id, |f| f.is_nsfw = true);
    given([nsfw(LANTERN), figure(TEAPOT)]).by_admin().when(merge(LANTERN, TEAPOT)).then([
        fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
        fig(TEAPOT, F::NsfwMarked { is_nsfw: true }),
    ]);
    for both in [[figure(LANTERN), nsfw(TEAPOT)], [nsfw(LANTERN), nsfw(TEAPOT)]] {
        given(both).by_admin().when(merge(LANTERN, TEAPOT)).then([
            fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
            fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
        ]);
    }
}

#[test]
fn entities_merge_the_same_way() {
    let kind = EntityKind::Manufacturer;
    let after = three_makers().when(merge_makers(MAKER, OTHER_MAKER)).then([
        ent(MAKER, N::MergedInto { kind, winner_id: OTHER_MAKER }),
        ent(OTHER_MAKER, N::Absorbed { kind, loser_id: MAKER, aliases: vec![MAKER] }),
    ]);
    after.when(merge_makers(OTHER_MAKER, THIRD_MAKER)).then([
        ent(OTHER_MAKER, N::MergedInto { kind, winner_id: THIRD_MAKER }),
        ent(THIRD_MAKER, N::Absorbed { kind, loser_id: OTHER_MAKER, aliases: vec![OTHER_MAKER, MAKER] }),
    ]);
    after.when(merge_makers(THIRD_MAKER, MAKER)).then([
        ent(THIRD_MAKER, N::MergedInto { kind, winner_id: OTHER_MAKER }),
        ent(OTHER_MAKER, N::Absorbed { kind, loser_id: THIRD_MAKER, aliases: vec![MAKER, THIRD_MAKER] }),
    ]);
}

#[test]
fn the_operator_may_merge() {
    three_figures().by_operator().when(merge(LANTERN, TEAPOT)).done();
    three_makers().by_operator().when(merge_makers(MAKER, OTHER_MAKER)).done();
}

#[test]
fn the_winner_gains_what_only_the_loser_knew_and_keeps_what_it_said() {
    let link = |path: &str| BuyLink { store_id: SHOP, path: line(path) };
    let loser = figure_with(LANTERN, |f| {
        f.manufacturer_id = Some(MAKER);
        f.series_ids = vec![THIRD_MAKER, OTHER_MAKER];
        f.details.scale = Some(line("1/8"));
        f.details.height_mm = Some(200);
        f.buy_links = vec![link("/1"), link("/2")];
        f.msrp = Some(eur("100"));
    });
    let winner = figure_with(TEAPOT, |f| {
        f.series_ids = vec![OTHER_MAKER];
        f.details.scale = Some(line("1/7"));
        f.buy_links = vec![link("/2")];
        f.msrp = Some(eur("120"));
    });
    given([loser, winner]).by_admin().when(merge(LANTERN, TEAPOT)).then([
        fig(LANTERN, F::MergedInto { winner_id: TEAPOT }),
        fig(TEAPOT, F::Absorbed { loser_id: LANTERN, aliases: vec![LANTERN] }),
        fig(
            TEAPOT,
            F::Credited {
                manufacturer_id: Some(MAKER),
                sculptor_id: None,
                series_ids: vec![OTHER_MAKER, THIRD_MAKER],
                character_ids: vec![],
            },
        ),
        fig(
            TEAPOT,
            F::Described {
                details: Details { scale: Some(line("1/7")), height_mm: Some(200), ..Details::default() },
            },
        ),
        fig(TEAPOT, F::BuyLinksSet { buy_links: vec![link("/2"), link("/1")] }),
    ]);
}
