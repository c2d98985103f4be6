//! Turntable scans.

mod renders;

use std::{
    fmt::Debug,
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, Event, Subscriber, field::Field, field::Visit, subscriber};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt};

use crate::support::{Answer, TestApp, TestClient};

fn frame(n: u8) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let pixels = RgbImage::from_fn(90, 60, |x, _| Rgb([n.wrapping_mul(40), u8::try_from(x).unwrap(), 200]));
    pixels.write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

fn form(frames: impl IntoIterator<Item = Vec<u8>>) -> Form {
    frames
        .into_iter()
        .fold(Form::new(), |form, frame| form.part("frame", Part::bytes(frame).file_name("frame.png")))
}

async fn sent(client: &TestClient, method: Method, path: &str, form: Form) -> Answer {
    client.send(method, path, |request| request.multipart(form)).await
}

/// A piece of somebody's.
async fn piece(client: &TestClient) -> String {
    let figure =
        client.post("/api/figures", json!({"name": "Aster Vale", "figure_type": "scale"})).await.made();
    let piece = client.post("/api/me/owned", json!({"figure_id": figure["id"]})).await.made();
    piece["id"].as_str().unwrap().to_owned()
}

async fn scan(client: &TestClient, frames: u8) -> Value {
    let path = format!("/api/me/owned/{}/scans", piece(client).await);
    sent(client, Method::POST, &path, form((0..frames).map(frame))).await.made()
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_keeps_its_frames_in_order_and_is_its_owners_alone() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let piece = piece(&alice).await;
    let path = format!("/api/me/owned/{piece}/scans");
    let answer = sent(&alice, Method::POST, &path, form((0..5).map(frame))).await;
    let location = answer.header("location").to_owned();
    let scan = answer.made();
    assert_eq!(location, format!("/api/scans/{}", id(&scan)));
    assert_eq!(scan["owned_item_id"], piece);
    assert_eq!(scan["frames"].as_array().unwrap().len(), 5);
    assert_eq!(alice.get(&location).await.ok(), scan);
    assert_eq!(alice.get(&path).await.ok()["items"], json!([scan]));
    for n in 0..5_u8 {
        let url = scan["frames"][usize::from(n)]["url"].as_str().unwrap().to_owned();
        let answer = alice.http.get(format!("{}{url}", alice.base)).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "image/png");
        let pixels = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap().to_rgb8();
        assert_eq!(pixels.get_pixel(3, 3).0, [n.wrapping_mul(40), 3, 200], "frame {n}");
        for stranger in [&bob, &app.visitor()] {
            stranger.get(&url).await.refused(404, "scan_not_found");
        }
    }
    bob.get(&location).await.refused(404, "scan_not_found");
    bob.get(&path).await.refused(404, "piece_not_found");
    sent(&bob, Method::POST, &path, form([frame(0)])).await.refused(404, "piece_not_found");
    sent(&bob, Method::PUT, &format!("{location}/frames"), form([frame(0)]))
        .await
        .refused(404, "scan_not_found");
    bob.patch(&location, json!({"shared": true})).await.refused(404, "scan_not_found");
    bob.delete(&location).await.refused(404, "scan_not_found");
    bob.post(&format!("{location}/render"), json!({"kind": "turntable"}))
        .await
        .refused(404, "scan_not_found");
    app.visitor().get(&location).await.refused(401, "not_signed_in");
    alice.get(&format!("{location}/frames/5")).await.refused(404, "frame_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_the_first_frame_of_a_scan_that_is_shared_and_the_cover_and_no_other() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let scan = scan(&alice, 2).await;
    let path = format!("/api/scans/{}", id(&scan));
    let cover = format!("/api/me/owned/{}/cover", scan["owned_item_id"].as_str().unwrap());
    let seen = async |client: &TestClient, n: u8| {
        let url = format!("{}{path}/frames/{n}", client.base);
        client.http.get(url).send().await.unwrap().status().as_u16()
    };
    let visitor = app.visitor();
    assert_eq!(alice.patch(&path, json!({"shared": true})).await.ok()["shared"], true);
    assert_eq!(seen(&bob, 0).await, 404, "it is not the cover");
    alice.put(&cover, json!({"scan_id": id(&scan)})).await.ok();
    assert_eq!((seen(&bob, 0).await, seen(&visitor, 0).await), (200, 200));
    assert_eq!((seen(&bob, 1).await, seen(&visitor, 1).await, seen(&alice, 1).await), (404, 404, 200));
    bob.get(&path).await.refused(404, "scan_not_found");
    alice.patch(&path, json!({"shared": false})).await.ok();
    assert_eq!((seen(&bob, 0).await, seen(&visitor, 0).await, seen(&alice, 0).await), (404, 404, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_told_apart_by_content_and_read_in_parts() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let scan = scan(&alice, 1).await;
    let url = format!("{}{}", alice.base, scan["frames"][0]["url"].as_str().unwrap());
    let get = |name: &'static str, value: String| alice.http.get(&url).header(name, value).send();
    let whole = alice.http.get(&url).send().await.unwrap();
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    for (name, value) in [
        ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-cache"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(whole.headers()[name], value, "{name}");
    }
    let whole = whole.bytes().await.unwrap();
    assert_eq!(get("if-none-match", tag.clone()).await.unwrap().status(), 304);
    assert_eq!(get("if-none-match", "\"other\"".to_owned()).await.unwrap().status(), 200);
    let last = whole.len() - 1;
    for (asked, start, end) in [
        ("bytes=0-9".to_owned(), 0, 10),
        ("bytes=10-".to_owned(), 10, whole.len()),
        ("bytes=-7".to_owned(), whole.len() - 7, whole.len()),
        (format!("bytes={last}-999999999"), last, whole.len()),
    ] {
        let part = get("range", asked.clone()).await.unwrap();
        assert_eq!(part.status(), 206, "{asked}");
        let place = format!("bytes {start}-{}/{}", end - 1, whole.len());
        assert_eq!(part.headers()["content-range"], place.as_str(), "{asked}");
        assert_eq!(part.bytes().await.unwrap(), whole.slice(start..end), "{asked}");
    }
    let beyond = get("range", format!("bytes={}-", whole.len())).await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", whole.len()).as_str());
    for asked in ["bytes=1-2,4-5", "lines=1-2", "bytes=x"] {
        assert_eq!(get("range", asked.to_owned()).await.unwrap().status(), 200, "{asked}");
    }
    let stale = alice.http.get(&url).header("range", "bytes=0-1").header("if-range", "\"other\"");
    assert_eq!(stale.send().await.unwrap().status(), 200);
    for (size, wide) in [(320, 90), (960, 90)] {
        let small = alice.http.get(format!("{url}?size={size}")).send().await.unwrap();
        assert_eq!(small.headers()["content-type"], "image/webp");
        assert_eq!(image::load_from_memory(&small.bytes().await.unwrap()).unwrap().width(), wide);
    }
    let path = scan["frames"][0]["url"].as_str().unwrap();
    alice.get(&format!("{path}?size=640")).await.refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_frame_refuses_all_and_says_which() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let path = format!("/api/me/owned/{}/scans", piece(&alice).await);
    let refused = async |frames: Vec<Vec<u8>>, code: &str, field: &str| {
        sent(&alice, Method::POST, &path, form(frames)).await.refused_field(422, code, field);
    };
    refused(vec![frame(0), b"<svg/>".to_vec(), frame(2)], "not_a_picture", "frame[1]").await;
    refused(vec![frame(0)[..60].to_vec()], "picture_damaged", "frame[0]").await;
    refused(vec![frame(0); 97], "too_many_files", "frame").await;
    let large = sent(&alice, Method::POST, &path, form([vec![0; 16 * 1024 * 1024 + 1]])).await;
    large.refused_field(413, "file_too_large", "frame[0]");
    let other = Form::new().part("photo", Part::bytes(frame(0)));
    sent(&alice, Method::POST, &path, other).await.refused_field(422, "unknown_field", "photo");
    alice.post(&path, json!({})).await.refused(415, "unsupported_media_type");
    let of_x = async |body: &'static str| {
        alice
            .send(Method::POST, &path, |it| {
                it.header("content-type", "multipart/form-data; boundary=x").body(body)
            })
            .await
    };
    of_x("--x--\r\n").await.refused_field(422, "missing_field", "frame");
    let cut = "--x\r\nContent-Disposition: form-data; name=\"frame\"\r\n\r\nhalf a pic";
    of_x(cut).await.refused(400, "body_cut_off");
    assert_eq!(alice.get(&path).await.ok()["items"], json!([]), "nothing is half there");
    let stored: i64 =
        app.scalar("SELECT count(*) FROM blobs WHERE leased_until < now() + interval '23 hours'").await;
    assert_eq!(stored, 0, "what was stored of them goes by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_upload_with_the_same_key_makes_one_scan() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let path = format!("/api/me/owned/{}/scans", piece(&alice).await);
    let send = async |first: u8| {
        let form = form([frame(first), frame(1)]);
        alice.send(Method::POST, &path, |it| it.header("idempotency-key", "scan-1").multipart(form)).await
    };
    let first = send(0).await.made();
    assert_eq!(id(&send(0).await.made()), id(&first));
    send(3).await.refused(422, "idempotency_key_reused");
    assert_eq!(alice.get(&path).await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_replaced_and_a_deleted_scan_is_gone() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let scan = scan(&alice, 3).await;
    let path = format!("/api/scans/{}", id(&scan));
    let replaced = sent(&alice, Method::PUT, &format!("{path}/frames/1"), form([frame(9)])).await.ok();
    let hashes = |scan: &Value| -> Vec<Value> {
        scan["frames"].as_array().unwrap().iter().map(|it| it["bytes"].clone()).collect()
    };
    assert_eq!(hashes(&replaced).len(), 3);
    assert_eq!(hashes(&replaced)[0], hashes(&scan)[0]);
    sent(&alice, Method::PUT, &format!("{path}/frames/3"), form([frame(9)]))
        .await
        .refused(404, "frame_not_found");
    sent(&alice, Method::PUT, &format!("{path}/frames/1"), form([frame(1), frame(2)])).await.refused_field(
        422,
        "too_many_files",
        "frame",
    );
    let replaced = sent(&alice, Method::PUT, &format!("{path}/frames"), form([frame(4)])).await.ok();
    assert_eq!(replaced["frames"].as_array().unwrap().len(), 1);
    assert_eq!(alice.delete(&path).await.ok()["deleted"], true);
    alice.get(&path).await.refused(404, "scan_not_found");
    alice.get(&format!("{path}/frames/0")).await.refused(404, "scan_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_replaced_at_the_same_time_are_all_there() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let scan = scan(&alice, 4).await;
    let path = format!("/api/scans/{}/frames", id(&scan));
    let puts = (0..4_u8).map(|n| {
        let (alice, path) = (&alice, format!("{path}/{n}"));
        async move { sent(alice, Method::PUT, &path, form([frame(n + 2)])).await.ok() }
    });
    futures::future::join_all(puts).await;
    for n in 0..4_u8 {
        let answer = alice.http.get(format!("{}{path}/{n}", alice.base)).send().await.unwrap();
        let pixels = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap().to_rgb8();
        assert_eq!(pixels.get_pixel(3, 3).0[0], (n + 2) * 40, "frame {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_cannot_be_is_refused_before_its_frames_are_looked_at() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let daring = json!({"name": "Quillon Vesper", "figure_type": "scale", "is_nsfw": true});
    let daring = alice.post("/api/figures", daring).await.made();
    let daring = alice.post("/api/me/owned", json!({"figure_id": daring["id"]})).await.made();
    let (full, daring) = (piece(&alice).await, id(&daring).to_owned());
    let junk = async |piece: &str| {
        let path = format!("/api/me/owned/{piece}/scans");
        sent(&alice, Method::POST, &path, form([b"<svg/>".to_vec()])).await
    };
    junk(&daring).await.refused(403, "nsfw_not_shown");
    let path = format!("/api/me/owned/{full}/scans");
    let make = async |key: u8| {
        let key = format!("scan-{key}");
        alice
            .send(Method::POST, &path, |it| it.header("idempotency-key", key).multipart(form([frame(1)])))
            .await
    };
    let mut last = Value::Null;
    for n in 0..20 {
        last = make(n).await.made();
    }
    junk(&full).await.refused_field(422, "too_many", "frame");
    assert_eq!(id(&make(19).await.made()), id(&last), "what is repeated is answered as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_uploads_at_once_are_told_to_come_again() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let path = format!("/api/me/owned/{}/scans", piece(&alice).await);
    let held: Vec<_> = std::iter::from_fn(|| app.state.pictures.admit()).collect();
    let answer = sent(&alice, Method::POST, &path, form([frame(0)])).await;
    assert_eq!(answer.header("retry-after"), "5");
    answer.refused(503, "busy");
    drop(held);
    sent(&alice, Method::POST, &path, form([frame(0)])).await.made();
}

/// Counts the statements about renders that are sent from its thread.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

#[derive(Default)]
struct Names(bool);

impl Visit for Names {
    fn record_debug(&mut self, _field: &Field, value: &dyn Debug) {
        self.0 |= format!("{value:?}").contains("renders");
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut names = Names::default();
        event.record(&mut names);
        if event.metadata().target() == "sqlx::query" && names.0 {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn what_was_made_of_all_scans_of_a_piece_is_looked_up_at_once() {
    let statements = Statements::default();
    let _counting = subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    // With a single one, whichever thread comes to a place first decides for all whether that is listened to.
    let _another = Dispatch::new(tracing_subscriber::registry());
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let path = format!("/api/me/owned/{}/scans", piece(&alice).await);
    let mut scans = Vec::new();
    for n in 0..4 {
        let scan = sent(&alice, Method::POST, &path, form([frame(n), frame(9)])).await.made();
        if n != 2 {
            alice
                .post(&format!("/api/scans/{}/render", id(&scan)), json!({"kind": "turntable"}))
                .await
                .made();
            assert!(app.state.renders.make_next(&CancellationToken::new()).await.unwrap());
        }
        scans.push(scan);
    }
    let before = statements.0.load(Ordering::Relaxed);
    assert!(before > 0, "they are seen here");
    let listed = alice.get(&path).await.ok();
    assert_eq!(statements.0.load(Ordering::Relaxed) - before, 1);
    for (n, (listed, made)) in listed["items"].as_array().unwrap().iter().zip(&scans).enumerate() {
        assert_eq!(id(listed), id(made));
        let renders = listed["renders"].as_array().unwrap();
        assert_eq!(renders.len(), usize::from(n != 2), "{listed}");
        assert!(renders.iter().all(|render| render["scan_id"] == made["id"] && render["state"] == "done"));
    }
}
