//! Following, finding people, and comparing collections.

use reqwest::Method;
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::profiles::{own, settled, switch};
use crate::support::{PASSWORD, TestApp, TestClient};

const FOLLOWING: &str = "/api/me/following";
const FOLLOWERS: &str = "/api/me/followers";

fn at(name: &str) -> String {
    format!("{FOLLOWING}/{name}")
}

/// Somebody whose profile is on.
async fn shown(app: &TestApp, name: &str) -> TestClient {
    let client = app.register(name).await;
    switch(&client, json!({"public_profile": true})).await;
    client
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect()
}

async fn listed(client: &TestClient, path: &str) -> Vec<String> {
    names(&client.get(path).await.ok()).into_iter().map(str::to_owned).collect()
}

/// All pages of a listing of people.
async fn walked(client: &TestClient, path: &str, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    for _ in 0..50 {
        let page = client.get(&format!("{path}{joint}limit={limit}{cursor}")).await.ok();
        assert!(page["items"].as_array().unwrap().len() <= limit);
        all.extend(names(&page).into_iter().map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
    panic!("{path} does not end");
}

#[tokio::test]
async fn one_follows_whoever_shows_themselves_and_is_seen_by_them() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, shown(&app, "Bob").await);
    let followed = json!({"username": "Bob", "is_followed": true});
    for _ in 0..2 {
        assert_eq!(alice.put(&at("bob"), json!({})).await.ok(), followed);
    }
    let page = alice.get(FOLLOWING).await.ok();
    assert_eq!(names(&page), ["Bob"]);
    assert_eq!(page["items"][0]["is_followed"], true);
    assert!(page["items"][0]["followed_at"].is_string());
    assert_eq!(alice.get("/api/u/bob").await.ok()["is_followed"], true);
    let counts = bob.get("/api/u/bob").await.ok()["counts"].clone();
    assert_eq!((&counts["followers"], &counts["following"]), (&json!(0), &json!(0)), "alice is not shown");
    assert_eq!(listed(&bob, FOLLOWERS).await, Vec::<String>::new(), "whose profile is off is seen nowhere");
    switch(&alice, json!({"public_profile": true})).await;
    let seen = bob.get(FOLLOWERS).await.ok();
    assert_eq!((names(&seen), &seen["items"][0]["is_followed"]), (vec!["alice"], &json!(false)));
    assert_eq!(bob.get("/api/u/bob").await.ok()["counts"]["followers"], 1);
    assert_eq!(app.visitor().get("/api/u/alice").await.ok()["counts"]["following"], 1);
    bob.put(&at("alice"), json!({})).await.ok();
    assert_eq!(bob.get(FOLLOWERS).await.ok()["items"][0]["is_followed"], true);

    for _ in 0..2 {
        let left = json!({"username": "bob", "is_followed": false});
        assert_eq!(alice.delete(&at("bob")).await.ok(), left);
    }
    assert_eq!(listed(&alice, FOLLOWING).await, Vec::<String>::new());
    assert_eq!(listed(&alice, FOLLOWERS).await, ["Bob"], "that was only one's own following");

    for (method, path) in
        [(Method::GET, FOLLOWING.to_owned()), (Method::GET, FOLLOWERS.to_owned()), (Method::PUT, at("bob"))]
    {
        app.visitor().send(method, &path, |request| request).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn nobody_follows_themselves_or_whom_they_cannot_see() {
    let app = TestApp::new().await;
    let (alice, bob) = (shown(&app, "alice").await, app.register("bob").await);
    for name in ["alice", "ALICE"] {
        alice.put(&at(name), json!({})).await.refused_field(422, "cannot_follow_oneself", "username");
    }
    bob.put(&at("bob"), json!({})).await.refused(422, "cannot_follow_oneself");
    let unknown = alice.put(&at("nobody-at-all"), json!({})).await.refused(404, "not_found");
    let off = alice.put(&at("bob"), json!({})).await.refused(404, "not_found");
    assert_eq!(off, unknown, "who is off is told from nobody");
    assert_eq!(alice.delete(&at("bob")).await.refused(404, "not_found"), unknown);
    for name in ["a", "%20%20%20%20", "%D0%B0lice", &"x".repeat(10_000)] {
        alice.put(&at(name), json!({})).await.refused(404, "not_found");
    }
    let elsewhere =
        alice.send(Method::PUT, &at("bob"), |request| request.header("sec-fetch-site", "cross-site")).await;
    elsewhere.refused(403, "cross_site_write");
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM following").await, 0);
}

#[tokio::test]
async fn whoever_switches_their_profile_off_is_suspended_or_erased_is_seen_nowhere() {
    let app = TestApp::new().await;
    let (alice, bob) = (shown(&app, "alice").await, shown(&app, "bob").await);
    let root = app.register_admin("root").await;
    alice.put(&at("bob"), json!({})).await.ok();
    bob.put(&at("alice"), json!({})).await.ok();
    let everywhere = async |seen: bool, when: &str| {
        let expected: Vec<&str> = if seen { vec!["bob"] } else { Vec::new() };
        for path in [FOLLOWING, FOLLOWERS, "/api/discover", "/api/discover?q=bo"] {
            assert_eq!(listed(&alice, path).await, expected, "{when}: {path}");
        }
        let counts = alice.get("/api/u/alice").await.ok()["counts"].clone();
        let people = (counts["followers"].as_i64(), counts["following"].as_i64());
        assert_eq!(people, if seen { (Some(1), Some(1)) } else { (Some(0), Some(0)) }, "{when}");
        let compared = alice.get("/api/compare/bob").await;
        if seen {
            compared.ok();
        } else {
            compared.refused(404, "not_found");
        }
    };
    everywhere(true, "at first").await;
    switch(&bob, json!({"public_profile": false})).await;
    everywhere(false, "switched off").await;
    switch(&bob, json!({"public_profile": true})).await;
    everywhere(true, "switched on again").await;
    root.patch("/api/admin/users/bob", json!({"suspended": true})).await.ok();
    everywhere(false, "suspended").await;
    root.patch("/api/admin/users/bob", json!({"suspended": false})).await.ok();
    everywhere(true, "back").await;

    switch_off_and_unfollow(&app, &alice).await;

    let back = app.visitor();
    back.post("/api/auth/login", json!({"username": "bob", "password": PASSWORD})).await.ok();
    let proof = json!({"current_password": PASSWORD});
    back.send(Method::DELETE, "/api/me", |request| request.json(&proof)).await.ok();
    everywhere(false, "erased").await;
    assert_eq!(app.scalar::<i64>("SELECT count(*) FROM following").await, 0);
}

/// One leaves somebody whom one cannot see any more.
async fn switch_off_and_unfollow(app: &TestApp, alice: &TestClient) {
    let cleo = shown(app, "cleo").await;
    alice.put(&at("cleo"), json!({})).await.ok();
    switch(&cleo, json!({"public_profile": false})).await;
    alice.delete(&at("cleo")).await.ok();
    alice.delete(&at("cleo")).await.refused(404, "not_found");
    switch(&cleo, json!({"public_profile": true})).await;
    assert_eq!(listed(alice, FOLLOWING).await, ["bob"]);
    switch(&cleo, json!({"public_profile": false})).await;
}

#[tokio::test]
async fn people_are_found_by_a_part_of_their_name_in_pages() {
    let app = TestApp::new().await;
    let alice = shown(&app, "alice").await;
    app.register("hidden-mika").await;
    for name in ["mika-03", "Mika-01", "mika_02", "noor", "Zoe"] {
        shown(&app, name).await;
        alice.put(&at(name), json!({})).await.ok();
    }
    assert_eq!(listed(&alice, "/api/discover").await, ["Mika-01", "mika-03", "mika_02", "noor", "Zoe"]);
    let mikas = ["Mika-01", "mika-03", "mika_02"];
    assert_eq!(listed(&alice, "/api/discover?q=MIKA").await, mikas);
    assert_eq!(listed(&alice, "/api/discover?q=%20mika%20").await, mikas);
    assert_eq!(listed(&alice, "/api/discover?q=-0").await, ["Mika-01", "mika-03"]);
    for nothing in ["%25", "mika%25", "%D0%BCika", "alice", "hidden"] {
        let path = format!("/api/discover?q={nothing}");
        assert_eq!(listed(&alice, &path).await, Vec::<String>::new(), "{nothing}");
    }
    for limit in [1, 2, 5] {
        assert_eq!(walked(&alice, "/api/discover?q=mika", limit).await, mikas);
        assert_eq!(walked(&alice, "/api/discover", limit).await.len(), 5);
        assert_eq!(
            walked(&alice, FOLLOWING, limit).await,
            ["Zoe", "noor", "mika_02", "Mika-01", "mika-03"],
            "the latest first"
        );
    }
    let refused = async |query: &str, code: &str, field: &str| {
        alice.get(&format!("/api/discover?{query}")).await.refused_field(422, code, field);
    };
    refused("limit=0", "invalid_field", "limit").await;
    refused("limit=201", "invalid_field", "limit").await;
    refused("cursor=x", "invalid_cursor", "cursor").await;
    refused("cursor=ImFcdTAwMDBiIg", "invalid_cursor", "cursor").await;
    refused(&format!("q={}", "a".repeat(201)), "invalid_field", "q").await;
    alice.get(&format!("{FOLLOWING}?cursor=IngiCg")).await.refused_field(422, "invalid_cursor", "cursor");
    app.visitor().get("/api/discover").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn the_pieces_of_people_in_lists_are_counted_as_their_profiles_show_them() {
    let app = TestApp::new().await;
    let (alice, bob) = (shown(&app, "alice").await, shown(&app, "bob").await);
    let tame = add(&bob, "Tame", json!({})).await;
    let daring = add(&bob, "Daring", json!({"is_nsfw": true})).await;
    own(&bob, &tame, json!({})).await;
    own(&bob, &daring, json!({})).await;
    own(&bob, &daring, json!({})).await;
    alice.put(&at("bob"), json!({})).await.ok();
    bob.put(&at("alice"), json!({})).await.ok();
    settled(&app).await;
    for (shows, wish, pieces) in
        [(false, "show", 1), (false, "hide", 1), (true, "hide", 1), (true, "blur", 3), (true, "show", 3)]
    {
        switch(&bob, json!({"public_profile_show_nsfw": shows})).await;
        switch(&alice, json!({"nsfw_visibility": wish})).await;
        for path in [FOLLOWING, FOLLOWERS, "/api/discover"] {
            let page = alice.get(path).await.ok();
            assert_eq!(page["items"][0]["pieces"], pieces, "{path}, shown: {shows}, {wish}");
        }
    }
    assert_eq!(bob.get("/api/discover").await.ok()["items"][0]["pieces"], 0);
}

/// The figures of one part of a comparison, with how many pieces each has.
async fn part(client: &TestClient, other: &str, part: &str) -> Vec<(String, i64, i64)> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..50 {
        let path = format!("/api/compare/{other}?part={part}&limit=1{cursor}");
        let page = client.get(&path).await.ok();
        for one in page["items"].as_array().unwrap() {
            let name = one["figure"]["name"].as_str().unwrap().to_owned();
            all.push((name, one["mine"].as_i64().unwrap(), one["theirs"].as_i64().unwrap()));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                let counted = page["counts"][part].as_i64();
                assert_eq!(counted, Some(i64::try_from(all.len()).unwrap()), "{part}: {page}");
                return all;
            }
        }
    }
    panic!("{part} does not end");
}

fn row(name: &str, mine: i64, theirs: i64) -> (String, i64, i64) {
    (name.to_owned(), mine, theirs)
}

#[tokio::test]
async fn two_collections_are_compared_in_pieces_and_wishes() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, shown(&app, "bob").await);
    let mut figures = Vec::new();
    for name in ["Ada", "Bea", "Cai", "Dee", "Eve", "Fay", "Gus"] {
        figures.push(add(&alice, name, json!({})).await);
    }
    let [ada, bea, cai, dee, eve, fay, gus] = figures.try_into().unwrap();
    for figure in [&ada, &ada, &bea, &cai] {
        own(&alice, figure, json!({"notes": "mine alone"})).await;
    }
    for figure in [&ada, &bea, &dee, &eve, &fay] {
        let secret =
            json!({"notes": "hush", "price_amount": "77.77", "price_currency": "EUR", "location": "Vault"});
        own(&bob, figure, secret).await;
    }
    let gone = own(&bob, &cai, json!({})).await;
    bob.post(&format!("/api/me/owned/{}/archive", id(&gone)), json!({"reason": "lost"})).await.ok();
    for (client, figure) in [(&alice, &dee), (&alice, &gus), (&bob, &gus), (&bob, &cai)] {
        client.put(&format!("/api/me/wishlist/{}", id(figure)), json!({"note": "hush"})).await.made();
    }
    settled(&app).await;
    assert_eq!(part(&alice, "bob", "both").await, [row("Ada", 2, 1), row("Bea", 1, 1)]);
    assert_eq!(part(&alice, "bob", "only_me").await, [row("Cai", 1, 0)]);
    assert_eq!(
        part(&alice, "bob", "only_them").await,
        [row("Dee", 0, 1), row("Eve", 0, 1), row("Fay", 0, 1)]
    );
    assert_eq!(part(&alice, "bob", "both_wish").await, [row("Gus", 0, 0)]);
    assert_eq!(part(&alice, "bob", "my_wishes").await, [row("Dee", 0, 1)]);
    assert_eq!(part(&alice, "bob", "their_wishes").await, [row("Cai", 1, 0)]);
    let answer = alice.get("/api/compare/BOB?part=only_them").await;
    for private in ["hush", "77.77", "Vault", id(&gone), "example.org"] {
        assert!(!answer.text.contains(private), "{private} in {}", answer.text);
    }
    assert_eq!(answer.ok()["username"], "bob");
    let page = alice.get("/api/compare/bob?limit=1").await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    let other_part = format!("/api/compare/bob?part=only_them&cursor={cursor}");
    alice.get(&other_part).await.refused_field(422, "invalid_cursor", "cursor");
    alice.get("/api/compare/bob?part=none").await.refused_field(422, "invalid_field", "part");
    let unknown = alice.get("/api/compare/nobody-at-all").await.refused(404, "not_found");
    assert_eq!(bob.get("/api/compare/alice").await.refused(404, "not_found"), unknown);
    app.visitor().get("/api/compare/bob").await.refused(401, "not_signed_in");
    assert_eq!(part(&bob, "bob", "both").await.len(), 5, "beside oneself everything is the same");
}

#[tokio::test]
async fn nsfw_figures_that_are_not_shown_are_compared_as_if_they_were_not_there() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, shown(&app, "bob").await);
    let shared = add(&alice, "Daring", json!({"is_nsfw": true})).await;
    let theirs = add(&alice, "Daring too", json!({"is_nsfw": true})).await;
    let wished = add(&alice, "Daring as well", json!({"is_nsfw": true})).await;
    own(&alice, &shared, json!({})).await;
    own(&bob, &shared, json!({})).await;
    own(&bob, &theirs, json!({})).await;
    for client in [&alice, &bob] {
        client.put(&format!("/api/me/wishlist/{}", id(&wished)), json!({})).await.made();
    }
    settled(&app).await;
    for (shows, wish, both, only_me, only_them, both_wish) in [
        (true, "show", 1, 0, 1, 1),
        (true, "blur", 1, 0, 1, 1),
        (true, "hide", 0, 0, 0, 0),
        (false, "show", 0, 1, 0, 0),
        (false, "blur", 0, 1, 0, 0),
        (false, "hide", 0, 0, 0, 0),
    ] {
        switch(&bob, json!({"public_profile_show_nsfw": shows})).await;
        switch(&alice, json!({"nsfw_visibility": wish})).await;
        let what = format!("shown: {shows}, {wish}");
        let page = alice.get("/api/compare/bob").await.ok();
        let expected = json!({"both": both, "only_me": only_me, "only_them": only_them, "both_wish": both_wish,
            "my_wishes": 0, "their_wishes": 0});
        assert_eq!(page["counts"], expected, "{what}");
        if both == 1 {
            assert_eq!(page["items"][0]["figure"]["blurred"], json!(wish == "blur"), "{what}");
        }
        assert_eq!(part(&alice, "bob", "only_them").await.len(), only_them, "{what}");
    }
}
