//! The program itself, as a process.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
};

use database::testing::{ScratchFolder, TestDb};
use nix::{sys::signal, unistd::Pid};
use serde_json::json;

use crate::support::TestClient;

pub fn program(db: &TestDb, arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    command.env("DATABASE_URL", &db.url);
    command
}

/// The program with a private database in this folder.
pub fn program_at(folder: &ScratchFolder, arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    // PostgreSQL may have to be looked for.
    command
        .env("FIGURE_LEDGER_DATA", folder.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_figure-ledger"));
    command
        .args(arguments)
        .env_clear()
        .env("RATE_LIMIT_ENABLED", "false")
        // Tests ask nobody outside.
        .env("FX_REFRESH_ENABLED", "false")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(db: &TestDb, arguments: &[&str], input: &str) -> (bool, String, String) {
    let mut child = program(db, arguments).spawn().unwrap();
    // A program that refuses its arguments is gone before it reads anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

pub struct Server {
    child: Child,
    base: String,
    announced: Vec<String>,
}

impl Server {
    pub fn start(db: &TestDb, arguments: &[&str]) -> Self {
        let all: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"].iter().chain(arguments).copied().collect();
        Self::start_with(program(db, &all))
    }

    pub fn start_with(mut command: Command) -> Self {
        command.stderr(Stdio::inherit());
        Self::started(command)
    }

    /// The same with its log lines in a file.
    pub fn start_logging(mut command: Command, log: File) -> Self {
        command.stderr(log);
        Self::started(command)
    }

    fn started(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut announced = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let last = line.contains("make an admin");
            announced.push(line);
            if last {
                break;
            }
        }
        let base = announced.first().and_then(|line| line.split_whitespace().last()).unwrap().to_owned();
        Self { child, base, announced }
    }

    pub fn client(&self) -> TestClient {
        TestClient::at(&self.base)
    }

    /// Sends it a signal.
    pub fn signal(&self, how: signal::Signal) {
        signal::kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), how).unwrap();
    }

    pub fn stop(mut self, how: signal::Signal) -> bool {
        signal::kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), how).unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_made_on_the_command_line_signs_in_at_the_server() {
    let db = TestDb::new().await;
    let create = ["admin", "create-user", "root", "--admin"];
    let (made, stdout, stderr) = run(&db, &create, "a rather long one\n");
    assert!(made, "{stderr}");
    assert!(stdout.contains("root"), "{stdout}");
    let (again, _, stderr) = run(&db, &create, "a rather long one\n");
    assert!(!again && stderr.contains("taken"), "{stderr}");
    let server = Server::start(&db, &[]);
    let root = server.client();
    let login = json!({"username": "root", "password": "a rather long one"});
    assert_eq!(root.post("/api/auth/login", login).await.ok()["is_admin"], true);
    root.get("/api/admin/users").await.ok();
    assert!(server.stop(signal::Signal::SIGTERM), "a stop on request is no failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_names_and_passwords_make_no_account() {
    let db = TestDb::new().await;
    for (name, password) in [("no good", "a rather long one\n"), ("good", "short\n"), ("good", "")] {
        let (made, _, stderr) = run(&db, &["admin", "create-user", name], password);
        assert!(!made && !stderr.is_empty(), "{name:?} {password:?}");
    }
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&db.pool).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_account_is_announced_and_works() {
    let db = TestDb::new().await;
    for _ in 0..2 {
        let server = Server::start(&db, &["--demo"]);
        let text = server.announced.join("\n");
        assert!(text.contains("/api/docs"), "{text}");
        let line = server.announced.iter().find(|line| line.contains("demo account")).unwrap();
        let (name, password) = line.rsplit_once(": ").unwrap().1.trim().split_once(" / ").unwrap();
        let login = json!({"username": name, "password": password});
        server.client().post("/api/auth/login", login).await.ok();
        assert!(server.stop(signal::Signal::SIGINT));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_make_no_sense_are_all_named() {
    let db = TestDb::new().await;
    let output = program(&db, &["serve"])
        .env("TRUSTED_PROXY_HOPS", "many")
        .env("PUBLIC_URL", "here")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(stderr.contains("TRUSTED_PROXY_HOPS") && stderr.contains("PUBLIC_URL"), "{stderr}");
}
