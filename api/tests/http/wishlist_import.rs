//! `/api/me/wishlist/import`: each row's fate is told, and sent again nothing is doubled.

use serde_json::{Value, json};

use crate::{
    external::shops,
    support::{Answer, TestApp, TestClient},
};

fn page(n: usize, title: &str) -> Value {
    json!({"url": format!("https://harbour.example/item/{n}"), "title": title, "price": {"amount": "50"}})
}
fn url(n: usize) -> String {
    format!("https://harbour.example/item/{n}")
}
async fn import(client: &TestClient, body: Value) -> Answer {
    client.post("/api/me/wishlist/import", body).await
}
fn fates(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|row| row["fate"].as_str().unwrap()).collect()
}
async fn figure(client: &TestClient, body: Value) -> String {
    client.post("/api/figures", body).await.made()["id"].as_str().unwrap().to_owned()
}
async fn wishes(client: &TestClient) -> usize {
    client.get("/api/me/wishlist").await.ok()["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_has_its_fate_and_again_nothing_is_doubled() {
    let twin = json!({"url": "https://crane.example/p/1", "title": "Briar Quill: Evening Garden"});
    let (app, market) = shops(&[
        page(1, "Briar Quill: Evening Garden"),
        page(2, "Maris: Storm Lantern"),
        page(3, "Akari-07: Night Stall"),
        page(4, "Choirmaster Oriel"),
        page(5, "Captain Ram of the Hollow Tide"),
        page(6, "Lumen of the Tide"),
        json!({"url": url(7), "title": "!!!"}),
    ])
    .await;
    market.write("crane.json", &json!([twin]));
    let alice = app.register("alice").await;
    let maris = figure(&alice, json!({"name": "Maris - Storm Lantern"})).await;
    let akari = figure(&alice, json!({"name": "Akari-07: Night Stall"})).await;
    let oriel = figure(&alice, json!({"name": "Choirmaster Oriel"})).await;
    let rem = figure(&alice, json!({"name": "Captain Rem of the Hollow Tide"})).await;
    let lumen = alice.post("/api/figures/import", json!({"url": url(6)})).await.made()["id"].clone();
    alice.post("/api/me/owned", json!({"figure_id": akari})).await.made();
    alice.post("/api/me/preorders", json!({"figure_id": oriel})).await.made();

    let urls: Vec<String> = (1..=8)
        .map(url)
        .chain(
            ["https://crane.example/p/1", "https://elsewhere.example/1", "nonsense", ""].map(str::to_owned),
        )
        .collect();
    let told = import(&alice, json!({"urls": urls})).await.ok();
    assert_eq!(
        fates(&told),
        [
            "created",
            "linked",
            "owned",
            "preordered",
            "refused",
            "wished",
            "refused",
            "not_found",
            "already_wished",
            "refused",
            "refused",
            "refused"
        ],
        "{told}"
    );
    let row = |n: usize| &told["items"][n];
    assert_eq!((&row(1)["figure_id"], &row(1)["found"]), (&json!(maris), &json!("name")));
    assert_eq!(row(5)["figure_id"], lumen);
    assert_eq!(row(8)["figure_id"], row(0)["figure_id"], "the same figure in another store");
    assert_eq!((&row(4)["code"], &row(4)["candidates"]), (&json!("similar_figure"), &json!([rem])));
    assert_eq!((&row(6)["code"], &row(9)["code"]), (&json!("page_unusable"), &json!("store_unknown")));
    assert_eq!((&row(10)["code"], &row(7)["code"]), (&json!("invalid_field"), &json!("product_not_found")));
    assert_eq!(told["counts"]["refused"], 5);
    assert_eq!(wishes(&alice).await, 3);

    let head = app.state.store.head().await.unwrap();
    let again = import(&alice, json!({"urls": urls})).await.ok();
    assert_eq!(
        again["counts"],
        json!({"already_wished": 4, "owned": 1, "preordered": 1, "refused": 5, "not_found": 1})
    );
    assert_eq!(app.state.store.head().await.unwrap(), head, "nothing happened");

    // Insisting on what was refused is one import away.
    alice.post("/api/figures/import", json!({"url": url(5), "as_new": true})).await.made();
    assert_eq!(fates(&import(&alice, json!({"urls": [url(5)]})).await.ok()), ["wished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_a_text_and_what_a_store_finds_are_brought_in_too() {
    let (app, _market) =
        shops(&[page(1, "Maris: Storm Lantern"), page(2, "Maris: Night"), page(3, "Akari")]).await;
    let alice = app.register("alice").await;
    let text = format!("please: <{}>, and ({}).\n\nthanks", url(1), url(3));
    let told = import(&alice, json!({"text": text})).await.ok();
    assert_eq!(fates(&told), ["created", "created"]);
    assert_eq!(told["items"][0]["title"], "Maris: Storm Lantern");
    let told = import(&alice, json!({"search": {"store": "harbour", "q": "maris"}})).await.ok();
    assert_eq!(fates(&told), ["already_wished", "created"]);
    assert_eq!(fates(&import(&alice, json!({"text": "nothing here"})).await.ok()), Vec::<&str>::new());
    assert_eq!(wishes(&alice).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_five_rows_are_the_most_and_one_way_at_a_time() {
    let products: Vec<Value> = (0..25)
        .map(|n| page(n, &format!("Figure {}", "abcdefghijklmnopqrstuvwxy"[n..=n].repeat(12))))
        .collect();
    let (app, _market) = shops(&products).await;
    let alice = app.register("alice").await;
    let urls = |n: usize| (0..n).map(url).collect::<Vec<_>>();
    import(&alice, json!({"urls": urls(26)})).await.refused_field(422, "too_many", "urls");
    import(&alice, json!({"text": urls(26).join(" ")})).await.refused_field(422, "too_many", "text");
    assert_eq!(wishes(&alice).await, 0);
    for body in [
        json!({}),
        json!({"urls": [], "text": ""}),
        json!({"search": {"store": "harbour", "q": "a"}, "urls": []}),
    ] {
        import(&alice, body).await.refused(422, "missing_field");
    }
    import(&alice, json!({"search": {"store": "nowhere", "q": "a"}})).await.refused(422, "store_unknown");
    import(&alice, json!({"search": {"store": "harbour", "q": " "}})).await.refused_field(
        422,
        "invalid_field",
        "search.q",
    );
    import(&alice, json!({"list_url": "https://harbour.example/list"})).await.refused_field(
        422,
        "unknown_field",
        "list_url",
    );
    import(&app.visitor(), json!({"urls": []})).await.refused(401, "not_signed_in");
    let told = import(&alice, json!({"urls": urls(25)})).await.ok();
    assert_eq!(told["counts"], json!({"created": 25}));
    assert_eq!(wishes(&alice).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_comes_in_batches_of_twenty_five_to_its_end() {
    let letters = |n: usize| "abcdefghijklmnopqrstuvwxyz"[n % 26..=n % 26].repeat(12);
    let products: Vec<Value> = (0..60).map(|n| page(n, &format!("Lantern No. {n} {}", letters(n)))).collect();
    let (app, _market) = shops(&products).await;
    let alice = app.register("alice").await;
    let mut batches = Vec::new();
    let mut skip = json!(0);
    while skip.is_number() {
        let search = json!({"store": "harbour", "q": "lantern", "skip": skip});
        let told = import(&alice, json!({"search": search})).await.ok();
        let fates = fates(&told);
        assert!(fates.iter().all(|fate| *fate == "created"), "{told}");
        batches.push(fates.len());
        assert!(batches.len() < 10, "it never ends");
        skip = told["next_skip"].clone();
    }
    assert_eq!(batches, [25, 25, 10]);
    let beyond = json!({"search": {"store": "harbour", "q": "lantern", "skip": 60}});
    let told = import(&alice, beyond).await.ok();
    assert_eq!((fates(&told).len(), &told["next_skip"]), (0, &Value::Null));
    import(&alice, json!({"search": {"store": "harbour", "q": "lantern", "skip": -1}}))
        .await
        .refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn nsfw_pages_are_wished_by_those_who_hide_them_only_when_they_say_so() {
    let mut adult = page(2, "Maris: Night");
    adult["is_nsfw"] = json!(true);
    let (app, _market) = shops(&[page(1, "Maris: Storm Lantern"), adult]).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let daring = json!({"name": "Lumen", "mfc_id": 287, "is_nsfw": true});
    figure(&alice, daring).await;
    bob.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let search = json!({"store": "harbour", "q": "maris"});
    let urls = json!([url(2), "https://myfigurecollection.net/item/287"]);
    let found = import(&bob, json!({"search": search})).await;
    assert!(!found.text.contains("Night"), "{}", found.text);
    assert_eq!(fates(&found.ok()), ["created"]);
    let told = import(&bob, json!({"urls": urls})).await;
    assert!(!told.text.contains("Night") && !told.text.contains("Lumen"), "{}", told.text);
    for row in told.ok()["items"].as_array().unwrap() {
        assert_eq!((&row["fate"], &row["code"]), (&json!("refused"), &json!("nsfw_gate")));
        assert_eq!((&row["title"], &row["figure_id"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(wishes(&bob).await, 1);
    let told = import(&bob, json!({"search": search, "confirm_nsfw": true})).await.ok();
    assert_eq!(fates(&told), ["already_wished", "created"]);
    let told = import(&bob, json!({"urls": urls, "confirm_nsfw": true})).await.ok();
    assert_eq!(fates(&told), ["already_wished", "linked"]);
    assert_eq!(fates(&import(&alice, json!({"search": search})).await.ok()), ["wished", "wished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_too_long_is_refused_and_not_cut_to_another() {
    let (app, market) = shops(&[]).await;
    // What would be left of it is the address of a page.
    let begins = format!("{}?{}", url(1), "x".repeat(2_000));
    let cut: String = begins.chars().take(2_000).collect();
    market.write("harbour.json", &json!([{"url": cut, "title": "Another figure"}]));
    let alice = app.register("alice").await;
    let told = import(&alice, json!({"urls": [begins]})).await.ok();
    let row = &told["items"][0];
    assert_eq!((&row["fate"], &row["code"]), (&json!("refused"), &json!("invalid_field")));
    assert_eq!(row["url"], cut, "what is told again is cut");
    assert_eq!(wishes(&alice).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_make_no_duplicates() {
    let (app, _market) = shops(&[page(1, "Maris: Storm Lantern"), page(2, "Akari")]).await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let body = json!({"urls": [url(1), url(2), url(1)]});
    let all = [&alice, &bob, &alice, &bob].map(|who| import(who, body.clone()));
    for answer in futures::future::join_all(all).await {
        answer.ok();
    }
    assert_eq!((wishes(&alice).await, wishes(&bob).await), (2, 2));
    assert_eq!(alice.get("/api/figures").await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_was_taken_off_can_be_brought_in_again() {
    let (app, _market) = shops(&[page(1, "Maris: Storm Lantern")]).await;
    let alice = app.register("alice").await;
    let told = import(&alice, json!({"urls": [url(1)]})).await.ok();
    let id = told["items"][0]["figure_id"].as_str().unwrap().to_owned();
    alice.delete(&format!("/api/me/wishlist/{id}")).await.ok();
    assert_eq!(fates(&import(&alice, json!({"urls": [url(1)]})).await.ok()), ["wished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_only_items_of_the_site_are_looked_for() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let id = figure(&alice, json!({"name": "Lumen", "mfc_id": 287})).await;
    let told = import(&alice, json!({"urls": ["https://myfigurecollection.net/item/287"]})).await.ok();
    assert_eq!((fates(&told), &told["items"][0]["figure_id"]), (vec!["linked"], &json!(id)));
    import(&alice, json!({"urls": [url(1)]})).await.refused(409, "no_price_provider");
}
