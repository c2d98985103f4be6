//! A second process that writes to the log, as an import on the command line does: what it appends, the
//! server folds afterwards, and their appends take turns.

use crate::checks::Acknowledged;
use crate::generator::Shared;
use crate::load::Tally;
use domain::commands::{CabinetCommand, ChangeCabinets, SetWish, Unwish};
use domain::ids::{CabinetId, CommandId, FigureId, UserId};
use domain::text::Location;
use domain::world::{Circumstances, Command};
use event_store::{EventStore, ExecuteError, Execution, Idempotency, Options};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sqlx::PgPool;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How long it rests between two commands, in milliseconds.
const REST: std::ops::Range<u64> = 10..60;
const AGAIN: Duration = Duration::from_millis(20);

/// Writes one command after the other until told to stop, each under a key, and gives what was answered.
///
/// # Errors
/// When the log cannot be opened, or answers what no log should.
pub async fn keep_writing(
    pool: PgPool,
    seed: u64,
    shared: Shared,
    tally: Arc<Tally>,
) -> anyhow::Result<Vec<Acknowledged>> {
    let store = EventStore::open(pool, Options::default()).await?;
    let mut rng = StdRng::seed_from_u64(seed);
    // Nobody's collection: it needs no account.
    let user_id = UserId(Uuid::from_u128(rng.random()));
    let mut answered = Vec::new();
    let mut cabinets = Vec::new();
    while !tally.is_over() {
        let going = tally.gate.read().await;
        let key = format!("beside-{}", answered.len());
        let figures: Vec<Uuid> = shared.lock().unwrap_or_else(PoisonError::into_inner).figures();
        let one = match (rng.random_range(0..4), figures.choose(&mut rng)) {
            (0, Some(figure)) => {
                let figure_id = FigureId(*figure);
                run(&store, &Unwish { user_id, figure_id, expected: None }, key).await?
            }
            (1 | 2, Some(figure)) => {
                let figure_id = FigureId(*figure);
                let wish = SetWish { user_id, figure_id, expected: None, target: None, note: None };
                run(&store, &wish, key).await?
            }
            _ => {
                let name = Location::new(&format!("Box {}", rng.random_range(0..1_000)))?;
                let change = match cabinets.choose(&mut rng) {
                    Some(cabinet_id) if cabinets.len() >= 20 => {
                        CabinetCommand::Rename { cabinet_id: *cabinet_id, expected: None, name }
                    }
                    _ => {
                        let cabinet_id = CabinetId(Uuid::from_u128(rng.random()));
                        CabinetCommand::Create { cabinet_id, name }
                    }
                };
                let made = match &change {
                    CabinetCommand::Create { cabinet_id, .. } => Some(*cabinet_id),
                    _ => None,
                };
                let one = run(&store, &ChangeCabinets { user_id, change }, key).await?;
                cabinets.extend(made.filter(|_| one.is_accepted()));
                one
            }
        };
        tally.heard(Some(one.clone()));
        answered.push(one);
        drop(going);
        tokio::time::sleep(Duration::from_millis(rng.random_range(REST))).await;
    }
    Ok(answered)
}

/// Runs a command of the system's own until it is answered for good; it is recorded under the nil id. The answers
/// get the statuses that HTTP would give them.
///
/// # Errors
/// When the log answers what no log should.
pub async fn run<C: Command>(store: &EventStore, command: &C, key: String) -> anyhow::Result<Acknowledged> {
    loop {
        let circumstances = Circumstances {
            actor: None,
            is_admin: true,
            now: chrono::Utc::now(),
            command_id: CommandId(Uuid::now_v7()),
        };
        let idempotency = Some(Idempotency { key: key.clone(), request_hash: [0; 32] });
        let how = Execution { idempotency, ..Execution::new(circumstances) };
        let (status, position) = match store.execute(command, &how).await {
            Ok(executed) => (200, Some(executed.position.0)),
            Err(ExecuteError::Refused(_)) => (409, None),
            Err(
                ExecuteError::Busy
                | ExecuteError::Contended
                | ExecuteError::OutcomeUnknown
                | ExecuteError::Unavailable(_),
            ) => {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        return Ok(Acknowledged { actor: Uuid::nil(), key, kind: C::NAME, status, position });
    }
}
