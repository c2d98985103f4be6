use database::testing::eventually;
use serde_json::{Value, json};

use crate::{
    seed,
    support::{TestApp, TestClient},
};

async fn all(root: &TestClient) -> Vec<Value> {
    root.get("/api/admin/projections").await.ok()["items"].as_array().unwrap().clone()
}

async fn named(root: &TestClient, name: &str) -> Value {
    all(root).await.into_iter().find(|one| one["name"] == name).unwrap()
}

/// The projection once a rebuild of it is over.
async fn rebuilt(root: &TestClient, name: &str) -> Value {
    eventually("the rebuild is over", async || named(root, name).await["rebuild"]["state"] != "running")
        .await;
    named(root, name).await
}

#[tokio::test]
async fn only_admins_see_and_rebuild_the_read_models() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/projections").await.refused(status, code);
        client.post("/api/admin/projections/figures/rebuild", json!({})).await.refused(status, code);
    }
}

#[tokio::test]
async fn read_models_that_have_caught_up_lag_by_nothing() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let all = all(&root).await;
    assert!(all.len() >= 6, "{all:?}");
    for one in all {
        assert_eq!((&one["lag"], &one["state"], &one["error"]), (&json!(0), &json!("running"), &Value::Null));
        assert_eq!((&one["position"], &one["head"]), (&json!(position.0), &json!(position.0)));
        assert_eq!(one["version"], one["release_version"]);
        assert_eq!(one["rebuild"], Value::Null);
    }
}

#[tokio::test]
async fn a_read_model_that_nobody_folds_lags() {
    let mut app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let (_, first) = seed.figure_at("Harbour Pilot Mina").await;
    app.folded(first).await;
    app.stop_folding().await;
    let (_, second) = seed.figure_at("Teapot Keeper Io").await;
    let figures = named(&root, "figures").await;
    assert_eq!(figures["head"], second.0);
    assert_eq!(figures["lag"], second.0 - first.0);
}

#[tokio::test]
async fn a_rebuild_repairs_what_was_tampered_with() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    sqlx::query("UPDATE figures SET name = 'Somebody Else'").execute(&app.db.pool).await.unwrap();
    let begun = root.post("/api/admin/projections/figures/rebuild", json!({})).await.ok();
    assert_eq!(begun["name"], "figures");
    assert!(begun["rebuild"]["started_at"].is_string(), "{begun}");
    let done = rebuilt(&root, "figures").await;
    assert_eq!(done["rebuild"]["state"], "done", "{done}");
    assert_eq!(done["rebuild"]["position"], position.0);
    assert_eq!(done["rebuild"]["error"], Value::Null);
    assert!(done["rebuild"]["finished_at"].is_string());
    assert_eq!(app.scalar::<String>("SELECT name FROM figures").await, "Harbour Pilot Mina");
    assert_eq!(named(&root, "collection").await["rebuild"], Value::Null);
}

#[tokio::test]
async fn a_rebuild_takes_no_body_and_an_unknown_name_is_not_found() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let bare = root.send(reqwest::Method::POST, "/api/admin/projections/figures/rebuild", |it| it).await;
    bare.ok();
    for name in ["nothing", "FIGURES", "%00", "figures%20"] {
        root.post(&format!("/api/admin/projections/{name}/rebuild"), json!({}))
            .await
            .refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_stopped_read_model_says_at_which_event_and_a_rebuild_of_it_fails_and_says_why() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let poison = seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
    let figures = named(&root, "figures").await;
    assert_eq!((&figures["state"], &figures["position"]), (&json!("stopped"), &json!(position.0)));
    assert_eq!(figures["failed_position"], poison.0);
    assert!(figures["error"].as_str().unwrap().contains("figure.sung_about"), "{figures}");
    root.post("/api/admin/projections/figures/rebuild", json!({})).await.ok();
    let failed = rebuilt(&root, "figures").await;
    assert_eq!(failed["rebuild"]["state"], "failed");
    assert!(failed["rebuild"]["error"].as_str().unwrap().contains("figure.sung_about"), "{failed}");
    assert_eq!(app.scalar::<String>("SELECT name FROM figures").await, "Harbour Pilot Mina");
}

#[tokio::test]
async fn a_projection_is_rebuilt_by_one_at_a_time() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    // Readers of the live tables keep the first rebuild from its swap for as long as they read.
    let mut reading = app.db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM figures").execute(&mut *reading).await.unwrap();
    let rebuild = async || root.post("/api/admin/projections/figures/rebuild", json!({})).await;
    rebuild().await.ok();
    rebuild().await.refused(409, "rebuild_running");
    reading.commit().await.unwrap();
    assert_eq!(rebuilt(&root, "figures").await["rebuild"]["state"], "done");
    rebuild().await.ok();
}

async fn act(root: &TestClient, action: &str) -> crate::support::Answer {
    root.post(&format!("/api/admin/projections/figures/{action}"), json!({})).await
}

#[tokio::test]
async fn only_admins_operate_the_read_models() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        for action in ["pause", "resume", "retry"] {
            act(client, action).await.refused(status, code);
        }
        client
            .post("/api/admin/projections/figures/skip", json!({"reason": "x"}))
            .await
            .refused(status, code);
        client.delete("/api/admin/projections/figures/rebuild").await.refused(status, code);
        client.get("/api/admin/projections/events").await.refused(status, code);
    }
}

#[tokio::test]
async fn a_paused_read_model_stays_where_it_is_until_it_is_resumed() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let (_, first) = seed.figure_at("Harbour Pilot Mina").await;
    app.folded(first).await;
    let paused = act(&root, "pause").await.ok();
    assert_eq!((&paused["state"], &paused["phase"]), (&json!("paused"), &json!("paused")));
    act(&root, "pause").await.refused(409, "not_running");
    act(&root, "retry").await.refused(409, "not_stopped");
    let (_, second) = seed.figure_at("Teapot Keeper Io").await;
    sqlx::query("SELECT pg_sleep(1.1)").execute(&app.db.pool).await.unwrap();
    let waiting = named(&root, "figures").await;
    assert_eq!((&waiting["position"], &waiting["lag"]), (&json!(first.0), &json!(second.0 - first.0)));
    assert!(waiting["lag_seconds"].as_i64().unwrap() >= 1, "{waiting}");
    act(&root, "resume").await.ok();
    act(&root, "resume").await.refused(409, "not_paused");
    app.folded(second).await;
    let live = named(&root, "figures").await;
    assert_eq!((&live["phase"], &live["lag"], &live["lag_seconds"]), (&json!("live"), &json!(0), &json!(0)));
    root.post("/api/admin/projections/nothing/pause", json!({})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_skip_lets_a_stopped_read_model_go_on_and_stays_on_record() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let skip = async |reason: &str| {
        root.post("/api/admin/projections/figures/skip", json!({"reason": reason})).await
    };
    skip("nothing to skip").await.refused(409, "not_stopped");
    let poison = seed::from_a_later_release(&app.db.pool, mina).await;
    for name in ["figures", "collection", "preorders", "activity", "achievements"] {
        app.stopped(name).await;
    }
    let stopped = named(&root, "figures").await;
    assert_eq!((&stopped["phase"], &stopped["failed_position"]), (&json!("stopped"), &json!(poison.0)));
    act(&root, "pause").await.refused(409, "not_running");
    // It cannot fold it this time either.
    act(&root, "retry").await.ok();
    app.stopped("figures").await;
    for reason in ["", "  ", &"x".repeat(501)] {
        skip(reason).await.refused_field(422, "invalid_field", "reason");
    }
    skip(" recorded by a later release ").await.ok();
    let waited =
        app.state.projections.wait_for(&["figures"], poison, std::time::Duration::from_secs(60)).await;
    assert!(waited.is_reached(), "{waited:?}");
    let figures = named(&root, "figures").await;
    assert_eq!(figures["state"], "running");
    assert_eq!(figures["skips"].as_array().unwrap().len(), 1);
    let me = root.get("/api/me").await.ok();
    let kept = &figures["skips"][0];
    assert_eq!((&kept["position"], &kept["skipped_by"]), (&json!(poison.0), &me["id"]));
    assert_eq!(kept["reason"], "recorded by a later release");
    assert_eq!(named(&root, "collection").await["skips"], json!([]));
    app.state.projections.rebuild(&["figures"], |_| ()).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_rebuild_leaves_the_live_tables_and_nothing_else() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let path = "/api/admin/projections/figures/rebuild";
    root.delete(path).await.refused(409, "no_rebuild_running");
    // A reader keeps the rebuild from its end.
    let mut reading = app.db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM figures").execute(&mut *reading).await.unwrap();
    root.post(path, json!({})).await.ok();
    eventually("the rebuild begins", async || named(&root, "figures").await["phase"] == "rebuilding").await;
    let cancelled = root.delete(path).await.ok();
    assert_eq!(cancelled["rebuild"]["state"], "cancelled");
    root.delete(path).await.refused(409, "no_rebuild_running");
    let shadows = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'shadow%'";
    eventually("the shadow tables are gone", async || app.scalar::<i64>(shadows).await == 0).await;
    reading.commit().await.unwrap();
    assert_eq!(app.scalar::<String>("SELECT name FROM figures").await, "Harbour Pilot Mina");
    eventually("another may begin", async || root.post(path, json!({})).await.status != 409).await;
    assert_eq!(rebuilt(&root, "figures").await["rebuild"]["state"], "done");
}

/// The next `projections` of a stream of server-sent events.
async fn next(stream: &mut reqwest::Response, read: &mut String) -> Vec<Value> {
    loop {
        if let Some((event, rest)) = read.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            *read = rest;
            if let Some(data) = event.strip_prefix("event: projections\ndata: ") {
                return serde_json::from_str(data).unwrap();
            }
            continue;
        }
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(60), stream.chunk()).await;
        let chunk = chunk.expect("nothing is sent").unwrap().expect("the stream ended");
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn changes_are_told_as_server_sent_events() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let url = format!("{}/api/admin/projections/events", root.base);
    let mut stream = root.http.get(url).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut read = String::new();
    let first = next(&mut stream, &mut read).await;
    assert_eq!(first, all(&root).await);
    let figures = |all: &[Value]| all.iter().find(|one| one["name"] == "figures").unwrap().clone();
    act(&root, "pause").await.ok();
    while figures(&next(&mut stream, &mut read).await)["phase"] != "paused" {}
    // The stream ends when the server stops, so that stopping does not wait for it.
    app.state.stop();
    let rest = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(std::time::Duration::from_secs(60), rest).await.expect("the stream does not end");
}
