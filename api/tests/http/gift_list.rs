//! Wishlists behind links, and presents reserved on them.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    owned::events,
    profiles::decoded,
    support::{Answer, TestApp, TestClient},
};

pub const SHARE: &str = "/api/me/wishlist/share";

/// Shares one's wishlist; where the list is.
pub async fn share(client: &TestClient) -> String {
    let made = client.post(SHARE, json!({})).await.made();
    format!("/api/g/{}", made["token"].as_str().unwrap())
}

async fn figure(client: &TestClient, name: &str, more: Value) -> String {
    let mut body = json!({"name": name, "figure_type": "scale"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("/api/figures", body).await.made()["id"].as_str().unwrap().to_owned()
}

pub async fn wish(client: &TestClient, name: &str) -> String {
    let figure = figure(client, name, json!({})).await;
    client.put(&format!("/api/me/wishlist/{figure}"), json!({})).await.made();
    figure
}

fn reserve_at(list: &str, figure: &str) -> String {
    format!("{list}/items/{figure}/reserve")
}

pub async fn reserve(client: &TestClient, list: &str, figure: &str, name: &str) -> Answer {
    client.post(&reserve_at(list, figure), json!({"name": name})).await
}

pub async fn release(client: &TestClient, list: &str, figure: &str, secret: &Value) -> Answer {
    let body = json!({"secret": secret});
    client.send(Method::DELETE, &reserve_at(list, figure), |request| request.json(&body)).await
}

/// Name of the figure, whether it is reserved, and by whom.
async fn told(client: &TestClient, list: &str) -> Vec<(String, Value, Value)> {
    let page = client.get(list).await.ok();
    let items = page["items"].as_array().unwrap();
    assert_eq!(page["wish_count"], items.len(), "{page}");
    let told = |item: &Value| {
        let name = item["figure"]["name"].as_str().unwrap().to_owned();
        (name, item["reserved"].clone(), item["reserved_by"].clone())
    };
    items.iter().map(told).collect()
}

/// The name of every member, at any depth.
pub fn members(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(all) => {
            all.iter().flat_map(|(name, value)| members(value).into_iter().chain([name.clone()])).collect()
        }
        Value::Array(all) => all.iter().flat_map(members).collect(),
        _ => BTreeSet::new(),
    }
}

/// In how many tables a text stands.
pub async fn tables_with(app: &TestApp, text: &str) -> Vec<String> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&app.db.pool)
            .await
            .unwrap();
    let mut with = Vec::new();
    for table in tables {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} AS t WHERE strpos(t::text, $1) > 0)");
        if sqlx::query_scalar(&sql).bind(text).fetch_one(&app.db.pool).await.unwrap() {
            with.push(table);
        }
    }
    with
}

#[tokio::test]
async fn a_list_shows_what_a_giver_needs_and_nothing_of_what_its_owner_thinks() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let about = json!({
        "msrp_amount": "19800", "msrp_currency": "JPY",
        "buy_links": [{"store": "Harbour Hobby", "path": "https://harbour.example/item/4711"}]
    });
    let mina = figure(&alice, "Mina", about).await;
    let thoughts =
        json!({"max_price_amount": "77.31", "max_price_currency": "EUR", "note": "only second hand"});
    alice.put(&format!("/api/me/wishlist/{mina}"), thoughts).await.made();
    wish(&alice, "Lyra").await;
    let list = share(&alice).await;

    let answer = app.visitor().get(&list).await;
    for (header, expected) in [
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("referrer-policy", "no-referrer"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(answer.header(header), expected, "{header}");
    }
    assert!(!answer.text.contains("77.31") && !answer.text.contains("second hand"), "{}", answer.text);
    let page = answer.ok();
    assert_eq!(
        (&page["owner"], &page["yours"], &page["wish_count"]),
        (&json!("alice"), &json!(false), &json!(2))
    );
    let names = told(&app.visitor(), &list).await;
    assert_eq!(names.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["Lyra", "Mina"]);
    let item = &page["items"][1];
    assert_eq!(item["figure_id"], mina);
    assert_eq!((&item["reserved"], &item["reserved_by"]), (&json!(false), &Value::Null));
    assert_eq!(
        (&item["figure"]["msrp_amount"], &item["figure"]["msrp_currency"]),
        (&json!("19800"), &json!("JPY"))
    );
    let link = &item["buy_links"][0];
    assert_eq!(
        (&link["store"]["name"], &link["path"]),
        (&json!("Harbour Hobby"), &json!("https://harbour.example/item/4711"))
    );
    let shown: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
    let expected = ["buy_links", "figure", "figure_id", "reserved", "reserved_by"];
    assert_eq!(shown, expected.map(str::to_owned).into());
    let private = ["note", "max_price", "market", "deal", "email", "created_at", "updated_at", "user_id"];
    for member in members(&page) {
        assert!(!private.iter().any(|word| member.contains(word)), "{member}");
    }
}

#[tokio::test]
async fn a_wish_is_reserved_once_and_released_with_its_secret() {
    let app = TestApp::new().await;
    let (alice, mio, ben) = (app.register("alice").await, app.visitor(), app.register("ben").await);
    let mina = wish(&alice, "Mina").await;
    let lyra = wish(&alice, "Lyra").await;
    let list = share(&alice).await;
    let answer = reserve(&mio, &list, &mina, "  Aunt Mio ").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let reserved = answer.made();
    assert_eq!(
        (&reserved["figure_id"], &reserved["reserved"], &reserved["reserved_by"]),
        (&json!(mina), &json!(true), &json!("Aunt Mio"))
    );
    assert_eq!(reserved["secret"].as_str().unwrap().len(), 43);
    reserve(&ben, &list, &mina, "Ben").await.refused(409, "already_reserved");
    reserve(&mio, &list, &mina, "Aunt Mio").await.refused(409, "already_reserved");
    let others = reserve(&ben, &list, &lyra, "Ben").await.made();
    for client in [&mio, &ben] {
        let expected = [("Lyra", "Ben"), ("Mina", "Aunt Mio")]
            .map(|(figure, name)| (figure.to_owned(), json!(true), json!(name)));
        assert_eq!(told(client, &list).await, expected);
    }
    for wrong in [json!("x"), others["secret"].clone(), json!("")] {
        release(&mio, &list, &mina, &wrong).await.refused_field(403, "wrong_secret", "secret");
    }
    let released = release(&ben, &list, &mina, &reserved["secret"]).await.ok();
    assert_eq!(released, json!({"figure_id": mina, "reserved": false}));
    release(&mio, &list, &mina, &reserved["secret"]).await.refused(404, "not_reserved");
    let again = reserve(&ben, &list, &mina, "Ben").await.made();
    release(&mio, &list, &mina, &reserved["secret"]).await.refused(403, "wrong_secret");
    release(&mio, &list, &mina, &again["secret"]).await.ok();

    let nobodys = figure(&alice, "Nobody's", json!({})).await;
    reserve(&mio, &list, &nobodys, "Mio").await.refused(404, "wish_not_found");
    reserve(&mio, &list, "00000000-0000-4000-8000-000000000000", "Mio").await.refused(404, "wish_not_found");
    reserve(&mio, &list, "nonsense", "Mio").await.refused(404, "not_found");
    release(&mio, &list, &nobodys, &again["secret"]).await.refused(404, "wish_not_found");
}

#[tokio::test]
async fn of_many_who_reserve_at_once_one_succeeds() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let mina = wish(&alice, "Mina").await;
    let list = share(&alice).await;
    let givers: Vec<TestClient> = (0..12).map(|_| app.visitor()).collect();
    let names: Vec<String> = (0..12).map(|number| format!("giver {number}")).collect();
    let all = givers.iter().zip(&names).map(|(giver, name)| reserve(giver, &list, &mina, name));
    let answers = join_all(all).await;
    let mut winner = None;
    for (answer, name) in answers.into_iter().zip(&names) {
        if answer.status == 201 {
            assert!(winner.replace(name).is_none(), "two got it");
        } else {
            answer.refused(409, "already_reserved");
        }
    }
    assert_eq!(told(&app.visitor(), &list).await, [("Mina".to_owned(), json!(true), json!(winner.unwrap()))]);
}

#[tokio::test]
async fn a_name_is_one_line_of_a_sensible_length() {
    let app = TestApp::new().await;
    let (alice, mio) = (app.register("alice").await, app.visitor());
    let mina = wish(&alice, "Mina").await;
    let list = share(&alice).await;
    let long = "x".repeat(81);
    for name in ["", "   ", "a\nb", "a\u{7}b", "a\u{0}b", long.as_str()] {
        reserve(&mio, &list, &mina, name).await.refused_field(422, "invalid_field", "name");
    }
    let at = reserve_at(&list, &mina);
    mio.post(&at, json!({})).await.refused_field(422, "missing_field", "name");
    mio.post(&at, json!({"name": 5})).await.refused_field(422, "invalid_field", "name");
    mio.post(&at, json!({"name": "a", "as": "b"})).await.refused_field(422, "unknown_field", "as");
    mio.delete(&at).await.refused_field(422, "missing_field", "secret");
    let forged = |request: reqwest::RequestBuilder| {
        request.header("origin", "https://elsewhere.example").json(&json!({"name": "Mio"}))
    };
    mio.send(Method::POST, &at, forged).await.refused(403, "cross_site_write");
    let name = "長".repeat(80);
    assert_eq!(reserve(&mio, &list, &mina, &name).await.made()["reserved_by"], name);
}

#[tokio::test]
async fn whoever_wished_finds_nothing_of_a_reservation_anywhere() {
    let app = TestApp::new().await;
    let (root, mio) = (app.register_admin("root").await, app.visitor());
    let mina = wish(&root, "Mina").await;
    let lyra = wish(&root, "Lyra").await;
    let list = share(&root).await;
    let recorded = events(&app).await;
    let keyed = |request: reqwest::RequestBuilder| {
        request.header("idempotency-key", "once").json(&json!({"name": "Great-aunt Kaguya"}))
    };
    let reserved = mio.send(Method::POST, &reserve_at(&list, &mina), keyed).await.made();
    let secret = &reserved["secret"];

    let page = root.get(&list).await;
    assert!(!page.text.contains("Kaguya"), "{}", page.text);
    let page = page.ok();
    assert_eq!(page["yours"], true);
    for item in page["items"].as_array().unwrap() {
        assert_eq!((&item["reserved"], &item["reserved_by"]), (&Value::Null, &Value::Null));
    }
    // Neither a conflict nor a wrong secret tells them which one it is.
    for figure in [&mina, &lyra] {
        reserve(&root, &list, figure, "me").await.refused(403, "own_list");
        release(&root, &list, figure, secret).await.refused(403, "own_list");
    }
    assert_eq!(events(&app).await, recorded, "a reservation is an event");
    let me = root.get("/api/me").await.ok();
    let stream = format!("/api/admin/streams/collection/{}", me["id"].as_str().unwrap());
    for path in [
        "/api/me/wishlist",
        &format!("/api/me/wishlist/{mina}"),
        SHARE,
        "/api/me/activity",
        "/api/me/timeline",
        "/api/me/notifications",
        "/api/me/export/backup.json",
        "/api/me/export/wishlist.json",
        "/api/admin/events",
        &stream,
        "/api/admin/jobs",
        "/api/admin/deliveries",
    ] {
        let answer = root.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(
            !answer.text.contains("Kaguya") && !answer.text.contains("reserved"),
            "{path}: {}",
            answer.text
        );
    }
    assert_eq!(tables_with(&app, "Kaguya").await, ["gift_reservations"]);
    assert_eq!(tables_with(&app, secret.as_str().unwrap()).await, [""; 0], "its hash is enough");
}

#[tokio::test]
async fn stopping_wipes_what_is_reserved_and_a_new_link_does_not() {
    let app = TestApp::new().await;
    let (alice, mio) = (app.register("alice").await, app.visitor());
    let mina = wish(&alice, "Mina").await;
    let list = share(&alice).await;
    let secret = reserve(&mio, &list, &mina, "Mio").await.made()["secret"].clone();
    let renewed = share(&alice).await;
    assert_eq!(told(&mio, &renewed).await, [("Mina".to_owned(), json!(true), json!("Mio"))]);
    release(&mio, &renewed, &mina, &secret).await.ok();
    reserve(&mio, &renewed, &mina, "Mio").await.made();
    alice.delete(SHARE).await.ok();
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM gift_reservations").await, 0);
    let list = share(&alice).await;
    assert_eq!(told(&mio, &list).await, [("Mina".to_owned(), json!(false), Value::Null)]);
}

#[tokio::test]
async fn a_wish_that_goes_takes_its_reservation_along() {
    let app = TestApp::new().await;
    let (alice, mio) = (app.register("alice").await, app.visitor());
    let (mina, lyra) = (wish(&alice, "Mina").await, wish(&alice, "Lyra").await);
    let list = share(&alice).await;
    let secret = reserve(&mio, &list, &mina, "Mio").await.made()["secret"].clone();
    reserve(&mio, &list, &lyra, "Mio").await.made();
    // Restated it is the same wish.
    alice.put(&format!("/api/me/wishlist/{mina}"), json!({"note": "the blue one"})).await.ok();
    assert_eq!(told(&mio, &list).await.iter().filter(|one| one.1 == true).count(), 2);
    alice.delete(&format!("/api/me/wishlist/{mina}")).await.ok();
    alice.post(&format!("/api/me/wishlist/{lyra}/acquire"), json!({})).await.made();
    assert_eq!(told(&mio, &list).await, []);
    release(&mio, &list, &mina, &secret).await.refused(404, "wish_not_found");
    alice.put(&format!("/api/me/wishlist/{mina}"), json!({})).await.made();
    assert_eq!(told(&mio, &list).await, [("Mina".to_owned(), json!(false), Value::Null)]);
    // What is left of them goes with the next reservation, an hour later.
    let count = "SELECT count(*) FROM gift_reservations";
    assert_eq!(app.scalar::<i64>(count).await, 2);
    sqlx::query("UPDATE gift_reservations SET created_at = created_at - interval '2 hours'")
        .execute(&app.db.pool)
        .await
        .unwrap();
    reserve(&mio, &list, &mina, "Mio").await.made();
    assert_eq!(app.scalar::<i64>(count).await, 1);
}

#[tokio::test]
async fn nsfw_wishes_are_shown_only_if_the_owner_shows_them_and_the_viewer_does_not_hide_them() {
    let app = TestApp::new().await;
    let (alice, ben, anybody) = (app.register("alice").await, app.register("ben").await, app.visitor());
    let nsfw = figure(&alice, "Nightfall", json!({"is_nsfw": true})).await;
    alice.put(&format!("/api/me/wishlist/{nsfw}"), json!({})).await.made();
    wish(&alice, "Mina").await;
    let list = share(&alice).await;
    let seen = async |client: &TestClient| -> Vec<(String, bool)> {
        let page = client.get(&list).await.ok();
        let items = page["items"].as_array().unwrap();
        assert_eq!(page["wish_count"], items.len());
        let one = |item: &Value| {
            let figure = &item["figure"];
            (figure["name"].as_str().unwrap().to_owned(), figure["blurred"].as_bool().unwrap())
        };
        items.iter().map(one).collect()
    };
    let (mina, night) = (("Mina".to_owned(), false), |blurred| ("Nightfall".to_owned(), blurred));
    ben.patch("/api/me", json!({"nsfw_visibility": "show"})).await.ok();
    for client in [&anybody, &ben, &alice] {
        assert_eq!(seen(client).await, std::slice::from_ref(&mina));
    }
    reserve(&anybody, &list, &nsfw, "Mio").await.refused(404, "wish_not_found");
    alice.patch("/api/me", json!({"public_profile_show_nsfw": true})).await.ok();
    assert_eq!(seen(&anybody).await, [mina.clone(), night(true)]);
    for (visibility, expected) in [
        ("show", vec![mina.clone(), night(false)]),
        ("blur", vec![mina.clone(), night(true)]),
        ("hide", vec![mina.clone()]),
    ] {
        ben.patch("/api/me", json!({"nsfw_visibility": visibility})).await.ok();
        assert_eq!(seen(&ben).await, expected, "{visibility}");
    }
    reserve(&ben, &list, &nsfw, "Ben").await.refused(404, "wish_not_found");
    reserve(&anybody, &list, &nsfw, "Mio").await.made();
}

#[tokio::test]
async fn a_list_comes_in_pages_whose_cursors_tell_no_targets() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    for name in ["Lyra", "Io", "Mina"] {
        let figure = wish(&alice, name).await;
        let target = json!({"max_price_amount": "77.31", "max_price_currency": "EUR"});
        alice.put(&format!("/api/me/wishlist/{figure}"), target).await.ok();
    }
    let list = share(&alice).await;
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = anybody.get(&format!("{list}?limit=1{cursor}")).await.ok();
        assert_eq!(page["wish_count"], 3);
        names.push(page["items"][0]["figure"]["name"].as_str().unwrap().to_owned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        let told = json!({"sort": "name", "value": names.last().unwrap().to_lowercase(), "id": page["items"][0]["figure_id"]});
        assert_eq!(decoded(next), told, "nothing but what the page shows");
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["Io", "Lyra", "Mina"]);
    // A cursor of the owner's own listing by target would have the list sorted by it.
    let own = alice.get("/api/me/wishlist?sort=target&limit=1").await.ok();
    let own = own["next_cursor"].as_str().unwrap();
    anybody.get(&format!("{list}?cursor={own}")).await.refused(422, "invalid_cursor");
    anybody.get(&format!("{list}?sort=target")).await.refused(422, "unknown_parameter");
    anybody.get(&format!("{list}?limit=0")).await.refused(422, "invalid_field");
}
