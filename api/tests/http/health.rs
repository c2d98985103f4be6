use crate::{seed, support::TestApp};

#[tokio::test]
async fn a_running_server_lives_and_is_ready() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    assert_eq!(anybody.get("/api/health/live").await.ok()["status"], "alive");
    assert_eq!(anybody.get("/api/health/ready").await.ok()["status"], "ready");
}

#[tokio::test]
async fn a_stopping_server_lives_but_is_not_ready() {
    let app = TestApp::new().await;
    app.state.stop();
    app.visitor().get("/api/health/live").await.ok();
    app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
}

#[tokio::test]
async fn a_server_without_its_database_lives_but_is_not_ready() {
    let app = TestApp::new().await;
    app.db.pool.close().await;
    app.visitor().get("/api/health/live").await.ok();
    app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
}

#[tokio::test]
async fn a_request_without_the_database_is_told_to_come_back() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.db.pool.close().await;
    let answer =
        alice.post("/api/auth/login", serde_json::json!({"username": "alice", "password": "x"})).await;
    assert_eq!(answer.header("retry-after"), "5");
    answer.refused(503, "database_unavailable");
}

#[tokio::test]
async fn a_server_with_a_stopped_read_model_is_not_ready_and_names_it() {
    let app = TestApp::new().await;
    let (mina, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
    app.visitor().get("/api/health/live").await.ok();
    let refused = app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
    assert!(refused["projections"].as_array().unwrap().contains(&"figures".into()), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("figures"), "{refused}");
}
