use crate::support::*;
use database::testing::TestDb;
use domain::stream::Recorded;
use event_store::{Compound, EventStore, ExecuteError, FoldFailed, InlineFold, Options};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use uuid::Uuid;

/// Where the connection is cut, once, at the next commit.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    No = 0,
    /// The server never sees the commit.
    BeforeCommit = 1,
    /// The server commits and the client never hears of it.
    BeforeAnswer = 2,
    /// The client hears nothing more, and the commit arrives only a while later.
    Late = 3,
}

/// Stands between the appender and PostgreSQL.
struct Proxy {
    folder: PathBuf,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    async fn to(db: &TestDb) -> (Self, EventStore) {
        let folder = std::env::temp_dir().join(format!("fl-proxy-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let options = db.options();
        let name = format!(".s.PGSQL.{}", options.get_port());
        let server = options.get_socket().unwrap().join(&name);
        let listener = UnixListener::bind(folder.join(&name)).unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::No as u8));
        let armed = cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, armed) = (UnixStream::connect(&server).await.unwrap(), armed.clone());
                tokio::spawn(carry(client, server, armed));
            }
        });
        let pool = sqlx::postgres::PgPoolOptions::new().connect_lazy_with(options.socket(&folder));
        let store = open(&pool).await;
        (Self { folder, cut }, store)
    }

    fn arm(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }

    fn has_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst) == Cut::No as u8
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, armed: Arc<AtomicU8>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(n @ 1..) = read else { return };
                let commits = up[..n].windows(7).any(|w| w == b"COMMIT\0");
                let cut = if commits { armed.swap(Cut::No as u8, Ordering::SeqCst) } else { Cut::No as u8 };
                if cut == Cut::BeforeCommit as u8 {
                    return;
                }
                if cut == Cut::Late as u8 {
                    drop(client);
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    let _ = server.write_all(&up[..n]).await;
                    let _ = server.read(&mut down).await;
                    return;
                }
                if server.write_all(&up[..n]).await.is_err() {
                    return;
                }
                if cut == Cut::BeforeAnswer as u8 {
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_found_in_the_log_and_acknowledged_once() {
    let db = TestDb::new().await;
    let (proxy, store) = Proxy::to(&db).await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    proxy.arm(Cut::BeforeAnswer);
    let done = store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert!(proxy.has_cut());
    assert_eq!(log(&store).await[1..], done.events[..]);
    assert_eq!(store.execute(&Add(owner, figure()), &by(owner)).await.unwrap().versions[0].1.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_still_under_way_is_waited_for_and_not_done_again() {
    let db = TestDb::new().await;
    let (proxy, store) = Proxy::to(&db).await;
    let owner = user();
    proxy.arm(Cut::Late);
    let done = store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert!(proxy.has_cut());
    assert_eq!(log(&store).await, done.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_done_again_and_acknowledged_once() {
    let db = TestDb::new().await;
    let (proxy, store) = Proxy::to(&db).await;
    let owner = user();
    proxy.arm(Cut::BeforeCommit);
    let done = store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert!(proxy.has_cut());
    assert_eq!(log(&store).await, done.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_nothing_whose_commit_is_lost_is_recorded_once() {
    let db = TestDb::new().await;
    let (proxy, store) = Proxy::to(&db).await;
    let (owner, figure) = (user(), figure());
    store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    for (cut, key) in [(Cut::BeforeAnswer, "a"), (Cut::BeforeCommit, "b")] {
        proxy.arm(cut);
        let done = store.execute(&Wish(owner, figure), &keyed(owner, key, 1)).await.unwrap();
        assert!(proxy.has_cut() && !done.replayed && done.events.is_empty());
        assert!(store.execute(&Wish(owner, figure), &keyed(owner, key, 1)).await.unwrap().replayed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_appenders_killed_at_random_every_acknowledged_command_is_there_exactly_once() {
    let db = TestDb::new().await;
    let stores = [open(&db.pool).await, open(&db.pool).await];
    let stop = Arc::new(AtomicBool::new(false));
    let killer = {
        let (pool, stop) = (db.pool.clone(), stop.clone());
        tokio::spawn(async move {
            let mut killed = 0_i64;
            while !stop.load(Ordering::SeqCst) {
                let now: i64 = sqlx::query_scalar(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE application_name = 'figure-ledger appender' AND datname = current_database()
                       AND random() < 0.7",
                )
                .fetch_one(&pool)
                .await
                .unwrap();
                killed += now;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            killed
        })
    };
    let acknowledged = Arc::new(Mutex::new(HashMap::new()));
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let (store, acknowledged) = (stores[n % 2].clone(), acknowledged.clone());
            tokio::spawn(async move {
                let owner = user();
                for _ in 0..25 {
                    let how = by(owner);
                    let done = store.execute(&Add(owner, figure()), &how).await.unwrap();
                    acknowledged.lock().unwrap().insert(how.circumstances.command_id, done.events);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    assert!(killer.await.unwrap() > 0);
    let mut written: HashMap<_, Vec<Recorded>> = HashMap::new();
    for event in log(&stores[0]).await {
        written.entry(event.metadata.command_id).or_default().push(event);
    }
    assert_eq!(written.len(), 16 * 25);
    assert_eq!(written, *acknowledged.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_commands_are_told_so_and_afterwards_it_goes_on() {
    let db = TestDb::new().await;
    let options = Options { give_up_after: Duration::from_millis(50), ..Options::default() };
    let store = open_with(&db.pool, options).await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    let mut admin =
        <PgConnection as sqlx::Connection>::connect_with(&db.options().database("postgres")).await.unwrap();
    let name = &db.name;
    sqlx::query(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).execute(&mut admin).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1")
        .bind(name)
        .execute(&mut admin)
        .await
        .unwrap();
    let failed = store.execute(&Add(owner, figure()), &by(owner)).await;
    assert!(matches!(failed, Err(ExecuteError::Unavailable(_))), "{failed:?}");
    sqlx::query(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).execute(&mut admin).await.unwrap();
    until(async || store.execute(&Add(owner, figure()), &by(owner)).await.is_ok()).await;
    // A pool of its own: in the other one there may be connections that were cut.
    let pool = sqlx::PgPool::connect_with(db.options()).await.unwrap();
    assert_eq!(log(&open(&pool).await).await.len(), 2);
}

/// Counts events in a table of its own, or fails.
struct Counting {
    sql: &'static str,
    counted: i64,
    settled: Mutex<Vec<bool>>,
}

#[async_trait::async_trait]
impl InlineFold for Counting {
    async fn fold(
        &self,
        _: &mut PgConnection,
        events: &[Recorded],
        compound: &mut Compound,
    ) -> Result<(), FoldFailed> {
        let positions: Vec<i64> = events.iter().map(|e| e.position.0).collect();
        let bound = compound.bind(positions).unwrap();
        compound.counted_part(&self.sql.replace("$1", &bound), self.counted);
        Ok(())
    }

    fn settled(&self, committed: bool) {
        self.settled.lock().unwrap().push(committed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_inside_the_append_commits_with_it_and_its_failure_is_undone_alone() {
    for (sql, counted, folded_as, committed) in [
        ("INSERT INTO folded SELECT unnest($1::bigint[])", 2, vec![1, 2], true),
        ("INSERT INTO folded SELECT unnest($1::bigint[])", 7, vec![], false),
        ("INSERT INTO folded SELECT unnest($1::bigint[]) / 0", 2, vec![], false),
    ] {
        let db = TestDb::new().await;
        sqlx::query("CREATE TABLE folded (position bigint)").execute(&db.pool).await.unwrap();
        let fold = Arc::new(Counting { sql, counted, settled: Mutex::default() });
        let store = open(&db.pool).await;
        store.fold_inside(Some(fold.clone()));
        let owner = user();
        store.execute(&AddMany(owner, 2), &by(owner)).await.unwrap();
        store.fold_inside(None);
        store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
        assert_eq!(log(&store).await.len(), 3);
        let folded: Vec<i64> =
            sqlx::query_scalar("SELECT position FROM folded ORDER BY 1").fetch_all(&db.pool).await.unwrap();
        assert_eq!(folded, folded_as);
        assert_eq!(*fold.settled.lock().unwrap(), [committed]);
    }
}

struct Panicking;

#[async_trait::async_trait]
impl InlineFold for Panicking {
    async fn fold(&self, _: &mut PgConnection, _: &[Recorded], _: &mut Compound) -> Result<(), FoldFailed> {
        panic!("as asked")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_inside_the_append_that_panics_stops_nobody_from_appending() {
    let (_db, store) = fresh().await;
    store.fold_inside(Some(Arc::new(Panicking)));
    let owner = user();
    for _ in 0..2 {
        store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    }
    assert_eq!(log(&store).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_locks_what_a_fold_writes_keeps_nobody_from_appending() {
    let db = TestDb::new().await;
    sqlx::query("CREATE TABLE folded (position bigint)").execute(&db.pool).await.unwrap();
    let sql = "INSERT INTO folded SELECT unnest($1::bigint[])";
    let fold = Arc::new(Counting { sql, counted: 1, settled: Mutex::default() });
    let store = open(&db.pool).await;
    store.fold_inside(Some(fold.clone()));
    // What making an index takes.
    let mut index = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE folded IN SHARE MODE").execute(&mut *index).await.unwrap();
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert_eq!(*fold.settled.lock().unwrap(), [false]);
    index.rollback().await.unwrap();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert_eq!(log(&store).await.len(), 2);
    let folded: Vec<i64> =
        sqlx::query_scalar("SELECT position FROM folded").fetch_all(&db.pool).await.unwrap();
    assert_eq!(folded, [2]);
}

/// Panics where nothing catches it, once.
#[derive(Default)]
struct PanickingLate(AtomicBool);

#[async_trait::async_trait]
impl InlineFold for PanickingLate {
    async fn fold(&self, _: &mut PgConnection, _: &[Recorded], _: &mut Compound) -> Result<(), FoldFailed> {
        Ok(())
    }

    fn announces(&self) -> String {
        assert!(self.0.swap(true, Ordering::SeqCst), "as asked");
        String::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_batch_is_written_ends_nothing_but_that_batch() {
    let (_db, store) = fresh().await;
    store.fold_inside(Some(Arc::new(PanickingLate::default())));
    let owner = user();
    let failed = store.execute(&Add(owner, figure()), &by(owner)).await;
    assert!(matches!(failed, Err(ExecuteError::OutcomeUnknown)), "{failed:?}");
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    assert_eq!(log(&store).await.len(), 1);
}
