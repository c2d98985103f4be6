//! From "which server" to a checked, migrated pool.

use crate::cluster::{Cluster, ClusterError, OLDEST_MAJOR};
use crate::migrate::{self, MigrationError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How long a server that does not listen is given to come up.
const REFUSED_PATIENCE: Duration = Duration::from_secs(5);
/// How long a server that says "starting up" is given.
const STARTING_PATIENCE: Duration = Duration::from_secs(60);
/// A connection that says nothing for longer is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// A connection on a socket that was used more lately is taken to be alive.
pub(crate) const RESTED: Duration = Duration::from_millis(250);
const POOL_SIZE: u32 = 20;

/// Which PostgreSQL to use.
#[derive(Clone)]
pub enum Source {
    /// The server that this URL names.
    External(String),
    /// The private cluster of this data folder.
    Private(PathBuf),
}

impl Source {
    /// `DATABASE_URL` when it is set and not blank, else the private cluster of `data_dir`.
    #[must_use]
    pub fn from_env_or_private(database_url: Option<String>, data_dir: &Path) -> Self {
        match database_url {
            Some(url) if !url.trim().is_empty() => Self::External(url.trim().to_owned()),
            _ => Self::Private(data_dir.to_owned()),
        }
    }
}

impl Source {
    /// Whether there is a private cluster already; of a server that a URL names nothing is known before it is asked.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        match self {
            Self::External(_) => true,
            Self::Private(data_dir) => crate::cluster::is_begun(data_dir),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // The URL may hold a password.
            Self::External(_) => f.write_str("External(..)"),
            Self::Private(dir) => f.debug_tuple("Private").field(dir).finish(),
        }
    }
}

/// Why there is no usable database. The texts are fit to be shown and hold no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `DATABASE_URL` is not a PostgreSQL URL.
    #[error("DATABASE_URL is not a PostgreSQL URL (postgres://user:password@host:5432/database): {0}")]
    Url(String),
    /// Nothing answers there.
    #[error("cannot reach PostgreSQL at {address}: {reason}")]
    Unreachable {
        /// Host and port, or the socket.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The server answers, but not to us.
    #[error("PostgreSQL at {address} refuses the connection: {reason}")]
    Refused {
        /// Host and port, or the socket.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// The server is older than [`OLDEST_MAJOR`].
    #[error("PostgreSQL is too old: found {found}, need {OLDEST_MAJOR} or newer")]
    TooOld {
        /// Its version, such as `13.2`.
        found: String,
    },
    /// The database is not in UTF-8.
    #[error(
        "the database's encoding is {found}, need UTF8; make one with: \
         CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    )]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// Letters outside ASCII are no letters to this database, so names in Japanese cannot be searched.
    #[error(
        "the database's locale ({found}) knows no letters outside ASCII, so search would miss Japanese \
         names; make one with: CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
    )]
    Locale {
        /// Its `LC_CTYPE`.
        found: String,
    },
    /// The private cluster does not run.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The migrations failed.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The connection broke while checking.
    #[error("the database went away: {0}")]
    Sql(#[from] sqlx::Error),
}

/// A connected database.
#[derive(Debug)]
pub struct Database {
    /// Connections, at most 20, with a statement cache. Timeouts for locks and idle transactions are set by
    /// whoever needs them.
    pub pool: PgPool,
    /// The private cluster, when one is used.
    pub cluster: Option<Cluster>,
    /// Where it is, for other processes. Holds the password of an external server: never show it.
    pub url: String,
}

impl Database {
    /// Connects, checks the server's version and encoding, migrates, and checks that search will work.
    ///
    /// # Errors
    /// [`ConnectError`]. A private cluster started for this is left running only when stopping it fails.
    pub async fn open(source: &Source) -> Result<Self, ConnectError> {
        let database = Self::connect(source).await?;
        let ready = async {
            migrate::run(&database.pool).await?;
            check_search(&database.pool).await
        };
        match ready.await {
            Ok(()) => Ok(database),
            Err(error) => {
                if let Err(stop) = database.close().await {
                    tracing::warn!(error = %stop, "the private cluster did not stop");
                }
                Err(error)
            }
        }
    }

    /// Connects and checks version and encoding, without migrating. A private cluster that ends later is
    /// started again.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(source: &Source) -> Result<Self, ConnectError> {
        match source {
            Source::External(url) => {
                let options =
                    PgConnectOptions::from_str(url).map_err(|e| ConnectError::Url(url_problem(&e)))?;
                let pool = checked_pool(options, true).await?;
                Ok(Self { pool, cluster: None, url: url.clone() })
            }
            Source::Private(data_dir) => {
                let cluster = Cluster::join_or_start(data_dir).await?;
                match checked_pool(cluster.options(), false).await {
                    Ok(pool) => {
                        cluster.watch();
                        Ok(Self { pool, url: cluster.url(), cluster: Some(cluster) })
                    }
                    Err(error) => {
                        if let Err(stop) = cluster.release().await {
                            tracing::warn!(error = %stop, "the private cluster did not stop");
                        }
                        Err(error)
                    }
                }
            }
        }
    }

    /// Closes the pool and releases the private cluster, which stops it unless another process uses it.
    ///
    /// # Errors
    /// [`ClusterError`] when it does not stop.
    pub async fn close(self) -> Result<(), ClusterError> {
        self.pool.close().await;
        match self.cluster {
            Some(cluster) => cluster.release().await,
            None => Ok(()),
        }
    }
}

async fn checked_pool(options: PgConnectOptions, may_break: bool) -> Result<PgPool, ConnectError> {
    let options = options.application_name("figure-ledger").statement_cache_capacity(256);
    let mut connection = patient_connection(&options).await?;
    check_server(&mut connection).await?;
    connection.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .acquire_timeout(Duration::from_secs(15))
        // No statement here runs as long as compiling one takes. And a transaction whose connection the network has
        // swallowed must not hold its locks until PostgreSQL misses somebody, which takes hours.
        .after_connect(|connection, _| {
            let settings = "SET jit = off; SET idle_in_transaction_session_timeout = '10s'";
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        });
    // A socket beside us neither cuts nor swallows anything, and a ping costs a round trip. It breaks when the server
    // ends, which does not come back at once.
    let pool = match (may_break, options.get_socket()) {
        (false, _) => pool.test_before_acquire(false),
        (true, Some(_socket)) => pool.test_before_acquire(false).before_acquire(|connection, metadata| {
            Box::pin(
                async move { if metadata.idle_for < RESTED { Ok(true) } else { answers(connection).await } },
            )
        }),
        (true, None) => wary(pool),
    };
    Ok(pool.connect_lazy_with(options))
}

/// A network may cut an idle connection, or swallow what is sent without a word. So a connection is asked before
/// and after its use whether it is alive, and silence means no.
fn wary(pool: PgPoolOptions) -> PgPoolOptions {
    pool.test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(answers(connection)))
        .after_release(|connection, _| Box::pin(answers(connection)))
}

pub(crate) async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(ANSWER_WITHIN, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        // An error, since a connection that is only not wanted is taken leave of, which may take for ever.
        Err(silent) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, silent))),
    }
}

async fn patient_connection(options: &PgConnectOptions) -> Result<PgConnection, ConnectError> {
    let address = address(options);
    let began = Instant::now();
    loop {
        let attempt =
            tokio::time::timeout(Duration::from_secs(10), PgConnection::connect_with(options)).await;
        let error = match attempt {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(ConnectError::Unreachable {
                    address,
                    reason: "no answer within 10 s".to_owned(),
                });
            }
        };
        let patience = match &error {
            // 57P03: starting up, shutting down or recovering. 53300: all connections taken.
            sqlx::Error::Database(e) if matches!(e.code().as_deref(), Some("57P03" | "53300")) => {
                STARTING_PATIENCE
            }
            sqlx::Error::Database(e) => {
                return Err(ConnectError::Refused { address, reason: e.message().to_owned() });
            }
            _ => REFUSED_PATIENCE,
        };
        if began.elapsed() >= patience {
            let reason = match error {
                sqlx::Error::Io(e) => e.to_string(),
                other => other.to_string(),
            };
            return Err(ConnectError::Unreachable { address, reason });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn url_problem(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(e) => e.to_string(),
        other => other.to_string(),
    }
}

/// Where the options lead, without user and password.
fn address(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("{}:{}", options.get_host(), options.get_port()),
        |socket| format!("{} (port {})", socket.display(), options.get_port()),
    )
}

async fn check_server(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let (number, encoding): (String, String) =
        sqlx::query_as("SELECT current_setting('server_version_num'), current_setting('server_encoding')")
            .fetch_one(connection)
            .await?;
    check_version(number.parse().unwrap_or(0))?;
    if encoding != "UTF8" {
        return Err(ConnectError::Encoding { found: encoding });
    }
    Ok(())
}

/// Refuses a `server_version_num` (130002 is 13.2) below the oldest supported version.
fn check_version(number: u32) -> Result<(), ConnectError> {
    let major = number / 10_000;
    if major >= OLDEST_MAJOR {
        return Ok(());
    }
    // Before 10 the first two numbers were the major version: 90624 is 9.6.24.
    let found = if major >= 10 {
        format!("{major}.{}", number % 10_000)
    } else {
        format!("{major}.{}.{}", number / 100 % 100, number % 100)
    };
    Err(ConnectError::TooOld { found })
}

async fn check_search(pool: &PgPool) -> Result<(), ConnectError> {
    let (works, found): (bool, String) = sqlx::query_as(
        "SELECT cardinality(show_trgm('フィギュア')) > 0 AND lower('É') = 'é', datctype::text \
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(pool)
    .await?;
    if works { Ok(()) } else { Err(ConnectError::Locale { found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_before_14_is_too_old_and_the_message_says_what_was_found() {
        let message = |number| check_version(number).unwrap_err().to_string();
        assert_eq!(message(130_002), "PostgreSQL is too old: found 13.2, need 14 or newer");
        assert_eq!(message(90_624), "PostgreSQL is too old: found 9.6.24, need 14 or newer");
        assert!(check_version(140_000).is_ok());
        assert!(check_version(170_004).is_ok());
    }

    #[test]
    fn a_blank_database_url_means_the_private_cluster() {
        let source = |url: Option<&str>| Source::from_env_or_private(url.map(str::to_owned), Path::new("/d"));
        assert!(matches!(source(None), Source::Private(_)));
        assert!(matches!(source(Some(" ")), Source::Private(_)));
        assert!(matches!(source(Some("postgres://h/d")), Source::External(_)));
    }

    #[test]
    fn debug_output_of_a_source_hides_the_url() {
        let source = Source::External("postgres://u:sesame@h/d".to_owned());
        assert!(!format!("{source:?}").contains("sesame"));
    }
}
