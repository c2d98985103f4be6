use axum::http::HeaderValue;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn chart(title: &str, panel: Panel) -> String {
    let chart =
        Chart { title: title.to_owned(), description: "How it went.".to_owned(), panels: vec![panel] };
    let svg = chart.svg().unwrap();
    // For those who want to look: the drawings of the tests, as files.
    if let Ok(folder) = std::env::var("CHARTS_TO") {
        let name: String = title.chars().filter(char::is_ascii_alphanumeric).collect();
        std::fs::write(format!("{folder}/{name}.svg"), &svg).unwrap();
    }
    svg
}

fn curve(unit: Unit, joined: Joined, points: &[(&str, &str)]) -> Panel {
    Panel::Curve {
        label: "Value".to_owned(),
        unit,
        points: points.iter().map(|(on, amount)| (day(on), amount.parse().unwrap())).collect(),
        joined,
        until: None,
    }
}

#[test]
fn a_curve_names_its_currency_its_days_and_its_amounts() {
    let points =
        [("2026-01-01", "0"), ("2026-03-15", "1200.50"), ("2026-07-01", "980"), ("2026-11-23", "4210.10")];
    let svg = chart("Worth", curve(Unit::Money(Currency::Eur), Joined::Straight, &points));
    for text in [
        "(EUR)",
        "Jan 2026",
        "Jul 2026",
        "4\u{202f}000",
        "prefers-color-scheme",
        "<title id=\"title\">Worth</title>",
    ] {
        assert!(svg.contains(text), "no {text} in {svg}");
    }
}

#[test]
fn what_people_typed_is_text_and_nothing_else() {
    let svg = chart(
        "<script>alert(1)</script> & \"Mina\" \u{1}",
        Panel::Bars { label: "<b>".to_owned(), bars: vec![("<i>".to_owned(), 3)] },
    );
    for bad in ["<script>", "<b>", "<i>", "\u{1}"] {
        assert!(!svg.contains(bad), "{bad} in {svg}");
    }
    assert!(svg.contains("&lt;script&gt;"));
}

#[test]
fn a_step_curve_is_level_between_its_points() {
    let svg = chart(
        "Steps",
        curve(
            Unit::Money(Currency::Jpy),
            Joined::Steps,
            &[("2026-01-01", "9800"), ("2026-01-20", "7600"), ("2026-02-10", "12000")],
        ),
    );
    let line = svg.split("<polyline").nth(1).and_then(|rest| rest.split("points=\"").nth(1)).unwrap();
    let places: Vec<(i32, i32)> = line
        .split('"')
        .next()
        .unwrap()
        .split_whitespace()
        .map(|place| {
            let (x, y) = place.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        })
        .collect();
    assert!(places.windows(2).all(|pair| pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1), "{places:?}");
}

#[test]
fn nothing_and_a_single_day_can_be_drawn() {
    assert!(chart("Empty", curve(Unit::Pieces, Joined::Straight, &[])).contains("Nothing to show yet"));
    assert!(
        chart("NoBars", Panel::Bars { label: "Pieces".to_owned(), bars: vec![] })
            .contains("Nothing to show yet")
    );
    chart("OneDay", curve(Unit::Money(Currency::Usd), Joined::Steps, &[("2026-01-01", "3.5")]));
    chart(
        "Zero",
        curve(Unit::Money(Currency::Usd), Joined::Straight, &[("2026-01-01", "0"), ("2026-01-02", "0")]),
    );
}

#[test]
fn bars_carry_their_names_and_counts() {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let bars =
        months.iter().zip([3, 0, 7, 12, 1, 0, 0, 5, 9, 2, 4, 1]).map(|(m, n)| ((*m).to_owned(), n)).collect();
    let svg = chart("Months", Panel::Bars { label: "Pieces per month".to_owned(), bars });
    for text in months.iter().chain(&["12", "9"]) {
        assert!(svg.contains(text), "no {text}");
    }
}

#[test]
fn long_times_have_few_ticks_at_round_places() {
    for (from, to) in [
        ("2026-01-01", "2026-01-02"),
        ("2026-01-05", "2026-03-01"),
        ("2025-11-23", "2026-11-23"),
        ("2022-10-14", "2026-11-23"),
        ("2001-03-04", "2026-11-23"),
        ("1950-01-01", "2100-12-31"),
    ] {
        let (ticks, format) = axes::days(day(from), day(to));
        let labels: std::collections::BTreeSet<String> =
            ticks.iter().map(|tick| tick.format(format).to_string()).collect();
        assert_eq!(labels.len(), ticks.len(), "{from} to {to}: two ticks are called the same");
        assert!((1..=10).contains(&ticks.len()), "{from} to {to}: {ticks:?}");
        assert!(ticks.iter().all(|tick| (day(from)..=day(to)).contains(tick)));
    }
}

#[test]
fn the_picture_is_drawn_when_it_is_asked_for_before_the_numbers() {
    for (accept, drawn) in [
        ("image/svg+xml", true),
        ("application/json", false),
        ("*/*", false),
        ("application/json, image/svg+xml;q=0.5", false),
        ("application/json;q=0.4, image/svg+xml;q=0.5", true),
        ("image/svg+xml;q=0", false),
        ("text/html,image/svg+xml,*/*;q=0.8", true),
    ] {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(wanted(&headers), drawn, "{accept}");
    }
    assert!(!wanted(&HeaderMap::new()));
}
