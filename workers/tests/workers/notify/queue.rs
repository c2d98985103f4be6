//! The queue: leases, quiet hours, digests, bursts, and channels that do not wait for one another.

use super::receiver::Receiver;
use super::{House, at, hour, quick};
use chrono::{TimeDelta, Utc};
use database::testing::eventually;
use operational::notification_channels::{self, Channel};
use operational::notification_deliveries::{self, Ended};
use operational::notification_settings::Settings;
use operational::notifications::{self, Kind, Telling};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;
use workers::deliveries::{MOST_TRIES, NotTried, Options};

#[tokio::test(flavor = "multi_thread")]
async fn a_telling_that_is_taken_back_leaves_nothing_to_send() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/")})).await;
    let telling = Telling {
        id: Uuid::now_v7(),
        user_id: alice,
        kind: Kind::WishlistBackInStock,
        about: "one".to_owned(),
        payload: json!({}),
        at: Utc::now(),
    };
    let mut transaction = house.pool().begin().await.unwrap();
    assert!(notifications::tell(&mut transaction, &telling).await.unwrap());
    transaction.rollback().await.unwrap();
    assert_eq!(house.all().await, []);
    assert!(house.tell(alice, "one").await, "it was never told");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_channel_and_one_slow_person_delay_nobody_else() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.switch_on(Channel::Webhook, json!({})).await;
    house.switch_on(Channel::Ntfy, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/hangs")})).await;
    house.wants(alice, Channel::Ntfy, json!({"url": receiver.url("/"), "topic": "alice"})).await;
    house.wants(bob, Channel::Webhook, json!({"url": receiver.url("/bob")})).await;
    let abouts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    house.tell_all(alice, &abouts).await;
    house.tell(bob, "one").await;
    let deliveries = house.deliveries(quick());
    let _running = deliveries.run();
    let paths = |path: &str| receiver.got().iter().filter(|one| one.path == path).count();
    eventually("all else arrives", async || paths("/alice") == 200 && paths("/bob") == 1).await;
    assert!(paths("/hangs") <= 8, "{}", paths("/hangs"));
    assert_eq!(house.in_state("delivered").await, 201, "none of those that hang");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_ten_thousand_drains_at_a_bounded_rate_and_each_arrives_once() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    house.switch_on(Channel::Webhook, json!({})).await;
    let mut people = Vec::new();
    for number in 0..20 {
        let person = house.person(&format!("person{number}")).await;
        house.wants(person, Channel::Webhook, json!({"url": receiver.url("/")})).await;
        people.push(person);
    }
    for person in &people {
        let abouts: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        house.tell_all(*person, &abouts).await;
    }
    assert_eq!(house.in_state("pending").await, 10_000);
    // Two processes at once.
    let per_second = 500;
    let options = Options { per_second: per_second.try_into().unwrap(), ..quick() };
    let begun = std::time::Instant::now();
    let (one, other) = (house.deliveries(options), house.deliveries(options));
    let (first, second) = (one.run(), other.run());
    eventually("all arrive", async || house.in_state("delivered").await == 10_000).await;
    let took = begun.elapsed();
    first.stop().await;
    second.stop().await;
    let ids: Vec<String> =
        receiver.got().iter().map(|one| one.json()["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 10_000);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 10_000);
    // A second's worth may go at once, at the beginning.
    assert!(took > Duration::from_secs(8), "{took:?} is faster than allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_left_behind_is_taken_up_when_its_lease_is_over_and_not_before() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/")})).await;
    house.tell(alice, "one").await;
    let take = async |lease| house.take(10, lease).await.claimed;
    let lost = take(TimeDelta::hours(1)).await.remove(0);
    assert_eq!(take(TimeDelta::hours(1)).await, [], "somebody has it");
    sqlx::query("UPDATE notification_deliveries SET leased_until = now()")
        .execute(house.pool())
        .await
        .unwrap();
    let found = take(TimeDelta::hours(1)).await.remove(0);
    assert_eq!((found.id, found.attempts), (lost.id, 2));
    assert!(!notification_deliveries::end(house.pool(), &lost, Ended::Refused, "late").await.unwrap());
    assert!(notification_deliveries::end(house.pool(), &found, Ended::Sent, "there").await.unwrap());
    assert_eq!(house.outcomes(found.id).await, ["unknown", "sent"]);
    assert_eq!(house.in_state("delivered").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_too_often_is_dead_until_somebody_has_it_tried_again() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/fails")})).await;
    house.tell(alice, "one").await;
    let deliveries = house.deliveries(quick());
    let _running = deliveries.run();
    eventually("it is given up", async || {
        house.hurry().await;
        house.in_state("dead").await == 1
    })
    .await;
    let dead = house.all().await.remove(0);
    assert_eq!(u32::try_from(dead.attempts).unwrap(), MOST_TRIES);
    assert_eq!(receiver.got().len(), usize::try_from(dead.attempts).unwrap());
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/mended")})).await;
    assert!(notification_deliveries::retry(house.pool(), dead.id).await.unwrap().is_some());
    eventually("it arrives", async || house.in_state("delivered").await == 1).await;
    assert_eq!(notification_deliveries::retry(house.pool(), dead.id).await.unwrap(), None, "it is not dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_gone_suspended_or_hides_it_gets_nothing() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    house.switch_on(Channel::Webhook, json!({})).await;
    let mut people = Vec::new();
    for name in ["alice", "bob", "carol", "dave", "erin"] {
        let person = house.person(name).await;
        house.wants(person, Channel::Webhook, json!({"url": receiver.url(&format!("/{name}"))})).await;
        people.push(person);
    }
    let nsfw = |person, about: &str| Telling {
        id: Uuid::now_v7(),
        user_id: person,
        kind: Kind::AchievementUnlocked,
        about: about.to_owned(),
        payload: json!({"code": "nsfw_5", "tier": "bronze", "is_nsfw": true}),
        at: Utc::now(),
    };
    let hide = "UPDATE users SET nsfw_visibility = 'hide' WHERE username = ANY ($1)";
    sqlx::query(hide).bind(vec!["alice"]).execute(house.pool()).await.unwrap();
    let mut transaction = house.pool().begin().await.unwrap();
    for person in [people[0], people[1], people[4]] {
        notifications::tell(&mut transaction, &nsfw(person, "one")).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(house.all().await.len(), 2, "alice hides such things");
    house.tell(people[2], "one").await;
    house.tell(people[3], "one").await;
    sqlx::query(hide).bind(vec!["bob"]).execute(house.pool()).await.unwrap();
    sqlx::query("UPDATE users SET suspended_at = now() WHERE username = 'carol'")
        .execute(house.pool())
        .await
        .unwrap();
    notification_channels::set_destination(house.pool(), people[3], Channel::Webhook, None).await.unwrap();
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("all are done with", async || {
        house.in_state("dropped").await == 3 && house.in_state("delivered").await == 1
    })
    .await;
    running.stop().await;
    let paths: Vec<String> = receiver.got().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/erin"]);
    assert!(!house.tell(people[2], "one").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_hold_back_and_a_digest_says_it_all_at_once() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.switch_on(Channel::Webhook, json!({})).await;
    for (person, path) in [(alice, "/alice"), (bob, "/bob")] {
        house.wants(person, Channel::Webhook, json!({"url": receiver.url(path)})).await;
    }
    let quiet = Settings { quiet_from: hour("22:00:00"), quiet_until: hour("07:30:00"), digest_at: None };
    house.settings(alice, quiet).await;
    house.settings(bob, Settings { digest_at: hour("18:00:00"), ..quiet }).await;
    let now = at("2026-07-01T22:15:00Z");
    let mut transaction = house.pool().begin().await.unwrap();
    for (person, about) in [(alice, "one"), (bob, "one"), (bob, "two")] {
        let telling = Telling {
            id: Uuid::now_v7(),
            user_id: person,
            kind: Kind::WishlistBackInStock,
            about: about.to_owned(),
            payload: json!({"figure": {"name": about}, "store": {"name": "Harbour"}, "url": "-"}),
            at: now,
        };
        assert!(notifications::tell_at(&mut transaction, &telling, now).await.unwrap());
    }
    transaction.commit().await.unwrap();
    let due = async |state: &str| -> Vec<_> {
        house.all().await.into_iter().filter(|one| one.state == state).map(|one| one.due_at).collect()
    };
    assert_eq!(due("pending").await, [at("2026-07-02T07:30:00Z")]);
    assert_eq!(due("collecting").await, [at("2026-07-02T18:00:00Z")], "both in one");
    // Both times are past by the real clock.
    house.settings(alice, Settings::default()).await;
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("both arrive", async || house.in_state("delivered").await == 2).await;
    house.tell(bob, "three").await;
    assert_eq!(due("collecting").await.len(), 1, "the next digest begins");
    running.stop().await;
    let got = receiver.got();
    let digest = got.iter().find(|one| one.path == "/bob").unwrap().json();
    assert_eq!(
        (&digest["event_type"], digest["payload"]["notifications"].as_array().unwrap().len()),
        (&json!("digest"), 2)
    );
    let text = digest["text"].as_str().unwrap();
    assert!(text.contains("has one again") && text.contains("has two again"), "{text}");
    assert_eq!(got.iter().filter(|one| one.path == "/alice").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_in_quiet_hours_is_put_off_without_counting() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Webhook, json!({})).await;
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/")})).await;
    house.tell(alice, "one").await;
    let now = Utc::now().time();
    let (from, until) = (now - TimeDelta::hours(1), now + TimeDelta::hours(2));
    house
        .settings(alice, Settings { quiet_from: Some(from), quiet_until: Some(until), digest_at: None })
        .await;
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("it is put off", async || house.all().await[0].due_at > Utc::now() + TimeDelta::hours(1))
        .await;
    running.stop().await;
    let one = house.all().await.remove(0);
    assert_eq!((one.state.as_str(), one.attempts), ("pending", 0));
    assert_eq!(receiver.got().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_out_at_once_and_says_what_came_back_and_not_too_often() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    let deliveries = house.deliveries(quick());
    assert!(matches!(deliveries.test(alice, Channel::Webhook).await, Err(NotTried::Off)));
    house.switch_on(Channel::Webhook, json!({})).await;
    assert!(matches!(deliveries.test(alice, Channel::Webhook).await, Err(NotTried::NoDestination)));
    house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/ok")})).await;
    for _ in 0..10 {
        let said = deliveries.test(alice, Channel::Webhook).await.unwrap();
        assert_eq!(said, [Ok("it answered 200 OK".to_owned())]);
    }
    assert!(matches!(deliveries.test(alice, Channel::Webhook).await, Err(NotTried::TooMany(_))));
    let tests: Vec<Value> = receiver.got().iter().map(super::receiver::Got::json).collect();
    assert!(tests.len() == 10 && tests.iter().all(|one| one["event_type"] == "test"));
    assert_eq!(house.all().await, [], "a test is on no queue");
}
