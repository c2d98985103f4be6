//! This project's server over HTTP: a process of its own, everybody signed in, on the cores that the clients
//! have too.

use super::{Contender, Facts, Planned, closed_loop};
use crate::ground::Ground;
use crate::people::Cookies;
use crate::site::{Line, Site};
use anyhow::Context;
use hyper::Method;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Its name in the table.
pub const NAME: &str = "ours, over HTTP";

/// The server, everybody's cookies, and open connections.
pub struct Web {
    site: Site,
    cookies: Arc<Cookies>,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Web {
    /// Starts the server.
    pub async fn open(ground: &Ground, database: &str, cookies: Cookies) -> anyhow::Result<Self> {
        let site = Site::open(ground, database).await?;
        site.settle(ground, database).await?;
        Ok(Self { site, cookies: Arc::new(cookies), lines: Arc::default() })
    }
}

/// The request that adds a piece.
pub fn request(planned: &Planned) -> String {
    json!({
        "figure_id": planned.figure.id,
        "condition": Facts::CONDITION,
        "price_amount": Facts::PRICE.to_string(),
        "price_currency": Facts::CURRENCY,
        "purchase_date": Facts::bought_on(),
        "location": Facts::LOCATION,
        "origin": Facts::ORIGIN,
    })
    .to_string()
}

#[async_trait::async_trait]
impl Contender for Web {
    fn name(&self) -> &'static str {
        NAME
    }

    fn process(&self) -> Option<u32> {
        self.site.process().ok()
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let open = self.lines.lock().unwrap_or_else(PoisonError::into_inner).len();
        for _ in open..clients {
            let line = self.site.line().await?;
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        let (lines, cookies) = (self.lines.clone(), self.cookies.clone());
        closed_loop(clients, work, move |planned| {
            let (lines, cookies) = (lines.clone(), cookies.clone());
            async move {
                let line = lines.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut line = line.context("a connection for each client")?;
                let cookie = cookies.get(&planned.user).context("somebody signed in")?;
                line.send(Method::POST, "/api/me/owned", cookie, Some(request(&planned))).await?;
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                Ok(())
            }
        })
        .await
    }
}
