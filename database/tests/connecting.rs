//! From a source to a checked, migrated database, and what is said when that fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::{ScratchFolder, TestDb, eventually};
use database::{ConnectError, Database, MIGRATOR, MigrationError, Source, migrate};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;

async fn applied(pool: &PgPool) -> usize {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(pool).await.unwrap();
    usize::try_from(count).unwrap()
}

#[tokio::test]
async fn a_data_folder_opens_migrated_and_closes() {
    let folder = ScratchFolder::new();
    let source = Source::from_env_or_private(None, folder.path());
    for _ in 0..2 {
        let database = Database::open(&source).await.unwrap();
        assert_eq!(applied(&database.pool).await, MIGRATOR.iter().count());
        assert!(database.cluster.is_some());
        database.close().await.unwrap();
    }
    assert!(!folder.path().join("postgres/data/postmaster.pid").exists());
}

#[tokio::test]
async fn a_private_server_that_is_killed_comes_back_under_a_process_that_uses_it() {
    let folder = ScratchFolder::new();
    let database = Database::open(&Source::from_env_or_private(None, folder.path())).await.unwrap();
    sqlx::raw_sql("CREATE TABLE mark (id int); INSERT INTO mark VALUES (1)")
        .execute(&database.pool)
        .await
        .unwrap();
    let (server, data): (i32, String) = {
        let sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int, \
                   current_setting('data_directory')";
        sqlx::query_as(sql).fetch_one(&database.pool).await.unwrap()
    };
    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
    let pid_file = std::path::Path::new(&data).join("postmaster.pid");
    let is_another = || {
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        !text.is_empty() && !text.starts_with(&format!("{server}\n"))
    };
    let mut marks = None;
    eventually("another server answers", async || {
        // A connection of before may still be answered by what the dead server left behind.
        if is_another() {
            let counted = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM mark");
            marks = counted.fetch_one(&database.pool).await.ok();
        }
        marks.is_some()
    })
    .await;
    assert_eq!(marks, Some(1));
    database.close().await.unwrap();
    assert!(!pid_file.exists(), "whoever closes it stops it, and nobody starts it again");
}

#[tokio::test]
async fn a_database_url_is_used_as_it_is() {
    let db = TestDb::unmigrated().await;
    let folder = ScratchFolder::new();
    let source = Source::from_env_or_private(Some(db.url.clone()), folder.path());
    let database = Database::open(&source).await.unwrap();
    assert!(database.cluster.is_none());
    assert_eq!(applied(&db.pool).await, MIGRATOR.iter().count());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the data folder is left alone");
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_nobody_ends_lets_go_of_its_locks() {
    let db = TestDb::new().await;
    let database = Database::open(&Source::External(db.url.clone())).await.unwrap();
    // As one whose connection was swallowed: it neither goes on nor ends.
    let mut forgotten = database.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(1)").execute(&mut *forgotten).await.unwrap();
    let mut waiting = db.pool.acquire().await.unwrap();
    sqlx::raw_sql("SET lock_timeout = '60s'; SELECT pg_advisory_lock(1)")
        .execute(&mut *waiting)
        .await
        .unwrap();
    assert!(forgotten.commit().await.is_err());
}

#[tokio::test]
async fn migrating_twice_at_once_is_safe() {
    let db = TestDb::unmigrated().await;
    let outcomes = futures_join(&db.pool).await;
    for outcome in outcomes {
        outcome.unwrap();
    }
    assert_eq!(applied(&db.pool).await, MIGRATOR.iter().count());
}

async fn futures_join(pool: &PgPool) -> [Result<(), MigrationError>; 4] {
    let (a, b, c, d) =
        tokio::join!(migrate::run(pool), migrate::run(pool), migrate::run(pool), migrate::run(pool));
    [a, b, c, d]
}

#[tokio::test]
async fn a_failed_migration_leaves_no_lock_behind() {
    let db = TestDb::new().await;
    sqlx::query("UPDATE _sqlx_migrations SET version = 999999 WHERE version = 1")
        .execute(&db.pool)
        .await
        .unwrap();
    for _ in 0..2 {
        let error = migrate::run(&db.pool).await.unwrap_err();
        assert!(matches!(error, MigrationError::NewerDatabase(999_999)), "{error}");
    }
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND \
         database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_one(&db.pool)
    .await
    .unwrap();
    assert_eq!(held, 0);
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = Source::External(format!("postgres://amy:sesame@127.0.0.1:{port}/ledger"));
    let error = Database::open(&source).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_showing_it() {
    let error =
        Database::open(&Source::External("postgres://amy:sesame@host:port/x".to_owned())).await.unwrap_err();
    assert!(matches!(error, ConnectError::Url(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error:?}");
}

#[tokio::test]
async fn a_missing_database_is_reported_in_the_servers_words() {
    let db = TestDb::new().await;
    let url = db.url.replace(&db.name, "no_such_database");
    let error = Database::open(&Source::External(url)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn a_database_that_cannot_search_japanese_names_is_refused() {
    let db = TestDb::new().await;
    let suffix = db.name.trim_start_matches("test_").to_owned();
    for (how, wanted) in
        [("ENCODING 'UTF8' LOCALE 'C'", "locale"), ("ENCODING 'SQL_ASCII' LOCALE 'C'", "encoding")]
    {
        let name = format!("test_{suffix}_{wanted}");
        sqlx::raw_sql(&format!("CREATE DATABASE {name} TEMPLATE template0 {how}"))
            .execute(&db.pool)
            .await
            .unwrap();
        let error = Database::open(&Source::External(db.url.replace(&db.name, &name))).await.unwrap_err();
        sqlx::raw_sql(&format!("DROP DATABASE {name} WITH (FORCE)")).execute(&db.pool).await.unwrap();
        match wanted {
            "locale" => assert!(matches!(error, ConnectError::Locale { .. }), "{error}"),
            _ => assert!(matches!(error, ConnectError::Encoding { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_snapshot_sees_one_moment_and_is_not_replaced_when_it_is_lost() {
    let db = TestDb::new().await;
    sqlx::query("CREATE TABLE mark (id int)").execute(&db.pool).await.unwrap();
    let count =
        async |pool: &PgPool| sqlx::query_scalar::<_, i64>("SELECT count(*) FROM mark").fetch_one(pool).await;
    let snapshot = database::snapshot(&db.pool).await.unwrap();
    sqlx::query("INSERT INTO mark VALUES (1)").execute(&db.pool).await.unwrap();
    assert_eq!((count(&snapshot).await.unwrap(), count(&db.pool).await.unwrap()), (0, 1));
    assert!(sqlx::query("INSERT INTO mark VALUES (2)").execute(&snapshot).await.is_err(), "it only reads");
    let snapshot = database::snapshot(&db.pool).await.unwrap();
    assert_eq!(count(&snapshot).await.unwrap(), 1);
    let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&snapshot).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)").bind(process).execute(&db.pool).await.unwrap();
    assert!(count(&snapshot).await.is_err());
    assert!(count(&snapshot).await.is_err(), "another connection would see another moment");
}

#[tokio::test]
async fn a_table_that_grew_is_measured_once_and_a_small_one_never() {
    let db = TestDb::new().await;
    let measured = async || database::statistics::catch_up(&db.pool).await.unwrap();
    sqlx::raw_sql("CREATE TABLE heap (id int, text text); CREATE TABLE \"Small one\" (id int)")
        .execute(&db.pool)
        .await
        .unwrap();
    let grow = async |rows: i32| {
        sqlx::query("INSERT INTO heap SELECT n, repeat('x', 100) FROM generate_series(1, $1) AS n")
            .bind(rows)
            .execute(&db.pool)
            .await
            .unwrap();
    };
    sqlx::query("ALTER TABLE heap SET (autovacuum_enabled = off)").execute(&db.pool).await.unwrap();
    grow(100).await;
    assert!(!measured().await.contains(&"heap".to_owned()), "it is read whole in no time");
    grow(5_000).await;
    assert_eq!(measured().await, ["heap"]);
    assert!(measured().await.is_empty(), "the statistics know it now");
    grow(20_000).await;
    assert_eq!(measured().await, ["heap"]);
}
