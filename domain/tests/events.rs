//! The events as they are stored: every type has a fixture that stays readable for good, and a place in
//! `docs/events.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use domain::upcast::{decode, event_types};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The fields without which an event of a type cannot be read, beside those that are absent when there is
/// nothing to say. To change a line here is to change what is stored: that takes a new version.
const REQUIRED: &[(&str, &[&str])] = &[
    ("collection.piece_added", &["piece_id", "figure_id", "preordered", "origin"]),
    ("collection.pieces_condition_set", &["piece_ids"]),
    ("collection.pieces_moved", &["piece_ids"]),
    ("collection.pieces_arranged", &["placements"]),
    ("collection.piece_cost_recorded", &["piece_id"]),
    ("collection.piece_purchase_recorded", &["piece_id"]),
    ("collection.piece_noted", &["piece_id"]),
    ("collection.piece_provenance_recorded", &["piece_id", "origin"]),
    ("collection.piece_valued", &["piece_id", "value"]),
    ("collection.piece_valuation_cleared", &["piece_id"]),
    ("collection.piece_cover_pinned", &["piece_id"]),
    ("collection.photos_added", &["piece_id", "photos"]),
    ("collection.photos_ordered", &["piece_id", "photo_ids"]),
    ("collection.photo_replaced", &["piece_id", "photo_id", "picture"]),
    ("collection.photo_removed", &["piece_id", "photo_id"]),
    ("collection.photo_shared", &["piece_id", "photo_id", "shared"]),
    ("collection.scan_made", &["piece_id", "scan_id", "frames"]),
    ("collection.scan_frames_replaced", &["piece_id", "scan_id", "frames"]),
    ("collection.scan_removed", &["piece_id", "scan_id"]),
    ("collection.scan_shared", &["piece_id", "scan_id", "shared"]),
    ("collection.document_added", &["piece_id", "document_id", "document"]),
    ("collection.document_removed", &["piece_id", "document_id"]),
    ("collection.pieces_archived", &["piece_ids", "reason"]),
    ("collection.piece_restored", &["piece_id"]),
    ("collection.piece_dated", &["piece_id", "added_at"]),
    ("collection.pieces_deleted", &["piece_ids"]),
    ("collection.cabinet_created", &["cabinet_id", "name"]),
    ("collection.cabinet_renamed", &["cabinet_id", "previous", "name"]),
    ("collection.cabinet_deleted", &["cabinet_id", "name"]),
    ("collection.cabinets_ordered", &["cabinet_ids"]),
    ("collection.wished", &["figure_id"]),
    ("collection.wish_target_set", &["figure_id"]),
    ("collection.wish_noted", &["figure_id"]),
    ("collection.unwished", &["figure_id", "reason"]),
    ("collection.person_erased", &[]),
    ("collection.erased", &[]),
    ("preorder.placed", &["preorder_id", "user_id", "piece_id", "figure_id", "status"]),
    ("preorder.replaced", &["preorder_id", "user_id", "piece_id", "figure_id", "status"]),
    ("preorder.status_advanced", &["preorder_id", "previous", "status"]),
    ("preorder.status_corrected", &["preorder_id", "previous", "status"]),
    ("preorder.shipped", &["preorder_id", "shipped_at"]),
    ("preorder.received", &["preorder_id", "received_at"]),
    ("preorder.cancelled", &["preorder_id", "paid", "refund"]),
    ("preorder.release_date_named", &["preorder_id", "release", "source"]),
    ("preorder.release_date_slipped", &["preorder_id", "previous", "release", "source"]),
    ("preorder.release_date_brought_forward", &["preorder_id", "previous", "release", "source"]),
    ("preorder.release_date_narrowed", &["preorder_id", "previous", "release", "source"]),
    ("preorder.cost_recorded", &["preorder_id"]),
    ("preorder.balance_paid", &["preorder_id", "paid_at"]),
    ("preorder.balance_reopened", &["preorder_id"]),
    ("preorder.tracking_recorded", &["preorder_id"]),
    ("preorder.delivery_estimated", &["preorder_id"]),
    ("preorder.store_recorded", &["preorder_id"]),
    ("preorder.chapter_dated", &["preorder_id", "placed_at"]),
    ("preorder.erased", &[]),
    ("figure.catalogued", &["figure_id", "slug", "name", "figure_type", "is_nsfw"]),
    ("figure.renamed", &["name"]),
    ("figure.retyped", &["figure_type"]),
    ("figure.credited", &[]),
    ("figure.described", &[]),
    ("figure.releases_announced", &["releases"]),
    ("figure.msrp_set", &[]),
    ("figure.identified", &[]),
    ("figure.nsfw_marked", &["is_nsfw"]),
    ("figure.buy_links_set", &["buy_links"]),
    ("figure.photos_added", &["photos"]),
    ("figure.photos_ordered", &["photo_ids"]),
    ("figure.photo_replaced", &["photo_id", "picture"]),
    ("figure.primary_photo_set", &["photo_id"]),
    ("figure.photo_removed", &["photo_id"]),
    ("figure.merged_into", &["winner_id"]),
    ("figure.absorbed", &["loser_id", "aliases"]),
    ("figure.price_moved", &["price", "offer", "seen_at"]),
    ("figure.stock_changed", &["offer", "stock", "seen_at"]),
    ("entity.named", &["entity_id", "kind", "name", "slug"]),
    ("entity.renamed", &["kind", "name", "slug"]),
    ("entity.mal_id_set", &[]),
    ("entity.merged_into", &["kind", "winner_id"]),
    ("entity.absorbed", &["kind", "loser_id", "aliases"]),
    ("claim.claimed", &["code", "holder"]),
    ("claim.released", &["holder"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The fixture of every event type at the version that is written today.
fn fixtures() -> BTreeMap<String, String> {
    event_types()
        .map(|event_type| {
            let path = root().join(format!("fixtures/{event_type}.v1.json"));
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("every event type has a fixture: {}: {e}", path.display()));
            (event_type.to_owned(), text)
        })
        .collect()
}

/// The payload inside its tag.
fn payload(event_type: &str, fixture: &str) -> Map<String, Value> {
    let tagged: Map<String, Value> = serde_json::from_str(fixture).unwrap();
    let tag = event_type.split_once('.').unwrap().1;
    assert_eq!(tagged.keys().collect::<Vec<_>>(), [tag], "{event_type} is tagged with its short name alone");
    tagged[tag].as_object().unwrap().clone()
}

fn tagged(event_type: &str, payload: &Map<String, Value>) -> Value {
    let tag = event_type.split_once('.').unwrap().1.to_owned();
    Value::Object(Map::from_iter([(tag, Value::Object(payload.clone()))]))
}

fn required(event_type: &str) -> &'static [&'static str] {
    let row = REQUIRED.iter().find(|(t, _)| *t == event_type);
    row.unwrap_or_else(|| panic!("say which fields {event_type} cannot be without")).1
}

#[test]
fn no_fixture_is_left_over() {
    let known: BTreeSet<String> = event_types().map(|t| format!("{t}.v1.json")).collect();
    for file in fs::read_dir(root().join("fixtures")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name} belongs to no event type");
    }
    let types: BTreeSet<&str> = event_types().collect();
    assert_eq!(types.len(), event_types().count(), "event types are unique");
    assert!(REQUIRED.iter().all(|(t, _)| types.contains(t)), "a row of REQUIRED belongs to no event type");
}

#[test]
fn every_fixture_is_read_and_written_again_as_it_was() {
    for (event_type, text) in fixtures() {
        let event = decode(&event_type, "1", &text).unwrap_or_else(|e| panic!("{event_type}: {e}"));
        assert_eq!(event.event_type(), event_type);
        assert_eq!(event.event_version(), "1");
        let written: Value = serde_json::from_str(&event.to_json().unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(&text).unwrap(), "{event_type}");
    }
}

#[test]
fn an_event_without_its_optional_fields_is_read_and_written_without_them() {
    for (event_type, text) in fixtures() {
        let mut minimal = payload(&event_type, &text);
        minimal.retain(|field, _| required(&event_type).contains(&field.as_str()));
        let minimal = tagged(&event_type, &minimal);
        let event =
            decode(&event_type, "1", &minimal.to_string()).unwrap_or_else(|e| panic!("{event_type}: {e}"));
        let written: Value = serde_json::from_str(&event.to_json().unwrap()).unwrap();
        assert_eq!(written, minimal, "{event_type}: absent fields are left out, not written as null");
    }
}

#[test]
fn an_event_without_one_of_its_required_fields_is_damaged() {
    for (event_type, text) in fixtures() {
        let whole = payload(&event_type, &text);
        for field in required(&event_type) {
            let mut damaged = whole.clone();
            assert!(damaged.remove(*field).is_some(), "the fixture of {event_type} has {field}");
            let damaged = tagged(&event_type, &damaged).to_string();
            assert!(decode(&event_type, "1", &damaged).is_err(), "{event_type} was read without {field}");
        }
    }
}

/// A row of a table in `docs/events.md`.
struct Row {
    names: Vec<String>,
    payload: String,
    later: bool,
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The event tables by section: the sections named after an aggregate.
fn documented() -> BTreeMap<String, Vec<Row>> {
    let text = fs::read_to_string(root().join("../docs/events.md")).unwrap();
    let mut sections: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut section = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = domain::stream::StreamId::TYPES.iter().find(|t| **t == heading.trim()).copied();
            continue;
        }
        let (Some(section), Some(row)) = (section, line.strip_prefix("| `")) else { continue };
        // A `|` between two words of a payload is no border.
        let row = format!("`{row}").replace("\\|", "/");
        let cells: Vec<&str> = row.split('|').collect();
        sections.entry(section.to_owned()).or_default().push(Row {
            names: quoted(cells[0]),
            payload: cells[1].to_owned(),
            later: row.contains("*arrives with "),
        });
    }
    sections
}

#[test]
fn the_page_of_events_names_every_event_type_in_its_section_and_no_other() {
    let documented = documented();
    let mut named = BTreeSet::new();
    for (section, rows) in &documented {
        for row in rows.iter().filter(|r| !r.later) {
            for name in &row.names {
                assert!(named.insert(format!("{section}.{name}")), "{section}.{name} stands there twice");
            }
        }
    }
    let known: BTreeSet<String> = event_types().map(str::to_owned).collect();
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "documented but unknown");
    assert_eq!(
        known.difference(&named).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "known but not documented"
    );
    for (section, rows) in &documented {
        for name in rows.iter().filter(|r| r.later).flat_map(|r| &r.names) {
            assert!(!known.contains(&format!("{section}.{name}")), "{section}.{name} has arrived; say so");
        }
    }
}

/// The fields that the page gives an event, with whether they are marked optional. What stands in brackets
/// behind a field is what it holds.
fn documented_fields(rows: &[Row], tag: &str) -> BTreeMap<String, bool> {
    let at = rows.iter().position(|r| r.names.iter().any(|n| n == tag)).unwrap();
    // "the same" is said of the row before.
    let row = rows[..=at].iter().rev().find(|r| !r.payload.contains("the same")).unwrap();
    let parts: Vec<&str> = row.payload.split(" / ").collect();
    let part = match row.names.iter().position(|n| n == tag) {
        Some(place) if parts.len() == row.names.len() => parts[place],
        _ => row.payload.as_str(),
    };
    let mut depth = 0;
    let mut flat = String::new();
    for c in part.chars() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '?' if depth == 0 => {
                let field = flat.trim_end().len();
                flat.truncate(field);
                flat.push('?');
            }
            c if depth == 0 => flat.push(c),
            _ => {}
        }
    }
    flat.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '?'))
        .filter(|word| !word.is_empty())
        .map(|word| (word.trim_end_matches('?').to_owned(), word.ends_with('?')))
        .collect()
}

#[test]
fn the_page_of_events_names_every_field_and_marks_the_optional_ones() {
    let documented = documented();
    for (event_type, text) in fixtures() {
        let (section, tag) = event_type.split_once('.').unwrap();
        let told = documented_fields(&documented[section], tag);
        let fixture = payload(&event_type, &text);
        let fields: BTreeSet<&String> = fixture.keys().collect();
        assert_eq!(told.keys().collect::<BTreeSet<_>>(), fields, "{event_type}: the page and the fixture");
        for (field, marked) in told {
            let must = required(&event_type).contains(&field.as_str());
            // Lists, costs and details are absent when they hold nothing, and are not marked for that.
            let empty = matches!(field.as_str(), "cost" | "details") || fixture[&field].is_array();
            assert!(must != marked || (!must && empty), "{event_type}: {field} is marked wrongly");
        }
    }
}
