//! From events to achievements.
//!
//! A piece counts once: when it is added without a pre-order, or when its pre-order is first received.
//! Its maker, series and NSFW mark are taken as they are at that moment. Counters only ever grow, and what
//! they unlocked stays.

use super::catalogue::{Achievement, Family, of_family};
use super::rows::{
    AchievementRow, AchievementRows, CountedPieceRow, CounterRow, FigureFactsRow, MergedEntityRow,
};
use crate::engine::FoldError;
use chrono::{DateTime, Utc};
use domain::collection::CollectionEvent;
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::FigureEvent;
use domain::ids::EntityId;
use domain::preorder::{PreorderEvent, Status};
use domain::stream::{Event, Recorded, StreamId};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Range;
use uuid::Uuid;

/// Merges are followed this far; cycles are refused when merging.
const MOST_HOPS: usize = 64;

pub(super) fn fold(rows: &mut AchievementRows, recorded: &Recorded) -> Result<(), FoldError> {
    match (&recorded.event, &recorded.stream) {
        (Event::Collection(event), StreamId::Collection(user)) => {
            collection(rows, recorded, user.uuid(), event);
            Ok(())
        }
        (Event::Preorder(event), StreamId::Preorder(piece)) => preorder(rows, recorded, piece.uuid(), event),
        (Event::Figure(event), StreamId::Figure(id)) => figure(rows, id.uuid(), event),
        (
            Event::Entity(EntityEvent::MergedInto {
                kind: EntityKind::Manufacturer | EntityKind::Series,
                winner_id,
            }),
            StreamId::Entity(loser),
        ) => {
            merge(rows, loser.uuid(), winner_id.uuid(), recorded.recorded_at);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn collection(rows: &mut AchievementRows, recorded: &Recorded, user: Uuid, event: &CollectionEvent) {
    match event {
        CollectionEvent::PieceAdded { piece_id, figure_id, preordered, .. } => {
            rows.pieces.insert(CountedPieceRow {
                piece_id: piece_id.uuid(),
                user_id: user,
                figure_id: figure_id.uuid(),
                counted: !preordered,
                received: false,
                slips: 0,
            });
            if !preordered {
                count_piece(rows, user, figure_id.uuid(), recorded.recorded_at);
            }
        }
        CollectionEvent::PiecesDeleted { piece_ids } => {
            for piece in piece_ids {
                rows.pieces.remove(&piece.uuid());
            }
        }
        CollectionEvent::ScanMade { .. } => {
            grow(rows, user, Family::ScansMade, None, 1, recorded.recorded_at);
        }
        CollectionEvent::PersonErased {} => {
            rows.unlocked.remove_owned_by(user);
            rows.counters.remove_owned_by(user);
            rows.pieces.remove_owned_by(user);
        }
        _ => {}
    }
}

fn preorder(
    rows: &mut AchievementRows,
    recorded: &Recorded,
    piece: Uuid,
    event: &PreorderEvent,
) -> Result<(), FoldError> {
    let at = recorded.recorded_at;
    match event {
        PreorderEvent::Placed(placed) | PreorderEvent::Replaced(placed) => {
            grow(rows, placed.user_id.uuid(), Family::PreordersPlaced, None, 1, at);
            Ok(())
        }
        PreorderEvent::Received { .. } => {
            let before = rows.pieces.get(&piece).cloned();
            rows.pieces.change(&piece, |row| {
                row.received = true;
                row.counted = true;
            })?;
            let Some(before) = before else { return Ok(()) };
            if !before.counted {
                count_piece(rows, before.user_id, before.figure_id, at);
                grow(rows, before.user_id, Family::PreordersReceived, None, 1, at);
            }
            unlock(rows, before.user_id, Family::Slipped, 0..before.slips, at);
            Ok(())
        }
        PreorderEvent::StatusCorrected { previous: Status::Received, .. } => {
            rows.pieces.change(&piece, |row| row.received = false)
        }
        PreorderEvent::ReleaseDateSlipped(_) => {
            rows.pieces.change(&piece, |row| row.slips += 1)?;
            let now = rows.pieces.get(&piece).filter(|row| row.received).map(|row| (row.user_id, row.slips));
            if let Some((user, slips)) = now {
                unlock(rows, user, Family::Slipped, 0..slips, at);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn ids(series: &[EntityId]) -> Value {
    series.iter().map(|id| Value::String(id.to_string())).collect()
}

fn figure(rows: &mut AchievementRows, id: Uuid, event: &FigureEvent) -> Result<(), FoldError> {
    match event {
        FigureEvent::Catalogued(entry) => {
            rows.figures.insert(FigureFactsRow {
                figure_id: id,
                manufacturer_id: entry.manufacturer_id.map(EntityId::uuid),
                series_ids: ids(&entry.series_ids),
                is_nsfw: entry.is_nsfw,
                merged_into: None,
            });
            Ok(())
        }
        FigureEvent::Credited { manufacturer_id, series_ids, .. } => rows.figures.change(&id, |row| {
            row.manufacturer_id = manufacturer_id.map(EntityId::uuid);
            row.series_ids = ids(series_ids);
        }),
        FigureEvent::NsfwMarked { is_nsfw } => rows.figures.change(&id, |row| row.is_nsfw = *is_nsfw),
        FigureEvent::MergedInto { winner_id } => {
            rows.figures.change(&id, |row| row.merged_into = Some(winner_id.uuid()))
        }
        _ => Ok(()),
    }
}

/// The figure as it is now, following merges.
fn facts(rows: &AchievementRows, figure: Uuid) -> Option<FigureFactsRow> {
    let mut id = figure;
    for _ in 0..MOST_HOPS {
        let row = rows.figures.get(&id)?;
        match row.merged_into {
            Some(winner) => id = winner,
            None => return Some(row.clone()),
        }
    }
    None
}

/// The maker or series as it is now, following merges.
fn entity_now(rows: &AchievementRows, entity: Uuid) -> Uuid {
    let mut id = entity;
    for _ in 0..MOST_HOPS {
        match rows.entities.get(&id) {
            Some(row) => id = row.merged_into,
            None => break,
        }
    }
    id
}

fn count_piece(rows: &mut AchievementRows, user: Uuid, figure: Uuid, at: DateTime<Utc>) {
    grow(rows, user, Family::PiecesOwned, None, 1, at);
    let Some(facts) = facts(rows, figure) else { return };
    if let Some(maker) = facts.manufacturer_id {
        let maker = entity_now(rows, maker);
        grow(rows, user, Family::Maker, Some(maker), 1, at);
    }
    let series: BTreeSet<Uuid> = facts
        .series_ids
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str()?.parse().ok())
        .map(|id| entity_now(rows, id))
        .collect();
    for series in series {
        grow(rows, user, Family::Series, Some(series), 1, at);
    }
    if facts.is_nsfw {
        grow(rows, user, Family::Nsfw, None, 1, at);
    }
}

/// The stored name of a counter.
pub(super) fn counter(family: Family, entity: Option<Uuid>) -> String {
    let name = match family {
        Family::PiecesOwned => "pieces_owned",
        Family::PreordersPlaced => "preorders_placed",
        Family::PreordersReceived => "preorders_received",
        Family::ScansMade => "scans_made",
        Family::Maker => "maker",
        Family::Series => "series",
        Family::Nsfw => "nsfw",
        Family::Slipped => "slipped",
    };
    entity.map_or_else(|| name.to_owned(), |id| format!("{name}:{id}"))
}

fn grow(
    rows: &mut AchievementRows,
    user: Uuid,
    family: Family,
    entity: Option<Uuid>,
    by: i32,
    at: DateTime<Utc>,
) {
    let key = (user, counter(family, entity));
    let (mut before, mut reached) = (0, 0);
    rows.counters.upsert(
        &key,
        || CounterRow { user_id: user, counter: key.1.clone(), entity_id: entity, value: 0 },
        |row| {
            before = row.value;
            row.value = row.value.saturating_add(by);
            reached = row.value;
        },
    );
    unlock(rows, user, family, before..reached, at);
}

/// Unlocks what a count passed on its way. What is unlocked already keeps its time.
fn unlock(rows: &mut AchievementRows, user: Uuid, family: Family, way: Range<i32>, at: DateTime<Utc>) {
    let passed = |one: &&Achievement| way.start < one.threshold && one.threshold <= way.end;
    for Achievement { code, tier, .. } in of_family(family).filter(passed) {
        let key = (user, (*code).to_owned());
        if rows.unlocked.get(&key).is_none() {
            rows.unlocked.insert(AchievementRow {
                user_id: user,
                code: (*code).to_owned(),
                tier: tier.as_str().to_owned(),
                unlocked_at: at,
            });
        }
    }
}

/// What was counted for a maker or series counts for the one it was merged into.
fn merge(rows: &mut AchievementRows, loser: Uuid, winner: Uuid, at: DateTime<Utc>) {
    rows.entities.insert(MergedEntityRow { entity_id: loser, merged_into: winner });
    for key in rows.counters.keys_where(CounterRow::entity_id, loser) {
        let Some(value) = rows.counters.get(&key).map(|row| row.value) else { continue };
        let (user, name) = &key;
        let family = if name.starts_with("maker:") { Family::Maker } else { Family::Series };
        let user = *user;
        rows.counters.remove(&key);
        grow(rows, user, family, Some(winner), value, at);
    }
}
