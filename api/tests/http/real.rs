//! Looking at the real thing.
use crate::support::TestApp;
use serde_json::Value;
#[tokio::test]
async fn look() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let file = std::fs::read("/work/shared/data/nendoroids.jsonl").unwrap();
    let report = workers::imports::catalogue::import(&app.state.store, &["nendoroid".to_owned(), "other".to_owned()], &file, Default::default(), &|_| ()).await.unwrap();
    println!("{} {} {} broken", report.lines, report.added, report.broken.len());
    let position = report.position.unwrap().to_string();
    app.state.projections.wait_for(&["figures","entities"], report.position.unwrap(), std::time::Duration::from_secs(60)).await;
    let _ = position;
    let queries = std::fs::read_to_string("/tmp/queries.txt").unwrap();
    for q in queries.lines() {
        let started = std::time::Instant::now();
        let list = alice.get(&format!("/api/figures?limit=8&q={}", q.replace(' ', "%20").replace('+', "%2B"))).await.ok();
        let took = started.elapsed();
        let facets = alice.get(&format!("/api/figures/facets?q={}", q.replace(' ', "%20"))).await.ok();
        println!("== {q}   [{} found, {took:?}]", facets["total"]);
        for one in list["items"].as_array().unwrap() {
            let name: String = one["name"].as_str().unwrap().chars().take(70).collect();
            println!("   {name} | {} | {}", one["series"][0]["name"].as_str().unwrap_or("-"), one["release_date"].as_str().unwrap_or("-"));
        }
    }
    let f: Value = alice.get("/api/figures/facets?q=miku").await.ok();
    println!("{}", serde_json::to_string(&f).unwrap().chars().take(900).collect::<String>());
    for kind in ["series", "manufacturers"] {
        for q in ["", "q=fate%20stay", "q=kimetsu%20no%20yaibba", "q=good%20smlie", "q=lov%20live"] {
            let l = alice.get(&format!("/api/{kind}?limit=6&{q}")).await.ok();
            println!("{kind} {q}: {}", l["items"].as_array().unwrap().iter().map(|e| format!("{} ({})", e["name"].as_str().unwrap(), e["figure_count"])).collect::<Vec<_>>().join("; "));
        }
    }
}
