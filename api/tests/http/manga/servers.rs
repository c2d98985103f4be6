use serde_json::{Value, json};

use super::{approve, at_home, link, proposed, revoke};
use crate::support::{TestApp, TestClient};

fn origins(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|server| server["base_url"].as_str().unwrap()).collect()
}

async fn told(client: &TestClient) -> Vec<(String, Value)> {
    let page = client.get("/api/me/notifications").await.ok();
    let one = |item: &Value| (item["event_type"].as_str().unwrap().to_owned(), item["payload"].clone());
    page["items"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_is_proposed_once_however_it_is_written() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let propose =
        async |who: &TestClient, url: &str| who.post("/api/manga/servers", json!({"base_url": url})).await;
    app.visitor().get("/api/manga/servers").await.refused(401, "not_signed_in");
    propose(&app.visitor(), "https://manga.example").await.refused(401, "not_signed_in");
    let made = propose(&alice, "HTTPS://Manga.EXAMPLE.:443/").await.made();
    assert_eq!(
        (&made["base_url"], &made["name"]),
        (&json!("https://manga.example"), &json!("manga.example"))
    );
    assert_eq!((&made["status"], &made["is_mine"]), (&json!("pending"), &json!(true)));
    for again in ["https://manga.example", "https://manga.example:443", " https://MANGA.example/ "] {
        let known = propose(&bob, again).await.refused_field(409, "manga_server_exists", "base_url");
        assert_eq!((&known["other_id"], &known["server_status"]), (&made["id"], &json!("pending")));
    }
    propose(&bob, "http://manga.example").await.made();
    propose(&bob, "https://manga.example:8443").await.made();
    for bad in [
        "manga.example",
        "",
        "ftp://manga.example",
        "https://manga.example/shelf",
        "https://manga.example/?a=1",
        "https://manga.example/#a",
        "https://me@manga.example",
        "https://me:secret@manga.example",
        "javascript:alert(1)",
    ] {
        propose(&bob, bad).await.refused_field(422, "invalid_field", "base_url");
    }
    for private in [
        "http://127.0.0.1:9000",
        "http://10.1.2.3",
        "http://[::1]",
        "http://169.254.169.254",
        "http://2130706433",
    ] {
        propose(&bob, private).await.refused_field(422, "address_not_allowed", "base_url");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_propose_one_server_at_once_one_does() {
    let app = TestApp::new().await;
    let mut people = Vec::new();
    for n in 0..6 {
        people.push(app.register(&format!("reader{n}")).await);
    }
    let asking =
        people.iter().map(|one| one.post("/api/manga/servers", json!({"base_url": "https://m.example"})));
    let answers = futures::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.body["code"] == "manga_server_exists").count(), 5);
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM manga_servers").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_proposals_of_one_person_wait_at_a_time() {
    let app = TestApp::new().await;
    let (alice, root) = (app.register("alice").await, app.register_admin("root").await);
    let asking = (0..14).map(|n| {
        let alice = alice.clone();
        async move {
            alice.post("/api/manga/servers", json!({"base_url": format!("https://m{n:02}.example")})).await
        }
    });
    let answers = futures::future::join_all(asking).await;
    let made: Vec<&Value> = answers.iter().filter(|one| one.status == 201).map(|one| &one.body).collect();
    assert_eq!(made.len(), 10);
    assert_eq!(answers.iter().filter(|one| one.body["code"] == "too_many_proposals").count(), 4);
    revoke(&root, made[0]["id"].as_str().unwrap(), "not a server").await;
    proposed(&alice, "https://another.example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_what_is_approved_and_their_own_and_admins_see_all() {
    let app = TestApp::new().await;
    let (alice, bob, root) =
        (app.register("alice").await, app.register("bob").await, app.register_admin("root").await);
    let (a, b) = (proposed(&alice, "https://a.example").await, proposed(&alice, "https://b.example").await);
    let c = proposed(&bob, "https://c.example").await;
    approve(&root, &a).await;
    let seen = async |who: &TestClient| who.get("/api/manga/servers").await.ok();
    assert_eq!(origins(&seen(&alice).await), ["https://a.example", "https://b.example"]);
    assert_eq!(origins(&seen(&bob).await), ["https://a.example", "https://c.example"]);
    assert_eq!(origins(&seen(&root).await).len(), 3);
    link(&bob, &b, "bob").await;
    assert_eq!(origins(&seen(&bob).await).len(), 3, "what one linked, whoever proposed it");
    revoke(&root, &c, "Nobody is there").await;
    let revoked = &seen(&bob).await["items"][2];
    assert_eq!((&revoked["status"], &revoked["note"]), (&json!("revoked"), &json!("Nobody is there")));
    assert!(!revoked.to_string().contains("submitted_by"), "who proposed it is for admins: {revoked}");
    let first = bob.get("/api/manga/servers?limit=1").await.ok();
    let next = first["next_cursor"].as_str().unwrap();
    let rest = bob.get(&format!("/api/manga/servers?cursor={next}")).await.ok();
    assert_eq!((origins(&first).len(), origins(&rest).len()), (1, 2));

    let all = root.get("/api/admin/manga-servers").await.ok();
    let counts: Vec<(i64, &str)> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["linked"].as_i64().unwrap(), one["submitted_by_name"].as_str().unwrap()))
        .collect();
    assert_eq!(counts, [(0, "alice"), (1, "alice"), (0, "bob")]);
    let pending = root.get("/api/admin/manga-servers?status=pending").await.ok();
    assert_eq!(origins(&pending), ["https://b.example"]);
    root.get("/api/admin/manga-servers?status=lost").await.refused_field(422, "invalid_field", "status");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_review_rename_and_delete() {
    let app = TestApp::new().await;
    let (alice, root) = (app.register("alice").await, app.register_admin("root").await);
    let id = proposed(&alice, "https://a.example").await;
    let place = format!("/api/admin/manga-servers/{id}");
    for (who, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        who.get("/api/admin/manga-servers").await.refused(status, code);
        who.post(&format!("{place}/approve"), json!({})).await.refused(status, code);
        who.post(&format!("{place}/revoke"), json!({"reason": "x"})).await.refused(status, code);
        who.patch(&place, json!({"name": "x"})).await.refused(status, code);
        who.delete(&place).await.refused(status, code);
    }
    for gone in
        ["/api/admin/manga-servers/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01", "/api/admin/manga-servers/x"]
    {
        root.post(&format!("{gone}/approve"), json!({})).await.refused(404, "not_found");
        root.post(&format!("{gone}/revoke"), json!({"reason": "x"})).await.refused(404, "not_found");
        root.patch(gone, json!({"name": "x"})).await.refused(404, "not_found");
        root.delete(gone).await.refused(404, "not_found");
    }
    root.post(&format!("{place}/revoke"), json!({})).await.refused_field(422, "missing_field", "reason");
    root.post(&format!("{place}/revoke"), json!({"reason": " "})).await.refused_field(
        422,
        "invalid_field",
        "reason",
    );

    let named = root.patch(&place, json!({"name": "The harbour library"})).await.ok();
    assert_eq!(
        (&named["name"], &named["base_url"]),
        (&json!("The harbour library"), &json!("https://a.example"))
    );
    root.patch(&place, json!({})).await.refused_field(422, "missing_field", "name");
    root.patch(&place, json!({"base_url": "http://127.0.0.1"})).await.refused(422, "address_not_allowed");
    let other = proposed(&alice, "https://b.example").await;
    let taken = root.patch(&place, json!({"base_url": "https://B.example:443"})).await;
    assert_eq!(taken.refused(409, "manga_server_exists")["other_id"], json!(other));
    assert_eq!(
        root.patch(&place, json!({"base_url": "https://c.example"})).await.ok()["base_url"],
        "https://c.example"
    );

    link(&alice, &id, "alice").await;
    let kept = root.delete(&place).await.refused(409, "manga_server_linked");
    assert_eq!(kept["linked"], 1);
    alice.delete("/api/me/manga-link").await.ok();
    assert_eq!(root.delete(&place).await.ok()["removed"], true);
    root.delete(&place).await.refused(404, "not_found");
    proposed(&alice, "https://c.example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_linked_a_server_are_told_of_each_review_once_and_nobody_else_is() {
    let app = at_home(&[]).await;
    let (alice, bob, carol) =
        (app.register("alice").await, app.register("bob").await, app.register("carol").await);
    let root = app.register_admin("root").await;
    let id = proposed(&carol, "https://manga.example").await;
    link(&alice, &id, "alice").await;
    link(&bob, &id, "bob").await;
    // Alice wants it by webhook, too.
    root.put("/api/admin/notifications/channels/webhook", json!({"enabled": true})).await.ok();
    alice.put("/api/me/notifications/channels/webhook", json!({"url": "https://hooks.example/"})).await.ok();
    let on = json!({"manga_server_approved": {"webhook": true}});
    alice.put("/api/me/notifications/routing", on).await.ok();

    assert_eq!(approve(&root, &id).await["linked"], 2);
    approve(&root, &id).await;
    for who in [&alice, &bob] {
        let told = told(who).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let (kind, payload) = &told[0];
        assert_eq!((kind.as_str(), &payload["name"]), ("manga_server_approved", &json!("manga.example")));
        assert_eq!(
            (&payload["server_id"], &payload["base_url"]),
            (&json!(id), &json!("https://manga.example"))
        );
    }
    assert!(told(&carol).await.is_empty() && told(&root).await.is_empty());
    let queued = "SELECT count(*) FROM notification_deliveries WHERE event_type = 'manga_server_approved'";
    assert_eq!(app.scalar::<i64>(queued).await, 1);

    revoke(&root, &id, "It is gone").await;
    let after = revoke(&root, &id, "It is gone for good").await;
    assert_eq!(after["note"], "It is gone for good");
    let heard = told(&alice).await;
    assert_eq!((heard.len(), heard[0].0.as_str()), (2, "manga_server_revoked"));
    assert_eq!(heard[0].1["reason"], "It is gone");
    approve(&root, &id).await;
    assert_eq!(told(&alice).await.len(), 3, "another review is another thing");
    let keys = "SELECT count(*) FROM notification_dedup WHERE dedup_key LIKE 'manga_server_%'";
    assert_eq!(app.scalar::<i64>(keys).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_links_while_a_server_is_reviewed_is_told_or_sees_it() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let mut people = Vec::new();
    for n in 0..5 {
        people.push(app.register(&format!("reader{n}")).await);
    }
    for round in 0..3 {
        let id = proposed(&root, &format!("https://m{round}.example")).await;
        let linking = people.iter().map(|one| link(one, &id, "reader"));
        let (seen, _) = tokio::join!(futures::future::join_all(linking), approve(&root, &id));
        for (who, seen) in people.iter().zip(seen) {
            let heard =
                told(who).await.iter().filter(|(_, payload)| payload["server_id"] == json!(id)).count();
            let approved = seen["server"]["status"] == "approved";
            assert!(approved != (heard == 1), "approved when linked: {approved}, told: {heard}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_person_proposed_and_reviewed_stays_without_them() {
    let app = TestApp::new().await;
    let (alice, root) = (app.register("alice").await, app.register_admin("root").await);
    let other = app.register_admin("other").await;
    let id = proposed(&alice, "https://a.example").await;
    approve(&root, &id).await;
    link(&alice, &id, "alice").await;
    for who in [&alice, &root] {
        let gone = who
            .send(reqwest::Method::DELETE, "/api/me", |request| {
                request.json(&json!({"current_password": crate::support::PASSWORD}))
            })
            .await;
        assert!(gone.status.is_success(), "{}", gone.text);
    }
    let left = &other.get("/api/admin/manga-servers").await.ok()["items"][0];
    assert_eq!((&left["submitted_by"], &left["reviewed_by"]), (&Value::Null, &Value::Null));
    assert_eq!((&left["status"], &left["linked"]), (&json!("approved"), &json!(0)));
}
