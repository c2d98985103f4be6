//! The CSV file: its columns, found by name, and its rows as text.

use std::collections::HashMap;
use thiserror::Error;

/// The most rows that one file may have.
pub const MOST_ROWS: usize = 100_000;

/// A file that is no MyFigureCollection export. Nothing was imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAnExport {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// NUL bytes: a picture, a spreadsheet, an archive.
    #[error("this is a binary file and not a CSV; use MyFigureCollection's Manager → CSV Export")]
    Binary,
    /// Bytes that are not UTF-8.
    #[error("line {0} is not UTF-8; export the file again, or save it as UTF-8")]
    NotUtf8(u64),
    /// The first line does not name the columns.
    #[error("the first line is not the header of a MyFigureCollection export: {0}")]
    Header(String),
    /// More rows than one file may have.
    #[error("the file has more than {MOST_ROWS} rows; split it")]
    TooMany,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The item's number on the site.
    Id,
    /// Its title.
    Title,
    /// The root category: figures, goods, media.
    Root,
    /// Prepainted, action, trading and so on.
    Category,
    /// The date of its release.
    ReleaseDate,
    /// The list price.
    ListPrice,
    /// `1/7`.
    Scale,
    /// The JAN.
    Barcode,
    /// Owned, ordered or wished.
    Status,
    /// How many copies.
    Count,
    /// `8/10`.
    Score,
    /// The day it was paid.
    PaymentDate,
    /// The day it was shipped.
    ShippingDate,
    /// The day it arrived.
    CollectingDate,
    /// What was paid for it.
    PaidPrice,
    /// The shop.
    Shop,
    /// EMS, DHL and so on.
    ShippingMethod,
    /// The parcel's number.
    TrackingNumber,
    /// How much it is wished.
    Wishability,
    /// Free text.
    Note,
}

impl Column {
    /// The column of a header's cell. A price is the list price here; the second one is told later.
    fn named(cell: &str) -> Option<Self> {
        let name: String =
            cell.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        Some(match name.as_str() {
            "id" => Self::Id,
            "title" => Self::Title,
            "root" => Self::Root,
            "category" => Self::Category,
            "releasedate" => Self::ReleaseDate,
            "price" => Self::ListPrice,
            "scale" => Self::Scale,
            "barcode" => Self::Barcode,
            "status" => Self::Status,
            "count" => Self::Count,
            "score" => Self::Score,
            "paymentdate" => Self::PaymentDate,
            "shippingdate" => Self::ShippingDate,
            "collectingdate" => Self::CollectingDate,
            "shop" => Self::Shop,
            "shippingmethod" => Self::ShippingMethod,
            "trackingnumber" => Self::TrackingNumber,
            "wishability" | "wishibility" => Self::Wishability,
            "note" | "notes" => Self::Note,
            _ => return None,
        })
    }

    /// Whether it is about the collector's copy and not about the item.
    const fn is_personal(self) -> bool {
        matches!(
            self,
            Self::Status
                | Self::Count
                | Self::Score
                | Self::PaymentDate
                | Self::ShippingDate
                | Self::CollectingDate
                | Self::Shop
                | Self::ShippingMethod
                | Self::TrackingNumber
                | Self::Wishability
                | Self::Note
        )
    }
}

/// One row: its cells by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cells {
    /// The line of the file on which it begins; the header stands on line 1.
    pub line: u64,
    cells: HashMap<Column, String>,
}

impl Cells {
    /// The cell of a column, without blanks around it; empty when there is no such column.
    pub fn get(&self, column: Column) -> &str {
        self.cells.get(&column).map_or("", |c| c.trim())
    }
}

/// A row that is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The line of the file on which it begins.
    pub line: u64,
    /// What is wrong.
    pub reason: String,
}

/// Reads a file into rows. Rows with too many or too few cells are told and the others go on.
///
/// # Errors
/// [`NotAnExport`].
pub fn read(file: &[u8]) -> Result<Vec<Result<Cells, BadRow>>, NotAnExport> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    if file.trim_ascii().is_empty() {
        return Err(NotAnExport::Empty);
    }
    if file.contains(&0) {
        return Err(NotAnExport::Binary);
    }
    let text = std::str::from_utf8(file).map_err(|e| {
        let before = file.get(..e.valid_up_to()).unwrap_or_default();
        NotAnExport::NotUtf8(1 + before.iter().map(|b| u64::from(*b == b'\n')).sum::<u64>())
    })?;
    let (separator, columns) = header(text)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(true).flexible(true).from_reader(file);
    let mut rows = Vec::new();
    for record in reader.records() {
        if rows.len() == MOST_ROWS {
            return Err(NotAnExport::TooMany);
        }
        match record {
            Ok(record) => {
                // A row's position includes the blank lines before it.
                let from = record.position().map_or(0, |p| usize::try_from(p.byte()).unwrap_or(usize::MAX));
                let blank = file.get(from..).unwrap_or_default().iter();
                let blank = blank.take_while(|b| matches!(b, b'\n' | b'\r')).filter(|b| **b == b'\n').count();
                let line =
                    record.position().map_or(0, csv::Position::line) + u64::try_from(blank).unwrap_or(0);
                rows.push(cells(line, &record, &columns));
            }
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                rows.push(Err(BadRow { line, reason: e.to_string() }));
            }
        }
    }
    Ok(rows)
}

fn cells(line: u64, record: &csv::StringRecord, columns: &[Option<Column>]) -> Result<Cells, BadRow> {
    // A comma too many at the end is no other column.
    let extra = record.iter().skip(columns.len()).any(|c| !c.trim().is_empty());
    if extra || record.len() < columns.len() {
        let reason = format!("it has {} cells where the header has {}", record.len(), columns.len());
        return Err(BadRow { line, reason });
    }
    let cells = columns.iter().zip(record).filter_map(|(c, cell)| Some(((*c)?, cell.to_owned()))).collect();
    Ok(Cells { line, cells })
}

/// The separator, and what each column holds; `None` for a column of another kind.
fn header(text: &str) -> Result<(u8, Vec<Option<Column>>), NotAnExport> {
    let known = |columns: &[Option<Column>]| columns.iter().flatten().count();
    let mut best: (u8, Vec<Option<Column>>) = (b',', Vec::new());
    for separator in [b',', b';', b'\t'] {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let Some(Ok(record)) = reader.records().next() else { continue };
        let columns: Vec<Option<Column>> = record.iter().map(Column::named).collect();
        if known(&columns) > known(&best.1) {
            best = (separator, columns);
        }
    }
    let (separator, mut columns) = best;
    tell_prices_apart(&mut columns)?;
    let has = |column: Column| columns.contains(&Some(column));
    let named = has(Column::Title) && (known(&columns) > 1 || columns.len() == 1);
    let coded = (has(Column::Id) || has(Column::Barcode)) && has(Column::Status);
    if named || coded {
        return Ok((separator, columns));
    }
    Err(NotAnExport::Header(
        "it needs a column Title and others such as ID, Barcode, Status and Count".to_owned(),
    ))
}

/// Of two prices the first is the list price. A price that stands alone is what was paid when it comes
/// after a column about the collector's copy, as in the export's own order.
fn tell_prices_apart(columns: &mut [Option<Column>]) -> Result<(), NotAnExport> {
    let mut seen = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let Some(column) = column else { continue };
        if *column != Column::ListPrice && seen.iter().any(|(_, c)| c == column) {
            return Err(NotAnExport::Header(format!("the column {column:?} stands there twice")));
        }
        seen.push((index, *column));
    }
    let prices: Vec<usize> = seen.iter().filter(|(_, c)| *c == Column::ListPrice).map(|(i, _)| *i).collect();
    let paid = match prices.as_slice() {
        [] => None,
        [only] => seen.iter().any(|(i, c)| i < only && c.is_personal()).then_some(*only),
        [_, second] => Some(*second),
        _ => return Err(NotAnExport::Header("the column Price stands there more than twice".to_owned())),
    };
    if let Some(column) = paid.and_then(|i| columns.get_mut(i)) {
        *column = Some(Column::PaidPrice);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every column, as the site writes them.
    const FULL: &str = "ID,Title,Root,Category,Release date,Price,Scale,Barcode,Status,Count,Score,\
        Payment date,Shipping date,Collecting date,Price,Shop,Shipping method,Tracking number,Wishability,Note";

    fn rows(text: &str) -> Vec<Result<Cells, BadRow>> {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_price_is_the_list_price_and_the_second_what_was_paid() {
        let text = format!("{FULL}\r\n1,A,,,,¥100,,,,,,,,,€ 5,,,,,\r\n");
        let row = rows(&text).remove(0).unwrap();
        assert_eq!((row.get(Column::ListPrice), row.get(Column::PaidPrice)), ("¥100", "€ 5"));
        assert_eq!(row.line, 2);
    }

    #[test]
    fn a_price_that_stands_alone_is_told_by_what_comes_before_it() {
        let list = rows("ID,Title,Price,Status\n1,A,¥100,\n").remove(0).unwrap();
        assert_eq!((list.get(Column::ListPrice), list.get(Column::PaidPrice)), ("¥100", ""));
        let paid = rows("ID,Title,Status,Price\n1,A,,€ 5\n").remove(0).unwrap();
        assert_eq!((paid.get(Column::ListPrice), paid.get(Column::PaidPrice)), ("", "€ 5"));
    }

    #[test]
    fn columns_are_found_in_any_order_case_and_spelling() {
        let row = rows("\u{feff}NOTE,wishibility,tItLe,Extra\n\"two\nlines\",4/5,\"A, \"\"B\"\"\",x\n")
            .remove(0)
            .unwrap();
        assert_eq!(row.get(Column::Note), "two\nlines");
        assert_eq!(row.get(Column::Wishability), "4/5");
        assert_eq!(row.get(Column::Title), "A, \"B\"");
        assert_eq!(row.get(Column::Barcode), "");
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        for separator in [";", "\t"] {
            let text = ["ID,Title,Status", "1,A,Wished"].join("\n").replace(',', separator);
            assert_eq!(rows(&text).remove(0).unwrap().get(Column::Status), "Wished");
        }
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let rows = rows("ID,Title\n1,\"A\nB\"\n\n\n2,C\n3\n4,D,,\n5,E,F\n");
        let lines: Vec<u64> = rows.iter().map(|r| r.as_ref().map_or_else(|b| b.line, |c| c.line)).collect();
        assert_eq!(lines, [2, 6, 7, 8, 9]);
        assert!(rows[2].as_ref().unwrap_err().reason.contains("1 cells"));
        assert!(rows[3].is_ok(), "a comma too many is no other column");
        assert!(rows[4].is_err());
    }

    #[test]
    fn what_is_no_export_is_refused_with_the_reason() {
        assert_eq!(read(b""), Err(NotAnExport::Empty));
        assert_eq!(read(b"\xef\xbb\xbf \n"), Err(NotAnExport::Empty));
        assert_eq!(read(b"ID,Title\n1,\0"), Err(NotAnExport::Binary));
        assert_eq!(read(b"\x89PNG\r\n\x1a\n\0\0"), Err(NotAnExport::Binary));
        assert_eq!(read(b"ID,Title\n1,A\n2,\xff\n"), Err(NotAnExport::NotUtf8(3)));
        for header in [
            "name,size",
            "{\"a\": 1}",
            "<html>",
            "Title,Author",
            "ID,Name,Price",
            "ID,ID,Title",
            "Title,Price,Price,Price",
        ] {
            let refused = read(format!("{header}\n1,2,3\n").as_bytes());
            assert!(matches!(refused, Err(NotAnExport::Header(_))), "{header}: {refused:?}");
        }
    }

    #[test]
    fn a_header_alone_has_no_rows() {
        assert_eq!(rows(FULL), vec![]);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_rows_make_it_stumble(rows in "[\\PC\"\r\n,;]{0,200}") {
            let _ = read(format!("{FULL}\n{rows}").as_bytes());
        }
    }
}
