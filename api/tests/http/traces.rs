//! Spans for a collector, received as a collector receives them; and what log lines say of whom.

use std::{
    collections::HashMap,
    fs::File,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use database::testing::{ScratchFolder, TestDb, eventually};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::any_value::Value as Attribute,
    trace::v1::Span,
};
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    cli::{Server, program},
    seed::{self, Seed},
    support::PASSWORD,
};

#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Span>>>,
    resources: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

/// A collector that keeps what it gets.
async fn collector() -> (SocketAddr, Received) {
    let received = Received::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (address, received)
}

async fn take(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let about = resource.resource.unwrap().attributes;
        received.resources.lock().unwrap().push(attributes(&about));
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        received.spans.lock().unwrap().extend(spans);
    }
    ExportTraceServiceResponse::default().encode_to_vec()
}

fn attributes(all: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> HashMap<String, String> {
    let text = |value: &Option<Attribute>| match value {
        Some(Attribute::StringValue(text)) => text.clone(),
        Some(Attribute::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    all.iter().map(|one| (one.key.clone(), text(&one.value.clone().and_then(|value| value.value)))).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn serve(db: &TestDb, variables: &[(&str, &str)], log: Option<File>) -> Server {
    let mut command = program(db, &["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied()).env("OTEL_BSP_SCHEDULE_DELAY", "50");
    match log {
        Some(log) => Server::start_logging(command, log),
        None => Server::start_with(command),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_arrives_as_one_trace_from_the_request_down_to_the_folds() {
    let db = TestDb::new().await;
    let (address, received) = collector().await;
    let server = serve(&db, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{address}"))], None);
    let alice = server.client();
    let account = json!({"username": "alice", "email": "alice@example.org", "password": PASSWORD});
    alice.post("/api/auth/register", account).await.made();
    let (id, trace, caller) =
        (Uuid::now_v7().to_string(), "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let figure = json!({"name": "Harbour Pilot Mina", "figure_type": "scale"});
    let traced = format!("00-{trace}-{caller}-01");
    let answer = alice
        .send(Method::POST, "/api/figures", |request| {
            request.header("x-request-id", &id).header("traceparent", &traced).json(&figure)
        })
        .await;
    assert_eq!(answer.header("x-request-id"), id);
    answer.made();
    let of_trace = || -> Vec<Span> {
        let all = received.spans.lock().unwrap();
        all.iter().filter(|span| hex(&span.trace_id) == trace).cloned().collect()
    };
    // A parent ends after its children, so it is sent last.
    eventually("the request's span arrives", async || {
        of_trace().iter().any(|span| span.name == "POST /api/figures")
    })
    .await;
    let spans = of_trace();
    let named = |name: &str| -> &Span {
        let mut found = spans.iter().filter(|span| span.name == name);
        let one = found.next().unwrap_or_else(|| panic!("no span {name}: {spans:#?}"));
        assert!(found.next().is_none(), "{name} twice");
        one
    };
    let request = named("POST /api/figures");
    assert_eq!(hex(&request.parent_span_id), caller, "the caller's trace goes on");
    assert_eq!(request.kind, 2, "a server's span");
    let command = named("catalogue_figure");
    let append = named("append");
    let write = named("write");
    let fold = named("fold figures");
    for (child, parent) in [(command, request), (append, command), (write, append), (fold, write)] {
        assert_eq!(hex(&child.parent_span_id), hex(&parent.span_id), "{} under {}", child.name, parent.name);
        assert!(child.start_time_unix_nano >= parent.start_time_unix_nano, "{}", child.name);
    }
    for span in [request, command, append, write] {
        assert_eq!(attributes(&span.attributes)["correlation_id"], id, "{}", span.name);
    }
    let about = attributes(&request.attributes);
    assert_eq!((&*about["http.route"], &*about["http.response.status_code"]), ("/api/figures", "201"));
    assert_eq!(attributes(&command.attributes)["outcome"], "done");
    assert_eq!(attributes(&fold.attributes)["projection"], "figures");
    assert_eq!(received.resources.lock().unwrap()[0]["service.name"], "figure-ledger");
    // What was refused is no error; the last spans are sent before the end.
    let nobodys = json!({"figure_id": Uuid::now_v7()});
    alice.post("/api/me/owned", nobodys).await.refused(404, "figure_not_found");
    assert!(server.stop(Signal::SIGTERM));
    let refused = received.spans.lock().unwrap().iter().any(|span| {
        let about = attributes(&span.attributes);
        span.name == "add_piece" && about.get("outcome").is_some_and(|outcome| outcome == "refused")
    });
    assert!(refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_hinders_nobody_and_is_complained_of_once() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    // It takes every call and hangs up.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let log = folder.path().join("log");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_BSP_MAX_QUEUE_SIZE", "16")];
    let server = serve(&db, &variables, Some(File::create(&log).unwrap()));
    let anybody = server.client();
    eventually("the collector was called five times", async || {
        for _ in 0..20 {
            anybody.get("/api/health/live").await.ok();
        }
        calls.load(Ordering::SeqCst) >= 5
    })
    .await;
    assert!(server.stop(Signal::SIGTERM));
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("spans cannot be sent to the collector").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_carry_the_correlation_id_of_the_request_or_of_the_run_of_a_job() {
    let (db, folder) = (TestDb::new().await, ScratchFolder::new());
    let log = folder.path().join("log");
    let variables = [("LOG_FORMAT", "json"), ("RUST_LOG", "info,api=debug")];
    let server = serve(&db, &variables, Some(File::create(&log).unwrap()));
    let id = Uuid::now_v7().to_string();
    server.client().send(Method::GET, "/api/me", |request| request.header("x-request-id", &id)).await.of(401);
    let seed = Seed::at(&db.pool).await;
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed::from_a_later_release(&db.pool, mina).await;
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&log).unwrap();
        // The last line may be on its way.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    };
    let line = |message: &str| lines().into_iter().find(|line| line["message"] == message);
    eventually("a projection stops", async || line("a projection stopped").is_some()).await;
    eventually("a job has run", async || line("a job has run").is_some()).await;
    assert!(server.stop(Signal::SIGTERM));
    let answered =
        lines().into_iter().find(|line| line["message"] == "answered" && line["status"] == 401).unwrap();
    assert_eq!(answered["span"]["correlation_id"], id);
    assert_eq!(answered["span"]["route"], "/api/me");
    let ran = line("a job has run").unwrap();
    ran["span"]["correlation_id"].as_str().unwrap().parse::<Uuid>().unwrap();
    let stopped = line("a projection stopped").unwrap();
    assert!(stopped["failure"].as_str().unwrap().contains("figure.sung_about"), "{stopped}");
}
