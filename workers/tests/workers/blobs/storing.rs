//! Storing and reading.

use super::Store;
use super::places::{BOTH, Kind, SECRET, Server};
use bytes::Bytes;
use database::testing::{ScratchFolder, TestDb};
use futures::TryStreamExt;
use std::ops::Range;
use workers::blobs::{BlobError, BlobSettings, Blobs, S3Settings, SecretKey, key_of};

async fn part(store: &Store, content: &Bytes, range: Range<u64>) -> (u64, Range<u64>, Bytes) {
    let opened = store.blobs.open(&key_of(content), Some(range)).await.unwrap();
    let (size, range) = (opened.size, opened.range.clone());
    let chunks: Vec<Bytes> = opened.stream.try_collect().await.unwrap();
    (size, range, chunks.concat().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_read_as_it_was_in_whole_and_in_parts() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        let content: Bytes = (0..300_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into();
        let key = store.blobs.put(content.clone(), "image/webp").await.unwrap();
        assert_eq!(key, key_of(&content));
        assert_eq!(store.blobs.read(&key).await.unwrap(), content, "{kind:?}");
        assert_eq!(store.blobs.size(&key).await.unwrap(), 1_200_000);
        assert!(store.place(&key).is_none_or(|place| place.exists()));
        for (range, wanted) in
            [(0..10, 0..10), (1_000..2_000, 1_000..2_000), (1_199_999..1_200_000, 1_199_999..1_200_000)]
        {
            let (size, came, bytes) = part(&store, &content, range).await;
            assert_eq!((size, came), (1_200_000, wanted.clone()), "{kind:?}");
            let place = usize::try_from(wanted.start).unwrap()..usize::try_from(wanted.end).unwrap();
            assert_eq!(bytes, content.slice(place), "{kind:?}");
        }
        let empty = store.blobs.put(Bytes::new(), "text/plain").await.unwrap();
        assert_eq!(store.blobs.read(&empty).await.unwrap(), Bytes::new(), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_missing() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        let key = key_of(b"never stored");
        assert!(matches!(store.blobs.read(&key).await, Err(BlobError::Missing(_))), "{kind:?}");
        assert!(matches!(store.blobs.open(&key, None).await, Err(BlobError::Missing(_))), "{kind:?}");
        assert!(matches!(store.blobs.size(&key).await, Err(BlobError::Missing(_))), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_stored_once_however_many_send_it_at_once() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        let puts = (0..32).map(|n| {
            let content = Bytes::from(format!("content {}", n % 4).repeat(5_000));
            store.blobs.put(content, "text/plain")
        });
        let keys = futures::future::try_join_all(puts).await.unwrap();
        assert_eq!(store.rows().await, 4, "{kind:?}");
        for (n, key) in keys.iter().enumerate() {
            let content = format!("content {}", n % 4).repeat(5_000);
            assert_eq!(store.blobs.read(key).await.unwrap(), content, "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_got_lost_is_stored_again_by_the_next_who_sends_it() {
    let store = Store::new(Kind::Folder).await.unwrap();
    let key = store.put("lost and found").await;
    std::fs::remove_file(store.place(&key).unwrap()).unwrap();
    assert!(!store.is_there(&key).await);
    assert_eq!(store.put("lost and found").await, key);
    assert!(store.is_there(&key).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_told_at_the_start_and_without_the_secret() {
    for kind in BOTH {
        let Some(store) = Store::new(kind).await else { continue };
        store.blobs.check().await.unwrap();
        store.blobs.check().await.unwrap();
    }
    let db = TestDb::new().await;
    let Some(server) = Server::get().await else { return };
    let good = server.settings("");
    let wrong_secret = S3Settings { secret_access_key: SecretKey("another".to_owned()), ..good.clone() };
    let wrong_id = S3Settings { access_key_id: "nobody".to_owned(), ..good.clone() };
    let no_bucket = S3Settings { bucket: "elsewhere".to_owned(), ..good.clone() };
    for wrong in [wrong_secret, wrong_id, no_bucket] {
        let error = Blobs::new(&db.pool, &BlobSettings::S3(wrong.clone())).check().await.unwrap_err();
        assert!(error.is_lasting(), "{error}");
        assert!(error.to_string().contains(&wrong.bucket), "{error}");
        assert!(!error.to_string().contains(SECRET) && !format!("{error:?}").contains(SECRET), "{error}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = S3Settings { endpoint: Some(format!("http://{nobody}")), ..good };
    let error = Blobs::new(&db.pool, &BlobSettings::S3(away)).check().await.unwrap_err();
    assert!(!error.is_lasting(), "a server that is away may come back: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_to_is_told_at_the_start() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let file = folder.path().join("files");
    std::fs::write(&file, "a file is in the way").unwrap();
    let error = Blobs::new(&db.pool, &BlobSettings::Folder(file.clone())).check().await.unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(Store::new(Kind::Folder).await.is_some());
}
