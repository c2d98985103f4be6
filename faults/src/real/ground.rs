//! A PostgreSQL of one's own, to be killed, filled up, starved and lied to.

use anyhow::{Context, bail, ensure};
use database::cluster::{Cluster, ClusterOptions, Durability};
use database::testing::ScratchFolder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many connections it takes; three servers with everything around them want well over a hundred.
pub const CONNECTIONS: u16 = 160;
/// How often it is tried to fill the disk up, and how many bytes more are left free each time.
const TRIES_TO_FILL: u64 = 20;
const SPARED: u64 = 64 << 10;
/// The size of the small disk.
const DISK: &str = "size=900m";
/// How long it may take to come back, loaded machine and recovery included.
const BACK_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const FAKETIME: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

/// A cluster in a folder of its own, on a small disk of its own where that can be had.
pub struct Ground {
    /// Beside every proxy.
    pub pool: PgPool,
    cluster: Option<Cluster>,
    data: PathBuf,
    /// Why there is no small disk.
    no_disk: Option<String>,
    folder: ScratchFolder,
}

impl Ground {
    /// Makes it: a migrated, empty database.
    ///
    /// # Errors
    /// When there is no PostgreSQL.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = ScratchFolder::new();
        let no_disk = mount(folder.path()).err().map(|error| error.to_string());
        let cluster = Cluster::join_or_start_with(folder.path(), options()).await?;
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            .connect_lazy_with(cluster.options());
        let mut ground = Self { pool, cluster: Some(cluster), data: PathBuf::new(), no_disk, folder };
        let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&ground.pool).await?;
        ground.data = data.into();
        // A log that never grows beyond the small disk.
        ground.set("max_wal_size", "128MB").await?;
        database::migrate::run(&ground.pool).await?;
        Ok(ground)
    }

    /// How to connect.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// Its socket, which is there whenever it listens.
    ///
    /// # Errors
    /// When it has none.
    pub fn socket(&self) -> anyhow::Result<PathBuf> {
        let options = self.options();
        let folder = options.get_socket().context("the cluster has no socket")?;
        Ok(folder.join(format!(".s.PGSQL.{}", options.get_port())))
    }

    /// The URL for whoever comes by the socket.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster.as_ref().map(Cluster::url).unwrap_or_default()
    }

    /// The URL for whoever comes through a proxy.
    #[must_use]
    pub fn url_through(&self, port: u16) -> String {
        let options = self.options();
        let database = options.get_database().unwrap_or_default();
        format!("postgres://{}@127.0.0.1:{port}/{database}?sslmode=disable", options.get_username())
    }

    /// A connection, as soon as there is one to be had.
    ///
    /// # Errors
    /// When there is none in all that time.
    pub async fn connection(&self) -> anyhow::Result<PgConnection> {
        let begun = Instant::now();
        loop {
            match PgConnection::connect_with(&self.options()).await {
                Ok(connection) => return Ok(connection),
                Err(error) if begun.elapsed() > BACK_WITHIN => {
                    return Err(error).context("PostgreSQL did not come back");
                }
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Runs a statement on a fresh connection.
    ///
    /// # Errors
    /// When it fails.
    pub async fn run(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        sqlx::raw_sql(sql).execute(&mut connection).await.with_context(|| sql.to_owned())?;
        let _ = connection.close().await;
        Ok(())
    }

    /// Changes a setting of the whole cluster.
    ///
    /// # Errors
    /// When PostgreSQL does not want it.
    pub async fn set(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.run(&format!("ALTER SYSTEM SET {name} = '{value}'")).await?;
        self.run("SELECT pg_reload_conf()").await
    }

    /// Takes a setting back.
    ///
    /// # Errors
    /// When that fails.
    pub async fn reset(&self, name: &str) -> anyhow::Result<()> {
        self.run(&format!("ALTER SYSTEM RESET {name}")).await?;
        self.run("SELECT pg_reload_conf()").await
    }

    /// The postmaster, if it runs.
    #[must_use]
    pub fn postmaster(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        let alive = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == self.data);
        alive.then(|| Pid::from_raw(pid))
    }

    /// `kill -9` of the postmaster. Its children notice and end.
    ///
    /// # Errors
    /// When there is none.
    pub fn kill(&self) -> anyhow::Result<()> {
        let pid = self.postmaster().context("there is no postmaster to kill")?;
        Ok(kill(pid, Signal::SIGKILL)?)
    }

    /// `kill -9` of one process of it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill_backend(&self, backend: i32) -> anyhow::Result<()> {
        let process = format!("/proc/{backend}");
        let ours = std::fs::read_link(format!("{process}/cwd")).is_ok_and(|cwd| cwd == self.data);
        // It may have ended by itself meanwhile.
        if ours {
            let _ = kill(Pid::from_raw(backend), Signal::SIGKILL);
        }
        Ok(())
    }

    /// Starts it if it does not run, and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.path().to_owned();
        let started = Cluster::join_or_start_with(&folder, options());
        self.cluster = Some(tokio::time::timeout(BACK_WITHIN * 2, started).await.context("no start")??);
        self.connection().await?.close().await?;
        Ok(())
    }

    /// Why its disk cannot be filled up, if so.
    #[must_use]
    pub fn no_disk(&self) -> Option<&str> {
        self.no_disk.as_deref()
    }

    /// Fills up the disk, also what has become free since the last time, but for some bytes.
    ///
    /// # Errors
    /// When it has no disk of its own.
    pub fn fill(&self, but_for: u64) -> anyhow::Result<()> {
        ensure!(self.no_disk.is_none(), "there is no small disk");
        let ballast = self.folder.path().join("ballast");
        std::fs::create_dir_all(&ballast)?;
        // PostgreSQL may be faster and leave less than was just seen: then nothing is taken at all.
        for spared in 0..TRIES_TO_FILL {
            let free = nix::sys::statvfs::statvfs(self.folder.path())?;
            let free = free.blocks_available().saturating_mul(free.fragment_size());
            let size = free.saturating_sub(but_for).saturating_sub(spared.saturating_mul(SPARED));
            if size == 0 {
                break;
            }
            let filled = Command::new("fallocate")
                .args(["-l", &size.to_string()])
                .arg(ballast.join(Uuid::now_v7().simple().to_string()))
                .stderr(Stdio::null())
                .status()
                .context("fallocate")?;
            if filled.success() {
                break;
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub fn make_room(&self) {
        let _ = std::fs::remove_dir_all(self.folder.path().join("ballast"));
    }

    /// The library that lies about the time, if it is installed.
    #[must_use]
    pub fn faketime() -> Option<&'static Path> {
        FAKETIME.iter().map(Path::new).find(|path| path.exists())
    }

    /// Starts PostgreSQL anew with a clock that [`turn_clock`](Self::turn_clock) turns.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with_false_clock(&mut self) -> anyhow::Result<()> {
        let library = Self::faketime().context("libfaketime is not installed")?;
        let pid = self.postmaster().context("there is no postmaster")?;
        let program = std::fs::read_link(format!("/proc/{pid}/exe"))?;
        let owner = std::fs::metadata(&self.data)?;
        self.turn_clock(0)?;
        kill(pid, Signal::SIGINT)?;
        self.ended(pid).await?;
        let mut child = Command::new(program)
            .arg("-D")
            .arg(&self.data)
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", self.clock())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .current_dir("/")
            .uid(owner.uid())
            .gid(owner.gid())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        std::thread::spawn(move || child.wait());
        self.connection().await?.close().await?;
        Ok(())
    }

    /// Sets the false clock so many seconds off the true one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn turn_clock(&self, seconds: i64) -> anyhow::Result<()> {
        let (path, draft) = (self.clock(), self.clock().with_extension("new"));
        std::fs::write(&draft, format!("{seconds:+}s\n"))?;
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o644))?;
        Ok(std::fs::rename(draft, path)?)
    }

    fn clock(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Stops PostgreSQL in good order and starts it as it usually is.
    ///
    /// # Errors
    /// When it does not stop or start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.postmaster() {
            kill(pid, Signal::SIGINT)?;
            self.ended(pid).await?;
        }
        self.start().await
    }

    async fn ended(&self, pid: Pid) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.postmaster() == Some(pid) {
            if begun.elapsed() > BACK_WITHIN {
                bail!("PostgreSQL does not stop");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.cluster = None;
        if let Some(pid) = self.postmaster() {
            let _ = kill(pid, Signal::SIGQUIT);
            let begun = Instant::now();
            while self.postmaster() == Some(pid) && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(LOOK_EVERY);
            }
            let _ = kill(pid, Signal::SIGKILL);
        }
        if self.no_disk.is_none() {
            let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        }
    }
}

fn options() -> ClusterOptions {
    ClusterOptions { durability: Durability::Full, max_connections: CONNECTIONS }
}

/// Puts a small file system there. Only root may, and not everywhere.
fn mount(folder: &Path) -> anyhow::Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "only root may mount a small file system");
    let output = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("{DISK},mode=0755"), "figure-ledger-faults"])
        .arg(folder)
        .output()
        .context("there is no mount")?;
    ensure!(
        output.status.success(),
        "a small file system cannot be mounted here: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
