//! Named points at which a fault test lets the process die, to reach windows that random kills rarely hit.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Marks a point at which the process dies when `FIGURE_LEDGER_CRASH_AT=name[:pass]` asks for it.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::pass($name)
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
