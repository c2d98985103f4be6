//! From the provider's files to what people read: sweep, events, tables, answers.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use workers::sweep::{Ended, SweepError};

use crate::{
    market::{Hands, Market, figure, prices, sweep, swept},
    support::TestApp,
};

fn page(amount: &str, currency: &str, status: &str) -> Value {
    json!({"price": {"amount": amount, "currency": currency}, "status": status})
}

fn amounts(prices: &Value) -> Vec<&str> {
    prices["history"].as_array().unwrap().iter().map(|point| point["amount"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_asks_is_swept_recorded_and_shown() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let akari = figure(&alice, "/item/1", json!({})).await;
    assert_eq!(
        prices(&alice, &akari).await,
        json!({"figure_id": akari, "price": null, "history": [], "stores": []})
    );

    let hands = Hands::at("2026-11-02T04:00:00Z");
    let sweep = sweep(&app, &market.provider.url(), &hands);
    market.sell(&[("/item/1", page("129.90", "EUR", "in_stock"))]);
    let (report, ended) = swept(&app, &sweep).await;
    ended.unwrap();
    assert_eq!((report.figures, report.requests, report.moved, report.stocks_changed), (1, 1, 1, 1));
    let shown = prices(&alice, &akari).await;
    assert_eq!(shown["price"]["amount"], "129.90");
    assert_eq!(shown["price"]["source"], "harbour");
    assert_eq!(shown["price"]["store"]["name"], "Harbour Hobby");
    assert_eq!(shown["price"]["url"], "https://harbour.example/item/1");
    assert_eq!(shown["price"]["original"], Value::Null);
    assert_eq!(shown["price"]["fetched_at"], "2026-11-02T04:00:00Z");
    assert_eq!(amounts(&shown), ["129.90"]);

    // A day later nothing has moved: the log stays as it is, and when it was seen is shown all the same.
    hands.set(hands.now() + TimeDelta::days(1));
    let head = app.state.store.head().await.unwrap();
    let (report, ended) = swept(&app, &sweep).await;
    ended.unwrap();
    assert_eq!((report.moved, report.confirmed, report.stocks_changed), (0, 1, 0));
    assert_eq!(app.state.store.head().await.unwrap(), head);
    let shown = prices(&alice, &akari).await;
    assert_eq!(shown["price"]["fetched_at"], "2026-11-02T04:00:00Z");
    assert_eq!(shown["price"]["confirmed_at"], "2026-11-03T04:00:00Z");

    hands.set(hands.now() + TimeDelta::days(1));
    market.sell(&[("/item/1", page("119.90", "EUR", "out_of_stock"))]);
    swept(&app, &sweep).await.1.unwrap();
    let shown = prices(&alice, &akari).await;
    assert_eq!(amounts(&shown), ["129.90", "119.90"]);
    let since = alice.get(&format!("/api/figures/{akari}/prices?since=2026-11-04")).await.ok();
    assert_eq!(amounts(&since), ["119.90"]);
    assert_eq!(app.state.projections.verify(&["prices"], |_| (), |_, _| ()).await.unwrap()[0].differences, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_that_is_only_quoted_becomes_dollars_with_its_provenance() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let akari = figure(&alice, "/item/1", json!({})).await;
    market.sell(&[("/item/1", page("1280", "HKD", "in_stock"))]);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    swept(&app, &sweep(&app, &market.provider.url(), &hands)).await.1.unwrap();
    let shown = prices(&alice, &akari).await;
    assert_eq!((&shown["price"]["amount"], &shown["price"]["currency"]), (&json!("164.25"), &json!("USD")));
    assert_eq!(
        shown["price"]["original"],
        json!({"amount": "1280", "currency": "HKD", "rate": "0.128320871093346", "rate_date": "2026-10-30"})
    );
    assert_eq!(shown["history"][0]["original"], shown["price"]["original"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_of_the_version_on_the_box_is_the_figures() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let dusk = figure(&alice, "/item/1", json!({"version_name": "Dusk Ver."})).await;
    let plain = figure(&alice, "/item/1", json!({"msrp_amount": "20000", "msrp_currency": "JPY"})).await;
    market.sell(&[(
        "/item/1",
        json!({
            "price": {"amount": 210.5}, "versions": [
                {"label": "dusk ver.", "price": {"amount": "99.00", "currency": "EUR"}},
                {"label": "Dawn Ver.", "price": {"amount": "21000", "currency": "JPY"}}
            ]
        }),
    )]);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    swept(&app, &sweep(&app, &market.provider.url(), &hands)).await.1.unwrap();
    let shown = prices(&alice, &dusk).await;
    assert_eq!(
        (&shown["price"]["amount"], &shown["price"]["matched_version"]),
        (&json!("99.00"), &json!("dusk ver."))
    );
    let shown = prices(&alice, &plain).await;
    assert_eq!((&shown["price"]["amount"], &shown["price"]["currency"]), (&json!("21000"), &json!("JPY")));
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_ages_back_to_unknown_after_seven_days() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let (fresh, old) =
        (figure(&alice, "/item/1", json!({})).await, figure(&alice, "/item/2", json!({})).await);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    let sweep = sweep(&app, &market.provider.url(), &hands);
    let day = TimeDelta::days(1);
    hands.set(chrono::Utc::now() - day * 8);
    market.sell(&[("/item/1", page("10", "EUR", "preorder")), ("/item/2", page("10", "EUR", "in_stock"))]);
    swept(&app, &sweep).await.1.unwrap();
    assert_eq!(prices(&alice, &fresh).await["stores"][0]["stock"], "unknown");
    // Said again, it is known again; what a store no longer says is not.
    hands.set(chrono::Utc::now() - day);
    market.sell(&[("/item/1", page("10", "EUR", "preorder")), ("/item/2", page("10", "EUR", "ask us"))]);
    swept(&app, &sweep).await.1.unwrap();
    let shown = prices(&alice, &fresh).await;
    assert_eq!(
        (&shown["stores"][0]["stock"], shown["stores"].as_array().unwrap().len()),
        (&json!("preorder"), 1)
    );
    assert_eq!(prices(&alice, &old).await["stores"][0]["stock"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_makes_so_many_requests_and_the_rest_are_first_the_next_time() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let alice = app.register("alice").await;
    let mut figures = Vec::new();
    for n in 1..=3 {
        figures.push(figure(&alice, &format!("/item/{n}"), json!({})).await);
    }
    market.sell(&[
        ("/item/1", page("10", "EUR", "in_stock")),
        ("/item/2", page("10", "EUR", "in_stock")),
        ("/item/3", page("10", "EUR", "in_stock")),
    ]);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    let mut sweep = sweep(&app, &market.provider.url(), &hands);
    sweep.options.most_requests = 2;
    let (report, _) = swept(&app, &sweep).await;
    assert_eq!((report.ended, report.requests, report.moved, report.left), (Ended::MostRequests, 2, 2, 1));
    hands.set(hands.now() + TimeDelta::minutes(1));
    let (report, _) = swept(&app, &sweep).await;
    assert_eq!((report.requests, report.moved, report.confirmed), (2, 1, 1));
    for figure in &figures {
        assert_eq!(prices(&alice, figure).await["price"]["amount"], "10.00");
    }
    let called_off = CancellationToken::new();
    called_off.cancel();
    let (report, ended) = sweep.run(&called_off).await;
    assert_eq!((ended.is_ok(), report.ended, report.requests, report.left), (true, Ended::Cancelled, 0, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_follow_a_merged_figure() {
    let (app, market) = (TestApp::new().await, Market::open().await);
    let admin = app.register_admin("root").await;
    let loser = figure(&admin, "/item/1", json!({})).await;
    let winner = figure(&admin, "/item/2", json!({})).await;
    market.sell(&[("/item/1", page("10", "EUR", "in_stock"))]);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    let sweep = sweep(&app, &market.provider.url(), &hands);
    swept(&app, &sweep).await.1.unwrap();
    admin.post(&format!("/api/figures/{loser}/merge"), json!({"into": winner})).await.ok();
    let shown = prices(&admin, &winner).await;
    assert_eq!((&shown["price"]["amount"], shown["history"].as_array().unwrap().len()), (&json!("10.00"), 1));
    assert_eq!(prices(&admin, &loser).await["figure_id"], json!(winner));
    // Its links came along, so the next sweep asks for both pages and finds the price where it stood.
    hands.set(hands.now() + TimeDelta::days(1));
    let (report, _) = swept(&app, &sweep).await;
    assert_eq!((report.figures, report.requests, report.moved, report.confirmed), (1, 2, 0, 1));
    assert_eq!(app.state.projections.verify(&["prices"], |_| (), |_, _| ()).await.unwrap()[0].differences, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_a_key_is_asked_with_it() {
    let (app, market) = (TestApp::new().await, Market::with_key(Some("seashell")).await);
    let alice = app.register("alice").await;
    figure(&alice, "/item/1", json!({})).await;
    market.sell(&[("/item/1", page("10", "EUR", "in_stock"))]);
    let hands = Hands::at("2026-11-02T04:00:00Z");
    let mut sweep = sweep(&app, &market.provider.url(), &hands);
    for (key, code) in [(None, "key_missing"), (Some("pebble"), "key_refused")] {
        sweep.provider = Some(provider(&market, key));
        let (report, ended) = swept(&app, &sweep).await;
        assert_eq!(report.ended, Ended::GaveUp);
        match ended.unwrap_err() {
            SweepError::Provider(error) => assert_eq!(error.code(), code, "{error}"),
            other => panic!("{other}"),
        }
    }
    sweep.provider = Some(provider(&market, Some("seashell")));
    assert_eq!(swept(&app, &sweep).await.0.moved, 1);
}

fn provider(market: &Market, key: Option<&str>) -> std::sync::Arc<workers::provider::Provider> {
    let address: workers::provider::ProviderAddress = market.provider.url().parse().unwrap();
    let options = workers::provider::Options::default();
    std::sync::Arc::new(workers::provider::Provider::new(address.with_key(key), options).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_market_is_for_the_signed_in_and_gated_like_the_figure() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let adult = figure(&alice, "/item/1", json!({"is_nsfw": true})).await;
    let path = format!("/api/figures/{adult}/prices");
    app.visitor().get(&path).await.refused(401, "not_signed_in");
    alice.get("/api/figures/nowhere/prices").await.refused(404, "figure_not_found");
    alice.get(&format!("{path}?since=yesterday")).await.refused(422, "invalid_field");
    assert_eq!(alice.get(&path).await.ok()["figure_id"], json!(adult));
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let gate = alice.get(&path).await.ok();
    assert_eq!((&gate["nsfw_gate"], &gate["price"]), (&json!(true), &Value::Null));
    assert_eq!(alice.get(&format!("{path}?confirm_nsfw=true")).await.ok()["history"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_over_files_answers_in_the_statuses_of_the_contract() {
    let market = Market::open().await;
    let url = market.provider.url();
    let ask = async |path: &str| reqwest::get(format!("{url}{path}")).await.unwrap();
    let status = async |path: &str| ask(path).await.status().as_u16();
    let stores: Value = ask("/stores").await.json().await.unwrap();
    assert_eq!((&stores[0]["id"], &stores[0]["currency"]), (&json!("harbour"), &json!("EUR")));
    assert_eq!(status("/product").await, 400);
    assert_eq!(status("/product?url=ftp://harbour.example/1").await, 400);
    assert_eq!(status("/product?url=https://elsewhere.example/1").await, 404);
    assert_eq!(status("/product?url=https://harbour.example/1").await, 404);
    market.sell(&[("/1", page("10", "EUR", "in_stock"))]);
    let product: Value = ask("/product?url=https://harbour.example/1").await.json().await.unwrap();
    assert_eq!((&product["store_id"], &product["price"]["amount"]), (&json!("harbour"), &json!("10")));
    let found: Value = ask("/search?q=FIGURE+a&store=harbour").await.json().await.unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(status("/search?q=&store=harbour").await, 400);
    assert_eq!(status("/search?q=a&store=nowhere").await, 404);
    std::fs::write(market.path("harbour.json"), "[{").unwrap();
    assert_eq!(status("/product?url=https://harbour.example/1").await, 503);
    std::fs::remove_file(market.path("harbour.json")).unwrap();
    assert_eq!(status("/product?url=https://harbour.example/1").await, 501);
}
