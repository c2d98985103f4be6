//! A worker whose result stops arriving on its way.

use std::{net::SocketAddr, time::Duration};

use database::testing::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::super::{id, scan};
use super::{TOKEN, worker};
use crate::support::TestApp;

/// Nothing here takes that long.
const MOST: Duration = Duration::from_secs(60);

/// A result of which half is sent.
struct Half {
    connection: TcpStream,
    rest: Vec<u8>,
}

impl Half {
    async fn send(to: SocketAddr, job: &Value, file: &[u8]) -> Self {
        let head = format!(
            "PUT /api/render-worker/{}/result?lease={} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/x-ply\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            id(job),
            job["lease"].as_str().unwrap(),
            file.len()
        );
        let mut connection = TcpStream::connect(to).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        let (first, rest) = file.split_at(file.len() / 2);
        connection.write_all(first).await.unwrap();
        Self { connection, rest: rest.to_vec() }
    }

    async fn finish(mut self) -> String {
        self.connection.write_all(&self.rest).await.unwrap();
        let mut answer = Vec::new();
        timeout(MOST, self.connection.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_stops_arriving_is_another_workers_to_hand_in() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let scan = scan(&admin, 1).await;
    let path = format!("/api/scans/{}", id(&scan));
    admin.post(&format!("{path}/render"), json!({"kind": "gsplat"})).await.made();
    let claim = async || {
        let ask = json!({"kinds": ["gsplat"], "worker": "garage"});
        worker(&app, Method::POST, "/api/render-worker/claim", ask).await.ok()
    };
    let all = app.state.results.available_permits();
    let is_reading = |under_way: usize| app.state.results.available_permits() == all - under_way;

    let slow = claim().await;
    let half = Half::send(app.address, &slow, &b"slow ".repeat(100_000)).await;
    eventually("half of it is there", async || is_reading(1)).await;
    // It stops here, and its heartbeats, too.
    let late = "UPDATE renders SET leased_until = now() - interval '1 second'";
    sqlx::query(late).execute(&app.db.pool).await.unwrap();
    let quick = claim().await;
    assert_eq!((id(&quick), &quick["attempt"]), (id(&slow), &json!(2)));
    let at = format!("/api/render-worker/{}/result?lease={}", id(&quick), quick["lease"].as_str().unwrap());
    let handed_in = app
        .visitor()
        .send(Method::PUT, &at, |it| {
            it.bearer_auth(TOKEN).header("content-type", "application/x-ply").body("quick")
        })
        .await;
    assert_eq!(handed_in.status, 204, "the one that stalls is in nobody's way: {}", handed_in.text);

    let answer = half.finish().await;
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("lease_over"), "{answer}");
    let done = admin.get(&path).await.ok()["renders"][0].clone();
    assert_eq!((&done["state"], &done["bytes"]), (&json!("done"), &json!(5)), "{done}");
    assert_eq!(admin.get(done["url"].as_str().unwrap()).await.text, "quick");
    let stored: i64 = app.scalar("SELECT count(*) FROM blobs WHERE bytes = 500000").await;
    assert_eq!(stored, 0, "what comes too late is not stored");
    eventually("its place is free again", async || is_reading(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_breaks_off_leaves_nothing_and_frees_its_place() {
    let app = TestApp::with(&[("RENDER_WORKER_TOKEN", TOKEN)]).await;
    let admin = app.register_admin("root").await;
    let scan = scan(&admin, 1).await;
    let path = format!("/api/scans/{}", id(&scan));
    admin.post(&format!("{path}/render"), json!({"kind": "gsplat"})).await.made();
    let ask = json!({"kinds": ["gsplat"], "worker": "garage"});
    let job = worker(&app, Method::POST, "/api/render-worker/claim", ask).await.ok();
    let all = app.state.results.available_permits();
    let half = Half::send(app.address, &job, &b"half ".repeat(100_000)).await;
    eventually("half of it is there", async || app.state.results.available_permits() == all - 1).await;
    drop(half);
    eventually("its place is free again", async || app.state.results.available_permits() == all).await;
    let running = admin.get(&path).await.ok()["renders"][0].clone();
    assert_eq!(running["state"], "running", "the lease goes on: it may be sent again");
    let at = format!("/api/render-worker/{}/result?lease={}", id(&job), job["lease"].as_str().unwrap());
    let again = |it: reqwest::RequestBuilder| {
        it.bearer_auth(TOKEN).header("content-type", "application/x-ply").body("whole")
    };
    assert_eq!(app.visitor().send(Method::PUT, &at, again).await.status, 204);
    let stored: i64 = app.scalar("SELECT count(*) FROM blobs WHERE bytes = 500000").await;
    assert_eq!(stored, 0);
}
