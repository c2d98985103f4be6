use crate::support::{Ledger, quiet, user};
use domain::commands::{CatalogueFigure, DeletePieces, FigureFound, RowFate};
use domain::gtin::Gtin;
use domain::ids::{FigureId, UserId};
use domain::text::Line;
use uuid::Uuid;
use workers::imports::mfc::table::NotAnExport;
use workers::imports::mfc::{Fate, MfcError, MfcReport, Request, RowReport, import};
use workers::imports::{Mode, catalogue};

const HEADER: &str = "ID,Title,Root,Category,Release date,Price,Scale,Barcode,Status,Count,Score,Payment date,\
    Shipping date,Collecting date,Price,Shop,Shipping method,Tracking number,Wishability,Note";

const JAN: &str = "2000041200375";

async fn run_as(ledger: &Ledger, who: UserId, file: &str, mode: Mode) -> Result<MfcReport, MfcError> {
    let request = Request { user: who, file: file.as_bytes(), unmarked_currency: None, mode };
    let types = ledger.types().await;
    import(&ledger.store, &ledger.projections, &types, &request, &quiet).await
}

async fn run(ledger: &Ledger, rows: &str) -> MfcReport {
    run_as(ledger, user(1), &format!("{HEADER}\n{rows}"), Mode::Append).await.unwrap()
}

fn fates(report: &MfcReport) -> Vec<&str> {
    report.rows.iter().map(|r| r.fate.as_str()).collect()
}

async fn figure(ledger: &Ledger, n: u128, name: &str, mfc_id: Option<i64>, jan: Option<&str>) -> FigureId {
    let figure = CatalogueFigure {
        jan: jan.map(|j| Gtin::new(j).unwrap()),
        mfc_id,
        ..CatalogueFigure::named(
            FigureId(Uuid::from_u128(n)),
            Line::new(name).unwrap(),
            Line::new("scale").unwrap(),
        )
    };
    ledger.execute(user(9), &figure).await.figure_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_list_arrives_and_arrives_once() {
    let ledger = Ledger::new().await;
    let rows = "\
1,Aster Vale,Figures,Prepainted,2020-05-00,\"¥12,800\",1/7,2000041200375,Owned,3,8/10,2021-02-03,,,\"98,50 €\",Lantern Street,EMS,EJ1,,mine
2,[NSFW+] Briar Quill,Figures,Prepainted,2099-01-00,,1/8,,Ordered,1,,,,,JPY 9900,Lantern Street,,,,
3,Cosmos,Figures,Trading,0000-00-00,,,,Wished,1,,,,,,,,,5/5,some day
4,Dahlia,Figures,Prepainted,,,,,Sold,1,,,,,,,,,,
5,Elder,Figures,Prepainted,,,,,,,,,,,99 zł,,,,,
,Fern,Figures,Prepainted,2019-00-00,,,2000041200376,Owned,,,,,,,,,,,
";
    let file = format!("\u{feff}{HEADER}\r\n{}", rows.replace('\n', "\r\n"));
    let rehearsed = run_as(&ledger, user(1), &file, Mode::DryRun).await.unwrap();
    assert_eq!(ledger.head().await.0, 0, "a dry run appends nothing");
    let report = run_as(&ledger, user(1), &file, Mode::Append).await.unwrap();
    assert_eq!(fates(&report), ["added", "preordered", "wished", "refused", "added", "added"]);
    assert_eq!(rehearsed.rows, report.rows, "a dry run tells what would be");
    assert_eq!(report.rows[0].piece_ids.len(), 3);
    assert_eq!(report.rows[3].line, 5);
    assert!(report.rows[4].detail.contains("zł") && report.rows[5].detail.contains("check digit"));

    ledger.shown().await;
    let pieces: Vec<(String, Option<String>, Option<String>)> = ledger
        .rows(
            "SELECT f.name, o.price_amount::text, o.price_currency::text FROM owned_items o \
             JOIN figures f ON f.id = o.figure_id ORDER BY f.name, o.id",
        )
        .await;
    let price = |amount: &str, currency: &str| (Some(amount.to_owned()), Some(currency.to_owned()));
    let told: Vec<_> = pieces.iter().map(|(n, a, c)| (n.as_str(), (a.clone(), c.clone()))).collect();
    let aster = ("Aster Vale", price("98.50", "EUR"));
    let briar = ("Briar Quill", price("9900.00", "JPY"));
    let [elder, fern] = ["Elder", "Fern"].map(|name| (name, (None, None)));
    assert_eq!(told, [aster.clone(), aster.clone(), aster, briar, elder, fern]);
    assert_eq!(ledger.count("SELECT count(*) FROM figures WHERE is_nsfw").await, 1);
    assert_eq!(
        ledger.count("SELECT count(*) FROM preorders WHERE release_date_current = '2099-01-01'").await,
        1
    );
    assert_eq!(ledger.count("SELECT count(*) FROM wishlist_items WHERE note LIKE '%5/5'").await, 1);
    assert_eq!(ledger.count("SELECT count(*) FROM stores").await, 1);
    let figures = ledger.count("SELECT count(*) FROM figures").await;
    assert_eq!(figures, 5);

    let head = ledger.head().await;
    let again = run_as(&ledger, user(1), &file, Mode::Append).await.unwrap();
    let unchanged = ["unchanged", "unchanged", "unchanged", "refused", "unchanged", "unchanged"];
    assert_eq!(fates(&again), unchanged);
    assert_eq!(ledger.head().await, head, "a second run appends nothing");

    // Somebody else's list with the same items shares the figures and not the pieces.
    let other = run_as(&ledger, user(2), &file, Mode::Append).await.unwrap();
    assert_eq!(fates(&other), fates(&report));
    assert_ne!(other.rows[0].piece_ids, report.rows[0].piece_ids);
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_moves_its_piece_from_wish_to_shelf() {
    let ledger = Ledger::new().await;
    let at = async |status: &str, count: u32| {
        run(&ledger, &format!("7,Aster,,,,,,,{status},{count},,,,,,,,,,\n")).await
    };
    assert_eq!(fates(&at("Wished", 1).await), ["wished"]);
    let ordered = at("Ordered", 1).await;
    assert_eq!(fates(&ordered), ["ordered"]);
    let owned = at("Owned", 1).await;
    assert_eq!((fates(&owned), &owned.rows[0].piece_ids), (vec!["received"], &ordered.rows[0].piece_ids));
    let three = at("Owned", 3).await;
    assert_eq!((fates(&three), three.rows[0].detail.as_str()), (vec!["copies_added"], "2 copies are new"));
    assert_eq!(fates(&at("Owned", 1).await), ["unchanged"]);
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM owned_items").await, 3);
    assert_eq!(ledger.count("SELECT count(*) FROM wishlist_items").await, 0);
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, 1);

    let piece_ids = three.rows[0].piece_ids.clone();
    ledger
        .execute(user(1), &DeletePieces { user_id: user(1), piece_ids, expected: None, refund: None })
        .await;
    let again = at("Owned", 3).await;
    assert_eq!(fates(&again), ["deleted_by_owner"]);
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM owned_items").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_found_by_code_before_name_and_doubt_makes_a_new_one() {
    let ledger = Ledger::new().await;
    let by_jan = figure(&ledger, 1, "Aster Vale", None, Some(JAN)).await;
    let by_id = figure(&ledger, 2, "Briar Quill", Some(12), None).await;
    let by_name = figure(&ledger, 3, "Cosmos: Lantern Festival Ver.", None, None).await;
    let lookalike = figure(&ledger, 4, "Racing Dahlia: Midsummer Parade 2026 Ver.", None, None).await;
    figure(&ledger, 5, "Elder", None, None).await;
    figure(&ledger, 6, "Elder", None, None).await;
    let report = run(
        &ledger,
        &format!(
            "12,Something else,,,,,,{JAN},,,,,,,,,,,,\n\
             12,Whatever,,,,,,,,,,,,,,,,,,\n\
             ,ＣＯＳＭＯＳ: lantern  festival ver.,,,,,,,,,,,,,,,,,,\n\
             14,Cosmos: Lantern Festivl Ver.,,,,,,,,,,,,,,,,,,\n\
             15,Racing Dahlia: Midsummer Parade 2027 Ver.,,,,,,,,,,,,,,,,,,\n\
             16,Elder,,,,,,,,,,,,,,,,,,\n\
             17,Unheard of,,,,,,,,,,,,,,,,,,\n"
        ),
    )
    .await;
    let found: Vec<(Option<FigureFound>, Option<FigureId>)> =
        report.rows.iter().map(|r| (r.figure, r.figure_id)).collect();
    assert_eq!(found[0], (Some(FigureFound::Jan), Some(by_jan)));
    assert_eq!(report.rows[1].fate, Fate::Refused, "the same item twice in one file");
    assert_eq!(found[2], (Some(FigureFound::Name), Some(by_name)));
    assert_eq!(found[3], (Some(FigureFound::Likeness), Some(by_name)));
    assert_eq!(found[4].0, Some(FigureFound::AmbiguousCreated));
    assert_ne!(found[4].1, Some(lookalike));
    assert_eq!(found[5].0, Some(FigureFound::AmbiguousCreated));
    assert_eq!(found[6].0, Some(FigureFound::Created));

    let report =
        run_as(&ledger, user(2), &format!("{HEADER}\n12,Whatever,,,,,,,,,,,,,,,,,,\n"), Mode::Append)
            .await
            .unwrap();
    assert_eq!((report.rows[0].figure, report.rows[0].figure_id), (Some(FigureFound::MfcId), Some(by_id)));
    let created = report.found();
    assert_eq!(created.get(&FigureFound::MfcId), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_figures_are_found_by_their_names_and_only_the_right_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/nendoroids.jsonl");
    let Ok(file) = std::fs::read(path) else {
        println!("skipped: {path} is not there");
        return;
    };
    let ledger = Ledger::new().await;
    catalogue::import(&ledger.store, &ledger.types().await, &file, Mode::Append, &quiet).await.unwrap();
    let report = run(
        &ledger,
        "1,Nendoroid Hatsune Miku: Magical Mirai 2019 Ver.,,,,,,,,,,,,,,,,,,\n\
         2,NENDOROID  Hatsune Miku: Magical Mirai 2019 ver,,,,,,,,,,,,,,,,,,\n\
         3,Nendoroid Hatsune Miku: Magical Mirai 2031 Ver.,,,,,,,,,,,,,,,,,,\n\
         4,Nendoroid Sora,,,,,,,,,,,,,,,,,,\n",
    )
    .await;
    let row = |n: usize| -> &RowReport { &report.rows[n] };
    assert_eq!(row(0).figure, Some(FigureFound::Name));
    assert_eq!((row(1).figure, row(1).figure_id), (Some(FigureFound::Name), row(0).figure_id));
    assert_eq!(row(2).figure, Some(FigureFound::AmbiguousCreated));
    assert_eq!(row(3).figure, Some(FigureFound::AmbiguousCreated));
    ledger.shown().await;
    let id = row(0).figure_id.unwrap();
    let name: Vec<(String,)> = ledger.rows(&format!("SELECT name FROM figures WHERE id = '{id}'")).await;
    assert_eq!(name[0].0, "Nendoroid Hatsune Miku: Magical Mirai 2019 Ver.");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_list_from_two_sides_at_once_doubles_nothing() {
    let ledger = Ledger::new().await;
    let rows: String = (1..=120)
        .map(|n| {
            format!(
                "{n},Figure number {n} of the set,,,,,,,{},2,,,,,,,,,,\n",
                ["Owned", "Ordered", "Wished"][n % 3]
            )
        })
        .collect();
    let (a, b) = tokio::join!(run(&ledger, &rows), run(&ledger, &rows));
    for report in [&a, &b] {
        assert_eq!(report.fates().values().sum::<usize>(), 120);
        assert_eq!(report.fates().get(&Fate::Refused), None);
    }
    let added = |r: &MfcReport| r.fates().get(&Fate::Imported(RowFate::Added)).copied().unwrap_or(0);
    assert_eq!(added(&a) + added(&b), 40);
    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM owned_items").await, 160);
    assert_eq!(ledger.count("SELECT count(*) FROM preorders").await, 80);
    assert_eq!(ledger.count("SELECT count(*) FROM wishlist_items").await, 40);
    assert_eq!(ledger.count("SELECT count(*) FROM figures").await, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_export_changes_nothing() {
    let ledger = Ledger::new().await;
    for file in ["", "name,size\na,1\n", "PK\u{3}\u{4}\0\0"] {
        let refused = run_as(&ledger, user(1), file, Mode::Append).await.unwrap_err();
        assert!(matches!(refused, MfcError::NotAnExport(_)), "{file}");
    }
    let empty = run_as(&ledger, user(1), "", Mode::Append).await.unwrap_err();
    assert!(matches!(empty, MfcError::NotAnExport(NotAnExport::Empty)));
    assert_eq!(ledger.head().await.0, 0);
}
