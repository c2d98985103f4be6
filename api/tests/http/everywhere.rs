//! What holds for every route.

use axum::{Router, http::StatusCode, routing::get};
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    anybody.get("/api/nothing").await.refused(404, "not_found");
    anybody.get("/nothing").await.refused(404, "not_found");
    anybody.get("/api/me/").await.refused(404, "not_found");
    let answer = anybody.put("/api/me", json!({})).await;
    let allowed = answer.header("allow").to_owned();
    assert!(allowed.contains("GET") && allowed.contains("PATCH"), "{allowed}");
    answer.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let patch = async |body: &'static [u8]| alice.raw(Method::PATCH, "/api/me", body).await;
    patch(b"").await.refused(400, "malformed_json");
    patch(b"{\"time_zone\":").await.refused(400, "malformed_json");
    patch(b"{\"time_zone\":\"\xff\xfe\"}").await.refused(400, "malformed_json");
    patch(b"{\"other\":\"\xff\xfe\"}").await.refused(400, "malformed_json");
    patch(b"{\"time_zone\":\"a\0b\"}").await.refused(400, "malformed_json");
    patch(b"{\"time_zone\":\"\\u0000\"}").await.refused_field(422, "invalid_field", "time_zone");
    patch(b"{\"public_profile\":\"yes\"}").await.refused_field(422, "invalid_field", "public_profile");
    patch(b"{\"public_profile\":null}").await.refused_field(422, "invalid_field", "public_profile");
    patch(b"{\"is_admin\":true}").await.refused_field(422, "unknown_field", "is_admin");
    patch(b"[1,2]").await.refused(422, "invalid_field");
    let deep = "[".repeat(50_000);
    alice.raw(Method::PATCH, "/api/me", deep).await.refused(400, "malformed_json");
    let form = alice.send(Method::PATCH, "/api/me", |request| request.body("public_profile=true")).await;
    form.refused(415, "unsupported_media_type");
    assert_eq!(alice.get("/api/me").await.ok()["public_profile"], false);
}

#[tokio::test]
async fn without_a_database_every_answer_is_503() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.state.pool.close().await;
    app.state.lanes.close();
    for path in ["/api/me", "/api/me/owned", "/api/figures", "/api/me/activity"] {
        let answer = alice.get(path).await;
        assert!(!answer.header("retry-after").is_empty(), "{path}");
        assert!(answer.header("set-cookie").is_empty(), "{path} would sign them out");
        answer.refused(503, "database_unavailable");
    }
    alice.post("/api/figures", json!({"name": "Io"})).await.refused(503, "database_unavailable");
    let login = json!({"username": "alice", "password": PASSWORD});
    app.visitor().post("/api/auth/login", login).await.refused(503, "database_unavailable");
}

#[tokio::test]
async fn what_reads_a_column_that_is_still_to_come_asks_for_patience() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    // As the table of an earlier release, which serves until it is rebuilt.
    sqlx::query("ALTER TABLE cote_pieces RENAME COLUMN figure_type TO of_another_release")
        .execute(&app.state.pool)
        .await
        .unwrap();
    let answer = alice.get("/api/me/stats").await;
    assert!(!answer.header("retry-after").is_empty());
    answer.refused(503, "read_model_upgrading");
}

#[tokio::test]
async fn a_body_over_64_kib_is_refused_announced_or_not() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for size in [64 * 1024 + 1, 3 << 20, 20 << 20] {
        alice.raw(Method::PATCH, "/api/me", vec![b' '; size]).await.refused(413, "body_too_large");
    }
    let chunks = futures::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 4096])));
    let streamed = reqwest::Body::wrap_stream(chunks);
    alice.raw(Method::PATCH, "/api/me", streamed).await.refused(413, "body_too_large");
    let mut fits = b"{}".to_vec();
    fits.resize(64 * 1024, b' ');
    alice.raw(Method::PATCH, "/api/me", fits).await.ok();
}

#[tokio::test]
async fn paths_and_queries_that_are_no_text_are_refused() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let patch = async |user: &str| root.patch(&format!("/api/admin/users/{user}"), json!({})).await;
    patch("%ff").await.refused(400, "malformed_path");
    patch("a%00b").await.refused(404, "not_found");
    patch("no such name").await.refused(404, "not_found");
    root.get("/api/admin/users?q=%ff").await.refused(400, "malformed_query");
    root.get("/api/admin/users?q=%00").await.refused(422, "invalid_field");
}

#[tokio::test]
async fn writes_from_pages_of_other_sites_are_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let patch = async |name: &'static str, value: &str| {
        alice
            .send(Method::PATCH, "/api/me", |request| {
                request.header(name, value).json(&json!({"public_profile": true}))
            })
            .await
    };
    patch("sec-fetch-site", "cross-site").await.refused(403, "cross_site_write");
    patch("origin", "https://evil.example").await.refused(403, "cross_site_write");
    patch("origin", "null").await.refused(403, "cross_site_write");
    assert_eq!(alice.get("/api/me").await.ok()["public_profile"], false);
    patch("origin", &format!("http://{}", app.address)).await.ok();
    patch("sec-fetch-site", "same-origin").await.ok();
    let read =
        alice.send(Method::GET, "/api/me", |request| request.header("sec-fetch-site", "cross-site")).await;
    read.ok();
}

#[tokio::test]
async fn pages_at_the_public_url_may_write() {
    let app = TestApp::with(&[("PUBLIC_URL", "https://figures.example")]).await;
    let body = json!({"username": "alice", "email": "a@example.org", "password": PASSWORD});
    let sent = app
        .visitor()
        .send(Method::POST, "/api/auth/register", |request| {
            request.header("origin", "https://figures.example").json(&body)
        })
        .await;
    sent.made();
}

#[tokio::test]
async fn every_answer_carries_its_id_and_what_browsers_may_do_with_it() {
    let app = TestApp::new().await;
    for path in ["/api/me", "/api/nothing", "/api/health/live"] {
        let answer = app.visitor().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{path}");
    }
}

#[tokio::test]
async fn a_callers_request_id_is_kept_when_it_is_a_uuid() {
    let app = TestApp::new().await;
    let given = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a";
    let ask = async |id: &str| {
        let answer =
            app.visitor().send(Method::GET, "/api/me", |request| request.header("x-request-id", id)).await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(ask(given).await, given);
    assert_ne!(ask("anything else").await, "anything else");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing_and_the_server_goes_on() {
    let routes = Router::new().route("/boom", get(async || -> &'static str { panic!("the secret") }));
    let app = TestApp::with_routes(routes).await;
    for _ in 0..3 {
        let answer = app.visitor().get("/boom").await;
        assert!(!answer.text.contains("secret"), "{}", answer.text);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        answer.refused(500, "internal");
    }
}

#[tokio::test]
async fn what_a_library_refuses_in_its_own_words_is_reworded() {
    let routes = Router::new()
        .route("/teapot", get(async || (StatusCode::IM_A_TEAPOT, "short and stout")))
        .route("/broken", get(async || (StatusCode::BAD_GATEWAY, "stack trace")));
    let app = TestApp::with_routes(routes).await;
    app.visitor().get("/teapot").await.refused(418, "bad_request");
    app.visitor().get("/broken").await.refused(502, "internal");
}
