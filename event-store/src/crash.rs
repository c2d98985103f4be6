//! Named points at which a fault test lets the process die, and at which a simulation holds its tasks, to
//! reach windows that random kills rarely hit.

use futures::future::BoxFuture;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

struct Wanted {
    name: String,
    pass: u64,
    seen: AtomicU64,
}

static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();

fn wanted(setting: &str) -> Wanted {
    let (name, pass) = setting.rsplit_once(':').unwrap_or((setting, "1"));
    match pass.parse() {
        Ok(pass) => Wanted { name: name.to_owned(), pass, seen: AtomicU64::new(0) },
        Err(_) => Wanted { name: setting.to_owned(), pass: 1, seen: AtomicU64::new(0) },
    }
}

/// What [`crash_point!`](crate::crash_point) calls: aborts the process at the pass that
/// `FIGURE_LEDGER_CRASH_AT=name[:pass]` asks for (the first unless said), otherwise does nothing.
pub fn pass(name: &str) {
    let setting = WANTED.get_or_init(|| std::env::var("FIGURE_LEDGER_CRASH_AT").ok().as_deref().map(wanted));
    if let Some(wanted) = setting
        && wanted.name == name
        && wanted.seen.fetch_add(1, Ordering::Relaxed) + 1 == wanted.pass
    {
        tracing::error!(name, "dying at a crash point, as asked");
        std::process::abort();
    }
}

/// Decides when the tasks of a simulated process go on. Such a process has one thread for all its tasks.
pub trait Steps: Send + Sync {
    /// A task has come to a point; it goes on when the future is done.
    fn reach(&self, point: &'static str) -> BoxFuture<'static, ()>;
}

thread_local! {
    static STEPS: RefCell<Option<Arc<dyn Steps>>> = const { RefCell::new(None) };
}

/// From now on, whatever runs on this thread goes from point to point as it is told. For tests.
pub fn step_through(steps: Arc<dyn Steps>) {
    STEPS.with(|own| *own.borrow_mut() = Some(steps));
}

/// Whether this thread is stepped through.
pub(crate) fn is_stepped() -> bool {
    STEPS.with(|own| own.borrow().is_some())
}

fn step(point: &'static str) -> Option<BoxFuture<'static, ()>> {
    STEPS.with(|own| own.borrow().as_ref().map(|steps| steps.reach(point)))
}

/// What [`stall_point!`](crate::stall_point) calls: goes on at once, unless a simulation steps through.
pub async fn stall(point: &'static str) {
    if let Some(step) = step(point) {
        step.await;
    }
}

/// Waits for a while; in a simulation, until it says so.
pub(crate) async fn pause(point: &'static str, time: Duration) {
    match step(point) {
        Some(step) => step.await,
        None => tokio::time::sleep(time).await,
    }
}

/// Waits for something that happens as time passes; in a simulation, until it says so.
pub async fn wait<T>(point: &'static str, something: impl Future<Output = T> + Send) {
    match step(point) {
        Some(step) => step.await,
        None => drop(something.await),
    }
}

/// Marks a point at which the process dies when `FIGURE_LEDGER_CRASH_AT=name[:pass]` asks for it, and at
/// which a simulation may hold the task. For async code.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::pass($name);
        $crate::crash::stall($name).await
    };
}

/// Marks a point at which a simulation may hold the task. For async code.
#[macro_export]
macro_rules! stall_point {
    ($name:literal) => {
        $crate::crash::stall($name).await
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_point_is_asked_for_by_name_and_pass() {
        let w = wanted("append.before_commit:3");
        assert_eq!((w.name.as_str(), w.pass), ("append.before_commit", 3));
        let w = wanted("append.before_commit");
        assert_eq!((w.name.as_str(), w.pass), ("append.before_commit", 1));
    }
}
