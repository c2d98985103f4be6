use crate::support::*;
use database::testing::TestDb;
use domain::refusal::Code;
use domain::stream::Position;
use event_store::ExecuteError;

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_decided_on_an_outrun_state_is_decided_again() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let owner = user();
    let cabinet = one.execute(&CreateCabinet(owner, "Shelf"), &by(owner)).await.unwrap().answer;
    two.execute(&DeleteCabinet(owner, cabinet), &by(owner)).await.unwrap();
    // What the first one remembers says that the name is taken.
    one.execute(&CreateCabinet(owner, "shelf"), &by(owner)).await.unwrap();
    // And now it is.
    let refused = one.execute(&CreateCabinet(owner, "Shelf"), &by(owner)).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(r)) if r.code == Code::CabinetNameTaken));
    assert_eq!(log(&one).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_decided_on_an_outrun_state_is_decided_again() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let (owner, figure) = (user(), figure());
    for how in [by(owner), keyed(owner, "key", 1)] {
        one.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
        two.execute(&Unwish(owner, figure), &by(owner)).await.unwrap();
        // What the first one remembers says that it is wished already.
        let done = one.execute(&Wish(owner, figure), &how).await.unwrap();
        assert_eq!(done.events.len(), 1);
        assert!(collection(&two, owner).await.0.wishes.contains_key(&figure));
        two.execute(&Unwish(owner, figure), &by(owner)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doing_nothing_writes_nothing_and_tells_where_that_was_so() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    let wished = store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    let other = user();
    store.execute(&Wish(other, figure), &by(other)).await.unwrap();
    let again = store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    assert_eq!(again.events, []);
    assert_eq!(again.position, wished.position);
    assert_eq!(again.versions, wished.versions);
    assert_eq!(store.head().await.unwrap(), Position(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_outrun_costs_a_retry_and_no_change_is_lost() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let owner = user();
    let mut pieces = Vec::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { &one } else { &two };
        pieces.push(store.execute(&Add(owner, figure()), &by(owner)).await.unwrap().answer);
    }
    let (state, version) = collection(&one, owner).await;
    assert_eq!(version.0, 20);
    assert!(pieces.iter().all(|p| state.pieces.contains_key(p)));
}
