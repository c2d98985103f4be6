use crate::support::*;
use sqlx::Connection;

#[tokio::test(flavor = "multi_thread")]
async fn events_are_neither_changed_nor_removed() {
    let (db, store) = fresh().await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    for sql in [
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET payload = '{}' WHERE false",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET payload = '{}'",
    ] {
        let error = sqlx::query(sql).execute(&db.pool).await.unwrap_err();
        assert!(error.to_string().contains("events are never changed or removed"), "{sql}: {error}");
    }
    assert_eq!(log(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_person_is_the_one_way_to_remove_events_and_ends_with_its_transaction() {
    let (db, store) = fresh().await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    let mut connection = sqlx::PgConnection::connect_with(&db.options()).await.unwrap();
    let mut erasure = connection.begin().await.unwrap();
    sqlx::query("SELECT set_config('figure_ledger.erasure', 'on', true)")
        .execute(&mut *erasure)
        .await
        .unwrap();
    sqlx::query("UPDATE events SET payload = '{}'").execute(&mut *erasure).await.unwrap();
    let gone = sqlx::query("DELETE FROM events").execute(&mut *erasure).await.unwrap();
    assert_eq!(gone.rows_affected(), 1);
    erasure.rollback().await.unwrap();
    assert!(sqlx::query("DELETE FROM events").execute(&mut connection).await.is_err());
    assert_eq!(log(&store).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_never_share_a_position_or_a_number_in_their_stream() {
    let (db, store) = fresh().await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    for (position, sequence, constraint) in
        [("position", "sequence + 1", "events_position_key"), ("position + 1", "sequence", "events_pkey")]
    {
        let error = sqlx::query(&format!(
            "INSERT INTO events SELECT {position}, {sequence}, recorded_at, event_id, owner_id, aggregate_type,
             aggregate_id, event_type, event_version, payload, metadata FROM events"
        ))
        .execute(&db.pool)
        .await
        .unwrap_err();
        assert_eq!(error.as_database_error().unwrap().constraint(), Some(constraint));
    }
}
