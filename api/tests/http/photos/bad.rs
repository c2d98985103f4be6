//! What is sent by mistake, by malice, or not to its end.

use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{MOST, id, ids, jpeg, piece, place_of, png};
use crate::figures::add;
use crate::forms::form;
use crate::profiles::own;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_refuses_all_of_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (figure, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    let cut: Vec<u8> = png(300, 300, 9).into_iter().take(120).collect();
    for place in [place, place_of(&figure)] {
        for (bad, code) in [
            (svg.clone(), "not_a_picture"),
            (b"%PDF-1.7".to_vec(), "not_a_picture"),
            (Vec::new(), "not_a_picture"),
            (cut.clone(), "picture_damaged"),
        ] {
            let sent = vec![jpeg(16, 16, 1), bad, jpeg(16, 16, 2)];
            alice.upload(&place, sent).await.refused_field(422, code, "file[1]");
        }
        assert_eq!(ids(&alice.get(&place).await.ok()).len(), 0, "nothing is half stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_told_by_its_bytes_and_not_by_what_it_is_called() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let part = |content: Vec<u8>, name: &str, kind: &str| {
        let part = Part::bytes(content).file_name(name.to_owned()).mime_str(kind).unwrap();
        Form::new().part("file", part)
    };
    let honest = part(png(16, 16, 1), "mina.exe", "application/x-msdownload");
    let made = alice.send(Method::POST, &place, |request| request.multipart(honest)).await.made();
    assert!(made["items"][0]["media_type"].as_str().unwrap().starts_with("image/"));
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    for posing in [b"<html><script>alert(1)</script>".to_vec(), svg] {
        let posing = part(posing, "mina.png", "image/png");
        let refused = alice.send(Method::POST, &place, |request| request.multipart(posing)).await;
        refused.refused_field(422, "not_a_picture", "file[0]");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_of_files_is_refused_with_what_to_do() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    alice.post(&place, json!({})).await.refused(415, "unsupported_media_type");
    alice
        .send(Method::POST, &place, |r| r.body(jpeg(16, 16, 1)))
        .await
        .refused(415, "unsupported_media_type");
    let empty = alice.send(Method::POST, &place, |r| r.multipart(Form::new())).await;
    assert_eq!(empty.status.as_u16() / 100, 4, "{}", empty.text);
    let elsewhere =
        alice.send(Method::POST, &place, |r| r.multipart(form("photo", vec![jpeg(16, 16, 1)]))).await;
    elsewhere.refused_field(422, "unknown_field", "photo");
    let many = (0..51).map(|n| jpeg(8, 8, n)).collect();
    alice.upload(&place, many).await.refused_field(422, "too_many_files", "file");
    let two = form("file", vec![jpeg(8, 8, 1), jpeg(8, 8, 2)]);
    let made = alice.upload(&place, vec![jpeg(8, 8, 1)]).await.made();
    let photo = made["items"][0]["url"].as_str().unwrap();
    let replaced = alice.send(Method::PUT, photo, |request| request.multipart(two)).await;
    replaced.refused(422, "too_many_files");
    let huge = vec![vec![0xff; 16 * 1024 * 1024 + 1]];
    alice.upload(&place, huge).await.refused_field(413, "file_too_large", "file[0]");
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_off_near_its_end_leaves_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, _, place) = piece(&alice, "Harbour Pilot Mina").await;
    let key = json!({"name": "script", "scopes": ["collection:write", "collection:read"]});
    let key = alice.post("/api/me/api-keys", key).await.made();
    let secret = key["secret"].as_str().or(key["key"].as_str()).or(key["token"].as_str()).unwrap();
    let mut body = Vec::new();
    for n in 0..3 {
        body.extend(b"--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n");
        body.extend(png(200, 200, n));
        body.extend(b"\r\n");
    }
    body.extend(b"--cut--\r\n");
    let head = format!(
        "POST {place} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {secret}\r\n\
         content-type: multipart/form-data; boundary=cut\r\ncontent-length: {}\r\n\r\n",
        app.address,
        body.len()
    );
    let mut connection = TcpStream::connect(app.address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body[..body.len() * 99 / 100]).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _closed = tokio::time::timeout(MOST, connection.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.contains(" 201 "), "{answer}");
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), 0);
    alice.upload(&place, vec![png(200, 200, 1)]).await.made();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_much_at_once_leaves_room_for_others() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let hers = piece(&alice, "Harbour Pilot Mina").await.2;
    let his = piece(&ben, "Lighthouse Keeper Aoi").await.2;
    let me = alice.get("/api/me").await.ok();
    let me = domain::ids::UserId(id(&me).parse().unwrap());
    let held: Vec<_> = std::iter::from_fn(|| app.state.pictures.admit_person(me)).take(24).collect();
    assert_eq!(held.len(), 4);
    let busy = alice.upload(&hers, vec![jpeg(16, 16, 1)]).await;
    assert_eq!(busy.header("retry-after"), "5");
    busy.refused(503, "busy");
    ben.upload(&his, vec![jpeg(16, 16, 1)]).await.made();
    drop(held);
    alice.upload(&hers, vec![jpeg(16, 16, 1)]).await.made();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_uploads_at_once_each_is_taken_or_told_to_come_again() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({})).await;
    let mut places = Vec::new();
    for _ in 0..8 {
        let piece = own(&alice, &figure, json!({})).await;
        places.push(format!("/api/me/owned/{}/photos", id(&piece)));
    }
    let file = jpeg(16, 16, 1);
    let upload = |n: usize| {
        let (alice, place, file) = (alice.clone(), places[n % places.len()].clone(), file.clone());
        async move {
            let answer = alice.upload(&place, vec![file]).await;
            let (status, again) = (answer.status.as_u16(), answer.header("retry-after").to_owned());
            // Done, too, is what is on record and cannot be read yet.
            let taken = matches!(status, 201 | 202);
            assert!(taken || (status == 503 && !again.is_empty()), "{status}: {}", answer.text);
            taken
        }
    };
    let all = stream::iter((0..1_000).map(upload)).buffer_unordered(1_000).collect::<Vec<bool>>();
    let taken = tokio::time::timeout(Duration::from_secs(500), all).await.unwrap();
    let taken = taken.into_iter().filter(|taken| *taken).count();
    assert!(taken > 0);
    app.folded(app.state.store.head().await.unwrap()).await;
    let mut listed = 0;
    for place in &places {
        listed += ids(&alice.get(place).await.ok()).len();
    }
    assert_eq!(listed, taken, "what was taken is there, and nothing else");
}
