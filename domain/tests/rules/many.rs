//! Several commands as one: what imports append in chunks.

use super::catalogue_figure::{JAN, new};
use crate::harness::*;
use domain::commands::{AddPiece, CatalogueFigure, Many, PieceFields, SetWish};
use domain::entity::EntityKind;
use domain::ids::{EntityId, FigureId, PieceId};
use domain::refusal::Code;

fn add(piece_id: PieceId, figure_id: FigureId) -> AddPiece {
    AddPiece { user_id: ANNA, piece_id, figure_id, fields: PieceFields::default() }
}
fn made_by(figure_id: FigureId, maker: &str) -> CatalogueFigure {
    CatalogueFigure { manufacturer: Some(name(maker)), ..new(figure_id) }
}

pub fn refusals() -> Vec<Case> {
    let world = given([figure(LANTERN)]);
    let twice = |id| CatalogueFigure { jan: Some(gtin(JAN)), ..new(id) };
    vec![
        world.when(Many(vec![add(P1, LANTERN), add(P2, NOWHERE)])).refuses(
            Code::FigureNotFound,
            "figure_id",
            "a chunk with one unknown figure",
        ),
        world.when(Many(vec![add(P1, LANTERN), add(P1, LANTERN)])).refuses(
            Code::AlreadyExists,
            None,
            "a chunk with a piece twice",
        ),
        world.when(Many(vec![twice(TEAPOT), twice(COMET)])).refuses(
            Code::JanTaken,
            "jan",
            "a chunk with a barcode twice",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn each_command_of_a_chunk_sees_what_the_ones_before_it_staged() {
    let world = given([]);
    let maker = EntityId(world.new_id(1));
    let after =
        world.done(Many(vec![made_by(LANTERN, "Paper Crane Works"), made_by(TEAPOT, "paper crane works")]));
    assert_eq!(after.figure(LANTERN).manufacturer_id, Some(maker));
    assert_eq!(after.figure(TEAPOT).manufacturer_id, Some(maker));
    assert_eq!(
        after.holder(&slug(EntityKind::Manufacturer, "Paper Crane Works")),
        Some(domain::claim::Holder::Entity(maker))
    );
}

#[test]
fn a_chunk_answers_for_each_of_its_commands() {
    let (answers, after) =
        given([figure(LANTERN)]).when(Many(vec![add(P1, LANTERN), add(P2, LANTERN)])).answered();
    assert_eq!(answers, vec![P1, P2]);
    assert_eq!(after.collection().live[&LANTERN], 2);
    let wish = SetWish { user_id: ANNA, figure_id: LANTERN, expected: None, target: None, note: None };
    after.when(Many(vec![wish])).refused(Code::AlreadyOwned, None);
}

#[test]
fn an_empty_chunk_is_nothing() {
    given([]).when(Many::<AddPiece>(vec![])).then_nothing();
}
