//! `rebuild`, `verify` and `events`: the program beside a running server and without one.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Output, Stdio},
};

use database::testing::{ScratchFolder, TestDb, eventually};
use domain::stream::Position;
use nix::{sys::signal, unistd::Pid};
use serde_json::{Value, json};

use crate::{
    cli::{Server, program, program_at, run},
    seed::{self, Seed},
    support::TestApp,
};

const PASSWORD: &str = "a rather long one\n";

async fn tamper(db: &TestDb) {
    sqlx::query("UPDATE figures SET name = 'Somebody Else' WHERE name = 'Harbour Pilot Mina'")
        .execute(&db.pool)
        .await
        .unwrap();
}

async fn name(db: &TestDb) -> String {
    sqlx::query_scalar("SELECT name FROM figures ORDER BY id LIMIT 1").fetch_one(&db.pool).await.unwrap()
}

/// Waits until the figures' tables hold the events up to a position.
async fn folded(db: &TestDb, position: Position) {
    let sql = "SELECT position FROM projection_checkpoints WHERE projection = 'figures'";
    eventually("the figures are folded", async || {
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&db.pool).await.unwrap() >= position.0
    })
    .await;
}

/// What stands in the lines below a heading.
fn column(table: &str, heading: &str) -> Vec<String> {
    let mut lines = table.lines();
    let start = lines.next().unwrap().find(heading).unwrap();
    let from_there = |line: &str| line.chars().skip(start).collect::<String>();
    lines.map(|line| from_there(line).split("  ").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn where_there_is_no_ledger_nothing_is_begun_by_looking_for_one() {
    let folder = ScratchFolder::new();
    for arguments in [&["projections"][..], &["events"], &["verify"], &["rebuild"], &["backup", "copy"]] {
        let Output { status, stdout, stderr } = program_at(&folder, arguments).output().unwrap();
        assert!(!status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stdout));
        let said = String::from_utf8_lossy(&stderr);
        assert!(said.contains("there is no ledger in") && said.contains("--data"), "{said}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_a_tampered_row_is_named_and_rebuilt() {
    let db = TestDb::new().await;
    let seed = Seed::at(&db.pool).await;
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed.figure("Teapot Keeper Io").await;
    let (rebuilt, stdout, stderr) = run(&db, &["rebuild"], "");
    assert!(rebuilt, "{stderr}");
    assert!(stdout.contains("figures") && stdout.contains("read models rebuilt from 2 events"), "{stdout}");
    let (clean, stdout, stderr) = run(&db, &["verify"], "");
    assert!(clean, "{stdout}{stderr}");
    assert!(stdout.contains("no differences") && stdout.contains("2 events"), "{stdout}");
    tamper(&db).await;
    let (clean, stdout, stderr) = run(&db, &["verify"], "");
    assert!(!clean);
    assert_eq!(column(&stdout, "TABLE"), ["figures"], "{stdout}");
    assert_eq!(column(&stdout, "KEY"), [mina.to_string()], "{stdout}");
    assert_eq!(column(&stdout, "COLUMN"), ["name"], "{stdout}");
    assert_eq!(column(&stdout, "LIVE"), ["\"Somebody Else\""], "{stdout}");
    assert_eq!(column(&stdout, "FOLDED"), ["\"Harbour Pilot Mina\""], "{stdout}");
    let complaint: Vec<&str> = stderr.lines().filter(|line| line.starts_with("figure-ledger: ")).collect();
    assert_eq!(complaint.len(), 1, "{stderr}");
    assert!(complaint[0].contains("figures (1)"), "{stderr}");
    let (clean, ..) = run(&db, &["verify", "entities"], "");
    assert!(clean, "another read model is not concerned");
    let (rebuilt, stdout, _) = run(&db, &["rebuild", "figures"], "");
    assert!(rebuilt && stdout.contains("1 read model rebuilt"), "{stdout}");
    assert_eq!(name(&db).await, "Harbour Pilot Mina");
    assert!(run(&db, &["verify"], "").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_too_many_and_too_few_are_named_whole() {
    let db = TestDb::new().await;
    let seed = Seed::at(&db.pool).await;
    let (mina, io) = (seed.figure("Harbour Pilot Mina").await, seed.figure("Teapot Keeper Io").await);
    assert!(run(&db, &["rebuild"], "").0);
    sqlx::query("DELETE FROM figures WHERE id = $1").bind(mina.uuid()).execute(&db.pool).await.unwrap();
    let double = uuid::Uuid::max();
    sqlx::query("UPDATE figures SET id = $1 WHERE id = $2")
        .bind(double)
        .bind(io.uuid())
        .execute(&db.pool)
        .await
        .unwrap();
    let (clean, stdout, stderr) = run(&db, &["verify", "figures"], "");
    assert!(!clean && stderr.contains("figures (3)"), "{stdout}{stderr}");
    for (id, heading) in
        [(mina.to_string(), "LIVE"), (io.to_string(), "LIVE"), (double.to_string(), "FOLDED")]
    {
        let row = column(&stdout, "KEY").iter().position(|key| *key == id).unwrap();
        assert_eq!(column(&stdout, heading)[row], "(no such row)", "{stdout}");
        assert_eq!(column(&stdout, "COLUMN")[row], "(whole row)", "{stdout}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_server_the_same_holds_and_the_server_goes_on() {
    let db = TestDb::new().await;
    let server = Server::start(&db, &[]);
    let seed = Seed::at(&db.pool).await;
    let (_, position) = seed.figure_at("Harbour Pilot Mina").await;
    folded(&db, position).await;
    assert!(run(&db, &["verify"], "").0);
    tamper(&db).await;
    let (clean, stdout, _) = run(&db, &["verify"], "");
    assert!(!clean);
    assert_eq!(column(&stdout, "COLUMN"), ["name"], "{stdout}");
    let (rebuilt, stdout, stderr) = run(&db, &["rebuild"], "");
    assert!(rebuilt, "{stdout}{stderr}");
    assert_eq!(name(&db).await, "Harbour Pilot Mina");
    let (_, position) = seed.figure_at("Teapot Keeper Io").await;
    folded(&db, position).await;
    assert!(run(&db, &["verify"], "").0);
    server.client().get("/api/health/ready").await.ok();
    assert!(server.stop(signal::Signal::SIGTERM));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_projection_is_answered_with_those_there_are() {
    let db = TestDb::new().await;
    for command in ["rebuild", "verify"] {
        let (done, stdout, stderr) = run(&db, &[command, "figures", "figurines"], "");
        assert!(!done && stdout.is_empty(), "{stdout}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        for word in ["\"figurines\"", "figures", "collection", "preorders", "achievements"] {
            assert!(stderr.contains(word), "{stderr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_later_release_stops_rebuilding_and_verifying_and_nothing_changes() {
    let db = TestDb::new().await;
    let mina = Seed::at(&db.pool).await.figure("Harbour Pilot Mina").await;
    assert!(run(&db, &["rebuild"], "").0);
    seed::from_a_later_release(&db.pool, mina).await;
    let (rebuilt, _, stderr) = run(&db, &["rebuild", "figures"], "");
    assert!(!rebuilt && stderr.contains("figure.sung_about"), "{stderr}");
    assert_eq!(name(&db).await, "Harbour Pilot Mina");
    let (clean, stdout, stderr) = run(&db, &["verify"], "");
    assert!(clean, "up to where the live tables are, they are right: {stdout}{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_model_that_cannot_be_folded_keeps_no_other_from_being_compared_and_rebuilt() {
    let db = TestDb::new().await;
    let seed = Seed::at(&db.pool).await;
    let (_, damaged) = seed.figure_at("Harbour Pilot Mina").await;
    let (_, head) = seed.figure_at("Teapot Keeper Io").await;
    assert!(run(&db, &["rebuild"], "").0);
    seed::overwrite(&db.pool, damaged, r#"{"catalogued": 7}"#).await;
    let (clean, stdout, stderr) = run(&db, &["verify"], "");
    let damage = format!("event {damaged} (figure.catalogued)");
    assert!(!clean && stderr.contains("figures, "), "{stderr}");
    assert_eq!(stderr.matches(&damage).count(), 1, "one reason, however many are concerned: {stderr}");
    let compared: Vec<&str> = stdout.lines().filter(|line| line.contains("no differences at")).collect();
    assert!(compared.iter().any(|line| line.starts_with("entities ")), "{stdout}{stderr}");
    assert!(!compared.iter().any(|line| line.starts_with("figures ")), "{stdout}");
    let complaint: Vec<&str> = stderr.lines().filter(|line| line.starts_with("figure-ledger: ")).collect();
    assert_eq!(complaint.len(), 1, "{stderr}");
    let (rebuilt, stdout, stderr) = run(&db, &["rebuild"], "");
    assert!(!rebuilt && stderr.contains(&damage), "{stderr}");
    assert!(stdout.contains(&format!("entities  rebuilt at position {head}")), "{stdout}");
    assert!(stderr.trim_end().ends_with("; 1 read model rebuilt"), "{stderr}");
    assert_eq!(name(&db).await, "Harbour Pilot Mina", "the live tables serve on");
}

fn json_lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_to_people_and_to_programs() {
    let db = TestDb::new().await;
    assert!(run(&db, &["admin", "create-user", "alice"], PASSWORD).0);
    let alice: uuid::Uuid = sqlx::query_scalar("SELECT id FROM users").fetch_one(&db.pool).await.unwrap();
    let seed = Seed { actor: Some(alice.into()), ..Seed::at(&db.pool).await };
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed.rename(mina, "Mina").await;
    seed::from_a_later_release(&db.pool, mina).await;
    let (read, stdout, stderr) = run(&db, &["events"], "");
    assert!(read && stderr.is_empty(), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{stdout}");
    assert!(lines[0].contains("figure.catalogued") && lines[0].contains("by alice"), "{stdout}");
    assert!(lines[0].contains(&format!("figure/{mina}@1")), "{stdout}");
    assert!(lines[1].contains("figure.renamed") && lines[1].contains("\"Mina\""), "{stdout}");
    assert!(lines[2].contains("cannot be read") && lines[2].contains("a choir"), "{stdout}");
    let (read, stdout, _) = run(&db, &["events", "--json"], "");
    let events = json_lines(&stdout);
    assert!(read && events.len() == 3);
    assert_eq!(events[1]["event_type"], "figure.renamed");
    assert_eq!(events[1]["metadata"]["actor"], alice.to_string());
    assert_eq!(events[2]["payload"], json!({"by": "a choir"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_of_events_lets_through_what_it_names() {
    let db = TestDb::new().await;
    assert!(run(&db, &["admin", "create-user", "alice"], PASSWORD).0);
    let alice: uuid::Uuid = sqlx::query_scalar("SELECT id FROM users").fetch_one(&db.pool).await.unwrap();
    let system = Seed::at(&db.pool).await;
    let mina = system.figure("Harbour Pilot Mina").await;
    let by_alice = Seed { store: system.store.clone(), actor: Some(alice.into()) };
    let io = by_alice.figure("Teapot Keeper Io").await;
    by_alice.rename(io, "Io").await;
    let all = json_lines(&run(&db, &["events", "--json"], "").1);
    let at = |n: usize| all[n]["position"].as_i64().unwrap();
    let moment = |n: usize| all[n]["recorded_at"].as_str().unwrap();
    let (mina, alice, after) = (mina.to_string(), alice.to_string(), at(1).to_string());
    for (filters, expected) in [
        (vec!["--after", &after], vec![at(2)]),
        (vec!["--stream-type", "figure", "--stream-id", &mina], vec![at(0)]),
        (vec!["--stream-type", "claim"], vec![]),
        (vec!["--event-type", "figure.renamed"], vec![at(2)]),
        (vec!["--actor", "Alice"], vec![at(1), at(2)]),
        (vec!["--actor", &alice], vec![at(1), at(2)]),
        (vec!["--since", moment(1)], vec![at(1), at(2)]),
        (vec!["--until", moment(0)], vec![at(0)]),
        (vec!["--since", "2000-01-01"], vec![at(0), at(1), at(2)]),
        (vec!["--until", "2000-01-01"], vec![]),
        (vec!["--limit", "2"], vec![at(0), at(1)]),
        (vec!["--limit", "0"], vec![]),
        (vec!["--actor", "alice", "--limit", "1"], vec![at(1)]),
    ] {
        let (read, stdout, stderr) = run(&db, &[&["events", "--json"], &filters[..]].concat(), "");
        assert!(read, "{filters:?}: {stderr}");
        let positions: Vec<i64> =
            json_lines(&stdout).iter().map(|event| event["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, expected, "{filters:?}");
    }
    for wrong in [["--actor", "nobody"], ["--actor", "no name"], ["--since", "yesterday"], ["--after", "-1"]]
    {
        let (read, stdout, stderr) = run(&db, &["events", wrong[0], wrong[1]], "");
        assert!(!read && stdout.is_empty() && !stderr.is_empty(), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_shows_what_is_recorded_until_it_is_interrupted() {
    let db = TestDb::new().await;
    let seed = Seed::at(&db.pool).await;
    seed.figure("Harbour Pilot Mina").await;
    let follow = ["events", "--follow", "--event-type", "figure.catalogued"];
    let mut child = program(&db, &follow).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("Harbour Pilot Mina"));
    let io = seed.figure("Teapot Keeper Io").await;
    assert!(lines.next().unwrap().unwrap().contains("Teapot Keeper Io"));
    seed.rename(io, "Io").await;
    seed.figure("Lantern Bearer Ren").await;
    assert!(
        lines.next().unwrap().unwrap().contains("Lantern Bearer Ren"),
        "the filter holds while following"
    );
    signal::kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal::Signal::SIGINT).unwrap();
    assert!(lines.next().is_none());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_has_seen_enough_is_no_failure() {
    let db = TestDb::new().await;
    let seed = Seed::at(&db.pool).await;
    let mina = seed.figure("Harbour Pilot Mina").await;
    // More than a pipe holds.
    for n in 0..200 {
        seed.rename(mina, &format!("{n} {}", "Mina ".repeat(50))).await;
    }
    let mut child = program(&db, &["events", "--json"]).stdin(Stdio::null()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_join_the_private_database_of_a_server_and_start_it_without_one() {
    let folder = ScratchFolder::new();
    let verify = || program_at(&folder, &["verify"]).stdin(Stdio::null()).output().unwrap();
    let server = Server::start_with(program_at(&folder, &["serve", "--listen", "127.0.0.1:0"]));
    let beside = verify();
    assert!(beside.status.success(), "{}", String::from_utf8_lossy(&beside.stderr));
    server.client().get("/api/health/ready").await.ok();
    assert!(server.stop(signal::Signal::SIGTERM));
    let alone = verify();
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    assert_eq!(beside.stdout, alone.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_are_operated_from_the_command_line() {
    let app = TestApp::new().await;
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let (done, stdout, stderr) = run(&app.db, &["projections", "pause", "figures"], "");
    assert!(done && stdout.contains("paused"), "{stdout} {stderr}");
    let (done, stdout, stderr) = run(&app.db, &["projections"], "");
    assert!(done && stdout.contains("figures") && stdout.contains("paused"), "{stdout} {stderr}");
    let (done, _, stderr) = run(&app.db, &["projections", "skip", "figures", "--reason", "none"], "");
    assert!(!done && stderr.contains("not stopped"), "{stderr}");
    assert!(run(&app.db, &["projections", "resume", "figures"], "").0);
    seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
    let (done, stdout, stderr) = run(&app.db, &["projections", "skip", "figures", "--reason", "sung"], "");
    assert!(done && stdout.contains("for good"), "{stdout} {stderr}");
    let (_, stdout, _) = run(&app.db, &["projections", "list"], "");
    assert!(stdout.contains("sung (the command line"), "{stdout}");
    let (done, _, stderr) = run(&app.db, &["projections", "pause", "nothing"], "");
    assert!(!done && stderr.contains("there are:"), "{stderr}");
}
