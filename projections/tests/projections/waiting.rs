//! Reading one's own write.

use crate::support::{Ledger, PATIENCE, reached, stretch};
use domain::stream::Position;
use projections::engine::Waited;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_position_finds_the_rows_there() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let running = projections.run();
    for part in 0..5 {
        let head = ledger.append(&stretch(part)).await;
        assert_eq!(projections.wait_for(&["entities"], head, PATIENCE).await, Waited::Reached);
        let made: i64 =
            sqlx::query_scalar("SELECT count(*) FROM series").fetch_one(ledger.pool()).await.unwrap();
        assert_eq!(made, i64::try_from(part).unwrap() + 1);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_fold_learns_how_far_the_other_is() {
    let ledger = Ledger::new().await;
    let (folding, asking) = (ledger.projections().await, ledger.projections().await);
    let running = folding.run();
    let head = ledger.append(&stretch(0)).await;
    reached(&asking, head).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_patience_is_told_what_is_late() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let head = ledger.append(&stretch(0)).await;
    let late = projections.wait_for(&["figures", "entities"], head, Duration::ZERO).await;
    assert_eq!(late, Waited::Behind(vec!["figures".to_owned(), "entities".to_owned()]));
    let nothing = projections.wait_for(&["figures"], Position(0), Duration::ZERO).await;
    assert_eq!(nothing, Waited::Reached);
}
