//! Tables for spreadsheets, and the same as JSON.

use chrono::Utc;
use operational::users::User;
use projections::{
    collection::{
        self, Archived, ListKey, Piece, PieceFilter, PieceOrder, PieceSort, Wish, WishOrder, WishSort,
    },
    figures::summary::{EntityName, FigureSummary},
    preorders::{self, Listing, PreorderFilter, PreorderOrder, PreorderSort},
};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{PAGE, Pieces, Reader, written};
use crate::{
    http::{
        owned::PieceView,
        preorders::PreorderView,
        wishlist::{self, WishView},
    },
    problem::Problem,
    shown,
    state::AppState,
};

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

    const fn header(self) -> &'static [&'static str] {
        match self {
            Self::Collection => &[
                "id",
                "figure",
                "figure_type",
                "manufacturer",
                "series",
                "scale",
                "is_nsfw",
                "condition",
                "price_amount",
                "price_currency",
                "shipping_amount",
                "fees_amount",
                "price_fx_rate",
                "value_amount",
                "value_currency",
                "purchase_date",
                "acquired_on",
                "store",
                "location",
                "origin",
                "origin_from",
                "notes",
                "preorder_status",
                "archived_at",
                "archive_reason",
                "sold_amount",
                "sold_currency",
                "sold_on",
                "added_at",
                "figure_id",
            ],
            Self::Wishlist => &[
                "figure",
                "figure_type",
                "manufacturer",
                "series",
                "scale",
                "is_nsfw",
                "max_price_amount",
                "max_price_currency",
                "note",
                "msrp_amount",
                "msrp_currency",
                "release_date",
                "release_date_precision",
                "added_at",
                "figure_id",
            ],
            Self::Preorders => &[
                "id",
                "figure",
                "figure_type",
                "manufacturer",
                "series",
                "scale",
                "is_nsfw",
                "status",
                "release_date_original",
                "release_date_current",
                "release_date_precision",
                "slip_count",
                "price_amount",
                "price_currency",
                "shipping_amount",
                "deposit_amount",
                "paid_amount",
                "balance_paid_at",
                "deposit_refund_amount",
                "store",
                "shipped_at",
                "estimated_delivery_days",
                "tracking_url",
                "received_at",
                "cancelled_at",
                "placed_at",
                "piece_id",
                "figure_id",
            ],
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
pub(super) fn pieces(state: AppState, user: User, sheet: Sheet, kind: Kind) -> Pieces {
    let reader = Reader { state, user };
    written(At::Beginning, move |at| step(reader.clone(), sheet, kind, at))
}

async fn step(reader: Reader, sheet: Sheet, kind: Kind, at: At) -> Result<(Vec<u8>, Option<At>), Problem> {
    let (begins, after) = match &at {
        At::Beginning => (true, None),
        At::Behind(key) => (false, Some(key)),
    };
    let mut page = Page::new(sheet, kind, begins)?;
    let next = match sheet {
        Sheet::Collection => collection(&reader, after, &mut page).await?,
        Sheet::Wishlist => wishes(&reader, after, &mut page).await?,
        Sheet::Preorders => orders(&reader, after, &mut page).await?,
    };
    let bytes = page.finish(next.is_none())?;
    Ok((bytes, next.map(At::Behind)))
}

/// Whether there is more behind a page of rows.
fn full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|rows| rows >= PAGE)
}

async fn collection(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = PieceOrder { by: PieceSort::Added, descending: false };
    let filter = PieceFilter { archived: Archived::All, ..PieceFilter::default() };
    let rows = collection::list(&reader.state.pool, reader.id(), &filter, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    for piece in rows {
        match page.kind {
            Kind::Json => page.object(&PieceView::of(piece, &reader.user))?,
            Kind::Csv => page.record(piece_cells(&piece))?,
        }
    }
    Ok(next)
}

async fn wishes(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = WishOrder { by: WishSort::Added, descending: false };
    let rows = collection::wishes(&reader.state.pool, reader.id(), false, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    let today = Utc::now().date_naive();
    let market = wishlist::Market::of(&reader.state, &rows).await?;
    for wish in rows {
        match page.kind {
            Kind::Json => page.object(&WishView::of(wish, &reader.user, today, &market))?,
            Kind::Csv => page.record(wish_cells(&wish))?,
        }
    }
    Ok(next)
}

async fn orders(
    reader: &Reader,
    after: Option<&ListKey>,
    page: &mut Page,
) -> Result<Option<ListKey>, Problem> {
    let order = PreorderOrder { by: PreorderSort::Placed, descending: false };
    let filter = PreorderFilter::default();
    let rows = preorders::list(&reader.state.pool, reader.id(), &filter, order, after, PAGE).await?;
    let next = rows.last().filter(|_| full(&rows)).map(|last| last.key(order));
    let today = Utc::now().date_naive();
    for listing in rows {
        match page.kind {
            Kind::Json => page.object(&PreorderView::of(listing.found, &reader.user, today))?,
            Kind::Csv => page.record(order_cells(&listing))?,
        }
    }
    Ok(next)
}

type Cells = Vec<Option<String>>;

fn text(value: &impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn each(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

fn amount(value: Option<Decimal>, currency: Option<&String>) -> Option<String> {
    value.map(|value| shown::amount(value, currency.map(String::as_str)))
}

fn store(store: Option<&EntityName>) -> Option<String> {
    store.map(|store| store.name.clone())
}

/// Name, type, maker, series, scale and the mark of a figure.
fn figure_cells(figure: Option<&FigureSummary>) -> Cells {
    let of = |part: fn(&FigureSummary) -> Option<String>| figure.and_then(part);
    vec![
        of(|f| Some(f.name.clone())),
        of(|f| Some(f.figure_type.clone())),
        of(|f| f.manufacturer.as_ref().map(|maker| maker.name.clone())),
        of(|f| Some(f.series.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join("; "))),
        of(|f| f.scale.clone()),
        of(|f| Some(f.is_nsfw.to_string())),
    ]
}

fn piece_cells(piece: &Piece) -> Cells {
    let row = &piece.row;
    let paid = |value| amount(value, row.price_currency.as_ref());
    let mut cells = vec![text(&row.id)];
    cells.extend(figure_cells(piece.figure.as_ref()));
    cells.extend([
        row.condition.clone(),
        paid(row.price_amount),
        row.price_currency.clone(),
        paid(row.shipping_amount),
        paid(row.fees_amount),
        row.price_fx_rate.map(|rate| rate.normalize().to_string()),
        amount(row.value_amount, row.value_currency.as_ref()),
        row.value_currency.clone(),
        each(row.purchase_date.as_ref()),
        each(piece.acquired_on().as_ref()),
        store(piece.store.as_ref()),
        row.location.clone(),
        text(&row.origin),
        row.origin_from.clone(),
        row.notes.clone(),
        row.preorder_status.clone(),
        row.archived_at.map(|at| at.to_rfc3339()),
        row.archive_reason.clone(),
        amount(row.sold_amount, row.sold_currency.as_ref()),
        row.sold_currency.clone(),
        each(row.sold_on.as_ref()),
        Some(row.created_at.to_rfc3339()),
        text(&row.figure_id),
    ]);
    cells
}

fn wish_cells(wish: &Wish) -> Cells {
    let row = &wish.row;
    let figure = wish.figure.as_ref();
    let mut cells = figure_cells(figure);
    cells.extend([
        amount(row.max_price_amount, row.max_price_currency.as_ref()),
        row.max_price_currency.clone(),
        row.note.clone(),
        figure.and_then(|f| amount(f.msrp_amount, f.msrp_currency.as_ref())),
        figure.and_then(|f| f.msrp_currency.clone()),
        figure.and_then(|f| each(f.release_date.as_ref())),
        figure.and_then(|f| f.release_date_precision.clone()),
        Some(row.created_at.to_rfc3339()),
        text(&row.figure_id),
    ]);
    cells
}

fn order_cells(listing: &Listing) -> Cells {
    let (found, row) = (&listing.found, &listing.found.preorder);
    let in_price = |value| amount(value, row.price_currency.as_ref());
    let mut cells = vec![text(&row.id)];
    cells.extend(figure_cells(found.figure.as_ref()));
    cells.extend([
        text(&row.status),
        each(row.release_date_original.as_ref()),
        each(row.release_date_current.as_ref()),
        row.release_date_precision.clone(),
        text(&row.slip_count),
        in_price(row.price_amount),
        row.price_currency.clone(),
        in_price(row.shipping_amount),
        in_price(row.deposit_amount),
        in_price(Some(preorders::paid(row))),
        row.balance_paid_at.map(|at| at.to_rfc3339()),
        in_price(row.deposit_refund_amount),
        store(found.store.as_ref()),
        row.shipped_at.map(|at| at.to_rfc3339()),
        each(row.estimated_delivery_days.as_ref()),
        row.tracking_url.clone(),
        row.received_at.map(|at| at.to_rfc3339()),
        row.cancelled_at.map(|at| at.to_rfc3339()),
        Some(row.created_at.to_rfc3339()),
        text(&row.owned_item_id),
        text(&row.figure_id),
    ]);
    cells
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
    bytes: Vec<u8>,
    begins: bool,
}

impl Page {
    fn new(sheet: Sheet, kind: Kind, begins: bool) -> Result<Self, Problem> {
        let mut page = Self { kind, bytes: Vec::new(), begins };
        match kind {
            Kind::Csv if begins => {
                // Without it, some spreadsheets read UTF-8 as something else.
                page.bytes.extend_from_slice("\u{feff}".as_bytes());
                page.record(sheet.header().iter().map(|name| Some((*name).to_owned())).collect())?;
            }
            Kind::Json if begins => page.bytes.push(b'['),
            _ => {}
        }
        Ok(page)
    }

    fn record(&mut self, cells: Cells) -> Result<(), Problem> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut self.bytes);
        let cells = cells.into_iter().map(|cell| cell.map(harmless).unwrap_or_default());
        writer.write_record(cells).map_err(Problem::internal)?;
        writer.flush().map_err(Problem::internal)
    }

    fn object(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        if !self.begins || self.bytes.len() > 1 {
            self.bytes.extend_from_slice(b",\n");
        }
        serde_json::to_writer(&mut self.bytes, value).map_err(Problem::internal)
    }

    fn finish(mut self, ends: bool) -> Result<Vec<u8>, Problem> {
        if ends && self.kind == Kind::Json {
            self.bytes.extend_from_slice(b"]\n");
        }
        Ok(self.bytes)
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
