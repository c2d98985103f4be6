use domain::{
    commands::{CatalogueFigure, MergeFigures},
    dates::{Precision, ReleaseDate},
    money::Currency,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    owned::{NOBODYS, announced, events, figure, id, money, own, plain, run, verify, walk},
    support::{TestApp, TestClient},
};

fn at(figure: &str) -> String {
    format!("/api/me/wishlist/{figure}")
}

async fn names(client: &TestClient) -> Vec<String> {
    let list = client.get("/api/me/wishlist?sort=name").await.ok();
    let name = |wish: &Value| wish["figure"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

/// Nobody owns what they wish, and nobody wishes a figure twice.
async fn exclusion_holds(app: &TestApp) {
    let both: i64 = app
        .scalar(
            "SELECT count(*) FROM wishlist_items AS w JOIN owned_items AS o \
             ON o.user_id = w.user_id AND o.figure_id = w.figure_id WHERE o.archived_at IS NULL",
        )
        .await;
    let twice: i64 =
        app.scalar("SELECT count(*) - count(DISTINCT (user_id, figure_id)) FROM wishlist_items").await;
    assert_eq!((both, twice), (0, 0));
    verify(app).await;
}

#[tokio::test]
async fn nobody_reaches_a_wishlist_without_signing_in() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    let one = at(NOBODYS);
    for (method, path) in [
        (Method::GET, "/api/me/wishlist".to_owned()),
        (Method::GET, one.clone()),
        (Method::PUT, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::POST, format!("{one}/acquire")),
    ] {
        anybody.send(method, &path, |request| request.json(&json!({}))).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn a_wish_is_made_restated_and_taken_off() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = figure(&app, "Mina").await;
    let body = json!({"max_price_amount": "90", "max_price_currency": "EUR", "note": "used is fine"});
    let answer = alice.put(&at(&mina), body.clone()).await;
    let (seen, place) = (answer.header("etag").to_owned(), answer.header("location").to_owned());
    assert!(!answer.header("x-event-position").is_empty());
    let wish = answer.made();
    assert_eq!((seen.as_str(), place), ("\"1\"", at(&mina)));
    for (field, expected) in [
        ("figure_id", json!(mina)),
        ("max_price_amount", json!("90.00")),
        ("max_price_currency", json!("EUR")),
        ("note", json!("used is fine")),
        ("unreleased", json!(false)),
    ] {
        assert_eq!(wish[field], expected, "{field}");
    }
    assert_eq!(wish["figure"]["name"], "Mina");
    assert_eq!(alice.get(&at(&mina)).await.ok(), wish);
    assert_eq!(
        alice.get("/api/me/wishlist").await.ok(),
        json!({
            "items": [wish],
            "next_cursor": null,
            "totals": [{"currency": "EUR", "amount": "90.00"}],
            "total": null
        })
    );
    let before = events(&app).await;
    assert_eq!(alice.put(&at(&mina), body).await.ok(), wish);
    assert_eq!(events(&app).await, before);
    // Both facts are stated whole: what is left out is taken away.
    let restated = alice.put(&at(&mina), json!({"note": null})).await.ok();
    assert_eq!((&restated["id"], &restated["created_at"]), (&wish["id"], &wish["created_at"]));
    for field in ["max_price_amount", "max_price_currency", "note"] {
        assert_eq!(restated[field], Value::Null, "{field}");
    }
    let stale = async |method: Method| {
        alice.send(method, &at(&mina), |request| request.header("if-match", &seen).json(&json!({}))).await
    };
    stale(Method::PUT).await.refused(412, "stale_version");
    stale(Method::DELETE).await.refused(412, "stale_version");
    ben.get(&at(&mina)).await.refused(404, "wish_not_found");
    ben.delete(&at(&mina)).await.refused(404, "wish_not_found");
    assert_eq!(alice.delete(&at(&mina)).await.ok(), json!({"id": mina, "deleted": true}));
    alice.get(&at(&mina)).await.refused(404, "wish_not_found");
    alice.delete(&at(&mina)).await.refused(404, "wish_not_found");
    let again = alice.put(&at(&mina), json!({})).await.made();
    assert_ne!(again["id"], wish["id"]);
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_its_code_and_field_and_leaves_no_trace() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let before = events(&app).await;
    for (body, code, field) in [
        (json!({"max_price_amount": "5"}), "currency_missing", "max_price_currency"),
        (json!({"max_price_currency": "EUR"}), "currency_missing", "max_price_amount"),
        (json!({"max_price_amount": 5, "max_price_currency": "EUR"}), "invalid_amount", "max_price_amount"),
        (
            json!({"max_price_amount": "-5", "max_price_currency": "EUR"}),
            "invalid_amount",
            "max_price_amount",
        ),
        (
            json!({"max_price_amount": "5.5", "max_price_currency": "JPY"}),
            "invalid_amount",
            "max_price_amount",
        ),
        (
            json!({"max_price_amount": "5", "max_price_currency": "XXX"}),
            "unknown_currency",
            "max_price_currency",
        ),
        (json!({"note": "x".repeat(5001)}), "invalid_field", "note"),
        (json!({"note": 5}), "invalid_field", "note"),
        (json!({"priority": 1}), "unknown_field", "priority"),
    ] {
        alice.put(&at(&mina), body).await.refused_field(422, code, field);
    }
    alice.put(&at(NOBODYS), json!({})).await.refused_field(404, "figure_not_found", "figure_id");
    alice.delete(&at(NOBODYS)).await.refused(404, "figure_not_found");
    alice.get(&at(NOBODYS)).await.refused(404, "wish_not_found");
    alice.put("/api/me/wishlist/mina", json!({})).await.refused(404, "not_found");
    let acquire =
        async |figure: &str, body: Value| alice.post(&format!("{}/acquire", at(figure)), body).await;
    acquire(&mina, json!({})).await.refused(404, "wish_not_found");
    acquire(NOBODYS, json!({})).await.refused(404, "figure_not_found");
    assert_eq!(events(&app).await, before);
    alice.put(&at(&mina), json!({})).await.made();
    let coming = run(&app, None, CatalogueFigure { releases: vec![announced()], ..plain("Coming") }).await;
    let coming = coming.figure_id.to_string();
    alice.put(&at(&coming), json!({})).await.made();
    let before = events(&app).await;
    for (body, status, code, field) in [
        (json!({"price_amount": "1.005", "price_currency": "EUR"}), 422, "invalid_amount", "price_amount"),
        (json!({"price_amount": "1"}), 422, "currency_missing", "price_currency"),
        (json!({"deposit_amount": "5"}), 422, "deposit_above_price", "deposit_amount"),
        (
            json!({"price_amount": "4", "price_currency": "EUR", "deposit_amount": "5"}),
            422,
            "deposit_above_price",
            "deposit_amount",
        ),
        (json!({"status": "shipped"}), 409, "illegal_status_step", "status"),
        (json!({"status": "lost"}), 422, "invalid_field", "status"),
        (json!({"release_date": "2099-02-30"}), 422, "invalid_date", "release_date"),
        (json!({"release_date_precision": "month"}), 422, "invalid_field", "release_date_precision"),
        (json!({"tracking_url": "javascript:alert(1)"}), 422, "invalid_field", "tracking_url"),
        (json!({"estimated_delivery_days": 366}), 422, "invalid_field", "estimated_delivery_days"),
        (json!({"purchase_date": "tomorrow"}), 422, "invalid_date", "purchase_date"),
        (json!({"store": "!!"}), 422, "invalid_name", "store"),
        (json!({"figure_id": mina}), 422, "unknown_field", "figure_id"),
    ] {
        acquire(&coming, body).await.refused_field(status, code, field);
    }
    let late = json!({"price_amount": "9", "price_currency": "EUR", "deposit_amount": "1"});
    acquire(&mina, late).await.refused(422, "invalid_field");
    assert_eq!(events(&app).await, before);
    assert_eq!(names(&alice).await, ["Coming", "Mina"]);
}

#[tokio::test]
async fn a_wish_for_a_released_figure_becomes_a_piece() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let wished = alice.put(&at(&mina), json!({})).await;
    let seen = wished.header("etag").to_owned();
    wished.made();
    let acquire = format!("{}/acquire", at(&mina));
    let body =
        json!({"price_amount": "90", "price_currency": "EUR", "store": "Dockside", "condition": "loose"});
    let send = async |tag: &str| {
        let (tag, body) = (tag.to_owned(), body.clone());
        alice
            .send(Method::POST, &acquire, |request| {
                request.header("if-match", tag).header("idempotency-key", "k").json(&body)
            })
            .await
    };
    send("\"9\"").await.refused(412, "stale_version");
    let answer = send(&seen).await;
    let place = answer.header("location").to_owned();
    assert_eq!(answer.header("etag"), "\"2-0\"");
    let piece = answer.made();
    assert_eq!(place, format!("/api/me/owned/{}", id(&piece)));
    assert_eq!(
        (&piece["price_amount"], &piece["preorder"], &piece["is_owned"]),
        (&json!("90.00"), &Value::Null, &json!(true))
    );
    assert_eq!(alice.get(&place).await.ok(), piece);
    assert_eq!(send(&seen).await.made(), piece);
    assert!(names(&alice).await.is_empty());
    alice.post(&acquire, json!({})).await.refused(404, "wish_not_found");
    let refused = alice.put(&at(&mina), json!({})).await.refused(409, "already_owned");
    assert_eq!(refused["figure_id"], mina.as_str());
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn a_wish_for_a_figure_that_is_still_to_come_becomes_a_pre_order() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let coming = run(&app, None, CatalogueFigure { releases: vec![announced()], ..plain("Coming") }).await;
    let coming = coming.figure_id.to_string();
    assert_eq!(alice.put(&at(&coming), json!({})).await.made()["unreleased"], true);
    let body = json!({
        "price_amount": "19800", "shipping_amount": "900", "price_currency": "JPY", "deposit_amount": "5000",
        "store": "Dockside", "status": "preorder_open", "estimated_delivery_days": 12,
        "tracking_url": "https://example.com/parcel"
    });
    let answer = alice.post(&format!("{}/acquire", at(&coming)), body).await;
    assert_eq!(answer.header("etag"), "\"2-1\"");
    let piece = answer.made();
    let preorder = &piece["preorder"];
    assert_eq!((&preorder["status"], &piece["is_owned"]), (&json!("preorder_open"), &json!(false)));
    assert_eq!(
        (&preorder["release_date_current"], &preorder["release_date_precision"]),
        (&json!("2099-05-01"), &json!("month"))
    );
    assert_eq!((&piece["price_amount"], &piece["shipping_amount"]), (&json!("19800"), &json!("900")));
    let deposit: String = app.scalar("SELECT deposit_amount::text FROM preorders").await;
    assert_eq!(deposit, "5000.00");
    assert!(names(&alice).await.is_empty());
    // Released in the catalogue, but the shop's date is still to come.
    let mina = figure(&app, "Mina").await;
    alice.put(&at(&mina), json!({})).await.made();
    let ordered = alice.post(&format!("{}/acquire", at(&mina)), json!({"release_date": "2099"})).await.made();
    assert_eq!(ordered["preorder"]["release_date_precision"], "year");
    alice.put(&at(&mina), json!({})).await.refused(409, "already_owned");
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn what_a_wish_says_of_its_release_is_what_acquiring_makes_of_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let year = |day: String| ReleaseDate::new(day.parse().unwrap(), Precision::Year).unwrap();
    let now = chrono::Utc::now();
    for (release, name) in
        [(year(now.format("%Y-01-01").to_string()), "This year"), (year("2020-01-01".into()), "Long ago")]
    {
        let coming = run(&app, None, CatalogueFigure { releases: vec![release], ..plain(name) }).await;
        let coming = coming.figure_id.to_string();
        let unreleased = alice.put(&at(&coming), json!({})).await.made()["unreleased"].as_bool().unwrap();
        let piece = alice.post(&format!("{}/acquire", at(&coming)), json!({})).await.made();
        assert_eq!(piece["preorder"].is_object(), unreleased, "{name}");
        assert_eq!(unreleased, release.last_day() > now.date_naive(), "{name}");
    }
}

#[tokio::test]
async fn adding_a_piece_ends_the_wish() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = figure(&app, "Mina").await;
    alice.put(&at(&mina), json!({})).await.made();
    ben.put(&at(&mina), json!({})).await.made();
    let piece = own(&alice, &mina, json!({})).await;
    assert!(names(&alice).await.is_empty());
    assert_eq!(names(&ben).await, ["Mina"]);
    alice.put(&at(&mina), json!({})).await.refused(409, "already_owned");
    alice.post(&format!("/api/me/owned/{}/archive", id(&piece)), json!({"reason": "sold"})).await.ok();
    alice.put(&at(&mina), json!({})).await.made();
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn wishing_and_owning_exclude_each_other_also_when_they_race() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for n in 0..4 {
        let mina = figure(&app, &format!("Mina {n}")).await;
        let place = at(&mina);
        let wish = || async { alice.put(&place, json!({})).await };
        let add = || async { alice.post("/api/me/owned", json!({"figure_id": mina})).await };
        let (wishes, adds) = tokio::join!(join_all((0..4).map(|_| wish())), join_all((0..2).map(|_| add())));
        assert!(adds.iter().all(|answer| answer.status == 201));
        assert!(wishes.iter().filter(|answer| answer.status == 201).count() <= 1);
        assert!(
            wishes.iter().all(|a| matches!(a.status.as_u16(), 200 | 201)
                || a.body["code"] == "already_owned"
                || a.body["code"] == "wish_not_found"),
            "{wishes:?}"
        );
    }
    assert!(names(&alice).await.is_empty());
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn several_clients_that_wish_at_once_make_one_wish() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    let place = at(&mina);
    let answers = join_all((0..8).map(|_| alice.put(&place, json!({"note": "please"})))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 7);
    assert_eq!(names(&alice).await, ["Mina"]);
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn wishes_follow_merged_figures_and_old_ids_still_find_them() {
    let app = TestApp::new().await;
    let (alice, ben, cora) =
        (app.register("alice").await, app.register("ben").await, app.register("cora").await);
    let (double, mina) = (figure(&app, "Mina (double)").await, figure(&app, "Mina").await);
    let hers = alice.put(&at(&double), json!({"note": "hers"})).await.made();
    ben.put(&at(&double), json!({"note": "of the double"})).await.made();
    let own_wish = ben.put(&at(&mina), json!({"note": "of the real one"})).await.made();
    cora.put(&at(&double), json!({"note": "cora's"})).await.made();
    let piece = own(&cora, &mina, json!({})).await;
    let merge = MergeFigures { loser_id: double.parse().unwrap(), winner_id: mina.parse().unwrap() };
    run(&app, None, merge).await;
    for path in [at(&double), at(&mina)] {
        assert_eq!(alice.get(&path).await.ok()["id"], hers["id"]);
        assert_eq!(ben.get(&path).await.ok()["id"], own_wish["id"]);
        cora.get(&path).await.refused(404, "wish_not_found");
    }
    exclusion_holds(&app).await;
    // Restated under either id it is the same wish, and its version is good for If-Match.
    let tag = alice.get(&at(&double)).await.header("etag").to_owned();
    let body = json!({"note": "still hers"});
    let restated = alice
        .send(Method::PUT, &at(&double), |request| request.header("if-match", tag).json(&body))
        .await
        .ok();
    assert_eq!(
        (&restated["id"], &restated["note"], &restated["figure_id"]),
        (&hers["id"], &json!("still hers"), &json!(mina))
    );
    // The piece goes, and the wish that waited behind it is there again.
    cora.delete(&format!("/api/me/owned/{}", id(&piece))).await.ok();
    assert_eq!(cora.get(&at(&mina)).await.ok()["note"], "cora's");
    assert_eq!(cora.put(&at(&mina), json!({"note": "new"})).await.ok()["note"], "new");
    ben.delete(&at(&double)).await.ok();
    assert!(names(&ben).await.is_empty());
    exclusion_holds(&app).await;
}

#[tokio::test]
async fn every_order_shows_each_wish_once_and_the_header_sums_all_targets() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (name, target) in [
        ("b", Some(("90", "EUR"))),
        ("A", None),
        ("Ｃ", Some(("9.5", "EUR"))),
        ("d", Some(("12000", "JPY"))),
        ("e", None),
    ] {
        let body = target.map_or(
            json!({}),
            |(amount, currency)| json!({"max_price_amount": amount, "max_price_currency": currency}),
        );
        alice.put(&at(&figure(&app, name).await), body).await.made();
    }
    for (sort, ascending) in [
        ("added", vec!["b", "A", "Ｃ", "d", "e"]),
        ("name", vec!["A", "b", "Ｃ", "d", "e"]),
        ("target", vec!["Ｃ", "b", "d", "|"]),
    ] {
        for descending in [false, true] {
            let mut known: Vec<&str> = ascending.iter().copied().filter(|name| *name != "|").collect();
            if descending {
                known.reverse();
            }
            let sort = format!("{}{sort}", if descending { "-" } else { "" });
            for limit in [1, 2, 5] {
                let got = walk(&alice, &format!("/api/me/wishlist?sort={sort}"), limit).await;
                let got: Vec<&str> = got.iter().map(|w| w["figure"]["name"].as_str().unwrap()).collect();
                assert_eq!(got.len(), 5, "{sort} by {limit}");
                assert_eq!(got[..known.len()], known, "{sort} by {limit}");
            }
        }
    }
    let page = alice.get("/api/me/wishlist?limit=1").await.ok();
    let totals = json!([{"currency": "EUR", "amount": "99.50"}, {"currency": "JPY", "amount": "12000"}]);
    assert_eq!(page["totals"], totals);
    let next = page["next_cursor"].as_str().unwrap();
    alice.get(&format!("/api/me/wishlist?sort=name&cursor={next}")).await.refused_field(
        422,
        "invalid_cursor",
        "cursor",
    );
    alice.get("/api/me/wishlist?sort=price").await.refused_field(422, "invalid_field", "sort");
    alice.get("/api/me/wishlist?q=mina").await.refused_field(422, "unknown_parameter", "q");
}

#[tokio::test]
async fn nsfw_wishes_are_hidden_blurred_or_shown_and_what_is_out_is_no_longer_to_come() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let out = vec![ReleaseDate::new("2020-05-01".parse().unwrap(), Precision::Day).unwrap()];
    let daring = CatalogueFigure {
        is_nsfw: true,
        releases: out,
        msrp: Some(money("1", Currency::Eur)),
        ..plain("Daring")
    };
    let daring = run(&app, None, daring).await.figure_id.to_string();
    let target = json!({"max_price_amount": "5", "max_price_currency": "USD"});
    assert_eq!(alice.put(&at(&daring), target).await.made()["unreleased"], false);
    for (visibility, listed, blurred) in [("blur", 1, true), ("hide", 0, true), ("show", 1, false)] {
        alice.patch("/api/me", json!({"nsfw_visibility": visibility})).await.ok();
        let page = alice.get("/api/me/wishlist").await.ok();
        assert_eq!(page["items"].as_array().unwrap().len(), listed, "{visibility}");
        assert_eq!(page["totals"].as_array().unwrap().len(), listed, "{visibility}");
        let opened = alice.get(&at(&daring)).await.ok();
        assert_eq!(opened["nsfw_gate"] == true, visibility == "hide", "{visibility}");
        let confirmed = alice.get(&format!("{}?confirm_nsfw=true", at(&daring))).await.ok();
        assert_eq!(confirmed["blurred"], blurred, "{visibility}");
    }
}

#[tokio::test]
async fn a_wish_is_acquired_without_a_body() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = figure(&app, "Mina").await;
    alice.put(&at(&mina), json!({})).await.made();
    let acquire = format!("{}/acquire", at(&mina));
    let untyped = alice.send(Method::POST, &acquire, |request| request.body("{}")).await;
    untyped.refused(415, "unsupported_media_type");
    let piece = alice.send(Method::POST, &acquire, |request| request).await.made();
    assert_eq!(piece["figure_id"], json!(mina));
}
