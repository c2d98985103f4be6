//! No file makes the import stumble, and every row of what is a file is told of once.
//! `PROPTEST_CASES` makes it a long run.

use super::*;
use domain::ids::CommandId;
use domain::stream::Version;
use domain::world::{Circumstances, Command, State, Stop, World};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

const HEADER: &[&str] = &[
    "ID",
    "Title",
    "Root",
    "Category",
    "Release Date",
    "Price",
    "Scale",
    "Barcode",
    "Status",
    "Count",
    "Score",
    "Payment Date",
    "Shipping Date",
    "Collecting Date",
    "Price",
    "Shop",
    "Shipping Method",
    "Tracking Number",
    "Wishability",
    "Note",
];

const ODD: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1",
    "2",
    "99",
    "18446744073709551616",
    "1e9",
    "NaN",
    "Owned",
    "Ordered",
    "Wished",
    "owned ",
    "2026-02-30",
    "2026-00-00",
    "2026-11-00",
    "2026-11-22",
    "0000-00-00",
    "99999-01-01",
    "11/22/2026",
    "¥12,800",
    "12.800,00 €",
    "US$ 1,",
    "JPY",
    "$-5",
    "٣",
    "1/7",
    "4580416940000",
    "4580416940001",
    "a\u{0}b",
    "\u{202e}",
    "\u{feff}",
    "[NSFW] A",
    "A +NSFW+",
    "\u{1F47E}",
    "https://track.example/1?a=b",
    "javascript:x",
];

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(ODD).prop_map(str::to_owned),
        2 => "\\PC{0,20}",
        1 => "[0-9.,€$¥ ]{0,14}",
        1 => Just("long ".repeat(3_000)),
    ]
}

/// An export with columns in any order, some twice, rows too long and too short.
fn export() -> impl Strategy<Value = Vec<u8>> {
    let header = proptest::collection::vec(select(HEADER), 3..24);
    let rows = proptest::collection::vec(proptest::collection::vec(cell(), 0..26), 0..8);
    (header, rows, any::<bool>()).prop_map(|(header, rows, whole)| {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let header = if whole { HEADER.to_vec() } else { header };
        writer.write_record(header).unwrap();
        for row in rows.into_iter().filter(|row| !row.is_empty()) {
            writer.write_record(row).unwrap();
        }
        writer.into_inner().unwrap()
    })
}

/// What the import does with a file before it asks the database anything, and what the rules say to it on an
/// empty ledger.
fn imported(file: &[u8], unmarked_currency: Option<Currency>) -> Result<(), TestCaseError> {
    let Ok(rows) = table::read(file) else { return Ok(()) };
    let (user, told) = (UserId(Uuid::from_u128(1)), rows.len());
    let request = Request { user, file, unmarked_currency, mode: Mode::DryRun };
    let planned = planned(rows, &request, &Names::default(), &["scale".to_owned()]);
    prop_assert_eq!(planned.commands.len(), planned.rows.len());
    prop_assert_eq!(planned.commands.len() + planned.reports.len(), told);
    let circumstances = Circumstances {
        actor: Some(user),
        is_admin: false,
        now: chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000),
        command_id: CommandId(Uuid::from_u128(2)),
    };
    for (row, command) in planned.rows.iter().zip(&planned.commands) {
        let mut states = HashMap::new();
        let outcome = loop {
            let mut world = World::new(circumstances, states.clone());
            match command.decide(&mut world) {
                Err(Stop::Load(stream)) => {
                    let empty = State::empty(&stream);
                    states.insert(stream, (empty, Version::NONE));
                }
                Err(Stop::Refused(refusal)) => break Err(refusal),
                Ok(imported) => break Ok(imported),
            }
        };
        prop_assert_eq!(super::told(row, outcome).line, row.line);
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        imported(&bytes, None)?;
    }

    #[test]
    fn no_bytes_after_a_header_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut file = b"ID,Title,Status,Count,Price,Release Date\n".to_vec();
        file.extend(bytes);
        imported(&file, None)?;
    }

    #[test]
    fn no_table_makes_it_stumble(file in export(), yen in any::<bool>()) {
        imported(&file, yen.then_some(Currency::Jpy))?;
    }

    #[test]
    fn no_damaged_export_makes_it_stumble(
        file in export(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut file = file;
        for (at, byte) in flips {
            let at = at.index(file.len());
            file[at] = byte;
        }
        imported(&file, None)?;
    }
}
