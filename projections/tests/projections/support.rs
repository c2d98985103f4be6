//! A log written by hand, so that it can hold what no command would write.

use database::testing::TestDb;
use domain::collection::{CollectionEvent, Cost, Origin, UnwishReason};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::{Details, Entry, FigureEvent};
use domain::ids::{EntityId, FigureId, PieceId, UserId};
use domain::stream::{Event, Position, StreamId};
use domain::text::Line;
use event_store::{APPEND_LOCK, CHANNEL, EventStore};
use projections::engine::{Definition, Difference, Options, Projections, Status, Waited};
use sqlx::{PgPool, Row};
use std::time::Duration;
use uuid::Uuid;

/// Long enough for anything that happens at all; no test passes by waiting it out.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ledger {
    pub db: TestDb,
    pub store: EventStore,
}

impl Ledger {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        let store = EventStore::open(db.pool.clone(), event_store::Options::default()).await.unwrap();
        Self { db, store }
    }

    pub fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// Another process's view of the same database.
    pub async fn projections(&self) -> Projections {
        self.projections_of(projections::all()).await
    }

    pub async fn projections_of(&self, definitions: Vec<Definition>) -> Projections {
        self.projections_with(definitions, None).await
    }

    /// The same, with so many bytes for what is folded from the beginning.
    pub async fn projections_with(
        &self,
        definitions: Vec<Definition>,
        replay_bytes: Option<usize>,
    ) -> Projections {
        let options = Options { batch: 50, poll_every: Duration::from_millis(50), replay_bytes };
        Projections::open(self.pool(), self.store.clone(), definitions, options).await.unwrap()
    }

    pub async fn append(&self, events: &[(StreamId, Event)]) -> Position {
        let rows: Vec<_> = events.iter().map(|(stream, event)| raw(stream, event)).collect();
        self.append_raw(&rows).await
    }

    /// Appends rows of aggregate type, aggregate id, owner, event type and payload.
    pub async fn append_raw(&self, rows: &[(String, String, Option<Uuid>, String, String)]) -> Position {
        let mut transaction = self.pool().begin().await.unwrap();
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(APPEND_LOCK)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let mut position = 0;
        for (aggregate_type, aggregate_id, owner, event_type, payload) in rows {
            position = sqlx::query_scalar(
                "INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, \
                 aggregate_id, event_type, event_version, payload, metadata) \
                 SELECT coalesce(max(position), 0) + 1, \
                 1 + (SELECT count(*) FROM events WHERE aggregate_type = $2 AND aggregate_id = $3), \
                 '2026-01-01'::timestamptz + count(*) * interval '1 minute', $1, $6, $2, $3, $4, '1', \
                 $5::json, json_build_object('command_id', $1, 'actor', $6) FROM events RETURNING position",
            )
            .bind(Uuid::now_v7())
            .bind(aggregate_type)
            .bind(aggregate_id)
            .bind(event_type)
            .bind(payload)
            .bind(owner)
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        }
        sqlx::query("SELECT pg_notify($1, $2::text)")
            .bind(CHANNEL)
            .bind(position)
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        Position(position)
    }

    /// Folds everything there is and stops folding.
    pub async fn fold_all(&self, projections: &Projections) {
        let running = projections.run();
        let head = self.store.head().await.unwrap();
        reached(projections, head).await;
        running.stop().await;
    }

    /// Every row of every table of the projections, in an order of its own.
    pub async fn dump(&self, projections: &Projections) -> Vec<(String, Vec<String>)> {
        let mut dump = Vec::new();
        for table in projections.definitions().iter().flat_map(Definition::tables) {
            let sql = format!("SELECT t::text FROM public.{table} AS t ORDER BY t::text COLLATE \"C\"");
            let rows: Vec<String> = sqlx::query_scalar(&sql).fetch_all(self.pool()).await.unwrap();
            dump.push((table.to_owned(), rows));
        }
        dump
    }

    /// The tables, indexes and constraints of the schema that serves.
    pub async fn shape(&self) -> Vec<String> {
        let sql = "SELECT tablename || ' ' || indexdef AS line FROM pg_indexes WHERE schemaname = 'public' \
                   UNION ALL SELECT conrelid::regclass::text || ' ' || conname FROM pg_constraint \
                   WHERE connamespace = 'public'::regnamespace ORDER BY line";
        let rows = sqlx::query(sql).fetch_all(self.pool()).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// The same projection in a newer release.
pub fn raised(mut definition: Definition) -> Definition {
    definition.version += 1;
    definition
}

/// How a projection stands.
pub async fn status(projections: &Projections, name: &str) -> Status {
    projections.status().await.unwrap().into_iter().find(|status| status.name == name).unwrap()
}

/// Takes the lock of whoever leads away, and all others that it has.
pub async fn leader_is_dethroned(ledger: &Ledger) {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         AND classid = x'70726f6a'::int AND objid = x'65630002'::int AND objsubid = 1",
    )
    .fetch_all(ledger.pool())
    .await
    .unwrap();
}

/// Waits until every projection of these is at a position.
pub async fn reached(projections: &Projections, position: Position) {
    let names: Vec<&str> = projections.definitions().iter().map(|definition| definition.name).collect();
    assert_eq!(projections.wait_for(&names, position, PATIENCE).await, Waited::Reached);
}

/// All differences that a verification of everything finds, as shown.
pub async fn differences(projections: &Projections) -> Vec<(&'static str, Difference)> {
    let mut found = Vec::new();
    projections.verify(&[], |_| (), |name, difference| found.push((name, difference))).await.unwrap();
    found
}

fn raw(stream: &StreamId, event: &Event) -> (String, String, Option<Uuid>, String, String) {
    let owner = match (stream, event) {
        (StreamId::Collection(user), _) => Some(user.uuid()),
        _ => None,
    };
    let aggregate_type = stream.aggregate_type().to_owned();
    (aggregate_type, stream.aggregate_id(), owner, event.event_type().to_owned(), event.to_json().unwrap())
}

pub fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128((1 << 100) + n))
}

pub fn figure(n: u128) -> FigureId {
    FigureId(Uuid::from_u128((2 << 100) + n))
}

pub fn piece(n: u128) -> PieceId {
    PieceId(Uuid::from_u128((3 << 100) + n))
}

pub fn entity(n: u128) -> EntityId {
    EntityId(Uuid::from_u128((4 << 100) + n))
}

pub fn named(n: u128, kind: EntityKind, name: &str) -> (StreamId, Event) {
    let slug = domain::slug::slugify(name).unwrap();
    let event = EntityEvent::Named {
        entity_id: entity(n),
        kind,
        name: Line::new(name).unwrap(),
        slug,
        created_by: None,
    };
    (StreamId::Entity(entity(n)), Event::Entity(event))
}

pub fn renamed(n: u128, kind: EntityKind, name: &str) -> (StreamId, Event) {
    let slug = domain::slug::slugify(name).unwrap();
    let event = EntityEvent::Renamed { kind, name: Line::new(name).unwrap(), slug };
    (StreamId::Entity(entity(n)), Event::Entity(event))
}

pub fn catalogued(n: u128, name: &str, with: impl FnOnce(&mut Entry)) -> (StreamId, Event) {
    let mut entry = Entry {
        figure_id: figure(n),
        slug: domain::slug::figure_slug(name, figure(n).uuid()),
        name: Line::new(name).unwrap(),
        figure_type: Line::new("nendoroid").unwrap(),
        manufacturer_id: None,
        sculptor_id: None,
        series_ids: vec![],
        character_ids: vec![],
        details: Details::default(),
        releases: vec![],
        msrp: None,
        jan: None,
        mfc_id: None,
        is_nsfw: false,
        buy_links: vec![],
        created_by: None,
        source: None,
    };
    with(&mut entry);
    (StreamId::Figure(figure(n)), Event::Figure(FigureEvent::Catalogued(Box::new(entry))))
}

pub fn on_figure(n: u128, event: FigureEvent) -> (StreamId, Event) {
    (StreamId::Figure(figure(n)), Event::Figure(event))
}

pub fn in_collection(of: UserId, event: CollectionEvent) -> (StreamId, Event) {
    (StreamId::Collection(of), Event::Collection(event))
}

pub fn added(of: UserId, n: u128, figure_id: FigureId) -> (StreamId, Event) {
    let event = CollectionEvent::PieceAdded {
        piece_id: piece(n),
        figure_id,
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
    };
    in_collection(of, event)
}

/// A believable stretch of the log: part number `part` of as many as are asked for, each of which goes on
/// from those before it. It names and renames, merges, wishes, adds, deletes.
pub fn stretch(part: u128) -> Vec<(StreamId, Event)> {
    let base = part * 100;
    let mut events = vec![
        named(base, EntityKind::Manufacturer, &format!("Maker {part}")),
        named(base + 1, EntityKind::Series, &format!("Series {part}")),
        named(base + 2, EntityKind::Character, &format!("Character {part}")),
    ];
    for n in base..base + 8 {
        events.push(catalogued(n, &format!("Figure {n}"), |entry| {
            entry.manufacturer_id = Some(entity(base));
            entry.series_ids = vec![entity(base + 1)];
            entry.character_ids = vec![entity(base + 2)];
        }));
        let who = user(n % 3);
        let wish = CollectionEvent::Wished { figure_id: figure(n), target: None, note: None };
        events.push(in_collection(who, wish));
        let reason = UnwishReason::Owned;
        if n % 4 != 0 {
            events.push(in_collection(who, CollectionEvent::Unwished { figure_id: figure(n), reason }));
            events.push(added(who, n, figure(n)));
        }
    }
    let gone = CollectionEvent::PiecesDeleted { piece_ids: vec![piece(base + 1)] };
    events.push(in_collection(user((base + 1) % 3), gone));
    events.push(renamed(base + 1, EntityKind::Series, &format!("Saga {part}")));
    if part > 0 {
        let (loser, winner) = (entity(base - 100), entity(base));
        let kind = EntityKind::Manufacturer;
        let merged = EntityEvent::MergedInto { kind, winner_id: winner };
        events.push((StreamId::Entity(loser), Event::Entity(merged)));
        let absorbed = EntityEvent::Absorbed { kind, loser_id: loser, aliases: vec![loser] };
        events.push((StreamId::Entity(winner), Event::Entity(absorbed)));
        events.push(on_figure(base + 7, FigureEvent::MergedInto { winner_id: figure(base) }));
        let (loser_id, aliases) = (figure(base + 7), vec![figure(base + 7)]);
        events.push(on_figure(base, FigureEvent::Absorbed { loser_id, aliases }));
    }
    events
}
