//! Prices and stock that move, as the sweep sees them, and people who wait for them.
//!
//! The waiting ones never touch a wish but in silence, when the policies have reacted to all there is. So the
//! log alone says what each of them has to be told; `notifications.rs` reckons it. Prices of figures that
//! everybody wishes for, edits and merges move as well, but who wishes for those at what moment, only the
//! policies know.

use crate::beside;
use crate::checks::Acknowledged;
use crate::client::{Address, Person};
use crate::generator::{Request, Shared};
use crate::load::Tally;
use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use domain::commands::ObserveMarket;
use domain::figure::{Observation, ObservedPrice, ObservedStore, Offer, Stock};
use domain::ids::{EntityId, FigureId};
use domain::money::Money;
use domain::text::HttpUrl;
use event_store::{EventStore, Options};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How many wait, and for how many figures.
const WISHERS: usize = 3;
const FIGURES: usize = 4;
/// What prices and targets move between, in euro: few enough values to meet.
const EURO: std::ops::RangeInclusive<u32> = 40..=60;
/// How long it rests between two looks at a store, in milliseconds.
const REST: std::ops::Range<u64> = 10..60;
/// How much later each look is than the one before, as the stores' clock goes: a few fall on one day.
const LATER: std::ops::Range<i64> = 20..240;

/// Whoever waits, and for what.
pub struct Market {
    people: Vec<Person>,
    figures: Vec<Uuid>,
    stores: Vec<EntityId>,
    tally: Arc<Tally>,
    sent: u64,
}

impl Market {
    /// Makes the accounts, the figures and the wishes.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn open(addresses: &[Address], rng: &mut StdRng, tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let mut people = Vec::new();
        for at in 1..=WISHERS {
            people.push(Person::register(addresses, &format!("wisher-{at}")).await?);
        }
        let (figures, stores, tally) = (Vec::new(), Vec::new(), tally.clone());
        let mut market = Self { people, figures, stores, tally, sent: 0 };
        for at in 1..=FIGURES {
            let links = json!([{"store": "Market Hall", "path": format!("/{at}")},
                               {"store": "Night Market", "path": format!("/{at}")}]);
            let body = json!({"name": format!("Wanted {at}"), "figure_type": "other", "buy_links": links});
            let figure = market.send(0, Method::POST, "/api/figures".to_owned(), body).await?;
            market.figures.push(figure["id"].as_str().context("a figure without id")?.parse()?);
            let links = figure["buy_links"].as_array().map_or(&[][..], Vec::as_slice);
            let stores =
                links.iter().filter_map(|link| Some(EntityId(link["store"]["id"].as_str()?.parse().ok()?)));
            market.stores = stores.collect();
            ensure!(market.stores.len() == 2, "a figure without its stores: {figure}");
        }
        for person in 0..WISHERS {
            for figure in market.figures.clone() {
                market.wish(person, figure, rng).await?;
            }
        }
        Ok(market)
    }

    /// The ids of whoever waits.
    #[must_use]
    pub fn people(&self) -> Vec<Uuid> {
        self.people.iter().map(|person| person.id).collect()
    }

    /// Lets somebody change their mind about a wish. Only while nothing moves, and the policies have reacted to
    /// everything.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn change_minds(&mut self, rng: &mut StdRng) -> anyhow::Result<()> {
        let (person, figure) = (rng.random_range(0..WISHERS), self.figures.choose(rng).copied());
        self.wish(person, figure.context("no figures")?, rng).await
    }

    async fn wish(&mut self, person: usize, figure: Uuid, rng: &mut StdRng) -> anyhow::Result<()> {
        let body = if rng.random_ratio(1, 5) {
            json!({})
        } else {
            json!({"max_price_amount": rng.random_range(EURO).to_string(), "max_price_currency": "EUR"})
        };
        self.send(person, Method::PUT, format!("/api/me/wishlist/{figure}"), body).await?;
        Ok(())
    }

    async fn send(
        &mut self,
        person: usize,
        method: Method,
        path: String,
        body: serde_json::Value,
    ) -> anyhow::Result<serde_json::Value> {
        self.sent += 1;
        let key = format!("market-{}", self.sent);
        let person = self.people.get(person).context("nobody waits")?;
        let request = Request::plain("market", method, path, body, &key);
        let answer = person.deliver(&request, &mut || None).await?.answer;
        ensure!(answer.is_accepted(), "{request:?}: {} {}", answer.status, answer.body);
        let (actor, kind, status, position) = (person.id, request.kind, answer.status, answer.position);
        self.tally.heard(Some(Acknowledged { actor, key, kind, status, position }));
        Ok(answer.body)
    }

    /// Looks at the stores until told to stop, beside all servers.
    pub fn keep_looking(
        &self,
        pool: PgPool,
        seed: u64,
        shared: Shared,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let (figures, stores, tally) = (self.figures.clone(), self.stores.clone(), self.tally.clone());
        keep_looking(pool, StdRng::seed_from_u64(seed), (figures, stores), shared, tally)
    }
}

async fn keep_looking(
    pool: PgPool,
    mut rng: StdRng,
    (figures, stores): (Vec<Uuid>, Vec<EntityId>),
    shared: Shared,
    tally: Arc<Tally>,
) -> anyhow::Result<()> {
    let store = EventStore::open(pool, Options::default()).await?;
    let mut seen_at: DateTime<Utc> = chrono::SubsecRound::trunc_subsecs(Utc::now(), 6);
    let mut looked = 0_u64;
    while !tally.is_over() {
        let going = tally.gate.read().await;
        let others = shared.lock().unwrap_or_else(PoisonError::into_inner).figures();
        let waited_for = others.is_empty() || rng.random_ratio(2, 3);
        let figure = if waited_for { &figures } else { &others }.choose(&mut rng).copied();
        seen_at += TimeDelta::minutes(rng.random_range(LATER));
        let seen = look(&mut rng, &stores, seen_at)?;
        let command = ObserveMarket { figure_id: FigureId(figure.context("no figures")?), seen };
        looked += 1;
        tally.heard(Some(beside::run(&store, &command, format!("look-{looked}")).await?));
        drop(going);
        tokio::time::sleep(Duration::from_millis(rng.random_range(REST))).await;
    }
    Ok(())
}

fn look(rng: &mut StdRng, stores: &[EntityId], seen_at: DateTime<Utc>) -> anyhow::Result<Observation> {
    let store_id = stores.choose(rng).copied().context("no stores")?;
    let offer = Offer {
        provider: "prices.example".to_owned().try_into()?,
        source: "market".to_owned().try_into()?,
        store_id,
        url: HttpUrl::new("https://market.example/1")?,
    };
    let price = if rng.random_ratio(3, 4) {
        let euro = format!("{}.{}", rng.random_range(EURO), ["00", "01", "99"][rng.random_range(0..3)]);
        let price = Money::new(euro.parse()?, "EUR".parse()?)?;
        Some(ObservedPrice { price, original: None, offer: offer.clone(), matched_version: None })
    } else {
        None
    };
    let said = rng.random_bool(0.5).then(|| {
        let stock = [Stock::OutOfStock, Stock::OutOfStock, Stock::InStock, Stock::Preorder];
        (offer, stock[rng.random_range(0..4)])
    });
    let stores = said.map(|said| ObservedStore { store_id, said: Some(said), confirmed_at: None });
    Ok(Observation { seen_at, price, stores: stores.into_iter().collect() })
}
