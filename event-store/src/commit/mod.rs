//! One batch in one transaction: lock, look, judge, write, commit. And, when the connection is lost at the
//! commit, finding out what became of it.
//!
//! The look is left out while the appender remembers where the head of the log is; the statement that inserts then
//! checks that it is still there, since nobody appends without moving it. Streams that the appender does not remember
//! are taken to be where those who write to them say, and the same statement checks that too.

mod connection;
mod inline_fold;
mod judging;
mod lock;
mod outcome;
mod put;
mod standing;

pub(crate) use connection::simple;
pub use inline_fold::{FoldFailed, InlineFold};
pub use lock::APPEND_LOCK;
pub(crate) use outcome::{Broken, Proof, was_committed};

use crate::append::{Append, AppendError, Appended};
use crate::judge::Verdict;
use crate::memory::Memory;
use crate::stall_point;
use domain::stream::Position;
use lock::BEGIN;
use sqlx::{Error, PgConnection};
use standing::Belief;
use std::sync::Arc;

/// How an attempt to write a batch failed.
enum Failed {
    Broken(Broken),
    /// Somebody else has appended since; nothing was written.
    Outdated,
    /// The writes of the fold did not go through; nothing was written.
    Fold(String),
    /// Somebody else has moved what the fold goes by; nothing was written.
    Moved,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Broken(Broken::Before(error))
    }
}

/// A batch that is being written.
pub(crate) struct Batch<'a> {
    appends: Vec<&'a mut Append>,
    verdicts: Vec<Verdict>,
    head: Position,
    /// Whether the fold has been told of a batch whose end it does not know yet.
    folding: bool,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(appends: Vec<&'a mut Append>) -> Self {
        Self { appends, verdicts: Vec::new(), head: Position(0), folding: false }
    }

    /// Writes the batch: judges every append and commits those that pass. May be called again after it
    /// failed, when nothing was written.
    pub(crate) async fn write(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
        mut fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Broken> {
        loop {
            match self.attempt(connection, memory, fold).await {
                Ok(()) => {
                    self.settle(fold, true);
                    return Ok(());
                }
                Err(failed) => {
                    memory.forget();
                    match failed {
                        // Whether it was committed is found out first.
                        Failed::Broken(broken @ Broken::AtCommit(..)) => return Err(broken),
                        Failed::Broken(broken) => {
                            self.settle(fold, false);
                            return Err(broken);
                        }
                        Failed::Outdated => {
                            self.settle(fold, false);
                            simple(connection, "ROLLBACK").await?;
                        }
                        Failed::Fold(error) => {
                            tracing::warn!(%error, "a fold inside the append failed; appending without it");
                            self.settle(fold, false);
                            simple(connection, "ROLLBACK").await?;
                            fold = None;
                        }
                        // As after a pause, or where another process folds now: whoever folds looks again.
                        Failed::Moved => {
                            tracing::debug!("checkpoints were moved by others; appending without the fold");
                            self.settle(fold, false);
                            simple(connection, "ROLLBACK").await?;
                            fold = None;
                        }
                    }
                }
            }
        }
    }

    /// Tells the fold what became of the batch, if it waits to hear.
    pub(crate) fn settle(&mut self, fold: Option<&Arc<dyn InlineFold>>, committed: bool) {
        if std::mem::take(&mut self.folding)
            && let Some(fold) = fold
        {
            fold.settled(committed);
        }
    }

    async fn attempt(
        &mut self,
        connection: &mut PgConnection,
        memory: &mut Memory,
        fold: Option<&Arc<dyn InlineFold>>,
    ) -> Result<(), Failed> {
        stall_point!("append.before_lock");
        simple(connection, BEGIN).await?;
        stall_point!("append.locked");
        let believed = self.judge(connection, memory).await?;
        self.head = memory.head();
        let believed = believed.map(|streams| Belief { head: self.head, streams });
        let passing = || self.appends.iter().zip(&self.verdicts).filter(|(_, v)| **v == Verdict::Pass);
        if passing().next().is_none() {
            simple(connection, "ROLLBACK").await?;
            return Ok(());
        }

        let recorded_at = memory.now();
        let mut events = Vec::with_capacity(passing().map(|(a, _)| a.events.len()).sum());
        for (append, verdict) in self.appends.iter_mut().zip(&self.verdicts) {
            if *verdict != Verdict::Pass {
                continue;
            }
            for mut event in append.events.drain(..) {
                self.head = Position(self.head.0 + 1);
                event.position = self.head;
                event.recorded_at = recorded_at;
                events.push(event);
            }
            append.position = self.head;
        }
        stall_point!("append.judged");
        let written = self.put(connection, &events, recorded_at, believed, fold).await;
        if written.is_ok() {
            memory.wrote(&events, recorded_at);
        }
        // Back to the appends they came from: for the answers, or for the next try.
        let mut events = events.into_iter();
        for (append, verdict) in self.appends.iter_mut().zip(&self.verdicts) {
            if *verdict == Verdict::Pass {
                append.events.extend(events.by_ref().take(append.payloads.len()));
            }
        }
        written
    }

    /// The newest position this batch knows of, once it is written.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// How many events it wrote.
    pub(crate) fn events_written(&self) -> usize {
        let passed = self.appends.iter().zip(&self.verdicts).filter(|(_, v)| **v == Verdict::Pass);
        passed.map(|(append, _)| append.events.len()).sum()
    }

    /// Whether the batch wrote events.
    pub(crate) fn wrote_events(&self) -> bool {
        self.appends.iter().zip(&self.verdicts).any(|(a, v)| *v == Verdict::Pass && !a.events.is_empty())
    }

    /// What to answer to each append, in order. To be called once, after the batch was written.
    pub(crate) fn answers(self) -> Vec<Result<Appended, AppendError>> {
        self.appends
            .into_iter()
            .zip(self.verdicts)
            .map(|(append, verdict)| match verdict {
                Verdict::Pass => {
                    Ok(Appended { events: std::mem::take(&mut append.events), position: append.position })
                }
                Verdict::Conflict(outrun) => Err(AppendError::Conflict(outrun)),
                Verdict::KeyTaken => Err(AppendError::KeyTaken),
            })
            .collect()
    }
}
