use serde_json::{Value, json};

use crate::{seed, support::TestApp};

#[tokio::test]
async fn only_admins_look_into_streams() {
    let app = TestApp::new().await;
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    let alice = app.register("alice").await;
    let path = format!("/api/admin/streams/figure/{mina}");
    for (client, status, code) in [(&app.visitor(), 401, "not_signed_in"), (&alice, 403, "admin_only")] {
        client.get(&path).await.refused(status, code);
        client.get("/api/admin/streams/figure/nothing").await.refused(status, code);
    }
}

#[tokio::test]
async fn each_event_stands_with_the_state_after_it() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let mina = seed.figure("Harbour Pilot Mina").await;
    seed.figure("Teapot Keeper Io").await;
    seed.rename(mina, "Mina").await;
    let page = root.get(&format!("/api/admin/streams/figure/{mina}")).await.ok();
    let steps = page["items"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0]["event_type"], "figure.catalogued");
    assert_eq!(steps[0]["state"]["name"], "Harbour Pilot Mina");
    assert_eq!(steps[1]["event_type"], "figure.renamed");
    assert_eq!(steps[1]["state"]["name"], "Mina");
    assert_eq!(steps[1]["state"]["figure_type"], "scale");
    assert_eq!(steps[1]["version"], 2);
    assert_eq!(page["next_cursor"], Value::Null);
    let bare = root.get(&format!("/api/admin/streams/figure/{mina}?states=false")).await.ok();
    for (bare, step) in bare["items"].as_array().unwrap().iter().zip(steps) {
        assert_eq!((&bare["state"], &bare["payload"]), (&Value::Null, &step["payload"]));
    }
}

#[tokio::test]
async fn a_long_stream_comes_in_pages_whose_states_go_on() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let mina = seed.figure("Name 1").await;
    for n in 2..=7 {
        seed.rename(mina, &format!("Name {n}")).await;
    }
    let (mut seen, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = root.get(&format!("/api/admin/streams/figure/{mina}?limit=3&cursor={cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!((1..=3).contains(&items.len()));
        seen.extend(items.iter().map(|step| (step["version"].clone(), step["state"]["name"].clone())));
        next = page["next_cursor"].as_str().map(str::to_owned);
    }
    let expected: Vec<(Value, Value)> = (1..=7).map(|n| (json!(n), json!(format!("Name {n}")))).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn from_an_unreadable_event_on_there_is_no_state() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    let path = format!("/api/admin/streams/figure/{mina}");
    let page = root.get(&path).await.ok();
    let steps = page["items"].as_array().unwrap();
    assert_eq!(steps[0]["state"]["name"], "Harbour Pilot Mina");
    assert_eq!((&steps[1]["state"], &steps[2]["state"]), (&Value::Null, &Value::Null));
    assert!(steps[1]["undecodable"].is_string());
    assert_eq!(steps[1]["payload"], json!({"by": "a choir"}));
    let first = root.get(&format!("{path}?limit=2")).await.ok();
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = root.get(&format!("{path}?cursor={cursor}")).await.ok();
    assert_eq!(last["items"][0]["state"], Value::Null);
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_stream_is_not_found() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    for path in [
        format!("figurine/{mina}"),
        format!("preorder/{mina}"),
        format!("figure/{}", uuid::Uuid::nil()),
        "figure/mina".to_owned(),
        "claim/slug:manufacturer:nobody".to_owned(),
        "claim/%00".to_owned(),
        "claim/a%2Fb".to_owned(),
    ] {
        root.get(&format!("/api/admin/streams/{path}")).await.refused(404, "not_found");
    }
    let path = format!("/api/admin/streams/figure/{mina}");
    root.get(&format!("{path}?limit=0")).await.refused_field(422, "invalid_field", "limit");
    root.get(&format!("{path}?cursor=x")).await.refused_field(422, "invalid_cursor", "cursor");
}

#[tokio::test]
async fn any_version_shows_its_state_and_what_its_event_changed() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let seed = app.seed(None);
    let mina = seed.figure("Harbour Pilot Mina").await;
    for n in 2..=4 {
        seed.rename(mina, &format!("Name {n}")).await;
    }
    let path = format!("/api/admin/streams/figure/{mina}");
    let whole = root.get(&path).await.ok();
    for at in 1..=4 {
        let shown = root.get(&format!("{path}?at={at}")).await.ok();
        let step = &whole["items"][at - 1];
        for member in ["version", "event_type", "payload", "state"] {
            assert_eq!(shown[member], step[member], "{member} of version {at}");
        }
        assert_eq!(shown["more"], false);
    }
    let third = root.get(&format!("{path}?at=3")).await.ok();
    let difference = third["difference"].as_array().unwrap();
    assert!(difference.contains(&json!({"path": "/name", "from": "Name 2", "to": "Name 3"})), "{third}");
    assert!(!difference.iter().any(|one| one["path"] == "/figure_type"), "what stayed is no difference");
    for wrong in ["0", "-1", "5", "9223372036854775807", "-9223372036854775808"] {
        root.get(&format!("{path}?at={wrong}")).await.refused_field(422, "invalid_field", "at");
    }
    root.get(&format!("{path}?at=first")).await.refused_field(422, "invalid_field", "at");
    let nobody = uuid::Uuid::nil();
    root.get(&format!("/api/admin/streams/figure/{nobody}?at=1")).await.refused(404, "not_found");
    app.register("alice").await.get(&format!("{path}?at=1")).await.refused(403, "admin_only");
}

#[tokio::test]
async fn a_version_that_nobody_reads_has_no_state_and_no_difference() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let mina = app.seed(None).figure("Harbour Pilot Mina").await;
    seed::from_a_later_release(&app.db.pool, mina).await;
    let shown = root.get(&format!("/api/admin/streams/figure/{mina}?at=2")).await.ok();
    assert_eq!((&shown["state"], &shown["difference"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["payload"], json!({"by": "a choir"}));
}
