//! A person at the other end: signs in once, sends each request until it is answered.

use crate::generator::{Answer, Request};
use anyhow::{Context, bail, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use uuid::Uuid;

/// Everybody's password.
const PASSWORD: &str = "correct horse battery";
/// How long a request may stay without an answer, whatever happens to the servers.
const PATIENCE: Duration = Duration::from_secs(120);
/// When one try is given up.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Where the server is now; none while there is none.
pub type Address = watch::Receiver<Option<String>>;

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Person {
    http: Client,
    addresses: Vec<Address>,
    /// Which of them is asked next, as by a balancer: another one after every failure.
    turn: Arc<AtomicUsize>,
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
    pub async fn register(addresses: &[Address], name: &str) -> anyhow::Result<Self> {
        let http = Client::builder().no_proxy().cookie_store(true).timeout(REQUEST_WITHIN).build()?;
        let mut person = Self { http, addresses: addresses.to_vec(), turn: Arc::default(), id: Uuid::nil() };
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

    /// The same person, with the same session, at other servers.
    #[must_use]
    pub fn at(&self, addresses: &[Address]) -> Self {
        Self { addresses: addresses.to_vec(), turn: Arc::default(), ..self.clone() }
    }

    async fn base(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let first = self.turn.load(Ordering::Relaxed);
            let count = self.addresses.len();
            let next = (first..first.saturating_add(count)).filter_map(|at| self.addresses.get(at % count));
            if let Some(base) = next.filter_map(|address| address.borrow().clone()).next() {
                return Ok(base);
            }
            ensure!(begun.elapsed() < PATIENCE, "no server came back");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn elsewhere(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }

    /// Sends a request again and again, with the same key, until it is answered by something that stands:
    /// an acceptance or a refusal. `hurry` tells before each try after what time it is given up, if before its
    /// usual end.
    ///
    /// # Errors
    /// When nothing answers within two minutes, or what answers is no answer: a 500, a 401, no JSON.
    pub async fn deliver(
        &self,
        request: &Request,
        hurry: &mut (dyn FnMut() -> Option<Duration> + Send),
    ) -> anyhow::Result<Delivered> {
        let begun = Instant::now();
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
            if let Some(file) = &request.file {
                let part = Part::bytes(file.content.clone()).file_name(file.name);
                builder = builder.multipart(Form::new().part(file.field, part));
            }
            if let Some(etag) = &request.if_match {
                builder = builder.header(header::IF_MATCH, etag);
            }
            if let Some(hurry) = hurry() {
                builder = builder.timeout(hurry);
            }
            let Ok(response) = builder.send().await else {
                self.elsewhere().await;
                continue;
            };
            let location = text(&response, header::LOCATION.as_str());
            let Some(mut answer) = read(response).await else {
                self.elsewhere().await;
                continue;
            };
            match answer.status {
                503 => self.elsewhere().await,
                202 => {
                    let location = location.context("a 202 without Location")?;
                    let read = self.get_with(&location, answer.position).await?;
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
        self.get_with(path, None).await
    }

    /// The same, as it is after a position.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with(&self, path: &str, min_position: Option<i64>) -> anyhow::Result<Answer> {
        let begun = Instant::now();
        loop {
            let base = self.base().await?;
            let mut builder = self.http.get(format!("{base}{path}"));
            if let Some(position) = min_position {
                builder = builder.header("x-min-position", position);
            }
            if let Ok(response) = builder.send().await
                && let Some(answer) = read(response).await
            {
                if answer.status == 200 {
                    return Ok(answer);
                }
                ensure!(answer.status != 500, "{path} answers 500 {}", answer.body);
                ensure!(begun.elapsed() < PATIENCE, "{path} answers {} {}", answer.status, answer.body);
            }
            ensure!(begun.elapsed() < PATIENCE, "{path} is not answered");
            self.elsewhere().await;
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// When there are none.
    pub async fn file(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let base = self.base().await?;
        let answer = self.http.get(format!("{base}{path}")).send().await?;
        let status = answer.status();
        ensure!(status.as_u16() == 200, "{path} answers {status} {}", answer.text().await?);
        Ok(answer.bytes().await?.to_vec())
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

    /// Asks once and takes whatever status comes, if one comes.
    pub async fn try_once(&self, request: &Request, patience: Duration) -> Option<Answer> {
        let base = self.addresses.iter().find_map(|address| address.borrow().clone())?;
        let mut builder = self
            .http
            .request(request.method.clone(), format!("{base}{}", request.path))
            .header("idempotency-key", &request.key)
            .timeout(patience);
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        read(builder.send().await.ok()?).await
    }

    /// Reads something once from a server, without patience for anything.
    ///
    /// # Errors
    /// When it is not answered by 200.
    pub async fn read_once(&self, base: &str, path: &str) -> anyhow::Result<()> {
        let answer = self.http.get(format!("{base}{path}")).send().await.context("no answer")?;
        let status = answer.status();
        ensure!(status.as_u16() == 200, "{path} answers {status} {}", answer.text().await?);
        Ok(())
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
