use crate::support::*;
use chrono::TimeDelta;
use database::testing::TestDb;
use domain::stream::{Event, Position, StreamId, Version};
use domain::world::State;
use event_store::{EventFilter, EventStore, ExecuteError, Options, StoreError};
use futures::StreamExt;
use std::time::Duration;

async fn insert_raw(store: &EventStore, stream: &StreamId, version: i64, event_type: &str, payload: &str) {
    sqlx::query(
        "INSERT INTO events (position, sequence, recorded_at, event_id, aggregate_type, aggregate_id, event_type,
                             event_version, payload, metadata)
         SELECT coalesce(max(position), 0) + 1, $1, now(), gen_random_uuid(), $2, $3, $4, '1', $5::json,
                json_build_object('command_id', gen_random_uuid()) FROM events",
    )
    .bind(version)
    .bind(stream.aggregate_type())
    .bind(stream.aggregate_id())
    .bind(event_type)
    .bind(payload)
    .execute(store.pool())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stands_in_its_place_and_stops_only_its_own_stream() {
    let (_db, store) = fresh().await;
    let (good, poisoned, future, stray) = (user(), user(), user(), user());
    store.execute(&Add(good, figure()), &by(good)).await.unwrap();
    let stream = StreamId::Collection;
    insert_raw(&store, &stream(poisoned), 1, "collection.wished", r#"{"wished":{"figure_id":7}}"#).await;
    insert_raw(&store, &stream(future), 1, "collection.piece_scanned", r#"{"piece_scanned":{}}"#).await;
    insert_raw(&store, &stream(stray), 1, "figure.nsfw_marked", r#"{"nsfw_marked":{"is_nsfw":true}}"#).await;
    store.execute(&Add(good, figure()), &by(good)).await.unwrap();

    let read = store.read_after(Position(0), 100).await.unwrap();
    let readable: Vec<bool> = read.iter().map(Result::is_ok).collect();
    assert_eq!(readable, [true, false, false, false, true]);
    let poison = read[1].as_ref().unwrap_err();
    assert_eq!((poison.position, poison.version), (Position(2), Version(1)));
    assert_eq!(&*poison.stream_id, poisoned.to_string());

    for user in [poisoned, future, stray] {
        let failed = store.execute(&Add(user, figure()), &by(user)).await;
        assert!(matches!(failed, Err(ExecuteError::Undecodable(_))), "{failed:?}");
        assert!(matches!(store.state_at(&stream(user), None).await, Err(StoreError::Undecodable(_))));
        assert!(store.load_stream(&stream(user)).await.unwrap()[0].is_err());
    }
    let raw = store.inspect(&EventFilter::default(), 100).await.unwrap();
    assert_eq!(raw.len(), 5);
    assert_eq!(raw[1].payload.get(), r#"{"wished":{"figure_id":7}}"#);
    assert!(raw[0].undecodable.is_none() && raw[1].undecodable.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_streams_in_order_from_any_position_to_its_end() {
    let (_db, store) = fresh().await;
    let owner = user();
    for _ in 0..3 {
        store.execute(&AddMany(owner, 3_700), &by(owner)).await.unwrap();
    }
    let log = log(&store).await;
    for after in [0, 1, 11_099, 11_100, 20_000] {
        let chunks: Vec<_> = store.stream_all(Position(after)).collect().await;
        let streamed: Vec<_> = chunks.into_iter().flat_map(Result::unwrap).map(Result::unwrap).collect();
        let from = usize::try_from(after).unwrap().min(log.len());
        assert!(streamed == log[from..], "after {after}: {} events", streamed.len());
    }
    assert!(
        store
            .read_after(Position(5), 3)
            .await
            .unwrap()
            .into_iter()
            .map(Result::unwrap)
            .eq(log[5..8].to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_can_be_had_at_any_version() {
    let db = TestDb::new().await;
    let store = open_with(&db.pool, Options { snapshot_every: 60, ..Options::default() }).await;
    let owner = user();
    let stream = StreamId::Collection(owner);
    for _ in 0..7 {
        store.execute(&AddMany(owner, 25), &by(owner)).await.unwrap();
    }
    let events = store.load_stream(&stream).await.unwrap();
    let mut state = State::empty(&stream);
    assert_eq!(store.state_at(&stream, Some(Version::NONE)).await.unwrap(), (state.clone(), Version::NONE));
    for event in events {
        let event = event.unwrap();
        state.apply(&event.event);
        if [1, 2, 99, 100, 101, 125, 126, 174, 175].contains(&event.version.0) {
            assert_eq!(
                store.state_at(&stream, Some(event.version)).await.unwrap(),
                (state.clone(), event.version)
            );
        }
    }
    assert_eq!(store.state_at(&stream, None).await.unwrap(), (state.clone(), Version(175)));
    assert_eq!(store.state_at(&stream, Some(Version(9_999))).await.unwrap(), (state, Version(175)));
    let nothing = StreamId::Collection(user());
    assert_eq!(store.versions(&[nothing, stream]).await.unwrap(), [Version::NONE, Version(175)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_learns_of_appends_of_its_own_and_of_other_processes() {
    let db = TestDb::new().await;
    let never = Duration::from_secs(3_600);
    let one = open_with(&db.pool, Options { poll_every: never, ..Options::default() }).await;
    let two = open_with(&db.pool, Options { poll_every: never, ..Options::default() }).await;
    let owner = user();
    let (mut at_one, mut at_two) = (one.subscribe(), two.subscribe());
    for _ in 0..5 {
        let done = one.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
        until_told(&mut at_one, done.position).await;
        until_told(&mut at_two, done.position).await;
    }
    // A listener that lost its connection comes back and catches up.
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'figure-ledger listener' AND datname = current_database()",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    let done = one.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    until_told(&mut at_two, done.position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_learns_of_events_whose_notification_got_lost() {
    let db = TestDb::new().await;
    let store =
        open_with(&db.pool, Options { poll_every: Duration::from_millis(20), ..Options::default() }).await;
    let mut head = store.subscribe();
    insert_raw(&store, &StreamId::Collection(user()), 1, "collection.wished", "{}").await;
    until_told(&mut head, Position(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_raw_log_can_be_filtered() {
    let (_db, store) = fresh().await;
    let (a, b) = (user(), user());
    let figure = figure();
    store.execute(&Wish(a, figure), &by(a)).await.unwrap();
    store.execute(&Wish(b, figure), &by(b)).await.unwrap();
    store.execute(&Add(a, figure), &by(None)).await.unwrap();
    store.execute(&NameStore("mandarake"), &by(b)).await.unwrap();
    let log = log(&store).await;
    let shown = async |filter: EventFilter| {
        let shown = store.inspect(&filter, 100).await.unwrap();
        shown.into_iter().map(|e| e.position.0).collect::<Vec<_>>()
    };
    let all = EventFilter::default;
    assert_eq!(shown(all()).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(shown(EventFilter { after: Position(4), ..all() }).await, [5, 6]);
    assert_eq!(shown(EventFilter { stream_type: Some("collection".into()), ..all() }).await, [1, 2, 3, 4]);
    assert_eq!(shown(EventFilter { stream_id: Some(a.to_string()), ..all() }).await, [1, 3, 4]);
    assert_eq!(shown(EventFilter { event_type: Some("collection.wished".into()), ..all() }).await, [1, 2]);
    assert_eq!(shown(EventFilter { actor: Some(b), ..all() }).await, [2, 5, 6]);
    assert_eq!(shown(EventFilter { stream_id: Some("\0".into()), ..all() }).await, [0; 0]);
    let (second, third) = (log[1].recorded_at, log[2].recorded_at);
    assert_eq!(shown(EventFilter { since: Some(third), ..all() }).await, [3, 4, 5, 6]);
    assert_eq!(shown(EventFilter { until: Some(second), ..all() }).await, [1, 2]);
    assert_eq!(shown(EventFilter { since: Some(second), until: Some(third), ..all() }).await, [2, 3, 4]);
    assert_eq!(store.inspect(&all(), 2).await.unwrap().len(), 2);

    let micro = TimeDelta::microseconds(1);
    assert_eq!(store.position_at(log[0].recorded_at - micro).await.unwrap(), Position(0));
    assert_eq!(store.position_at(third).await.unwrap(), Position(4));
    assert_eq!(store.position_at(third - micro).await.unwrap(), Position(2));
    assert_eq!(store.position_at(log[5].recorded_at + TimeDelta::days(1)).await.unwrap(), Position(6));

    let counts = store.counts().await.unwrap();
    assert_eq!((counts.head, counts.events, counts.streams), (Position(6), 6, 4));
    assert_eq!(counts.by_type[0], ("collection.wished".to_owned(), 2));
    let streams: Vec<(&str, i64)> = counts.streams_by_type.iter().map(|(t, n)| (t.as_str(), *n)).collect();
    assert_eq!(streams, [("claim", 1), ("collection", 2), ("entity", 1)]);
    assert!(counts.bytes > 0);
    let of_a = StreamId::Collection(a);
    let versions = async |after, limit| {
        let events = store.inspect_stream(&of_a, Version(after), limit).await.unwrap();
        events.into_iter().map(|e| (e.version.0, e.position.0)).collect::<Vec<_>>()
    };
    assert_eq!(versions(0, 2).await, [(1, 1), (2, 3)]);
    assert_eq!(versions(2, 9).await, [(3, 4)]);
    assert_eq!(versions(3, 9).await, []);
    assert_eq!(counts.first_recorded_at, Some(log[0].recorded_at));
    let payload: serde_json::Value =
        serde_json::from_str(store.inspect(&all(), 1).await.unwrap()[0].payload.get()).unwrap();
    let Event::Collection(first) = &log[0].event else { panic!("not a collection's event") };
    assert_eq!(payload, serde_json::to_value(first).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_no_text_any_more_is_named_in_its_place_and_hides_no_other() {
    let (db, store) = fresh().await;
    let owner = user();
    for _ in 0..3 {
        store.execute(&Add(owner, figure()), &by(owner)).await.unwrap();
    }
    // As a damaged page would hold it: nothing checks what is read back.
    for sql in [
        "CREATE CAST (bytea AS json) WITHOUT FUNCTION",
        "BEGIN; SET LOCAL figure_ledger.erasure = 'on';
         UPDATE events SET payload = '\\x7b22ff227d'::bytea::json WHERE position = 2; COMMIT",
    ] {
        sqlx::raw_sql(sql).execute(&db.pool).await.unwrap();
    }
    let read = store.read_after(Position(0), 10).await.unwrap();
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let named = read[1].as_ref().unwrap_err();
    assert_eq!((named.position, named.version), (Position(2), Version(2)));
    assert!(named.reason.contains("not text"), "{named}");
    let of_owner = store.read_of(owner, Position(0), Position(9), 10).await.unwrap();
    assert_eq!(of_owner.events, read);
    let state = store.state_at(&StreamId::Collection(owner), None).await;
    assert!(matches!(state, Err(StoreError::Undecodable(u)) if u == *named));
    let raw = store.inspect(&EventFilter::default(), 10).await.unwrap();
    assert_eq!(raw.iter().filter(|e| e.undecodable.is_some()).count(), 1);
    assert!(raw[1].payload.get().contains('\u{fffd}'));
}
