use super::testing::{Log, id};
use super::*;
use chrono::{DateTime, NaiveDate, Utc};
use domain::collection::Cost;
use domain::commands::{
    CancelPreorder, DeletePieces, EditFigure, EditPreorder, Fate, MergeEntities, MergeFigures, PieceFields,
    PlacePreorder, PreorderFields, ReplacePreorder, RestorePiece, SlipRelease, StepPreorder, Steps,
};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::EntityKind;
use domain::ids::{EntityId, FigureId, PieceId, UserId};
use domain::money::Currency;
use domain::money::rates::RateTable;
use domain::preorder::{SlipSource, Status};
use domain::stream::StreamId;
use domain::world::State;
use rust_decimal::Decimal;

const ALICE: u128 = 1;
const PIECE: u128 = 10;
const FIRST: u128 = 20;
const SECOND: u128 = 21;

fn alice() -> UserId {
    id(ALICE)
}

fn piece() -> PieceId {
    id(PIECE)
}

fn release(date: &str, precision: Precision) -> ReleaseDate {
    ReleaseDate::new(date.parse().unwrap(), precision).unwrap()
}

fn cost(price: &str, shipping: &str) -> Cost {
    Cost {
        price: Some(price.parse().unwrap()),
        shipping: Some(shipping.parse().unwrap()),
        currency: Some(Currency::Eur),
        ..Cost::default()
    }
}

fn place(log: &mut Log, figure: FigureId, date: Option<ReleaseDate>, store: Option<&str>) {
    let piece_fields = PieceFields {
        cost: cost("120", "15"),
        store: store.map(|name| name.parse().unwrap()),
        ..PieceFields::default()
    };
    log.run(
        alice(),
        &PlacePreorder {
            user_id: alice(),
            piece_id: piece(),
            preorder_id: id(FIRST),
            figure_id: figure,
            piece: piece_fields,
            preorder: PreorderFields {
                release: date,
                deposit: Some("30".parse().unwrap()),
                ..PreorderFields::default()
            },
        },
    );
}

fn slip(log: &mut Log, date: ReleaseDate) {
    log.run(
        alice(),
        &SlipRelease {
            user_id: alice(),
            piece_id: piece(),
            expected: None,
            release: date,
            source: SlipSource::ManufacturerAnnouncement,
            note: Some("delayed".parse().unwrap()),
        },
    );
}

fn step(log: &mut Log, step: Steps) {
    log.run(alice(), &StepPreorder { user_id: alice(), piece_id: piece(), expected: None, step });
}

fn cancel(log: &mut Log, refund: &str, fate: Option<Fate>) {
    log.run(
        alice(),
        &CancelPreorder {
            user_id: alice(),
            piece_id: piece(),
            expected: None,
            refund: refund.parse().unwrap(),
            fate,
        },
    );
}

fn replace(log: &mut Log) {
    log.run(alice(), &RestorePiece { user_id: alice(), piece_id: piece(), expected: None });
    log.run(
        alice(),
        &ReplacePreorder {
            user_id: alice(),
            piece_id: piece(),
            expected: None,
            preorder_id: id(SECOND),
            cost: cost("140", "0"),
            store: None,
            preorder: PreorderFields {
                release: Some(release("2027-09-01", Precision::Month)),
                ..PreorderFields::default()
            },
        },
    );
}

fn current(log: &Log) -> PreorderRow {
    let rows = log.fold::<Preorders>();
    let found = rows.preorders.rows_where(PreorderRow::owned_item_id, id(PIECE));
    assert_eq!(found.len(), 1, "one current chapter per piece");
    let row = found[0].clone();
    let State::Preorder(state) = log.state(&StreamId::Preorder(piece())) else { panic!() };
    let chapter = state.chapter.as_ref().unwrap();
    assert_eq!((row.id, row.version), (chapter.id.uuid(), chapter.version.0), "the ETag's number");
    assert_eq!(row.status, chapter.status.as_str());
    assert_eq!(row.shipped_at.is_some(), chapter.shipped_at.is_some());
    if row.paid_amount.is_none() {
        assert_eq!(paid(&row), Decimal::from(chapter.paid()));
    }
    row
}

fn dates(log: &Log, chapter: u128) -> Vec<(Option<String>, String, bool)> {
    let rows = log.fold::<Preorders>();
    let mut history = rows.history.rows_where(DateHistoryRow::preorder_id, id(chapter));
    history.sort_by_key(|row| row.position);
    history
        .into_iter()
        .map(|row| (row.previous_date.map(|d| d.to_string()), row.new_date.to_string(), row.is_slip))
        .collect()
}

#[test]
fn a_placed_pre_order_is_one_row_with_what_was_said() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, Some(release("2027-05-17", Precision::Month)), Some("Corner Shop"));
    let row = current(&log);
    assert_eq!((row.id, row.user_id, row.figure_id), (id(FIRST), id(ALICE), figure.uuid()));
    assert_eq!((row.status.as_str(), row.slip_count), ("preordered", 0));
    assert_eq!(row.release_date_original.unwrap().to_string(), "2027-05-01");
    assert_eq!(row.release_date_original_precision.as_deref(), Some("month"));
    assert_eq!(row.release_date_current, row.release_date_original);
    assert_eq!(row.price_amount, Some(Decimal::from(120)));
    assert_eq!(row.deposit_amount, Some(Decimal::from(30)));
    assert!(row.store_id.is_some());
    assert!(dates(&log, FIRST).is_empty(), "a date said when placing is no change of it");
}

#[test]
fn every_change_of_the_date_is_on_record_and_only_later_ones_are_slips() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    slip(&mut log, release("2027-05-01", Precision::Month));
    slip(&mut log, release("2027-05-01", Precision::Month));
    slip(&mut log, release("2027-05-01", Precision::Day));
    slip(&mut log, release("2027-08-01", Precision::Month));
    slip(&mut log, release("2027-08-20", Precision::Day));
    slip(&mut log, release("2027-07-01", Precision::Month));
    let day = |d: &str| d.to_owned();
    assert_eq!(
        dates(&log, FIRST),
        [
            (None, day("2027-05-01"), false),
            (Some(day("2027-05-01")), day("2027-08-01"), true),
            (Some(day("2027-08-01")), day("2027-08-20"), false),
            (Some(day("2027-08-20")), day("2027-07-01"), false),
        ],
        "the same date again, also said more exactly, is no change; the chain is unbroken"
    );
    let row = current(&log);
    assert_eq!((row.slip_count, row.release_date_precision.as_deref()), (1, Some("month")));
    assert_eq!(row.release_date_original.unwrap().to_string(), "2027-05-01", "the first date stays");
    assert_eq!(row.release_date_original_precision.as_deref(), Some("month"));
}

#[test]
fn steps_stamp_their_days_and_corrections_forget_them() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    step(&mut log, Steps::To(Status::Released));
    step(&mut log, Steps::Ship { shipped_at: None, tracking_url: None, estimated_delivery_days: Some(5) });
    let row = current(&log);
    let shipped = row.shipped_at.unwrap();
    assert_eq!(shipped.timestamp_subsec_nanos() % 1000, 0, "PostgreSQL keeps whole microseconds");
    assert_eq!(row.estimated_delivery_days, Some(5));
    step(&mut log, Steps::Receive { received_at: None, condition: None });
    assert!(current(&log).received_at.is_some());
    step(&mut log, Steps::To(Status::Shipped));
    let row = current(&log);
    assert_eq!((row.received_at, row.shipped_at), (None, Some(shipped)));
    step(&mut log, Steps::To(Status::Released));
    let row = current(&log);
    assert_eq!((row.status.as_str(), row.shipped_at), ("released", None));
}

#[test]
fn a_replacement_is_the_current_row_and_the_cancelled_one_a_chapter() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, Some(release("2027-05-01", Precision::Month)), Some("Corner Shop"));
    slip(&mut log, release("2027-08-01", Precision::Month));
    cancel(&mut log, "10", None);
    let before = current(&log);
    assert_eq!(before.paid_amount, Some(Decimal::from(30)));
    assert_eq!(before.deposit_refund_amount, Some(Decimal::from(10)));
    assert!(before.cancelled_at.is_some());
    replace(&mut log);
    let row = current(&log);
    assert_eq!((row.id, row.slip_count, row.cancelled_at), (id(SECOND), 0, None));
    let rows = log.fold::<Preorders>();
    let chapters = rows.chapters.rows_where(ChapterRow::owned_item_id, id(PIECE));
    assert_eq!(chapters.len(), 1);
    assert_eq!(PreorderRow::from(chapters[0].clone()), before, "it stands as it was cancelled");
    assert_eq!(dates(&log, FIRST).len(), 1, "its history keeps its id");
    assert!(dates(&log, SECOND).is_empty());
    assert_eq!(losses([&before, &row]), [Lost { amount: Decimal::from(20), currency: "EUR".to_owned() }]);
}

#[test]
fn a_deleted_piece_takes_chapters_and_history_with_it() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, Some(release("2027-05-01", Precision::Month)), None);
    slip(&mut log, release("2027-08-01", Precision::Month));
    cancel(&mut log, "10", None);
    replace(&mut log);
    slip(&mut log, release("2027-12-01", Precision::Month));
    let refund = Some("0".parse().unwrap());
    log.run(alice(), &DeletePieces { user_id: alice(), piece_ids: vec![piece()], expected: None, refund });
    let rows = log.fold::<Preorders>();
    for chapter in [FIRST, SECOND] {
        assert_eq!(rows.preorders.get(&id(chapter)), None);
        assert_eq!(rows.chapters.get(&id(chapter)), None);
        assert!(dates(&log, chapter).is_empty());
    }
}

#[test]
fn a_cancellation_that_deletes_leaves_no_row() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    cancel(&mut log, "30", Some(Fate::Delete));
    assert_eq!(log.fold::<Preorders>().preorders.get(&id(FIRST)), None);
}

#[test]
fn merges_of_figures_and_stores_are_followed_by_every_chapter() {
    let mut log = Log::new();
    let loser = log.figure(alice(), "Mina", None, &[], false);
    let winner = log.figure(alice(), "Harbour Pilot Mina", None, &[], false);
    place(&mut log, loser, None, Some("Corner Shop"));
    let store = current(&log).store_id.unwrap();
    cancel(&mut log, "0", None);
    replace(&mut log);
    let mut edit = EditPreorder::of(alice(), piece());
    edit.store = Some(Some("The Corner".parse().unwrap()));
    log.run(alice(), &edit);
    let other = current(&log).store_id.unwrap();
    assert_ne!(store, other);
    log.run(alice(), &MergeFigures { loser_id: loser, winner_id: winner });
    let merge =
        MergeEntities { kind: EntityKind::Store, loser_id: EntityId(store), winner_id: EntityId(other) };
    log.run(alice(), &merge);
    let row = current(&log);
    let chapter = log.fold::<Preorders>().chapters.get(&id(FIRST)).cloned().unwrap();
    assert_eq!((row.figure_id, chapter.figure_id), (winner.uuid(), winner.uuid()));
    assert_eq!((row.store_id, chapter.store_id), (Some(other), Some(other)));
}

fn announce(log: &mut Log, figure: FigureId, first: Option<ReleaseDate>) {
    let mut edit = EditFigure::of(figure);
    edit.first_release = Some(first);
    log.run(alice(), &edit);
}

fn offered(log: &Log) -> Option<(String, String)> {
    let row = current(log);
    row.offered_release_date.map(|date| date.to_string()).zip(row.offered_release_date_precision)
}

fn said(date: &str, precision: &str) -> Option<(String, String)> {
    Some((date.to_owned(), precision.to_owned()))
}

#[test]
fn a_new_catalogue_date_is_offered_to_who_carried_the_old_one_until_their_own_changes() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    let (may, august) = (release("2027-05-01", Precision::Month), release("2027-08-01", Precision::Month));
    announce(&mut log, figure, Some(may));
    place(&mut log, figure, Some(may), None);
    assert_eq!(offered(&log), None);
    announce(&mut log, figure, Some(august));
    assert_eq!(offered(&log), said("2027-08-01", "month"));
    announce(&mut log, figure, Some(release("2027-08-01", Precision::Day)));
    assert_eq!(
        offered(&log),
        said("2027-08-01", "day"),
        "who was offered the old one is offered the new one"
    );
    announce(&mut log, figure, Some(may));
    assert_eq!(offered(&log), None, "the catalogue is back at their date");
    announce(&mut log, figure, Some(august));
    assert!(offered(&log).is_some());
    slip(&mut log, august);
    assert_eq!(offered(&log), None, "taken");
    announce(&mut log, figure, None);
    assert_eq!(offered(&log), None, "no date is no offer");
}

#[test]
fn a_date_of_ones_own_and_an_ended_pre_order_are_offered_nothing() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    let (may, june) = (release("2027-05-01", Precision::Month), release("2027-06-01", Precision::Month));
    announce(&mut log, figure, Some(may));
    place(&mut log, figure, Some(release("2027-05-01", Precision::Day)), None);
    announce(&mut log, figure, Some(june));
    assert_eq!(offered(&log), None, "the first of May is not May");
    slip(&mut log, june);
    announce(&mut log, figure, Some(may));
    assert_eq!(offered(&log), said("2027-05-01", "month"), "an earlier date, too");
    cancel(&mut log, "0", None);
    assert_eq!(offered(&log), None);
    announce(&mut log, figure, Some(june));
    assert_eq!(offered(&log), None);
}

#[test]
fn a_received_pre_order_is_offered_nothing() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    announce(&mut log, figure, Some(release("2027-05-01", Precision::Month)));
    assert_eq!(offered(&log), said("2027-05-01", "month"), "neither had a date before");
    step(&mut log, Steps::Receive { received_at: None, condition: None });
    assert_eq!(offered(&log), None);
    announce(&mut log, figure, Some(release("2027-06-01", Precision::Month)));
    assert_eq!(offered(&log), None);
}

#[test]
fn a_merged_figures_pre_orders_are_offered_the_dates_of_the_one_it_went_into() {
    let mut log = Log::new();
    let (may, june) = (release("2027-05-01", Precision::Month), release("2027-06-01", Precision::Month));
    let loser = log.figure(alice(), "Mina", None, &[], false);
    let winner = log.figure(alice(), "Harbour Pilot Mina", None, &[], false);
    announce(&mut log, loser, Some(may));
    place(&mut log, loser, Some(may), None);
    log.run(alice(), &MergeFigures { loser_id: loser, winner_id: winner });
    assert_eq!(offered(&log), None, "the winner took the date over");
    announce(&mut log, winner, Some(june));
    assert_eq!(offered(&log), said("2027-06-01", "month"));
    let third = log.figure(alice(), "Mina the Pilot", None, &[], false);
    announce(&mut log, third, Some(release("2027-09-01", Precision::Month)));
    log.run(alice(), &MergeFigures { loser_id: winner, winner_id: third });
    assert_eq!(offered(&log), said("2027-09-01", "month"), "the merge was a change of date for them");
    let rows = log.fold::<Preorders>();
    assert!(
        rows.catalogue_dates.get(&loser.uuid()).is_none()
            && rows.catalogue_dates.get(&winner.uuid()).is_none()
    );
}

#[test]
fn price_deposit_and_balance_are_kept() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    let mut edit = EditPreorder::of(alice(), piece());
    edit.price = Some(Some("125.50".parse().unwrap()));
    edit.balance_paid = Some(true);
    log.run(alice(), &edit);
    let row = current(&log);
    assert_eq!(paid(&row).to_string(), "140.5");
    let parts = breakdown(&row, Some((Decimal::from(130), "EUR".to_owned())), None);
    assert_eq!(parts.figure.unwrap().to_string(), "95.5");
    assert_eq!(parts.total.unwrap().to_string(), "140.5");
    assert_eq!(parts.delta.unwrap().to_string(), "-4.5", "deposit in, shipping out");
    let yen = Some((Decimal::from(19_800), "JPY".to_owned()));
    assert_eq!(breakdown(&row, yen.clone(), None).delta, None, "no rate is known");
    let quote = |code: &str, rate: i64| (code.parse().unwrap(), Decimal::from(rate));
    let day = "2026-10-30".parse().unwrap();
    let usd = RateTable::new(day, [quote("USD", 1)]).unwrap();
    assert_eq!(breakdown(&row, yen.clone(), Some(&usd)).delta, None, "the yen is not quoted");
    let table = RateTable::new(day, [quote("JPY", 175)]).unwrap();
    let across = breakdown(&row, yen, Some(&table));
    assert_eq!(across.delta.unwrap().to_string(), "12.36", "125.50 − 113.142857…, rounded once");
    assert_eq!(across.delta_rates_of, Some(day));
    let mut edit = EditPreorder::of(alice(), piece());
    edit.balance_paid = Some(false);
    log.run(alice(), &edit);
    assert_eq!(paid(&current(&log)), Decimal::from(30));
}

#[test]
fn a_cancelled_breakdown_tells_only_what_came_back() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    cancel(&mut log, "30", None);
    let parts = breakdown(&current(&log), Some((Decimal::from(130), "EUR".to_owned())), None);
    let expected = Breakdown {
        currency: Some("EUR".to_owned()),
        paid: Decimal::from(30),
        refunded: Some(Decimal::from(30)),
        ..Breakdown::default()
    };
    assert_eq!(parts, expected, "nothing was lost, so nothing is said of a loss");
}

fn dated(status: &str, date: Option<&str>, precision: &str) -> PreorderRow {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    place(&mut log, figure, None, None);
    let mut row = current(&log);
    row.status = status.to_owned();
    row.release_date_current = date.map(|d| d.parse().unwrap());
    row.release_date_precision = date.map(|_| precision.to_owned());
    row
}

#[test]
fn a_countdown_counts_whole_days() {
    let on = |today: &str| -> NaiveDate { today.parse().unwrap() };
    let day = dated("preordered", Some("2027-05-10"), "day");
    for (today, shown) in [("2027-05-07", "J-3"), ("2027-05-10", "J0"), ("2027-05-12", "J+2")] {
        assert_eq!(countdown(&day, on(today)).as_deref(), Some(shown));
    }
    let month = dated("preordered", Some("2027-05-01"), "month");
    for (today, shown) in [("2027-04-28", "J-3"), ("2027-05-31", "J0"), ("2027-06-02", "J+2")] {
        assert_eq!(countdown(&month, on(today)).as_deref(), Some(shown));
    }
    let year = dated("preordered", Some("2028-01-01"), "year");
    assert_eq!(countdown(&year, on("2028-12-31")).as_deref(), Some("J0"));
    assert_eq!(countdown(&dated("preordered", None, "day"), on("2027-05-07")), None);
    for over in ["received", "cancelled"] {
        assert_eq!(countdown(&dated(over, Some("2027-05-10"), "day"), on("2027-05-07")), None);
    }
}

#[test]
fn a_shipped_one_counts_to_its_delivery() {
    let mut row = dated("shipped", Some("2027-05-10"), "day");
    let at: DateTime<Utc> = "2027-06-01T23:30:00+02:00".parse().unwrap();
    row.shipped_at = Some(at);
    assert_eq!(countdown(&row, "2027-06-05".parse().unwrap()), None, "no estimate, no countdown");
    row.estimated_delivery_days = Some(7);
    assert_eq!(delivery_date(row.shipped_at, row.estimated_delivery_days).unwrap().to_string(), "2027-06-08");
    assert_eq!(countdown(&row, "2027-06-05".parse().unwrap()).as_deref(), Some("J-3"));
    let late: DateTime<Utc> = "2027-06-01T23:30:00-05:00".parse().unwrap();
    assert_eq!(delivery_date(Some(late), Some(7)).unwrap().to_string(), "2027-06-09", "the day is UTC's");
}
