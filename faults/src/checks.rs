//! What must hold afterwards. Each check gives complaints, one line each; none is what it should be.

use crate::client::Person;
use crate::generator::Model;
use crate::generator::account::Account;
use anyhow::{Context, ensure};
use event_store::EventStore;
use projections::engine::{Options, Projections};
use sqlx::{PgPool, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long the read models may take to catch up.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);
/// Most differences that are told of one comparison.
const MOST_TOLD: usize = 10;

/// A request that was answered for good.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// Who sent it.
    pub actor: Uuid,
    /// Its idempotency key.
    pub key: String,
    /// What it was.
    pub kind: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The position that the answer named.
    pub position: Option<i64>,
}

impl Acknowledged {
    /// Whether the write was accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What the log says of the acknowledged writes.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Acknowledged, and not in the log.
    pub lost: usize,
    /// Commands in the log that no acknowledged write accounts for.
    pub doubled: usize,
    /// What is wrong, in words.
    pub complaints: Vec<String>,
}

/// What stands in the log beside what the clients were told.
#[derive(Debug, Default)]
pub struct Others {
    /// Up to this position everything is somebody else's.
    pub since: i64,
    /// What a reader of the log saw meanwhile, in the order in which it saw it; nothing when none read.
    pub seen: Vec<(i64, Uuid)>,
    /// Commands whose records were erased with their people.
    pub forgotten: HashSet<String>,
}

struct LogRow {
    position: i64,
    event_id: Uuid,
    stream: (String, String),
    sequence: i64,
    command_id: String,
    event_type: String,
}

impl LogRow {
    /// Whether it is part of an erasure, which nobody's request accounts for.
    fn is_of_erasure(&self) -> bool {
        self.event_type.ends_with(".erased") || self.event_type == "collection.person_erased"
    }
}

struct Record {
    position: i64,
    command_id: String,
}

/// Compares the log with what was acknowledged, and checks its order.
///
/// # Errors
/// When the database does not answer.
pub async fn log(pool: &PgPool, acknowledged: &[Acknowledged], others: &Others) -> anyhow::Result<Verdict> {
    let seen = &others.seen;
    let mut verdict = Verdict::default();
    let rows = events(pool).await?;
    order(&rows, &mut verdict.complaints);
    if !seen.is_empty() {
        let whole: Vec<(i64, Uuid)> = rows.iter().map(|row| (row.position, row.event_id)).collect();
        if *seen != whole {
            verdict.complaints.push(format!(
                "a reader that followed the log saw {} events, and it holds {}: first difference at {:?}",
                seen.len(),
                whole.len(),
                seen.iter().zip(&whole).find(|(saw, is)| saw != is)
            ));
        }
    }
    let mut commands: HashMap<&str, Vec<i64>> = HashMap::new();
    for row in rows.iter().filter(|row| row.position > others.since && !row.is_of_erasure()) {
        commands.entry(&row.command_id).or_default().push(row.position);
    }
    let records = records(pool).await?;
    let mut accounted = BTreeSet::new();
    for one in acknowledged {
        let record = records.get(&(one.actor, one.key.clone()));
        match (one.is_accepted(), record) {
            (true, Some(record)) => {
                accounted.insert(record.command_id.as_str());
                if one.position != Some(record.position) {
                    verdict
                        .complaints
                        .push(format!("{one:?} was recorded at another position, {}", record.position));
                }
                let positions = commands.get(record.command_id.as_str()).map_or(&[][..], Vec::as_slice);
                let consecutive = positions.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
                let ends = positions.last().is_none_or(|last| *last == record.position);
                if !consecutive || !ends {
                    verdict.complaints.push(format!("{one:?} is in the log in pieces: {positions:?}"));
                }
            }
            (true, None) => {
                verdict.lost += 1;
                verdict.complaints.push(format!("lost: {one:?}"));
            }
            (false, Some(record)) => {
                verdict.complaints.push(format!("{one:?} was refused and is recorded at {}", record.position))
            }
            (false, None) => {}
        }
    }
    for (command, positions) in &commands {
        if !accounted.contains(command) && !others.forgotten.contains(*command) {
            verdict.doubled += 1;
            verdict.complaints.push(format!("nobody was told of command {command}, at {positions:?}"));
        }
    }
    Ok(verdict)
}

/// Streams without gaps, positions that only rise, both in the same direction.
fn order(rows: &[LogRow], complaints: &mut Vec<String>) {
    let mut versions: HashMap<&(String, String), i64> = HashMap::new();
    let mut last = 0;
    for row in rows {
        if row.position <= last {
            complaints.push(format!("position {} follows {last}", row.position));
        }
        last = row.position;
        let version = versions.entry(&row.stream).or_default();
        *version += 1;
        if *version != row.sequence {
            complaints.push(format!(
                "at {} stands number {} of {:?} where {version} should",
                row.position, row.sequence, row.stream
            ));
            *version = row.sequence;
        }
    }
}

async fn events(pool: &PgPool) -> anyhow::Result<Vec<LogRow>> {
    let sql = "SELECT position, event_id, aggregate_type, aggregate_id, sequence, metadata->>'command_id', \
               event_type FROM events ORDER BY position";
    sqlx::query(sql)
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            Ok(LogRow {
                position: row.try_get(0)?,
                event_id: row.try_get(1)?,
                stream: (row.try_get(2)?, row.try_get(3)?),
                sequence: row.try_get(4)?,
                command_id: row.try_get(5)?,
                event_type: row.try_get(6)?,
            })
        })
        .collect()
}

async fn records(pool: &PgPool) -> anyhow::Result<HashMap<(Uuid, String), Record>> {
    sqlx::query("SELECT actor, key, position, command_id::text FROM command_records")
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            let record = Record { position: row.try_get(2)?, command_id: row.try_get(3)? };
            Ok(((row.try_get(0)?, row.try_get(1)?), record))
        })
        .collect()
}

/// Opens the read models of a database that a server has set up, beside whatever server there is.
///
/// # Errors
/// When the database does not answer.
pub async fn read_models(pool: &PgPool) -> anyhow::Result<Projections> {
    let store = EventStore::open(pool.clone(), event_store::Options::default()).await?;
    Ok(Projections::open(pool, store, projections::all(), Options::default()).await?)
}

/// Live tables against a fresh fold, each projection at its own checkpoint.
///
/// # Errors
/// When they cannot be compared.
pub async fn verify(models: &Projections) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut more = 0_usize;
    let verified = models
        .verify(
            &[],
            |_| (),
            |projection, difference| {
                if complaints.len() < MOST_TOLD {
                    complaints.push(format!("{projection}: {difference}"));
                } else {
                    more += 1;
                }
            },
        )
        .await?;
    ensure!(verified.len() == models.definitions().len(), "not every read model was compared");
    if more > 0 {
        complaints.push(format!("and {more} more differences"));
    }
    Ok(complaints)
}

/// Waits until every read model shows the whole log; tells the position.
///
/// # Errors
/// When one does not get there.
pub async fn caught_up(pool: &PgPool) -> anyhow::Result<i64> {
    let begun = Instant::now();
    loop {
        let (head, least): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(position), 0) FROM events), \
                    (SELECT min(position) FROM projection_checkpoints)",
        )
        .fetch_one(pool)
        .await?;
        if least >= head {
            return Ok(head);
        }
        ensure!(begun.elapsed() < CAUGHT_UP_WITHIN, "read models stay at {least} while the log is at {head}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until every erasure is finished, and looks for what is left of these people.
///
/// # Errors
/// When an erasure does not finish.
pub async fn erased(pool: &PgPool, people: &[Uuid]) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let sql = "SELECT count(*) FROM erasures WHERE finished_at IS NULL";
        let unfinished: i64 = sqlx::query_scalar(sql).fetch_one(pool).await?;
        if unfinished == 0 {
            break;
        }
        ensure!(begun.elapsed() < CAUGHT_UP_WITHIN, "{unfinished} erasures do not finish");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let personal: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns JOIN information_schema.tables \
         USING (table_schema, table_name) \
         WHERE table_schema = 'public' AND column_name = 'user_id' AND table_type = 'BASE TABLE' \
         AND table_name <> 'erasures'",
    )
    .fetch_all(pool)
    .await?;
    ensure!(personal.iter().any(|table| table == "owned_items"), "no table of people's things: {personal:?}");
    let mut questions: Vec<(String, String)> = personal
        .into_iter()
        .map(|table| (format!("SELECT count(*) FROM {table} WHERE user_id = $1"), table))
        .collect();
    for (table, holds) in [
        ("users", "id = $1"),
        ("command_records", "actor = $1"),
        (
            "events",
            "owner_id = $1 AND event_type NOT LIKE '%.erased' AND event_type <> 'collection.person_erased'",
        ),
    ] {
        questions.push((format!("SELECT count(*) FROM {table} WHERE {holds}"), table.to_owned()));
    }
    let mut complaints = Vec::new();
    for person in people {
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM erasures WHERE user_id = $1")
            .bind(person)
            .fetch_one(pool)
            .await?;
        if known == 0 {
            complaints.push(format!("{person} asked to be erased, and nothing is known of it"));
        }
        for (sql, table) in &questions {
            let left: i64 = sqlx::query_scalar(sql).bind(person).fetch_one(pool).await?;
            if left > 0 {
                complaints.push(format!("{left} rows of {person}, who was erased, are left in {table}"));
            }
        }
    }
    Ok(complaints)
}

/// Every table of the read models: its rows in order as text, its columns and its indexes.
pub type Dumps = BTreeMap<String, Vec<String>>;

/// Dumps every table of the read models.
///
/// # Errors
/// When the database does not answer.
pub async fn dumps(pool: &PgPool, models: &Projections) -> anyhow::Result<Dumps> {
    let mut dumps = Dumps::new();
    for table in models.definitions().iter().flat_map(|definition| definition.tables()) {
        let rows = format!("SELECT t::text FROM public.{table} AS t ORDER BY t::text COLLATE \"C\"");
        let mut lines: Vec<String> = sqlx::query_scalar(&rows).fetch_all(pool).await?;
        let made_of: Vec<String> = sqlx::query_scalar(
            "SELECT column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = $1 \
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = $1 \
             UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE conrelid = to_regclass('public.' || $1) ORDER BY 1",
        )
        .bind(table)
        .fetch_all(pool)
        .await?;
        lines.extend(made_of);
        dumps.insert(table.to_owned(), lines);
    }
    Ok(dumps)
}

/// Where two dumps differ.
#[must_use]
pub fn compare(before: &Dumps, after: &Dumps) -> Vec<String> {
    let tables: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut complaints = Vec::new();
    for table in tables {
        let empty = Vec::new();
        let (old, new) = (before.get(table).unwrap_or(&empty), after.get(table).unwrap_or(&empty));
        let (olds, news): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
        let gone = olds.difference(&news).map(|line| format!("{table} before: {line}"));
        let come = news.difference(&olds).map(|line| format!("{table} after: {line}"));
        complaints.extend(gone.chain(come).take(MOST_TOLD));
        if old.len() != new.len() {
            complaints.push(format!("{table} had {} lines and has {}", old.len(), new.len()));
        }
    }
    complaints
}

/// Schemas that a rebuild left behind.
///
/// # Errors
/// When the database does not answer.
pub async fn leftovers(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let left: Vec<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'shadow\\_%'")
            .fetch_all(pool)
            .await?;
    Ok(left.into_iter().map(|schema| format!("a rebuild left {schema} behind")).collect())
}

/// What a person is shown against what they were told.
///
/// # Errors
/// When the server does not answer.
pub async fn belongings(person: &Person, name: &str, model: &Model) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut shown = BTreeMap::new();
    for piece in person.list("/api/me/owned?archived=all").await? {
        let id: Uuid = piece["id"].as_str().context("a piece without id")?.parse()?;
        let preorder = piece["preorder"]["status"].as_str().map(str::to_owned);
        shown.insert(id, (!piece["archived_at"].is_null(), preorder));
    }
    let told: BTreeMap<Uuid, (bool, Option<String>)> = model
        .pieces
        .iter()
        .map(|(id, piece)| (*id, (piece.archived, piece.preorder.as_ref().map(|(_, status)| status.clone()))))
        .collect();
    differ(name, "piece", &told, &shown, &mut complaints);
    let mut orders = BTreeMap::new();
    for order in person.list("/api/me/preorders").await? {
        let id: Uuid = order["id"].as_str().context("a pre-order without id")?.parse()?;
        orders.insert(id, order["status"].as_str().unwrap_or_default().to_owned());
    }
    let told = model.pieces.values().filter_map(|piece| piece.preorder.clone()).collect();
    differ(name, "pre-order", &told, &orders, &mut complaints);
    let cabinets: BTreeMap<Uuid, ()> = person.get("/api/me/locations").await?.body["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|place| Some((place["id"].as_str()?.parse().ok()?, ())))
        .collect();
    let told = model.cabinets.iter().map(|id| (*id, ())).collect();
    differ(name, "cabinet", &told, &cabinets, &mut complaints);
    complaints.extend(account(person, name, &model.account).await?);
    Ok(complaints)
}

/// The same of what is written in place.
async fn account(person: &Person, name: &str, told: &Account) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let zone = person.get("/api/me").await?.body["time_zone"].as_str().unwrap_or_default().to_owned();
    if !told.zone.may_be(&zone) {
        complaints.push(format!("{name} was told of the zone {:?}, and is shown {zone}", told.zone));
    }
    let shared = person.get("/api/me/wishlist/share").await?.body["shared"].as_bool();
    if !shared.is_some_and(|shared| told.shared.may_be(&shared)) {
        complaints.push(format!("{name} was told of the link {:?}, and is shown {shared:?}", told.shared));
    }
    let shown = person.get("/api/me/api-keys").await?.body;
    let keys: BTreeSet<Uuid> = shown["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| key["id"].as_str()?.parse().ok())
        .collect();
    let lost: Vec<&Uuid> = told.keys.difference(&keys).collect();
    if !lost.is_empty() {
        complaints.push(format!("{name} was told of the keys {lost:?}, which are not there"));
    }
    let notifications = person.list("/api/me/notifications").await?;
    let read = notifications.iter().filter(|one| !one["read_at"].is_null()).count();
    if u64::try_from(read)? < told.read {
        complaints.push(format!("{name} was told that {} notifications are read; {read} are", told.read));
    }
    Ok(complaints)
}

fn differ<T: PartialEq + std::fmt::Debug>(
    name: &str,
    what: &str,
    told: &BTreeMap<Uuid, T>,
    shown: &BTreeMap<Uuid, T>,
    complaints: &mut Vec<String>,
) {
    let ids: BTreeSet<&Uuid> = told.keys().chain(shown.keys()).collect();
    for id in ids {
        if told.get(id) != shown.get(id) {
            let (told, shown) = (told.get(id), shown.get(id));
            complaints.push(format!("{name} was told of the {what} {id}: {told:?}; and is shown {shown:?}"));
        }
    }
}
