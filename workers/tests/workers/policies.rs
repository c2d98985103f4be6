//! Policies over a real log: each thing told once, whatever stops and starts.

use crate::support::Ledger;
use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use domain::commands::{CatalogueFigure, ObserveMarket, SetWish, Unwish};
use domain::figure::{Observation, ObservedPrice, ObservedStore, Offer, Stock};
use domain::ids::{CommandId, EntityId, FigureId, UserId};
use domain::money::Money;
use domain::money::rates::{RateTable, Rates};
use domain::stream::{Event, Position, Recorded};
use domain::text::HttpUrl;
use domain::world::{Circumstances, Command};
use event_store::Execution;
use operational::fx_rates::{self, FxSource};
use operational::notifications::{self, Kind, Notification};
use operational::passwords::{Cost, Password, Passwords};
use operational::users::{self, NewUser};
use sqlx::PgConnection;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;
use workers::fx::Fx;
use workers::policies::{self, Beginning, Effect, Options, Policies, Policy, Unable};

const PATIENCE: Duration = Duration::from_secs(60);
const SHOP: EntityId = EntityId(Uuid::from_u128(0x50));

/// A ledger with people, figures and prices.
pub struct Market {
    pub ledger: Ledger,
    pub fx: Fx,
    pub begun: DateTime<Utc>,
}

fn money(text: &str) -> Money {
    let (amount, currency) = text.split_once(' ').unwrap();
    Money::new(amount.parse().unwrap(), currency.parse().unwrap()).unwrap()
}

fn offer() -> Offer {
    Offer {
        provider: "prices.example".to_owned().try_into().unwrap(),
        source: "harbour".to_owned().try_into().unwrap(),
        store_id: SHOP,
        url: HttpUrl::new("https://harbour.example/1").unwrap(),
    }
}

impl Market {
    pub async fn new() -> Self {
        let ledger = Ledger::new().await;
        let fx = Fx::open(&ledger.db.pool).await.unwrap();
        Self { ledger, fx, begun: Utc::now().trunc_subsecs(6) }
    }

    pub fn policies(&self, all: Vec<Box<dyn Policy>>) -> Policies {
        Policies::new(&self.ledger.db.pool, &self.ledger.store, &self.ledger.projections, &self.fx, all)
    }

    fn policies_with(&self, all: Vec<Box<dyn Policy>>, options: Options) -> Policies {
        let Ledger { db, store, projections, .. } = &self.ledger;
        Policies::with_options(&db.pool, store, projections, &self.fx, all, options)
    }

    pub async fn person(&self, name: &str) -> UserId {
        let new = NewUser {
            username: name.parse().unwrap(),
            email: None,
            password: Password::parse("correct horse battery").unwrap(),
            is_admin: false,
        };
        users::create(&self.ledger.db.pool, &Passwords::new(Cost::Least, 1).unwrap(), &new).await.unwrap().id
    }

    pub async fn figure(&self, name: &str) -> FigureId {
        let figure_id = FigureId(Uuid::now_v7());
        self.run(&CatalogueFigure::named(figure_id, name.parse().unwrap(), "scale".parse().unwrap())).await;
        figure_id
    }

    pub async fn wish(&self, user_id: UserId, figure_id: FigureId, target: Option<&str>) {
        let target = target.map(money);
        self.run(&SetWish { user_id, figure_id, expected: None, target, note: None }).await;
    }

    pub async fn seen(
        &self,
        figure_id: FigureId,
        hours: i64,
        price: Option<&str>,
        stock: Option<Stock>,
    ) -> Position {
        let price = price.map(|price| ObservedPrice {
            price: money(price),
            original: None,
            offer: offer(),
            matched_version: None,
        });
        let store =
            |stock| ObservedStore { store_id: SHOP, said: Some((offer(), stock)), confirmed_at: None };
        let stores = stock.map(store).into_iter().collect();
        let seen_at = self.begun + TimeDelta::hours(hours);
        self.run(&ObserveMarket { figure_id, seen: Observation { seen_at, price, stores } }).await
    }

    pub async fn price(&self, figure_id: FigureId, hours: i64, price: &str) -> Position {
        self.seen(figure_id, hours, Some(price), None).await
    }

    /// Runs a command as the system itself.
    pub async fn run<C: Command>(&self, command: &C) -> Position {
        let circumstances = Circumstances {
            actor: None,
            is_admin: true,
            now: Utc::now(),
            command_id: CommandId(Uuid::now_v7()),
        };
        self.ledger.store.execute(command, &Execution::new(circumstances)).await.unwrap().position
    }

    pub async fn told(&self, user_id: UserId) -> Vec<Notification> {
        let mut told =
            notifications::list(&self.ledger.db.pool, user_id, false, false, None, 1_000).await.unwrap();
        told.reverse();
        told
    }

    /// Lets the policies go on until they have reacted to everything.
    pub async fn settled(&self, policies: &Policies) {
        let head = self.ledger.head().await;
        assert!(policies.wait_for(head, PATIENCE).await, "{:?}", policies.status().await);
    }

    /// Has everything that is set aside tried again, until nothing is.
    async fn all_taken_back(&self, policies: &Policies, name: &str) {
        assert!(policies.retry(name).await.unwrap().is_some());
        database::testing::eventually("nothing is set aside", async || {
            self.ledger.count("SELECT count(*) FROM policy_parked").await == 0
        })
        .await;
    }
}

fn prices(told: &[Notification]) -> Vec<&str> {
    told.iter().map(|one| one.payload["price"]["amount"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_crossing_is_told_once_whatever_stops_and_starts_meanwhile() {
    let market = Market::new().await;
    let (alice, bob) = (market.person("alice").await, market.person("bob").await);
    let figure = market.figure("Harbour Pilot Mina").await;
    market.wish(alice, figure, Some("90 EUR")).await;
    market.wish(bob, figure, None).await;
    market.price(figure, 0, "100 EUR").await;
    market.price(figure, 1, "80 EUR").await;
    let first = market.policies(policies::all());
    let running = first.run();
    market.settled(&first).await;
    assert_eq!(market.told(alice).await, [], "it begins at the head: what was before is past");

    for (hours, price) in [(2, "95 EUR"), (3, "90 EUR"), (4, "70 EUR")] {
        market.price(figure, hours, price).await;
    }
    market.settled(&first).await;
    running.stop().await;
    assert_eq!(prices(&market.told(alice).await), ["90.00"]);

    // While nothing runs it crosses twice more; whoever runs next tells of both, and so do two at once.
    for (hours, price) in [(5, "120 EUR"), (6, "60 EUR"), (7, "91 EUR"), (8, "89 EUR")] {
        market.price(figure, hours, price).await;
    }
    let second = market.policies(policies::all());
    let (_one, _other) = (first.run(), second.run());
    market.settled(&second).await;
    let told = market.told(alice).await;
    assert_eq!(prices(&told), ["90.00", "60.00", "89.00"]);
    assert_eq!(told[0].event_type, "wishlist_price_below_target");
    assert_eq!(told[0].payload["figure"]["name"], "Harbour Pilot Mina");
    assert_eq!(told[0].payload["target"], serde_json::json!({"amount": "90.00", "currency": "EUR"}));
    assert_eq!(told[0].payload.get("compared"), None);
    assert_eq!(told[0].created_at, (market.begun + TimeDelta::hours(3)));
    assert_eq!(market.told(bob).await, [], "a wish without a target waits for no price");
    assert_eq!(market.ledger.count("SELECT count(*) FROM notification_dedup").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_the_read_models_tells_nothing_again() {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let figure = market.figure("Harbour Pilot Mina").await;
    let policies = market.policies(policies::all());
    let _running = policies.run();
    market.settled(&policies).await;
    market.wish(alice, figure, Some("90 EUR")).await;
    market.price(figure, 0, "100 EUR").await;
    market.price(figure, 1, "80 EUR").await;
    market.settled(&policies).await;
    assert_eq!(market.told(alice).await.len(), 1);
    market.ledger.projections.rebuild(&[], |_| ()).await.unwrap();
    market.price(figure, 2, "79 EUR").await;
    market.settled(&policies).await;
    assert_eq!(market.told(alice).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_currencies_are_compared_at_the_rates_of_the_moment_and_it_is_said_how() {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let figure = market.figure("Harbour Pilot Mina").await;
    let day = market.begun.date_naive();
    let table = RateTable::new(day, [("USD".parse().unwrap(), "1.25".parse().unwrap())]).unwrap();
    fx_rates::store(&market.ledger.db.pool, &[table], FxSource::File, Utc::now(), &|_, _| ()).await.unwrap();
    market.fx.reload().await.unwrap();
    let policies = market.policies(policies::all());
    let _running = policies.run();
    market.settled(&policies).await;
    market.wish(alice, figure, Some("80 EUR")).await;
    market.price(figure, 0, "100.01 USD").await;
    market.price(figure, 1, "100 USD").await;
    market.settled(&policies).await;
    let told = market.told(alice).await;
    assert_eq!(told.len(), 1);
    let compared = serde_json::json!({"price_eur": "80.00", "target_eur": "80.00", "rate_date": day});
    assert_eq!(told[0].payload["compared"], compared);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restock_is_told_once_per_figure_store_and_day() {
    let market = Market::new().await;
    let (alice, bob) = (market.person("alice").await, market.person("bob").await);
    let figure = market.figure("Harbour Pilot Mina").await;
    market.wish(alice, figure, None).await;
    market.wish(bob, figure, Some("1 EUR")).await;
    let policies = market.policies(policies::all());
    let _running = policies.run();
    market.settled(&policies).await;
    // At midnight, so that the hours below stay within their days.
    let midnight = market.begun.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let market = Market { begun: midnight, ..market };
    for (hours, stock) in [
        (0, Stock::InStock),
        (1, Stock::OutOfStock),
        (2, Stock::Preorder),
        (3, Stock::OutOfStock),
        (4, Stock::InStock),
        (30, Stock::OutOfStock),
        (31, Stock::InStock),
    ] {
        market.seen(figure, hours, None, Some(stock)).await;
    }
    market.settled(&policies).await;
    for person in [alice, bob] {
        let told = market.told(person).await;
        let stocks: Vec<_> = told.iter().map(|one| one.payload["stock"].as_str().unwrap()).collect();
        assert_eq!(stocks, ["preorder", "in_stock"], "{told:?}");
        assert!(told.iter().all(|one| one.event_type == "wishlist_back_in_stock"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_no_longer_wishes_or_is_gone_is_not_told() {
    let market = Market::new().await;
    let (alice, bob) = (market.person("alice").await, market.person("bob").await);
    let figure = market.figure("Harbour Pilot Mina").await;
    let policies = market.policies(policies::all());
    let _running = policies.run();
    market.settled(&policies).await;
    market.wish(alice, figure, Some("90 EUR")).await;
    market.wish(bob, figure, Some("90 EUR")).await;
    market.price(figure, 0, "100 EUR").await;
    market.settled(&policies).await;
    market.run(&Unwish { user_id: alice, figure_id: figure, expected: None }).await;
    operational::erasures::begin(&market.ledger.db.pool, bob, None, None).await.unwrap();
    market.price(figure, 1, "50 EUR").await;
    market.settled(&policies).await;
    assert_eq!(market.ledger.count("SELECT count(*) FROM notifications").await, 0);
    assert_eq!(market.ledger.count("SELECT count(*) FROM wish_alerts").await, 0);
}

/// What becomes of somebody who is shown an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Humour {
    Well,
    Fails,
    Panics,
    Takes(Duration),
}

/// What a policy is like just now.
#[derive(Clone)]
pub struct Mood(Arc<Mutex<Humour>>);

impl Mood {
    pub fn new(humour: Humour) -> Self {
        Self(Arc::new(Mutex::new(humour)))
    }

    pub fn turn(&self, humour: Humour) {
        *self.0.lock().unwrap() = humour;
    }

    pub fn is(&self) -> Humour {
        *self.0.lock().unwrap()
    }

    pub async fn show(&self) -> Result<(), Unable> {
        match self.is() {
            Humour::Well => Ok(()),
            Humour::Fails => Err(Unable::Unfit("not today".to_owned())),
            Humour::Panics => panic!("not today"),
            Humour::Takes(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}

/// Tells of every price, as its mood lets it; at those of one figure only, if so.
struct Moody {
    only: Option<FigureId>,
    mood: Mood,
    tells: UserId,
    /// It panics before it is shown any event.
    is_deaf: bool,
}

impl Moody {
    fn is_moody(&self, event: &Recorded) -> bool {
        self.only.is_none_or(|figure_id| event.stream.aggregate_id() == figure_id.to_string())
    }
}

#[async_trait]
impl Policy for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn begins(&self) -> Beginning {
        Beginning::Log
    }

    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    fn aggregates(&self) -> &'static [&'static str] {
        &["figure"]
    }

    fn hears(&self, event: &Event) -> bool {
        let is_price = event.event_type() == "figure.price_moved";
        assert!(!is_price || !self.is_deaf || self.mood.is() != Humour::Panics, "not today");
        is_price
    }

    async fn concerned(
        &self,
        _: &mut PgConnection,
        heard: &[&Recorded],
    ) -> Result<HashSet<Position>, Unable> {
        let moody = heard.iter().any(|event| self.is_moody(event));
        assert!(!moody || self.mood.is() != Humour::Panics, "not today");
        Ok(heard.iter().map(|event| event.position).collect())
    }

    async fn react(
        &self,
        transaction: &mut PgConnection,
        event: &Recorded,
        _: &Rates,
    ) -> Result<Vec<Effect>, Unable> {
        // Something of it is written in any case: it must not stay.
        sqlx::query("INSERT INTO price_checks (figure_id, checked_at, outcome) VALUES ($1, now(), 'moody')")
            .bind(event.event_id.uuid())
            .execute(transaction)
            .await?;
        if self.is_moody(event) {
            self.mood.show().await?;
        }
        Ok(vec![Effect::Tell {
            user_id: self.tells,
            kind: Kind::WishlistPriceBelowTarget,
            about: event.event_id.to_string(),
            payload: serde_json::json!({"position": event.position}),
            at: event.recorded_at,
        }])
    }
}

fn positions(told: &[Notification]) -> Vec<i64> {
    told.iter().map(|one| one.payload["position"].as_i64().unwrap()).collect()
}

async fn is_set_aside_with_its_stream_and_no_other(humour: Humour, is_deaf: bool, reason: &str) {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let (bad, good) = (market.figure("Harbour Pilot Mina").await, market.figure("Teapot Keeper Io").await);
    let mood = Mood::new(humour);
    let moody = Moody { only: Some(bad), mood: mood.clone(), tells: alice, is_deaf };
    let policies = market.policies(vec![Box::new(moody)]);
    let first = market.price(bad, 0, "10 EUR").await;
    let second = market.price(good, 0, "10 EUR").await;
    let third = market.price(bad, 1, "11 EUR").await;
    let _running = policies.run();
    market.settled(&policies).await;
    assert_eq!(positions(&market.told(alice).await), [second.0]);
    assert_eq!(market.ledger.count("SELECT count(*) FROM price_checks WHERE outcome = 'moody'").await, 1);
    let status = policies.status().await.unwrap().remove(0);
    let parked: Vec<_> = status.parked.iter().map(|one| one.position.0).collect();
    assert_eq!((status.lag, parked), (0, vec![first, third]));
    assert_eq!(status.parked[0].reason, reason);

    mood.turn(Humour::Well);
    assert_eq!(policies.retry("moody").await.unwrap(), Some(2));
    assert_eq!(policies.retry("unheard of").await.unwrap(), None);
    market.all_taken_back(&policies, "moody").await;
    let mut all = positions(&market.told(alice).await);
    all.sort_unstable();
    assert_eq!(all, [first.0, second.0, third.0]);
    assert_eq!(market.ledger.count("SELECT count(*) FROM price_checks WHERE outcome = 'moody'").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_reacted_to_is_set_aside_with_its_stream_and_no_other() {
    is_set_aside_with_its_stream_and_no_other(Humour::Fails, false, "not today").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_at_which_a_policy_panics_is_set_aside_likewise() {
    for is_deaf in [false, true] {
        is_set_aside_with_its_stream_and_no_other(Humour::Panics, is_deaf, "it panicked; the log has more")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_take_too_long_together_are_reacted_to_in_smaller_batches() {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let figure = market.figure("Harbour Pilot Mina").await;
    let mood = Mood::new(Humour::Takes(Duration::from_millis(200)));
    let moody = Moody { only: None, mood, tells: alice, is_deaf: false };
    let options = Options { look_within: Duration::from_secs(1), ..Options::default() };
    let policies = market.policies_with(vec![Box::new(moody)], options);
    let mut moved = Vec::new();
    for hours in 0..12 {
        moved.push(market.price(figure, hours, &format!("{} EUR", 10 + hours)).await.0);
    }
    let _running = policies.run();
    market.settled(&policies).await;
    market.all_taken_back(&policies, "moody").await;
    assert_eq!(positions(&market.told(alice).await), moved);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_takes_too_long_by_itself_is_set_aside_and_what_is_behind_it_goes_on() {
    let market = Market::new().await;
    let alice = market.person("alice").await;
    let (bad, good) = (market.figure("Harbour Pilot Mina").await, market.figure("Teapot Keeper Io").await);
    let mood = Mood::new(Humour::Takes(Duration::from_secs(3_600)));
    let moody = Moody { only: Some(bad), mood: mood.clone(), tells: alice, is_deaf: false };
    let options = Options { look_within: Duration::from_secs(1), ..Options::default() };
    let policies = market.policies_with(vec![Box::new(moody)], options);
    let before = market.price(good, 0, "10 EUR").await;
    let first = market.price(bad, 0, "10 EUR").await;
    let second = market.price(good, 1, "11 EUR").await;
    let third = market.price(bad, 1, "11 EUR").await;
    let _running = policies.run();
    market.settled(&policies).await;
    assert_eq!(positions(&market.told(alice).await), [before.0, second.0]);
    let status = policies.status().await.unwrap().remove(0);
    let parked: Vec<_> = status.parked.iter().map(|one| one.position.0).collect();
    assert_eq!(parked, [first, third]);
    assert_eq!(status.parked[0].reason, "to react to it took too long");

    // Tried again it takes as long, and still nothing waits for it but its own stream.
    policies.retry("moody").await.unwrap();
    let last = market.price(good, 2, "12 EUR").await;
    market.settled(&policies).await;
    assert_eq!(positions(&market.told(alice).await), [before.0, second.0, last.0]);

    mood.turn(Humour::Well);
    market.all_taken_back(&policies, "moody").await;
    let mut all = positions(&market.told(alice).await);
    all.sort_unstable();
    assert_eq!(all, [before.0, first.0, second.0, third.0, last.0]);
}
