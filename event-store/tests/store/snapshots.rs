use crate::support::*;
use database::testing::TestDb;
use domain::ids::UserId;
use domain::stream::{StreamId, Version};
use event_store::{EventStore, Options};
use sqlx::PgPool;

/// A collection of 130 events with a snapshot at version 120 or 130.
async fn long_stream(db: &TestDb) -> (EventStore, UserId) {
    let store = open_with(&db.pool, Options { snapshot_every: 60, ..Options::default() }).await;
    let owner = user();
    store.execute(&AddMany(owner, 119), &by(owner)).await.unwrap();
    until(async || taken(&db.pool).await == [119]).await;
    store.execute(&AddMany(owner, 1), &by(owner)).await.unwrap();
    until(async || taken(&db.pool).await == [120]).await;
    store.execute(&AddMany(owner, 10), &by(owner)).await.unwrap();
    (store, owner)
}

async fn taken(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("SELECT last_sequence FROM snapshots").fetch_all(pool).await.unwrap()
}

async fn change(pool: &PgPool, sql: &str) {
    assert_eq!(sqlx::query(sql).execute(pool).await.unwrap().rows_affected(), 1);
}

/// Whether loading the collection finds what the tampered snapshot says: no cabinets, but a wish.
async fn pieces_loaded(pool: &PgPool, owner: UserId) -> (usize, Version) {
    let (state, version) = collection(&open(pool).await, owner).await;
    (state.pieces.len(), version)
}

const EMPTIED: &str =
    r#"{"pieces":{},"live":{},"deleted_imports":[],"wishes":{},"cabinets":{},"version":120}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_stream_is_loaded_from_its_snapshot() {
    let db = TestDb::new().await;
    let (_store, owner) = long_stream(&db).await;
    assert_eq!(pieces_loaded(&db.pool, owner).await, (130, Version(130)));
    // Tampered with, to see that it is the snapshot that counts, with the events after it.
    change(&db.pool, &format!("UPDATE snapshots SET payload = '{EMPTIED}'")).await;
    assert_eq!(pieces_loaded(&db.pool, owner).await, (10, Version(130)));
    // An earlier version than the snapshot's is folded from the events.
    let (state, _) =
        open(&db.pool).await.state_at(&StreamId::Collection(owner), Some(Version(110))).await.unwrap();
    assert!(matches!(state, domain::world::State::Collection(c) if c.pieces.len() == 110));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_of_another_shape_or_damaged_or_not_of_this_log_is_passed_over() {
    for tampering in [
        "UPDATE snapshots SET shape = shape + 1".to_owned(),
        r#"UPDATE snapshots SET payload = '{"pieces": 7}'"#.to_owned(),
        format!("UPDATE snapshots SET payload = '{}'", EMPTIED.replace("120", "119")),
        "UPDATE snapshots SET event_id = gen_random_uuid()".to_owned(),
        "UPDATE snapshots SET last_sequence = 400".to_owned(),
        "DELETE FROM snapshots".to_owned(),
    ] {
        let db = TestDb::new().await;
        let (_store, owner) = long_stream(&db).await;
        change(&db.pool, &format!("UPDATE snapshots SET payload = '{EMPTIED}'")).await;
        change(&db.pool, &tampering).await;
        assert_eq!(pieces_loaded(&db.pool, owner).await, (130, Version(130)), "{tampering}");
        let store = open(&db.pool).await;
        let done = store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
        assert_eq!(done.versions[0].1, Version(131));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_taken_again_when_loading_has_become_long() {
    let db = TestDb::new().await;
    let store = open_with(&db.pool, Options { snapshot_every: 60, ..Options::default() }).await;
    let owner = user();
    store.execute(&AddMany(owner, 170), &by(owner)).await.unwrap();
    until(async || taken(&db.pool).await == [170]).await;
    change(&db.pool, "DELETE FROM snapshots").await;
    collection(&open_with(&db.pool, Options { snapshot_every: 60, ..Options::default() }).await, owner).await;
    until(async || taken(&db.pool).await == [170]).await;
}
