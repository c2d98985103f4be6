//! Taking a person out of the log, and what must not bring them back.

use crate::support::*;
use database::testing::TestDb;
use domain::collection::Collection;
use domain::ids::UserId;
use domain::refusal::Code;
use domain::stream::{Position, StreamId, Version};
use domain::world::State;
use event_store::{EventStore, ExecuteError, Options};
use sqlx::Connection;
use std::sync::Arc;
use uuid::Uuid;

/// Everything that erasing does to the log.
async fn erase(store: &EventStore, person: UserId) -> Position {
    let end = store.end_person(person, None, None).await.unwrap();
    let mut from = end;
    while let Some(position) = store.begin_blanking().await.unwrap().blank(person, from, 7).await.unwrap() {
        assert!(position < from);
        from = position;
    }
    store.forget_person(person).await.unwrap();
    end
}

/// All that the database holds, as text.
async fn everything(db: &TestDb) -> String {
    let mut all = String::new();
    for table in ["events", "snapshots", "command_records"] {
        let rows: Vec<String> = sqlx::query_scalar(&format!("SELECT t::text FROM {table} AS t"))
            .fetch_all(&db.pool)
            .await
            .unwrap();
        all.extend(rows);
    }
    all
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, ExecuteError>) {
    match outcome {
        Err(ExecuteError::Refused(refusal)) => assert_eq!(refusal.code, Code::PersonErased),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_erased_person_keep_their_places_and_say_nothing() {
    let (db, store) = fresh().await;
    let (anna, ben) = (user(), user());
    store.execute(&CreateCabinet(anna, "Attic of secrets"), &keyed(anna, "a key of hers", 1)).await.unwrap();
    store.execute(&AddMany(anna, 40), &by(anna)).await.unwrap();
    store.execute(&CreateCabinet(ben, "Cellar"), &by(ben)).await.unwrap();
    let before = log(&store).await;
    let end = erase(&store, anna).await;
    let after = log(&store).await;
    assert_eq!(after.len(), before.len() + 1);
    for (was, is) in before.iter().zip(&after) {
        assert_eq!(
            (was.position, was.event_id, &was.stream, was.version, was.recorded_at),
            (is.position, is.event_id, &is.stream, is.version, is.recorded_at)
        );
        assert_eq!(is.event.is_erased(), is.owner == Some(anna));
    }
    assert_eq!(after.last().unwrap().position, end);
    assert_eq!(after.last().unwrap().event.event_type(), "collection.person_erased");
    let all = everything(&db).await;
    assert!(!all.contains("Attic of secrets") && !all.contains("a key of hers") && all.contains("Cellar"));
    let (state, version) = store.state_at(&StreamId::Collection(anna), None).await.unwrap();
    assert_eq!(version, Version(42));
    let nothing = Collection { erased: true, version, ..Collection::default() };
    assert_eq!(state, State::Collection(Arc::new(nothing)));
    crate::framework::assert_all_same(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_twice_ends_the_stream_once() {
    let (_db, store) = fresh().await;
    let anna = user();
    store.execute(&Add(anna, figure()), &by(anna)).await.unwrap();
    let first = erase(&store, anna).await;
    assert_eq!(erase(&store, anna).await, first);
    assert_eq!(log(&store).await.len(), 2);
    // Somebody who never did anything can be erased as well.
    let ben = user();
    erase(&store, ben).await;
    assert_refused(store.execute(&Add(ben, figure()), &by(ben)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_writer_in_another_process_is_refused_though_it_remembers_the_person() {
    let (db, store) = fresh().await;
    let anna = user();
    let other = open(&db.pool).await;
    other.execute(&Add(anna, figure()), &by(anna)).await.unwrap();
    // Decided on what it remembers, and waiting to be written, when the person is erased.
    let held = HeldLock::take(&db).await;
    let late = {
        let other = other.clone();
        tokio::spawn(async move { other.execute(&CreateCabinet(anna, "Too late"), &by(anna)).await })
    };
    until_waiting_for_lock(&db, 1).await;
    // The end of the stream goes in as a process without that wait would have written it.
    let mut first = sqlx::PgConnection::connect_with(&db.options()).await.unwrap();
    sqlx::query(
        "INSERT INTO events SELECT position + 1, sequence + 1, recorded_at, gen_random_uuid(), owner_id, \
         aggregate_type, aggregate_id, 'collection.person_erased', '1', '{\"person_erased\": {}}', metadata \
         FROM events",
    )
    .execute(&mut first)
    .await
    .unwrap();
    held.let_go().await;
    assert_refused(late.await.unwrap());
    erase(&store, anna).await;
    for _ in 0..2 {
        assert_refused(other.execute(&Add(anna, figure()), &by(anna)).await);
        assert_refused(other.execute(&Wish(anna, figure()), &keyed(anna, "again", 1)).await);
    }
    assert_eq!(log(&store).await.len(), 2);
    assert!(!everything(&db).await.contains("again"), "a refusal leaves no record");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_can_read_is_no_hindrance() {
    let (db, store) = fresh().await;
    let anna = user();
    store.execute(&Add(anna, figure()), &by(anna)).await.unwrap();
    let mut broken = db.pool.begin().await.unwrap();
    sqlx::query("SET LOCAL figure_ledger.erasure = 'on'").execute(&mut *broken).await.unwrap();
    sqlx::query("UPDATE events SET payload = '{\"from a later release\": 1}'")
        .execute(&mut *broken)
        .await
        .unwrap();
    broken.commit().await.unwrap();
    let fresh = open(&db.pool).await;
    assert!(fresh.state_at(&StreamId::Collection(anna), None).await.is_err());
    erase(&fresh, anna).await;
    assert!(fresh.state_at(&StreamId::Collection(anna), None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_saved_late_does_not_bring_the_person_back() {
    let db = TestDb::new().await;
    let store = open_with(&db.pool, Options { snapshot_every: 60, ..Options::default() }).await;
    let anna = user();
    store.execute(&AddMany(anna, 60), &by(anna)).await.unwrap();
    let taken = async || {
        let taken: i64 =
            sqlx::query_scalar("SELECT count(*) FROM snapshots").fetch_one(&db.pool).await.unwrap();
        taken
    };
    until(async || taken().await == 1).await;
    // One that is being saved when the events are blanked: it stands, uncommitted, until then.
    let saved: (String, String, i64, i32, Uuid) = sqlx::query_as(
        "DELETE FROM snapshots RETURNING aggregate_type, aggregate_id, last_sequence, shape, event_id",
    )
    .fetch_one(&db.pool)
    .await
    .unwrap();
    let end = store.end_person(anna, None, None).await.unwrap();
    let mut saving = db.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM events WHERE event_id = $1 FOR SHARE")
        .bind(saved.4)
        .execute(&mut *saving)
        .await
        .unwrap();
    let blanking = {
        let store = store.clone();
        tokio::spawn(async move {
            store.begin_blanking().await.unwrap().blank(anna, end, 1_000).await.unwrap();
            store.forget_person(anna).await.unwrap();
        })
    };
    until(async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&db.pool)
        .await
        .unwrap();
        waiting > 0
    })
    .await;
    sqlx::query(
        "INSERT INTO snapshots (aggregate_type, aggregate_id, last_sequence, shape, event_id, payload) \
         VALUES ($1, $2, $3, $4, $5, '{}')",
    )
    .bind(saved.0)
    .bind(saved.1)
    .bind(saved.2)
    .bind(saved.3)
    .bind(saved.4)
    .execute(&mut *saving)
    .await
    .unwrap();
    saving.commit().await.unwrap();
    blanking.await.unwrap();
    assert_eq!(taken().await, 0);
    // Loading the stream anew comes to so many events that a snapshot would be due; it is of the end alone.
    let (state, _) = collection(&open(&db.pool).await, anna).await;
    assert!(state.erased && state.pieces.is_empty());
}
