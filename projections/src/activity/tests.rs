use super::*;
use crate::preorders::testing::{Log, id, picture};
use domain::collection::{ArchiveReason, Condition, Cost, PictureCommand};
use domain::commands::{
    AddPhotos, AddPiece, ArchivePieces, CancelPreorder, ChangePictures, ChangePieces, DeletePieces,
    EditFigure, EditPiece, EditPreorder, Fate, MakeScan, MergeFigures, PieceFields, PlacePreorder,
    PreorderFields, SetWish, SlipRelease, StepPreorder, Steps, Unwish,
};
use domain::dates::{Precision, ReleaseDate};
use domain::ids::{FigureId, PieceId, UserId};
use domain::money::Currency;
use domain::preorder::SlipSource;
use serde_json::{Value, json};

fn alice() -> UserId {
    id(1)
}

fn cost(price: &str) -> Cost {
    Cost { price: Some(price.parse().unwrap()), currency: Some(Currency::Eur), ..Cost::default() }
}

fn add(log: &mut Log, piece: u128, figure: FigureId) {
    let fields = PieceFields { cost: cost("12.5"), ..PieceFields::default() };
    log.run(alice(), &AddPiece { user_id: alice(), piece_id: id(piece), figure_id: figure, fields });
}

fn place(log: &mut Log, piece: u128, figure: FigureId) {
    let command = PlacePreorder {
        user_id: alice(),
        piece_id: id(piece),
        preorder_id: id(1_000 + piece),
        figure_id: figure,
        piece: PieceFields { cost: cost("120"), ..PieceFields::default() },
        preorder: PreorderFields { deposit: Some("30".parse().unwrap()), ..PreorderFields::default() },
    };
    log.run(alice(), &command);
}

fn wish(log: &mut Log, figure: FigureId) {
    log.run(
        alice(),
        &SetWish { user_id: alice(), figure_id: figure, expected: None, target: None, note: None },
    );
}

/// The feed, oldest first.
fn feed(log: &Log) -> Vec<ActivityRow> {
    let rows = log.fold::<Activity>();
    let told = log.events.iter().filter_map(|event| rows.told.get(&event.event_id.uuid()).cloned());
    told.collect()
}

fn kinds(log: &Log) -> Vec<String> {
    feed(log).into_iter().map(|row| row.kind).collect()
}

fn last(log: &Log) -> Value {
    feed(log).pop().unwrap().payload
}

#[test]
fn a_row_tells_what_the_figure_was_called_then() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    add(&mut log, 10, figure);
    let mut edit = EditFigure::of(figure);
    edit.name = Some("Harbour Pilot Mina".parse().unwrap());
    log.run(alice(), &edit);
    add(&mut log, 11, figure);
    let rows = feed(&log);
    let names: Vec<_> = rows.iter().map(|row| row.payload["figure"]["name"].clone()).collect();
    assert_eq!(names, ["Mina", "Harbour Pilot Mina"]);
    assert_eq!(rows[0].kind, "piece_added");
    assert_eq!(rows[0].payload["price_amount"], "12.50");
    assert_eq!(rows[0].user_id, alice().uuid());
    let event = log.events.iter().find(|event| event.event_id.uuid() == rows[0].id).unwrap();
    assert_eq!((rows[0].created_at, rows[0].position), (event.recorded_at, event.position.0));
}

#[test]
fn adding_a_wished_figure_is_one_row() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    wish(&mut log, figure);
    add(&mut log, 10, figure);
    let other = log.figure(alice(), "Rika", None, &[], false);
    wish(&mut log, other);
    place(&mut log, 11, other);
    let third = log.figure(alice(), "Suzu", None, &[], false);
    wish(&mut log, third);
    log.run(alice(), &Unwish { user_id: alice(), figure_id: third, expected: None });
    assert_eq!(kinds(&log), ["wished", "piece_added", "wished", "preorder_placed", "wished", "unwished"]);
}

#[test]
fn a_bulk_edit_is_one_row_with_a_count_and_a_few_names() {
    let mut log = Log::new();
    for piece in 10..18 {
        let figure = log.figure(alice(), &format!("Figure {piece}"), None, &[], false);
        add(&mut log, piece, figure);
    }
    let before = feed(&log).len();
    let piece_ids: Vec<PieceId> = (10..18).map(id).collect();
    let edit = ChangePieces {
        user_id: alice(),
        piece_ids: piece_ids.clone(),
        location: Some(Some("Glass case".parse().unwrap())),
        condition: Some(Some(Condition::Displayed)),
    };
    log.run(alice(), &edit);
    assert_eq!(feed(&log).len(), before + 1);
    let told = last(&log);
    assert_eq!(told["count"], 8);
    assert_eq!(told["figures"].as_array().unwrap().len(), 5);
    assert_eq!(told["changes"], json!({"location": "Glass case", "condition": "displayed"}));
    let archive = ArchivePieces {
        user_id: alice(),
        piece_ids,
        expected: None,
        reason: ArchiveReason::Other,
        sale: None,
        refund: None,
    };
    log.run(alice(), &archive);
    assert_eq!(kinds(&log).pop().as_deref(), Some("pieces_archived"));
    assert_eq!(last(&log)["count"], 8);
}

#[test]
fn of_two_changes_in_one_edit_the_wider_is_counted() {
    let mut log = Log::new();
    for piece in 10..13 {
        let figure = log.figure(alice(), &format!("Figure {piece}"), None, &[], false);
        add(&mut log, piece, figure);
    }
    let mut one = EditPiece::of(alice(), id(10));
    one.location = Some(Some("Shelf".parse().unwrap()));
    log.run(alice(), &one);
    let mut two = EditPiece::of(alice(), id(11));
    two.location = Some(Some("Shelf".parse().unwrap()));
    log.run(alice(), &two);
    let before = feed(&log).len();
    let edit = ChangePieces {
        user_id: alice(),
        piece_ids: (10..13).map(id).collect(),
        location: Some(Some("Shelf".parse().unwrap())),
        condition: Some(Some(Condition::Loose)),
    };
    log.run(alice(), &edit);
    assert_eq!(feed(&log).len(), before + 1, "only one piece moves, all three change their condition");
    let told = last(&log);
    assert_eq!((&told["count"], told.get("figure"), told.get("piece_id")), (&json!(3), None, None));
    assert_eq!(told["figures"].as_array().unwrap().len(), 3);
    assert_eq!(told["changes"], json!({"location": "Shelf", "condition": "loose"}));
}

#[test]
fn two_edits_one_after_the_other_are_two_rows() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    add(&mut log, 10, figure);
    for place in ["Shelf", "Glass case"] {
        let mut edit = EditPiece::of(alice(), id(10));
        edit.location = Some(Some(place.parse().unwrap()));
        log.run(alice(), &edit);
    }
    assert_eq!(kinds(&log), ["piece_added", "pieces_edited", "pieces_edited"]);
}

#[test]
fn a_price_that_stands_on_piece_and_pre_order_is_told_once() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, 10, figure);
    let mut edit = EditPreorder::of(alice(), id(10));
    edit.price = Some(Some("99".parse().unwrap()));
    edit.store = Some(Some("Corner Shop".parse().unwrap()));
    log.run(alice(), &edit);
    assert_eq!(kinds(&log), ["preorder_placed", "pieces_edited"]);
    let told = last(&log);
    assert_eq!(
        told["changes"],
        json!({"price_amount": "99.00", "price_currency": "EUR", "deposit_amount": "30.00"})
    );
    assert_eq!(told["figure"]["name"], "Mina");
}

#[test]
fn receiving_with_a_condition_and_cancelling_with_the_pieces_fate_are_one_row_each() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, 10, figure);
    let receive = Steps::Receive { received_at: None, condition: Some(Condition::MibSealed) };
    log.run(alice(), &StepPreorder { user_id: alice(), piece_id: id(10), expected: None, step: receive });
    assert_eq!(last(&log)["condition"], "mib_sealed");
    for (piece, refund, fate, item) in
        [(11, "10", Fate::Archive, "archived"), (12, "30", Fate::Delete, "deleted")]
    {
        place(&mut log, piece, figure);
        let (refund, fate) = (refund.parse().unwrap(), Some(fate));
        log.run(
            alice(),
            &CancelPreorder { user_id: alice(), piece_id: id(piece), expected: None, refund, fate },
        );
        let told = last(&log);
        assert_eq!((&told["item"], &told["paid_amount"]), (&json!(item), &json!("30.00")));
        assert_eq!(told.get("lost_amount"), (item == "archived").then(|| json!("20.00")).as_ref());
    }
    assert_eq!(
        kinds(&log),
        [
            "preorder_placed",
            "preorder_received",
            "preorder_placed",
            "preorder_cancelled",
            "preorder_placed",
            "preorder_cancelled"
        ]
    );
}

#[test]
fn a_slip_tells_from_when_to_when() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, 10, figure);
    for date in ["2027-05-17", "2027-08-20"] {
        let release = ReleaseDate::new(date.parse().unwrap(), Precision::Month).unwrap();
        let source = SlipSource::StoreUpdate;
        log.run(
            alice(),
            &SlipRelease { user_id: alice(), piece_id: id(10), expected: None, release, source, note: None },
        );
    }
    assert_eq!(kinds(&log), ["preorder_placed", "release_date_named", "release_date_slipped"]);
    let told = last(&log);
    assert_eq!(
        (&told["from"], &told["to"], &told["to_precision"], &told["source"]),
        (&json!("2027-05-01"), &json!("2027-08-01"), &json!("month"), &json!("store_update"))
    );
}

#[test]
fn a_deleted_piece_stays_in_the_feed() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    add(&mut log, 10, figure);
    let piece_ids = vec![id(10)];
    log.run(alice(), &DeletePieces { user_id: alice(), piece_ids, expected: None, refund: None });
    assert_eq!(kinds(&log), ["piece_added", "pieces_deleted"]);
    assert_eq!(last(&log)["figure"]["name"], "Mina");
    assert_eq!(log.fold::<Activity>().pieces.get(&id(10)), None);
}

#[test]
fn a_merged_figure_is_called_what_it_was_merged_into() {
    let mut log = Log::new();
    let loser = log.figure(alice(), "Mina", None, &[], false);
    let winner = log.figure(alice(), "Harbour Pilot Mina", None, &[], true);
    add(&mut log, 10, loser);
    log.run(alice(), &MergeFigures { loser_id: loser, winner_id: winner });
    let mut edit = EditPiece::of(alice(), id(10));
    edit.condition = Some(Some(Condition::Loose));
    log.run(alice(), &edit);
    let told = last(&log);
    assert_eq!(told["figure"]["id"], json!(winner));
    assert_eq!(told["figure"]["is_nsfw"], true);
    assert_eq!(feed(&log)[0].payload["figure"]["name"], "Mina", "the earlier row reads as it did");
}

#[test]
fn an_upload_is_one_row_and_tidying_photos_is_none() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    add(&mut log, 10, figure);
    let (user_id, piece_id, shows_nsfw) = (alice(), id(10), true);
    let pictures = vec![picture(1), picture(2)];
    let photos = log.run(alice(), &AddPhotos { user_id, piece_id, pictures, shows_nsfw });
    assert_eq!(last(&log)["count"], 2);
    let figure = json!({"id": figure.uuid(), "name": "Mina"});
    assert_eq!(last(&log)["figure"]["id"], figure["id"]);
    let tidy = PictureCommand::OrderPhotos(vec![photos[1], photos[0]]);
    log.run(alice(), &ChangePictures { user_id, piece_id, change: tidy, shows_nsfw });
    log.run(alice(), &MakeScan { user_id, piece_id, frames: vec![picture(1)], shows_nsfw });
    assert_eq!(kinds(&log), ["piece_added", "photos_added", "scan_made"]);
    assert_eq!(last(&log)["frames"], 1);
}
