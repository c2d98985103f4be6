//! Totals, gains and the curve of real figures at real rates, against a reckoning in another language.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{
    collection::{ArchiveReason, Cost, Origin, Sale},
    commands::{AddPiece, ArchivePieces, CatalogueFigure, Many, ObserveMarket, PieceFields},
    figure::{Observation, ObservedPrice, Offer},
    ids::{EntityId, PieceId},
    money::{Currency, Money},
    text::HttpUrl,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;
use workers::fx::history;

use crate::{
    owned::{plain, run, user_id},
    support::TestApp,
};

const PIECES: usize = 500;
const FIGURES: usize = 200;

/// Data that lies beside the repository on some machines.
fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(file);
    path.exists().then_some(path)
}

/// An amount that fits the currency.
fn amount(rng: &mut StdRng, currency: Currency, least: i64, most: i64) -> Money {
    let euro = rng.random_range(least..most);
    let amount = match currency {
        Currency::Jpy => Decimal::from(euro * 150 + rng.random_range(0..150)),
        _ => Decimal::new(euro * 100 + rng.random_range(0..100), 2),
    };
    Money::new(amount.try_into().unwrap(), currency).unwrap()
}

fn at(day: NaiveDate, hour: u32) -> DateTime<Utc> {
    day.and_hms_opt(hour, 0, 0).unwrap().and_utc()
}

#[tokio::test]
async fn worth_gain_and_curve_agree_to_the_cent_with_an_independent_reckoning() {
    let (Some(figures), Some(rates)) = (shared("nendoroids.jsonl"), shared("eurofxref-hist.zip")) else {
        println!("skipped: the shared data is not on this machine");
        return;
    };
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not on this machine");
        return;
    }
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let user = user_id(&alice).await;
    history::load(&app.state.fx, &std::fs::read(&rates).unwrap(), Utc::now(), &|_, _| ()).await.unwrap();
    let mut rng = StdRng::seed_from_u64(20_261_123);
    let today = Utc::now().date_naive();
    let past =
        |rng: &mut StdRng, most: u64| today.checked_sub_days(Days::new(rng.random_range(1..most))).unwrap();
    let currency = |rng: &mut StdRng| Currency::ALL[rng.random_range(0..6)];

    let text = std::fs::read_to_string(&figures).unwrap();
    let mut known: Vec<Value> = Vec::new();
    let lines: Vec<Value> =
        text.lines().take(FIGURES).map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut commands = Vec::new();
    for line in &lines {
        let name = line["name"].as_str().unwrap().parse().unwrap_or_else(|_| "Somebody".parse().unwrap());
        let yen = line["msrp_jpy"].as_i64().unwrap();
        let msrp =
            (yen > 0).then(|| Money::new(Decimal::from(yen).try_into().unwrap(), Currency::Jpy).unwrap());
        let command = CatalogueFigure { name, msrp, ..plain("x") };
        known.push(json!({"id": command.figure_id, "msrp_amount": msrp.map(|m| m.amount().to_string()),
            "msrp_currency": msrp.map(|_| "JPY"), "prices": []}));
        commands.push(command);
    }
    let ids: Vec<_> = commands.iter().map(|command| command.figure_id).collect();
    for chunk in commands.chunks(50) {
        run(&app, None, Many(chunk.to_vec())).await;
    }
    for (n, id) in ids.iter().enumerate() {
        let mut days: Vec<NaiveDate> = (0..rng.random_range(0..9)).map(|_| past(&mut rng, 1_200)).collect();
        days.sort();
        days.dedup();
        let mut seen = Vec::new();
        let mut last = None;
        for day in days {
            let currency = currency(&mut rng);
            let price = amount(&mut rng, currency, 10, 300);
            if last == Some(price) {
                continue;
            }
            last = Some(price);
            let offer = Offer {
                provider: "localhost:1".parse().unwrap(),
                source: "harbour".parse().unwrap(),
                store_id: EntityId(Uuid::nil()),
                url: HttpUrl::new("https://harbour.example/1").unwrap(),
            };
            let observed = ObservedPrice { price, original: None, offer, matched_version: None };
            let seen_at = at(day, 7);
            let told =
                json!({"at": seen_at, "amount": price.amount().to_string(), "currency": currency.code()});
            known[n]["prices"].as_array_mut().unwrap().push(told);
            let observation = Observation { seen_at, price: Some(observed), stores: Vec::new() };
            seen.push(ObserveMarket { figure_id: *id, seen: observation });
        }
        if !seen.is_empty() {
            run(&app, None, Many(seen)).await;
        }
    }
    let mut added = Vec::new();
    for n in 0..PIECES {
        let paid_in = currency(&mut rng);
        let priced = rng.random_range(0..10) > 0;
        let cost = Cost {
            price: priced.then(|| amount(&mut rng, paid_in, 5, 400).amount()),
            shipping: (n % 3 == 0).then(|| amount(&mut rng, paid_in, 1, 40).amount()),
            fees: None,
            currency: (priced || n % 3 == 0).then_some(paid_in),
            fx_rate: None,
        };
        let valued_in = currency(&mut rng);
        let fields = PieceFields {
            cost,
            // Some before there were euro, most since.
            purchase_date: (n % 20 != 0).then(|| past(&mut rng, if n % 50 == 1 { 12_000 } else { 3_000 })),
            origin: Some(if priced || n % 2 == 0 { Origin::Purchased } else { Origin::Gift }),
            value: (n % 7 == 0).then(|| amount(&mut rng, valued_in, 10, 500)),
            ..PieceFields::default()
        };
        let figure_id = ids[rng.random_range(0..ids.len())];
        added.push(AddPiece { user_id: user, piece_id: PieceId(Uuid::now_v7()), figure_id, fields });
    }
    for chunk in added.chunks(100) {
        run(&app, Some(user), Many(chunk.to_vec())).await;
    }
    for (n, piece) in added.iter().enumerate().filter(|(n, _)| n % 12 == 5) {
        let sold_in = currency(&mut rng);
        let sale = Sale {
            price: Some(amount(&mut rng, sold_in, 5, 500)),
            sold_on: (n % 24 == 5).then(|| past(&mut rng, 400)),
        };
        let archive = ArchivePieces {
            user_id: user,
            piece_ids: vec![piece.piece_id],
            expected: None,
            reason: ArchiveReason::Sold,
            sale: Some(sale),
            refund: None,
        };
        run(&app, Some(user), archive).await;
    }
    let head = app.state.store.head().await.unwrap();
    app.folded(head).await;
    alice.patch("/api/me", json!({"preferred_currency": "JPY"})).await.ok();

    let case = json!({
        "rates": rates,
        "today": today,
        "figures": known,
        "pieces": alice.get("/api/me/export/backup.json").await.ok()["pieces"],
        "display": "JPY",
        "cote": alice.get("/api/me/cote").await.ok(),
        "evolution": alice.get("/api/me/cote/evolution?range=all").await.ok(),
    });
    assert_eq!(case["pieces"].as_array().unwrap().len(), PIECES);
    let file = std::env::temp_dir().join(format!("figure-ledger-cote-{}.json", Uuid::now_v7()));
    std::fs::write(&file, case.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/independent/cote.py");
    let out = Command::new("timeout").arg("300").arg("python3").arg(script).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    println!("{said}");
    assert!(
        out.status.success(),
        "{said}{}\nthe case is in {}",
        String::from_utf8_lossy(&out.stderr),
        file.display()
    );
    assert!(said.contains("numbers agree"), "{said}");
    std::fs::remove_file(&file).unwrap();
}
