//! No test runs for ever: one that holds its database, or its data folder, for longer than any test needs is
//! named, and the process ends. Waits have bounds of their own; this is for those that somebody forgot.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// Far longer than the longest test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);
/// Another limit, in seconds, for the test of this very thing.
const LIMIT_VARIABLE: &str = "FIGURE_LEDGER_TEST_LIMIT";
const LOOK_EVERY: Duration = Duration::from_millis(500);

static RUNNING: Mutex<BTreeMap<u64, Held>> = Mutex::new(BTreeMap::new());
static WATCHING: Once = Once::new();

struct Held {
    test: String,
    what: String,
    since: Instant,
}

/// Something that a test holds. Dropped, it is no longer watched.
#[derive(Debug)]
pub(super) struct Watched(u64);

impl Watched {
    /// Watches what the test of this thread holds from now on.
    pub fn begin(what: &str) -> Self {
        if is_test_binary() {
            WATCHING.call_once(|| {
                std::thread::spawn(watch);
            });
        }
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a thread without a name").to_owned();
        let mut running = running();
        let id = running.last_key_value().map_or(0, |(id, _)| id + 1);
        running.insert(id, Held { test, what: what.to_owned(), since: Instant::now() });
        Self(id)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn running() -> MutexGuard<'static, BTreeMap<u64, Held>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Programs that borrow a test's database for as long as they are told to are not tests: cargo puts those
/// into a folder of their own.
fn is_test_binary() -> bool {
    let executable = std::env::current_exe().unwrap_or_default();
    executable.parent().and_then(Path::file_name).is_some_and(|folder| folder == "deps")
}

fn watch() {
    let other = std::env::var(LIMIT_VARIABLE).ok().and_then(|text| text.parse().ok());
    let limit = other.map_or(LIMIT, Duration::from_secs);
    loop {
        std::thread::sleep(LOOK_EVERY);
        let late: Vec<String> = running()
            .values()
            .filter(|held| held.since.elapsed() > limit)
            .map(|held| format!("{} ({})", held.test, held.what))
            .collect();
        if !late.is_empty() {
            eprintln!("\nTEST TOOK TOO LONG: more than {} s: {}", limit.as_secs(), late.join(", "));
            end_children();
            std::process::abort();
        }
    }
}

/// Programs that the tests started would outlive them, and hold on to the output that somebody reads to its end.
fn end_children() {
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // After the name, which stands in brackets and may hold anything: the state, then the parent.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        let is_server = stat.contains("(postgres)");
        if parent == Some(own.as_str()) && !is_server {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
