//! Erasing a person: the account first, then everything that the log and the read models hold of them.
//!
//! Every step may be done twice, and `erasures` says which were done, so that whoever comes after a crash goes
//! on. `docs/decisions/0010-erasure.md` says why it is done in this order.

use std::{collections::BTreeSet, time::Duration};

use domain::{ids::UserId, stream::Position};
use event_store::{EventStore, ExecuteError, StoreError, crash_point};
use operational::{
    erasures::{self, Erasure},
    users::UserError,
};
use projections::engine::{EngineError, Projections, Waited};
use sqlx::PgPool;
use tracing::Instrument;
use uuid::Uuid;

use crate::{state::AppState, telemetry};

/// How long the read models may take to let go of somebody before that is left for later.
const GONE_WITHIN: Duration = Duration::from_secs(2);
/// How many events one transaction blanks.
const BLANKED_AT_ONCE: u32 = 1_000;
/// How often a server looks for erasures that were left unfinished.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(60);
/// How soon it tries again after it has found one that could not be finished.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Why an erasure could not be carried on. Nothing is lost: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The end of the streams could not be recorded.
    #[error(transparent)]
    End(#[from] ExecuteError),
    /// The events could not be blanked.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The tables could not be reached.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The read models could not be asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// These read models still hold rows of the person: they are late, paused or stopped. Or somebody folds the
    /// person's events anew.
    #[error("waiting for {}", .0.join(", "))]
    ReadModels(Vec<String>),
}

/// What erasing works on.
#[derive(Clone)]
pub struct Eraser {
    pool: PgPool,
    store: EventStore,
    projections: Projections,
}

impl Eraser {
    /// Works on this instance.
    #[must_use]
    pub fn new(pool: &PgPool, store: &EventStore, projections: &Projections) -> Self {
        Self { pool: pool.clone(), store: store.clone(), projections: projections.clone() }
    }

    /// Deletes the account. From here on the rest follows, whatever happens; the log names the request that asked
    /// for it by its correlation id.
    ///
    /// # Errors
    /// `NotFound`, `LastAdmin`, `Database`.
    pub async fn begin(
        &self,
        person: UserId,
        requested_by: Option<UserId>,
        correlation_id: Uuid,
    ) -> Result<(), UserError> {
        erasures::begin(&self.pool, person, requested_by, Some(correlation_id)).await?;
        crash_point!("erasure.after_account");
        tracing::info!(%person, "a person is being erased");
        Ok(())
    }

    /// Carries on all erasures that are not finished, each as far as it gets. Gives those that are not finished
    /// even now, with the reason.
    ///
    /// # Errors
    /// When it cannot be found out which there are.
    pub async fn carry_on(&self) -> Result<Vec<(UserId, ErasureError)>, sqlx::Error> {
        let mut left = Vec::new();
        for erasure in erasures::unfinished(&self.pool).await? {
            if let Err(error) = self.finish(&erasure).await {
                left.push((erasure.user_id, error));
            }
        }
        Ok(left)
    }

    /// Carries on one of them; does nothing when it is finished.
    ///
    /// # Errors
    /// [`ErasureError`]: it is not finished, and is tried again now and again.
    pub async fn carry_on_with(&self, person: UserId) -> Result<(), ErasureError> {
        let all = erasures::unfinished(&self.pool).await?;
        match all.iter().find(|erasure| erasure.user_id == person) {
            Some(erasure) => self.finish(erasure).await,
            None => Ok(()),
        }
    }

    async fn finish(&self, erasure: &Erasure) -> Result<(), ErasureError> {
        let person = erasure.user_id;
        let end = match erasure.ended_at {
            Some(position) => position,
            None => {
                let position =
                    self.store.end_person(person, erasure.requested_by, erasure.correlation_id).await?;
                erasures::ended(&self.pool, person, position).await?;
                position
            }
        };
        crash_point!("erasure.after_end");
        // Whoever still folds what is before the end has to find it as it was.
        let names: Vec<&str> = self.projections.definitions().iter().map(|one| one.name).collect();
        if let Waited::Behind(late) = self.projections.wait_for(&names, end, GONE_WITHIN).await {
            return Err(ErasureError::ReadModels(late));
        }
        let mut from: Position = erasure.blank_from.unwrap_or(end);
        loop {
            let mut blanking = self.store.begin_blanking().await?;
            let needing = self.projections.in_need_of_what_was_before(blanking.connection(), end).await?;
            if !needing.is_empty() {
                return Err(ErasureError::ReadModels(needing));
            }
            let Some(position) = blanking.blank(person, from, BLANKED_AT_ONCE).await? else { break };
            from = position;
            erasures::blanked(&self.pool, person, from).await?;
            crash_point!("erasure.amid_blanking");
        }
        self.store.forget_person(person).await?;
        // What a rebuild that was cut off has left behind may hold rows of the person.
        if !self.projections.clear_leftovers().await? {
            return Err(ErasureError::ReadModels(vec!["a rebuild under way".to_owned()]));
        }
        crash_point!("erasure.before_finish");
        erasures::finished(&self.pool, person).await?;
        tracing::info!(%person, "a person was erased");
        if let Err(error) = self.store.sweep().await {
            // The server's own housekeeping gets there too.
            tracing::warn!(%error, "the tables could not be swept after an erasure");
        }
        Ok(())
    }
}

/// Carries on what was left unfinished, at once and then now and again, until the server stops.
pub async fn keep_going(state: AppState) {
    let mut known = BTreeSet::new();
    loop {
        let rest = match state.eraser().carry_on().instrument(telemetry::background("erasure")).await {
            Ok(left) => {
                let people: BTreeSet<UserId> = left.iter().map(|(person, _)| *person).collect();
                for (person, error) in &left {
                    if known.contains(person) {
                        tracing::debug!(%person, %error, "an erasure is still not finished");
                    } else {
                        tracing::warn!(%person, %error, "an erasure is not finished; it is tried again");
                    }
                }
                known = people;
                if left.is_empty() { LOOKED_FOR_EVERY } else { TRIED_AGAIN_AFTER }
            }
            Err(error) => {
                tracing::warn!(%error, "unfinished erasures could not be looked for");
                TRIED_AGAIN_AFTER
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = state.stopping() => return,
        }
    }
}
