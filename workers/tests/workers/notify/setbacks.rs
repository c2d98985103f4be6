//! What goes wrong on the way: failing destinations, tries that are cut off, setups to mend, and what is only dropped.

use super::receiver::Receiver;
use super::{House, channels_at_home, quick};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use database::testing::eventually;
use domain::ids::UserId;
use futures::FutureExt;
use operational::notification_channels::{self, Channel};
use operational::notifications::{self, Kind, Telling};
use operational::web_push_subscriptions::{self, NewSubscription, Subscription};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;
use workers::channels::{Channels, KeyPair, Options as ChannelOptions, Unsent};
use workers::deliveries::{Deliveries, MOST_TRIES, Options, Told};
use workers::outbound::{Limits, Lookup};

async fn subscribe(house: &House, person: UserId, endpoint: &str) -> Subscription {
    let (p256dh, auth) = (KeyPair::fresh().public(), BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
    let new = NewSubscription { endpoint, p256dh: &p256dh, auth: &auth, label: None };
    let added = web_push_subscriptions::add(house.pool(), person, new).await.unwrap();
    house.route(person, Channel::WebPush).await;
    added
}

/// Switches the push channel, with or without a key pair.
async fn switch_push(house: &House, root: UserId, enabled: bool, pair: Option<&KeyPair>) {
    let (config, secrets) = pair.map_or_else(
        || (json!({}), json!({})),
        |pair| (json!({"public_key": pair.public()}), json!({"private_key": pair.private()})),
    );
    notification_channels::set(house.pool(), Channel::WebPush, enabled, &config, &secrets, root)
        .await
        .unwrap();
}

/// Ends every lease, as if it was given long ago.
async fn cut_off(house: &House) {
    sqlx::query("UPDATE notification_deliveries SET leased_until = now() WHERE lease IS NOT NULL")
        .execute(house.pool())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_before_it_is_sent_costs_nobody_a_browser() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (root, pair) = (house.person("root").await, KeyPair::fresh());
    switch_push(&house, root, true, Some(&pair)).await;
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let person = house.person(name).await;
        subscribe(&house, person, &receiver.url(&format!("/{name}"))).await;
        people.push(person);
    }
    house.tell(people[1], "one").await;
    let telling = Telling {
        id: Uuid::now_v7(),
        user_id: people[2],
        kind: Kind::AchievementUnlocked,
        about: "one".to_owned(),
        payload: json!({"code": "nsfw_5", "tier": "bronze", "is_nsfw": true}),
        at: Utc::now(),
    };
    let mut transaction = house.pool().begin().await.unwrap();
    assert!(notifications::tell(&mut transaction, &telling).await.unwrap());
    transaction.commit().await.unwrap();
    for change in [
        "UPDATE users SET suspended_at = now() WHERE username = 'bob'",
        "UPDATE users SET nsfw_visibility = 'hide' WHERE username = 'carol'",
    ] {
        sqlx::query(change).execute(house.pool()).await.unwrap();
    }
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("both are dropped", async || house.in_state("dropped").await == 2).await;
    running.stop().await;
    house.tell(people[0], "one").await;
    switch_push(&house, root, false, Some(&pair)).await;
    let running = deliveries.run();
    eventually("it is dropped as well", async || house.in_state("dropped").await == 3).await;
    running.stop().await;
    switch_push(&house, root, true, Some(&pair)).await;
    for person in people {
        let left = web_push_subscriptions::of_user(house.pool(), person).await.unwrap();
        assert_eq!(left.len(), 1, "the browser is still there");
    }
    assert_eq!(receiver.got().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_fails_is_left_alone_with_all_that_waits_for_it() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.switch_on(Channel::Webhook, json!({})).await;
    house.switch_on(Channel::Ntfy, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/fails")})).await;
    house.wants(alice, Channel::Ntfy, json!({"url": receiver.url("/"), "topic": "alice"})).await;
    house.wants(bob, Channel::Webhook, json!({"url": receiver.url("/bob")})).await;
    for about in ["one", "two", "three"] {
        house.tell(alice, about).await;
        house.tell(bob, about).await;
    }
    let deliveries = house.deliveries(Options { each: 1, ..quick() });
    let running = deliveries.run();
    eventually("all else arrives", async || {
        let tried = house.all().await.iter().filter(|one| one.outcome.is_some()).count();
        tried == 7 && house.in_state("delivered").await == 6
    })
    .await;
    running.stop().await;
    assert_eq!(receiver.got().iter().filter(|one| one.path == "/fails").count(), 1);
    let waiting: Vec<_> = house.all().await.into_iter().filter(|one| one.state == "pending").collect();
    let failed = waiting.iter().find(|one| one.attempts == 1).unwrap();
    assert_eq!(waiting.len(), 3);
    assert!(waiting.iter().all(|one| one.due_at == failed.due_at), "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_tries_are_all_cut_off_is_dead_in_the_end() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/")})).await;
    house.tell(alice, "one").await;
    for number in 1..=i32::try_from(MOST_TRIES).unwrap() {
        let taken = house.take(10, TimeDelta::hours(1)).await;
        assert_eq!((taken.claimed[0].attempts, taken.counted_out.len()), (number, 0));
        cut_off(&house).await;
    }
    let id = house.all().await[0].id;
    let taken = house.take(10, TimeDelta::hours(1)).await;
    assert_eq!((taken.claimed, taken.counted_out), (vec![], vec![id]));
    let dead = house.all().await.remove(0);
    assert_eq!((dead.state.as_str(), dead.outcome.as_deref()), ("dead", Some("the last try was cut off")));
    assert_eq!(house.outcomes(id).await, vec!["unknown"; usize::try_from(MOST_TRIES).unwrap()]);
    // An admin may have it tried again, and then it is tried.
    let again = operational::notification_deliveries::retry(house.pool(), id).await.unwrap();
    assert!(again.is_some());
    assert_eq!(house.take(10, TimeDelta::hours(1)).await.claimed.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_cut_off_does_not_stand_before_all_others() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.switch_on(Channel::Webhook, json!({})).await;
    for person in [alice, bob] {
        house.wants(person, Channel::Webhook, json!({"url": receiver.url("/")})).await;
    }
    house.tell(alice, "one").await;
    let first = house.take(1, TimeDelta::hours(1)).await.claimed.remove(0);
    house.tell(bob, "one").await;
    cut_off(&house).await;
    let next = house.take(1, TimeDelta::hours(1)).await.claimed.remove(0);
    assert_eq!((first.user_id, next.user_id), (alice.uuid(), bob.uuid()));
    assert_eq!(house.take(1, TimeDelta::hours(1)).await.claimed[0].id, first.id, "and then it is its turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_panics_does_not_keep_its_person_from_being_told() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    let url = format!("http://receiver.example:{}/", receiver.address.port());
    house.wants(alice, Channel::Webhook, json!({"url": url})).await;
    house.tell(alice, "one").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let lookup: Lookup = Arc::new(move |_name| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "the first time it panics, as it is meant to");
        async move { Ok(vec![here]) }.boxed()
    });
    let second = Duration::from_secs(1);
    let channels = Channels::new(ChannelOptions {
        allowed: "127.0.0.0/8".parse().unwrap(),
        limits: Limits { connect: second, whole: 5 * second, bytes: 1_024 },
        lookup,
        ..ChannelOptions::default()
    })
    .unwrap();
    let options = Options { each: 1, lease: 3 * second, whole: 2 * second, ..quick() };
    let running = Deliveries::new(house.pool(), channels, Told::listen(house.pool()), options).run();
    eventually("it arrives after all", async || house.in_state("delivered").await == 1).await;
    running.stop().await;
    assert!(asked.load(Ordering::SeqCst) >= 2);
    let tries = house.outcomes(house.all().await[0].id).await;
    assert_eq!((tries[0].as_str(), tries[tries.len() - 1].as_str()), ("unknown", "sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_admin_has_to_mend_is_tried_again() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (root, alice) = (house.person("root").await, house.person("alice").await);
    switch_push(&house, root, true, None).await;
    subscribe(&house, alice, &receiver.url("/push")).await;
    house.wants(alice, Channel::Email, json!({"address": "alice@example.org"})).await;
    let urls = json!({"urls": ["tgram://1:a/2"]});
    house.wants(alice, Channel::Apprise, urls).await;
    let nothing: &Value = &json!({});
    for channel in [Channel::Email, Channel::Apprise] {
        notification_channels::set(house.pool(), channel, true, nothing, nothing, root).await.unwrap();
    }
    let deliveries = house.deliveries(quick());
    for channel in [Channel::WebPush, Channel::Email, Channel::Apprise] {
        let said = deliveries.test(alice, channel).await.unwrap();
        assert!(matches!(&said[..], [Err(Unsent::Failed { .. })]), "{channel}: {said:?}");
    }
    house.tell(alice, "one").await;
    let running = deliveries.run();
    eventually("a try of each", async || house.all().await.iter().all(|one| one.outcome.is_some())).await;
    running.stop().await;
    assert_eq!((house.all().await.len(), house.in_state("pending").await), (3, 3));
}

#[test]
fn apprise_addresses_that_are_set_again_keep_their_ids() {
    let channels = channels_at_home();
    let set = |urls: Value, before| {
        let given = json!({"urls": urls}).as_object().unwrap().clone();
        channels.get(Channel::Apprise).destination(given, before).unwrap()
    };
    let (one, two, three) = ("tgram://1:a/1", "tgram://1:a/2", "tgram://1:a/3");
    let before = set(json!([one, two, two]), None);
    let after = set(json!([two, three, two, one]), Some(&before));
    let of = |destination: &operational::notification_channels::Destination, place: usize| {
        let url = &destination.secrets["urls"][place];
        (url["id"].as_str().unwrap().to_owned(), url["url"].as_str().unwrap().to_owned())
    };
    assert_eq!(of(&after, 3), of(&before, 0));
    let mut twice = [of(&after, 0), of(&after, 2)];
    twice.sort();
    assert_eq!(twice, [of(&before, 1), of(&before, 2)]);
    assert!((0..3).all(|place| of(&before, place).0 != of(&after, 1).0), "a new one is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_two_people_subscribe_at_once_has_the_keys_of_its_owner() {
    let house = House::new().await;
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    let endpoint = "https://push.example.org/1";
    let mut bobs = house.pool().begin().await.unwrap();
    sqlx::query(
        "INSERT INTO web_push_subscriptions (id, user_id, endpoint, p256dh, auth) VALUES ($1, $2, $3, 'b', 'b')",
    )
    .bind(Uuid::now_v7())
    .bind(bob.uuid())
    .bind(endpoint)
    .execute(&mut *bobs)
    .await
    .unwrap();
    let pool = house.pool().clone();
    let adding = tokio::spawn(async move {
        let new = NewSubscription { endpoint, p256dh: "a", auth: "a", label: None };
        web_push_subscriptions::add(&pool, alice, new).await.unwrap()
    });
    eventually("alice waits for bob", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(house.pool())
        .await
        .unwrap();
        waiting == 1
    })
    .await;
    bobs.commit().await.unwrap();
    let added = tokio::time::timeout(Duration::from_secs(60), adding).await.unwrap().unwrap();
    assert_eq!(web_push_subscriptions::of_user(house.pool(), bob).await.unwrap(), []);
    let hers = web_push_subscriptions::of_user(house.pool(), alice).await.unwrap();
    assert_eq!(hers, std::slice::from_ref(&added));
    // The same one again keeps its id.
    let new = NewSubscription { endpoint, p256dh: "c", auth: "c", label: None };
    let again = web_push_subscriptions::add(house.pool(), alice, new).await.unwrap();
    assert_eq!((again.id, again.created_at, again.p256dh.as_str()), (added.id, added.created_at, "c"));
    let taken = web_push_subscriptions::add(house.pool(), bob, new).await.unwrap();
    assert_ne!(taken.id, added.id, "what is queued for alice does not reach bob");
}
