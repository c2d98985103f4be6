use serde_json::{Value, json};

use crate::support::TestApp;

const SEEDED: [&str; 11] = [
    "scale",
    "nendoroid",
    "figma",
    "prize",
    "trading",
    "statue",
    "plamo",
    "bishoujo",
    "dakimakura",
    "nendoroid_doll",
    "other",
];

fn codes(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_is_seeded_and_everybody_signed_in_sees_it() {
    let app = TestApp::new().await;
    app.visitor().get("/api/figure-types").await.refused(401, "not_signed_in");
    let alice = app.register("alice").await;
    let list = alice.get("/api/figure-types").await.ok();
    assert_eq!(codes(&list), SEEDED);
    assert!(list["items"][0]["label"].as_str().is_some_and(|label| !label.is_empty()));
}

#[tokio::test]
async fn only_admins_keep_the_list() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get("/api/admin/figure-types").await.refused(status, code);
        client.put("/api/admin/figure-types", json!({"items": []})).await.refused(status, code);
    }
}

#[tokio::test]
async fn an_admin_adds_renames_reorders_and_takes_off_in_one_request() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let wanted = json!({"items": [
        {"code": "garage_kit", "label": "Garage kit"},
        {"code": "other", "label": "Anything else"},
        {"code": "scale", "label": "スケール"}
    ]});
    assert_eq!(root.put("/api/admin/figure-types", wanted.clone()).await.ok(), wanted);
    assert_eq!(root.get("/api/admin/figure-types").await.ok(), wanted);
    assert_eq!(root.get("/api/figure-types").await.ok(), wanted);
}

#[tokio::test]
async fn a_list_that_makes_no_sense_changes_nothing() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let put = async |items: Value| root.put("/api/admin/figure-types", json!({"items": items})).await;
    let one = |code: &str, label: &str| json!({"code": code, "label": label});
    put(json!([])).await.refused_field(422, "invalid_field", "items");
    put(json!([one("a", "A"), one("a", "B")])).await.refused_field(422, "invalid_field", "items");
    let many: Vec<Value> = (0..201).map(|n| one(&format!("t{n}"), "T")).collect();
    put(json!(many)).await.refused_field(422, "invalid_field", "items");
    put(json!([one("a", "A"), one("Not OK", "B")])).await.refused_field(
        422,
        "invalid_field",
        "items[1].code",
    );
    put(json!([one("a", "  ")])).await.refused_field(422, "invalid_field", "items[0].label");
    put(json!([{"code": "a"}])).await.refused_field(422, "missing_field", "items[0].label");
    put(json!([{"code": "a", "label": "A", "position": 1}])).await.refused_field(
        422,
        "unknown_field",
        "items[0].position",
    );
    assert_eq!(codes(&root.get("/api/figure-types").await.ok()), SEEDED);
}

#[tokio::test]
async fn two_lists_at_once_are_put_one_after_the_other() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let list = |letter: char| {
        let items: Vec<Value> =
            (0..20).map(|n| json!({"code": format!("{letter}{n}"), "label": "L"})).collect();
        json!({"items": items})
    };
    let puts = ['a', 'b', 'c', 'd'].map(|letter| {
        let root = root.clone();
        async move { root.put("/api/admin/figure-types", list(letter)).await }
    });
    for answer in futures::future::join_all(puts).await {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let last = root.get("/api/figure-types").await.ok();
    let letters: std::collections::BTreeSet<char> =
        codes(&last).iter().filter_map(|code| code.chars().next()).collect();
    assert_eq!((letters.len(), codes(&last).len()), (1, 20));
}
