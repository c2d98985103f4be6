//! The calendar of releases and deliveries, read by a parser that others made.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use api::calendar;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::dates::Precision;
use projections::preorders::Dated;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    owned::id,
    support::{Answer, TestApp, TestClient},
};

const OWN: &str = "/api/me/calendar";

/// The Python that `scripts/peers.sh` has given a parser of calendars.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
    let installed = std::fs::read_to_string(target.join("peers/installed")).unwrap_or_default();
    if !installed.contains("icalendar==") {
        println!("NOT TESTED: scripts/peers.sh has not installed the parser of calendars");
        assert!(std::env::var("CI").is_err(), "in CI it has to be there");
        return None;
    }
    Some(target.join("peers/bin/python"))
}

/// What the other parser reads.
fn read(python: &Path, text: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/independent/feed.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn figure(client: &TestClient, name: &str, is_nsfw: bool) -> String {
    let body = json!({"name": name, "figure_type": "scale", "is_nsfw": is_nsfw});
    client.post("/api/figures", body).await.made()["id"].as_str().unwrap().to_owned()
}

/// A pre-order of a new figure; its id.
async fn preorder(client: &TestClient, name: &str, date: Option<&str>) -> String {
    let mut body = json!({"figure_id": figure(client, name, false).await, "price_amount": "77.31", "price_currency": "EUR",
        "store": "Secret Shop", "notes": "behind the wardrobe"});
    if let Some(date) = date {
        body["release_date"] = json!(date);
    }
    id(&client.post("/api/me/preorders", body).await.made()).to_owned()
}

async fn link(client: &TestClient) -> String {
    let made = client.post(OWN, json!({})).await.made();
    let link = format!("/api/calendar/{}.ics", made["token"].as_str().unwrap());
    assert!(made["url"].as_str().unwrap().ends_with(&link), "{made}");
    link
}

async fn again(client: &TestClient, link: &str, known: &str) -> Answer {
    client.send(Method::GET, link, |request| request.header("if-none-match", known)).await
}

/// Summaries, in their own order.
async fn summaries(client: &TestClient, link: &str) -> Vec<String> {
    let text = client.get(link).await;
    assert_eq!(text.status, 200, "{}", text.text);
    let unfolded = text.text.replace("\r\n ", "");
    let mut all: Vec<String> =
        unfolded.lines().filter_map(|line| line.strip_prefix("SUMMARY:")).map(str::to_owned).collect();
    all.sort();
    all
}

#[tokio::test]
async fn releases_and_deliveries_are_whole_days_to_another_parser() {
    let Some(python) = python() else { return };
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let day = preorder(&alice, "Mina, the \"harbour\" pilot; 1/7 \\ 🎎", Some("2027-05-20")).await;
    let month = preorder(&alice, "Lyra", Some("2027-08")).await;
    let year = preorder(&alice, "Io", Some("2028")).await;
    preorder(&alice, "Undated", None).await;
    let sent = preorder(&alice, "Sent", Some("2026-01-02")).await;
    let ship = json!({"shipped_at": "2026-01-05", "estimated_delivery_days": 7});
    alice.post(&format!("/api/me/preorders/{sent}/ship"), ship).await.ok();

    let link = link(&alice).await;
    let answer = anybody.get(&link).await;
    for (header, expected) in [
        ("content-type", "text/calendar; charset=utf-8"),
        ("cache-control", "private, max-age=60"),
        ("x-robots-tag", "noindex, nofollow"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(header), expected, "{header}");
    }
    assert_eq!(answer.status, 200);
    for fact in ["77.31", "EUR", "Secret", "wardrobe", "alice"] {
        assert!(!answer.text.contains(fact), "{fact}: {}", answer.text);
    }
    let told = read(&python, &answer.text);
    assert_eq!(
        (&told["version"], &told["name"], &told["refreshed_every"]),
        (&json!("2.0"), &json!("Figures"), &json!(21600.0))
    );
    let events = told["events"].as_array().unwrap();
    assert_eq!(events.len(), 5, "{told}");
    let expected = [
        (&day, "release", "Release: Mina, the \"harbour\" pilot; 1/7 \\ 🎎", "2027-05-20", ""),
        (
            &month,
            "release",
            "Release this month: Lyra",
            "2027-08-01",
            "Announced for August 2027; the day is not known yet.",
        ),
        (
            &year,
            "release",
            "Release this year: Io",
            "2028-01-01",
            "Announced for 2028; the day is not known yet.",
        ),
        (&sent, "release", "Release: Sent", "2026-01-02", ""),
        (&sent, "delivery", "Delivery: Sent", "2026-01-12", ""),
    ];
    for (preorder, what, summary, start, description) in expected {
        let uid = format!("{preorder}.{what}@figure-ledger");
        let event =
            events.iter().find(|event| event["uid"] == uid).unwrap_or_else(|| panic!("{uid}: {told}"));
        assert_eq!((&event["summary"], &event["start"]), (&json!(summary), &json!(start)));
        assert_eq!((&event["description"], &event["transparent"]), (&json!(description), &json!(true)));
        let start: NaiveDate = start.parse().unwrap();
        assert_eq!(
            event["end"],
            json!(start.checked_add_days(Days::new(1)).unwrap()),
            "the day after, exclusive"
        );
        assert_eq!(event["stamp"], event["modified"]);
    }
}

#[tokio::test]
async fn whatever_figures_are_called_another_parser_reads_it_back() {
    let Some(python) = python() else { return };
    let parts = [
        ",",
        ";",
        ":",
        "\\",
        "\\n",
        "\\N",
        "\\,",
        "\"",
        "'",
        " ",
        "   ",
        "=",
        "%0a",
        "🎎",
        "👩‍👩‍👧",
        "é",
        "e\u{301}",
        "ｍ",
        "初音ミク",
        "שלום",
        "\u{202e}",
        "\u{2028}",
        "\u{feff}",
        "BEGIN:VEVENT",
        "END:VCALENDAR",
        "SUMMARY:",
        "\u{10ffff}",
        "a",
        "b",
        "figure",
    ];
    let mut rng = StdRng::seed_from_u64(20_261_123);
    let name = |rng: &mut StdRng| -> String {
        (0..rng.random_range(1..120)).map(|_| parts[rng.random_range(0..parts.len())]).collect()
    };
    let changed_at: DateTime<Utc> = "2026-11-02T08:15:00Z".parse().unwrap();
    let preorders: Vec<Dated> = (0..400)
        .map(|number| Dated {
            id: Uuid::from_u128(number),
            name: name(&mut rng),
            is_nsfw: false,
            release: Some(("2027-05-20".parse().unwrap(), Precision::Day)),
            release_original: None,
            delivery: None,
            version: 1,
            changed_at,
        })
        .collect();
    let text = calendar::feed(&preorders);
    assert!(text.split_terminator("\r\n").all(|line| line.len() <= 75));
    let told = read(&python, &text);
    let events = told["events"].as_array().unwrap();
    assert_eq!(events.len(), preorders.len());
    for (event, preorder) in events.iter().zip(&preorders) {
        assert_eq!(event["uid"], format!("{}.release@figure-ledger", preorder.id));
        let summary = format!("Release: {}", preorder.name);
        assert_eq!(event["summary"].as_str().unwrap(), summary, "{:?}", preorder.name);
    }
}

#[tokio::test]
async fn an_unchanged_calendar_is_not_sent_again_and_a_slip_moves_the_same_event() {
    let Some(python) = python() else { return };
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    let mina = preorder(&alice, "Mina", Some("2027-05-20")).await;
    let link = link(&alice).await;
    let first = anybody.get(&link).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 20, "{tag}");
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let answer = again(&anybody, &link, &known).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{known}");
        assert_eq!(
            (answer.header("etag"), answer.header("cache-control")),
            (tag.as_str(), "private, max-age=60")
        );
    }
    assert_eq!(again(&anybody, &link, "\"other\"").await.text, first.text);
    // What does not show does not count.
    alice.post("/api/me/owned", json!({"figure_id": figure(&alice, "Owned", false).await})).await.made();
    assert_eq!(again(&anybody, &link, &tag).await.status, 304);

    let slip = json!({"new_date": "2027-09", "source": "manufacturer_announcement"});
    alice.post(&format!("/api/me/preorders/{mina}/slip"), slip).await.ok();
    let second = again(&anybody, &link, &tag).await;
    assert_eq!(second.status, 200);
    assert_ne!(second.header("etag"), tag);
    let (before, after) = (read(&python, &first.text), read(&python, &second.text));
    let (before, after) = (&before["events"][0], &after["events"][0]);
    assert_eq!(before["uid"], after["uid"]);
    assert!(after["sequence"].as_i64() > before["sequence"].as_i64(), "{before} {after}");
    assert!(after["modified"].as_str() >= before["modified"].as_str(), "{before} {after}");
    assert_eq!((&before["start"], &after["start"]), (&json!("2027-05-20"), &json!("2027-09-01")));
    assert_eq!(
        after["description"],
        "Announced for September 2027; the day is not known yet.\nFirst announced for 20 May 2027."
    );
    // Renamed in the catalogue, it is the same event under another name.
    let changed = alice.get(&format!("/api/me/preorders/{mina}")).await.ok();
    let figure = changed["figure"]["id"].as_str().unwrap();
    alice.patch(&format!("/api/figures/{figure}"), json!({"name": "Mina II"})).await.ok();
    let third = again(&anybody, &link, second.header("etag")).await;
    let third = read(&python, &third.text);
    assert_eq!(
        (&third["events"][0]["uid"], &third["events"][0]["summary"]),
        (&before["uid"], &json!("Release this month: Mina II"))
    );
}

#[tokio::test]
async fn only_what_is_still_to_come_is_in_it() {
    let app = TestApp::new().await;
    let (alice, ben, anybody) = (app.register("alice").await, app.register("ben").await, app.visitor());
    preorder(&ben, "Somebody else's", Some("2027-05-20")).await;
    let mut ids = Vec::new();
    for name in ["Kept", "Received", "Cancelled", "Released"] {
        ids.push(preorder(&alice, name, Some("2027-05-20")).await);
    }
    let link = link(&alice).await;
    assert_eq!(summaries(&anybody, &link).await.len(), 4);
    let post = async |at: usize, step: &str, body: Value| {
        alice.post(&format!("/api/me/preorders/{}/{step}", ids[at]), body).await.ok()
    };
    post(1, "receive", json!({})).await;
    post(2, "cancel", json!({"refund_amount": "0", "item": "archive"})).await;
    post(3, "status", json!({"status": "released"})).await;
    assert_eq!(summaries(&anybody, &link).await, ["Release: Kept", "Release: Released"]);
    let empty = self::link(&app.register("carol").await).await;
    assert_eq!(summaries(&anybody, &empty).await, [""; 0]);
}

#[tokio::test]
async fn nsfw_figures_are_in_it_only_if_the_owner_shows_and_does_not_hide_them() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    preorder(&alice, "Mina", Some("2027-05-20")).await;
    let night = json!({"figure_id": figure(&alice, "Nightfall", true).await, "release_date": "2027-06"});
    alice.post("/api/me/preorders", night).await.made();
    let link = link(&alice).await;
    let (mina, night) = ("Release: Mina".to_owned(), "Release this month: Nightfall".to_owned());
    let change = async |body: Value| {
        alice.patch("/api/me", body).await.ok();
    };
    assert_eq!(summaries(&anybody, &link).await, std::slice::from_ref(&mina));
    change(json!({"public_profile_show_nsfw": true})).await;
    assert_eq!(summaries(&anybody, &link).await, [night.clone(), mina.clone()]);
    let text = anybody.get(&link).await.text;
    assert_eq!(text.matches("CATEGORIES:NSFW").count(), 1, "{text}");
    change(json!({"nsfw_visibility": "hide"})).await;
    assert_eq!(summaries(&anybody, &link).await, [mina]);
}

#[tokio::test]
async fn a_calendar_has_one_link_at_a_time() {
    let app = TestApp::new().await;
    let (alice, anybody) = (app.register("alice").await, app.visitor());
    assert_eq!(alice.get(OWN).await.ok()["shared"], false);
    let first = link(&alice).await;
    let second = link(&alice).await;
    anybody.get(&first).await.refused(404, "link_unknown");
    assert_eq!(anybody.get(&second).await.status, 200);
    anybody.get(second.strip_suffix(".ics").unwrap()).await.refused(404, "link_unknown");
    let head = anybody.send(Method::HEAD, &second, |request| request).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert_eq!(alice.get(OWN).await.ok()["shared"], true);
    assert_eq!(alice.delete(OWN).await.ok(), json!({"shared": false, "shared_at": null}));
    // Also for who knows what it was.
    again(&anybody, &second, "*").await.refused(404, "link_unknown");
    alice.delete(OWN).await.refused(404, "not_shared");
    for method in [Method::GET, Method::POST, Method::DELETE] {
        anybody.send(method, OWN, |request| request).await.refused(401, "not_signed_in");
    }
}
