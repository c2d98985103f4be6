//! Jobs over HTTP: who may, what they come to, and that a server runs them.

use database::testing::eventually;
use serde_json::{Value, json};

use crate::{
    market::{Market, figure, prices},
    support::{TestApp, TestClient},
};

async fn ended(admin: &TestClient, job: &str) -> Value {
    let mut latest = Value::Null;
    eventually(&format!("{job} ends"), async || {
        let shown = admin.get(&format!("/api/admin/jobs/{job}")).await.ok();
        latest = shown["latest"].clone();
        !latest.is_null() && latest["state"] != "running"
    })
    .await;
    latest
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_see_start_and_end_jobs() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/jobs").await.refused(status, code);
        client.get("/api/admin/jobs/price_cron").await.refused(status, code);
        client.post("/api/admin/jobs/price_cron/run", json!({})).await.refused(status, code);
        client.post("/api/admin/jobs/price_cron/cancel", json!({})).await.refused(status, code);
    }
    let admin = app.register_admin("root").await;
    admin.get("/api/admin/jobs/nothing").await.refused(404, "not_found");
    admin.post("/api/admin/jobs/nothing/run", json!({})).await.refused(404, "not_found");
    admin.post("/api/admin/jobs/nothing/cancel", json!({})).await.refused(404, "not_found");
    admin.post("/api/admin/jobs/price_cron/cancel", json!({})).await.refused(409, "job_not_running");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_is_listed_with_its_schedule() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    let listed = admin.get("/api/admin/jobs").await.ok();
    let jobs = listed["items"].as_array().unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
    for name in ["price_cron", "fx_refresh", "session_cleanup", "lookup_cleanup"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let price = &jobs[names.iter().position(|name| *name == "price_cron").unwrap()];
    assert_eq!((&price["schedule"], &price["setting"]), (&Value::Null, &json!("cote.price_cron")));
    admin.put("/api/admin/settings/cote.price_cron", json!({"value": "30 4 * * *"})).await.ok();
    let price = admin.get("/api/admin/jobs/price_cron").await.ok();
    assert_eq!(price["schedule"], "30 4 * * *");
    assert!(price["next_run_at"].as_str().unwrap().ends_with("T04:30:00Z"), "{price}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_an_admin_starts_is_on_record_with_what_it_came_to() {
    let market = Market::open().await;
    let app = TestApp::with(&[("FIGURE_PROXY_URL", market.provider.url().as_str())]).await;
    let admin = app.register_admin("root").await;
    let akari = figure(&admin, "/item/1", json!({})).await;
    market.sell(&[("/item/1", json!({"price": {"amount": "129.90"}, "status": "in_stock"}))]);
    let begun = admin.post("/api/admin/jobs/price_cron/run", json!({})).await.ok();
    assert_eq!((&begun["state"], &begun["triggered_by"]), (&json!("running"), &json!("admin")));
    let run = ended(&admin, "price_cron").await;
    assert_eq!((&run["state"], &run["result"]["moved"]), (&json!("succeeded"), &json!(1)), "{run}");
    assert_eq!((&run["id"], &run["error_message"]), (&begun["id"], &Value::Null));
    assert_eq!(run["requested_by"], admin.get("/api/me").await.ok()["id"]);
    app.folded(app.state.store.head().await.unwrap()).await;
    assert_eq!(prices(&admin, &akari).await["price"]["amount"], "129.90");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_without_a_provider_fails_and_says_what_to_do() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    admin.post("/api/admin/jobs/price_cron/run", json!({})).await.ok();
    let run = ended(&admin, "price_cron").await;
    assert_eq!(run["state"], "failed");
    assert!(run["error_message"].as_str().unwrap().contains("FIGURE_PROXY_URL"), "{run}");
    assert_eq!(run["result"]["ended"], "gave_up");
    let metrics = admin.get("/metrics").await.text;
    assert!(metrics.contains("figure_ledger_job_failed{job=\"price_cron\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_starts_a_sweep_when_the_setting_says_and_once() {
    let market = Market::open().await;
    let app = TestApp::with(&[("FIGURE_PROXY_URL", market.provider.url().as_str())]).await;
    let admin = app.register_admin("root").await;
    let time = |text: &str| text.parse().unwrap();
    let (before, after) = (time("2026-11-02T03:59:30Z"), time("2026-11-02T04:00:30Z"));
    let runs = async || admin.get("/api/admin/jobs/price_cron").await.ok()["runs"].as_array().unwrap().len();
    app.state.jobs.tick(before, after).await;
    assert_eq!(runs().await, 0, "off until somebody turns it on");
    admin.put("/api/admin/settings/cote.price_cron", json!({"value": "0 4 * * *"})).await.ok();
    app.state.jobs.tick(before, after).await;
    app.state.jobs.tick(before, after).await;
    let run = ended(&admin, "price_cron").await;
    assert_eq!((&run["state"], &run["triggered_by"]), (&json!("succeeded"), &json!("schedule")), "{run}");
    assert_eq!(run["scheduled_for"], "2026-11-02T04:00:00Z");
    app.state.jobs.tick(before, after).await;
    assert_eq!(runs().await, 1, "its minute was had");
    admin.put("/api/admin/settings/cote.price_cron", json!({"value": ""})).await.ok();
    app.state.jobs.tick(time("2026-11-03T03:59:30Z"), time("2026-11-03T04:00:30Z")).await;
    assert_eq!(runs().await, 1, "turned off without a restart");
}
