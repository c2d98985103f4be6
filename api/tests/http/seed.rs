//! Things that have happened, put into the log without HTTP.

use chrono::Utc;
use domain::{
    commands::{CatalogueFigure, EditFigure},
    ids::{CommandId, FigureId, UserId},
    stream::Position,
    world::{Circumstances, Command},
};
use event_store::{CHANNEL, EventStore, Execution, Options};
use sqlx::PgPool;
use uuid::Uuid;

/// Writes to a log as somebody, or as the system itself.
pub struct Seed {
    pub store: EventStore,
    pub actor: Option<UserId>,
}

impl Seed {
    /// A log opened beside whoever else has it open.
    pub async fn at(pool: &PgPool) -> Self {
        Self { store: EventStore::open(pool.clone(), Options::default()).await.unwrap(), actor: None }
    }

    pub async fn run<C: Command>(&self, command: &C) -> Position {
        let circumstances = Circumstances {
            actor: self.actor,
            is_admin: true,
            now: Utc::now(),
            command_id: CommandId(Uuid::now_v7()),
        };
        self.store.execute(command, &Execution::new(circumstances)).await.unwrap().position
    }

    /// A figure in the catalogue: one event.
    pub async fn figure(&self, name: &str) -> FigureId {
        self.figure_at(name).await.0
    }

    /// The same, with the event's position.
    pub async fn figure_at(&self, name: &str) -> (FigureId, Position) {
        let figure_id = FigureId(Uuid::now_v7());
        let command = CatalogueFigure::named(figure_id, name.parse().unwrap(), "scale".parse().unwrap());
        (figure_id, self.run(&command).await)
    }

    /// A figure under another name: one event more.
    pub async fn rename(&self, figure_id: FigureId, name: &str) -> Position {
        self.run(&EditFigure { name: Some(name.parse().unwrap()), ..EditFigure::of(figure_id) }).await
    }
}

/// An event that only a later release understands, on this figure's stream. Every read model that folds
/// figures stops at it.
pub async fn from_a_later_release(pool: &PgPool, figure_id: FigureId) -> Position {
    let position: i64 = sqlx::query_scalar(
        "INSERT INTO events (position, sequence, recorded_at, event_id, aggregate_type, aggregate_id, event_type, \
                             event_version, payload, metadata) \
         SELECT max(position) + 1, coalesce(max(sequence) FILTER (WHERE aggregate_id = $1), 0) + 1, max(recorded_at), \
                gen_random_uuid(), 'figure', $1, 'figure.sung_about', '1', '{\"by\": \"a choir\"}', \
                json_build_object('command_id', gen_random_uuid()) \
         FROM events RETURNING position",
    )
    .bind(figure_id.to_string())
    .fetch_one(pool)
    .await
    .unwrap();
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(position.to_string())
        .execute(pool)
        .await
        .unwrap();
    Position(position)
}

/// Puts something else where an event's payload is, as a failing disk would.
pub async fn overwrite(pool: &PgPool, position: Position, payload: &str) {
    let mut transaction = pool.begin().await.unwrap();
    for sql in [
        "ALTER TABLE events DISABLE TRIGGER events_stay".to_owned(),
        format!("UPDATE events SET payload = '{payload}' WHERE position = {position}"),
        "ALTER TABLE events ENABLE TRIGGER events_stay".to_owned(),
    ] {
        sqlx::query(&sql).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}
