use chrono::{Days, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::support::{Answer, TestApp, TestClient};

const NOBODYS: &str = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff";
const PLACE: &str = "/api/me/preorders";

/// A pre-order of a new figure, with these fields on top of price, shipping and deposit in euro.
async fn placed(client: &TestClient, name: &str, more: Value) -> Value {
    let figure = add(client, name, json!({})).await;
    client.post(PLACE, body_of(&figure, more)).await.made()
}

fn body_of(figure: &Value, more: Value) -> Value {
    let mut body = json!({
        "figure_id": id(figure),
        "price_amount": "120",
        "price_currency": "EUR",
        "shipping_amount": "15.5",
        "deposit_amount": "30",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

fn at(preorder: &Value) -> String {
    format!("{PLACE}/{}", id(preorder))
}

fn to(preorder: &Value, action: &str) -> String {
    format!("{}/{action}", at(preorder))
}

async fn with_key(client: &TestClient, path: &str, key: &str, body: &Value) -> Answer {
    client.send(Method::POST, path, |request| request.header("idempotency-key", key).json(body)).await
}

async fn if_match(client: &TestClient, method: Method, path: &str, tag: &str, body: &Value) -> Answer {
    client.send(method, path, |request| request.header("if-match", tag).json(body)).await
}

async fn events(app: &TestApp) -> i64 {
    app.scalar("SELECT count(*) FROM events").await
}

/// Cancels and restores a pre-order's piece, and places a fresh one.
async fn replaced(client: &TestClient, preorder: &Value, refund: &str, body: Value) -> Value {
    client.post(&to(preorder, "cancel"), json!({"refund_amount": refund})).await.ok();
    let piece = preorder["owned_item_id"].as_str().unwrap();
    client.post(&format!("/api/me/owned/{piece}/restore"), json!({})).await.ok();
    client.post(&to(preorder, "replace"), body).await.made()
}

#[tokio::test]
async fn a_placed_pre_order_is_read_as_it_was_written_and_its_piece_with_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({"manufacturer": "Good Maker"})).await;
    alice.put(&format!("/api/me/wishlist/{}", id(&figure)), json!({})).await.made();
    let more = json!({
        "store": "Harbour Hobby",
        "release_date": "2099-05",
        "estimated_delivery_days": 10,
        "tracking_url": "https://example.org/parcel",
        "location": "Vitrine",
        "notes": "with the bonus",
        "purchase_date": "2026-01-02",
        "condition": "mib_sealed",
    });
    let answer = alice.post(PLACE, body_of(&figure, more)).await;
    let position: i64 = answer.header("x-event-position").parse().unwrap();
    assert!(position > 0);
    let (location, tag) = (answer.header("location").to_owned(), answer.header("etag").to_owned());
    let made = answer.made();
    assert_eq!(location, at(&made));
    let read = alice.get(&location).await;
    assert_eq!(read.header("etag"), tag);
    assert_eq!(read.ok(), made);
    for (field, value) in [
        ("status", json!("preordered")),
        ("is_live", json!(true)),
        ("price_amount", json!("120.00")),
        ("price_currency", json!("EUR")),
        ("shipping_amount", json!("15.50")),
        ("deposit_amount", json!("30.00")),
        ("paid_amount", json!("30.00")),
        ("balance_paid", json!(false)),
        ("release_date_original", json!("2099-05-01")),
        ("release_date_current", json!("2099-05-01")),
        ("release_date_precision", json!("month")),
        ("slip_count", json!(0)),
        ("estimated_delivery_days", json!(10)),
        ("tracking_url", json!("https://example.org/parcel")),
        ("delivery_date", json!(null)),
        ("replaced_by", json!(null)),
        ("earlier_chapters", json!([])),
        ("losses", json!([])),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["figure"]["name"], "Harbour Pilot Mina");
    assert_eq!(made["figure"]["manufacturer"]["slug"], "good-maker");
    assert_eq!(made["store"]["name"], "Harbour Hobby");
    assert_eq!(made["owned_item"]["condition"], "mib_sealed");
    assert_eq!(made["owned_item"]["purchase_date"], "2026-01-02");
    let piece = alice.get(&format!("/api/me/owned/{}", made["owned_item_id"].as_str().unwrap())).await;
    assert_eq!(piece.header("etag"), tag, "the two share a version");
    let piece = piece.ok();
    assert_eq!((&piece["price_amount"], &piece["notes"]), (&json!("120.00"), &json!("with the bonus")));
    assert_eq!(piece["preorder"]["id"], made["id"]);
    let wishes = alice.get("/api/me/wishlist").await.ok();
    assert_eq!(wishes["items"], json!([]), "a wish for the figure ends");
}

#[tokio::test]
async fn nobody_has_pre_orders_without_signing_in_and_other_peoples_are_not_found() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let bob = app.register("bob").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let refund = json!({"refund_amount": "0"});
    let routes: [(Method, String, Option<Value>); 11] = [
        (Method::GET, at(&preorder), None),
        (Method::GET, to(&preorder, "history"), None),
        (Method::GET, to(&preorder, "breakdown"), None),
        (Method::PATCH, at(&preorder), Some(json!({"balance_paid": true}))),
        (Method::POST, to(&preorder, "status"), Some(json!({"status": "released"}))),
        (Method::POST, to(&preorder, "slip"), Some(json!({"new_date": "2099-01-01"}))),
        (Method::POST, to(&preorder, "ship"), Some(json!({}))),
        (Method::POST, to(&preorder, "receive"), Some(json!({}))),
        (Method::POST, to(&preorder, "cancel"), Some(refund.clone())),
        (Method::POST, to(&preorder, "replace"), Some(json!({}))),
        (Method::PATCH, format!("{PLACE}/{NOBODYS}"), Some(json!({}))),
    ];
    let before = events(&app).await;
    for (method, path, body) in &routes {
        let ask = async |client: &TestClient| {
            client
                .send(method.clone(), path, |request| match body {
                    Some(body) => request.json(body),
                    None => request,
                })
                .await
        };
        ask(&app.visitor()).await.refused(401, "not_signed_in");
        ask(&bob).await.refused(404, "preorder_not_found");
    }
    for path in [PLACE, "/api/me/activity", "/api/me/achievements"] {
        app.visitor().get(path).await.refused(401, "not_signed_in");
    }
    app.visitor().post(PLACE, json!({})).await.refused(401, "not_signed_in");
    with_key(&bob, &to(&preorder, "cancel"), "k", &refund).await.refused(404, "preorder_not_found");
    alice.get(&format!("{PLACE}/{NOBODYS}")).await.refused(404, "preorder_not_found");
    alice.get(&format!("{PLACE}/no-id")).await.refused(404, "not_found");
    assert_eq!(events(&app).await, before);
    assert_eq!(bob.get(PLACE).await.ok()["items"], json!([]));
    assert_eq!(alice.get(&at(&preorder)).await.ok(), preorder);
}

#[tokio::test]
async fn what_makes_no_sense_when_placing_is_refused_and_leaves_no_event() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let before = events(&app).await;
    let refused = [
        (json!({"figure_id": NOBODYS}), 404, "figure_not_found", "figure_id"),
        (json!({"figure_id": "x"}), 422, "invalid_field", "figure_id"),
        (json!({"price_amount": 120}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": 119.9}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "1.234"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "-1"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "10000000000"}), 422, "invalid_amount", "price_amount"),
        (
            json!({"price_amount": "100.5", "price_currency": "JPY", "shipping_amount": "1", "deposit_amount": "1"}),
            422,
            "invalid_amount",
            "price_amount",
        ),
        (
            json!({"deposit_amount": "1.5", "price_currency": "JPY", "shipping_amount": "1"}),
            422,
            "invalid_amount",
            "deposit_amount",
        ),
        (json!({"shipping_amount": "15.123"}), 422, "invalid_amount", "shipping_amount"),
        (json!({"price_currency": "BTC"}), 422, "unknown_currency", "price_currency"),
        (json!({"price_currency": "eur"}), 422, "unknown_currency", "price_currency"),
        (json!({"price_currency": null}), 422, "currency_missing", "price_currency"),
        (json!({"deposit_amount": "120.01"}), 422, "deposit_above_price", "deposit_amount"),
        (json!({"price_amount": null, "deposit_amount": "1"}), 422, "deposit_above_price", "deposit_amount"),
        (json!({"status": "shipped"}), 409, "illegal_status_step", "status"),
        (json!({"status": "cancelled"}), 409, "illegal_status_step", "status"),
        (json!({"status": "lost"}), 422, "invalid_field", "status"),
        (json!({"release_date": "2027-13"}), 422, "invalid_date", "release_date"),
        (json!({"release_date": "1900-01-01"}), 422, "invalid_date", "release_date"),
        (json!({"release_date": "2101-01-01"}), 422, "invalid_date", "release_date"),
        (json!({"release_date_precision": "month"}), 422, "invalid_field", "release_date_precision"),
        (
            json!({"release_date": "2027-05", "release_date_precision": "day"}),
            422,
            "invalid_field",
            "release_date_precision",
        ),
        (json!({"tracking_url": "javascript:alert(1)"}), 422, "invalid_field", "tracking_url"),
        (json!({"estimated_delivery_days": 366}), 422, "invalid_field", "estimated_delivery_days"),
        (json!({"estimated_delivery_days": -1}), 422, "invalid_field", "estimated_delivery_days"),
        (json!({"purchase_date": "2026-02-30"}), 422, "invalid_date", "purchase_date"),
        (json!({"store": "!!!"}), 422, "invalid_name", "store"),
        (json!({"condition": "new"}), 422, "invalid_field", "condition"),
        (json!({"notes": "a\0b"}), 422, "invalid_field", "notes"),
        (json!({"fees_amount": "1"}), 422, "unknown_field", "fees_amount"),
    ];
    for (more, status, code, field) in refused {
        alice.post(PLACE, body_of(&figure, more)).await.refused_field(status, code, field);
    }
    alice.post(PLACE, json!({})).await.refused_field(422, "missing_field", "figure_id");
    assert_eq!(events(&app).await, before);
    assert_eq!(alice.get(PLACE).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_pre_order_needs_neither_price_nor_date() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let made = alice.post(PLACE, json!({"figure_id": id(&figure), "status": "announced"})).await.made();
    assert_eq!((&made["price_amount"], &made["countdown"]), (&Value::Null, &Value::Null));
    assert_eq!((&made["status"], &made["paid_amount"]), (&json!("announced"), &json!("0")));
}

#[tokio::test]
async fn the_catalogues_date_is_taken_over_when_it_is_still_to_come() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({"release_date": "2099-03"})).await;
    let made = alice.post(PLACE, body_of(&figure, json!({}))).await.made();
    assert_eq!(made["release_date_current"], "2099-03-01");
    let out = add(&alice, "Rika", json!({"release_date": "2020-03"})).await;
    let made = alice.post(PLACE, body_of(&out, json!({}))).await.made();
    assert_eq!(made["release_date_current"], Value::Null);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_the_piece_along() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({"store": "Harbour Hobby"})).await;
    let body = json!({
        "price_amount": "99.90",
        "deposit_amount": null,
        "balance_paid": true,
        "store": "Pier Nine",
        "tracking_url": "https://example.org/1",
        "estimated_delivery_days": 5,
        "release_date": "2099-07-14",
    });
    let answer = alice.patch(&at(&preorder), body).await;
    assert!(!answer.header("x-event-position").is_empty());
    let tag = answer.header("etag").to_owned();
    let edited = answer.ok();
    for (field, value) in [
        ("price_amount", json!("99.90")),
        ("shipping_amount", json!("15.50")),
        ("deposit_amount", json!(null)),
        ("paid_amount", json!("115.40")),
        ("balance_paid", json!(true)),
        ("tracking_url", json!("https://example.org/1")),
        ("estimated_delivery_days", json!(5)),
        ("release_date_original", json!("2099-07-14")),
        ("release_date_precision", json!("day")),
    ] {
        assert_eq!(edited[field], value, "{field}");
    }
    assert_eq!(edited["store"]["name"], "Pier Nine");
    let piece = alice.get(&format!("/api/me/owned/{}", edited["owned_item_id"].as_str().unwrap())).await;
    assert_eq!(piece.header("etag"), tag);
    let piece = piece.ok();
    assert_eq!((&piece["price_amount"], &piece["store"]["name"]), (&json!("99.90"), &json!("Pier Nine")));
    let before = events(&app).await;
    assert_eq!(alice.patch(&at(&preorder), json!({})).await.ok(), edited);
    assert_eq!(events(&app).await, before, "an edit that changes nothing leaves no event");
}

#[tokio::test]
async fn edits_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({"release_date": "2099-05"})).await;
    let before = events(&app).await;
    for (body, status, code, field) in [
        (json!({"deposit_amount": "120.01"}), 422, "deposit_above_price", "deposit_amount"),
        (json!({"price_amount": "29.99"}), 422, "deposit_above_price", "deposit_amount"),
        (json!({"price_amount": null}), 422, "deposit_above_price", "deposit_amount"),
        (json!({"price_currency": "JPY"}), 422, "invalid_amount", "shipping_amount"),
        (json!({"price_currency": null}), 422, "currency_missing", "price_currency"),
        (json!({"price_amount": 99}), 422, "invalid_amount", "price_amount"),
        (json!({"balance_paid": null}), 422, "invalid_field", "balance_paid"),
        (json!({"release_date": null}), 409, "release_date_required", "release_date"),
        (json!({"release_date_precision": "day"}), 422, "invalid_field", "release_date_precision"),
        (json!({"estimated_delivery_days": 400}), 422, "invalid_field", "estimated_delivery_days"),
        (json!({"status": "shipped"}), 422, "unknown_field", "status"),
    ] {
        alice.patch(&at(&preorder), body).await.refused_field(status, code, field);
    }
    assert_eq!(events(&app).await, before);
    assert_eq!(alice.get(&at(&preorder)).await.ok(), preorder);
}

#[tokio::test]
async fn an_older_version_changes_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let tag = alice.get(&at(&preorder)).await.header("etag").to_owned();
    let moved =
        if_match(&alice, Method::POST, &to(&preorder, "status"), &tag, &json!({"status": "released"})).await;
    let fresh = moved.header("etag").to_owned();
    assert_ne!(fresh, tag);
    moved.ok();
    let before = events(&app).await;
    for (method, path, body) in [
        (Method::PATCH, at(&preorder), json!({"balance_paid": true})),
        (Method::POST, to(&preorder, "status"), json!({"status": "shipped"})),
        (Method::POST, to(&preorder, "slip"), json!({"new_date": "2099-01-01"})),
        (Method::POST, to(&preorder, "ship"), json!({})),
        (Method::POST, to(&preorder, "receive"), json!({})),
        (Method::POST, to(&preorder, "cancel"), json!({"refund_amount": "0"})),
        (Method::POST, to(&preorder, "replace"), json!({})),
    ] {
        if_match(&alice, method.clone(), &path, &tag, &body).await.refused(412, "stale_version");
        if_match(&alice, method, &path, "\"nonsense\"", &body).await.refused(412, "stale_version");
    }
    assert_eq!(events(&app).await, before);
    let piece = format!("/api/me/owned/{}", preorder["owned_item_id"].as_str().unwrap());
    alice.patch(&piece, json!({"notes": "a note on the piece"})).await.ok();
    let stale = if_match(&alice, Method::PATCH, &at(&preorder), &fresh, &json!({"balance_paid": true})).await;
    stale.refused(412, "stale_version");
}

#[tokio::test]
async fn statuses_go_forward_and_back_as_corrections() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let go = async |body: Value| alice.post(&to(&preorder, "status"), body).await;
    assert_eq!(go(json!({"status": "released"})).await.ok()["status"], "released");
    assert_eq!(go(json!({"status": "preordered"})).await.ok()["status"], "preordered");
    let shipped =
        go(json!({"status": "shipped", "shipped_at": "2026-01-05", "estimated_delivery_days": 7})).await.ok();
    assert_eq!(shipped["shipped_at"], "2026-01-05T00:00:00Z");
    assert_eq!(shipped["delivery_date"], "2026-01-12");
    let received = go(
        json!({"status": "received", "received_at": "2026-01-10T10:00:00+09:00", "condition": "opened_box"}),
    )
    .await
    .ok();
    assert_eq!(received["received_at"], "2026-01-10T01:00:00Z");
    assert_eq!(received["owned_item"]["condition"], "opened_box");
    assert_eq!((&received["is_live"], &received["countdown"]), (&json!(false), &Value::Null));
    go(json!({"status": "released"})).await.refused_field(409, "illegal_status_step", "status");
    let back = go(json!({"status": "shipped"})).await.ok();
    assert_eq!((&back["received_at"], &back["shipped_at"]), (&Value::Null, &json!("2026-01-05T00:00:00Z")));
    assert_eq!(go(json!({"status": "released"})).await.ok()["shipped_at"], Value::Null);
    for (body, status, code, field) in [
        (json!({"status": "cancelled"}), 409, "illegal_status_step", "status"),
        (json!({"status": "lost"}), 422, "invalid_field", "status"),
        (json!({}), 422, "missing_field", "status"),
        (json!({"status": "released", "shipped_at": "2026-01-05"}), 422, "invalid_field", "shipped_at"),
        (json!({"status": "received", "shipped_at": "2026-01-05"}), 422, "invalid_field", "shipped_at"),
        (json!({"status": "shipped", "condition": "loose"}), 422, "invalid_field", "condition"),
        (json!({"status": "shipped", "shipped_at": "soon"}), 422, "invalid_date", "shipped_at"),
    ] {
        go(body).await.refused_field(status, code, field);
    }
}

#[tokio::test]
async fn shipping_and_receiving_take_days_that_make_sense() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let ship = async |body: Value| alice.post(&to(&preorder, "ship"), body).await;
    let receive = async |body: Value| alice.post(&to(&preorder, "receive"), body).await;
    let far = (Utc::now() + TimeDelta::days(3)).date_naive().to_string();
    ship(json!({"shipped_at": far})).await.refused_field(422, "invalid_date", "shipped_at");
    ship(json!({"shipped_at": "1949-01-01"})).await.refused_field(422, "invalid_date", "shipped_at");
    ship(json!({"shipped_at": 5})).await.refused_field(422, "invalid_date", "shipped_at");
    ship(json!({"tracking_url": "ftp://x"})).await.refused_field(422, "invalid_field", "tracking_url");
    ship(json!({"estimated_delivery_days": 366})).await.refused_field(
        422,
        "invalid_field",
        "estimated_delivery_days",
    );
    let today = Utc::now().date_naive();
    let two_days_ago = today.checked_sub_days(Days::new(2)).unwrap().to_string();
    let shipped = ship(json!({"shipped_at": two_days_ago, "estimated_delivery_days": 5})).await.ok();
    assert_eq!((&shipped["status"], &shipped["countdown"]), (&json!("shipped"), &json!("J-3")));
    let corrected = ship(json!({"tracking_url": "https://example.org/2"})).await.ok();
    assert_eq!(corrected["shipped_at"], shipped["shipped_at"], "the day stays");
    let too_early = today.checked_sub_days(Days::new(3)).unwrap().to_string();
    receive(json!({"received_at": too_early})).await.refused_field(422, "invalid_date", "received_at");
    receive(json!({"received_at": far})).await.refused_field(422, "invalid_date", "received_at");
    receive(json!({"condition": "perfect"})).await.refused_field(422, "invalid_field", "condition");
    let received = receive(json!({"condition": "mib_sealed"})).await.ok();
    assert_eq!(
        (&received["status"], &received["owned_item"]["condition"]),
        (&json!("received"), &json!("mib_sealed"))
    );
    receive(json!({"received_at": "2026-01-01"})).await.refused_field(409, "illegal_status_step", "status");
    ship(json!({})).await.refused_field(409, "illegal_status_step", "status");
    let piece =
        alice.get(&format!("/api/me/owned/{}", preorder["owned_item_id"].as_str().unwrap())).await.ok();
    assert_eq!(piece["is_owned"], true);
}

#[tokio::test]
async fn every_change_of_date_is_in_the_history_and_only_later_ones_are_slips() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let slip = async |body: Value| alice.post(&to(&preorder, "slip"), body).await;
    slip(json!({"new_date": "2098-05"})).await.ok();
    slip(json!({"new_date": "2098-08-01", "release_date_precision": "month", "source": "manufacturer_announcement", "note": "whole line"})).await.ok();
    let before = events(&app).await;
    slip(json!({"new_date": "2098-08"})).await.ok();
    assert_eq!(events(&app).await, before, "the same date again is no change");
    let now = slip(json!({"new_date": "2098-06-10", "source": "store_update"})).await.ok();
    assert_eq!((&now["slip_count"], &now["release_date_original"]), (&json!(1), &json!("2098-05-01")));
    assert_eq!(
        (&now["release_date_current"], &now["release_date_precision"]),
        (&json!("2098-06-10"), &json!("day"))
    );
    let history = alice.get(&to(&preorder, "history")).await.ok();
    let told: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            assert_eq!(one["preorder_id"], preorder["id"]);
            json!([one["previous_date"], one["new_date"], one["is_slip"], one["source"], one["note"]])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!([null, "2098-05-01", false, "user", null]),
            json!(["2098-05-01", "2098-08-01", true, "manufacturer_announcement", "whole line"]),
            json!(["2098-08-01", "2098-06-10", false, "store_update", null]),
        ]
    );
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = alice.get(&format!("{}?limit=1&cursor={cursor}", to(&preorder, "history"))).await.ok();
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(paged), history["items"]);
    for (body, code, field) in [
        (json!({}), "missing_field", "new_date"),
        (json!({"new_date": "2098-02-30"}), "invalid_date", "new_date"),
        (json!({"new_date": "3000-01-01"}), "invalid_date", "new_date"),
        (json!({"new_date": 2098}), "invalid_date", "new_date"),
        (json!({"new_date": "2098-05", "source": "rumour"}), "invalid_field", "source"),
        (
            json!({"new_date": "2098-05-01", "release_date_precision": "week"}),
            "invalid_field",
            "release_date_precision",
        ),
        (json!({"new_date": "2098-05", "note": "x".repeat(5_001)}), "invalid_field", "note"),
    ] {
        slip(body).await.refused_field(422, code, field);
    }
}

#[tokio::test]
async fn a_breakdown_takes_the_price_apart() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({"msrp_amount": "125", "msrp_currency": "EUR"})).await;
    let preorder = alice.post(PLACE, body_of(&figure, json!({}))).await.made();
    let parts = alice.get(&to(&preorder, "breakdown")).await.ok();
    assert_eq!(
        parts,
        json!({
            "currency": "EUR", "deposit": "30.00", "figure": "90.00", "shipping": "15.50", "total": "135.50",
            "paid": "30.00", "msrp": "125.00", "msrp_currency": "EUR", "delta": "-5.00"
        })
    );
    alice.patch(&at(&preorder), json!({"balance_paid": true})).await.ok();
    assert_eq!(alice.get(&to(&preorder, "breakdown")).await.ok()["paid"], "135.50");
    alice.post(&to(&preorder, "cancel"), json!({"refund_amount": "100"})).await.ok();
    assert_eq!(
        alice.get(&to(&preorder, "breakdown")).await.ok(),
        json!({"currency": "EUR", "paid": "135.50", "refunded": "100.00", "lost": "35.50"})
    );
    let yen = add(&alice, "Rika", json!({"msrp_amount": "19800", "msrp_currency": "JPY"})).await;
    let preorder = alice.post(PLACE, body_of(&yen, json!({}))).await.made();
    let parts = alice.get(&to(&preorder, "breakdown")).await.ok();
    assert_eq!((&parts["msrp"], parts.get("delta")), (&json!("19800"), None), "no delta across currencies");
}

#[tokio::test]
async fn a_cancellation_with_a_loss_keeps_the_piece_in_the_archive() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let cancel = async |body: Value| alice.post(&to(&preorder, "cancel"), body).await;
    let before = events(&app).await;
    cancel(json!({})).await.refused_field(422, "missing_field", "refund_amount");
    cancel(json!({"refund_amount": 30})).await.refused_field(422, "invalid_amount", "refund_amount");
    cancel(json!({"refund_amount": "30.01"})).await.refused_field(422, "refund_above_paid", "refund_amount");
    cancel(json!({"refund_amount": "10", "item": "delete"})).await.refused_field(
        409,
        "loss_must_be_kept",
        "item",
    );
    cancel(json!({"refund_amount": "10", "item": "burn"})).await.refused_field(422, "invalid_field", "item");
    assert_eq!(events(&app).await, before);
    let cancelled = cancel(json!({"refund_amount": "10"})).await.ok();
    for (field, value) in [
        ("status", json!("cancelled")),
        ("is_live", json!(false)),
        ("paid_amount", json!("30.00")),
        ("deposit_refund_amount", json!("10.00")),
        ("losses", json!([{"amount": "20.00", "currency": "EUR"}])),
    ] {
        assert_eq!(cancelled[field], value, "{field}");
    }
    assert!(cancelled["cancelled_at"].is_string());
    assert_eq!(cancelled["owned_item"]["archive_reason"], "cancelled");
    cancel(json!({"refund_amount": "0"})).await.refused(409, "illegal_status_step");
    alice.patch(&at(&preorder), json!({"balance_paid": true})).await.refused(409, "preorder_cancelled");
    alice.post(&to(&preorder, "slip"), json!({"new_date": "2099"})).await.refused(409, "preorder_cancelled");
    alice.post(&to(&preorder, "ship"), json!({})).await.refused(409, "preorder_cancelled");
    alice
        .post(&to(&preorder, "status"), json!({"status": "released"}))
        .await
        .refused(409, "preorder_cancelled");
    alice.post(&to(&preorder, "replace"), json!({})).await.refused(409, "piece_archived");
}

#[tokio::test]
async fn a_cancellation_without_a_loss_may_delete_the_piece() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let preorder = placed(&alice, "Mina", json!({})).await;
    let body = json!({"refund_amount": "30", "item": "delete"});
    let answer = with_key(&alice, &to(&preorder, "cancel"), "cancel-mina", &body).await;
    let position = answer.header("x-event-position").to_owned();
    let gone = answer.ok();
    assert_eq!(gone, json!({"id": preorder["id"], "deleted": true}));
    for path in [at(&preorder), to(&preorder, "history"), to(&preorder, "breakdown")] {
        alice.get(&path).await.refused(404, "preorder_not_found");
    }
    let piece = format!("/api/me/owned/{}", preorder["owned_item_id"].as_str().unwrap());
    alice.get(&piece).await.refused(404, "piece_not_found");
    let again = with_key(&alice, &to(&preorder, "cancel"), "cancel-mina", &body).await;
    assert_eq!(again.header("x-event-position"), position);
    assert_eq!(again.ok(), gone, "a repeat is told what the first was");
    with_key(&alice, &to(&preorder, "cancel"), "another", &body).await.refused(404, "preorder_not_found");
    let archived = placed(&alice, "Rika", json!({})).await;
    let kept =
        alice.post(&to(&archived, "cancel"), json!({"refund_amount": "30", "item": "archive"})).await.ok();
    assert_eq!(kept["losses"], json!([]), "nothing was lost, and the piece is kept all the same");
    let received = placed(&alice, "Suzu", json!({})).await;
    alice.post(&to(&received, "receive"), json!({})).await.ok();
    alice
        .post(&to(&received, "cancel"), json!({"refund_amount": "0"}))
        .await
        .refused(409, "illegal_status_step");
}

#[tokio::test]
async fn a_replacement_continues_under_a_new_id_and_the_first_stays_on_record() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let first = placed(&alice, "Mina", json!({"store": "Harbour Hobby", "release_date": "2098-05"})).await;
    alice.post(&to(&first, "replace"), json!({})).await.refused(409, "preorder_not_cancelled");
    alice.post(&to(&first, "slip"), json!({"new_date": "2098-08"})).await.ok();
    let body = json!({
        "price_amount": "140", "price_currency": "EUR", "deposit_amount": "50", "store": "Pier Nine",
        "release_date": "2099-01"
    });
    let second = replaced(&alice, &first, "10", body).await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["owned_item_id"], first["owned_item_id"]);
    assert_eq!((&second["status"], &second["slip_count"]), (&json!("preordered"), &json!(0)));
    let chapters = second["earlier_chapters"].as_array().unwrap();
    assert_eq!(chapters.len(), 1);
    assert_eq!(chapters[0]["id"], first["id"]);
    assert_eq!(chapters[0]["store"]["name"], "Harbour Hobby");
    assert_eq!((&chapters[0]["status"], &chapters[0]["slip_count"]), (&json!("cancelled"), &json!(1)));
    alice.post(&to(&second, "slip"), json!({"new_date": "2099-03"})).await.ok();
    let history = alice.get(&to(&second, "history")).await.ok();
    let ids: Vec<_> =
        history["items"].as_array().unwrap().iter().map(|one| one["preorder_id"].clone()).collect();
    assert_eq!(ids, [first["id"].clone(), second["id"].clone()]);
    let earlier = alice.get(&at(&first)).await.ok();
    assert_eq!((&earlier["replaced_by"], &earlier["status"]), (&second["id"], &json!("cancelled")));
    assert_eq!(earlier["earlier_chapters"], json!([]));
    let history = alice.get(&to(&first, "history")).await.ok();
    assert_eq!(history["items"].as_array().unwrap().len(), 1, "only what was its own");
    assert_eq!(alice.get(&to(&first, "breakdown")).await.ok()["lost"], "20.00");
    for (action, body) in [
        ("status", json!({"status": "released"})),
        ("slip", json!({"new_date": "2099-09"})),
        ("ship", json!({})),
        ("receive", json!({})),
        ("cancel", json!({"refund_amount": "0"})),
        ("replace", json!({})),
    ] {
        alice.post(&to(&first, action), body).await.refused(409, "preorder_cancelled");
    }
    alice.patch(&at(&first), json!({"balance_paid": true})).await.refused(409, "preorder_cancelled");
    let listed = alice.get(PLACE).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["id"], second["id"]);
    let cancelled = alice.post(&to(&second, "cancel"), json!({"refund_amount": "45"})).await.ok();
    assert_eq!(
        cancelled["losses"],
        json!([{"amount": "25.00", "currency": "EUR"}]),
        "losses add up over both"
    );
}

#[tokio::test]
async fn the_same_request_again_does_nothing_more() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    let body = body_of(&figure, json!({}));
    let first = with_key(&alice, PLACE, "place-mina", &body).await.made();
    let before = events(&app).await;
    let again = with_key(&alice, PLACE, "place-mina", &body).await;
    assert_eq!(again.header("location"), at(&first));
    assert_eq!(again.made(), first);
    assert_eq!(events(&app).await, before);
    let other = body_of(&figure, json!({"price_amount": "121"}));
    with_key(&alice, PLACE, "place-mina", &other).await.refused(422, "idempotency_key_reused");
    let slip = json!({"new_date": "2099-05"});
    let key = "slip-mina";
    with_key(&alice, &to(&first, "slip"), key, &slip).await.ok();
    let before = events(&app).await;
    alice.post(&to(&first, "slip"), json!({"new_date": "2099-07"})).await.ok();
    let repeated = with_key(&alice, &to(&first, "slip"), key, &slip).await.ok();
    assert_eq!(repeated["release_date_current"], "2099-07-01", "it shows the resource as it now reads");
    assert_eq!(events(&app).await, before + 1);
    with_key(&alice, &to(&first, "ship"), key, &json!({})).await.refused(422, "idempotency_key_reused");

    alice.post(&to(&first, "cancel"), json!({"refund_amount": "0"})).await.ok();
    let piece = first["owned_item_id"].as_str().unwrap();
    alice.post(&format!("/api/me/owned/{piece}/restore"), json!({})).await.ok();
    let fresh = json!({"price_amount": "90", "price_currency": "EUR"});
    let second = with_key(&alice, &to(&first, "replace"), "again", &fresh).await.made();
    let repeated = with_key(&alice, &to(&first, "replace"), "again", &fresh).await.made();
    assert_eq!(repeated, second, "also where the id has become that of an earlier chapter");
    with_key(&alice, &to(&first, "replace"), "other", &fresh).await.refused(409, "preorder_cancelled");
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["figure"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_paged() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let one = placed(&alice, "Bella", json!({"release_date": "2099-03", "store": "Harbour Hobby"})).await;
    placed(&alice, "anna", json!({"release_date": "2098-01-20", "price_amount": "300"})).await;
    let three = placed(
        &alice,
        "Clara",
        json!({"price_amount": null, "deposit_amount": null, "shipping_amount": null}),
    )
    .await;
    alice.post(&to(&three, "receive"), json!({})).await.ok();
    let list = async |query: &str| alice.get(&format!("{PLACE}?{query}")).await.ok();
    assert_eq!(names(&list("").await), ["anna", "Bella", "Clara"], "the soonest first, undated last");
    assert_eq!(names(&list("sort=-release_date").await), ["Bella", "anna", "Clara"]);
    assert_eq!(names(&list("sort=name").await), ["anna", "Bella", "Clara"]);
    assert_eq!(names(&list("sort=-placed").await), ["Clara", "anna", "Bella"]);
    assert_eq!(names(&list("sort=-price").await), ["anna", "Bella", "Clara"]);
    assert_eq!(names(&list("live=true&sort=name").await), ["anna", "Bella"]);
    assert_eq!(names(&list("live=false").await), ["Clara"]);
    assert_eq!(names(&list("status=received&status=shipped").await), ["Clara"]);
    assert_eq!(names(&list("store=harbour-hobby").await), ["Bella"]);
    assert_eq!(names(&list(&format!("store={}", one["store_id"].as_str().unwrap())).await), ["Bella"]);
    assert_eq!(names(&list(&format!("figure_id={}", one["figure_id"].as_str().unwrap())).await), ["Bella"]);
    assert_eq!(names(&list("q=harb").await), ["Bella"]);
    assert_eq!(names(&list("q=ANNA").await), ["anna"]);
    assert_eq!(names(&list("q=nothing").await), Vec::<&str>::new());
    for sort in ["release_date", "-release_date", "placed", "-placed", "price", "-price", "name", "-name"] {
        let whole = list(&format!("sort={sort}")).await;
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&format!("sort={sort}&limit=1&cursor={cursor}")).await;
            paged.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(json!(paged), whole["items"], "{sort}");
    }
    let cursor = list("sort=name&limit=1").await["next_cursor"].as_str().unwrap().to_owned();
    for (query, code, field) in [
        ("sort=colour".to_owned(), "invalid_field", "sort"),
        ("status=lost".to_owned(), "invalid_field", "status"),
        ("live=maybe".to_owned(), "invalid_field", "live"),
        ("figure_id=1".to_owned(), "invalid_field", "figure_id"),
        ("limit=0".to_owned(), "invalid_field", "limit"),
        ("colour=red".to_owned(), "unknown_parameter", "colour"),
        (format!("q={}", "x".repeat(201)), "invalid_field", "q"),
        (format!("sort=price&cursor={cursor}"), "invalid_cursor", "cursor"),
        ("cursor=x".to_owned(), "invalid_cursor", "cursor"),
    ] {
        let answer = alice.get(&format!("{PLACE}?{query}")).await;
        let at = answer.body["field"].as_str().unwrap_or_default().to_owned();
        answer.refused(422, code);
        assert!(at.starts_with(field), "{query}: {at}");
    }
}

#[tokio::test]
async fn a_new_catalogue_date_is_offered_and_taken_with_a_slip() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let bob = app.register("bob").await;
    let figure = add(&alice, "Harbour Pilot Mina", json!({"release_date": "2099-05"})).await;
    let catalogue = format!("/api/figures/{}", id(&figure));
    let mine = alice.post(PLACE, body_of(&figure, json!({}))).await.made();
    let bobs = bob.post(PLACE, body_of(&figure, json!({"release_date": "2099-07"}))).await.made();
    assert_eq!(
        (&mine["offered_release_date"], &mine["release_date_current"]),
        (&json!(null), &json!("2099-05-01"))
    );
    alice.patch(&catalogue, json!({"release_date": "2099-08"})).await.ok();
    let offers = alice.get(&format!("{PLACE}?offered=true")).await.ok();
    assert_eq!(offers["items"].as_array().unwrap().len(), 1);
    let offer = &offers["items"][0];
    assert_eq!((&offer["id"], &offer["offered_release_date"]), (&mine["id"], &json!("2099-08-01")));
    assert_eq!(offer["offered_release_date_precision"], "month");
    assert_eq!(offer["release_date_current"], "2099-05-01", "an offer changes nothing by itself");
    assert_eq!(alice.get(&format!("{PLACE}?offered=false")).await.ok()["items"], json!([]));
    assert_eq!(bob.get(&at(&bobs)).await.ok()["offered_release_date"], json!(null), "a date of his own");
    let body = json!({
        "new_date": offer["offered_release_date"],
        "release_date_precision": offer["offered_release_date_precision"],
        "source": "manufacturer_announcement",
    });
    let taken = alice.post(&to(&mine, "slip"), body).await.ok();
    assert_eq!((&taken["release_date_current"], &taken["slip_count"]), (&json!("2099-08-01"), &json!(1)));
    assert_eq!(taken["offered_release_date"], json!(null));
    assert_eq!(alice.get(&format!("{PLACE}?offered=true")).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn the_first_date_may_be_given_as_the_original_one() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = placed(&alice, "Teapot Keeper Io", json!({"release_date_original": "2099-05"})).await;
    assert_eq!(
        (&made["release_date_original"], &made["release_date_current"]),
        (&json!("2099-05-01"), &json!("2099-05-01"))
    );
    let both = json!({"release_date_original": "2099-05", "release_date_current": "2099-05"});
    assert_eq!(placed(&alice, "Io", both).await["release_date_precision"], "month");
    let figure = add(&alice, "Mina", json!({})).await;
    let two = json!({"release_date_original": "2099-05", "release_date_current": "2099-06"});
    let answer = alice.post(PLACE, body_of(&figure, two)).await;
    answer.refused_field(422, "invalid_field", "release_date_original");
}

#[tokio::test]
async fn a_refund_may_be_stated_in_the_body_of_a_deletion() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = placed(&alice, "Teapot Keeper Io", json!({})).await;
    let piece = format!("/api/me/owned/{}", made["owned_item_id"].as_str().unwrap());
    let delete =
        async |path: &str, body: Value| alice.send(Method::DELETE, path, |request| request.json(&body)).await;
    delete(&piece, json!({})).await.refused_field(409, "preorder_live", "refund_amount");
    delete(&piece, json!({"refund_amount": "10"})).await.refused(409, "loss_must_be_kept");
    let twice = delete(&format!("{piece}?refund_amount=30"), json!({"refund_amount": "30"})).await;
    twice.refused_field(422, "invalid_field", "refund_amount");
    delete(&piece, json!({"refund_amount": "30"})).await.ok();
    alice.get(&at(&made)).await.refused(404, "preorder_not_found");
}

#[tokio::test]
async fn nsfw_figures_are_left_out_of_the_list_for_those_who_hide_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({"is_nsfw": true})).await;
    let preorder = alice.post(PLACE, body_of(&figure, json!({}))).await.made();
    assert_eq!(preorder["figure"]["blurred"], true, "blurring is the default");
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    assert_eq!(alice.get(PLACE).await.ok()["items"], json!([]));
    let gate = alice.get(&at(&preorder)).await.ok();
    assert_eq!((&gate["nsfw_gate"], &gate["figure"]), (&json!(true), &Value::Null), "opening it asks first");
    let opened = alice.get(&format!("{}?confirm_nsfw=true", at(&preorder))).await.ok();
    assert_eq!(opened["figure"]["is_nsfw"], true);
    alice.patch("/api/me", json!({"nsfw_visibility": "show"})).await.ok();
    assert_eq!(alice.get(PLACE).await.ok()["items"][0]["figure"]["blurred"], false);
}

#[tokio::test]
async fn a_write_that_cannot_be_read_yet_stands() {
    let mut app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    app.stop_folding().await;
    let answer = alice.post(PLACE, body_of(&figure, json!({}))).await;
    let (location, position) =
        (answer.header("location").to_owned(), answer.header("x-event-position").to_owned());
    assert_eq!((answer.status.as_u16(), answer.body["code"].as_str()), (202, Some("read_model_behind")));
    let late =
        alice.send(Method::GET, &location, |request| request.header("x-min-position", &position)).await;
    late.refused(503, "read_model_behind");
    let running = app.state.projections.run();
    let read =
        alice.send(Method::GET, &location, |request| request.header("x-min-position", &position)).await;
    assert_eq!(read.ok()["figure"]["name"], "Mina");
    running.stop().await;
}

#[tokio::test]
async fn merged_figures_and_stores_are_shown_as_what_they_are_now() {
    let app = TestApp::new().await;
    let admin = app.register_admin("admin").await;
    let loser = add(&admin, "Mina", json!({})).await;
    let winner = add(&admin, "Harbour Pilot Mina", json!({})).await;
    let preorder = admin.post(PLACE, body_of(&loser, json!({"store": "Harbour Hobby"}))).await.made();
    let other = placed(&admin, "Rika", json!({"store": "The Harbour Hobby"})).await;
    admin.post(&format!("/api/figures/{}/merge", id(&loser)), json!({"into": id(&winner)})).await.ok();
    let path = format!("/api/stores/{}/merge", preorder["store_id"].as_str().unwrap());
    let merged = admin.post(&path, json!({"into": other["store_id"]})).await;
    let position = merged.header("x-event-position").to_owned();
    merged.ok();
    let now = admin
        .send(Method::GET, &at(&preorder), |request| request.header("x-min-position", &position))
        .await
        .ok();
    assert_eq!((&now["figure_id"], &now["figure"]["name"]), (&winner["id"], &json!("Harbour Pilot Mina")));
    assert_eq!((&now["store_id"], &now["store"]["name"]), (&other["store_id"], &json!("The Harbour Hobby")));
    let listed = admin.get(&format!("{PLACE}?figure_id={}", id(&loser))).await.ok();
    assert_eq!(listed["items"][0]["id"], preorder["id"], "the old id leads on");
}

#[tokio::test]
async fn deleting_a_piece_takes_its_pre_orders_with_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let first = placed(&alice, "Mina", json!({})).await;
    let second = replaced(&alice, &first, "30", json!({})).await;
    let piece = first["owned_item_id"].as_str().unwrap();
    let deleted = alice.delete(&format!("/api/me/owned/{piece}?refund_amount=0")).await;
    deleted.ok();
    for preorder in [&first, &second] {
        alice.get(&at(preorder)).await.refused(404, "preorder_not_found");
    }
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM preorder_chapters").await, 0);
}

#[tokio::test]
async fn live_tables_and_a_fresh_fold_agree() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let first = placed(&alice, "Mina", json!({"release_date": "2098-05"})).await;
    alice.post(&to(&first, "slip"), json!({"new_date": "2098-08"})).await.ok();
    alice.post(&to(&first, "ship"), json!({"estimated_delivery_days": 4})).await.ok();
    alice.patch(&at(&first), json!({"balance_paid": true})).await.ok();
    let second =
        replaced(&alice, &first, "0.5", json!({"price_amount": "14800", "price_currency": "JPY"})).await;
    alice.post(&to(&second, "receive"), json!({"condition": "loose"})).await.ok();
    let mut differences = Vec::new();
    let names = ["preorders", "activity", "achievements"];
    let verified = app
        .state
        .projections
        .verify(
            &names,
            |_| (),
            |projection, difference| differences.push(format!("{projection}: {difference:?}")),
        )
        .await
        .unwrap();
    assert_eq!(verified.len(), names.len());
    assert_eq!(differences, Vec::<String>::new());
}
