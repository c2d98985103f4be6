//! Made-up logs, written straight into the log's table: what years of use leave behind, in seconds.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::collection::{CollectionEvent, Condition, Cost, Origin};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::{Details, Entry, FigureEvent};
use domain::ids::{CommandId, EntityId, EventId, FigureId, PieceId, UserId};
use domain::money::{Amount, Currency, Money};
use domain::preorder::PreorderEvent;
use domain::stream::{Event, StreamId, Version};
use domain::text::{Line, Location, Name};
use sqlx::PgPool;
use sqlx::postgres::PgPoolCopyExt;
use std::collections::HashMap;
use std::fmt::Write;
use uuid::Uuid;

const CHUNK: usize = 1 << 20;

/// Events on their way into an empty log.
pub struct LogWriter<'p> {
    pool: &'p PgPool,
    text: String,
    position: i64,
    versions: HashMap<StreamId, Version>,
    begun: DateTime<Utc>,
    random: u64,
}

impl<'p> LogWriter<'p> {
    /// Goes on after what the log holds; streams begin anew.
    pub async fn new(pool: &'p PgPool) -> anyhow::Result<Self> {
        let head: Option<i64> =
            sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(pool).await?;
        let begun = Utc::now() - TimeDelta::days(365);
        Ok(Self {
            pool,
            text: String::new(),
            position: head.unwrap_or(0),
            versions: HashMap::new(),
            begun,
            random: 0x9e37_79b9_7f4a_7c15,
        })
    }

    /// A number below `end`, the same ones in every run.
    pub fn random(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end.max(1)
    }

    /// A time-ordered id of the moment that the next event has.
    pub fn id(&mut self) -> Uuid {
        let mut bytes = [0_u8; 10];
        for half in bytes.chunks_mut(8) {
            let random = self.random(u64::MAX).to_be_bytes();
            half.iter_mut().zip(random).for_each(|(to, from)| *to = from);
        }
        let millis = u64::try_from(self.now().timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    /// When the next event is recorded.
    pub fn now(&self) -> DateTime<Utc> {
        self.begun + TimeDelta::milliseconds(self.position)
    }

    /// The position of the last event.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Appends an event.
    pub async fn tell(
        &mut self,
        stream: StreamId,
        owner: Option<UserId>,
        event: impl Into<Told>,
    ) -> anyhow::Result<()> {
        let event: Event = event.into().0;
        self.position += 1;
        let (id, command) = (EventId(self.id()), CommandId(self.id()));
        let version = self.versions.entry(stream.clone()).or_default();
        *version = version.next();
        let actor = owner.map_or(String::new(), |owner| format!(r#""actor":"{owner}","#));
        let payload = event.to_json()?.replace('\\', r"\\");
        let owner = owner.map_or("\\N".to_owned(), |owner| owner.to_string());
        let now = self.begun + TimeDelta::milliseconds(self.position);
        writeln!(
            self.text,
            "{}\t{version}\t{}\t{id}\t{owner}\t{}\t{}\t{}\t{}\t{payload}\t{{{actor}\"command_id\":\"{command}\"}}",
            self.position,
            now.to_rfc3339(),
            stream.aggregate_type(),
            stream.aggregate_id(),
            event.event_type(),
            event.event_version(),
        )?;
        if self.text.len() > CHUNK { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        let mut copy = self
            .pool
            .copy_in_raw(
                "COPY events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, \
                 aggregate_id, event_type, event_version, payload, metadata) FROM STDIN",
            )
            .await?;
        copy.send(self.text.as_bytes()).await?;
        copy.finish().await?;
        self.text.clear();
        Ok(())
    }

    /// Writes what is left.
    pub async fn finish(mut self) -> anyhow::Result<i64> {
        self.send().await?;
        sqlx::query("ANALYZE events").execute(self.pool).await?;
        Ok(self.position)
    }
}

/// An event of any aggregate.
pub struct Told(Event);

macro_rules! told {
    ($($from:ident => $variant:ident),*) => {$(
        impl From<$from> for Told {
            fn from(event: $from) -> Self {
                Self(Event::$variant(event))
            }
        }
    )*};
}
told!(CollectionEvent => Collection, PreorderEvent => Preorder, FigureEvent => Figure, EntityEvent => Entity);

/// A figure of the made-up catalogue, as far as the contenders need it.
#[derive(Clone)]
pub struct MadeFigure {
    /// Its id.
    pub id: FigureId,
    /// Its maker.
    pub maker: EntityId,
    /// Its series.
    pub series: EntityId,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
}

/// What the made-up catalogue holds.
pub struct Catalogue {
    /// Figures.
    pub figures: Vec<MadeFigure>,
    /// Stores.
    pub stores: Vec<EntityId>,
}

impl Catalogue {
    /// The figure at a place, counted round.
    pub fn figure(&self, place: usize) -> anyhow::Result<&MadeFigure> {
        self.figures.get(place % self.figures.len().max(1)).ok_or_else(|| anyhow::anyhow!("no figures"))
    }
}

const WORDS: [&str; 16] = [
    "Miku",
    "Rem",
    "Saber",
    "Asuka",
    "Racing",
    "Summer",
    "Winter",
    "Bunny",
    "Kimono",
    "Maid",
    "Knight",
    "Idol",
    "Festival",
    "Deluxe",
    "Anniversary",
    "Starlight",
];

/// A made-up word that a handful of figures share.
fn coined(n: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ka", "mi", "ro", "shi", "ten", "yu", "na", "ho", "ri", "zen", "to", "ma", "ki", "sa", "lo", "ve"];
    let of = |place: usize| SYLLABLES.get(place % 16).copied().unwrap_or_default();
    let n = n.wrapping_mul(7_919);
    [of(n), of(n / 16), of(n / 256), of(n / 4_096)].concat()
}

/// Writes makers, series, stores and figures.
pub async fn catalogue(log: &mut LogWriter<'_>, figures: usize) -> anyhow::Result<Catalogue> {
    let mut named = HashMap::new();
    for (kind, word, count) in [
        (EntityKind::Manufacturer, "Maker", (figures / 100).clamp(10, 300)),
        (EntityKind::Series, "Series", (figures / 20).clamp(10, 2_000)),
        (EntityKind::Store, "Store", 20),
    ] {
        let mut ids = Vec::new();
        for n in 0..count {
            let id = EntityId(log.id());
            let event = EntityEvent::Named {
                entity_id: id,
                kind,
                name: Name::new(&format!("{word} {n}"))?,
                slug: format!("{}-{n}", word.to_lowercase()),
                created_by: None,
            };
            log.tell(StreamId::Entity(id), None, event).await?;
            ids.push(id);
        }
        named.insert(word, ids);
    }
    let (makers, series) =
        (named.remove("Maker").unwrap_or_default(), named.remove("Series").unwrap_or_default());
    let mut made = Vec::new();
    for n in 0..figures {
        let id = FigureId(log.id());
        let pick = |list: &[EntityId], n: usize| list.get(n % list.len().max(1)).copied();
        let (Some(maker), Some(of)) = (pick(&makers, n * 7), pick(&series, n * 3)) else { continue };
        let mut word = || {
            let place = usize::try_from(log.random(16)).unwrap_or_default();
            WORDS.get(place).copied().unwrap_or("Figure")
        };
        let name = format!("{} {} {} {n}", word(), coined(n), word());
        let slug = format!("figure-{n}");
        let release = ReleaseDate::new(day(n), Precision::Month)?;
        let entry = Entry {
            figure_id: id,
            slug: slug.clone(),
            name: Name::new(&name)?,
            figure_type: Line::new("scale")?,
            manufacturer_id: Some(maker),
            sculptor_id: None,
            series_ids: vec![of],
            character_ids: Vec::new(),
            details: Details { scale: Some(Line::new("1/7")?), height_mm: Some(240), ..Details::default() },
            releases: vec![release],
            msrp: Some(Money::new("15800".parse()?, Currency::Jpy)?),
            jan: None,
            mfc_id: None,
            is_nsfw: n.is_multiple_of(20),
            buy_links: Vec::new(),
            created_by: None,
            source: None,
        };
        log.tell(StreamId::Figure(id), None, FigureEvent::Catalogued(Box::new(entry))).await?;
        made.push(MadeFigure { id, maker, series: of, name, slug });
    }
    Ok(Catalogue { figures: made, stores: named.remove("Store").unwrap_or_default() })
}

/// A day between 2019 and 2025, another one for each number.
pub fn day(n: usize) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(2019, 1, 1).unwrap_or_default();
    first.checked_add_days(Days::new(u64::try_from(n % 2_500).unwrap_or_default())).unwrap_or(first)
}

/// A piece as it is usually entered.
pub fn piece(id: PieceId, figure: FigureId, preordered: bool) -> anyhow::Result<CollectionEvent> {
    Ok(CollectionEvent::PieceAdded {
        piece_id: id,
        figure_id: figure,
        preordered,
        condition: (!preordered).then_some(Condition::MibSealed),
        cost: cost()?,
        purchase_date: Some(day(1_000)),
        store_id: None,
        location: if preordered { None } else { Some(Location::new("Detolf 1")?) },
        notes: None,
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
    })
}

/// What a piece usually costs.
pub fn cost() -> anyhow::Result<Cost> {
    Ok(Cost { price: Some("15800".parse::<Amount>()?), currency: Some(Currency::Jpy), ..Cost::default() })
}
