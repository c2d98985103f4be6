//! What things are called when they are told: a title and a text for every event.

use super::Message;
use chrono::{DateTime, Utc};
use operational::notification_deliveries::Item;
use operational::notifications::Kind;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many things a digest names one by one.
const MOST_NAMED: usize = 50;

fn word<'p>(payload: &'p Value, path: &str) -> &'p str {
    payload.pointer(path).and_then(Value::as_str).unwrap_or("–")
}

fn money(payload: &Value, path: &str) -> String {
    format!("{} {}", word(payload, &format!("{path}/amount")), word(payload, &format!("{path}/currency")))
}

/// Title and text of something that somebody is told.
fn wording(event_type: &str, payload: &Value) -> (String, String) {
    let figure = word(payload, "/figure/name");
    let late = payload.get("days_late").and_then(Value::as_i64).unwrap_or(0) > 0;
    let Ok(kind) = event_type.parse::<Kind>() else {
        return (event_type.to_owned(), event_type.to_owned());
    };
    match kind {
        Kind::AchievementUnlocked => {
            let (code, tier) = (word(payload, "/code").replace('_', " "), word(payload, "/tier"));
            (format!("Achievement unlocked: {code}"), format!("You unlocked “{code}” ({tier})."))
        }
        Kind::PreorderReleaseToday if payload.get("precision") == Some(&json!("month")) => {
            let month = word(payload, "/date").get(..7).unwrap_or("this month");
            (
                format!("{figure} is due this month"),
                format!("{figure}, which you pre-ordered, is due in {month}."),
            )
        }
        Kind::PreorderReleaseToday if late => {
            let date = word(payload, "/date");
            (format!("{figure} was released"), format!("{figure}, which you pre-ordered, was due on {date}."))
        }
        Kind::PreorderReleaseToday => {
            (format!("{figure} is released today"), format!("{figure}, which you pre-ordered, is due today."))
        }
        Kind::PreorderReleaseJ7 => {
            let date = word(payload, "/date");
            (
                format!("{figure} is released in a week"),
                format!("{figure}, which you pre-ordered, is due on {date}."),
            )
        }
        Kind::PreorderDeliveryToday => {
            let date = word(payload, "/date");
            (format!("{figure} is expected"), format!("The parcel with {figure} was estimated for {date}."))
        }
        Kind::PreorderDeliveryOverdue => {
            let date = word(payload, "/date");
            (format!("{figure} is late"), format!("The parcel with {figure} was estimated for {date}."))
        }
        Kind::WishlistPriceBelowTarget => (
            format!("{figure} has come down to {}", money(payload, "/price")),
            format!(
                "{figure} costs {} now; your target is {}. {}",
                money(payload, "/price"),
                money(payload, "/target"),
                word(payload, "/url")
            ),
        ),
        Kind::WishlistBackInStock => {
            let (store, url) = (word(payload, "/store/name"), word(payload, "/url"));
            (format!("{figure} can be had again"), format!("{store} has {figure} again. {url}"))
        }
        Kind::MangaServerApproved => {
            let name = word(payload, "/name");
            (
                format!("{name} was approved"),
                format!("The MangaCollector server {name} that you linked may be used."),
            )
        }
        Kind::MangaServerRevoked => {
            let name = word(payload, "/name");
            (
                format!("{name} was revoked"),
                format!(
                    "The MangaCollector server {name} that you linked may be used no longer. {}",
                    word(payload, "/reason")
                ),
            )
        }
    }
}

/// One notification as a message. Its id is the delivery's.
#[must_use]
pub fn message(delivery: Uuid, item: &Item) -> Message {
    let (title, text) = wording(&item.event_type, &item.payload);
    Message {
        id: delivery,
        event_type: item.event_type.clone(),
        occurred_at: item.created_at,
        title,
        text,
        payload: item.payload.clone(),
    }
}

/// Everything of a day as one message; `occurred_at` is the latest of it.
#[must_use]
pub fn digest(delivery: Uuid, items: &[Item]) -> Message {
    let named = items.iter().take(MOST_NAMED).map(|item| wording(&item.event_type, &item.payload).1);
    let mut text = named.map(|line| format!("• {line}")).collect::<Vec<_>>().join("\n");
    if let Some(more) = items.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        text.push_str(&format!("\n… and {more} more"));
    }
    let part = |item: &Item| json!({"id": item.id, "event_type": item.event_type, "occurred_at": item.created_at, "payload": item.payload});
    Message {
        id: delivery,
        event_type: "digest".to_owned(),
        occurred_at: items.iter().map(|item| item.created_at).max().unwrap_or_else(Utc::now),
        title: format!("Your day: {} notifications", items.len()),
        text,
        payload: json!({"notifications": items.iter().map(part).collect::<Vec<_>>()}),
    }
}

/// What a test send says.
#[must_use]
pub fn trial(now: DateTime<Utc>) -> Message {
    Message {
        id: Uuid::now_v7(),
        event_type: "test".to_owned(),
        occurred_at: now,
        title: "Figure Ledger: a test".to_owned(),
        text: "This is how you will be told. Nothing happened; somebody asked for a test.".to_owned(),
        payload: json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_words_of_its_own() {
        let payload =
            json!({"figure": {"name": "Harbour Pilot Mina"}, "date": "2026-12-01", "name": "Shelf"});
        let titles: std::collections::HashSet<String> =
            Kind::ALL.iter().map(|kind| wording(kind.as_str(), &payload).0).collect();
        assert_eq!(titles.len(), Kind::ALL.len());
        assert!(!titles.iter().any(|title| Kind::ALL.iter().any(|kind| title.contains(kind.as_str()))));
    }
}
