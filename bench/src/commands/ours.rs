//! This project's own engine, in the process of the clients.

use super::{Contender, Facts, Planned, closed_loop};
use crate::ground::Ground;
use chrono::Utc;
use domain::collection::{Condition, Origin};
use domain::commands::{AddPiece, PieceFields};
use domain::ids::{CommandId, PieceId, UserId};
use domain::stream::StreamId;
use domain::text::Location;
use domain::world::{Circumstances, Command, Stop, World};
use event_store::{EventStore, Execution};
use projections::engine::{Projections, Running, Waited};
use sqlx::PgPool;
use std::time::Duration;
use uuid::Uuid;

/// Its name in the table.
pub const NAME: &str = "ours";

/// The engine as the server opens it.
pub struct Ours {
    store: EventStore,
    projections: Projections,
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
        for some in users.chunks(200) {
            let mut execution = by(None);
            execution.prefetch = some.iter().copied().map(StreamId::Collection).collect();
            store.execute(&Touch(some.to_vec()), &execution).await?;
        }
        Ok(Self { store, projections, _running: running, _pool: pool })
    }
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
        NAME
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let (store, projections) = (self.store.clone(), self.projections.clone());
        closed_loop(clients, work, move |planned| {
            let (store, projections) = (store.clone(), projections.clone());
            async move {
                let done = store.execute(&add(&planned)?, &by(Some(planned.user))).await?;
                anyhow::ensure!(done.events.len() == 2, "a piece and the end of a wish");
                let names: Vec<&str> = projections.definitions().iter().map(|one| one.name).collect();
                let waited = projections.wait_for(&names, done.position, Duration::from_secs(10)).await;
                anyhow::ensure!(waited == Waited::Reached, "{waited:?}");
                Ok(())
            }
        })
        .await
    }
}
