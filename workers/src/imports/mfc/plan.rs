//! From a row to the command that brings it in.

use super::names::{Codes, NameMatch, Names};
use super::row::Row;
use super::table::BadRow;
use crate::imports::kind::guess;
use domain::collection::Cost;
use domain::commands::{CatalogueFigure, ImportRow, PieceFields, RowStatus};
use domain::figure::Details;
use domain::ids::{FigureId, UserId};
use domain::text::{Line, Note, folded};
use uuid::Uuid;

/// Under which the ids of figures that this import creates are derived. Never changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x5be4_0d19_c2a7_5a36_b7f1_04d8_93ac_61ee);

/// What a row is for good: its number on the site, else its barcode, else its title and release.
pub fn source(row: &Row) -> Result<Line<100>, BadRow> {
    let source = match (row.mfc_id, &row.jan) {
        (Some(id), _) => format!("mfc:{id}"),
        (None, Some(jan)) => format!("jan:{}", jan.normalised()),
        (None, None) => format!("title:{}", title_hash(row)),
    };
    Line::new(&source).map_err(|e| BadRow { line: row.line, reason: e.to_string() })
}

/// What the row was called by an export that had fewer of those columns.
fn also(row: &Row) -> Vec<Line<100>> {
    let jan = row.jan.as_ref().filter(|_| row.mfc_id.is_some()).map(|j| format!("jan:{}", j.normalised()));
    let coded = row.mfc_id.is_some() || row.jan.is_some();
    let title = (coded && row.title.is_some()).then(|| format!("title:{}", title_hash(row)));
    jan.into_iter().chain(title).filter_map(|source| Line::new(&source).ok()).collect()
}

fn title_hash(row: &Row) -> Uuid {
    let title = row.title.as_ref().map(|t| folded(t.as_str())).unwrap_or_default();
    let release = row.release.map(|r| format!("{}/{}", r.date(), r.precision().as_str())).unwrap_or_default();
    Uuid::new_v5(&NAMESPACE, format!("{title}\0{release}").as_bytes())
}

/// The command for a row.
///
/// # Errors
/// A reason when nothing can be made of it.
pub fn plan(row: &Row, user: UserId, names: &Names, types: &[String]) -> Result<ImportRow, BadRow> {
    let bad = |reason: String| BadRow { line: row.line, reason };
    let source = source(row)?;
    let codes = Codes { jan: row.jan.clone(), mfc_id: row.mfc_id };
    let matched = row.title.as_ref().map_or(NameMatch::Unknown, |t| names.find(t.as_str(), &codes));
    // Without a title the figure can only be one that has the code; then no name is needed for a new one.
    let name = match &row.title {
        Some(title) => title.clone(),
        None => Line::new(source.as_str()).map_err(|e| bad(e.to_string()))?,
    };
    let uncoded = row.mfc_id.is_none() && row.jan.is_none();
    let imported_as = if uncoded {
        let line = Line::new("mfc-title").map_err(|e| bad(e.to_string()))?;
        Some((line, Line::new(&title_hash(row).to_string()).map_err(|e| bad(e.to_string()))?))
    } else {
        None
    };
    let figure = CatalogueFigure {
        figure_id: FigureId(Uuid::new_v5(&NAMESPACE, source.as_str().as_bytes())),
        name,
        figure_type: guess(
            row.title.as_ref().map_or("", Line::as_str),
            &row.category,
            row.scale.as_ref().map(Line::as_str),
            types,
        )
        .map_err(|e| bad(e.to_string()))?,
        manufacturer: None,
        sculptor: None,
        series: Vec::new(),
        characters: Vec::new(),
        details: Details { scale: row.scale.clone(), ..Details::default() },
        releases: row.release.into_iter().collect(),
        msrp: row.list_price,
        jan: row.jan.clone(),
        mfc_id: row.mfc_id,
        is_nsfw: row.is_nsfw,
        buy_links: Vec::new(),
        imported_as,
    };
    let cost = Cost {
        price: row.paid.map(|m| m.amount()),
        currency: row.paid.map(|m| m.currency()),
        ..Cost::default()
    };
    let wished = row.status == RowStatus::Wished;
    Ok(ImportRow {
        user_id: user,
        source,
        also: also(row),
        status: row.status,
        copies: row.count,
        likely: match matched {
            NameMatch::One(id, how) => Some((id, how)),
            _ => None,
        },
        ambiguous: matched == NameMatch::Ambiguous,
        figure,
        named: row.title.is_some(),
        piece: PieceFields {
            cost,
            purchase_date: row.paid_on.or(row.received_on),
            store: row.shop.clone().filter(|s| s.as_str().chars().any(char::is_alphanumeric)),
            notes: note(row, false).map_err(bad)?,
            ..PieceFields::default()
        },
        release: row.release,
        paid_on: row.paid_on,
        shipped_on: row.shipped_on,
        received_on: row.received_on,
        tracking_url: row.tracking_url.clone(),
        wish_note: if wished { note(row, true).map_err(bad)? } else { None },
    })
}

/// The note, and under it what has no place of its own here.
fn note(row: &Row, wished: bool) -> Result<Option<Note>, String> {
    let more: [(&str, Option<&str>); 4] = if wished {
        [("Wishability", row.wishability.as_ref().map(Line::as_str)), ("", None), ("", None), ("", None)]
    } else {
        [
            ("Score", row.score.as_ref().map(Line::as_str)),
            ("Shipping method", row.shipping_method.as_ref().map(Line::as_str)),
            ("Tracking number", row.tracking_number.as_ref().map(Line::as_str)),
            ("", None),
        ]
    };
    let mut lines = Vec::new();
    if !row.note.is_empty() {
        lines.push(row.note.clone());
    }
    lines.extend(more.iter().filter_map(|(what, text)| Some(format!("{what}: {}", (*text)?))));
    if lines.is_empty() {
        return Ok(None);
    }
    Note::new(&lines.join("\n")).map(Some).map_err(|e| format!("Note: {e}"))
}

#[cfg(test)]
mod tests {
    use super::super::{row, table};
    use super::*;

    fn read(header: &str, line: &str) -> Row {
        let cells = table::read(format!("{header}\n{line}\n").as_bytes()).unwrap().remove(0).unwrap();
        row::read(&cells, None).unwrap()
    }

    fn planned(header: &str, line: &str) -> ImportRow {
        let types = ["scale", "nendoroid", "nendoroid_doll", "plamo", "other"].map(str::to_owned);
        plan(&read(header, line), UserId(Uuid::from_u128(1)), &Names::default(), &types).unwrap()
    }

    #[test]
    fn the_source_is_the_most_lasting_thing_a_row_has() {
        let header = "ID,Title,Barcode,Release date,Status";
        for (line, source) in
            [("12,A,4580590123458,,", "mfc:12"), (",A,4580590123458,,", "jan:04580590123458")]
        {
            assert_eq!(planned(header, line).source.as_str(), source);
        }
        let [may, june, spaced] = [",A b,,2027-05-00,", ",A b,,2027-06-00,", ",a  B,,2027-05-00,Wished"]
            .map(|line| planned(header, line).source);
        assert!(may.as_str().starts_with("title:"));
        assert_ne!(may, june);
        assert_eq!(may, spaced);
    }

    #[test]
    fn what_has_no_place_goes_into_the_note() {
        let header = "Title,Status,Score,Shipping method,Tracking number,Wishability,Note";
        let owned = planned(header, "A,Owned,8/10,EMS,EJ1,5/5,shelf");
        assert_eq!(
            owned.piece.notes.unwrap().as_str(),
            "shelf\nScore: 8/10\nShipping method: EMS\nTracking number: EJ1"
        );
        assert_eq!(owned.wish_note, None);
        assert_eq!(planned(header, "A,Wished,,,,5/5,").wish_note.unwrap().as_str(), "Wishability: 5/5");
        assert_eq!(planned(header, "A,Owned,,n/a,,,").piece.notes, None);
    }

    #[test]
    fn the_type_follows_the_row() {
        let header = "Title,Root,Category,Scale";
        for (line, code) in [
            ("Nendoroid Aster,Figures,Action/Dolls,", "nendoroid"),
            ("Nendoroid Doll Aster,Figures,Action/Dolls,", "nendoroid_doll"),
            ("Aster,Figures,Prepainted,1/7", "scale"),
            ("Aster,Figures,Prepainted,NON", "other"),
            ("Aster,Figures,Garage Kits,1/8", "plamo"),
            ("figma Aster,Figures,Action/Dolls,", "other"),
        ] {
            assert_eq!(planned(header, line).figure.figure_type.as_str(), code, "{line}");
        }
    }
}
