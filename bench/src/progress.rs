//! Telling whoever waits what is being done.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// One line that changes in a terminal; one line after another elsewhere.
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    /// A line for a run.
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, terminal: std::io::stderr().is_terminal() }
    }

    /// Says what is done now.
    pub fn at(&self, what: impl Into<String>) {
        let what = what.into();
        if !self.terminal {
            eprintln!("  {what}");
        }
        self.bar.set_message(what);
    }

    /// Clears the line.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
