//! Pieces that are hard to reckon with: each has a clear outcome.

use serde_json::{Value, json};

use crate::{
    cote::{listed, rates},
    owned::own,
    support::{TestApp, TestClient},
};
use domain::money::Currency;

async fn read(client: &TestClient, path: &str) -> Value {
    client.get(path).await.ok()
}

#[tokio::test]
async fn a_year_without_purchases_is_a_year_of_zeros() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = listed(&app, "Mina", "100", Currency::Eur).await;
    own(&alice, &mina, json!({"price_amount": "80", "price_currency": "EUR", "purchase_date": "2024-03-01"}))
        .await;
    let year = read(&alice, "/api/me/year-in-review/2019").await;
    assert_eq!(
        (&year["pieces"], &year["spent"]["eur"], &year["lost"]["eur"]),
        (&json!(0), &json!("0.00"), &json!("0.00"))
    );
    assert_eq!(year["months"], json!(vec![0; 12]));
    for nothing in ["favourite_maker", "favourite_series", "most_slipped", "first_acquired", "last_acquired"]
    {
        assert_eq!(year[nothing], Value::Null, "{nothing}");
    }
    let chart = alice.get("/api/me/year-in-review/2019.svg").await;
    assert!(chart.status == 200 && chart.text.contains("0 pieces in all"), "{}", chart.text);
    for empty in ["/api/me/stats", "/api/me/cote", "/api/me/stats/insights", "/api/me/preorders/forecast"] {
        let ben = app.register(&format!("ben{}", empty.len())).await;
        read(&ben, empty).await;
    }
}

#[tokio::test]
async fn without_a_price_or_with_shipping_alone_a_piece_is_worth_something_and_gains_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = listed(&app, "Mina", "100", Currency::Eur).await;
    own(&alice, &mina, json!({})).await;
    let shipped = json!({"shipping_amount": "12.50", "price_currency": "EUR", "purchase_date": "2024-03-01"});
    own(&alice, &mina, shipped.clone()).await;
    let mut gift = shipped.clone();
    gift["origin"] = json!("gift");
    own(&alice, &mina, gift).await;
    let cote = read(&alice, "/api/me/cote?explain=1").await;
    assert_eq!(
        json!([
            cote["value_eur"],
            cote["value_compared_eur"],
            cote["cost_eur"],
            cote["gain_eur"],
            cote["partial"]
        ]),
        json!(["300.00", "100.00", "0.00", "100.00", false]),
        "the gift cost nothing; of the others nobody says"
    );
    assert_eq!(cote["originals"]["cost"], json!([]));
    let stats = read(&alice, "/api/me/stats").await;
    assert_eq!(
        (&stats["counters"]["unpriced"], &stats["spend"]["total"]["eur"]),
        (&json!(3), &json!("25.00"))
    );
    let spend = &stats["spend"]["by_currency"][0];
    assert_eq!(
        json!([spend["pieces"], spend["price"], spend["shipping"], spend["compared_price"], spend["msrp"]]),
        json!([2, "0.00", "25.00", "0.00", "0.00"])
    );
    let ranked = read(&alice, "/api/me/cote/pieces").await;
    let paid: Vec<&Value> =
        ranked["items"].as_array().unwrap().iter().map(|piece| &piece["paid_eur"]).collect();
    assert_eq!(paid.iter().filter(|paid| **paid == &json!("0.00")).count(), 1, "{ranked}");
}

#[tokio::test]
async fn bought_before_there_were_euro_a_piece_keeps_the_rate_of_the_moment() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "1999-01-04", &[("JPY", "133.73")]).await;
    rates(&app, "2026-01-05", &[("JPY", "160")]).await;
    let mina = listed(&app, "Mina", "100", Currency::Eur).await;
    let piece = json!({"price_amount": "8000", "price_currency": "JPY", "purchase_date": "1997-06-01"});
    own(&alice, &mina, piece).await;
    assert_eq!(read(&alice, "/api/me/cote").await["cost_eur"], "50.00");
    let year = read(&alice, "/api/me/year-in-review/1997").await;
    assert_eq!((&year["pieces"], &year["spent"]["eur"]), (&json!(1), &json!("50.00")));
    let curve = read(&alice, "/api/me/cote/evolution?range=all").await;
    assert_eq!(curve["from"], "1997-05-31");
}

#[tokio::test]
async fn of_mixed_currencies_the_one_that_is_not_quoted_is_left_out_and_said_so() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    rates(&app, "2026-01-05", &[("JPY", "160")]).await;
    let euro = listed(&app, "Euro", "100", Currency::Eur).await;
    let pound = listed(&app, "Pound", "70", Currency::Gbp).await;
    own(&alice, &euro, json!({"price_amount": "8000", "price_currency": "JPY"})).await;
    own(&alice, &pound, json!({"price_amount": "60", "price_currency": "GBP"})).await;
    let cote = read(&alice, "/api/me/cote").await;
    assert_eq!(
        json!([
            cote["value_eur"],
            cote["cost_eur"],
            cote["gain_eur"],
            cote["partial"],
            cote["pieces_valued"]
        ]),
        json!(["100.00", "50.00", "50.00", true, 2])
    );
    assert_eq!(cote["originals"]["value"].as_array().unwrap().len(), 2, "{cote}");
    let stats = read(&alice, "/api/me/stats").await;
    assert_eq!(
        (&stats["spend"]["total"]["eur"], &stats["spend"]["total"]["partial"]),
        (&json!("50.00"), &json!(true))
    );
    assert_eq!(read(&alice, "/api/me/stats/insights").await["prices"]["incomparable"], 1);
}
