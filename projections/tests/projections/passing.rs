//! What passes does not stop a read model: it is tried again, and shown meanwhile.

use crate::support::{Ledger, PATIENCE, differences, reached, status, stretch};
use database::testing::eventually;
use projections::engine::{Phase, State, Waited};

#[tokio::test(flavor = "multi_thread")]
async fn a_serialization_failure_is_tried_again_and_shown_and_stops_nothing() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    // Whoever writes figures is told to try again, as long as the table of troubles says so.
    sqlx::raw_sql(
        "CREATE TABLE troubles AS SELECT 1 AS trouble; \
         CREATE FUNCTION be_troubled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF EXISTS (SELECT FROM troubles) THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; \
         RETURN NULL; END $$; \
         CREATE TRIGGER troubled AFTER INSERT ON figures FOR EACH STATEMENT EXECUTE FUNCTION be_troubled()",
    )
    .execute(ledger.pool())
    .await
    .unwrap();
    let running = projections.run();
    let head = ledger.append(&stretch(0)).await;
    assert_eq!(projections.wait_for(&["entities"], head, PATIENCE).await, Waited::Reached);
    eventually("the trouble is shown", async || status(&projections, "figures").await.error.is_some()).await;
    let figures = status(&projections, "figures").await;
    assert_eq!((figures.state, figures.phase), (State::Running, Phase::CatchingUp));
    assert!(figures.error.unwrap().contains("not now"));
    assert_eq!(figures.failed_position, None);
    sqlx::query("DELETE FROM troubles").execute(ledger.pool()).await.unwrap();
    reached(&projections, head).await;
    eventually("it is shown that it is over", async || status(&projections, "figures").await.error.is_none())
        .await;
    running.stop().await;
    assert_eq!(differences(&projections).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_are_made_again_and_no_event_is_folded_twice() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let running = projections.run();
    let mut head = ledger.append(&stretch(0)).await;
    for part in 1..6 {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name LIKE 'figure-ledger projections%'",
        )
        .fetch_all(ledger.pool())
        .await
        .unwrap();
        head = ledger.append(&stretch(part)).await;
    }
    reached(&projections, head).await;
    running.stop().await;
    assert!(projections.status().await.unwrap().iter().all(|one| one.state == State::Running));
    assert_eq!(differences(&projections).await, []);
}
