use crate::support::*;
use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore};
use cqrs_es::{AggregateContext, AggregateError, CqrsFramework, EventStore as _};
use domain::claim::{Claim, ClaimCode};
use domain::collection::{Collection, CollectionCommand};
use domain::entity::Entity;
use domain::figure::Figure;
use domain::ids::CabinetId;
use domain::preorder::Preorder;
use domain::refusal::Code;
use domain::stream::{Event, StreamId, Version};
use domain::text::Location;
use domain::world::State;
use event_store::{EventStore, LedgerAggregate};
use postgres_es::PostgresEventRepository;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What the stock repository and the stock store make of a stream, and what we do.
async fn assert_same<A: LedgerAggregate>(store: &EventStore, stream: &StreamId) {
    let id = stream.aggregate_id();
    let stock =
        PersistedEventStore::<_, A>::new_event_store(PostgresEventRepository::new(store.pool().clone()));
    let mut loaded = stock.load_aggregate(&id).await.unwrap();
    let (ours, version) = store.state_at(stream, None).await.unwrap();
    let ours = A::of(ours).unwrap();
    assert_eq!(
        serde_json::to_value(loaded.aggregate()).unwrap(),
        serde_json::to_value(&ours).unwrap(),
        "{stream}"
    );
    let theirs = stock.load_events(&id).await.unwrap();
    let through_us: Vec<cqrs_es::EventEnvelope<A>> = store.load_events(&id).await.unwrap();
    assert_eq!(theirs.len(), usize::try_from(version.0).unwrap());
    for (a, b) in theirs.iter().zip(&through_us) {
        assert_eq!((&a.aggregate_id, a.sequence, &a.metadata), (&b.aggregate_id, b.sequence, &b.metadata));
        assert_eq!(a.payload, b.payload);
    }
}

pub async fn assert_all_same(store: &EventStore) {
    let streams: BTreeSet<_> = log(store).await.into_iter().map(|e| e.stream).collect();
    for stream in &streams {
        match stream {
            StreamId::Collection(_) => assert_same::<Collection>(store, stream).await,
            StreamId::Preorder(_) => assert_same::<Preorder>(store, stream).await,
            StreamId::Figure(_) => assert_same::<Figure>(store, stream).await,
            StreamId::Entity(_) => assert_same::<Entity>(store, stream).await,
            StreamId::Claim(_) => assert_same::<Claim>(store, stream).await,
        }
    }
}

/// One event of every type, as the domain's fixtures have them, each in a stream of its own.
async fn write_fixtures(store: &EventStore) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/fixtures");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped the fixtures: {folder} is not there");
        return 0;
    };
    let mut written = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some((event_type, version)) = name.strip_suffix(".json").and_then(|n| n.rsplit_once(".v")) else {
            continue;
        };
        let payload = std::fs::read_to_string(&path).unwrap();
        match domain::upcast::decode(event_type, version, &payload).unwrap() {
            Event::Collection(e) => commit::<Collection>(store, Uuid::now_v7().to_string(), e).await,
            Event::Preorder(e) => commit::<Preorder>(store, Uuid::now_v7().to_string(), e).await,
            Event::Figure(e) => commit::<Figure>(store, Uuid::now_v7().to_string(), e).await,
            Event::Entity(e) => commit::<Entity>(store, Uuid::now_v7().to_string(), e).await,
            Event::Claim(e) => commit::<Claim>(store, format!("import:fixture:{written}"), e).await,
        }
        written += 1;
    }
    written
}

async fn commit<A: LedgerAggregate>(store: &EventStore, id: String, event: A::Event) {
    let context = cqrs_es::EventStore::<A>::load_aggregate(store, &id).await.unwrap();
    let committed = store.commit(vec![event.clone()], context, HashMap::new()).await.unwrap();
    assert_eq!(committed[0].payload, event);
    assert_eq!(committed[0].sequence, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_repository_loads_every_stream_and_comes_to_the_same_state() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    store.execute(&Add(owner, figure), &by(owner)).await.unwrap();
    store.execute(&CreateCabinet(owner, "棚"), &by(owner)).await.unwrap();
    store.execute(&AddMany(owner, 150), &by(owner)).await.unwrap();
    store.execute(&NameStore("amiami"), &by(owner)).await.unwrap();
    store.execute(&Claim2(ClaimCode::mfc(7), figure), &by(None)).await.unwrap();
    let written = write_fixtures(&store).await;
    assert_all_same(&store).await;
    assert_eq!(log(&store).await.len(), 2 + 1 + 1 + 150 + 2 + 1 + written);
}

use crate::support::Claim as Claim2;

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_repository_reads_our_snapshots() {
    let (db, store) = fresh().await;
    let owner = user();
    store.execute(&AddMany(owner, 500), &by(owner)).await.unwrap();
    until(async || {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM snapshots").fetch_one(&db.pool).await.unwrap();
        n == 1
    })
    .await;
    let stock = PostgresEventRepository::new(db.pool.clone());
    let snapshot = stock.get_snapshot::<Collection>(&owner.to_string()).await.unwrap().unwrap();
    assert_eq!((snapshot.current_sequence, snapshot.current_snapshot), (500, 1));
    let state: Collection = serde_json::from_value(snapshot.aggregate).unwrap();
    assert_eq!(state, *collection(&store, owner).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_framework_runs_commands_on_this_log() {
    let (_db, store) = fresh().await;
    let framework = CqrsFramework::<Collection, _>::new(store.clone(), vec![], ());
    let owner = user();
    let id = owner.to_string();
    let create = |name: &str| CollectionCommand::CreateCabinet {
        cabinet_id: CabinetId(Uuid::now_v7()),
        name: Location::new(name).unwrap(),
    };
    let actor = HashMap::from([("actor".to_owned(), id.clone())]);
    framework.execute_with_metadata(&id, create("Shelf"), actor).await.unwrap();
    framework.execute(&id, create("Box")).await.unwrap();
    let refused = framework.execute(&id, create("SHELF")).await;
    assert!(matches!(refused, Err(AggregateError::UserError(r)) if r.code == Code::CabinetNameTaken));
    assert!(framework.execute("no uuid", create("Shelf")).await.is_err());

    let log = log(&store).await;
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].owner, log[0].metadata.actor), (Some(owner), Some(owner)));
    assert_eq!((log[1].owner, log[1].metadata.actor), (Some(owner), None));
    // And our own commands go on from there.
    store.execute(&CreateCabinet(owner, "Loft"), &by(owner)).await.unwrap();
    let (state, version) = store.state_at(&StreamId::Collection(owner), None).await.unwrap();
    assert_eq!(version, Version(3));
    assert!(matches!(state, State::Collection(c) if c.cabinets.len() == 3));
    assert_all_same(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_framework_is_told_of_a_conflict() {
    let (_db, store) = fresh().await;
    let owner = user();
    let context =
        cqrs_es::EventStore::<Collection>::load_aggregate(&store, &owner.to_string()).await.unwrap();
    store.execute(&Wish(owner, figure()), &by(owner)).await.unwrap();
    let event = domain::collection::CollectionEvent::Wished { figure_id: figure(), target: None, note: None };
    let outcome = store.commit(vec![event], context, HashMap::new()).await;
    assert!(matches!(outcome, Err(AggregateError::AggregateConflict)));
}
