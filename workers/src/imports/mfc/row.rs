//! One row of the export, read: what it says, and what in it could not be used.

use super::table::{BadRow, Cells, Column};
use super::{day, price};
use chrono::NaiveDate;
use domain::commands::{MOST_COPIES, RowStatus};
use domain::dates::{Precision, ReleaseDate};
use domain::gtin::Gtin;
use domain::money::{Currency, Money};
use domain::text::{HttpUrl, Line, Name};

/// A row, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line of the file on which it begins.
    pub line: u64,
    /// The title without its mark; absent when the export has none.
    pub title: Option<Name>,
    /// Whether the title is marked as adult.
    pub is_nsfw: bool,
    /// The item's number on the site.
    pub mfc_id: Option<i64>,
    /// The root category.
    pub root: String,
    /// The category.
    pub category: String,
    /// The release date.
    pub release: Option<ReleaseDate>,
    /// The list price.
    pub list_price: Option<Money>,
    /// `1/7`.
    pub scale: Option<Line<40>>,
    /// The barcode.
    pub jan: Option<Gtin>,
    /// Owned, ordered or wished.
    pub status: RowStatus,
    /// How many copies.
    pub count: u16,
    /// `8/10`.
    pub score: Option<Line<40>>,
    /// The day it was paid.
    pub paid_on: Option<NaiveDate>,
    /// The day it was shipped.
    pub shipped_on: Option<NaiveDate>,
    /// The day it arrived.
    pub received_on: Option<NaiveDate>,
    /// What was paid for each copy.
    pub paid: Option<Money>,
    /// The shop.
    pub shop: Option<Name>,
    /// How it was sent.
    pub shipping_method: Option<Line<100>>,
    /// The parcel's number.
    pub tracking_number: Option<Line<200>>,
    /// Where to follow the parcel, when an address stands for the number.
    pub tracking_url: Option<HttpUrl>,
    /// How much it is wished.
    pub wishability: Option<Line<40>>,
    /// Free text.
    pub note: String,
    /// What could not be used, in sentences.
    pub remarks: Vec<String>,
}

/// Reads a row. `unmarked` is the currency of a paid price without sign or code; a list price without one
/// is in yen when it is a whole number.
///
/// # Errors
/// When what it says cannot be told: an unknown status, a count that is no number, a title that is none.
/// Everything else that cannot be used is left out and told in `remarks`.
pub fn read(cells: &Cells, unmarked: Option<Currency>) -> Result<Row, BadRow> {
    let bad = |reason: String| BadRow { line: cells.line, reason };
    let mut remarks = Vec::new();
    let (title, is_nsfw) = without_mark(cells.get(Column::Title));
    let title = match Name::new(title) {
        Ok(title) => Some(title),
        Err(domain::text::TextError::Empty) => None,
        Err(e) => return Err(bad(format!("Title: {e}"))),
    };
    let mfc_id = match cells.get(Column::Id) {
        "" => None,
        text => text.parse::<i64>().ok().filter(|id| *id > 0).or_else(|| {
            remarks.push(format!("the ID {text:?} is no number and was left out"));
            None
        }),
    };
    let jan = match cells.get(Column::Barcode) {
        "" => None,
        text => Gtin::new(text).map_err(|e| remarks.push(format!("the barcode was left out: {e}"))).ok(),
    };
    if title.is_none() && mfc_id.is_none() && jan.is_none() {
        return Err(bad("it has neither a title nor a code".to_owned()));
    }
    let status = match cells.get(Column::Status).to_lowercase().as_str() {
        "" | "owned" => RowStatus::Owned,
        "ordered" => RowStatus::Ordered,
        "wished" => RowStatus::Wished,
        _ => return Err(bad("Status: it is none of Owned, Ordered and Wished".to_owned())),
    };
    let count = match cells.get(Column::Count) {
        "" => 1,
        text => text
            .parse::<u16>()
            .ok()
            .filter(|n| (1..=MOST_COPIES).contains(n))
            .ok_or_else(|| bad(format!("Count: it is no number between 1 and {MOST_COPIES}")))?,
    };
    let mut date = |column: Column, what: &str| -> Option<ReleaseDate> {
        day::read(cells.get(column))
            .map_err(|e| remarks.push(format!("the {what} was left out: {e}")))
            .ok()
            .flatten()
    };
    let release = date(Column::ReleaseDate, "release date");
    let dates = [
        (date(Column::PaymentDate, "payment date"), "payment date"),
        (date(Column::ShippingDate, "shipping date"), "shipping date"),
        (date(Column::CollectingDate, "collecting date"), "collecting date"),
    ];
    let [paid_on, shipped_on, received_on] = dates.map(|(date, what)| {
        let date = date?;
        if date.precision() != Precision::Day {
            remarks.push(format!("the {what} is not known to the day; {} was taken", date.date()));
        }
        Some(date.date())
    });
    let list_price = list_price(cells.get(Column::ListPrice))
        .map_err(|e| remarks.push(format!("the list price was left out: {e}")))
        .ok()
        .flatten();
    let paid = price::read(cells.get(Column::PaidPrice), unmarked)
        .map_err(|e| remarks.push(format!("the price paid was left out: {e}")))
        .ok()
        .flatten();
    let (tracking_number, tracking_url) = match HttpUrl::new(cells.get(Column::TrackingNumber)) {
        Ok(url) => (None, Some(url)),
        Err(_) => (text(cells, Column::TrackingNumber, &mut remarks), None),
    };
    Ok(Row {
        line: cells.line,
        title,
        is_nsfw,
        mfc_id,
        root: cells.get(Column::Root).to_owned(),
        category: cells.get(Column::Category).to_owned(),
        release,
        list_price,
        scale: text(cells, Column::Scale, &mut remarks),
        jan,
        status,
        count,
        score: text(cells, Column::Score, &mut remarks),
        paid_on,
        shipped_on,
        received_on,
        paid,
        shop: text(cells, Column::Shop, &mut remarks),
        shipping_method: text(cells, Column::ShippingMethod, &mut remarks),
        tracking_number,
        tracking_url,
        wishability: text(cells, Column::Wishability, &mut remarks),
        note: cells.get(Column::Note).to_owned(),
        remarks,
    })
}

/// A title without the mark of an adult piece, and whether it had one.
pub(crate) fn without_mark(title: &str) -> (&str, bool) {
    let title = title.trim();
    let marked = title.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("[nsfw"));
    if !marked {
        return (title, false);
    }
    let rest = title.split_once(']').map_or_else(|| title.get(5..).unwrap_or_default(), |(_, rest)| rest);
    (rest.trim(), true)
}

/// The site lists Japanese prices; one without a mark is in yen, unless it has cents.
fn list_price(text: &str) -> Result<Option<Money>, price::PriceError> {
    match price::read(text, Some(Currency::Jpy)) {
        Err(price::PriceError::Amount(_)) => Err(match price::read(text, None) {
            Err(unmarked) => unmarked,
            Ok(_) => price::PriceError::Number,
        }),
        other => other,
    }
}

fn text<const MAX: usize>(cells: &Cells, column: Column, remarks: &mut Vec<String>) -> Option<Line<MAX>> {
    let text = cells.get(column);
    if text.is_empty() || text.eq_ignore_ascii_case("n/a") {
        return None;
    }
    Line::new(text).map_err(|e| remarks.push(format!("{column:?} was left out: {e}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    const HEADER: &str = "ID,Title,Root,Category,Release date,Price,Scale,Barcode,Status,Count,Score,Payment date,\
        Shipping date,Collecting date,Price,Shop,Shipping method,Tracking number,Wishability,Note";

    fn row(line: &str) -> Result<Row, BadRow> {
        let cells = table::read(format!("{HEADER}\n{line}\n").as_bytes()).unwrap().remove(0).unwrap();
        read(&cells, None)
    }

    #[test]
    fn a_full_row_is_read_whole() {
        let row = row(
            "287,[NSFW+] Aster Vale,Figures,Prepainted,2027-05-00,\"¥12,800\",1/7,4580590123458,Ordered,2,8/10,\
             2026-03-00,2026-04-05,0000-00-00,\"98,50 €\",Lantern Street,EMS,EJ123JP,n/a,\"for, the\nshelf\"",
        )
        .unwrap();
        assert_eq!(row.title.unwrap().as_str(), "Aster Vale");
        assert!(row.is_nsfw);
        assert_eq!((row.mfc_id, row.count, row.status), (Some(287), 2, RowStatus::Ordered));
        assert_eq!(row.release.unwrap().precision(), Precision::Month);
        assert_eq!(row.list_price.unwrap().to_string(), "12800 JPY");
        assert_eq!(row.paid.unwrap().to_string(), "98.50 EUR");
        assert_eq!(row.paid_on.unwrap().to_string(), "2026-03-01");
        assert_eq!(row.shipped_on.unwrap().to_string(), "2026-04-05");
        assert_eq!((row.received_on, row.wishability), (None, None));
        assert_eq!(row.tracking_number.unwrap().as_str(), "EJ123JP");
        assert_eq!(row.note, "for, the\nshelf");
        assert_eq!(row.remarks, ["the payment date is not known to the day; 2026-03-01 was taken"]);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_told() {
        let row =
            row("x,Aster,,,soon,99 zł,,4580590123456,owned,,,2026-02-30,,,129.99,,,https://post.example/1,,")
                .unwrap();
        assert_eq!((row.mfc_id, row.jan, row.release, row.paid_on), (None, None, None, None));
        assert_eq!((row.list_price, row.paid), (None, None));
        assert_eq!(row.tracking_url.unwrap().as_str(), "https://post.example/1");
        let told = row.remarks.join("\n");
        for part in ["\"x\"", "check digit", "release date", "payment date", "99 zł", "zł", "no currency"] {
            assert!(told.contains(part) || part == "99 zł", "{part} in {told}");
        }
        assert_eq!(row.remarks.len(), 6);
    }

    #[test]
    fn a_list_price_without_a_mark_is_in_yen_unless_it_has_cents() {
        assert_eq!(list_price("12,800").unwrap().unwrap().to_string(), "12800 JPY");
        assert_eq!(list_price("129.99"), Err(price::PriceError::Unmarked));
        assert_eq!(list_price("$129.99").unwrap().unwrap().to_string(), "129.99 USD");
    }

    #[test]
    fn a_row_whose_meaning_is_not_clear_is_refused() {
        for (line, reason) in [
            (",,,,,,,,,,,,,,,,,,,", "neither"),
            ("1,A,,,,,,,Sold,,,,,,,,,,,", "Status"),
            ("1,A,,,,,,,,0,,,,,,,,,,", "Count"),
            ("1,A,,,,,,,,501,,,,,,,,,,", "Count"),
            ("1,A,,,,,,,,two,,,,,,,,,,", "Count"),
            ("1,A,,,,,,,,-1,,,,,,,,,,", "Count"),
        ] {
            let told = row(line).unwrap_err();
            assert!(told.reason.contains(reason) && told.line == 2, "{line}: {told:?}");
        }
        let long = format!("1,{},,,,,,,,,,,,,,,,,,", "a".repeat(301));
        assert!(row(&long).unwrap_err().reason.contains("Title"));
    }

    #[test]
    fn the_mark_of_an_adult_piece_is_no_part_of_its_name() {
        for (title, name, nsfw) in [
            ("[NSFW] Aster", "Aster", true),
            ("[NSFW+] Aster [B]", "Aster [B]", true),
            ("[nsfw]Aster", "Aster", true),
            ("[NSFW Aster", "Aster", true),
            ("Aster [NSFW]", "Aster [NSFW]", false),
            ("[あNSFW]", "[あNSFW]", false),
            ("[NSFW]", "", true),
        ] {
            assert_eq!(without_mark(title), (name, nsfw), "{title}");
        }
    }
}
