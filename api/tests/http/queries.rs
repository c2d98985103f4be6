//! Whatever stands in an address, no GET route of the document breaks, and what is refused is a problem.
//! `PROPTEST_CASES` makes it a long run.

use crate::support::*;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Answers that never end, and pages for people.
const LEFT_OUT: &[&str] = &["/api/admin/projections/events", "/api/me/events/live"];

const ODD: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1",
    "2",
    "50",
    "200",
    "201",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999999999999999999",
    "1e9",
    "1.5",
    "NaN",
    "true",
    "false",
    "all",
    "null",
    "[]",
    "{}",
    "*",
    "%",
    "%%",
    "%00",
    "%zz",
    "%ff",
    "%c3%28",
    "%ed%a0%80",
    "'",
    "%22",
    "%5c",
    "%5C%5C",
    "%25",
    "_",
    "%27%3B--",
    "\u{202e}",
    "\u{1F47E}",
    "\u{130}",
    "%E2%80%8B",
    "ねんどろいど",
    "a+b",
    "+",
    "&",
    "=",
    "a=b=c",
    "2026-02-30",
    "2026-11-22",
    "2026-11-02T08:15:00Z",
    "2026-11-02T08:15:00+14:00",
    "2026-11-02",
    "0000-01-01T00:00:00Z",
    "%2B262142-12-31T23:59:59Z",
    "-262143-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-11-02T08:15:60Z",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "4580416940000",
    "slug:x",
    "..",
    "-added",
    "-name",
    "added",
    "custom",
    "-",
    "--",
    "added,name",
    "JPY",
    "jpy",
    "eyJ9",
    "AAAA",
    "====",
    "W10",
    "e30",
];

fn value(known: Vec<String>) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(ODD).prop_map(str::to_owned),
        3 => select(known.clone()),
        1 => (select(known), any::<prop::sample::Index>(), "[A-Za-z0-9_-]").prop_map(|(text, at, new)| {
            let mut all: Vec<char> = text.chars().collect();
            if !all.is_empty() {
                let at = at.index(all.len());
                all.splice(at..=at, new.chars());
            }
            all.into_iter().collect()
        }),
        1 => "[^#?&]{0,24}",
        1 => Just("x".repeat(3_000)),
    ]
}

/// A GET route of the document: its path, and the names of its parameters.
struct Route {
    path: String,
    queries: Vec<String>,
}

fn routes(document: &Value) -> Vec<Route> {
    let paths = document["paths"].as_object().unwrap();
    let gets = paths.iter().filter(|(path, _)| !LEFT_OUT.contains(&path.as_str()));
    gets.filter_map(|(path, item)| {
        let get = item.get("get")?;
        let parameters = get["parameters"].as_array().cloned().unwrap_or_default();
        let queries = parameters.iter().filter(|p| p["in"] == "query");
        let queries = queries.map(|p| p["name"].as_str().unwrap().to_owned()).collect();
        Some(Route { path: path.clone(), queries })
    })
    .collect()
}

/// A path with its placeholders filled in.
fn filled(path: &str, with: &[String]) -> String {
    let mut with = with.iter().cycle();
    path.split('/')
        .map(|part| match part.strip_prefix('{') {
            Some(_) => with.next().map(|v| v.replace(['/', '#', '?'], "~")).unwrap_or_default(),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("/")
}

/// Ids, codes and cursors that mean something here.
async fn known(app: &TestApp, client: &TestClient, routes: &[Route]) -> Vec<String> {
    let mut known = Vec::new();
    let figure = app.seed(None).figure("Akari").await;
    for _ in 0..3 {
        let made = client.post("/api/me/owned", json!({"figure_id": figure})).await.made();
        known.extend(made["id"].as_str().map(str::to_owned));
    }
    known.push(figure.to_string());
    for route in routes.iter().filter(|route| !route.path.contains('{')) {
        let page = client.get(&format!("{}?limit=1", route.path)).await;
        known.extend(page.body["next_cursor"].as_str().map(str::to_owned));
    }
    known.extend(["collection", "figure", "scale", "studio-zoo", "collector"].map(str::to_owned));
    known
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_breaks_a_get_route_and_every_refusal_is_a_problem() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    let document = admin.get("/api/openapi.json").await.ok();
    let routes = routes(&document);
    assert!(routes.len() > 30, "{}", routes.len());
    let known = known(&app, &admin, &routes).await;
    assert!(known.len() > 8, "{known:?}");
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(8);
    for route in &routes {
        let names: Vec<String> =
            route.queries.iter().cloned().chain(["nonsense".to_owned(), "limit".to_owned()]).collect();
        let pairs = proptest::collection::vec((select(names), value(known.clone())), 0..5);
        let placed = proptest::collection::vec(value(known.clone()), 2);
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        TestRunner::new(config)
            .run(&(placed, pairs), |(placed, pairs)| {
                let pairs: Vec<_> =
                    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
                let address = format!("{}?{}", filled(&route.path, &placed), pairs.join("&"));
                let asked = tokio::time::timeout(Duration::from_secs(60), admin.get(&address));
                let answer =
                    block_in_place(|| Handle::current().block_on(asked)).expect("no answer for a minute");
                prop_assert!(answer.status.as_u16() < 500, "{address}: {} {}", answer.status, answer.text);
                if answer.status.is_client_error() {
                    let code = answer.body["code"].as_str().unwrap_or_default();
                    prop_assert!(!code.is_empty(), "{address}: {} {}", answer.status, answer.text);
                    prop_assert_eq!(answer.header("content-type"), "application/problem+json", "{}", address);
                    prop_assert_eq!(&answer.body["status"], &json!(answer.status.as_u16()), "{}", address);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", route.path));
    }
}
