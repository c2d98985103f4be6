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
    loop {
        let one = named(root, name).await;
        if one["rebuild"]["state"] != "running" {
            return one;
        }
        tokio::task::yield_now().await;
    }
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
    app.stop_folding();
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
