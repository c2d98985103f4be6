//! Reading achievements.

use super::catalogue::{ACHIEVEMENTS, Achievement, Family, by_code};
use super::fold::counter;
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use sqlx::{PgConnection, PgPool};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Something that a person unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlocked {
    /// What.
    pub achievement: Achievement,
    /// When.
    pub unlocked_at: DateTime<Utc>,
}

/// The next thing to unlock in a family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// What.
    pub achievement: Achievement,
    /// How far it has come.
    pub current: i32,
    /// What is missing. 0 when only the receipt of a piece that slipped often enough is.
    pub remaining: i32,
}

/// Everything a person unlocked, the latest first, and the next of each family, the nearest first.
///
/// # Errors
/// When the database does.
pub async fn of_user(
    pool: &PgPool,
    user: UserId,
    without_nsfw: bool,
) -> sqlx::Result<(Vec<Unlocked>, Vec<Locked>)> {
    let rows: Vec<(String, DateTime<Utc>)> =
        sqlx::query_as("SELECT code, unlocked_at FROM achievements WHERE user_id = $1")
            .bind(user.uuid())
            .fetch_all(pool)
            .await?;
    // Of makers and series, the one with the most stands for all.
    let counts: Vec<(String, i32)> = sqlx::query_as(
        "SELECT split_part(counter, ':', 1) AS family, max(value) FROM achievement_counters \
         WHERE user_id = $1 GROUP BY family \
         UNION ALL SELECT 'slipped', max(slips) FROM achievement_pieces WHERE user_id = $1 HAVING max(slips) > 0",
    )
    .bind(user.uuid())
    .fetch_all(pool)
    .await?;
    let unlocked: HashMap<String, DateTime<Utc>> = rows.into_iter().collect();
    let counts: HashMap<String, i32> = counts.into_iter().collect();
    let shown = |one: &Achievement| !(without_nsfw && one.family == Family::Nsfw);

    let mut done: Vec<Unlocked> = unlocked
        .iter()
        .filter_map(|(code, at)| Some(Unlocked { achievement: *by_code(code)?, unlocked_at: *at }))
        .filter(|one| shown(&one.achievement))
        .collect();
    done.sort_by(|a, b| {
        let order = |one: &Unlocked| (one.unlocked_at, one.achievement.tier, one.achievement.threshold);
        order(b).cmp(&order(a)).then_with(|| a.achievement.code.cmp(b.achievement.code))
    });

    let mut families = HashSet::new();
    let mut next: Vec<Locked> = ACHIEVEMENTS
        .iter()
        .filter(|one| shown(one) && !unlocked.contains_key(one.code))
        .filter(|one| families.insert(one.family))
        .map(|one| {
            let current = counts.get(&counter(one.family, None)).copied().unwrap_or(0);
            let remaining = one.threshold.saturating_sub(current).max(0);
            Locked { achievement: *one, current, remaining }
        })
        .collect();
    next.sort_by_key(|one| (one.remaining, one.achievement.threshold, one.achievement.code));
    Ok((done, next))
}

/// What others are shown of somebody's achievements, the latest first. Counts have no NSFW part that could be taken off
/// again, so with NSFW left out there are none once any NSFW figure was counted, or is had or pre-ordered.
///
/// # Errors
/// When the database does not answer.
pub async fn shown_to_others(pool: &PgPool, user: UserId, without_nsfw: bool) -> sqlx::Result<Vec<Unlocked>> {
    if without_nsfw && has_nsfw(pool, user).await? {
        return Ok(Vec::new());
    }
    Ok(of_user(pool, user, without_nsfw).await?.0)
}

/// Whether anything NSFW may stand behind somebody's counts, archived or not. What the catalogue has yet to tell of may.
async fn has_nsfw(pool: &PgPool, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM achievement_counters WHERE user_id = $1 AND counter = $2 AND value > 0) \
         OR EXISTS (SELECT FROM owned_items AS o LEFT JOIN figures AS f ON f.id = o.figure_id \
             WHERE o.user_id = $1 AND f.is_nsfw IS NOT FALSE)",
    )
    .bind(user.uuid())
    .bind(counter(Family::Nsfw, None))
    .fetch_one(pool)
    .await
}

/// What was unlocked at a moment, by this person or, without one, by anybody: each with who did. An achievement keeps
/// the moment of the event that unlocked it for good, so the answer to an event is always the same.
///
/// # Errors
/// When the database does not answer.
pub async fn unlocked_at(
    connection: &mut PgConnection,
    user: Option<UserId>,
    at: DateTime<Utc>,
) -> sqlx::Result<Vec<(UserId, Achievement)>> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT user_id, code FROM achievements WHERE ($1::uuid IS NULL OR user_id = $1) AND unlocked_at = $2 \
         ORDER BY user_id, code",
    )
    .bind(user.map(UserId::uuid))
    .bind(at)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|(user, code)| Some((UserId(user), *by_code(&code)?))).collect())
}

/// Of these people and moments, those at which something was unlocked; see [`unlocked_at`].
///
/// # Errors
/// When the database does not answer.
pub async fn unlocking(
    connection: &mut PgConnection,
    moments: &[(UserId, DateTime<Utc>)],
) -> sqlx::Result<HashSet<(UserId, DateTime<Utc>)>> {
    let (users, at): (Vec<Uuid>, Vec<DateTime<Utc>>) =
        moments.iter().map(|(user, at)| (user.uuid(), *at)).unzip();
    let rows: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
        "SELECT e.user_id, e.at FROM unnest($1::uuid[], $2::timestamptz[]) AS e (user_id, at)
         WHERE EXISTS (SELECT FROM achievements AS a WHERE a.user_id = e.user_id AND a.unlocked_at = e.at)",
    )
    .bind(users)
    .bind(at)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(user, at)| (UserId(user), at)).collect())
}
