//! What concurrent clients sent and saw, with monotonic times, and whether any one order explains it.
//!
//! Witnesses share an account and its wishes: each wish is a register whose value is the note, whose version
//! is the `ETag`, written blindly or with `If-Match`, and read with `X-Min-Position`, through any server. The
//! log then says in which order the writes took place; [`History::check`] looks whether what each witness saw
//! fits it.

use crate::checks::Acknowledged;
use crate::client::Person;
use crate::generator::Request;
use crate::load::Tally;
use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What a reader of the log saw, in the order in which it saw it: positions and event ids.
pub type Seen = Vec<(i64, Uuid)>;

/// Most violations that are told.
const MOST_TOLD: usize = 10;
const LOOK_EVERY: Duration = Duration::from_millis(3);
/// How long a witness rests between two requests, in milliseconds.
const REST: std::ops::Range<u64> = 0..15;

/// One request of a witness.
#[derive(Debug, Clone)]
pub struct Op {
    /// Which register: its figure.
    pub figure: Uuid,
    /// Before it was sent for the first time.
    pub begun: Instant,
    /// After it was answered.
    pub ended: Instant,
    /// What it was.
    pub what: What,
}

/// What a witness did and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Wrote a note that nobody else ever writes.
    Wrote {
        /// The note.
        note: String,
        /// The version that had to be there.
        if_match: Option<i64>,
        /// The position that the acceptance named; none when it was refused.
        position: Option<i64>,
    },
    /// Read.
    Saw {
        /// The note.
        note: String,
        /// The version.
        version: i64,
        /// The position that the answer had to include.
        at_least: i64,
    },
}

/// What stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its position.
    pub position: i64,
    /// Its number within the stream.
    pub version: i64,
    /// Which register.
    pub figure: Uuid,
    /// What was written.
    pub note: String,
}

/// What the witnesses did so far.
#[derive(Debug, Default)]
pub struct History {
    ops: Mutex<Vec<Op>>,
    /// The highest position that anybody was told of.
    known: AtomicI64,
}

impl History {
    fn ops(&self) -> MutexGuard<'_, Vec<Op>> {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one.
    pub fn note(&self, op: Op) {
        if let What::Wrote { position: Some(position), .. } = op.what {
            self.known.fetch_max(position, Ordering::SeqCst);
        }
        self.ops().push(op);
    }

    /// Whether the log explains what everybody saw, in one line per violation:
    /// - every accepted write stands there once, at the position that was told, and no refused one does;
    /// - the positions of writes are in the order of time, where one ended before the other began;
    /// - a write with `If-Match` follows the very version it named;
    /// - a read gave something that was written, at its version, begun before the read ended, and not older
    ///   than what it had to include.
    #[must_use]
    pub fn check(&self, log: &[Written]) -> Vec<String> {
        let mut complaints = Vec::new();
        let ops = self.ops().clone();
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut registers: BTreeMap<Uuid, Vec<&Written>> = BTreeMap::new();
        for (at, written) in log.iter().enumerate() {
            places.entry(&written.note).or_default().push(at);
            registers.entry(written.figure).or_default().push(written);
        }
        let mut begun: HashMap<&str, Instant> = HashMap::new();
        let mut in_order = Vec::new();
        for op in &ops {
            let What::Wrote { note, if_match, position } = &op.what else { continue };
            begun.insert(note, op.begun);
            let found: Vec<&Written> =
                places.get(note.as_str()).into_iter().flatten().filter_map(|at| log.get(*at)).collect();
            match (position, found.as_slice()) {
                (Some(position), [written]) => {
                    if written.position != *position {
                        complaints.push(format!("{note} was told to be at {position}: {written:?}"));
                    }
                    if let Some(expected) = if_match {
                        let before = registers
                            .get(&op.figure)
                            .and_then(|all| all.iter().rfind(|other| other.version < written.version));
                        if before.is_none_or(|before| before.version != *expected) {
                            complaints.push(format!(
                                "{note} was to follow version {expected} and follows {before:?}"
                            ));
                        }
                    }
                    in_order.push((*position, op));
                }
                (Some(_), []) => complaints.push(format!("an acknowledged write has vanished: {op:?}")),
                (Some(_), many) => complaints.push(format!("{note} was written {} times", many.len())),
                (None, []) => {}
                (None, _) => complaints.push(format!("a refused write took place: {op:?}")),
            }
        }
        complaints.extend(out_of_time(in_order));
        for op in &ops {
            if let What::Saw { note, version, at_least } = &op.what {
                let register = registers.get(&op.figure).map_or(&[][..], Vec::as_slice);
                complaints.extend(misread(op, (note, *version, *at_least), register, &begun));
            }
        }
        let more = complaints.len().saturating_sub(MOST_TOLD);
        complaints.truncate(MOST_TOLD);
        if more > 0 {
            complaints.push(format!("and {more} more violations"));
        }
        complaints
    }

    /// How many requests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops().is_empty()
    }
}

/// Writes that stand after others in the log though they had ended before these began.
fn out_of_time(mut writes: Vec<(i64, &Op)>) -> Vec<String> {
    writes.sort_unstable_by_key(|(position, _)| *position);
    let mut complaints = Vec::new();
    let mut latest: Option<&Op> = None;
    for (_, op) in writes {
        if let Some(before) = latest.filter(|before| op.ended < before.begun) {
            complaints.push(format!("{op:?} was over before {before:?} began, and stands after it"));
        }
        if latest.is_none_or(|before| before.begun < op.begun) {
            latest = Some(op);
        }
    }
    complaints
}

fn misread(
    op: &Op,
    (note, version, at_least): (&str, i64, i64),
    register: &[&Written],
    begun: &HashMap<&str, Instant>,
) -> Option<String> {
    let Some(written) = register.iter().find(|written| written.version == version) else {
        return Some(format!("{op:?}: nobody wrote that version"));
    };
    if written.note != note {
        return Some(format!("{op:?}: the log has {written:?}"));
    }
    if begun.get(note).is_some_and(|begun| *begun > op.ended) {
        return Some(format!("{op:?} came before its writing"));
    }
    let newest = register.iter().rfind(|written| written.position <= at_least);
    newest.filter(|newest| newest.version > version).map(|newest| format!("{op:?} does not show {newest:?}"))
}

/// The log of the witnesses' wishes.
///
/// # Errors
/// When the database does not answer.
pub async fn written(pool: &PgPool, person: Uuid) -> anyhow::Result<Vec<Written>> {
    let rows: Vec<(i64, i64, Uuid, String)> = sqlx::query_as(
        "SELECT e.position, e.sequence, (told.value->>'figure_id')::uuid, told.value->>'note' \
         FROM events AS e CROSS JOIN LATERAL json_each(e.payload) AS told \
         WHERE e.aggregate_type = 'collection' AND e.aggregate_id = $1 AND told.value->>'note' IS NOT NULL \
         ORDER BY e.sequence",
    )
    .bind(person.to_string())
    .fetch_all(pool)
    .await?;
    let written = |(position, version, figure, note)| Written { position, version, figure, note };
    Ok(rows.into_iter().map(written).collect())
}

/// Writes and reads the registers until told to stop. Several witnesses may be one person.
///
/// # Errors
/// When a request gets no answer, or none that an answer should be.
pub async fn witness(
    person: Person,
    (name, seed): (String, u64),
    figures: Vec<Uuid>,
    history: Arc<History>,
    tally: Arc<Tally>,
) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut seen: HashMap<Uuid, i64> = HashMap::new();
    let mut sent = 0_u64;
    while !tally.is_over() {
        let going = tally.gate.read().await;
        let figure = figures.get(rng.random_range(0..figures.len().max(1))).copied().unwrap_or_default();
        let path = format!("/api/me/wishlist/{figure}");
        let known = history.known.load(Ordering::SeqCst);
        let begun = Instant::now();
        let choice = rng.random_range(0..10);
        if choice < 4 && seen.contains_key(&figure) {
            let answer = person.get_with(&path, Some(known)).await?;
            let ended = Instant::now();
            let version = version(answer.etag.as_deref()).context("a wish without ETag")?;
            let note = answer.body["note"].as_str().context("a wish without note")?.to_owned();
            seen.insert(figure, version);
            history.note(Op { figure, begun, ended, what: What::Saw { note, version, at_least: known } });
            tally.heard(None);
        } else {
            sent += 1;
            let note = format!("{name}-{sent}");
            let if_match = seen.get(&figure).copied().filter(|_| choice < 8);
            let request = Request::plain("witness", Method::PUT, path, json!({"note": note}), &note)
                .following(if_match.map(|version| format!("\"{version}\"")));
            let mut hurry = tally.hurry(seed.wrapping_add(sent));
            let delivered = person.deliver(&request, &mut hurry).await?;
            let ended = Instant::now();
            let answer = delivered.answer;
            ensure!(
                answer.is_accepted() || (answer.status == 412 && if_match.is_some()),
                "{request:?}: {} {}",
                answer.status,
                answer.body
            );
            match version(answer.etag.as_deref()).filter(|_| answer.is_accepted()) {
                Some(version) => seen.insert(figure, version),
                // Whatever it is now, it is not what was thought.
                None => seen.remove(&figure).filter(|_| false),
            };
            let position = answer.position.filter(|_| answer.is_accepted());
            history.note(Op { figure, begun, ended, what: What::Wrote { note, if_match, position } });
            tally.heard(Some(Acknowledged {
                actor: person.id,
                key: request.key,
                kind: "witness",
                status: answer.status,
                position: answer.position,
            }));
        }
        drop(going);
        tokio::time::sleep(Duration::from_millis(rng.random_range(REST))).await;
    }
    Ok(())
}

fn version(etag: Option<&str>) -> Option<i64> {
    etag?.trim_matches('"').parse().ok()
}

/// Follows the log as any reader does, by asking for what lies after the last position it saw; comes back when
/// the database does.
///
/// # Errors
/// When it sees a position that is not after the one before.
pub async fn follow(options: PgConnectOptions, tally: Arc<Tally>) -> anyhow::Result<Seen> {
    let mut connection: Option<PgConnection> = None;
    let mut seen = Seen::new();
    let mut rounds_left = 2;
    while rounds_left > 0 {
        let over = tally.is_over();
        if over {
            // What a client's last request led to is there by now, or was never acknowledged.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        match look(&options, &mut connection, seen.last().map_or(0, |(position, _)| *position)).await {
            Ok(more) => {
                rounds_left -= u32::from(over);
                for (position, id) in more {
                    let last = seen.last().map_or(0, |(position, _)| *position);
                    ensure!(position > last, "a reader saw position {position} after {last}");
                    seen.push((position, id));
                }
            }
            Err(_away) => connection = None,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(seen)
}

async fn look(
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    after: i64,
) -> sqlx::Result<Seen> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(PgConnection::connect_with(options).await?),
    };
    sqlx::query_as("SELECT position, event_id FROM events WHERE position > $1 ORDER BY position")
        .bind(after)
        .fetch_all(connection)
        .await
}
