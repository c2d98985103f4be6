//! Cabinets behind links.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    gift_list::members,
    owned::{id, own},
    profiles::decoded,
    support::{TestApp, TestClient},
};

async fn figure(client: &TestClient, name: &str, is_nsfw: bool) -> String {
    let body = json!({
        "name": name, "figure_type": "scale", "is_nsfw": is_nsfw, "manufacturer": "Cobalt Works",
        "msrp_amount": "19800", "msrp_currency": "JPY", "release_date": "2024-05",
        "buy_links": [{"store": "Harbour Hobby", "path": "/item/4711"}]
    });
    client.post("/api/figures", body).await.made()["id"].as_str().unwrap().to_owned()
}

async fn cabinet(client: &TestClient, name: &str) -> String {
    client.post("/api/me/locations", json!({"name": name})).await.made()["id"].as_str().unwrap().to_owned()
}

fn share_of(cabinet: &str) -> String {
    format!("/api/me/locations/{cabinet}/share")
}

async fn share(client: &TestClient, cabinet: &str) -> String {
    let made = client.post(&share_of(cabinet), json!({})).await.made();
    let link = format!("/api/v/{}", made["token"].as_str().unwrap());
    assert!(made["url"].as_str().unwrap().ends_with(&link), "{made}");
    link
}

async fn seen(client: &TestClient, link: &str) -> (String, Vec<String>) {
    let page = client.get(link).await.ok();
    let items = page["items"].as_array().unwrap();
    assert_eq!(page["piece_count"], items.len(), "{page}");
    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
    (page["name"].as_str().unwrap().to_owned(), items.iter().map(name).collect())
}

#[tokio::test]
async fn a_cabinet_shows_what_stands_in_it_and_never_what_it_cost_or_is_worth() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    let mina = figure(&alice, "Mina", false).await;
    let everything = json!({
        "location": "alcove", "condition": "damaged", "price_amount": "77.31", "price_currency": "EUR",
        "shipping_amount": "7.41", "fees_amount": "3.51", "value_amount": "613.20", "value_currency": "EUR",
        "purchase_date": "2024-02-29", "store": "Secret Shop", "notes": "behind the wardrobe",
        "origin": "gift", "origin_from": "Uncle Rigel"
    });
    own(&alice, &mina, everything).await;
    let link = share(&alice, &alcove).await;
    let answer = anybody.get(&link).await;
    for (header, expected) in [("cache-control", "no-store"), ("x-robots-tag", "noindex, nofollow")] {
        assert_eq!(answer.header(header), expected, "{header}");
    }
    let private = [
        "77.31",
        "7.41",
        "3.51",
        "613",
        "19800",
        "2024-02-29",
        "Secret",
        "Harbour",
        "wardrobe",
        "gift",
        "Rigel",
        "damaged",
        "alice",
    ];
    for fact in private {
        assert!(!answer.text.contains(fact), "{fact}: {}", answer.text);
    }
    let page = answer.ok();
    let shown: BTreeSet<String> = members(&page);
    let expected = [
        "blurred",
        "cover",
        "figure_id",
        "figure_type",
        "id",
        "is_nsfw",
        "items",
        "manufacturer",
        "name",
        "next_cursor",
        "official_image_url",
        "piece_count",
        "release_date",
        "release_date_precision",
        "scale",
        "series",
        "slug",
    ];
    assert_eq!(shown, expected.map(str::to_owned).into());
    assert_eq!((&page["name"], &page["piece_count"]), (&json!("Alcove"), &json!(1)));
    let item = &page["items"][0];
    assert_eq!((&item["figure_id"], &item["name"]), (&json!(mina), &json!("Mina")));
    assert_eq!(item["manufacturer"]["name"], "Cobalt Works");
}

#[tokio::test]
async fn a_renamed_cabinet_stays_shared_and_a_deleted_one_does_not() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    own(&alice, &figure(&alice, "Mina", false).await, json!({"location": "Alcove"})).await;
    let link = share(&alice, &alcove).await;
    alice.patch(&format!("/api/me/locations/{alcove}"), json!({"name": "Bay window"})).await.ok();
    assert_eq!(seen(&anybody, &link).await, ("Bay window".to_owned(), vec!["Mina".to_owned()]));
    assert_eq!(alice.get(&share_of(&alcove)).await.ok()["shared"], true);
    alice.delete(&format!("/api/me/locations/{alcove}")).await.ok();
    anybody.get(&link).await.refused(404, "link_unknown");
    alice.get(&share_of(&alcove)).await.refused(404, "cabinet_not_found");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM share_links").await, 0);
    // Another one of the same name is another one.
    cabinet(&alice, "Bay window").await;
    anybody.get(&link).await.refused(404, "link_unknown");
}

#[tokio::test]
async fn a_link_that_outlived_its_cabinet_opens_nothing() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    let link = share(&alice, &alcove).await;
    // As if the server had died between the two.
    let kept = "CREATE TABLE kept AS TABLE share_links";
    sqlx::query(kept).execute(&app.db.pool).await.unwrap();
    alice.delete(&format!("/api/me/locations/{alcove}")).await.ok();
    sqlx::query("INSERT INTO share_links SELECT * FROM kept").execute(&app.db.pool).await.unwrap();
    anybody.get(&link).await.refused(404, "link_unknown");
}

#[tokio::test]
async fn only_ones_own_registered_cabinets_are_shared() {
    let app = TestApp::new().await;
    let (alice, ben, anybody) = (app.register("alice").await, app.register("ben").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    let nobodys = "00000000-0000-4000-8000-000000000000".to_owned();
    for (client, which) in [(&ben, &alcove), (&alice, &nobodys)] {
        let share = share_of(which);
        client.get(&share).await.refused(404, "cabinet_not_found");
        client.post(&share, json!({})).await.refused(404, "cabinet_not_found");
        client.delete(&share).await.refused(404, "cabinet_not_found");
    }
    anybody.post(&share_of(&alcove), json!({})).await.refused(401, "not_signed_in");
    let share_again = share_of(&alcove);
    alice.delete(&share_again).await.refused(404, "not_shared");
    let replaced = share(&alice, &alcove).await;
    let other = share(&alice, &cabinet(&alice, "Other").await).await;
    let link = share(&alice, &alcove).await;
    anybody.get(&replaced).await.refused(404, "link_unknown");
    anybody.get(&link).await.ok();
    assert_eq!(alice.delete(&share_again).await.ok(), json!({"shared": false, "shared_at": null}));
    anybody.get(&link).await.refused(404, "link_unknown");
    anybody.get(&other).await.ok();
    let list = other.replace("/api/v/", "/api/g/");
    anybody.get(&list).await.refused(404, "link_unknown");
}

#[tokio::test]
async fn what_is_archived_elsewhere_or_yet_to_come_is_not_in_it() {
    let app = TestApp::new().await;
    let (alice, ben, anybody) = (app.register("alice").await, app.register("ben").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    let mina = figure(&alice, "Mina", false).await;
    own(&alice, &mina, json!({"location": "ALCOVE"})).await;
    let gone = own(&alice, &figure(&alice, "Sold", false).await, json!({"location": "Alcove"})).await;
    own(&alice, &figure(&alice, "Elsewhere", false).await, json!({"location": "Attic"})).await;
    own(&alice, &figure(&alice, "Nowhere", false).await, json!({})).await;
    own(&ben, &mina, json!({"location": "Alcove"})).await;
    let coming = json!({"figure_id": figure(&alice, "Coming", false).await, "location": "Alcove"});
    let coming = alice.post("/api/me/preorders", coming).await.made();
    let archive = format!("/api/me/owned/{}/archive", id(&gone));
    alice.post(&archive, json!({"reason": "sold"})).await.ok();
    let link = share(&alice, &alcove).await;
    assert_eq!(seen(&anybody, &link).await.1, ["Mina"]);
    alice.post(&format!("/api/me/preorders/{}/receive", id(&coming)), json!({})).await.ok();
    let mut now = seen(&anybody, &link).await.1;
    now.sort();
    assert_eq!(now, ["Coming", "Mina"]);
}

#[tokio::test]
async fn pieces_come_in_their_owners_order_page_by_page() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    let mut ids = Vec::new();
    for name in ["Mina", "Io", "Lyra"] {
        ids.push(
            own(&alice, &figure(&alice, name, false).await, json!({"location": "Alcove"})).await["id"]
                .clone(),
        );
    }
    let order = [1, 2, 0].map(|at: usize| json!({"id": ids[at]}));
    let arrange: Vec<Value> = order
        .iter()
        .enumerate()
        .map(|(at, one)| json!({"id": one["id"], "location": "Alcove", "sort_order": at}))
        .collect();
    alice.put("/api/me/owned/arrange", json!({"items": arrange})).await.ok();
    let link = share(&alice, &alcove).await;
    assert_eq!(seen(&anybody, &link).await.1, ["Io", "Lyra", "Mina"]);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = anybody.get(&format!("{link}?limit=1{cursor}")).await.ok();
        assert_eq!(page["piece_count"], 3);
        names.push(page["items"][0]["name"].as_str().unwrap().to_owned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        assert_eq!(decoded(next), json!(names.len()), "no id of a piece");
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["Io", "Lyra", "Mina"]);
    let own = alice.get("/api/me/owned?sort=price&limit=1").await.ok();
    let own = own["next_cursor"].as_str().unwrap();
    anybody.get(&format!("{link}?cursor={own}")).await.refused(422, "invalid_cursor");
    anybody.get(&format!("{link}?sort=price")).await.refused(422, "unknown_parameter");
}

#[tokio::test]
async fn nsfw_pieces_are_there_and_counted_only_if_shown() {
    let app = TestApp::new().await;
    let (alice, ben, anybody) = (app.register("alice").await, app.register("ben").await, app.visitor());
    let alcove = cabinet(&alice, "Alcove").await;
    for (name, is_nsfw) in [("Mina", false), ("Nightfall", true)] {
        own(&alice, &figure(&alice, name, is_nsfw).await, json!({"location": "Alcove"})).await;
    }
    let link = share(&alice, &alcove).await;
    let counted = async |client: &TestClient| -> (usize, usize) {
        let page = client.get(&link).await.ok();
        let items = page["items"].as_array().unwrap();
        assert_eq!(page["piece_count"], items.len());
        (items.len(), items.iter().filter(|item| item["blurred"] == true).count())
    };
    ben.patch("/api/me", json!({"nsfw_visibility": "show"})).await.ok();
    for client in [&anybody, &ben, &alice] {
        assert_eq!(counted(client).await, (1, 0));
    }
    alice.patch("/api/me", json!({"public_profile_show_nsfw": true})).await.ok();
    assert_eq!(counted(&anybody).await, (2, 1));
    for (visibility, expected) in [("show", (2, 0)), ("blur", (2, 1)), ("hide", (1, 0))] {
        ben.patch("/api/me", json!({"nsfw_visibility": visibility})).await.ok();
        assert_eq!(counted(&ben).await, expected, "{visibility}");
    }
}
