//! A collection as MyFigureCollection's CSV export has it.
//!
//! What is not plain from the export, and how it is read:
//! - **Figures** are found by barcode, then by the site's id, then by name (see [`names`]); what is unknown
//!   or could mean several is added to the catalogue, small, and its importer may edit it.
//! - **Prices** without sign or code: a list price is in yen when it is a whole number; what was paid is in
//!   [`Request::unmarked_currency`] or, without one, left out and told. Paid prices count for each copy.
//! - **Dates** known to the month or year only are taken as the first day of it, except release dates, which
//!   keep their precision. The payment date, else the collecting date, is the purchase date. An order with a
//!   payment date in the past and a price is paid; with a shipping date in the past, shipped.
//! - **Score, shipping method, tracking number** go into the notes (a tracking address becomes the
//!   pre-order's), **wishability** into the wish's note.
//! - What is in the collection already wins: a price, note or date of an existing piece is never changed,
//!   nothing is ever deleted, and what its owner deleted stays so.

pub mod day;
#[cfg(test)]
mod fuzz;
pub mod names;
mod plan;
pub mod price;
mod row;
pub mod table;

use super::runner::Runner;
use super::{ImportError, Mode, Progress};
use domain::commands::{FigureFound, ImportRow, Remark, RowFate, RowImported};
use domain::ids::{FigureId, PieceId, UserId};
use domain::money::Currency;
use domain::refusal::Refusal;
use domain::stream::Position;
use domain::text::Line;
use event_store::EventStore;
use names::Names;
use projections::engine::{Projection, Projections};
use projections::figures::Figures;
use row::Row;
pub(crate) use row::without_mark;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use table::{BadRow, NotAnExport};

/// How long the read model of the figures is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who imports what.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Whose collection.
    pub user: UserId,
    /// The file.
    pub file: &'a [u8],
    /// The currency of paid prices that have none beside them.
    pub unmarked_currency: Option<Currency>,
    /// Whether to append.
    pub mode: Mode,
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum MfcError {
    /// It is no such export; nothing was done.
    #[error(transparent)]
    NotAnExport(#[from] NotAnExport),
    /// The read model of the figures is late or halted, so names cannot be looked for; nothing was done.
    #[error(
        "the catalogue's read model is behind, so figures cannot be found by name; try again in a moment"
    )]
    Behind,
    /// Half-way, for reasons that are not the file's.
    #[error(transparent)]
    Stopped(#[from] ImportError),
}

/// What became of a row, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was brought in, or was known.
    Imported(RowFate),
    /// It could not be used; the detail says why.
    Refused,
}

impl Fate {
    /// Every fate, in the order in which a summary tells them.
    pub fn all() -> impl Iterator<Item = Self> {
        RowFate::ALL.iter().map(|f| Self::Imported(*f)).chain([Self::Refused])
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imported(fate) => fate.as_str(),
            Self::Refused => "refused",
        }
    }
}

impl Serialize for Fate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowReport {
    /// The line of the file on which it begins; the header stands on line 1.
    pub line: u64,
    /// Its title; empty when it could not be read.
    pub title: String,
    /// In a word.
    pub fate: Fate,
    /// How its figure was found; absent when nothing had to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<FigureFound>,
    /// What else there is to say: why it was refused, what was left out. Empty for nothing.
    pub detail: String,
    /// The figure. In a dry run it may be one that does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_id: Option<FigureId>,
    /// Its pieces, by copy.
    pub piece_ids: Vec<PieceId>,
}

/// What became of a file: one report for each row, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MfcReport {
    /// Whether nothing was appended.
    pub dry_run: bool,
    /// The rows.
    pub rows: Vec<RowReport>,
    /// Read models at this position show the import; absent when nothing was run.
    #[serde(skip)]
    pub position: Option<Position>,
}

impl MfcReport {
    /// How many rows had each fate; their sum is the number of rows.
    pub fn fates(&self) -> BTreeMap<Fate, usize> {
        let mut counts = BTreeMap::new();
        for row in &self.rows {
            *counts.entry(row.fate).or_insert(0) += 1;
        }
        counts
    }

    /// How many rows' figures were found in each way.
    pub fn found(&self) -> BTreeMap<FigureFound, usize> {
        let mut counts = BTreeMap::new();
        for found in self.rows.iter().filter_map(|r| r.figure) {
            *counts.entry(found).or_insert(0) += 1;
        }
        counts
    }
}

/// Imports an export. `types` are the codes of the list of figure types. Names are looked for in the read
/// model of the figures, so somebody has to fold it; it is waited for.
///
/// # Errors
/// [`MfcError`]; a row at fault is no error, it is told in the report.
pub async fn import(
    store: &EventStore,
    projections: &Projections,
    types: &[String],
    request: &Request<'_>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<MfcReport, MfcError> {
    let rows = table::read(request.file)?;
    let head = store.head().await.map_err(ImportError::from)?;
    if !projections.wait_for(&[Figures::NAME], head, PATIENCE).await.is_reached() {
        return Err(MfcError::Behind);
    }
    let names = Names::load(store.pool()).await.map_err(ImportError::from)?;
    let Planned { mut reports, rows, commands } = planned(rows, request, &names, types);
    let runner = Runner { store, mode: request.mode, actor: Some(request.user) };
    let ran = runner.run(&commands, ImportRow::streams, progress).await?;
    reports.extend(rows.iter().zip(ran.outcomes).map(|(row, outcome)| told(row, outcome)));
    reports.sort_by_key(|r| r.line);
    Ok(MfcReport { dry_run: request.mode == Mode::DryRun, rows: reports, position: ran.position })
}

/// The commands of a file, each with its row, and what is refused already.
struct Planned {
    reports: Vec<RowReport>,
    rows: Vec<Row>,
    commands: Vec<ImportRow>,
}

fn planned(
    cells: Vec<Result<table::Cells, BadRow>>,
    request: &Request<'_>,
    names: &Names,
    types: &[String],
) -> Planned {
    let mut planned = Planned { reports: Vec::new(), rows: Vec::new(), commands: Vec::new() };
    let mut seen: HashMap<Line<100>, u64> = HashMap::new();
    for cells in cells {
        let title = cells.as_ref().map(|c| c.get(table::Column::Title).to_owned()).unwrap_or_default();
        let read = cells.and_then(|cells| row::read(&cells, request.unmarked_currency)).and_then(|row| {
            let command = plan::plan(&row, request.user, names, types)?;
            if let Some(earlier) = seen.get(&command.source) {
                let reason = format!("it is the same item as on line {earlier}; copies are told by Count");
                return Err(BadRow { line: row.line, reason });
            }
            seen.insert(command.source.clone(), row.line);
            Ok((row, command))
        });
        match read {
            Ok((row, command)) => {
                planned.rows.push(row);
                planned.commands.push(command);
            }
            Err(bad) => planned.reports.push(RowReport {
                line: bad.line,
                title,
                fate: Fate::Refused,
                figure: None,
                detail: bad.reason,
                figure_id: None,
                piece_ids: Vec::new(),
            }),
        }
    }
    // An older name is that of one row only: two items may share a title.
    let mut taken: HashSet<Line<100>> = seen.into_keys().collect();
    for command in &mut planned.commands {
        command.also.retain(|source| taken.insert(source.clone()));
    }
    planned
}

fn told(row: &Row, outcome: Result<RowImported, Refusal>) -> RowReport {
    let title = row.title.as_ref().map(|t| t.as_str().to_owned()).unwrap_or_default();
    let mut details = Vec::new();
    let (fate, figure, figure_id, piece_ids) = match outcome {
        Ok(imported) => {
            details.extend(copies(&imported));
            details.extend(imported.remarks.iter().map(|r| sentence(*r).to_owned()));
            (Fate::Imported(imported.fate), imported.found, imported.figure_id, imported.piece_ids)
        }
        Err(refusal) => {
            details.push(match refusal.field {
                Some(field) => format!("{field}: {}", refusal.detail),
                None => refusal.detail.into_owned(),
            });
            (Fate::Refused, None, refusal.figure_id, Vec::new())
        }
    };
    details.extend(row.remarks.iter().cloned());
    RowReport { line: row.line, title, fate, figure, detail: details.join("; "), figure_id, piece_ids }
}

/// How many copies are new, where the fate alone does not say it.
fn copies(imported: &RowImported) -> Option<String> {
    let new = imported.new_copies;
    let all_new = usize::from(new) == imported.piece_ids.len();
    match new {
        0 => None,
        1 if all_new => None,
        1 => Some("1 copy is new".to_owned()),
        _ => Some(format!("{new} copies are new")),
    }
}

const fn sentence(remark: Remark) -> &'static str {
    match remark {
        Remark::WishEnded => "it was on the wishlist",
        Remark::Archived => "an archived piece stays archived",
        Remark::OwnedHere => "it is owned or pre-ordered here already",
        Remark::CancelledHere => "its pre-order was cancelled here and stays so",
        Remark::FewerCopies => "there are more copies here; none was deleted",
        Remark::SomeDeleted => "copies deleted here were left out",
        Remark::NsfwDiffers => "the catalogue does not mark it as NSFW",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plans(file: &str) -> Planned {
        let request = Request {
            user: UserId(uuid::Uuid::from_u128(1)),
            file: file.as_bytes(),
            unmarked_currency: None,
            mode: Mode::DryRun,
        };
        planned(table::read(request.file).unwrap(), &request, &Names::default(), &[])
    }

    #[test]
    fn the_same_item_twice_is_told() {
        let planned = plans("ID,Title,Status\n1,A,Owned\n2,B,Wished\n1,A,Ordered\n");
        assert_eq!(planned.commands.len(), 2);
        assert_eq!(planned.reports.len(), 1);
        assert_eq!((planned.reports[0].line, planned.reports[0].title.as_str()), (4, "A"));
        assert!(planned.reports[0].detail.contains("line 2"));
    }

    #[test]
    fn a_refused_row_keeps_its_title() {
        let planned = plans("ID,Title,Status\n1,A,Sold\n");
        assert_eq!((planned.reports[0].fate, planned.reports[0].title.as_str()), (Fate::Refused, "A"));
    }

    proptest! {
        #[test]
        fn every_row_is_told_of_once(rows in proptest::collection::vec(
            ("[0-9]{0,3}", "[a-z \\[\\]NSFW+]{0,12}", "(Owned|Ordered|Wished|Sold|)", "[0-9]{0,3}"), 0..30
        )) {
            let mut file = "ID,Title,Status,Count\n".to_owned();
            let mut lines = 0;
            for (id, title, status, count) in rows {
                lines += 1;
                file.push_str(&format!("{id},{title},{status},{count}\n"));
            }
            let planned = plans(&file);
            prop_assert_eq!(planned.commands.len(), planned.rows.len());
            prop_assert_eq!(planned.commands.len() + planned.reports.len(), lines);
        }
    }
}
