//! Throwing read models away and making them anew, while they serve.

use crate::support::{Ledger, catalogued, differences, figure, on_figure, reached, stretch};
use domain::figure::FigureEvent;
use domain::stream::Position;
use projections::engine::{Definition, EngineError};
use projections::figures::Figures;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_leaves_every_row_index_and_constraint_as_it_was() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    for part in 0..4 {
        ledger.append(&stretch(part)).await;
    }
    ledger.fold_all(&projections).await;
    let (rows, shape) = (ledger.dump(&projections).await, ledger.shape().await);
    assert!(rows.iter().any(|(table, rows)| table == "figures" && rows.len() == 4 * 8 - 3));
    let mut told = Vec::new();
    let rebuilt = projections.rebuild(&[], |progress| told.push(progress)).await.unwrap();
    let head = ledger.store.head().await.unwrap();
    assert!(rebuilt.iter().all(|rebuilt| rebuilt.position == head));
    assert_eq!(rebuilt.len(), projections.definitions().len());
    assert_eq!((told.last().unwrap().position, told.last().unwrap().head), (head, head));
    assert_eq!(ledger.dump(&projections).await, rows);
    assert_eq!(ledger.shape().await, shape);
    let shadows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'shadow_')")
            .fetch_one(ledger.pool())
            .await
            .unwrap();
    assert_eq!(shadows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_arrive_during_a_rebuild_are_neither_lost_nor_doubled() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let running = projections.run();
    let head = ledger.append(&stretch(0)).await;
    reached(&projections, head).await;
    let done = AtomicBool::new(false);
    let appending = async {
        let mut part = 1;
        while !done.load(Ordering::Relaxed) {
            ledger.append(&stretch(part)).await;
            // Read while the tables change places: the query's plan must survive it.
            let found: i64 =
                sqlx::query_scalar("SELECT count(*) FROM figures").fetch_one(ledger.pool()).await.unwrap();
            assert!(found >= 8, "the rows are never gone");
            part += 1;
        }
        part
    };
    let rebuilding = async {
        for _ in 0..3 {
            projections.rebuild(&[], |_| ()).await.unwrap();
        }
        done.store(true, Ordering::Relaxed);
    };
    let (parts, ()) = tokio::join!(appending, rebuilding);
    assert!(parts > 1);
    reached(&projections, ledger.store.head().await.unwrap()).await;
    running.stop().await;
    assert_eq!(differences(&projections).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_version_is_rebuilt_at_the_start_and_the_old_rows_serve_until_then() {
    let ledger = Ledger::new().await;
    let before = ledger.projections_of(vec![Definition::of::<Figures>()]).await;
    let head = ledger.append(&stretch(0)).await;
    ledger.fold_all(&before).await;
    // A row that only a rebuild would put right.
    sqlx::query("UPDATE figures SET name = 'Touched'").execute(ledger.pool()).await.unwrap();
    let mut raised = Definition::of::<Figures>();
    raised.version += 1;
    let after = ledger.projections_of(vec![raised]).await;
    let touched = "SELECT count(*) FROM figures WHERE name = 'Touched'";
    let serving: i64 = sqlx::query_scalar(touched).fetch_one(ledger.pool()).await.unwrap();
    assert_eq!(serving, 8);
    let running = after.run();
    let next = ledger.append(&stretch(1)).await;
    reached(&after, next).await;
    let left: i64 = sqlx::query_scalar(touched).fetch_one(ledger.pool()).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(after.status().await.unwrap()[0].version, raised.version);
    assert!(head < next);
    running.stop().await;

    // The older release no longer folds it, nor may it undo the newer one's tables.
    let running = before.run();
    ledger.append(&stretch(2)).await;
    assert!(matches!(before.rebuild(&["figures"], |_| ()).await, Err(EngineError::OtherVersion { .. })));
    assert!(matches!(
        before.verify(&["figures"], |_| (), |_, _| ()).await,
        Err(EngineError::OtherVersion { .. })
    ));
    assert_eq!(before.status().await.unwrap()[0].position, next);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_fails_leaves_the_live_tables_alone() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    ledger.fold_all(&projections).await;
    let rows = ledger.dump(&projections).await;
    let poison = ledger.append(&[on_figure(666, FigureEvent::NsfwMarked { is_nsfw: true })]).await;
    match projections.rebuild(&[], |_| ()).await {
        Err(EngineError::Failed { projection, failure }) => {
            assert_eq!((projection, failure.position), ("figures", poison));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.dump(&projections).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_are_ahead_of_a_restored_older_log_are_put_back_to_its_end() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    let rows = ledger.dump(&projections).await;
    let ahead = "UPDATE projection_checkpoints SET position = position + 1000";
    sqlx::query(ahead).execute(ledger.pool()).await.unwrap();
    let rebuilding = projections.rebuild(&[], |_| ());
    let rebuilt = tokio::time::timeout(Duration::from_secs(60), rebuilding).await.expect("it ends").unwrap();
    let head = ledger.store.head().await.unwrap();
    assert!(rebuilt.iter().all(|rebuilt| rebuilt.position == head));
    assert!(projections.status().await.unwrap().iter().all(|status| status.position == head));
    assert_eq!(ledger.dump(&projections).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_interrupted_rebuild_left_behind_is_dropped_by_the_next_leader_but_not_one_under_way() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    for schema in ["shadow_figures", "shadow_entities"] {
        let sql = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.figures (id uuid)");
        sqlx::raw_sql(&sql).execute(ledger.pool()).await.unwrap();
    }
    // Somebody else is rebuilding the entities.
    let mut other = ledger.pool().acquire().await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(x'70726f6a'::int, hashtext('entities'))")
        .execute(&mut *other)
        .await
        .unwrap();
    let head = ledger.append(&stretch(0)).await;
    let running = projections.run();
    reached(&projections, head).await;
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, 'shadow_') ORDER BY 1",
    )
    .fetch_all(ledger.pool())
    .await
    .unwrap();
    assert_eq!(left, ["shadow_entities"]);
    assert!(matches!(projections.rebuild(&["entities"], |_| ()).await, Err(EngineError::Busy("entities"))));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_tables_are_made_again_and_filled() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    let rows = ledger.dump(&projections).await;
    sqlx::raw_sql(
        "DROP TABLE figure_series; DELETE FROM projection_checkpoints WHERE projection = 'entities'",
    )
    .execute(ledger.pool())
    .await
    .unwrap();
    let projections = ledger.projections().await;
    let starting = projections.status().await.unwrap();
    let at = |name: &str| starting.iter().find(|status| status.name == name).unwrap().position;
    assert_eq!((at("figures"), at("entities")), (Position(0), Position(0)));
    ledger.fold_all(&projections).await;
    assert_eq!(ledger.dump(&projections).await, rows);
    assert!(rows.iter().any(|(_, rows)| rows.iter().any(|row| row.contains(&figure(1).to_string()))));
}
