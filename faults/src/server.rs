//! The real program as a process: found, started, told where to die, seen to be gone.

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Names the program to test, instead of the one that belongs to this build.
const PROGRAM: &str = "FIGURE_LEDGER_BIN";
/// The same for the program of a release to come.
const NEXT_PROGRAM: &str = "FIGURE_LEDGER_NEXT_BIN";
const CRASH_AT: &str = "FIGURE_LEDGER_CRASH_AT";
const DATA: &str = "FIGURE_LEDGER_DATA";
/// How long the program may take until it can serve.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// What the program is made from, beside `Cargo.lock`.
const SOURCES: &[&str] =
    &["api", "database", "domain", "event-store", "operational", "projections", "workers", "migrations"];

/// The `figure-ledger` of this build, under a name of its own: whoever builds meanwhile does not change
/// what is tested.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    log: PathBuf,
    data: PathBuf,
    own: bool,
    keep_log: AtomicBool,
}

impl Program {
    /// Finds the program: what `FIGURE_LEDGER_BIN` names, else the one beside the running executable,
    /// which is built first when there is none or sources are newer.
    ///
    /// # Errors
    /// When it cannot be built or linked.
    pub fn find() -> anyhow::Result<Self> {
        Self::find_build(Build { program: "figure-ledger", setting: PROGRAM, feature: None })
    }

    /// Finds the program of a release to come, which folds the figures otherwise: what
    /// `FIGURE_LEDGER_NEXT_BIN` names, else a second build of the same sources, made when there is none or
    /// sources are newer. That takes as long as building the last crates does.
    ///
    /// # Errors
    /// When it cannot be built or linked.
    pub fn find_next() -> anyhow::Result<Self> {
        let (program, feature) = ("figure-ledger-next", Some("next-release"));
        Self::find_build(Build { program, setting: NEXT_PROGRAM, feature })
    }

    fn find_build(which: Build) -> anyhow::Result<Self> {
        let profile = profile_folder()?;
        let own = profile.join("faults-runs");
        std::fs::create_dir_all(&own)?;
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple());
        let (log, data) = (own.join(format!("{name}.log")), own.join(format!("{name}.data")));
        let keep_log = AtomicBool::new(false);
        if let Some(path) = std::env::var_os(which.setting) {
            return Ok(Self { path: path.into(), log, data, own: false, keep_log });
        }
        let built = profile.join(which.program);
        if !is_fresh(&built) {
            build(&profile, &which)?;
        }
        let path = own.join(name);
        std::fs::hard_link(&built, &path)
            .or_else(|_other_file_system| std::fs::copy(&built, &path).map(drop))
            .with_context(|| format!("{} cannot be used", built.display()))?;
        Ok(Self { path, log, data, own: true, keep_log })
    }

    /// Where the processes' log lines go.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where the servers keep files. It goes with this.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.data.join("files")
    }

    /// Lets the log stay when this ends.
    pub fn keep_log(&self) {
        self.keep_log.store(true, Ordering::Relaxed);
    }

    fn command(&self, database_url: &str, arguments: &[&str]) -> anyhow::Result<Command> {
        let log: File = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.path);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("DATABASE_URL", database_url)
            .env(DATA, &self.data)
            .env("RATE_LIMIT_ENABLED", "false")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }

    /// Runs a subcommand to its end, perhaps with a point at which it dies: `name:pass`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn run(
        &self,
        database_url: &str,
        arguments: &[&str],
        crash_at: Option<&str>,
    ) -> anyhow::Result<Output> {
        let mut command = self.command(database_url, arguments)?;
        command.envs(crash_at.map(|at| (CRASH_AT, at)));
        command.stderr(Stdio::piped());
        Ok(command.output().await?)
    }

    /// Starts a subcommand whose output goes nowhere.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self, database_url: &str, arguments: &[&str]) -> anyhow::Result<Child> {
        let mut command = self.command(database_url, arguments)?;
        Ok(command.stdout(Stdio::null()).spawn()?)
    }

    /// Starts a server, perhaps with a point at which it dies, and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, or does not become ready without dying.
    pub async fn serve(&self, database_url: &str, crash_at: Option<&str>) -> anyhow::Result<Started> {
        let mut command = self.command(database_url, &["serve", "--listen", "127.0.0.1:0"])?;
        command.envs(crash_at.map(|at| (CRASH_AT, at)));
        Self::start(command).await
    }

    /// The same on a data folder, whose PostgreSQL the server keeps running by itself.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_folder(&self, data: &Path) -> anyhow::Result<Started> {
        let mut command = self.command("", &["serve", "--listen", "127.0.0.1:0", "--data"])?;
        command.arg(data);
        Self::start(command).await
    }

    async fn start(mut command: Command) -> anyhow::Result<Started> {
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let base = loop {
            match lines.next_line().await? {
                Some(line) if line.contains("listens on") => {
                    let base = line.split_whitespace().last().unwrap_or_default().to_owned();
                    ensure!(base.starts_with("http://"), "the server announced {line:?}");
                    break base;
                }
                Some(_) => {}
                None => return Ok(Started::Died(child.wait().await?)),
            }
        };
        // Whatever else it prints is read, or it would break at the closed pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut server = Server { child, base };
        match server.ready().await? {
            None => Ok(Started::Ready(Box::new(server))),
            Some(status) => Ok(Started::Died(status)),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.own {
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = std::fs::remove_dir_all(&self.data);
        if !std::thread::panicking() && !self.keep_log.load(Ordering::Relaxed) {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// What became of a start.
#[derive(Debug)]
pub enum Started {
    /// It serves.
    Ready(Box<Server>),
    /// It died before it could.
    Died(ExitStatus),
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    base: String,
}

impl Server {
    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The id of its process, while it runs.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn died(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server is gone")?;
        Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
    }

    /// `kill -9`, now.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.start_kill()?)
    }

    async fn ready(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let begun = std::time::Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            let asked = client.get(format!("{}/api/health/ready", self.base)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(None);
            }
            if begun.elapsed() > READY_WITHIN {
                bail!("the server was not ready within {} s", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Which program is wanted.
struct Build {
    program: &'static str,
    setting: &'static str,
    feature: Option<&'static str>,
}

/// Cargo's folder for the profile of the running executable. Tests lie in `deps` within it.
fn profile_folder() -> anyhow::Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let folder = executable.parent().context("the running executable lies nowhere")?;
    let is_test = folder.file_name().is_some_and(|name| name == "deps");
    Ok(if is_test { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

fn is_fresh(program: &Path) -> bool {
    let Ok(built) = std::fs::metadata(program).and_then(|metadata| metadata.modified()) else {
        return false;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lock = modified(&root.join("Cargo.lock"));
    SOURCES.iter().map(|folder| newest(&root.join(folder))).chain([lock]).all(|time| time <= built)
}

fn modified(path: &Path) -> SystemTime {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// When the last of the files in a folder was changed; tests are no part of the program.
fn newest(folder: &Path) -> SystemTime {
    let Ok(entries) = std::fs::read_dir(folder) else { return SystemTime::UNIX_EPOCH };
    entries
        .flatten()
        .filter(|entry| entry.file_name() != "tests")
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => newest(&entry.path()),
            _ => modified(&entry.path()),
        })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn build(profile: &Path, which: &Build) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let target = profile.parent().context("cargo's target folder is missing")?;
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = std::process::Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", "api", "--bin", which.program])
        .args(which.feature.map(|feature| format!("--features={feature}")))
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .context("cargo cannot be run")?;
    ensure!(status.success(), "{} cannot be built", which.program);
    Ok(())
}
