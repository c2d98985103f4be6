//! Memory while the whole log is folded: bounded, however long the log is. A binary of its own, since it is the
//! process that is measured.
//!
//! `FIGURE_LEDGER_EVENTS=1000000 cargo test -p projections --release --test memory -- --nocapture` measures a long
//! log with the memory that a server uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use domain::collection::{CollectionEvent, Cost, Origin};
use domain::figure::{Details, Entry, FigureEvent};
use domain::ids::{FigureId, PieceId};
use domain::stream::Event;
use event_store::EventStore;
use projections::engine::{Options, Projections, Replayed};
use sqlx::PgPool;
use std::time::Instant;
use uuid::Uuid;

const EVENTS: i64 = 40_000;
const FIGURES: i64 = 500;
/// What the rows may take in the short run, in bytes; the log would fill many times as much.
const REPLAY_BYTES: usize = 4 << 20;
/// By how much the process may grow then, in megabytes: the rows, the chunks that are read ahead, the filters, and
/// what the allocator keeps.
const MOST: u64 = 70;

/// The largest that this process has been, and how large it is, in megabytes.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0)
            / 1_024
    };
    (field("VmHWM:"), field("VmRSS:"))
}

fn forget_the_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Ids that SQL puts others in the place of.
const PIECE: Uuid = Uuid::from_u128(0xaaaa_0000_0000_0000_0000_0000_0000_0001);
const FIGURE: Uuid = Uuid::from_u128(0xaaaa_0000_0000_0000_0000_0000_0000_0002);

fn samples() -> [String; 3] {
    let figure = FigureEvent::Catalogued(Box::new(Entry {
        figure_id: FigureId(FIGURE),
        slug: FIGURE.to_string(),
        name: "Harbour Pilot Mina".parse().unwrap(),
        figure_type: "scale".parse().unwrap(),
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
    }));
    let added = CollectionEvent::PieceAdded {
        piece_id: PieceId(PIECE),
        figure_id: FigureId(FIGURE),
        preordered: false,
        condition: None,
        cost: Cost::default(),
        purchase_date: None,
        store_id: None,
        location: None,
        notes: Some("behind the door, on the second shelf from above".parse().unwrap()),
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
    };
    let noted = CollectionEvent::PieceNoted { piece_id: PieceId(PIECE), notes: None };
    [Event::Figure(figure), Event::Collection(added), Event::Collection(noted)]
        .map(|event| event.to_json().unwrap())
}

/// Every fourth event changes a piece that its owner added long before.
async fn fill(pool: &PgPool, events: i64) {
    sqlx::query(
        "WITH plan AS (
             SELECT n, n - 997 * (1 + (n / 4) % 3 + 4 * ((n / 16) % 40)) AS earlier FROM generate_series(1, $1) AS n
         ), told AS (
             SELECT n, CASE WHEN n <= $2 THEN 'figure' WHEN n % 4 = 0 AND earlier > $2 THEN 'noted' ELSE 'added' END
                        AS kind,
                    ('7' || lpad(to_hex(n % 997), 31, '0'))::uuid AS person,
                    ('1' || lpad(to_hex(CASE WHEN n % 4 = 0 AND earlier > $2 THEN earlier ELSE n END), 31, '0'))::uuid AS piece,
                    ('2' || lpad(to_hex(CASE WHEN n <= $2 THEN n ELSE 1 + n % $2 END), 31, '0'))::uuid AS figure
             FROM plan
         )
         INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, aggregate_id,
                             event_type, event_version, payload, metadata)
         SELECT n, CASE kind WHEN 'figure' THEN 1 ELSE row_number() OVER (PARTITION BY person, kind = 'figure' ORDER BY n) END,
                '2026-01-01'::timestamptz + n * interval '1 second', ('3' || lpad(to_hex(n), 31, '0'))::uuid,
                CASE kind WHEN 'figure' THEN NULL ELSE person END,
                CASE kind WHEN 'figure' THEN 'figure' ELSE 'collection' END,
                CASE kind WHEN 'figure' THEN figure ELSE person END::text,
                CASE kind WHEN 'figure' THEN 'figure.catalogued' WHEN 'added' THEN 'collection.piece_added'
                          ELSE 'collection.piece_noted' END, '1',
                replace(replace(CASE kind WHEN 'figure' THEN $3 WHEN 'added' THEN $4 ELSE $5 END,
                                $6, piece::text), $7, figure::text)::json,
                json_build_object('command_id', ('3' || lpad(to_hex(n), 31, '0'))::uuid, 'actor', person)
         FROM told",
    )
    .bind(events)
    .bind(FIGURES)
    .bind(&samples()[0])
    .bind(&samples()[1])
    .bind(&samples()[2])
    .bind(PIECE.to_string())
    .bind(FIGURE.to_string())
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("ANALYZE events").execute(pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_and_a_verification_take_memory_by_their_budget_and_not_by_the_length_of_the_log() {
    let asked: Option<i64> = std::env::var("FIGURE_LEDGER_EVENTS").ok().map(|text| text.parse().unwrap());
    let db = TestDb::new().await;
    fill(&db.pool, asked.unwrap_or(EVENTS)).await;
    let store = EventStore::open(db.pool.clone(), event_store::Options::default()).await.unwrap();
    let replay_bytes = if asked.is_some() { None } else { Some(REPLAY_BYTES) };
    let options = Options { replay_bytes, ..Options::default() };
    let projections = Projections::open(&db.pool, store, projections::all(), options).await.unwrap();
    let measure = async |what: &str, doing: &mut (dyn AsyncDoing + Send)| {
        forget_the_peak();
        let (begun, before) = (Instant::now(), memory().1);
        let read = doing.run(&projections).await;
        let peak = memory().0;
        let seconds = begun.elapsed().as_millis();
        println!("{what}: {before} MB before, {peak} MB at most; {} events in {seconds} ms", read.events);
        assert!(
            asked.is_some() || peak.saturating_sub(before) <= MOST,
            "{what}: {before} MB, then {peak} MB"
        );
    };
    measure("rebuild", &mut Rebuild).await;
    measure("verify", &mut Verify).await;
}

#[async_trait::async_trait]
trait AsyncDoing {
    async fn run(&mut self, projections: &Projections) -> Replayed;
}

struct Rebuild;
struct Verify;

#[async_trait::async_trait]
impl AsyncDoing for Rebuild {
    async fn run(&mut self, projections: &Projections) -> Replayed {
        let mut last = None;
        projections.rebuild(&[], |now| last = Some(now)).await.unwrap();
        last.unwrap()
    }
}

#[async_trait::async_trait]
impl AsyncDoing for Verify {
    async fn run(&mut self, projections: &Projections) -> Replayed {
        let mut last = None;
        let verified =
            projections.verify(&[], |now| last = Some(now), |_, one| panic!("{one}")).await.unwrap();
        assert!(verified.iter().all(|one| one.differences == 0));
        last.unwrap()
    }
}
