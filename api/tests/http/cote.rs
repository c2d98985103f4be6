use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{
    commands::{CatalogueFigure, EditFigure, MergeFigures, ObserveMarket},
    figure::{Observation, ObservedPrice, Offer},
    ids::{EntityId, FigureId},
    money::{
        Currency,
        rates::{CurrencyCode, RateTable},
    },
    text::HttpUrl,
};
use operational::fx_rates::{self, FxSource};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    owned::{figure, id, money, own, plain, run},
    support::{TestApp, TestClient},
};

/// Stores a table of rates and has the server know it.
pub async fn rates(app: &TestApp, day: &str, quotes: &[(&str, &str)]) {
    let quotes =
        quotes.iter().map(|(c, r)| (c.parse::<CurrencyCode>().unwrap(), r.parse::<Decimal>().unwrap()));
    let table = RateTable::new(day.parse().unwrap(), quotes).unwrap();
    fx_rates::store(&app.db.pool, &[table], FxSource::File, Utc::now(), &|_, _| ()).await.unwrap();
    app.state.fx.reload().await.unwrap();
}

/// A figure with a list price.
pub async fn listed(app: &TestApp, name: &str, amount: &str, currency: Currency) -> String {
    let command = CatalogueFigure { msrp: Some(money(amount, currency)), ..plain(name) };
    run(app, None, command).await.figure_id.to_string()
}

/// Has a store ask a price for a figure from a moment on.
pub async fn asked(app: &TestApp, figure: &str, at: DateTime<Utc>, amount: &str, currency: Currency) {
    let price = ObservedPrice {
        price: money(amount, currency),
        original: None,
        offer: Offer {
            provider: "localhost:1".parse().unwrap(),
            source: "harbour".parse().unwrap(),
            store_id: EntityId(Uuid::nil()),
            url: HttpUrl::new("https://harbour.example/1").unwrap(),
        },
        matched_version: None,
    };
    let seen = Observation { seen_at: at, price: Some(price), stores: Vec::new() };
    let command = ObserveMarket { figure_id: figure.parse().unwrap(), seen };
    run(app, None, command).await;
    let head = app.state.store.head().await.unwrap();
    app.folded(head).await;
}

fn at(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(9, 0, 0).unwrap().and_utc()
}

fn ago(days: u64) -> NaiveDate {
    Utc::now().date_naive().checked_sub_days(Days::new(days)).unwrap()
}

async fn cote(client: &TestClient) -> Value {
    client.get("/api/me/cote").await.ok()
}

async fn prefers(client: &TestClient, currency: &str) {
    client.patch("/api/me", json!({"preferred_currency": currency})).await.ok();
}

#[tokio::test]
async fn nobody_reads_worth_without_signing_in_and_everybody_only_their_own() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    for path in [
        "/api/me/cote",
        "/api/me/cote/pieces",
        "/api/me/cote/evolution",
        "/api/me/cote/evolution.svg",
        "/api/me/stats",
        "/api/me/stats.svg",
        "/api/me/stats/insights",
        "/api/me/year-in-review/2026",
        "/api/me/year-in-review/2026.svg",
        "/api/me/preorders/forecast",
    ] {
        anybody.get(path).await.refused(401, "not_signed_in");
        anybody.post(path, json!({})).await.refused(405, "method_not_allowed");
    }
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = listed(&app, "Mina", "100", Currency::Eur).await;
    own(&alice, &mina, json!({"price_amount": "80", "price_currency": "EUR"})).await;
    assert_eq!(cote(&ben).await["pieces_total"], 0);
    assert_eq!(ben.get("/api/me/cote/pieces").await.ok()["items"], json!([]));
    assert_eq!(ben.get("/api/me/stats").await.ok()["counters"]["pieces"], 0);
}

#[tokio::test]
async fn a_piece_is_worth_its_valuation_else_the_market_price_else_the_list_price() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "2026-01-05", &[("JPY", "160"), ("CHF", "0.9375")]).await;
    let mina = listed(&app, "Mina", "16000", Currency::Jpy).await;
    let rin = figure(&app, "Rin").await;
    own(&alice, &mina, json!({"price_amount": "80", "price_currency": "EUR", "shipping_amount": "12"})).await;
    own(&alice, &mina, json!({"origin": "gift"})).await;
    let valued = own(&alice, &mina, json!({"value_amount": "150", "value_currency": "CHF"})).await;
    own(&alice, &rin, json!({"price_amount": "10", "price_currency": "EUR"})).await;
    let worth = cote(&alice).await;
    let expected = json!({
        "value_eur": "360.00",
        "value_compared_eur": "200.00",
        "cost_eur": "80.00",
        "gain_eur": "120.00",
        "realised_gain_eur": "0.00",
        "gain_percent": "150.00",
        "fx_date": "2026-01-05",
        "partial": false,
        "basis": "msrp",
        "manual_coverage": "0.2500",
        "pieces_total": 4,
        "pieces_valued": 3,
        "pieces_manual": 1,
        "pieces_market": 0,
        "pieces_msrp": 2,
        "pieces_compared": 2,
        "pieces_sold": 0,
        "originals": {
            "value": [{"currency": "JPY", "amount": "32000"}, {"currency": "CHF", "amount": "150.00"}],
            "cost": [{"currency": "EUR", "amount": "90.00"}]
        },
        "display": null
    });
    assert_eq!(worth, expected);
    asked(&app, &mina, at(ago(3)), "24000", Currency::Jpy).await;
    let worth = cote(&alice).await;
    assert_eq!(
        (&worth["value_eur"], &worth["basis"], &worth["pieces_market"]),
        (&json!("460.00"), &json!("market"), &json!(2))
    );
    alice.delete(&format!("/api/me/owned/{}/value", id(&valued))).await.ok();
    assert_eq!(cote(&alice).await["value_eur"], "450.00");
    prefers(&alice, "JPY").await;
    assert_eq!(
        cote(&alice).await["display"],
        json!({"currency": "JPY", "value": "72000", "value_compared": "48000", "cost": "12800", "gain": "35200",
            "realised_gain": "0"})
    );
}

#[tokio::test]
async fn without_rates_amounts_stay_as_recorded_and_totals_say_that_they_are_partial() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (mina, rin) =
        (listed(&app, "Mina", "16000", Currency::Jpy).await, listed(&app, "Rin", "120", Currency::Eur).await);
    own(&alice, &mina, json!({"price_amount": "80", "price_currency": "EUR"})).await;
    own(&alice, &rin, json!({"price_amount": "90", "price_currency": "EUR"})).await;
    let worth = cote(&alice).await;
    assert_eq!(
        (&worth["value_eur"], &worth["partial"], &worth["fx_date"], &worth["gain_eur"]),
        (&json!("120.00"), &json!(true), &Value::Null, &json!("30.00"))
    );
    assert_eq!(worth["originals"]["value"][1], json!({"currency": "JPY", "amount": "16000"}));
    let ranked = alice.get("/api/me/cote/pieces").await.ok();
    assert_eq!(
        (&ranked["items"][0]["value_eur"], &ranked["items"][1]["value_eur"]),
        (&json!("120.00"), &Value::Null)
    );
    let curve = alice.get("/api/me/cote/evolution?range=all").await.ok();
    assert_eq!(
        (&curve["partial"], &curve["points"].as_array().unwrap().last().unwrap()["value_eur"]),
        (&json!(true), &json!("120.00"))
    );
}

#[tokio::test]
async fn every_total_is_the_sum_of_what_it_explains() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let quotes =
        [("USD", "1.1577"), ("JPY", "181.13"), ("GBP", "0.8791"), ("CHF", "0.9312"), ("CAD", "1.6204")];
    rates(&app, "2026-11-20", &quotes).await;
    for (n, currency) in Currency::ALL.into_iter().cycle().take(24).enumerate() {
        let other = Currency::ALL[(n * 5 + 1) % 6];
        let figure = listed(&app, &format!("Figure {n}"), &format!("{}", 3_000 + n * 37), other).await;
        let price = format!("{}", 1_111 + n * 13);
        let piece = own(
            &alice,
            &figure,
            json!({"price_amount": price, "price_currency": currency.code(), "purchase_date": "2026-11-20"}),
        )
        .await;
        if n % 6 == 5 {
            let sale = json!({"reason": "sold", "sold_amount": "777", "sold_currency": other.code(), "sold_on": "2026-11-21"});
            alice.post(&format!("/api/me/owned/{}/archive", id(&piece)), sale).await.ok();
        }
    }
    let worth = alice.get("/api/me/cote?explain=1").await.ok();
    let why = &worth["explanation"];
    let decimal = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
    let rounded = |amount: Decimal| {
        let mut shown = domain::money::rounded(amount, Currency::Eur);
        shown.rescale(2);
        shown.to_string()
    };
    let items = why["items"].as_array().unwrap();
    assert_eq!((items.len(), why["sold"].as_array().unwrap().len()), (20, 4));
    let sum = |part: &dyn Fn(&Value) -> Decimal, of: &[Value]| of.iter().map(part).sum::<Decimal>();
    let value = sum(&|item| decimal(&item["value"]["eur"]), items);
    let cost = sum(&|item| decimal(&item["cost"]["eur"]), items);
    assert_eq!(
        (rounded(value), rounded(cost)),
        (worth["value_eur"].as_str().unwrap().to_owned(), worth["cost_eur"].as_str().unwrap().to_owned())
    );
    let realised = sum(
        &|sold| decimal(&sold["brought"]["eur"]) - decimal(&sold["cost"]["eur"]),
        why["sold"].as_array().unwrap(),
    );
    assert_eq!(rounded(realised), worth["realised_gain_eur"].as_str().unwrap());
    for item in items {
        let (value, cost) = (&item["value"], &item["cost"]);
        let quoted = decimal(&value["amount"]) / decimal(&value["rate"]["value"]);
        assert!((quoted - decimal(&value["eur"])).abs() < Decimal::new(1, 12), "{item}");
        assert_eq!(
            decimal(&cost["amount"]) * decimal(&cost["rate"]["value"]),
            decimal(&cost["eur"]),
            "{item}"
        );
        assert_eq!((&cost["rate"]["is"], &cost["rate"]["frozen"]), (&json!("eur_for_one"), &json!(true)));
        if cost["currency"] != "EUR" {
            assert_eq!(cost["rate"]["date"], "2026-11-20", "{item}");
        }
    }
    // The ranking comes to the same, page after page.
    let mut seen = BTreeMap::new();
    let mut path = "/api/me/cote/pieces?limit=7".to_owned();
    let mut last: Option<Decimal> = None;
    loop {
        let page = alice.get(&path).await.ok();
        for piece in page["items"].as_array().unwrap() {
            let value = decimal(&piece["value_eur"]);
            assert!(last.is_none_or(|last| value <= last), "{piece}");
            last = Some(value);
            seen.insert(id(piece).to_owned(), value);
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/api/me/cote/pieces?limit=7&cursor={next}");
    }
    assert_eq!(seen.len(), 20);
    alice.get("/api/me/cote?explain=perhaps").await.refused_field(422, "invalid_field", "explain");
    alice.get("/api/me/cote/pieces?sort=paid&cursor=e30").await.refused(422, "invalid_cursor");
    alice.get("/api/me/cote/pieces?sort=luck").await.refused_field(422, "invalid_field", "sort");
}

#[tokio::test]
async fn the_curve_follows_prices_and_pieces_and_ends_at_what_the_collection_is_worth_now() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "2026-01-05", &[("JPY", "100")]).await;
    let mina = listed(&app, "Mina", "100", Currency::Eur).await;
    let bought = ago(20).to_string();
    own(&alice, &mina, json!({"purchase_date": bought, "price_amount": "70", "price_currency": "EUR"})).await;
    let lost = own(&alice, &mina, json!({"purchase_date": bought})).await;
    asked(&app, &mina, at(ago(10)), "150", Currency::Eur).await;
    asked(&app, &mina, at(ago(5)), "20000", Currency::Jpy).await;
    let curve = async |range: &str| alice.get(&format!("/api/me/cote/evolution?range={range}")).await.ok();
    let worth_on = |curve: &Value, on: NaiveDate| {
        let points = curve["points"].as_array().unwrap();
        let point = points.iter().find(|point| point["day"] == on.to_string()).unwrap();
        point["value_eur"].as_str().unwrap().to_owned()
    };
    let three = curve("3m").await;
    for (days, worth) in [
        (21, "0.00"),
        (20, "200.00"),
        (11, "200.00"),
        (10, "300.00"),
        (6, "300.00"),
        (5, "400.00"),
        (0, "400.00"),
    ] {
        assert_eq!(worth_on(&three, ago(days)), worth, "{days} days ago");
    }
    assert_eq!((&three["rates"], &three["step_days"]), (&json!("today"), &json!(1)));
    alice.post(&format!("/api/me/owned/{}/archive", id(&lost)), json!({"reason": "lost"})).await.ok();
    for range in ["3m", "6m", "1y", "all"] {
        let curve = curve(range).await;
        assert_eq!(curve["range"], range);
        assert_eq!(worth_on(&curve, ago(0)), cote(&alice).await["value_eur"].as_str().unwrap(), "{range}");
        assert_eq!(worth_on(&curve, ago(1)), "400.00");
    }
    assert_eq!(
        curve("all").await["points"][0],
        json!({"day": ago(21).to_string(), "value_eur": "0.00", "value": null})
    );
    alice.get("/api/me/cote/evolution?range=2w").await.refused_field(422, "invalid_field", "range");
    let spark = alice.get("/api/me/cote/pieces").await.ok()["items"][0]["history"].clone();
    assert_eq!(
        spark,
        json!([
            {"day": ago(10).to_string(), "currency": "EUR", "amount": "150.00", "eur": "150.00"},
            {"day": ago(5).to_string(), "currency": "JPY", "amount": "20000", "eur": "200.00"}
        ])
    );
}

#[tokio::test]
async fn prices_follow_a_merged_figure_and_rebuilding_comes_to_the_same() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (mina, twin) = (
        listed(&app, "Mina", "100", Currency::Eur).await,
        listed(&app, "Mina again", "90", Currency::Eur).await,
    );
    own(&alice, &mina, json!({"purchase_date": ago(20).to_string()})).await;
    own(&alice, &twin, json!({"purchase_date": ago(20).to_string()})).await;
    asked(&app, &twin, at(ago(9)), "130", Currency::Eur).await;
    asked(&app, &mina, at(ago(4)), "140", Currency::Eur).await;
    let ids: (FigureId, FigureId) = (mina.parse().unwrap(), twin.parse().unwrap());
    run(&app, None, MergeFigures { loser_id: ids.1, winner_id: ids.0 }).await;
    run(&app, None, EditFigure { msrp: Some(Some(money("95", Currency::Eur))), ..EditFigure::of(ids.0) })
        .await;
    let head = app.state.store.head().await.unwrap();
    app.folded(head).await;
    assert_eq!(cote(&alice).await["value_eur"], "280.00");
    let curve = alice.get("/api/me/cote/evolution?range=3m").await.ok();
    let values: Vec<&str> =
        curve["points"].as_array().unwrap().iter().map(|p| p["value_eur"].as_str().unwrap()).collect();
    let tail: Vec<&str> = values.iter().rev().take(22).rev().copied().collect();
    assert_eq!(
        (tail[0], tail[1], tail[12], tail[17], tail[21]),
        ("0.00", "190.00", "260.00", "280.00", "280.00")
    );
    let verified = app.state.projections.verify(&["cote"], |_| (), |_, difference| panic!("{difference:?}"));
    assert_eq!(verified.await.unwrap().iter().map(|one| one.differences).sum::<u64>(), 0);
}

#[tokio::test]
async fn hidden_figures_are_not_named_and_their_worth_still_counts() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let command =
        CatalogueFigure { is_nsfw: true, msrp: Some(money("100", Currency::Eur)), ..plain("Secret") };
    let secret = run(&app, None, command).await.figure_id.to_string();
    let mina = listed(&app, "Mina", "50", Currency::Eur).await;
    for figure in [&secret, &mina] {
        own(&alice, figure, json!({"price_amount": "40", "price_currency": "EUR"})).await;
    }
    let names = async || {
        let page = alice.get("/api/me/cote/pieces").await.ok();
        page["items"].as_array().unwrap().iter().map(|p| p["figure"]["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["Secret", "Mina"]);
    asked(&app, &secret, at(ago(10)), "100", Currency::Eur).await;
    let chart = format!("/api/figures/{secret}/prices.svg");
    assert!(alice.get(&chart).await.text.contains("100.00 EUR"), "or what is hidden below was never there");
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    assert_eq!(names().await, ["Mina"]);
    let worth = alice.get("/api/me/cote?explain=1").await.ok();
    assert_eq!((&worth["value_eur"], &worth["explanation"]["value_eur"]), (&json!("150.00"), &json!("150")));
    for path in [
        "/api/me/cote?explain=1",
        "/api/me/stats?explain=1",
        "/api/me/stats/insights",
        "/api/me/year-in-review/2026?explain=1",
    ] {
        assert!(!alice.get(path).await.text.contains("Secret"), "{path}");
    }
    let hidden = alice.get(&chart).await.text;
    assert!(!hidden.contains("Secret") && !hidden.contains("100.00"), "{hidden}");
}

#[tokio::test]
async fn charts_are_drawn_where_they_are_asked_for() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = listed(&app, "Mina & <Rin>", "100", Currency::Eur).await;
    own(
        &alice,
        &mina,
        json!({"purchase_date": ago(40).to_string(), "price_amount": "70", "price_currency": "EUR"}),
    )
    .await;
    asked(&app, &mina, at(ago(10)), "150", Currency::Eur).await;
    let year = Utc::now().format("%Y").to_string();
    let paths = [
        ("/api/me/cote/evolution?range=3m".to_owned(), "/api/me/cote/evolution.svg?range=3m".to_owned()),
        ("/api/me/stats".to_owned(), "/api/me/stats.svg".to_owned()),
        (format!("/api/me/year-in-review/{year}"), format!("/api/me/year-in-review/{year}.svg")),
        (format!("/api/figures/{mina}/prices"), format!("/api/figures/{mina}/prices.svg")),
    ];
    for (path, named) in &paths {
        let drawn = alice.get(named).await;
        assert_eq!(
            (drawn.status.as_u16(), drawn.header("content-type")),
            (200, "image/svg+xml"),
            "{named}: {}",
            drawn.text
        );
        assert!(drawn.header("content-security-policy").contains("style-src 'unsafe-inline'"));
        for part in ["<title", "<desc", "prefers-color-scheme"] {
            assert!(drawn.text.contains(part), "{named} has no {part}");
        }
        assert!(!drawn.text.contains("<Rin>"));
        let asked = alice.send(Method::GET, path, |request| request.header("accept", "image/svg+xml")).await;
        assert_eq!((asked.header("content-type"), &asked.text), ("image/svg+xml", &drawn.text), "{path}");
        let numbers = alice.get(path).await;
        assert_eq!(numbers.header("content-type"), "application/json", "{path}");
        if let Ok(folder) = std::env::var("CHARTS_TO") {
            let name = named.split('?').next().unwrap().replace('/', "_");
            std::fs::write(format!("{folder}/http{name}"), &drawn.text).unwrap();
        }
    }
}
