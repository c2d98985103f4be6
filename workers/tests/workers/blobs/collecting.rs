//! What nothing names goes, and nothing else.

use super::places::{BOTH, Kind};
use super::{Named, Store};
use bytes::Bytes;
use chrono::TimeDelta;
use operational::blobs::{self, Deleting, Leased};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use workers::blobs::collect::CollectError;
use workers::blobs::key_of;

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_names_goes_after_a_day_and_what_is_named_or_leased_stays() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        let (named, unnamed) = (store.put("named").await, store.put("unnamed").await);
        let names = Named::by(&[named]);
        let first = store.collect(&names).await;
        assert_eq!((first.looked_at, first.deleted), (0, 0), "all are leased: {first:?}");
        store.let_days_pass().await;
        let leased = store.put("leased").await;
        let second = store.collect(&names).await;
        assert_eq!((second.looked_at, second.newly_unnamed, second.deleted), (2, 1, 0), "{second:?}");
        assert!(store.is_there(&unnamed).await, "it stays for a day");
        store.let_days_pass().await;
        store.put("leased").await;
        let third = store.collect(&names).await;
        assert_eq!((third.deleted, third.deleted_bytes), (1, 7), "{third:?}");
        assert!(!store.is_there(&unnamed).await, "{kind:?}");
        assert!(store.is_there(&named).await && store.is_there(&leased).await, "{kind:?}");
        assert_eq!(store.rows().await, 2);
        assert_eq!(store.put("unnamed").await, unnamed);
        assert!(store.is_there(&unnamed).await, "it can come again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_batch_goes_in_one_run() {
    let store = Store::new(Kind::Folder).await.unwrap();
    for n in 0..130 {
        store.put(&format!("file {n}")).await;
    }
    store.let_days_pass().await;
    store.collect(&Named::default()).await;
    store.let_days_pass().await;
    let collected = store.collect(&Named::default()).await;
    assert_eq!((collected.deleted, store.rows().await), (130, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_again_within_the_day_stays() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let key = store.put("taken up again").await;
    store.let_days_pass().await;
    let names = Named::default();
    assert_eq!(store.collect(&names).await.newly_unnamed, 1);
    store.let_days_pass().await;
    names.name(key);
    let collected = store.collect(&names).await;
    assert_eq!((collected.deleted, store.is_there(&key).await), (0, true));
    let forgotten: bool = sqlx::query_scalar("SELECT unnamed_since IS NULL FROM blobs")
        .fetch_one(&store.db.pool)
        .await
        .unwrap();
    assert!(forgotten, "its day begins anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_not_known_what_is_named_nothing_goes() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let key = store.put("unnamed").await;
    store.let_days_pass().await;
    store.collect(&Named::default()).await;
    store.let_days_pass().await;
    let behind = Named { behind: true, ..Named::default() };
    let refused = store.try_collect(&behind).await.unwrap_err();
    assert!(
        matches!(refused, CollectError::Names(_)) && refused.to_string().contains("pictures"),
        "{refused}"
    );
    assert!(store.is_there(&key).await);
    assert_eq!(store.put("unnamed").await, key, "and it can be leased");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_just_being_deleted_can_be_leased_in_a_moment_and_is_stored_anew() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let key = store.put("contested").await;
    store.let_days_pass().await;
    store.collect(&Named::default()).await;
    store.let_days_pass().await;
    let pool = &store.db.pool;
    let condemned = blobs::condemn(pool, TimeDelta::days(1), 10).await.unwrap();
    assert_eq!(condemned.len(), 1);
    let lease = async || blobs::lease(pool, &key, "text/plain", 9, TimeDelta::days(1)).await.unwrap();
    assert_eq!(lease().await, Leased::BeingDeleted);
    let deleting = Deleting::begin(pool, &condemned[0]).await.unwrap().unwrap();
    assert!(Deleting::begin(pool, &condemned[0]).await.unwrap().is_none(), "one at a time");
    // Whoever deletes it stops here for long, as a process that is frozen does.
    sqlx::query("SET lock_timeout = '1s'").execute(pool).await.unwrap();
    assert_eq!(lease().await, Leased::BeingDeleted, "it waits for the one who deletes, and not for ever");
    let blobs = store.blobs.clone();
    let waiting =
        tokio::spawn(async move { blobs.put(Bytes::from_static(b"contested"), "text/plain").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    std::fs::remove_file(store.place(&key).unwrap()).unwrap();
    deleting.done().await.unwrap();
    let stored = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert_eq!(stored.unwrap(), key);
    assert!(store.is_there(&key).await, "it was stored after it was deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_condemned_is_not_trusted_to_be_there() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let key = store.put("half deleted").await;
    store.let_days_pass().await;
    store.collect(&Named::default()).await;
    store.let_days_pass().await;
    blobs::condemn(&store.db.pool, TimeDelta::days(1), 10).await.unwrap();
    // Whoever was at it is gone; nobody knows whether the file is.
    sqlx::query("UPDATE blobs SET condemned_at = condemned_at - interval '3 minutes'")
        .execute(&store.db.pool)
        .await
        .unwrap();
    let leased = blobs::lease(&store.db.pool, &key, "text/plain", 12, TimeDelta::days(1)).await.unwrap();
    assert_eq!(leased, Leased::Unstored);
    store.put("half deleted").await;
    assert!(store.is_there(&key).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_a_file_while_it_is_collected_keeps_it() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        let store = Arc::new(store);
        for round in 0..15 {
            let names = Named::default();
            let contents: Vec<String> = (0..8).map(|n| format!("round {round}, file {n}")).collect();
            for content in &contents {
                store.put(content).await;
            }
            store.let_days_pass().await;
            store.collect(&Named::default()).await;
            store.let_days_pass().await;
            let uploads = contents.iter().enumerate().filter(|(n, _)| n % 2 == 0).map(|(n, content)| {
                let (store, names, content) = (store.clone(), names.clone(), content.clone());
                async move {
                    tokio::time::sleep(Duration::from_millis(u64::try_from(n * round).unwrap() % 23)).await;
                    let key = store.put(&content).await;
                    names.name(key);
                }
            });
            let collected = tokio::join!(store.collect(&names), futures::future::join_all(uploads)).0;
            assert!(collected.deleted >= 4, "{collected:?}");
            for (n, content) in contents.iter().enumerate() {
                let is_there = store.is_there(&key_of(content.as_bytes())).await;
                assert_eq!(is_there, n % 2 == 0, "{kind:?}, round {round}, file {n}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_go_strangers_stay_and_what_is_lost_is_told() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let (kept, lost) = (store.put("kept").await, store.put("lost").await);
    let names = Named::by(&[kept, lost]);
    let old = SystemTime::now() - Duration::from_secs(3 * 24 * 60 * 60);
    let write = |name: String, changed: SystemTime| {
        let path = store.files.clone().unwrap().join("blobs").join(&name[..2]).join(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "left").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        path
    };
    let (name, stranger) = (kept.to_string(), key_of(b"a stranger").to_string());
    let leftover = write(format!("{name}#1"), old);
    let being_written = write(format!("{name}#2"), SystemTime::now());
    let stranger = write(stranger, old);
    std::fs::remove_file(store.place(&lost).unwrap()).unwrap();
    let collected = store.collect(&names).await;
    assert_eq!((collected.leftovers, collected.unknown, collected.missing), (1, 1, 1), "{collected:?}");
    assert!(!leftover.exists() && being_written.exists() && stranger.exists());
    assert!(store.is_there(&kept).await);
}
