//! A year of daily sweeps on a clock set by hand: the history has exactly the points at which prices moved, people are
//! told of exactly the crossings, the curve ends at today's value, and rebuilding comes to the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::{
    cote::rates,
    market::{Hands, Market, figure, prices, sweep, swept},
    owned::own,
    support::TestApp,
};

const DAYS: i64 = 365;
const FIGURES: usize = 4;
/// What each figure is sold in; a dollar is 80 cents here.
const CURRENCIES: [&str; FIGURES] = ["EUR", "USD", "EUR", "EUR"];
/// What is wished for, in cents of euro.
const TARGET: u64 = 11_000;

/// A stream of numbers that is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// One figure as somebody would follow it by hand.
#[derive(Default)]
struct Followed {
    /// Amounts, and when they came.
    points: Vec<(String, DateTime<Utc>)>,
    above: Option<bool>,
    sold_out: Option<bool>,
    seen: Option<DateTime<Utc>>,
}

impl Followed {
    /// What a wisher is to be told of a page that says this.
    fn look(&mut self, cents: u64, currency: &str, sold_out: bool, now: DateTime<Utc>) -> Vec<&'static str> {
        let mut told = Vec::new();
        let is_known = self.seen.is_some_and(|seen| now - seen <= TimeDelta::days(7));
        if is_known && self.sold_out == Some(true) && !sold_out {
            told.push("wishlist_back_in_stock");
        }
        (self.sold_out, self.seen) = (Some(sold_out), Some(now));
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        if self.points.last().is_none_or(|(last, _)| *last != amount) {
            let above = if currency == "USD" { cents * 4 > TARGET * 5 } else { cents > TARGET };
            if self.above == Some(true) && !above && !sold_out {
                told.push("wishlist_price_below_target");
            }
            self.above = Some(above);
            self.points.push((amount, now));
        }
        told
    }
}

async fn told(app: &TestApp) -> BTreeSet<(String, String, DateTime<Utc>)> {
    let sql = "SELECT event_type, payload->'figure'->>'id', created_at FROM notifications";
    let all: Vec<(String, String, DateTime<Utc>)> =
        sqlx::query_as(sql).fetch_all(&app.db.pool).await.unwrap();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(distinct.len(), all.len(), "somebody was told twice");
    distinct
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_daily_sweeps_leaves_exactly_the_points_and_alerts_that_it_should() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    rates(&app, "2025-10-31", &[("USD", "1.25")]).await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mut figures = Vec::new();
    for n in 0..FIGURES {
        figures.push(figure(&alice, &format!("/item/{n}"), json!({})).await);
    }
    for id in &figures[..2] {
        let bought = json!({"price_amount": "90", "price_currency": "EUR", "purchase_date": "2025-06-01"});
        own(&alice, id, bought).await;
    }
    let _reacting = app.state.policies.run();
    let patience = Duration::from_secs(120);
    assert!(app.state.policies.wait_for(app.state.store.head().await.unwrap(), patience).await);
    for id in &figures {
        let target = json!({"max_price_amount": "110", "max_price_currency": "EUR"});
        ben.put(&format!("/api/me/wishlist/{id}"), target).await.made();
    }
    let begun: DateTime<Utc> = "2025-11-03T04:00:00Z".parse().unwrap();
    let hands = Hands::at("2025-11-03T04:00:00Z");
    let sweep = sweep(&app, &market.provider.url(), &hands);
    let mut dice = Dice(0x5eed);
    let mut cents = [12_000_u64, 9_900, 24_950, 5_000];
    let mut followed: Vec<Followed> = (0..FIGURES).map(|_| Followed::default()).collect();
    let mut alerts = BTreeSet::new();
    for day in 0..DAYS {
        let now = begun + TimeDelta::days(day);
        hands.set(now);
        let mut pages = Vec::new();
        for (n, price) in cents.iter_mut().enumerate() {
            // The last one's page is gone now and then, and once for weeks; its price stands meanwhile.
            let gone = n == FIGURES - 1 && (dice.below(10) == 0 || (100..130).contains(&day));
            if gone {
                continue;
            }
            if dice.below(3) == 0 {
                *price = 1_000 + dice.below(20_000);
            }
            let sold_out = dice.below(3) == 0;
            for kind in followed[n].look(*price, CURRENCIES[n], sold_out, now) {
                alerts.insert((kind.to_owned(), figures[n].clone(), now));
            }
            let amount = format!("{}.{:02}", *price / 100, *price % 100);
            let status = if sold_out { "out_of_stock" } else { "in_stock" };
            let price = json!({"amount": amount, "currency": CURRENCIES[n]});
            pages.push((format!("/item/{n}"), json!({"price": price, "status": status})));
        }
        let pages: Vec<(&str, Value)> =
            pages.iter().map(|(path, page)| (path.as_str(), page.clone())).collect();
        market.sell(&pages);
        swept(&app, &sweep).await.1.unwrap();
    }
    let moves: usize = followed.iter().map(|one| one.points.len()).sum();
    assert!(moves > 300, "the year was too quiet to show anything: {moves}");
    for (n, id) in figures.iter().enumerate() {
        let shown = prices(&alice, id).await;
        let points: Vec<(String, DateTime<Utc>)> = shown["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| {
                let time = point["recorded_at"].as_str().unwrap().parse().unwrap();
                (point["amount"].as_str().unwrap().to_owned(), time)
            })
            .collect();
        assert_eq!(points, followed[n].points, "figure {n}");
        assert_eq!(shown["price"]["amount"], json!(points.last().unwrap().0));
    }
    let moved: i64 = app.scalar("SELECT count(*) FROM events WHERE event_type = 'figure.price_moved'").await;
    assert_eq!(usize::try_from(moved).unwrap(), moves, "a price that stands costs the log nothing");

    assert!(app.state.policies.wait_for(app.state.store.head().await.unwrap(), patience).await);
    let kinds: BTreeMap<&str, usize> = alerts.iter().fold(BTreeMap::new(), |mut kinds, (kind, ..)| {
        *kinds.entry(kind.as_str()).or_default() += 1;
        kinds
    });
    assert!(kinds.len() == 2 && kinds.values().all(|count| *count > 20), "too quiet: {kinds:?}");
    assert_eq!(told(&app).await, alerts);

    let last = |n: usize| followed[n].points.last().unwrap().0.parse::<Decimal>().unwrap();
    let worth = last(0) + last(1) / Decimal::new(125, 2);
    let worth = worth.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    let before = alice.get("/api/me/cote").await.ok();
    assert_eq!(before["value_eur"], format!("{worth:.2}"));
    let curve = alice.get("/api/me/cote/evolution?range=all").await.ok();
    assert_eq!(curve["points"].as_array().unwrap().last().unwrap()["value_eur"], before["value_eur"]);

    let projections = &app.state.projections;
    let differences = async || {
        let verified = projections.verify(&[], |_| (), |name, difference| panic!("{name}: {difference:?}"));
        verified.await.unwrap().iter().map(|one| one.differences).sum::<u64>()
    };
    assert_eq!(differences().await, 0);
    projections.rebuild(&[], |_| ()).await.unwrap();
    assert_eq!(differences().await, 0);
    assert_eq!(alice.get("/api/me/cote").await.ok(), before);
    assert_eq!(alice.get("/api/me/cote/evolution?range=all").await.ok(), curve);
    assert!(app.state.policies.wait_for(app.state.store.head().await.unwrap(), patience).await);
    assert_eq!(told(&app).await, alerts, "rebuilding tells nobody anything");
}
