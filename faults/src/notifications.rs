//! What people had to be told, reckoned from the log alone and without the policies' own judgements, against
//! what they were told.

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long the policies may take to react, also to what they set aside while the database was ill.
const REACTED_WITHIN: Duration = Duration::from_secs(90);
/// Most differences that are told.
const MOST_TOLD: usize = 10;
const PRICE: &str = "wishlist_price_below_target";
const RESTOCK: &str = "wishlist_back_in_stock";
const UNLOCKED: &str = "achievement_unlocked";
/// The policies whose tellings are reckoned here.
const RECKONED: &[&str] = &["price_alerts", "restock_alerts", "achievement_alerts"];

/// What somebody is told: whom, of what, of which figure, when, and the price or the store.
type Telling = (Uuid, &'static str, Uuid, DateTime<Utc>, String);
/// The same of an achievement: whom, of which, of what tier, when.
type Unlocking = (Uuid, String, String, DateTime<Utc>);

/// What came of comparing.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many things had to be told.
    pub told: usize,
    /// What is wrong, a line each.
    pub complaints: Vec<String>,
}

/// Waits until every policy has reacted to the whole log, and nothing is set aside.
///
/// # Errors
/// When they do not get there.
pub async fn reacted(pool: &PgPool) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let (policies, behind, parked): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM policy_checkpoints), \
                    (SELECT count(*) FROM policy_checkpoints \
                     WHERE position < (SELECT coalesce(max(position), 0) FROM events)), \
                    (SELECT count(*) FROM policy_parked)",
        )
        .fetch_one(pool)
        .await?;
        if usize::try_from(policies)? >= RECKONED.len() && (behind, parked) == (0, 0) {
            return Ok(());
        }
        if begun.elapsed() > REACTED_WITHIN {
            let reasons: Vec<String> =
                sqlx::query_scalar("SELECT DISTINCT policy || ': ' || reason FROM policy_parked LIMIT 5")
                    .fetch_all(pool)
                    .await?;
            bail!("of {policies} policies {behind} are behind, {parked} events are set aside: {reasons:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Compares what these people were told with what they had to be, and looks whether anybody at all was told
/// anything twice, or of something that never happened. The people changed their wishes only while the policies
/// had reacted to everything; see [`reacted`].
///
/// # Errors
/// When the database does not answer, or the log holds what cannot be reckoned with.
pub async fn check(pool: &PgPool, people: &[Uuid]) -> anyhow::Result<Compared> {
    let due = due(pool, people).await?;
    let told = told(pool, people).await?;
    let mut complaints = compared(&due, &told);
    let unlocked = unlocked(pool).await?;
    complaints.extend(compared(&unlocked, &told_of_achievements(pool).await?));
    complaints.extend(of_anybody(pool).await?);
    let unknown: Vec<String> =
        sqlx::query_scalar("SELECT name FROM policy_checkpoints WHERE name <> ALL ($1) ORDER BY name")
            .bind(RECKONED)
            .fetch_all(pool)
            .await?;
    complaints.extend(unknown.into_iter().map(|policy| format!("nobody reckons what {policy} has to tell")));
    let more = complaints.len().saturating_sub(MOST_TOLD);
    complaints.truncate(MOST_TOLD);
    if more > 0 {
        complaints.push(format!("and {more} more notifications are wrong"));
    }
    Ok(Compared { told: due.len() + unlocked.len(), complaints })
}

fn compared<T: Ord + Debug>(due: &BTreeSet<T>, told: &BTreeMap<T, usize>) -> Vec<String> {
    let mut complaints = Vec::new();
    for telling in due {
        match told.get(telling).copied().unwrap_or_default() {
            1 => {}
            0 => complaints.push(format!("was never told: {telling:?}")),
            times => complaints.push(format!("was told {times} times: {telling:?}")),
        }
    }
    let due = |one: &&T| !due.contains(*one);
    complaints.extend(told.keys().filter(due).map(|one| format!("was told for nothing: {one:?}")));
    complaints
}

/// What everybody unlocked since that is told. The table is compared with a fresh fold of the log elsewhere; which
/// event it was, and whether the policy heard that, plays no part here.
async fn unlocked(pool: &PgPool) -> anyhow::Result<BTreeSet<Unlocking>> {
    let rows: Vec<Unlocking> = sqlx::query_as(
        "SELECT a.user_id, a.code, a.tier, a.unlocked_at FROM achievements AS a \
         JOIN users AS u ON u.id = a.user_id \
         WHERE a.unlocked_at > coalesce((SELECT max(e.recorded_at) FROM events AS e JOIN policy_checkpoints AS p \
             ON p.name = 'achievement_alerts' AND e.position <= p.begun_at), '-infinity')",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

async fn told_of_achievements(pool: &PgPool) -> anyhow::Result<BTreeMap<Unlocking, usize>> {
    let rows: Vec<Unlocking> = sqlx::query_as(
        "SELECT user_id, payload ->> 'code', payload ->> 'tier', created_at FROM notifications \
         WHERE event_type = $1",
    )
    .bind(UNLOCKED)
    .fetch_all(pool)
    .await?;
    let mut told = BTreeMap::new();
    for row in rows {
        *told.entry(row).or_default() += 1;
    }
    Ok(told)
}

/// How one figure's market stands.
#[derive(Default)]
struct Standing {
    price: Option<Decimal>,
    restocked: BTreeSet<(String, NaiveDate)>,
}

async fn due(pool: &PgPool, people: &[Uuid]) -> anyhow::Result<BTreeSet<Telling>> {
    let begun: HashMap<String, i64> = sqlx::query_as("SELECT name, begun_at FROM policy_checkpoints")
        .fetch_all(pool)
        .await?
        .into_iter()
        .collect();
    let since = |policy: &str| begun.get(policy).copied().with_context(|| format!("{policy} has not begun"));
    let (prices, restocks) = (since("price_alerts")?, since("restock_alerts")?);
    let rows: Vec<(i64, String, String, Option<Uuid>, Value)> = sqlx::query_as(
        "SELECT position, event_type, aggregate_id, owner_id, payload::jsonb FROM events \
         WHERE event_type IN ('figure.price_moved', 'figure.stock_changed') \
             OR (aggregate_type = 'collection' AND owner_id = ANY ($1)) ORDER BY position",
    )
    .bind(people)
    .fetch_all(pool)
    .await?;
    let mut wishes: BTreeMap<(Uuid, Uuid), Option<Decimal>> = BTreeMap::new();
    let mut figures: HashMap<Uuid, Standing> = HashMap::new();
    let mut due = BTreeSet::new();
    for (position, event_type, stream, owner, payload) in rows {
        let (_, name) = event_type.split_once('.').context("an event type without a dot")?;
        let fact = &payload[name];
        if let Some(person) = owner {
            let wish = || Ok::<_, anyhow::Error>((person, id(&fact["figure_id"])?));
            match name {
                "wished" | "wish_target_set" => wishes.insert(wish()?, euro(&fact["target"])?),
                "unwished" => wishes.remove(&wish()?),
                _ => None,
            };
            continue;
        }
        let figure: Uuid = stream.parse()?;
        let seen_at: DateTime<Utc> = fact["seen_at"].as_str().context("seen at no time")?.parse()?;
        let standing = figures.entry(figure).or_default();
        let wishers = wishes.iter().filter(|((_, of), _)| *of == figure);
        if name == "stock_changed" {
            let store = fact["offer"]["store_id"].as_str().unwrap_or_default().to_owned();
            let back = fact["previous"] == "out_of_stock" && fact["stock"] != "out_of_stock";
            if position > restocks && back && standing.restocked.insert((store.clone(), seen_at.date_naive()))
            {
                due.extend(
                    wishers.map(|((person, _), _)| (*person, RESTOCK, figure, seen_at, store.clone())),
                );
            }
            continue;
        }
        let price = euro(&fact["price"])?.context("a price of nothing")?;
        let before = standing.price.replace(price);
        let stores = fact["stores"].as_array().map_or(&[][..], Vec::as_slice);
        let sold_out = !stores.is_empty() && stores.iter().all(|store| store["stock"] == "out_of_stock");
        if position <= prices || sold_out {
            continue;
        }
        let crossed = |target: &Decimal| before.is_some_and(|before| before > *target) && price <= *target;
        for ((person, _), _) in wishers.filter(|(_, target)| target.as_ref().is_some_and(crossed)) {
            due.insert((*person, PRICE, figure, seen_at, price.normalize().to_string()));
        }
    }
    Ok(due)
}

async fn told(pool: &PgPool, people: &[Uuid]) -> anyhow::Result<BTreeMap<Telling, usize>> {
    let rows: Vec<(Uuid, String, Value, DateTime<Utc>)> = sqlx::query_as(
        "SELECT user_id, event_type, payload, created_at FROM notifications \
         WHERE user_id = ANY ($1) AND event_type IN ($2, $3)",
    )
    .bind(people)
    .bind(PRICE)
    .bind(RESTOCK)
    .fetch_all(pool)
    .await?;
    let mut told = BTreeMap::new();
    for (person, kind, payload, at) in rows {
        let figure = id(&payload["figure"]["id"])?;
        let telling = if kind == PRICE {
            let price = euro(&payload["price"])?.context("a notification without a price")?;
            (person, PRICE, figure, at, price.normalize().to_string())
        } else {
            let store = payload["store"]["id"].as_str().unwrap_or_default().to_owned();
            (person, RESTOCK, figure, at, store)
        };
        *told.entry(telling).or_default() += 1;
    }
    Ok(told)
}

/// Whoever it is: nothing twice, nothing of what never happened, and the memory of what was told agrees.
async fn of_anybody(pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let market: &[&str] = &[PRICE, RESTOCK];
    for (what, kinds, sql) in [
        (
            "notifications that tell the same again",
            market,
            "SELECT count(*) FROM (SELECT FROM notifications WHERE event_type = ANY ($1) \
             GROUP BY user_id, event_type, payload -> 'figure' -> 'id', payload -> 'store' -> 'id', created_at \
             HAVING count(*) > 1) AS twice",
        ),
        (
            "notifications of prices or stock that are not in the log",
            market,
            "SELECT count(*) FROM notifications AS n WHERE event_type = ANY ($1) AND NOT EXISTS (\
             SELECT FROM events AS e CROSS JOIN LATERAL json_each(e.payload) AS fact \
             WHERE e.aggregate_type = 'figure' AND e.aggregate_id = n.payload -> 'figure' ->> 'id' \
                 AND e.event_type IN ('figure.price_moved', 'figure.stock_changed') \
                 AND (fact.value ->> 'seen_at')::timestamptz = n.created_at)",
        ),
        (
            "people for whom the notifications and the memory of them differ in number",
            &[PRICE, RESTOCK, UNLOCKED],
            "SELECT count(*) FROM users AS u WHERE \
             (SELECT count(*) FROM notifications WHERE user_id = u.id AND event_type = ANY ($1)) <> \
             (SELECT count(*) FROM notification_dedup \
              WHERE user_id = u.id AND split_part(dedup_key, ':', 1) = ANY ($1))",
        ),
    ] {
        let wrong: i64 = sqlx::query_scalar(sql).bind(kinds).fetch_one(pool).await?;
        if wrong > 0 {
            complaints.push(format!("{wrong} {what}"));
        }
    }
    Ok(complaints)
}

fn id(value: &Value) -> anyhow::Result<Uuid> {
    Ok(value.as_str().context("no id")?.parse()?)
}

/// An amount in euro, if there is one. Nobody here waits in another currency.
fn euro(money: &Value) -> anyhow::Result<Option<Decimal>> {
    if money.is_null() {
        return Ok(None);
    }
    ensure!(money["currency"] == "EUR", "not in euro: {money}");
    Ok(Some(money["amount"].as_str().context("an amount that is no text")?.parse()?))
}
