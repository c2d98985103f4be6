//! Turntable scans, and what is made of them: by the server itself, and by workers outside.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, TestApp, TestClient};

const TOKEN: &str = "a-token-for-workers-of-the-test";

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

/// A worker outside.
async fn worker(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let visitor = app.visitor();
    visitor.send(method, path, |request| request.bearer_auth(TOKEN).json(&body)).await
}

async fn make_films(app: &TestApp) -> bool {
    app.state.renders.make_next(&CancellationToken::new()).await.unwrap()
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
async fn what_was_made_of_other_frames_is_not_there_and_what_was_made_of_these_stays() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let scan = scan(&alice, 2).await;
    let path = format!("/api/scans/{}", id(&scan));
    let ask = async || alice.post(&format!("{path}/render"), json!({"kind": "turntable"})).await;
    let replace = async || {
        let path = format!("{path}/frames/0");
        let form = form([frame(5)]);
        alice
            .send(Method::PUT, &path, |it| it.header("idempotency-key", "frame-1").multipart(form))
            .await
            .ok()
    };
    replace().await;
    ask().await.made();
    assert!(make_films(&app).await);
    let film = alice.get(&path).await.ok()["renders"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(replace().await["renders"][0]["url"], film, "a repeated request takes nothing away");
    // As a replacement leaves it that is cut off before it lets go of what was made.
    let others = "UPDATE renders SET frames = repeat('0', 64)";
    sqlx::query(others).execute(&app.db.pool).await.unwrap();
    assert_eq!(alice.get(&path).await.ok()["renders"], json!([]));
    alice.get(&film).await.refused(404, "not_found");
    ask().await.made();
    sqlx::query(others).execute(&app.db.pool).await.unwrap();
    ask().await.made();
    assert_eq!(alice.get(&path).await.ok()["renders"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turntable_is_made_by_the_server_and_given_to_its_owner() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let scan = scan(&alice, 6).await;
    let path = format!("/api/scans/{}", id(&scan));
    let ask = async || alice.post(&format!("{path}/render"), json!({"kind": "turntable"})).await;
    let asked = ask().await.made();
    assert_eq!((&asked["state"], &asked["url"]), (&json!("queued"), &Value::Null));
    assert_eq!(id(&ask().await.ok()), id(&asked), "while it is under way that is it");
    assert!(make_films(&app).await);
    assert!(!make_films(&app).await);
    let done = alice.get(&path).await.ok()["renders"][0].clone();
    assert_eq!((&done["state"], &done["progress"]), (&json!("done"), &json!(100)), "{done}");
    let url = done["url"].as_str().unwrap();
    let film = alice.http.get(format!("{}{url}", alice.base)).send().await.unwrap();
    assert_eq!(film.headers()["content-type"], "image/webp");
    let film = film.bytes().await.unwrap();
    let frames = film.windows(4).filter(|four| four == b"ANMF").count();
    assert_eq!(frames, 6);
    bob.get(url).await.refused(404, "scan_not_found");
    app.visitor().get(url).await.refused(401, "not_signed_in");
    // Other frames: what was made of the old ones goes.
    let replaced = sent(&alice, Method::PUT, &format!("{path}/frames/0"), form([frame(8)])).await.ok();
    assert_eq!(replaced["renders"], json!([]));
    alice.get(url).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_for_admins_unless_the_setting_says_everyone() {
    let app = TestApp::new().await;
    let (alice, admin) = (app.register("alice").await, app.register_admin("root").await);
    let (scan_of_alice, scan_of_admin) = (scan(&alice, 1).await, scan(&admin, 1).await);
    let ask = async |client: &TestClient, scan: &Value, kind: &str| {
        client.post(&format!("/api/scans/{}/render", id(scan)), json!({"kind": kind})).await
    };
    ask(&alice, &scan_of_alice, "gsplat").await.refused(403, "gsplat_not_allowed");
    ask(&admin, &scan_of_admin, "gsplat").await.made();
    ask(&alice, &scan_of_alice, "turntable").await.made();
    ask(&alice, &scan_of_alice, "hologram").await.refused_field(422, "invalid_field", "kind");
    admin.put("/api/admin/settings/gsplat.creation_policy", json!({"value": "everyone"})).await.ok();
    ask(&alice, &scan_of_alice, "gsplat").await.made();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_claims_goes_on_and_hands_in_and_nobody_else_can() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let scan = scan(&admin, 2).await;
    let path = format!("/api/scans/{}", id(&scan));
    let claim = json!({"kinds": ["gsplat"], "worker": "garage"});
    let at = "/api/render-worker/claim";
    assert_eq!(worker(&app, Method::POST, at, claim.clone()).await.status, 204);
    admin.post(&format!("{path}/render"), json!({"kind": "gsplat"})).await.made();
    for refused in [app.visitor(), admin.clone()] {
        refused.post(at, claim.clone()).await.refused(401, "no_worker");
    }
    let wrong = app
        .visitor()
        .send(Method::POST, at, |it| it.bearer_auth("another-token-of-a-kind").json(&claim))
        .await;
    wrong.refused(401, "no_worker");
    let job = worker(&app, Method::POST, at, claim.clone()).await.ok();
    assert_eq!((&job["kind"], &job["attempt"]), (&json!("gsplat"), &json!(1)));
    assert_eq!(worker(&app, Method::POST, at, claim.clone()).await.status, 204, "it is somebody's");
    assert!(!make_films(&app).await, "the one of the server makes no models");
    let (job_id, lease) = (id(&job).to_owned(), job["lease"].as_str().unwrap().to_owned());
    let below = format!("/api/render-worker/{job_id}");
    let frame = format!("{}?lease={lease}", job["frames"][1].as_str().unwrap());
    let http = reqwest::Client::new();
    let got = http.get(format!("{}{frame}", admin.base)).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((got.status().as_u16(), &got.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
    app.visitor().get(&frame).await.refused(401, "no_worker");
    let beat = json!({"lease": lease, "progress": 40});
    worker(&app, Method::POST, &format!("{below}/heartbeat"), beat).await.ok();
    let other = json!({"lease": uuid::Uuid::nil(), "progress": 90});
    worker(&app, Method::POST, &format!("{below}/heartbeat"), other).await.refused(409, "lease_over");
    let seen = admin.get(&path).await.ok()["renders"][0].clone();
    assert_eq!((&seen["state"], &seen["progress"]), (&json!("running"), &json!(40)));
    let hand_in = async |lease: &str, media_type: &'static str| {
        let path = format!("{below}/result?lease={lease}");
        app.visitor()
            .send(Method::PUT, &path, |it| {
                it.bearer_auth(TOKEN).header("content-type", media_type).body("ply and so on")
            })
            .await
    };
    hand_in(&lease, "text/html").await.refused_field(422, "invalid_field", "Content-Type");
    hand_in(&uuid::Uuid::nil().to_string(), "application/x-ply").await.refused(409, "lease_over");
    assert_eq!(hand_in(&lease, "application/x-ply").await.status, 204);
    hand_in(&lease, "application/x-ply").await.refused(409, "lease_over");
    let done = admin.get(&path).await.ok()["renders"][0].clone();
    let answer = admin.get(done["url"].as_str().unwrap()).await;
    assert_eq!((answer.header("content-type"), answer.text.as_str()), ("application/x-ply", "ply and so on"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_lying_is_tried_again_three_times_and_then_told_to_admins() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let (admin, alice) = (app.register_admin("root").await, app.register("alice").await);
    let scan = scan(&admin, 1).await;
    let asked =
        admin.post(&format!("/api/scans/{}/render", id(&scan)), json!({"kind": "gsplat"})).await.made();
    let claim = || {
        worker(&app, Method::POST, "/api/render-worker/claim", json!({"kinds": ["gsplat"], "worker": "w"}))
    };
    let first = claim().await.ok();
    // It is switched off without a word.
    let late = "UPDATE renders SET leased_until = now() - interval '1 second', due_at = now()";
    sqlx::query(late).execute(&app.db.pool).await.unwrap();
    let second = claim().await.ok();
    assert_eq!((id(&second), &second["attempt"]), (id(&first), &json!(2)));
    let below = format!("/api/render-worker/{}", id(&first));
    let old = json!({"lease": first["lease"], "progress": 50});
    worker(&app, Method::POST, &format!("{below}/heartbeat"), old).await.refused(409, "lease_over");
    let gives_up = json!({"lease": second["lease"], "reason": "out of memory", "again": true});
    assert_eq!(worker(&app, Method::POST, &format!("{below}/failed"), gives_up).await.status, 204);
    assert_eq!(claim().await.status, 204, "it rests for a while");
    sqlx::query("UPDATE renders SET due_at = now()").execute(&app.db.pool).await.unwrap();
    let third = claim().await.ok();
    sqlx::query(late).execute(&app.db.pool).await.unwrap();
    assert_eq!((&third["attempt"], claim().await.status.as_u16()), (&json!(3), 204));
    alice.get("/api/admin/renders").await.refused(403, "admin_only");
    let dead = admin.get("/api/admin/renders?state=dead").await.ok()["items"][0].clone();
    assert_eq!((id(&dead), &dead["worker"]), (id(&asked), &json!("w")));
    let outcome = dead["outcome"].as_str().unwrap();
    assert!(outcome.contains("out of memory") && outcome.contains("cut off"), "{outcome}");
    let retry = format!("/api/admin/renders/{}/retry", id(&dead));
    alice.post(&retry, json!({})).await.refused(403, "admin_only");
    assert_eq!(admin.post(&retry, json!({})).await.ok()["state"], "queued");
    admin.post(&retry, json!({})).await.refused(409, "render_not_dead");
    assert_eq!(claim().await.ok()["attempt"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deleted_scan_leaves_is_collected_and_nothing_else() {
    let app = TestApp::new().await;
    let (alice, admin) = (app.register("alice").await, app.register_admin("root").await);
    let (gone, kept) = (scan(&alice, 2).await, scan(&admin, 3).await);
    for (client, scan) in [(&alice, &gone), (&admin, &kept)] {
        client.post(&format!("/api/scans/{}/render", id(scan)), json!({"kind": "turntable"})).await.made();
        assert!(make_films(&app).await);
    }
    // Frames of alice's that admin's scan has, too, stay with it.
    alice.delete(&format!("/api/scans/{}", id(&gone))).await.ok();
    for _ in 0..2 {
        let later = "UPDATE blobs SET leased_until = leased_until - interval '3 days', \
                     unnamed_since = unnamed_since - interval '3 days'";
        sqlx::query(later).execute(&app.db.pool).await.unwrap();
        admin.post("/api/admin/jobs/scan_cleanup/run", json!({})).await;
        database::testing::eventually("the run ends", async || {
            let job = admin.get("/api/admin/jobs/scan_cleanup").await.ok();
            let run = &job["runs"][0];
            assert_ne!(run["state"], "failed", "{run}");
            run["state"] == "succeeded"
        })
        .await;
    }
    let seen = admin.get(&format!("/api/scans/{}", id(&kept))).await.ok();
    for n in 0..3 {
        let url = seen["frames"][n]["url"].as_str().unwrap();
        for size in ["", "?size=320", "?size=960"] {
            let got = admin.http.get(format!("{}{url}{size}", admin.base)).send().await.unwrap();
            assert_eq!(got.status(), 200, "frame {n}{size}");
        }
    }
    let film = seen["renders"][0]["url"].as_str().unwrap();
    assert_eq!(admin.http.get(format!("{}{film}", admin.base)).send().await.unwrap().status(), 200);
    let named: i64 = app
        .scalar("SELECT count(DISTINCT key) FROM (SELECT unnest(blob_keys) AS key FROM scans UNION SELECT blob_key FROM renders) AS n")
        .await;
    let stored: i64 = app.scalar("SELECT count(*) FROM blobs").await;
    assert_eq!(stored, named, "what nothing names is gone");
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
