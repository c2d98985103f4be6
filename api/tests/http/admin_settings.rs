//! Settings over HTTP: who may, what each takes, and that it holds at once.

use serde_json::{Value, json};

use crate::support::TestApp;

const CRON: &str = "/api/admin/settings/cote.price_cron";

#[tokio::test]
async fn only_admins_read_and_change_settings() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/settings").await.refused(status, code);
        client.get(CRON).await.refused(status, code);
        client.put(CRON, json!({"value": ""})).await.refused(status, code);
    }
    let admin = app.register_admin("root").await;
    admin.get("/api/admin/settings/no.such").await.refused(404, "not_found");
    admin.put("/api/admin/settings/no.such", json!({"value": 1})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_setting_holds_its_default_until_somebody_sets_it() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    let unset = admin.get(CRON).await.ok();
    assert_eq!((&unset["value"], &unset["updated_at"]), (&json!(""), &Value::Null));
    let set = admin.put(CRON, json!({"value": " 30  4 * *  * "})).await.ok();
    assert_eq!(set["value"], "30 4 * * *");
    assert_eq!(set["updated_by"], admin.get("/api/me").await.ok()["id"]);
    assert_eq!(admin.get(CRON).await.ok(), set);
    let listed = admin.get("/api/admin/settings").await.ok();
    assert_eq!(listed["items"][0], set);
    assert_eq!(listed["items"][1]["value"], "admins_only");
    assert_eq!(admin.put(CRON, json!({"value": "  "})).await.ok()["value"], "");
}

#[tokio::test]
async fn what_a_setting_cannot_be_is_refused_and_the_old_value_stays() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    admin.put(CRON, json!({"value": "0 4 * * *"})).await.ok();
    for wrong in [
        json!("* * * * * *"),
        json!("@hourly"),
        json!("every day"),
        json!("61 4 * * *"),
        json!("0 4 30 2 *"),
        json!(5),
        json!(null),
        json!(["0 4 * * *"]),
        json!("0".repeat(10_000)),
    ] {
        admin.put(CRON, json!({"value": wrong})).await.refused_field(422, "invalid_field", "value");
    }
    admin.put(CRON, json!({})).await.refused(422, "missing_field");
    admin.put(CRON, json!({"value": "", "more": 1})).await.refused(422, "unknown_field");
    assert_eq!(admin.get(CRON).await.ok()["value"], "0 4 * * *");
    let policy = "/api/admin/settings/gsplat.creation_policy";
    admin.put(policy, json!({"value": "nobody"})).await.refused_field(422, "invalid_field", "value");
    assert_eq!(admin.put(policy, json!({"value": "everyone"})).await.ok()["value"], "everyone");
}
