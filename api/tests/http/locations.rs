use chrono::Utc;
use domain::{
    commands::{CatalogueFigure, PieceFields, PlacePreorder, PreorderFields},
    ids::{PieceId, PreorderId},
    money::Currency,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cote::{asked, listed},
    owned::{NOBODYS, events, figure, id, money, own, plain, run, user_id, verify},
    support::{TestApp, TestClient},
};

async fn make(client: &TestClient, name: &str) -> Value {
    client.post("/api/me/locations", json!({"name": name})).await.made()
}

fn at(place: &Value) -> String {
    format!("/api/me/locations/{}", id(place))
}

/// Name (null is `-`), kind and piece count of every place, in their order.
async fn places(client: &TestClient) -> Vec<String> {
    let list = client.get("/api/me/locations").await.ok();
    assert_eq!(list["next_cursor"], Value::Null);
    let show = |place: &Value| {
        let name = place["name"].as_str().unwrap_or("-");
        format!("{name} {} {}", place["kind"].as_str().unwrap(), place["piece_count"])
    };
    list["items"].as_array().unwrap().iter().map(show).collect()
}

async fn locations_of(client: &TestClient) -> Vec<Value> {
    let list = client.get("/api/me/owned?sort=added").await.ok();
    list["items"].as_array().unwrap().iter().map(|piece| piece["location"].clone()).collect()
}

#[tokio::test]
async fn nobody_reaches_locations_without_signing_in() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let one = format!("/api/me/locations/{NOBODYS}");
    for (method, path) in [
        (Method::GET, "/api/me/locations"),
        (Method::POST, "/api/me/locations"),
        (Method::PUT, "/api/me/locations/order"),
        (Method::GET, &one),
        (Method::PATCH, &one),
        (Method::DELETE, &one),
    ] {
        anybody.send(method, path, |request| request.json(&json!({}))).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn places_come_registered_first_then_typed_then_unshelved_with_what_is_there() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    assert_eq!(places(&alice).await, ["- unshelved 0"]);
    let priced =
        |name, amount, currency| CatalogueFigure { msrp: Some(money(amount, currency)), ..plain(name) };
    let yen = run(&app, None, priced("Yen", "19800", Currency::Jpy)).await.figure_id.to_string();
    let euro = run(&app, None, priced("Euro", "120.5", Currency::Eur)).await.figure_id.to_string();
    let free = figure(&app, "Free").await;
    let value = json!({"value_amount": "99.99", "value_currency": "EUR"});
    let with = |location: Value, value: &Value| {
        let mut more = value.clone();
        more["location"] = location;
        more
    };
    let nothing = json!({});
    own(&alice, &yen, with(json!("Vitrine"), &nothing)).await;
    own(&alice, &yen, with(json!("ＶＩＴＲＩＮＥ"), &nothing)).await;
    own(&alice, &euro, with(json!("vitrine"), &nothing)).await;
    own(&alice, &yen, with(json!("Vitrine"), &value)).await;
    own(&alice, &free, with(json!("Vitrine"), &nothing)).await;
    own(&alice, &euro, with(json!("Attic"), &nothing)).await;
    own(&alice, &euro, nothing.clone()).await;
    let gone = own(&alice, &euro, with(json!("Vitrine"), &nothing)).await;
    alice.post(&format!("/api/me/owned/{}/archive", id(&gone)), json!({"reason": "lost"})).await.ok();
    own(&ben, &euro, with(json!("Vitrine"), &nothing)).await;
    let user = user_id(&alice).await;
    let on_its_way = PlacePreorder {
        user_id: user,
        piece_id: PieceId(Uuid::now_v7()),
        preorder_id: PreorderId(Uuid::now_v7()),
        figure_id: yen.parse().unwrap(),
        piece: PieceFields { location: Some("Vitrine".parse().unwrap()), ..PieceFields::default() },
        preorder: PreorderFields::default(),
    };
    run(&app, Some(user), on_its_way).await;
    assert_eq!(places(&alice).await, ["Attic typed 1", "Vitrine typed 5", "- unshelved 1"]);

    let empty = make(&alice, "Empty").await;
    let answer = alice.post("/api/me/locations", json!({"name": "Vitrine"})).await;
    let place = answer.header("location").to_owned();
    assert!(!answer.header("etag").is_empty() && !answer.header("x-event-position").is_empty());
    let vitrine = answer.made();
    assert_eq!(place, at(&vitrine));
    assert_eq!(
        vitrine,
        json!({
            "id": id(&vitrine),
            "name": "Vitrine",
            "kind": "registered",
            "piece_count": 5,
            "valued_count": 4,
            "value": [{"currency": "EUR", "amount": "220.49"}, {"currency": "JPY", "amount": "39600"}]
        })
    );
    assert_eq!(alice.get(&place).await.ok(), vitrine);
    assert_eq!(
        places(&alice).await,
        ["Empty registered 0", "Vitrine registered 5", "Attic typed 1", "- unshelved 1"]
    );
    let ids = json!({"ids": [id(&vitrine), id(&empty)]});
    let ordered = alice.put("/api/me/locations/order", ids).await.ok();
    assert_eq!((&ordered["items"][0], &ordered["items"][1]), (&vitrine, &empty));
    assert_eq!(places(&ben).await, ["Vitrine typed 1", "- unshelved 0"]);
}

#[tokio::test]
async fn renaming_a_cabinet_moves_its_pieces_and_deleting_it_unshelves_them() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let first = own(&alice, &mina, json!({"location": "desk"})).await;
    let desk = make(&alice, "Desk").await;
    // What is typed like a registered cabinet is spelt like it.
    own(&alice, &mina, json!({"location": "DESK"})).await;
    own(&alice, &mina, json!({"location": "Hall"})).await;
    assert_eq!(locations_of(&alice).await, [json!("desk"), json!("Desk"), json!("Hall")]);
    let renamed = alice.patch(&at(&desk), json!({"name": "Window"})).await.ok();
    assert_eq!(
        (&renamed["name"], &renamed["piece_count"], &renamed["id"]),
        (&json!("Window"), &json!(2), &desk["id"])
    );
    assert_eq!(locations_of(&alice).await, [json!("Window"), json!("Window"), json!("Hall")]);
    let before = events(&app).await;
    assert_eq!(alice.patch(&at(&desk), json!({"name": "Window"})).await.ok(), renamed);
    assert_eq!(events(&app).await, before);
    assert_eq!(alice.patch(&at(&desk), json!({"name": "WINDOW"})).await.ok()["name"], "WINDOW");
    // The pieces' version moved along, so an edit on top of the older one is refused.
    let stale = alice
        .send(Method::PATCH, &format!("/api/me/owned/{}", id(&first)), |request| {
            request.header("if-match", "\"1-0\"").json(&json!({"notes": "x"}))
        })
        .await;
    stale.refused(412, "stale_version");
    assert_eq!(alice.delete(&at(&desk)).await.ok(), json!({"id": id(&desk), "deleted": true}));
    assert_eq!(locations_of(&alice).await, [Value::Null, Value::Null, json!("Hall")]);
    assert_eq!(places(&alice).await, ["Hall typed 1", "- unshelved 2"]);
    alice.get(&at(&desk)).await.refused(404, "cabinet_not_found");
    alice.delete(&at(&desk)).await.refused(404, "cabinet_not_found");
    verify(&app).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_no_trace() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let (desk, hall) = (make(&alice, "Desk").await, make(&alice, "Hall").await);
    let before = events(&app).await;
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"name": ""}), "invalid_field"),
        (json!({"name": "  "}), "invalid_field"),
        (json!({"name": 5}), "invalid_field"),
        (json!({"name": null}), "invalid_field"),
        (json!({"name": "a\nb"}), "invalid_field"),
        (json!({"name": "a\u{0}b"}), "invalid_field"),
        (json!({"name": "x".repeat(121)}), "invalid_field"),
    ] {
        alice.post("/api/me/locations", body.clone()).await.refused_field(422, code, "name");
        alice.patch(&at(&desk), body).await.refused_field(422, code, "name");
    }
    for name in ["desk", " DESK ", "ｄｅｓｋ"] {
        let taken = alice.post("/api/me/locations", json!({"name": name})).await;
        assert_eq!(taken.refused_field(409, "cabinet_name_taken", "name")["other_id"], desk["id"]);
        alice.patch(&at(&hall), json!({"name": name})).await.refused(409, "cabinet_name_taken");
    }
    let order = async |ids: Value| alice.put("/api/me/locations/order", json!({"ids": ids})).await;
    order(json!([id(&desk)])).await.refused_field(422, "invalid_field", "ids");
    order(json!([id(&desk), id(&desk)])).await.refused_field(422, "invalid_field", "ids");
    order(json!([id(&desk), NOBODYS])).await.refused(404, "cabinet_not_found");
    order(json!([id(&desk), "hall"])).await.refused_field(422, "invalid_field", "ids[1]");
    for path in [at(&desk), format!("/api/me/locations/{NOBODYS}")] {
        ben.get(&path).await.refused(404, "cabinet_not_found");
        ben.patch(&path, json!({"name": "Mine"})).await.refused(404, "cabinet_not_found");
        ben.delete(&path).await.refused(404, "cabinet_not_found");
    }
    assert_eq!(events(&app).await, before);
    assert_eq!(places(&alice).await, ["Desk registered 0", "Hall registered 0", "- unshelved 0"]);
}

#[tokio::test]
async fn a_change_based_on_an_older_version_is_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let desk = alice.post("/api/me/locations", json!({"name": "Desk"})).await;
    let seen = desk.header("etag").to_owned();
    let path = at(&desk.made());
    let rename = async |name: &str| {
        let body = json!({"name": name});
        alice.send(Method::PATCH, &path, |request| request.header("if-match", &seen).json(&body)).await
    };
    rename("Window").await.ok();
    rename("Hall").await.refused(412, "stale_version");
    let delete =
        async |tag: &str| alice.send(Method::DELETE, &path, |request| request.header("if-match", tag)).await;
    delete(&seen).await.refused(412, "stale_version");
    let newer = alice.get(&path).await.header("etag").to_owned();
    assert_ne!(newer, seen);
    delete(&newer).await.ok();
}

#[tokio::test]
async fn a_name_is_registered_once_also_when_several_clients_try() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let tries = join_all((0..6).map(|_| alice.post("/api/me/locations", json!({"name": "Desk"})))).await;
    let made: Vec<_> = tries.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    assert!(tries.iter().all(|answer| answer.status == 201 || answer.body["code"] == "cabinet_name_taken"));
    let again = async || {
        let body = json!({"name": "Hall"});
        alice
            .send(Method::POST, "/api/me/locations", |request| {
                request.header("idempotency-key", "k").json(&body)
            })
            .await
            .made()
    };
    assert_eq!(again().await, again().await);
    assert_eq!(places(&alice).await, ["Desk registered 0", "Hall registered 0", "- unshelved 0"]);
}

#[tokio::test]
async fn a_cabinet_is_worth_what_la_cote_says_of_its_pieces() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = listed(&app, "Mina", "120", Currency::Eur).await;
    let rin = listed(&app, "Rin", "90.5", Currency::Eur).await;
    asked(&app, &mina, Utc::now(), "150.25", Currency::Eur).await;
    own(&alice, &mina, json!({"location": "Vitrine"})).await;
    own(&alice, &mina, json!({"location": "Vitrine", "value_amount": "7", "value_currency": "EUR"})).await;
    own(&alice, &rin, json!({"location": "Vitrine"})).await;
    let vitrine = alice.get("/api/me/locations").await.ok()["items"][0].clone();
    assert_eq!(vitrine["value"], json!([{"currency": "EUR", "amount": "247.75"}]), "market, own, list price");
    assert_eq!(alice.get("/api/me/cote").await.ok()["value_eur"], "247.75");
}
