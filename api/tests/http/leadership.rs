//! Three servers on one database: whoever leads may be killed or frozen at any moment.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use database::testing::{TestDb, eventually};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    cli::{Server, program, run},
    support::TestClient,
};

const TOKEN: &str = "a token for the metrics of these servers";
const REST: Duration = Duration::from_millis(20);

fn server(db: &TestDb) -> Server {
    let mut command = program(db, &["serve", "--listen", "127.0.0.1:0"]);
    command.env("METRICS_TOKEN", TOKEN);
    Server::start_with(command)
}

async fn leads(server: &Server) -> bool {
    let client = server.client();
    let asked = client.http.get(format!("{}/metrics", client.base)).bearer_auth(TOKEN).send();
    let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
    match answer {
        Ok(Ok(answer)) => answer.text().await.unwrap_or_default().contains("\nfigure_ledger_leading 1"),
        _ => false,
    }
}

/// The place of the server that leads, once there is one.
async fn leader(servers: &[Server]) -> usize {
    let mut found = None;
    eventually("somebody leads", async || {
        for (place, server) in servers.iter().enumerate() {
            if leads(server).await {
                found = Some(place);
            }
        }
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Writes that were acknowledged.
#[derive(Default)]
struct Acknowledged {
    figures: Vec<String>,
    pieces: Vec<String>,
}

/// Somebody who adds figures and pieces through one server for as long as it answers.
async fn keep_writing(
    client: TestClient,
    name: String,
    all: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
) {
    let post = async |path: &str, body: Value| -> Option<Value> {
        let url = format!("{}{path}", client.base);
        let answer = client.http.post(url).timeout(Duration::from_secs(30)).json(&body).send().await.ok()?;
        let location = answer.headers().get("location").map(|it| it.to_str().unwrap().to_owned());
        match answer.status().as_u16() {
            201 => Some(answer.json::<Value>().await.ok()?["id"].clone()),
            // It is on record, and will be read in a moment.
            202 => Some(Value::from(location.unwrap().rsplit('/').next().unwrap())),
            503 => None,
            other => panic!("{path}: {other} {}", answer.text().await.unwrap_or_default()),
        }
    };
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let body = json!({"name": format!("{name} {count}"), "figure_type": "scale"});
        if let Some(Value::String(figure)) = post("/api/figures", body).await {
            all.lock().unwrap().figures.push(figure.clone());
            if let Some(Value::String(piece)) = post("/api/me/owned", json!({"figure_id": figure})).await {
                all.lock().unwrap().pieces.push(piece);
            }
        }
        tokio::time::sleep(REST).await;
    }
}

async fn scalar(db: &TestDb, sql: &str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&db.pool).await.unwrap()
}

const HEAD: &str = "SELECT coalesce(max(position), 0) FROM events";
const REACHED: &str = "SELECT min(position) FROM projection_checkpoints";

/// Waits until something that was recorded from now on is in every read model; gives how long that took.
async fn folded_on(db: &TestDb) -> Duration {
    let (begun, head) = (Instant::now(), scalar(db, HEAD).await);
    eventually("the read models go on", async || scalar(db, REACHED).await > head).await;
    begun.elapsed()
}

struct Load {
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
    people: usize,
}

impl Load {
    fn new() -> Self {
        let (acknowledged, stop) = (Arc::default(), Arc::default());
        Self { acknowledged, stop, writers: JoinSet::new(), people: 0 }
    }

    async fn on(&mut self, server: &Server) {
        self.people += 1;
        let name = format!("person{}", self.people);
        let client = server.client();
        let body = json!({"username": name, "email": format!("{name}@example.org"), "password": "a rather long one"});
        client.post("/api/auth/register", body).await.made();
        self.writers.spawn(keep_writing(client, name, self.acknowledged.clone(), self.stop.clone()));
    }

    /// Ends the writing, and checks that everything acknowledged is there once, as a fresh fold has it.
    async fn judge(mut self, db: &TestDb) {
        let written = async || self.acknowledged.lock().unwrap().figures.len() > 10;
        eventually("enough is written to show something", written).await;
        self.stop.store(true, Ordering::Relaxed);
        let rest = async {
            while let Some(ended) = self.writers.join_next().await {
                ended.unwrap()
            }
        };
        tokio::time::timeout(Duration::from_secs(60), rest).await.expect("the writers do not end");
        let head = scalar(db, HEAD).await;
        eventually("everything is folded", async || scalar(db, REACHED).await >= head).await;
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().unwrap());
        for (table, ids) in [("figures", &acknowledged.figures), ("owned_items", &acknowledged.pieces)] {
            let lost: Vec<String> = sqlx::query_scalar(&format!(
                "SELECT asked FROM UNNEST($1) AS asked WHERE NOT EXISTS \
                 (SELECT FROM {table} WHERE id = asked::uuid)"
            ))
            .bind(ids)
            .fetch_all(&db.pool)
            .await
            .unwrap();
            assert_eq!(lost, Vec::<String>::new(), "{table}");
        }
        // Counted one by one as they were folded: what was folded twice would be counted twice.
        let counted =
            scalar(db, "SELECT sum(value)::bigint FROM achievement_counters WHERE counter = 'pieces_owned'")
                .await;
        assert_eq!(counted, scalar(db, "SELECT count(*) FROM owned_items").await);
        let (clean, stdout, stderr) = run(db, &["verify"], "");
        assert!(clean, "{stdout}{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_at_any_moment_is_succeeded_and_no_event_is_folded_twice_or_missed() {
    let db = TestDb::new().await;
    let mut servers: Vec<Server> = (0..3).map(|_| server(&db)).collect();
    let mut load = Load::new();
    for server in &servers {
        load.on(server).await;
    }
    for round in 0..3_u64 {
        let leading = leader(&servers).await;
        // Some moment, another one in every round.
        tokio::time::sleep(Duration::from_millis(37 * (round + 1) * (round + 1))).await;
        servers.remove(leading).stop(Signal::SIGKILL);
        let took = folded_on(&db).await;
        println!("the leader was killed; the read models went on after {} ms", took.as_millis());
        let newcomer = server(&db);
        load.on(&newcomer).await;
        servers.push(newcomer);
    }
    load.judge(&db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_leader_loses_its_place_and_does_no_harm_when_it_wakes() {
    let db = TestDb::new().await;
    let servers: Vec<Server> = (0..2).map(|_| server(&db)).collect();
    let leading = leader(&servers).await;
    let mut load = Load::new();
    for server in &servers {
        load.on(server).await;
    }
    folded_on(&db).await;
    servers[leading].signal(Signal::SIGSTOP);
    let took = folded_on(&db).await;
    println!("the leader was frozen; the read models went on after {} ms", took.as_millis());
    let other = 1 - leading;
    assert!(leads(&servers[other]).await);
    servers[leading].signal(Signal::SIGCONT);
    eventually("one leads, and the other knows that it does not", async || {
        leads(&servers[other]).await && !leads(&servers[leading]).await
    })
    .await;
    folded_on(&db).await;
    load.judge(&db).await;
}
