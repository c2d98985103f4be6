//! The tables of this crate against a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use operational::{
    app_settings::{self, SettingError},
    passwords::{Cost, Password, Passwords, TypedPassword},
    sessions,
    share_links::{self, Kind, Shared},
    users::{self, AccessChange, NewUser, ProfileChange, User, UserError},
};

const PASSWORD: &str = "correct horse battery";

fn passwords() -> Passwords {
    Passwords::new(Cost::Least, 2).unwrap()
}

fn person(name: &str, email: Option<&str>) -> NewUser {
    NewUser {
        username: name.parse().unwrap(),
        email: email.map(|address| address.parse().unwrap()),
        password: Password::parse(PASSWORD).unwrap(),
        is_admin: false,
    }
}

async fn make(db: &TestDb, name: &str) -> User {
    users::create(&db.pool, &passwords(), &person(name, None)).await.unwrap()
}

#[tokio::test]
async fn several_accounts_may_have_no_address() {
    let db = TestDb::new().await;
    make(&db, "one").await;
    make(&db, "two").await;
    let found = users::by_username(&db.pool, &"ONE".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((found.username.as_str(), found.email), ("one", None));
}

#[tokio::test]
async fn an_account_is_read_back_as_it_was_made() {
    let db = TestDb::new().await;
    let made =
        users::create(&db.pool, &passwords(), &person("Miku", Some("miku@example.org"))).await.unwrap();
    assert_eq!(users::by_id(&db.pool, made.id).await.unwrap(), Some(made));
}

#[tokio::test]
async fn the_indexes_refuse_what_the_first_look_missed() {
    let db = TestDb::new().await;
    let hasher = passwords();
    let (one, two) = (person("miku", Some("a@example.org")), person("MIKU", Some("b@example.org")));
    let (one, two) =
        tokio::join!(users::create(&db.pool, &hasher, &one), users::create(&db.pool, &hasher, &two));
    let refused = match (one, two) {
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => error,
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, UserError::UsernameTaken), "{refused}");
}

#[tokio::test]
async fn credentials_find_their_account_and_nothing_else_does() {
    let db = TestDb::new().await;
    let made = make(&db, "alice").await;
    let hasher = passwords();
    let find = async |name: &str, typed: &str| {
        users::by_credentials(&db.pool, &hasher, name, &TypedPassword::new(typed)).await.unwrap()
    };
    assert_eq!(find("Alice", PASSWORD).await, Some(made));
    assert_eq!(find("alice", "something else").await, None);
    assert_eq!(find("bob", PASSWORD).await, None);
    assert_eq!(find("no\0body", PASSWORD).await, None);
}

#[tokio::test]
async fn an_account_without_a_password_cannot_be_entered_by_one() {
    let db = TestDb::new().await;
    make(&db, "alice").await;
    sqlx::query("UPDATE users SET password_hash = NULL").execute(&db.pool).await.unwrap();
    for typed in ["", PASSWORD, "no account has this password"] {
        let typed = TypedPassword::new(typed);
        assert_eq!(users::by_credentials(&db.pool, &passwords(), "alice", &typed).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_new_password_and_a_suspension_begin_a_new_generation_of_sessions() {
    let db = TestDb::new().await;
    let alice = make(&db, "alice").await;
    let hasher = passwords();
    let generation = async |change: ProfileChange| {
        users::update_profile(&db.pool, &hasher, alice.id, &change).await.unwrap().session_generation
    };
    assert_eq!(generation(ProfileChange { public_profile: Some(true), ..Default::default() }).await, 0);
    let password = Some(Password::parse("something new").unwrap());
    assert_eq!(generation(ProfileChange { password, ..Default::default() }).await, 1);
    let suspend = async |suspended| {
        let change = AccessChange { suspended: Some(suspended), ..Default::default() };
        users::change_access(&db.pool, alice.id, change).await.unwrap().session_generation
    };
    assert_eq!(suspend(true).await, 2);
    assert_eq!(suspend(true).await, 2);
    assert_eq!(suspend(false).await, 2);
}

#[tokio::test]
async fn changing_nobody_is_told() {
    let db = TestDb::new().await;
    let nobody = uuid::Uuid::nil().into();
    let access = users::change_access(&db.pool, nobody, AccessChange::default()).await;
    assert!(matches!(access, Err(UserError::NotFound)));
    let profile = users::update_profile(&db.pool, &passwords(), nobody, &ProfileChange::default()).await;
    assert!(matches!(profile, Err(UserError::NotFound)));
}

#[tokio::test]
async fn a_setting_is_what_was_last_written() {
    let db = TestDb::new().await;
    let key = "cote.price_cron";
    assert_eq!(app_settings::get::<String>(&db.pool, key).await.unwrap(), None);
    let admin = make(&db, "root").await;
    app_settings::set(&db.pool, key, &"0 4 * * *", None).await.unwrap();
    app_settings::set(&db.pool, key, &"", Some(admin.id)).await.unwrap();
    assert_eq!(app_settings::get::<String>(&db.pool, key).await.unwrap().as_deref(), Some(""));
    let all = app_settings::list(&db.pool).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].key.as_str(), all[0].updated_by), (key, Some(admin.id)));
    let wrong = app_settings::get::<u8>(&db.pool, key).await;
    assert!(matches!(wrong, Err(SettingError::Shape { .. })));
}

#[tokio::test]
async fn only_sessions_that_have_run_out_are_deleted() {
    let db = TestDb::new().await;
    sqlx::query(
        "INSERT INTO tower_sessions VALUES ('old', '', now() - interval '1 s'), ('new', '', now() + interval '1 h')",
    )
    .execute(&db.pool)
    .await
    .unwrap();
    assert_eq!(sessions::delete_expired(&db.pool).await.unwrap(), 1);
    let left: String = sqlx::query_scalar("SELECT id FROM tower_sessions").fetch_one(&db.pool).await.unwrap();
    assert_eq!(left, "new");
}

#[tokio::test]
async fn whoever_is_suspended_shares_nothing_also_when_both_happen_at_once() {
    let db = TestDb::new().await;
    let (alice, ben) = (make(&db, "alice").await, make(&db, "ben").await);
    let suspend = AccessChange { suspended: Some(true), ..AccessChange::default() };
    for person in [&alice, &ben] {
        share_links::begin(&db.pool, person.id, Shared::Wishlist).await.unwrap().unwrap();
    }
    for _ in 0..20 {
        let both = tokio::join!(
            share_links::begin(&db.pool, alice.id, Shared::Calendar),
            users::change_access(&db.pool, alice.id, suspend),
        );
        let (begun, suspended) = (both.0.unwrap(), both.1.unwrap());
        assert!(suspended.suspended_at.is_some());
        let left = "SELECT count(*) FROM share_links WHERE user_id = $1";
        let left: i64 = sqlx::query_scalar(left).bind(alice.id.uuid()).fetch_one(&db.pool).await.unwrap();
        assert_eq!(left, 0, "a link outlived the suspension");
        if let Some((token, _)) = begun {
            assert!(share_links::opened(&db.pool, Kind::Calendar, token.as_str()).await.unwrap().is_none());
        }
        assert!(share_links::begin(&db.pool, alice.id, Shared::Calendar).await.unwrap().is_none());
        let release = AccessChange { suspended: Some(false), ..AccessChange::default() };
        users::change_access(&db.pool, alice.id, release).await.unwrap();
    }
    assert!(share_links::since(&db.pool, ben.id, Shared::Wishlist).await.unwrap().is_some());
    assert_eq!(share_links::end_all(&db.pool, ben.id).await.unwrap(), 1);
}
