//! This project's own engine, in the process of the clients.

use super::{Contender, Facts, Planned, closed_loop};
use crate::ground::Ground;
use crate::site::Site;
use chrono::Utc;
use domain::collection::{Condition, Origin};
use domain::commands::{AddPiece, PieceFields};
use domain::ids::{CommandId, PieceId, UserId};
use domain::stream::{Position, StreamId};
use domain::text::Location;
use domain::world::{Circumstances, Command, Stop, World};
use event_store::{EventStore, Execution};
use projections::engine::{Projections, Running, Waited};
use sqlx::PgPool;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Its name in the table.
pub const NAME: &str = "ours";
/// The read models that an answer to a command is read from, or what the same person looks at next: pieces, wishes
/// and pre-orders, the feed, the catalogue. Achievements, prices and worth follow within milliseconds.
const READABLE: [&str; 5] = ["collection", "preorders", "activity", "figures", "entities"];
/// Its name when another process folds.
pub const BESIDE: &str = "ours, another process folds";

/// The engine as the server opens it.
pub struct Ours {
    store: EventStore,
    projections: Projections,
    name: &'static str,
    /// What folds beside it, when that is another process.
    projector: Option<Site>,
    _running: Running,
    _pool: PgPool,
}

/// Reads collections and changes nothing.
struct Touch(Vec<UserId>);

impl Command for Touch {
    type Answer = ();
    const NAME: &'static str = "touch";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        self.0.iter().try_for_each(|user| world.collection(*user).map(drop))
    }
}

/// The circumstances of a command that a person gives.
pub fn by(user: Option<UserId>) -> Execution {
    Execution::new(Circumstances {
        actor: user,
        is_admin: false,
        now: Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    })
}

impl Ours {
    /// Opens it and warms the cache.
    pub async fn open(ground: &Ground, database: &str, users: &[UserId]) -> anyhow::Result<Self> {
        let pool = ground.pool(database);
        let store = EventStore::open(pool.clone(), event_store::Options::default()).await?;
        let options = projections::engine::Options::default();
        let projections = Projections::open(&pool, store.clone(), projections::all(), options).await?;
        let running = projections.run();
        touch(&store, users).await?;
        Ok(Self { store, projections, name: NAME, projector: None, _running: running, _pool: pool })
    }

    /// Opens it beside a server of the same database, which folds.
    pub async fn beside(ground: &Ground, database: &str, users: &[UserId]) -> anyhow::Result<Self> {
        let projector = Site::open(ground, database).await?;
        projector.settle(ground, database).await?;
        let mut ours = Self::open(ground, database, users).await?;
        anyhow::ensure!(!ours.projections.is_leading(), "the server folds");
        (ours.name, ours.projector) = (BESIDE, Some(projector));
        Ok(ours)
    }
}

/// Brings people's collections into memory.
pub async fn touch(store: &EventStore, users: &[UserId]) -> anyhow::Result<()> {
    for some in users.chunks(200) {
        let mut execution = by(None);
        execution.prefetch = some.iter().copied().map(StreamId::Collection).collect();
        store.execute(&Touch(some.to_vec()), &execution).await?;
    }
    Ok(())
}

impl Ours {
    /// Runs a command and waits until every read model holds what it did.
    pub async fn run<C: Command>(&self, command: &C, user: UserId) -> anyhow::Result<()> {
        run(&self.store, &self.projections, command, user, None).await
    }
}

async fn run<C: Command>(
    store: &EventStore,
    projections: &Projections,
    command: &C,
    user: UserId,
    events: Option<usize>,
) -> anyhow::Result<()> {
    let done = store.execute(command, &by(Some(user))).await?;
    anyhow::ensure!(events.is_none_or(|events| done.events.len() == events), "{:?}", done.events);
    reached(projections, &READABLE, done.position).await
}

async fn reached(projections: &Projections, names: &[&str], position: Position) -> anyhow::Result<()> {
    let waited = projections.wait_for(names, position, Duration::from_secs(10)).await;
    anyhow::ensure!(waited == Waited::Reached, "{waited:?}");
    Ok(())
}

/// The command.
pub fn add(planned: &Planned) -> anyhow::Result<AddPiece> {
    Ok(AddPiece {
        user_id: planned.user,
        piece_id: PieceId(Uuid::now_v7()),
        figure_id: planned.figure.id,
        fields: PieceFields {
            condition: Some(Condition::MibSealed),
            cost: crate::history::cost()?,
            purchase_date: Some(Facts::bought_on()),
            location: Some(Location::new(Facts::LOCATION)?),
            origin: Some(Origin::Purchased),
            ..PieceFields::default()
        },
    })
}

#[async_trait::async_trait]
impl Contender for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn process(&self) -> Option<u32> {
        self.projector.as_ref().and_then(|site| site.process().ok())
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let (store, projections) = (self.store.clone(), self.projections.clone());
        let took = closed_loop(clients, work, move |planned| {
            let (store, projections) = (store.clone(), projections.clone());
            // A piece, and the end of a wish.
            async move { run(&store, &projections, &add(&planned)?, planned.user, Some(2)).await }
        })
        .await?;
        // What nobody waits for has to be done all the same.
        let begun = Instant::now();
        let all: Vec<&str> = self.projections.definitions().iter().map(|one| one.name).collect();
        let head = *self.store.subscribe().borrow();
        reached(&self.projections, &all, head).await?;
        Ok(took + begun.elapsed())
    }
}
