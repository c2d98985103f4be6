use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp, TestClient};

async fn id_of(client: &TestClient) -> String {
    client.get("/api/me").await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_admins_see_and_change_accounts() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/users").await.refused(status, code);
        client.patch("/api/admin/users/alice", json!({"is_admin": true})).await.refused(status, code);
    }
    assert_eq!(alice.get("/api/me").await.ok()["is_admin"], false);
}

#[tokio::test]
async fn accounts_are_listed_in_pages_without_loss_or_repetition() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    for n in 0..6 {
        app.register(&format!("user{n}")).await;
    }
    let mut seen = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = root.get(&format!("/api/admin/users?limit=3&cursor={cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["username"].as_str().unwrap().to_owned()));
        next = page["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ["root", "user0", "user1", "user2", "user3", "user4", "user5"]);
    let found = root.get("/api/admin/users?q=USER3@EXAMPLE").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["next_cursor"], Value::Null);
}

#[tokio::test]
async fn limits_and_cursors_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    for limit in ["0", "201", "-1", "many", "1.5", "99999999999"] {
        root.get(&format!("/api/admin/users?limit={limit}")).await.refused_field(
            422,
            "invalid_field",
            "limit",
        );
    }
    let nul = "eyJjcmVhdGVkX2F0IjoiXHUwMDAwIiwiaWQiOiIifQ";
    let far = "eyJjcmVhdGVkX2F0IjoiKzI2MjE0Mi0xMi0zMVQyMzo1OTo1OVoiLCJpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9";
    for cursor in ["rubbish", "!!!", "bm90IGpzb24", "W10", nul, &"A".repeat(4_000)] {
        root.get(&format!("/api/admin/users?cursor={cursor}")).await.refused_field(
            422,
            "invalid_cursor",
            "cursor",
        );
    }
    let answer = root.get(&format!("/api/admin/users?cursor={far}")).await;
    assert!(answer.status.as_u16() < 500, "{}", answer.text);
    root.get("/api/admin/users?limt=3").await.refused_field(422, "unknown_parameter", "limt");
}

#[tokio::test]
async fn accounts_are_named_by_id_or_username() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let alice = app.register("alice").await;
    let id = id_of(&alice).await;
    let by_id = root.patch(&format!("/api/admin/users/{id}"), json!({"is_admin": true})).await.ok();
    assert_eq!((&by_id["id"], &by_id["is_admin"]), (&json!(id), &json!(true)));
    let by_name = root.patch("/api/admin/users/ALICE", json!({"is_admin": false})).await.ok();
    assert_eq!(by_name["is_admin"], false);
    root.patch("/api/admin/users/nobody", json!({})).await.refused(404, "not_found");
    root.patch("/api/admin/users/00000000-0000-0000-0000-000000000000", json!({}))
        .await
        .refused(404, "not_found");
    root.patch("/api/admin/users/alice", json!({"suspended": "yes"})).await.refused_field(
        422,
        "invalid_field",
        "suspended",
    );
    root.patch("/api/admin/users/alice", json!({"username": "eve"})).await.refused_field(
        422,
        "unknown_field",
        "username",
    );
}

#[tokio::test]
async fn the_suspended_are_out_at_once_and_old_sessions_do_not_come_back() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let alice = app.register("alice").await;
    let suspended = root.patch("/api/admin/users/alice", json!({"suspended": true})).await.ok();
    assert!(suspended["suspended_at"].is_string());
    alice.get("/api/me").await.refused(403, "suspended");
    let login = async |password: &str| {
        let client = app.visitor();
        client.post("/api/auth/login", json!({"username": "alice", "password": password})).await
    };
    login(PASSWORD).await.refused(403, "suspended");
    login("a guess").await.refused(401, "wrong_credentials");
    let restored = root.patch("/api/admin/users/alice", json!({"suspended": false})).await.ok();
    assert_eq!(restored["suspended_at"], Value::Null);
    alice.get("/api/me").await.refused(401, "not_signed_in");
    login(PASSWORD).await.ok();
}

#[tokio::test]
async fn suspending_twice_keeps_the_first_time() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    app.register("alice").await;
    let suspend = async || root.patch("/api/admin/users/alice", json!({"suspended": true})).await.ok();
    assert_eq!(suspend().await["suspended_at"], suspend().await["suspended_at"]);
}

#[tokio::test]
async fn the_last_admin_can_be_neither_demoted_nor_suspended() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    root.patch("/api/admin/users/root", json!({"is_admin": false})).await.refused(409, "last_admin");
    root.patch("/api/admin/users/root", json!({"suspended": true})).await.refused(409, "last_admin");
    app.register_admin("second").await;
    root.patch("/api/admin/users/second", json!({"suspended": true})).await.ok();
    root.patch("/api/admin/users/root", json!({"is_admin": false})).await.refused(409, "last_admin");
    root.patch("/api/admin/users/second", json!({"suspended": false})).await.ok();
    root.patch("/api/admin/users/root", json!({"is_admin": false})).await.ok();
    root.get("/api/admin/users").await.refused(403, "admin_only");
}

#[tokio::test]
async fn of_two_admins_who_demote_each_other_at_once_one_remains() {
    let app = TestApp::new().await;
    for round in 0..5 {
        let names = [format!("left{round}"), format!("right{round}")];
        let left = app.register_admin(&names[0]).await;
        let right = app.register_admin(&names[1]).await;
        sqlx::query("UPDATE users SET is_admin = username = ANY ($1)")
            .bind(&names)
            .execute(&app.db.pool)
            .await
            .unwrap();
        let (path_left, path_right) =
            (format!("/api/admin/users/{}", names[0]), format!("/api/admin/users/{}", names[1]));
        let _answers = tokio::join!(
            left.patch(&path_right, json!({"is_admin": false})),
            right.patch(&path_left, json!({"is_admin": false})),
        );
        assert_eq!(app.scalar::<i64>("SELECT count(*) FROM users WHERE is_admin").await, 1);
    }
}
