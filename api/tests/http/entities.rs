use reqwest::Method;
use serde_json::{Value, json};

use super::figures::{add, get_at, id, names};
use crate::support::{TestApp, TestClient};

const NOBODY: &str = "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff";
const KINDS: [&str; 5] = ["manufacturers", "series", "characters", "sculptors", "stores"];

/// A figure that names one entity of each kind by this name.
fn naming(name: &str) -> Value {
    json!({
        "manufacturer": name,
        "series": [name],
        "characters": [name],
        "sculptor": name,
        "buy_links": [{"store": name, "path": "/1"}]
    })
}

/// What a figure shows of a kind.
fn of_kind<'a>(figure: &'a Value, kind: &str) -> &'a Value {
    match kind {
        "manufacturers" => &figure["manufacturer"],
        "sculptors" => &figure["sculptor"],
        "stores" => &figure["buy_links"][0]["store"],
        list => &figure[list][0],
    }
}

async fn listed(client: &TestClient, path: &str) -> Vec<String> {
    let list = client.get(path).await.ok();
    names(&list["items"]).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn names_are_for_the_signed_in_and_merging_for_admins() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", naming("Harbour")).await;
    let anybody = app.visitor();
    for kind in KINDS {
        let path = format!("/api/{kind}/{}", id(of_kind(&figure, kind)));
        let merge = format!("{path}/merge");
        anybody.get(&format!("/api/{kind}")).await.refused(401, "not_signed_in");
        anybody.get(&path).await.refused(401, "not_signed_in");
        anybody.patch(&path, json!({"name": "x"})).await.refused(401, "not_signed_in");
        anybody.post(&merge, json!({"into": NOBODY})).await.refused(401, "not_signed_in");
        alice.post(&merge, json!({"into": NOBODY})).await.refused(403, "admin_only");
    }
}

#[tokio::test]
async fn spellings_of_one_name_are_one_entry() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for name in ["Good Smile", "good  smile", "GOOD-SMILE!"] {
        add(&alice, "Mina", naming(name)).await;
    }
    add(&alice, "Nami", naming("グッドスマイル")).await;
    for kind in KINDS {
        let list = alice.get(&format!("/api/{kind}")).await.ok();
        assert_eq!(names(&list["items"]), ["Good Smile", "グッドスマイル"], "{kind}");
        assert_eq!(list["next_cursor"], Value::Null);
        let first = &list["items"][0];
        assert_eq!((&first["slug"], &first["figure_count"]), (&json!("good-smile"), &json!(3)), "{kind}");
        assert_eq!(first["can_edit"], true);
        assert_eq!(first.get("mal_id").is_some(), kind == "series");
        for key in ["good-smile", id(first)] {
            let answer = alice.get(&format!("/api/{kind}/{key}")).await;
            assert_eq!(answer.header("etag"), "\"1\"");
            assert_eq!(answer.ok(), *first);
        }
        let japanese = alice
            .get(&format!("/api/{kind}/%E3%82%B0%E3%83%83%E3%83%89%E3%82%B9%E3%83%9E%E3%82%A4%E3%83%AB"))
            .await;
        assert_eq!(japanese.ok()["name"], "グッドスマイル");
    }
}

#[tokio::test]
async fn a_renamed_entry_shows_everywhere_and_answers_to_its_old_name() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", naming("Harbour")).await;
    for kind in KINDS {
        let path = format!("/api/{kind}/harbour");
        let answer = alice.patch(&path, json!({"name": "Port Works"})).await;
        let position = answer.header("x-event-position").to_owned();
        assert_eq!(answer.header("etag"), "\"2\"");
        let renamed = answer.ok();
        assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("Port Works"), &json!("port-works")));
        assert_eq!(renamed["id"], of_kind(&figure, kind)["id"]);
        for key in ["harbour", "port-works"] {
            assert_eq!(alice.get(&format!("/api/{kind}/{key}")).await.ok(), renamed, "{kind}/{key}");
        }
        let seen = get_at(&alice, &format!("/api/figures/{}", id(&figure)), &position).await;
        assert_eq!(of_kind(&seen, kind)["slug"], "port-works", "{kind}");
    }
    // Whoever types the old name means the same entry.
    let again = add(&alice, "Nami", naming("HARBOUR")).await;
    for kind in KINDS {
        assert_eq!(of_kind(&again, kind)["name"], "Port Works", "{kind}");
    }
    assert_eq!(
        alice.get("/api/figures?q=port&manufacturer=harbour").await.ok()["items"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_name_that_another_entry_answers_to_is_refused_and_points_at_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let first = add(&alice, "Mina", naming("Harbour")).await;
    add(&alice, "Nami", naming("Port")).await;
    for kind in KINDS {
        let refused = alice.patch(&format!("/api/{kind}/port"), json!({"name": "HARBOUR"})).await;
        let refused = refused.refused_field(409, "name_taken", "name");
        assert_eq!(refused["other_id"], of_kind(&first, kind)["id"], "{kind}");
        // One's own name in another spelling is free.
        let own = alice.patch(&format!("/api/{kind}/port"), json!({"name": "PORT"})).await.ok();
        assert_eq!((&own["name"], &own["slug"]), (&json!("PORT"), &json!("port")));
    }
}

#[tokio::test]
async fn only_who_typed_a_name_first_and_admins_change_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let boss = app.register_admin("boss").await;
    add(&alice, "Mina", naming("Harbour")).await;
    add(&bob, "Nami", naming("Harbour")).await;
    for kind in KINDS {
        let path = format!("/api/{kind}/harbour");
        assert_eq!(bob.get(&path).await.ok()["can_edit"], false);
        bob.patch(&path, json!({"name": "Mine"})).await.refused(403, "not_allowed");
        boss.patch(&path, json!({"name": "Harbour Works"})).await.ok();
        alice.patch(&path, json!({"name": "Harbour"})).await.ok();
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_leaves_no_event() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let figure = add(&boss, "Mina", naming("Harbour")).await;
    let before: i64 = app.scalar("SELECT count(*) FROM events").await;
    for kind in KINDS {
        let path = format!("/api/{kind}/harbour");
        for (body, code, field) in [
            (json!({"name": "🎌"}), "invalid_name", "name"),
            (json!({"name": ""}), "invalid_field", "name"),
            (json!({"name": null}), "invalid_field", "name"),
            (json!({"name": ["x"]}), "invalid_field", "name"),
            (json!({"name": "a\u{0}"}), "invalid_field", "name"),
            (json!({"name": "x".repeat(301)}), "invalid_field", "name"),
            (json!({"mal_id": 0}), "invalid_field", "mal_id"),
            (json!({"mal_id": "1"}), "invalid_field", "mal_id"),
            (json!({"mal_id": 99_999_999}), "invalid_field", "mal_id"),
            (json!({"slug": "x"}), "unknown_field", "slug"),
        ] {
            boss.patch(&path, body).await.refused_field(422, code, field);
        }
        boss.raw(Method::PATCH, &path, "{").await.refused(400, "malformed_json");
        boss.patch(&path, json!({"name": "x".repeat(70_000)})).await.refused(413, "body_too_large");
        for key in [NOBODY, "nothing", "%F0%9F%8E%8C", "a%00b"] {
            assert_eq!(boss.get(&format!("/api/{kind}/{key}")).await.status, 404);
            let answer = boss.patch(&format!("/api/{kind}/{key}"), json!({"name": "x"})).await;
            assert_eq!(answer.status, 404, "{}", answer.text);
            let answer = boss.post(&format!("/api/{kind}/{key}/merge"), json!({"into": "harbour"})).await;
            assert_eq!(answer.status, 404, "{}", answer.text);
        }
        // Ids of another kind are none of this one.
        let other = KINDS[(KINDS.iter().position(|one| *one == kind).unwrap() + 1) % 5];
        let foreign = id(of_kind(&figure, other));
        boss.get(&format!("/api/{kind}/{foreign}")).await.refused(404, "entity_not_found");
        boss.patch(&format!("/api/{kind}/{foreign}"), json!({"name": "x"}))
            .await
            .refused(404, "entity_not_found");
        for into in [foreign, NOBODY, "nothing", "🎌", ""] {
            boss.post(&format!("{path}/merge"), json!({"into": into})).await.refused_field(
                404,
                "entity_not_found",
                "into",
            );
        }
        boss.post(&format!("{path}/merge"), json!({"into": "harbour"})).await.refused_field(
            409,
            "merge_impossible",
            "into",
        );
        boss.post(&format!("{path}/merge"), json!({})).await.refused_field(422, "missing_field", "into");
    }
    boss.patch("/api/stores/harbour", json!({"mal_id": null})).await.refused_field(
        422,
        "invalid_field",
        "mal_id",
    );
    let after: i64 = app.scalar("SELECT count(*) FROM events").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_series_knows_its_number_on_myanimelist() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    add(&alice, "Mina", naming("Harbour")).await;
    let after = alice.patch("/api/series/harbour", json!({"mal_id": 11_757, "name": "Harbour!"})).await.ok();
    assert_eq!((&after["mal_id"], &after["name"]), (&json!(11_757), &json!("Harbour!")));
    assert_eq!(alice.patch("/api/series/harbour", json!({})).await.ok(), after);
    assert_eq!(alice.patch("/api/series/harbour", json!({"mal_id": null})).await.ok()["mal_id"], Value::Null);
}

#[tokio::test]
async fn who_saw_an_older_version_is_told_so() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    add(&alice, "Mina", naming("Harbour")).await;
    let rename = async |name: &str, tag: &str| {
        let body = json!({"name": name});
        alice.send(Method::PATCH, "/api/stores/harbour", |r| r.header("if-match", tag).json(&body)).await
    };
    rename("Two", "\"1\"").await.ok();
    rename("Three", "\"1\"").await.refused_field(412, "stale_version", "If-Match");
    rename("Three", "\"2\"").await.ok();
}

#[tokio::test]
async fn everything_that_pointed_at_a_merged_entry_points_at_the_winner() {
    let app = TestApp::new().await;
    let boss = app.register_admin("boss").await;
    let one = add(&boss, "One", naming("Harbor")).await;
    let two = add(&boss, "Two", naming("Harbour")).await;
    for kind in KINDS {
        let (loser, winner) = (id(of_kind(&one, kind)), id(of_kind(&two, kind)));
        let body = json!({"into": "harbour"});
        let send = async || {
            let merge = format!("/api/{kind}/harbor/merge");
            boss.send(Method::POST, &merge, |r| r.header("idempotency-key", kind).json(&body)).await
        };
        let answer = send().await;
        let position = answer.header("x-event-position").to_owned();
        let merged = answer.ok();
        assert_eq!((&merged["id"], &merged["figure_count"]), (&json!(winner), &json!(2)), "{kind}");
        for key in [loser, "harbor", winner, "harbour"] {
            assert_eq!(boss.get(&format!("/api/{kind}/{key}")).await.ok(), merged, "{kind}/{key}");
        }
        assert_eq!(listed(&boss, &format!("/api/{kind}")).await, ["Harbour"]);
        let seen = get_at(&boss, &format!("/api/figures/{}", id(&one)), &position).await;
        assert_eq!(of_kind(&seen, kind)["id"], winner, "{kind}");
        let into_itself = boss.post(&format!("/api/{kind}/{loser}/merge"), json!({"into": winner})).await;
        into_itself.refused_field(409, "merge_impossible", "into");
        // Correcting the one that is gone corrects the one it is now.
        let renamed = boss.patch(&format!("/api/{kind}/{loser}"), json!({"name": "Harbor"})).await.ok();
        assert_eq!((&renamed["id"], &renamed["name"]), (&json!(winner), &json!("Harbor")), "{kind}");
        boss.patch(&format!("/api/{kind}/{winner}"), json!({"name": "Harbour"})).await.ok();
    }
    for filter in ["manufacturer", "series", "character"] {
        for key in ["harbor", "harbour"] {
            assert_eq!(
                listed(&boss, &format!("/api/figures?{filter}={key}&sort=name")).await,
                ["One", "Two"],
                "{filter}={key}"
            );
        }
    }
    let three = add(&boss, "Three", naming("HARBOR")).await;
    for kind in KINDS {
        assert_eq!(of_kind(&three, kind)["name"], "Harbour");
    }
}

#[tokio::test]
async fn a_listing_is_searched_and_leafed_through() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for name in ["Good Smile Company", "Max Factory", "Kotobukiya", "Alter", "アルター", "Aniplex+"] {
        add(&alice, "x", naming(name)).await;
    }
    for kind in KINDS {
        let at = |query: &str| format!("/api/{kind}?{query}");
        let all = ["Alter", "Aniplex+", "Good Smile Company", "Kotobukiya", "Max Factory", "アルター"];
        assert_eq!(listed(&alice, &at("")).await, all);
        assert_eq!(listed(&alice, &at("q=GOOD%20smi")).await, ["Good Smile Company"]);
        assert_eq!(listed(&alice, &at("q=kotobukya")).await, ["Kotobukiya"], "a typo does no harm");
        assert_eq!(listed(&alice, &at("q=%E3%82%A2%E3%83%AB%E3%82%BF%E3%83%BC")).await, ["アルター"]);
        assert_eq!(listed(&alice, &at("q=%20")).await.len(), 6);
        assert_eq!(listed(&alice, &at("q=100%25")).await.len(), 0, "a percent sign is only itself");
        let mut seen = Vec::new();
        let mut path = at("limit=4");
        loop {
            let page = alice.get(&path).await.ok();
            seen.extend(names(&page["items"]).into_iter().map(str::to_owned));
            match page["next_cursor"].as_str() {
                Some(cursor) => path = at(&format!("limit=4&cursor={cursor}")),
                None => break,
            }
        }
        assert_eq!(seen, all, "{kind}");
        for (query, code, field) in [
            ("limit=0", "invalid_field", "limit"),
            ("limit=201", "invalid_field", "limit"),
            ("cursor=oops", "invalid_cursor", "cursor"),
            ("cursor=WzFd", "invalid_cursor", "cursor"),
            ("name=x", "unknown_parameter", "name"),
        ] {
            alice.get(&at(query)).await.refused_field(422, code, field);
        }
        alice.get(&at(&format!("q={}", "x".repeat(201)))).await.refused_field(422, "invalid_field", "q");
        alice.get(&at("q=%ff")).await.refused(400, "malformed_query");
        alice.get(&at("q=%00")).await.refused(422, "invalid_field");
    }
}
