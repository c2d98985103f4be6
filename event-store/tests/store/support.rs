//! Commands and shortcuts for the tests.

use chrono::Utc;
use database::testing::{TestDb, eventually};
use domain::claim::{ClaimCode, ClaimCommand, Holder};
use domain::collection::{CollectionCommand, Cost, NewPiece, Origin, UnwishReason};
use domain::entity::{EntityCommand, EntityKind};
use domain::ids::{CabinetId, CommandId, EntityId, FigureId, PieceId, UserId};
use domain::stream::{Position, Recorded, StreamId, Version};
use domain::text::{Line, Location};
use domain::world::{Circumstances, Command, State, Stop, World};
use event_store::{APPEND_LOCK, EventStore, Execution, Idempotency, Options};
use sqlx::{Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

pub async fn open(pool: &PgPool) -> EventStore {
    open_with(pool, Options::default()).await
}

pub async fn open_with(pool: &PgPool, options: Options) -> EventStore {
    EventStore::open(pool.clone(), options).await.unwrap()
}

pub async fn fresh() -> (TestDb, EventStore) {
    let db = TestDb::new().await;
    let store = open(&db.pool).await;
    (db, store)
}

pub fn user() -> UserId {
    UserId(Uuid::now_v7())
}

pub fn figure() -> FigureId {
    FigureId(Uuid::now_v7())
}

pub fn by(actor: impl Into<Option<UserId>>) -> Execution {
    Execution::new(Circumstances {
        actor: actor.into(),
        is_admin: false,
        now: Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    })
}

pub fn keyed(actor: impl Into<Option<UserId>>, key: &str, body: u8) -> Execution {
    let idempotency = Idempotency { key: key.to_owned(), request_hash: [body; 32] };
    Execution { idempotency: Some(idempotency), ..by(actor) }
}

/// The log as a whole.
pub async fn log(store: &EventStore) -> Vec<Recorded> {
    let all = store.read_after(Default::default(), 1_000_000).await.unwrap();
    all.into_iter().map(Result::unwrap).collect()
}

pub async fn collection(
    store: &EventStore,
    user: UserId,
) -> (std::sync::Arc<domain::collection::Collection>, Version) {
    match store.state_at(&StreamId::Collection(user), None).await.unwrap() {
        (State::Collection(state), version) => (state, version),
        other => panic!("not a collection: {other:?}"),
    }
}

/// Keeps every appender waiting until it is let go.
pub struct HeldLock(PgConnection);

impl HeldLock {
    pub async fn take(db: &TestDb) -> Self {
        let mut connection = PgConnection::connect_with(&db.options()).await.unwrap();
        sqlx::query("SELECT pg_advisory_lock($1)").bind(APPEND_LOCK).execute(&mut connection).await.unwrap();
        Self(connection)
    }

    pub async fn let_go(self) {
        self.0.close().await.unwrap();
    }
}

/// Waits until so many sessions wait for an advisory lock.
pub async fn until_waiting_for_lock(db: &TestDb, sessions: i64) {
    eventually("sessions wait for the lock", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'",
        )
        .fetch_one(&db.pool)
        .await
        .unwrap();
        waiting >= sessions
    })
    .await;
}

/// Asks until it is so, for a minute at most.
pub async fn until(ready: impl AsyncFn() -> bool) {
    eventually("what the test waits for", ready).await;
}

/// Waits until a subscriber was told of a position.
pub async fn until_told(head: &mut watch::Receiver<Position>, position: Position) {
    let told = head.wait_for(|head| *head >= position);
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("never told").unwrap();
}

fn new_piece(piece_id: PieceId, figure_id: FigureId) -> CollectionCommand {
    CollectionCommand::AddPiece(Box::new(NewPiece {
        piece_id,
        figure_id,
        same_figure: vec![figure_id],
        preordered: false,
        condition: None,
        cost: Cost::default(),
        purchase_date: None,
        store_id: None,
        location: None,
        notes: None,
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
        unwish: UnwishReason::Owned,
    }))
}

/// Adds a piece under a new id.
pub struct Add(pub UserId, pub FigureId);

impl Command for Add {
    type Answer = PieceId;
    const NAME: &'static str = "test_add";
    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        let piece_id = PieceId(world.new_id());
        world.tell_collection(self.0, new_piece(piece_id, self.1))?;
        Ok(piece_id)
    }
}

/// Adds so many pieces in one append.
pub struct AddMany(pub UserId, pub usize);

impl Command for AddMany {
    type Answer = ();
    const NAME: &'static str = "test_add_many";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        for _ in 0..self.1 {
            let (piece_id, figure_id) = (PieceId(world.new_id()), FigureId(world.new_id()));
            world.tell_collection(self.0, new_piece(piece_id, figure_id))?;
        }
        Ok(())
    }
}

/// Reads one collection and writes to another: answers how many pieces the first one has.
pub struct Envy(pub UserId, pub UserId);

impl Command for Envy {
    type Answer = usize;
    const NAME: &'static str = "test_envy";
    fn decide(&self, world: &mut World) -> Result<usize, Stop> {
        let seen = world.collection(self.0)?.pieces.len();
        Add(self.1, FigureId(world.new_id())).decide(world)?;
        Ok(seen)
    }
}

pub struct Delete(pub UserId, pub PieceId);

impl Command for Delete {
    type Answer = ();
    const NAME: &'static str = "test_delete";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        world.tell_collection(self.0, CollectionCommand::Delete { piece_ids: vec![self.1] })
    }
}

/// Wishing what is wished already changes nothing.
pub struct Wish(pub UserId, pub FigureId);

impl Command for Wish {
    type Answer = ();
    const NAME: &'static str = "test_wish";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        world.tell_collection(
            self.0,
            CollectionCommand::Wish {
                figure_id: self.1,
                same_figure: vec![self.1],
                target: None,
                note: None,
            },
        )
    }
}

pub struct Unwish(pub UserId, pub FigureId);

impl Command for Unwish {
    type Answer = ();
    const NAME: &'static str = "test_unwish";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        world.tell_collection(
            self.0,
            CollectionCommand::Unwish { same_figure: vec![self.1], reason: UnwishReason::Removed },
        )
    }
}

/// A cabinet's name is unique within a collection.
pub struct CreateCabinet(pub UserId, pub &'static str);

impl Command for CreateCabinet {
    type Answer = CabinetId;
    const NAME: &'static str = "test_create_cabinet";
    fn decide(&self, world: &mut World) -> Result<CabinetId, Stop> {
        let cabinet_id = CabinetId(world.new_id());
        let name = Location::new(self.1).unwrap();
        world.tell_collection(self.0, CollectionCommand::CreateCabinet { cabinet_id, name })?;
        Ok(cabinet_id)
    }
}

pub struct DeleteCabinet(pub UserId, pub CabinetId);

impl Command for DeleteCabinet {
    type Answer = ();
    const NAME: &'static str = "test_delete_cabinet";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        world.tell_collection(self.0, CollectionCommand::DeleteCabinet { cabinet_id: self.1 })
    }
}

/// Names a store and claims its slug: two streams in one append.
pub struct NameStore(pub &'static str);

impl Command for NameStore {
    type Answer = EntityId;
    const NAME: &'static str = "test_name_store";
    fn decide(&self, world: &mut World) -> Result<EntityId, Stop> {
        let entity_id = EntityId(world.new_id());
        let code = ClaimCode::slug(EntityKind::Store, self.0);
        world.tell_claim(
            &code,
            ClaimCommand::Take { code: code.clone(), holder: Holder::Entity(entity_id) },
        )?;
        let name = Line::new(self.0).unwrap();
        let (kind, slug) = (EntityKind::Store, self.0.to_owned());
        world.tell_entity(
            entity_id,
            EntityCommand::Name { entity_id, kind, name, slug, created_by: world.circumstances().actor },
        )?;
        Ok(entity_id)
    }
}

/// Claims a code for a figure.
pub struct Claim(pub ClaimCode, pub FigureId);

impl Command for Claim {
    type Answer = ();
    const NAME: &'static str = "test_claim";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        let (code, holder) = (self.0.clone(), Holder::Figure(self.1));
        world.tell_claim(&self.0, ClaimCommand::Take { code, holder })
    }
}
