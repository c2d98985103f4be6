//! Notifications and their way out, against servers that listen and peers that others made.

mod channels;
mod clockwork;
mod guard;
mod peers;
mod queue;
mod receiver;
mod setbacks;

use crate::support::Ledger;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use operational::notification_channels::{self, Channel, Destination};
use operational::notification_deliveries::{self, Delivery, Limits as Claiming, Taken, Wanted};
use operational::notification_settings::{self, Settings};
use operational::notification_subscriptions::{self, Route};
use operational::notifications::{self, Kind, Telling};
use operational::passwords::{Cost, Password, Passwords};
use operational::users::{self, NewUser};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::time::Duration;
use uuid::Uuid;
use workers::channels::{Channels, Options as ChannelOptions};
use workers::deliveries::{Deliveries, MOST_TRIES, Options, Told};
use workers::outbound::Limits;

/// A ledger with people who want to be told.
pub struct House {
    pub ledger: Ledger,
}

/// Channels that may ask this very machine.
pub fn channels_at_home() -> Channels {
    let second = Duration::from_secs(1);
    Channels::new(ChannelOptions {
        allowed: "127.0.0.0/8".parse().unwrap(),
        limits: Limits { connect: second, whole: 5 * second, bytes: 1_024 },
        ..ChannelOptions::default()
    })
    .unwrap()
}

pub fn quick() -> Options {
    Options {
        lease: Duration::from_secs(12),
        whole: Duration::from_secs(8),
        per_second: NonZeroU32::new(5_000).unwrap(),
        look_every: Duration::from_millis(200),
        ..Options::default()
    }
}

impl House {
    pub async fn new() -> Self {
        Self { ledger: Ledger::new().await }
    }

    pub fn pool(&self) -> &sqlx::PgPool {
        &self.ledger.db.pool
    }

    pub fn deliveries(&self, options: Options) -> Deliveries {
        Deliveries::new(self.pool(), channels_at_home(), Told::listen(self.pool()), options)
    }

    pub async fn person(&self, name: &str) -> UserId {
        let new = NewUser {
            username: name.parse().unwrap(),
            email: None,
            password: Password::parse("correct horse battery").unwrap(),
            is_admin: false,
        };
        users::create(self.pool(), &Passwords::new(Cost::Least, 1).unwrap(), &new).await.unwrap().id
    }

    /// An admin sets a channel up and switches it on.
    pub async fn switch_on(&self, channel: Channel, given: Value) {
        let before = notification_channels::get(self.pool(), channel).await.unwrap();
        let given = given.as_object().unwrap().clone();
        let (config, secrets) = channels_at_home().get(channel).set_up(given, &before).unwrap();
        let root: Uuid = match sqlx::query_scalar("SELECT id FROM users WHERE username = 'root'")
            .fetch_optional(self.pool())
            .await
            .unwrap()
        {
            Some(root) => root,
            None => self.person("root").await.uuid(),
        };
        notification_channels::set(self.pool(), channel, true, &config, &secrets, UserId(root))
            .await
            .unwrap();
    }

    /// Somebody says where they want to be told by a channel, of everything; what is kept of it.
    pub async fn wants(&self, person: UserId, channel: Channel, given: Value) -> Destination {
        let given = given.as_object().unwrap().clone();
        let destination = channels_at_home().get(channel).destination(given, None).unwrap();
        notification_channels::set_destination(self.pool(), person, channel, Some(&destination))
            .await
            .unwrap();
        self.route(person, channel).await;
        destination
    }

    pub async fn route(&self, person: UserId, channel: Channel) {
        let routes: Vec<Route> =
            Kind::ALL.into_iter().map(|kind| Route { kind, channel, enabled: true }).collect();
        let mut transaction = self.pool().begin().await.unwrap();
        notification_subscriptions::merge(&mut transaction, person, &routes).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub async fn settings(&self, person: UserId, settings: Settings) {
        notification_settings::set(self.pool(), person, settings).await.unwrap();
    }

    /// Tells somebody something, each `about` once.
    pub async fn tell(&self, person: UserId, about: &str) -> bool {
        self.tell_all(person, &[about.to_owned()]).await == 1
    }

    /// The same, all in one transaction; how many were news.
    pub async fn tell_all(&self, person: UserId, abouts: &[String]) -> usize {
        let mut transaction = self.pool().begin().await.unwrap();
        let mut news = 0;
        for about in abouts {
            let telling = Telling {
                id: Uuid::now_v7(),
                user_id: person,
                kind: Kind::WishlistBackInStock,
                about: about.clone(),
                payload: json!({
                    "figure": {"name": format!("Mina {about} ☕"), "is_nsfw": false},
                    "store": {"name": "Harbour"},
                    "url": "https://harbour.example/1",
                }),
                at: Utc::now(),
            };
            news += usize::from(notifications::tell(&mut transaction, &telling).await.unwrap());
        }
        transaction.commit().await.unwrap();
        news
    }

    pub async fn all(&self) -> Vec<Delivery> {
        notification_deliveries::list(self.pool(), Wanted::default(), None, 20_000).await.unwrap()
    }

    /// How many deliveries are in a state.
    pub async fn in_state(&self, state: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM notification_deliveries WHERE state = $1")
            .bind(state)
            .fetch_one(self.pool())
            .await
            .unwrap()
    }

    /// The outcomes of a delivery's tries.
    pub async fn outcomes(&self, id: Uuid) -> Vec<String> {
        let (_, tries) = notification_deliveries::find(self.pool(), id).await.unwrap().unwrap();
        tries.into_iter().map(|one| one.outcome.unwrap_or_default()).collect()
    }

    /// Takes what is due of the webhook channel, as a sender does.
    pub async fn take(&self, most: i64, lease: TimeDelta) -> Taken {
        let limits = Claiming { lease, most, each: 10, most_tries: i32::try_from(MOST_TRIES).unwrap() };
        notification_deliveries::claim(self.pool(), Channel::Webhook, limits, &[]).await.unwrap()
    }

    /// Whatever waits for its next try is due now.
    pub async fn hurry(&self) {
        sqlx::query(
            "UPDATE notification_deliveries SET due_at = now() WHERE state IN ('pending', 'collecting')",
        )
        .execute(self.pool())
        .await
        .unwrap();
    }
}

/// A time of day.
pub fn hour(text: &str) -> Option<chrono::NaiveTime> {
    Some(text.parse().unwrap())
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
