use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn only_admins_see_how_much_there_is() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.visitor().get("/api/admin/stats").await.refused(401, "not_signed_in");
    alice.get("/api/admin/stats").await.refused(403, "admin_only");
}

#[tokio::test]
async fn an_empty_log_has_nothing_in_it() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let stats = root.get("/api/admin/stats").await.ok();
    assert_eq!((&stats["events"], &stats["streams"], &stats["head"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!((&stats["events_by_type"], &stats["streams_by_type"]), (&json!({}), &json!({})));
    assert_eq!((&stats["first_recorded_at"], &stats["users"]), (&Value::Null, &json!(1)));
}

#[tokio::test]
async fn everything_is_counted() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    app.register("alice").await;
    let seed = app.seed(None);
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed.figure("Teapot Keeper Io").await;
    let head = seed.rename(mina, "Mina").await;
    app.folded(head).await;
    let stats = root.get("/api/admin/stats").await.ok();
    assert_eq!((&stats["users"], &stats["events"], &stats["streams"]), (&json!(2), &json!(3), &json!(2)));
    assert_eq!(stats["events_by_type"], json!({"figure.catalogued": 2, "figure.renamed": 1}));
    assert_eq!(stats["streams_by_type"], json!({"figure": 2}));
    assert_eq!(stats["head"], head.0);
    assert!(stats["log_bytes"].as_i64().unwrap() > 0);
    assert!(stats["first_recorded_at"].as_str() < stats["last_recorded_at"].as_str());
    let figures =
        stats["projections"].as_array().unwrap().iter().find(|one| one["name"] == "figures").unwrap();
    assert_eq!(figures, &json!({"name": "figures", "state": "running", "position": head.0, "lag": 0}));
}
