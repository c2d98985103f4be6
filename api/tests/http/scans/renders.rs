//! What is made of scans: by the server itself, and by workers outside.

mod overtaken;
mod stalled;

use database::testing::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{form, frame, id, scan, sent};
use crate::support::{Answer, TestApp, TestClient};

const TOKEN: &str = "a-token-for-workers-of-the-test";

/// A worker outside.
async fn worker(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let visitor = app.visitor();
    visitor.send(method, path, |request| request.bearer_auth(TOKEN).json(&body)).await
}

/// Runs `scan_cleanup` until all is gone that nothing names now.
async fn collect(app: &TestApp, admin: &TestClient) {
    for _ in 0..2 {
        let later = "UPDATE blobs SET leased_until = leased_until - interval '3 days', \
                     unnamed_since = unnamed_since - interval '3 days'";
        sqlx::query(later).execute(&app.db.pool).await.unwrap();
        let ended = async || {
            let job = admin.get("/api/admin/jobs/scan_cleanup").await.ok();
            let runs = job["runs"].as_array().unwrap().clone();
            assert!(runs.iter().all(|run| run["state"] != "failed"), "{job}");
            runs.iter().filter(|run| run["state"] == "succeeded").count()
        };
        let before = ended().await;
        let begin =
            async || admin.post("/api/admin/jobs/scan_cleanup/run", json!({})).await.status.is_success();
        eventually("a run begins", begin).await;
        eventually("the run ends", async || ended().await > before).await;
    }
}

/// What is stored is what scans and renders name.
async fn nothing_is_left_over(app: &TestApp) {
    let named: i64 = app
        .scalar(
            "SELECT count(DISTINCT key) FROM (SELECT unnest(blob_keys) AS key FROM scans \
             UNION SELECT blob_key FROM renders WHERE blob_key IS NOT NULL) AS named",
        )
        .await;
    let stored: i64 = app.scalar("SELECT count(*) FROM blobs").await;
    assert_eq!(stored, named, "what nothing names is gone");
}

async fn make_films(app: &TestApp) -> bool {
    app.state.renders.make_next(&CancellationToken::new()).await.unwrap()
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
    collect(&app, &admin).await;
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
    nothing_is_left_over(&app).await;
}
