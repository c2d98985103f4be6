//! Currencies, rates, and the rates that costs keep.

use chrono::{Days, NaiveDate, Utc};
use database::testing::{ScratchFolder, TestDb};
use domain::money::rates::RateTable;
use operational::fx_rates::{self, FxSource};
use serde_json::{Value, json};

use crate::{
    cli::{Server, run},
    owned::{figure, id, own, verify},
    support::{TestApp, TestClient},
};

/// Stores rates as another process would, and lets this one know.
async fn know(app: &TestApp, tables: &[(&str, &[(&str, &str)])]) {
    let tables: Vec<RateTable> = tables
        .iter()
        .map(|(day, quotes)| {
            let quotes = quotes.iter().map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
            RateTable::new(day.parse().unwrap(), quotes).unwrap()
        })
        .collect();
    fx_rates::store(&app.db.pool, &tables, FxSource::Ecb, Utc::now(), &|_, _| ()).await.unwrap();
    app.state.fx.reload().await.unwrap();
}

const FRIDAY: (&str, &[(&str, &str)]) = (
    "2026-10-30",
    &[("USD", "1.25"), ("JPY", "160"), ("GBP", "0.8"), ("CHF", "0.9"), ("CAD", "1.6"), ("HKD", "9")],
);
const LONG_AGO: (&str, &[(&str, &str)]) = ("2020-03-06", &[("USD", "1.6"), ("JPY", "120")]);

async fn rates(client: &TestClient, query: &str) -> Value {
    client.get(&format!("/api/fx/rates{query}")).await.ok()
}

#[tokio::test]
async fn anybody_may_ask_for_the_currencies_and_no_other_is_taken() {
    let app = TestApp::new().await;
    let list = app.visitor().get("/api/currencies").await.ok();
    let currency = |c: &Value| format!("{} {}", c["code"].as_str().unwrap(), c["minor_units"]);
    let listed: Vec<String> = list["items"].as_array().unwrap().iter().map(currency).collect();
    assert_eq!(listed, ["EUR 2", "USD 2", "JPY 0", "GBP 2", "CHF 2", "CAD 2"]);
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    for code in ["BTC", "XXX", "eur", "HKD"] {
        let body = json!({"figure_id": mina, "price_amount": "5", "price_currency": code});
        alice.post("/api/me/owned", body).await.refused_field(422, "unknown_currency", "price_currency");
    }
    own(&alice, &mina, json!({"price_amount": "10.00", "price_currency": "JPY"})).await;
}

#[tokio::test]
async fn without_rates_there_is_an_answer_and_amounts_stay_as_they_are() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let nothing = json!({"base": "EUR", "date": null, "source": null, "fetched_at": null, "rates": {}});
    assert_eq!(rates(&app.visitor(), "").await, nothing);
    assert_eq!(rates(&alice, "?date=2026-10-30").await, nothing);
    let mina = figure(&app, "Mina").await;
    let piece = own(&alice, &mina, json!({"price_amount": "80", "price_currency": "USD"})).await;
    assert_eq!((&piece["price_amount"], &piece["price_fx_rate"]), (&json!("80.00"), &Value::Null));
}

#[tokio::test]
async fn rates_are_told_with_their_day_and_source() {
    let app = TestApp::new().await;
    know(&app, &[LONG_AGO, FRIDAY]).await;
    let anybody = app.visitor();
    let today = rates(&anybody, "").await;
    assert_eq!(
        (&today["base"], &today["date"], &today["source"]),
        (&json!("EUR"), &json!("2026-10-30"), &json!("ecb"))
    );
    assert!(today["fetched_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(today["rates"]["HKD"], "9", "every currency that is quoted, not only those of amounts");
    for (query, date) in [
        ("?date=2026-10-30", json!("2026-10-30")),
        ("?date=2026-11-01", json!("2026-10-30")),
        ("?date=2020-03-08", json!("2020-03-06")),
        ("?date=2020-03-05", Value::Null),
        ("?date=2024-06-01", Value::Null),
        ("?date=1998-12-31", Value::Null),
        // Of days to come, today's.
        ("?date=2099-01-01", json!("2026-10-30")),
    ] {
        assert_eq!(rates(&anybody, query).await["date"], date, "{query}");
    }
    let refused =
        async |query: &str, code| anybody.get(&format!("/api/fx/rates{query}")).await.refused(422, code);
    refused("?date=yesterday", "invalid_date").await;
    refused("?date=2026-02-30", "invalid_date").await;
    refused("?day=2026-10-30", "unknown_parameter").await;
}

#[tokio::test]
async fn a_price_keeps_the_rate_of_its_purchase_date() {
    let app = TestApp::new().await;
    know(&app, &[LONG_AGO, FRIDAY]).await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let cost = |currency: &str, on: Option<&str>| json!({"price_amount": "80", "price_currency": currency, "purchase_date": on});
    for (currency, on, rate) in [
        ("USD", None, "0.8"),
        ("USD", Some("2020-03-08"), "0.625"),
        ("USD", Some("1997-01-01"), "0.8"),
        ("JPY", Some("2020-03-06"), "0.008333333333333"),
        ("EUR", Some("2020-03-06"), "1"),
    ] {
        assert_eq!(own(&alice, &mina, cost(currency, on)).await["price_fx_rate"], rate, "{currency} {on:?}");
    }
    let piece = own(&alice, &mina, cost("USD", Some("2020-03-06"))).await;
    let path = format!("/api/me/owned/{}", id(&piece));
    let edit = async |body: Value| alice.patch(&path, body).await.ok()["price_fx_rate"].clone();
    know(&app, &[("2026-11-02", &[("USD", "1.28"), ("JPY", "150")])]).await;
    for body in [
        json!({"notes": "a scratch"}),
        json!({"price_amount": "81.50"}),
        json!({"shipping_amount": "9", "fees_amount": "1"}),
        json!({"price_currency": "USD", "purchase_date": "2020-03-06"}),
        json!({"condition": "loose", "location": "Hall", "store": "Harbour Hobby"}),
    ] {
        assert_eq!(edit(body.clone()).await, "0.625", "{body}");
    }
    assert_eq!(edit(json!({"purchase_date": null})).await, "0.78125", "of the moment");
    assert_eq!(edit(json!({"purchase_date": "2026-10-31"})).await, "0.8");
    assert_eq!(edit(json!({"price_currency": "JPY", "price_amount": "9000", "shipping_amount": null, "fees_amount": null})).await, "0.00625");
    assert_eq!(edit(json!({"price_amount": null})).await, Value::Null);
    verify(&app).await;
}

#[tokio::test]
async fn a_preorder_and_its_piece_show_one_rate() {
    let app = TestApp::new().await;
    know(&app, &[LONG_AGO, FRIDAY]).await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let body = json!({"figure_id": mina, "price_amount": "80", "price_currency": "USD"});
    let preorder = alice.post("/api/me/preorders", body).await.made();
    let (order, piece) = (
        format!("/api/me/preorders/{}", id(&preorder)),
        format!("/api/me/owned/{}", preorder["owned_item_id"].as_str().unwrap()),
    );
    let both = async || {
        let (order, piece) = (alice.get(&order).await.ok(), alice.get(&piece).await.ok());
        assert_eq!(order["price_fx_rate"], piece["price_fx_rate"]);
        order["price_fx_rate"].clone()
    };
    assert_eq!(both().await, "0.8");
    alice.patch(&order, json!({"price_currency": "JPY"})).await.ok();
    assert_eq!(both().await, "0.00625");
    alice.patch(&piece, json!({"purchase_date": "2020-03-06"})).await.ok();
    assert_eq!(both().await, "0.008333333333333");
    know(&app, &[("2026-11-02", &[("USD", "1.28"), ("JPY", "150")])]).await;
    alice.patch(&order, json!({"price_amount": "90", "deposit_amount": "10"})).await.ok();
    assert_eq!(both().await, "0.008333333333333");
}

#[tokio::test]
async fn an_imported_row_keeps_the_rate_of_its_day() {
    let app = TestApp::new().await;
    know(&app, &[LONG_AGO, FRIDAY]).await;
    let alice = app.register("alice").await;
    let csv = "ID,Title,Status,Price,Payment date,Price\n\
               1,Aster,Owned,,2020-03-07,$ 16\n2,Briar,Ordered,,,¥ 1600\n3,Cosmos,Owned,,1997-01-01,$ 16\n";
    let form = reqwest::multipart::Form::new()
        .part("file", reqwest::multipart::Part::bytes(csv.as_bytes()).file_name("mine.csv"));
    let sent =
        alice.send(reqwest::Method::POST, "/api/me/import/mfc", |request| request.multipart(form)).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let rate = async |name: &str| {
        let page = alice.get(&format!("/api/me/owned?archived=all&q={name}")).await.ok();
        page["items"][0]["price_fx_rate"].clone()
    };
    assert_eq!(rate("Aster").await, "0.625");
    assert_eq!(rate("Briar").await, "0.00625");
    assert_eq!(rate("Cosmos").await, "0.8");
    let order = alice.get("/api/me/preorders").await.ok();
    assert_eq!(order["items"][0]["price_fx_rate"], "0.00625");
}

#[tokio::test]
async fn a_breakdown_compares_across_currencies_at_todays_rate() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let body = json!({
        "name": "Rika", "figure_type": "scale", "msrp_amount": "19800", "msrp_currency": "JPY"
    });
    let rika = alice.post("/api/figures", body).await.made();
    let body = json!({"figure_id": id(&rika), "price_amount": "120.50", "price_currency": "EUR", "deposit_amount": "30"});
    let preorder = alice.post("/api/me/preorders", body).await.made();
    let parts = async || alice.get(&format!("/api/me/preorders/{}/breakdown", id(&preorder))).await.ok();
    assert_eq!(parts().await.get("delta"), None, "no rate is known");
    know(&app, &[FRIDAY]).await;
    let across = parts().await;
    // 120.50 − 19800/160 = −3.25
    assert_eq!((&across["delta"], &across["delta_fx_date"]), (&json!("-3.25"), &json!("2026-10-30")));
    assert_eq!((&across["msrp"], &across["msrp_currency"]), (&json!("19800"), &json!("JPY")));
}

#[tokio::test]
async fn the_wishlist_sums_its_targets_in_the_viewers_currency() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (name, amount, currency) in [("Mina", "90", "EUR"), ("Rika", "8001", "JPY"), ("Sora", "10.01", "CHF")]
    {
        let figure = figure(&app, name).await;
        let body = json!({"max_price_amount": amount, "max_price_currency": currency});
        alice.put(&format!("/api/me/wishlist/{figure}"), body).await.made();
    }
    let total = async || alice.get("/api/me/wishlist?limit=1").await.ok()["total"].clone();
    assert_eq!(total().await, Value::Null, "without a preferred currency nothing is converted");
    alice.patch("/api/me", json!({"preferred_currency": "USD"})).await.ok();
    let nothing = json!({"amount": "0.00", "currency": "USD", "partial": true, "fx_date": null});
    assert_eq!(total().await, nothing, "no rate is known");
    know(&app, &[("2026-10-30", &[("USD", "1.25"), ("JPY", "160")])]).await;
    // 90 × 1.25 + 8001 × 1.25 / 160, and the franc is not quoted.
    let without = json!({"amount": "175.01", "currency": "USD", "partial": true, "fx_date": "2026-10-30"});
    assert_eq!(total().await, without);
    know(&app, &[FRIDAY]).await;
    // … + 10.01 × 1.25 / 0.9 = 188.9104…, rounded once.
    let all = json!({"amount": "188.91", "currency": "USD", "partial": false, "fx_date": "2026-10-30"});
    assert_eq!(total().await, all);
    alice.patch("/api/me", json!({"preferred_currency": "JPY"})).await.ok();
    assert_eq!(total().await["amount"], "24181", "14400 + 8001 + 1779.55…, to whole yen");
}

/// Days before today, so that the file is never from the future.
fn ago(days: u64) -> NaiveDate {
    Utc::now().date_naive() - Days::new(days)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_uses_imported_rates_at_once() {
    let db = TestDb::new().await;
    let files = ScratchFolder::new();
    let file = files.path().join("eurofxref-hist.csv");
    let (newest, other) = (ago(3), ago(40));
    std::fs::write(
        &file,
        format!("Date,USD,JPY,HRK,\n{newest},1.25,160,N/A,\n{other},1.6,120,7.5,\n{other},0,1,1,\n"),
    )
    .unwrap();
    let (ok, _, _) = run(&db, &["admin", "create-user", "alice"], "correct horse battery\n");
    assert!(ok);
    let server = Server::start(&db, &[]);
    let alice = server.client();
    let login = json!({"username": "alice", "password": "correct horse battery"});
    alice.post("/api/auth/login", login).await.ok();
    assert_eq!(rates(&alice, "").await["date"], Value::Null);
    let body = json!({"name": "Mina", "figure_type": "scale"});
    let mina = id(&alice.post("/api/figures", body).await.made()).to_owned();
    let cost = json!({"price_amount": "80", "price_currency": "USD", "purchase_date": other.to_string()});
    assert_eq!(own(&alice, &mina, cost.clone()).await["price_fx_rate"], Value::Null);

    let (ok, stdout, stderr) = run(&db, &["import", "fx", file.to_str().unwrap()], "");
    assert!(ok, "{stderr}");
    let expected = format!(
        "3 days, those taken from {other} to {newest}\n  2  added\n  0  there already\n  1  could not be used\n"
    );
    assert_eq!(stdout, expected);
    assert!(stderr.contains(&format!("line 4: USD on {other}: 0 is not above zero")), "{stderr}");
    assert!(!stderr.contains("not taken them up"), "{stderr}");

    assert_eq!(own(&alice, &mina, cost).await["price_fx_rate"], "0.625");
    let today = rates(&alice, "").await;
    assert_eq!((&today["date"], &today["source"]), (&json!(newest), &json!("file")));

    let (ok, stdout, _) = run(&db, &["import", "fx", file.to_str().unwrap()], "");
    assert!(ok && stdout.contains("2  there already"), "{stdout}");
    for (name, content, told) in [
        ("page.csv", "<html><body>Service unavailable</body></html>", "no euro reference rates"),
        ("zero.csv", "Date,USD\n2020-01-02,0\n", "none of its days could be taken"),
        ("broken.zip", "PK\u{3}\u{4}and no more", "the zip cannot be read"),
    ] {
        let file = files.path().join(name);
        std::fs::write(&file, content).unwrap();
        let (ok, _, stderr) = run(&db, &["import", "fx", file.to_str().unwrap()], "");
        assert!(!ok && stderr.contains(told), "{name}: {stderr}");
    }
    assert_eq!(rates(&alice, "").await["date"], json!(newest), "nothing wrong was stored");
}
