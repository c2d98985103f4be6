//! What stands in which column.

use projections::{
    collection::{Piece, Wish},
    figures::summary::{EntityName, FigureSummary},
    preorders::{self, Listing},
};
use rust_decimal::Decimal;

use crate::shown;

/// A column: its name, and what stands in it for a row. None is an empty cell.
pub(super) type Column<R> = (&'static str, fn(&R) -> Option<String>);

/// A row of a table.
pub(super) trait Row: Sized + 'static {
    /// The columns, in their order.
    fn columns() -> Vec<Column<Self>>;
    /// The figure that it is about.
    fn figure(&self) -> Option<&FigureSummary>;
}

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

/// Name, type, maker, series, scale and the mark of the figure.
fn figure<R: Row>() -> [Column<R>; 6] {
    [
        ("figure", |row| row.figure().map(|f| f.name.clone())),
        ("figure_type", |row| row.figure().map(|f| f.figure_type.clone())),
        ("manufacturer", |row| row.figure()?.manufacturer.as_ref().map(|maker| maker.name.clone())),
        ("series", |row| {
            let series = row.figure()?.series.iter().map(|one| one.name.as_str());
            Some(series.collect::<Vec<_>>().join("; "))
        }),
        ("scale", |row| row.figure()?.scale.clone()),
        ("is_nsfw", |row| row.figure().map(|f| f.is_nsfw.to_string())),
    ]
}

impl Row for Piece {
    fn figure(&self) -> Option<&FigureSummary> {
        self.figure.as_ref()
    }

    fn columns() -> Vec<Column<Self>> {
        let mut columns: Vec<Column<Self>> = vec![("id", |p| text(&p.row.id))];
        columns.extend(figure());
        columns.extend::<[Column<Self>; 23]>([
            ("condition", |p| p.row.condition.clone()),
            ("price_amount", |p| amount(p.row.price_amount, p.row.price_currency.as_ref())),
            ("price_currency", |p| p.row.price_currency.clone()),
            ("shipping_amount", |p| amount(p.row.shipping_amount, p.row.price_currency.as_ref())),
            ("fees_amount", |p| amount(p.row.fees_amount, p.row.price_currency.as_ref())),
            ("price_fx_rate", |p| p.row.price_fx_rate.map(|rate| rate.normalize().to_string())),
            ("value_amount", |p| amount(p.row.value_amount, p.row.value_currency.as_ref())),
            ("value_currency", |p| p.row.value_currency.clone()),
            ("purchase_date", |p| each(p.row.purchase_date.as_ref())),
            ("acquired_on", |p| each(p.acquired_on().as_ref())),
            ("store", |p| store(p.store.as_ref())),
            ("location", |p| p.row.location.clone()),
            ("origin", |p| text(&p.row.origin)),
            ("origin_from", |p| p.row.origin_from.clone()),
            ("notes", |p| p.row.notes.clone()),
            ("preorder_status", |p| p.row.preorder_status.clone()),
            ("archived_at", |p| p.row.archived_at.map(|at| at.to_rfc3339())),
            ("archive_reason", |p| p.row.archive_reason.clone()),
            ("sold_amount", |p| amount(p.row.sold_amount, p.row.sold_currency.as_ref())),
            ("sold_currency", |p| p.row.sold_currency.clone()),
            ("sold_on", |p| each(p.row.sold_on.as_ref())),
            ("added_at", |p| Some(p.row.created_at.to_rfc3339())),
            ("figure_id", |p| text(&p.row.figure_id)),
        ]);
        columns
    }
}

impl Row for Wish {
    fn figure(&self) -> Option<&FigureSummary> {
        self.figure.as_ref()
    }

    fn columns() -> Vec<Column<Self>> {
        let mut columns: Vec<Column<Self>> = figure().into();
        columns.extend::<[Column<Self>; 9]>([
            ("max_price_amount", |w| amount(w.row.max_price_amount, w.row.max_price_currency.as_ref())),
            ("max_price_currency", |w| w.row.max_price_currency.clone()),
            ("note", |w| w.row.note.clone()),
            ("msrp_amount", |w| w.figure().and_then(|f| amount(f.msrp_amount, f.msrp_currency.as_ref()))),
            ("msrp_currency", |w| w.figure()?.msrp_currency.clone()),
            ("release_date", |w| each(w.figure()?.release_date.as_ref())),
            ("release_date_precision", |w| w.figure()?.release_date_precision.clone()),
            ("added_at", |w| Some(w.row.created_at.to_rfc3339())),
            ("figure_id", |w| text(&w.row.figure_id)),
        ]);
        columns
    }
}

impl Row for Listing {
    fn figure(&self) -> Option<&FigureSummary> {
        self.found.figure.as_ref()
    }

    fn columns() -> Vec<Column<Self>> {
        fn paid_in(listing: &Listing, value: Option<Decimal>) -> Option<String> {
            amount(value, listing.found.preorder.price_currency.as_ref())
        }
        let mut columns: Vec<Column<Self>> = vec![("id", |l| text(&l.found.preorder.id))];
        columns.extend(figure());
        columns.extend::<[Column<Self>; 21]>([
            ("status", |l| text(&l.found.preorder.status)),
            ("release_date_original", |l| each(l.found.preorder.release_date_original.as_ref())),
            ("release_date_current", |l| each(l.found.preorder.release_date_current.as_ref())),
            ("release_date_precision", |l| l.found.preorder.release_date_precision.clone()),
            ("slip_count", |l| text(&l.found.preorder.slip_count)),
            ("price_amount", |l| paid_in(l, l.found.preorder.price_amount)),
            ("price_currency", |l| l.found.preorder.price_currency.clone()),
            ("shipping_amount", |l| paid_in(l, l.found.preorder.shipping_amount)),
            ("deposit_amount", |l| paid_in(l, l.found.preorder.deposit_amount)),
            ("paid_amount", |l| paid_in(l, Some(preorders::paid(&l.found.preorder)))),
            ("balance_paid_at", |l| l.found.preorder.balance_paid_at.map(|at| at.to_rfc3339())),
            ("deposit_refund_amount", |l| paid_in(l, l.found.preorder.deposit_refund_amount)),
            ("store", |l| store(l.found.store.as_ref())),
            ("shipped_at", |l| l.found.preorder.shipped_at.map(|at| at.to_rfc3339())),
            ("estimated_delivery_days", |l| each(l.found.preorder.estimated_delivery_days.as_ref())),
            ("tracking_url", |l| l.found.preorder.tracking_url.clone()),
            ("received_at", |l| l.found.preorder.received_at.map(|at| at.to_rfc3339())),
            ("cancelled_at", |l| l.found.preorder.cancelled_at.map(|at| at.to_rfc3339())),
            ("placed_at", |l| Some(l.found.preorder.created_at.to_rfc3339())),
            ("piece_id", |l| text(&l.found.preorder.owned_item_id)),
            ("figure_id", |l| text(&l.found.preorder.figure_id)),
        ]);
        columns
    }
}
