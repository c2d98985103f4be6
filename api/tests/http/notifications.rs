//! What people are told, over HTTP.

use chrono::Utc;
use domain::{
    commands::ObserveMarket,
    figure::{Observation, ObservedPrice, Offer},
    ids::{EntityId, FigureId},
    money::Money,
    stream::Position,
    text::HttpUrl,
};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

use crate::support::TestApp;

async fn priced(app: &TestApp, figure_id: FigureId, euro: &str) -> Position {
    let price = ObservedPrice {
        price: Money::new(euro.parse().unwrap(), "EUR".parse().unwrap()).unwrap(),
        original: None,
        offer: Offer {
            provider: "prices.example".to_owned().try_into().unwrap(),
            source: "harbour".to_owned().try_into().unwrap(),
            store_id: EntityId(Uuid::from_u128(0x50)),
            url: HttpUrl::new("https://harbour.example/1").unwrap(),
        },
        matched_version: None,
    };
    let seen = Observation { seen_at: Utc::now(), price: Some(price), stores: Vec::new() };
    let position = app.seed(None).run(&ObserveMarket { figure_id, seen }).await;
    assert!(app.state.policies.wait_for(position, Duration::from_secs(60)).await);
    position
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_comes_down_to_a_target_is_told_and_marked_as_read() {
    let app = TestApp::new().await;
    let _reacting = app.state.policies.run();
    let (alice, bob, root) =
        (app.register("alice").await, app.register("bob").await, app.register_admin("root").await);
    let (mina, io) =
        (app.seed(None).figure("Harbour Pilot Mina").await, app.seed(None).figure("Teapot Keeper Io").await);
    assert!(
        app.state.policies.wait_for(app.state.store.head().await.unwrap(), Duration::from_secs(60)).await
    );
    let target = json!({"max_price_amount": "90", "max_price_currency": "EUR"});
    for figure in [mina, io] {
        alice.put(&format!("/api/me/wishlist/{figure}"), target.clone()).await.made();
    }
    for (figure, price) in [(mina, "100"), (io, "95"), (mina, "80"), (io, "90")] {
        priced(&app, figure, price).await;
    }
    let page = alice.get("/api/me/notifications").await.ok();
    assert_eq!((&page["unread"], &page["next_cursor"]), (&json!(2), &json!(null)));
    let latest = &page["items"][0];
    assert_eq!(latest["payload"]["figure"]["name"], "Teapot Keeper Io");
    assert_eq!(latest["payload"]["price"], json!({"amount": "90.00", "currency": "EUR"}));
    assert_eq!(latest["read_at"], json!(null));

    let wish = alice.get(&format!("/api/me/wishlist/{mina}")).await.ok();
    assert_eq!((&wish["deal"], &wish["market_price_amount"]), (&json!(true), &json!("80.00")));

    let path = format!("/api/me/notifications/{}/read", latest["id"].as_str().unwrap());
    bob.post(&path, json!({})).await.refused(404, "not_found");
    app.visitor().post(&path, json!({})).await.refused(401, "not_signed_in");
    let read = alice.post(&path, json!({})).await.ok();
    assert_eq!(alice.post(&path, json!({})).await.ok()["read_at"], read["read_at"]);
    let unread = alice.get("/api/me/notifications?unread=true&limit=1").await.ok();
    assert_eq!((&unread["unread"], unread["items"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(alice.post("/api/me/notifications/read-all", json!({})).await.ok(), json!({"read": 1}));
    assert_eq!(alice.get("/api/me/notifications").await.ok()["unread"], 0);
    assert_eq!(bob.get("/api/me/notifications").await.ok()["items"], json!([]));
    app.visitor().get("/api/me/notifications").await.refused(401, "not_signed_in");

    bob.get("/api/admin/policies").await.refused(403, "admin_only");
    bob.post("/api/admin/policies/price_alerts/retry", json!({})).await.refused(403, "admin_only");
    let policies = root.get("/api/admin/policies").await.ok();
    assert_eq!(policies["items"][0]["name"], "price_alerts");
    assert_eq!((&policies["items"][0]["lag"], &policies["items"][0]["parked"]), (&json!(0), &json!([])));
    root.post("/api/admin/policies/price_alerts/retry", json!({})).await.ok();
    root.post("/api/admin/policies/nonsense/retry", json!({})).await.refused(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_hide_nsfw_figures_are_not_told_of_them() {
    let app = TestApp::new().await;
    let _reacting = app.state.policies.run();
    let alice = app.register("alice").await;
    let body = json!({"name": "Harbour Pilot Mina", "figure_type": "scale", "is_nsfw": true});
    let figure = alice.post("/api/figures", body).await.made();
    let figure: FigureId = figure["id"].as_str().unwrap().parse().unwrap();
    let target = json!({"max_price_amount": "90", "max_price_currency": "EUR"});
    alice.put(&format!("/api/me/wishlist/{figure}"), target).await.made();
    assert!(
        app.state.policies.wait_for(app.state.store.head().await.unwrap(), Duration::from_secs(60)).await
    );
    for price in ["100", "80"] {
        priced(&app, figure, price).await;
    }
    assert_eq!(alice.get("/api/me/notifications").await.ok()["unread"], 1);
    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let hidden = alice.get("/api/me/notifications").await.ok();
    assert_eq!((&hidden["unread"], &hidden["items"]), (&json!(0), &json!([])));
}
