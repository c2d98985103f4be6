//! Support for tests that touch SQL: one real database per test, in milliseconds.
//!
//! All test processes of a checkout share one private cluster without fsync, in `test-postgres` under
//! cargo's target folder. It is started by the first test and left running. A migrated template is made
//! once per set of migrations, and every test gets a clone of it:
//!
//! ```no_run
//! # async fn example() -> Result<(), sqlx::Error> {
//! let db = database::testing::TestDb::new().await;
//! sqlx::query("SELECT 1").execute(&db.pool).await?;
//! # Ok(()) }
//! ```
//!
//! Set-up failures panic: a test cannot go on without its database. No test may hang: waits go through
//! [`eventually`], and a test that holds its database for ten minutes is named and ends the process.
#![allow(clippy::panic, reason = "test support: a test that has no database must fail at once")]

mod watchdog;

use crate::cluster::{self, Cluster, ClusterOptions, Durability};
use crate::migrate::{self, MIGRATOR};
use chrono::{Duration as Age, Utc};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;
use watchdog::Watched;

const MAINTENANCE: &str = "postgres";
/// Serialises the building of templates between processes. The number means nothing.
const TEMPLATE_LOCK: i64 = 0x6669_6775_7265;
const KEEP_TEST: Age = Age::hours(1);
const EVENTUALLY: Duration = Duration::from_secs(60);
const KEEP_TEMPLATE: &str = "2 days";

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static DROPPER: OnceLock<Sender<String>> = OnceLock::new();

/// A database for one test. When it is dropped, the database goes too, in the background, except when
/// the test is failing: then it stays for an hour or so, and its URL is printed.
#[derive(Debug)]
pub struct TestDb {
    /// At most ten connections, opened when needed.
    pub pool: PgPool,
    /// Where it is; other processes of this user can connect to it.
    pub url: String,
    /// `test_`, a time-ordered id, and the process that made it.
    pub name: String,
    _watched: Watched,
}

impl TestDb {
    /// A fresh, migrated, empty database.
    ///
    /// # Panics
    /// When there is no PostgreSQL or a migration fails.
    pub async fn new() -> Self {
        let template = base_template().await;
        Self::clone_of(&template, async || base_template().await).await
    }

    /// A clone of a template that `setup` prepared: it runs once per `key` and set of migrations, on a
    /// migrated database, and all tests with that key get copies of the outcome. Whatever changes what
    /// `setup` does must change `key` (put a hash or version in it).
    ///
    /// # Panics
    /// As [`new`](Self::new), and when `setup` fails.
    pub async fn from_template<E: std::fmt::Display>(
        key: &str,
        setup: impl AsyncFn(PgPool) -> Result<(), E>,
    ) -> Self {
        let name = format!("template_{}_{}", migrations_hash(), hash(&[key.as_bytes()]));
        let build = async || {
            let base = base_template().await;
            template(&name, &base, async |options| {
                let pool = PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
                let outcome = setup(pool.clone()).await;
                pool.close().await;
                outcome.map_err(|e| e.to_string())
            })
            .await;
            name.clone()
        };
        build().await;
        Self::clone_of(&name, build).await
    }

    /// An empty database without any migration.
    ///
    /// # Panics
    /// When there is no PostgreSQL.
    pub async fn unmigrated() -> Self {
        Self::clone_of("template0", async || "template0".to_owned()).await
    }

    /// How to connect, for a pool of another size.
    ///
    /// # Panics
    /// Never: a `TestDb` means that the cluster runs.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    async fn clone_of(template: &str, rebuild: impl AsyncFn() -> String) -> Self {
        let name = format!("test_{}_{}", Uuid::now_v7().simple(), std::process::id());
        let watched = Watched::begin(&name);
        let mut connection = maintenance().await;
        // Copying files is three times as fast here as logging them; PostgreSQL 14 knows only that way.
        let strategy =
            if connection.server_version_num() >= Some(150_000) { "STRATEGY file_copy" } else { "" };
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
        let mut attempts = 0;
        loop {
            match sqlx::raw_sql(&sql).execute(&mut connection).await {
                Ok(_) => break,
                // 3D000: another process thought the template too old. 55006: someone is in it.
                Err(sqlx::Error::Database(e))
                    if attempts < 20 && matches!(e.code().as_deref(), Some("3D000" | "55006")) =>
                {
                    attempts += 1;
                    rebuild().await;
                }
                Err(e) => panic!("cannot make the test's database: {e}"),
            }
        }
        let _ = connection.close().await;
        let cluster = cluster().await;
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(30))
            .test_before_acquire(false)
            .connect_lazy_with(cluster.options_for(&name));
        Self { pool, url: cluster.url_for(&name), name, _watched: watched }
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of the failing test stays for an hour: psql '{}'", self.url);
            let kept = kept_folder();
            let _ = std::fs::create_dir_all(&kept).and_then(|()| std::fs::write(kept.join(&self.name), ""));
        } else if let Some(dropper) = DROPPER.get() {
            let _ = dropper.send(self.name.clone());
        }
    }
}

/// A throw-away folder for `--data`. Dropping it stops the private cluster in it, if one runs, and
/// deletes everything.
#[derive(Debug)]
pub struct ScratchFolder {
    path: PathBuf,
    _watched: Watched,
}

impl ScratchFolder {
    /// Makes an empty folder under the system's temporary one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("figure-ledger-test-{}", Uuid::now_v7().simple()));
        if let Err(e) = std::fs::create_dir_all(&path) {
            panic!("cannot make {}: {e}", path.display());
        }
        let watched = Watched::begin(&path.to_string_lossy());
        Self { path, _watched: watched }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Default for ScratchFolder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        cluster::erase(&self.path);
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Asks until it is so. Every wait of a test has an end; this one's comes after a minute.
///
/// # Panics
/// When it is not so by then; says `what` was waited for.
pub async fn eventually(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(EVENTUALLY, what, is_so).await;
}

async fn within(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(limit, asking).await.is_err() {
        panic!("{what}: that did not come to pass within {} s", limit.as_secs());
    }
}

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let options = ClusterOptions { durability: Durability::Off, max_connections: 300 };
            let cluster = match Cluster::join_or_start_with(&test_folder(), options).await {
                Ok(cluster) => cluster,
                Err(e) => panic!("no PostgreSQL for the tests: {e}"),
            };
            start_dropper(cluster.options_for(MAINTENANCE));
            cluster
        })
        .await
}

/// Cargo marks its target folder with a tag; the test binary is somewhere below it.
fn test_folder() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    let target = executable
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file())
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    target.join("test-postgres")
}

/// Names of databases of failed tests.
fn kept_folder() -> PathBuf {
    test_folder().join("kept")
}

async fn maintenance() -> PgConnection {
    match PgConnection::connect_with(&cluster().await.options_for(MAINTENANCE)).await {
        Ok(connection) => connection,
        Err(e) => panic!("cannot connect to the test cluster: {e}"),
    }
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn migrations_hash() -> String {
    // The numbers too: a database knows its migrations by them.
    let numbers: Vec<_> = MIGRATOR.iter().map(|migration| migration.version.to_be_bytes()).collect();
    let texts = MIGRATOR.iter().map(|migration| migration.checksum.as_ref());
    let parts: Vec<&[u8]> = numbers.iter().map(<[u8; 8]>::as_slice).chain(texts).collect();
    hash(&parts)
}

async fn base_template() -> String {
    let name = format!("template_{}", migrations_hash());
    template(&name, "template0", async |options| {
        let mut connection = PgConnection::connect_with(&options).await.map_err(|e| e.to_string())?;
        let outcome = migrate::run_on(&mut connection).await.map_err(|e| e.to_string());
        let _ = connection.close().await;
        outcome
    })
    .await;
    name
}

/// Makes the template `name` from `base` unless it exists. It is built under another name and renamed,
/// so one that exists is whole.
async fn template(name: &str, base: &str, fill: impl AsyncFn(PgConnectOptions) -> Result<(), String>) {
    let mut connection = maintenance().await;
    if let Err(e) = build_template(&mut connection, name, base, fill).await {
        panic!("cannot make the template of the test databases: {e}");
    }
    // Closing the session also frees the lock.
    let _ = connection.close().await;
}

async fn build_template(
    connection: &mut PgConnection,
    name: &str,
    base: &str,
    fill: impl AsyncFn(PgConnectOptions) -> Result<(), String>,
) -> Result<(), String> {
    let text = |e: sqlx::Error| e.to_string();
    if exists(connection, name).await.map_err(text)? {
        return Ok(());
    }
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(text)?;
    if exists(connection, name).await.map_err(text)? {
        return Ok(());
    }
    let draft = name.replacen("template_", "draft_", 1);
    for sql in [
        format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"),
        format!("CREATE DATABASE {draft} TEMPLATE {base}"),
    ] {
        sqlx::raw_sql(&sql).execute(&mut *connection).await.map_err(text)?;
    }
    fill(cluster().await.options_for(&draft)).await?;
    for sql in [
        format!("ALTER DATABASE {draft} WITH ALLOW_CONNECTIONS false"),
        format!("ALTER DATABASE {draft} RENAME TO {name}"),
    ] {
        sqlx::raw_sql(&sql).execute(&mut *connection).await.map_err(text)?;
    }
    Ok(())
}

async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
}

/// Databases are dropped on a thread of its own, with a connection of its own: a test's runtime ends
/// with the test.
fn start_dropper(options: PgConnectOptions) {
    let (sender, names) = channel::<String>();
    if DROPPER.set(sender).is_err() {
        return;
    }
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let Ok(mut connection) = runtime.block_on(PgConnection::connect_with(&options)) else { return };
        let leftovers = runtime.block_on(leftovers(&mut connection)).unwrap_or_default();
        for name in leftovers {
            let _ = runtime.block_on(drop_database(&mut connection, &name, ""));
        }
        while let Ok(name) = names.recv() {
            let _ = runtime.block_on(drop_database(&mut connection, &name, "WITH (FORCE)"));
        }
    });
}

async fn drop_database(connection: &mut PgConnection, name: &str, how: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(&format!("DROP DATABASE IF EXISTS {name} {how}")).execute(connection).await.map(drop)
}

/// What earlier runs left behind: databases of processes that are gone, those of failed tests after an
/// hour, templates after days. Dropping one that is still in use fails, which is right.
async fn leftovers(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%'")
            .fetch_all(&mut *connection)
            .await?;
    let oldest = (Utc::now() - KEEP_TEST).timestamp();
    let kept = kept_folder();
    let mut old = Vec::new();
    for name in names {
        let Some((made_at, process)) = origin(&name) else { continue };
        let expired = made_at < oldest;
        if expired {
            let _ = std::fs::remove_file(kept.join(&name));
        }
        let gone = !Path::new("/proc").join(process.to_string()).exists();
        if expired || (gone && !kept.join(&name).exists()) {
            old.push(name);
        }
    }
    let templates: Vec<String> = sqlx::query_scalar(&format!(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'template\\_%' AND \
         (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification < now() - interval '{KEEP_TEMPLATE}'"
    ))
    .fetch_all(connection)
    .await?;
    old.extend(templates);
    Ok(old)
}

/// When a test database was made, in Unix seconds, and by which process, as its name says.
fn origin(name: &str) -> Option<(i64, u32)> {
    let (id, process) = name.strip_prefix("test_")?.split_once('_')?;
    let made_at = Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix().0;
    Some((i64::try_from(made_at).ok()?, process.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "the moon is blue: that did not come to pass within 0 s")]
    async fn what_never_comes_is_not_waited_for_for_ever() {
        within(Duration::from_millis(50), "the moon is blue", async || false).await;
    }

    #[test]
    fn age_and_maker_of_a_test_database_are_in_its_name() {
        let (made, process) = origin(&format!("test_{}_42", Uuid::now_v7().simple())).unwrap();
        assert!((Utc::now().timestamp() - made).abs() < 60);
        assert_eq!(process, 42);
        assert_eq!(origin("test_something"), None);
        assert_eq!(origin("figure_ledger"), None);
    }
}
