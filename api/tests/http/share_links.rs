//! What holds for all links that people share.

use std::fs::File;

use database::testing::{ScratchFolder, TestDb};
use reqwest::Method;
use serde_json::json;

use crate::{
    cli::{Server, program},
    gift_list::{SHARE, release, reserve, share, tables_with, wish},
    support::{PASSWORD, TestApp},
};

#[tokio::test]
async fn a_link_is_shown_once_and_kept_as_a_hash() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    assert_eq!(alice.get(SHARE).await.ok(), json!({"shared": false, "shared_at": null}));
    alice.delete(SHARE).await.refused(404, "not_shared");
    let keyed = |request: reqwest::RequestBuilder| request.header("idempotency-key", "once");
    let answer = alice.send(Method::POST, SHARE, keyed).await;
    assert_eq!((answer.header("cache-control"), answer.header("location")), ("no-store", SHARE));
    let made = answer.made();
    let token = made["token"].as_str().unwrap();
    assert_eq!(token.len(), 43, "256 bits in base64url: {token}");
    assert!(made["url"].as_str().unwrap().ends_with(&format!("/api/g/{token}")), "{made}");
    let stands = alice.get(SHARE).await;
    assert!(!stands.text.contains(token));
    assert_eq!(stands.ok(), json!({"shared": true, "shared_at": made["shared_at"]}));
    assert_eq!(tables_with(&app, token).await, [""; 0]);
    let hashes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM share_links WHERE token_hash = sha256($1::bytea)")
            .bind(token.as_bytes())
            .fetch_one(&app.db.pool)
            .await
            .unwrap();
    assert_eq!(hashes, 1);
    let again = alice.send(Method::POST, SHARE, keyed).await.made();
    assert_ne!(again["token"], made["token"], "a record of the first answer would keep its token");

    let under = app.visitor();
    for method in [Method::GET, Method::POST, Method::DELETE] {
        under.send(method, SHARE, |request| request).await.refused(401, "not_signed_in");
    }
    let elsewhere = TestApp::with(&[("PUBLIC_URL", "https://figures.example")]).await;
    let made = elsewhere.register("alice").await.post(SHARE, json!({})).await.made();
    let token = made["token"].as_str().unwrap();
    assert_eq!(made["url"], format!("https://figures.example/api/g/{token}"));
}

#[tokio::test]
async fn whatever_is_wrong_with_a_link_the_answer_is_the_same() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let mina = wish(&alice, "Mina").await;
    let replaced = share(&alice).await;
    anybody.get(&replaced).await.ok();
    let stopped = share(&alice).await;
    anybody.get(&stopped).await.ok();
    let body = anybody.get(&replaced).await.refused(404, "link_unknown");
    assert_eq!(alice.delete(SHARE).await.ok(), json!({"shared": false, "shared_at": null}));
    alice.delete(SHARE).await.refused(404, "not_shared");
    let calendar = alice.post("/api/me/calendar", json!({})).await.made();
    let foreign = format!("/api/g/{}", calendar["token"].as_str().unwrap());
    let long = format!("/api/g/{}", "a".repeat(5_000));
    let dead = [
        replaced.as_str(),
        &stopped,
        &foreign,
        &long,
        "/api/g/x",
        "/api/g/%ff",
        "/api/g/a%00b",
        "/api/g/%F0%9F%8E%8E",
        "/api/g/'%20OR%20true--",
        "/api/v/x",
        "/api/calendar/x",
        "/api/calendar/x.ics",
        "/api/calendar/%ff.ics",
    ];
    for link in dead {
        let answer = anybody.get(link).await;
        assert_eq!(answer.header("x-robots-tag"), "noindex, nofollow", "{link}");
        assert_eq!(answer.header("cache-control"), "no-store", "{link}");
        assert_eq!(answer.refused(404, "link_unknown"), body, "{link}");
    }
    for list in [&replaced, &stopped, &foreign] {
        reserve(&anybody, list, &mina, "Mio").await.refused(404, "link_unknown");
        release(&anybody, list, &mina, &json!("x")).await.refused(404, "link_unknown");
    }
}

#[tokio::test]
async fn suspending_or_erasing_somebody_ends_their_links_for_good() {
    let app = TestApp::new().await;
    let (root, alice, anybody) =
        (app.register_admin("root").await, app.register("alice").await, app.visitor());
    wish(&alice, "Mina").await;
    let cabinet = alice.post("/api/me/locations", json!({"name": "Alcove"})).await.made();
    let shares = [
        (SHARE.to_owned(), "/api/g/", ""),
        (format!("/api/me/locations/{}/share", cabinet["id"].as_str().unwrap()), "/api/v/", ""),
        ("/api/me/calendar".to_owned(), "/api/calendar/", ".ics"),
    ];
    let all = async || {
        let mut links = Vec::new();
        for (share, before, after) in &shares {
            let made = alice.post(share, json!({})).await.made();
            links.push(format!("{before}{}{after}", made["token"].as_str().unwrap()));
        }
        for link in &links {
            assert_eq!(anybody.get(link).await.status, 200, "{link}");
        }
        links
    };
    let suspended = |is: bool| json!({"suspended": is});
    let before = all().await;
    root.patch("/api/admin/users/alice", suspended(true)).await.ok();
    for link in &before {
        anybody.get(link).await.refused(404, "link_unknown");
    }
    root.patch("/api/admin/users/alice", suspended(false)).await.ok();
    alice.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await.ok();
    for (share, ..) in &shares {
        assert_eq!(alice.get(share).await.ok()["shared"], false);
    }
    for link in &before {
        anybody.get(link).await.refused(404, "link_unknown");
    }
    let after = all().await;
    // Whatever else might mark the account: its links obey that too.
    sqlx::query("UPDATE users SET suspended_at = now() WHERE username = 'alice'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    for link in &after {
        anybody.get(link).await.refused(404, "link_unknown");
    }
    sqlx::query("UPDATE users SET suspended_at = NULL").execute(&app.db.pool).await.unwrap();
    let erase = json!({"current_password": PASSWORD});
    alice.send(Method::DELETE, "/api/me", |request| request.json(&erase)).await.ok();
    for link in &after {
        anybody.get(link).await.refused(404, "link_unknown");
    }
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM share_links").await, 0);
}

#[tokio::test]
async fn guessing_is_limited_per_address() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let anybody = app.visitor();
    let mut refused = None;
    for number in 0..300 {
        let answer = anybody.get(&format!("/api/g/{number}")).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.refused(404, "link_unknown");
    }
    let refused = refused.expect("sixty at once and one a second");
    assert_eq!(refused.header("x-robots-tag"), "noindex, nofollow");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    refused.refused(429, "too_many_attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_secrets_stand_in_no_log_line_and_no_metric() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let log = folder.path().join("log");
    let mut command = program(&db, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "debug").env("METRICS_TOKEN", "a token of the operator's");
    let server = Server::start_logging(command, File::create(&log).unwrap());
    let (alice, mio) = (server.client(), server.client());
    let account = json!({"username": "alice", "email": "alice@example.org", "password": PASSWORD});
    alice.post("/api/auth/register", account).await.made();
    let mina = wish(&alice, "Mina").await;
    let list = share(&alice).await;
    let reserved = reserve(&mio, &list, &mina, "Great-aunt Kaguya").await.made();
    mio.get(&list).await.ok();
    release(&mio, &list, &mina, &json!("a wrong one")).await.refused(403, "wrong_secret");
    let calendar = alice.post("/api/me/calendar", json!({})).await.made();
    let calendar = calendar["token"].as_str().unwrap();
    mio.get(&format!("/api/calendar/{calendar}.ics")).await;
    let made_up = "bm90aGluZyBpcyBiZWhpbmQgdGhpcyBvbmUsIHNvcnJ5ISE";
    mio.get(&format!("/api/g/{made_up}")).await.refused(404, "link_unknown");
    let measured = mio.send(Method::GET, "/metrics", |it| it.bearer_auth("a token of the operator's")).await;
    let logged = std::fs::read_to_string(&log).unwrap();
    let token = list.strip_prefix("/api/g/").unwrap();
    for text in [&logged, &measured.text] {
        assert!(text.contains("/api/g/{token}"), "or nothing is tested: {text}");
        for secret in [token, calendar, made_up, reserved["secret"].as_str().unwrap(), "Kaguya"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
