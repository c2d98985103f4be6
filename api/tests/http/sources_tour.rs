//! The tour through imports with nothing but the shipped program: it serves, and it is the provider over files.

use std::{
    io::{BufRead, BufReader},
    process::Child,
    sync::mpsc,
    time::Duration,
};

use database::testing::{ScratchFolder, TestDb};
use serde_json::json;

use crate::{
    cli::{Server, program},
    support::PASSWORD,
};

/// The provider over files as a process, gone when it is dropped.
struct Provider(Child);

impl Provider {
    fn over(db: &TestDb, folder: &ScratchFolder) -> (Self, String) {
        let folder = folder.path().to_str().unwrap();
        let mut child =
            program(db, &["price-provider", "--dir", folder, "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let this = Self(child);
        let (told, first) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _heard = told.send(line);
            }
        });
        let first = first.recv_timeout(Duration::from_secs(60)).expect("the provider says where it is");
        let url = first.split_whitespace().last().unwrap().to_owned();
        (this, url)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_from_the_shipped_provider_end_to_end() {
    let (db, shops) = (TestDb::new().await, ScratchFolder::new());
    let write = |file: &str, content: serde_json::Value| {
        std::fs::write(shops.path().join(file), content.to_string()).unwrap();
    };
    write(
        "stores.json",
        json!([{"id": "harbour", "name": "Harbour Hobby", "url": "https://harbour.example/",
        "hosts": ["harbour.example"], "currency": "EUR"}]),
    );
    write(
        "harbour.json",
        json!([{"url": "https://harbour.example/item/1", "title": "Oriel: Evening Choir",
        "manufacturer": "Tidewater Figures", "scale": "1/7", "release_date": "2027-05", "jan": "4580590123458",
        "price": {"amount": "129.90"}, "status": "preorder"}]),
    );
    let (_provider, url) = Provider::over(&db, &shops);
    let mut serve = program(&db, &["serve", "--listen", "127.0.0.1:0"]);
    serve.env("FIGURE_PROXY_URL", &url);
    let server = Server::start_with(serve);
    let alice = server.client();
    let account = json!({"username": "alice", "email": "alice@example.org", "password": PASSWORD});
    alice.post("/api/auth/register", account).await.made();

    let stores = alice.get("/api/external/stores").await.ok();
    assert_eq!(stores["items"][0]["name"], "Harbour Hobby");
    let found = alice.get("/api/external/search?q=evening").await.ok();
    let page = found["items"][0]["url"].as_str().unwrap();
    let unknown = alice.get("/api/figures/by-jan?jan=4580590123458").await.ok();
    assert_eq!(unknown["external"]["found"]["items"][0]["url"], page);
    let shown = alice.post("/api/figures/import", json!({"url": page, "preview": true})).await.ok();
    assert_eq!(shown["proposal"]["msrp_amount"], "129.90");
    let made = alice.post("/api/figures/import", json!({"url": page})).await.made();
    let figure = alice.get(&format!("/api/figures/{}", made["id"].as_str().unwrap())).await.ok();
    assert_eq!((&figure["name"], &figure["jan"]), (&json!("Oriel: Evening Choir"), &json!("4580590123458")));
    assert_eq!(figure["buy_links"][0]["path"], "/item/1");
    let wished = alice.post("/api/me/wishlist/import", json!({"text": format!("see {page}.")})).await.ok();
    assert_eq!(
        (&wished["items"][0]["fate"], &wished["items"][0]["figure_id"]),
        (&json!("wished"), &made["id"])
    );
    let known = alice.get("/api/figures/by-jan?jan=4580590123458").await.ok();
    assert_eq!(known["figure"]["id"], made["id"]);
}
