//! What becomes of requests whose frames are replaced before they are done.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{form, frame, id, scan, sent};
use super::{TOKEN, collect, make_films, nothing_is_left_over, worker};
use crate::support::{Answer, TestApp, TestClient};

const AT: &str = "/api/render-worker/claim";

/// As a replacement leaves it that dies before it has called off what was asked for.
async fn overtake(app: &TestApp) {
    let others = "UPDATE renders SET frames = repeat('0', 64) WHERE state <> 'dead'";
    sqlx::query(others).execute(&app.db.pool).await.unwrap();
}

async fn claim(app: &TestApp) -> Answer {
    worker(app, Method::POST, AT, json!({"kinds": ["gsplat"], "worker": "garage"})).await
}

async fn ask(client: &TestClient, scan: &Value, kind: &str) -> Answer {
    client.post(&format!("/api/scans/{}/render", id(scan)), json!({"kind": kind})).await
}

async fn renders(client: &TestClient, scan: &Value) -> Vec<Value> {
    let read = client.get(&format!("/api/scans/{}", id(scan))).await.ok();
    read["renders"].as_array().unwrap().clone()
}

#[track_caller]
fn is_called_off(render: &Value) {
    assert_eq!((&render["state"], &render["url"]), (&json!("dead"), &Value::Null), "{render}");
    assert!(render["outcome"].as_str().unwrap().contains("were replaced"), "{render}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_frames_that_are_replaced_is_called_off_and_its_owner_told() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let scan = scan(&admin, 2).await;
    for kind in ["gsplat", "turntable"] {
        ask(&admin, &scan, kind).await.made();
    }
    let job = claim(&app).await.ok();
    let frames = format!("/api/scans/{}/frames/0", id(&scan));
    let replaced = sent(&admin, Method::PUT, &frames, form([frame(7)])).await.ok();
    let told = replaced["renders"].as_array().unwrap();
    assert_eq!(told.len(), 2, "one that waits and one that somebody is at: {replaced}");
    told.iter().for_each(is_called_off);
    assert_eq!(&renders(&admin, &scan).await, told, "and so it stays to be read");
    let beat = json!({"lease": job["lease"], "progress": 50});
    let below = format!("/api/render-worker/{}", id(&job));
    worker(&app, Method::POST, &format!("{below}/heartbeat"), beat).await.refused(409, "lease_over");
    assert_eq!(claim(&app).await.status, 204, "nobody makes it once more");
    assert!(!make_films(&app).await);

    ask(&admin, &scan, "turntable").await.made();
    assert!(make_films(&app).await);
    let now = renders(&admin, &scan).await;
    assert_eq!((now.len(), &now[0]["state"]), (1, &json!("done")), "asking anew ends it: {now:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_passes_over_what_is_of_other_frames() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let (old, fresh) = (scan(&admin, 2).await, scan(&admin, 2).await);
    ask(&admin, &old, "gsplat").await.made();
    overtake(&app).await;
    ask(&admin, &fresh, "gsplat").await.made();
    let job = claim(&app).await.ok();
    assert_eq!(id(&job), id(&renders(&admin, &fresh).await[0]), "the first in the queue is of no use");
    is_called_off(&renders(&admin, &old).await[0]);
    assert_eq!(claim(&app).await.status, 204);

    ask(&admin, &old, "turntable").await.made();
    overtake(&app).await;
    assert!(make_films(&app).await);
    let now = renders(&admin, &old).await;
    is_called_off(now.iter().find(|one| one["kind"] == "turntable").unwrap());
    assert!(!make_films(&app).await, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_told_at_its_next_word_that_the_frames_are_others() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    for word in ["frame", "heartbeat", "result", "failed"] {
        let scan = scan(&admin, 1).await;
        ask(&admin, &scan, "gsplat").await.made();
        let job = claim(&app).await.ok();
        overtake(&app).await;
        let (below, lease) =
            (format!("/api/render-worker/{}", id(&job)), job["lease"].as_str().unwrap().to_owned());
        let answer = match word {
            "frame" => {
                let frame = format!("{}?lease={lease}", job["frames"][0].as_str().unwrap());
                worker(&app, Method::GET, &frame, json!(null)).await
            }
            "heartbeat" => {
                let beat = json!({"lease": lease, "progress": 10});
                worker(&app, Method::POST, &format!("{below}/heartbeat"), beat).await
            }
            "result" => {
                let at = format!("{below}/result?lease={lease}");
                let ply = |it: reqwest::RequestBuilder| {
                    it.bearer_auth(TOKEN).header("content-type", "application/x-ply").body("ply")
                };
                app.visitor().send(Method::PUT, &at, ply).await
            }
            _ => {
                let gives_up = json!({"lease": lease, "reason": "no", "again": true});
                worker(&app, Method::POST, &format!("{below}/failed"), gives_up).await
            }
        };
        answer.refused(409, "lease_over");
        is_called_off(&renders(&admin, &scan).await[0]);
    }
    assert_eq!(claim(&app).await.status, 204, "none of them is tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_and_asked_for_of_other_frames_is_collected() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let (old, fresh) = (scan(&admin, 2).await, scan(&admin, 3).await);
    ask(&admin, &old, "turntable").await.made();
    assert!(make_films(&app).await);
    ask(&admin, &old, "gsplat").await.made();
    overtake(&app).await;
    ask(&admin, &fresh, "turntable").await.made();
    assert!(make_films(&app).await);
    let film = renders(&admin, &fresh).await[0]["url"].as_str().unwrap().to_owned();
    collect(&app, &admin).await;
    let films: i64 = app.scalar("SELECT count(*) FROM renders WHERE blob_key IS NOT NULL").await;
    assert_eq!(films, 1, "the film of other frames is gone");
    let left = renders(&admin, &old).await;
    assert_eq!(left.len(), 1);
    is_called_off(&left[0]);
    assert_eq!(admin.fetch(&film).await.status, 200);
    nothing_is_left_over(&app).await;
}
