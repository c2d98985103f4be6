//! `/api/external`, and barcodes that the catalogue does not know.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::Utc;
use operational::fx_rates::{self, FxSource};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    market::{Fake, Market, rates},
    support::TestApp,
};

/// A server that asks this provider, and knows the rates of one day.
pub async fn app_asking(provider: &str) -> TestApp {
    let app = TestApp::with(&[("FIGURE_PROXY_URL", provider)]).await;
    fx_rates::store(&app.db.pool, &[rates()], FxSource::Ecb, Utc::now(), &|_, _| ()).await.unwrap();
    app.state.fx.reload().await.unwrap();
    app
}

/// The same over files: two stores, and what they sell.
pub async fn shops(products: &[Value]) -> (TestApp, Market) {
    let market = Market::open().await;
    market.write(
        "stores.json",
        &json!([
            {"id": "harbour", "name": "Harbour Hobby", "url": "https://harbour.example/",
             "hosts": ["harbour.example"], "currency": "EUR"},
            {"id": "crane", "name": "Paper Crane", "hosts": ["crane.example"]}
        ]),
    );
    market.write("crane.json", &json!([]));
    market.write("harbour.json", &products.to_vec().into());
    let app = app_asking(&market.provider.url()).await;
    (app, market)
}

pub fn encoded(url: &str) -> String {
    url.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn maris() -> Value {
    json!({
        "url": "https://harbour.example/item/1", "title": "Maris: Storm Lantern", "jan": "4580590123458",
        "manufacturer": "Tidewater Figures", "price": {"amount": 1280, "currency": "HKD"}, "status": "preorder",
        "primary_image_url": "javascript:alert(1)", "versions": [{"label": "Dusk Ver.", "price": {"amount": "99"}}]
    })
}

fn adult() -> Value {
    json!({"url": "https://harbour.example/item/2", "title": "Maris: Night", "is_nsfw": true, "price": 50})
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_pages_and_searches_are_told_to_whoever_is_signed_in() {
    let (app, market) = shops(&[maris(), adult()]).await;
    let alice = app.register("alice").await;
    let stores = alice.get("/api/external/stores").await.ok();
    assert_eq!(stores["items"][0]["id"], "harbour");
    assert_eq!(stores["items"][1]["hosts"], json!(["crane.example"]));

    let path = format!("/api/external/product?url={}", encoded("https://harbour.example/item/1#reviews"));
    let page = alice.get(&path).await.ok();
    assert_eq!((&page["price"]["amount"], &page["price"]["currency"]), (&json!("164.25"), &json!("USD")));
    assert_eq!(page["price"]["original"]["amount"], "1280");
    assert_eq!((&page["status"], &page["primary_image_url"]), (&json!("preorder"), &Value::Null));
    assert_eq!(page["versions"][0]["price"]["amount"], "99.00");
    // What it says holds for a day, whatever the store says meanwhile.
    market.write("harbour.json", &json!([]));
    assert_eq!(alice.get(&path).await.ok()["fetched_at"], page["fetched_at"]);
    let yesterday = "UPDATE external_lookups SET fetched_at = now() - interval '25 hours' WHERE lookup_key LIKE 'product:%'";
    sqlx::query(yesterday).execute(&app.db.pool).await.unwrap();
    alice.get(&path).await.refused(404, "product_not_found");

    market.write("harbour.json", &json!([maris(), adult()]));
    let found = alice.get("/api/external/search?q=maris").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["items"][1]["blurred"], true);
    assert_eq!(found["stores"].as_array().unwrap().len(), 2);
    let one = alice.get("/api/external/search?q=maris&store=crane").await.ok();
    assert_eq!((one["items"].as_array().unwrap().len(), &one["stores"][0]["id"]), (0, &json!("crane")));
    // A store without a file cannot be asked; among others it is told.
    std::fs::remove_file(market.path("crane.json")).unwrap();
    let found = alice.get("/api/external/search?q=maris").await.ok();
    assert_eq!((&found["stores"][1]["ok"], found["items"].as_array().unwrap().len()), (&json!(false), 2));
    alice.get("/api/external/search?q=maris&store=crane").await.refused(422, "store_not_supported");

    for path in ["/api/external/stores", "/api/external/search?q=a", &path] {
        app.visitor().get(path).await.refused(401, "not_signed_in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_stores_are_read() {
    let (app, _market) = shops(&[maris()]).await;
    let alice = app.register("alice").await;
    let refused = async |url: &str, code: &str, field: &str| {
        let path = format!("/api/external/product?url={}", encoded(url));
        alice.get(&path).await.refused_field(422, code, field)
    };
    for url in [
        "https://elsewhere.example/item/1",
        "https://harbour.example.evil.example/item/1",
        "http://169.254.169.254/latest",
        "http://127.0.0.1/",
    ] {
        refused(url, "store_unknown", "url").await;
    }
    for url in
        ["javascript:alert(1)", "ftp://harbour.example/1", "/item/1", "https://u:p@harbour.example/1", ""]
    {
        refused(url, "invalid_field", "url").await;
    }
    alice.get("/api/external/product").await.refused_field(422, "missing_field", "url");
    alice.get("/api/external/search?q=a&store=nowhere").await.refused_field(422, "store_unknown", "store");
    for q in ["", "%20", &"a".repeat(201), "a%0Ab"] {
        alice.get(&format!("/api/external/search?q={q}")).await.refused(422, "invalid_field");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nsfw_products_are_left_out_and_opened_on_demand_for_those_who_hide_them() {
    let (app, _market) = shops(&[maris(), adult()]).await;
    let alice = app.register("alice").await;
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let found = alice.get("/api/external/search?q=maris").await.ok();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/external/product?url={}", encoded("https://harbour.example/item/2"));
    let gate = alice.get(&path).await.ok();
    assert_eq!((&gate["nsfw_gate"], &gate["title"]), (&json!(true), &Value::Null));
    assert_eq!(alice.get(&format!("{path}&confirm_nsfw=true")).await.ok()["title"], "Maris: Night");
}

#[derive(Deserialize)]
struct Wanted {
    url: String,
}

async fn said(Query(wanted): Query<Wanted>) -> Response {
    let name = wanted.url.rsplit('/').next().unwrap_or_default().to_owned();
    match name.as_str() {
        "html" => "<html>We will be back</html>".into_response(),
        "empty" => "".into_response(),
        "array" => Json(json!([1])).into_response(),
        "huge" => " ".repeat(2 << 20).into_response(),
        "elsewhere" => axum::response::Redirect::temporary("http://169.254.169.254/").into_response(),
        status => {
            let status = StatusCode::from_u16(status.parse().unwrap()).unwrap();
            (status, Json(json!({"error": "said the provider"}))).into_response()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_a_provider_has_a_clear_problem() {
    let stores = json!([{"id": "harbour", "name": "Harbour Hobby", "hosts": ["harbour.example"]}]);
    let routes = Router::new().route("/stores", get(|| async { Json(stores) })).route("/product", get(said));
    let provider = Fake::serving(routes).await;
    for (name, status, code) in [
        ("400", 422, "address_not_understood"),
        ("401", 502, "provider_key_refused"),
        ("403", 502, "provider_key_refused"),
        ("404", 404, "product_not_found"),
        ("501", 422, "store_not_supported"),
        ("503", 503, "store_unavailable"),
        ("418", 502, "provider_unusable"),
        ("html", 502, "provider_unusable"),
        ("empty", 502, "provider_unusable"),
        ("array", 502, "provider_unusable"),
        ("huge", 502, "provider_unusable"),
        ("elsewhere", 502, "provider_unreachable"),
    ] {
        // A server each: after five failures in a row the store would rest.
        let app = app_asking(&provider.url()).await;
        let alice = app.register("alice").await;
        let url = format!("https://harbour.example/{name}");
        alice.get(&format!("/api/external/product?url={}", encoded(&url))).await.refused(status, code);
        alice.post("/api/figures/import", json!({"url": url})).await.refused(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_five_times_rests_and_says_so() {
    let stores = json!([{"id": "harbour", "name": "Harbour Hobby", "hosts": ["harbour.example"]}]);
    let routes = Router::new().route("/stores", get(|| async { Json(stores) })).route("/product", get(said));
    let provider = Fake::serving(routes).await;
    let app = app_asking(&provider.url()).await;
    let alice = app.register("alice").await;
    let path = format!("/api/external/product?url={}", encoded("https://harbour.example/503"));
    for _ in 0..5 {
        alice.get(&path).await.refused(503, "store_unavailable");
    }
    let answer = alice.get(&path).await;
    assert_eq!(answer.header("retry-after"), "300");
    answer.refused(503, "provider_resting");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_by_hand_works_with_every_source_down() {
    // Nobody listens there, and nobody is named at all.
    let nobody = TestApp::new().await;
    let away =
        TestApp::with(&[("FIGURE_PROXY_URL", "http://127.0.0.1:1"), ("FX_REFRESH_ENABLED", "false")]).await;
    for (app, status, code) in [(&nobody, 409, "no_price_provider"), (&away, 502, "provider_unreachable")] {
        let alice = app.register("alice").await;
        let url = "https://harbour.example/item/1";
        alice.get("/api/external/stores").await.refused(status, code);
        alice.get("/api/external/search?q=a").await.refused(status, code);
        alice.get(&format!("/api/external/product?url={}", encoded(url))).await.refused(status, code);
        alice.post("/api/figures/import", json!({"url": url})).await.refused(status, code);
        alice.post("/api/me/wishlist/import", json!({"urls": [url]})).await.refused(status, code);

        let body = json!({"name": "Akari", "figure_type": "scale", "jan": "4580590123458", "msrp_amount": "100",
            "msrp_currency": "EUR", "buy_links": [{"store": "Harbour Hobby", "path": "/item/1"}]});
        let id = alice.post("/api/figures", body).await.made()["id"].clone();
        let known = alice.get("/api/figures/by-jan?jan=4580590123458&external=true").await.ok();
        assert_eq!((&known["figure"]["id"], known.get("external")), (&id, None));
        let unknown = alice.get("/api/figures/by-jan?jan=4580416940009&external=false").await.ok();
        assert_eq!(unknown, json!({"figure": null}));
        let unknown = alice.get("/api/figures/by-jan?jan=4580416940009&external=true").await.ok();
        // Asked often enough in vain, it rests.
        let said = unknown["external"]["code"].as_str().unwrap();
        assert!(said == code || (code == "provider_unreachable" && said == "provider_resting"), "{said}");
        assert_eq!(unknown["external"]["found"], Value::Null);
        alice.put(&format!("/api/me/wishlist/{}", id.as_str().unwrap()), json!({})).await.made();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_barcode_falls_through_to_the_stores() {
    let other = json!({"url": "https://harbour.example/item/3", "title": "4580590123458 is not this", "jan": "96385074"});
    let (app, _market) = shops(&[maris(), other]).await;
    let alice = app.register("alice").await;
    let found = alice.get("/api/figures/by-jan?jan=4580590123458").await.ok();
    assert_eq!(found["figure"], Value::Null);
    let items = found["external"]["found"]["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{found}");
    assert_eq!(items[0]["url"], "https://harbour.example/item/1");
    let here = alice.get("/api/figures/by-jan?jan=4580590123458&external=false").await.ok();
    assert_eq!(here, json!({"figure": null}), "nobody is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_asks_so_often_and_others_still_may() {
    let market = Market::open().await;
    let variables = [("FIGURE_PROXY_URL", market.provider.url()), ("RATE_LIMIT_ENABLED", "true".to_owned())];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = TestApp::with(&variables).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let mut asked = 0;
    let limited = loop {
        let answer = alice.get("/api/external/stores").await;
        if answer.status != 200 {
            break answer;
        }
        asked += 1;
        assert!(asked < 2_000, "nobody is ever stopped");
    };
    assert!(asked >= 60 && !limited.header("retry-after").is_empty());
    limited.refused(429, "too_many_lookups");
    bob.get("/api/external/stores").await.ok();
    // A slow server must not make this test hang; it only has to answer.
    tokio::time::timeout(Duration::from_secs(30), alice.get("/api/figures")).await.unwrap().ok();
}
