use domain::{commands::CatalogueFigure, money::Currency};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::{
    cote::{listed, rates},
    owned::{events, figure, id, money, own, plain, run},
    support::{Answer, TestApp, TestClient},
};

async fn export(client: &TestClient, file: &str) -> Answer {
    let answer = client.get(&format!("/api/me/export/{file}")).await;
    assert_eq!(answer.status, 200, "{file}: {}", answer.text);
    answer
}

pub async fn backup(client: &TestClient) -> Value {
    export(client, "backup.json").await.ok()
}

pub async fn restore(client: &TestClient, backup: &Value) -> Answer {
    client.raw(Method::POST, "/api/me/import/backup", backup.to_string()).await
}

/// A collection with a bit of everything.
async fn furnish(app: &TestApp, alice: &TestClient) {
    rates(app, "2026-01-05", &[("JPY", "160"), ("USD", "1.25"), ("CHF", "0.9375")]).await;
    let mina = run(
        app,
        None,
        CatalogueFigure {
            manufacturer: Some("Good Smile Company".parse().unwrap()),
            series: vec!["Tides of Cobalt".parse().unwrap(), "Anchor Song".parse().unwrap()],
            characters: vec!["Mina".parse().unwrap()],
            msrp: Some(money("19800", Currency::Jpy)),
            jan: Some(domain::gtin::Gtin::new("4580590123458").unwrap()),
            ..plain("Harbour Pilot Mina")
        },
    )
    .await
    .figure_id
    .to_string();
    let rin = listed(app, "Rin", "120", Currency::Eur).await;
    let (fumi, nao) = (listed(app, "Fumi", "90", Currency::Usd).await, figure(app, "Nao").await);
    alice.post("/api/me/locations", json!({"name": "Vitrine"})).await.made();
    alice.post("/api/me/locations", json!({"name": "Attic"})).await.made();
    let cost = json!({"price_amount": "129.90", "shipping_amount": "12", "fees_amount": "3.50", "price_currency": "USD",
        "purchase_date": "2026-01-05", "store": "Harbour Hobby", "location": "vitrine", "notes": "=1+1\nmind the \"arm\"",
        "condition": "mib_sealed", "value_amount": "24000", "value_currency": "JPY"});
    own(alice, &mina, cost).await;
    let second =
        own(alice, &mina, json!({"origin": "gift", "origin_from": "Ben", "location": "Attic"})).await;
    let placed = json!({"items": [{"id": id(&second), "location": "Attic", "sort_order": 7}]});
    alice.put("/api/me/owned/arrange", placed).await.ok();
    let sold = own(
        alice,
        &rin,
        json!({"price_amount": "80", "price_currency": "EUR", "purchase_date": "2025-12-01"}),
    )
    .await;
    let sale =
        json!({"reason": "sold", "sold_amount": "140", "sold_currency": "CHF", "sold_on": "2026-01-06"});
    alice.post(&format!("/api/me/owned/{}/archive", id(&sold)), sale).await.ok();
    let order = async |figure: &str, deposit: &str| {
        let body = json!({"figure_id": figure, "price_amount": "100", "price_currency": "EUR", "shipping_amount": "9",
            "deposit_amount": deposit, "release_date": "2099-05", "store": "Harbour Hobby"});
        id(&alice.post("/api/me/preorders", body).await.made()).to_owned()
    };
    let act = async |order: &str, what: &str, body: Value| {
        alice.post(&format!("/api/me/preorders/{order}/{what}"), body).await.ok();
    };
    let slipped = order(&fumi, "30").await;
    act(
        &slipped,
        "slip",
        json!({"new_date": "2099-08", "source": "manufacturer_announcement", "note": "late"}),
    )
    .await;
    act(&slipped, "slip", json!({"new_date": "2099-08-12"})).await;
    let lost = order(&nao, "20").await;
    act(&lost, "cancel", json!({"refund_amount": "5"})).await;
    let pieces = alice.get("/api/me/owned?archived=true&q=Nao").await.ok();
    alice.post(&format!("/api/me/owned/{}/restore", id(&pieces["items"][0])), json!({})).await.ok();
    let fresh = json!({"price_amount": "90", "price_currency": "EUR"});
    alice.post(&format!("/api/me/preorders/{lost}/replace"), fresh).await.made();
    let received = order(&rin, "100").await;
    act(&received, "ship", json!({"shipped_at": "2026-01-02", "estimated_delivery_days": 9})).await;
    act(&received, "receive", json!({"received_at": "2026-01-08", "condition": "opened_box"})).await;
    let wished = figure(app, "Wished").await;
    let wish = json!({"max_price_amount": "70", "max_price_currency": "EUR", "note": "second hand"});
    alice.put(&format!("/api/me/wishlist/{wished}"), wish).await.made();
}

/// An answer without what another account cannot have: ids, versions, times of recording.
pub fn essence(value: &Value) -> Value {
    const OWN: [&str; 7] =
        ["id", "owned_item_id", "piece_id", "preorder_id", "updated_at", "next_cursor", "exported_at"];
    match value {
        Value::Object(members) => {
            // A wish is made when it is restored.
            let is_wish = members.contains_key("max_price_amount");
            let own =
                |name: &str| OWN.contains(&name) || is_wish && ["created_at", "added_at"].contains(&name);
            members.iter().filter(|(name, _)| !own(name)).map(|(n, v)| (n.clone(), essence(v))).collect()
        }
        Value::Array(items) => items.iter().map(essence).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn nobody_exports_or_restores_without_signing_in() {
    let app = TestApp::new().await;
    let anybody = app.visitor();
    for file in ["collection.csv", "collection.json", "wishlist.csv", "preorders.json", "backup.json"] {
        anybody.get(&format!("/api/me/export/{file}")).await.refused(401, "not_signed_in");
    }
    anybody.post("/api/me/import/backup", json!({})).await.refused(401, "not_signed_in");
    let alice = app.register("alice").await;
    for file in ["collection.xls", "collection", "users.csv", "backup.csv", ".csv"] {
        alice.get(&format!("/api/me/export/{file}")).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn tables_open_in_a_spreadsheet_and_hold_no_formula() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    furnish(&app, &alice).await;
    let sheet = export(&alice, "collection.csv").await;
    assert_eq!(sheet.header("content-type"), "text/csv; charset=utf-8");
    assert!(sheet.header("content-disposition").contains("figure-ledger-collection-"), "{:?}", sheet.headers);
    let text = sheet.text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name: &str| header.iter().position(|one| one == name).unwrap();
    let cell = |row: &csv::StringRecord, name: &str| row.get(column(name)).unwrap().to_owned();
    assert_eq!(rows.len(), 6);
    let first = &rows[0];
    for (name, value) in [
        ("figure", "Harbour Pilot Mina"),
        ("manufacturer", "Good Smile Company"),
        ("series", "Tides of Cobalt; Anchor Song"),
        ("price_amount", "129.90"),
        ("price_currency", "USD"),
        ("price_fx_rate", "0.8"),
        ("value_amount", "24000"),
        ("location", "Vitrine"),
        ("notes", "'=1+1\nmind the \"arm\""),
        ("store", "Harbour Hobby"),
    ] {
        assert_eq!(cell(first, name), value, "{name}");
    }
    for (file, count) in [("wishlist", 1), ("preorders", 3)] {
        let sheet = export(&alice, &format!("{file}.csv")).await.text;
        let lines = csv::Reader::from_reader(sheet.as_bytes()).records().map(Result::unwrap).count();
        let whole = export(&alice, &format!("{file}.json")).await.ok();
        assert_eq!((lines, whole.as_array().unwrap().len()), (count, count), "{file}");
    }
    assert_eq!(export(&alice, "collection.json").await.ok().as_array().unwrap().len(), 6);
    assert_eq!(export(&ben, "collection.json").await.ok(), json!([]));
    assert_eq!(export(&ben, "collection.csv").await.text.lines().count(), 1);
}

#[tokio::test]
async fn a_backup_comes_back_in_an_empty_account_with_equal_results_and_twice_without_doubles() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    furnish(&app, &alice).await;
    let taken = backup(&alice).await;
    let rehearsed = client_dry_run(&ben, &taken).await;
    assert_eq!((&rehearsed["dry_run"], &rehearsed["pieces"]), (&json!(true), &json!({"new": 6, "known": 0})));
    assert_eq!(ben.get("/api/me/cote").await.ok()["pieces_total"], 0);
    let restored = restore(&ben, &taken).await.ok();
    assert_eq!(
        restored,
        json!({"dry_run": false, "figures": {"new": 0, "known": 5}, "cabinets": {"new": 2, "known": 0},
            "pieces": {"new": 6, "known": 0}, "wishes": {"new": 1, "known": 0},
            "covers": {"new": 0, "known": 0, "without_picture": 0}, "settings": true, "manga_link": null})
    );
    let year = chrono::Utc::now().format("%Y").to_string();
    for path in [
        "/api/me/owned?archived=all&sort=added",
        "/api/me/preorders?sort=name",
        "/api/me/wishlist",
        "/api/me/locations",
        "/api/me/cote",
        "/api/me/cote/evolution?range=all",
        "/api/me/stats",
        "/api/me/stats/insights",
        "/api/me/preorders/forecast",
        "/api/me/year-in-review/2026",
        &format!("/api/me/year-in-review/{year}"),
    ] {
        let (hers, his) = (alice.get(path).await.ok(), ben.get(path).await.ok());
        assert_eq!(essence(&his), essence(&hers), "{path}");
    }
    assert_eq!(essence(&backup(&ben).await), essence(&taken));
    // Ids are new, and hers are untouched.
    let ids = |backup: &Value| {
        backup["pieces"].as_array().unwrap().iter().map(|p| id(p).to_owned()).collect::<Vec<_>>()
    };
    assert!(ids(&backup(&ben).await).iter().all(|one| !ids(&taken).contains(one)));
    assert_eq!(essence(&backup(&alice).await), essence(&taken));
    let before = events(&app).await;
    let again = restore(&ben, &taken).await.ok();
    assert_eq!(
        (&again["pieces"], &again["wishes"], &again["cabinets"]),
        (&json!({"new": 0, "known": 6}), &json!({"new": 0, "known": 1}), &json!({"new": 0, "known": 2}))
    );
    assert_eq!(events(&app).await, before);
    let verified = app.state.projections.verify(
        &["cote", "collection", "preorders"],
        |_| (),
        |_, difference| panic!("{difference:?}"),
    );
    assert_eq!(verified.await.unwrap().iter().map(|one| one.differences).sum::<u64>(), 0);
}

pub async fn client_dry_run(client: &TestClient, backup: &Value) -> Value {
    client.raw(Method::POST, "/api/me/import/backup?dry_run=true", backup.to_string()).await.ok()
}

#[tokio::test]
async fn another_server_catalogues_what_it_does_not_know() {
    let (app, elsewhere) = (TestApp::new().await, TestApp::new().await);
    let (alice, ben) = (app.register("alice").await, elsewhere.register("ben").await);
    furnish(&app, &alice).await;
    rates(&elsewhere, "2026-01-05", &[("JPY", "160"), ("USD", "1.25"), ("CHF", "0.9375")]).await;
    let taken = backup(&alice).await;
    let restored = restore(&ben, &taken).await.ok();
    assert_eq!(restored["figures"], json!({"new": 5, "known": 0}));
    for path in
        ["/api/me/cote", "/api/me/stats/insights", "/api/me/locations", "/api/me/cote/evolution?range=all"]
    {
        assert_eq!(
            essence_elsewhere(&ben.get(path).await.ok()),
            essence_elsewhere(&alice.get(path).await.ok()),
            "{path}"
        );
    }
    assert_eq!(restore(&ben, &taken).await.ok()["figures"], json!({"new": 0, "known": 5}));
}

/// The same where figures and entities have other ids, too.
fn essence_elsewhere(value: &Value) -> Value {
    match essence(value) {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !["figure_id", "slug", "store_id"].contains(&name.as_str()))
            .map(|(name, value)| (name, essence_elsewhere(&value)))
            .collect(),
        Value::Array(items) => items.iter().map(essence_elsewhere).collect(),
        other => other,
    }
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_says_where() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    furnish(&app, &alice).await;
    let good = backup(&alice).await;
    let before = events(&app).await;
    let live = good["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .position(|p| p["preorders"][0]["status"] == "preordered")
        .unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        bad
    };
    for (pointer, value, field) in [
        ("/format", json!("something else"), "format"),
        ("/version", json!(4), "version"),
        ("/settings/nsfw_visibility", json!("perhaps"), "settings.nsfw_visibility"),
        ("/settings/time_zone", json!("Moon/Crater"), "settings.time_zone"),
        ("/settings/preferred_currency", json!("BTC"), "settings.preferred_currency"),
        ("/notifications/digest_at", json!("25:00:00"), "notifications.digest_at"),
        ("/notifications/quiet_from", json!("22:00:00"), "notifications.quiet_until"),
        ("/notifications/routing", json!({"doom": []}), "notifications.routing.doom"),
        (
            "/notifications/routing",
            json!({"wishlist_back_in_stock": ["pigeon"]}),
            "notifications.routing.wishlist_back_in_stock",
        ),
        ("/manga_link", json!({"base_url": "ftp://a.example", "slug": "a"}), "manga_link.base_url"),
        ("/manga_link", json!({"base_url": "https://a.example", "slug": "../a"}), "manga_link.slug"),
        ("/pieces/0/cover", json!({"kind": "photo", "place": -1}), "pieces[0].cover.place"),
        ("/pieces/0/cover", json!({"kind": "poster", "place": 0}), "pieces[0].cover.kind"),
        ("/pieces/0/price_amount", json!("-1"), "pieces[0].price_amount"),
        ("/pieces/0/price_amount", json!("NaN"), "pieces[0].price_amount"),
        ("/pieces/0/price_amount", json!(12.5), "pieces[0].price_amount"),
        ("/pieces/0/price_currency", json!("XXX"), "pieces[0].price_currency"),
        ("/pieces/0/price_fx_rate", json!("0"), "pieces[0].price_fx_rate"),
        ("/pieces/0/figure_id", json!("0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff"), "pieces[0].figure_id"),
        ("/pieces/0/purchase_date", json!("2026-13-01"), "pieces[0].purchase_date"),
        ("/pieces/0/added_at", json!("2999-01-01T00:00:00Z"), "pieces[0].archived_at"),
        ("/pieces/0/condition", json!("shiny"), "pieces[0].condition"),
        ("/pieces/1/id", good["pieces"][0]["id"].clone(), "pieces[1].id"),
        ("/figures/0/name", json!(""), "figures[0].name"),
        ("/wishes/0/max_price_currency", Value::Null, "wishes[0].max_price_currency"),
        ("/cabinets/0/name", json!("x".repeat(121)), "cabinets[0].name"),
    ] {
        let refused = restore(&ben, &changed(pointer, value.clone())).await;
        refused.refused_field(422, "not_a_backup", field);
    }
    let deposit = changed(&format!("/pieces/{live}/preorders/0/deposit_amount"), json!("5000"));
    restore(&ben, &deposit).await.refused_field(
        422,
        "not_a_backup",
        &format!("pieces[{live}].deposit_amount"),
    );
    for text in ["", "{", "[]", "null", "{\"format\": 1}", "\u{0}"] {
        ben.raw(Method::POST, "/api/me/import/backup", text.to_owned()).await.refused(422, "not_a_backup");
    }
    let trailing = format!("{good}{good}");
    ben.raw(Method::POST, "/api/me/import/backup", trailing).await.refused(422, "not_a_backup");
    let torn: String = good.to_string().chars().take(900).collect();
    let torn = ben.raw(Method::POST, "/api/me/import/backup", torn).await.refused(422, "not_a_backup");
    assert!(torn["detail"].as_str().unwrap().contains("line"), "{torn}");
    let mut unknown = good.clone();
    unknown["pieces"][0]["surprise"] = json!(1);
    restore(&ben, &unknown).await.refused(422, "not_a_backup");
    assert_eq!(events(&app).await, before);
    assert_eq!(ben.get("/api/me/owned").await.ok()["items"], json!([]));
    let form = ben
        .send(Method::POST, "/api/me/import/backup", |r| r.header(CONTENT_TYPE, "text/plain").body("x"))
        .await;
    assert_eq!(form.status, 422);
}

#[tokio::test]
async fn more_than_a_page_is_exported_in_order_and_whole() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let mina = listed(&app, "Mina", "10", Currency::Eur).await;
    let taken = backup(&alice).await;
    assert_eq!(taken["pieces"], json!([]));
    let user = crate::owned::user_id(&alice).await;
    let add = |n: u32| domain::commands::AddPiece {
        user_id: user,
        piece_id: domain::ids::PieceId(uuid::Uuid::now_v7()),
        figure_id: mina.parse().unwrap(),
        fields: domain::commands::PieceFields {
            notes: Some(format!("copy {n}").parse().unwrap()),
            ..domain::commands::PieceFields::default()
        },
    };
    for chunk in [0..400, 400..800, 800..1003] {
        run(&app, Some(user), domain::commands::Many(chunk.map(add).collect())).await;
    }
    let head = app.state.store.head().await.unwrap();
    app.folded(head).await;
    let whole = export(&alice, "collection.json").await.ok();
    let notes = |pieces: &Value| {
        pieces
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["notes"].as_str().unwrap().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(notes(&whole).len(), 1003);
    let sheet = export(&alice, "collection.csv").await.text;
    assert_eq!(csv::Reader::from_reader(sheet.as_bytes()).records().map(Result::unwrap).count(), 1003);
    let taken = backup(&alice).await;
    assert_eq!(notes(&taken["pieces"]), notes(&whole));
    assert_eq!(restore(&ben, &taken).await.ok()["pieces"], json!({"new": 1003, "known": 0}));
    assert_eq!(ben.get("/api/me/cote").await.ok()["value_eur"], "10030.00");
}

#[tokio::test]
async fn settings_come_into_an_account_that_never_held_anything_and_make_nothing_public() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let chosen = json!({"nsfw_visibility": "hide", "preferred_currency": "CHF", "time_zone": "Asia/Tokyo",
        "public_profile": true, "public_profile_show_nsfw": true, "public_profile_show_value": true});
    alice.patch("/api/me", chosen).await.ok();
    let mina = listed(&app, "Mina", "10", Currency::Eur).await;
    own(&alice, &mina, json!({})).await;
    let taken = backup(&alice).await;
    assert!(!taken.to_string().contains("example.org"), "no address: {taken}");
    assert_eq!(client_dry_run(&ben, &taken).await["settings"], true);
    assert_eq!(ben.get("/api/me").await.ok()["preferred_currency"], Value::Null);
    assert_eq!(restore(&ben, &taken).await.ok()["settings"], true);
    let his = ben.get("/api/me").await.ok();
    let of = |name: &str| his[name].clone();
    assert_eq!(
        json!([
            of("nsfw_visibility"),
            of("preferred_currency"),
            of("time_zone"),
            of("public_profile_show_value")
        ]),
        json!(["hide", "CHF", "Asia/Tokyo", true])
    );
    assert_eq!((of("public_profile"), of("username")), (json!(false), json!("ben")));
    ben.patch("/api/me", json!({"preferred_currency": "USD"})).await.ok();
    assert_eq!(restore(&ben, &taken).await.ok()["settings"], false);
    assert_eq!(ben.get("/api/me").await.ok()["preferred_currency"], "USD", "what is here stays");

    let mut older = taken.clone();
    older["version"] = json!(1);
    older.as_object_mut().unwrap().remove("settings");
    let cleo = app.register("cleo").await;
    let restored = restore(&cleo, &older).await.ok();
    assert_eq!((&restored["settings"], &restored["pieces"]["new"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn an_export_says_how_many_rows_it_will_have() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    furnish(&app, &alice).await;
    let rows = async |file: &str| export(&alice, file).await.header("x-row-count").to_owned();
    for (file, count) in [("collection.csv", "6"), ("wishlist.json", "1"), ("preorders.csv", "3")] {
        assert_eq!(rows(file).await, count, "{file}");
    }
    let whole = export(&alice, "backup.json").await;
    let lists = ["figures", "cabinets", "pieces", "wishes"];
    let count: usize = lists.iter().map(|list| whole.body[*list].as_array().unwrap().len()).sum();
    assert_eq!(whole.header("x-row-count"), count.to_string());
}
