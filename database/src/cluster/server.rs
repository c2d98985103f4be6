//! Making, starting and stopping the postmaster of a home. Callers hold the start lock.

use super::account::Account;
use super::binaries::Binaries;
use super::home::{Home, write_whole};
use super::{ClusterError, ClusterOptions, Durability, PORT, ROLE};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

const SETTINGS: &str = "figure-ledger.conf";
/// Recovery after a crash of a large cluster takes its time.
const START_PATIENCE: Duration = Duration::from_secs(600);
const STOP_PATIENCE: Duration = Duration::from_secs(120);
const LINGER_PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(10);

enum State {
    Stopped,
    /// On its way up or down.
    Moving,
    Ready {
        socket_dir: PathBuf,
    },
}

struct PidFile {
    pid: Option<i32>,
    socket_dir: Option<PathBuf>,
    status: String,
}

fn pid_file(home: &Home) -> Option<PidFile> {
    let bytes = std::fs::read(home.data().join("postmaster.pid")).ok()?;
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let text =
        |line: Option<&[u8]>| line.map(|line| String::from_utf8_lossy(line).into_owned()).unwrap_or_default();
    let pid = text(lines.next()).parse().ok();
    let socket_dir =
        lines.nth(3).filter(|line| !line.is_empty()).map(|line| PathBuf::from(OsStr::from_bytes(line)));
    let status = text(lines.nth(2));
    Some(PidFile { pid, socket_dir, status })
}

/// Whether process `pid` is a PostgreSQL of this data directory: they all work inside it, which no
/// other process that happens to get a dead one's number does.
fn serves(pid: i32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    if !Path::new("/proc/self").exists() {
        return kill(Pid::from_raw(pid), None).is_ok();
    }
    std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data)
        && std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim().starts_with("postgres"))
}

/// Whether the postmaster `pid` is gone altogether. A process that is exiting has left its folder
/// already but is still there.
fn ended(pid: i32, data: &Path) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return kill(Pid::from_raw(pid), None).is_err();
    };
    // The state follows the name, which stands in brackets and may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    if matches!(state, Some('Z' | 'X')) {
        return true;
    }
    match std::fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(cwd) => cwd != data,
        Err(e) => e.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

fn state(home: &Home) -> State {
    let Some(file) = pid_file(home) else { return State::Stopped };
    let alive = file.pid.is_some_and(|pid| serves(pid, &home.data()));
    let answers = |dir: &Path| UnixStream::connect(dir.join(format!(".s.PGSQL.{PORT}"))).is_ok();
    match file.socket_dir {
        // A postmaster in another container that shares the folder has a number that means nothing
        // here, but its socket answers.
        Some(socket_dir) if (file.status == "ready" || !alive) && answers(&socket_dir) => {
            State::Ready { socket_dir }
        }
        _ if alive => State::Moving,
        _ => State::Stopped,
    }
}

/// Whether no server runs, or is on its way up or down.
pub(super) fn is_stopped(home: &Home) -> bool {
    matches!(state(home), State::Stopped)
}

/// The major version that made the cluster, if there is one.
pub(super) fn made_by(home: &Home) -> Option<u32> {
    std::fs::read_to_string(home.data().join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Makes the cluster. It gets its name only when it is whole, so a crash half-way leaves nothing that
/// looks like one.
pub(super) fn make(
    home: &Home,
    account: &Account,
    binaries: &Binaries,
    durability: Durability,
) -> Result<(), ClusterError> {
    for entry in std::fs::read_dir(&home.root).into_iter().flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(b"initdb-") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    tracing::info!(at = %home.root.display(), "making the private PostgreSQL cluster");
    let draft = home.root.join(format!("initdb-{}", Uuid::new_v4().simple()));
    let mut command = account.command(binaries.program("initdb"));
    command.arg("-D").arg(&draft).args([
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        &format!("--username={ROLE}"),
        "--auth-local=trust",
        "--auth-host=reject",
        "--data-checksums",
    ]);
    if durability == Durability::Off {
        command.arg("--no-sync");
    }
    let output =
        command.output().map_err(|e| ClusterError::io("cannot run", &binaries.program("initdb"), e))?;
    if !output.status.success() {
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let _ = std::fs::remove_dir_all(&draft);
        return Err(ClusterError::Initdb { output: tail(&text) });
    }
    let main = draft.join("postgresql.conf");
    OpenOptions::new()
        .append(true)
        .open(&main)
        .and_then(|mut file| {
            writeln!(file, "\ninclude_if_exists = '{SETTINGS}'")?;
            file.sync_all()
        })
        .map_err(|e| ClusterError::io("cannot write", &main, e))?;
    std::fs::rename(&draft, home.data()).map_err(|e| ClusterError::io("cannot rename", &draft, e))?;
    File::open(&home.root)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| ClusterError::io("cannot sync", &home.root, e))
}

/// Ends with a server that takes connections, and the folder of its socket: the one that runs, or a
/// fresh one. `programs` is asked only when one must be started.
pub(super) fn run(
    home: &Home,
    account: &Account,
    options: &ClusterOptions,
    programs: impl Fn() -> Result<Binaries, ClusterError>,
) -> Result<PathBuf, ClusterError> {
    let deadline = Instant::now() + START_PATIENCE;
    let mut child: Option<Child> = None;
    loop {
        match state(home) {
            State::Ready { socket_dir } => {
                if let Some(mut child) = child {
                    // Somebody has to collect the exit status, or a dead postmaster stays a zombie.
                    std::thread::spawn(move || child.wait());
                } else {
                    tracing::debug!(socket = %socket_dir.display(), "joined the running cluster");
                }
                return Ok(socket_dir);
            }
            State::Moving => {}
            State::Stopped => match &mut child {
                None => child = Some(start(home, account, options, &programs()?)?),
                Some(child) => {
                    let exited =
                        child.try_wait().map_err(|e| ClusterError::io("cannot watch", &home.data(), e))?;
                    if exited.is_some() {
                        return Err(ClusterError::Start { log: last_words(home), logs: home.logs() });
                    }
                }
            },
        }
        if Instant::now() > deadline {
            return Err(ClusterError::StartPatience { seconds: START_PATIENCE.as_secs(), logs: home.logs() });
        }
        std::thread::sleep(STEP);
    }
}

fn start(
    home: &Home,
    account: &Account,
    options: &ClusterOptions,
    binaries: &Binaries,
) -> Result<Child, ClusterError> {
    let data = home.data();
    wait_for_stragglers(home)?;
    clear_stale(home);
    let socket_dir = home.socket_dir(account)?;
    for entry in std::fs::read_dir(&socket_dir).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
    let settings = data.join(SETTINGS);
    let compression = wal_compression(&data, account, binaries);
    write_whole(&settings, settings_text(options, &socket_dir, &home.logs(), compression).as_bytes())?;
    account.give(&settings)?;
    let log_path = home.logs().join("start.log");
    let log = File::create(&log_path).map_err(|e| ClusterError::io("cannot write", &log_path, e))?;
    let log_too = log.try_clone().map_err(|e| ClusterError::io("cannot write", &log_path, e))?;
    account
        .command(binaries.program("postgres"))
        .arg("-D")
        .arg(&data)
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(log_too))
        .spawn()
        .map_err(|e| ClusterError::io("cannot run", &binaries.program("postgres"), e))
}

/// A postmaster killed hard leaves backends that still finish; a new one beside them would ruin the
/// data. PostgreSQL checks that itself through the pid file, which [`clear_stale`] may remove.
fn wait_for_stragglers(home: &Home) -> Result<(), ClusterError> {
    let data = home.data();
    let deadline = Instant::now() + LINGER_PATIENCE;
    loop {
        let straggler = std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .find(|pid| serves(*pid, &data));
        match straggler {
            None => return Ok(()),
            Some(pid) if Instant::now() > deadline => return Err(ClusterError::Straggler { pid, data }),
            Some(_) => std::thread::sleep(STEP),
        }
    }
}

/// PostgreSQL handles a pid file whose process is gone. It cannot tell when the number was given to
/// another process since, and refuses to start.
fn clear_stale(home: &Home) {
    let reused = pid_file(home).and_then(|file| file.pid).is_some_and(|pid| {
        kill(Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH) && !serves(pid, &home.data())
    });
    if reused {
        tracing::warn!(at = %home.data().display(), "removing the pid file of a postmaster that is gone");
        let _ = std::fs::remove_file(home.data().join("postmaster.pid"));
    }
}

/// How the log of the database is made smaller: by `lz4` where this PostgreSQL knows it (15 and later, unless built
/// without), which takes less of the processor than `pglz`, for which `on` stands.
fn wal_compression(data: &Path, account: &Account, binaries: &Binaries) -> &'static str {
    let mut asked = account.command(binaries.program("postgres"));
    asked.arg("-D").arg(data).args(["-C", "wal_compression", "-c", "wal_compression=lz4"]);
    match asked.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => "lz4",
        _ => "on",
    }
}

fn settings_text(
    options: &ClusterOptions,
    socket_dir: &Path,
    logs: &Path,
    wal_compression: &'static str,
) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let list_item = |path: &Path| format!("\"{}\"", path.to_string_lossy().replace('"', "\"\""));
    let durable = options.durability == Durability::Full;
    let on_off = |on: bool| if on { "on" } else { "off" }.to_owned();
    let mut settings = vec![
        ("listen_addresses", "''".to_owned()),
        ("port", PORT.to_string()),
        ("unix_socket_directories", quoted(&list_item(socket_dir))),
        ("unix_socket_permissions", "0700".to_owned()),
        ("max_connections", options.max_connections.to_string()),
        ("shared_buffers", "128MB".to_owned()),
        ("wal_compression", wal_compression.to_owned()),
        // Ours are short statements, for which compiling costs more than it spares.
        ("jit", "off".to_owned()),
        ("fsync", on_off(durable)),
        ("full_page_writes", on_off(durable)),
        ("synchronous_commit", on_off(durable)),
        ("timezone", "'UTC'".to_owned()),
        ("log_timezone", "'UTC'".to_owned()),
        ("log_line_prefix", "'%m [%p] %d '".to_owned()),
        // The details of an error repeat the values of rows, e-mail addresses among them.
        ("log_error_verbosity", "terse".to_owned()),
        ("log_rotation_age", "1d".to_owned()),
        ("log_rotation_size", "10MB".to_owned()),
        ("log_truncate_on_rotation", "on".to_owned()),
        ("log_filename", "'postgresql-%a.log'".to_owned()),
    ];
    // A folder whose name is not text cannot stand in the file; the log then goes to start.log.
    if let Some(logs) = logs.to_str().filter(|text| !text.contains(char::is_control)) {
        settings.push(("log_directory", quoted(logs)));
        settings.push(("logging_collector", "on".to_owned()));
    }
    if !durable {
        settings.push(("wal_level", "minimal".to_owned()));
        settings.push(("max_wal_senders", "0".to_owned()));
    }
    let mut text = "# Written anew at every start. Change settings with ALTER SYSTEM.\n".to_owned();
    for (name, value) in settings {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}

/// Stops the server, disconnecting whoever is still there. One that does not run is fine.
pub(super) fn stop(home: &Home) -> Result<(), ClusterError> {
    let data = home.data();
    let Some(pid) = pid_file(home).and_then(|file| file.pid).filter(|pid| serves(*pid, &data)) else {
        return Ok(());
    };
    // SIGINT asks for the "fast" shutdown.
    if kill(Pid::from_raw(pid), Signal::SIGINT).is_err() && serves(pid, &data) {
        return Err(ClusterError::Stop { pid, seconds: 0 });
    }
    let deadline = Instant::now() + STOP_PATIENCE;
    while !ended(pid, &data) {
        if Instant::now() > deadline {
            return Err(ClusterError::Stop { pid, seconds: STOP_PATIENCE.as_secs() });
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Deletes a cluster that does not start.
pub(super) fn discard(home: &Home) -> Result<(), ClusterError> {
    std::fs::remove_dir_all(home.data()).map_err(|e| ClusterError::io("cannot delete", &home.data(), e))
}

fn last_words(home: &Home) -> String {
    let text = std::fs::read(home.logs().join("start.log")).unwrap_or_default();
    tail(&String::from_utf8_lossy(&text))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    last.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_quotes_commas_and_backslashes_survive_the_settings_file() {
        let text = settings_text(
            &ClusterOptions::default(),
            Path::new(r#"/a,b/c"d/e'f\g"#),
            Path::new("/log's"),
            "on",
        );
        assert!(text.contains(r#"unix_socket_directories = '"/a,b/c""d/e''f\\g"'"#), "{text}");
        assert!(text.contains("log_directory = '/log''s'"), "{text}");
    }

    #[test]
    fn durability_is_full_unless_asked_otherwise() {
        let text = settings_text(&ClusterOptions::default(), Path::new("/s"), Path::new("/l"), "on");
        for setting in ["fsync = on", "synchronous_commit = on", "full_page_writes = on"] {
            assert!(text.contains(setting), "{text}");
        }
        let loose = ClusterOptions { durability: Durability::Off, ..ClusterOptions::default() };
        assert!(settings_text(&loose, Path::new("/s"), Path::new("/l"), "on").contains("fsync = off"));
    }
}
