//! Folding a run of events in memory.

use super::log::Entry;
use super::projection::{Definition, Folding, Projection, Rows};
use domain::stream::{Position, Recorded};
use event_store::Undecodable;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An event that a projection cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {position} ({event_type}): {reason}")]
pub struct Failure {
    /// Where it stands in the log.
    pub position: Position,
    /// Its type.
    pub event_type: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The rows of one projection in memory, and the events it must pass over.
pub(super) struct Fold<F: Folding + ?Sized = dyn Folding> {
    reads: &'static [&'static str],
    pub(super) skips: BTreeSet<Position>,
    rows: Box<F>,
}

impl Fold {
    /// Nothing in memory: rows are loaded when the fold asks for them.
    pub fn on_demand(definition: &Definition, skips: BTreeSet<Position>) -> Self {
        Self { reads: definition.reads, skips, rows: (definition.rows)() }
    }

    /// Everything in memory: a fold from the beginning of the log.
    pub fn whole(definition: &Definition, skips: BTreeSet<Position>) -> Self {
        let mut fold = Self::on_demand(definition, skips);
        fold.tables().into_iter().for_each(|table| table.make_whole());
        fold
    }
}

impl<P: Projection> Fold<Rows<P>> {
    /// The same for a projection that the caller knows by its type.
    pub fn whole_of(skips: BTreeSet<Position>) -> Self {
        let mut fold = Self { reads: P::READS, skips, rows: Box::new(Rows(P::Rows::default())) };
        fold.tables().into_iter().for_each(|table| table.make_whole());
        fold
    }

    /// The rows as folded so far.
    pub fn rows(&self) -> &P::Rows {
        &self.rows.0
    }
}

impl<F: Folding + ?Sized> Fold<F> {
    pub fn tables(&mut self) -> Vec<&mut dyn super::table::AnyTable> {
        self.rows.tables()
    }

    fn is_wanting(&mut self) -> bool {
        self.tables().iter().any(|table| table.is_wanting())
    }

    /// Folds events in memory, up to the first that cannot be folded. When rows turn out to be missing,
    /// it goes on all the same, to learn of as many as it can.
    ///
    /// # Errors
    /// The first event that cannot be folded, and how many before it can.
    pub fn run(&mut self, entries: &[Entry]) -> Result<(), (usize, Failure)> {
        self.run_each(entries.iter().map(Result::as_ref))
    }

    fn run_each<'e>(
        &mut self,
        entries: impl Iterator<Item = Result<&'e Recorded, &'e Undecodable>>,
    ) -> Result<(), (usize, Failure)> {
        for (done, entry) in entries.enumerate() {
            if let Err(failure) = self.one(entry)
                && !self.is_wanting()
            {
                return Err((done, failure));
            }
        }
        Ok(())
    }

    /// Folds events, loading what they need. All of them are folded again after each loading, so a chain
    /// (this piece's figure's maker) costs a round for each of its links, whatever the number of events.
    ///
    /// # Errors
    /// The outer one: when the database fails. The inner one: as [`run`](Self::run).
    pub async fn run_loading<'e>(
        &mut self,
        connection: &mut PgConnection,
        entries: impl Iterator<Item = Result<&'e Recorded, &'e Undecodable>> + Clone + Send,
    ) -> sqlx::Result<Result<(), (usize, Failure)>> {
        loop {
            let outcome = self.run_each(entries.clone());
            if !self.is_wanting() {
                return Ok(outcome);
            }
            for table in self.tables() {
                table.load(connection).await?;
                table.roll_back();
            }
        }
    }

    /// Whether it reads any of these events.
    pub fn reads_any(&self, events: &[Recorded]) -> bool {
        events.iter().any(|event| self.reads(event))
    }

    /// Whether it reads this event.
    pub fn reads(&self, event: &Recorded) -> bool {
        self.reads.contains(&event.stream.aggregate_type())
    }

    fn one(&mut self, entry: Result<&Recorded, &Undecodable>) -> Result<(), Failure> {
        let stream_type = match entry {
            Ok(event) => event.stream.aggregate_type(),
            Err(undecodable) => &undecodable.stream_type,
        };
        let position = entry.map_or_else(|undecodable| undecodable.position, |event| event.position);
        if !self.reads.contains(&stream_type) || self.skips.contains(&position) {
            return Ok(());
        }
        let event = entry.map_err(|undecodable| Failure {
            position: undecodable.position,
            event_type: undecodable.event_type.to_string(),
            reason: undecodable.reason.to_string(),
        })?;
        let failure = |reason| Failure {
            position: event.position,
            event_type: event.event.event_type().to_owned(),
            reason,
        };
        // What was erased has nothing to tell; the person's rows go with `collection.person_erased`.
        if event.event.is_erased() {
            return Ok(());
        }
        // A fold's bug must not take the others' process down.
        match catch_unwind(AssertUnwindSafe(|| self.rows.fold(event))) {
            Ok(outcome) => outcome.map_err(|error| failure(error.to_string())),
            Err(_) => Err(failure("the fold panicked".to_owned())),
        }
    }
}
