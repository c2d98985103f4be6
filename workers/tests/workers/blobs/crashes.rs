//! Processes that are killed while they store and name files, and while they delete them.

use super::places::{BOTH, Kind};
use super::{Named, Store};
use bytes::Bytes;
use domain::picture::BlobKey;
use sqlx::PgPool;
use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use workers::blobs::collect::{Names, NamesError};
use workers::blobs::{BlobSettings, Blobs, S3Settings, SecretKey};

const WHERE: &str = "BLOBS_CRASH_WHERE";
/// No process here takes that long to come to the point at which it dies.
const MOST: Duration = Duration::from_secs(60);
const ABORTED: i32 = 6;

/// Names that a process which may be killed has committed, as events are.
struct Table(PgPool);

impl Names for Table {
    async fn named(&self, keys: &[BlobKey]) -> Result<HashSet<BlobKey>, NamesError> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let named: Vec<String> = sqlx::query_scalar("SELECT key FROM names WHERE key = ANY ($1)")
            .bind(keys)
            .fetch_all(&self.0)
            .await?;
        Ok(named.iter().map(|key| key.parse().unwrap()).collect())
    }
}

fn place(store: &Store) -> String {
    match &store.settings {
        BlobSettings::Folder(folder) => format!("{}|{}", store.db.url, folder.display()),
        BlobSettings::S3(s3) => format!(
            "{}|{}|{}|{}",
            store.db.url,
            s3.endpoint.as_deref().unwrap(),
            s3.secret_access_key.0,
            s3.prefix
        ),
    }
}

fn command(store: &Store, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("blobs::crashes::{test}"), "--ignored", "--test-threads", "1"])
        .env(WHERE, place(store))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn process(store: &Store, test: &str) -> Child {
    command(store, test).spawn().unwrap()
}

/// Lets a process die at a named point, at that pass.
async fn dies_at(store: &Store, test: &str, point: &str, pass: u32) {
    let mut command = tokio::process::Command::from(command(store, test));
    command.env("FIGURE_LEDGER_CRASH_AT", format!("{point}:{pass}")).kill_on_drop(true);
    let died = tokio::time::timeout(MOST, command.status()).await;
    let status = died.unwrap_or_else(|_| panic!("{point} is not reached")).unwrap();
    assert_eq!(status.signal(), Some(ABORTED), "{point}: {status}");
}

async fn opened() -> Option<(PgPool, Blobs)> {
    let told = std::env::var(WHERE).ok()?;
    let parts: Vec<&str> = told.split('|').collect();
    let pool = PgPool::connect(parts[0]).await.unwrap();
    let settings = match parts[..] {
        [_, folder] => BlobSettings::Folder(folder.into()),
        [_, endpoint, secret, prefix] => BlobSettings::S3(S3Settings {
            endpoint: Some(endpoint.to_owned()),
            bucket: "figures".to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "ledger".to_owned(),
            secret_access_key: SecretKey(secret.to_owned()),
            path_style: true,
            prefix: prefix.to_owned(),
        }),
        _ => unreachable!("{told}"),
    };
    Some((pool.clone(), Blobs::new(&pool, &settings)))
}

/// The process that is killed: stores files and names every second one, without end.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test below, as a process of its own"]
async fn storing_and_naming() {
    let Some((pool, blobs)) = opened().await else { return };
    // The one who started this kills it; should they be gone, it ends by itself.
    for n in 0..20_000_u32 {
        let content = Bytes::from(format!("{} {n} ", std::process::id()).repeat(4_000));
        let key = blobs.put(content, "text/plain").await.unwrap();
        if n % 2 == 0 {
            sqlx::query("INSERT INTO names (key) VALUES ($1)")
                .bind(key.to_string())
                .execute(&pool)
                .await
                .unwrap();
        }
    }
}

/// The process that is killed: deletes what nothing names.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test below, as a process of its own"]
async fn deleting() {
    let Some((pool, blobs)) = opened().await else { return };
    let day = chrono::TimeDelta::days(1);
    let collected = blobs.collect(&Table(pool), day, &CancellationToken::new()).await;
    assert!(collected.is_ok());
}

async fn killed(mut child: Child, after: Duration) {
    tokio::time::sleep(after).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn begin(kind: Kind) -> Option<Store> {
    let store = Store::new(kind).await?;
    sqlx::query("CREATE TABLE names (key text PRIMARY KEY)").execute(&store.db.pool).await.unwrap();
    Some(store)
}

/// What a dead process held is free after two minutes.
async fn let_minutes_pass(pool: &PgPool) {
    let later = "UPDATE blobs SET condemned_at = condemned_at - interval '3 minutes'";
    sqlx::query(later).execute(pool).await.unwrap();
}

/// Every name leads to a whole file, and nothing else is there.
async fn is_sound(store: &Store) {
    let (kind, pool) = (&store.settings, &store.db.pool);
    let collected = store.collect(&Named::by(&named(pool).await)).await;
    assert_eq!((collected.missing, collected.unknown), (0, 0), "{kind:?}: {collected:?}");
    let named = named(pool).await;
    assert_eq!(i64::try_from(named.len()).unwrap(), store.rows().await, "{kind:?}: nothing else is known");
    for key in &named {
        let content = store.blobs.read(key).await.unwrap();
        assert_eq!(workers::blobs::key_of(&content), *key, "{kind:?}: it is whole");
    }
    println!("{} named files, {} deleted in the end", named.len(), collected.deleted);
    if let Some(folder) = &store.files {
        let mut stored = files(&folder.join("blobs"));
        // What was cut off in the middle of a write is swept when it is a day old.
        stored.retain(|name| !name.contains('#'));
        assert_eq!(stored.len(), named.len(), "nothing else is stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_whichever_point_a_process_dies_no_name_dangles_and_nothing_is_left_over() {
    for kind in BOTH {
        let Some(store) = begin(kind).await else { continue };
        let pool = &store.db.pool;
        for point in ["blobs.after_lease", "blobs.after_file"] {
            for pass in [1, 4] {
                let before = store.rows().await;
                dies_at(&store, "storing_and_naming", point, pass).await;
                assert_eq!(store.rows().await, before + i64::from(pass), "{kind:?}, {point}: each has a row");
                for key in named(pool).await {
                    assert!(store.is_there(&key).await, "{kind:?}, {point}: {key} is named");
                }
            }
        }
        for (point, pass) in
            [("cleanup.after_condemn", 1), ("cleanup.before_file", 2), ("cleanup.after_file", 2)]
        {
            let contents = [0, 1, 2].map(|n| format!("{point} {n}"));
            for content in &contents {
                store.put(content).await;
            }
            store.let_days_pass().await;
            store.collect(&Named::by(&named(pool).await)).await;
            store.let_days_pass().await;
            dies_at(&store, "deleting", point, pass).await;
            let condemned: i64 =
                sqlx::query_scalar("SELECT count(*) FROM blobs WHERE condemned_at IS NOT NULL")
                    .fetch_one(pool)
                    .await
                    .unwrap();
            assert!(condemned > 0, "{kind:?}, {point}: it was at it");
            let_minutes_pass(pool).await;
            for content in &contents {
                let key = store.put(content).await;
                assert!(store.is_there(&key).await, "{kind:?}, {point}: what comes again is stored");
            }
        }
        store.let_days_pass().await;
        store.collect(&Named::by(&named(pool).await)).await;
        store.let_days_pass().await;
        is_sound(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_no_name_dangles_and_nothing_is_left_over() {
    for kind in BOTH {
        let Some(store) = begin(kind).await else { continue };
        let pool = &store.db.pool;
        for round in 0..6 {
            let child = process(&store, "storing_and_naming");
            killed(child, Duration::from_millis(900 + round * 137)).await;
        }
        assert!(store.rows().await > 4, "{kind:?}: the processes came to store something");
        store.let_days_pass().await;
        store.collect(&Named::by(&named(pool).await)).await;
        store.let_days_pass().await;
        for round in 0..3 {
            let child = process(&store, "deleting");
            killed(child, Duration::from_millis(250 + round * 180)).await;
            let_minutes_pass(pool).await;
        }
        is_sound(&store).await;
    }
}

async fn named(pool: &PgPool) -> Vec<BlobKey> {
    let names: Vec<String> = sqlx::query_scalar("SELECT key FROM names").fetch_all(pool).await.unwrap();
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path.file_name().unwrap().to_string_lossy().into_owned()],
        })
        .collect()
}
