//! Taking a copy of a database and putting it back, with PostgreSQL's own `pg_dump` and `pg_restore`.
//!
//! A copy is an archive in PostgreSQL's custom format, of schema `public` as one snapshot sees it, while everybody
//! goes on working. What can be made anew from the rest may be left out of it.

use crate::cluster::client_programs;
use crate::connect::Database;
use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::process::Command;
use url::Url;
use uuid::Uuid;

/// By this table a ledger's database is known.
const OF_EVERY_LEDGER: &str = "events";
/// Empty, these say that nobody has used a ledger yet: whatever else it holds it has made for itself.
const OF_A_USED_LEDGER: &[&str] = &["events", "users", "erasures"];

/// Why a copy could not be taken or put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There are no programs to do it.
    #[error(
        "no pg_dump and pg_restore of PostgreSQL {0} or newer on this machine; install them \
         (on Debian: apt-get install postgresql-client)"
    )]
    NoPrograms(u32),
    /// One of them failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The database holds no ledger.
    #[error("the database holds no ledger: it has no table named events")]
    NoLedger,
    /// The file is something else.
    #[error("{} is no backup of a ledger: {reason}", path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The database to restore into is not empty.
    #[error("the database holds something already, in table {table}. Restore into an empty one: {hint}")]
    NotEmpty {
        /// One of its tables.
        table: String,
        /// How to come by an empty one.
        hint: &'static str,
    },
    /// A server works on it.
    #[error("a server is at work on this database; stop it first")]
    Served,
    /// A file or program could not be used.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The database did not answer.
    #[error("the database cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> BackupError {
    move |cause| BackupError::Io { what: what.into(), cause }
}

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// How many events.
    pub events: i64,
    /// The position of the last of them; 0 for none.
    pub position: i64,
    /// How many accounts.
    pub accounts: i64,
}

impl Database {
    /// Writes a copy to a file that is open for writing. Of the tables in `without` it holds nothing, of those in
    /// `without_rows` the definition alone.
    ///
    /// # Errors
    /// [`BackupError`]; the file then holds a part, which is of no use.
    pub async fn back_up(
        &self,
        to: File,
        without: &[&str],
        without_rows: &[&str],
    ) -> Result<Copied, BackupError> {
        let programs = self.programs().await?;
        // pg_dump looks at the same snapshot, so that what is told is what was copied.
        let mut connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        let there: bool = sqlx::query_scalar("SELECT to_regclass('public.events') IS NOT NULL")
            .fetch_one(&mut connection)
            .await?;
        if !there {
            return Err(BackupError::NoLedger);
        }
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut connection).await?;
        let snapshot: String =
            sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut connection).await?;
        let (events, position, accounts) = sqlx::query_as(
            "SELECT count(*), coalesce(max(position), 0), (SELECT count(*) FROM users) FROM events",
        )
        .fetch_one(&mut connection)
        .await?;
        let mut command = self.command(&programs, "pg_dump")?;
        command
            .args(["--format=custom", "--no-owner", "--no-privileges", "--schema=public"])
            .arg(format!("--snapshot={snapshot}"))
            .args(without.iter().map(|table| format!("--exclude-table=public.{table}")))
            .args(without_rows.iter().map(|table| format!("--exclude-table-data=public.{table}")))
            .stdout(to);
        succeed("pg_dump", run("pg_dump", command).await?)?;
        connection.close().await?;
        Ok(Copied { events, position, accounts })
    }

    /// Puts a copy into this database, which holds nothing yet: all of it or, when it fails, nothing. Migrations of
    /// later releases have to run afterwards.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn put_back(&self, from: &Path) -> Result<(), BackupError> {
        let programs = self.programs().await?;
        let list = contents(self.command(&programs, "pg_restore")?, from).await?;
        if let Some(table) = in_the_way(&self.pool).await? {
            let hint = if self.cluster.is_some() {
                "name another data folder with --data"
            } else {
                "make one, and name it in DATABASE_URL"
            };
            return Err(BackupError::NotEmpty { table, hint });
        }
        if is_served(&self.pool).await? {
            return Err(BackupError::Served);
        }
        clear(&self.pool).await?;
        let wanted = Scratch::write(&list)?;
        let mut command = self.command(&programs, "pg_restore")?;
        let database = self.options().get_database().unwrap_or_default().to_owned();
        command
            .args(["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"])
            .arg(format!("--dbname={database}"))
            .arg("--use-list")
            .arg(&wanted.0)
            .arg(from)
            .stdout(Stdio::null());
        succeed("pg_restore", run("pg_restore", command).await?)
    }

    fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    /// The folder of programs that fit the server.
    async fn programs(&self) -> Result<PathBuf, BackupError> {
        let version: String =
            sqlx::query_scalar("SELECT current_setting('server_version_num')").fetch_one(&self.pool).await?;
        let major = version.parse::<u32>().unwrap_or_default() / 10_000;
        let store = self.cluster.as_ref().map(|cluster| cluster.fetched_programs().to_owned());
        let found = tokio::task::spawn_blocking(move || client_programs(store.as_deref(), major)).await;
        found.ok().flatten().ok_or(BackupError::NoPrograms(major))
    }

    /// One of them, told where the database is. The password goes by the environment, where no other user sees it.
    fn command(&self, programs: &Path, name: &str) -> Result<Command, BackupError> {
        let options = self.options();
        let mut command = Command::new(programs.join(name));
        if self.cluster.is_some() {
            for (variable, _) in
                std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG"))
            {
                command.env_remove(variable);
            }
        }
        let host = options
            .get_socket()
            .map_or_else(|| OsString::from(options.get_host()), |folder| folder.as_os_str().to_owned());
        command
            .env("LC_ALL", "C")
            .env("PGHOST", host)
            .env("PGPORT", options.get_port().to_string())
            .env("PGUSER", options.get_username())
            .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()))
            .env("PGAPPNAME", format!("figure-ledger-{name}"))
            .envs(options.get_database().map(|database| ("PGDATABASE", database)))
            .envs(secrets(&self.url))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

/// What the options do not give back: the password, and the files of certificates.
fn secrets(url: &str) -> Vec<(&'static str, String)> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    let mut all = Vec::new();
    if let Some(password) = url.password() {
        all.push(("PGPASSWORD", percent_decode_str(password).decode_utf8_lossy().into_owned()));
    }
    for (name, value) in url.query_pairs() {
        let variable = match &*name {
            "password" => "PGPASSWORD",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            _ => continue,
        };
        all.push((variable, value.into_owned()));
    }
    all
}

async fn run(program: &'static str, mut command: Command) -> Result<Output, BackupError> {
    let child = command.spawn().map_err(io(format!("cannot run {program}")))?;
    child.wait_with_output().await.map_err(io(format!("cannot wait for {program}")))
}

fn succeed(program: &'static str, output: Output) -> Result<(), BackupError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(8).collect();
    Err(BackupError::Failed { program, said: said.join("; ") })
}

/// The table of contents of an archive, without what an owner of nothing but the database may not make, or what is
/// there already.
async fn contents(mut command: Command, from: &Path) -> Result<String, BackupError> {
    let no_backup = |reason: String| BackupError::NoBackup { path: from.to_owned(), reason };
    File::open(from).map_err(io(format!("cannot open {}", from.display())))?;
    command.arg("--list").arg(from).stdout(Stdio::piped());
    let output = run("pg_restore", command).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(no_backup(said.lines().next().unwrap_or("pg_restore cannot read it").to_owned()));
    }
    let list = String::from_utf8_lossy(&output.stdout);
    if !list.contains(" TABLE DATA public events ") {
        return Err(no_backup("it holds no events".to_owned()));
    }
    Ok(list.lines().filter(|line| !is_there_already(line)).fold(String::new(), |all, line| all + line + "\n"))
}

/// `215; 1255 16385 FUNCTION public refuse_to_change_events() owner`: two numbers, the kind, the schema, the name.
fn is_there_already(line: &str) -> bool {
    let Some((_, entry)) = line.split_once("; ") else { return false };
    let entry = entry.splitn(3, ' ').nth(2).unwrap_or_default();
    [
        "EXTENSION ",
        "COMMENT - EXTENSION ",
        "SCHEMA - public",
        "COMMENT - SCHEMA public",
        "ACL - SCHEMA public",
    ]
    .iter()
    .any(|kind| entry.starts_with(kind))
}

/// Whether the appender, the folds or the listener of a server is connected.
async fn is_served(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name LIKE 'figure-ledger %')",
    )
    .fetch_one(pool)
    .await
}

/// The tables in `public` that belong to no extension, in the order of their names.
async fn own_tables(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
         AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
         AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1",
    )
    .fetch_all(pool)
    .await
}

/// A table that must not be lost: one that somebody has used in the database of a ledger; any in that of something
/// else.
async fn in_the_way(pool: &PgPool) -> sqlx::Result<Option<String>> {
    let tables = own_tables(pool).await?;
    if !tables.iter().any(|table| table == OF_EVERY_LEDGER) {
        return Ok(tables.into_iter().next());
    }
    for table in tables.into_iter().filter(|table| OF_A_USED_LEDGER.contains(&table.as_str())) {
        let sql = format!("SELECT EXISTS (SELECT FROM public.{})", quoted(&table));
        if sqlx::query_scalar(&sql).fetch_one(pool).await? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

/// Takes away the tables of a ledger that was never used, and sees to the extension that the copy relies on.
async fn clear(pool: &PgPool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    for table in own_tables(pool).await? {
        let sql = format!("DROP TABLE public.{} CASCADE", quoted(&table));
        sqlx::raw_sql(&sql).execute(&mut *transaction).await?;
    }
    let functions: Vec<String> = sqlx::query_scalar(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace \
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid \
         AND d.deptype = 'e')",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for function in functions {
        sqlx::raw_sql(&format!("DROP FUNCTION {function}")).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm").execute(&mut *transaction).await?;
    transaction.commit().await
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A small file that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn write(text: &str) -> Result<Self, BackupError> {
        let path = std::env::temp_dir().join(format!("figure-ledger-{}.list", Uuid::new_v4().simple()));
        std::fs::write(&path, text).map_err(io(format!("cannot write {}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_and_certificates_leave_the_url_for_the_environment() {
        let of = |url| secrets(url);
        assert_eq!(of("postgres://u:p%40ss%20+&=w@h/d"), [("PGPASSWORD", "p@ss +&=w".to_owned())]);
        assert_eq!(
            of("postgres://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem"),
            [("PGSSLROOTCERT", "/etc/ca.pem".to_owned())]
        );
        assert_eq!(of("postgres://u@h/d"), []);
    }

    #[test]
    fn what_every_database_has_is_not_restored() {
        assert!(is_there_already("2; 3079 16385 EXTENSION - pg_trgm "));
        assert!(is_there_already("3532; 0 0 COMMENT - EXTENSION pg_trgm "));
        assert!(is_there_already("5; 2615 2200 SCHEMA - public postgres"));
        assert!(!is_there_already("215; 1255 16467 FUNCTION public refuse_to_change_events() figure_ledger"));
        assert!(!is_there_already("3444; 0 16468 TABLE DATA public events figure_ledger"));
        assert!(!is_there_already("; Archive created at 2026-11-23 07:12:04 UTC"));
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
