//! What `database::testing` promises to every other crate's tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use sqlx::{Connection, PgConnection};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

#[tokio::test]
async fn two_test_databases_do_not_see_each_other() {
    let (one, two) = tokio::join!(TestDb::new(), TestDb::new());
    sqlx::query("CREATE TABLE mark (id int)").execute(&one.pool).await.unwrap();
    let there: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('mark')::text").fetch_one(&two.pool).await.unwrap();
    assert_eq!(there, None);
    assert_ne!(one.name, two.name);
}

#[tokio::test]
async fn a_test_database_is_migrated() {
    let db = TestDb::new().await;
    let (applied,): (i64,) = sqlx::query_as("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(applied as usize, database::MIGRATOR.iter().count());
}

#[tokio::test]
async fn a_keyed_template_is_set_up_once_and_cloned() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let key = Uuid::now_v7().to_string();
    let make = || {
        TestDb::from_template(&key, async |pool| {
            RUNS.fetch_add(1, Ordering::SeqCst);
            sqlx::query("CREATE TABLE extra (id int)").execute(&pool).await.map(drop)
        })
    };
    let (one, two) = tokio::join!(make(), make());
    let three = make().await;
    for db in [&one, &two, &three] {
        sqlx::query("INSERT INTO extra VALUES (1)").execute(&db.pool).await.unwrap();
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM extra").fetch_one(&db.pool).await.unwrap();
        assert_eq!(count, 1);
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_url_of_a_test_database_works_for_psql_and_for_sqlx() {
    let db = TestDb::new().await;
    let mut connection = PgConnection::connect(&db.url).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, db.name);
    match Command::new("psql").args([&db.url, "-Atc", "SELECT current_database()"]).output() {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), db.name, "{output:?}"),
        Err(e) => println!("skipped psql: {e}"),
    }
}

#[tokio::test]
#[ignore = "a process for another test, not a test"]
async fn hangs_for_ever() {
    let _db = TestDb::new().await;
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    println!("\nchild {}", child.id());
    child.wait().unwrap();
}

#[test]
fn a_test_that_hangs_is_named_and_ended_with_the_programs_it_started() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hangs_for_ever", "--nocapture"])
        .env("FIGURE_LEDGER_TEST_LIMIT", "2")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains("TEST TOOK TOO LONG: more than 2 s: hangs_for_ever (test_"), "{told}");
    let said = String::from_utf8_lossy(&output.stdout);
    let child = said.lines().find_map(|line| line.strip_prefix("child ")).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[tokio::test]
async fn names_in_japanese_have_trigrams() {
    let db = TestDb::new().await;
    let count: i32 =
        sqlx::query_scalar("SELECT cardinality(show_trgm('フィギュア'))").fetch_one(&db.pool).await.unwrap();
    assert!(count > 0);
}
