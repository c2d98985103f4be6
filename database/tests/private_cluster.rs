//! The private cluster: whoever starts it, however the last one died.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::{ScratchFolder, eventually};
use database::{Cluster, ClusterError, ClusterOptions, Durability, ServeLock, ServeLockError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, getpgid};
use sqlx::{Connection, PgConnection};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "FIGURE_LEDGER_TEST_FOLDER";
const HOLDER: &str = "holds_the_cluster_until_killed";

async fn run(cluster: &Cluster, sql: &str) {
    let mut connection = PgConnection::connect_with(&cluster.options()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn marks(cluster: &Cluster) -> i64 {
    let mut connection = PgConnection::connect_with(&cluster.options()).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM mark").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    count
}

fn home(folder: &Path) -> PathBuf {
    std::fs::read_to_string(folder.join("postgres.location"))
        .map_or_else(|_| folder.join("postgres"), |text| PathBuf::from(text.trim()))
}

fn postmaster(folder: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(home(folder).join("data/postmaster.pid")).ok()?;
    Some(Pid::from_raw(text.lines().next()?.trim().parse().ok()?))
}

fn runs(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A process of its own that serves and uses the cluster of `folder`; back when it does.
fn holder(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", HOLDER, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("holding")), "the holder ended early");
    child
}

#[tokio::test]
#[ignore = "a process for other tests, not a test"]
async fn holds_the_cluster_until_killed() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("started by another test"));
    let _serve = ServeLock::acquire(&folder).unwrap();
    let _cluster = Cluster::join_or_start(&folder).await.unwrap();
    println!("\nholding");
    // Whoever started this may be gone without having killed it.
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
}

#[tokio::test]
async fn a_data_folder_works_twice() {
    let folder = ScratchFolder::new();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    run(&cluster, "CREATE TABLE mark (id int); INSERT INTO mark VALUES (1)").await;
    let first = postmaster(folder.path()).unwrap();
    cluster.release().await.unwrap();
    assert!(!runs(first), "the last user stops the server");
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    assert_eq!(marks(&cluster).await, 1);
    cluster.release().await.unwrap();
}

#[test]
fn everything_works_without_root_too() {
    if !geteuid().is_root() {
        println!("skipped: not root, so every other test shows it");
        return;
    }
    // The build folder may be closed to others; the temporary one is not.
    let folder = ScratchFolder::new();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for test in ["a_data_folder_works_twice", "a_cluster_orphaned_by_kill_9_is_adopted"] {
        let output = Command::new(&program)
            .args(["--exact", test, "--nocapture"])
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .uid(65534)
            .gid(65534)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{test}: {output:?}");
    }
}

#[tokio::test]
async fn a_cluster_orphaned_by_kill_9_is_adopted() {
    let folder = ScratchFolder::new();
    let mut other = holder(folder.path());
    let server = postmaster(folder.path()).unwrap();
    match ServeLock::acquire(folder.path()) {
        Err(ServeLockError::Held { pid, .. }) => assert_eq!(pid, Some(other.id())),
        outcome => panic!("a second serve must be refused, not {outcome:?}"),
    }
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(runs(server), "the server outlives its starter");
    let _serve = ServeLock::acquire(folder.path()).expect("a dead holder holds nothing, nor does its server");
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    assert_eq!(postmaster(folder.path()), Some(server), "adopted, not started anew");
    cluster.release().await.unwrap();
    assert!(!runs(server), "the adopter stops it");
}

#[test]
fn a_second_serve_on_the_same_folder_is_refused_and_told_who_serves() {
    let folder = ScratchFolder::new();
    let first = ServeLock::acquire(folder.path()).unwrap();
    let message = ServeLock::acquire(folder.path()).unwrap_err().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains(folder.path().to_str().unwrap()), "{message}");
    drop(first);
    ServeLock::acquire(folder.path()).unwrap();
}

#[tokio::test]
async fn committed_rows_survive_kill_9_of_the_server() {
    let folder = ScratchFolder::new();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    run(&cluster, "CREATE TABLE mark (id int); INSERT INTO mark VALUES (1), (2)").await;
    let mut watcher = PgConnection::connect_with(&cluster.options()).await.unwrap();
    // A backend that computes does not notice the end of its postmaster until it is done.
    let mut busy = PgConnection::connect_with(&cluster.options()).await.unwrap();
    let busy = tokio::spawn(async move {
        let work = "SELECT count(*) FROM generate_series(1, 4000) a, generate_series(1, 10000) b";
        sqlx::query(work).execute(&mut busy).await.map(drop)
    });
    let running = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%4000%' \
                   AND pid <> pg_backend_pid())";
    eventually("the backend is at work", async || {
        assert!(!busy.is_finished(), "the work was done before it was seen");
        sqlx::query_scalar::<_, bool>(running).fetch_one(&mut watcher).await.unwrap()
    })
    .await;
    let server = postmaster(folder.path()).unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    let again = Cluster::join_or_start(folder.path()).await.unwrap();
    assert_ne!(postmaster(folder.path()), Some(server));
    assert_eq!(marks(&again).await, 2);
    let _ = busy.await;
    again.release().await.unwrap();
    cluster.release().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_whose_number_another_process_has_now_is_no_obstacle() {
    let folder = ScratchFolder::new();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    let pid_file = home(folder.path()).join("data/postmaster.pid");
    let content = std::fs::read_to_string(&pid_file).unwrap();
    let old = postmaster(folder.path()).unwrap();
    cluster.release().await.unwrap();
    // PostgreSQL takes only processes of its own user for a living postmaster.
    let owner = std::fs::metadata(home(folder.path()).join("data")).unwrap().uid();
    let mut stranger = Command::new("sleep");
    stranger.arg("600");
    if geteuid().is_root() {
        stranger.uid(owner);
    }
    let mut stranger = stranger.spawn().unwrap();
    std::fs::write(&pid_file, content.replacen(&old.to_string(), &stranger.id().to_string(), 1)).unwrap();
    std::fs::set_permissions(&pid_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let outcome = Cluster::join_or_start(folder.path()).await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    outcome.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_thrown_away_and_made_again() {
    let folder = ScratchFolder::new();
    let half = folder.path().join("postgres/initdb-interrupted");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    assert!(!half.exists());
    cluster.release().await.unwrap();
}

#[tokio::test]
async fn a_ruined_cluster_is_made_anew_only_when_nothing_in_it_was_meant_to_last() {
    let folder = ScratchFolder::new();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    cluster.release().await.unwrap();
    let control = home(folder.path()).join("data/global/pg_control");
    std::fs::write(&control, "ruined").unwrap();
    let error = Cluster::join_or_start(folder.path()).await.unwrap_err();
    assert!(matches!(error, ClusterError::Start { .. }), "{error}");
    assert_eq!(std::fs::read(&control).unwrap(), b"ruined", "evidence and data stay");
    let for_tests = ClusterOptions { durability: Durability::Off, ..ClusterOptions::default() };
    Cluster::join_or_start_with(folder.path(), for_tests).await.unwrap().release().await.unwrap();
}

#[tokio::test]
async fn releasing_leaves_the_server_to_the_others() {
    let folder = ScratchFolder::new();
    let mine = Cluster::join_or_start(folder.path()).await.unwrap();
    run(&mine, "CREATE TABLE mark (id int)").await;
    let mut other = holder(folder.path());
    let server = postmaster(folder.path()).unwrap();
    mine.release().await.unwrap();
    assert!(runs(server), "the other process still uses it");
    let (first, second) =
        tokio::join!(Cluster::join_or_start(folder.path()), Cluster::join_or_start(folder.path()));
    let (first, second) = (first.unwrap(), second.unwrap());
    other.kill().unwrap();
    other.wait().unwrap();
    first.release().await.unwrap();
    assert_eq!(marks(&second).await, 0, "a second use in this process counts too");
    second.release().await.unwrap();
    assert!(!runs(server));
}

#[tokio::test]
async fn starting_twice_at_once_makes_one_server() {
    let folder = ScratchFolder::new();
    let (one, two) =
        tokio::join!(Cluster::join_or_start(folder.path()), Cluster::join_or_start(folder.path()));
    let (one, two) = (one.unwrap(), two.unwrap());
    run(&one, "CREATE TABLE mark (id int); INSERT INTO mark VALUES (1)").await;
    assert_eq!(marks(&two).await, 1);
    one.release().await.unwrap();
    two.release().await.unwrap();
}

#[tokio::test]
async fn a_deep_folder_with_a_difficult_name_works() {
    let folder = ScratchFolder::new();
    let difficult = folder.path().join("it's a \"figure\", $HOME `x` 100% フィギュア");
    let deep = difficult.join("d".repeat(120));
    for path in [&difficult, &deep] {
        let cluster = Cluster::join_or_start(path).await.unwrap();
        run(&cluster, "CREATE TABLE mark (id int)").await;
        let mut by_url = PgConnection::connect(&cluster.url()).await.unwrap();
        sqlx::query("SELECT FROM mark").execute(&mut by_url).await.unwrap();
        let socket = cluster.options().get_socket().unwrap().clone();
        cluster.release().await.unwrap();
        let again = Cluster::join_or_start(path).await.unwrap();
        assert_eq!(marks(&again).await, 0);
        again.release().await.unwrap();
        if !socket.starts_with(folder.path()) {
            std::fs::remove_dir_all(socket).unwrap();
        }
    }
}

#[tokio::test]
async fn the_socket_is_for_this_user_only_and_ctrl_c_does_not_reach_the_server() {
    let folder = ScratchFolder::new();
    let cluster = Cluster::join_or_start(folder.path()).await.unwrap();
    let socket = cluster.options().get_socket().unwrap().clone();
    let mode = std::fs::metadata(&socket).unwrap().mode() & 0o777;
    assert_eq!(mode, 0o700, "{}", socket.display());
    let server = postmaster(folder.path()).unwrap();
    assert_ne!(getpgid(Some(server)).unwrap(), getpgid(None).unwrap());
    let mut connection = PgConnection::connect_with(&cluster.options()).await.unwrap();
    for (setting, wanted) in
        [("listen_addresses", ""), ("fsync", "on"), ("synchronous_commit", "on"), ("server_encoding", "UTF8")]
    {
        let found: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, wanted, "{setting}");
    }
    cluster.release().await.unwrap();
}

#[tokio::test]
async fn root_puts_the_cluster_elsewhere_when_the_folder_is_closed_to_others() {
    if !geteuid().is_root() {
        println!("skipped: only root lends PostgreSQL another account");
        return;
    }
    let outer = ScratchFolder::new();
    std::fs::set_permissions(outer.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let folder = outer.path().join("data");
    let cluster = Cluster::join_or_start(&folder).await.unwrap();
    let first_home = home(&folder);
    assert!(!first_home.starts_with(outer.path()), "{}", first_home.display());
    run(&cluster, "CREATE TABLE mark (id int); INSERT INTO mark VALUES (1)").await;

    // A copy of the folder must not share the original's database.
    let copy = outer.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(folder.join("postgres.location"), copy.join("postgres.location")).unwrap();
    let refused = Cluster::join_or_start(&copy).await.unwrap_err();
    assert!(matches!(refused, ClusterError::Copied { .. }), "{refused}");
    cluster.release().await.unwrap();

    // A moved folder takes its database along.
    let moved = outer.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    let cluster = Cluster::join_or_start(&moved).await.unwrap();
    assert_eq!(marks(&cluster).await, 1);
    cluster.release().await.unwrap();

    // Vanished data is an error, never a silent new beginning.
    let hidden = first_home.with_extension("hidden");
    std::fs::rename(&first_home, &hidden).unwrap();
    let gone = Cluster::join_or_start(&moved).await.unwrap_err();
    assert!(matches!(gone, ClusterError::Gone { .. }), "{gone}");
    std::fs::rename(&hidden, &first_home).unwrap();
    std::fs::rename(&moved, &folder).unwrap();
    Cluster::join_or_start(&folder).await.unwrap().release().await.unwrap();

    // A deleted folder made anew is empty, and the old contents still exist.
    std::fs::remove_dir_all(&folder).unwrap();
    let fresh = Cluster::join_or_start(&folder).await.unwrap();
    let mut connection = PgConnection::connect_with(&fresh.options()).await.unwrap();
    let there: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('mark')::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(there, None);
    fresh.release().await.unwrap();
    let parent = first_home.parent().unwrap();
    let prefix = format!("{}.abandoned-", first_home.file_name().unwrap().to_str().unwrap());
    let aside: Vec<PathBuf> = std::fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&prefix))
        .collect();
    assert_eq!(aside.len(), 1);
    std::fs::remove_dir_all(&aside[0]).unwrap();
    std::fs::remove_dir_all(&first_home).unwrap();
}
