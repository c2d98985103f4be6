//! Renaming manufacturers, series, characters, sculptors and stores; which series of MyAnimeList one is.

use super::catalogue_figure::new;
use crate::harness::*;
use domain::claim::Holder;
use domain::commands::{CatalogueFigure, EditEntity, Identified, IdentifySeries};
use domain::entity::{EntityEvent as N, EntityKind};
use domain::ids::EntityId;
use domain::refusal::Code;
use domain::stream::Version;

const SERIES: EntityId = EntityId(uuid::Uuid::from_u128(0xe4));

fn rename(to: &str) -> EditEntity {
    EditEntity {
        entity_id: MAKER,
        kind: EntityKind::Manufacturer,
        expected: None,
        name: Some(name(to)),
        mal_id: None,
    }
}
fn mal(entity_id: EntityId, kind: EntityKind, mal_id: Option<i64>) -> EditEntity {
    EditEntity { entity_id, kind, expected: None, name: None, mal_id: Some(mal_id) }
}
fn maker() -> Vec<Fact> {
    entity(MAKER, EntityKind::Manufacturer, "Paper Crane Works")
}
fn other_maker() -> Vec<Fact> {
    entity(OTHER_MAKER, EntityKind::Manufacturer, "Papercrane")
}
fn series() -> Vec<Fact> {
    entity(SERIES, EntityKind::Series, "Tideline Diaries")
}
fn renamed(to: &str, slug: &str) -> Fact {
    ent(MAKER, N::Renamed { kind: EntityKind::Manufacturer, name: name(to), slug: slug.to_owned() })
}

pub fn refusals() -> Vec<Case> {
    let world = given([maker(), other_maker(), series()]);
    let imported = N::Named {
        entity_id: SHOP,
        kind: EntityKind::Store,
        name: name("Harbour"),
        slug: "harbour".into(),
        created_by: None,
    };
    vec![
        world.when(EditEntity { entity_id: SHOP, ..rename("X") }).refuses(
            Code::EntityNotFound,
            None,
            "an unknown entity",
        ),
        world.when(EditEntity { kind: EntityKind::Store, ..rename("X") }).refuses(
            Code::EntityNotFound,
            None,
            "a maker looked for among the shops",
        ),
        world.clone().by(BEN).when(rename("X")).refuses(
            Code::NotAllowed,
            None,
            "renaming what somebody else typed",
        ),
        given([vec![ent(SHOP, imported)]])
            .when(EditEntity { entity_id: SHOP, kind: EntityKind::Store, ..rename("X") })
            .refuses(Code::NotAllowed, None, "renaming what an import made"),
        world.when(EditEntity { expected: Some(Version(2)), ..rename("X") }).refuses(
            Code::Stale,
            None,
            "renaming what was changed since",
        ),
        world.when(rename("☆")).refuses(Code::InvalidName, "name", "a name without a letter"),
        world.when(rename("PAPERCRANE")).refuses(
            Code::NameTaken,
            "name",
            "a name that another one answers to",
        ),
        world.when(mal(MAKER, EntityKind::Manufacturer, Some(1))).refuses(
            Code::InvalidField,
            "mal_id",
            "a maker on MyAnimeList",
        ),
        world.when(mal(SERIES, EntityKind::Series, Some(0))).refuses(
            Code::InvalidField,
            "mal_id",
            "a series number that cannot be",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn a_renamed_entity_answers_to_both_names() {
    let world = given([maker()]);
    let after = world.when(rename("Origami Works")).then([
        claimed(&slug(EntityKind::Manufacturer, "Origami Works"), Holder::Entity(MAKER)),
        renamed("Origami Works", "origami-works"),
    ]);
    for typed in ["origami works", "Paper Crane Works"] {
        let found = after.clone().done(CatalogueFigure { manufacturer: Some(name(typed)), ..new(COMET) });
        assert_eq!(found.figure(COMET).manufacturer_id, Some(MAKER), "{typed}");
    }
    after.when(rename("Paper Crane Works")).then([renamed("Paper Crane Works", "paper-crane-works")]);
}

#[test]
fn spelling_a_name_another_way_needs_no_new_claim() {
    let world = given([maker()]);
    world.when(rename("PAPER CRANE WORKS")).then([renamed("PAPER CRANE WORKS", "paper-crane-works")]);
    world.when(rename("Paper Crane Works")).then_nothing();
}

#[test]
fn a_taken_name_tells_what_to_merge_with() {
    let refusal =
        given([maker(), other_maker()]).when(rename("Papercrane")).refused(Code::NameTaken, Some("name"));
    assert_eq!(refusal.other_id, Some(OTHER_MAKER.uuid()));
}

#[test]
fn the_winner_of_a_merge_may_take_the_losers_name() {
    let kind = EntityKind::Manufacturer;
    given([maker(), other_maker(), vec![ent(OTHER_MAKER, N::MergedInto { kind, winner_id: MAKER })]])
        .when(rename("Papercrane"))
        .then([renamed("Papercrane", "papercrane")]);
}

#[test]
fn editing_the_loser_of_a_merge_edits_the_winner() {
    let kind = EntityKind::Manufacturer;
    given([maker(), other_maker(), vec![ent(OTHER_MAKER, N::MergedInto { kind, winner_id: MAKER })]])
        .when(EditEntity { entity_id: OTHER_MAKER, ..rename("Origami") })
        .then([claimed(&slug(kind, "Origami"), Holder::Entity(MAKER)), renamed("Origami", "origami")]);
}

#[test]
fn a_series_gets_its_number_once() {
    let world = given([series()]);
    let after = world
        .when(mal(SERIES, EntityKind::Series, Some(54321)))
        .then([ent(SERIES, N::MalIdSet { mal_id: Some(54321) })]);
    after.when(mal(SERIES, EntityKind::Series, Some(54321))).then_nothing();
    after.when(mal(SERIES, EntityKind::Series, None)).then([ent(SERIES, N::MalIdSet { mal_id: None })]);
}

#[test]
fn admins_may_rename_what_others_typed() {
    given([maker()])
        .by_admin()
        .when(rename("PAPER CRANE WORKS"))
        .then([renamed("PAPER CRANE WORKS", "paper-crane-works")]);
}

#[test]
fn an_entity_is_changed_by_who_saw_it_last() {
    let world = given([maker()]);
    let after = world.done(EditEntity { expected: Some(Version(1)), ..rename("Origami") });
    after.when(EditEntity { expected: Some(Version(1)), ..rename("Crane") }).refused(Code::Stale, None);
    after.when(EditEntity { expected: Some(Version(2)), ..rename("Crane") }).done();
}

#[test]
fn an_import_gives_a_series_its_number_and_takes_none_away() {
    let kind = EntityKind::Series;
    let told = |name: &str, mal_id| IdentifySeries { name: line(name), mal_id };
    let world = given([series()]);
    world.when(told("Unheard Of", 1)).refused(Code::EntityNotFound, Some("series"));
    world.when(told("☆", 1)).refused(Code::InvalidName, Some("series"));
    world.when(told("Tideline Diaries", 0)).refused(Code::InvalidField, Some("mal_id"));
    let (answer, after) = world.when(told("tideline DIARIES", 21)).answered();
    assert_eq!((answer, after.entity(SERIES).mal_id), (Identified::Now, Some(21)));
    for (mal_id, answer) in [(21, Identified::Before), (22, Identified::Otherwise(21))] {
        let again = after.when(told("Tideline Diaries", mal_id));
        assert_eq!(again.answered().0, answer);
    }
    let merged = given([series(), vec![ent(SERIES, N::MergedInto { kind, winner_id: SHOP })]])
        .and(entity(SHOP, kind, "Tideline"));
    assert_eq!(merged.done(told("Tideline Diaries", 7)).entity(SHOP).mal_id, Some(7));
}
