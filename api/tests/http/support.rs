//! A running server with a database of its own, and clients with cookies of their own.
//!
//! ```ignore
//! let app = TestApp::new().await;
//! let alice = app.register("alice").await;
//! let me = alice.get("/api/me").await.ok();
//! alice.post("/api/me/wishes", json!({})).await.refused(422, "missing_field");
//! ```

use std::{collections::HashMap, net::SocketAddr, path::PathBuf, time::Duration};

use api::{config::Config, ledger::Ledger, router, state::AppState};
use axum::Router;
use database::testing::{TestDb, eventually};
use domain::{ids::UserId, stream::Position};
use operational::passwords::{Cost, Passwords};
use projections::engine::{Running, State};
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

use crate::seed::Seed;

/// The password of everybody that [`TestApp::register`] makes.
pub const PASSWORD: &str = "correct horse battery";

/// Where files are stored instead of in the data folder; see `scripts/on-s3.sh`.
const TEST_S3: &str = "TEST_S3";

pub struct TestApp {
    pub state: AppState,
    pub db: TestDb,
    pub address: SocketAddr,
    server: JoinHandle<()>,
    folding: Option<Running>,
    data: PathBuf,
}

impl TestApp {
    /// A server with the settings most tests want: no limit on attempts.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A server with these environment variables on top.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::serving(variables, router::build).await
    }

    /// A server with routes of the test's own behind the usual guards.
    pub async fn with_routes(routes: Router<AppState>) -> Self {
        Self::serving(&[], |state| router::guard(routes, state)).await
    }

    async fn serving(
        variables: &[(&str, &str)],
        build: impl FnOnce(AppState) -> anyhow::Result<Router>,
    ) -> Self {
        let data = std::env::temp_dir().join(format!("figure-ledger-test-{}", Uuid::now_v7()));
        let mut all =
            HashMap::from([("RATE_LIMIT_ENABLED", "false"), ("FIGURE_LEDGER_DATA", data.to_str().unwrap())]);
        let (s3, prefix) = (std::env::var(TEST_S3).ok(), Uuid::now_v7().to_string());
        if let Some(endpoint) = &s3 {
            all.extend([
                ("S3_ENDPOINT", endpoint.as_str()),
                ("S3_BUCKET", "figures"),
                ("S3_ACCESS_KEY_ID", "ledger"),
                ("S3_SECRET_ACCESS_KEY", "a-very-secret-access-key"),
                ("S3_PREFIX", &prefix),
            ]);
        }
        all.extend(variables.iter().copied());
        let config = Config::from_lookup(|name| all.get(name).map(|value| (*value).to_owned())).unwrap();
        let db = TestDb::new().await;
        let passwords = Passwords::new(Cost::Least, 4).unwrap();
        let ledger = Ledger::open(&db.pool).await.unwrap();
        let folding = Some(ledger.projections.run());
        let state = AppState::new(config, db.pool.clone(), ledger, passwords);
        let service = build(state.clone()).unwrap().into_make_service_with_connect_info::<SocketAddr>();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { state, db, address, server, folding, data }
    }

    /// Nobody folds any more: the read models stay where they are.
    pub async fn stop_folding(&mut self) {
        if let Some(folding) = self.folding.take() {
            folding.stop().await;
        }
    }

    /// They go on after [`TestApp::stop_folding`].
    pub fn fold_again(&mut self) {
        self.folding = Some(self.state.projections.run());
    }

    /// Writes to the server's log as somebody, or as the system itself.
    pub fn seed(&self, actor: Option<UserId>) -> Seed {
        Seed { store: self.state.store.clone(), actor }
    }

    /// Waits until all read models hold what was recorded up to a position.
    pub async fn folded(&self, position: Position) {
        let projections = &self.state.projections;
        let names: Vec<&str> = projections.definitions().iter().map(|definition| definition.name).collect();
        let waited = projections.wait_for(&names, position, Duration::from_secs(60)).await;
        assert!(waited.is_reached(), "{waited:?}");
    }

    /// Waits until a read model has stopped.
    pub async fn stopped(&self, name: &str) {
        eventually(&format!("{name} stops"), async || {
            let all = self.state.projections.status().await.unwrap();
            all.iter().any(|one| one.name == name && one.state == State::Stopped)
        })
        .await;
    }

    /// Somebody who is not signed in.
    pub fn visitor(&self) -> TestClient {
        TestClient::at(&format!("http://{}", self.address))
    }

    /// Somebody with a new account, signed in. The password is [`PASSWORD`].
    pub async fn register(&self, username: &str) -> TestClient {
        let client = self.visitor();
        let body = json!({
            "username": username,
            "email": format!("{username}@example.org"),
            "password": PASSWORD,
        });
        client.post("/api/auth/register", body).await.made();
        client
    }

    /// The same, who runs the instance. They are made an admin behind the API's back, which has no way to.
    pub async fn register_admin(&self, username: &str) -> TestClient {
        let client = self.register(username).await;
        sqlx::query("UPDATE users SET is_admin = true WHERE username = $1")
            .bind(username)
            .execute(&self.db.pool)
            .await
            .unwrap();
        client
    }

    /// The sole value of a query.
    pub async fn scalar<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(sql).fetch_one(&self.db.pool).await.unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.server.abort();
        // It is there only where files were stored.
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Somebody with a cookie jar.
#[derive(Clone)]
pub struct TestClient {
    pub http: Client,
    pub base: String,
}

impl TestClient {
    /// Somebody who is not signed in, at the server with this address. Redirects are not followed.
    pub fn at(base: &str) -> Self {
        let http =
            Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: base.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, |request| request).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, |request| request.json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, |request| request.json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, |request| request.json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, |request| request).await
    }

    /// Any request: add headers or a raw body in `adjust`.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        adjust: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let what = format!("{method} {path}");
        let request = adjust(self.http.request(method, format!("{}{path}", self.base)));
        let response = request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        // A picture is no text; whoever asks for one looks at what it is called.
        let text = String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { what, status, headers, text, body }
    }

    /// A JSON body sent as these very bytes.
    pub async fn raw(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(method, path, |request| request.header("content-type", "application/json").body(body)).await
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        self.of(200)
    }

    /// The body of a 201.
    #[track_caller]
    pub fn made(self) -> Value {
        self.of(201)
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub fn of(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.what, self.text);
        self.body
    }

    /// The problem, if it is this one: status, code and shape are checked.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{}: {}",
            self.what,
            self.text
        );
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.what);
        assert_eq!(self.body["status"], status, "{}", self.what);
        assert_eq!(self.body["type"], format!("urn:figure-ledger:problem:{code}"), "{}", self.what);
        for member in ["title", "detail"] {
            assert!(
                self.body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{}: {}",
                self.what,
                self.text
            );
        }
        self.body
    }

    /// The same, with the field at fault.
    #[track_caller]
    pub fn refused_field(self, status: u16, code: &str, field: &str) -> Value {
        let what = self.what.clone();
        let body = self.refused(status, code);
        assert_eq!(body["field"], field, "{what}: {body}");
        body
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: impl TryInto<HeaderName>) -> &str {
        name.try_into()
            .ok()
            .and_then(|name| self.headers.get(name))
            .map_or("", |value| value.to_str().unwrap())
    }
}
