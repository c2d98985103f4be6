use super::catalogue::{ACHIEVEMENTS, Family, by_code, of_family};
use super::*;
use crate::preorders::testing::{Log, id, picture};
use domain::collection::PictureCommand;
use domain::commands::{
    AddPiece, ArchivePieces, CancelPreorder, ChangePictures, DeletePieces, EditFigure, MakeScan,
    MergeEntities, MergeFigures, PieceFields, PlacePreorder, PreorderFields, ReplacePreorder, RestorePiece,
    SlipRelease, StepPreorder, Steps,
};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::EntityKind;
use domain::ids::{EntityId, FigureId, PieceId, PreorderId, UserId};
use domain::preorder::{SlipSource, Status};
use std::collections::BTreeSet;
use uuid::Uuid;

fn alice() -> UserId {
    id(1)
}

fn add(log: &mut Log, piece: u128, figure: FigureId) {
    let command =
        AddPiece { user_id: alice(), piece_id: id(piece), figure_id: figure, fields: PieceFields::default() };
    log.run(alice(), &command);
}

fn place(log: &mut Log, piece: u128, figure: FigureId) {
    let command = PlacePreorder {
        user_id: alice(),
        piece_id: id(piece),
        preorder_id: id(1_000 + piece),
        figure_id: figure,
        piece: PieceFields::default(),
        preorder: PreorderFields::default(),
    };
    log.run(alice(), &command);
}

fn step(log: &mut Log, piece: u128, step: Steps) {
    log.run(alice(), &StepPreorder { user_id: alice(), piece_id: id(piece), expected: None, step });
}

fn receive(log: &mut Log, piece: u128) {
    step(log, piece, Steps::Receive { received_at: None, condition: None });
}

fn slip(log: &mut Log, piece: u128, date: &str) {
    let release = ReleaseDate::new(date.parse().unwrap(), Precision::Day).unwrap();
    let source = SlipSource::User;
    let command =
        SlipRelease { user_id: alice(), piece_id: id(piece), expected: None, release, source, note: None };
    log.run(alice(), &command);
}

fn unlocked(log: &Log) -> BTreeSet<&'static str> {
    let rows = log.fold::<Achievements>();
    let has = |code: &str| rows.unlocked.get(&(alice().uuid(), code.to_owned())).is_some();
    ACHIEVEMENTS.iter().map(|one| one.code).filter(|code| has(code)).collect()
}

fn count(log: &Log, counter: &str) -> i32 {
    log.fold::<Achievements>().counters.get(&(alice().uuid(), counter.to_owned())).map_or(0, |row| row.value)
}

#[test]
fn codes_are_unique_and_thresholds_and_tiers_ascend() {
    let codes: BTreeSet<_> = ACHIEVEMENTS.iter().map(|one| one.code).collect();
    assert_eq!(codes.len(), ACHIEVEMENTS.len());
    for one in ACHIEVEMENTS {
        assert_eq!(by_code(one.code), Some(one));
        let thresholds: Vec<_> = of_family(one.family).map(|a| (a.threshold, a.tier)).collect();
        assert!(thresholds.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{thresholds:?}");
    }
}

#[test]
fn scans_count_when_they_are_made_and_removing_one_takes_nothing_back() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    add(&mut log, 10, figure);
    let scan = MakeScan { user_id: alice(), piece_id: id(10), frames: vec![picture(1)], shows_nsfw: true };
    let first = log.run(alice(), &scan);
    assert!(unlocked(&log).contains("scans_made_1"));
    let remove = PictureCommand::RemoveScan(first);
    let remove = ChangePictures { user_id: alice(), piece_id: id(10), change: remove, shows_nsfw: true };
    log.run(alice(), &remove);
    for _ in 0..8 {
        log.run(alice(), &scan);
    }
    assert!(!unlocked(&log).contains("scans_made_10"), "nine were made");
    log.run(alice(), &scan);
    assert!(unlocked(&log).contains("scans_made_10"));
}

#[test]
fn a_piece_counts_when_it_is_added() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", Some("Maker"), &["Harbour", "Pilots"], false);
    let at = log.now;
    add(&mut log, 10, figure);
    assert_eq!(unlocked(&log), BTreeSet::from(["pieces_owned_1"]));
    let rows = log.fold::<Achievements>();
    let row = rows.unlocked.get(&(alice().uuid(), "pieces_owned_1".to_owned())).unwrap();
    assert_eq!((row.tier.as_str(), row.unlocked_at), ("bronze", at));
    for piece in 11..=14 {
        add(&mut log, piece, figure);
    }
    assert_eq!(unlocked(&log), BTreeSet::from(["pieces_owned_1", "maker_5", "series_5"]));
}

#[test]
fn a_pre_ordered_piece_counts_once_on_its_first_receipt() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", Some("Maker"), &[], true);
    place(&mut log, 10, figure);
    assert_eq!(unlocked(&log), BTreeSet::from(["preorders_placed_1"]));
    assert_eq!((count(&log, "pieces_owned"), count(&log, "nsfw")), (0, 0));
    receive(&mut log, 10);
    step(&mut log, 10, Steps::To(Status::Released));
    receive(&mut log, 10);
    assert_eq!(
        (count(&log, "pieces_owned"), count(&log, "preorders_received"), count(&log, "nsfw")),
        (1, 1, 1)
    );
    assert_eq!(
        unlocked(&log),
        BTreeSet::from(["preorders_placed_1", "preorders_received_1", "pieces_owned_1"])
    );
}

#[test]
fn what_is_unlocked_stays_whatever_is_archived_deleted_or_edited() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", Some("Maker"), &["Harbour"], true);
    for piece in 10..=14 {
        add(&mut log, piece, figure);
    }
    let before = unlocked(&log);
    assert!(before.contains("nsfw_5") && before.contains("maker_5"));
    let piece_ids: Vec<PieceId> = (10..=12).map(id).collect();
    log.run(alice(), &DeletePieces { user_id: alice(), piece_ids, expected: None, refund: None });
    let archive = ArchivePieces {
        user_id: alice(),
        piece_ids: vec![id(13)],
        expected: None,
        reason: domain::collection::ArchiveReason::Sold,
        sale: None,
        refund: None,
    };
    log.run(alice(), &archive);
    let mut edit = EditFigure::of(figure);
    edit.manufacturer = Some(Some("Another".parse().unwrap()));
    edit.is_nsfw = Some(false);
    log.run(alice(), &edit);
    assert_eq!(unlocked(&log), before);
    assert_eq!(count(&log, "pieces_owned"), 5);
    add(&mut log, 20, figure);
    assert_eq!(count(&log, "nsfw"), 5, "the next one counts as it is marked now");
}

#[test]
fn a_replacement_counts_as_placed_and_slips_add_up_over_the_chapters() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, 10, figure);
    for date in ["2027-01-01", "2027-02-01", "2027-03-01"] {
        slip(&mut log, 10, date);
    }
    let refund = "0".parse().unwrap();
    let cancel = CancelPreorder { user_id: alice(), piece_id: id(10), expected: None, refund, fate: None };
    log.run(alice(), &cancel);
    log.run(alice(), &RestorePiece { user_id: alice(), piece_id: id(10), expected: None });
    let replace = ReplacePreorder {
        user_id: alice(),
        piece_id: id(10),
        expected: None,
        preorder_id: id::<PreorderId>(30),
        cost: domain::collection::Cost::default(),
        store: None,
        preorder: PreorderFields::default(),
    };
    log.run(alice(), &replace);
    assert_eq!(count(&log, "preorders_placed"), 2);
    slip(&mut log, 10, "2027-05-01");
    receive(&mut log, 10);
    assert!(!unlocked(&log).contains("slipped_three_times"), "naming a date is no slip, so it slipped twice");
    slip(&mut log, 10, "2027-06-01");
    assert!(unlocked(&log).contains("slipped_three_times"), "also when it slips on after its receipt");
}

#[test]
fn three_slips_unlock_nothing_before_the_receipt() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, 10, figure);
    for date in ["2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01"] {
        slip(&mut log, 10, date);
    }
    assert!(!unlocked(&log).contains("slipped_three_times"));
    receive(&mut log, 10);
    assert!(unlocked(&log).contains("slipped_three_times"));
}

fn maker_of(log: &Log, figure: FigureId) -> Uuid {
    log.fold::<Achievements>().figures.get(&figure.uuid()).unwrap().manufacturer_id.unwrap()
}

#[test]
fn merged_makers_count_together() {
    let mut log = Log::new();
    let one = log.figure(alice(), "Mina", Some("Good Maker"), &[], false);
    let other = log.figure(alice(), "Rika", Some("The Good Maker"), &[], false);
    for piece in 10..=12 {
        add(&mut log, piece, one);
    }
    for piece in 13..=14 {
        add(&mut log, piece, other);
    }
    assert!(!unlocked(&log).contains("maker_5"));
    let (loser, winner) = (maker_of(&log, one), maker_of(&log, other));
    let kind = EntityKind::Manufacturer;
    log.run(alice(), &MergeEntities { kind, loser_id: EntityId(loser), winner_id: EntityId(winner) });
    assert!(unlocked(&log).contains("maker_5"));
    assert_eq!(count(&log, &format!("maker:{winner}")), 5);
    assert_eq!(count(&log, &format!("maker:{loser}")), 0);
    add(&mut log, 20, one);
    assert_eq!(count(&log, &format!("maker:{winner}")), 6, "figures of the old maker count for the new one");
}

#[test]
fn a_piece_of_a_merged_figure_counts_as_the_one_it_was_merged_into() {
    let mut log = Log::new();
    let loser = log.figure(alice(), "Mina", None, &[], false);
    let winner = log.figure(alice(), "Harbour Pilot Mina", None, &[], true);
    place(&mut log, 10, loser);
    log.run(alice(), &MergeFigures { loser_id: loser, winner_id: winner });
    receive(&mut log, 10);
    assert_eq!(count(&log, "nsfw"), 1);
}

#[test]
fn counters_of_makers_and_series_never_meet() {
    let same = Some(Uuid::from_u128(7));
    assert_ne!(super::fold::counter(Family::Maker, same), super::fold::counter(Family::Series, same));
}
