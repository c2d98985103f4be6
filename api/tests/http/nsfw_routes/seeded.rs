//! A collection with NSFW figures in every place that there is.

use std::time::Duration;

use chrono::Datelike;
use domain::{
    commands::ObserveMarket,
    figure::{Observation, ObservedPrice, Offer},
    ids::{EntityId, FigureId},
    money::Money,
    text::HttpUrl,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::figures::{add, id};
use crate::forms::{form, png};
use crate::profiles::{own, settled, switch};
use crate::support::{TestApp, TestClient};

const JAN: &str = "4580590123458";
const MAL: i64 = 4_711;
const MOST: Duration = Duration::from_secs(60);

/// What to look for, and what stands in the places of paths.
pub struct Seeded {
    /// Everything that tells of an NSFW figure: names, slugs, ids, and the achievement of such.
    pub marks: Vec<String>,
    pub names: Vec<String>,
    pub ids: Vec<String>,
    slugs: Vec<String>,
    places: Vec<(&'static str, String)>,
    /// The SFW figure that the last notification is about.
    pub told_last: &'static str,
}

impl Seeded {
    /// The path with something in each of its places.
    pub fn fill(&self, path: &str) -> String {
        let filled = self
            .places
            .iter()
            .fold(path.to_owned(), |path, (place, with)| path.replace(&format!("{{{place}}}"), with));
        assert!(!filled.contains('{'), "nothing stands for a place of {filled}");
        filled
    }

    pub fn names_or_slugs(&self) -> impl Iterator<Item = &str> {
        self.names.iter().chain(&self.slugs).map(String::as_str)
    }
}

async fn judged(app: &TestApp) {
    let head = app.state.store.head().await.unwrap();
    assert!(app.state.policies.wait_for(head, MOST).await);
}

async fn priced(app: &TestApp, figure: &Value, euro: &str) {
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
    let figure_id: FigureId = id(figure).parse().unwrap();
    let seen = Observation { seen_at: chrono::Utc::now(), price: Some(price), stores: Vec::new() };
    app.seed(None).run(&ObserveMarket { figure_id, seen }).await;
    judged(app).await;
}

/// Pictures of every kind of an NSFW figure and a piece of it, by what stands for them in paths.
async fn pictured(
    app: &TestApp,
    client: &TestClient,
    figure: &str,
    piece: &str,
) -> [(&'static str, String); 4] {
    let frame = |shade| png(90, 60, shade);
    let upload = async |place: String| {
        let photos = client.upload(&place, vec![frame(10)]).await.made();
        id(&photos["items"][0]).to_owned()
    };
    let figure_photo = upload(format!("/api/figures/{figure}/photos")).await;
    let photo = upload(format!("/api/me/owned/{piece}/photos")).await;
    let frames = form("frame", vec![frame(20), frame(30)]);
    let scans = format!("/api/me/owned/{piece}/scans");
    let scan = client.send(Method::POST, &scans, |request| request.multipart(frames)).await.made();
    let asked = format!("/api/scans/{}/render", id(&scan));
    let render = client.post(&asked, json!({"kind": "turntable"})).await.made();
    assert!(app.state.renders.make_next(&CancellationToken::new()).await.unwrap());
    let of = |one: &Value| id(one).to_owned();
    [("figure_photo", figure_photo), ("photo", photo), ("scan", of(&scan)), ("render", of(&render))]
}

/// A figure by a maker that all of them have in common.
async fn figure(client: &TestClient, name: &str, is_nsfw: bool, more: Value) -> Value {
    let mut fields = json!({
        "is_nsfw": is_nsfw, "manufacturer": "Atelier Umbra", "series": ["Tides of Cobalt"],
        "msrp_amount": "95", "msrp_currency": "EUR"
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    add(client, name, fields).await
}

/// Alice, who runs the instance and shows herself, and what she has.
pub async fn seed(app: &TestApp) -> (TestClient, Seeded) {
    let _reacting = app.state.policies.run();
    let alice = app.register_admin("alice").await;
    switch(&alice, json!({"nsfw_visibility": "show", "public_profile": true})).await;
    let owned = figure(&alice, "Quillon Vesper", true, json!({"jan": JAN})).await;
    let wished = figure(&alice, "Quillon Dusk", true, json!({})).await;
    let ordered = figure(&alice, "Quillon Ember", true, json!({})).await;
    let tame = figure(&alice, "Harbour Pilot Mina", false, json!({})).await;
    let teapot = figure(&alice, "Teapot Keeper Io", false, json!({})).await;

    let price = |amount: &str| json!({"price_amount": amount, "price_currency": "EUR"});
    let mut pieces = vec![own(&alice, &tame, price("10")).await];
    for _ in 0..5 {
        pieces.push(own(&alice, &owned, price("800")).await);
    }
    let ids: Vec<&str> = pieces.iter().map(id).collect();
    let moved = json!({"ids": ids, "set_location": "Vitrine", "set_condition": "displayed"});
    alice.post("/api/me/owned/bulk", moved).await.ok();
    let sold = json!({"reason": "sold", "sold_amount": "900", "sold_currency": "EUR"});
    alice.post(&format!("/api/me/owned/{}/archive", ids[5]), sold).await.ok();
    let cabinet = alice.post("/api/me/locations", json!({"name": "Vitrine"})).await.made();

    let pictures = pictured(app, &alice, id(&owned), ids[1]).await;

    let order = |figure: &Value| {
        json!({"figure_id": id(figure), "price_amount": "100", "price_currency": "EUR", "deposit_amount": "30",
            "release_date": "2098-01"})
    };
    let preorder = alice.post("/api/me/preorders", order(&ordered)).await.made();
    let to = |preorder: &Value, step: &str| format!("/api/me/preorders/{}/{step}", id(preorder));
    alice.post(&to(&preorder, "slip"), json!({"new_date": "2098-04"})).await.ok();
    let lost = alice.post("/api/me/preorders", order(&owned)).await.made();
    alice.post(&to(&lost, "cancel"), json!({"refund_amount": "10"})).await.ok();

    let target = json!({"max_price_amount": "90", "max_price_currency": "EUR"});
    for figure in [&wished, &teapot] {
        alice.put(&format!("/api/me/wishlist/{}", id(figure)), target.clone()).await.made();
    }
    judged(app).await;
    for (figure, euro) in
        [(&owned, "700"), (&wished, "100"), (&teapot, "100"), (&wished, "80"), (&teapot, "80")]
    {
        priced(app, figure, euro).await;
    }

    let series = id(&owned["series"][0]).to_owned();
    alice.patch(&format!("/api/series/{series}"), json!({"mal_id": MAL})).await.ok();
    let mut tokens = Vec::new();
    for what in ["wishlist/share", &format!("locations/{}/share", id(&cabinet)), "calendar"] {
        let made = alice.post(&format!("/api/me/{what}"), json!({})).await.made();
        tokens.push(made["token"].as_str().unwrap().to_owned());
    }
    settled(app).await;

    let of = |field: &str| -> Vec<String> {
        [&owned, &wished, &ordered].map(|figure| figure[field].as_str().unwrap().to_owned()).into()
    };
    let (names, slugs, figure_ids) = (of("name"), of("slug"), of("id"));
    let marks = names.iter().chain(&slugs).chain(&figure_ids).cloned().chain(["nsfw_5".to_owned()]).collect();
    let me = alice.get("/api/me").await.ok();
    let mut places = vec![
        ("owned", figure_ids[0].clone()),
        ("owned_slug", slugs[0].clone()),
        ("wished", figure_ids[1].clone()),
        ("jan", JAN.to_owned()),
        ("piece", ids[1].to_owned()),
        ("preorder", id(&preorder).to_owned()),
        ("cabinet", id(&cabinet).to_owned()),
        ("maker", id(&owned["manufacturer"]).to_owned()),
        ("series", series),
        ("gift_token", tokens[0].clone()),
        ("cabinet_token", tokens[1].clone()),
        ("calendar_token", tokens[2].clone()),
        ("mal", MAL.to_string()),
        ("year", chrono::Utc::now().year().to_string()),
        ("me", me["id"].as_str().unwrap().to_owned()),
        ("position", app.state.store.head().await.unwrap().0.to_string()),
    ];
    places.extend(pictures);
    (alice, Seeded { marks, names, ids: figure_ids, slugs, places, told_last: "Teapot Keeper Io" })
}
