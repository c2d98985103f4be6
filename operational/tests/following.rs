//! Who follows whom, against a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use operational::{
    erasures, following,
    passwords::{Cost, Password, Passwords},
    users::{self, NewUser, ProfileChange, User},
};

async fn shown(db: &TestDb, name: &str, public: bool) -> User {
    let passwords = Passwords::new(Cost::Least, 2).unwrap();
    let new = NewUser {
        username: name.parse().unwrap(),
        email: None,
        password: Password::parse("correct horse battery").unwrap(),
        is_admin: false,
    };
    let made = users::create(&db.pool, &passwords, &new).await.unwrap();
    let change = ProfileChange { public_profile: Some(public), ..ProfileChange::default() };
    users::update_profile(&db.pool, &passwords, made.id, &change).await.unwrap()
}

#[tokio::test]
async fn whom_nobody_finds_is_not_followed_and_nobody_follows_themselves() {
    let db = TestDb::new().await;
    let (alice, bob) = (shown(&db, "alice", true).await, shown(&db, "bob", false).await);
    following::follow(&db.pool, alice.id, bob.id).await.unwrap();
    assert!(!following::follows(&db.pool, alice.id, bob.id).await.unwrap());
    assert_eq!(following::find(&db.pool, &"bob".parse().unwrap()).await.unwrap(), None);
    assert_eq!(following::find(&db.pool, &"ALICE".parse().unwrap()).await.unwrap(), Some(alice.clone()));
    assert!(following::follow(&db.pool, alice.id, alice.id).await.is_err());
}

#[tokio::test]
async fn lists_are_in_order_and_go_on_where_they_ended() {
    let db = TestDb::new().await;
    let alice = shown(&db, "alice", true).await;
    for name in ["Cleo", "bob", "dan"] {
        let other = shown(&db, name, true).await;
        following::follow(&db.pool, alice.id, other.id).await.unwrap();
        following::follow(&db.pool, other.id, alice.id).await.unwrap();
    }
    // Of one moment, as an import would make them.
    sqlx::query("UPDATE following SET followed_at = '2026-11-02T08:15:00Z'").execute(&db.pool).await.unwrap();
    let name = |person: &following::Person| person.user.username.clone();
    let first = following::followed_by(&db.pool, alice.id, None, 2).await.unwrap();
    assert_eq!(first.iter().map(name).collect::<Vec<_>>(), ["dan", "Cleo"]);
    let rest = following::followed_by(&db.pool, alice.id, Some(&first[1].key()), 2).await.unwrap();
    assert_eq!(rest.iter().map(name).collect::<Vec<_>>(), ["bob"]);
    assert!(first.iter().chain(&rest).all(|person| person.is_followed));
    let followers = following::followers_of(&db.pool, alice.id, None, 10).await.unwrap();
    assert_eq!(followers.len(), 3);
    let found = following::discover(&db.pool, alice.id, None, Some("bob"), 10).await.unwrap();
    assert_eq!(found.iter().map(name).collect::<Vec<_>>(), ["Cleo", "dan"]);
    assert_eq!(following::counts(&db.pool, alice.id).await.unwrap(), (3, 3));
    assert!(following::unfollow(&db.pool, alice.id, &"CLEO".parse().unwrap()).await.unwrap());
    assert!(!following::unfollow(&db.pool, alice.id, &"cleo".parse().unwrap()).await.unwrap());
    assert_eq!(following::counts(&db.pool, alice.id).await.unwrap(), (3, 2));
}

#[tokio::test]
async fn following_and_being_erased_at_once_leaves_nobody_followed() {
    let db = TestDb::new().await;
    let alice = shown(&db, "alice", true).await;
    for round in 0..20 {
        let other = shown(&db, &format!("other-{round}"), true).await;
        let (followed, erased) = tokio::join!(
            following::follow(&db.pool, alice.id, other.id),
            erasures::begin(&db.pool, other.id, None, None),
        );
        followed.unwrap();
        erased.unwrap();
    }
    assert_eq!(following::counts(&db.pool, alice.id).await.unwrap(), (0, 0));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM following").fetch_one(&db.pool).await.unwrap();
    assert_eq!(rows, 0);
}
