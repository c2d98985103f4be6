//! A person at the other end: signs in once, sends each request until it is answered.

use crate::generator::{Answer, Request};
use anyhow::{Context, bail, ensure};
use reqwest::{Client, Response, header};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Everybody's password.
const PASSWORD: &str = "correct horse battery";
/// How long a request may stay without an answer, whatever happens to the servers.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// Where the server is now; none while there is none.
pub type Address = watch::Receiver<Option<String>>;

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Person {
    http: Client,
    address: Address,
    /// Their id.
    pub id: Uuid,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The answer.
    pub answer: Answer,
    /// How often it was sent, until then.
    pub sent: u32,
}

impl Person {
    /// Makes an account and signs in.
    ///
    /// # Errors
    /// When there is no server or it refuses.
    pub async fn register(address: &Address, name: &str) -> anyhow::Result<Self> {
        let http =
            Client::builder().no_proxy().cookie_store(true).timeout(Duration::from_secs(30)).build()?;
        let mut person = Self { http, address: address.clone(), id: Uuid::nil() };
        let email = format!("{name}@example.org");
        let body = json!({"username": name, "email": email, "password": PASSWORD});
        let base = person.base().await?;
        let response = person.http.post(format!("{base}/api/auth/register")).json(&body).send().await?;
        let status = response.status();
        let body: Value = response.json().await?;
        ensure!(status.as_u16() == 201, "{name} cannot register: {status} {body}");
        person.id = body["id"].as_str().and_then(|id| id.parse().ok()).context("an account without id")?;
        Ok(person)
    }

    async fn base(&self) -> anyhow::Result<String> {
        let mut address = self.address.clone();
        let found = tokio::time::timeout(PATIENCE, address.wait_for(Option::is_some)).await;
        found.context("no server came back")??.clone().context("no server")
    }

    /// Sends a request again and again, with the same key, until it is answered by something that stands:
    /// an acceptance or a refusal. With `hurry` the first try is given up after that time.
    ///
    /// # Errors
    /// When nothing answers within two minutes, or what answers is no answer: a 500, a 401, no JSON.
    pub async fn deliver(&self, request: &Request, hurry: Option<Duration>) -> anyhow::Result<Delivered> {
        let begun = Instant::now();
        let mut hurry = hurry;
        let mut sent = 0_u32;
        loop {
            ensure!(begun.elapsed() < PATIENCE, "{request:?} was not answered after {sent} tries");
            let base = self.base().await?;
            sent = sent.saturating_add(1);
            let mut builder = self
                .http
                .request(request.method.clone(), format!("{base}{}", request.path))
                .header("idempotency-key", &request.key);
            if let Some(body) = &request.body {
                builder = builder.json(body);
            }
            if let Some(etag) = &request.if_match {
                builder = builder.header(header::IF_MATCH, etag);
            }
            if let Some(hurry) = hurry.take() {
                builder = builder.timeout(hurry);
            }
            let Ok(response) = builder.send().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let location = text(&response, header::LOCATION.as_str());
            let Some(mut answer) = read(response).await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            match answer.status {
                503 => tokio::time::sleep(PAUSE).await,
                202 => {
                    let location = location.context("a 202 without Location")?;
                    let read = self.get(&location).await?;
                    (answer.body, answer.etag) = (read.body, read.etag);
                    return Ok(Delivered { answer, sent });
                }
                401 | 500.. => bail!("{request:?}: {} {}", answer.status, answer.body),
                _ => {
                    ensure!(!answer.body.is_null(), "{request:?}: {} without JSON", answer.status);
                    return Ok(Delivered { answer, sent });
                }
            }
        }
    }

    /// Reads something, as soon as it is there.
    ///
    /// # Errors
    /// When it does not appear.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        loop {
            let base = self.base().await?;
            if let Ok(response) = self.http.get(format!("{base}{path}")).send().await
                && let Some(answer) = read(response).await
            {
                if answer.status == 200 {
                    return Ok(answer);
                }
                ensure!(answer.status != 500, "{path} answers 500 {}", answer.body);
                ensure!(begun.elapsed() < PATIENCE, "{path} answers {} {}", answer.status, answer.body);
            }
            ensure!(begun.elapsed() < PATIENCE, "{path} is not answered");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Every item of a listing, page by page.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let mut page = self.get(&format!("{path}{joint}limit=200{cursor}")).await?.body;
            match page["items"].take() {
                Value::Array(some) => items.extend(some),
                other => bail!("{path} lists {other}"),
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Asks to be erased, and does not care for the answer.
    pub async fn leave(&self) {
        if let Ok(base) = self.base().await {
            let body = json!({"current_password": PASSWORD});
            let _ = self.http.delete(format!("{base}/api/me")).json(&body).send().await;
        }
    }

    /// Asks for something without a key and without caring for the answer.
    pub async fn nudge(&self, path: &str) {
        if let Ok(base) = self.base().await {
            let _ = self.http.post(format!("{base}{path}")).send().await;
        }
    }
}

fn text(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// None when the connection broke on the way.
async fn read(response: Response) -> Option<Answer> {
    let status = response.status().as_u16();
    let position = text(&response, "x-event-position").and_then(|text| text.parse().ok());
    let etag = text(&response, header::ETAG.as_str());
    let bytes = response.bytes().await.ok()?;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Some(Answer { status, body, position, etag })
}
