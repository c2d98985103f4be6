//! How far something is, on standard error.

use std::{
    borrow::Cow,
    fmt,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);
const BAR: &str = "{msg} {wide_bar} {human_pos}/{human_len} {rate}, {eta} left";

/// A bar with rate and time left on a terminal; elsewhere a plain line now and then.
pub(super) struct Progress {
    what: Cow<'static, str>,
    unit: &'static str,
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Instant,
}

impl Progress {
    /// Begins to tell: `what` is being done, and `unit` is what is counted.
    pub(super) fn new(what: impl Into<Cow<'static, str>>, unit: &'static str) -> Self {
        let what = what.into();
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(0).with_style(bar_style()).with_message(what.clone()));
        let now = Instant::now();
        Self { what, unit, bar, begun: now, told: now }
    }

    /// So many are done of so many.
    pub(super) fn at(&mut self, done: u64, total: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                let (rate, left) = pace(done, total, self.begun.elapsed());
                say(&format!(
                    "{}: {done} of {total} {}, {rate}/s, about {left} s left",
                    self.what, self.unit
                ));
            }
            None => {}
        }
    }

    /// Something else is being done now, of which no end can be told.
    pub(super) fn then(&mut self, what: impl Into<Cow<'static, str>>) {
        self.what = what.into();
        match &self.bar {
            Some(bar) => {
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(self.what.clone());
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => say(&self.what),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar_style() -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // A bar that cannot be drawn is no reason to stop.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    ProgressStyle::with_template(BAR)
        .unwrap_or_else(|_wrong| ProgressStyle::default_bar())
        .with_key("rate", rate)
}

/// How many a second, and how many seconds are left at that rate.
fn pace(done: u64, total: u64, elapsed: Duration) -> (u64, u64) {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1_000) / millis;
    (rate, total.saturating_sub(done).div_ceil(rate.max(1)))
}

fn say(line: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_rest_follow_from_what_is_done() {
        assert_eq!(pace(500, 2_000, Duration::from_secs(2)), (250, 6));
        assert_eq!(pace(0, 10, Duration::ZERO), (0, 10));
        assert_eq!(pace(10, 10, Duration::from_secs(1)), (10, 0));
    }
}
