//! A provider that answers anything but what it should: each has a clear outcome, and nothing wrong is stored.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::Query,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;
use workers::{
    outbound::Limits,
    provider::Options,
    sweep::{Ended, SweepError},
};

use crate::{
    market::{Fake, Hands, figure, prices, sweep, sweep_with, swept},
    support::TestApp,
};

#[derive(Deserialize)]
struct Asked {
    url: String,
}

fn raw(kind: &'static str, body: &str) -> Response {
    ([(header::CONTENT_TYPE, kind)], body.to_owned()).into_response()
}

fn price(price: &str) -> Response {
    raw("application/json", &format!("{{\"url\": \"x\", \"price\": {price}}}"))
}

/// What it answers for the page of each name.
async fn answer(name: &str) -> Response {
    match name {
        "html" => raw("text/html; charset=utf-8", "<html><body>We will be back soon</body></html>"),
        "huge" => raw("application/json", &" ".repeat(10 << 20)),
        "nothing" => raw("application/json", ""),
        "cut-off" => raw("application/json", "{\"price\": {\"amount\": 12"),
        "bare-nan" => price("{\"amount\": NaN, \"currency\": \"EUR\"}"),
        "array" => raw("application/json", "[1, 2]"),
        "versions" => raw("application/json", "{\"versions\": 5}"),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            price("{\"amount\": 66, \"currency\": \"EUR\"}")
        }
        "elsewhere" => Redirect::temporary("http://169.254.169.254/latest/meta-data/").into_response(),
        "other-port" => Redirect::temporary("http://127.0.0.1:1/product").into_response(),
        "text" => price("{\"amount\": \"129.90\", \"currency\": \"EUR\"}"),
        "words" => price("{\"amount\": \"from 12,800\", \"currency\": \"EUR\"}"),
        "nan" => price("{\"amount\": \"NaN\", \"currency\": \"EUR\"}"),
        "negative" => price("{\"amount\": -5, \"currency\": \"EUR\"}"),
        "free" => price("{\"amount\": 0, \"currency\": \"EUR\"}"),
        "xxx" => price("{\"amount\": 5, \"currency\": \"XXX\"}"),
        "hkd" => price("{\"amount\": 1280, \"currency\": \"HKD\"}"),
        "twd" => price("{\"amount\": 1280, \"currency\": \"TWD\"}"),
        "lower" => price("{\"amount\": 5, \"currency\": \"eur\"}"),
        "bare" => price("{\"amount\": 5}"),
        "no-price" => raw("application/json", "{\"url\": \"x\", \"price\": null}"),
        status => {
            let status: u16 = status.parse().unwrap();
            let said = Json(json!({"error": "said the provider"}));
            (StatusCode::from_u16(status).unwrap(), said).into_response()
        }
    }
}

async fn provider() -> Fake {
    let stores = json!([{"id": "harbour", "name": "Harbour Hobby", "hosts": ["harbour.example"]}]);
    let product =
        |Query(asked): Query<Asked>| async move { answer(asked.url.rsplit('/').next().unwrap()).await };
    let routes =
        Router::new().route("/stores", get(|| async { Json(stores) })).route("/product", get(product));
    Fake::serving(routes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_outcome_and_nothing_wrong_is_stored() {
    let (app, provider) = (TestApp::new().await, provider().await);
    let alice = app.register("alice").await;
    let expected = [
        ("html", Some("not_json")),
        ("huge", Some("too_large")),
        ("nothing", Some("empty")),
        ("cut-off", Some("not_json")),
        ("bare-nan", Some("not_json")),
        ("array", Some("wrong_shape")),
        ("versions", Some("wrong_shape")),
        ("slow", Some("timed_out")),
        ("elsewhere", Some("redirected")),
        ("other-port", Some("redirected")),
        ("words", Some("price_not_a_number")),
        ("nan", Some("price_not_a_number")),
        ("negative", Some("price_negative")),
        ("free", Some("price_zero")),
        ("xxx", Some("currency_not_quoted")),
        ("twd", Some("currency_not_quoted")),
        ("lower", Some("currency_unknown")),
        ("bare", Some("currency_missing")),
        ("400", Some("bad_request")),
        ("404", Some("not_found")),
        ("418", Some("unexpected_status")),
        ("501", Some("not_supported")),
        ("503", Some("unavailable")),
        ("no-price", None),
        ("text", None),
        ("hkd", None),
    ];
    let mut figures = Vec::new();
    for (name, code) in expected {
        figures.push((
            name,
            code,
            figure(&alice, &format!("https://harbour.example/{name}"), json!({})).await,
        ));
    }
    let lost = figure(&alice, "https://nowhere.example/1", json!({})).await;
    let (report, ended) =
        swept(&app, &sweep(&app, &provider.url(), &Hands::at("2026-11-02T04:00:00Z"))).await;
    ended.unwrap();
    assert_eq!((report.ended, report.figures, report.moved), (Ended::Through, expected.len() + 1, 2));
    for (name, code, id) in &figures {
        let told: Vec<_> =
            report.troubles.iter().filter(|trouble| trouble.figure_id.to_string() == *id).collect();
        let codes: Vec<_> = told.iter().map(|trouble| Some(trouble.code)).collect();
        assert_eq!(codes, code.map(Some).into_iter().collect::<Vec<_>>(), "{name}");
        assert!(told.iter().all(|trouble| trouble.detail.len() > 10), "{name}: {told:?}");
        let price = prices(&alice, id).await["price"].clone();
        let amount = match *name {
            "text" => json!("129.90"),
            "hkd" => json!("164.25"),
            _ => json!(null),
        };
        assert_eq!(price["amount"], amount, "{name}");
    }
    assert!(
        report
            .troubles
            .iter()
            .any(|trouble| trouble.figure_id.to_string() == lost && trouble.code == "store_unknown")
    );
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM figure_price_history").await, 2);
    assert_eq!(
        app.scalar::<i64>("SELECT count(*) FROM events WHERE event_type = 'figure.price_moved'").await,
        2
    );
    let outcome: String = app.scalar("SELECT outcome FROM price_checks WHERE outcome LIKE 'timed%'").await;
    assert_eq!(outcome, "timed_out", "what became of each is on record beside the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_five_times_in_a_row_rests() {
    let (app, provider) = (TestApp::new().await, provider().await);
    let alice = app.register("alice").await;
    for n in 0..7 {
        figure(&alice, "https://harbour.example/503", json!({"name": format!("Akari {n}")})).await;
    }
    let hands = Hands::at("2026-11-02T04:00:00Z");
    let sweep = sweep_with(&app, &provider.url(), &hands, Options::default());
    let (report, ended) = swept(&app, &sweep).await;
    ended.unwrap();
    assert_eq!((report.errors["unavailable"], report.errors["resting"], report.requests), (5, 2, 5));
    let (report, _) = swept(&app, &sweep).await;
    assert_eq!((report.errors["resting"], report.requests), (7, 0), "it still rests in the next run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_ends_the_run_with_the_reason() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    figure(&alice, "/item/1", json!({})).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let (report, ended) = swept(&app, &sweep(&app, &gone, &Hands::at("2026-11-02T04:00:00Z"))).await;
    assert_eq!((report.ended, report.requests), (Ended::GaveUp, 0));
    match ended.unwrap_err() {
        SweepError::Provider(error) => assert_eq!(error.code(), "unreachable", "{error}"),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_very_address_that_was_configured_may_be_private() {
    use workers::outbound::{Outbound, OutboundError};
    let provider = provider().await;
    let limits = Limits { whole: Duration::from_secs(5), ..Limits::default() };
    let public = Outbound::public(limits).unwrap();
    let send = async |outbound: &Outbound, url: &str| {
        let request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
        outbound.send(request).await
    };
    let port = provider.address.port();
    for private in [
        format!("http://127.0.0.1:{port}/stores"),
        format!("http://localhost:{port}/stores"),
        format!("http://[::1]:{port}/stores"),
        format!("http://[::ffff:127.0.0.1]:{port}/stores"),
        format!("http://2130706433:{port}/stores"),
        "http://169.254.169.254/".to_owned(),
        "http://10.0.0.1/".to_owned(),
    ] {
        let refused = send(&public, &private).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Private(_)), "{private}: {refused}");
    }
    assert_eq!(send(&public, "ftp://example.org/").await.unwrap_err(), OutboundError::Scheme);
    let only = Outbound::only(&provider.url().parse().unwrap(), limits).unwrap();
    assert_eq!(send(&only, &format!("{}/stores", provider.url())).await.unwrap().status, 200);
    for elsewhere in [format!("http://localhost:{port}/stores"), "http://127.0.0.1:1/".to_owned()] {
        let refused = send(&only, &elsewhere).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Elsewhere(_)), "{elsewhere}: {refused}");
    }
}
