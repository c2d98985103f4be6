use crate::support::*;
use chrono::Utc;
use database::testing::TestDb;
use domain::refusal::Code;
use event_store::ExecuteError;
use futures::future::join_all;
use std::collections::HashSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_same_answer_and_is_done_once() {
    let db = TestDb::new().await;
    let (one, two) = (open(&db.pool).await, open(&db.pool).await);
    let (owner, figure) = (user(), figure());
    let first = one.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
    for store in [&one, &two] {
        let again = store.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
        assert!(again.replayed);
        assert_eq!(again.answer, first.answer);
        assert_eq!(again.position, first.position);
        assert_eq!(again.versions, first.versions);
        assert_eq!(again.events, []);
    }
    assert_eq!(log(&one).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_even_when_the_rules_would_refuse_it_by_now() {
    let (_db, store) = fresh().await;
    let owner = user();
    let piece = store.execute(&Add(owner, figure()), &by(owner)).await.unwrap().answer;
    let first = store.execute(&Delete(owner, piece), &keyed(owner, "k", 1)).await.unwrap();
    let again = store.execute(&Delete(owner, piece), &keyed(owner, "k", 1)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.position, first.position);
    let without = store.execute(&Delete(owner, piece), &keyed(owner, "other", 1)).await;
    assert!(matches!(without, Err(ExecuteError::Refused(r)) if r.code == Code::PieceNotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_for_another_request_is_refused() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    let piece = store.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap().answer;
    let other_body = store.execute(&Add(owner, figure), &keyed(owner, "k", 2)).await;
    assert!(matches!(other_body, Err(ExecuteError::KeyReused)));
    let other_command = store.execute(&Delete(owner, piece), &keyed(owner, "k", 1)).await;
    assert!(matches!(other_command, Err(ExecuteError::KeyReused)));
    let refused_anyway = store.execute(&Unwish(owner, figure), &keyed(owner, "k", 3)).await;
    assert!(matches!(refused_anyway, Err(ExecuteError::KeyReused)));
    assert_eq!(log(&store).await.len(), 1);
    // Keys are each user's own.
    let other = user();
    assert!(!store.execute(&Add(other, figure), &keyed(other, "k", 2)).await.unwrap().replayed);
    assert!(!store.execute(&Add(other, figure), &keyed(None, "k", 3)).await.unwrap().replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_racing_with_one_key_one_is_done_and_all_get_its_answer() {
    let db = TestDb::new().await;
    let stores = [open(&db.pool).await, open(&db.pool).await];
    let (owner, figure) = (user(), figure());
    for actor in [Some(owner), None] {
        let racers = (0..16).map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(
                async move { store.execute(&Add(owner, figure), &keyed(actor, "k", 1)).await.unwrap() },
            )
        });
        let done: Vec<_> = join_all(racers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done.iter().map(|d| d.answer).collect::<HashSet<_>>().len(), 1);
        assert_eq!(done.iter().filter(|d| !d.replayed).count(), 1);
    }
    assert_eq!(log(&stores[0]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn doing_nothing_is_recorded_too() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    let nothing = store.execute(&Wish(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
    assert!(nothing.events.is_empty() && !nothing.replayed);
    store.execute(&Unwish(owner, figure), &by(owner)).await.unwrap();
    // Done anew it would wish again.
    let again = store.execute(&Wish(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.versions, nothing.versions);
    assert!(collection(&store, owner).await.0.wishes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_recorded() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    let refused = store.execute(&Unwish(owner, figure), &keyed(owner, "k", 1)).await;
    assert!(matches!(refused, Err(ExecuteError::Refused(_))));
    store.execute(&Wish(owner, figure), &by(owner)).await.unwrap();
    let done = store.execute(&Unwish(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
    assert!(!done.replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_forgotten_by_age() {
    let (_db, store) = fresh().await;
    let (owner, figure) = (user(), figure());
    let before = Utc::now() - chrono::TimeDelta::hours(24);
    store.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap();
    assert_eq!(store.forget_records(before).await.unwrap(), 0);
    assert!(store.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap().replayed);
    assert_eq!(store.forget_records(Utc::now() + chrono::TimeDelta::hours(1)).await.unwrap(), 1);
    assert!(!store.execute(&Add(owner, figure), &keyed(owner, "k", 1)).await.unwrap().replayed);
}
