//! What a command costs as its stream grows: on states in memory, and on those that have to be loaded.

use crate::commands::{Ours, by, fold_everything, touch};
use crate::ground::Ground;
use crate::history::{Catalogue, LogWriter, catalogue, piece};
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section, median};
use anyhow::Context;
use domain::collection::CollectionEvent;
use domain::commands::ChangePieces;
use domain::ids::{PieceId, UserId};
use domain::stream::StreamId;
use domain::text::Location;
use event_store::{EventStore, Options};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// The scenario.
pub struct Streams;

const DATABASE: &str = "bench_streams";
/// How many commands each length gets on warm states; what they append is what a cold load reads beside the
/// snapshot: about as much as one reads on average.
const WARM: usize = 250;

/// Streams of one length.
struct Length {
    what: &'static str,
    streams: Vec<Stream>,
    next: usize,
}

struct Stream {
    user: UserId,
    pieces: Vec<PieceId>,
    next: usize,
}

impl Length {
    /// Writes so many streams of so many events, which leave so many pieces.
    async fn write(
        log: &mut LogWriter<'_>,
        catalogue: &Catalogue,
        what: &'static str,
        (count, pieces, events): (usize, usize, usize),
    ) -> anyhow::Result<Self> {
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push(Stream::write(log, catalogue, pieces, events).await?);
        }
        Ok(Self { what, streams, next: 0 })
    }

    /// The next command, on each stream in turn, each time with another piece.
    fn command(&mut self) -> anyhow::Result<ChangePieces> {
        let place = self.next % self.streams.len().max(1);
        self.next += 1;
        self.streams.get_mut(place).context("no streams")?.command()
    }
}

impl Stream {
    async fn write(
        log: &mut LogWriter<'_>,
        catalogue: &Catalogue,
        pieces: usize,
        events: usize,
    ) -> anyhow::Result<Self> {
        let user = UserId(log.id());
        let home = StreamId::Collection(user);
        let ids: Vec<PieceId> = (0..pieces).map(|_| PieceId(log.id())).collect();
        for (n, id) in ids.iter().enumerate() {
            log.tell(home.clone(), Some(user), piece(*id, catalogue.figure(n)?.id, false)?).await?;
        }
        for n in pieces..events {
            let id = ids.get(n % pieces.max(1)).copied().context("no pieces")?;
            let location = Some(Location::new(&format!("Detolf {}", 2 + n / pieces % 7))?);
            let moved = CollectionEvent::PiecesMoved { piece_ids: vec![id], location };
            log.tell(home.clone(), Some(user), moved).await?;
        }
        Ok(Self { user, pieces: ids, next: 0 })
    }

    fn command(&mut self) -> anyhow::Result<ChangePieces> {
        let (at, count) = (self.next, self.pieces.len().max(1));
        self.next += 1;
        let shelf = if (at / count).is_multiple_of(2) { "Shelf A" } else { "Shelf B" };
        Ok(ChangePieces {
            user_id: self.user,
            piece_ids: vec![self.pieces.get(at % count).copied().context("no pieces")?],
            location: Some(Some(Location::new(shelf)?)),
            condition: None,
        })
    }
}

/// Milliseconds of each command, warm and cold, and of the one that follows a cold one.
#[derive(Default)]
struct Times {
    warm: Vec<f64>,
    cold: Vec<f64>,
    after: Vec<f64>,
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Waits until the long streams have a snapshot from the commands just given.
async fn snapshots(pool: &PgPool) -> anyhow::Result<()> {
    for _ in 0..200 {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM snapshots").fetch_one(pool).await?;
        if found >= 3 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("no snapshots were saved")
}

#[async_trait::async_trait]
impl Scenario for Streams {
    fn title(&self) -> &'static str {
        "The length of a stream"
    }

    fn word(&self) -> &'static str {
        "streams"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let samples = if ground.quick { 15 } else { 60 };
        progress.at("streams: writing long histories");
        ground.database(DATABASE, None).await?;
        let pool = ground.pool(DATABASE);
        let mut log = LogWriter::new(&pool).await?;
        let made = catalogue(&mut log, 200).await?;
        let mut opener = Length::write(&mut log, &made, "opener", (1, 9, 10)).await?;
        let mut lengths = Vec::new();
        for (what, shape) in [
            ("10 events, 9 pieces", (30, 9, 10)),
            ("1,000 events, 100 pieces", (1, 100, 990)),
            ("100,000 events, 100 pieces", (1, 100, 99_990)),
            ("10,500 events, 10,000 pieces", (1, 10_000, 10_490)),
        ] {
            lengths.push(Length::write(&mut log, &made, what, shape).await?);
        }
        log.finish().await?;
        fold_everything(ground, DATABASE).await?;
        let mut times: Vec<Times> = lengths.iter().map(|_| Times::default()).collect();

        let users: Vec<UserId> =
            lengths.iter().flat_map(|length| length.streams.iter().map(|one| one.user)).collect();
        let ours = Ours::open(ground, DATABASE, &users).await?;
        ground.settle().await?;
        progress.at("streams: commands on states in memory");
        for _ in 0..WARM {
            for (length, times) in lengths.iter_mut().zip(&mut times) {
                let command = length.command()?;
                let begun = Instant::now();
                ours.run(&command, command.user_id).await?;
                times.warm.push(millis(begun));
            }
        }
        snapshots(&pool).await?;
        drop(ours);
        for sample in 0..samples {
            progress.at(format!("streams: commands on states to be loaded, {sample} of {samples}"));
            for (length, times) in lengths.iter_mut().zip(&mut times) {
                let store = EventStore::open(pool.clone(), Options::default()).await?;
                let first = opener.command()?;
                touch(&store, &[first.user_id]).await?;
                store.execute(&first, &by(Some(first.user_id))).await?;
                let (command, begun) = (length.command()?, Instant::now());
                store.execute(&command, &by(Some(command.user_id))).await?;
                times.cold.push(millis(begun));
                let again = length.streams.iter_mut().find(|one| one.user == command.user_id);
                let (command, begun) = (again.context("its stream")?.command()?, Instant::now());
                store.execute(&command, &by(Some(command.user_id))).await?;
                times.after.push(millis(begun));
            }
        }
        pool.close().await;
        ground.drop(&[DATABASE]).await?;
        section(&lengths, &times, samples)
    }
}

fn section(lengths: &[Length], times: &[Times], samples: usize) -> anyhow::Result<Section> {
    let medians: Vec<[f64; 3]> =
        times.iter().map(|one| [median(&one.warm), median(&one.cold), median(&one.after)]).collect();
    let [short, middle, long, big] = medians.as_slice() else { anyhow::bail!("four lengths") };
    let [short_warm, short_cold, _] = *short;
    let rows = lengths.iter().zip(&medians).map(|(length, [warm, cold, after])| {
        vec![
            length.what.to_owned(),
            format!("{warm:.2} ms"),
            format!("{:.2}", warm / short_warm),
            format!("{cold:.2} ms"),
            format!("{:.2}", cold / short_cold),
            format!("{after:.2} ms"),
        ]
    });
    let heads =
        ["a stream of", "warm, readable", "× 10 events", "cold, durable", "× 10 events", "warm, durable"];
    Ok(Section {
        heads: heads.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        notes: vec![format!(
            "One client moves a piece to another shelf. Warm: the median of {WARM} commands in turn. Cold: of \
             {samples}, each on a freshly opened store, whose first command on another stream is not counted; \
             the long streams have a snapshot that is about 250 events old. The last column is the command \
             after the cold one. A stream of 10 events cannot have 100 pieces; it has 9."
        )],
        goals: vec![
            Goal::at_most("warm: a stream of 1,000 events / of 10", middle[0] / short_warm, 1.2, " ×"),
            Goal::at_most("warm: a stream of 100,000 events / of 10", long[0] / short_warm, 1.2, " ×"),
            Goal::at_most("cold: a stream of 100,000 events / of 10", long[1] / short_cold, 3.0, " ×"),
            Goal::at_most("cold: a collection of 10,000 live pieces", big[1], 50.0, " ms"),
        ],
    })
}
