//! The most that this driver and these tables allow: the rows that ours writes, made beforehand, sent in
//! batches of as many commands as there are clients, one batch in one transaction.

use super::{Contender, Facts, Planned, now};
use crate::ground::Ground;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, Postgres};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use uuid::Uuid;

/// Its name in the table.
pub const NAME: &str = "the ceiling";

/// One connection, as an appender has.
pub struct Ceiling {
    connection: Mutex<PgConnection>,
    position: AtomicI64,
}

impl Ceiling {
    /// Opens it.
    pub async fn open(ground: &Ground, database: &str) -> anyhow::Result<Self> {
        let mut connection = PgConnection::connect_with(&ground.options(database)).await?;
        let head: i64 =
            sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&mut connection).await?;
        Ok(Self { connection: Mutex::new(connection), position: AtomicI64::new(head) })
    }
}

/// The rows of one batch, a column each.
#[derive(Default)]
struct Rows {
    now: DateTime<Utc>,
    head: i64,
    commands: Vec<Uuid>,
    users: Vec<Uuid>,
    figures: Vec<Uuid>,
    pieces: Vec<Uuid>,
    versions: Vec<i64>,
    told: Vec<Uuid>,
    told_at: Vec<i64>,
    payloads: Vec<Value>,
    event_ids: Vec<Uuid>,
    positions: Vec<i64>,
    sequences: Vec<i64>,
    owners: Vec<Uuid>,
    streams: Vec<String>,
    types: Vec<&'static str>,
    bodies: Vec<String>,
    metadata: Vec<String>,
    counter_users: Vec<Uuid>,
    counters: Vec<String>,
    counter_entities: Vec<Option<Uuid>>,
    counts: Vec<i32>,
}

impl Rows {
    fn add(&mut self, planned: &Planned) -> anyhow::Result<()> {
        let (user, figure, piece) = (planned.user.uuid(), planned.figure.id, Uuid::now_v7());
        let command = Uuid::now_v7();
        let added = crate::history::piece(piece.into(), figure, false)?;
        let bodies = [
            serde_json::to_string(&added)?,
            format!(r#"{{"unwished":{{"figure_id":"{figure}","reason":"owned"}}}}"#),
        ];
        for (n, (body, kind)) in (1..).zip(bodies.into_iter().zip(["piece_added", "unwished"])) {
            self.head += 1;
            self.event_ids.push(Uuid::now_v7());
            self.positions.push(self.head);
            self.sequences.push(planned.version + n);
            self.owners.push(user);
            self.streams.push(user.to_string());
            self.types.push(if kind == "unwished" {
                "collection.unwished"
            } else {
                "collection.piece_added"
            });
            self.bodies.push(body);
            self.metadata.push(format!(r#"{{"actor":"{user}","command_id":"{command}"}}"#));
        }
        self.commands.push(command);
        self.users.push(user);
        self.figures.push(figure.uuid());
        self.pieces.push(piece);
        self.versions.push(planned.version + 1);
        self.told.push(Uuid::now_v7());
        self.told_at.push(self.head - 1);
        self.payloads.push(Facts::told(planned, piece));
        let (maker, series) = (planned.figure.maker.uuid(), planned.figure.series.uuid());
        for (counter, entity) in [
            ("pieces_owned".to_owned(), None),
            (format!("maker:{maker}"), Some(maker)),
            (format!("series:{series}"), Some(series)),
        ] {
            self.counter_users.push(user);
            self.counters.push(counter);
            self.counter_entities.push(entity);
            self.counts.push(planned.before + 1);
        }
        Ok(())
    }

    fn all<T: Clone>(&self, value: T) -> Vec<T> {
        vec![value; self.users.len()]
    }

    async fn write(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        connection.execute("BEGIN; SELECT pg_advisory_xact_lock(1)").await?;
        self.write_events(connection).await?;
        self.write_collection(connection).await?;
        self.write_rest(connection).await?;
        connection.execute("COMMIT").await?;
        Ok(())
    }

    async fn write_events(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query::<Postgres>(
            "INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, \
             aggregate_id, event_type, event_version, payload, metadata) \
             SELECT e.position, e.sequence, $1, e.event_id, e.owner_id, 'collection', e.aggregate_id, \
             e.event_type, '1', e.payload::json, e.metadata::json FROM UNNEST($2::bigint[], $3::bigint[], \
             $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[]) AS e (position, \
             sequence, event_id, owner_id, aggregate_id, event_type, payload, metadata)",
        )
        .bind(self.now)
        .bind(&self.positions)
        .bind(&self.sequences)
        .bind(&self.event_ids)
        .bind(&self.owners)
        .bind(&self.streams)
        .bind(&self.types)
        .bind(&self.bodies)
        .bind(&self.metadata)
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn write_collection(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query::<Postgres>(
            "INSERT INTO owned_items (id, user_id, figure_id, condition, price_amount, price_currency, \
             purchase_date, location, location_key, origin, sort_order, preorder_version, version, \
             created_at, updated_at) SELECT i.id, i.user_id, i.figure_id, i.condition, i.price, i.currency, \
             i.bought, i.location, i.key, i.origin, 0, 0, i.version, $11, $11 FROM UNNEST($1::uuid[], \
             $2::uuid[], $3::uuid[], $4::text[], $5::numeric[], $6::text[], $7::date[], $8::text[], \
             $9::text[], $10::text[], $12::bigint[]) AS i (id, user_id, figure_id, condition, price, \
             currency, bought, location, key, origin, version)",
        )
        .bind(&self.pieces)
        .bind(&self.users)
        .bind(&self.figures)
        .bind(self.all(Facts::CONDITION))
        .bind(self.all(Decimal::from(Facts::PRICE)))
        .bind(self.all(Facts::CURRENCY))
        .bind(self.all::<NaiveDate>(Facts::bought_on()))
        .bind(self.all(Facts::LOCATION))
        .bind(self.all(Facts::LOCATION_KEY))
        .bind(self.all(Facts::ORIGIN))
        .bind(self.now)
        .bind(&self.versions)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>(
            "DELETE FROM wishlist_items w USING UNNEST($1::uuid[], $2::uuid[]) AS g (user_id, wished_as) \
             WHERE w.user_id = g.user_id AND w.wished_as = g.wished_as",
        )
        .bind(&self.users)
        .bind(&self.figures)
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn write_rest(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query::<Postgres>(
            "INSERT INTO activity_events (id, user_id, position, kind, payload, created_at) \
             SELECT a.id, a.user_id, a.position, 'piece_added', a.payload, $5 FROM UNNEST($1::uuid[], \
             $2::uuid[], $3::bigint[], $4::jsonb[]) AS a (id, user_id, position, payload)",
        )
        .bind(&self.told)
        .bind(&self.users)
        .bind(&self.told_at)
        .bind(&self.payloads)
        .bind(self.now)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>(
            "INSERT INTO activity_latest (user_id, command_id, event_id, piece_id) SELECT * FROM \
             UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) ON CONFLICT (user_id) DO UPDATE SET \
             command_id = EXCLUDED.command_id, event_id = EXCLUDED.event_id, piece_id = EXCLUDED.piece_id",
        )
        .bind(&self.users)
        .bind(&self.commands)
        .bind(&self.told)
        .bind(&self.pieces)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>(
            "INSERT INTO activity_pieces (piece_id, user_id, figure_id) SELECT * FROM UNNEST($1::uuid[], \
             $2::uuid[], $3::uuid[])",
        )
        .bind(&self.pieces)
        .bind(&self.users)
        .bind(&self.figures)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>(
            "INSERT INTO achievement_pieces (piece_id, user_id, figure_id, counted, received, slips) \
             SELECT p.id, p.user_id, p.figure_id, true, false, 0 FROM UNNEST($1::uuid[], $2::uuid[], \
             $3::uuid[]) AS p (id, user_id, figure_id)",
        )
        .bind(&self.pieces)
        .bind(&self.users)
        .bind(&self.figures)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>(
            "INSERT INTO achievement_counters (user_id, counter, entity_id, value) SELECT * FROM \
             UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::int[]) ON CONFLICT (user_id, counter) DO \
             UPDATE SET value = EXCLUDED.value",
        )
        .bind(&self.counter_users)
        .bind(&self.counters)
        .bind(&self.counter_entities)
        .bind(&self.counts)
        .execute(&mut *connection)
        .await?;
        sqlx::query::<Postgres>("UPDATE projection_checkpoints SET position = $1")
            .bind(self.head)
            .execute(connection)
            .await?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Contender for Ceiling {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let mut head = self.position.load(Ordering::Relaxed);
        let mut batches = Vec::new();
        for chunk in work.chunks(clients.max(1)) {
            let mut rows = Rows { now: now(), head, ..Rows::default() };
            for planned in chunk {
                rows.add(planned)?;
            }
            head = rows.head;
            batches.push(rows);
        }
        self.position.store(head, Ordering::Relaxed);
        let mut connection = self.connection.lock().await;
        let begun = Instant::now();
        for batch in &batches {
            batch.write(&mut connection).await?;
        }
        Ok(begun.elapsed())
    }
}
