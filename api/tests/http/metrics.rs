use api::ledger::Ledger;
use database::testing::eventually;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, TestApp, TestClient};

const TOKEN: &str = "a-token-of-some-length";

async fn with_token(client: &TestClient, token: &str) -> Answer {
    client.send(Method::GET, "/metrics", |request| request.bearer_auth(token)).await
}

/// The value of one series; 0 when there is none yet.
fn value(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn metrics_are_for_admins_and_whoever_has_the_token() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let (anybody, alice) = (app.visitor(), app.register("alice").await);
    anybody.get("/metrics").await.refused(401, "not_signed_in");
    alice.get("/metrics").await.refused(403, "admin_only");
    for wrong in ["", "a-token-of-some-lengtH", "a-token-of-some-length-and-more"] {
        with_token(&anybody, wrong).await.refused(401, "not_signed_in");
    }
    let answer = with_token(&anybody, TOKEN).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(app.register_admin("root").await.get("/metrics").await.status, 200);
    let without = TestApp::new().await;
    with_token(&without.visitor(), "").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn what_happens_is_counted_by_what_it_was_and_how_it_ended() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let alice = app.register("alice").await;
    let read = async || with_token(&alice, TOKEN).await.text;
    let series = [
        r#"figure_ledger_command_seconds_count{command="add_piece",outcome="done"}"#,
        r#"figure_ledger_command_seconds_count{command="add_piece",outcome="refused"}"#,
        r#"figure_ledger_http_request_seconds_count{method="GET",route="/api/figures/{id}",status="404"}"#,
        "figure_ledger_append_batch_events_count",
        "figure_ledger_append_batch_commands_count",
        "figure_ledger_append_seconds_count",
    ];
    let before = read().await;
    let figure = json!({"name": "Harbour Pilot Mina", "figure_type": "scale"});
    let figure = alice.post("/api/figures", figure).await.made();
    alice.post("/api/me/owned", json!({"figure_id": figure["id"]})).await.made();
    let nobodys = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff";
    alice.post("/api/me/owned", json!({"figure_id": nobodys})).await.refused(404, "figure_not_found");
    let missing = alice.get(&format!("/api/figures/{nobodys}")).await;
    assert_eq!(missing.status, 404);
    let after = read().await;
    for one in series {
        assert!(value(&after, one) > value(&before, one), "{one} did not grow:\n{after}");
    }
    assert!(!after.contains(nobodys), "paths make no series");
    assert!(after.contains("figure_ledger_command_seconds_bucket"), "{after}");
    // Methods that nobody knows make no series either.
    let made_up = Method::from_bytes(b"BREW").unwrap();
    alice.send(made_up, "/api/me", |request| request).await;
    let text = read().await;
    assert!(text.contains(r#"method="other""#) && !text.contains("BREW"), "{text}");
}

#[tokio::test]
async fn how_things_stand_is_told_and_what_only_the_database_knows_is_left_out_without_it() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let anybody = app.visitor();
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    app.state.projections.pause("activity").await.unwrap();
    let (_, next) = app.seed(None).figure_at("Teapot Keeper Io").await;
    let waited = app.state.projections.wait_for(&["figures"], next, std::time::Duration::from_secs(60)).await;
    assert!(waited.is_reached());
    let text = with_token(&anybody, TOKEN).await.text;
    let behind = u64::try_from(next.0 - position.0).unwrap();
    for (series, expected) in [
        (r#"figure_ledger_projection_lag_events{projection="figures"}"#, 0),
        (r#"figure_ledger_projection_lag_events{projection="activity"}"#, behind),
        (r#"figure_ledger_projection_state{projection="activity",state="paused"}"#, 1),
        (r#"figure_ledger_projection_state{projection="activity",state="running"}"#, 0),
        ("figure_ledger_database_up", 1),
        ("figure_ledger_leading", 1),
        ("figure_ledger_append_queue_depth", 0),
        ("figure_ledger_append_queue_capacity", 1_024),
        (r#"figure_ledger_policy_parked_events{policy="price_alerts"}"#, 0),
        ("figure_ledger_erasures_unfinished", 0),
        ("figure_ledger_pool_connections_max", 10),
        (r#"figure_ledger_projection_lag_seconds{projection="figures"}"#, 0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}\n{text}");
        assert!(text.contains(series), "{series}");
    }
    app.db.pool.close().await;
    let text = with_token(&anybody, TOKEN).await.text;
    assert!(text.contains("figure_ledger_database_up 0"), "{text}");
    assert!(!text.contains("figure_ledger_projection_lag_events"), "{text}");
}

#[tokio::test]
async fn a_rebuild_is_told_with_its_rate_while_it_lasts() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let anybody = app.visitor();
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    // A reader keeps the rebuild from its end.
    let mut reading = app.db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM figures").execute(&mut *reading).await.unwrap();
    let projections = app.state.projections.clone();
    let rebuilding = tokio::spawn(async move { projections.rebuild(&["figures"], |_| ()).await });
    let at = format!("figure_ledger_rebuild_position{{projection=\"figures\"}} {position}");
    eventually("the rebuild is told", async || with_token(&anybody, TOKEN).await.text.contains(&at)).await;
    let text = with_token(&anybody, TOKEN).await.text;
    assert!(text.contains("figure_ledger_rebuild_events_per_second{projection=\"figures\"}"), "{text}");
    reading.commit().await.unwrap();
    rebuilding.await.unwrap().unwrap();
    assert!(!with_token(&anybody, TOKEN).await.text.contains("figure_ledger_rebuild_position{"));
}

#[tokio::test]
async fn a_rebuild_by_another_process_is_told_as_well() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let anybody = app.visitor();
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let mut reading = app.db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM figures").execute(&mut *reading).await.unwrap();
    // As the command line has it: the same database, and nothing else in common.
    let other = Ledger::open(&app.db.pool).await.unwrap().projections;
    let rebuilding = tokio::spawn(async move { other.rebuild(&["figures"], |_| ()).await });
    let at = format!("figure_ledger_rebuild_position{{projection=\"figures\"}} {position}");
    eventually("the rebuild is told", async || with_token(&anybody, TOKEN).await.text.contains(&at)).await;
    let text = with_token(&anybody, TOKEN).await.text;
    assert!(text.contains("figure_ledger_rebuild_events_per_second{projection=\"figures\"}"), "{text}");
    assert!(!text.contains("figure_ledger_rebuild_position{projection=\"activity\"}"), "{text}");
    reading.commit().await.unwrap();
    rebuilding.await.unwrap().unwrap();
    let text = with_token(&anybody, TOKEN).await.text;
    assert!(!text.contains("figure_ledger_rebuild_events_per_second{"), "{text}");
}

#[tokio::test]
async fn connections_beside_the_pool_are_told_by_what_they_call_themselves() {
    let app = TestApp::with(&[("METRICS_TOKEN", TOKEN)]).await;
    let alice = app.register("alice").await;
    alice.get("/api/me").await.ok();
    let (_, position) = app.seed(None).figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let text = with_token(&alice, TOKEN).await.text;
    for application in ["figure-ledger lane", "figure-ledger projections"] {
        let of = |state| {
            let labels = format!("{{application=\"{application}\",state=\"{state}\"}}");
            value(&text, &format!("figure_ledger_database_connections{labels}"))
        };
        assert!(of("idle") + of("used") > 0, "{application}\n{text}");
    }
    assert!(value(&text, "figure_ledger_database_connections_max") > 10, "{text}");
    // One that is at work is used.
    let mut working = app.db.pool.begin().await.unwrap();
    sqlx::query("SET LOCAL application_name = 'figure-ledger backup'").execute(&mut *working).await.unwrap();
    let used = r#"figure_ledger_database_connections{application="figure-ledger backup",state="used"} 1"#;
    eventually("it is told", async || with_token(&alice, TOKEN).await.text.contains(used)).await;
    working.rollback().await.unwrap();
}
