//! Backups, restored for real: into another database, and into another data folder.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use database::testing::{ScratchFolder, TestDb, eventually};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    cli::{Server, program_at, run},
    seed::Seed,
};

const LOGIN: (&str, &str) = ("demo", "figure-demo-password");
/// What a restored ledger makes for itself.
const OWN: &[&str] = &[
    "projection_checkpoints",
    "projection_rebuilds",
    "snapshots",
    "tower_sessions",
    "user_sessions",
    "oidc_flows",
    "password_resets",
    "server_job_runs",
];

/// What stands in each table, as a digest of its rows.
async fn tables(db: &TestDb) -> BTreeMap<String, (i64, Option<String>)> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    let mut all = BTreeMap::new();
    for name in names.into_iter().filter(|name| !OWN.contains(&name.as_str())) {
        let sql = format!("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t");
        all.insert(name, sqlx::query_as(&sql).fetch_one(&db.pool).await.unwrap());
    }
    all
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn succeeded((done, stdout, stderr): (bool, String, String)) -> String {
    assert!(done, "{stdout}{stderr}");
    stdout
}

async fn demo_signs_in(server: &Server) {
    let login = json!({"username": LOGIN.0, "password": LOGIN.1});
    server.client().post("/api/auth/login", login).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_restored_into_an_empty_database_gives_every_table_as_it_was() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let file = folder.path().join("ledger.backup");
    let server = Server::start(&db, &["--demo"]);
    let told = succeeded(run(&db, &["backup", text(&file)], ""));
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&db.pool).await.unwrap();
    assert!(told.contains(&format!("{events} events")) && told.contains("1 accounts"), "{told}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-written is left");
    let (done, _, stderr) = run(&db, &["backup", text(&file)], "");
    assert!(!done && stderr.contains("is there already"), "{stderr}");
    assert!(server.stop(Signal::SIGTERM));

    let empty = TestDb::unmigrated().await;
    let told = succeeded(run(&empty, &["restore", text(&file)], ""));
    assert!(told.contains(&format!("restored: {events} events")), "{told}");
    let (before, after) = (tables(&db).await, tables(&empty).await);
    for known in ["events", "users", "owned_items", "preorders", "figures", "activity_events", "achievements"]
    {
        assert!(before[known].0 > 0, "{known} says nothing here");
    }
    assert_eq!(before, after);
    succeeded(run(&empty, &["verify"], ""));
    let sessions: i64 =
        sqlx::query_scalar("SELECT count(*) FROM tower_sessions").fetch_one(&empty.pool).await.unwrap();
    assert_eq!(sessions, 0, "nobody is signed in by a backup");
    let changed = sqlx::query("DELETE FROM events").execute(&empty.pool).await;
    assert!(changed.is_err(), "the restored log is guarded as before");
    let server = Server::start(&empty, &[]);
    demo_signs_in(&server).await;
    assert!(server.stop(Signal::SIGTERM));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_amid_writes_is_one_moment_of_the_log() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let file = folder.path().join("ledger.backup");
    let server = Server::start(&db, &[]);
    let (seed, stop) = (Seed::at(&db.pool).await, Arc::new(AtomicBool::new(false)));
    let stopped = stop.clone();
    let writing = tokio::spawn(async move {
        let mut written = 0_u32;
        while !stopped.load(Ordering::Relaxed) && written < 100_000 {
            seed.figure(&format!("Figure {written}")).await;
            written += 1;
        }
    });
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&db.pool).await.unwrap()
    };
    eventually("something is written", async || count().await > 20).await;
    succeeded(run(&db, &["backup", text(&file)], ""));
    let by_then = count().await;
    eventually("writing goes on", async || count().await > by_then).await;
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    assert!(server.stop(Signal::SIGTERM));
    let empty = TestDb::unmigrated().await;
    succeeded(run(&empty, &["restore", text(&file)], ""));
    let head: i64 =
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&empty.pool).await.unwrap();
    assert!(head > 20 && head <= by_then);
    let digest = format!(
        "SELECT md5(string_agg(e::text, '|' ORDER BY position)) FROM events e WHERE position <= {head}"
    );
    let of = async |db: &TestDb| sqlx::query_scalar::<_, String>(&digest).fetch_one(&db.pool).await.unwrap();
    assert_eq!(of(&db).await, of(&empty).await);
    succeeded(run(&empty, &["verify"], ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_restored_over_a_ledger_or_anything_else() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let file = folder.path().join("ledger.backup");
    Seed::at(&db.pool).await.figure("Harbour Pilot Mina").await;
    succeeded(run(&db, &["backup", text(&file)], ""));
    let before = tables(&db).await;
    let (done, _, stderr) = run(&db, &["restore", text(&file)], "");
    assert!(!done && stderr.contains("holds something already, in table events"), "{stderr}");
    assert_eq!(tables(&db).await, before);

    let others = TestDb::unmigrated().await;
    sqlx::query("CREATE TABLE recipes (name text)").execute(&others.pool).await.unwrap();
    let (done, _, stderr) = run(&others, &["restore", text(&file)], "");
    assert!(!done && stderr.contains("in table recipes"), "{stderr}");
    assert_eq!(tables(&others).await.into_keys().collect::<Vec<_>>(), ["recipes"]);

    let fresh = TestDb::new().await;
    let server = Server::start(&fresh, &[]);
    let (done, _, stderr) = run(&fresh, &["restore", text(&file)], "");
    assert!(!done && stderr.contains("a server is at work"), "{stderr}");
    assert!(server.stop(Signal::SIGTERM));
    succeeded(run(&fresh, &["restore", text(&file)], ""));
    let name: String = sqlx::query_scalar("SELECT name FROM figures").fetch_one(&fresh.pool).await.unwrap();
    assert_eq!(name, "Harbour Pilot Mina", "a ledger that was never used is as good as empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_or_only_a_part_of_one_leaves_the_database_empty() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let [file, part, other] = ["ledger.backup", "part", "other"].map(|name| folder.path().join(name));
    let seed = Seed::at(&db.pool).await;
    for n in 0..50 {
        seed.figure(&format!("Figure {n}")).await;
    }
    succeeded(run(&db, &["backup", text(&file)], ""));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    std::fs::write(&other, "dear diary").unwrap();
    let empty = TestDb::unmigrated().await;
    for wrong in [&part, &other, &folder.path().join("nowhere")] {
        let (done, _, stderr) = run(&empty, &["restore", text(wrong)], "");
        assert!(!done && !stderr.is_empty(), "{}", wrong.display());
        assert!(tables(&empty).await.is_empty(), "{}", wrong.display());
    }
    succeeded(run(&empty, &["restore", text(&file)], ""));
    let (done, _, stderr) =
        run(&TestDb::unmigrated().await, &["backup", text(&folder.path().join("none"))], "");
    assert!(!done && stderr.contains("holds no ledger"), "{stderr}");
    assert!(!folder.path().join("none").exists() && !folder.path().join("none.part").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_ledger_moves_to_another_data_folder_by_way_of_a_pipe() {
    let (from, to) = (ScratchFolder::new(), ScratchFolder::new());
    let file = to.path().join("moved.backup");
    let succeed = |mut command: Command| {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        stdout
    };
    let server = Server::start_with(program_at(&from, &["serve", "--demo", "--listen", "127.0.0.1:0"]));
    let archive = succeed(program_at(&from, &["backup", "-"]));
    std::fs::write(&file, archive).unwrap();
    let onto_itself = program_at(&from, &["restore", text(&file)]).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&onto_itself.stderr);
    assert!(!onto_itself.status.success() && stderr.contains("another server already runs"), "{stderr}");
    assert!(server.stop(Signal::SIGTERM));
    succeed(program_at(&to, &["restore", text(&file)]));
    let verified = succeed(program_at(&to, &["verify"]));
    assert!(String::from_utf8_lossy(&verified).contains("no differences"));
    let server = Server::start_with(program_at(&to, &["serve", "--listen", "127.0.0.1:0"]));
    demo_signs_in(&server).await;
    assert!(server.stop(Signal::SIGTERM));
}

/// The shell of the page about operating that has these words in it.
fn recipe(words: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.into_iter().find(|block| block.contains(words)).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pg_dump_took_of_the_log_and_the_operational_tables_alone_is_restored_as_the_page_says() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    if Command::new("pg_dump").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: no pg_dump is on the path");
        return;
    }
    Seed::at(&db.pool).await.figure("Harbour Pilot Mina").await;
    succeeded(run(&db, &["rebuild"], ""));
    let empty = TestDb::unmigrated().await;
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    std::os::unix::fs::symlink(migrations, folder.path().join("migrations")).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_figure-ledger")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &recipe("--data-only")])
        .envs([("PATH", path.as_str()), ("DATABASE_URL", &db.url), ("EMPTY", &empty.url)])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut was, mut is) = (tables(&db).await, tables(&empty).await);
    // Both have the same migrations; when each of them ran is another matter.
    for tables in [&mut was, &mut is] {
        tables.remove("_sqlx_migrations");
    }
    assert_eq!(was, is);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_pg_dump_made_of_the_whole_database_is_restored_too() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let file = folder.path().join("whole.dump");
    Seed::at(&db.pool).await.figure("Harbour Pilot Mina").await;
    succeeded(run(&db, &["rebuild"], ""));
    let mut by_hand = Command::new("pg_dump");
    match by_hand.args(["-Fc", "-f", text(&file), &db.url]).output() {
        Ok(output) if output.status.success() => {}
        skipped => {
            println!("skipped: no pg_dump that fits is on the path: {skipped:?}");
            return;
        }
    }
    let empty = TestDb::unmigrated().await;
    succeeded(run(&empty, &["restore", text(&file)], ""));
    assert_eq!(tables(&db).await, tables(&empty).await);
}
