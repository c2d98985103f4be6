//! Runs policies over the log.

use super::pace::Pace;
use super::{Beginning, Effect, Policy, Unable};
use crate::fx::Fx;
use chrono::{DateTime, Utc};
use domain::stream::{Position, Recorded};
use event_store::{EventStore, StoreError, Undecodable, crash, crash_point, stall_point};
use futures::FutureExt;
use operational::notifications::{self, Telling};
use operational::policies::{self, Parked, Place};
use projections::engine::Projections;
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// How many streams that were set aside are tried again at a time.
const RETRIES: i64 = 100;
/// How long the read models may take to hold an event before it is asked again.
const READABLE_WITHIN: Duration = Duration::from_secs(2);
/// How long events are left to gather: a policy that reacted to each by itself would cost the database more than the
/// commands do.
const GATHER: Duration = Duration::from_millis(100);
/// How often it is looked by itself, also for what is due again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SHORTEST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(5);
const PANICKED: &str = "it panicked; the log has more";
const TOO_LONG: &str = "to react to it took too long";
/// What ids of tellings are derived in. The number means nothing.
const NAMESPACE: Uuid = Uuid::from_u128(0x6669_6775_7265_4c65_8467_6572_706f_6c69);

/// How policies run. The defaults suit a server.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many events are looked at in one transaction, at most. It is fewer while they take too long.
    pub batch: u32,
    /// How long looking may take; a connection that swallows everything would be waited for much longer.
    pub look_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { batch: 500, look_within: Duration::from_secs(60) }
    }
}

/// The policies, and what they run on. A clone is the same.
#[derive(Clone)]
pub struct Policies {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    store: EventStore,
    projections: Projections,
    fx: Fx,
    all: Vec<Box<dyn Policy>>,
    options: Options,
}

/// Policies that run, until soon after this is dropped. Several processes may run them on one database: each batch is
/// one's.
#[must_use = "policies run until this is dropped"]
pub struct Running(JoinSet<()>);

impl Running {
    /// Ends them, whatever is under way: nothing is reacted to after this.
    pub async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

/// How a policy stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its name.
    pub name: &'static str,
    /// How far it has reacted; `None` before it has begun.
    pub position: Option<Position>,
    /// How many positions the log is ahead of it.
    pub lag: i64,
    /// What it set aside, oldest first; at most a hundred events of all policies are told.
    pub parked: Vec<Parked>,
}

/// Why a policy could not go on just now.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error("the read models {0:?} are behind or stopped")]
    Behind(Vec<String>),
    #[error("the database does not answer, or this takes too long")]
    Silent,
    #[error("{PANICKED}")]
    Panicked,
}

/// What came of looking once.
enum Looked {
    /// There may be more at once.
    Moved,
    /// All that was there is done, or another process does it.
    Idle,
}

impl Policies {
    /// Puts policies together; nothing runs yet.
    #[must_use]
    pub fn new(
        pool: &PgPool,
        store: &EventStore,
        projections: &Projections,
        fx: &Fx,
        all: Vec<Box<dyn Policy>>,
    ) -> Self {
        Self::with_options(pool, store, projections, fx, all, Options::default())
    }

    /// The same, run otherwise.
    #[must_use]
    pub fn with_options(
        pool: &PgPool,
        store: &EventStore,
        projections: &Projections,
        fx: &Fx,
        all: Vec<Box<dyn Policy>>,
        options: Options,
    ) -> Self {
        let inner = Inner {
            pool: pool.clone(),
            store: store.clone(),
            projections: projections.clone(),
            fx: fx.clone(),
            all,
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs all of them, each by itself.
    pub fn run(&self) -> Running {
        let mut tasks = JoinSet::new();
        for index in 0..self.inner.all.len() {
            tasks.spawn(keep_going(self.clone(), index));
        }
        Running(tasks)
    }

    /// How each stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn status(&self) -> Result<Vec<Status>, StoreError> {
        let head = self.inner.store.head().await?;
        let checkpoints = policies::all(&self.inner.pool).await?;
        let parked = policies::parked(&self.inner.pool, 100).await?;
        let status = |policy: &dyn Policy| {
            let found = checkpoints.iter().find(|checkpoint| checkpoint.name == policy.name());
            let position = found.map(|checkpoint| checkpoint.position.0);
            Status {
                name: policy.name(),
                position,
                lag: position.map_or(0, |position| head.0.saturating_sub(position.0)),
                parked: parked.iter().filter(|parked| parked.policy == policy.name()).cloned().collect(),
            }
        };
        Ok(self.inner.all.iter().map(|policy| status(policy.as_ref())).collect())
    }

    /// Has what a policy set aside tried again at once; how many events that is, `None` when there is no such policy.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retry(&self, name: &str) -> sqlx::Result<Option<u64>> {
        if !self.inner.all.iter().any(|policy| policy.name() == name) {
            return Ok(None);
        }
        policies::retry(&self.inner.pool, name).await.map(Some)
    }

    /// Waits until all have reacted to the events up to a position, for at most `patience`; whether they have.
    pub async fn wait_for(&self, position: Position, patience: Duration) -> bool {
        let reached = async {
            loop {
                let all = self.status().await.unwrap_or_default();
                if !all.is_empty() && all.iter().all(|one| one.position.is_some_and(|at| at >= position)) {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(patience, reached).await.is_ok()
    }

    /// Tries again what was set aside, then looks at what is new, each within the time for it.
    async fn go_on(&self, policy: &dyn Policy, pace: &mut Pace) -> Result<Looked, Interrupted> {
        let within = self.inner.options.look_within;
        pace.begin();
        let retried = in_time(within, self.retry_parked(policy, pace)).await;
        if matches!(retried, Err(Interrupted::Silent)) {
            pace.blame();
        }
        retried?;
        pace.begin();
        let begun = Instant::now();
        let looked = in_time(within, self.look(policy, pace)).await;
        match looked {
            // As many again as can be done in time, too.
            Ok(_) if begun.elapsed() < within / 4 => pace.lengthen(),
            Err(Interrupted::Silent) => {
                pace.blame();
                pace.shorten();
            }
            _ => {}
        }
        looked
    }

    async fn look(&self, policy: &dyn Policy, pace: &mut Pace) -> Result<Looked, Interrupted> {
        let Some(from) = policies::position(&self.inner.pool, policy.name()).await? else {
            let at = match policy.begins() {
                Beginning::Head => self.inner.store.head().await?,
                Beginning::Log => Position::default(),
            };
            policies::begin(&self.inner.pool, policy.name(), at).await?;
            return Ok(Looked::Moved);
        };
        let batch = pace.batch();
        let entries = self.inner.store.read_after(from, batch).await?;
        let Some(to) = entries.last().map(position) else { return Ok(Looked::Idle) };
        pace.take(entries.len());
        self.readable(policy, &entries).await?;
        let rates = self.inner.fx.rates();
        stall_point!("policies.read");
        let mut transaction = self.inner.pool.begin().await?;
        match policies::hold(&mut transaction, policy.name()).await? {
            Some(held) if held == from => {}
            // Another process has gone on meanwhile.
            Some(_) => return Ok(Looked::Moved),
            None => return Ok(Looked::Idle),
        }
        stall_point!("policies.held");
        self.go_through(&mut transaction, policy, &entries, &rates, pace).await?;
        policies::advance(&mut transaction, policy.name(), to).await?;
        crash_point!("policies.before_commit");
        transaction.commit().await?;
        entries.iter().map(position).for_each(|done| pace.forget(done));
        crash_point!("policies.after_commit");
        Ok(if entries.len() < batch as usize { Looked::Idle } else { Looked::Moved })
    }

    /// Shows a policy what it hears of a batch, in order.
    async fn go_through(
        &self,
        transaction: &mut PgConnection,
        policy: &dyn Policy,
        entries: &[Result<Recorded, Undecodable>],
        rates: &domain::money::rates::Rates,
        pace: &mut Pace,
    ) -> Result<(), Interrupted> {
        let spot = |entry: &'_ Result<Recorded, Undecodable>| match entry {
            Ok(event) if hears(policy, event) => Some(Spot::of(event)),
            Err(unread) if policy.aggregates().contains(&&*unread.stream_type) => {
                Some(Spot::of_unread(unread))
            }
            _ => None,
        };
        let heard: Vec<_> = entries.iter().filter_map(|entry| Some((spot(entry)?, entry))).collect();
        if heard.is_empty() {
            return Ok(());
        }
        let streams: Vec<_> = heard.iter().map(|(spot, _)| spot.stream()).collect();
        let mut blocked = policies::blocked(transaction, policy.name(), &streams).await?;
        if let [(only, _)] = heard.as_slice() {
            pace.alone_with(only.position);
        }
        let events = heard.iter().filter_map(|(_, entry)| entry.as_ref().ok());
        let events: Vec<_> = events.filter(|event| !pace.is_given_up(event.position)).collect();
        let concerned = concerned(transaction, policy, &events).await?;
        for (spot, entry) in &heard {
            let place = spot.place();
            let outcome = match entry {
                _ if blocked.contains(&spot.owned_stream()) => {
                    Err("an earlier event of its stream is set aside".to_owned())
                }
                _ if pace.is_given_up(place.position) => Err(TOO_LONG.to_owned()),
                Ok(event) if concerned.contains(&event.position) => {
                    react(transaction, policy, event, rates).await?
                }
                Ok(_) => Ok(()),
                Err(unread) => Err(unread.reason.to_string()),
            };
            if let Err(reason) = outcome {
                if blocked.insert(spot.owned_stream()) {
                    tracing::error!(policy = policy.name(), position = %place.position, reason, "an event is set aside");
                }
                policies::park(transaction, policy.name(), place, &reason, Utc::now()).await?;
            }
        }
        Ok(())
    }

    /// Waits until what the policy reads holds the last event that concerns it.
    async fn readable(
        &self,
        policy: &dyn Policy,
        entries: &[Result<Recorded, Undecodable>],
    ) -> Result<(), Interrupted> {
        let mut heard = entries.iter().rev().flatten().filter(|event| hears(policy, event));
        let Some(last) = heard.next() else { return Ok(()) };
        match self.inner.projections.wait_for(policy.reads(), last.position, READABLE_WITHIN).await {
            projections::engine::Waited::Reached => Ok(()),
            projections::engine::Waited::Behind(names) => Err(Interrupted::Behind(names)),
        }
    }

    /// Tries again what is due of what was set aside, the first event of each stream.
    async fn retry_parked(&self, policy: &dyn Policy, pace: &mut Pace) -> Result<(), Interrupted> {
        let begun = Instant::now();
        for parked in policies::due(&self.inner.pool, policy.name(), Utc::now(), RETRIES).await? {
            // What is new does not wait for all of them; the others are still due the next time.
            if begun.elapsed() > self.inner.options.look_within / 4 {
                return Ok(());
            }
            let before = Position(parked.position.0.0.saturating_sub(1));
            let entry = self.inner.store.read_after(before, 1).await?.into_iter().next();
            let rates = self.inner.fx.rates();
            stall_point!("policies.due");
            let mut transaction = self.inner.pool.begin().await?;
            if policies::hold(&mut transaction, policy.name()).await?.is_none() {
                return Ok(());
            }
            // Another process may have tried it meanwhile, and later ones of its stream as well.
            let due = policies::due(&mut *transaction, policy.name(), Utc::now(), RETRIES).await?;
            let untouched = |one: &Parked| (one.position, one.attempts) == (parked.position, parked.attempts);
            if !due.iter().any(untouched) {
                transaction.rollback().await?;
                stall_point!("policies.passed_over");
                continue;
            }
            stall_point!("policies.retry_held");
            pace.alone_with(parked.position.0);
            let outcome = match entry {
                _ if pace.is_given_up(parked.position.0) => Err(TOO_LONG.to_owned()),
                Some(Ok(event)) if event.position == parked.position.0 && hears(policy, &event) => {
                    react(&mut transaction, policy, &event, &rates).await?
                }
                Some(Err(unread)) if unread.position == parked.position.0 => Err(unread.reason.to_string()),
                // It is blank by now, or of no concern to this release.
                _ => Ok(()),
            };
            match outcome {
                Ok(()) => policies::unpark(&mut transaction, &parked).await?,
                Err(reason) => {
                    let place = Place {
                        position: parked.position.0,
                        aggregate_type: &parked.aggregate_type,
                        aggregate_id: &parked.aggregate_id,
                        event_type: &parked.event_type,
                    };
                    policies::park(&mut transaction, policy.name(), place, &reason, Utc::now()).await?;
                }
            }
            stall_point!("policies.retry_before_commit");
            transaction.commit().await?;
            pace.forget(parked.position.0);
            stall_point!("policies.retry_after_commit");
        }
        Ok(())
    }
}

async fn keep_going(policies: Policies, index: usize) {
    let Some(policy) = policies.inner.all.get(index).map(AsRef::as_ref) else { return };
    let mut head = policies.inner.store.subscribe();
    let mut pace = Pace::new(policies.inner.options.batch);
    let mut rest = SHORTEST_REST;
    loop {
        head.borrow_and_update();
        match policies.go_on(policy, &mut pace).await {
            Ok(Looked::Moved) => rest = SHORTEST_REST,
            Ok(Looked::Idle) => {
                rest = SHORTEST_REST;
                // A closed channel ends at once; the store it belongs to lives in these policies.
                let happened = async {
                    if head.changed().await.is_ok() {
                        sleep(GATHER).await;
                    }
                };
                crash::wait("policies.idle", timeout(LOOK_EVERY, happened)).await;
            }
            Err(error) => {
                tracing::warn!(policy = policy.name(), %error, "a policy was interrupted; trying again");
                crash::wait("policies.rest", sleep(rest)).await;
                rest = rest.saturating_mul(2).min(LONGEST_REST);
            }
        }
    }
}

/// Does something that may take too long, or panic, whatever else is caught.
async fn in_time<T>(
    within: Duration,
    doing: impl Future<Output = Result<T, Interrupted>> + Send,
) -> Result<T, Interrupted> {
    match timeout(within, AssertUnwindSafe(doing).catch_unwind()).await {
        Ok(Ok(done)) => done,
        Ok(Err(_panic)) => Err(Interrupted::Panicked),
        Err(_) => Err(Interrupted::Silent),
    }
}

/// Whether a policy hears an event; if it cannot tell, it is shown it.
fn hears(policy: &dyn Policy, event: &Recorded) -> bool {
    catch_unwind(AssertUnwindSafe(|| policy.hears(&event.event))).unwrap_or(true)
}

/// Asks a policy which events of a batch concern it; if it cannot tell, it is shown them all, and says of which.
async fn concerned(
    transaction: &mut PgConnection,
    policy: &dyn Policy,
    events: &[&Recorded],
) -> sqlx::Result<HashSet<Position>> {
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let mut inner = transaction.begin().await?;
    let asked = AssertUnwindSafe(policy.concerned(&mut inner, events)).catch_unwind().await;
    match asked.unwrap_or_else(|_panic| Err(Unable::Unfit(PANICKED.to_owned()))) {
        Ok(concerned) => {
            inner.commit().await?;
            Ok(concerned)
        }
        Err(Unable::Database(error)) if is_the_connection(&error) => Err(error),
        Err(_) => {
            inner.rollback().await?;
            Ok(events.iter().map(|event| event.position).collect())
        }
    }
}

/// Lets a policy react, and carries out what follows, or leaves no trace of it: `Err` inside says why.
async fn react(
    transaction: &mut PgConnection,
    policy: &dyn Policy,
    event: &Recorded,
    rates: &domain::money::rates::Rates,
) -> sqlx::Result<Result<(), String>> {
    let mut inner = transaction.begin().await?;
    // A policy's bug must not end all that it does.
    let reacted = AssertUnwindSafe(async {
        let effects = policy.react(&mut inner, event, rates).await?;
        for (number, effect) in effects.into_iter().enumerate() {
            carry_out(&mut inner, policy.name(), event, number, effect).await?;
        }
        Ok::<_, Unable>(())
    })
    .catch_unwind()
    .await;
    match reacted.unwrap_or_else(|_panic| Err(Unable::Unfit(PANICKED.to_owned()))) {
        Ok(()) => inner.commit().await.map(Ok),
        Err(Unable::Database(error)) if is_the_connection(&error) => Err(error),
        Err(unable) => {
            inner.rollback().await?;
            Ok(Err(unable.to_string()))
        }
    }
}

/// What is wrong with a value stays so; anything else without the database's own word is the connection.
fn is_the_connection(error: &sqlx::Error) -> bool {
    error.as_database_error().is_none()
        && !matches!(
            error,
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound
        )
}

async fn carry_out(
    transaction: &mut PgConnection,
    policy: &str,
    event: &Recorded,
    number: usize,
    effect: Effect,
) -> sqlx::Result<()> {
    let Effect::Tell { user_id, kind, about, payload, at } = effect;
    let id = Uuid::new_v5(&NAMESPACE, format!("{policy}:{}:{number}", event.event_id).as_bytes());
    let at: DateTime<Utc> = at;
    notifications::tell(transaction, &Telling { id, user_id, kind, about, payload, at }).await?;
    Ok(())
}

fn position(entry: &Result<Recorded, Undecodable>) -> Position {
    entry.as_ref().map_or_else(|unread| unread.position, |event| event.position)
}

/// Where an event is, with its names.
struct Spot {
    position: Position,
    aggregate_type: String,
    aggregate_id: String,
    event_type: String,
}

impl Spot {
    fn of(event: &Recorded) -> Self {
        Self {
            position: event.position,
            aggregate_type: event.stream.aggregate_type().to_owned(),
            aggregate_id: event.stream.aggregate_id(),
            event_type: event.event.event_type().to_owned(),
        }
    }

    fn of_unread(unread: &Undecodable) -> Self {
        Self {
            position: unread.position,
            aggregate_type: unread.stream_type.to_string(),
            aggregate_id: unread.stream_id.to_string(),
            event_type: unread.event_type.to_string(),
        }
    }

    fn stream(&self) -> (&str, &str) {
        (&self.aggregate_type, &self.aggregate_id)
    }

    fn owned_stream(&self) -> (String, String) {
        (self.aggregate_type.clone(), self.aggregate_id.clone())
    }

    fn place(&self) -> Place<'_> {
        Place {
            position: self.position,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            event_type: &self.event_type,
        }
    }
}
