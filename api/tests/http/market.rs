//! A price provider over files, and sweeps that ask it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::price_provider;
use axum::Router;
use chrono::{DateTime, Utc};
use database::testing::ScratchFolder;
use domain::money::rates::RateTable;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use workers::{
    outbound::Limits,
    provider::{Options, Provider, ProviderAddress},
    sweep::{self, Report, Sweep, SweepError},
};

use crate::support::{TestApp, TestClient};

/// A server of any routes, gone when it is dropped.
pub struct Fake {
    pub address: SocketAddr,
    server: JoinHandle<()>,
}

impl Fake {
    pub async fn serving(routes: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, server: tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() }) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The provider that `figure-ledger price-provider` is, with one store: Harbour Hobby.
pub struct Market {
    folder: ScratchFolder,
    pub provider: Fake,
}

impl Market {
    pub async fn open() -> Self {
        Self::with_key(None).await
    }

    pub async fn with_key(key: Option<&str>) -> Self {
        let folder = ScratchFolder::new();
        let stores = json!([{
            "id": "harbour", "name": "Harbour Hobby", "url": "https://harbour.example/",
            "hosts": ["harbour.example"], "currency": "EUR"
        }]);
        let routes = price_provider::routes(folder.path().to_path_buf(), key.map(str::to_owned));
        let market = Self { folder, provider: Fake::serving(routes).await };
        market.write("stores.json", &stores);
        market.sell(&[]);
        market
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn write(&self, file: &str, content: &Value) {
        std::fs::write(self.path(file), content.to_string()).unwrap();
    }

    /// What Harbour Hobby sells from here on: pages, and what stands on them.
    pub fn sell(&self, pages: &[(&str, Value)]) {
        let page = |(path, page): &(&str, Value)| {
            let mut page = page.clone();
            page["url"] = format!("https://harbour.example{path}").into();
            page["title"] = "A figure".into();
            page
        };
        self.write("harbour.json", &pages.iter().map(page).collect());
    }
}

/// A clock that is set by hand.
#[derive(Clone)]
pub struct Hands(Arc<Mutex<DateTime<Utc>>>);

impl Hands {
    pub fn at(time: &str) -> Self {
        Self(Arc::new(Mutex::new(time.parse().unwrap())))
    }
    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
    pub fn set(&self, time: DateTime<Utc>) {
        *self.0.lock().unwrap() = time;
    }
}

/// A sweep without pauses; nobody rests before the thousandth failure.
pub fn sweep(app: &TestApp, provider: &str, hands: &Hands) -> Sweep {
    let limits = Limits { whole: Duration::from_secs(2), ..Limits::default() };
    sweep_with(app, provider, hands, Options { limits, failures: 1_000, ..Options::default() })
}

pub fn sweep_with(app: &TestApp, provider: &str, hands: &Hands, options: Options) -> Sweep {
    let address: ProviderAddress = provider.parse().unwrap();
    let hands = hands.clone();
    Sweep {
        pool: app.db.pool.clone(),
        store: app.state.store.clone(),
        provider: Some(Arc::new(Provider::new(address, options).unwrap())),
        rates: Arc::new(|| Some(rates())),
        clock: Arc::new(move || hands.now()),
        options: sweep::Options { pause: Duration::ZERO, most_requests: 1_000 },
    }
}

/// The rates of one day: Hong Kong dollars are quoted, Taiwan dollars are not.
pub fn rates() -> RateTable {
    let quotes = [("USD", "1.1172"), ("JPY", "175.68"), ("HKD", "8.7063")];
    let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
    RateTable::new("2026-10-30".parse().unwrap(), quotes).unwrap()
}

/// Runs it, and waits until the read models show what it saw.
pub async fn swept(app: &TestApp, sweep: &Sweep) -> (Report, Result<(), SweepError>) {
    let token = CancellationToken::new();
    let ran = tokio::time::timeout(Duration::from_secs(60), sweep.run(&token));
    let ran = ran.await.expect("a sweep ends");
    app.folded(app.state.store.head().await.unwrap()).await;
    ran
}

/// A figure that Harbour Hobby sells at a path, with more said of it; its id.
pub async fn figure(client: &TestClient, path: &str, more: Value) -> String {
    let mut body = json!({
        "name": "Akari", "figure_type": "scale", "buy_links": [{"store": "Harbour Hobby", "path": path}]
    });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    client.post("/api/figures", body).await.made()["id"].as_str().unwrap().to_owned()
}

/// What `/api/figures/{id}/prices` says.
pub async fn prices(client: &TestClient, figure: &str) -> Value {
    client.get(&format!("/api/figures/{figure}/prices")).await.ok()
}
