//! `notification_deliveries`: what goes out by other channels than the app, and how far each has come.
//!
//! A queue. Whoever sends takes what is due under a lease and notes what became of it; a lease that ran out is
//! somebody else's to take, so that what a process left behind when it ended is sent after all.

use crate::notification_channels::Channel;
use crate::notification_settings::Settings;
use crate::notifications::Telling;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::ids::UserId;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

/// What ids of deliveries are derived in. The number means nothing.
const NAMESPACE: Uuid = Uuid::from_u128(0x6465_6c69_7665_7279_8467_6669_6775_7265);

/// A way out that somebody chose for a kind of event.
#[derive(sqlx::FromRow)]
struct Way {
    channel_type: String,
    target: String,
    time_zone: String,
    quiet_from: Option<NaiveTime>,
    quiet_until: Option<NaiveTime>,
    digest_at: Option<NaiveTime>,
}

/// Queues what goes out of a telling: one delivery for each channel that is on, that its person routed the event to
/// and has a destination for. With a daily digest it joins those that wait for it.
pub(crate) async fn queue(
    transaction: &mut PgConnection,
    telling: &Telling,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ways: Vec<Way> = sqlx::query_as(
        "SELECT s.channel_type, t.target, u.time_zone, n.quiet_from, n.quiet_until, n.digest_at \
         FROM notification_subscriptions AS s \
         JOIN notification_channels AS c ON c.channel_type = s.channel_type AND c.enabled \
         JOIN users AS u ON u.id = s.user_id \
         LEFT JOIN notification_settings AS n ON n.user_id = s.user_id \
         CROSS JOIN LATERAL ( \
             SELECT w.id::text AS target FROM web_push_subscriptions AS w \
             WHERE s.channel_type = 'web_push' AND w.user_id = s.user_id \
             UNION ALL \
             SELECT coalesce(e.value ->> 'id', '') FROM notification_destinations AS d \
             CROSS JOIN LATERAL jsonb_array_elements(coalesce(d.secrets -> 'urls', '[{}]')) AS e \
             WHERE d.user_id = s.user_id AND d.channel_type = s.channel_type) AS t \
         WHERE s.user_id = $1 AND s.event_type = $2 AND s.enabled AND u.suspended_at IS NULL \
             AND NOT ($3 AND u.nsfw_visibility = 'hide')",
    )
    .bind(telling.user_id.uuid())
    .bind(telling.kind.as_str())
    .bind(telling.is_nsfw())
    .fetch_all(&mut *transaction)
    .await?;
    for way in ways {
        let zone: Tz = way.time_zone.parse().unwrap_or(Tz::UTC);
        let (quiet_from, quiet_until, digest_at) = (way.quiet_from, way.quiet_until, way.digest_at);
        let due = Settings { quiet_from, quiet_until, digest_at }.due(zone, now);
        let digest = way.digest_at.is_some();
        let name = format!("{}:{}:{}", telling.id, way.channel_type, way.target);
        sqlx::query(
            "WITH delivery AS ( \
                 INSERT INTO notification_deliveries \
                     (id, user_id, channel_type, target, event_type, digest, state, due_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                 ON CONFLICT (user_id, channel_type, target) WHERE state = 'collecting' \
                     DO UPDATE SET event_type = 'digest' \
                 RETURNING id) \
             INSERT INTO notification_delivery_items (delivery_id, notification_id) SELECT id, $9 FROM delivery",
        )
        .bind(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
        .bind(telling.user_id.uuid())
        .bind(&way.channel_type)
        .bind(&way.target)
        .bind(if digest { "digest" } else { telling.kind.as_str() })
        .bind(digest)
        .bind(if digest { "collecting" } else { "pending" })
        .bind(due)
        .bind(telling.id)
        .execute(&mut *transaction)
        .await?;
    }
    Ok(())
}

/// One delivery, taken to be sent.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Claimed {
    /// Its id: the same at every try.
    pub id: Uuid,
    /// To whom.
    pub user_id: Uuid,
    /// Which of several destinations; else empty.
    pub target: String,
    /// Everything of a day at once.
    pub digest: bool,
    /// Which try this is, from 1.
    pub attempts: i32,
    /// What shows that it is this try's.
    pub lease: Uuid,
}

/// How much is taken at once, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long what is taken is the caller's.
    pub lease: TimeDelta,
    /// How many deliveries.
    pub most: i64,
    /// How many of one person.
    pub each: i64,
    /// After how many tries one that was cut off is not tried again.
    pub most_tries: i32,
}

/// What [`claim`] came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The caller's to send.
    pub claimed: Vec<Claimed>,
    /// Dead: the last try that they had was cut off.
    pub counted_out: Vec<Uuid>,
}

#[derive(sqlx::FromRow)]
struct TakenRow {
    #[sqlx(flatten)]
    claimed: Claimed,
    counted_out: bool,
}

/// What somebody is told by a delivery.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Item {
    /// The notification.
    pub id: Uuid,
    /// What it tells of.
    pub event_type: String,
    /// The facts.
    pub payload: Value,
    /// When it came about.
    pub created_at: DateTime<Utc>,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It arrived, as far as the other side says.
    Sent,
    /// It did not, and may another time: when.
    Failed(DateTime<Utc>),
    /// It did not, too often.
    Exhausted,
    /// It did not, and will not.
    Refused,
    /// Nobody is there to get it.
    Gone,
}

impl Ended {
    const fn outcome(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed(_) | Self::Exhausted => "failed",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }

    const fn state(self) -> &'static str {
        match self {
            Self::Sent => "delivered",
            Self::Failed(_) => "pending",
            Self::Exhausted | Self::Refused => "dead",
            Self::Gone => "dropped",
        }
    }
}

/// Takes deliveries of a channel that are due, the oldest first, none of `busy` people. They are this caller's until
/// the lease runs out. An earlier try whose lease ran out was cut off: it counts, with an unknown outcome, and its
/// delivery takes its place by when the lease ran out, so that one that ends whoever tries it does not stand before
/// all others for ever. When it was the last try, the delivery is dead.
///
/// # Errors
/// Whatever the database reports.
pub async fn claim(pool: &PgPool, channel: Channel, limits: Limits, busy: &[Uuid]) -> sqlx::Result<Taken> {
    let rows: Vec<TakenRow> = sqlx::query_as(
        "WITH due AS ( \
             SELECT id, since, row_number() OVER (PARTITION BY user_id ORDER BY since, id) AS place FROM ( \
                 SELECT id, user_id, greatest(due_at, leased_until) AS since FROM notification_deliveries \
                 WHERE channel_type = $1 AND state IN ('collecting', 'pending') AND due_at <= now() \
                     AND (leased_until IS NULL OR leased_until <= now()) AND user_id <> ALL ($5) \
                 ORDER BY due_at, id LIMIT 5000) AS oldest), \
         chosen AS (SELECT id, since FROM due WHERE place <= $4 ORDER BY since, id LIMIT $3), \
         taken AS ( \
             SELECT d.id, chosen.since, d.lease IS NOT NULL AND d.attempts >= $6 AS counted_out \
             FROM notification_deliveries AS d JOIN chosen USING (id) \
             WHERE d.state IN ('collecting', 'pending') AND (d.leased_until IS NULL OR d.leased_until <= now()) \
             FOR UPDATE OF d SKIP LOCKED), \
         claimed AS ( \
             UPDATE notification_deliveries AS d SET state = 'pending', attempts = d.attempts + 1, \
                 lease = gen_random_uuid(), leased_until = now() + $2 \
             FROM taken WHERE d.id = taken.id AND NOT taken.counted_out \
             RETURNING d.id, d.user_id, d.target, d.digest, d.attempts, d.lease, taken.since), \
         counted_out AS ( \
             UPDATE notification_deliveries AS d SET state = 'dead', lease = NULL, leased_until = NULL, \
                 outcome = 'the last try was cut off', finished_at = now() \
             FROM taken WHERE d.id = taken.id AND taken.counted_out \
             RETURNING d.id, d.user_id, d.target, d.digest, d.attempts, gen_random_uuid() AS lease, taken.since), \
         cut_off AS ( \
             UPDATE notification_delivery_attempts AS a SET outcome = 'unknown', finished_at = now() \
             FROM taken WHERE a.delivery_id = taken.id AND a.outcome IS NULL), \
         begun AS ( \
             INSERT INTO notification_delivery_attempts (delivery_id, number) \
             SELECT id, attempts FROM claimed) \
         SELECT *, false AS counted_out FROM claimed UNION ALL SELECT *, true FROM counted_out ORDER BY since, id",
    )
    .bind(channel.as_str())
    .bind(limits.lease)
    .bind(limits.most)
    .bind(limits.each)
    .bind(busy)
    .bind(limits.most_tries)
    .fetch_all(pool)
    .await?;
    let mut taken = Taken::default();
    for row in rows {
        if row.counted_out {
            taken.counted_out.push(row.claimed.id);
        } else {
            taken.claimed.push(row.claimed);
        }
    }
    Ok(taken)
}

/// What a delivery tells, the oldest first.
///
/// # Errors
/// Whatever the database reports.
pub async fn items(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Vec<Item>> {
    sqlx::query_as(
        "SELECT n.id, n.event_type, n.payload, n.created_at FROM notification_delivery_items AS i \
         JOIN notifications AS n ON n.id = i.notification_id \
         WHERE i.delivery_id = $1 ORDER BY n.created_at, n.id",
    )
    .bind(id)
    .fetch_all(db)
    .await
}

/// Notes what became of a try; whether it was still this caller's to say. When it failed, whatever else waits for the
/// same destination waits as long.
///
/// # Errors
/// Whatever the database reports.
pub async fn end(pool: &PgPool, claimed: &Claimed, ended: Ended, said: &str) -> sqlx::Result<bool> {
    let due = if let Ended::Failed(due) = ended { Some(due) } else { None };
    let noted = sqlx::query(
        "WITH noted AS ( \
             UPDATE notification_deliveries SET state = $3, outcome = $4, lease = NULL, leased_until = NULL, \
                 due_at = coalesce($5, due_at), \
                 finished_at = CASE WHEN $3 = 'pending' THEN NULL ELSE now() END \
             WHERE id = $1 AND lease = $2 RETURNING id, user_id, channel_type, target), \
         others AS ( \
             SELECT d.id FROM notification_deliveries AS d JOIN noted USING (user_id, channel_type, target) \
             WHERE d.state = 'pending' AND d.id <> $1 AND d.due_at < $5 \
                 AND (d.leased_until IS NULL OR d.leased_until <= now()) \
             FOR UPDATE OF d SKIP LOCKED), \
         put_off AS ( \
             UPDATE notification_deliveries AS d SET due_at = greatest(d.due_at, $5) \
             FROM others WHERE d.id = others.id) \
         UPDATE notification_delivery_attempts SET outcome = $6, said = $4, finished_at = now() \
         FROM noted WHERE delivery_id = noted.id AND number = $7",
    )
    .bind(claimed.id)
    .bind(claimed.lease)
    .bind(ended.state())
    .bind(said)
    .bind(due)
    .bind(ended.outcome())
    .bind(claimed.attempts)
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// Puts a try off without counting it: the person's quiet hours have begun meanwhile.
///
/// # Errors
/// Whatever the database reports.
pub async fn put_off(pool: &PgPool, claimed: &Claimed, due: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "WITH noted AS ( \
             UPDATE notification_deliveries SET attempts = attempts - 1, lease = NULL, leased_until = NULL, \
                 due_at = $3 \
             WHERE id = $1 AND lease = $2 RETURNING id) \
         DELETE FROM notification_delivery_attempts AS a USING noted \
         WHERE a.delivery_id = noted.id AND a.number = $4",
    )
    .bind(claimed.id)
    .bind(claimed.lease)
    .bind(due)
    .bind(claimed.attempts)
    .execute(pool)
    .await?;
    Ok(())
}

/// A delivery, as those who run the instance see it: neither where it goes nor what it says.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// To whom.
    pub user_id: Uuid,
    /// By which channel.
    pub channel_type: String,
    /// Of what, or `digest`.
    pub event_type: String,
    /// `collecting`, `pending`, `delivered`, `dead` or `dropped`.
    pub state: String,
    /// When it is tried next, or was due last.
    pub due_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i32,
    /// What the last try came to.
    pub outcome: Option<String>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When it was done with.
    pub finished_at: Option<DateTime<Utc>>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    /// From 1.
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// `sent`, `failed`, `refused`, `gone` or `unknown`; empty while it is under way.
    pub outcome: Option<String>,
    /// What the other side said.
    pub said: Option<String>,
}

macro_rules! columns {
    () => {
        "id, user_id, channel_type, event_type, state, due_at, attempts, outcome, created_at, finished_at"
    };
}

/// Which deliveries are listed. What is none does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// To this person.
    pub user: Option<UserId>,
    /// In this state.
    pub state: Option<&'a str>,
    /// By this channel.
    pub channel: Option<Channel>,
}

/// Deliveries, the latest first, after a place in that order.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(
    pool: &PgPool,
    wanted: Wanted<'_>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let (time, id) = after.unzip();
    sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM notification_deliveries WHERE ($1::text IS NULL OR state = $1) \
             AND ($2::text IS NULL OR channel_type = $2) \
             AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4)) AND ($6::uuid IS NULL OR user_id = $6) \
         ORDER BY created_at DESC, id DESC LIMIT $5"
    ))
    .bind(wanted.state)
    .bind(wanted.channel.map(Channel::as_str))
    .bind(time)
    .bind(id)
    .bind(limit)
    .bind(wanted.user.map(UserId::uuid))
    .fetch_all(pool)
    .await
}

/// One delivery with its tries; `None` when there is none.
///
/// # Errors
/// Whatever the database reports.
pub async fn find(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<(Delivery, Vec<Attempt>)>> {
    let found: Option<Delivery> =
        sqlx::query_as(concat!("SELECT ", columns!(), " FROM notification_deliveries WHERE id = $1"))
            .bind(id)
            .fetch_optional(pool)
            .await?;
    let Some(delivery) = found else { return Ok(None) };
    let attempts = sqlx::query_as(
        "SELECT number, started_at, finished_at, outcome, said FROM notification_delivery_attempts \
         WHERE delivery_id = $1 ORDER BY number",
    )
    .bind(id)
    .fetch_all(pool)
    .await?;
    Ok(Some((delivery, attempts)))
}

/// Has a delivery that came to nothing tried again at once; `None` when it did not come to nothing, or is not there.
/// Tries are counted on from where they were.
///
/// # Errors
/// Whatever the database reports.
pub async fn retry(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<Delivery>> {
    let mut transaction = pool.begin().await?;
    let found: Option<Delivery> = sqlx::query_as(concat!(
        "UPDATE notification_deliveries SET state = 'pending', due_at = now(), finished_at = NULL \
         WHERE id = $1 AND state IN ('dead', 'dropped') RETURNING ",
        columns!()
    ))
    .bind(id)
    .fetch_optional(&mut *transaction)
    .await?;
    sqlx::query("SELECT pg_notify($1, '')")
        .bind(crate::notifications::CHANNEL)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(found)
}

/// How many deliveries of a channel are in a state that is not their end, or are dead: channel, state, how many.
///
/// # Errors
/// Whatever the database reports.
pub async fn depth(pool: &PgPool) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "SELECT channel_type, state, count(*) FROM notification_deliveries \
         WHERE state IN ('collecting', 'pending', 'dead') GROUP BY channel_type, state ORDER BY 1, 2",
    )
    .fetch_all(pool)
    .await
}

/// Lets go of deliveries that were done with before a moment, and of tries; how many. Dead ones stay.
///
/// # Errors
/// Whatever the database reports.
pub async fn forget(pool: &PgPool, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let gone = sqlx::query(
        "DELETE FROM notification_deliveries WHERE state IN ('delivered', 'dropped') AND finished_at < $1",
    )
    .bind(before)
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
