use reqwest::Method;
use serde_json::{Value, json};

use super::{figure, number};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_ask_for_the_figures_of_a_series_by_its_number() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (mina, _) = figure(&alice, "Mina", &["Tides"], false).await;
    let (nyx, _) = figure(&alice, "Nyx", &["Tides"], true).await;
    let (oriel, _) = figure(&alice, "Oriel", &["Tides Again", "Tides"], false).await;
    figure(&alice, "Stranger", &["Elsewhere"], false).await;
    for series in ["tides", "tides-again"] {
        number(&alice, series, 21).await;
    }
    let anybody = app.visitor();
    let slugs = |answer: &Value| -> Vec<String> {
        answer["figures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    let safe = anybody.get("/api/public/figures/by-mal/21").await.ok();
    assert_eq!((&safe["mal_id"], &safe["count"]), (&json!(21), &json!(2)));
    assert_eq!(slugs(&safe), [mina.clone(), oriel.clone()]);
    let keys: Vec<&String> = safe["figures"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["figure_type", "image", "name", "slug"]);
    let all = anybody.get("/api/public/figures/by-mal/21?nsfw=1").await.ok();
    assert_eq!((&all["count"], slugs(&all)), (&json!(3), vec![mina, nyx, oriel]));
    let hiding = alice.get("/api/public/figures/by-mal/21").await.ok();
    assert_eq!(hiding, safe, "who asks makes no difference");
    let nothing = anybody.get("/api/public/figures/by-mal/4711").await.ok();
    assert_eq!(nothing, json!({"mal_id": 4711, "count": 0, "figures": []}));
    for nowhere in ["0", "-3", "10000001", "99999999999999999999", "tides"] {
        anybody.get(&format!("/api/public/figures/by-mal/{nowhere}")).await.refused(404, "not_found");
    }
    anybody.get("/api/public/figures/by-mal/21?nsfw=perhaps").await.refused_field(
        422,
        "invalid_field",
        "nsfw",
    );
    anybody.get("/api/public/figures/by-mal/21?all=1").await.refused(422, "unknown_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_may_read_the_mirror_and_caches_keep_it() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    figure(&alice, "Mina", &["Tides"], false).await;
    number(&alice, "tides", 21).await;
    let anybody = app.visitor();
    let path = "/api/public/figures/by-mal/21";
    let ask = async |tag: &str| {
        let cross = |request: reqwest::RequestBuilder| {
            request.header("origin", "https://manga.example").header("if-none-match", tag)
        };
        anybody.send(Method::GET, path, cross).await
    };
    let first = ask("\"other\"").await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.header("access-control-allow-origin"), "*");
    assert_eq!(first.header("access-control-allow-credentials"), "");
    assert_eq!(first.header("cross-origin-resource-policy"), "cross-origin");
    assert_eq!(first.header("cache-control"), "public, max-age=300");
    assert_eq!(first.header("set-cookie"), "");
    assert_eq!(first.header("content-type"), "application/json");
    let tag = first.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"a\", {tag}"), "*".to_owned()] {
        let again = ask(&known).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), tag);
    }
    figure(&alice, "Oriel", &["Tides"], false).await;
    let changed = ask(&tag).await;
    assert_eq!((changed.status.as_u16(), &changed.body["count"]), (200, &json!(2)));
    let own = alice.get("/api/me").await;
    assert_eq!(own.header("access-control-allow-origin"), "", "nothing else is open to other sites");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_is_read_at_a_measured_pace() {
    let app = TestApp::with(&[("RATE_LIMIT_ENABLED", "true")]).await;
    let anybody = app.visitor();
    let asking = (0..200).map(|_| anybody.get("/api/public/figures/by-mal/21"));
    let answers = futures::future::join_all(asking).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((120..200).contains(&served), "{served}");
    let refused = answers.into_iter().find(|answer| answer.status == 429).unwrap();
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    refused.refused(429, "too_many_attempts");
}
