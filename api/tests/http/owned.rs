use std::collections::BTreeSet;

use chrono::Utc;
use domain::{
    collection::Cost,
    commands::{
        CatalogueFigure, MergeEntities, MergeFigures, PieceFields, PlacePreorder, PreorderFields,
        StepPreorder, Steps,
    },
    dates::{Precision, ReleaseDate},
    entity::EntityKind,
    ids::{CommandId, FigureId, PieceId, PreorderId, UserId},
    money::{Currency, Money},
    preorder::Status,
    world::{Circumstances, Command},
};
use event_store::Execution;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, TestApp, TestClient};

pub const NOBODYS: &str = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff";
const EVERYTHING: &[&str] = &["collection", "preorders", "figures", "entities"];

/// Runs a command for somebody (nobody is the operator) and waits until the read models know.
pub async fn run<C: Command>(app: &TestApp, actor: Option<UserId>, command: C) -> C::Answer {
    let circumstances =
        Circumstances { actor, is_admin: false, now: Utc::now(), command_id: CommandId(Uuid::now_v7()) };
    let done = app.state.store.execute(&command, &Execution::new(circumstances)).await.unwrap();
    let waited =
        app.state.projections.wait_for(EVERYTHING, done.position, std::time::Duration::from_secs(10)).await;
    assert!(waited.is_reached(), "{waited:?}");
    done.answer
}

/// A figure of the catalogue, to be adjusted.
pub fn plain(name: &str) -> CatalogueFigure {
    CatalogueFigure::named(FigureId(Uuid::now_v7()), name.parse().unwrap(), "scale".parse().unwrap())
}

pub async fn figure(app: &TestApp, name: &str) -> String {
    run(app, None, plain(name)).await.figure_id.to_string()
}

pub fn money(amount: &str, currency: Currency) -> Money {
    Money::new(amount.parse().unwrap(), currency).unwrap()
}

/// A month of a year that is still to come.
pub fn announced() -> ReleaseDate {
    ReleaseDate::new("2099-05-01".parse().unwrap(), Precision::Month).unwrap()
}

pub async fn user_id(client: &TestClient) -> UserId {
    client.get("/api/me").await.ok()["id"].as_str().unwrap().parse().unwrap()
}

/// Adds a piece of a figure, with these fields on top.
pub async fn own(client: &TestClient, figure: &str, more: Value) -> Value {
    let mut body = json!({"figure_id": figure});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/me/owned", body).await.made()
}

pub fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

fn at(piece: &Value) -> String {
    format!("/api/me/owned/{}", id(piece))
}

/// Pre-orders a figure behind the API's back; the path of the piece.
async fn preorder(app: &TestApp, client: &TestClient, figure: &str, deposit: &str) -> (PieceId, String) {
    let (user, piece_id) = (user_id(client).await, PieceId(Uuid::now_v7()));
    let cost = Cost { price: Some("100".parse().unwrap()), currency: Some(Currency::Eur), ..Cost::default() };
    let command = PlacePreorder {
        user_id: user,
        piece_id,
        preorder_id: PreorderId(Uuid::now_v7()),
        figure_id: figure.parse().unwrap(),
        piece: PieceFields { cost, ..PieceFields::default() },
        preorder: PreorderFields { deposit: Some(deposit.parse().unwrap()), ..PreorderFields::default() },
    };
    run(app, Some(user), command).await;
    (piece_id, format!("/api/me/owned/{piece_id}"))
}

pub async fn events(app: &TestApp) -> i64 {
    app.scalar("SELECT count(*) FROM events").await
}

/// Folds the log again and compares.
pub async fn verify(app: &TestApp) {
    let verified =
        app.state.projections.verify(&["collection"], |_| (), |_, difference| panic!("{difference:?}"));
    assert_eq!(verified.await.unwrap().iter().map(|one| one.differences).sum::<u64>(), 0);
}

async fn names(client: &TestClient, query: &str) -> Vec<String> {
    let page = client.get(&format!("/api/me/owned?{query}")).await.ok();
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["figure"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn nobody_reaches_a_collection_without_signing_in() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let piece = format!("/api/me/owned/{NOBODYS}");
    for (method, path) in [
        (Method::GET, "/api/me/owned".to_owned()),
        (Method::POST, "/api/me/owned".to_owned()),
        (Method::PUT, "/api/me/owned/arrange".to_owned()),
        (Method::POST, "/api/me/owned/bulk".to_owned()),
        (Method::GET, piece.clone()),
        (Method::PATCH, piece.clone()),
        (Method::DELETE, piece.clone()),
        (Method::PUT, format!("{piece}/value")),
        (Method::DELETE, format!("{piece}/value")),
        (Method::POST, format!("{piece}/archive")),
        (Method::POST, format!("{piece}/restore")),
    ] {
        anybody.send(method, &path, |request| request.json(&json!({}))).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn an_added_piece_reads_as_it_was_said_at_once_and_wherever_it_is_listed() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Good Smile Company".parse().unwrap()),
            series: vec!["Tides of Cobalt".parse().unwrap(), "Anchor Song".parse().unwrap()],
            msrp: Some(money("19800", Currency::Jpy)),
            ..plain("Harbour Pilot Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let answer = alice
        .post(
            "/api/me/owned",
            json!({
                "figure_id": mina,
                "condition": "mib_sealed",
                "price_amount": "129.9",
                "shipping_amount": "12",
                "fees_amount": "0.50",
                "price_currency": "EUR",
                "purchase_date": "2026-10-17",
                "store": "Harbour  Hobby",
                "location": "Vitrine",
                "notes": "mind the arm\nand the hat",
                "origin": "gift",
                "origin_from": "Ben",
                "value_amount": "24000",
                "value_currency": "JPY"
            }),
        )
        .await;
    assert_eq!(answer.header("etag"), "\"1-0\"");
    assert!(answer.header("x-event-position").parse::<i64>().unwrap() > 0);
    let place = answer.header("location").to_owned();
    let piece = answer.made();
    assert_eq!(place, at(&piece));
    for (field, expected) in [
        ("figure_id", json!(mina)),
        ("condition", json!("mib_sealed")),
        ("price_amount", json!("129.90")),
        ("shipping_amount", json!("12.00")),
        ("fees_amount", json!("0.50")),
        ("price_currency", json!("EUR")),
        ("price_fx_rate", json!("1")),
        ("purchase_date", json!("2026-10-17")),
        ("location", json!("Vitrine")),
        ("notes", json!("mind the arm\nand the hat")),
        ("origin", json!("gift")),
        ("origin_from", json!("Ben")),
        ("value_amount", json!("24000")),
        ("value_currency", json!("JPY")),
        ("sort_order", json!(0)),
        ("is_owned", json!(true)),
        ("preorder", Value::Null),
        ("archived_at", Value::Null),
        ("cover", Value::Null),
        ("blurred", json!(false)),
    ] {
        assert_eq!(piece[field], expected, "{field}");
    }
    assert_eq!(piece["figure"]["name"], "Harbour Pilot Mina");
    assert_eq!(piece["figure"]["manufacturer"]["slug"], "good-smile-company");
    let series: Vec<&Value> =
        piece["figure"]["series"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(series, ["Tides of Cobalt", "Anchor Song"]);
    assert_eq!(
        (&piece["figure"]["msrp_amount"], &piece["figure"]["msrp_currency"]),
        (&json!("19800"), &json!("JPY"))
    );
    assert_eq!(piece["store"]["slug"], "harbour-hobby");
    assert_eq!(piece["store"]["id"], piece["store_id"]);
    let read = alice.get(&place).await;
    assert_eq!(read.header("etag"), "\"1-0\"");
    assert_eq!(read.ok(), piece);
    let list = alice.get("/api/me/owned").await.ok();
    assert_eq!(list, json!({"items": [piece], "next_cursor": null}));
    // The documented table says the same.
    let row: (String, String) = sqlx::query_as(
        "SELECT price_amount::text, price_currency FROM owned_items WHERE origin_from = 'Ben' AND archived_at IS NULL",
    )
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    assert_eq!(row, ("129.90".to_owned(), "EUR".to_owned()));
}

#[tokio::test]
async fn one_may_own_several_copies() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let (first, second) = (own(&alice, &mina, json!({})).await, own(&alice, &mina, json!({})).await);
    assert_ne!(id(&first), id(&second));
    assert_eq!(first["origin"], "purchased");
    assert_eq!(names(&alice, &format!("figure_id={mina}")).await.len(), 2);
}

#[tokio::test]
async fn other_peoples_pieces_are_not_found() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = figure(&app, "Mina").await;
    let hers = own(&alice, &mina, json!({"location": "Desk"})).await;
    let before = events(&app).await;
    for piece in [at(&hers), format!("/api/me/owned/{NOBODYS}")] {
        ben.get(&piece).await.refused(404, "piece_not_found");
        ben.patch(&piece, json!({"notes": "mine"})).await.refused(404, "piece_not_found");
        ben.put(&format!("{piece}/value"), json!({"value_amount": "1", "value_currency": "EUR"}))
            .await
            .refused(404, "piece_not_found");
        ben.delete(&format!("{piece}/value")).await.refused(404, "piece_not_found");
        ben.post(&format!("{piece}/archive"), json!({"reason": "lost"}))
            .await
            .refused(404, "piece_not_found");
        ben.post(&format!("{piece}/restore"), json!({})).await.refused(404, "piece_not_found");
        ben.delete(&piece).await.refused(404, "piece_not_found");
    }
    let items = json!({"items": [{"id": id(&hers), "location": null, "sort_order": 1}]});
    ben.put("/api/me/owned/arrange", items).await.refused_field(404, "piece_not_found", "ids");
    for action in
        [json!({"set_location": null}), json!({"archive": {"reason": "lost"}}), json!({"delete": true})]
    {
        let mut body = json!({"ids": [id(&hers)]});
        body.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
        ben.post("/api/me/owned/bulk", body).await.refused(404, "piece_not_found");
    }
    assert_eq!(ben.get("/api/me/owned").await.ok()["items"], json!([]));
    ben.get("/api/me/owned/not-an-id").await.refused(404, "not_found");
    assert_eq!(events(&app).await, before);
    assert_eq!(alice.get(&at(&hers)).await.ok(), hers);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_code_and_field_and_leaves_no_trace() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let piece = own(&alice, &mina, json!({"price_amount": "10", "price_currency": "EUR"})).await;
    let before = events(&app).await;
    let cases: Vec<(Value, u16, &str, &str)> = vec![
        (json!({"figure_id": NOBODYS}), 404, "figure_not_found", "figure_id"),
        (json!({"figure_id": "mina"}), 422, "invalid_field", "figure_id"),
        (json!({"condition": "mint"}), 422, "invalid_field", "condition"),
        (json!({"origin": "stolen"}), 422, "invalid_field", "origin"),
        (json!({"price_amount": "1.005", "price_currency": "EUR"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "-1", "price_currency": "EUR"}), 422, "invalid_amount", "price_amount"),
        (
            json!({"price_amount": "10000000000", "price_currency": "EUR"}),
            422,
            "invalid_amount",
            "price_amount",
        ),
        (json!({"price_amount": "1e3", "price_currency": "EUR"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": 12, "price_currency": "EUR"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "12.5", "price_currency": "JPY"}), 422, "invalid_amount", "price_amount"),
        (
            json!({"shipping_amount": "12.5", "price_currency": "JPY"}),
            422,
            "invalid_amount",
            "shipping_amount",
        ),
        (json!({"fees_amount": "x", "price_currency": "EUR"}), 422, "invalid_amount", "fees_amount"),
        (json!({"price_amount": "12"}), 422, "currency_missing", "price_currency"),
        (json!({"price_amount": "12", "price_currency": "BTC"}), 422, "unknown_currency", "price_currency"),
        (json!({"price_amount": "12", "price_currency": "eur"}), 422, "unknown_currency", "price_currency"),
        (json!({"purchase_date": "2026-02-30"}), 422, "invalid_date", "purchase_date"),
        (json!({"purchase_date": "1949-12-31"}), 422, "invalid_date", "purchase_date"),
        (json!({"purchase_date": "yesterday"}), 422, "invalid_date", "purchase_date"),
        (json!({"store": "🎌"}), 422, "invalid_name", "store"),
        (json!({"store": ""}), 422, "invalid_field", "store"),
        (json!({"location": "x".repeat(121)}), 422, "invalid_field", "location"),
        (json!({"location": "a\nb"}), 422, "invalid_field", "location"),
        (json!({"notes": "x".repeat(5001)}), 422, "invalid_field", "notes"),
        (json!({"notes": "a\u{0}b"}), 422, "invalid_field", "notes"),
        (json!({"notes": 5}), 422, "invalid_field", "notes"),
        (json!({"owner": "me"}), 422, "unknown_field", "owner"),
    ];
    for (fault, status, code, field) in &cases {
        let mut body = json!({"figure_id": mina});
        body.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        alice.post("/api/me/owned", body).await.refused_field(*status, code, field);
        let edits = !matches!(*field, "figure_id");
        let currency_is_known = *code == "currency_missing";
        if edits && !currency_is_known {
            alice.patch(&at(&piece), fault.clone()).await.refused_field(*status, code, field);
        }
    }
    alice.post("/api/me/owned", json!({})).await.refused_field(422, "missing_field", "figure_id");
    for (body, code, field) in [
        (json!({"value_amount": "5"}), "currency_missing", "value_currency"),
        (json!({"value_currency": "EUR"}), "missing_field", "value_amount"),
        (json!({"value_amount": "0.5", "value_currency": "JPY"}), "invalid_amount", "value_amount"),
        (json!({"value_amount": null, "value_currency": "EUR"}), "invalid_amount", "value_amount"),
    ] {
        alice.put(&format!("{}/value", at(&piece)), body).await.refused_field(422, code, field);
    }
    alice.patch(&at(&piece), json!({"origin": null})).await.refused_field(422, "invalid_field", "origin");
    alice.patch(&at(&piece), json!({"price_currency": null})).await.refused_field(
        422,
        "currency_missing",
        "price_currency",
    );
    assert_eq!(events(&app).await, before);
    assert_eq!(alice.get("/api/me/owned").await.ok()["items"], json!([piece]));
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_null_empties() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let piece = own(&alice, &mina, json!({
        "price_amount": "10", "price_currency": "EUR", "notes": "chipped", "store": "Harbour Hobby", "location": "Desk"
    }))
    .await;
    let answer =
        alice.patch(&at(&piece), json!({"shipping_amount": "3", "notes": null, "condition": "loose"})).await;
    assert_ne!(answer.header("etag"), "\"1-0\"");
    let changed = answer.ok();
    let mut expected = piece.clone();
    expected["shipping_amount"] = json!("3.00");
    expected["notes"] = Value::Null;
    expected["condition"] = json!("loose");
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
    let changed = alice
        .patch(
            &at(&piece),
            json!({"price_amount": null, "shipping_amount": null, "store": "Dockside", "location": null}),
        )
        .await
        .ok();
    assert_eq!((&changed["price_currency"], &changed["location"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["store"]["name"], "Dockside");
    let changed =
        alice.patch(&at(&piece), json!({"store": null, "origin": "trade", "origin_from": "Ben"})).await.ok();
    assert_eq!(
        (&changed["store"], &changed["store_id"], &changed["origin"]),
        (&Value::Null, &Value::Null, &json!("trade"))
    );
    let before = events(&app).await;
    let same = alice.patch(&at(&piece), json!({"origin": "trade", "condition": "loose"})).await;
    assert_eq!(same.header("etag"), alice.get(&at(&piece)).await.header("etag"));
    assert_eq!(same.ok(), changed);
    assert_eq!(alice.patch(&at(&piece), json!({})).await.ok(), changed);
    assert_eq!(events(&app).await, before);
    verify(&app).await;
}

#[tokio::test]
async fn a_change_based_on_an_older_version_is_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let first = alice.post("/api/me/owned", json!({"figure_id": mina})).await;
    let seen = first.header("etag").to_owned();
    let piece = at(&first.made());
    let patch = async |tag: &str, notes: &str| {
        let (tag, body) = (tag.to_owned(), json!({"notes": notes}));
        alice.send(Method::PATCH, &piece, |request| request.header("if-match", tag).json(&body)).await
    };
    let now = patch(&seen, "one").await;
    let newer = now.header("etag").to_owned();
    assert_eq!(now.ok()["notes"], "one");
    patch(&seen, "two").await.refused(412, "stale_version");
    patch(&format!("W/{newer}"), "two").await.refused(412, "stale_version");
    patch("\"12\"", "two").await.refused(412, "stale_version");
    patch("12", "two").await.refused(400, "invalid_header");
    for (method, path) in [
        (Method::DELETE, piece.clone()),
        (Method::POST, format!("{piece}/restore")),
        (Method::DELETE, format!("{piece}/value")),
    ] {
        let stale = alice.send(method, &path, |request| request.header("if-match", &seen)).await;
        stale.refused(412, "stale_version");
    }
    let archive = alice
        .send(Method::POST, &format!("{piece}/archive"), |request| {
            request.header("if-match", &seen).json(&json!({"reason": "lost"}))
        })
        .await;
    archive.refused(412, "stale_version");
    assert_eq!(patch("*", "three").await.ok()["notes"], "three");
    // Another piece's change is none of this one's.
    own(&alice, &mina, json!({})).await;
    let current = alice.get(&piece).await.header("etag").to_owned();
    assert_eq!(patch(&current, "four").await.ok()["notes"], "four");
}

#[tokio::test]
async fn the_same_request_sent_again_adds_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let add = async |key: &str, body: Value| {
        let key = key.to_owned();
        alice
            .send(Method::POST, "/api/me/owned", |request| request.header("idempotency-key", key).json(&body))
            .await
    };
    let body = json!({"figure_id": mina, "notes": "one"});
    let first = add("k1", body.clone()).await.made();
    assert_eq!(add("k1", body.clone()).await.made(), first);
    add("k1", json!({"figure_id": mina, "notes": "two"})).await.refused(422, "idempotency_key_reused");
    assert_ne!(id(&add("k2", body.clone()).await.made()), id(&first));
    let together: BTreeSet<String> = join_all((0..8).map(|_| add("k3", body.clone())))
        .await
        .into_iter()
        .map(|answer| id(&answer.made()).to_owned())
        .collect();
    assert_eq!(together.len(), 1);
    assert_eq!(names(&alice, "").await.len(), 3);
    let delete = async || {
        alice.send(Method::DELETE, &at(&first), |request| request.header("idempotency-key", "k4")).await
    };
    assert_eq!(delete().await.ok(), json!({"id": id(&first), "deleted": true}));
    assert_eq!(delete().await.ok(), json!({"id": id(&first), "deleted": true}));
    alice.delete(&at(&first)).await.refused(404, "piece_not_found");
}

#[tokio::test]
async fn a_valuation_is_stated_and_taken_back() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let piece = own(&alice, &figure(&app, "Mina").await, json!({})).await;
    let value = format!("{}/value", at(&piece));
    let valued = alice.put(&value, json!({"value_amount": "240", "value_currency": "CHF"})).await.ok();
    assert_eq!((&valued["value_amount"], &valued["value_currency"]), (&json!("240.00"), &json!("CHF")));
    let cleared = alice.delete(&value).await.ok();
    assert_eq!((&cleared["value_amount"], &cleared["value_currency"]), (&Value::Null, &Value::Null));
    let before = events(&app).await;
    assert_eq!(alice.delete(&value).await.ok(), cleared);
    assert_eq!(events(&app).await, before);
}

#[tokio::test]
async fn an_archived_piece_is_out_of_the_way_and_comes_back() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let piece = own(&alice, &mina, json!({})).await;
    let archive = format!("{}/archive", at(&piece));
    for (body, code, field) in [
        (json!({}), "missing_field", "reason"),
        (json!({"reason": "bored"}), "invalid_field", "reason"),
        (json!({"reason": "lost", "sold_on": "2026-11-02"}), "sale_without_sold", "reason"),
        (json!({"reason": "sold", "sold_amount": "5"}), "currency_missing", "sold_currency"),
        (json!({"reason": "sold", "sold_currency": "EUR"}), "currency_missing", "sold_amount"),
        (
            json!({"reason": "sold", "sold_amount": "5.5", "sold_currency": "JPY"}),
            "invalid_amount",
            "sold_amount",
        ),
        (json!({"reason": "sold", "sold_on": "2101-01-01"}), "invalid_date", "sold_on"),
    ] {
        alice.post(&archive, body).await.refused_field(422, code, field);
    }
    let sold =
        json!({"reason": "sold", "sold_amount": "150", "sold_currency": "EUR", "sold_on": "2026-11-02"});
    let archived = alice.post(&archive, sold.clone()).await.ok();
    assert_eq!((&archived["archive_reason"], &archived["sold_amount"]), (&json!("sold"), &json!("150.00")));
    assert_eq!((&archived["sold_currency"], &archived["sold_on"]), (&json!("EUR"), &json!("2026-11-02")));
    assert_eq!(archived["is_owned"], false);
    assert!(archived["archived_at"].is_string());
    alice.post(&archive, sold).await.refused(409, "piece_archived");
    assert_eq!(names(&alice, "").await.len(), 0);
    assert_eq!(names(&alice, "archived=true").await.len(), 1);
    assert_eq!(names(&alice, "archived=all").await.len(), 1);
    // What is archived may be wished, and what comes back is wished no more.
    alice.put(&format!("/api/me/wishlist/{mina}"), json!({})).await.made();
    let restored = alice.post(&format!("{}/restore", at(&piece)), json!({})).await.ok();
    for field in ["archived_at", "archive_reason", "sold_amount", "sold_currency", "sold_on"] {
        assert_eq!(restored[field], Value::Null, "{field}");
    }
    assert_eq!(names(&alice, "").await.len(), 1);
    alice.get(&format!("/api/me/wishlist/{mina}")).await.refused(404, "wish_not_found");
    let before = events(&app).await;
    assert_eq!(alice.post(&format!("{}/restore", at(&piece)), json!({})).await.ok(), restored);
    assert_eq!(events(&app).await, before);
    verify(&app).await;
}

#[tokio::test]
async fn a_live_pre_order_goes_with_its_piece_only_with_its_refund() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let (_, piece) = preorder(&app, &alice, &mina, "20").await;
    let shown = alice.get(&piece).await.ok();
    assert_eq!((&shown["preorder"]["status"], &shown["is_owned"]), (&json!("preordered"), &json!(false)));
    assert_eq!(names(&alice, "state=preordered").await, ["Mina"]);
    assert_eq!(names(&alice, "state=owned").await.len(), 0);
    alice.delete(&piece).await.refused_field(409, "preorder_live", "refund_amount");
    let bulk = json!({"ids": [id(&shown)], "delete": true});
    alice.post("/api/me/owned/bulk", bulk).await.refused(409, "preorder_live");
    alice.delete(&format!("{piece}?refund_amount=1.005")).await.refused_field(
        422,
        "invalid_amount",
        "refund_amount",
    );
    alice.delete(&format!("{piece}?refund_amount=21")).await.refused_field(
        422,
        "refund_above_paid",
        "refund_amount",
    );
    alice.delete(&format!("{piece}?refund_amount=19")).await.refused_field(
        409,
        "loss_must_be_kept",
        "refund_amount",
    );
    alice.delete(&format!("{piece}?refund=19")).await.refused_field(422, "unknown_parameter", "refund");
    alice.post(&format!("{piece}/archive"), json!({"reason": "cancelled"})).await.refused_field(
        409,
        "preorder_live",
        "refund_amount",
    );
    let archived =
        alice.post(&format!("{piece}/archive"), json!({"reason": "cancelled", "refund_amount": "5"})).await;
    assert_eq!(archived.header("etag"), "\"2-2\"");
    let archived = archived.ok();
    assert_eq!(
        (&archived["preorder"]["status"], &archived["archive_reason"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let (_, other) = preorder(&app, &alice, &mina, "20").await;
    alice.delete(&format!("{other}?refund_amount=20")).await.ok();
    alice.get(&other).await.refused(404, "piece_not_found");
    verify(&app).await;
}

#[tokio::test]
async fn a_pre_ordered_piece_counts_as_owned_from_its_receipt_and_shows_one_price() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let (piece_id, piece) = preorder(&app, &alice, &mina, "20").await;
    let seen = alice.get(&piece).await.header("etag").to_owned();
    assert_eq!(seen, "\"1-1\"");
    alice.patch(&piece, json!({"price_amount": "15"})).await.refused_field(
        422,
        "deposit_above_price",
        "deposit_amount",
    );
    let edited = alice.patch(&piece, json!({"price_amount": "120"})).await;
    assert_eq!(edited.header("etag"), "\"2-2\"");
    edited.ok();
    let price: String = app.scalar("SELECT price_amount::text FROM preorders").await;
    assert_eq!(price, "120.00");
    let user_id = user_id(&alice).await;
    let step = Steps::Receive { received_at: None, condition: None };
    run(&app, Some(user_id), StepPreorder { user_id, piece_id, expected: None, step }).await;
    let received = alice.get(&piece).await;
    assert_eq!(received.header("etag"), "\"2-3\"");
    let received = received.ok();
    assert_eq!((&received["is_owned"], &received["preorder"]["status"]), (&json!(true), &json!("received")));
    assert!(received["received_at"].is_string());
    let step = Steps::To(Status::Preordered);
    run(&app, Some(user_id), StepPreorder { user_id, piece_id, expected: None, step }).await;
    assert_eq!(alice.get(&piece).await.ok()["received_at"], Value::Null);
    // The older version covers the pre-order as well.
    let stale = alice
        .send(Method::PATCH, &piece, |request| {
            request.header("if-match", "\"2-2\"").json(&json!({"notes": "x"}))
        })
        .await;
    stale.refused(412, "stale_version");
}

#[tokio::test]
async fn pieces_are_re_homed_and_re_ordered_together_or_not_at_all() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mut pieces = Vec::new();
    for name in ["A", "B", "C"] {
        pieces.push(own(&alice, &figure(&app, name).await, json!({"location": "Desk"})).await);
    }
    let [a, b, c] = [0, 1, 2].map(|at: usize| id(&pieces[at]).to_owned());
    let arrange = async |items: Value| alice.put("/api/me/owned/arrange", json!({"items": items})).await;
    let moved = arrange(json!([
        {"id": c, "location": "Hall", "sort_order": 0},
        {"id": a, "location": "Hall", "sort_order": 1},
        {"id": b, "location": null, "sort_order": -5}
    ]))
    .await;
    assert!(!moved.header("x-event-position").is_empty());
    assert_eq!(moved.ok(), json!({"updated": 3}));
    assert_eq!(names(&alice, "sort=custom").await, ["B", "C", "A"]);
    assert_eq!(names(&alice, "sort=custom&location=hall").await, ["C", "A"]);
    let before = events(&app).await;
    arrange(json!([])).await.refused(422, "nothing_to_do");
    arrange(json!([{"id": a, "sort_order": 1}])).await.refused_field(
        422,
        "missing_field",
        "items[0].location",
    );
    arrange(json!([{"id": a, "location": null}])).await.refused_field(
        422,
        "missing_field",
        "items[0].sort_order",
    );
    let twice =
        json!([{"id": a, "location": null, "sort_order": 1}, {"id": a, "location": null, "sort_order": 2}]);
    arrange(twice).await.refused_field(422, "invalid_field", "ids");
    arrange(json!([{"id": a, "location": null, "sort_order": 3_000_000_000_i64}])).await.refused_field(
        422,
        "invalid_field",
        "items[0].sort_order",
    );
    let foreign = json!([{"id": a, "location": null, "sort_order": 1}, {"id": NOBODYS, "location": null, "sort_order": 2}]);
    assert_eq!(arrange(foreign).await.refused(404, "piece_not_found")["other_id"], NOBODYS);
    assert_eq!(events(&app).await, before);
    assert_eq!(names(&alice, "sort=custom&location=hall").await, ["C", "A"]);
    verify(&app).await;
}

#[tokio::test]
async fn a_bulk_edit_does_one_thing_to_all_or_to_none() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(id(&own(&alice, &mina, json!({})).await).to_owned());
    }
    let bulk = async |body: Value| alice.post("/api/me/owned/bulk", body).await;
    let set = json!({"ids": ids, "set_location": "Storage", "set_condition": "loose"});
    assert_eq!(bulk(set).await.ok(), json!({"updated": 4}));
    assert_eq!(names(&alice, "location=storage&condition=loose").await.len(), 4);
    bulk(json!({"ids": [ids[0]], "set_location": null, "set_condition": null})).await.ok();
    assert_eq!(names(&alice, "location=unshelved").await.len(), 1);

    let before = events(&app).await;
    for (body, status, code) in [
        (json!({"ids": ids}), 422, "nothing_to_do"),
        (json!({"ids": ids, "delete": false}), 422, "nothing_to_do"),
        (json!({"ids": [], "delete": true}), 422, "nothing_to_do"),
        (json!({"ids": ids, "delete": true, "set_location": null}), 422, "invalid_field"),
        (json!({"ids": ids, "delete": true, "archive": {"reason": "lost"}}), 422, "invalid_field"),
        (json!({"ids": ids, "set_condition": "loose", "archive": {"reason": "lost"}}), 422, "invalid_field"),
        (json!({"ids": [ids[0], ids[0]], "delete": true}), 422, "invalid_field"),
        (json!({"ids": [ids[0], NOBODYS], "delete": true}), 404, "piece_not_found"),
        (json!({"ids": [ids[0], NOBODYS], "archive": {"reason": "lost"}}), 404, "piece_not_found"),
        (json!({"ids": [ids[0], NOBODYS], "set_condition": "damaged"}), 404, "piece_not_found"),
        (json!({"ids": [ids[0]], "archive": {"reason": "bored"}}), 422, "invalid_field"),
        (json!({"delete": true}), 422, "missing_field"),
    ] {
        bulk(body).await.refused(status, code);
    }
    let many: Vec<String> = (0..10_000_u128).map(|n| Uuid::from_u128(n).to_string()).collect();
    bulk(json!({"ids": many, "set_condition": "loose"})).await.refused_field(422, "too_many", "ids");
    assert_eq!(events(&app).await, before);

    bulk(json!({"ids": [ids[0], ids[1]], "archive": {"reason": "gifted"}})).await.ok();
    assert_eq!(names(&alice, "archived=true").await.len(), 2);
    let mixed = json!({"ids": [ids[2], ids[0]], "archive": {"reason": "gifted"}});
    assert_eq!(bulk(mixed).await.refused_field(409, "piece_archived", "ids")["other_id"], ids[0].as_str());
    bulk(json!({"ids": [ids[1], ids[2]], "delete": true})).await.ok();
    assert_eq!(names(&alice, "archived=all").await.len(), 2);
    let appended: i64 = events(&app).await;
    assert_eq!(appended, before + 2, "a bulk edit is one event");
    verify(&app).await;
}

#[tokio::test]
async fn five_thousand_pieces_are_moved_in_one_request() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (user_id, mina) = (user_id(&alice).await, figure(&app, "Mina").await.parse::<FigureId>().unwrap());
    let ids: Vec<PieceId> = (0..5_000).map(|_| PieceId(Uuid::now_v7())).collect();
    let add = |piece_id: &PieceId| domain::commands::AddPiece {
        user_id,
        piece_id: *piece_id,
        figure_id: mina,
        fields: PieceFields::default(),
    };
    run(&app, Some(user_id), domain::commands::Many(ids.iter().map(add).collect())).await;
    let body = json!({"ids": ids, "set_location": "Storage"});
    assert_eq!(alice.post("/api/me/owned/bulk", body).await.ok(), json!({"updated": 5000}));
    let stored: i64 = app.scalar("SELECT count(*) FROM owned_items WHERE location = 'Storage'").await;
    assert_eq!(stored, 5_000);
}

/// Everything a listing gives, page by page.
pub async fn walk(client: &TestClient, path: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}&limit={limit}{cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        all.extend(items.clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn every_order_shows_each_piece_once_and_the_unknown_last() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let released = |day: &str| vec![ReleaseDate::new(day.parse().unwrap(), Precision::Day).unwrap()];
    let maker = |name: &str| Some(name.parse().unwrap());
    let figures = [
        CatalogueFigure { manufacturer: maker("Zephyr"), releases: released("2020-01-01"), ..plain("b") },
        CatalogueFigure { manufacturer: maker("Anchor"), releases: released("2024-01-01"), ..plain("A") },
        CatalogueFigure { manufacturer: maker("Anchor"), ..plain("Ｃ") },
        CatalogueFigure { releases: released("2022-01-01"), ..plain("d") },
        plain("E"),
    ];
    let facts = [
        json!({"price_amount": "9.50", "price_currency": "EUR", "purchase_date": "2026-03-01"}),
        json!({"price_amount": "100", "price_currency": "JPY", "purchase_date": "2025-03-01"}),
        json!({}),
        json!({"price_amount": "9.50", "price_currency": "EUR"}),
        json!({"purchase_date": "2026-03-01"}),
    ];
    for (one, facts) in figures.into_iter().zip(facts) {
        let figure = run(&app, None, one).await.figure_id.to_string();
        own(&alice, &figure, facts).await;
    }
    for (sort, ascending) in [
        ("added", vec!["b", "A", "Ｃ", "d", "E"]),
        ("name", vec!["A", "b", "Ｃ", "d", "E"]),
        ("price", vec!["b", "d", "A", "|", "Ｃ", "E"]),
        ("purchase_date", vec!["A", "b", "E", "|", "Ｃ", "d"]),
        ("manufacturer", vec!["A", "Ｃ", "b", "|", "d", "E"]),
        ("release_date", vec!["b", "d", "A", "|", "Ｃ", "E"]),
        ("custom", vec!["b", "A", "Ｃ", "d", "E"]),
    ] {
        for descending in [false, true] {
            let mut halves: Vec<Vec<&str>> =
                ascending.split(|name| *name == "|").map(<[_]>::to_vec).collect();
            if descending {
                halves.iter_mut().for_each(|half| half.reverse());
            }
            let expected = halves.concat();
            let sort = format!("{}{sort}", if descending { "-" } else { "" });
            for limit in [1, 2, 5] {
                let got = walk(&alice, &format!("/api/me/owned?sort={sort}"), limit).await;
                let got: Vec<&str> = got.iter().map(|p| p["figure"]["name"].as_str().unwrap()).collect();
                assert_eq!(got, expected, "{sort} by {limit}");
            }
        }
    }
    assert_eq!(names(&alice, "").await, names(&alice, "sort=-added").await);
    let next =
        alice.get("/api/me/owned?sort=name&limit=1").await.ok()["next_cursor"].as_str().unwrap().to_owned();
    for query in
        [format!("sort=-name&cursor={next}"), format!("cursor={next}"), "cursor=bm9uc2Vuc2U".to_owned()]
    {
        alice.get(&format!("/api/me/owned?{query}")).await.refused_field(422, "invalid_cursor", "cursor");
    }
    for (query, code, field) in [
        ("sort=colour", "invalid_field", "sort"),
        ("limit=0", "invalid_field", "limit"),
        ("limit=201", "invalid_field", "limit"),
        ("condition=mint", "invalid_field", "condition[0]"),
        ("archived=perhaps", "invalid_field", "archived"),
        ("state=lost", "invalid_field", "state"),
        ("figure_id=1", "invalid_field", "figure_id"),
        ("page=2", "unknown_parameter", "page"),
    ] {
        alice.get(&format!("/api/me/owned?{query}")).await.refused_field(422, code, field);
    }
    let long = "a".repeat(201);
    alice.get(&format!("/api/me/owned?q={long}")).await.refused_field(422, "invalid_field", "q");
}

#[tokio::test]
async fn filters_find_what_they_name_and_nothing_else() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = run(
        &app,
        None,
        CatalogueFigure {
            manufacturer: Some("Good Smile Company".parse().unwrap()),
            series: vec!["Tides of Cobalt".parse().unwrap(), "ニトロウォーズ".parse().unwrap()],
            ..plain("Harbour Pilot Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let toma = figure(&app, "Toma 100%").await;
    own(
        &alice,
        &mina,
        json!({"condition": "loose", "location": "Vitrine A", "store": "Dockside", "notes": "ＢＬＵＥ hat"}),
    )
    .await;
    own(&alice, &toma, json!({"condition": "mib_sealed"})).await;
    own(&ben, &mina, json!({"condition": "loose", "location": "Vitrine A", "store": "Dockside"})).await;
    let page = alice.get(&format!("/api/me/owned?figure_id={mina}")).await.ok();
    let (maker, store) = (&page["items"][0]["figure"]["manufacturer"]["id"], &page["items"][0]["store_id"]);
    for (query, expected) in [
        ("condition=loose".to_owned(), vec!["Harbour Pilot Mina"]),
        (
            "condition=loose&condition=mib_sealed&sort=name".to_owned(),
            vec!["Harbour Pilot Mina", "Toma 100%"],
        ),
        ("condition=damaged".to_owned(), vec![]),
        ("location=VITRINE%20%20a".to_owned(), vec!["Harbour Pilot Mina"]),
        ("location=vitrine".to_owned(), vec![]),
        ("location=unshelved".to_owned(), vec!["Toma 100%"]),
        ("manufacturer=good-smile-company".to_owned(), vec!["Harbour Pilot Mina"]),
        (format!("manufacturer={}", maker.as_str().unwrap()), vec!["Harbour Pilot Mina"]),
        ("manufacturer=alter".to_owned(), vec![]),
        ("series=tides-of-cobalt".to_owned(), vec!["Harbour Pilot Mina"]),
        (
            "series=%E3%83%8B%E3%83%88%E3%83%AD%E3%82%A6%E3%82%A9%E3%83%BC%E3%82%BA".to_owned(),
            vec!["Harbour Pilot Mina"],
        ),
        ("store=dockside".to_owned(), vec!["Harbour Pilot Mina"]),
        (format!("store={}", store.as_str().unwrap()), vec!["Harbour Pilot Mina"]),
        (format!("store={NOBODYS}"), vec![]),
        (format!("figure_id={toma}"), vec!["Toma 100%"]),
        (format!("figure_id={NOBODYS}"), vec![]),
        ("q=pilot%20MINA".to_owned(), vec!["Harbour Pilot Mina"]),
        ("q=cobalt".to_owned(), vec!["Harbour Pilot Mina"]),
        ("q=good%20smile".to_owned(), vec!["Harbour Pilot Mina"]),
        ("q=blue%20hat".to_owned(), vec!["Harbour Pilot Mina"]),
        ("q=blue%20vitrine%20mina".to_owned(), vec!["Harbour Pilot Mina"]),
        ("q=mina%20toma".to_owned(), vec![]),
        ("q=100%25".to_owned(), vec!["Toma 100%"]),
        ("q=%25%25".to_owned(), vec![]),
        ("q=_".to_owned(), vec![]),
        ("q=%27%20OR%201=1".to_owned(), vec![]),
        ("state=owned&sort=name".to_owned(), vec!["Harbour Pilot Mina", "Toma 100%"]),
    ] {
        assert_eq!(names(&alice, &query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pieces_follow_merged_figures_and_stores_and_old_ids_still_find_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (double, mina) = (figure(&app, "Mina (double)").await, figure(&app, "Mina").await);
    let first = own(&alice, &double, json!({"store": "Dockside"})).await;
    let second = own(&alice, &mina, json!({"store": "Dock Side Shop"})).await;
    let merge = MergeFigures { loser_id: double.parse().unwrap(), winner_id: mina.parse().unwrap() };
    run(&app, None, merge).await;
    run(
        &app,
        None,
        MergeEntities {
            kind: EntityKind::Store,
            loser_id: first["store_id"].as_str().unwrap().parse().unwrap(),
            winner_id: second["store_id"].as_str().unwrap().parse().unwrap(),
        },
    )
    .await;
    let merged = alice.get(&at(&first)).await;
    assert_eq!(merged.header("etag"), "\"1-0\"", "a merge is no change of the piece");
    let merged = merged.ok();
    assert_eq!((&merged["figure_id"], &merged["store"]["name"]), (&json!(mina), &json!("Dock Side Shop")));
    assert_eq!(names(&alice, &format!("figure_id={double}")).await, ["Mina", "Mina"]);
    assert_eq!(names(&alice, "store=dockside").await, ["Mina", "Mina"]);
    let third = own(&alice, &double, json!({"store": "dockside"})).await;
    assert_eq!((&third["figure_id"], &third["store_id"]), (&json!(mina), &second["store_id"]));
    let edited = alice.patch(&at(&first), json!({"purchase_date": "2026-01-02"})).await.ok();
    assert_eq!(edited["store_id"], second["store_id"]);
    verify(&app).await;
}

#[tokio::test]
async fn nsfw_pieces_are_hidden_blurred_or_shown_as_their_owner_wants() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let daring =
        run(&app, None, CatalogueFigure { is_nsfw: true, ..plain("Daring") }).await.figure_id.to_string();
    let piece = own(&alice, &daring, json!({})).await;
    own(&alice, &figure(&app, "Tame").await, json!({})).await;
    for (visibility, listed, blurred) in [
        ("blur", vec!["Daring", "Tame"], true),
        ("hide", vec!["Tame"], true),
        ("show", vec!["Daring", "Tame"], false),
    ] {
        alice.patch("/api/me", json!({"nsfw_visibility": visibility})).await.ok();
        assert_eq!(names(&alice, "sort=name").await, listed, "{visibility}");
        let opened = alice.get(&at(&piece)).await.ok();
        let gate = json!({"id": piece["id"], "figure_id": daring, "is_nsfw": true, "nsfw_gate": true});
        assert_eq!(opened == gate, visibility == "hide", "opening it asks first: {opened}");
        let shown = alice.get(&format!("{}?confirm_nsfw=true", at(&piece))).await.ok();
        assert_eq!((&shown["blurred"], &shown["figure"]["blurred"]), (&json!(blurred), &json!(blurred)));
    }
}

#[tokio::test]
async fn clients_that_add_at_once_lose_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let body = |n: usize| json!({"figure_id": mina, "notes": n.to_string(), "store": "Dockside"});
    let added = join_all((0..24).map(|n| alice.post("/api/me/owned", body(n)))).await;
    let ids: BTreeSet<String> = added.into_iter().map(|answer| id(&answer.made()).to_owned()).collect();
    assert_eq!(ids.len(), 24);
    let page = alice.get("/api/me/owned?limit=200").await.ok();
    let notes: BTreeSet<&str> =
        page["items"].as_array().unwrap().iter().map(|p| p["notes"].as_str().unwrap()).collect();
    assert_eq!(notes.len(), 24);
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM stores").await, 1);
    verify(&app).await;
}

#[tokio::test]
async fn of_two_edits_on_one_version_one_wins() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let added = alice.post("/api/me/owned", json!({"figure_id": figure(&app, "Mina").await})).await;
    let seen = added.header("etag").to_owned();
    let piece = at(&added.made());
    let edit = |n: usize| {
        let (alice, piece, seen) = (alice.clone(), piece.clone(), seen.clone());
        async move {
            let body = json!({"notes": n.to_string()});
            alice.send(Method::PATCH, &piece, |request| request.header("if-match", seen).json(&body)).await
        }
    };
    let answers: Vec<Answer> = join_all((0..6).map(edit)).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 412));
    assert_eq!(alice.get(&piece).await.ok(), won[0].body);
}

#[tokio::test]
async fn a_write_stands_also_when_its_answer_cannot_be_read_yet() {
    let mut app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    app.stop_folding().await;
    let late = alice.post("/api/me/owned", json!({"figure_id": mina})).await;
    assert_eq!((late.status.as_u16(), &late.body["code"]), (202, &json!("read_model_behind")));
    assert!(late.header("location").starts_with("/api/me/owned/"));
    let position = late.header("x-event-position").to_owned();
    let (place, running) = (late.header("location").to_owned(), app.state.projections.run());
    let read = alice.send(Method::GET, &place, |request| request.header("x-min-position", position)).await;
    assert_eq!(read.ok()["figure_id"], mina);
    drop(running);
}

#[tokio::test]
async fn a_piece_is_acquired_when_received_else_bought_else_added() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let added = alice.post("/api/me/owned", json!({"figure_id": mina})).await.made();
    assert_eq!(added["acquired_on"].as_str(), added["created_at"].as_str().map(|at| &at[..10]));
    let bought = json!({"figure_id": mina, "purchase_date": "2026-03-04"});
    assert_eq!(alice.post("/api/me/owned", bought.clone()).await.made()["acquired_on"], "2026-03-04");
    let ordered = alice.post("/api/me/preorders", json!({"figure_id": mina})).await.made();
    let piece = format!("/api/me/owned/{}", ordered["owned_item_id"].as_str().unwrap());
    alice.patch(&piece, json!({"purchase_date": "2026-03-04"})).await.ok();
    assert_eq!(alice.get(&piece).await.ok()["acquired_on"], Value::Null, "it is not here yet");
    let receive = format!("/api/me/preorders/{}/receive", id(&ordered));
    alice.post(&receive, json!({"received_at": "2026-05-06"})).await.ok();
    assert_eq!(alice.get(&piece).await.ok()["acquired_on"], "2026-05-06");
}

#[tokio::test]
async fn pieces_and_figures_are_filtered_by_the_name_of_a_maker_or_series() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let new = json!({"name": "Mina", "manufacturer": "Lantern  Works", "series": ["Tides of Cobalt"]});
    let mina = alice.post("/api/figures", new).await.made();
    alice.post("/api/me/owned", json!({"figure_id": mina["id"]})).await.made();
    for (filter, found) in [
        ("manufacturer=Lantern%20works", 1),
        ("manufacturer=lantern-works", 1),
        ("series=Tides+of+Cobalt", 1),
        ("manufacturer=%21%21%21", 0),
        ("manufacturer=Works", 0),
    ] {
        for list in ["/api/me/owned", "/api/figures"] {
            let page = alice.get(&format!("{list}?{filter}")).await.ok();
            assert_eq!(page["items"].as_array().unwrap().len(), found, "{list}?{filter}");
        }
    }
}
