use chrono::{Datelike, Utc};
use domain::{
    commands::{CatalogueFigure, EditFigure},
    money::Currency,
};
use serde_json::{Value, json};

use crate::{
    cote::{asked, listed, rates},
    owned::{figure, id, money, own, plain, run},
    support::{TestApp, TestClient},
};

async fn order(client: &TestClient, figure: &str, more: Value) -> String {
    let mut body =
        json!({"figure_id": figure, "price_amount": "100", "price_currency": "EUR", "deposit_amount": "30"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    id(&client.post("/api/me/preorders", body).await.made()).to_owned()
}

async fn act(client: &TestClient, order: &str, what: &str, body: Value) {
    client.post(&format!("/api/me/preorders/{order}/{what}"), body).await.ok();
}

fn amounts(total: &Value) -> (&str, bool) {
    (total["eur"].as_str().unwrap(), total["partial"].as_bool().unwrap())
}

#[tokio::test]
async fn counters_and_spend_tell_what_was_recorded() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "2026-01-05", &[("JPY", "160"), ("USD", "1.25")]).await;
    let mina = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Good Smile Company".parse().unwrap()),
            series: vec!["Tides of Cobalt".parse().unwrap()],
            msrp: Some(money("16000", Currency::Jpy)),
            ..plain("Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let rin = listed(&app, "Rin", "120", Currency::Eur).await;
    let fumi = figure(&app, "Fumi").await;
    let cost = json!({"price_amount": "90", "shipping_amount": "10", "fees_amount": "2.50", "price_currency": "EUR",
        "purchase_date": "2025-03-09"});
    own(&alice, &mina, cost).await;
    own(
        &alice,
        &rin,
        json!({"price_amount": "12500", "price_currency": "JPY", "purchase_date": "2026-01-05"}),
    )
    .await;
    own(&alice, &fumi, json!({"origin": "gift"})).await;
    let gone = own(
        &alice,
        &fumi,
        json!({"shipping_amount": "5", "price_currency": "USD", "purchase_date": "1998-06-01"}),
    )
    .await;
    alice.post(&format!("/api/me/owned/{}/archive", id(&gone)), json!({"reason": "lost"})).await.ok();
    let live = order(&alice, &fumi, json!({"release_date": "2099-05"})).await;
    act(&alice, &live, "slip", json!({"new_date": "2099-07"})).await;
    let lost = order(&alice, &rin, json!({})).await;
    act(&alice, &lost, "cancel", json!({"refund_amount": "12"})).await;
    let wished = listed(&app, "Wished", "50", Currency::Eur).await;
    let wish = json!({"max_price_amount": "4000", "max_price_currency": "JPY"});
    alice.put(&format!("/api/me/wishlist/{wished}"), wish).await.made();
    let nowhere = figure(&app, "Unpriced").await;
    alice.put(&format!("/api/me/wishlist/{nowhere}"), json!({})).await.made();
    let stats = alice.get("/api/me/stats").await.ok();
    let counters = &stats["counters"];
    for (name, count) in [
        ("pieces", 3),
        ("archived", 1),
        ("figures", 3),
        ("types", 1),
        ("makers", 1),
        ("series", 1),
        ("scans", 0),
        ("unpriced", 2),
        ("wishes", 2),
    ] {
        assert_eq!(counters[name], count, "{name}");
    }
    assert_eq!(
        (&counters["preorders"]["preordered"], &counters["preorders"]["cancelled"]),
        (&json!(1), &json!(1))
    );
    // 102.50 EUR; 12500 JPY at 160; 5 USD, bought before there were euro, at the rate of the day it was recorded.
    assert_eq!(amounts(&stats["spend"]["total"]), ("184.63", false));
    let eur = &stats["spend"]["by_currency"][0];
    assert_eq!(
        eur,
        &json!({"currency": "EUR", "pieces": 1, "price": "90.00", "shipping": "10.00", "fees": "2.50", "total": "102.50",
            "compared_price": "90.00", "msrp": "100.00", "against_msrp": "-10.00", "partial": false})
    );
    let months = stats["months"].as_array().unwrap();
    assert_eq!(
        (&months[0]["month"], &months[0]["spent_eur"], &months[0]["pieces"]),
        (&json!("1998-06"), &json!("4.00"), &json!(1))
    );
    assert_eq!(months.last().unwrap()["pieces_total"], 4);
    assert_eq!(months.last().unwrap()["spent_total_eur"], "184.63");
    assert!(
        months.windows(2).all(|pair| pair[0]["pieces_total"].as_i64() <= pair[1]["pieces_total"].as_i64())
    );
    let years: Vec<i64> =
        stats["years"].as_array().unwrap().iter().map(|year| year["year"].as_i64().unwrap()).collect();
    let known = std::collections::BTreeSet::from([1998, 2025, 2026, i64::from(Utc::now().year())]);
    assert_eq!(years, known.into_iter().collect::<Vec<_>>());
    assert_eq!(stats["series"][0]["percent"], "100.0");
    assert_eq!(amounts(&stats["wishlist"]["cost"]), ("50.00", false));
    assert_eq!(stats["wishlist"]["without_price"], 1);
    assert_eq!(amounts(&stats["wishlist"]["targets"]), ("25.00", false));
    let health = &stats["preorders"];
    assert_eq!(
        (&health["open"], &health["cancelled"], &health["slipped"], &health["mean_slip_days"]),
        (&json!(1), &json!(1), &json!(1), &json!("61.0"))
    );
    assert_eq!(
        (amounts(&health["open_deposits"]), amounts(&health["lost"])),
        (("30.00", false), ("18.00", false))
    );
    // Each total explains itself.
    let why = alice.get("/api/me/stats?explain=1").await.ok();
    for (pointer, parts, eur) in [
        ("/spend/total", 3, "184.625"),
        ("/wishlist/cost", 1, "50"),
        ("/wishlist/targets", 1, "25"),
        ("/preorders/open_deposits", 1, "30"),
        ("/preorders/lost", 1, "18"),
    ] {
        let explanation = &why.pointer(pointer).unwrap()["explanation"];
        assert_eq!(
            (explanation["items"].as_array().unwrap().len(), &explanation["eur"]),
            (parts, &json!(eur)),
            "{pointer}"
        );
    }
    // The market's price counts for a wish before the list price.
    asked(&app, &wished, Utc::now(), "40", Currency::Eur).await;
    assert_eq!(amounts(&alice.get("/api/me/stats").await.ok()["wishlist"]["cost"]), ("40.00", false));
}

#[tokio::test]
async fn insights_take_the_collection_apart() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Alter".parse().unwrap()),
            sculptor: Some("Somebody".parse().unwrap()),
            series: vec!["Tides".parse().unwrap(), "Anchors".parse().unwrap()],
            ..plain("Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let rin = figure(&app, "Rin").await;
    let priced = |amount: &str, currency: &str| json!({"price_amount": amount, "price_currency": currency, "condition": "loose"});
    own(&alice, &mina, priced("24.99", "EUR")).await;
    own(&alice, &mina, priced("25", "EUR")).await;
    own(&alice, &rin, priced("800", "EUR")).await;
    own(&alice, &rin, json!({"price_amount": "100", "price_currency": "JPY"})).await;
    let insights = alice.get("/api/me/stats/insights").await.ok();
    assert_eq!(insights["pieces"], 4);
    assert_eq!(insights["types"], json!([{"name": "scale", "pieces": 4}]));
    assert_eq!(insights["conditions"], json!([{"name": "loose", "pieces": 3}, {"name": null, "pieces": 1}]));
    let named = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|one| (one["of"]["name"].clone(), one["pieces"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&insights["makers"]), [(Value::Null, json!(2)), (json!("Alter"), json!(2))]);
    assert_eq!(named(&insights["series"]), [(json!("Anchors"), json!(2)), (json!("Tides"), json!(2))]);
    assert_eq!(named(&insights["sculptors"]), [(Value::Null, json!(2)), (json!("Somebody"), json!(2))]);
    let counts: Vec<i64> = insights["prices"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["pieces"].as_i64().unwrap())
        .collect();
    assert_eq!(counts, [1, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(insights["prices"]["incomparable"], 1);
    assert_eq!(insights["dearest"]["price_amount"], "800.00");
    rates(&app, "2026-01-05", &[("JPY", "160")]).await;
    alice.patch("/api/me", json!({"preferred_currency": "JPY"})).await.ok();
    let insights = alice.get("/api/me/stats/insights").await.ok();
    assert_eq!(insights["prices"]["currency"], "JPY");
    let counts: Vec<i64> = insights["prices"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["pieces"].as_i64().unwrap())
        .collect();
    assert_eq!(counts, [1, 2, 0, 0, 0, 0, 0, 1], "{}", insights["prices"]);
}

#[tokio::test]
async fn makers_and_series_are_counted_as_they_are_called_now_and_each_figure_once() {
    let app = TestApp::new().await;
    let (alice, boss) = (app.register("alice").await, app.register_admin("boss").await);
    let of = |series: &[&str]| series.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
    let crossing = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Harbor".parse().unwrap()),
            series: of(&["Tides", "Tydes", "Anchors"]),
            ..plain("Mina and Rin")
        },
    )
    .await
    .figure_id;
    let single = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Harbour".parse().unwrap()),
            series: of(&["Tydes"]),
            ..plain("Mina")
        },
    )
    .await
    .figure_id;
    let late = run(&app, None, plain("Rin")).await.figure_id;
    for figure in [crossing, crossing, single, late] {
        own(&alice, &figure.to_string(), json!({})).await;
    }
    let edited = EditFigure {
        series: Some(of(&["Anchors"])),
        manufacturer: Some(Some("Harbour".parse().unwrap())),
        figure_type: Some("prize".parse().unwrap()),
        ..EditFigure::of(late)
    };
    run(&app, None, edited).await;
    for (kind, loser, winner) in [("series", "tydes", "tides"), ("manufacturers", "harbor", "harbour")] {
        boss.post(&format!("/api/{kind}/{loser}/merge"), json!({"into": winner})).await.ok();
    }
    app.folded(app.state.store.head().await.unwrap()).await;
    let insights = alice.get("/api/me/stats/insights").await.ok();
    let named = |list: &Value| {
        let one = |one: &Value| (one["of"]["name"].clone(), one["pieces"].as_i64().unwrap());
        list.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(named(&insights["series"]), [(json!("Anchors"), 3), (json!("Tides"), 3)]);
    assert_eq!(named(&insights["makers"]), [(json!("Harbour"), 4)]);
    assert_eq!(insights["types"], json!([{"name": "scale", "pieces": 3}, {"name": "prize", "pieces": 1}]));
    let stats = alice.get("/api/me/stats").await.ok();
    let counted = &stats["counters"];
    assert_eq!(
        [&counted["figures"], &counted["types"], &counted["makers"], &counted["series"]],
        [3, 2, 1, 2].map(|n| json!(n)).each_ref()
    );
    let complete: Vec<_> = stats["series"].as_array().unwrap().iter().collect();
    assert_eq!(complete.len(), 2);
    for one in complete {
        assert_eq!((&one["owned"], &one["figures"]), (&json!(2), &json!(2)), "{one}");
    }
    let verified = app.state.projections.verify(&["cote"], |_| (), |_, difference| panic!("{difference:?}"));
    assert_eq!(verified.await.unwrap().iter().map(|one| one.differences).sum::<u64>(), 0);
}

#[tokio::test]
async fn a_year_is_told_with_the_one_before_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let this = Utc::now().year();
    let mina = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Alter".parse().unwrap()),
            series: vec!["Tides".parse().unwrap()],
            ..plain("Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let rin = figure(&app, "Rin").await;
    let bought = |on: String, price: &str| json!({"purchase_date": on, "price_amount": price, "price_currency": "EUR"});
    own(&alice, &rin, bought(format!("{}-12-31", this - 2), "1")).await;
    own(&alice, &rin, bought(format!("{}-01-01", this - 1), "20")).await;
    own(&alice, &mina, bought(format!("{}-02-03", this - 1), "30")).await;
    own(&alice, &mina, bought(format!("{}-02-14", this - 1), "40.50")).await;
    let order_id = order(&alice, &mina, json!({"release_date": "2099-01"})).await;
    act(&alice, &order_id, "slip", json!({"new_date": "2099-03"})).await;
    act(&alice, &order_id, "slip", json!({"new_date": "2099-06"})).await;
    let lost = order(&alice, &rin, json!({})).await;
    act(&alice, &lost, "cancel", json!({"refund_amount": "5"})).await;
    let review = alice.get(&format!("/api/me/year-in-review/{}", this - 1)).await.ok();
    assert_eq!((&review["year"], &review["pieces"]), (&json!(this - 1), &json!(3)));
    assert_eq!(amounts(&review["spent"]), ("90.50", false));
    assert_eq!(review["months"], json!([1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(
        (&review["favourite_maker"]["name"], &review["favourite_maker"]["pieces"]),
        (&json!("Alter"), &json!(2))
    );
    assert_eq!(review["favourite_series"]["name"], "Tides");
    assert_eq!(review["first_acquired"]["acquired_on"], format!("{}-01-01", this - 1));
    assert_eq!(review["last_acquired"]["figure"]["name"], "Mina");
    assert_eq!(review["most_slipped"], Value::Null);
    assert_eq!(
        (&review["year_before"]["pieces"], amounts(&review["year_before"]["spent"])),
        (&json!(1), ("1.00", false))
    );
    let now = alice.get(&format!("/api/me/year-in-review/{this}?explain=1")).await.ok();
    assert_eq!(
        (&now["pieces"], amounts(&now["spent"]), amounts(&now["lost"])),
        (&json!(0), ("0.00", false), ("25.00", false))
    );
    assert_eq!((&now["most_slipped"]["slips"], &now["most_slipped"]["days"]), (&json!(2), &json!(151)));
    assert_eq!(now["lost"]["explanation"]["eur"], "25");
    assert_eq!(now["year_before"]["spent"]["explanation"]["items"].as_array().unwrap().len(), 3);
    for year in ["1949", "2101", "26", "next", "2026.png", "+2026", "02026"] {
        alice.get(&format!("/api/me/year-in-review/{year}")).await.refused_field(422, "invalid_year", "year");
    }
    let empty = alice.get("/api/me/year-in-review/1950").await.ok();
    assert_eq!(
        (&empty["pieces"], &empty["favourite_maker"], &empty["first_acquired"]),
        (&json!(0), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn the_forecast_says_what_falls_due_when() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "2026-01-05", &[("JPY", "160")]).await;
    let mut figures = Vec::new();
    for name in ["A", "B", "C", "D", "E", "F"] {
        figures.push(figure(&app, name).await);
    }
    order(&alice, &figures[0], json!({"release_date": "2099-05", "shipping_amount": "9"})).await;
    order(&alice, &figures[1], json!({"release_date": "2099-05-20", "price_amount": "16000", "price_currency": "JPY", "deposit_amount": "0"})).await;
    order(&alice, &figures[2], json!({"release_date": "2099"})).await;
    order(&alice, &figures[3], json!({"release_date": "2020-01"})).await;
    order(&alice, &figures[4], json!({})).await;
    let paid = order(&alice, &figures[5], json!({"release_date": "2099-05"})).await;
    alice.patch(&format!("/api/me/preorders/{paid}"), json!({"balance_paid": true})).await.ok();
    let forecast = alice.get("/api/me/preorders/forecast?explain=1").await.ok();
    let told: Vec<(String, Value, i64, String)> = forecast["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let eur = item["balance"]["eur"].as_str().unwrap().to_owned();
            (
                item["kind"].as_str().unwrap().to_owned(),
                item["period"].clone(),
                item["preorders"].as_i64().unwrap(),
                eur,
            )
        })
        .collect();
    let expected = [
        ("overdue", Value::Null, 1, "70.00"),
        ("year", json!("2099"), 1, "70.00"),
        ("month", json!("2099-05"), 2, "179.00"),
        ("undated", Value::Null, 1, "70.00"),
    ];
    assert_eq!(told, expected.map(|(kind, period, n, eur)| (kind.to_owned(), period, n, eur.to_owned())));
    assert_eq!(
        (&forecast["total"]["eur"], &forecast["total"]["explanation"]["eur"]),
        (&json!("389.00"), &json!("389"))
    );
    assert_eq!(
        forecast["items"][2]["balance"]["by_currency"],
        json!([{"currency": "EUR", "amount": "79.00"}, {"currency": "JPY", "amount": "16000"}])
    );
}
