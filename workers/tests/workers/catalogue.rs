use crate::support::{Ledger, quiet};
use std::sync::Mutex;
use workers::imports::catalogue::import;
use workers::imports::{Mode, Progress};

fn real() -> Option<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/nendoroids.jsonl");
    let file = std::fs::read(path).ok();
    if file.is_none() {
        println!("skipped: {path} is not there");
    }
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_figure_arrives_and_none_comes_twice() {
    let Some(file) = real() else { return };
    let ledger = Ledger::new().await;
    let types = ledger.types().await;

    let rehearsed = import(&ledger.store, &types, &file, Mode::DryRun, &quiet).await.unwrap();
    assert_eq!(ledger.head().await.0, 0, "a dry run appends nothing");

    let seen = Mutex::new(Vec::new());
    let watch = |p: Progress| seen.lock().unwrap().push(p);
    let report = import(&ledger.store, &types, &file, Mode::Append, &watch).await.unwrap();
    assert_eq!((report.lines, report.added, report.already_there), (1_595, 1_595, 0));
    assert_eq!((report.broken.as_slice(), report.blank), ([].as_slice(), 0));
    assert_eq!((rehearsed.added, rehearsed.position), (report.added, None));
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.last(), Some(&Progress { done: 1_595, total: 1_595 }));
    assert!(seen.is_sorted_by_key(|p| p.done) && seen.len() > 5);

    ledger.shown().await;
    assert_eq!(report.position, Some(ledger.head().await));
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, 1_595);
    assert_eq!(ledger.count("SELECT count(*) FROM manufacturers").await, 1, "makers are one by their name");
    let types_of: Vec<(String, i64)> =
        ledger.rows("SELECT figure_type, count(*) FROM figures GROUP BY 1 ORDER BY 1").await;
    assert_eq!(types_of, [("nendoroid".to_owned(), 1_438), ("nendoroid_doll".to_owned(), 157)]);
    let same_name = "SELECT count(*) FROM figures WHERE name = 'Nendoroid Sora'";
    assert_eq!(ledger.count(same_name).await, 2, "a shared name makes no figure of two");
    let unpriced = "SELECT count(*) FROM figures WHERE msrp_amount = 0 OR msrp_currency <> 'JPY'";
    assert_eq!(ledger.count(unpriced).await, 0);

    let again = import(&ledger.store, &types, &file, Mode::Append, &quiet).await.unwrap();
    assert_eq!((again.added, again.already_there), (0, 1_595));
    assert_eq!(Some(ledger.head().await), report.position, "a second run appends nothing");
    let rehearsed = import(&ledger.store, &types, &file, Mode::DryRun, &quiet).await.unwrap();
    assert_eq!((rehearsed.added, rehearsed.already_there), (0, 1_595));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_does_not_hold_the_others_back() {
    let ledger = Ledger::new().await;
    let types = ledger.types().await;
    let mut file = String::new();
    for n in 1..=150 {
        match n {
            20 => file.push_str("{\"number\": \"20\"\n"),
            // Only the rules can tell that no entity can be named so: its whole chunk is refused at first.
            70 => file.push_str(r#"{"number":"70","line":"demo","name":"Figure 70","series":"!!!"}"#),
            90 => file.push('\n'),
            _ => file.push_str(&format!(
                r#"{{"number":"{n}","line":"demo","name":"Figure {n}","series":"Hollow Tide","msrp_jpy":{}}}"#,
                n * 100
            )),
        }
        if !file.ends_with('\n') {
            file.push('\n');
        }
    }
    let rehearsed = import(&ledger.store, &types, file.as_bytes(), Mode::DryRun, &quiet).await.unwrap();
    let report = import(&ledger.store, &types, file.as_bytes(), Mode::Append, &quiet).await.unwrap();
    assert_eq!((report.lines, report.added, report.blank), (150, 147, 1));
    let broken: Vec<usize> = report.broken.iter().map(|b| b.line).collect();
    assert_eq!(broken, [20, 70]);
    assert!(report.broken[1].reason.contains("series"), "{:?}", report.broken[1]);
    assert_eq!(rehearsed.broken, report.broken);
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, 147);
    assert_eq!(ledger.count("SELECT count(*) FROM series").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_imports_at_once_add_each_figure_once() {
    let ledger = Ledger::new().await;
    let types = ledger.types().await;
    let file: String = (0..250)
        .map(|n| {
            format!(
                "{{\"number\":\"{n}\",\"line\":\"demo\",\"name\":\"Figure {n}\",\"series\":\"S{}\"}}\n",
                n % 9
            )
        })
        .collect();
    let run = || import(&ledger.store, &types, file.as_bytes(), Mode::Append, &quiet);
    let (a, b) = tokio::join!(run(), run());
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.added + b.added, a.already_there + b.already_there), (250, 250));
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, 250);
    assert_eq!(ledger.count("SELECT count(*) FROM series").await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_gets_its_number_from_a_line_and_keeps_the_one_it_has() {
    let ledger = Ledger::new().await;
    let types = ledger.types().await;
    let line = |number: u32, series: &str, mal_id: &str| {
        format!(
            "{{\"number\": \"{number}\", \"line\": \"scale\", \"name\": \"F{number}\", \"series\": \"{series}\", \
             \"series_mal_id\": {mal_id}}}\n"
        )
    };
    let file = [
        line(1, "Tides of Cobalt", "21"),
        line(2, "Tides of Cobalt", "21"),
        line(3, "TIDES of cobalt", "22"),
        line(4, "Hollow Tide", "null"),
        line(5, "Paper Moon", "-5"),
    ]
    .concat();
    let rehearsed = import(&ledger.store, &types, file.as_bytes(), Mode::DryRun, &quiet).await.unwrap();
    assert!(rehearsed.series_identified >= 1 && ledger.head().await.0 == 0);
    let report = import(&ledger.store, &types, file.as_bytes(), Mode::Append, &quiet).await.unwrap();
    assert_eq!((report.added, report.series_identified), (5, 1));
    assert_eq!(report.series_left.iter().map(|left| left.line).collect::<Vec<_>>(), [3, 5]);
    assert!(report.series_left[0].reason.contains("21, which stays"), "{:?}", report.series_left);
    assert_eq!(report.position, Some(ledger.head().await));
    ledger.shown().await;
    let numbers: Vec<(String, Option<i64>)> =
        ledger.rows("SELECT slug, mal_id FROM series ORDER BY slug").await;
    let expected = [("hollow-tide", None), ("paper-moon", None), ("tides-of-cobalt", Some(21))];
    assert_eq!(numbers, expected.map(|(slug, mal_id)| (slug.to_owned(), mal_id)));
    let head = ledger.head().await;
    let again = import(&ledger.store, &types, file.as_bytes(), Mode::Append, &quiet).await.unwrap();
    assert_eq!((again.series_identified, again.series_left.len(), ledger.head().await), (0, 2, head));
}
