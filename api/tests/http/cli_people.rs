//! Looking after people from the machine itself.

use database::testing::TestDb;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::cli::{Server, run};

const PASSWORD: &str = "a rather long one";
const NEW: &str = "another rather long one";

#[tokio::test(flavor = "multi_thread")]
async fn people_are_looked_after_from_the_command_line() {
    let db = TestDb::new().await;
    let admin = |arguments: &[&str]| run(&db, &[&["admin"], arguments].concat(), &format!("{PASSWORD}\n"));
    let works = |arguments: &[&str]| {
        let (worked, stdout, stderr) = admin(arguments);
        assert!(worked, "{arguments:?}: {stderr}");
        stdout
    };
    let refused = |arguments: &[&str]| {
        let (worked, _, stderr) = admin(arguments);
        assert!(!worked, "{arguments:?}");
        stderr
    };
    works(&["create-user", "root", "--admin"]);
    works(&["create-user", "alice"]);
    let server = Server::start(&db, &[]);
    let (alice, visitor) = (server.client(), server.client());
    let login = |password: &str| json!({"username": "alice", "password": password});
    alice.post("/api/auth/login", login(PASSWORD)).await.ok();
    let key = alice.post("/api/me/api-keys", json!({"name": "script"})).await.made();
    let key = key["key"].as_str().unwrap().to_owned();
    let with_key = async || {
        let client = server.client();
        client.send(reqwest::Method::GET, "/api/me", |request| request.bearer_auth(&key)).await
    };
    with_key().await.ok();

    works(&["sign-out", "alice"]);
    alice.get("/api/me").await.refused(401, "not_signed_in");
    with_key().await.refused(401, "invalid_api_key");

    let printed = works(&["reset-password", "alice"]);
    let token = printed.split_once('#').unwrap().1.split_whitespace().next().unwrap();
    let body = json!({"token": token, "password": NEW});
    visitor.post("/api/auth/password-reset/confirm", body.clone()).await.ok();
    visitor.post("/api/auth/password-reset/confirm", body).await.refused(403, "reset_token_unknown");
    alice.post("/api/auth/login", login(NEW)).await.ok();

    assert!(refused(&["demote", "root"]).contains("last admin"));
    assert!(refused(&["suspend", "root"]).contains("last admin"));
    works(&["promote", "alice"]);
    alice.get("/api/admin/users").await.ok();
    works(&["demote", "root"]);
    works(&["promote", "root"]);
    works(&["suspend", "alice"]);
    alice.get("/api/me").await.refused(403, "suspended");
    assert!(refused(&["reset-password", "alice"]).contains("suspended"));
    works(&["unsuspend", "alice"]);
    alice.get("/api/me").await.refused(401, "not_signed_in");
    assert!(refused(&["suspend", "nobody-here"]).contains("no account"));
    assert!(server.stop(Signal::SIGTERM));
}
