//! Rates: fetched from a stand-in of the ECB or of a Frankfurter-compatible server, and loaded from files.

use crate::support::{Ledger, user};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::collection::Cost;
use domain::commands::{AddPiece, CatalogueFigure, PieceFields};
use domain::ids::{FigureId, PieceId};
use domain::money::Currency;
use domain::money::rates::RateTable;
use operational::fx_rates::{self, FxSource};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;
use workers::fx::{Fx, FxSettings, RefreshError, Refreshed, Urgency, history, refresh};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Monday, 2026-11-02, in the morning: the newest rates are Friday's.
fn now() -> DateTime<Utc> {
    "2026-11-02T08:00:00Z".parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Status and body, by path.
type ByPath = HashMap<String, (u16, Vec<u8>)>;

#[derive(Clone, Default)]
struct Answers {
    by_path: Arc<Mutex<ByPath>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A server that answers what it is told to, and 404 elsewhere.
struct StandIn {
    answers: Answers,
    base: String,
    serving: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(answers): State<Answers>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    answers.asked.lock().unwrap().push(path.clone());
    let (status, body) = answers.by_path.lock().unwrap().get(&path).cloned().unwrap_or((404, vec![]));
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if status == 302 {
        response.headers_mut().insert("location", String::from_utf8(body).unwrap().parse().unwrap());
    }
    response
}

impl StandIn {
    async fn start() -> Self {
        let answers = Answers::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(answers.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { answers, base, serving }
    }

    fn says(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.answers.by_path.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    /// What was asked since the last time this was.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.answers.asked.lock().unwrap())
    }

    fn settings(&self) -> FxSettings {
        FxSettings { enabled: true, base_url: self.base.clone() }
    }
}

/// The ECB's XML of some days.
fn xml(days: &[(&str, &[(&str, &str)])]) -> String {
    let cube = |(code, rate): &(&str, &str)| format!("<Cube currency='{code}' rate='{rate}'/>");
    let day = |(date, quotes): &(&str, &[(&str, &str)])| {
        format!("<Cube time='{date}'>{}</Cube>", quotes.iter().map(cube).collect::<String>())
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><gesmes:Envelope \
         xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" \
         xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\"><Cube>{}</Cube></gesmes:Envelope>",
        days.iter().map(day).collect::<String>()
    )
}

const DAILY: &str = "/eurofxref-daily.xml";
const RECENT: &str = "/eurofxref-hist-90d.xml";
const FRIDAY: (&str, &[(&str, &str)]) =
    ("2026-10-30", &[("USD", "1.1172"), ("JPY", "175.68"), ("HKD", "8.7652")]);
const THURSDAY: (&str, &[(&str, &str)]) = ("2026-10-29", &[("USD", "1.12"), ("JPY", "175")]);

async fn known(fx: &Fx) -> Vec<String> {
    let days = fx_rates::known_days(fx.pool(), day("1999-01-04"), day("2099-12-31")).await.unwrap();
    days.iter().map(ToString::to_string).collect()
}

fn usd(table: Option<RateTable>) -> String {
    table.map(|table| table.per_euro(Currency::Usd).unwrap().to_string()).unwrap_or_default()
}

#[tokio::test]
async fn the_ecbs_files_are_fetched_once_in_twelve_hours() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let bank = StandIn::start().await;
    bank.says(DAILY, 200, xml(&[FRIDAY]));
    bank.says(RECENT, 200, xml(&[FRIDAY, THURSDAY]));
    let ask = async |now, urgency| refresh(&fx, &bank.settings(), now, urgency).await.unwrap();

    let fetched = ask(now(), Urgency::WhenDue).await;
    let expected = Refreshed::Fetched {
        date: day("2026-10-30"),
        source: "ecb",
        new_days: 2,
        changed_days: 0,
        refused: vec![],
    };
    assert_eq!(fetched, expected);
    assert_eq!(bank.asked(), [DAILY, RECENT]);
    assert_eq!(usd(fx.today()), "1.1172");
    assert_eq!(usd(fx.on(day("2026-10-29"))), "1.12");
    assert_eq!(
        fx.today()
            .unwrap()
            .per_euro("HKD".parse::<domain::money::rates::CurrencyCode>().unwrap())
            .unwrap()
            .to_string(),
        "8.7652"
    );
    let kept: (String, String, serde_json::Value) = ledger
        .rows("SELECT provider, lookup_key, payload FROM external_lookups WHERE lookup_key = 'latest'")
        .await
        .remove(0);
    assert_eq!(
        (kept.0.as_str(), &kept.2["date"], &kept.2["rates"]["USD"]),
        ("fx", &"2026-10-30".into(), &"1.1172".into())
    );

    let held = ask(now() + TimeDelta::hours(11), Urgency::WhenDue).await;
    assert_eq!(held, Refreshed::Holds { date: day("2026-10-30"), fetched_at: now() });
    assert!(bank.asked().is_empty());
    // Friday's days before are known, or asked for already: bank holidays are not asked for again and again.
    ask(now() + TimeDelta::hours(12), Urgency::WhenDue).await;
    assert_eq!(bank.asked(), [DAILY]);
    ask(now() + TimeDelta::hours(12), Urgency::Now).await;
    assert_eq!(bank.asked(), [DAILY]);
    // Another source is asked, however young the answer of the one before.
    let other = StandIn::start().await;
    other.says(DAILY, 200, xml(&[FRIDAY]));
    other.says(RECENT, 200, xml(&[FRIDAY]));
    let asked =
        refresh(&fx, &other.settings(), now() + TimeDelta::hours(13), Urgency::WhenDue).await.unwrap();
    assert!(matches!(asked, Refreshed::Fetched { new_days: 0, changed_days: 0, .. }), "{asked:?}");
}

#[tokio::test]
async fn days_that_were_missed_are_fetched_with_the_newest() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let bank = StandIn::start().await;
    bank.says(DAILY, 200, xml(&[THURSDAY]));
    bank.says(RECENT, 200, xml(&[THURSDAY]));
    refresh(&fx, &bank.settings(), now() - TimeDelta::days(3), Urgency::WhenDue).await.unwrap();
    bank.asked();
    // Friday went by unseen.
    let tuesday: (&str, &[(&str, &str)]) = ("2026-11-03", &[("USD", "1.13")]);
    bank.says(DAILY, 200, xml(&[tuesday]));
    bank.says(RECENT, 503, "");
    let late = refresh(&fx, &bank.settings(), now() + TimeDelta::days(2), Urgency::WhenDue).await.unwrap();
    let Refreshed::Fetched { new_days: 1, refused, .. } = late else { panic!("{late:?}") };
    assert!(refused[0].contains("503"), "{refused:?}");
    bank.says(RECENT, 200, xml(&[tuesday, ("2026-11-02", &[("USD", "0")]), FRIDAY, THURSDAY]));
    let found = refresh(&fx, &bank.settings(), now() + TimeDelta::days(2), Urgency::Now).await.unwrap();
    let Refreshed::Fetched { new_days: 1, refused, .. } = found else { panic!("{found:?}") };
    assert!(refused[0].contains("USD on 2026-11-02: 0 is not above zero"), "{refused:?}");
    assert_eq!(known(&fx).await, ["2026-10-29", "2026-10-30", "2026-11-03"]);
}

#[tokio::test]
async fn a_frankfurter_compatible_server_will_do() {
    for folder in ["", "/v1"] {
        let ledger = Ledger::new().await;
        let fx = Fx::open(&ledger.db.pool).await.unwrap();
        let server = StandIn::start().await;
        server.says(
            &format!("{folder}/latest"),
            200,
            r#"{"amount":1.0,"base":"EUR","date":"2026-10-30","rates":{"JPY":175.68,"USD":1.1172}}"#,
        );
        server.says(
            &format!("{folder}/2026-08-03.."),
            200,
            r#"{"amount":1.0,"base":"EUR","start_date":"2026-08-03","end_date":"2026-10-30",
                "rates":{"2026-10-29":{"JPY":175,"USD":1.12},"2026-10-30":{"JPY":175.68,"USD":1.1172}}}"#,
        );
        let fetched = refresh(&fx, &server.settings(), now(), Urgency::WhenDue).await.unwrap();
        assert!(
            matches!(fetched, Refreshed::Fetched { source: "frankfurter", new_days: 2, .. }),
            "{fetched:?}"
        );
        assert_eq!(usd(fx.today()), "1.1172", "its digits, not a float's");
        assert_eq!(known(&fx).await, ["2026-10-29", "2026-10-30"]);
    }
}

#[tokio::test]
async fn rates_that_cannot_be_right_are_refused_and_those_at_hand_used_on() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let bank = StandIn::start().await;
    bank.says(DAILY, 200, xml(&[THURSDAY]));
    bank.says(RECENT, 200, xml(&[THURSDAY]));
    refresh(&fx, &bank.settings(), now(), Urgency::Now).await.unwrap();
    let usd_of = |rate| xml(&[("2026-10-30", &[("JPY", "175"), ("USD", rate)])]);
    let elsewhere = StandIn::start().await;
    elsewhere.says(DAILY, 200, xml(&[FRIDAY]));
    for (status, body, told) in [
        (200, usd_of("0"), "0 is not above zero"),
        (200, usd_of("-1.1"), "-1.1 is not above zero"),
        (200, usd_of("NaN"), "\"NaN\" is not a rate"),
        (200, usd_of("1,1"), "is not a rate"),
        (200, usd_of("1e9"), "is not a rate"),
        (200, usd_of("111.72"), "cannot be right"),
        (200, usd_of("1.99"), "it was 1.12 on 2026-10-29"),
        (200, xml(&[("2026-11-03", &[("USD", "1.1")])]), "2026-11-03 are from the future"),
        (200, xml(&[("1998-12-31", &[("USD", "1.1")])]), "before the first rates of the euro"),
        (200, xml(&[("2026-10-30", &[])]), "quotes no currency"),
        (200, xml(&[]), "no day with rates"),
        (200, "<html><p>Service unavailable<br></html>".to_owned(), "it is no XML"),
        (200, String::new(), "it is no XML"),
        (200, "x".repeat(10 << 20), "more than"),
        (500, String::new(), "500"),
        (302, format!("{}{DAILY}", elsewhere.base), "not followed"),
    ] {
        bank.says(DAILY, status, body);
        let error = refresh(&fx, &bank.settings(), now(), Urgency::Now).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(usd(fx.today()), "1.12", "{told}");
        assert_eq!(known(&fx).await, ["2026-10-29"], "{told}");
    }
    assert!(elsewhere.asked().is_empty());
    // Nobody there at all.
    let gone = FxSettings { enabled: true, base_url: "http://127.0.0.1:9".to_owned() };
    let error = refresh(&fx, &gone, now(), Urgency::Now).await.unwrap_err();
    assert!(matches!(error, RefreshError::Fetch(_)), "{error}");
    let nothing = StandIn::start().await;
    let error = refresh(&fx, &nothing.settings(), now(), Urgency::Now).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    assert_eq!(nothing.asked(), [DAILY, "/latest", "/v1/latest"]);
    // A table past its life is used on, with its date.
    let table = Fx::open(&ledger.db.pool).await.unwrap().today().unwrap();
    assert_eq!(table.date(), day("2026-10-29"));
}

#[tokio::test]
async fn a_frankfurter_answer_of_another_kind_is_refused() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let server = StandIn::start().await;
    for (body, told) in [
        (r#"{"base":"USD","date":"2026-10-30","rates":{"EUR":0.9}}"#, "its base is \"USD\""),
        (r#"{"amount":100,"base":"EUR","date":"2026-10-30","rates":{"USD":111}}"#, "not for one euro"),
        (r#"{"base":"EUR","date":"2026-10-30","rates":{"USD":"NaN"}}"#, "is not a rate"),
        (r#"{"base":"EUR","date":"2026-10-30","rates":{"USD":-1.1}}"#, "not above zero"),
        (r#"{"base":"EUR","date":"2027-10-30","rates":{"USD":1.1}}"#, "from the future"),
        (r#"{"base":"EUR","date":"2026-10-30","rates":{}}"#, "quotes no currency"),
        ("<html></html>", "JSON is not as expected"),
    ] {
        server.says("/latest", 200, body);
        let error = refresh(&fx, &server.settings(), now(), Urgency::Now).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(fx.rates().is_empty() && known(&fx).await.is_empty());
}

#[tokio::test]
async fn turned_off_nobody_is_asked() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let bank = StandIn::start().await;
    let settings = FxSettings { enabled: false, ..bank.settings() };
    assert_eq!(refresh(&fx, &settings, now(), Urgency::Now).await.unwrap(), Refreshed::Off);
    assert!(bank.asked().is_empty());
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn the_zip_its_csv_and_the_xml_load_the_same() {
    let csv =
        b"Date,USD,JPY,HRK,\n2026-10-30,1.1172,175.68,N/A,\n2020-03-06,1.1336,119.35,7.5003,\n".as_slice();
    let xml = xml(&[
        ("2026-10-30", &[("USD", "1.1172"), ("JPY", "175.68")]),
        ("2020-03-06", &[("USD", "1.1336"), ("JPY", "119.35"), ("HRK", "7.5003")]),
    ]);
    for file in [csv.to_vec(), zipped(&[("eurofxref-hist.csv", csv)]), xml.into_bytes()] {
        let ledger = Ledger::new().await;
        let fx = Fx::open(&ledger.db.pool).await.unwrap();
        let report = history::load(&fx, &file, now(), &|_, _| ()).await.unwrap();
        assert_eq!((report.first, report.last, report.stored.new), (day("2020-03-06"), day("2026-10-30"), 2));
        assert_eq!(ledger.count("SELECT count(*) FROM fx_rates").await, 5);
        assert_eq!(
            fx.rates()
                .frozen(Currency::Usd, Some(day("2020-03-08")), day("2026-11-02"))
                .unwrap()
                .decimal()
                .to_string(),
            "0.882145377558222"
        );
    }
}

#[tokio::test]
async fn what_is_no_history_is_told_and_leaves_no_trace() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let good = b"Date,USD\n2026-10-30,1.1172\n".as_slice();
    let bomb = vec![b'0'; 65 << 20];
    for (file, told) in [
        (zipped(&[("a.csv", good), ("b.csv", good)]), "holds 2 files"),
        (zipped(&[("a.csv", bomb.as_slice())]), "too large"),
        (zipped(&[("a.csv", good)])[..40].to_vec(), "the zip cannot be read"),
        (b"".to_vec(), "no euro reference rates"),
        (b"Date,usd\n2026-10-30,1.1\n".to_vec(), "Date and currency codes"),
        (b"Date,USD\n2026-10-30,\xff\n".to_vec(), "no euro reference rates"),
        (b"<html></html>".to_vec(), "no day with rates"),
        (b"Date,USD\n2099-10-30,1.1\n2026-10-30,NaN\n".to_vec(), "none of its days could be taken"),
    ] {
        let error = history::load(&fx, &file, now(), &|_, _| ()).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(known(&fx).await.is_empty());
}

#[tokio::test]
async fn a_day_that_is_loaded_again_with_other_rates_is_replaced() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let load =
        async |file: &str| history::load(&fx, file.as_bytes(), now(), &|_, _| ()).await.unwrap().stored;
    load("Date,USD,HRK\n2026-10-30,1.1172,7.5\n2026-10-29,1.12,7.5\n").await;
    let stored = load("Date,USD\n2026-10-30,1.1173\n").await;
    assert_eq!((stored.new, stored.changed, stored.unchanged), (0, 1, 0));
    assert_eq!(usd(fx.today()), "1.1173");
    assert_eq!(
        ledger.count("SELECT count(*) FROM fx_rates WHERE day = '2026-10-30'").await,
        1,
        "stated whole"
    );
    let stored = load("Date,USD,HRK\n2026-10-29,1.1200,7.5\n").await;
    assert_eq!((stored.new, stored.changed, stored.unchanged), (0, 0, 1));
}

#[tokio::test]
async fn another_process_has_new_rates_once_they_were_waited_for() {
    let ledger = Ledger::new().await;
    let (server, other) =
        (Fx::open(&ledger.db.pool).await.unwrap(), Fx::open(&ledger.db.pool).await.unwrap());
    assert!(
        fx_rates::read_by_all(&ledger.db.pool, Duration::ZERO).await.unwrap(),
        "nobody has to be waited for"
    );
    let following = server.follow();
    // It shows what it has once it listens.
    database::testing::eventually("the server listens", async || {
        // The server of the tests is shared: locks of other tests' databases are not its own. And whoever folds a
        // read model has a lock as well.
        let shown = format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
             AND classid::bigint = {}
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            fx_rates::READERS
        );
        ledger.count(&shown).await > 0
    })
    .await;
    for (round, rate) in ["1.1", "1.2", "1.3"].into_iter().enumerate() {
        let file = format!("Date,USD\n2026-10-{},{rate}\n", 26 + round);
        history::load(&other, file.as_bytes(), now(), &|_, _| ()).await.unwrap();
        assert!(fx_rates::read_by_all(&ledger.db.pool, Duration::from_secs(30)).await.unwrap());
        assert_eq!(usd(server.today()), rate, "at once");
    }
    drop(following);
}

/// Where the real history is, if it is.
fn real() -> Option<Vec<u8>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/eurofxref-hist.zip");
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    bytes
}

#[tokio::test]
async fn the_ecbs_real_history_loads_whole() {
    let Some(file) = real() else { return };
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    let told = Mutex::new((0, 0));
    let progress = |done, total| *told.lock().unwrap() = (done, total);
    let report = history::load(&fx, &file, "2026-11-02T08:00:00Z".parse().unwrap(), &progress).await.unwrap();
    assert_eq!((report.stored.new, report.refused.len()), (7_126, 0), "{:?}", report.refused);
    assert_eq!((report.first, report.last), (day("1999-01-04"), day("2026-10-30")));
    let (done, total) = *told.lock().unwrap();
    assert!(done == total && total > 200_000, "{done} of {total}");
    assert_eq!(usd(fx.today()), "1.1172");
    let today = day("2026-11-02");
    for (currency, on, per_euro) in [
        (Currency::Usd, "1999-01-04", "1.1789"),
        (Currency::Jpy, "1999-01-05", "130.96"),
        // Easter Monday has the Thursday's before Good Friday.
        (Currency::Chf, "2026-04-06", "0.9213"),
        (Currency::Cad, "2026-10-30", "1.5606"),
    ] {
        let rate: Decimal = fx.on(day(on)).unwrap().per_euro(currency).unwrap();
        assert_eq!(rate.to_string(), per_euro, "{currency} {on}");
        let frozen = fx.rates().frozen(currency, Some(day(on)), today).unwrap().decimal();
        assert!((frozen * rate - Decimal::ONE).abs() < Decimal::new(1, 12), "{currency} {on}");
    }
    assert_eq!(fx.on(day("2026-04-06")).unwrap().date(), day("2026-04-02"));
    let again = history::load(&fx, &file, "2026-11-02T08:00:00Z".parse().unwrap(), &|_, _| ()).await.unwrap();
    assert_eq!((again.stored.unchanged, again.stored.new, again.stored.changed), (7_126, 0, 0));
}

#[tokio::test]
async fn a_cost_recorded_after_the_rates_came_keeps_its_rate_whatever_comes_later() {
    let ledger = Ledger::new().await;
    let fx = Fx::open(&ledger.db.pool).await.unwrap();
    ledger.store.decide_with(fx.watch());
    let figure =
        CatalogueFigure::named(FigureId(Uuid::now_v7()), "Mina".parse().unwrap(), "scale".parse().unwrap());
    let figure_id = ledger.execute(user(1), &figure).await.figure_id;
    let buy = async || {
        let cost =
            Cost { price: Some("80".parse().unwrap()), currency: Some(Currency::Usd), ..Cost::default() };
        let fields = PieceFields { cost, purchase_date: Some(day("2020-03-08")), ..PieceFields::default() };
        let piece_id = PieceId(Uuid::now_v7());
        ledger.execute(user(1), &AddPiece { user_id: user(1), piece_id, figure_id, fields }).await;
    };
    buy().await;
    history::load(&fx, b"Date,USD\n2020-03-06,1.6\n2026-10-30,1.25\n", now(), &|_, _| ()).await.unwrap();
    buy().await;
    let other = RateTable::new(day("2020-03-06"), [("USD".parse().unwrap(), Decimal::ONE)]).unwrap();
    fx_rates::store(&ledger.db.pool, &[other], FxSource::File, now(), &|_, _| ()).await.unwrap();
    fx.reload().await.unwrap();
    ledger.shown().await;
    let rates: Vec<(Option<Decimal>,)> =
        ledger.rows("SELECT price_fx_rate FROM owned_items ORDER BY id").await;
    let rates: Vec<Option<String>> = rates.into_iter().map(|(rate,)| rate.map(|r| r.to_string())).collect();
    assert_eq!(rates, [None, Some("0.625".to_owned())]);
}
