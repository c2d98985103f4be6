//! Tables for spreadsheets, and the same as JSON.

mod columns;

use chrono::Utc;
use projections::{
    collection::{self, Archived, ListKey, PieceFilter, PieceOrder, PieceSort, WishOrder, WishSort},
    preorders::{self, PreorderFilter, PreorderOrder, PreorderSort},
};
use serde::Serialize;

use super::{PAGE, Pieces, Reader, full, written};
use crate::{
    http::{
        owned::PieceView,
        preorders::PreorderView,
        wishlist::{self, WishView},
    },
    problem::Problem,
};
use columns::Row;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sheet {
    Collection,
    Wishlist,
    Preorders,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Json,
}

impl Sheet {
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "collection" => Some(Self::Collection),
            "wishlist" => Some(Self::Wishlist),
            "preorders" => Some(Self::Preorders),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

/// Where a file stands: at its beginning, or behind a row.
enum At {
    Beginning,
    Behind(ListKey),
}

/// The file, a page at a time.
pub(super) fn pieces(reader: Reader, sheet: Sheet, kind: Kind) -> Pieces {
    written(At::Beginning, move |at| step(reader.clone(), sheet, kind, at))
}

async fn step(reader: Reader, sheet: Sheet, kind: Kind, at: At) -> Result<(Vec<u8>, Option<At>), Problem> {
    let mut page = Page { kind, begins: matches!(at, At::Beginning), bytes: Vec::new() };
    let after = match &at {
        At::Beginning => None,
        At::Behind(key) => Some(key),
    };
    let next = match sheet {
        Sheet::Collection => collection(&reader, after, &mut page).await?,
        Sheet::Wishlist => wishes(&reader, after, &mut page).await?,
        Sheet::Preorders => orders(&reader, after, &mut page).await?,
    };
    if next.is_none() && kind == Kind::Json {
        page.bytes.extend_from_slice(b"]\n");
    }
    Ok((page.bytes, next.map(At::Behind)))
}

async fn collection(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = PieceOrder { by: PieceSort::Added, descending: false };
    let filter = PieceFilter { archived: Archived::All, ..PieceFilter::default() };
    let rows = collection::list(&reader.pool, reader.id(), &filter, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    page.write(rows, |piece| PieceView::of(piece, &reader.user))?;
    Ok(next)
}

async fn wishes(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = WishOrder { by: WishSort::Added, descending: false };
    let rows = collection::wishes(&reader.pool, reader.id(), false, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    let today = Utc::now().date_naive();
    let market = wishlist::Market::read(&reader.pool, reader.state.fx.today(), &rows).await?;
    page.write(rows, |wish| WishView::of(wish, &reader.user, today, &market))?;
    Ok(next)
}

async fn orders(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = PreorderOrder { by: PreorderSort::Placed, descending: false };
    let filter = PreorderFilter::default();
    let rows = preorders::list(&reader.pool, reader.id(), &filter, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    let today = Utc::now().date_naive();
    page.write(rows, |listing| PreorderView::of(listing.found, &reader.user, today))?;
    Ok(next)
}

/// A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe in front.
fn harmless(cell: String) -> String {
    let like_a_formula =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    if cell.trim_start_matches(' ').starts_with(like_a_formula) { format!("'{cell}") } else { cell }
}

/// Some rows of a file, as they are written.
struct Page {
    kind: Kind,
    /// Whether the file begins with it.
    begins: bool,
    bytes: Vec<u8>,
}

impl Page {
    /// Writes rows, as cells or as what `view` makes of them.
    fn write<R: Row, V: Serialize>(&mut self, rows: Vec<R>, view: impl Fn(R) -> V) -> Result<(), Problem> {
        match self.kind {
            Kind::Csv => self.records(&rows),
            Kind::Json => self.objects(rows.into_iter().map(view)),
        }
    }

    fn records<R: Row>(&mut self, rows: &[R]) -> Result<(), Problem> {
        let columns = R::columns();
        if self.begins {
            // Without it, some spreadsheets read UTF-8 as something else.
            self.bytes.extend_from_slice("\u{feff}".as_bytes());
        }
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut self.bytes);
        if self.begins {
            writer.write_record(columns.iter().map(|(name, _)| *name)).map_err(Problem::internal)?;
        }
        for row in rows {
            let cells = columns.iter().map(|(_, cell)| cell(row).map(harmless).unwrap_or_default());
            writer.write_record(cells).map_err(Problem::internal)?;
        }
        writer.flush().map_err(Problem::internal)
    }

    fn objects<V: Serialize>(&mut self, rows: impl Iterator<Item = V>) -> Result<(), Problem> {
        if self.begins {
            self.bytes.push(b'[');
        }
        for (at, row) in rows.enumerate() {
            if at > 0 || !self.begins {
                self.bytes.extend_from_slice(b",\n");
            }
            serde_json::to_writer(&mut self.bytes, &row).map_err(Problem::internal)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_typed_becomes_a_formula() {
        for bad in ["=1+1", "+1", "-1", "@x", "\t=1", " =HYPERLINK(\"x\")", "＝1", "\r=1"] {
            assert!(harmless(bad.to_owned()).starts_with('\''), "{bad:?}");
        }
        for good in ["Mina", "129.90", "2026-01-01", "", "a=b", "'quoted"] {
            assert_eq!(harmless(good.to_owned()), good);
        }
    }
}
