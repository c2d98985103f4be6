//! `import` and `demo`: what they print, and how they exit.

use database::testing::{ScratchFolder, TestDb};

use crate::cli::run;

const PASSWORD: &str = "a rather long one\n";

struct Files(ScratchFolder);

impl Files {
    fn with(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

async fn count(db: &TestDb, table: &str) -> i64 {
    sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_is_told_to_be_there_once_it_can_be_seen() {
    let db = TestDb::new().await;
    let files = Files(ScratchFolder::new());
    let file = files.with(
        "two.jsonl",
        "{\"number\":\"1\",\"line\":\"demo\",\"name\":\"Aster\"}\n\
         {\"number\":\"2\",\"line\":\"demo\"}\n\
         {\"number\":\"3\",\"line\":\"demo\",\"name\":\"Briar\",\"series\":\"Hollow Tide\"}\n",
    );
    let (ok, stdout, stderr) = run(&db, &["import", "catalogue", &file, "--dry-run"], "");
    assert!(ok && stdout.contains("2  would be added"), "{stdout}{stderr}");
    assert_eq!(count(&db, "events").await, 0);

    let (ok, stdout, stderr) = run(&db, &["import", "catalogue", &file], "");
    assert!(ok, "a broken line among good ones is no failure: {stderr}");
    assert_eq!(stdout, "3 lines\n  2  added\n  0  there already\n  1  could not be used\n");
    assert!(stderr.contains("line 2: name is missing"), "{stderr}");
    assert_eq!(count(&db, "figures").await, 2, "it returns when the read models show it");

    let (ok, stdout, _) = run(&db, &["import", "catalogue", &file], "");
    assert!(ok && stdout.contains("0  added") && stdout.contains("2  there already"), "{stdout}");

    let none = files.with("none.jsonl", "not a figure\n");
    let (ok, _, stderr) = run(&db, &["import", "catalogue", &none], "");
    assert!(!ok && stderr.contains("no line could be used"), "{stderr}");
    let (ok, _, stderr) = run(&db, &["import", "catalogue", "/nowhere/at-all.jsonl"], "");
    assert!(!ok && stderr.contains("cannot be read"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_a_collection_is_told() {
    let db = TestDb::new().await;
    let files = Files(ScratchFolder::new());
    let file = files.with(
        "mine.csv",
        "ID,Title,Status,Count,Price\n1,Aster,Owned,2,€ 45\n2,Briar,Wished,,\n3,Cosmos,Sold,,\n",
    );
    let arguments = ["import", "mfc", &file, "--user", "noor"];
    let (ok, _, stderr) = run(&db, &arguments, "");
    assert!(!ok && stderr.contains("no user noor"), "{stderr}");
    assert!(run(&db, &["admin", "create-user", "noor"], PASSWORD).0);

    let (ok, stdout, stderr) = run(&db, &arguments, "");
    assert!(ok, "{stderr}");
    let fates: Vec<Vec<&str>> =
        stdout.lines().skip(1).take(3).map(|l| l.split_whitespace().take(2).collect()).collect();
    assert_eq!(fates, [["2", "added"], ["3", "wished"], ["4", "refused"]], "{stdout}");
    assert!(stdout.ends_with("3 rows\n  1  added\n  1  wished\n  1  refused\n"), "{stdout}");
    assert_eq!((count(&db, "owned_items").await, count(&db, "wishlist_items").await), (2, 1));

    let (ok, stdout, _) = run(&db, &arguments, "");
    assert!(ok && stdout.contains("2  unchanged"), "{stdout}");
    let picture = files.with("picture.csv", "\u{1}PNG\0\0");
    let (ok, _, stderr) = run(&db, &["import", "mfc", &picture, "--user", "noor"], "");
    assert!(!ok && stderr.contains("not a CSV"), "{stderr}");
    assert!(run(&db, &["verify"], "").0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_brings_a_backup_back_and_again_without_doubles() {
    let db = TestDb::new().await;
    let files = Files(ScratchFolder::new());
    let piece = r#"{"id":"0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10","figure_id":"0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "origin":"purchased","sort_order":0,"added_at":"2026-01-05T10:00:00Z","preorders":[]}"#;
    let figure = r#"{"id":"0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02","slug":"mina","name":"Mina","figure_type":"scale",
        "series":[],"characters":[],"releases":[],"is_nsfw":false,"buy_links":[]}"#;
    let file = files.with(
        "mine.json",
        &format!(
            "{{\"format\":\"figure-ledger-backup\",\"version\":1,\"exported_at\":\"2026-01-06T00:00:00Z\",\
             \"figures\":[{figure}],\"cabinets\":[],\"pieces\":[{piece}],\"wishes\":[]}}"
        ),
    );
    assert!(run(&db, &["admin", "create-user", "noor"], PASSWORD).0);
    let arguments = ["import", "backup", &file, "--user", "noor"];
    let (ok, stdout, stderr) = run(&db, &[&arguments[..], &["--dry-run"]].concat(), "");
    assert!(ok && stdout.contains("1 pieces\n  1  would be added"), "{stdout}{stderr}");
    let (ok, stdout, stderr) = run(&db, &arguments, "");
    assert!(ok && stdout.contains("1 pieces\n  1  added"), "{stdout}{stderr}");
    assert_eq!(count(&db, "owned_items").await, 1, "it returns when the read models show it");
    let (ok, stdout, _) = run(&db, &arguments, "");
    assert!(ok && stdout.contains("1 pieces\n  0  added\n  1  there already"), "{stdout}");
    let torn = files.with("torn.json", "{\"format\":");
    let (ok, _, stderr) = run(&db, &["import", "backup", &torn, "--user", "noor"], "");
    assert!(!ok && stderr.contains("line 1"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_says_how_to_sign_in() {
    let db = TestDb::new().await;
    let (ok, stdout, stderr) = run(&db, &["demo"], "");
    assert!(ok && stdout.contains("demo / figure-demo-password"), "{stdout}{stderr}");
    assert!(count(&db, "owned_items").await > 20);
    let events = count(&db, "events").await;
    let (ok, stdout, _) = run(&db, &["demo"], "");
    assert!(ok && stdout.contains("there already"), "{stdout}");
    assert_eq!(count(&db, "events").await, events);
    assert!(run(&db, &["verify"], "").0);
}
