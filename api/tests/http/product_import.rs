//! `/api/figures/import`: shown, then saved; the same again is the same, and nothing is doubled.

use axum::{Router, http::header, routing::get};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    external::shops,
    market::Fake,
    support::{Answer, TestApp, TestClient},
};

const ITEM: &str = include_str!("../../../workers/fixtures/mfc/item.html");

fn maris() -> Value {
    json!({
        "url": "https://harbour.example/item/1?ref=a", "title": "Maris: Storm Lantern",
        "manufacturer": "tidewater  figures", "character": "Maris", "series": "The Lighthouse Choir", "scale": "1/7",
        "height_mm": 240, "materials": "PVC, ABS", "price": {"amount": "1280", "currency": "HKD"},
        "release_date": "2027-05", "description": "With lantern.", "status": "preorder",
        "versions": [
            {"label": "Dusk Ver.", "price": {"amount": "139.90"}},
            {"label": "Dawn Ver.", "price": {"amount": "5000", "currency": "TWD"}}
        ]
    })
}
const MARIS: &str = "https://harbour.example/item/1?ref=a";

async fn import(client: &TestClient, body: Value) -> Answer {
    client.post("/api/figures/import", body).await
}

async fn figures(client: &TestClient) -> usize {
    client.get("/api/figures").await.ok()["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_shown_and_then_saved_and_again_it_is_there() {
    let (app, _market) = shops(&[maris()]).await;
    let alice = app.register("alice").await;
    let maker = json!({"name": "Akari", "manufacturer": "Tidewater Figures"});
    let maker = alice.post("/api/figures", maker).await.made()["manufacturer"]["id"].clone();

    let shown = import(&alice, json!({"url": MARIS, "preview": true})).await.ok();
    assert_eq!(
        (&shown["preview"], &shown["id"], &shown["figure"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert_eq!(shown["proposal"]["name"], "Maris: Storm Lantern");
    assert_eq!(
        (&shown["proposal"]["msrp_amount"], &shown["proposal"]["msrp_currency"]),
        (&json!("164.25"), &json!("USD"))
    );
    assert_eq!(shown["proposal"]["msrp_original"]["currency"], "HKD");
    assert_eq!(shown["versions"].as_array().unwrap().len(), 2);
    assert_eq!(figures(&alice).await, 1, "a preview saves nothing");

    let answer = import(&alice, json!({"url": MARIS})).await;
    let place = answer.header("location").to_owned();
    let made = answer.made();
    let figure = &made["figure"];
    assert_eq!(place, format!("/api/figures/{}", made["id"].as_str().unwrap()));
    assert_eq!((&made["existed"], &made["left_out"]), (&json!(false), &json!([])));
    assert_eq!(
        (&figure["scale"], &figure["height_mm"], &figure["materials"]),
        (&json!("1/7"), &json!(240), &json!("PVC, ABS"))
    );
    assert_eq!(
        (&figure["release_date"], &figure["release_date_precision"]),
        (&json!("2027-05-01"), &json!("month"))
    );
    assert_eq!((&figure["msrp_amount"], &figure["msrp_currency"]), (&json!("164.25"), &json!("USD")));
    assert_eq!(figure["manufacturer"]["id"], maker, "the same maker by its slug");
    assert_eq!(figure["buy_links"][0]["store"]["name"], "Harbour Hobby");
    assert_eq!(figure["buy_links"][0]["path"], "/item/1?ref=a");
    assert_eq!(figure["can_edit"], true);
    // The market price stands from the first moment, with what the store asked.
    let prices = alice.get(&format!("{place}/prices")).await.ok();
    assert_eq!(prices["price"]["amount"], "164.25");
    assert_eq!(prices["price"]["original"]["currency"], "HKD");
    assert_eq!(prices["stores"][0]["stock"], "preorder");

    let bob = app.register("bob").await;
    for (who, body) in [
        (&alice, json!({"url": MARIS})),
        (&bob, json!({"url": "http://www.harbour.example/item/1?ref=a#x", "as_new": true})),
        (&bob, json!({"url": MARIS, "preview": true})),
    ] {
        let again = import(who, body).await;
        // Another spelling of the address is another page to the provider over files, if it knows it at all.
        if again.status == 404 {
            continue;
        }
        let again = again.ok();
        assert_eq!((&again["existed"], &again["id"]), (&json!(true), &made["id"]));
    }
    assert_eq!(figures(&alice).await, 2);
    assert_eq!(
        app.state
            .projections
            .verify(&["figures", "prices"], |_| (), |_, _| ())
            .await
            .unwrap()
            .iter()
            .map(|one| one.differences)
            .sum::<u64>(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_picked_by_its_label() {
    let (app, _market) = shops(&[maris()]).await;
    let alice = app.register("alice").await;
    let dusk = import(&alice, json!({"url": MARIS, "version": "dusk ver."})).await.made();
    assert_eq!(
        (&dusk["version"], &dusk["figure"]["version_name"]),
        (&json!("Dusk Ver."), &json!("Dusk Ver."))
    );
    assert_eq!(
        (&dusk["figure"]["msrp_amount"], &dusk["figure"]["msrp_currency"]),
        (&json!("139.90"), &json!("EUR"))
    );
    // A price that cannot be converted is dropped and told.
    let dawn = import(&alice, json!({"url": MARIS, "version": "Dawn Ver."})).await.made();
    assert_eq!(dawn["figure"]["msrp_amount"], Value::Null);
    assert_eq!(
        (&dawn["left_out"][0]["field"], &dawn["left_out"][0]["code"]),
        (&json!("msrp_amount"), &json!("currency_not_quoted"))
    );
    assert_ne!(dusk["id"], dawn["id"]);
    let wrong = import(&alice, json!({"url": MARIS, "version": "Noon"})).await.refused_field(
        422,
        "unknown_version",
        "version",
    );
    assert_eq!(wrong["versions"], json!(["Dusk Ver.", "Dawn Ver."]));
    import(&alice, json!({"url": MARIS, "figure_type": "spoon"})).await.refused_field(
        422,
        "unknown_figure_type",
        "figure_type",
    );
    import(&alice, json!({"url": MARIS, "name": "x"})).await.refused_field(422, "unknown_field", "name");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_catalogue_may_have_is_offered_and_not_doubled() {
    let coded =
        json!({"url": "https://harbour.example/item/2", "title": "Briar Quill", "jan": "4580590123458"});
    let numbered = |n: u8, year: u16| {
        json!({"url": format!("https://harbour.example/item/{n}"),
        "title": format!("Aster Vale: Lantern Festival {year} Ver.")})
    };
    let (app, _market) = shops(&[maris(), coded, numbered(3, 2026), numbered(4, 2027)]).await;
    let alice = app.register("alice").await;
    let there =
        json!({"name": "Maris - Storm Lantern (Tidewater Figures)", "manufacturer": "Tidewater Figures"});
    let there = alice.post("/api/figures", there).await.made()["id"].clone();

    let shown = import(&alice, json!({"url": MARIS, "preview": true})).await.ok();
    let offered = &shown["existing"][0];
    assert_eq!(
        (&offered["figure"]["id"], &offered["by"], &offered["judged"]),
        (&there, &json!("title"), &json!("same"))
    );
    assert!(offered["percent"].as_u64().unwrap() >= 90);
    let refused = import(&alice, json!({"url": MARIS})).await.refused(409, "similar_figure");
    assert_eq!((&refused["figure_id"], &refused["existing"][0]["figure"]["id"]), (&there, &there));
    let insisted = import(&alice, json!({"url": MARIS, "as_new": true})).await.made();
    assert_eq!(import(&alice, json!({"url": MARIS})).await.ok()["id"], insisted["id"]);

    let with_code = json!({"name": "Something else", "jan": "4580590123458"});
    let with_code = alice.post("/api/figures", with_code).await.made()["id"].clone();
    let briar = json!({"url": "https://harbour.example/item/2", "as_new": true});
    let refused = import(&alice, briar).await.refused_field(409, "jan_taken", "jan");
    assert_eq!((&refused["figure_id"], &refused["existing"][0]["by"]), (&with_code, &json!("jan")));

    // Another year is another figure, however alike the titles are.
    let of = |n: u8| json!({"url": format!("https://harbour.example/item/{n}")});
    import(&alice, of(3)).await.made();
    let other = import(&alice, of(4)).await.made();
    assert_eq!(other["existing"][0]["judged"], "another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_imports_at_once_make_one_figure() {
    let (app, _market) = shops(&[maris()]).await;
    let alice = app.register("alice").await;
    import(&alice, json!({"url": MARIS, "preview": true})).await.ok();
    let all = (0..24).map(|_| {
        let alice = alice.clone();
        async move { import(&alice, json!({"url": MARIS, "as_new": true})).await }
    });
    let answers = futures::future::join_all(all).await;
    let ids: std::collections::BTreeSet<String> =
        answers.into_iter().map(|one| one.body["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), figures(&alice).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_in_words_are_dropped_and_the_rest_is_kept() {
    let words = ["from ¥12,800", "ask us", "1.299,00", "sold out", "12 800 JPY", "NaN", "-5", "0", "1e400"];
    let product = |(n, price): (usize, &&str)| {
        json!({
            "url": format!("https://harbour.example/w/{n}"), "title": format!("Figure {} of words", ["A","B","C","D","E","F","G","H","I"][n].repeat(9)),
            "price": {"amount": price, "currency": "JPY"}
        })
    };
    let products: Vec<Value> = words.iter().enumerate().map(product).collect();
    let (app, _market) = shops(&products).await;
    let alice = app.register("alice").await;
    for (n, said) in words.iter().enumerate() {
        let made = import(&alice, json!({"url": format!("https://harbour.example/w/{n}")})).await.made();
        assert_eq!(made["figure"]["msrp_amount"], Value::Null, "{said}");
        assert_eq!(made["left_out"][0]["field"], "msrp_amount", "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_had_fails_no_import() {
    let with = |n: u8, image: &str| {
        json!({"url": format!("https://harbour.example/i/{n}"),
        "title": format!("Picture {}", ["one", "second", "number three"][usize::from(n)]), "primary_image_url": image})
    };
    let private = "http://127.0.0.1:9/secret.png";
    let (app, _market) =
        shops(&[with(0, private), with(1, "https://nowhere.invalid/1.png"), with(2, "data:image/png,x")])
            .await;
    let alice = app.register("alice").await;
    for n in 0..3 {
        let made = import(&alice, json!({"url": format!("https://harbour.example/i/{n}")})).await.made();
        if n == 2 {
            assert_eq!(
                (&made["image"], &made["left_out"][0]["field"]),
                (&Value::Null, &json!("official_image_url"))
            );
        } else {
            assert_eq!(made["image"]["taken"], false);
            assert!(!made["image"]["detail"].as_str().unwrap().is_empty());
        }
        if n == 0 {
            assert_eq!(made["figure"]["official_image_url"], private);
            assert!(made["image"]["detail"].as_str().unwrap().contains("not on the public internet"));
        }
    }
}

/// A small grey PNG.
#[rustfmt::skip]
const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x08, 0x08, 0x00, 0x00, 0x00, 0x00, 0xe1, 0x64, 0xe1, 0x57, 0x00, 0x00, 0x00, 0x30, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x60, 0x10, 0x50, 0x30, 0x70, 0x08, 0x48, 0x28, 0x60, 0xe0, 0x90, 0xd0, 0xb0, 0xf0, 0x88, 0xc8, 0xa8, 0x80, 0x09, 0x34, 0x30, 0x40, 0x05, 0x3a, 0x18, 0xa0, 0x02, 0x13, 0x18, 0xa0, 0x02, 0x33, 0x18, 0xa0, 0x02, 0x0b, 0x18, 0xa0, 0x02, 0x2b, 0x00, 0x80, 0xe6, 0x15, 0x01, 0x20, 0x61, 0xd4, 0x86, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_fetched_through_the_guard_and_becomes_a_photo() {
    let image = get(|| async { ([(header::CONTENT_TYPE, "image/png")], PIXEL) });
    let store = Fake::serving(Router::new().route("/1.png", image)).await;
    let market = crate::market::Market::open().await;
    market.write(
        "harbour.json",
        &json!([{"url": "https://harbour.example/item/1", "title": "Maris",
        "primary_image_url": format!("{}/1.png", store.url())}]),
    );
    // The operator opened this machine; without that the guard would not let it through, as the test above shows.
    let folder = database::testing::ScratchFolder::new();
    let data = folder.path().to_str().unwrap().to_owned();
    let provider = market.provider.url();
    let app = TestApp::with(&[
        ("FIGURE_PROXY_URL", &provider),
        ("OUTBOUND_ALLOW_CIDRS", "127.0.0.0/8"),
        ("FIGURE_LEDGER_DATA", &data),
    ])
    .await;
    let alice = app.register("alice").await;
    let body = json!({"url": "https://harbour.example/item/1"});
    let keyed = |request: reqwest::RequestBuilder| request.header("idempotency-key", "once").json(&body);
    for _ in 0..2 {
        let made = alice.send(Method::POST, "/api/figures/import", keyed).await.made();
        assert_eq!(made["image"], json!({"taken": true, "detail": null}), "{made}");
        let photos = "SELECT count(*) FROM events WHERE event_type ILIKE '%photo%'";
        let photos: i64 = sqlx::query_scalar(photos).fetch_one(&app.db.pool).await.unwrap();
        assert_eq!(photos, 1, "the same request again adds nothing");
    }
}

async fn paste(client: &TestClient, how: &str, page: &str) -> Answer {
    let (path, page) = (format!("/api/figures/import/mfc-page{how}"), page.to_owned());
    client
        .send(Method::POST, &path, |r| r.header("content-type", "text/html; charset=utf-8").body(page))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_page_is_shown_and_saved_with_nobody_asked() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let shown = paste(&alice, "?preview=true", ITEM).await.ok();
    assert_eq!(
        (&shown["proposal"]["mfc_id"], &shown["proposal"]["jan"]),
        (&json!(900_287), &json!("4580590123458"))
    );
    assert_eq!(figures(&alice).await, 0);
    let made = paste(&alice, "", ITEM).await.made();
    assert_eq!(made["figure"]["mfc_id"], 900_287);
    assert_eq!(made["figure"]["sculptor"]["name"], "Aoi Hoshi");
    assert_eq!(
        (&made["figure"]["msrp_amount"], &made["figure"]["figure_type"]),
        (&json!("19800"), &json!("scale"))
    );
    assert_eq!(made["figure"]["releases"].as_array().unwrap().len(), 2);
    let again = paste(&alice, "", ITEM).await.ok();
    assert_eq!((&again["existed"], &again["id"]), (&json!(true), &made["id"]));
    let wished = json!({"urls": ["https://myfigurecollection.net/item/900287", "https://myfigurecollection.net/item/5"]});
    let wished = alice.post("/api/me/wishlist/import", wished).await.ok();
    assert_eq!(
        (&wished["items"][0]["fate"], &wished["items"][0]["figure_id"]),
        (&json!("linked"), &made["id"])
    );
    assert_eq!(wished["items"][1]["fate"], "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_item_page_is_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let deep = format!("<h1>A</h1>{}", "<div>".repeat(300_000));
    for page in ["", "a sentence", "{}", "<html><h1>Sign in</h1></html>", &deep] {
        paste(&alice, "", page).await.refused(422, "page_unusable");
    }
    paste(&alice, "", &"x".repeat(3 << 20)).await.refused(413, "body_too_large");
    alice
        .raw(Method::POST, "/api/figures/import/mfc-page", "{}")
        .await
        .refused(415, "unsupported_media_type");
    paste(&alice, "?figure_type=spoon", ITEM).await.refused(422, "unknown_figure_type");
    paste(&app.visitor(), "", ITEM).await.refused(401, "not_signed_in");
    assert_eq!(figures(&alice).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pasted_pages_are_read_at_a_measured_pace_and_wait_only_so_long() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let mut pasted = 0;
    let limited = loop {
        let answer = paste(&alice, "", "a sentence").await;
        if answer.status != 422 {
            break answer;
        }
        pasted += 1;
        assert!(pasted < 2_000, "nobody is ever stopped");
    };
    assert!(pasted >= 60 && !limited.header("retry-after").is_empty());
    limited.refused(429, "too_many_lookups");
    let _both = (app.state.outside.reading_page().await.ok(), app.state.outside.reading_page().await.ok());
    let busy = paste(&bob, "", ITEM).await;
    assert!(!busy.header("retry-after").is_empty());
    busy.refused(503, "busy");
}

#[tokio::test(flavor = "multi_thread")]
async fn nsfw_pages_stay_behind_the_gate_of_those_who_hide_them() {
    let adult = json!({"url": "https://harbour.example/item/2", "title": "Maris: Night", "is_nsfw": true});
    let (app, _market) = shops(&[adult]).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    bob.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let url = "https://harbour.example/item/2";
    let shown = import(&bob, json!({"url": url, "preview": true})).await.ok();
    assert_eq!((&shown["nsfw_gate"], &shown["proposal"]), (&json!(true), &Value::Null));
    let shown = import(&bob, json!({"url": url, "preview": true, "confirm_nsfw": true})).await.ok();
    assert_eq!(shown["proposal"]["name"], "Maris: Night");
    let made = import(&alice, json!({"url": url})).await.made();
    assert_eq!((&made["figure"]["is_nsfw"], &made["figure"]["blurred"]), (&json!(true), &json!(true)));
    let again = import(&bob, json!({"url": url})).await.ok();
    assert_eq!((&again["figure"]["nsfw_gate"], &again["figure"]["name"]), (&json!(true), &Value::Null));
}
