//! The private PostgreSQL cluster of a data folder.
//!
//! `DIR/postgres` holds it; it listens on a unix socket for this user only. Whoever uses it calls
//! [`Cluster::join_or_start`], and the last one to [`Cluster::release`] it stops it. Who uses it is told
//! by file locks that die with their holder, so a `kill -9` leaves at worst a running server without
//! users, which the next one adopts. Linux only: liveness is read from `/proc`.

mod account;
mod binaries;
mod home;
mod lock;
mod server;

use account::Account;
use binaries::Binaries;
pub(crate) use binaries::client_programs;
use home::Home;
pub use lock::{ServeLock, ServeLockError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Whether a data folder has a cluster, or once had one elsewhere.
pub(crate) fn is_begun(data_dir: &Path) -> bool {
    Home::recorded(data_dir).root.exists() || data_dir.join(home::POINTER).exists()
}

/// The oldest major version that is supported.
pub const OLDEST_MAJOR: u32 = 14;
/// The database that the ledger uses in its private cluster.
pub const DATABASE: &str = "figure_ledger";
const MAINTENANCE: &str = "postgres";
const ROLE: &str = "figure_ledger";
const PORT: u16 = 5432;
/// How long a server that ends under our hands is tried again.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);
/// Longer than starting or stopping may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(660);
/// How often a watched server is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The longest pause between two attempts to start a server that does not start.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether committed data must survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It must. For everything that is not a test.
    Full,
    /// It need not: no fsync. For test clusters, which may be thrown away.
    Off,
}

/// How a cluster is run. Read when one is started; a cluster that already runs is joined as it is.
#[derive(Clone, Copy, Debug)]
pub struct ClusterOptions {
    /// Whether commits reach the disk.
    pub durability: Durability,
    /// How many connections the server takes.
    pub max_connections: u16,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { durability: Durability::Full, max_connections: 100 }
    }
}

/// Why there is no private cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or folder could not be used.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There are no programs and none could be fetched.
    #[error(
        "no {wanted} on this machine ({looked_at}), and fetching it failed: {fetch}. Install it \
         (on Debian: apt-get install postgresql) or set DATABASE_URL"
    )]
    NoBinaries {
        /// Which version was looked for.
        wanted: String,
        /// What was found instead.
        looked_at: String,
        /// Why the download failed.
        fetch: String,
    },
    /// Root has no account to lend.
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")]
    NoAccount,
    /// The cluster belongs to another user.
    #[error("{} belongs to {owner}; run this as {owner} or as root (and never make it root's)", path.display())]
    NotOwner {
        /// The cluster.
        path: PathBuf,
        /// Whose it is.
        owner: String,
    },
    /// The account that the cluster belongs to cannot reach it any more.
    #[error("user {account}, whose cluster {} holds, cannot enter that folder; let it (chmod o+x on the way there)", path.display())]
    OutOfReach {
        /// The data folder.
        path: PathBuf,
        /// The account.
        account: String,
    },
    /// The cluster outside the folder has vanished.
    #[error(
        "{} says that the database is in {}, but that is gone. Restore it; or, to begin anew with an \
         empty database, delete the first file", pointer.display(), root.display()
    )]
    Gone {
        /// The pointer file in the data folder.
        pointer: PathBuf,
        /// Where it points.
        root: PathBuf,
    },
    /// The data folder is a copy of another one.
    #[error(
        "{} is a copy of {} and points at its database. Use a backup to copy a ledger; or, to begin \
         anew with an empty database, delete postgres.location in the copy", copy.display(), original.display()
    )]
    Copied {
        /// The copy.
        copy: PathBuf,
        /// The folder that owns the cluster.
        original: PathBuf,
    },
    /// Another process has been starting or stopping the cluster for too long.
    #[error("another process has held {} for {seconds} s", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// `initdb` failed.
    #[error("making the cluster failed:\n{output}")]
    Initdb {
        /// The end of what it said.
        output: String,
    },
    /// The server ended while starting.
    #[error("PostgreSQL did not start (logs in {}):\n{log}", logs.display())]
    Start {
        /// The end of what it said.
        log: String,
        /// The folder with its logs.
        logs: PathBuf,
    },
    /// The server is still not ready.
    #[error("PostgreSQL was not ready after {seconds} s (logs in {})", logs.display())]
    StartPatience {
        /// How long we waited.
        seconds: u64,
        /// The folder with its logs.
        logs: PathBuf,
    },
    /// A backend of a dead server does not end.
    #[error("process {pid} of an earlier PostgreSQL still works on {}; end it and try again", data.display())]
    Straggler {
        /// The process.
        pid: i32,
        /// The cluster.
        data: PathBuf,
    },
    /// The server does not stop.
    #[error("PostgreSQL (process {pid}) did not stop within {seconds} s")]
    Stop {
        /// The postmaster.
        pid: i32,
        /// How long we waited.
        seconds: u64,
    },
    /// The server runs, but the ledger's database cannot be made in it.
    #[error("the private cluster runs but is not usable: {0}")]
    Database(#[from] sqlx::Error),
    /// A background task ended early: the program is shutting down.
    #[error("interrupted")]
    Interrupted,
}

impl ClusterError {
    fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

/// The path of the data folder without links and relative parts; makes the folder.
fn canonical(data_dir: &Path) -> Result<PathBuf, ClusterError> {
    std::fs::create_dir_all(data_dir).map_err(|e| ClusterError::io("cannot make", data_dir, e))?;
    std::fs::canonicalize(data_dir).map_err(|e| ClusterError::io("cannot find", data_dir, e))
}

/// One use of a running private cluster. Dropping it without [`release`](Self::release) ends the use and
/// leaves the server running; the next user adopts it.
#[derive(Debug)]
pub struct Cluster {
    data_dir: PathBuf,
    home: Home,
    socket_dir: PathBuf,
    use_lock: File,
    options: ClusterOptions,
    /// Set once this use ends on purpose; gone when it just ends.
    released: Arc<AtomicBool>,
}

impl Cluster {
    /// Joins the cluster of `data_dir` when it runs (also one whose starter was killed), else starts it,
    /// else makes it. Ends when it takes connections and the database [`DATABASE`] exists. Waits for
    /// other processes that are starting or stopping it.
    ///
    /// # Errors
    /// [`ClusterError`], whose text is fit to be shown to whoever runs the program.
    pub async fn join_or_start(data_dir: &Path) -> Result<Self, ClusterError> {
        Self::join_or_start_with(data_dir, ClusterOptions::default()).await
    }

    /// [`join_or_start`](Self::join_or_start) with other options.
    ///
    /// # Errors
    /// As there.
    pub async fn join_or_start_with(data_dir: &Path, options: ClusterOptions) -> Result<Self, ClusterError> {
        let deadline = Instant::now() + JOIN_PATIENCE;
        loop {
            let (folder, runtime) = (data_dir.to_owned(), Handle::current());
            let cluster = tokio::task::spawn_blocking(move || Self::run(&folder, &options, &runtime))
                .await
                .map_err(|_| ClusterError::Interrupted)??;
            match cluster.make_database().await {
                Ok(()) => return Ok(cluster),
                // A server that was just killed, or told to end by the system, still answers for a moment.
                Err(error) if is_ending(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn run(data_dir: &Path, options: &ClusterOptions, runtime: &Handle) -> Result<Self, ClusterError> {
        let data_dir = canonical(data_dir)?;
        let _starting = lock::exclusive(&data_dir, lock::START, LOCK_PATIENCE)?;
        let use_lock = lock::shared(&data_dir)?;
        let (home, account) = Home::settle(&data_dir, options.durability)?;
        let programs = || Binaries::find(&account, server::made_by(&home), home.store(), runtime);
        home.prepare(&account)?;
        if !home.data().exists() {
            server::make(&home, &account, &programs()?, options.durability)?;
        }
        let socket_dir = match server::run(&home, &account, options, programs) {
            // Without fsync a crash of the machine may ruin a cluster; its contents were never meant to last.
            Err(ClusterError::Start { .. }) if options.durability == Durability::Off => {
                server::discard(&home)?;
                server::make(&home, &account, &programs()?, options.durability)?;
                server::run(&home, &account, options, programs)
            }
            outcome => outcome,
        }?;
        let released = Arc::new(AtomicBool::new(false));
        Ok(Self { data_dir, home, socket_dir, use_lock, options: *options, released })
    }

    /// Starts the server again whenever it ends under this use, such as by a `kill -9`, until the use ends.
    pub fn watch(&self) {
        let watched = Watched {
            data_dir: self.data_dir.clone(),
            home: self.home.clone(),
            options: self.options,
            released: Arc::downgrade(&self.released),
        };
        tokio::spawn(watched.keep_running());
    }

    async fn make_database(&self) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options_for(MAINTENANCE)).await?;
        let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !there {
            let made = sqlx::raw_sql("CREATE DATABASE figure_ledger TEMPLATE template0")
                .execute(&mut connection)
                .await;
            match made {
                // Another process was faster: 42P04 says so, or 23505 when it was a close race.
                Err(sqlx::Error::Database(e)) if matches!(e.code().as_deref(), Some("42P04" | "23505")) => {}
                Err(e) => return Err(e),
                Ok(_) => {}
            }
        }
        connection.close().await
    }

    /// How to connect to the ledger's database in this cluster.
    #[must_use]
    pub fn options(&self) -> PgConnectOptions {
        self.options_for(DATABASE)
    }

    /// How to connect to another database of this cluster.
    #[must_use]
    pub fn options_for(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(PORT)
            .username(ROLE)
            .database(database)
    }

    /// The URL of the ledger's database, fit for `psql` and for other processes of this user. It holds
    /// no secret: the socket's folder is the guard.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for(DATABASE)
    }

    /// The URL of another database of this cluster.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        let mut url = format!("postgres://{ROLE}@localhost/{database}?port={PORT}&host=");
        for byte in self.socket_dir.as_os_str().as_bytes() {
            if byte.is_ascii_alphanumeric() {
                url.push(char::from(*byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url
    }

    /// Where PostgreSQL's programs were put if they had to be fetched.
    pub(crate) fn fetched_programs(&self) -> &Path {
        self.home.store()
    }

    /// The data folder, without links and relative parts.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Ends this use, and stops the server unless another process (or another value in this one) still
    /// uses it. Close pools first: the shutdown disconnects whoever is left.
    ///
    /// # Errors
    /// [`ClusterError::Stop`] when the server does not stop; the use has ended all the same.
    pub async fn release(self) -> Result<(), ClusterError> {
        tokio::task::spawn_blocking(move || {
            // Before the lock: whoever watches would else wait for it and start what was just stopped.
            self.released.store(true, Ordering::SeqCst);
            let _stopping = lock::exclusive(&self.data_dir, lock::START, LOCK_PATIENCE)?;
            drop(self.use_lock);
            match lock::last_user(&self.data_dir)? {
                Some(_alone) => server::stop(&self.home),
                None => Ok(()),
            }
        })
        .await
        .map_err(|_| ClusterError::Interrupted)?
    }
}

/// What is needed to start a server again.
#[derive(Clone)]
struct Watched {
    data_dir: PathBuf,
    home: Home,
    options: ClusterOptions,
    released: Weak<AtomicBool>,
}

impl Watched {
    fn is_over(&self) -> bool {
        self.released.upgrade().is_none_or(|released| released.load(Ordering::SeqCst))
    }

    async fn keep_running(self) {
        let mut pause = LOOK_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            if self.is_over() {
                return;
            }
            let (watched, runtime) = (self.clone(), Handle::current());
            match tokio::task::spawn_blocking(move || watched.look(&runtime)).await {
                Ok(Ok(())) => pause = LOOK_EVERY,
                Ok(Err(error)) => {
                    tracing::error!(%error, "PostgreSQL ended and could not be started again");
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
                Err(_shutting_down) => return,
            }
        }
    }

    fn look(&self, runtime: &Handle) -> Result<(), ClusterError> {
        if !server::is_stopped(&self.home) {
            return Ok(());
        }
        let _starting = lock::exclusive(&self.data_dir, lock::START, LOCK_PATIENCE)?;
        if self.is_over() || !server::is_stopped(&self.home) {
            return Ok(());
        }
        tracing::warn!("PostgreSQL ended; starting it again");
        let account = Account::for_existing(&self.home.data())?;
        let programs = || Binaries::find(&account, server::made_by(&self.home), self.home.store(), runtime);
        server::run(&self.home, &account, &self.options, programs).map(drop)
    }
}

fn is_ending(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        // 57P01 to 57P03: being shut down, crashed, not accepting connections.
        sqlx::Error::Database(e) => e.code().is_some_and(|code| code.starts_with("57P0")),
        _ => false,
    }
}

/// Stops and deletes the cluster of a data folder. Only for throw-away folders of tests.
pub(crate) fn erase(data_dir: &Path) {
    let Ok(data_dir) = std::fs::canonicalize(data_dir) else { return };
    let home = Home::recorded(&data_dir);
    if server::stop(&home).is_ok() {
        home.erase();
    }
}
