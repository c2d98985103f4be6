//! Sends what is due, and notes what became of it.

use super::backoff::{MOST_TRIES, rest};
use super::told::Told;
use crate::channels::{Channels, Message, Unsent, digest, message, trial};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use futures::FutureExt;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use operational::notification_channels::{self, Channel, Destination, Setup};
use operational::notification_deliveries::{self, Claimed, Ended, Limits, Taken};
use operational::{notification_settings, notifications, web_push_subscriptions};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long words that somebody was told something gather before there is a look.
const GATHERED_FOR: Duration = Duration::from_millis(100);

/// How fast, how many, how long.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long a try is its process's. Longer than `whole`.
    pub lease: Duration,
    /// How long a try may take in all.
    pub whole: Duration,
    /// How many of a channel are under way at a time.
    pub at_once: usize,
    /// And of one person.
    pub each: usize,
    /// How many of a channel are begun in a second.
    pub per_second: NonZeroU32,
    /// How often it is looked by itself.
    pub look_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(45),
            whole: Duration::from_secs(25),
            at_once: 32,
            each: 4,
            per_second: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN),
            look_every: Duration::from_secs(1),
        }
    }
}

/// What sends deliveries. A clone is the same.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    pool: PgPool,
    channels: Channels,
    told: Told,
    options: Options,
    tests: DefaultKeyedRateLimiter<Uuid>,
}

/// Deliveries that are sent, until this is stopped or dropped. Several processes may send from one database.
#[must_use = "deliveries are sent until this is dropped"]
pub struct Running {
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    /// Begins no further try, and waits for those that are under way.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Why a test was not even tried.
#[derive(Debug, thiserror::Error)]
pub enum NotTried {
    /// The admin has not switched the channel on.
    #[error("the channel is switched off")]
    Off,
    /// There is nowhere to send it to.
    #[error("there is no destination yet")]
    NoDestination,
    /// Tests are for trying out.
    #[error("too many tests")]
    TooMany(Duration),
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Ten tests in ten minutes: enough to try out, too few to write to others.
fn tests_allowed() -> Quota {
    Quota::per_minute(NonZeroU32::MIN).allow_burst(NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN))
}

/// What a try came to.
enum Tried {
    Sent(String),
    Unsent(Unsent),
    /// Not even begun: nobody is to get it.
    Dropped(String),
    PutOff(DateTime<Utc>),
}

impl Deliveries {
    /// Puts it together; nothing is sent yet.
    #[must_use]
    pub fn new(pool: &PgPool, channels: Channels, told: Told, options: Options) -> Self {
        let tests = RateLimiter::keyed(tests_allowed());
        Self(Arc::new(Inner { pool: pool.clone(), channels, told, options, tests }))
    }

    /// The channels.
    #[must_use]
    pub fn channels(&self) -> &Channels {
        &self.0.channels
    }

    /// Who is told something, as it happens.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.0.told
    }

    /// Sends whatever is due, each channel by itself.
    pub fn run(&self) -> Running {
        let (stopping, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for channel in Channel::EXTERNAL {
            tasks.spawn(self.clone().keep_going(channel, stopping.clone()));
        }
        Running { stopping, tasks }
    }

    /// Sends a test to everywhere a person is told by a channel, at once and without a queue: what each said.
    ///
    /// # Errors
    /// [`NotTried`] when there is nothing to try.
    pub async fn test(
        &self,
        user_id: UserId,
        channel: Channel,
    ) -> Result<Vec<Result<String, Unsent>>, NotTried> {
        let setup = notification_channels::get(&self.0.pool, channel).await?;
        if !setup.enabled {
            return Err(NotTried::Off);
        }
        let targets = self.targets(user_id, channel).await?;
        if targets.is_empty() {
            return Err(NotTried::NoDestination);
        }
        if let Err(early) = self.0.tests.check_key(&user_id.uuid()) {
            return Err(NotTried::TooMany(early.wait_time_from(self.0.tests.clock().now())));
        }
        let message = trial(Utc::now());
        let mut said = Vec::with_capacity(targets.len());
        for (target, to) in targets {
            let sent = self.send(channel, &setup, &to, &message).await;
            if let Err(Unsent::Gone(_)) = &sent {
                self.forget(user_id, channel, &target).await?;
            }
            said.push(sent);
        }
        Ok(said)
    }

    async fn keep_going(self, channel: Channel, stopping: CancellationToken) {
        let options = self.0.options;
        let limiter: DefaultDirectRateLimiter = RateLimiter::direct(Quota::per_second(options.per_second));
        let mut woken = self.0.told.people();
        let mut under_way: JoinSet<Uuid> = JoinSet::new();
        let mut people: HashMap<Uuid, usize> = HashMap::new();
        let done = |ended: Option<Result<Uuid, tokio::task::JoinError>>, people: &mut HashMap<_, usize>| {
            if let Some(Ok(person)) = ended
                && let Some(count) = people.get_mut(&person)
            {
                *count -= 1;
                if *count == 0 {
                    people.remove(&person);
                }
            }
        };
        while !stopping.is_cancelled() {
            while let Some(ended) = under_way.try_join_next() {
                done(Some(ended), &mut people);
            }
            let room = options.at_once.saturating_sub(under_way.len());
            let claimed = if room == 0 { Vec::new() } else { self.claim(channel, room, &people).await };
            if claimed.is_empty() {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    ended = under_way.join_next(), if !under_way.is_empty() => done(ended, &mut people),
                    _ = woken.recv(), if room > 0 => {
                        // Somebody being told something says nothing of whether a channel is to tell it too, and often
                        // many are told at once: one look for all of them.
                        sleep(GATHERED_FOR).await;
                        while !matches!(woken.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
                    }
                    () = sleep(options.look_every) => {}
                }
            }
            for one in claimed {
                limiter.until_ready().await;
                *people.entry(one.user_id).or_default() += 1;
                let deliveries = self.clone();
                under_way.spawn(async move {
                    let (person, id) = (one.user_id, one.id);
                    // Whatever happens, the person has one less under way. The lease runs out and somebody tries again.
                    if AssertUnwindSafe(deliveries.carry_out(channel, one)).catch_unwind().await.is_err() {
                        tracing::error!(%channel, delivery = %id, "a delivery panicked");
                    }
                    person
                });
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self, channel: Channel, room: usize, people: &HashMap<Uuid, usize>) -> Vec<Claimed> {
        let Options { each, lease, .. } = self.0.options;
        let busy: Vec<Uuid> =
            people.iter().filter(|(_, count)| **count >= each).map(|(person, _)| *person).collect();
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::minutes(1));
        let number = |size: usize| i64::try_from(size).unwrap_or(1);
        let most_tries = i32::try_from(MOST_TRIES).unwrap_or(i32::MAX);
        let limits = Limits { lease, most: number(room), each: number(each), most_tries };
        match notification_deliveries::claim(&self.0.pool, channel, limits, &busy).await {
            Ok(Taken { claimed, counted_out }) => {
                for id in counted_out {
                    dead(channel, id);
                    count(channel, "dead");
                }
                claimed
            }
            Err(error) => {
                tracing::warn!(%channel, %error, "deliveries cannot be looked for; trying again");
                Vec::new()
            }
        }
    }

    async fn carry_out(&self, channel: Channel, claimed: Claimed) {
        let tried = match timeout(self.0.options.whole, self.attempt(channel, &claimed)).await {
            Ok(Ok(tried)) => tried,
            Ok(Err(error)) => {
                // The lease runs out and somebody tries again.
                tracing::warn!(%channel, delivery = %claimed.id, %error, "a delivery was interrupted");
                return;
            }
            Err(_late) => {
                let said = format!("no end after {} s", self.0.options.whole.as_secs());
                Tried::Unsent(Unsent::Failed { said, retry_after: None })
            }
        };
        let tries = u32::try_from(claimed.attempts).unwrap_or(u32::MAX);
        let (ended, said) = match tried {
            Tried::Sent(said) => (Ended::Sent, said),
            Tried::Unsent(Unsent::Failed { said, retry_after }) if tries < MOST_TRIES => {
                let rest = TimeDelta::from_std(rest(tries, retry_after, rand::random()));
                (Ended::Failed(Utc::now() + rest.unwrap_or(TimeDelta::hours(1))), said)
            }
            Tried::Unsent(Unsent::Failed { said, .. }) => (Ended::Exhausted, said),
            Tried::Unsent(Unsent::Refused(said)) => (Ended::Refused, said),
            Tried::Unsent(Unsent::Gone(said)) => {
                let person = UserId(claimed.user_id);
                if let Err(error) = self.forget(person, channel, &claimed.target).await {
                    tracing::warn!(%channel, %error, "a dead subscription could not be removed");
                }
                (Ended::Gone, said)
            }
            Tried::Dropped(said) => (Ended::Gone, said),
            Tried::PutOff(until) => {
                if let Err(error) = notification_deliveries::put_off(&self.0.pool, &claimed, until).await {
                    tracing::warn!(%channel, %error, "a delivery could not be put off");
                }
                return;
            }
        };
        let outcome = match ended {
            Ended::Sent => "sent",
            Ended::Failed(_) => "failed",
            Ended::Exhausted | Ended::Refused => "dead",
            Ended::Gone => "dropped",
        };
        if outcome == "dead" {
            dead(channel, claimed.id);
        }
        count(channel, outcome);
        self.note(channel, &claimed, ended, &said).await;
    }

    /// Puts the outcome on record, again and again while the lease lasts: what was sent and is not known to be would
    /// be sent twice.
    async fn note(&self, channel: Channel, claimed: &Claimed, ended: Ended, said: &str) {
        let noted = async {
            while let Err(error) = notification_deliveries::end(&self.0.pool, claimed, ended, said).await {
                tracing::warn!(%channel, delivery = %claimed.id, %error, "an outcome cannot be noted; trying again");
                sleep(Duration::from_millis(250)).await;
            }
        };
        let _in_time = timeout(self.0.options.lease, noted).await;
    }

    async fn attempt(&self, channel: Channel, claimed: &Claimed) -> sqlx::Result<Tried> {
        let dropped = |said: &str| Ok(Tried::Dropped(said.to_owned()));
        let (pool, person) = (&self.0.pool, UserId(claimed.user_id));
        let Some(reachable) = notification_channels::reachable(pool, claimed.user_id).await? else {
            return dropped("the account is gone");
        };
        if reachable.suspended {
            return dropped("the account is suspended");
        }
        let setup = notification_channels::get(pool, channel).await?;
        if !setup.enabled {
            return dropped("the channel is switched off");
        }
        let Some(to) = self.target(person, channel, &claimed.target).await? else {
            return dropped("there is no such destination any more");
        };
        if !claimed.digest
            && let Some(until) = notification_settings::quiet_until(pool, person, Utc::now()).await?
        {
            return Ok(Tried::PutOff(until));
        }
        let mut items = notification_deliveries::items(pool, claimed.id).await?;
        items.retain(|item| !(reachable.hides_nsfw && notifications::is_nsfw(&item.payload)));
        let message = match items.as_slice() {
            [] => return dropped("there is nothing to tell any more"),
            [one] => message(claimed.id, one),
            all => digest(claimed.id, all),
        };
        Ok(match self.send(channel, &setup, &to, &message).await {
            Ok(said) => Tried::Sent(said),
            Err(unsent) => Tried::Unsent(unsent),
        })
    }

    async fn send(
        &self,
        channel: Channel,
        setup: &Setup,
        to: &Destination,
        message: &Message,
    ) -> Result<String, Unsent> {
        let sending = self.0.channels.get(channel).send(setup, to, message);
        match timeout(self.0.options.whole, sending).await {
            Ok(sent) => sent,
            Err(_late) => {
                let said = format!("no end after {} s", self.0.options.whole.as_secs());
                Err(Unsent::Failed { said, retry_after: None })
            }
        }
    }

    /// Everywhere a person is told by a channel, by the name of the target.
    async fn targets(&self, person: UserId, channel: Channel) -> sqlx::Result<Vec<(String, Destination)>> {
        if channel == Channel::WebPush {
            let browsers = web_push_subscriptions::of_user(&self.0.pool, person).await?;
            return Ok(browsers.into_iter().map(|one| (one.id.to_string(), browser(&one))).collect());
        }
        if channel == Channel::InApp {
            let nothing = Destination { config: json!({}), secrets: json!({}) };
            return Ok(vec![(String::new(), nothing)]);
        }
        let Some(destination) = notification_channels::destination(&self.0.pool, person, channel).await?
        else {
            return Ok(Vec::new());
        };
        let Some(urls) = destination.secrets.get("urls").and_then(Value::as_array) else {
            return Ok(vec![(String::new(), destination)]);
        };
        let one = |url: &Value| {
            let id = url.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            (id, Destination { config: json!({}), secrets: url.clone() })
        };
        Ok(urls.iter().map(one).collect())
    }

    async fn target(
        &self,
        person: UserId,
        channel: Channel,
        target: &str,
    ) -> sqlx::Result<Option<Destination>> {
        let all = self.targets(person, channel).await?;
        Ok(all.into_iter().find(|(name, _)| name == target).map(|(_, to)| to))
    }

    /// Nobody is at a target any more.
    async fn forget(&self, person: UserId, channel: Channel, target: &str) -> sqlx::Result<()> {
        if channel == Channel::WebPush
            && let Ok(id) = target.parse()
        {
            web_push_subscriptions::remove(&self.0.pool, person, id).await?;
        }
        Ok(())
    }
}

/// What the other side said may quote whom it was for: it stands with the delivery's tries, not in the log.
fn dead(channel: Channel, id: Uuid) {
    tracing::warn!(%channel, delivery = %id, "a delivery came to nothing");
}

fn count(channel: Channel, outcome: &'static str) {
    metrics::counter!("figure_ledger_deliveries_total", "channel" => channel.as_str(), "outcome" => outcome)
        .increment(1);
}

fn browser(subscription: &web_push_subscriptions::Subscription) -> Destination {
    Destination {
        config: json!({"endpoint": subscription.endpoint}),
        secrets: json!({"p256dh": subscription.p256dh, "auth": subscription.auth}),
    }
}
