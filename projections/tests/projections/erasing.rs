//! An erased person leaves every table, whenever the events are folded and however many of them are blank.

use crate::support::{Ledger, added, differences, figure, in_collection, piece, reached, stretch, user};
use database::testing::eventually;
use domain::collection::{CollectionEvent, Origin};
use domain::dates::{Precision, ReleaseDate};
use domain::ids::{CabinetId, PieceId, PreorderId, UserId};
use domain::money::{Currency, Money};
use domain::preorder::{DateChanged, Placed, PreorderEvent, SlipSource, Status};
use domain::stream::{Event, Position, StreamId};
use domain::text::Location;
use projections::engine::{Definition, Projections};
use uuid::Uuid;

type Row = (String, String, Option<Uuid>, String, String);

fn owned(of: UserId, (stream, event): (StreamId, Event)) -> Row {
    (
        stream.aggregate_type().to_owned(),
        stream.aggregate_id(),
        Some(of.uuid()),
        event.event_type().to_owned(),
        event.to_json().unwrap(),
    )
}

fn day(text: &str) -> ReleaseDate {
    ReleaseDate::new(text.parse().unwrap(), Precision::Day).unwrap()
}

/// Photos, a scan and a receipt of a piece, as the samples of their events have them.
fn pictured(of: UserId, of_piece: PieceId, n: u128) -> impl Iterator<Item = Row> {
    let samples = [
        ("photos_added", include_str!("../../../domain/fixtures/collection.photos_added.v1.json")),
        ("scan_made", include_str!("../../../domain/fixtures/collection.scan_made.v1.json")),
        ("document_added", include_str!("../../../domain/fixtures/collection.document_added.v1.json")),
    ];
    samples.into_iter().map(move |(kind, sample)| {
        // Everybody's have ids of their own.
        let json = sample
            .replace("0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20", &of_piece.to_string())
            .replace("0198b6a0-5c1e-7f00-9a3b", &format!("0198b6a0-5c1e-7f00-{n:04x}"));
        let of = of.uuid();
        ("collection".to_owned(), of.to_string(), Some(of), format!("collection.{kind}"), json)
    })
}

/// What one person does with every table of theirs: cabinet, wishes, a piece, a pre-order that was replaced, dates
/// that moved, and pictures.
fn life(of: UserId, n: u128) -> Vec<Row> {
    let (first, second) = (PreorderId(Uuid::from_u128(n)), PreorderId(Uuid::from_u128(n + 1)));
    let ordered: PieceId = piece(n + 1);
    let placed = |preorder_id| Placed {
        preorder_id,
        user_id: of,
        piece_id: ordered,
        figure_id: figure(2),
        status: Status::Preordered,
        release: Some(day("2027-01-15")),
        cost: Default::default(),
        deposit: None,
        store_id: None,
        tracking_url: None,
        estimated_delivery_days: None,
    };
    let slipped = |preorder_id| {
        PreorderEvent::ReleaseDateSlipped(DateChanged {
            preorder_id,
            previous: day("2027-01-15"),
            release: day("2027-03-15"),
            source: SlipSource::User,
            note: None,
        })
    };
    let on_order = |event| (StreamId::Preorder(ordered), Event::Preorder(event));
    let new_piece = CollectionEvent::PieceAdded {
        piece_id: ordered,
        figure_id: figure(2),
        preordered: true,
        condition: None,
        cost: Default::default(),
        purchase_date: None,
        store_id: None,
        location: Some(Location::new("Attic").unwrap()),
        notes: None,
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
    };
    let cabinet = CollectionEvent::CabinetCreated {
        cabinet_id: CabinetId(Uuid::from_u128(n)),
        name: Location::new("Attic").unwrap(),
    };
    let cancelled = PreorderEvent::Cancelled {
        preorder_id: first,
        paid: "0".parse().unwrap(),
        refund: "0".parse().unwrap(),
        currency: None,
    };
    let value = Money::new("10".parse().unwrap(), Currency::Eur).unwrap();
    let valued = CollectionEvent::PieceValued { piece_id: piece(n), value };
    [
        in_collection(of, cabinet),
        added(of, n, figure(1)),
        in_collection(of, CollectionEvent::Wished { figure_id: figure(3), target: None, note: None }),
        in_collection(of, new_piece),
        on_order(PreorderEvent::Placed(placed(first))),
        on_order(slipped(first)),
        on_order(cancelled),
        on_order(PreorderEvent::Replaced(placed(second))),
        on_order(slipped(second)),
        in_collection(of, valued),
    ]
    .into_iter()
    .map(|event| owned(of, event))
    .chain(pictured(of, ordered, n))
    .collect()
}

fn end(of: UserId) -> Row {
    owned(of, in_collection(of, CollectionEvent::PersonErased {}))
}

/// How many rows of anybody's are in each table that has rows of people.
async fn rows_of(ledger: &Ledger, who: UserId) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_name = 'user_id' AND table_name = ANY($1) ORDER BY 1",
    )
    .bind(projections::all().iter().flat_map(Definition::tables).collect::<Vec<_>>())
    .fetch_all(ledger.pool())
    .await
    .unwrap();
    let mut counts = Vec::new();
    for table in tables {
        let count: i64 = sqlx::query_scalar(&format!("SELECT count(*) FROM {table} WHERE user_id = $1"))
            .bind(who.uuid())
            .fetch_one(ledger.pool())
            .await
            .unwrap();
        counts.push((table, count));
    }
    counts
}

async fn history(ledger: &Ledger) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM preorder_date_history").fetch_one(ledger.pool()).await.unwrap()
}

/// Live, rebuilt and verified tables agree.
async fn agree(ledger: &Ledger, projections: &Projections) {
    assert_eq!(differences(projections).await, []);
    let live = ledger.dump(projections).await;
    projections.rebuild(&[], |_| ()).await.unwrap();
    assert_eq!(ledger.dump(projections).await, live);
}

const ANNA: u128 = 70;
const BEN: u128 = 80;

async fn two_lives(ledger: &Ledger) -> Position {
    ledger.append(&stretch(0)).await;
    let mut rows = Vec::new();
    for (anna, ben) in life(user(ANNA), 1_000).into_iter().zip(life(user(BEN), 2_000)) {
        rows.extend([anna, ben]);
    }
    ledger.append_raw(&rows).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_an_erased_person_goes_and_nobody_elses() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    two_lives(&ledger).await;
    ledger.fold_all(&projections).await;
    let (anna, ben) = (rows_of(&ledger, user(ANNA)).await, rows_of(&ledger, user(BEN)).await);
    let waiting = "wishes_while_owned";
    assert!(anna.len() >= 10, "{anna:?}");
    assert!(
        anna.iter().all(|(table, rows)| *rows > 0 || table == waiting),
        "a life fills every table: {anna:?}"
    );
    let told = history(&ledger).await;
    ledger.append_raw(&[end(user(ANNA))]).await;
    ledger.fold_all(&projections).await;
    assert!(rows_of(&ledger, user(ANNA)).await.iter().all(|(_, rows)| *rows == 0));
    assert_eq!(rows_of(&ledger, user(BEN)).await, ben);
    assert_eq!(history(&ledger).await, told / 2);
    agree(&ledger, &projections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_agree_at_every_moment_of_the_blanking() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let running = projections.run();
    two_lives(&ledger).await;
    let mut from = ledger.append_raw(&[end(user(ANNA))]).await;
    reached(&projections, from).await;
    let live = ledger.dump(&projections).await;
    let mut rounds = 0;
    while let Some(position) =
        ledger.store.begin_blanking().await.unwrap().blank(user(ANNA), from, 3).await.unwrap()
    {
        from = position;
        agree(&ledger, &projections).await;
        assert_eq!(ledger.dump(&projections).await, live);
        rounds += 1;
    }
    assert_eq!(rounds, 5);
    running.stop().await;
    let anna = user(ANNA).uuid().to_string();
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT event_type FROM events WHERE owner_id = $1::uuid AND event_type NOT LIKE '%.erased'",
    )
    .bind(&anna)
    .fetch_all(ledger.pool())
    .await
    .unwrap();
    assert_eq!(left, ["collection.person_erased"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_are_behind_when_the_events_are_blanked_come_to_the_same() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    let rows = life(user(ANNA), 1_000);
    ledger.append_raw(&rows[..6]).await;
    ledger.fold_all(&projections).await;
    // Nobody folds while the rest happens: these events are never seen but blank.
    ledger.append_raw(&rows[6..]).await;
    let end = ledger.append_raw(&[end(user(ANNA))]).await;
    ledger.store.begin_blanking().await.unwrap().blank(user(ANNA), end, 1_000).await.unwrap();
    ledger.fold_all(&projections).await;
    assert!(rows_of(&ledger, user(ANNA)).await.iter().all(|(_, rows)| *rows == 0));
    agree(&ledger, &projections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_in_flight_does_not_bring_an_erased_person_back() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let running = projections.run();
    for part in 0..3 {
        ledger.append(&stretch(part)).await;
    }
    let head = ledger.append_raw(&life(user(ANNA), 1_000)).await;
    reached(&projections, head).await;
    // A reader keeps the rebuild from its swap, with the person's rows in the tables that it made.
    let mut reading = ledger.pool().begin().await.unwrap();
    for table in ["owned_items", "preorders", "activity_events", "achievements"] {
        sqlx::query(&format!("SELECT count(*) FROM {table}")).execute(&mut *reading).await.unwrap();
    }
    let rebuilding = {
        let projections = projections.clone();
        tokio::spawn(async move {
            let names = ["collection", "preorders", "activity", "achievements"];
            projections.rebuild(&names, |_| ()).await.unwrap();
        })
    };
    let shadowed = async || {
        let rows: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_tables WHERE schemaname IN ('shadow_collection', 'shadow_preorders', \
             'shadow_activity', 'shadow_achievements')",
        )
        .fetch_one(ledger.pool())
        .await
        .unwrap();
        rows
    };
    eventually("the rebuild is at its swaps", async || shadowed().await >= 10).await;
    let end = ledger.append_raw(&[end(user(ANNA))]).await;
    ledger.store.begin_blanking().await.unwrap().blank(user(ANNA), end, 1_000).await.unwrap();
    reading.commit().await.unwrap();
    rebuilding.await.unwrap();
    reached(&projections, end).await;
    running.stop().await;
    assert!(rows_of(&ledger, user(ANNA)).await.iter().all(|(_, rows)| *rows == 0));
    agree(&ledger, &projections).await;
}
