use std::time::Duration;

use serde_json::{Value, json};
use workers::imports::{Mode, catalogue};

use super::figures::{add, get_at, id, names, owns, preorders, user_id, wishes};
use crate::support::{TestApp, TestClient};

/// How long reading in a whole catalogue may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A small catalogue; the names are in no special order.
async fn small_catalogue(client: &TestClient) -> Vec<Value> {
    let mut made = Vec::new();
    for (name, more) in [
        (
            "Racing Miku 2016 Ver.",
            json!({
                "figure_type": "nendoroid", "manufacturer": "Good Smile Company", "series": ["Racing Miku"],
                "characters": ["Hatsune Miku"], "release_date": "2016-10"
            }),
        ),
        (
            "Racing Miku 2019 Ver.",
            json!({
                "figure_type": "nendoroid", "manufacturer": "Good Smile Company", "series": ["Racing Miku"],
                "characters": ["Hatsune Miku"], "release_date": "2019-12-05",
                "releases": [{"release_date": "2024"}]
            }),
        ),
        (
            "Hatsune Miku: Deep Sea Girl",
            json!({
                "figure_type": "scale", "manufacturer": "ALTER", "series": ["Vocaloid"],
                "characters": ["Hatsune Miku"], "release_date": "2019-12-31", "scale": "1/8"
            }),
        ),
        (
            "初音ミク 雪ミク",
            json!({
                "figure_type": "figma", "manufacturer": "Max Factory", "series": ["Vocaloid", "Snow Miku"],
                "characters": ["Hatsune Miku"]
            }),
        ),
        (
            "Saber Lily",
            json!({
                "figure_type": "scale", "manufacturer": "ALTER", "series": ["Fate/stay night"],
                "characters": ["Saber"], "release_date": "2020"
            }),
        ),
        (
            "Night Saber",
            json!({
                "figure_type": "scale", "manufacturer": "Native", "series": ["Fate/stay night"],
                "characters": ["Saber"], "is_nsfw": true, "release_date": "2021-02"
            }),
        ),
    ] {
        made.push(add(client, name, more).await);
    }
    made
}

async fn found(client: &TestClient, query: &str) -> Vec<String> {
    let list = client.get(&format!("/api/figures?{query}")).await.ok();
    names(&list["items"]).into_iter().map(str::to_owned).collect()
}

fn counts(facet: &Value) -> Vec<(String, i64)> {
    let name = |one: &Value| one.get("name").or(one.get("code")).unwrap().as_str().unwrap().to_owned();
    facet.as_array().unwrap().iter().map(|one| (name(one), one["count"].as_i64().unwrap())).collect()
}

fn owned(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn words_find_names_makers_series_and_characters_in_spite_of_typos() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    small_catalogue(&alice).await;
    let racing = ["Racing Miku 2016 Ver.", "Racing Miku 2019 Ver."];
    for query in [
        "racing miku",
        "RACING  MIKU",
        "miku racing",
        "hatsnue racing",
        "hatsune mku racing",
        "raccing goodsmile",
    ] {
        assert_eq!(found(&alice, &format!("q={}", query.replace(' ', "%20"))).await, racing, "{query}");
    }
    assert_eq!(
        found(&alice, "q=racing%202019").await,
        ["Racing Miku 2019 Ver."],
        "a year is no typo of another"
    );
    assert_eq!(found(&alice, "q=deep%20see%20girl").await, ["Hatsune Miku: Deep Sea Girl"]);
    assert_eq!(found(&alice, "q=alter%20saber").await, ["Saber Lily"]);
    assert_eq!(found(&alice, "q=%E3%83%9F%E3%82%AF").await, ["初音ミク 雪ミク"]);
    assert_eq!(found(&alice, "q=%E9%9B%AA").await, ["初音ミク 雪ミク"]);
    assert_eq!(
        found(&alice, "q=%EF%BC%B3%EF%BD%81%EF%BD%82%EF%BD%85%EF%BD%92%20lily").await,
        ["Saber Lily"],
        "wide letters"
    );
    for nothing in ["xylophone", "50%25", "%5C", "_____", "%F0%9F%8E%8C", "%27%3B%20--"] {
        assert_eq!(found(&alice, &format!("q={nothing}")).await, Vec::<String>::new(), "{nothing}");
    }
    assert_eq!(found(&alice, "q=").await.len(), 6);
}

#[tokio::test]
async fn what_was_looked_for_comes_first() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    add(&alice, "Luka", json!({"series": ["Miku and friends"]})).await;
    add(&alice, "Mika", json!({})).await;
    add(&alice, "Miku", json!({})).await;
    let list = found(&alice, "q=miku").await;
    assert_eq!(list.first().map(String::as_str), Some("Miku"), "{list:?}");
    assert!(list.contains(&"Luka".to_owned()), "{list:?}");
}

#[tokio::test]
async fn filters_narrow_down_by_slug_or_id() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = small_catalogue(&alice).await;
    let alter = id(&made[2]["manufacturer"]).to_owned();
    let (racing, miku) = (id(&made[0]["series"][0]).to_owned(), id(&made[0]["characters"][0]).to_owned());
    let lily = ["Hatsune Miku: Deep Sea Girl", "Saber Lily"];
    for (query, expected) in [
        ("type=figma".to_owned(), vec!["初音ミク 雪ミク"]),
        ("type=plamo".to_owned(), vec![]),
        ("type=no-such".to_owned(), vec![]),
        ("manufacturer=alter".to_owned(), lily.to_vec()),
        (format!("manufacturer={alter}"), lily.to_vec()),
        ("manufacturer=nobody".to_owned(), vec![]),
        ("manufacturer=%F0%9F%8E%8C".to_owned(), vec![]),
        ("series=vocaloid".to_owned(), vec!["Hatsune Miku: Deep Sea Girl", "初音ミク 雪ミク"]),
        (format!("series={racing}"), vec!["Racing Miku 2016 Ver.", "Racing Miku 2019 Ver."]),
        ("character=saber".to_owned(), vec!["Night Saber", "Saber Lily"]),
        (format!("character={miku}&type=scale"), vec!["Hatsune Miku: Deep Sea Girl"]),
        ("character=saber&manufacturer=alter&q=lily".to_owned(), vec!["Saber Lily"]),
        ("character=saber&series=vocaloid".to_owned(), vec![]),
    ] {
        let mut list = found(&alice, &query).await;
        list.sort();
        assert_eq!(list, expected, "{query}");
    }
}

#[tokio::test]
async fn a_month_range_finds_any_announced_release_in_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    small_catalogue(&alice).await;
    for (query, expected) in [
        (
            "released_from=2019-12&released_to=2019-12",
            vec!["Hatsune Miku: Deep Sea Girl", "Racing Miku 2019 Ver."],
        ),
        ("released_to=2016-10", vec!["Racing Miku 2016 Ver."]),
        ("released_to=2016-09", vec![]),
        // Only the year is known, so it may be in any month of it.
        ("released_from=2020-06&released_to=2020-07", vec!["Saber Lily"]),
        ("released_from=2021-02", vec!["Night Saber", "Racing Miku 2019 Ver."]),
        ("released_from=2021-02-20", vec!["Night Saber", "Racing Miku 2019 Ver."]),
        ("released_from=2021-03", vec!["Racing Miku 2019 Ver."]),
        ("released_from=2022-01&released_to=2021-01", vec![]),
    ] {
        let mut list = found(&alice, query).await;
        list.sort();
        assert_eq!(list, expected, "{query}");
    }
}

#[tokio::test]
async fn a_facet_ignores_its_own_filter_and_obeys_the_others_and_nsfw() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let made = small_catalogue(&alice).await;
    let me = user_id(&alice).await;
    wishes(&app, me, &made[0]).await;
    owns(&app, me, &made[4]).await;
    let position = preorders(&app, me, &made[5]).await;
    let facets = get_at(&alice, "/api/figures/facets", &position).await;
    assert_eq!(facets["total"], 6);
    assert_eq!(counts(&facets["type"]), owned(&[("scale", 3), ("nendoroid", 2), ("figma", 1)]));
    assert_eq!(facets["type"][1]["label"], "Nendoroid");
    assert_eq!(
        counts(&facets["manufacturer"]),
        owned(&[("ALTER", 2), ("Good Smile Company", 2), ("Max Factory", 1), ("Native", 1)])
    );
    assert_eq!(
        counts(&facets["series"]),
        owned(&[("Fate/stay night", 2), ("Racing Miku", 2), ("Vocaloid", 2), ("Snow Miku", 1)])
    );
    assert_eq!(counts(&facets["character"]), owned(&[("Hatsune Miku", 4), ("Saber", 2)]));
    assert_eq!(facets["relation"], json!({"preordered": 1, "owned": 1, "wished": 1}));

    let of = async |query: &str| alice.get(&format!("/api/figures/facets?{query}")).await.ok();
    let narrowed = of("type=scale&manufacturer=alter").await;
    assert_eq!(narrowed["total"], 2);
    assert_eq!(counts(&narrowed["type"]), owned(&[("scale", 2)]), "obeys the maker");
    assert_eq!(counts(&narrowed["manufacturer"]), owned(&[("ALTER", 2), ("Native", 1)]), "obeys the type");
    assert_eq!(counts(&narrowed["series"]), owned(&[("Fate/stay night", 1), ("Vocaloid", 1)]), "obeys both");
    let related = of("relation=owned").await;
    assert_eq!(related["total"], 1);
    assert_eq!(related["relation"], json!({"preordered": 1, "owned": 1, "wished": 1}), "ignores itself");
    assert_eq!(counts(&related["manufacturer"]), owned(&[("ALTER", 1)]));
    let unknown = of("manufacturer=nobody").await;
    assert_eq!((&unknown["total"], &unknown["series"]), (&json!(0), &json!([])));
    assert_eq!(counts(&unknown["manufacturer"]).len(), 4, "ignores itself, also when it names nobody");
    let searched = of("q=miku&released_from=2019-01").await;
    assert_eq!((&searched["total"], counts(&searched["manufacturer"]).len()), (&json!(2), 2));

    alice.patch("/api/me", json!({"nsfw_visibility": "hide"})).await.ok();
    let hidden = of("").await;
    assert_eq!(hidden["total"], 5);
    assert_eq!(counts(&hidden["character"]), owned(&[("Hatsune Miku", 4), ("Saber", 1)]));
    assert_eq!(hidden["relation"]["preordered"], 0);
}

#[tokio::test]
async fn every_order_is_leafed_through_without_gap_or_repeat() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    small_catalogue(&alice).await;
    for (query, expected) in [
        ("", vec![]),
        (
            "sort=name",
            vec![
                "Hatsune Miku: Deep Sea Girl",
                "Night Saber",
                "Racing Miku 2016 Ver.",
                "Racing Miku 2019 Ver.",
                "Saber Lily",
                "初音ミク 雪ミク",
            ],
        ),
        (
            "sort=newest",
            vec![
                "Night Saber",
                "Saber Lily",
                "初音ミク 雪ミク",
                "Hatsune Miku: Deep Sea Girl",
                "Racing Miku 2019 Ver.",
                "Racing Miku 2016 Ver.",
            ],
        ),
        (
            "sort=release",
            vec![
                "Night Saber",
                "Saber Lily",
                "Hatsune Miku: Deep Sea Girl",
                "Racing Miku 2019 Ver.",
                "Racing Miku 2016 Ver.",
                "初音ミク 雪ミク",
            ],
        ),
        ("q=miku", vec![]),
        ("q=saber&sort=release", vec!["Night Saber", "Saber Lily"]),
    ] {
        let whole = found(&alice, query).await;
        if !expected.is_empty() {
            assert_eq!(whole, expected, "{query}");
        }
        let mut seen = Vec::new();
        let mut path = format!("/api/figures?{query}&limit=1");
        loop {
            let page = alice.get(&path).await.ok();
            seen.extend(names(&page["items"]).into_iter().map(str::to_owned));
            assert!(seen.len() <= whole.len(), "{query}: {seen:?}");
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/figures?{query}&limit=1&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen, whole, "{query}");
    }
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    for path in ["/api/figures", "/api/figures/facets"] {
        for (query, code, field) in [
            ("relation=hated", "invalid_field", "relation"),
            ("released_from=2019", "invalid_date", "released_from"),
            ("released_from=2019-13", "invalid_date", "released_from"),
            ("released_to=2019-12-32", "invalid_date", "released_to"),
            ("released_to=9999-01", "invalid_date", "released_to"),
            ("maker=alter", "unknown_parameter", "maker"),
        ] {
            alice.get(&format!("{path}?{query}")).await.refused_field(422, code, field);
        }
        alice.get(&format!("{path}?q={}", "x".repeat(201))).await.refused_field(422, "invalid_field", "q");
        alice.get(&format!("{path}?q=%ff")).await.refused(400, "malformed_query");
        alice.get(&format!("{path}?q=a%00")).await.refused_field(422, "invalid_field", "q");
        alice.get(&format!("{path}?q=a&q=b")).await.refused(422, "invalid_field");
        let answer = alice.send(reqwest::Method::GET, path, |r| r.header("x-min-position", "soon")).await;
        answer.refused_field(400, "invalid_header", "X-Min-Position");
    }
    for (query, code, field) in [
        ("limit=0", "invalid_field", "limit"),
        ("limit=1000", "invalid_field", "limit"),
        ("sort=price", "invalid_field", "sort"),
        ("cursor=%F0%9F%8E%8C", "invalid_cursor", "cursor"),
        ("cursor=e30", "invalid_cursor", "cursor"),
    ] {
        alice.get(&format!("/api/figures?{query}")).await.refused_field(422, code, field);
    }
    // A cursor that was made up may find nothing, but breaks nothing.
    for key in [
        json!({"sort": "newest", "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff"}),
        json!({"sort": "newest", "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff", "at": "+262142-12-31T23:59:59Z"}),
        json!({"sort": "release", "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff", "date": "+262142-12-31"}),
        json!({"sort": "relevance", "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff", "rank": i64::MIN}),
        json!({"sort": "name", "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bff", "name": "x".repeat(900)}),
    ] {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(key.to_string());
        let answer = alice.get(&format!("/api/figures?q=x&cursor={cursor}")).await;
        assert!(answer.status.as_u16() < 500, "{key}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_real_catalogue_is_found_as_collectors_type_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/nendoroids.jsonl");
    let Ok(file) = std::fs::read(path) else {
        println!("skipped: there is no {path}");
        return;
    };
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let types = ["nendoroid".to_owned(), "other".to_owned()];
    let report = catalogue::import(&app.state.store, &types, &file, Mode::Append, &|_| ()).await.unwrap();
    let position = report.position.unwrap();
    let reached = app.state.projections.wait_for(&["figures", "entities"], position, PATIENCE).await;
    assert!(reached.is_reached());
    let facets = alice.get("/api/figures/facets").await.ok();
    assert_eq!(facets["total"], 1_595);
    assert_eq!(counts(&facets["manufacturer"]).first().map(|one| one.0.as_str()), Some("Good Smile Company"));

    for (query, words) in [
        ("hatsune mku racing", vec!["Racing Miku"]),
        ("hatsnue miku", vec!["Miku"]),
        ("sabre", vec!["Saber"]),
        ("saber lilly", vec!["Saber Lily"]),
        ("tanjiroo", vec!["Tanjiro"]),
        ("demon slyaer nezuko", vec!["Nezuko"]),
        ("lewi", vec!["Levi"]),
        ("one pnuch man saitma", vec!["Saitama"]),
        ("rie ayanami", vec!["Rei Ayanami"]),
        ("はつねみく", vec!["はつねみく"]),
        ("zelda wind waker", vec!["Zelda", "Wind Waker"]),
    ] {
        let list = alice.get(&format!("/api/figures?limit=3&q={}", query.replace(' ', "%20"))).await.ok();
        let names = names(&list["items"]);
        let first = names.first().copied().unwrap_or_default();
        assert!(words.iter().all(|word| first.contains(word)), "{query}: {names:?}");
    }
    // Every figure is on exactly one page.
    let mut seen = std::collections::BTreeSet::new();
    let mut path = "/api/figures?limit=200&sort=release".to_owned();
    loop {
        let page = alice.get(&path).await.ok();
        for one in page["items"].as_array().unwrap() {
            assert!(seen.insert(id(one).to_owned()), "{} twice", one["name"]);
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/figures?limit=200&sort=release&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1_595);
}
