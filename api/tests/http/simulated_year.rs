//! A year of daily sweeps on a clock set by hand: the history has exactly the points at which prices moved.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    market::{Hands, Market, figure, prices, sweep, swept},
    support::TestApp,
};

const DAYS: i64 = 365;
const FIGURES: usize = 4;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_daily_sweeps_leaves_exactly_the_points_at_which_prices_moved() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let mut figures = Vec::new();
    for n in 0..FIGURES {
        figures.push(figure(&alice, &format!("/item/{n}"), json!({})).await);
    }
    let begun: DateTime<Utc> = "2025-11-03T04:00:00Z".parse().unwrap();
    let hands = Hands::at("2025-11-03T04:00:00Z");
    let sweep = sweep(&app, &market.provider.url(), &hands);
    let mut dice = Dice(0x5eed);
    let mut cents = [12_000_u64, 9_900, 24_950, 5_000];
    let mut expected: BTreeMap<usize, Vec<(String, DateTime<Utc>)>> = BTreeMap::new();
    let mut moves = 0;
    for day in 0..DAYS {
        let now = begun + TimeDelta::days(day);
        hands.set(now);
        let mut pages = Vec::new();
        for (n, price) in cents.iter_mut().enumerate() {
            // The last one's page is gone for a while, now and then; its price stands meanwhile.
            let gone = n == FIGURES - 1 && dice.below(10) == 0;
            if dice.below(3) == 0 && !gone {
                *price = 1_000 + dice.below(30_000);
            }
            let amount = format!("{}.{:02}", *price / 100, *price % 100);
            if gone {
                continue;
            }
            let known = expected.entry(n).or_default();
            if known.last().is_none_or(|(last, _)| *last != amount) {
                known.push((amount.clone(), now));
                moves += 1;
            }
            let status = if dice.below(2) == 0 { "in_stock" } else { "out_of_stock" };
            pages.push((format!("/item/{n}"), json!({"price": {"amount": amount}, "status": status})));
        }
        let pages: Vec<(&str, Value)> =
            pages.iter().map(|(path, page)| (path.as_str(), page.clone())).collect();
        market.sell(&pages);
        swept(&app, &sweep).await.1.unwrap();
    }
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
        assert_eq!(points, expected[&n], "figure {n}");
        assert_eq!(shown["price"]["amount"], json!(points.last().unwrap().0));
    }
    let moved: i64 = app.scalar("SELECT count(*) FROM events WHERE event_type = 'figure.price_moved'").await;
    assert_eq!(moved, moves, "a price that stands costs the log nothing");
    let verified = app.state.projections.verify(&["prices"], |_| (), |_, _| ()).await.unwrap();
    assert_eq!(verified[0].differences, 0);
    app.state.projections.rebuild(&["prices"], |_| ()).await.unwrap();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM figure_price_history").await, moves);
}
