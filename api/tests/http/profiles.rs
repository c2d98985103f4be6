//! What a public profile shows, to whom.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::support::{Answer, PASSWORD, TestApp, TestClient};

const ALICE: &str = "/api/u/alice";

/// Everything that was recorded so far is in every read model.
pub async fn settled(app: &TestApp) {
    app.folded(app.state.store.head().await.unwrap()).await;
}

pub async fn switch(client: &TestClient, settings: Value) {
    client.patch("/api/me", settings).await.ok();
}

/// A piece of a figure, with what is nobody else's business.
pub async fn own(client: &TestClient, figure: &Value, more: Value) -> Value {
    let mut body = json!({"figure_id": id(figure)});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/me/owned", body).await.made()
}

pub fn shelf(profile: &Value) -> Vec<&str> {
    let cards = profile["pieces"]["items"].as_array().unwrap();
    cards.iter().map(|card| card["figure"]["name"].as_str().unwrap()).collect()
}

fn codes(profile: &Value) -> Vec<&str> {
    profile["achievements"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect()
}

/// What a cursor tells whoever looks into it.
pub fn decoded(cursor: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap()
}

/// A refusal without what tells one request from another.
fn refusal(answer: Answer) -> (String, String) {
    let robots = answer.header("x-robots-tag").to_owned();
    (answer.refused(404, "not_found").to_string(), robots)
}

#[tokio::test]
async fn a_profile_that_is_off_is_nobodys() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let root = app.register_admin("root").await;
    let unknown = refusal(app.visitor().get("/api/u/nobody-at-all").await);
    let gone = async |when: &str| {
        for somebody in [&app.visitor(), &bob, &root, &alice] {
            assert_eq!(refusal(somebody.get(ALICE).await), unknown, "{when}");
        }
    };
    gone("off, as it is at first").await;
    switch(&alice, json!({"public_profile": true})).await;
    for (somebody, followed) in [(&app.visitor(), json!(null)), (&bob, json!(false)), (&alice, json!(null))] {
        let answer = somebody.get(ALICE).await;
        assert!(answer.header("x-robots-tag").starts_with("noindex"));
        let profile = answer.ok();
        assert_eq!((&profile["username"], &profile["is_followed"]), (&json!("alice"), &followed));
        assert_eq!(profile["pieces"], json!({"items": [], "next_cursor": null}));
    }
    assert_eq!(bob.get("/api/u/ALICE").await.ok()["username"], "alice", "names are compared without case");
    for name in ["%20%20%20", "al", "%D0%B0lice", &"a".repeat(10_000), "alice%00"] {
        app.visitor().get(&format!("/api/u/{name}")).await.refused(404, "not_found");
    }
    switch(&alice, json!({"public_profile": false})).await;
    gone("switched off").await;
    switch(&alice, json!({"public_profile": true})).await;
    root.patch("/api/admin/users/alice", json!({"suspended": true})).await.ok();
    for somebody in [&app.visitor(), &bob] {
        assert_eq!(refusal(somebody.get(ALICE).await), unknown, "suspended");
    }
    root.patch("/api/admin/users/alice", json!({"suspended": false})).await.ok();
    app.visitor().get(ALICE).await.ok();
    let back = app.visitor();
    back.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await.ok();
    let proof = json!({"current_password": PASSWORD});
    back.send(Method::DELETE, "/api/me", |request| request.json(&proof)).await.ok();
    for somebody in [&app.visitor(), &bob] {
        assert_eq!(refusal(somebody.get(ALICE).await), unknown, "erased");
    }
}

#[tokio::test]
async fn a_profile_shows_what_stands_on_the_shelves_and_nothing_that_is_private() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    switch(&alice, json!({"public_profile": true})).await;
    let mina = add(&alice, "Mina", json!({"manufacturer": "Good Maker", "series": ["Tides"]})).await;
    let rika = add(&alice, "Rika", json!({"manufacturer": "Good Maker", "series": ["Tides", "Ebb"]})).await;
    let suzu = add(&alice, "Suzu", json!({})).await;
    let secret = json!({
        "price_amount": "123.45", "price_currency": "EUR", "shipping_amount": "6.78", "fees_amount": "9.01",
        "location": "Attic behind the boiler", "notes": "cracked left hand", "store": "Backstreet Hobby",
        "origin": "gift", "origin_from": "Aunt Agatha", "purchase_date": "2024-02-29", "value_amount": "432.10",
        "value_currency": "EUR"
    });
    let piece = own(&alice, &mina, secret).await;
    own(&alice, &rika, json!({})).await;
    own(&alice, &mina, json!({})).await;
    let lost = own(&alice, &suzu, json!({})).await;
    alice.post(&format!("/api/me/owned/{}/archive", id(&lost)), json!({"reason": "lost"})).await.ok();
    let ordered = add(&alice, "Ordered", json!({})).await;
    alice
        .post(
            "/api/me/preorders",
            json!({"figure_id": id(&ordered), "price_amount": "99", "price_currency": "EUR"}),
        )
        .await
        .made();
    let wished = add(&alice, "Wished", json!({})).await;
    alice.put(&format!("/api/me/wishlist/{}", id(&wished)), json!({"note": "for my birthday"})).await.made();
    settled(&app).await;

    let answer = app.visitor().get(ALICE).await;
    let me = alice.get("/api/me").await.ok();
    for private in [
        "123.45",
        "6.78",
        "9.01",
        "432.1",
        "Attic",
        "cracked",
        "Backstreet",
        "Agatha",
        "2024-02-29",
        "birthday",
        "example.org",
        "gift",
        "Suzu",
        "Ordered",
        "Wished",
        id(&piece),
        me["id"].as_str().unwrap(),
    ] {
        assert!(!answer.text.contains(private), "{private} in {}", answer.text);
    }
    let profile = answer.ok();
    assert_eq!(shelf(&profile), ["Mina", "Rika"], "the latest added first");
    assert_eq!(profile["pieces"]["items"][0]["pieces"], 2);
    assert_eq!(
        profile["counts"],
        json!({"pieces": 3, "figures": 2, "manufacturers": 1, "series": 2, "preorders": 1, "wishes": 1,
            "followers": 0, "following": 0})
    );
    assert_eq!(profile["value"], json!(null));
    assert_eq!(codes(&profile), ["preorders_placed_1", "pieces_owned_1"]);
    assert!(profile["achievements"][0].get("remaining").is_none(), "what is locked is nobody's business");

    let (mut seen, mut query) = (Vec::new(), "?limit=1".to_owned());
    while seen.len() < 9 {
        let page = app.visitor().get(&format!("{ALICE}{query}")).await.ok();
        seen.extend(shelf(&page).into_iter().map(str::to_owned));
        match page["pieces"]["next_cursor"].as_str() {
            Some(next) => {
                assert_eq!(decoded(next), json!(1), "neither a moment nor an id");
                query = format!("?limit=1&cursor={next}");
            }
            None => break,
        }
    }
    assert_eq!(seen, ["Mina", "Rika"]);
    app.visitor().get(&format!("{ALICE}?cursor=x")).await.refused_field(422, "invalid_cursor", "cursor");
    let far = |offset: u32| format!("{ALICE}?cursor={}", BASE64_URL_SAFE_NO_PAD.encode(offset.to_string()));
    assert_eq!(shelf(&app.visitor().get(&far(100_000)).await.ok()), Vec::<&str>::new());
    app.visitor().get(&far(100_001)).await.refused_field(422, "invalid_cursor", "cursor");
    app.visitor().get(&format!("{ALICE}?sort=name")).await.refused_field(422, "unknown_parameter", "sort");
}

#[tokio::test]
async fn nsfw_figures_are_left_out_of_pieces_counts_value_and_achievements_alike() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let tame = add(&alice, "Tame", json!({"manufacturer": "Dusk"})).await;
    let daring =
        add(&alice, "Daring", json!({"is_nsfw": true, "manufacturer": "Dusk", "series": ["Night"]})).await;
    own(&alice, &tame, json!({"value_amount": "10", "value_currency": "EUR"})).await;
    for _ in 0..5 {
        own(&alice, &daring, json!({"value_amount": "100", "value_currency": "EUR"})).await;
    }
    let ordered = add(&alice, "Daring too", json!({"is_nsfw": true})).await;
    alice.post("/api/me/preorders", json!({"figure_id": id(&ordered)})).await.made();
    let wished = add(&alice, "Daring as well", json!({"is_nsfw": true})).await;
    alice.put(&format!("/api/me/wishlist/{}", id(&wished)), json!({})).await.made();
    settled(&app).await;

    let mut viewers = vec![("nobody", app.visitor())];
    for wish in ["hide", "blur", "show"] {
        let viewer = app.register(&format!("who-wants-{wish}")).await;
        switch(&viewer, json!({"nsfw_visibility": wish})).await;
        viewers.push((wish, viewer));
    }
    for owner_shows in [false, true] {
        switch(
            &alice,
            json!({"public_profile": true, "public_profile_show_nsfw": owner_shows, "public_profile_show_value": true}),
        )
        .await;
        for (wish, viewer) in &viewers {
            let what = format!("shown: {owner_shows}, viewer: {wish}");
            let answer = viewer.get(ALICE).await;
            let text = answer.text.clone();
            let profile = answer.ok();
            let counts = |name: &str| profile["counts"][name].as_i64().unwrap();
            let counted = ["pieces", "figures", "manufacturers", "series", "preorders", "wishes"].map(counts);
            let worth = profile["value"]["amount"].as_str().unwrap();
            if owner_shows && *wish != "hide" {
                assert_eq!(shelf(&profile), ["Daring", "Tame"], "{what}");
                assert_eq!(counted, [6, 2, 1, 1, 1, 1], "{what}");
                assert_eq!(worth, "510.00", "{what}");
                for code in ["nsfw_5", "maker_5", "series_5", "pieces_owned_1"] {
                    assert!(codes(&profile).contains(&code), "{what}: {code}");
                }
                let blurred = profile["pieces"]["items"][0]["figure"]["blurred"].clone();
                assert_eq!(blurred, json!(*wish != "show"), "{what}");
                assert_eq!(profile["pieces"]["items"][1]["figure"]["blurred"], false, "{what}");
            } else {
                assert_eq!(shelf(&profile), ["Tame"], "{what}");
                assert_eq!(counted, [1, 1, 1, 0, 0, 0], "{what}");
                assert_eq!(
                    codes(&profile),
                    Vec::<&str>::new(),
                    "what five more of one maker unlocked: {what}"
                );
                assert_eq!(worth, "10.00", "{what}");
                assert!(!text.contains("nsfw_5") && !text.contains("aring"), "{what}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn what_it_is_worth_is_shown_only_when_that_is_switched_on() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let mina = add(&alice, "Mina", json!({"msrp_amount": "80", "msrp_currency": "EUR"})).await;
    own(&alice, &mina, json!({"price_amount": "33.33", "price_currency": "EUR"})).await;
    own(&alice, &mina, json!({"value_amount": "120", "value_currency": "EUR"})).await;
    settled(&app).await;
    switch(&alice, json!({"public_profile": true, "preferred_currency": "EUR"})).await;
    assert_eq!(bob.get(ALICE).await.ok()["value"], json!(null));
    switch(&alice, json!({"public_profile_show_value": true})).await;
    let worth = json!({"amount": "200.00", "currency": "EUR", "partial": false, "fx_date": null});
    assert_eq!(app.visitor().get(ALICE).await.ok()["value"], worth);
    switch(&bob, json!({"preferred_currency": "JPY"})).await;
    let without_rates = bob.get(ALICE).await.ok()["value"].clone();
    assert_eq!((&without_rates["currency"], &without_rates["partial"]), (&json!("JPY"), &json!(true)));
    switch(&alice, json!({"public_profile_show_value": false})).await;
    assert_eq!(app.visitor().get(ALICE).await.ok()["value"], json!(null));
}

#[tokio::test]
async fn an_api_key_looks_with_its_owners_eyes_and_needs_the_scope() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let daring = add(&alice, "Daring", json!({"is_nsfw": true})).await;
    own(&alice, &daring, json!({})).await;
    switch(&alice, json!({"public_profile": true, "public_profile_show_nsfw": true})).await;
    switch(&bob, json!({"nsfw_visibility": "hide"})).await;
    let key = async |scope: &str| {
        let made = bob.post("/api/me/api-keys", json!({"name": scope, "scopes": [scope]})).await.made();
        made["key"].as_str().unwrap().to_owned()
    };
    let look =
        async |key: String| app.visitor().send(Method::GET, ALICE, |request| request.bearer_auth(&key)).await;
    assert_eq!(shelf(&look(key("collection:read").await).await.ok()), Vec::<&str>::new());
    look(key("stats:read").await).await.refused(403, "scope_missing");
    assert_eq!(shelf(&app.visitor().get(ALICE).await.ok()), ["Daring"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_read_at_a_measured_pace() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let alice = app.register("alice").await;
    switch(&alice, json!({"public_profile": true})).await;
    let anybody = app.visitor();
    anybody.get(ALICE).await.ok();
    // Names that nobody has are counted, too: else all could be tried.
    let asking = (0..200).map(|_| anybody.get("/api/u/nobody-at-all"));
    let answers = futures::future::join_all(asking).await;
    let refused = answers.into_iter().find(|answer| answer.status == 429).unwrap();
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    refused.refused(429, "too_many_attempts");
}
