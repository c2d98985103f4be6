use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Shelves, at_home, figure, number, reader};
use crate::support::TestClient;

/// A figure of the world, as this test knows it.
struct Known {
    slug: String,
    series: Vec<usize>,
    is_nsfw: bool,
    owned: bool,
}

/// The slugs and counts that ought to cross.
#[derive(Debug, PartialEq, Eq)]
struct Crossed {
    series: BTreeMap<String, i64>,
    figures: BTreeMap<String, BTreeSet<i64>>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// All pages of the answer.
async fn answered(client: &TestClient, limit: usize) -> Crossed {
    let (mut figures, mut cursor, mut order) = (BTreeMap::new(), String::new(), Vec::new());
    let series = loop {
        let page = client.get(&format!("/api/me/crossings?limit={limit}{cursor}")).await.ok();
        for one in page["figures"].as_array().unwrap() {
            let ids = one["mal_ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
            order.push(text(&one["name"]).to_lowercase());
            assert!(figures.insert(text(&one["slug"]), ids).is_none(), "listed twice: {one}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break page["series"].clone(),
        }
    };
    assert!(order.is_sorted(), "{order:?}");
    let of = |one: &Value| (text(&one["slug"]), one["figure_count"].as_i64().unwrap());
    Crossed { series: series.as_array().unwrap().iter().map(of).collect(), figures }
}

#[tokio::test(flavor = "multi_thread")]
async fn crossings_are_what_somebody_else_computes() {
    let (app, shelves) = (at_home(&[]).await, Shelves::open().await);
    let root = app.register_admin("root").await;
    let mina = reader(&app, &root, &shelves, "mina").await;
    let other = app.register("other").await;
    // Series 0 to 9: 0 to 6 have a number, 5 and 6 the same one; the shelf has those of 0 to 3, 5 and nobody's.
    let mal_id = |series: usize| match series {
        0..=4 => Some(100 + series as i64),
        5 | 6 => Some(105),
        _ => None,
    };
    let adult = BTreeSet::from([103_i64]);
    let on_the_shelf = BTreeSet::from([100_i64, 101, 102, 103, 105, 999]);
    let library: Vec<Value> = on_the_shelf
        .iter()
        .map(|id| json!({"mal_id": id, "read_percent": id - 60, "is_adult": adult.contains(id)}))
        .collect();
    shelves.show("mina", json!(library));

    let mut world = Vec::new();
    for n in 0..30_usize {
        let mut series = vec![n % 10];
        if n % 4 == 0 {
            series.push((n / 4 + 3) % 10);
        }
        series.dedup();
        let names: Vec<String> = series.iter().map(|one| format!("Series {one}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (is_nsfw, owned) = (n % 7 == 3, n % 3 == 0);
        let (slug, id) = figure(&mina, &format!("Figure {n:02}"), &names, is_nsfw).await;
        let piece = json!({"figure_id": id});
        match n {
            // Two pieces of one figure are one figure.
            0 => {
                mina.post("/api/me/owned", piece.clone()).await.made();
                mina.post("/api/me/owned", piece).await.made();
            }
            _ if owned => {
                mina.post("/api/me/owned", piece).await.made();
            }
            // What is pre-ordered, wished for, archived or somebody else's is not owned.
            1 => {
                let order = json!({"figure_id": id, "release_date": "2030-01-01"});
                mina.post("/api/me/preorders", order).await.made();
            }
            2 => {
                mina.put(&format!("/api/me/wishlist/{id}"), json!({})).await.made();
            }
            _ => {
                other.post("/api/me/owned", piece).await.made();
            }
        }
        world.push(Known { slug, series, is_nsfw, owned });
    }
    for series in 0..10 {
        if let Some(mal_id) = mal_id(series) {
            number(&mina, &format!("series-{series}"), mal_id).await;
        }
    }

    let expected = |hides: bool| {
        let shown: Vec<&Known> = world.iter().filter(|one| !(hides && one.is_nsfw)).collect();
        let read = |series: usize| {
            mal_id(series).filter(|id| on_the_shelf.contains(id) && !(hides && adult.contains(id)))
        };
        let mut crossed = Crossed { series: BTreeMap::new(), figures: BTreeMap::new() };
        for one in shown {
            let ids: BTreeSet<i64> = one.series.iter().filter_map(|series| read(*series)).collect();
            if one.owned {
                for series in one.series.iter().filter(|series| read(**series).is_some()) {
                    *crossed.series.entry(format!("series-{series}")).or_default() += 1;
                }
            } else if !ids.is_empty() {
                crossed.figures.insert(one.slug.clone(), ids);
            }
        }
        crossed
    };
    for visibility in ["blur", "hide", "show"] {
        mina.patch("/api/me", json!({"nsfw_visibility": visibility})).await.ok();
        let right = expected(visibility == "hide");
        assert!(right.series.len() >= 3 && right.figures.len() >= 4, "{right:?}");
        for limit in [200, 3] {
            assert_eq!(answered(&mina, limit).await, right, "{visibility}, {limit} a page");
        }
    }
    assert_ne!(expected(true), expected(false));
    assert_eq!(shelves.asked(), 1);

    let whole = mina.get("/api/me/crossings").await.ok();
    assert_eq!((&whole["state"], &whole["display_name"]), (&json!("fresh"), &json!("Mina's shelf")));
    let first = &whole["series"][0];
    assert_eq!(first["reading"]["read_percent"], json!(first["mal_id"].as_i64().unwrap() - 60));
    let viewer = |slug: &str| {
        let found = whole["figures"].as_array().unwrap().iter().find(|one| one["slug"] == slug);
        found.map(|one| one["viewer"].clone())
    };
    assert_eq!(viewer(&world[1].slug), Some(json!("preordered")));
    assert_eq!(viewer(&world[2].slug), Some(json!("wished")));
    mina.get("/api/me/crossings?limit=0").await.refused(422, "invalid_field");
    mina.get("/api/me/crossings?cursor=x").await.refused(422, "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_nothing_crosses_and_that_is_said() {
    let app = at_home(&[]).await;
    app.visitor().get("/api/me/crossings").await.refused(401, "not_signed_in");
    let alice = app.register("alice").await;
    let nothing = alice.get("/api/me/crossings").await.ok();
    assert_eq!((&nothing["state"], &nothing["server"]), (&json!("not_linked"), &Value::Null));
    assert_eq!((&nothing["series"], &nothing["figures"]), (&json!([]), &json!([])));
}
