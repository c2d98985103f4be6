use crate::support::*;
use cqrs_es::EventStore as _;
use domain::claim::ClaimCode;
use domain::collection::{Collection, CollectionEvent};
use domain::ids::EntityId;
use domain::refusal::Code;
use domain::stream::{Position, StreamId, Version};
use event_store::{ExecuteError, Options};
use futures::future::join_all;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_command_is_in_the_log_with_all_that_is_known_of_it() {
    let (_db, store) = fresh().await;
    let (user, figure) = (user(), figure());
    let how = by(user);
    let done = store.execute(&Add(user, figure), &how).await.unwrap();
    let log = log(&store).await;
    assert_eq!(log, done.events);
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].position, done.position);
    assert_eq!(log[0].stream, StreamId::Collection(user));
    assert_eq!(log[0].version, Version(1));
    assert_eq!(log[0].owner, Some(user));
    assert_eq!(log[0].metadata.actor, Some(user));
    assert_eq!(log[0].metadata.command_id, how.circumstances.command_id);
    assert_eq!(done.versions, [(StreamId::Collection(user), Version(1))]);
    assert!(!done.replayed);
    assert_eq!(store.head().await.unwrap(), done.position);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_racing_on_one_stream_all_get_through_and_lose_nothing() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let owner = user();
    let racers = (0..40).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { two.clone() };
        // Half of them as the owner, who waits for a turn, half as the system, which finds out at the append.
        let how = by((n % 4 < 2).then_some(owner));
        tokio::spawn(async move { store.execute(&Add(owner, figure()), &how).await.unwrap().answer })
    });
    let pieces: HashSet<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
    let (state, version) = collection(&one, owner).await;
    assert_eq!(version, Version(40));
    assert_eq!(state.pieces.keys().copied().collect::<HashSet<_>>(), pieces);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_read_is_checked_though_the_appender_has_never_looked_at_it() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let (anna, ben) = (user(), user());
    // The second process remembers Anna's collection; the first one changes it.
    two.execute(&Add(anna, figure()), &by(anna)).await.unwrap();
    one.execute(&Add(anna, figure()), &by(anna)).await.unwrap();
    // The second looks where the log stands, for something else.
    two.execute(&Add(ben, figure()), &by(ben)).await.unwrap();
    assert_eq!(two.execute(&Envy(anna, ben), &by(ben)).await.unwrap().answer, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_racing_for_one_code_exactly_one_wins() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let racers = (0..12).map(|n| {
        let store = if n % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { store.execute(&NameStore("amiami"), &by(user())).await })
    });
    let outcomes: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<EntityId> = outcomes.iter().filter_map(|o| o.as_ref().ok().map(|d| d.answer)).collect();
    assert_eq!(won.len(), 1);
    for outcome in &outcomes {
        if let Err(error) = outcome {
            assert!(matches!(error, ExecuteError::Refused(r) if r.code == Code::AlreadyExists), "{error}");
        }
    }
    // The losers left nothing behind in the other stream either.
    let log = log(&one).await;
    let streams: BTreeSet<_> = log.iter().map(|e| e.stream.clone()).collect();
    assert_eq!(log.len(), 2);
    assert!(streams.contains(&StreamId::Entity(won[0])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_polls_during_heavy_writing_sees_every_position_in_order() {
    let db = TestDb::new().await;
    let stores = [open(&db.pool).await, open(&db.pool).await, open(&db.pool).await];
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (stores[0].clone(), done.clone());
        tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut after = Position(0);
            loop {
                let last_round = done.load(Ordering::SeqCst);
                let events = store.read_after(after, 7).await.unwrap();
                for event in &events {
                    let event = event.as_ref().unwrap();
                    assert!(event.position > after);
                    after = event.position;
                    seen.push((event.position, event.event_id));
                }
                if last_round && events.is_empty() {
                    return seen;
                }
            }
        })
    };
    let writers = (0..48).map(|n| {
        let store = stores[n % 3].clone();
        tokio::spawn(async move {
            let owner = user();
            for i in 0..8 {
                if i % 4 == 3 {
                    store.execute(&AddMany(owner, 5), &by(owner)).await.unwrap();
                } else {
                    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    let log = log(&stores[0]).await;
    assert_eq!(log.len(), 48 * (6 + 2 * 5));
    assert_eq!(seen, log.iter().map(|e| (e.position, e.event_id)).collect::<Vec<_>>());

    // Streams are numbered without gaps, in the order of the log; time never goes back along it.
    let mut versions: HashMap<StreamId, Version> = HashMap::new();
    for event in &log {
        let version = versions.entry(event.stream.clone()).or_default();
        *version = version.next();
        assert_eq!(*version, event.version);
    }
    assert!(log.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at));
    assert_eq!(log.iter().map(|e| e.event_id).collect::<HashSet<_>>().len(), log.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn time_does_not_go_back_when_the_clock_does() {
    let (db, store) = fresh().await;
    let owner = user();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    sqlx::query(
        "INSERT INTO events SELECT position + 5, 1, now() + interval '1 hour', event_id, null, aggregate_type,
         $1, event_type, event_version, payload, metadata FROM events",
    )
    .bind(user().to_string())
    .execute(&db.pool)
    .await
    .unwrap();
    store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    let log = log(&store).await;
    assert_eq!(log.iter().map(|e| e.position.0).collect::<Vec<_>>(), [1, 6, 7]);
    assert_eq!(log[1].recorded_at, log[2].recorded_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_queue_together_share_commits() {
    let (db, store) = fresh().await;
    let lock = HeldLock::take(&db).await;
    let commands: Vec<_> = (0..100)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let owner = user();
                store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
            })
        })
        .collect();
    until_waiting_for_lock(&db, 1).await;
    lock.let_go().await;
    for command in commands {
        command.await.unwrap();
    }
    let commits: i64 = sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM events")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert!(commits < 50, "{commits} commits for 100 commands");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_was_outrun_fails_alone_in_its_batch() {
    let (db, store) = fresh().await;
    let (a, b) = (user(), user());
    let load = async |user: domain::ids::UserId| {
        let loaded: event_store::LoadedAggregate<Collection> =
            store.load_aggregate(&user.to_string()).await.unwrap();
        loaded
    };
    let loaded = [load(a).await, load(a).await, load(b).await];
    let lock = HeldLock::take(&db).await;
    let appends: Vec<_> = loaded
        .into_iter()
        .map(|context| {
            let store = store.clone();
            tokio::spawn(async move {
                let event = CollectionEvent::Wished { figure_id: figure(), target: None, note: None };
                store.commit(vec![event], context, HashMap::new()).await.is_ok()
            })
        })
        .collect();
    until_waiting_for_lock(&db, 1).await;
    lock.let_go().await;
    let outcomes: Vec<bool> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    assert!(outcomes[0] ^ outcomes[1], "{outcomes:?}");
    assert!(outcomes[2]);
    assert_eq!(log(&store).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_the_database_refuses_fails_alone_in_its_batch() {
    let (db, store) = fresh().await;
    // Too long for an index row, and too random to be compressed.
    let noise: String = (0..400).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let lock = HeldLock::take(&db).await;
    let bad = {
        let store = store.clone();
        let code = ClaimCode::import("line", &noise);
        tokio::spawn(async move { store.execute(&Claim(code, figure()), &by(user())).await })
    };
    let good: Vec<_> = (0..10)
        .map(|n| {
            let store = store.clone();
            let code = ClaimCode::import("line", &n.to_string());
            tokio::spawn(async move { store.execute(&Claim(code, figure()), &by(user())).await.map(drop) })
        })
        .collect();
    until_waiting_for_lock(&db, 1).await;
    lock.let_go().await;
    assert!(matches!(bad.await.unwrap(), Err(ExecuteError::Rejected(_))));
    for outcome in join_all(good).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(log(&store).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_larger_than_a_batch_goes_alone() {
    let db = TestDb::new().await;
    let options = Options { batch_events: 10, batch_bytes: 1_000, queue_bytes: 2_000, ..Options::default() };
    let store = open_with(&db.pool, options).await;
    let writers = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let owner = user();
            store.execute(&AddMany(owner, 3_000), &by(owner)).await.unwrap();
            store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(log(&store).await.len(), 4 * 3_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_queue_is_full_callers_are_told_so_and_nothing_is_written_for_them() {
    let db = TestDb::new().await;
    let options = Options { queue_length: 1, queue_wait: Duration::from_millis(50), ..Options::default() };
    let store = open_with(&db.pool, options).await;
    let lock = HeldLock::take(&db).await;
    let commands: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let owner = user();
                store.execute(&Add(owner, figure()), &by(owner)).await.map(|d| d.answer)
            })
        })
        .collect();
    until_waiting_for_lock(&db, 1).await;
    until(async || commands.iter().filter(|c| c.is_finished()).count() >= 10).await;
    lock.let_go().await;
    let outcomes: Vec<_> = join_all(commands).await.into_iter().map(Result::unwrap).collect();
    let done = outcomes.iter().filter(|o| o.is_ok()).count();
    assert!(done > 0);
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(ExecuteError::Busy))), "{outcomes:?}");
    assert_eq!(log(&store).await.len(), done);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_named_beforehand_are_loaded_together_and_come_to_the_same() {
    let db = TestDb::new().await;
    let (one, owner) = (open(&db.pool).await, user());
    one.execute(&AddMany(owner, 150), &by(owner)).await.unwrap();
    let short = user();
    one.execute(&AddMany(short, 3), &by(short)).await.unwrap();
    let two = open(&db.pool).await;
    for (user, version) in [(owner, 151), (short, 4), (user(), 1)] {
        let mut how = by(user);
        how.prefetch = [owner, short, user].map(StreamId::Collection).to_vec();
        let done = two.execute(&Add(user, figure()), &how).await.unwrap();
        assert_eq!(done.versions, [(StreamId::Collection(user), Version(version))]);
    }
}

use database::testing::TestDb;
