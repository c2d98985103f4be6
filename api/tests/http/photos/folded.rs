//! The log says it all: read models with pictures of every kind are what it makes of them, again and again.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{MOST, id, ids, jpeg, piece, place_of};
use crate::figures::add;
use crate::forms::form;
use crate::profiles::own;
use crate::support::{TestApp, TestClient};

async fn scan(client: &TestClient, owned: &str, shades: [u8; 3]) -> Value {
    let frames = form("frame", shades.map(|shade| jpeg(24, 16, shade)).into());
    client.send(Method::POST, &format!("{owned}/scans"), |request| request.multipart(frames)).await.made()
}

/// Everything with pictures that somebody is shown.
async fn shown(client: &TestClient, places: &[String]) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for place in places {
        all.insert(place.clone(), client.get(place).await.ok());
    }
    all
}

/// Every address of a picture or document in what was shown.
fn addresses(of: &Value, found: &mut Vec<String>) {
    match of {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
            Some(url) if name.ends_with("url") && url.starts_with("/api/") => found.push(url.to_owned()),
            _ => addresses(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folding_the_log_again_gives_the_same_pictures() {
    let app = TestApp::new().await;
    let admin = app.register_admin("root").await;
    let (figure, piece, place) = piece(&admin, "Harbour Pilot Mina").await;
    let owned = format!("/api/me/owned/{}", id(&piece));
    let made = admin.upload(&place, vec![jpeg(16, 16, 1), jpeg(16, 16, 2), jpeg(16, 16, 9)]).await.made();
    let [a, b, c] = ids(&made)[..] else { panic!("{made}") };
    admin.put(&format!("{place}/order"), json!({"ids": [c, a, b]})).await.ok();
    let catalogue = admin.upload(&place_of(&figure), vec![jpeg(16, 16, 3), jpeg(16, 16, 5)]).await.made();
    admin.post(&format!("/api/figure-photos/{}/primary", ids(&catalogue)[1]), json!({})).await.ok();
    let twin = add(&admin, "Mina", json!({})).await;
    admin.upload(&place_of(&twin), vec![jpeg(16, 16, 6)]).await.made();
    admin.post(&format!("/api/figures/{}/merge", id(&twin)), json!({"into": id(&figure)})).await.ok();
    admin.put(&format!("{owned}/cover"), json!({"photo_id": a})).await.ok();
    admin.replace(made["items"][0]["url"].as_str().unwrap(), jpeg(16, 16, 4)).await.ok();
    admin.put(&format!("/api/photos/{a}/shared"), json!({"shared": true})).await.ok();
    admin.delete(&format!("/api/photos/{b}")).await.ok();
    let papers = format!("{owned}/documents");
    let kept = admin.upload(&papers, vec![b"%PDF-1.7 a".to_vec(), b"%PDF-1.7 b".to_vec()]).await.made();
    admin.delete(&format!("/api/documents/{}", ids(&kept)[0])).await.ok();

    let (first, gone) = (scan(&admin, &owned, [1, 2, 3]).await, scan(&admin, &owned, [4, 5, 6]).await);
    let frame = format!("/api/scans/{}/frames/1", id(&first));
    let other = form("frame", vec![jpeg(24, 16, 7)]);
    admin.send(Method::PUT, &frame, |request| request.multipart(other)).await.ok();
    for kind in ["turntable", "gsplat"] {
        admin.post(&format!("/api/scans/{}/render", id(&first)), json!({"kind": kind})).await.made();
    }
    assert!(app.state.renders.make_next(&CancellationToken::new()).await.unwrap());
    admin.patch(&format!("/api/scans/{}", id(&first)), json!({"shared": true})).await.ok();
    admin.delete(&format!("/api/scans/{}", id(&gone))).await.ok();
    let second = own(&admin, &figure, json!({})).await;
    let pinned = format!("/api/me/owned/{}", id(&second));
    let scan_of_second = scan(&admin, &pinned, [8, 9, 10]).await;
    admin.put(&format!("{pinned}/cover"), json!({"scan_id": id(&scan_of_second)})).await.ok();
    let sold = own(&admin, &figure, json!({})).await;
    let leaving = format!("/api/me/owned/{}", id(&sold));
    scan(&admin, &leaving, [11, 12, 13]).await;
    admin.upload(&format!("{leaving}/documents"), vec![b"%PDF-1.7 c".to_vec()]).await.made();
    admin.delete(&leaving).await.ok();
    app.folded(app.state.store.head().await.unwrap()).await;

    let backup = admin.get("/api/me/export/backup.json").await.ok();
    assert_eq!(backup["left_out"], json!({"photos": 2, "scans": 2, "documents": 1}));

    let places = [
        place,
        place_of(&figure),
        papers,
        format!("{owned}/scans"),
        format!("{pinned}/scans"),
        owned,
        pinned,
        "/api/me/owned".to_owned(),
        "/api/me/achievements".to_owned(),
        "/api/admin/renders".to_owned(),
    ];
    let before = shown(&admin, &places).await;
    let (mut found, mut stored) = (Vec::new(), BTreeMap::new());
    before.values().for_each(|answer| addresses(answer, &mut found));
    for url in found {
        let got = admin.fetch(&url).await;
        assert_eq!(got.status, 200, "{url}");
        stored.insert(url, got.header("etag").to_owned());
    }
    assert!(stored.len() > 20, "there is something to compare: {stored:?}");

    let names: Vec<&str> = app.state.projections.definitions().iter().map(|one| one.name).collect();
    let differs = |projection: &str, difference: projections::engine::Difference| {
        panic!("{projection}: {difference:?}");
    };
    let verify = app.state.projections.verify(&names, |_| (), differs);
    let verified = tokio::time::timeout(MOST, verify).await.unwrap().unwrap();
    assert_eq!(verified.len(), names.len());
    tokio::time::timeout(MOST, app.state.projections.rebuild(&names, |_| ())).await.unwrap().unwrap();
    assert_eq!(shown(&admin, &places).await, before);
    for (url, tag) in &stored {
        assert_eq!(admin.fetch(url).await.header("etag"), tag, "{url}");
    }
    let verify = app.state.projections.verify(&names, |_| (), differs);
    tokio::time::timeout(MOST, verify).await.unwrap().unwrap();
}
