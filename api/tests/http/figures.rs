use chrono::Utc;
use domain::{
    commands::{AddPiece, PieceFields, PlacePreorder, PreorderFields, SetWish},
    ids::{CommandId, FigureId, PieceId, PreorderId, UserId},
    world::{Circumstances, Command},
};
use event_store::Execution;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, TestApp, TestClient};

const JAN: &str = "4580590123458";
const NOBODY: &str = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff";

/// A figure of this name, with these fields on top.
pub async fn add(client: &TestClient, name: &str, more: Value) -> Value {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/figures", body).await.made()
}

pub fn id(figure: &Value) -> &str {
    figure["id"].as_str().unwrap()
}

pub fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// Somebody's command, and a position at which the read models show it.
pub async fn run<C: Command>(app: &TestApp, user: UserId, command: C) -> String {
    let circumstances = Circumstances {
        actor: Some(user),
        is_admin: false,
        now: Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    };
    let done = app.state.store.execute(&command, &Execution::new(circumstances)).await.unwrap();
    done.position.to_string()
}

pub async fn user_id(client: &TestClient) -> UserId {
    client.get("/api/me").await.ok()["id"].as_str().unwrap().parse().unwrap()
}

pub async fn get_at(client: &TestClient, path: &str, position: &str) -> Value {
    client.send(Method::GET, path, |request| request.header("x-min-position", position)).await.ok()
}

pub async fn owns(app: &TestApp, user_id: UserId, figure: &Value) -> String {
    let (piece_id, figure_id) = (PieceId(Uuid::now_v7()), id(figure).parse::<FigureId>().unwrap());
    run(app, user_id, AddPiece { user_id, piece_id, figure_id, fields: PieceFields::default() }).await
}

pub async fn wishes(app: &TestApp, user_id: UserId, figure: &Value) -> String {
    let figure_id = id(figure).parse().unwrap();
    run(app, user_id, SetWish { user_id, figure_id, expected: None, target: None, note: None }).await
}

pub async fn preorders(app: &TestApp, user_id: UserId, figure: &Value) -> String {
    let command = PlacePreorder {
        user_id,
        piece_id: PieceId(Uuid::now_v7()),
        preorder_id: PreorderId(Uuid::now_v7()),
        figure_id: id(figure).parse().unwrap(),
        piece: PieceFields::default(),
        preorder: PreorderFields::default(),
    };
    run(app, user_id, command).await
}

fn whole() -> Value {
    json!({
        "name": "  Harbour Pilot Mina ",
        "figure_type": "scale",
        "manufacturer": "Good Smile Company",
        "sculptor": "Aoi Hoshi",
        "series": ["Tides of Cobalt", "タイズ"],
        "characters": ["Mina"],
        "scale": "1/7",
        "height_mm": 240,
        "materials": "PVC, ABS",
        "release_date": "2027-05",
        "releases": [{"release_date": "2028-11-20"}, {"release_date": "2027-12-31", "release_date_precision": "year"}],
        "msrp_amount": "19800.00",
        "msrp_currency": "JPY",
        "jan": "4580590-123458",
        "mfc_id": 4711,
        "version_name": "Storm Ver.",
        "edition": "DX",
        "official_image_url": "https://example.com/mina.jpg",
        "description": "Two lines:\nthis is the second.",
        "is_nsfw": false,
        "buy_links": [
            {"store": "Harbour Hobby", "path": "/item/1"},
            {"store": "harbour  hobby", "path": "https://example.com/2"}
        ]
    })
}

#[tokio::test]
async fn the_catalogue_is_for_the_signed_in_and_merging_for_admins() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = add(&alice, "Mina", json!({})).await;
    let path = format!("/api/figures/{}", id(&mina));
    let anybody = app.visitor();
    for path in ["/api/figures", "/api/figures/facets", "/api/figures/by-jan?jan=1", path.as_str()] {
        anybody.get(path).await.refused(401, "not_signed_in");
    }
    anybody.post("/api/figures", json!({"name": "x"})).await.refused(401, "not_signed_in");
    anybody.patch(&path, json!({})).await.refused(401, "not_signed_in");
    anybody.post(&format!("{path}/merge"), json!({"into": NOBODY})).await.refused(401, "not_signed_in");
    alice.post(&format!("{path}/merge"), json!({"into": NOBODY})).await.refused(403, "admin_only");
    // They learn so before their body is looked at.
    alice.post(&format!("{path}/merge"), json!([])).await.refused(403, "admin_only");
}

#[tokio::test]
async fn a_figure_reads_as_it_was_added() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let answer = alice.post("/api/figures", whole()).await;
    let place = answer.header("location").to_owned();
    let tag = answer.header("etag").to_owned();
    assert!(answer.header("x-event-position").parse::<i64>().unwrap() > 0);
    assert_eq!(tag, "\"1\"");
    let made = answer.made();
    assert_eq!(place, format!("/api/figures/{}", id(&made)));
    for (field, value) in [
        ("name", json!("Harbour Pilot Mina")),
        ("figure_type", json!("scale")),
        ("scale", json!("1/7")),
        ("height_mm", json!(240)),
        ("materials", json!("PVC, ABS")),
        ("release_date", json!("2027-01-01")),
        ("release_date_precision", json!("year")),
        (
            "releases",
            json!([
                {"release_date": "2027-01-01", "release_date_precision": "year"},
                {"release_date": "2027-05-01", "release_date_precision": "month"},
                {"release_date": "2028-11-20", "release_date_precision": "day"}
            ]),
        ),
        ("msrp_amount", json!("19800")),
        ("msrp_currency", json!("JPY")),
        ("jan", json!(JAN)),
        ("mfc_id", json!(4711)),
        ("version_name", json!("Storm Ver.")),
        ("edition", json!("DX")),
        ("official_image_url", json!("https://example.com/mina.jpg")),
        ("description", json!("Two lines:\nthis is the second.")),
        ("is_nsfw", json!(false)),
        ("blurred", json!(false)),
        ("viewer", Value::Null),
        ("can_edit", json!(true)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["manufacturer"]["slug"], "good-smile-company");
    assert_eq!(made["sculptor"]["name"], "Aoi Hoshi");
    assert_eq!(names(&made["series"]), ["Tides of Cobalt", "タイズ"]);
    assert_eq!(names(&made["characters"]), ["Mina"]);
    let links = made["buy_links"].as_array().unwrap();
    assert_eq!(links.len(), 2);
    assert_eq!(links[0]["store"], links[1]["store"], "two spellings are one store");
    assert_eq!(links[1]["path"], "https://example.com/2");

    let read = alice.get(&place).await;
    assert_eq!(read.header("etag"), tag);
    assert_eq!(read.ok(), made);
    let slug = made["slug"].as_str().unwrap();
    assert!(slug.starts_with("harbour-pilot-mina-"), "{slug}");
    assert_eq!(alice.get(&format!("/api/figures/{slug}")).await.ok(), made);
    let bob = app.register("bob").await;
    assert_eq!(bob.get(&place).await.ok()["can_edit"], false);
}

#[tokio::test]
async fn a_name_is_enough() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = add(&alice, "初音ミク", json!({})).await;
    assert_eq!(made["figure_type"], "other");
    assert_eq!(made["release_date"], Value::Null);
    assert_eq!(made["releases"], json!([]));
    assert_eq!(made["manufacturer"], Value::Null);
    // Every optional field may also be null.
    let mut nulls = json!({"name": "初音ミク"});
    for field in [
        "figure_type",
        "manufacturer",
        "sculptor",
        "scale",
        "height_mm",
        "materials",
        "release_date",
        "release_date_precision",
        "msrp_amount",
        "msrp_currency",
        "jan",
        "version_name",
        "edition",
        "official_image_url",
        "description",
        "mfc_id",
    ] {
        nulls[field] = Value::Null;
    }
    let twin = alice.post("/api/figures", nulls).await.made();
    assert_ne!(twin["slug"], made["slug"], "figures of one name have slugs of their own");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field_and_leaves_no_event() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let before: i64 = app.scalar("SELECT count(*) FROM events").await;
    let many = |value: Value| Value::Array(vec![value; 51]);
    let numbered: Vec<String> = (0..51).map(|n| format!("Name {n}")).collect();
    let cases = [
        (json!({"name": "🎌🎌"}), "invalid_name", "name"),
        (json!({"name": " "}), "invalid_field", "name"),
        (json!({"name": 7}), "invalid_field", "name"),
        (json!({"name": null}), "invalid_field", "name"),
        (json!({"name": "a\u{0}b"}), "invalid_field", "name"),
        (json!({"name": "a\u{1b}b"}), "invalid_field", "name"),
        (json!({"name": "x".repeat(301)}), "invalid_field", "name"),
        (json!({}), "missing_field", "name"),
        (json!({"name": "x", "figure_type": "spaceship"}), "unknown_figure_type", "figure_type"),
        (json!({"name": "x", "figure_type": "Scale!"}), "unknown_figure_type", "figure_type"),
        (json!({"name": "x", "figure_type": ""}), "unknown_figure_type", "figure_type"),
        (json!({"name": "x", "figure_type": 1}), "invalid_field", "figure_type"),
        (json!({"name": "x", "manufacturer": "🎌"}), "invalid_name", "manufacturer"),
        (json!({"name": "x", "manufacturer": {"id": NOBODY}}), "invalid_field", "manufacturer"),
        (json!({"name": "x", "series": "Vocaloid"}), "invalid_field", "series"),
        (json!({"name": "x", "series": ["a", "\n"]}), "invalid_field", "series[1]"),
        (json!({"name": "x", "series": ["!!"]}), "invalid_name", "series"),
        (json!({"name": "x", "series": numbered}), "too_many", "series"),
        (json!({"name": "x", "characters": numbered}), "too_many", "characters"),
        (json!({"name": "x", "releases": many(json!({"release_date": "2027"}))}), "too_many", "releases"),
        (
            json!({"name": "x", "buy_links": many(json!({"store": "s", "path": "p"}))}),
            "too_many",
            "buy_links",
        ),
        (json!({"name": "x", "height_mm": 0}), "invalid_field", "height_mm"),
        (json!({"name": "x", "height_mm": 10_001}), "invalid_field", "height_mm"),
        (json!({"name": "x", "height_mm": 1.5}), "invalid_field", "height_mm"),
        (json!({"name": "x", "height_mm": "240"}), "invalid_field", "height_mm"),
        (json!({"name": "x", "msrp_amount": 19800, "msrp_currency": "JPY"}), "invalid_amount", "msrp_amount"),
        (
            json!({"name": "x", "msrp_amount": "1.234", "msrp_currency": "EUR"}),
            "invalid_amount",
            "msrp_amount",
        ),
        (json!({"name": "x", "msrp_amount": "-1", "msrp_currency": "EUR"}), "invalid_amount", "msrp_amount"),
        (json!({"name": "x", "msrp_amount": "1e3", "msrp_currency": "EUR"}), "invalid_amount", "msrp_amount"),
        (
            json!({"name": "x", "msrp_amount": "10000000000", "msrp_currency": "EUR"}),
            "invalid_amount",
            "msrp_amount",
        ),
        (
            json!({"name": "x", "msrp_amount": "9".repeat(80), "msrp_currency": "EUR"}),
            "invalid_amount",
            "msrp_amount",
        ),
        (
            json!({"name": "x", "msrp_amount": "100.50", "msrp_currency": "JPY"}),
            "invalid_amount",
            "msrp_amount",
        ),
        (
            json!({"name": "x", "msrp_amount": "1", "msrp_currency": "BTC"}),
            "unknown_currency",
            "msrp_currency",
        ),
        (json!({"name": "x", "msrp_amount": "1", "msrp_currency": 5}), "unknown_currency", "msrp_currency"),
        (json!({"name": "x", "msrp_amount": "1"}), "currency_missing", "msrp_currency"),
        (json!({"name": "x", "msrp_currency": "EUR"}), "currency_missing", "msrp_amount"),
        (json!({"name": "x", "release_date": "1890-01-01"}), "invalid_date", "release_date"),
        (json!({"name": "x", "release_date": "2101"}), "invalid_date", "release_date"),
        (json!({"name": "x", "release_date": "2027-02-30"}), "invalid_date", "release_date"),
        (json!({"name": "x", "release_date": "2027-13"}), "invalid_date", "release_date"),
        (json!({"name": "x", "release_date": 2027}), "invalid_date", "release_date"),
        (json!({"name": "x", "release_date_precision": "month"}), "invalid_field", "release_date_precision"),
        (
            json!({"name": "x", "release_date": "2027-05-01", "release_date_precision": "week"}),
            "invalid_field",
            "release_date_precision",
        ),
        (
            json!({"name": "x", "release_date": "2027-05", "release_date_precision": "day"}),
            "invalid_field",
            "release_date_precision",
        ),
        (
            json!({"name": "x", "releases": [{"release_date": "2027"}, {"release_date": "soon"}]}),
            "invalid_date",
            "releases[1].release_date",
        ),
        (json!({"name": "x", "releases": [{}]}), "missing_field", "releases[0].release_date"),
        (json!({"name": "x", "jan": "4580590123456"}), "invalid_jan", "jan"),
        (json!({"name": "x", "jan": 4_580_590_123_458_i64}), "invalid_jan", "jan"),
        (json!({"name": "x", "jan": ""}), "invalid_jan", "jan"),
        (json!({"name": "x", "mfc_id": 0}), "invalid_field", "mfc_id"),
        (json!({"name": "x", "mfc_id": -5}), "invalid_field", "mfc_id"),
        (json!({"name": "x", "mfc_id": "5"}), "invalid_field", "mfc_id"),
        (
            json!({"name": "x", "official_image_url": "javascript:alert(1)"}),
            "invalid_field",
            "official_image_url",
        ),
        (json!({"name": "x", "description": "x".repeat(10_001)}), "invalid_field", "description"),
        (json!({"name": "x", "is_nsfw": "yes"}), "invalid_field", "is_nsfw"),
        (json!({"name": "x", "buy_links": [{"store": "s"}]}), "missing_field", "buy_links[0].path"),
        (json!({"name": "x", "buy_links": [{"store": "🎌", "path": "/"}]}), "invalid_name", "buy_links"),
        (
            json!({"name": "x", "buy_links": [{"store": "s", "path": "JavaScript:alert(1)"}]}),
            "invalid_field",
            "buy_links[0].path",
        ),
        (json!({"name": "x", "slug": "mine"}), "unknown_field", "slug"),
        (json!({"name": "x", "created_by": NOBODY}), "unknown_field", "created_by"),
        (
            json!({"name": "x", "buy_links": [{"store": "s", "path": "p", "x": 1}]}),
            "unknown_field",
            "buy_links[0].x",
        ),
    ];
    for (body, code, field) in cases {
        alice.post("/api/figures", body).await.refused_field(422, code, field);
    }
    alice.post("/api/figures", json!(["x"])).await.refused(422, "invalid_field");
    alice.raw(Method::POST, "/api/figures", "{\"name\": \"x\"").await.refused(400, "malformed_json");
    alice
        .raw(Method::POST, "/api/figures", b"{\"name\": \"\xff\"}".to_vec())
        .await
        .refused(400, "malformed_json");
    let large = json!({"name": "x", "description": "x".repeat(70_000)});
    alice.post("/api/figures", large).await.refused(413, "body_too_large");
    let after: i64 = app.scalar("SELECT count(*) FROM events").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_is_no_figure_is_not_found() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let mina = add(&boss, "Mina", json!({})).await;
    let at = |key: &str| format!("/api/figures/{key}");
    for key in
        [NOBODY, "no-such-slug", "%F0%9F%8E%8C", "%F0%9F%8E%8C%20%27--", "mina", "a%00b", "..%2F..%2Fetc"]
    {
        for answer in [
            boss.get(&at(key)).await,
            boss.patch(&at(key), json!({"name": "x"})).await,
            boss.post(&at(&format!("{key}/merge")), json!({"into": id(&mina)})).await,
        ] {
            assert_eq!(answer.status, 404, "{}", answer.text);
        }
    }
    boss.get(&at("%ff")).await.refused(400, "malformed_path");
    boss.get(&at(id(&mina)).to_uppercase().replace("/API/FIGURES", "/api/figures")).await.ok();
    for into in [NOBODY, "no-such-slug", "🎌", ""] {
        boss.post(&at(&format!("{}/merge", id(&mina))), json!({"into": into})).await.refused_field(
            404,
            "figure_not_found",
            "into",
        );
    }
    boss.post(&at(&format!("{}/merge", id(&mina))), json!({})).await.refused_field(
        422,
        "missing_field",
        "into",
    );
}

#[tokio::test]
async fn a_figure_is_corrected_field_by_field() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mut body = whole();
    body.as_object_mut().unwrap().remove("releases");
    let made = alice.post("/api/figures", body).await.made();
    let path = format!("/api/figures/{}", id(&made));
    for (field, value) in [
        ("name", json!("Mina, Harbour Pilot")),
        ("figure_type", json!("statue")),
        ("scale", json!("1/8")),
        ("height_mm", json!(230)),
        ("materials", Value::Null),
        ("version_name", json!("Calm Ver.")),
        ("edition", Value::Null),
        ("official_image_url", Value::Null),
        ("description", json!("Short.")),
        ("jan", json!("96385074")),
        ("mfc_id", Value::Null),
        ("is_nsfw", json!(true)),
    ] {
        let after = alice.patch(&path, json!({field: value})).await.ok();
        assert_eq!(after[field], value, "{field}");
        assert_eq!(alice.get(&path).await.ok(), after, "{field}: read again");
    }
    let after = alice.patch(&path, json!({})).await.ok();
    assert_eq!(after["slug"], made["slug"], "the slug survives renames");
    assert_eq!(after["msrp_amount"], "19800", "what is not named stays");

    let after = alice.patch(&path, json!({"manufacturer": "ALTER", "sculptor": null})).await.ok();
    assert_eq!((&after["manufacturer"]["name"], &after["sculptor"]), (&json!("ALTER"), &Value::Null));
    let after = alice.patch(&path, json!({"series": ["タイズ"], "characters": null})).await.ok();
    assert_eq!(names(&after["series"]), ["タイズ"]);
    assert_eq!(after["characters"], json!([]));
    let after = alice.patch(&path, json!({"msrp_amount": "129.90", "msrp_currency": "EUR"})).await.ok();
    assert_eq!((&after["msrp_amount"], &after["msrp_currency"]), (&json!("129.90"), &json!("EUR")));
    let after = alice.patch(&path, json!({"msrp_amount": null})).await.ok();
    assert_eq!((&after["msrp_amount"], &after["msrp_currency"]), (&Value::Null, &Value::Null));
    let after = alice.patch(&path, json!({"buy_links": [{"store": "New Shop", "path": "/1"}]})).await.ok();
    assert_eq!(after["buy_links"][0]["store"]["name"], "New Shop");
    let after = alice.patch(&path, json!({"buy_links": []})).await.ok();
    assert_eq!(after["buy_links"], json!([]));
}

#[tokio::test]
async fn a_new_date_takes_the_place_of_the_first_release_and_re_runs_stay() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made =
        add(&alice, "Mina", json!({"releases": [{"release_date": "2027-05"}, {"release_date": "2029"}]}))
            .await;
    let path = format!("/api/figures/{}", id(&made));
    let dates = |figure: &Value| -> Vec<String> {
        let all = figure["releases"].as_array().unwrap();
        all.iter().map(|one| one["release_date"].as_str().unwrap().to_owned()).collect()
    };
    let after = alice.patch(&path, json!({"release_date": "2027-08-17"})).await.ok();
    assert_eq!(dates(&after), ["2027-08-17", "2029-01-01"]);
    assert_eq!(
        (&after["release_date"], &after["release_date_precision"]),
        (&json!("2027-08-17"), &json!("day"))
    );
    let after = alice.patch(&path, json!({"release_date": null})).await.ok();
    assert_eq!(dates(&after), ["2029-01-01"]);
    assert_eq!(after["release_date_precision"], "year");
    let after = alice
        .patch(&path, json!({"releases": [{"release_date": "2031"}], "release_date": "2030"}))
        .await
        .ok();
    assert_eq!(dates(&after), ["2030-01-01", "2031-01-01"]);
    let after = alice.patch(&path, json!({"releases": null})).await.ok();
    assert_eq!((dates(&after).len(), &after["release_date"]), (0, &Value::Null));
    let after = alice.patch(&path, json!({"release_date": "2027-05"})).await.ok();
    assert_eq!(dates(&after), ["2027-05-01"]);
    alice.patch(&path, json!({"release_date_precision": "year"})).await.refused_field(
        422,
        "invalid_field",
        "release_date_precision",
    );
}

#[tokio::test]
async fn a_correction_that_makes_no_sense_changes_nothing() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = alice.post("/api/figures", whole()).await.made();
    let path = format!("/api/figures/{}", id(&made));
    let before: i64 = app.scalar("SELECT count(*) FROM events").await;
    for (body, code, field) in [
        (json!({"name": null}), "invalid_field", "name"),
        (json!({"name": "🎌", "scale": "1/1"}), "invalid_name", "name"),
        (json!({"figure_type": null}), "invalid_field", "figure_type"),
        (json!({"figure_type": "spaceship"}), "unknown_figure_type", "figure_type"),
        (json!({"is_nsfw": null}), "invalid_field", "is_nsfw"),
        (json!({"msrp_amount": "5"}), "currency_missing", "msrp_currency"),
        (json!({"msrp_currency": "EUR"}), "currency_missing", "msrp_amount"),
        (json!({"msrp_amount": "5.5", "msrp_currency": "JPY"}), "invalid_amount", "msrp_amount"),
        (json!({"jan": "4580590123456"}), "invalid_jan", "jan"),
        (json!({"mfc_id": 0, "scale": "1/1"}), "invalid_field", "mfc_id"),
        (json!({"release_date": "1066"}), "invalid_date", "release_date"),
        (json!({"series": [null]}), "invalid_field", "series[0]"),
        (json!({"slug": "x"}), "unknown_field", "slug"),
    ] {
        alice.patch(&path, body).await.refused_field(422, code, field);
    }
    let after: i64 = app.scalar("SELECT count(*) FROM events").await;
    assert_eq!(after, before);
    assert_eq!(alice.get(&path).await.ok(), made);
}

#[tokio::test]
async fn only_who_added_a_figure_and_admins_change_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let boss = app.register_admin("boss").await;
    let made = add(&alice, "Mina", json!({})).await;
    let path = format!("/api/figures/{}", id(&made));
    bob.patch(&path, json!({"name": "Mine"})).await.refused(403, "not_allowed");
    alice.patch(&path, json!({"scale": "1/7"})).await.ok();
    let after = boss.patch(&path, json!({"name": "Mina!"})).await.ok();
    assert_eq!((&after["name"], &after["can_edit"]), (&json!("Mina!"), &json!(true)));
}

#[tokio::test]
async fn a_figure_keeps_a_type_that_was_taken_off_the_list() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let made = add(&boss, "Mina", json!({"figure_type": "prize"})).await;
    let list = json!({"items": [{"code": "scale", "label": "Scale"}]});
    boss.put("/api/admin/figure-types", list).await.ok();
    let path = format!("/api/figures/{}", id(&made));
    let after = boss.patch(&path, json!({"figure_type": "prize", "scale": "1/7"})).await.ok();
    assert_eq!(after["figure_type"], "prize");
    boss.patch(&path, json!({"figure_type": "figma"})).await.refused(422, "unknown_figure_type");
    boss.post("/api/figures", json!({"name": "x", "figure_type": "prize"}))
        .await
        .refused(422, "unknown_figure_type");
    let facets = boss.get("/api/figures/facets").await.ok();
    assert_eq!(facets["type"], json!([{"code": "prize", "label": "prize", "count": 1}]));
}

#[tokio::test]
async fn who_saw_an_older_version_is_told_so() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let answer = alice.post("/api/figures", json!({"name": "Mina"})).await;
    let first = answer.header("etag").to_owned();
    let path = answer.header("location").to_owned();
    let rename = async |name: &str, tag: &str| {
        alice.send(Method::PATCH, &path, |r| r.header("if-match", tag).json(&json!({"name": name}))).await
    };
    let renamed = rename("Two", &first).await;
    let second = renamed.header("etag").to_owned();
    renamed.ok();
    assert_ne!(first, second);
    rename("Three", &first).await.refused_field(412, "stale_version", "If-Match");
    assert_eq!(alice.get(&path).await.header("etag"), second);
    rename("Three", &second).await.ok();
    rename("Four", "*").await.ok();
    rename("Five", "oops").await.refused(400, "invalid_header");
}

#[tokio::test]
async fn a_request_sent_twice_adds_one_figure() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let send = async |client: &TestClient, body: Value| {
        client.send(Method::POST, "/api/figures", |r| r.header("idempotency-key", "once").json(&body)).await
    };
    let first = send(&alice, json!({"name": "Mina"})).await;
    let again = send(&alice, json!({"name": "Mina"})).await;
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(first.made(), again.made());
    send(&alice, json!({"name": "Nami"})).await.refused(422, "idempotency_key_reused");
    let bob = app.register("bob").await;
    send(&bob, json!({"name": "Nami"})).await.made();
    let count: i64 = app.scalar("SELECT count(*) FROM events WHERE event_type = 'figure.catalogued'").await;
    assert_eq!(count, 2);
}

#[tokio::test]
async fn codes_belong_to_one_figure() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let first = add(&alice, "Mina", json!({"jan": JAN, "mfc_id": 5})).await;
    let refused = alice.post("/api/figures", json!({"name": "Nami", "jan": JAN})).await;
    let refused = refused.refused_field(409, "jan_taken", "jan");
    assert_eq!(refused["figure_id"], first["id"]);
    let refused = alice.post("/api/figures", json!({"name": "Nami", "mfc_id": 5})).await;
    assert_eq!(refused.refused_field(409, "mfc_id_taken", "mfc_id")["figure_id"], first["id"]);
    let second = add(&alice, "Nami", json!({})).await;
    let path = format!("/api/figures/{}", id(&second));
    let refused = alice.patch(&path, json!({"jan": JAN})).await.refused_field(409, "jan_taken", "jan");
    assert_eq!(refused["figure_id"], first["id"]);
    // Once it is given back, it may be taken.
    alice.patch(&format!("/api/figures/{}", id(&first)), json!({"jan": null})).await.ok();
    assert_eq!(alice.patch(&path, json!({"jan": JAN})).await.ok()["jan"], JAN);
}

#[tokio::test]
async fn of_many_who_add_the_same_barcode_at_once_one_does_and_the_others_learn_which_has_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let body = |name: &str| json!({"name": name, "jan": JAN, "manufacturer": "Alter", "series": ["Tides"]});
    for round in 0..5 {
        let jan = ["4580590123458", "96385074", "036000291452", "4006381333931", "5901234123457"][round];
        let with = |name: &str| {
            let mut body = body(name);
            body["jan"] = json!(jan);
            body
        };
        let answers: Vec<Answer> = futures::future::join_all([
            alice.post("/api/figures", with("A")),
            bob.post("/api/figures", with("B")),
            alice.post("/api/figures", with("C")),
            bob.post("/api/figures", with("D")),
        ])
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|one| one.status == 201);
        assert_eq!(made.len(), 1, "{:?}", refused);
        let made = made.into_iter().next().unwrap().made();
        for answer in refused {
            assert_eq!(answer.refused_field(409, "jan_taken", "jan")["figure_id"], made["id"]);
        }
    }
    let count: i64 = app.scalar("SELECT count(*) FROM figures").await;
    assert_eq!(count, 5);
    let makers: i64 = app.scalar("SELECT count(*) FROM manufacturers").await;
    assert_eq!(makers, 1, "the maker that all of them named first is one");
}

#[tokio::test]
async fn a_barcode_is_found_however_it_is_written_and_a_miss_is_an_answer() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = add(&alice, "Mina", json!({"jan": "036000291452"})).await;
    for jan in ["036000291452", "0036000291452", "0-36000-29145-2", "036000%20291452"] {
        let found = alice.get(&format!("/api/figures/by-jan?jan={jan}")).await.ok();
        assert_eq!(found["figure"], made, "{jan}");
    }
    let missed = alice.get("/api/figures/by-jan?jan=4580590123458").await.ok();
    assert_eq!(missed, json!({"figure": null}));
    for jan in ["4580590123456", "123", "abc", "", "%F0%9F%8E%8C"] {
        alice.get(&format!("/api/figures/by-jan?jan={jan}")).await.refused_field(422, "invalid_jan", "jan");
    }
    alice.get("/api/figures/by-jan").await.refused_field(422, "missing_field", "jan");
    alice.get("/api/figures/by-jan?jam=1").await.refused(422, "unknown_parameter");
}

#[tokio::test]
async fn each_figure_carries_one_marker_of_the_viewer() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let me = user_id(&alice).await;
    let wished = add(&alice, "Wished", json!({})).await;
    let owned = add(&alice, "Owned", json!({})).await;
    let coming = add(&alice, "Coming", json!({})).await;
    let both = add(&alice, "Both", json!({})).await;
    add(&alice, "Neither", json!({})).await;
    wishes(&app, me, &wished).await;
    owns(&app, me, &owned).await;
    preorders(&app, me, &coming).await;
    owns(&app, me, &both).await;
    let position = preorders(&app, me, &both).await;
    let markers = |list: &Value| -> Vec<(String, Value)> {
        let mut all: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["name"].as_str().unwrap().to_owned(), one["viewer"].clone()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    let list = get_at(&alice, "/api/figures", &position).await;
    let expected = [
        ("Both", json!("preordered")),
        ("Coming", json!("preordered")),
        ("Neither", Value::Null),
        ("Owned", json!("owned")),
        ("Wished", json!("wished")),
    ];
    assert_eq!(markers(&list), expected.map(|(name, marker)| (name.to_owned(), marker)));
    for (figure, marker) in
        [(&wished, "wished"), (&owned, "owned"), (&coming, "preordered"), (&both, "preordered")]
    {
        assert_eq!(alice.get(&format!("/api/figures/{}", id(figure))).await.ok()["viewer"], marker);
        assert_eq!(bob.get(&format!("/api/figures/{}", id(figure))).await.ok()["viewer"], Value::Null);
    }
    for (relation, expected) in
        [("wished", vec!["Wished"]), ("owned", vec!["Both", "Owned"]), ("preordered", vec!["Both", "Coming"])]
    {
        let list = alice.get(&format!("/api/figures?relation={relation}")).await.ok();
        let found: Vec<String> = markers(&list).into_iter().map(|one| one.0).collect();
        assert_eq!(found, expected, "{relation}");
        let none = bob.get(&format!("/api/figures?relation={relation}")).await.ok();
        assert_eq!(none["items"], json!([]));
    }
}

#[tokio::test]
async fn nsfw_figures_are_hidden_blurred_or_shown_as_each_wants() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = add(&alice, "Night Mina", json!({"is_nsfw": true, "jan": JAN, "manufacturer": "Alter"})).await;
    add(&alice, "Day Mina", json!({"manufacturer": "Alter"})).await;
    let path = format!("/api/figures/{}", id(&made));
    let slug_path = format!("/api/figures/{}", made["slug"].as_str().unwrap());
    let count = async || {
        let list = alice.get("/api/figures?q=mina").await.ok()["items"].as_array().unwrap().len();
        let facets = alice.get("/api/figures/facets").await.ok();
        let makers = alice.get("/api/manufacturers").await.ok();
        assert_eq!(facets["total"], makers["items"][0]["figure_count"]);
        assert_eq!(facets["manufacturer"][0]["count"], facets["total"]);
        assert_eq!(facets["total"], list);
        list
    };
    // Blurring is the default.
    assert_eq!(alice.get(&path).await.ok()["blurred"], true);
    assert_eq!(count().await, 2);

    alice.patch("/api/me", json!({"nsfw_visibility": "show"})).await.ok();
    assert_eq!(alice.get(&path).await.ok()["blurred"], false);
    assert_eq!(count().await, 2);

    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    assert_eq!(count().await, 1);
    let gate = json!({"id": made["id"], "is_nsfw": true, "nsfw_gate": true});
    assert_eq!(alice.get(&path).await.ok(), gate);
    assert_eq!(alice.get(&slug_path).await.ok(), gate);
    assert_eq!(alice.get(&format!("/api/figures/by-jan?jan={JAN}")).await.ok(), json!({"figure": gate}));
    let opened = alice.get(&format!("{path}?confirm_nsfw=true")).await.ok();
    assert_eq!((&opened["name"], &opened["blurred"]), (&json!("Night Mina"), &json!(true)));
    let opened = alice.get(&format!("/api/figures/by-jan?jan={JAN}&confirm_nsfw=true")).await.ok();
    assert_eq!(opened["figure"]["name"], "Night Mina");
    alice.get(&format!("{path}?confirm_nsfw=maybe")).await.refused_field(
        422,
        "invalid_field",
        "confirm_nsfw",
    );
}

#[tokio::test]
async fn everything_of_a_merged_figure_is_the_winners() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let alice = app.register("alice").await;
    let me = user_id(&alice).await;
    let loser = add(
        &alice,
        "Mina (double)",
        json!({
            "jan": JAN, "mfc_id": 7, "series": ["Tides", "Waves"], "sculptor": "Aoi",
            "buy_links": [{"store": "Harbour", "path": "/1"}]
        }),
    )
    .await;
    let winner = add(&alice, "Mina", json!({"series": ["Tides"]})).await;
    let third = add(&alice, "Mina the third", json!({"mfc_id": 8})).await;
    owns(&app, me, &loser).await;
    wishes(&app, me, &third).await;
    let path = |figure: &Value| format!("/api/figures/{}", id(figure));

    let answer = boss.post(&format!("{}/merge", path(&loser)), json!({"into": winner["slug"]})).await;
    let position = answer.header("x-event-position").to_owned();
    let tag = answer.header("etag").to_owned();
    let merged = answer.ok();
    assert_eq!((&merged["id"], &merged["name"]), (&winner["id"], &json!("Mina")));
    assert_eq!((&merged["jan"], &merged["mfc_id"]), (&json!(JAN), &json!(7)));
    assert_eq!(names(&merged["series"]), ["Tides", "Waves"]);
    assert_eq!(merged["sculptor"]["name"], "Aoi");
    assert_eq!(merged["buy_links"][0]["path"], "/1");
    let seen = get_at(&alice, &path(&winner), &position).await;
    assert_eq!(seen["viewer"], "owned");
    let loser_slug = format!("/api/figures/{}", loser["slug"].as_str().unwrap());
    for place in [path(&loser), loser_slug.clone(), path(&winner)] {
        let answer = alice.get(&place).await;
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.ok(), seen, "{place}");
    }
    assert_eq!(alice.get(&format!("/api/figures/by-jan?jan={JAN}")).await.ok()["figure"], seen);
    assert_eq!(alice.get("/api/figures?relation=owned").await.ok()["items"][0]["id"], winner["id"]);
    let names_left = alice.get("/api/figures?q=mina").await.ok();
    assert_eq!(names_left["items"].as_array().unwrap().len(), 2);

    // What it gained can be corrected like anything else.
    let after =
        alice.patch(&path(&loser), json!({"series": ["Tides"], "buy_links": [], "name": "Mina!"})).await.ok();
    assert_eq!((&after["id"], &after["name"]), (&winner["id"], &json!("Mina!")));
    assert_eq!(names(&after["series"]), ["Tides"]);
    assert_eq!(after["buy_links"], json!([]));

    let merge = async |from: &Value, into: &Value| {
        boss.post(&format!("{}/merge", path(from)), json!({"into": into["id"]})).await
    };
    merge(&loser, &winner).await.refused_field(409, "merge_impossible", "into");
    merge(&winner, &winner).await.refused_field(409, "merge_impossible", "into");
    merge(&winner, &loser).await.refused_field(409, "merge_impossible", "into");
    merge(&loser, &third).await.refused(409, "already_merged");
    // A chain is followed to its end.
    merge(&winner, &third).await.ok();
    for place in [path(&loser), loser_slug, path(&winner)] {
        assert_eq!(alice.get(&place).await.ok()["id"], third["id"], "{place}");
    }
    let refused =
        alice.post("/api/figures", json!({"name": "x", "jan": JAN})).await.refused(409, "jan_taken");
    assert_eq!(refused["figure_id"], third["id"]);
    assert_eq!(alice.get(&path(&third)).await.ok()["viewer"], "owned", "owning comes before wishing");
}

#[tokio::test]
async fn a_merge_sent_twice_is_one_merge() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let (a, b) = (add(&boss, "A", json!({})).await, add(&boss, "B", json!({})).await);
    let path = format!("/api/figures/{}/merge", id(&a));
    for _ in 0..2 {
        let body = json!({"into": id(&b)});
        let answer =
            boss.send(Method::POST, &path, |r| r.header("idempotency-key", "m").json(&body)).await.ok();
        assert_eq!(answer["id"], b["id"]);
    }
}

#[tokio::test]
async fn a_write_stands_while_the_read_models_are_behind() {
    let mut app = TestApp::new().await;
    let alice = app.register("alice").await;
    app.stop_folding().await;
    let answer = alice.post("/api/figures", json!({"name": "Mina"})).await;
    let (place, position) =
        (answer.header("location").to_owned(), answer.header("x-event-position").to_owned());
    assert_eq!(answer.of(202)["code"], "read_model_behind");
    let early = alice.send(Method::GET, &place, |r| r.header("x-min-position", &position)).await;
    early.refused(503, "read_model_behind");
    let _folding = app.state.projections.run();
    assert_eq!(get_at(&alice, &place, &position).await["name"], "Mina");
}
