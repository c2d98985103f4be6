//! `release_cron`: tells people of releases and deliveries that are due.

use super::{Failure, Job, Schedule, Turn};
use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::policies::due_dates::{Dates, Due, Span, due};
use event_store::EventStore;
use operational::notifications::{self, Kind, Telling};
use operational::{notification_settings, server_job_runs};
use projections::engine::{Projections, Waited};
use projections::preorders::{Upcoming, upcoming};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What time it is.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

const NAME: &str = "release_cron";
/// What it reads.
const READS: &[&str] = &["preorders", "collection", "figures"];
/// How long these may take to hold everything that is on record when it begins.
const READABLE_WITHIN: Duration = Duration::from_secs(30);
/// How many pre-orders are looked at in one transaction.
const BATCH: i64 = 500;
/// Whatever was due longer ago is no news.
const MOST_DAYS: i64 = 31;
/// Where a good run's result says until when it looked.
const COVERED: &str = "covered_until";
/// What ids of tellings are derived in. The number means nothing.
const NAMESPACE: Uuid = Uuid::from_u128(0x7265_6c65_6173_6563_8467_726f_6e66_6c00);

/// Looks at every live pre-order, each hour: a day begins at another hour for everybody. A run looks at all days since
/// the last good one; what was told before is not told again.
pub struct ReleaseCron {
    /// The database.
    pub pool: PgPool,
    /// The log.
    pub store: EventStore,
    /// The read models.
    pub projections: Projections,
    /// What time it is.
    pub clock: Clock,
}

#[async_trait]
impl Job for ReleaseCron {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "Tells people of releases and deliveries of their pre-orders that are due, and of those that are late"
    }

    fn schedule(&self) -> Schedule {
        Schedule::Fixed("0 * * * *")
    }

    fn at_boot(&self) -> bool {
        true
    }

    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        let now = (self.clock)();
        let since = self.since(now).await?;
        let head = self.store.head().await?;
        if let Waited::Behind(names) = self.projections.wait_for(READS, head, READABLE_WITHIN).await {
            let message = format!("{} cannot be read yet; the next run makes up for it", names.join(", "));
            return Err(Failure { message, result: None });
        }
        let (mut looked, mut told, mut after) = (0_usize, 0_u64, Uuid::nil());
        loop {
            if turn.cancelled.is_cancelled() {
                return Ok(json!({"looked_at": looked, "told": told}));
            }
            let batch = self.batch(now, since, after).await?;
            looked += batch.looked;
            told += batch.told;
            match batch.last {
                Some(last) => after = last,
                None => break,
            }
        }
        Ok(json!({"looked_at": looked, "told": told, "since": since, COVERED: now}))
    }
}

/// What one transaction came to.
struct Batch {
    looked: usize,
    told: u64,
    last: Option<Uuid>,
}

impl ReleaseCron {
    /// Until when the last good run looked; now, when there was none.
    async fn since(&self, now: DateTime<Utc>) -> sqlx::Result<DateTime<Utc>> {
        let last = server_job_runs::last_good(&self.pool, NAME).await?;
        let covered = last.map(|run| {
            let noted = run.result.as_ref().and_then(|result| result.get(COVERED)).and_then(Value::as_str);
            noted.and_then(|text| text.parse().ok()).unwrap_or(run.started_at)
        });
        Ok(covered.unwrap_or(now).clamp(now - TimeDelta::days(MOST_DAYS), now))
    }

    async fn batch(&self, now: DateTime<Utc>, since: DateTime<Utc>, after: Uuid) -> sqlx::Result<Batch> {
        let mut transaction = self.pool.begin().await?;
        // Wider than any zone needs, and a week ahead.
        let from = since.date_naive() - Days::new(3);
        let until = now.date_naive() + Days::new(9);
        let found = upcoming(&mut transaction, from, until, after, BATCH).await?;
        let people: Vec<Uuid> = found.iter().map(|one| one.user_id.uuid()).collect();
        let zones = notification_settings::time_zones(&mut *transaction, &people).await?;
        let mut told = 0;
        for one in &found {
            let Some(zone) = zones.get(&one.user_id) else { continue };
            let span = span(*zone, since, now);
            let dates = Dates { status: one.status, release: one.release, delivery: one.delivery };
            for due in due(dates, span) {
                let telling = telling(one, due, span.until, now);
                told += u64::from(notifications::tell_at(&mut transaction, &telling, now).await?);
            }
        }
        transaction.commit().await?;
        let whole = i64::try_from(found.len()).is_ok_and(|count| count == BATCH);
        let last = found.last().map(|one| one.id).filter(|_| whole);
        Ok(Batch { looked: found.len(), told, last })
    }
}

/// The days of a person's calendar from the last good run on, that day itself included: something may have come up
/// after the run.
fn span(zone: Tz, since: DateTime<Utc>, now: DateTime<Utc>) -> Span {
    let day = |time: DateTime<Utc>| time.with_timezone(&zone).date_naive();
    Span { from: day(since), until: day(now) }
}

fn telling(one: &Upcoming, due: Due, today: NaiveDate, now: DateTime<Utc>) -> Telling {
    let preorder = one.id;
    let (kind, about, date, precision, day) = match due {
        Due::Release(date) => (Kind::PreorderReleaseToday, format!("{preorder}:{date}"), date, "day", date),
        Due::ReleaseInMonth(date) => {
            let about = format!("{preorder}:{}", date.format("%Y-%m"));
            (Kind::PreorderReleaseToday, about, date, "month", today)
        }
        Due::ReleaseInAWeek(date) => {
            (Kind::PreorderReleaseJ7, format!("{preorder}:{date}"), date, "day", date - Days::new(7))
        }
        Due::Delivery(date) => (Kind::PreorderDeliveryToday, format!("{preorder}:{date}"), date, "day", date),
        Due::Overdue(date) => {
            (Kind::PreorderDeliveryOverdue, preorder.to_string(), date, "day", date + Days::new(1))
        }
    };
    Telling {
        id: Uuid::new_v5(&NAMESPACE, format!("{}:{about}", kind.as_str()).as_bytes()),
        user_id: one.user_id,
        kind,
        about,
        payload: json!({
            "figure": {"id": one.figure_id, "name": one.name, "slug": one.slug, "is_nsfw": one.is_nsfw},
            "preorder_id": preorder,
            "owned_item_id": one.owned_item_id,
            "date": date,
            "precision": precision,
            "days_late": (today - day).num_days(),
        }),
        at: now,
    }
}
