//! The process dies at a named point; what it acknowledged, and only what it committed, is there.

use crate::support::*;
use database::testing::TestDb;
use std::process::Command;

const CHILD_DATABASE: &str = "FIGURE_LEDGER_TEST_CHILD_DATABASE";

/// Not a test of its own: run by the one below, in a process that is to die.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_appends_three_times() {
    let Ok(url) = std::env::var(CHILD_DATABASE) else { return };
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let store = open(&pool).await;
    let owner = user();
    for _ in 0..3 {
        store
            .execute(&Add(owner, figure()), &keyed(owner, &uuid::Uuid::now_v7().to_string(), 1))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_around_a_commit_leaves_all_of_it_or_nothing() {
    for (point, written) in [
        ("append.before_commit:2", 1),
        ("append.after_commit:2", 2),
        ("append.before_acknowledge:2", 2),
        ("append.nowhere", 3),
    ] {
        let db = TestDb::new().await;
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::child_that_appends_three_times"])
            .env(CHILD_DATABASE, &db.url)
            .env("FIGURE_LEDGER_CRASH_AT", point)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.success(), point == "append.nowhere", "{point}");
        let store = open(&db.pool).await;
        assert_eq!(log(&store).await.len(), written, "{point}");
        let records: i64 =
            sqlx::query_scalar("SELECT count(*) FROM command_records").fetch_one(&db.pool).await.unwrap();
        assert_eq!(records, i64::try_from(written).unwrap(), "{point}");
        // And the next process goes on.
        let owner = user();
        store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    }
}
